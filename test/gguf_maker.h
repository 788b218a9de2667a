/* gguf_maker.h - small GGUF files, written without the code under test */
#ifndef TEST_GGUF_MAKER_H
#define TEST_GGUF_MAKER_H

#include "convert/formats/gguf.h"
#include "test/checkpoint_maker.h"

typedef struct gguf_maker {
	maker_bytes pairs, infos, data;
	uint64_t n_pairs, n_tensors;
	uint32_t version;
} gguf_maker;

static inline void gguf_put_text(maker_bytes *b, const char *text)
{
	maker_number(b, strlen(text), 8);
	maker_text(b, text);
}

/* A pair whose value the caller appends. */
static inline maker_bytes *gguf_put_key(gguf_maker *g, const char *key, uint32_t type)
{
	gguf_put_text(&g->pairs, key);
	maker_number(&g->pairs, type, 4);
	g->n_pairs++;
	return &g->pairs;
}

static inline maker_bytes *gguf_put_array(gguf_maker *g, const char *key, uint32_t type, uint64_t n)
{
	maker_bytes *b = gguf_put_key(g, key, GGUF_ARRAY);

	maker_number(b, type, 4);
	maker_number(b, n, 8);
	return b;
}

static inline void gguf_put_u32(gguf_maker *g, const char *key, uint32_t value)
{
	maker_number(gguf_put_key(g, key, GGUF_U32), value, 4);
}

static inline void gguf_put_float(maker_bytes *b, float value)
{
	maker_number(b, half_to_bits(value), 4);
}

static inline void gguf_put_f32(gguf_maker *g, const char *key, float value)
{
	gguf_put_float(gguf_put_key(g, key, GGUF_F32), value);
}

static inline void gguf_put_bool(gguf_maker *g, const char *key, bool value)
{
	maker_number(gguf_put_key(g, key, GGUF_BOOL), value, 1);
}

static inline void gguf_put_string(gguf_maker *g, const char *key, const char *value)
{
	gguf_put_text(gguf_put_key(g, key, GGUF_STRING), value);
}

/* ne: columns first. data is padded to 32 from the second tensor on. */
static inline void gguf_put_tensor(gguf_maker *g, const char *name, uint32_t n_dims,
                                   const uint64_t *ne, uint32_t type, const void *data,
                                   size_t bytes)
{
	uint32_t i;

	while (g->data.n % GGUF_ALIGNMENT)
		maker_number(&g->data, 0, 1);
	gguf_put_text(&g->infos, name);
	maker_number(&g->infos, n_dims, 4);
	for (i = 0; i < n_dims; i++)
		maker_number(&g->infos, ne[i], 8);
	maker_number(&g->infos, type, 4);
	maker_number(&g->infos, g->data.n, 8);
	maker_put(&g->data, data, bytes);
	g->n_tensors++;
}

/* The whole file; the maker is empty afterwards. */
static inline maker_bytes gguf_finish(gguf_maker *g)
{
	maker_bytes file = { NULL, 0, 0 };

	maker_text(&file, GGUF_MAGIC);
	maker_number(&file, g->version ? g->version : GGUF_VERSION, 4);
	maker_number(&file, g->n_tensors, 8);
	maker_number(&file, g->n_pairs, 8);
	maker_put(&file, g->pairs.data, g->pairs.n);
	maker_put(&file, g->infos.data, g->infos.n);
	while (g->n_tensors && file.n % GGUF_ALIGNMENT)
		maker_number(&file, 0, 1);
	maker_put(&file, g->data.data, g->data.n);
	maker_free(&g->pairs);
	maker_free(&g->infos);
	maker_free(&g->data);
	*g = (gguf_maker){ .version = 0 };
	return file;
}

/* ---- the model of checkpoint_maker.h --------------------------------------------------------- */

/* "llama.x" with the name of another architecture. */
static inline const char *gguf_rename_key(const char *key, const char *arch)
{
	static char renamed[100];

	if (strncmp(key, "llama.", 6) != 0)
		return key;
	(void)snprintf(renamed, sizeof renamed, "%s.%s", arch, key + 6);
	return renamed;
}

/* Metadata that say the same as maker_config; `without` is left out, NULL: nothing. It is the key
 * of a llama, whatever the architecture. */
static inline void gguf_put_config_of(gguf_maker *g, const char *arch, const char *without)
{
	static const struct {
		const char *key;
		uint32_t value;
	} sizes[] = {
		{ "llama.embedding_length", MAKER_DIM },
		{ "llama.block_count", MAKER_LAYERS },
		{ "llama.attention.head_count", MAKER_HEADS },
		{ "llama.attention.head_count_kv", 1 },
		{ "llama.feed_forward_length", MAKER_HIDDEN },
		{ "llama.context_length", 32768 },
		{ "llama.attention.key_length", MAKER_HEAD },
		{ "llama.attention.value_length", MAKER_HEAD },
		{ "llama.rope.dimension_count", MAKER_HEAD },
		{ "llama.attention.sliding_window", 7 },
		{ "llama.vocab_size", MAKER_VOCAB },
		{ "tokenizer.ggml.bos_token_id", 1 },
		{ "tokenizer.ggml.eos_token_id", 2 },
	};
	size_t i;

	if (!without || strcmp(without, "general.architecture") != 0)
		gguf_put_string(g, "general.architecture", arch);
	for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (!without || strcmp(without, sizes[i].key) != 0)
			gguf_put_u32(g, gguf_rename_key(sizes[i].key, arch), sizes[i].value);
	if (!without || strcmp(without, "llama.attention.layer_norm_rms_epsilon") != 0)
		gguf_put_f32(g, gguf_rename_key("llama.attention.layer_norm_rms_epsilon", arch),
		             1e-5f);
	if (!without || strcmp(without, "llama.rope.freq_base") != 0)
		gguf_put_f32(g, gguf_rename_key("llama.rope.freq_base", arch), 10000);
}

static inline void gguf_put_config(gguf_maker *g, const char *without)
{
	gguf_put_config_of(g, "llama", without);
}

static inline void gguf_name_tensor(char *name, size_t bytes, size_t i)
{
	static const char *const inside[] = { "attn_norm", "attn_q",      "attn_k",
		                              "attn_v",    "attn_output", "ffn_norm",
		                              "ffn_gate",  "ffn_up",      "ffn_down" };

	if (i == 0 || i > MAKER_LAYERS * 9)
		(void)snprintf(name, bytes, "%s.weight",
		               i == 0                      ? "token_embd"
		               : i == MAKER_LAYERS * 9 + 1 ? "output_norm"
		                                           : "output");
	else
		(void)snprintf(name, bytes, "blk.%zu.%s.weight", (i - 1) / 9, inside[(i - 1) % 9]);
}

/* Tensors [first, first + n) of a model in Mistral's own form, whose order of q and k is GGUF's. */
static inline void gguf_put_model(gguf_maker *g, const maker_model *m, size_t first, size_t n)
{
	uint32_t type = !strcmp(m->dtype, "F16")    ? GGML_F16
	                : !strcmp(m->dtype, "BF16") ? GGML_BF16
	                                            : GGML_F32;
	size_t i;

	for (i = first; i < first + n; i++) {
		const maker_tensor *t = &m->tensors[i];
		uint64_t ne[2] = { t->shape[t->n_dims - 1], t->shape[0] };
		char name[80];

		gguf_name_tensor(name, sizeof name, i);
		gguf_put_tensor(g, name, t->n_dims, ne, type, t->data.data, t->data.n);
	}
}

/* The whole model in one file; without its output matrix if not wanted. */
static inline maker_bytes gguf_make_whole(const char *dtype, const char *without, bool output)
{
	maker_model *m = maker_new(true, dtype);
	gguf_maker g = { .version = 0 };

	gguf_put_config(&g, without);
	gguf_put_model(&g, m, 0, output ? m->n : m->n - 1);
	maker_close(m);
	return gguf_finish(&g);
}

#endif
