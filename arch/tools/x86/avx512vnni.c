/* avx512vnni.c - tools with AVX-512 and VNNI
 *
 * build with: -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni
 */
#include "arch/tools/tools.h"

#if defined(__AVX512VNNI__)

#include "arch/x86/lanes512.h"

#define LANES_PEAK_SUMS     12
#define lanes_dot_registers lanes_dot_dpbusd

#include "arch/tools/lanes_peak.h"
#include "arch/tools/lanes_products.h"

const arch_tools arch_tools_avx512vnni = {
	.name = "avx512vnni",
	.below = &arch_tools_avx2,
	.add_products = lanes_add_products,
	.dot_peak = lanes_dot_peak,
};

#else
ARCH_TOOLS_ABSENT(avx512vnni)
#endif
