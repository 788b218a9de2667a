/* avx2.c - tools with AVX2 and FMA
 *
 * build with: -mavx2 -mfma -mf16c
 */
#include "arch/tools/tools.h"

#include "arch/x86/lanes256.h"

#define LANES_PEAK_SUMS     8
#define lanes_dot_registers lanes_dot_maddubs

#include "arch/tools/lanes_errors.h"
#include "arch/tools/lanes_peak.h"
#include "arch/tools/lanes_products.h"

const arch_tools arch_tools_avx2 = {
	.name = "avx2",
	.book_errors = lanes_errors,
	.add_products = lanes_add_products,
	.dot_peak = lanes_dot_peak,
};
