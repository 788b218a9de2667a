/* lanes_errors.h - template of the converter's inner loop (quant/encode/book_encode.h);
 * arch/lanes.h says what it is made of */
#ifndef ARCH_TOOLS_LANES_ERRORS_H
#define ARCH_TOOLS_LANES_ERRORS_H

#include "arch/lanes.h"
#include "quant/encode/book_encode.h"

static void lanes_errors(float *errors, const float *w, const float *importance, const float *table,
                         const float *by, const float *plus, size_t n)
{
	const lanes_float zero = lanes_fill_float(0), last = lanes_fill_float(BOOK_CELLS - 1);
	size_t c;
	int half, part, i;

	for (c = 0; c < n; c++) {
		lanes_float totals[LANES_PARTS];
		float sum[LANES];

		UNROLL
		for (part = 0; part < LANES_PARTS; part++) {
			lanes_float total = zero;

			UNROLL
			for (half = 0; half < 2; half++) {
				int first = half * BOOK_ERROR_LANES + part * LANES;
				lanes_float at = lanes_add(lanes_mul(lanes_load_float(w + first),
				                                     lanes_fill_float(by[c])),
				                           lanes_fill_float(plus[c]));
				lanes_float rest = lanes_sub(
				        at,
				        lanes_gather(table, lanes_cut(lanes_min(lanes_max(at, zero),
				                                                last))));

				total = lanes_add(total,
				                  lanes_mul(lanes_mul(rest, rest),
				                            lanes_load_float(importance + first)));
			}
			totals[part] = total;
		}
		UNROLL
		for (part = LANES_PARTS / 2; part > 0; part /= 2)
			UNROLL
		for (i = 0; i < part; i++)
			totals[i] = lanes_add(totals[i], totals[i + part]);
		lanes_store_float(sum, totals[0]);
		for (half = LANES / 2; half > 0; half /= 2)
			for (i = 0; i < half; i++)
				sum[i] += sum[i + half];
		errors[c] = sum[0];
	}
}

#endif
