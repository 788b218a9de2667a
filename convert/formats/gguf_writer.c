/* gguf_writer.c - metadata that llama.cpp needs to run architecture "llama", which has Mistral's
 * mathematics but for the window, or "mistral3", which scales frequencies and queries as well
 *
 * Keys: ggml's docs/gguf.md. The window is written under its standard key, though llama.cpp does
 * not read it for this architecture. Without a tokenizer the vocabulary's kind is "none": the file
 * then works with programs that pass token ids.
 */
#include "convert/formats/gguf_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/eval/rope_scaling.h"
#include "runtime/model/config.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/tokenizer.h"

/* llama.cpp needs a length; 4096 is what brise keeps for a model that states none. */
#define CONTEXT_UNSTATED 4096u

/* Version of the block layouts: ggml.h, GGML_QNT_VERSION. */
#define QUANTIZATION_VERSION 2u

/* The score that llama.cpp's converter gives to tokens that never come from text. */
#define PADDING_SCORE (-1000.0f)

uint32_t gguf_source_row(uint32_t row, uint32_t head_dim)
{
	uint32_t in_head = row % head_dim;

	return row - in_head + in_head / 2 + (in_head % 2 ? head_dim / 2 : 0);
}

/* ---- values --------------------------------------------------------------------------------- */

/* Pairs are counted as they are appended: their number comes before them in the file. */
typedef struct pairs {
	buffer data;
	uint64_t n;
	const char *architecture; /* keys that begin with a dot follow it */
} pairs;

static void put_string(buffer *b, const void *text, size_t n)
{
	buffer_put_number(b, n, 8);
	buffer_put(b, text, n);
}

static void put_key(pairs *p, const char *key, enum gguf_value_type type)
{
	const char *before = *key == '.' ? p->architecture : "";

	buffer_put_number(&p->data, strlen(before) + strlen(key), 8);
	buffer_put(&p->data, before, strlen(before));
	buffer_put(&p->data, key, strlen(key));
	buffer_put_number(&p->data, type, 4);
	p->n++;
}

static void put_text(pairs *p, const char *key, const char *text)
{
	put_key(p, key, GGUF_STRING);
	put_string(&p->data, text, strlen(text));
}

static void put_u32(pairs *p, const char *key, uint32_t value)
{
	put_key(p, key, GGUF_U32);
	buffer_put_number(&p->data, value, 4);
}

static void put_f32(pairs *p, const char *key, float value)
{
	put_key(p, key, GGUF_F32);
	buffer_put_float(&p->data, value);
}

static void put_bool(pairs *p, const char *key, bool value)
{
	put_key(p, key, GGUF_BOOL);
	buffer_put_number(&p->data, value, 1);
}

static void put_array(pairs *p, const char *key, enum gguf_value_type type, uint64_t n)
{
	put_key(p, key, GGUF_ARRAY);
	buffer_put_number(&p->data, type, 4);
	buffer_put_number(&p->data, n, 8);
}

/* ---- the model ------------------------------------------------------------------------------ */

static void put_general(const export_plan *plan, pairs *p)
{
	bool blocks = plan->type != GGML_F16;

	put_text(p, "general.architecture", p->architecture);
	put_text(p, "general.type", "model");
	if (plan->name)
		put_text(p, "general.name", plan->name);
	put_u32(p, "general.file_type",
	        plan->type == GGML_Q4_0   ? GGUF_FILE_Q4_0
	        : plan->type == GGML_Q8_0 ? GGUF_FILE_Q8_0
	                                  : GGUF_FILE_F16);
	if (blocks)
		put_u32(p, "general.quantization_version", QUANTIZATION_VERSION);
}

/* Yarn's magnitude is m(1) / m(multiplier) times attn_factor (convert/checkpoint/gguf_scaling.c);
 * multiplier 1 makes the first part 1, none makes it m(1). */
static void put_magnitude(const format_config *c, pairs *p)
{
	double magnitude = rope_scaling_magnitude(c);
	double usual = rope_scaling_default_magnitude(c->rope_factor, 1);

	if (magnitude < usual || magnitude > usual)
		put_f32(p, ".rope.scaling.yarn_log_multiplier", 1);
	if ((magnitude < usual || magnitude > usual) && (magnitude < 1 || magnitude > 1))
		put_f32(p, ".rope.scaling.attn_factor", (float)magnitude);
}

static void put_scaling(const format_config *c, pairs *p)
{
	const char *type = config_rope_scaling(c);
	uint32_t original = c->rope_scaling == ROPE_YARN ? c->rope_original : c->query_original;

	if (type) {
		put_text(p, ".rope.scaling.type", type);
		put_f32(p, ".rope.scaling.factor", (float)c->rope_factor);
	}
	if (c->rope_scaling == ROPE_YARN) {
		put_f32(p, ".rope.scaling.yarn_beta_fast", (float)c->rope_beta_fast);
		put_f32(p, ".rope.scaling.yarn_beta_slow", (float)c->rope_beta_slow);
		put_magnitude(c, p);
	}
	if (original)
		put_u32(p, ".rope.scaling.original_context_length", original);
	if (c->query_beta > 0)
		put_f32(p, ".attention.temperature_scale", (float)c->query_beta);
}

static void put_architecture(const format_config *c, pairs *p)
{
	put_u32(p, ".vocab_size", c->vocab);
	put_u32(p, ".context_length",
	        c->max_context ? c->max_context
	        : c->window    ? c->window
	                       : CONTEXT_UNSTATED);
	put_u32(p, ".embedding_length", c->dim);
	put_u32(p, ".block_count", c->n_layers);
	put_u32(p, ".feed_forward_length", c->hidden_dim);
	put_u32(p, ".attention.head_count", c->n_heads);
	put_u32(p, ".attention.head_count_kv", c->n_kv_heads);
	put_f32(p, ".attention.layer_norm_rms_epsilon", c->norm_eps);
	if ((uint64_t)c->head_dim * c->n_heads != c->dim) {
		put_u32(p, ".attention.key_length", c->head_dim);
		put_u32(p, ".attention.value_length", c->head_dim);
	}
	if (c->window)
		put_u32(p, ".attention.sliding_window", c->window);
	put_u32(p, ".rope.dimension_count", c->head_dim);
	put_f32(p, ".rope.freq_base", (float)c->rope_theta);
	put_scaling(c, p);
}

/* ---- the tokenizer -------------------------------------------------------------------------- */

/* Rows of the embedding beyond the tokenizer's pieces are tokens too, and need a text. */
static void put_padding(buffer *b, uint32_t id)
{
	char text[24];

	(void)snprintf(text, sizeof text, "[PAD%" PRIu32 "]", id);
	put_string(b, text, strlen(text));
}

static void put_pieces(const brise_tokenizer *t, uint32_t vocab, pairs *p)
{
	uint32_t id;

	put_array(p, "tokenizer.ggml.tokens", GGUF_STRING, vocab);
	for (id = 0; id < vocab; id++) {
		if (id < t->vocab)
			put_string(&p->data, t->text + t->offsets[id],
			           tokenizer_piece_bytes(t, id));
		else
			put_padding(&p->data, id);
	}
	put_array(p, "tokenizer.ggml.scores", GGUF_F32, vocab);
	for (id = 0; id < vocab; id++)
		buffer_put_float(&p->data, id < t->vocab ? t->scores[id] : PADDING_SCORE);
	/* Both sides number types as SentencePiece does. */
	put_array(p, "tokenizer.ggml.token_type", GGUF_I32, vocab);
	for (id = 0; id < vocab; id++)
		buffer_put_number(&p->data, id < t->vocab ? t->types[id] : GGUF_TOKEN_UNUSED, 4);
}

static void put_id(pairs *p, const char *key, int32_t id)
{
	if (id >= 0)
		put_u32(p, key, (uint32_t)id);
}

static bool is_named(const brise_tokenizer *t, int32_t id, const char *text)
{
	return t && (uint32_t)id < t->vocab &&
	       tokenizer_piece_bytes(t, (uint32_t)id) == strlen(text) &&
	       !memcmp(t->text + t->offsets[id], text, strlen(text));
}

/* Two more of the end tokens have keys: those of a turn and of a message. */
static void put_turn_ends(const brise_tokenizer *t, const brise_model_facts *f, int32_t eos,
                          pairs *p)
{
	int32_t turn = -1, message = -1;
	size_t i;

	for (i = 0; i < f->n_ends; i++) {
		int32_t id = f->ends[i];

		if (id == eos)
			continue;
		if (is_named(t, id, "<|eom_id|>"))
			message = id;
		else if (turn < 0 || is_named(t, turn, "</s>"))
			turn = id;
	}
	put_id(p, "tokenizer.ggml.eot_token_id", turn);
	put_id(p, "tokenizer.ggml.eom_token_id", message);
}

/* t NULL: begin and end come from the configuration. */
static void put_tokenizer(const brise_tokenizer *t, const brise_model *model, pairs *p)
{
	const format_config *c = &model->config;
	int32_t bos = c->bos < 0 && t ? t->bos : c->bos, eos = c->eos < 0 && t ? t->eos : c->eos;

	put_text(p, "tokenizer.ggml.model", t ? "llama" : "none");
	if (t) {
		put_text(p, "tokenizer.ggml.pre", "default");
		put_pieces(t, c->vocab, p);
	}
	put_id(p, "tokenizer.ggml.bos_token_id", bos);
	put_id(p, "tokenizer.ggml.eos_token_id", eos);
	put_turn_ends(t, &model->facts, eos, p);
	if (model->facts.chat_template)
		put_text(p, "tokenizer.chat_template", model->facts.chat_template);
	if (model->facts.chat_format && strcmp(model->facts.chat_format, CHAT_UNKNOWN) != 0)
		put_text(p, CHAT_KEY_GGUF, model->facts.chat_format);
	if (t) {
		put_id(p, "tokenizer.ggml.unknown_token_id", t->unk);
		put_bool(p, "tokenizer.ggml.add_bos_token", c->bos >= 0);
		put_bool(p, "tokenizer.ggml.add_eos_token", false);
		put_bool(p, "tokenizer.ggml.add_space_prefix", t->dummy_prefix);
	}
}

/* ---- the header ----------------------------------------------------------------------------- */

static void put_tensor(const export_tensor *t, buffer *out)
{
	put_string(out, t->name, strlen(t->name));
	buffer_put_number(out, t->is_vector ? 1 : 2, 4);
	buffer_put_number(out, t->cols, 8); /* the contiguous dimension first */
	if (!t->is_vector)
		buffer_put_number(out, t->rows, 8);
	buffer_put_number(out, t->type, 4);
	buffer_put_number(out, t->offset, 8);
}

void gguf_make_header(const export_plan *plan, buffer *out)
{
	const format_config *c = &plan->model->config;
	bool scaled = c->rope_scaling == ROPE_YARN || c->query_beta > 0;
	pairs p = { { NULL, 0, 0, false }, 0, scaled ? "mistral3" : "llama" };
	size_t i;

	put_general(plan, &p);
	put_architecture(c, &p);
	put_tokenizer(plan->tokenizer, plan->model, &p);
	buffer_put(out, GGUF_MAGIC, 4);
	buffer_put_number(out, GGUF_VERSION, 4);
	buffer_put_number(out, plan->n_tensors, 8);
	buffer_put_number(out, p.n, 8);
	buffer_put(out, p.data.data, p.data.n);
	out->failed = out->failed || p.data.failed;
	for (i = 0; i < plan->n_tensors; i++)
		put_tensor(&plan->tensors[i], out);
	buffer_align(out, GGUF_ALIGNMENT, 0);
	buffer_free(&p.data);
}
