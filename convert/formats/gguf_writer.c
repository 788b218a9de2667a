/* gguf_writer.c - metadata that llama.cpp needs to run architecture "llama", which has Mistral's
 * mathematics but for the window, or "mistral3", which scales frequencies and queries as well
 *
 * Keys: ggml's docs/gguf.md. The window is written under its standard key, though llama.cpp does
 * not read it for this architecture.
 */
#include "convert/formats/gguf_writer.h"

#include "runtime/eval/rope_scaling.h"
#include "runtime/model/config.h"

/* llama.cpp needs a length; 4096 is what brise keeps for a model that states none. */
#define CONTEXT_UNSTATED 4096u

/* Version of the block layouts: ggml.h, GGML_QNT_VERSION. */
#define QUANTIZATION_VERSION 2u

uint32_t gguf_source_row(uint32_t row, uint32_t head_dim)
{
	uint32_t in_head = row % head_dim;

	return row - in_head + in_head / 2 + (in_head % 2 ? head_dim / 2 : 0);
}

/* ---- the model ------------------------------------------------------------------------------ */

static void put_general(const export_plan *plan, gguf_pairs *p)
{
	bool blocks = plan->type != GGML_F16;

	pairs_put_text(p, "general.architecture", p->architecture);
	pairs_put_text(p, "general.type", "model");
	if (plan->name)
		pairs_put_text(p, "general.name", plan->name);
	pairs_put_u32(p, "general.file_type",
	              plan->type == GGML_Q4_0   ? GGUF_FILE_Q4_0
	              : plan->type == GGML_Q8_0 ? GGUF_FILE_Q8_0
	                                        : GGUF_FILE_F16);
	if (blocks)
		pairs_put_u32(p, "general.quantization_version", QUANTIZATION_VERSION);
}

/* Yarn's magnitude is m(1) / m(multiplier) times attn_factor (convert/checkpoint/gguf_scaling.c);
 * multiplier 1 makes the first part 1, none makes it m(1). */
static void put_magnitude(const format_config *c, gguf_pairs *p)
{
	double magnitude = rope_scaling_magnitude(c);
	double usual = rope_scaling_default_magnitude(c->rope_factor, 1);

	if (magnitude < usual || magnitude > usual)
		pairs_put_f32(p, ".rope.scaling.yarn_log_multiplier", 1);
	if ((magnitude < usual || magnitude > usual) && (magnitude < 1 || magnitude > 1))
		pairs_put_f32(p, ".rope.scaling.attn_factor", (float)magnitude);
}

static void put_scaling(const format_config *c, gguf_pairs *p)
{
	const char *type = config_rope_scaling(c);
	uint32_t original = c->rope_scaling == ROPE_YARN ? c->rope_original : c->query_original;

	if (type) {
		pairs_put_text(p, ".rope.scaling.type", type);
		pairs_put_f32(p, ".rope.scaling.factor", (float)c->rope_factor);
	}
	if (c->rope_scaling == ROPE_YARN) {
		pairs_put_f32(p, ".rope.scaling.yarn_beta_fast", (float)c->rope_beta_fast);
		pairs_put_f32(p, ".rope.scaling.yarn_beta_slow", (float)c->rope_beta_slow);
		put_magnitude(c, p);
	}
	if (original)
		pairs_put_u32(p, ".rope.scaling.original_context_length", original);
	if (c->query_beta > 0)
		pairs_put_f32(p, ".attention.temperature_scale", (float)c->query_beta);
}

static void put_windows(const brise_model *m, gguf_pairs *p)
{
	uint32_t layer;

	if (!m->windows && m->config.window)
		pairs_put_u32(p, ".attention.sliding_window", m->config.window);
	if (!m->windows)
		return;
	pairs_put_array(p, GGUF_WINDOWS, GGUF_U32, m->config.n_layers);
	for (layer = 0; layer < m->config.n_layers; layer++)
		buffer_put_number(&p->data, m->windows[layer], 4);
}

static void put_architecture(const brise_model *m, gguf_pairs *p)
{
	const format_config *c = &m->config;

	pairs_put_u32(p, ".vocab_size", c->vocab);
	pairs_put_u32(p, ".context_length",
	              c->max_context ? c->max_context
	              : c->window    ? c->window
	                             : CONTEXT_UNSTATED);
	pairs_put_u32(p, ".embedding_length", c->dim);
	pairs_put_u32(p, ".block_count", c->n_layers);
	pairs_put_u32(p, ".feed_forward_length", c->hidden_dim);
	pairs_put_u32(p, ".attention.head_count", c->n_heads);
	pairs_put_u32(p, ".attention.head_count_kv", c->n_kv_heads);
	pairs_put_f32(p, ".attention.layer_norm_rms_epsilon", c->norm_eps);
	if ((uint64_t)c->head_dim * c->n_heads != c->dim) {
		pairs_put_u32(p, ".attention.key_length", c->head_dim);
		pairs_put_u32(p, ".attention.value_length", c->head_dim);
	}
	put_windows(m, p);
	pairs_put_u32(p, ".rope.dimension_count", c->head_dim);
	pairs_put_f32(p, ".rope.freq_base", (float)c->rope_theta);
	put_scaling(c, p);
}

/* ---- the header ----------------------------------------------------------------------------- */

static void put_tensor(const export_tensor *t, buffer *out)
{
	pairs_put_string(out, t->name, strlen(t->name));
	buffer_put_number(out, t->is_vector ? 1 : 2, 4);
	buffer_put_number(out, t->cols, 8); /* the contiguous dimension first */
	if (!t->is_vector)
		buffer_put_number(out, t->rows, 8);
	buffer_put_number(out, t->type, 4);
	buffer_put_number(out, t->offset, 8);
}

void gguf_make_header(const export_plan *plan, const gguf_pairs *tokenizer, buffer *out)
{
	const format_config *c = &plan->model->config;
	bool scaled = c->rope_scaling == ROPE_YARN || c->query_beta > 0;
	gguf_pairs p = { { NULL, 0, 0, false }, 0, scaled ? "mistral3" : "llama" };
	size_t i;

	put_general(plan, &p);
	put_architecture(plan->model, &p);
	buffer_put(&p.data, tokenizer->data.data, tokenizer->data.n);
	p.n += tokenizer->n;
	buffer_put(out, GGUF_MAGIC, 4);
	buffer_put_number(out, GGUF_VERSION, 4);
	buffer_put_number(out, plan->n_tensors, 8);
	buffer_put_number(out, p.n, 8);
	buffer_put(out, p.data.data, p.data.n);
	out->failed = out->failed || p.data.failed || tokenizer->data.failed;
	for (i = 0; i < plan->n_tensors; i++)
		put_tensor(&plan->tensors[i], out);
	buffer_align(out, GGUF_ALIGNMENT, 0);
	buffer_free(&p.data);
}
