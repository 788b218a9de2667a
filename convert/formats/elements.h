/* elements.h - the types elements of tensors are stored in: plain numbers and ggml's blocks, and
 * how each becomes floats */
#ifndef CONVERT_FORMATS_ELEMENTS_H
#define CONVERT_FORMATS_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those from Q8_0 on are ggml's blocks (convert/formats/gguf.h). */
typedef enum elements_type {
	ELEMENTS_F16 = 1,
	ELEMENTS_BF16 = 2,
	ELEMENTS_F32 = 3,
	ELEMENTS_F8_E4M3, /* one byte: sign, 4 bits of exponent, 3 of mantissa (arXiv 2209.05433) */
	ELEMENTS_Q8_0,
	ELEMENTS_Q4_0,
	ELEMENTS_Q4_1,
	ELEMENTS_Q5_0,
	ELEMENTS_Q5_1,
	ELEMENTS_Q2_K,
	ELEMENTS_Q3_K,
	ELEMENTS_Q4_K,
	ELEMENTS_Q5_K,
	ELEMENTS_Q6_K,
	ELEMENTS_IQ4_NL,
	ELEMENTS_IQ4_XS,
	ELEMENTS_TYPES
} elements_type;

/* "F16", "Q4_K"; "?" for what is no type. */
const char *elements_name(uint32_t dtype);

/* Elements that are coded together: a row is a whole number of blocks. 0 for what is no type. */
uint32_t elements_block(uint32_t dtype);

/* True for ggml's types, which already lost precision to few bits. */
bool elements_are_quantized(uint32_t dtype);

/* Bytes of n elements. False: no type, not a whole number of blocks, or overflow. */
bool elements_measure(uint32_t dtype, uint64_t n, uint64_t *bytes);

/* Decodes n elements, whole blocks, from `raw` as stored in the file (aligned for 16- and 32-bit
 * numbers). False if one is infinite or not a number. */
bool elements_decode(float *out, const void *raw, uint32_t dtype, size_t n);

#endif
