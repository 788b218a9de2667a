/* neon.c - tools with Advanced SIMD of Armv8.0-A
 *
 * build with: -march=armv8-a
 */
#include "arch/tools/tools.h"

#include "arch/arm/lanes_neon.h"

#define LANES_PEAK_SUMS     16
#define lanes_dot_registers lanes_dot_pairs

/* Of four vectors: 16 sums, four factors and one that all lanes share. */
#define LANES_PRODUCT_ROWS 4

#include "arch/tools/lanes_errors.h"
#include "arch/tools/lanes_peak.h"
#include "arch/tools/lanes_products.h"

const arch_tools arch_tools_neon = {
	.name = "neon",
	.book_errors = lanes_errors,
	.add_products = lanes_add_products,
	.dot_peak = lanes_dot_peak,
};
