/* lora_tensors.c - the matrix that a tensor of an adapter is for, its shape, its floats
 *
 * PEFT's names are in lora_names.c. Pairs of the embedding are for the matrix's transpose, which
 * they are turned from when read. With adapters of the embedding or the output PEFT saves the
 * matrix itself as well, as ".base_layer.weight"; it is not trained, so the checkpoint has it.
 */
#include "convert/checkpoint/lora_reading.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "convert/checkpoint/checkpoint.h"
#include "convert/checkpoint/lora_names.h"
#include "convert/formats/files.h"
#include "convert/formats/tensors.h"
#include "quant/checked.h"
#include "quant/half.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/model/tensor.h"
#include "runtime/os/memory.h"

/* of what an adapter may add: added to any float it gives no infinity (half a unit of the largest
 * is 1e31) */
#define SUM_MAX 1e30

/* ---- names ---------------------------------------------------------------------------------- */

static brise_status refuse(const lora_reading *in, const char *name, const char *why)
{
	return error_set(in->err, BRISE_EUNSUPPORTED, "%s: tensor %s: %s", in->path, name, why);
}

/* The output has the others' prefix or a beginning of it. */
static bool same_prefix(const lora_place *a, const lora_place *b)
{
	size_t n = strlen(a->prefix), m = strlen(b->prefix);

	if (a->kind == TENSOR_OUTPUT || b->kind == TENSOR_OUTPUT)
		return !strncmp(a->prefix, b->prefix, n < m ? n : m);
	return !strcmp(a->prefix, b->prefix);
}

/* One prefix and one adapter's name for all pairs. */
static brise_status check_names(lora_reading *in, const char *name, const lora_place *at)
{
	if (at->role > LORA_HALF_B)
		return BRISE_OK;
	if (!in->first) {
		in->place = *at;
		return (in->first = memory_copy_text(name)) != NULL
		               ? BRISE_OK
		               : error_set(in->err, BRISE_ENOMEM, "%s: no memory for a name",
		                           in->path);
	}
	if (strcmp(at->adapter, in->place.adapter) != 0)
		return error_set(in->err, BRISE_EUNSUPPORTED,
		                 "%s: tensors %.120s and %.120s are of different adapters; one is "
		                 "supported",
		                 in->path, in->first, name);
	if (!same_prefix(at, &in->place))
		return error_set(in->err, BRISE_EUNSUPPORTED,
		                 "%s: tensors %.120s and %.120s have different prefixes", in->path,
		                 in->first, name);
	return BRISE_OK;
}

static brise_status find_place(lora_reading *in, const char *name, lora_place *found)
{
	brise_status status = lora_find_place(found, in->form->names, name, in->path, in->err);

	if (status != BRISE_OK || (status = check_names(in, name, found)) != BRISE_OK)
		return status;
	if (in->form->layers_only && (!order_is_in_layer(found->kind) || found->role == LORA_WHOLE))
		return refuse(in, name, "names no matrix of a Mistral model");
	if (found->layer >= in->model->n_layers)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: tensor %s: a model of %" PRIu32
		                 " layers has none of that number",
		                 in->path, name, in->model->n_layers);
	if (in->tied && found->role != LORA_BASE &&
	    (found->kind == TENSOR_EMBEDDING || found->kind == TENSOR_OUTPUT))
		return refuse(in, name,
		              "the model's output is its embedding: adapters of either are not "
		              "supported");
	if (found->role == LORA_WHOLE && in->scale != 1)
		return refuse(in, name, "a whole matrix replaces the model's and takes no scale");
	return BRISE_OK;
}

/* ---- tensors -------------------------------------------------------------------------------- */

static brise_status check_shape(const lora_reading *in, const named_tensor *t, const lora_place *at,
                                uint32_t rank)
{
	named_tensor squeezed = *t, expected = { .n_dims = 2 };
	char found[TENSORS_SHAPE_MAX], wanted[TENSORS_SHAPE_MAX];
	uint32_t rows, cols;

	model_tensor_shape(in->model, at->kind, &rows, &cols);
	if (at->embedding) { /* B A is the transpose */
		uint32_t swap = rows;

		rows = cols;
		cols = swap;
	}
	expected.shape[0] = at->role == LORA_HALF_A ? rank : rows;
	expected.shape[1] = at->role == LORA_HALF_B ? rank : cols;
	if (at->role > LORA_HALF_B && order_is_vector(at->kind))
		tensors_squeeze(&expected, 1);
	tensors_squeeze(&squeezed, expected.n_dims);
	if (t->dtype == 0 || t->dtype == ELEMENTS_F8_E4M3)
		return refuse(in, t->name, "neither F16, BF16 nor F32");
	if ((at->role < LORA_BASE && rank == 0) || squeezed.n_dims != expected.n_dims ||
	    memcmp(squeezed.shape, expected.shape, expected.n_dims * sizeof *expected.shape) != 0)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: tensor %s: shape %s expected from r and the model, found %s",
		                 in->path, t->name, tensors_shape_text(wanted, &expected),
		                 tensors_shape_text(found, t));
	return BRISE_OK;
}

static float decode(const uint8_t *raw, uint32_t dtype, size_t i)
{
	uint16_t half;
	float value;

	if (dtype == ELEMENTS_F32) {
		memcpy(&value, raw + i * sizeof value, sizeof value);
		return value;
	}
	memcpy(&half, raw + i * sizeof half, sizeof half);
	return dtype == ELEMENTS_BF16 ? half_decode_bfloat(half) : half_decode(half);
}

/* In which order elements are read. */
typedef enum element_order { AS_THEY_ARE, TRANSPOSED, INTERLEAVED_ROWS } element_order;

/* All elements times `factor`; *out from memory_new. The shape has been checked, and its bytes lie
 * in the file. */
static brise_status read_floats(const lora_reading *in, const named_tensor *t, double factor,
                                element_order order, float **out)
{
	size_t rows = (size_t)t->shape[0], cols = (size_t)t->shape[1], row, col, bytes = 0, i, from;
	uint8_t *raw = NULL;
	brise_status status = BRISE_OK;

	*out = NULL;
	if (!checked_size(t->bytes, &bytes) || !(raw = memory_new(bytes, 1)) ||
	    !(*out = memory_new(rows * cols, sizeof **out)))
		status = error_set(in->err, BRISE_ENOMEM, "%s: no memory for tensor %s", in->path,
		                   t->name);
	if (status == BRISE_OK)
		status = files_read_at(in->descriptor, raw, bytes, t->offset, in->path, in->err);
	for (row = 0; status == BRISE_OK && row < rows; row++) {
		from = order == INTERLEAVED_ROWS
		               ? checkpoint_interleaved_row((uint32_t)row, in->model->head_dim)
		               : row;
		for (col = 0; col < cols; col++) {
			float value =
			        (float)(factor * (double)decode(raw, t->dtype, from * cols + col));

			i = order == TRANSPOSED ? col * rows + row : row * cols + col;
			(*out)[i] = value;
			if (!isfinite(value))
				status = error_set(
				        in->err, BRISE_EFORMAT,
				        "%s: tensor %s: an element is infinite or not a number",
				        in->path, t->name);
		}
	}
	memory_free(raw);
	return status;
}

/* What r or rank_pattern say, or where they cannot be read, the tensor itself. */
static uint32_t find_rank(const lora_reading *in, const named_tensor *t, const lora_place *at)
{
	uint64_t rank;

	if (at->role > LORA_HALF_B)
		return 0;
	if (!in->config.ranks_unread)
		return (uint32_t)lora_rank_of(&in->config, at->module);
	rank = t->n_dims < 2 ? 0 : at->role == LORA_HALF_A ? t->shape[0] : t->shape[1];
	return rank <= UINT32_MAX ? (uint32_t)rank : 0;
}

static void take_whole(lora_reading *in, const named_tensor *t, const lora_place *at)
{
	lora_pair *p = &in->pairs[at->layer * TENSOR_KINDS + at->kind];

	p->whole = true;
	p->dtype = t->dtype;
	p->offset = t->offset;
	in->n_whole++;
}

static void count_pair(lora_reading *in, uint32_t rank, double factor, bool half_b)
{
	in->low_rank = in->n_pairs && in->low_rank < rank ? in->low_rank : rank;
	in->high_rank = in->high_rank > rank ? in->high_rank : rank;
	in->low_factor = in->n_pairs && in->low_factor < factor ? in->low_factor : factor;
	in->high_factor = in->n_pairs && in->high_factor > factor ? in->high_factor : factor;
	in->n_pairs += half_b;
}

brise_status lora_take_tensor(lora_reading *in, const named_tensor *t)
{
	lora_place at;
	brise_status status = find_place(in, t->name, &at);
	named_tensor squeezed = *t;
	uint32_t rank;
	element_order order;
	lora_pair *p;
	double factor;

	if (status != BRISE_OK)
		return status;
	tensors_squeeze(&squeezed, 2);
	rank = find_rank(in, &squeezed, &at);
	if ((status = check_shape(in, t, &at, rank)) != BRISE_OK || at.role == LORA_BASE)
		return status;
	if (at.role == LORA_WHOLE) {
		take_whole(in, t, &at);
		return BRISE_OK;
	}
	p = &in->pairs[at.layer * TENSOR_KINDS + at.kind];
	if (p->rank && p->rank != rank)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: tensor %s: rank %" PRIu32 ", its other half's is %" PRIu32,
		                 in->path, t->name, rank, p->rank);
	p->rank = rank;
	factor = lora_factor_of(&in->config, at.module, rank);
	count_pair(in, rank, factor, at.role == LORA_HALF_B);
	/* The embedding's halves change their roles: (B A)^T = A^T B^T. */
	if (at.kind == TENSOR_EMBEDDING)
		return at.role == LORA_HALF_B
		               ? read_floats(in, &squeezed, 1, TRANSPOSED, &p->a)
		               : read_floats(in, &squeezed, factor * in->scale, TRANSPOSED, &p->b);
	if (at.role == LORA_HALF_A)
		return read_floats(in, &squeezed, 1, AS_THEY_ARE, &p->a);
	order = in->form->rope == CHECKPOINT_INTERLEAVED &&
	                        (at.kind == TENSOR_WQ || at.kind == TENSOR_WK)
	                ? INTERLEAVED_ROWS
	                : AS_THEY_ARE;
	return read_floats(in, &squeezed, factor * in->scale, order, &p->b);
}

static double largest(const float *values, size_t n)
{
	float most = 0;
	size_t i;

	for (i = 0; i < n; i++)
		most = fabsf(values[i]) > most ? fabsf(values[i]) : most;
	return (double)most;
}

brise_status lora_check_pairs(const lora_reading *in)
{
	uint32_t layer, kind, rows, cols;
	char name[48];

	for (layer = 0; layer < in->model->n_layers; layer++)
		for (kind = 0; kind < TENSOR_KINDS; kind++) {
			const lora_pair *p = &in->pairs[layer * TENSOR_KINDS + kind];

			if (p->rank == 0)
				continue;
			model_tensor_name(name, kind, layer);
			if (!p->a || !p->b)
				return error_set(in->err, BRISE_EFORMAT,
				                 "%s: %s: one half of the pair, lora_A or lora_B, "
				                 "is missing",
				                 in->path, name);
			model_tensor_shape(in->model, kind, &rows, &cols);
			if (largest(p->a, (size_t)p->rank * cols) *
			            largest(p->b, (size_t)rows * p->rank) * p->rank >
			    SUM_MAX)
				return error_set(in->err, BRISE_EFORMAT,
				                 "%s: %s: its adapter's elements are too large to "
				                 "be weights",
				                 in->path, name);
		}
	return BRISE_OK;
}
