/* segment.h - the last step of every set's attention: merges one segment of positions into a
 * query's running sums
 *
 * Segments are merged in order of position as in online softmax (arXiv 1805.02867): each brings its
 * largest score, the sum of its weights relative to that, and its weighted values; both sides are
 * brought to the larger of the two maxima. One definition for all sets, so the bits agree.
 */
#ifndef ARCH_SEGMENT_H
#define ARCH_SEGMENT_H

#include <string.h>

#include "arch/kernels.h"
#include "arch/math.h"

/* sums, segment [dim] */
static inline void segment_merge(arch_attended *whole, float *sums, float largest, float weight,
                                 const float *segment, size_t dim)
{
	float both = whole->largest > largest ? whole->largest : largest, old, new;
	size_t d;

	if (whole->weight == 0) {
		*whole = (arch_attended){ largest, weight };
		memcpy(sums, segment, dim * sizeof *sums);
		return;
	}
	old = math_exp(whole->largest - both);
	new = math_exp(largest - both);
	whole->largest = both;
	whole->weight = whole->weight * old + weight * new;
	for (d = 0; d < dim; d++)
		sums[d] = sums[d] * old + segment[d] * new;
}

#endif
