/* dotprod.c - tools with SDOT
 *
 * build with: -march=armv8.2-a+dotprod
 */
#include "arch/tools/tools.h"

#if defined(__ARM_FEATURE_DOTPROD)

#include "arch/arm/lanes_neon.h"

#define LANES_PEAK_SUMS 16

INLINE lanes_int lanes_dot_registers(lanes_int sum, lanes_int w, lanes_int x)
{
	return vdotq_s32(sum, lanes_bytes(w), lanes_bytes(x));
}

#include "arch/tools/lanes_peak.h"

const arch_tools arch_tools_dotprod = {
	.name = "dotprod",
	.below = &arch_tools_neon,
	.dot_peak = lanes_dot_peak,
};

#else
ARCH_TOOLS_ABSENT(dotprod)
#endif
