/* random.h - the same pseudo-random data on every machine (splitmix64, Steele, Lea and Flood 2014)
 */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Uniform in [-1, 1). */
static inline float random_float(uint64_t *state)
{
	return (float)(random_next(state) >> 40) / 8388608.0f - 1.0f;
}

/* About Gaussian with variance 1: twelve uniforms (Irwin-Hall). */
static inline float random_gauss(uint64_t *state)
{
	float sum = 0;
	unsigned i;

	for (i = 0; i < 12; i++)
		sum += random_float(state);
	return sum / 2;
}

static inline void random_fill(uint64_t *state, float *x, size_t n, float scale)
{
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = scale * random_gauss(state);
}

#endif
