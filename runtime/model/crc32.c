/* crc32.c - eight bytes a step with tables made on the stack, and joining pieces checksummed by
 * different threads */
#include "runtime/model/crc32.h"

#define WATCH_STEP ((size_t)8 << 20) /* bytes between calls: a few milliseconds */

#include <string.h>

#define POLYNOMIAL 0xedb88320u

/* table[k][b]: the effect of byte b followed by k zero bytes. */
static void fill_tables(uint32_t table[8][256])
{
	unsigned byte, k;

	for (byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][byte] = crc;
	}
	for (byte = 0; byte < 256; byte++)
		for (k = 1; k < 8; k++)
			table[k][byte] =
			        table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 255];
}

static uint32_t load_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32_update(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint32_t table[8][256];

	if (bytes == 0)
		return crc;
	fill_tables(table);
	crc = ~crc;
	for (; bytes >= 8; bytes -= 8, p += 8) {
		uint32_t low = load_le32(p) ^ crc, high = load_le32(p + 4);

		crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^
		      table[4][low >> 24] ^ table[3][high & 255] ^ table[2][high >> 8 & 255] ^
		      table[1][high >> 16 & 255] ^ table[0][high >> 24];
	}
	for (; bytes > 0; bytes--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 255];
	return ~crc;
}

bool crc32_watched(uint32_t *crc, const void *data, uint64_t bytes, crc32_watch *watch)
{
	const uint8_t *p = data;
	size_t step;

	for (; bytes > 0; bytes -= step, p += step) {
		step = bytes < WATCH_STEP ? (size_t)bytes : WATCH_STEP;
		*crc = crc32_update(*crc, p, step);
		watch->done += step;
		if (watch->progress)
			watch->progress(watch->user, watch->done, watch->total);
		if (watch->cancel && watch->cancel(watch->user))
			return false;
	}
	return true;
}

/* The 32x32 bit matrix times a vector, over GF(2): column i is matrix[i]. */
static uint32_t matrix_times(const uint32_t matrix[32], uint32_t vector)
{
	uint32_t sum = 0;
	unsigned i;

	for (i = 0; i < 32; i++)
		sum ^= vector >> i & 1 ? matrix[i] : 0;
	return sum;
}

/* Appending zeros is linear, so second_bytes of them are applied by repeated squaring of the matrix
 * that appends one. */
uint32_t crc32_combine(uint32_t first, uint32_t second, uint64_t second_bytes)
{
	uint32_t matrix[32], squared[32], table[8][256];
	unsigned i;

	fill_tables(table);
	for (i = 0; i < 32; i++) {
		uint32_t bit = (uint32_t)1 << i;

		matrix[i] = bit >> 8 ^ table[0][bit & 255];
	}
	for (; second_bytes > 0; second_bytes >>= 1) {
		if (second_bytes & 1)
			first = matrix_times(matrix, first);
		for (i = 0; i < 32; i++)
			squared[i] = matrix_times(matrix, matrix[i]);
		memcpy(matrix, squared, sizeof matrix);
	}
	return first ^ second;
}
