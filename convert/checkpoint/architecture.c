/* architecture.c - what a configuration means, and which field said so
 *
 * Every field that could change the mathematics is known here by name: handled, or refused with its
 * name. Fields about training, precision of the checkpoint or generation are passed over. Where a
 * field is missing the default is that of the reference implementation that reads such files, and a
 * line says so:
 *   - config.json: transformers' MistralConfig and LlamaConfig (rope_theta 10000, head_dim
 * hidden_size / num_attention_heads);
 *   - params.json: mistral-inference (rope_theta 10000 with a sliding window, which is v0.1, and
 * 1000000 without, v0.2 and v0.3).
 */
#include "convert/checkpoint/architecture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/text/json.h"
#include "runtime/error.h"
#include "runtime/model/model.h"

#define THETA_CLASSIC 10000.0
#define THETA_LONG    1000000.0
#define CONTEXT_LONG  32768

/* A field of type integer into 32 bits; what was read is remembered by a bit. */
typedef struct size_field {
	const char *name;
	size_t offset; /* in format_config */
	bool required;
} size_field;

static const size_field config_sizes[] = {
	{ "hidden_size", offsetof(format_config, dim), true },
	{ "num_hidden_layers", offsetof(format_config, n_layers), true },
	{ "num_attention_heads", offsetof(format_config, n_heads), true },
	{ "intermediate_size", offsetof(format_config, hidden_dim), true },
	{ "vocab_size", offsetof(format_config, vocab), true },
	{ "num_key_value_heads", offsetof(format_config, n_kv_heads), false },
	{ "head_dim", offsetof(format_config, head_dim), false },
	{ "max_position_embeddings", offsetof(format_config, max_context), false },
	{ "sliding_window", offsetof(format_config, window), false },
};

static const size_field params_sizes[] = {
	{ "dim", offsetof(format_config, dim), true },
	{ "n_layers", offsetof(format_config, n_layers), true },
	{ "n_heads", offsetof(format_config, n_heads), true },
	{ "hidden_dim", offsetof(format_config, hidden_dim), true },
	{ "vocab_size", offsetof(format_config, vocab), true },
	{ "n_kv_heads", offsetof(format_config, n_kv_heads), false },
	{ "head_dim", offsetof(format_config, head_dim), false },
	{ "max_seq_len", offsetof(format_config, max_context), false },
	{ "sliding_window", offsetof(format_config, window), false },
};

typedef struct reading {
	json_reader r;
	architecture *a;
	notes *decisions;
	const size_field *sizes;
	size_t n_sizes;
	unsigned seen; /* bit i: sizes[i] had a number */
	bool has_theta, has_eps, has_bos, has_eos;
	char file[64];       /* the configuration's name without its folder */
	const char *refused; /* static text: what is not supported */
} reading;

static uint32_t *size_at(architecture *a, const size_field *field)
{
	return (uint32_t *)(void *)((char *)&a->config + field->offset);
}

/* null counts as absent. */
static void read_size(reading *in, size_t index)
{
	int64_t value;

	if (json_peek(&in->r) == JSON_NULL) {
		json_read_null(&in->r);
		return;
	}
	if (!json_read_integer(&in->r, &value))
		return;
	if (value < 0 || value > UINT32_MAX) {
		json_refuse(&in->r, BRISE_EFORMAT, "a size out of range");
		return;
	}
	*size_at(in->a, &in->sizes[index]) = (uint32_t)value;
	in->seen |= 1u << index;
}

/* An id, or a list of which the first counts. */
static void read_id(reading *in, const char *field, int32_t *id, bool *has)
{
	bool list = json_peek(&in->r) == JSON_ARRAY;
	int64_t value = -1;
	size_t n = 0;

	if (json_peek(&in->r) == JSON_NULL) {
		json_read_null(&in->r);
		return;
	}
	if (!list) {
		n = json_read_integer(&in->r, &value);
	} else if (json_enter_array(&in->r)) {
		while (json_next_element(&in->r)) {
			int64_t one;

			if (!json_read_integer(&in->r, &one))
				return;
			value = n++ ? value : one;
		}
	}
	if (n == 0)
		return;
	if (value < -1 || value > INT32_MAX) {
		json_refuse(&in->r, BRISE_EFORMAT, "a token id out of range");
		return;
	}
	*id = (int32_t)value;
	*has = true;
	if (n > 1)
		notes_add(in->decisions, "%s %" PRId32 ": the first of %zu (%s: %s)", field, *id, n,
		          in->file, field);
}

static void refuse(reading *in, const char *what)
{
	json_refuse(&in->r, BRISE_EUNSUPPORTED, what);
}

/* A flag that must be false. */
static void forbid_flag(reading *in, const char *what)
{
	bool value = false;

	if (json_peek(&in->r) == JSON_NULL)
		json_read_null(&in->r);
	else if (json_read_bool(&in->r, &value) && value)
		refuse(in, what);
}

/* A value that must be absent or null, or an empty object. */
static void forbid_value(reading *in, const char *what)
{
	if (json_peek(&in->r) == JSON_NULL)
		json_read_null(&in->r);
	else
		refuse(in, what);
}

static void read_theta(reading *in)
{
	if (json_peek(&in->r) == JSON_NULL)
		json_read_null(&in->r);
	else if (json_read_double(&in->r, &in->a->config.rope_theta))
		in->has_theta = true;
}

/* rope_scaling, or rope_parameters of newer files: only the default type, perhaps with theta
 * inside. */
static void read_rope(reading *in)
{
	char key[64], type[64];

	if (json_peek(&in->r) == JSON_NULL) {
		json_read_null(&in->r);
		return;
	}
	json_enter_object(&in->r);
	while (in->r.status == BRISE_OK && json_next_key(&in->r, key, sizeof key)) {
		if (!strcmp(key, "rope_theta"))
			read_theta(in);
		else if ((!strcmp(key, "rope_type") || !strcmp(key, "type")) &&
		         json_read_name(&in->r, type, sizeof type)) {
			if (strcmp(type, "default") != 0)
				refuse(in, "rope scaling is not supported");
		} else if (in->r.status == BRISE_OK) {
			refuse(in, "rope scaling is not supported");
		}
	}
}

static void read_model_type(reading *in)
{
	char type[64];

	if (!json_read_name(&in->r, type, sizeof type))
		return;
	if (!strcmp(type, "llama"))
		notes_add(in->decisions,
		          "model_type llama without biases and rope scaling: the same mathematics "
		          "as mistral (%s: model_type)",
		          in->file);
	else if (strcmp(type, "mistral") != 0)
		refuse(in, "model_type is neither mistral nor llama: not supported");
}

static void read_activation(reading *in)
{
	char name[64];

	if (json_read_name(&in->r, name, sizeof name) && strcmp(name, "silu") != 0 &&
	    strcmp(name, "swish") != 0)
		refuse(in, "hidden_act other than silu is not supported");
}

/* layer_types of newer files: all the same. */
static void read_layer_types(reading *in)
{
	char type[64], before[64] = "";

	if (json_peek(&in->r) == JSON_NULL) {
		json_read_null(&in->r);
		return;
	}
	json_enter_array(&in->r);
	while (in->r.status == BRISE_OK && json_next_element(&in->r)) {
		if (!json_read_name(&in->r, type, sizeof type))
			return;
		if (*before && strcmp(before, type) != 0)
			refuse(in, "layer_types that differ between layers are not supported");
		strcpy(before, type);
	}
}

static bool read_common(reading *in, const char *key)
{
	size_t i;

	for (i = 0; i < in->n_sizes; i++)
		if (!strcmp(key, in->sizes[i].name)) {
			read_size(in, i);
			return true;
		}
	if (!strcmp(key, "rope_theta")) {
		read_theta(in);
		return true;
	}
	if (!strcmp(key, "tie_word_embeddings") || !strcmp(key, "tied_embeddings")) {
		json_read_bool(&in->r, &in->a->tied);
		return true;
	}
	return false;
}

static void read_eps(reading *in)
{
	double eps;

	if (json_read_double(&in->r, &eps)) {
		in->a->config.norm_eps = (float)eps;
		in->has_eps = true;
	}
}

static void read_config_field(reading *in, const char *key)
{
	static const char *const forbidden_flags[] = { "attention_bias", "mlp_bias",
		                                       "use_qk_norm" };
	static const char *const forbidden_values[] = { "num_local_experts",
		                                        "num_experts",
		                                        "quantization_config",
		                                        "attn_logit_softcapping",
		                                        "final_logit_softcapping",
		                                        "query_pre_attn_scalar",
		                                        "partial_rotary_factor",
		                                        "text_config",
		                                        "vision_config" };
	char what[128];
	size_t i;

	if (read_common(in, key))
		return;
	for (i = 0; i < sizeof forbidden_flags / sizeof *forbidden_flags; i++)
		if (!strcmp(key, forbidden_flags[i])) {
			(void)snprintf(what, sizeof what, "%s is not supported", key);
			forbid_flag(in, what);
			return;
		}
	for (i = 0; i < sizeof forbidden_values / sizeof *forbidden_values; i++)
		if (!strcmp(key, forbidden_values[i])) {
			(void)snprintf(what, sizeof what, "%s is not supported", key);
			forbid_value(in, what);
			return;
		}
	if (!strcmp(key, "rms_norm_eps"))
		read_eps(in);
	else if (!strcmp(key, "rope_scaling") || !strcmp(key, "rope_parameters"))
		read_rope(in);
	else if (!strcmp(key, "model_type"))
		read_model_type(in);
	else if (!strcmp(key, "hidden_act"))
		read_activation(in);
	else if (!strcmp(key, "layer_types"))
		read_layer_types(in);
	else if (!strcmp(key, "bos_token_id"))
		read_id(in, "bos_token_id", &in->a->config.bos, &in->has_bos);
	else if (!strcmp(key, "eos_token_id"))
		read_id(in, "eos_token_id", &in->a->config.eos, &in->has_eos);
	else
		json_skip(&in->r);
}

static void read_params_field(reading *in, const char *key)
{
	static const char *const forbidden[] = { "moe",  "vision_encoder",  "quantization",
		                                 "yarn", "llama_4_scaling", "ple_dim" };
	static const char *const known[] = { "norm_eps",    "max_batch_size",     "model_type",
		                             "multiple_of", "ffn_dim_multiplier", "causal" };
	char what[128];
	size_t i;

	if (read_common(in, key))
		return;
	for (i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
		if (!strcmp(key, forbidden[i])) {
			(void)snprintf(what, sizeof what, "%s is not supported", key);
			forbid_value(in, what);
			return;
		}
	if (!strcmp(key, "norm_eps")) {
		read_eps(in);
		return;
	}
	/* mistral-finetune leaves it behind when it has merged its adapter; matrices that are not
	 * merged have names of their own and are refused. */
	if (!strcmp(key, "lora")) {
		if (json_peek(&in->r) != JSON_NULL)
			notes_add(in->decisions,
			          "%s: field lora passed over: what was trained is in the weights",
			          in->file);
		json_skip(&in->r);
		return;
	}
	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(key, known[i])) {
			json_skip(&in->r);
			return;
		}
	notes_add(in->decisions, "%s: field %.60s passed over", in->file, key);
	json_skip(&in->r);
}

static bool seen_size(const reading *in, size_t offset)
{
	size_t i;

	for (i = 0; i < in->n_sizes; i++)
		if (in->sizes[i].offset == offset)
			return in->seen >> i & 1;
	return false;
}

static void decide_heads(reading *in)
{
	format_config *c = &in->a->config;

	if (!seen_size(in, offsetof(format_config, n_kv_heads))) {
		c->n_kv_heads = c->n_heads;
		notes_add(in->decisions,
		          "key/value heads %" PRIu32 ", one for each head (%s says nothing)",
		          c->n_kv_heads, in->file);
	}
	if (!seen_size(in, offsetof(format_config, head_dim))) {
		c->head_dim = c->n_heads ? c->dim / c->n_heads : 0;
		notes_add(in->decisions, "head size %" PRIu32 " = width / heads (%s says nothing)",
		          c->head_dim, in->file);
	}
}

static void decide_window(reading *in)
{
	const format_config *c = &in->a->config;

	if (c->window > 0)
		notes_add(in->decisions, "window %" PRIu32 " (%s: sliding_window)", c->window,
		          in->file);
	else
		notes_add(in->decisions,
		          "no window: every token attends to all before it (%s: sliding_window "
		          "null, 0 or absent)",
		          in->file);
}

static void decide_theta(reading *in, double fallback, const char *why)
{
	if (in->has_theta) {
		notes_add(in->decisions, "rope theta %g (%s: rope_theta)", in->a->config.rope_theta,
		          in->file);
		return;
	}
	in->a->config.rope_theta = fallback;
	notes_add(in->decisions, "rope theta %g: %s (%s has no rope_theta)", fallback, why,
	          in->file);
}

static brise_status begin(reading *in, architecture *a, const char *json, size_t size,
                          const char *name, notes *decisions, brise_error *err)
{
	const char *slash = strrchr(name, '/');

	memset(in, 0, sizeof *in);
	memset(a, 0, sizeof *a);
	a->config.bos = a->config.eos = -1;
	in->a = a;
	in->decisions = decisions;
	(void)snprintf(in->file, sizeof in->file, "%s", slash ? slash + 1 : name);
	json_begin(&in->r, json, size, name, err);
	json_enter_object(&in->r);
	return in->r.status;
}

static brise_status check_required(reading *in, brise_error *err)
{
	brise_status status = json_end(&in->r);
	size_t i;

	for (i = 0; i < in->n_sizes && status == BRISE_OK; i++)
		if (in->sizes[i].required && !(in->seen >> i & 1))
			status = error_set(err, BRISE_EFORMAT, "%s: no field %s", in->r.name,
			                   in->sizes[i].name);
	return status;
}

brise_status architecture_read_config(architecture *a, const char *json, size_t size,
                                      const char *name, notes *decisions, brise_error *err)
{
	brise_status status;
	char key[96];
	reading in;

	begin(&in, a, json, size, name, decisions, err);
	in.sizes = config_sizes;
	in.n_sizes = sizeof config_sizes / sizeof *config_sizes;
	while (in.r.status == BRISE_OK && json_next_key(&in.r, key, sizeof key))
		read_config_field(&in, key);
	if ((status = check_required(&in, err)) != BRISE_OK)
		return status;
	if (!in.has_eps)
		return error_set(err, BRISE_EFORMAT, "%s: no field rms_norm_eps", name);
	decide_heads(&in);
	decide_window(&in);
	decide_theta(&in, THETA_CLASSIC, "transformers' default");
	if (a->config.max_context > 0)
		notes_add(decisions,
		          "trained for %" PRIu32 " positions (%s: max_position_embeddings)",
		          a->config.max_context, in.file);
	notes_add(decisions,
	          "begin token %" PRId32 ", end token %" PRId32 " (%s: bos_token_id, eos_token_id)",
	          a->config.bos, a->config.eos, in.file);
	return model_check_config(&a->config, name, err);
}

brise_status architecture_read_params(architecture *a, const char *json, size_t size,
                                      const char *name, notes *decisions, brise_error *err)
{
	brise_status status;
	char key[96];
	reading in;

	begin(&in, a, json, size, name, decisions, err);
	in.sizes = params_sizes;
	in.n_sizes = sizeof params_sizes / sizeof *params_sizes;
	while (in.r.status == BRISE_OK && json_next_key(&in.r, key, sizeof key))
		read_params_field(&in, key);
	if ((status = check_required(&in, err)) != BRISE_OK)
		return status;
	if (!in.has_eps)
		return error_set(err, BRISE_EFORMAT, "%s: no field norm_eps", name);
	decide_heads(&in);
	decide_window(&in);
	if (a->config.window > 0)
		decide_theta(&in, THETA_CLASSIC, "the model has a window, so it is v0.1");
	else
		decide_theta(&in, THETA_LONG, "the model has no window, so it is v0.2 or later");
	if (!seen_size(&in, offsetof(format_config, max_context))) {
		a->config.max_context = CONTEXT_LONG;
		notes_add(decisions,
		          "trained for %d positions, as Mistral's models are (%s says nothing)",
		          CONTEXT_LONG, in.file);
	}
	a->config.bos = 1;
	a->config.eos = 2;
	notes_add(decisions,
	          "begin token 1, end token 2, as in Mistral's tokenizers (%s says nothing)",
	          in.file);
	return model_check_config(&a->config, name, err);
}
