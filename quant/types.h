/* types.h - the table of tensor types: what a file's numbers mean, one row each
 *
 * Everything that differs by type is in this table. What only the converter needs of a type, its
 * encoder, is in quant/encode/encoders.h; the kernel for its products in arch/kernels.h.
 */
#ifndef QUANT_TYPES_H
#define QUANT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/codebook.h"

/* As in the file (quant/FORMAT.md). */
enum type_id {
	TYPE_F32 = 1, /* plain row of floats: norm weights */
	TYPE_F16 = 2, /* tiles, quant/f16.h */
	TYPE_Q8 = 3,  /* tiles, quant/q8.h */
	TYPE_Q4 = 4,  /* tiles, quant/q4.h */
	TYPE_Q3 = 5,  /* tiles, quant/q3.h */
	TYPE_KINDS = 6
};

typedef struct type_row {
	const char *name;
	bool is_matrix;     /* false: of vectors alone */
	bool takes_int8;    /* multiplied with quantized activations, not with floats */
	uint32_t tile_rows; /* rows that are stored together */
	size_t (*tile_bytes)(size_t cols);

	/* Decodes one row of a tile into [cols] floats; row in [0, tile_rows). */
	void (*decode_row)(float *out, const uint8_t *tile, unsigned row, size_t cols);

	const codebook *book; /* in which its weights are looked up; NULL: they are not */
} type_row;

/* NULL: a type this version does not know. */
const type_row *type_find(uint32_t id);

/* The codebook of a type; NULL: it has none, or this version does not know it. */
const codebook *type_book(uint32_t id);

/* "q4" and so on; "?" for a type this version does not know. */
const char *type_name(uint32_t id);

/* The type of matrices called so; 0: there is none. */
uint32_t type_of_matrices(const char *name);

/* Bytes a tensor of that type and shape takes. False: unknown type, zero dimension or overflow. */
bool type_tensor_bytes(uint32_t id, uint32_t rows, uint32_t cols, uint64_t *bytes);

#endif
