/* checkpoint_maker.h - small checkpoints in every supported form, written without the code under
 * test
 *
 * All forms hold the same weights, which F16, BF16 and F32 hold exactly. A test changes text or
 * bytes of one file with an edit.
 */
#ifndef TEST_CHECKPOINT_MAKER_H
#define TEST_CHECKPOINT_MAKER_H

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quant/half.h"
#include "runtime/model/format.h"
#include "test/random.h"

#define MAKER_DIM     32u
#define MAKER_LAYERS  2u
#define MAKER_HEADS   2u
#define MAKER_HEAD    16u
#define MAKER_HIDDEN  48u
#define MAKER_VOCAB   40u
#define MAKER_TENSORS (MAKER_LAYERS * 9 + 3)
#define MAKER_EXTRA   64u /* tensors a test may add */

typedef struct maker_bytes {
	uint8_t *data;
	size_t n, room;
} maker_bytes;

typedef struct maker_tensor {
	char name[80];
	uint32_t n_dims, shape[2];
	maker_bytes data;
	const char *dtype; /* NULL: the model's */
} maker_tensor;

typedef struct maker_model {
	maker_tensor tensors[MAKER_TENSORS + MAKER_EXTRA];
	size_t n;
	bool own_form;     /* Mistral's names and order of q and k; otherwise Hugging Face's */
	const char *dtype; /* "F16", "BF16", "F32" */
} maker_model;

/* The first `from` [from_bytes] in the file becomes `to` [to_bytes]. */
typedef struct maker_edit {
	const char *file, *from;
	size_t from_bytes;
	const char *to;
	size_t to_bytes;
} maker_edit;

#define MAKER_EDIT(file, from, to)                                                                 \
	{                                                                                          \
		file, from, sizeof(from) - 1, to, sizeof(to) - 1                                   \
	}

typedef enum maker_zip { MAKER_ZIP_PLAIN, MAKER_ZIP_TORCH, MAKER_ZIP_64 } maker_zip;

/* ---- bytes ----------------------------------------------------------------------------------- */

static inline void maker_put(maker_bytes *b, const void *data, size_t n)
{
	if (n == 0)
		return;
	if (b->n + n > b->room) {
		b->room = 2 * (b->n + n) + 64;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			abort();
	}
	memcpy(b->data + b->n, data, n);
	b->n += n;
}

static inline void maker_text(maker_bytes *b, const char *text)
{
	maker_put(b, text, strlen(text));
}

/* Little-endian. */
static inline void maker_number(maker_bytes *b, uint64_t value, unsigned width)
{
	uint8_t bytes[8];
	unsigned i;

	for (i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	maker_put(b, bytes, width);
}

static inline void maker_free(maker_bytes *b)
{
	free(b->data);
	*b = (maker_bytes){ NULL, 0, 0 };
}

static inline void maker_save(const char *folder, const char *name, const void *data, size_t n)
{
	char path[700];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, n, file) != n || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

/* The whole file; nothing where it cannot be read. */
static inline maker_bytes maker_read(const char *path)
{
	maker_bytes bytes = { NULL, 0, 0 };
	FILE *file = fopen(path, "rb");
	uint8_t piece[4096];
	size_t n;

	while (file && (n = fread(piece, 1, sizeof piece, file)) > 0)
		maker_put(&bytes, piece, n);
	if (file)
		fclose(file);
	return bytes;
}

static inline void maker_apply(maker_bytes *b, const char *file, const maker_edit *edit)
{
	maker_bytes changed = { NULL, 0, 0 };
	size_t i;

	if (!edit || strcmp(edit->file, file) != 0)
		return;
	for (i = 0; i + edit->from_bytes <= b->n; i++)
		if (!memcmp(b->data + i, edit->from, edit->from_bytes)) {
			maker_put(&changed, b->data, i);
			maker_put(&changed, edit->to, edit->to_bytes);
			maker_put(&changed, b->data + i + edit->from_bytes,
			          b->n - i - edit->from_bytes);
			maker_free(b);
			*b = changed;
			return;
		}
	fprintf(stderr, "%s holds no %s\n", file, edit->from);
	exit(1);
}

/* Removes the files of a folder; how many there were. */
static inline unsigned maker_clear(const char *folder)
{
	DIR *list = opendir(folder);
	struct dirent *entry;
	unsigned n = 0;
	char path[1000];

	while (list && (entry = readdir(list)))
		if (entry->d_name[0] != '.') {
			(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
			(void)unlink(path);
			n++;
		}
	if (list)
		closedir(list);
	return n;
}

/* ---- the model ------------------------------------------------------------------------------- */

/* A multiple of 1/64 below 2; rows in the order of halves, as in the .brise file. */
static inline float maker_weight(uint32_t kind, uint32_t layer, uint32_t row, uint32_t col)
{
	uint64_t seed =
	        ((uint64_t)kind << 40) + ((uint64_t)layer << 32) + ((uint64_t)row << 16) + col;

	return (float)((int)(random_next(&seed) % 255) - 127) / 64;
}

/* Where a row of q or k lies in Mistral's own form: as transformers' permute() undoes it, out[i] =
 * in[2i], out[i + head / 2] = in[2i + 1]. */
static inline uint32_t maker_row_of(bool own_form, uint32_t kind, uint32_t row)
{
	uint32_t in_head = row % MAKER_HEAD;

	if (!own_form || (kind != TENSOR_WQ && kind != TENSOR_WK))
		return row;
	return row - in_head + (in_head % 2 == 0 ? in_head / 2 : in_head / 2 + MAKER_HEAD / 2);
}

static inline void maker_value(maker_bytes *b, const char *dtype, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	if (!strcmp(dtype, "F32"))
		maker_number(b, bits, 4);
	else
		maker_number(b, !strcmp(dtype, "BF16") ? bits >> 16 : half_encode(value), 2);
}

static inline void maker_add(maker_model *m, const char *name, uint32_t kind, uint32_t layer,
                             uint32_t rows, uint32_t cols)
{
	maker_tensor *t = &m->tensors[m->n++];
	uint32_t row, col;

	memset(t, 0, sizeof *t);
	(void)snprintf(t->name, sizeof t->name, "%s", name);
	t->n_dims = rows ? 2 : 1; /* no rows: a vector */
	t->shape[0] = rows ? rows : cols;
	t->shape[1] = rows ? cols : 0;
	for (row = 0; row < (rows ? rows : 1); row++)
		for (col = 0; col < cols; col++)
			maker_value(&t->data, m->dtype,
			            maker_weight(kind, layer, maker_row_of(m->own_form, kind, row),
			                         col));
}

static inline maker_model *maker_new(bool own_form, const char *dtype)
{
	static const struct {
		uint32_t kind;
		const char *theirs, *own;
		uint32_t rows, cols;
	} kinds[] = {
		{ TENSOR_ATTENTION_NORM, "input_layernorm", "attention_norm", 0, MAKER_DIM },
		{ TENSOR_WQ, "self_attn.q_proj", "attention.wq", MAKER_HEADS * MAKER_HEAD,
		  MAKER_DIM },
		{ TENSOR_WK, "self_attn.k_proj", "attention.wk", MAKER_HEAD, MAKER_DIM },
		{ TENSOR_WV, "self_attn.v_proj", "attention.wv", MAKER_HEAD, MAKER_DIM },
		{ TENSOR_WO, "self_attn.o_proj", "attention.wo", MAKER_DIM,
		  MAKER_HEADS * MAKER_HEAD },
		{ TENSOR_FFN_NORM, "post_attention_layernorm", "ffn_norm", 0, MAKER_DIM },
		{ TENSOR_W1, "mlp.gate_proj", "feed_forward.w1", MAKER_HIDDEN, MAKER_DIM },
		{ TENSOR_W3, "mlp.up_proj", "feed_forward.w3", MAKER_HIDDEN, MAKER_DIM },
		{ TENSOR_W2, "mlp.down_proj", "feed_forward.w2", MAKER_DIM, MAKER_HIDDEN },
	};
	maker_model *m = calloc(1, sizeof *m);
	uint32_t layer;
	size_t i;

	if (!m)
		abort();
	m->own_form = own_form;
	m->dtype = dtype;
	maker_add(m, own_form ? "tok_embeddings.weight" : "model.embed_tokens.weight",
	          TENSOR_EMBEDDING, 0, MAKER_VOCAB, MAKER_DIM);
	for (layer = 0; layer < MAKER_LAYERS; layer++)
		for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
			char name[80];

			(void)snprintf(name, sizeof name, "%slayers.%" PRIu32 ".%s.weight",
			               own_form ? "" : "model.", layer,
			               own_form ? kinds[i].own : kinds[i].theirs);
			maker_add(m, name, kinds[i].kind, layer, kinds[i].rows, kinds[i].cols);
		}
	maker_add(m, own_form ? "norm.weight" : "model.norm.weight", TENSOR_FINAL_NORM, 0, 0,
	          MAKER_DIM);
	maker_add(m, own_form ? "output.weight" : "lm_head.weight", TENSOR_OUTPUT, 0, MAKER_VOCAB,
	          MAKER_DIM);
	return m;
}

static inline void maker_close(maker_model *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		maker_free(&m->tensors[i].data);
	free(m);
}

/* ---- configurations -------------------------------------------------------------------------- */

static inline void maker_config(const char *folder, bool own_form, const maker_edit *edit)
{
	const char *name = own_form ? "params.json" : "config.json";
	maker_bytes text = { NULL, 0, 0 };

	maker_text(
	        &text,
	        own_form
	                ? "{\"dim\": 32, \"n_layers\": 2, \"head_dim\": 16, \"hidden_dim\": 48, "
	                  "\"n_heads\": 2, \"n_kv_heads\": 1, \"norm_eps\": 1e-05, \"vocab_size\": "
	                  "40,"
	                  " \"sliding_window\": 7, \"moe\": null}\n"
	                : "{\n  \"architectures\": [\"MistralForCausalLM\"],\n  \"model_type\": "
	                  "\"mistral\",\n  \"hidden_size\": 32,\n  \"num_hidden_layers\": 2,\n"
	                  "  \"num_attention_heads\": 2,\n  \"num_key_value_heads\": 1,\n  "
	                  "\"head_dim\": 16,\n  \"intermediate_size\": 48,\n  \"vocab_size\": 40,\n"
	                  "  \"sliding_window\": 7,\n  \"rms_norm_eps\": 1e-05,\n  \"rope_theta\": "
	                  "10000.0,\n  \"max_position_embeddings\": 32768,\n"
	                  "  \"hidden_act\": \"silu\",\n  \"attention_bias\": false,\n  "
	                  "\"rope_scaling\": null,\n  \"num_local_experts\": null,\n"
	                  "  \"tie_word_embeddings\": false,\n  \"bos_token_id\": 1,\n  "
	                  "\"eos_token_id\": 2,\n  \"torch_dtype\": \"float16\"\n}\n");
	maker_apply(&text, name, edit);
	maker_save(folder, name, text.data, text.n);
	maker_free(&text);
}

/* ---- safetensors ----------------------------------------------------------------------------- */

static inline void maker_header(maker_bytes *header, const maker_model *m, size_t first, size_t n)
{
	size_t i, at = 0;
	char text[300];

	maker_text(header, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (i = first; i < first + n; i++) {
		const maker_tensor *t = &m->tensors[i];
		char shape[40];

		(void)snprintf(shape, sizeof shape,
		               t->n_dims == 2 ? "%" PRIu32 ",%" PRIu32 : "%" PRIu32, t->shape[0],
		               t->shape[1]);
		if (t->n_dims == 0)
			shape[0] = 0;
		(void)snprintf(
		        text, sizeof text,
		        ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
		        t->name, t->dtype ? t->dtype : m->dtype, shape, at, at + t->data.n);
		maker_text(header, text);
		at += t->data.n;
	}
	maker_text(header, "}");
}

/* Tensors [first, first + n) as one file; the edit is of the header alone. */
static inline void maker_safetensors(const char *folder, const char *name, const maker_model *m,
                                     size_t first, size_t n, const maker_edit *edit)
{
	maker_bytes header = { NULL, 0, 0 }, file = { NULL, 0, 0 };
	size_t i;

	maker_header(&header, m, first, n);
	maker_apply(&header, name, edit);
	while (header.n % 8)
		maker_text(&header, " ");
	maker_number(&file, header.n, 8);
	maker_put(&file, header.data, header.n);
	for (i = first; i < first + n; i++)
		maker_put(&file, m->tensors[i].data.data, m->tensors[i].data.n);
	maker_save(folder, name, file.data, file.n);
	maker_free(&header);
	maker_free(&file);
}

static inline void maker_shards(const char *folder, const maker_model *m, const maker_edit *edit)
{
	static const char *const names[] = { "model-00001-of-00002.safetensors",
		                             "model-00002-of-00002.safetensors" };
	maker_bytes index = { NULL, 0, 0 };
	size_t half = m->n / 2, i;
	char line[200];

	maker_safetensors(folder, names[0], m, 0, half, edit);
	maker_safetensors(folder, names[1], m, half, m->n - half, edit);
	maker_text(&index, "{\"metadata\": {\"total_size\": 12345}, \"weight_map\": {");
	for (i = 0; i < m->n; i++) {
		(void)snprintf(line, sizeof line, "%s\"%s\": \"%s\"", i ? ", " : "",
		               m->tensors[i].name, names[i >= half]);
		maker_text(&index, line);
	}
	maker_text(&index, "}}");
	maker_apply(&index, "model.safetensors.index.json", edit);
	maker_save(folder, "model.safetensors.index.json", index.data, index.n);
	maker_free(&index);
}

/* ---- torch.save ------------------------------------------------------------------------------ */

typedef struct maker_pickle {
	maker_bytes *out;
	uint32_t n_memo;
	uint32_t rebuild, storage, type, cpu,
	        dictionary; /* memo indices plus one of what was written before */
} maker_pickle;

static inline void maker_remember(maker_pickle *p)
{
	bool small = p->n_memo < 256;

	maker_text(p->out, small ? "q" : "r");
	maker_number(p->out, p->n_memo++, small ? 1 : 4);
}

/* Writes it once, and from then on its memo entry. */
static inline void maker_once(maker_pickle *p, uint32_t *known, const char *text, bool global)
{
	if (*known) {
		bool small = *known - 1 < 256;

		maker_text(p->out, small ? "h" : "j");
		maker_number(p->out, *known - 1, small ? 1 : 4);
		return;
	}
	if (!global) {
		maker_text(p->out, "X");
		maker_number(p->out, strlen(text), 4);
	}
	maker_text(p->out, text);
	*known = p->n_memo + 1;
	maker_remember(p);
}

static inline void maker_int(maker_pickle *p, uint32_t value)
{
	maker_text(p->out, value < 256 ? "K" : value < 65536 ? "M" : "J");
	maker_number(p->out, value, value < 256 ? 1 : value < 65536 ? 2 : 4);
}

static inline void maker_pair(maker_pickle *p, uint32_t n, uint32_t a, uint32_t b)
{
	maker_int(p, a);
	if (n == 2)
		maker_int(p, b);
	maker_text(p->out, n == 2 ? "\x86" : "\x85");
	maker_remember(p);
}

/* One entry, as Python's pickler writes what torch's reduction functions give it. */
static inline void maker_pickle_tensor(maker_pickle *p, const maker_tensor *t, const char *dtype,
                                       size_t index)
{
	const char *type = !strcmp(dtype, "F16")    ? "ctorch\nHalfStorage\n"
	                   : !strcmp(dtype, "BF16") ? "ctorch\nBFloat16Storage\n"
	                                            : "ctorch\nFloatStorage\n";
	uint32_t elements = t->shape[0] * (t->n_dims == 2 ? t->shape[1] : 1), fresh = 0, other = 0;
	char key[24];

	(void)snprintf(key, sizeof key, "%zu", index);
	maker_once(p, &fresh, t->name, false);
	maker_once(p, &p->rebuild, "ctorch._utils\n_rebuild_tensor_v2\n", true);
	maker_text(p->out, "((");
	maker_once(p, &p->storage, "storage", false);
	maker_once(p, &p->type, type, true);
	maker_once(p, &other, key, false);
	maker_once(p, &p->cpu, "cpu", false);
	maker_int(p, elements);
	maker_text(p->out, "t");
	maker_remember(p);
	maker_text(p->out, "Q");
	maker_int(p, 0);
	maker_pair(p, t->n_dims, t->shape[0], t->shape[1]);
	maker_pair(p, t->n_dims, t->n_dims == 2 ? t->shape[1] : 1, 1);
	maker_text(p->out, "\x89");
	maker_once(p, &p->dictionary, "ccollections\nOrderedDict\n", true);
	maker_text(p->out, ")R");
	maker_remember(p);
	maker_text(p->out, "t");
	maker_remember(p);
	maker_text(p->out, "R");
	maker_remember(p);
}

static inline void maker_pickle_model(maker_bytes *out, const maker_model *m)
{
	maker_pickle p = { .out = out };
	size_t i;

	maker_text(out, "\x80\x02}");
	maker_remember(&p);
	maker_text(out, "(");
	for (i = 0; i < m->n; i++)
		maker_pickle_tensor(&p, &m->tensors[i], m->dtype, i);
	maker_text(out, "u.");
}

typedef struct maker_archive {
	maker_bytes file, directory;
	maker_zip form;
	unsigned n;
} maker_archive;

static inline void maker_member(maker_archive *a, const char *name, const maker_bytes *data,
                                unsigned method, unsigned flags)
{
	size_t at = a->file.n, path_bytes = strlen("consolidated.00/") + strlen(name),
	       padding = 64 - (at + 30 + path_bytes + 4) % 64;
	bool wide = a->form == MAKER_ZIP_64;
	uint64_t stored = method ? data->n - 1 : data->n;

	maker_number(&a->file, 0x04034b50, 4);
	maker_number(&a->file, 0, 2);
	maker_number(&a->file, flags | 0x808, 2);
	maker_number(&a->file, method, 2);
	maker_number(&a->file, 0,
	             8); /* time, checksum and sizes: torch leaves them to the directory */
	maker_number(&a->file, 0, 8);
	maker_number(&a->file, path_bytes, 2);
	maker_number(&a->file, padding + 4, 2);
	maker_text(&a->file, "consolidated.00/");
	maker_text(&a->file, name);
	maker_text(&a->file, "FB");
	maker_number(&a->file, padding, 2);
	while (padding-- > 0)
		maker_text(&a->file, "Z");
	maker_put(&a->file, data->data, data->n);

	maker_number(&a->directory, 0x02014b50, 4);
	maker_number(&a->directory, 0, 4);
	maker_number(&a->directory, flags | 0x808, 2);
	maker_number(&a->directory, method, 2);
	maker_number(&a->directory, 0,
	             8); /* time, and a checksum that torch computes and the converter ignores */
	maker_number(&a->directory, wide ? UINT32_MAX : stored, 4);
	maker_number(&a->directory, wide ? UINT32_MAX : data->n, 4);
	maker_number(&a->directory, path_bytes, 2);
	maker_number(&a->directory, wide ? 28 : 0, 2);
	maker_number(&a->directory, 0, 8);
	maker_number(&a->directory, 0, 2);
	maker_number(&a->directory, wide ? UINT32_MAX : at, 4);
	maker_text(&a->directory, "consolidated.00/");
	maker_text(&a->directory, name);
	if (wide) {
		maker_number(&a->directory, 1, 2);
		maker_number(&a->directory, 24, 2);
		maker_number(&a->directory, data->n, 8);
		maker_number(&a->directory, stored, 8);
		maker_number(&a->directory, at, 8);
	}
	a->n++;
}

static inline void maker_finish(maker_archive *a)
{
	uint64_t at = a->file.n, end = at + a->directory.n;
	bool wide = a->form == MAKER_ZIP_64;

	maker_put(&a->file, a->directory.data, a->directory.n);
	if (a->form != MAKER_ZIP_PLAIN) {
		maker_number(&a->file, 0x06064b50, 4);
		maker_number(&a->file, 44, 8);
		maker_number(&a->file, 0x2d031e, 4);
		maker_number(&a->file, 0, 8); /* disks */
		maker_number(&a->file, a->n, 8);
		maker_number(&a->file, a->n, 8);
		maker_number(&a->file, a->directory.n, 8);
		maker_number(&a->file, at, 8);
		maker_number(&a->file, 0x07064b50, 4);
		maker_number(&a->file, 0, 4);
		maker_number(&a->file, end, 8);
		maker_number(&a->file, 1, 4);
	}
	maker_number(&a->file, 0x06054b50, 4);
	maker_number(&a->file, 0, 4);
	maker_number(&a->file, wide ? UINT16_MAX : a->n, 2);
	maker_number(&a->file, wide ? UINT16_MAX : a->n, 2);
	maker_number(&a->file, wide ? UINT32_MAX : a->directory.n, 4);
	maker_number(&a->file, wide ? UINT32_MAX : at, 4);
	maker_number(&a->file, 0, 2);
}

/* As consolidated.00.pth. The edit's file is "data.pkl" or "byteorder"; method and flags are the
 * first storage's. */
static inline void maker_torch(const char *folder, const maker_model *m, maker_zip form,
                               unsigned method, unsigned flags, const maker_edit *edit)
{
	maker_archive a = { .form = form };
	maker_bytes pickle = { NULL, 0, 0 }, order = { NULL, 0, 0 };
	char name[40];
	size_t i;

	maker_pickle_model(&pickle, m);
	maker_apply(&pickle, "data.pkl", edit);
	maker_member(&a, "data.pkl", &pickle, 0, 0);
	maker_text(&order, "little");
	maker_apply(&order, "byteorder", edit);
	maker_member(&a, "byteorder", &order, 0, 0);
	for (i = 0; i < m->n; i++) {
		(void)snprintf(name, sizeof name, "data/%zu", i);
		maker_member(&a, name, &m->tensors[i].data, i ? 0 : method, i ? 0 : flags);
	}
	maker_finish(&a);
	maker_save(folder, "consolidated.00.pth", a.file.data, a.file.n);
	maker_free(&a.file);
	maker_free(&a.directory);
	maker_free(&pickle);
	maker_free(&order);
}

#endif
