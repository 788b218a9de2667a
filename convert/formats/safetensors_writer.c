/* safetensors_writer.c - u64 length of the header, JSON, data (huggingface.co/docs/safetensors)
 *
 * Rows of q and k keep their order: Hugging Face's is the .brise file's, halves of the pairs that
 * RoPE turns.
 */
#include "convert/formats/safetensors_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void safetensors_make_header(const export_plan *plan, buffer *out)
{
	buffer json = { NULL, 0, 0, false };
	size_t i;

	buffer_print(&json, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (i = 0; i < plan->n_tensors; i++) {
		const export_tensor *t = &plan->tensors[i];

		buffer_print(&json, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name,
		             t->type == GGML_F32 ? "F32" : "F16");
		if (!t->is_vector)
			buffer_print(&json, "%" PRIu32 ",", t->rows);
		buffer_print(&json, "%" PRIu32 "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
		             t->cols, t->offset, t->offset + t->bytes);
	}
	buffer_print(&json, "}");
	buffer_align(&json, 8, ' ');
	buffer_put_number(out, json.n, 8);
	buffer_put(out, json.data, json.n);
	out->failed = out->failed || json.failed;
	buffer_free(&json);
}

/* The shortest decimal that reads back as exactly this value; a single-precision one if `single`.
 * Whole numbers as people write them: 10000.0. */
static void format_exactly(double value, bool single, char text[40])
{
	int digits;

	if (value >= 1 && value < 1e15 && !(value > (double)(uint64_t)value)) {
		(void)snprintf(text, 40, "%.1f", value);
		return;
	}
	for (digits = 1; digits <= 17; digits++) {
		double back;

		(void)snprintf(text, 40, "%.*g", digits, value);
		back = strtod(text, NULL);
		if (single ? (float)back == (float)value : !(back < value) && !(back > value))
			return;
	}
}

static void put_optional(buffer *out, const char *key, int64_t value, bool stated)
{
	if (stated)
		buffer_print(out, "  \"%s\": %" PRId64 ",\n", key, value);
	else
		buffer_print(out, "  \"%s\": null,\n", key);
}

void safetensors_make_config(const export_plan *plan, buffer *out)
{
	const format_config *c = &plan->model->config;
	char theta[40], eps[40];

	format_exactly(c->rope_theta, false, theta);
	format_exactly((double)c->norm_eps, true, eps);
	buffer_print(out, "{\n  \"architectures\": [\n    \"MistralForCausalLM\"\n  ],\n  "
	                  "\"attention_dropout\": 0.0,\n");
	put_optional(out, "bos_token_id", c->bos, c->bos >= 0);
	put_optional(out, "eos_token_id", c->eos, c->eos >= 0);
	buffer_print(out,
	             "  \"head_dim\": %" PRIu32
	             ",\n  \"hidden_act\": \"silu\",\n  \"hidden_size\": %" PRIu32 ",\n",
	             c->head_dim, c->dim);
	buffer_print(out, "  \"initializer_range\": 0.02,\n  \"intermediate_size\": %" PRIu32 ",\n",
	             c->hidden_dim);
	if (c->max_context)
		buffer_print(out, "  \"max_position_embeddings\": %" PRIu32 ",\n", c->max_context);
	buffer_print(out,
	             "  \"model_type\": \"mistral\",\n  \"num_attention_heads\": %" PRIu32 ",\n",
	             c->n_heads);
	buffer_print(out,
	             "  \"num_hidden_layers\": %" PRIu32 ",\n  \"num_key_value_heads\": %" PRIu32
	             ",\n",
	             c->n_layers, c->n_kv_heads);
	buffer_print(out, "  \"rms_norm_eps\": %s,\n  \"rope_theta\": %s,\n", eps, theta);
	put_optional(out, "sliding_window", c->window, c->window > 0);
	buffer_print(out,
	             "  \"tie_word_embeddings\": false,\n  \"torch_dtype\": \"float16\",\n  "
	             "\"use_cache\": true,\n  \"vocab_size\": %" PRIu32 "\n}\n",
	             c->vocab);
}
