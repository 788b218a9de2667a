/* lora_apply.c - adds the products of an adapter's pairs to rows of a matrix, or replaces them */
#include "convert/checkpoint/lora.h"

#include <inttypes.h>
#include <string.h>

#include "convert/checkpoint/lora_reading.h"
#include "convert/formats/files.h"
#include "convert/formats/tensors.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

/* of A: up to rank 32 its 32 KB stay in the first-level cache while 16 rows go by */
#define BLOCK_COLS 256u

/* ---- product -------------------------------------------------------------------------------- */

/* sum[c] = sum over k of b[k] * a[k * stride + c], in the order of k. Four at a time, so that a sum
 * is loaded and stored once for them. */
static void sum_products(float *sum, const float *b, const float *a, size_t stride, uint32_t rank,
                         uint32_t n)
{
	uint32_t k, c;

	memset(sum, 0, n * sizeof *sum);
	for (k = 0; k + 4 <= rank; k += 4, a += 4 * stride) {
		const float *a1 = a + stride, *a2 = a1 + stride, *a3 = a2 + stride;
		float b0 = b[k], b1 = b[k + 1], b2 = b[k + 2], b3 = b[k + 3];

		for (c = 0; c < n; c++)
			sum[c] = sum[c] + b0 * a[c] + b1 * a1[c] + b2 * a2[c] + b3 * a3[c];
	}
	for (; k < rank; k++, a += stride)
		for (c = 0; c < n; c++)
			sum[c] += b[k] * a[c];
}

static void add_product(const lora_pair *p, uint32_t first, uint32_t n, uint32_t cols, float *rows)
{
	float sum[BLOCK_COLS];
	uint32_t from, row, c;

	for (from = 0; from < cols; from += BLOCK_COLS) {
		uint32_t width = cols - from < BLOCK_COLS ? cols - from : BLOCK_COLS;

		for (row = 0; row < n; row++) {
			float *w = rows + (size_t)row * cols + from;

			sum_products(sum, p->b + (size_t)(first + row) * p->rank, p->a + from, cols,
			             p->rank, width);
			for (c = 0; c < width; c++)
				w[c] += sum[c];
		}
	}
}

/* ---- whole matrices ------------------------------------------------------------------------- */

static brise_status replace_rows(const lora_pair *p, const lora_file *file, uint32_t first,
                                 uint32_t n, uint32_t cols, float *rows, brise_error *err)
{
	uint64_t row_bytes = 0;
	brise_status status;
	void *raw;

	(void)elements_measure(p->dtype, cols, &row_bytes); /* found to lie inside the file */
	if (!(raw = memory_new((size_t)(n * row_bytes) + 1, 1)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " rows",
		                 file->path, n);
	status = files_read_at(file->descriptor, raw, (size_t)(n * row_bytes),
	                       p->offset + first * row_bytes, file->path, err);
	if (status == BRISE_OK && !elements_decode(rows, raw, p->dtype, (size_t)n * cols))
		status = error_set(err, BRISE_EFORMAT,
		                   "%s: a weight in rows %" PRIu32 "..%" PRIu32
		                   " of a whole matrix is infinite or not a number",
		                   file->path, first, first + n - 1);
	memory_free(raw);
	return status;
}

brise_status lora_apply_rows(const lora *l, uint32_t kind, uint32_t layer, uint32_t first,
                             uint32_t n, uint32_t cols, float *rows, brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t i;

	for (i = 0; l && i < l->n && status == BRISE_OK; i++) {
		const lora_pair *p = &l->pairs[(i * l->n_layers + layer) * TENSOR_KINDS + kind];

		if (p->whole)
			status = replace_rows(p, &l->files[i], first, n, cols, rows, err);
		if (p->rank && status == BRISE_OK)
			add_product(p, first, n, cols, rows);
	}
	return status;
}
