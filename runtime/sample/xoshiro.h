/* xoshiro.h - random numbers, the same from the same seed on every machine
 *
 * xoshiro256++ 1.0 (Blackman, Vigna: "Scrambled Linear Pseudorandom Number Generators", arXiv
 * 1805.01407): four words of state, period 2^256 - 1, no known statistical failure. Its state is
 * filled by SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators",
 * OOPSLA 2014), as its authors advise, so that near seeds give far states and no seed gives the
 * all-zero one.
 */
#ifndef RUNTIME_XOSHIRO_H
#define RUNTIME_XOSHIRO_H

#include <stdint.h>

typedef struct xoshiro {
	uint64_t s[4];
} xoshiro;

static inline uint64_t xoshiro_rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t xoshiro_splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline xoshiro xoshiro_seed(uint64_t seed)
{
	xoshiro x;
	unsigned i;

	for (i = 0; i < 4; i++)
		x.s[i] = xoshiro_splitmix(&seed);
	return x;
}

static inline uint64_t xoshiro_next(xoshiro *x)
{
	uint64_t *s = x->s, result = xoshiro_rotate(s[0] + s[3], 23) + s[0], shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = xoshiro_rotate(s[3], 45);
	return result;
}

/* Uniform in [0, 1), a multiple of 2^-53. */
static inline double xoshiro_uniform(xoshiro *x)
{
	return (double)(xoshiro_next(x) >> 11) * 0x1p-53;
}

#endif
