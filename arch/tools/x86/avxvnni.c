/* avxvnni.c - tools with AVX-VNNI
 *
 * build with: -mavx2 -mfma -mf16c -mavxvnni
 */
#include "arch/tools/tools.h"

#if defined(__AVXVNNI__)

#include "arch/x86/lanes256.h"

#define LANES_PEAK_SUMS     12
#define lanes_dot_registers lanes_dot_dpbusd

#include "arch/tools/lanes_peak.h"

const arch_tools arch_tools_avxvnni = {
	.name = "avxvnni",
	.below = &arch_tools_avx2,
	.dot_peak = lanes_dot_peak,
};

#else
ARCH_TOOLS_ABSENT(avxvnni)
#endif
