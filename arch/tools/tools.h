/* tools.h - the table of functions that converter and benchmarks need beyond the kernels
 *
 * Only those programs link it: a program that runs models does not need the encoder's search, the
 * calibration's products or the limit that products are measured against. For every kernel set
 * (arch/kernels.h) there is a set of tools of the same name, in a file of its own;
 * arch/tools/scalar.c defines the functions, and the others give the same bits.
 */
#ifndef ARCH_TOOLS_TOOLS_H
#define ARCH_TOOLS_TOOLS_H

#include "arch/kernels.h"
#include "quant/encode/book_encode.h"

typedef struct arch_tools arch_tools;

struct arch_tools {
	const char *name;        /* of the kernel set */
	const arch_tools *below; /* the set whose functions are taken where this one has NULL */

	/* For the converter: quant/encode/book_encode.h. */
	book_errors_fn *book_errors;

	/* For the calibration: sums[16 * i + j] += sum over t of a[16 * t + i] * b[16 * t + j].
	 * That sum begins at zero and goes in order of t; a and b are panels [n][16], 64-byte
	 * aligned as sums [16][16] are. */
	book_products_fn *add_products;

	/* For the benchmarks: runs the set's int8 dot product sequence on registers alone and
	 * returns how many multiplications and additions that were. */
	uint64_t (*dot_peak)(uint64_t rounds);
};

/* Every function of the table, for what goes through all of them. */
#define ARCH_TOOLS_FUNCTIONS(each) each(book_errors) each(add_products) each(dot_peak)

#define ARCH_TOOLS_DECLARE(set) extern const arch_tools arch_tools_##set;
ARCH_SETS(ARCH_TOOLS_DECLARE)

/* Placeholder for a set that this compiler cannot build. */
#define ARCH_TOOLS_ABSENT(set) const arch_tools arch_tools_##set = { .name = #set };

/* Fills *tools with those of the kernel set called `name`, one that arch_choose found, and what
 * they take from the sets below; with the scalar ones where there is none of that name. */
void arch_find_tools(arch_tools *tools, const char *name);

#endif
