/* sha256.h - SHA-256 (FIPS 180-4), for programs without a system */
#ifndef TEST_SHA256_H
#define TEST_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[64];
} sha256;

static inline sha256 sha256_begin(void)
{
	return (sha256){ { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
		           0x1f83d9ab, 0x5be0cd19 },
		         0,
		         { 0 } };
}

static inline uint32_t sha256_turn(uint32_t value, unsigned by)
{
	return value >> by | value << (32 - by);
}

/* FIPS 180-4, 4.2.2. */
static const uint32_t sha256_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2
};

static inline void sha256_mix(sha256 *s)
{
	uint32_t w[64], v[8];
	unsigned i;

	for (i = 0; i < 16; i++)
		w[i] = (uint32_t)s->block[4 * i] << 24 | (uint32_t)s->block[4 * i + 1] << 16 |
		       (uint32_t)s->block[4 * i + 2] << 8 | s->block[4 * i + 3];
	for (; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		       (sha256_turn(w[i - 15], 7) ^ sha256_turn(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (sha256_turn(w[i - 2], 17) ^ sha256_turn(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, s->state, sizeof v);
	for (i = 0; i < 64; i++) {
		uint32_t first = v[7] +
		                 (sha256_turn(v[4], 6) ^ sha256_turn(v[4], 11) ^
		                  sha256_turn(v[4], 25)) +
		                 ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha256_constants[i] + w[i],
		         second = (sha256_turn(v[0], 2) ^ sha256_turn(v[0], 13) ^
		                   sha256_turn(v[0], 22)) +
		                  ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += first;
		v[0] = first + second;
	}
	for (i = 0; i < 8; i++)
		s->state[i] += v[i];
}

static inline void sha256_add(sha256 *s, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	for (; n > 0; n--) {
		s->block[s->bytes++ % 64] = *from++;
		if (s->bytes % 64 == 0)
			sha256_mix(s);
	}
}

/* The digest as 64 digits and an end. */
static inline void sha256_end(sha256 *s, char text[65])
{
	const uint64_t bits = s->bytes * 8;
	uint8_t length[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(s, "\x80", 1);
	while (s->bytes % 64 != 56)
		sha256_add(s, "", 1);
	sha256_add(s, length, 8);
	for (i = 0; i < 64; i++)
		text[i] = "0123456789abcdef"[s->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
	text[64] = 0;
}

#endif
