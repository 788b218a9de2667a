/* i8mm.c - tools with SMMLA
 *
 * build with: -march=armv8.2-a+dotprod+i8mm
 */
#include "arch/tools/tools.h"

#if defined(__ARM_FEATURE_MATMUL_INT8)

#include "arch/arm/lanes_neon.h"

#define LANES_PEAK_SUMS       16
#define LANES_PEAK_OPERATIONS 64 /* 2 x 2 sums of eight products */

INLINE lanes_int lanes_dot_registers(lanes_int sum, lanes_int w, lanes_int x)
{
	return vmmlaq_s32(sum, lanes_bytes(w), lanes_bytes(x));
}

#include "arch/tools/lanes_peak.h"

const arch_tools arch_tools_i8mm = {
	.name = "i8mm",
	.below = &arch_tools_dotprod,
	.dot_peak = lanes_dot_peak,
};

#else
ARCH_TOOLS_ABSENT(i8mm)
#endif
