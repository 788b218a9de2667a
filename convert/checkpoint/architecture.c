/* architecture.c - the meaning of a config.json, and the field that each decision comes from
 *
 * Every field that could change the mathematics is known here by name: handled, or refused with its
 * name unless its value changes nothing. Fields about training, precision of the checkpoint or
 * generation are ignored. Where a field is absent, the default of transformers for that type of
 * model holds (models/mistral/configuration_mistral.py and models/llama/configuration_llama.py),
 * and a line says so.
 */
#include "convert/checkpoint/architecture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "convert/checkpoint/config_fields.h"
#include "runtime/error.h"
#include "runtime/model/model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

#define THETA_DEFAULT 10000.0
#define EPS_DEFAULT   1e-6f

static const size_field sizes[] = {
	{ "hidden_size", offsetof(format_config, dim) },
	{ "num_hidden_layers", offsetof(format_config, n_layers) },
	{ "num_attention_heads", offsetof(format_config, n_heads) },
	{ "intermediate_size", offsetof(format_config, hidden_dim) },
	{ "vocab_size", offsetof(format_config, vocab) },
	{ "num_key_value_heads", offsetof(format_config, n_kv_heads) },
	{ "head_dim", offsetof(format_config, head_dim) },
	{ "max_position_embeddings", offsetof(format_config, max_context) },
	{ "sliding_window", offsetof(format_config, window) },
};

/* Defaults of each type; 0: as many as heads, or none. */
typedef struct model_type {
	const char *name, *class; /* model_type, and what architectures holds */
	uint32_t hidden_dim, n_layers, n_kv_heads, vocab, max_context, window;
	bool has_window; /* reads sliding_window */
	bool is_scaled;  /* its default is a scaled model: rope_parameters must be there */
} model_type;

static const model_type types[] = {
	{ "mistral", "MistralFor", 14336, 32, 8, 32000, 4096 * 32, 4096, true, false },
	{ "ministral3", "Ministral3For", 14336, 34, 8, 131072, 262144, 0, true, true },
	{ "llama", "Llama", 11008, 32, 0, 32000, 2048, 0, false, false },
};

#define MISTRAL (&types[0])
#define LLAMA   (&types[2])

/* A model that takes images as well: the language model's fields are in text_config, of type
 * mistral where they do not say it. */
#define WRAPPER "mistral3"

typedef struct reading {
	config_fields f;
	const model_type *type; /* NULL: not said */
	const model_type *by_class;
	bool is_wrapper; /* model_type mistral3 */
	bool in_text;    /* within text_config */
	bool has_text, has_images;
	double query_scalar, multiplier; /* 0: not said */
	uint32_t rotated;                /* dimensions of a head; 0: not said */
} reading;

static void refuse(reading *in, const char *what)
{
	json_refuse(&in->f.r, BRISE_EUNSUPPORTED, what);
}

static bool is_null(reading *in)
{
	return json_peek(&in->f.r) == JSON_NULL && json_read_null(&in->f.r);
}

static void read_model_type(reading *in)
{
	char type[64], what[160];
	size_t i;

	if (is_null(in) || !json_read_name(&in->f.r, type, sizeof type))
		return;
	if (!strcmp(type, WRAPPER) && !in->in_text) {
		in->is_wrapper = true;
		return;
	}
	for (i = 0; i < LENGTH(types); i++)
		if (!strcmp(type, types[i].name))
			in->type = &types[i];
	(void)snprintf(what, sizeof what,
	               "model_type %s is not supported, it is none of mistral, ministral3, "
	               "mistral3 and llama",
	               type);
	if (!in->type)
		refuse(in, what);
}

/* ["MistralForCausalLM"], for files without model_type. */
static void read_classes(reading *in)
{
	char class[96];
	size_t i;

	if (is_null(in) || !json_enter_array(&in->f.r))
		return;
	while (json_next_element(&in->f.r) && json_read_name(&in->f.r, class, sizeof class))
		for (i = 0; i < LENGTH(types); i++)
			if (!strncmp(class, types[i].class, strlen(types[i].class)))
				in->by_class = &types[i];
}

static void read_activation(reading *in)
{
	char name[64];

	if (!is_null(in) && json_read_name(&in->f.r, name, sizeof name) &&
	    strcmp(name, "silu") != 0 && strcmp(name, "swish") != 0)
		refuse(in, "hidden_act other than silu is not supported");
}

/* layer_types of newer files: all the same. */
static void read_layer_types(reading *in)
{
	char type[64], before[64] = "";

	if (is_null(in) || !json_enter_array(&in->f.r))
		return;
	while (in->f.r.status == BRISE_OK && json_next_element(&in->f.r)) {
		if (!json_read_name(&in->f.r, type, sizeof type))
			return;
		if (*before && strcmp(before, type) != 0)
			refuse(in, "layer_types that differ between layers are not supported");
		strcpy(before, type);
	}
}

/* fp8 with one scale for each matrix says nothing that the tensors do not. Of other methods the
 * name is in the message: which other files to look for. */
static void read_quantization(reading *in)
{
	char key[64], method[40] = "", what[160];
	bool said = false, blocks = false;

	if (is_null(in) || !json_enter_object(&in->f.r))
		return;
	while (in->f.r.status == BRISE_OK && json_next_key(&in->f.r, key, sizeof key)) {
		said = true;
		if (!strcmp(key, "weight_block_size"))
			blocks = config_fields_pass_over(&in->f.r);
		else if (strcmp(key, "quant_method") != 0 || json_peek(&in->f.r) != JSON_STRING)
			json_skip(&in->f.r);
		else
			json_read_name(&in->f.r, method, sizeof method);
	}
	if (!strcmp(method, "fp8") && !blocks)
		return;
	(void)snprintf(what, sizeof what,
	               "quantization_config%s%s%s is not supported; convert the model it was made "
	               "from, or a GGUF file",
	               *method ? ": " : "", method, blocks ? " with weight_block_size" : "");
	if (said && in->f.r.status == BRISE_OK)
		refuse(in, what);
}

static void read_field(reading *in, const char *key);

static void read_text_config(reading *in)
{
	char key[96];

	in->has_text = true;
	if (is_null(in) || !json_enter_object(&in->f.r))
		return;
	in->in_text = true;
	while (in->f.r.status == BRISE_OK && json_next_key(&in->f.r, key, sizeof key))
		read_field(in, key);
	in->in_text = false;
}

/* Of models that take images: the language model's fields stand in an object of their own. What is
 * said of images is read by nobody. */
static bool read_inner_config(reading *in, const char *key)
{
	if (!strcmp(key, "vision_config"))
		in->has_images = config_fields_pass_over(&in->f.r) || in->has_images;
	else if (!strcmp(key, "text_config") && !in->in_text)
		read_text_config(in);
	else
		return false;
	return true;
}

/* Wrappers of other types may do other things than their text_config says. */
static brise_status check_wrapper(const reading *in, brise_error *err)
{
	if (in->is_wrapper && in->has_text) {
		in->f.a->images = true;
		if (in->has_images)
			notes_add(in->f.decisions,
			          "model_type " WRAPPER ": the language model is converted, what "
			          "reads images is left out (%s: text_config)",
			          in->f.file);
		return BRISE_OK;
	}
	if (in->is_wrapper)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: model_type " WRAPPER ", but no text_config", in->f.r.name);
	if (in->has_text || in->has_images)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: %s is not supported but in model_type " WRAPPER
		                 ": extract the language model with transformers, or convert its "
		                 "GGUF file",
		                 in->f.r.name, in->has_text ? "text_config" : "vision_config");
	return BRISE_OK;
}

static void read_number(reading *in, double *number)
{
	if (!is_null(in))
		json_read_double(&in->f.r, number);
}

static void read_field(reading *in, const char *key)
{
	static const neutral_field neutrals[] = {
		{ "use_qk_norm", 0, 0 },
		{ "qk_norm", 0, 0 },
		{ "qk_layernorm", 0, 0 },
		{ "use_qk_layernorm", 0, 0 },
		{ "num_local_experts", 0, 1 },
		{ "num_experts", 0, 1 },
		{ "n_routed_experts", 0, 0 },
		{ "attn_logit_softcapping", 0, 0 },
		{ "final_logit_softcapping", 0, 0 },
		{ "logit_scale", 1, 1 },
		{ "logits_scaling", 1, 1 },
		{ "embedding_multiplier", 1, 1 },
		{ "residual_multiplier", 1, 1 },
		{ "scale_emb", 1, 1 },
		{ "clip_qkv", 0, 0 },
		{ "alibi", 0, 0 },
		{ "parallel_attn", 0, 0 },
		{ "use_parallel_residual", 0, 0 },
		{ "partial_rotary_factor", 1, 1 },
		{ "rotary_pct", 1, 1 },
		{ "no_rope_layers", 0, 0 },
		{ "cross_attention_layers", 0, 0 },
		{ "pruned_heads", 0, 0 },
		{ "audio_config", 0, 0 },
	};
	double rotated = 0;

	if (config_fields_read_common(&in->f, key) || read_inner_config(in, key) ||
	    config_fields_read_neutral(&in->f, key, neutrals, sizeof neutrals / sizeof *neutrals))
		return;
	if (!strcmp(key, "rms_norm_eps"))
		config_fields_read_eps(&in->f);
	else if (!strcmp(key, "model_type"))
		read_model_type(in);
	else if (!strcmp(key, "architectures"))
		read_classes(in);
	else if (!strcmp(key, "hidden_act"))
		read_activation(in);
	else if (!strcmp(key, "layer_types"))
		read_layer_types(in);
	else if (!strcmp(key, "quantization_config"))
		read_quantization(in);
	else if (!strcmp(key, "query_pre_attn_scalar"))
		read_number(in, &in->query_scalar);
	else if (!strcmp(key, "attention_multiplier"))
		read_number(in, &in->multiplier);
	else if (!strcmp(key, "rotary_dim")) {
		read_number(in, &rotated);
		in->rotated = rotated > 0 && rotated < 65536 ? (uint32_t)rotated : 0;
	} else if (!strcmp(key, "bos_token_id"))
		config_fields_read_id(&in->f, key, &in->f.a->config.bos, &in->f.bos);
	else if (!strcmp(key, "eos_token_id"))
		config_fields_read_id(&in->f, key, &in->f.a->config.eos, &in->f.eos);
	else /* biases are seen from the tensors */
		json_skip(&in->f.r);
}

/* ---- defaults ------------------------------------------------------------------------------- */

/* Messages about sizes that contradict each other name the fields that are absent. */
static void assume(architecture *a, const char *field)
{
	size_t n = strlen(a->assumed);

	(void)snprintf(a->assumed + n, sizeof a->assumed - n, "%s%s", n ? ", " : "", field);
}

/* A size that must be known: given, or absent with a default. */
static brise_status decide_size(reading *in, uint32_t *size, const char *field, uint32_t fallback,
                                brise_error *err)
{
	architecture *a = in->f.a;
	size_t offset = (size_t)((char *)size - (char *)&a->config);
	field_state state = config_fields_state(&in->f, offset);

	if (state == FIELD_GIVEN)
		return BRISE_OK;
	if (state == FIELD_NULL)
		return error_set(err, BRISE_EFORMAT, "%s: %s is null", in->f.r.name, field);
	*size = fallback;
	assume(a, field);
	notes_add(in->f.decisions, "%s %" PRIu32 ": transformers' default for %s (not in %s)",
	          field, fallback, in->type->name, in->f.file);
	return BRISE_OK;
}

static void decide_kv_heads(reading *in)
{
	format_config *c = &in->f.a->config;
	field_state state = config_fields_state(&in->f, offsetof(format_config, n_kv_heads));

	if (state == FIELD_GIVEN)
		return;
	if (state == FIELD_ABSENT && in->type->n_kv_heads)
		assume(in->f.a, "num_key_value_heads");
	c->n_kv_heads =
	        state == FIELD_NULL || !in->type->n_kv_heads ? c->n_heads : in->type->n_kv_heads;
	notes_add(in->f.decisions, "key/value heads %" PRIu32 ": %s (%s: num_key_value_heads %s)",
	          c->n_kv_heads,
	          c->n_kv_heads == c->n_heads ? "one for each head" : "transformers' default",
	          in->f.file, state == FIELD_NULL ? "null" : "absent");
}

static void decide_window(reading *in)
{
	format_config *c = &in->f.a->config;
	field_state state = config_fields_state(&in->f, offsetof(format_config, window));

	config_fields_decide_windows(&in->f);
	if (!in->type->has_window) {
		in->f.a->windows_differ = false;
		if (c->window > 0)
			notes_add(in->f.decisions,
			          "sliding_window %" PRIu32 " ignored: transformers' %s has "
			          "none; --window gives it one",
			          c->window, in->type->name);
		c->window = 0;
		config_fields_note_window(&in->f, "model_type llama");
	} else if (state == FIELD_ABSENT && in->type->window) {
		c->window = in->type->window;
		notes_add(in->f.decisions,
		          "window %" PRIu32
		          ": transformers' default (%s has no sliding_window; null "
		          "is none)",
		          c->window, in->f.file);
	} else {
		config_fields_note_window(&in->f, state == FIELD_NULL    ? "sliding_window null"
		                                  : state == FIELD_GIVEN ? "sliding_window 0"
		                                                         : "no sliding_window");
	}
}

static void decide_positions(reading *in)
{
	format_config *c = &in->f.a->config;
	field_state state = config_fields_state(&in->f, offsetof(format_config, max_context));

	if (state == FIELD_ABSENT)
		c->max_context = in->type->max_context;
	if (c->max_context > 0)
		notes_add(in->f.decisions, "trained for %" PRIu32 " positions (%s: %s)",
		          c->max_context, in->f.file,
		          state == FIELD_ABSENT
		                  ? "no max_position_embeddings; transformers' default"
		                  : "max_position_embeddings");
}

static void decide_tokens(reading *in)
{
	format_config *c = &in->f.a->config;

	if (in->f.bos == FIELD_ABSENT && c->vocab > 1)
		c->bos = 1;
	if (in->f.eos == FIELD_ABSENT && c->vocab > 2)
		c->eos = 2;
	config_fields_drop_ids(&in->f);
	notes_add(in->f.decisions,
	          "begin token %" PRId32 ", end token %" PRId32 " (%s: bos_token_id, eos_token_id)",
	          c->bos, c->eos, in->f.file);
}

static brise_status decide_sizes(reading *in, brise_error *err)
{
	format_config *c = &in->f.a->config;
	brise_status status;

	if ((status = decide_size(in, &c->dim, "hidden_size", 4096, err)) != BRISE_OK ||
	    (status = decide_size(in, &c->n_layers, "num_hidden_layers", in->type->n_layers,
	                          err)) != BRISE_OK ||
	    (status = decide_size(in, &c->n_heads, "num_attention_heads", 32, err)) != BRISE_OK ||
	    (status = decide_size(in, &c->hidden_dim, "intermediate_size", in->type->hidden_dim,
	                          err)) != BRISE_OK)
		return status;
	return decide_size(in, &c->vocab, "vocab_size", in->type->vocab, err);
}

static void decide_type(reading *in)
{
	in->type = in->type ? in->type : in->by_class ? in->by_class : MISTRAL;
	if (in->type == LLAMA)
		notes_add(in->f.decisions,
		          "model_type llama without biases: the same mathematics as mistral (%s: "
		          "model_type)",
		          in->f.file);
}

/* Scales of attention and rotated dimensions that are not Mistral's. */
static brise_status check_attention(const reading *in, brise_error *err)
{
	double head_dim = in->f.a->config.head_dim;

	if (in->query_scalar != 0 && in->query_scalar != head_dim)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: query_pre_attn_scalar %g is not supported, but for the head "
		                 "size %g",
		                 in->f.r.name, in->query_scalar, head_dim);
	if (in->multiplier != 0 && fabs(in->multiplier * sqrt(head_dim) - 1) > 1e-6)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: attention_multiplier %g is not supported, but for %g",
		                 in->f.r.name, in->multiplier, 1 / sqrt(head_dim));
	if (in->rotated != 0 && in->rotated != in->f.a->config.head_dim)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: rotary_dim %" PRIu32 " of %g: heads rotated in part are not "
		                 "supported",
		                 in->f.r.name, in->rotated, head_dim);
	return BRISE_OK;
}

/* Without rope_parameters a Ministral 3 of transformers has yarn by 16 and more: a file that says
 * nothing of them was cut. */
static brise_status decide_scaling(reading *in, brise_error *err)
{
	if (in->type->is_scaled && !in->f.rope.has_theta)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: model_type %s without rope_parameters.rope_theta",
		                 in->f.r.name, in->type->name);
	return rope_fields_decide(&in->f.rope, &in->f.a->config, in->f.file, in->f.decisions, err);
}

brise_status architecture_read_config(architecture *a, const char *json, size_t size,
                                      const char *name, notes *decisions, brise_error *err)
{
	reading in = { .type = NULL };
	brise_status status;
	char key[96];

	config_fields_begin(&in.f, a, json, size, name, decisions, err);
	in.f.sizes = sizes;
	in.f.n_sizes = sizeof sizes / sizeof *sizes;
	while (in.f.r.status == BRISE_OK && json_next_key(&in.f.r, key, sizeof key))
		read_field(&in, key);
	if ((status = json_end(&in.f.r)) != BRISE_OK)
		return status;
	if ((status = check_wrapper(&in, err)) != BRISE_OK)
		return status;
	if (!in.type && !in.by_class &&
	    config_fields_state(&in.f, offsetof(format_config, dim)) == FIELD_ABSENT)
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: no model_type and no hidden_size: not a model's configuration", name);
	decide_type(&in);
	if ((status = decide_sizes(&in, err)) != BRISE_OK)
		return status;
	if (in.f.eps == FIELD_ABSENT) {
		a->config.norm_eps = EPS_DEFAULT;
		notes_add(decisions, "rms_norm_eps %g: transformers' default (not in %s)",
		          (double)EPS_DEFAULT, in.f.file);
	}
	decide_kv_heads(&in);
	config_fields_decide_head_dim(&in.f);
	decide_window(&in);
	config_fields_decide_theta(&in.f, THETA_DEFAULT, "transformers' default");
	decide_positions(&in);
	decide_tokens(&in);
	status = check_attention(&in, err);
	if (status == BRISE_OK)
		status = decide_scaling(&in, err);
	if (status == BRISE_OK && a->config.n_kv_heads > 0 &&
	    a->config.n_heads % a->config.n_kv_heads != 0 && *a->assumed)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: %" PRIu32 " heads do not divide among %" PRIu32
		                 " key/value heads (it does not say %s)",
		                 name, a->config.n_heads, a->config.n_kv_heads, a->assumed);
	return status == BRISE_OK ? model_check_config(&a->config, name, err) : status;
}
