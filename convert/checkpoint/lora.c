/* lora.c - reads adapters, finds the matrix of each pair, and multiplies
 *
 * PEFT's names are in lora_names.c. Pairs of the embedding are for the matrix's transpose, which
 * they are turned from when read. With adapters of the embedding or the output PEFT saves the
 * matrix itself as well, as ".base_layer.weight"; it is not trained, so the checkpoint has it.
 * Whole matrices of modules_to_save are trained and replace the checkpoint's; they stay in their
 * file and are read row by row.
 *
 * mistral-finetune's are named as in Mistral's own checkpoints,
 * "layers.0.attention.wq.lora_A.weight", and are of matrices in layers alone
 * (github.com/mistralai/mistral-finetune, finetune/checkpointing.py and model/lora.py). They were
 * trained beside such checkpoints, so the rows of B for q and k interleave RoPE's pairs; they are
 * put in the file's order, for every form of the base.
 */
#include "convert/checkpoint/lora.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint/checkpoint.h"
#include "convert/checkpoint/locate.h"
#include "convert/checkpoint/lora_config.h"
#include "convert/checkpoint/lora_names.h"
#include "convert/checkpoint/naming.h"
#include "convert/formats/files.h"
#include "convert/formats/safetensors.h"
#include "convert/formats/tensors.h"
#include "quant/checked.h"
#include "quant/half.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define CONFIG_MAX ((size_t)16 << 20)
/* of what an adapter may add: added to any float it gives no infinity (half a unit of the largest
 * is 1e31) */
#define SUM_MAX 1e30
/* of A: up to rank 32 its 32 KB stay in the first-level cache while 16 rows go by */
#define BLOCK_COLS 256u

typedef struct pair {
	uint32_t rank; /* 0: none */
	float *a;      /* [rank][cols] */
	float *b;      /* [rows][rank], times the factor */
	/* a matrix that replaces the model's */
	bool whole;
	uint32_t dtype;
	uint64_t offset; /* in the adapter's file */
} pair;

/* The file of one adapter's tensors, open while there are whole matrices in it. */
typedef struct adapter_file {
	char *path;
	int descriptor; /* -1: closed */
} adapter_file;

struct lora {
	size_t n;
	uint32_t n_layers;
	adapter_file *files; /* [n] */
	pair *pairs;         /* [n][n_layers][TENSOR_KINDS]; kinds outside layers in layer 0 */
};

/* Who wrote an adapter: what its files and tensors are called. */
typedef struct adapter_form {
	const char *config, *tensors; /* files */
	const naming *names;          /* of matrices */
	checkpoint_rope rope;
	bool layers_only; /* the embedding and the output have no adapters */
} adapter_form;

static const adapter_form peft = { "adapter_config.json", "adapter_model.safetensors",
	                           &naming_hugging_face, CHECKPOINT_HALVES, false };
static const adapter_form mistral_finetune = { "params.json", "lora.safetensors", &naming_mistral,
	                                       CHECKPOINT_INTERLEAVED, true };

/* What one adapter is read with. */
typedef struct reading {
	const format_config *model;
	bool tied;
	const adapter_form *form;
	char *given, *folder,
	        *path; /* what the user pointed at, its folder, and the file of the tensors */
	double scale;
	lora_config config;
	int descriptor;
	tensor_list list;
	pair *pairs; /* [n_layers][TENSOR_KINDS] */
	uint32_t n_pairs, n_whole;
	char *first;      /* the first tensor's name */
	lora_place place; /* and what it said: all have the same prefix and adapter's name */
	uint32_t low_rank, high_rank;
	double low_factor, high_factor;
	brise_error *err;
} reading;

/* ---- names ---------------------------------------------------------------------------------- */

static brise_status refuse(const reading *in, const char *name, const char *why)
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
static brise_status check_names(reading *in, const char *name, const lora_place *at)
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

static brise_status find_place(reading *in, const char *name, lora_place *found)
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

static brise_status check_shape(const reading *in, const named_tensor *t, const lora_place *at,
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
	if (t->dtype == 0)
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
static brise_status read_floats(const reading *in, const named_tensor *t, double factor,
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
static uint32_t find_rank(const reading *in, const named_tensor *t, const lora_place *at)
{
	uint64_t rank;

	if (at->role > LORA_HALF_B)
		return 0;
	if (!in->config.ranks_unread)
		return (uint32_t)lora_rank_of(&in->config, at->module);
	rank = t->n_dims < 2 ? 0 : at->role == LORA_HALF_A ? t->shape[0] : t->shape[1];
	return rank <= UINT32_MAX ? (uint32_t)rank : 0;
}

static void take_whole(reading *in, const named_tensor *t, const lora_place *at)
{
	pair *p = &in->pairs[at->layer * TENSOR_KINDS + at->kind];

	p->whole = true;
	p->dtype = t->dtype;
	p->offset = t->offset;
	in->n_whole++;
}

static void count_pair(reading *in, uint32_t rank, double factor, bool half_b)
{
	in->low_rank = in->n_pairs && in->low_rank < rank ? in->low_rank : rank;
	in->high_rank = in->high_rank > rank ? in->high_rank : rank;
	in->low_factor = in->n_pairs && in->low_factor < factor ? in->low_factor : factor;
	in->high_factor = in->n_pairs && in->high_factor > factor ? in->high_factor : factor;
	in->n_pairs += half_b;
}

static brise_status take_tensor(reading *in, const named_tensor *t)
{
	lora_place at;
	brise_status status = find_place(in, t->name, &at);
	named_tensor squeezed = *t;
	uint32_t rank;
	element_order order;
	pair *p;
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

static brise_status check_pairs(const reading *in)
{
	uint32_t layer, kind, rows, cols;
	char name[48];

	for (layer = 0; layer < in->model->n_layers; layer++)
		for (kind = 0; kind < TENSOR_KINDS; kind++) {
			const pair *p = &in->pairs[layer * TENSOR_KINDS + kind];

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

/* ---- adapters ------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
	os_facts facts;

	return os_examine(path, &facts);
}

/* "path" or "path:scale"; a path that holds a colon itself is recognised by being there. */
static brise_status split_spec(reading *in, const char *spec)
{
	const char *colon = exists(spec) ? NULL : strrchr(spec, ':');
	size_t length = colon ? (size_t)(colon - spec) : strlen(spec);
	char *end;

	in->scale = 1;
	if (!(in->given = memory_new(length + 1, 1)))
		return error_set(in->err, BRISE_ENOMEM, "%s: no memory to open it", spec);
	memcpy(in->given, spec, length);
	in->given[length] = 0;
	if (colon) {
		in->scale = strtod(colon + 1, &end);
		if (end == colon + 1 || *end || !isfinite(in->scale))
			return error_set(in->err, BRISE_EINVAL,
			                 "%s: neither an adapter's folder nor one with a scale "
			                 "after the colon, as in adapter:0.5",
			                 spec);
	}
	return BRISE_OK;
}

static brise_status read_configuration(reading *in, notes *decisions)
{
	char *path = files_join(in->folder, in->form->config), *text = NULL;
	brise_status status;
	size_t size;

	if (!path)
		return error_set(in->err, BRISE_ENOMEM, "%s: no memory to open it", in->folder);
	status = files_read_whole(path, CONTENTS_JSON, CONFIG_MAX, &text, &size, in->err);
	if (status == BRISE_OK)
		status = in->form == &peft ? lora_read_config(&in->config, text, size, path,
		                                              decisions, in->err)
		                           : lora_read_params(&in->config, in->model, text, size,
		                                              path, decisions, in->err);
	memory_free(text);
	memory_free(path);
	return status;
}

/* Links to nothing count: reading them says so. */
static bool holds(const char *folder, const char *name)
{
	os_facts facts;

	return files_examine(folder, name, true, &facts);
}

static brise_status read_tensors(reading *in)
{
	uint64_t bytes;
	brise_status status;
	size_t i;

	if (!(in->path = files_join(in->folder, in->form->tensors)))
		return error_set(in->err, BRISE_ENOMEM, "%s: no memory to open it", in->folder);
	if (!holds(in->folder, in->form->tensors))
		return error_set(
		        in->err, BRISE_EIO,
		        "%s: not there; adapters in other forms than safetensors are not read",
		        in->path);
	if ((status = files_open(&in->descriptor, &bytes, in->path, CONTENTS_SAFETENSORS,
	                         in->err)) != BRISE_OK ||
	    (status = safetensors_read(in->descriptor, bytes, in->path, 0, &in->list, in->err)) !=
	            BRISE_OK ||
	    (status = tensors_sort(&in->list, in->path, in->err)) != BRISE_OK)
		return status;
	for (i = 0; i < in->list.n && status == BRISE_OK; i++)
		status = take_tensor(in, &in->list.items[i]);
	if (status == BRISE_OK && in->high_rank == 0 && in->n_whole == 0)
		return error_set(in->err, BRISE_EFORMAT, "%s: holds no low-rank pairs", in->path);
	if (status == BRISE_OK && in->config.saves_modules && in->n_whole == 0)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: modules_to_save names modules, but no whole matrix is here",
		                 in->path);
	return status == BRISE_OK ? check_pairs(in) : status;
}

static void note_adapter(const reading *in, notes *decisions)
{
	char rank[40], factor[80];

	if (in->n_whole > 0)
		notes_add(decisions,
		          "adapter %.200s: %" PRIu32 " whole matrices replace the checkpoint's",
		          in->folder, in->n_whole);
	if (in->high_rank == 0)
		return;
	if (in->low_rank == in->high_rank)
		(void)snprintf(rank, sizeof rank, "%" PRIu32, in->low_rank);
	else
		(void)snprintf(rank, sizeof rank, "%" PRIu32 " to %" PRIu32, in->low_rank,
		               in->high_rank);
	if (in->low_factor < in->high_factor)
		(void)snprintf(factor, sizeof factor, "%g to %g", in->low_factor, in->high_factor);
	else
		(void)snprintf(factor, sizeof factor, "%g", in->low_factor);
	notes_add(decisions,
	          "adapter %.200s: %" PRIu32 " matrices of rank %s, times %s (%s) and %g (--lora)",
	          in->folder, in->n_pairs, rank, factor,
	          in->form == &mistral_finetune ? "params.json: lora.scaling"
	          : in->config.scaling == LORA_BY_ROOT
	                  ? "adapter_config.json: lora_alpha, use_rslora"
	                  : "adapter_config.json: lora_alpha",
	          in->scale);
}

/* PEFT's, unless there is only the other's file. */
static brise_status find_form(reading *in)
{
	bool is_peft = holds(in->folder, peft.config) || holds(in->folder, peft.tensors);

	if (!is_peft && !holds(in->folder, mistral_finetune.tensors))
		return error_set(in->err, BRISE_EIO, "%s: no %s and no %s: not an adapter's folder",
		                 in->folder, peft.config, mistral_finetune.tensors);
	in->form = is_peft ? &peft : &mistral_finetune;
	return BRISE_OK;
}

static void close_file(adapter_file *file)
{
	if (file->descriptor >= 0)
		(void)os_close(file->descriptor);
	memory_free(file->path);
	*file = (adapter_file){ NULL, -1 };
}

static brise_status read_adapter(pair *pairs, adapter_file *file, const char *spec,
                                 const format_config *config, bool tied, notes *decisions,
                                 brise_error *err)
{
	reading in = {
		.model = config, .tied = tied, .descriptor = -1, .pairs = pairs, .err = err
	};
	brise_status status = split_spec(&in, spec);

	if (status == BRISE_OK)
		status = locate_folder(&in.folder, in.given, err);
	if (status == BRISE_OK)
		status = find_form(&in);
	if (status == BRISE_OK)
		status = read_configuration(&in, decisions);
	if (status == BRISE_OK)
		status = read_tensors(&in);
	if (status == BRISE_OK)
		note_adapter(&in, decisions);
	*file = (adapter_file){ in.path, in.descriptor };
	if (in.n_whole == 0)
		close_file(file);
	tensors_free(&in.list);
	lora_free_config(&in.config);
	memory_free(in.first);
	memory_free(in.folder);
	memory_free(in.given);
	return status;
}

brise_status lora_open(lora **out, const char *const *specs, size_t n, const format_config *config,
                       bool tied, notes *decisions, brise_error *err)
{
	size_t each = (size_t)config->n_layers * TENSOR_KINDS, i;
	brise_status status = BRISE_OK;
	lora *l;

	*out = NULL;
	if (n == 0)
		return BRISE_OK;
	l = memory_new(1, sizeof *l);
	if (l) {
		l->pairs = memory_new(n, each * sizeof *l->pairs);
		l->files = memory_new(n, sizeof *l->files);
	}
	if (!l || !l->pairs || !l->files) {
		lora_close(l);
		l = NULL;
	}
	if (!l)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu adapters", specs[0], n);
	l->n = n;
	l->n_layers = config->n_layers;
	for (i = 0; i < n; i++)
		l->files[i].descriptor = -1;
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = read_adapter(l->pairs + i * each, &l->files[i], specs[i], config, tied,
		                      decisions, err);
	if (status != BRISE_OK) {
		lora_close(l);
		return status;
	}
	*out = l;
	return BRISE_OK;
}

void lora_close(lora *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->n * l->n_layers * TENSOR_KINDS; i++) {
		memory_free(l->pairs[i].a);
		memory_free(l->pairs[i].b);
	}
	for (i = 0; i < l->n; i++)
		close_file(&l->files[i]);
	memory_free(l->files);
	memory_free(l->pairs);
	memory_free(l);
}

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

static void add_product(const pair *p, uint32_t first, uint32_t n, uint32_t cols, float *rows)
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

static brise_status replace_rows(const pair *p, const adapter_file *file, uint32_t first,
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
		const pair *p = &l->pairs[(i * l->n_layers + layer) * TENSOR_KINDS + kind];

		if (p->whole)
			status = replace_rows(p, &l->files[i], first, n, cols, rows, err);
		if (p->rank && status == BRISE_OK)
			add_product(p, first, n, cols, rows);
	}
	return status;
}
