/* tile_error.h - the error of a conversion */
#ifndef QUANT_TILE_ERROR_H
#define QUANT_TILE_ERROR_H

/* Eight running sums joined as a tree: a fixed order that compilers can keep in vector
 * registers. */
static inline float tile_sum_lanes(const float lanes[8])
{
	return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
	       ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

/* Squared error of a conversion and squared norm of what was converted, summed in a fixed order. */
typedef struct tile_error {
	double error, norm;
} tile_error;

static inline void tile_add_error(tile_error *sum, const tile_error *other)
{
	sum->error += other->error;
	sum->norm += other->norm;
}

static inline double tile_relative_error(const tile_error *sum)
{
	return sum->norm > 0 ? sum->error / sum->norm : 0;
}

#endif
