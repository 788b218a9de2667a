/* types.c - the table of tensor types */
#include "quant/types.h"

#include <string.h>

#include "quant/checked.h"
#include "quant/f16.h"
#include "quant/q3.h"
#include "quant/q4.h"
#include "quant/q8.h"

static size_t f32_tile_bytes(size_t cols)
{
	return cols * sizeof(float);
}

static void f32_decode_row(float *out, const uint8_t *tile, unsigned row, size_t cols)
{
	memcpy(out, tile + row * f32_tile_bytes(cols), f32_tile_bytes(cols));
}

static const type_row rows[TYPE_KINDS] = {
	[TYPE_F32] = { "f32", false, false, 1, f32_tile_bytes, f32_decode_row, NULL },
	[TYPE_F16] = { "f16", true, false, TILE_ROWS, f16_tile_bytes, f16_decode_row, NULL },
	[TYPE_Q8] = { "q8", true, true, TILE_ROWS, q8_tile_bytes, q8_decode_row, NULL },
	[TYPE_Q4] = { "q4", true, true, TILE_ROWS, q4_tile_bytes, q4_decode_row, &q4_book },
	[TYPE_Q3] = { "q3", true, true, TILE_ROWS, q3_tile_bytes, q3_decode_row, &q3_book },
};

const type_row *type_find(uint32_t id)
{
	return id < TYPE_KINDS && rows[id].name ? &rows[id] : NULL;
}

const codebook *type_book(uint32_t id)
{
	const type_row *type = type_find(id);

	return type ? type->book : NULL;
}

const char *type_name(uint32_t id)
{
	const type_row *type = type_find(id);

	return type ? type->name : "?";
}

uint32_t type_of_matrices(const char *name)
{
	uint32_t id;

	for (id = 0; id < TYPE_KINDS; id++)
		if (rows[id].is_matrix && !strcmp(rows[id].name, name))
			return id;
	return 0;
}

bool type_tensor_bytes(uint32_t id, uint32_t n_rows, uint32_t cols, uint64_t *bytes)
{
	const type_row *type = type_find(id);

	if (!type || n_rows == 0 || cols == 0 || cols > UINT32_MAX - TILE_GROUP ||
	    n_rows > UINT32_MAX - TILE_ROWS)
		return false;
	return checked_mul((n_rows + type->tile_rows - 1) / type->tile_rows, type->tile_bytes(cols),
	                   bytes);
}
