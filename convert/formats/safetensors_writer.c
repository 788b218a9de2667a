/* safetensors_writer.c - u64 length of the header, JSON, data (huggingface.co/docs/safetensors)
 *
 * Rows of q and k keep their order: Hugging Face's is the .brise file's, halves of the pairs that
 * RoPE turns.
 */
#include "convert/formats/safetensors_writer.h"

#include "runtime/eval/rope_scaling.h"
#include "runtime/model/config.h"
#include "runtime/text/json_writer.h"

static void put_tensor(json_writer *w, const export_tensor *t)
{
	json_open(w, t->name, '{');
	json_put_string(w, "dtype", t->type == GGML_F32 ? "F32" : "F16");
	json_open(w, "shape", '[');
	if (!t->is_vector)
		json_put_unsigned(w, NULL, t->rows);
	json_put_unsigned(w, NULL, t->cols);
	json_close(w);
	json_open(w, "data_offsets", '[');
	json_put_unsigned(w, NULL, t->offset);
	json_put_unsigned(w, NULL, t->offset + t->bytes);
	json_close(w);
	json_close(w);
}

void safetensors_make_header(const export_plan *plan, buffer *out)
{
	buffer json = { NULL, 0, 0, false };
	json_writer w = { .sink = buffer_take_json, .user = &json };
	size_t i;

	json_open(&w, NULL, '{');
	json_open(&w, "__metadata__", '{');
	json_put_string(&w, "format", "pt");
	json_close(&w);
	for (i = 0; i < plan->n_tensors; i++)
		put_tensor(&w, &plan->tensors[i]);
	json_close(&w);
	buffer_align(&json, 8, ' ');
	buffer_put_number(out, json.n, 8);
	buffer_put(out, json.data, json.n);
	out->failed = out->failed || json.failed;
	buffer_free(&json);
}

/* absent: null. */
static void put_optional(json_writer *w, const char *key, int64_t value, bool absent)
{
	if (absent)
		json_put_null(w, key);
	else
		json_put_integer(w, key, value);
}

/* transformers' type of model that has scaled frequencies and a factor of queries. */
static bool is_scaled(const format_config *c)
{
	return c->rope_scaling != ROPE_UNSCALED || c->query_beta > 0;
}

static void put_scaling(json_writer *w, const format_config *c)
{
	const char *type = config_rope_scaling(c);

	json_open(w, "rope_parameters", '{');
	if (c->rope_scaling == ROPE_YARN) {
		json_put_exactly(w, "attention_factor", rope_scaling_magnitude(c), false);
		json_put_exactly(w, "beta_fast", c->rope_beta_fast, false);
		json_put_exactly(w, "beta_slow", c->rope_beta_slow, false);
	}
	if (type)
		json_put_exactly(w, "factor", c->rope_factor, false);
	json_put_exactly(w, "llama_4_scaling_beta", c->query_beta, false);
	if (c->query_beta > 0 || c->rope_scaling == ROPE_YARN)
		json_put_unsigned(w, "original_max_position_embeddings",
		                  c->query_beta > 0 ? c->query_original : c->rope_original);
	json_put_exactly(w, "rope_theta", c->rope_theta, false);
	json_put_string(w, "rope_type", type ? type : "default");
	json_close(w);
}

void safetensors_make_config(const export_plan *plan, buffer *out)
{
	json_writer w = { .sink = buffer_take_json, .user = out, .indent = 2 };
	const format_config *c = &plan->model->config;

	json_open(&w, NULL, '{');
	json_open(&w, "architectures", '[');
	json_put_string(&w, NULL, is_scaled(c) ? "Ministral3ForCausalLM" : "MistralForCausalLM");
	json_close(&w);
	json_put_exactly(&w, "attention_dropout", 0, false);
	put_optional(&w, "bos_token_id", c->bos, c->bos < 0);
	put_optional(&w, "eos_token_id", c->eos, c->eos < 0);
	json_put_unsigned(&w, "head_dim", c->head_dim);
	json_put_string(&w, "hidden_act", "silu");
	json_put_unsigned(&w, "hidden_size", c->dim);
	json_put_exactly(&w, "initializer_range", 0.02, false);
	json_put_unsigned(&w, "intermediate_size", c->hidden_dim);
	if (c->max_context)
		json_put_unsigned(&w, "max_position_embeddings", c->max_context);
	json_put_string(&w, "model_type", is_scaled(c) ? "ministral3" : "mistral");
	json_put_unsigned(&w, "num_attention_heads", c->n_heads);
	json_put_unsigned(&w, "num_hidden_layers", c->n_layers);
	json_put_unsigned(&w, "num_key_value_heads", c->n_kv_heads);
	json_put_exactly(&w, "rms_norm_eps", (double)c->norm_eps, true);
	if (is_scaled(c))
		put_scaling(&w, c);
	else
		json_put_exactly(&w, "rope_theta", c->rope_theta, false);
	put_optional(&w, "sliding_window", c->window, c->window == 0);
	json_put_bool(&w, "tie_word_embeddings", c->flags & FORMAT_TIED);
	json_put_string(&w, "torch_dtype", "float16");
	json_put_bool(&w, "use_cache", true);
	json_put_unsigned(&w, "vocab_size", c->vocab);
	json_close(&w);
	buffer_print(out, "\n");
}
