/* sse.c - tools with SSSE3 and SSE4.1
 *
 * build with: -mssse3 -msse4.1
 */
#include "arch/tools/tools.h"

#include "arch/x86/lanes128.h"

#define LANES_PEAK_SUMS     8
#define lanes_dot_registers lanes_dot_maddubs

#include "arch/tools/lanes_errors.h"
#include "arch/tools/lanes_peak.h"
#include "arch/tools/lanes_products.h"

const arch_tools arch_tools_sse = {
	.name = "sse",
	.book_errors = lanes_errors,
	.add_products = lanes_add_products,
	.dot_peak = lanes_dot_peak,
};
