/* params.c - the meaning of Mistral's own params.json, and the field that each decision comes from
 *
 * mistral-inference requires the sizes and norm_eps (args.py, TransformerArgs); rope_theta is 10000
 * for models with a sliding window, which is v0.1, and 1000000 for those without, v0.2 and later.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "convert/checkpoint/architecture.h"
#include "convert/checkpoint/config_fields.h"
#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/model/model.h"

#define THETA_CLASSIC 10000.0
#define THETA_LONG    1000000.0
#define CONTEXT_LONG  32768

#define N_REQUIRED 5u /* the first of sizes */
static const size_field sizes[] = {
	{ "dim", offsetof(format_config, dim) },
	{ "n_layers", offsetof(format_config, n_layers) },
	{ "n_heads", offsetof(format_config, n_heads) },
	{ "hidden_dim", offsetof(format_config, hidden_dim) },
	{ "vocab_size", offsetof(format_config, vocab) },
	{ "n_kv_heads", offsetof(format_config, n_kv_heads) },
	{ "head_dim", offsetof(format_config, head_dim) },
	{ "max_seq_len", offsetof(format_config, max_context) },
	{ "max_position_embeddings", offsetof(format_config, max_context) },
	{ "sliding_window", offsetof(format_config, window) },
};

/* mistral-finetune leaves this field in the file when it has merged its adapter; matrices that are
 * not merged have names of their own and are refused. */
static void pass_over_lora(config_fields *f)
{
	if (json_peek(&f->r) != JSON_NULL)
		notes_add(f->decisions,
		          "%s: field lora ignored: what was trained is in the weights", f->file);
	json_skip(&f->r);
}

static void pass_over_images(config_fields *f)
{
	f->a->images = config_fields_pass_over(&f->r);
	if (f->a->images)
		notes_add(f->decisions,
		          "the language model is converted, what reads images is left out (%s: "
		          "vision_encoder)",
		          f->file);
}

/* fp8_e4m3 says nothing that the tensors do not. */
static void read_quantization(config_fields *f)
{
	char key[64], format[40] = "", what[80];

	if (json_peek(&f->r) == JSON_NULL) {
		json_read_null(&f->r);
		return;
	}
	json_enter_object(&f->r);
	while (f->r.status == BRISE_OK && json_next_key(&f->r, key, sizeof key))
		if (strcmp(key, "qformat_weight") != 0)
			json_skip(&f->r);
		else
			json_read_name(&f->r, format, sizeof format);
	(void)snprintf(what, sizeof what, "quantization.qformat_weight %s", format);
	if (f->r.status == BRISE_OK && strcmp(format, "fp8_e4m3") != 0)
		config_fields_refuse(f, what);
}

static void read_field(config_fields *f, const char *key)
{
	static const neutral_field neutrals[] = {
		{ "moe", 0, 0 },    { "ple_dim", 0, 0 },     { "use_biases", 0, 0 },
		{ "causal", 1, 1 }, { "q_lora_rank", 0, 0 }, { "kv_lora_rank", 0, 0 },
	};
	static const char *const known[] = { "max_batch_size", "model_type", "multiple_of",
		                             "ffn_dim_multiplier", NULL };

	if (config_fields_read_common(f, key) ||
	    config_fields_read_neutral(f, key, neutrals, sizeof neutrals / sizeof *neutrals))
		return;
	if (!strcmp(key, "norm_eps"))
		config_fields_read_eps(f);
	else if (!strcmp(key, "yarn"))
		rope_fields_read(&f->rope, &f->r, key);
	else if (!strcmp(key, "quantization"))
		read_quantization(f);
	else if (!strcmp(key, "vision_encoder"))
		pass_over_images(f);
	else if (!strcmp(key, "lora"))
		pass_over_lora(f);
	else {
		if (!names_contain(known, key))
			notes_add(f->decisions, "%s: field %.60s ignored", f->file, key);
		json_skip(&f->r);
	}
}

static brise_status check_required(config_fields *f, brise_error *err)
{
	brise_status status = json_end(&f->r);
	size_t i;

	for (i = 0; i < N_REQUIRED && status == BRISE_OK; i++)
		if (f->states[i] != FIELD_GIVEN)
			status = error_set(err, BRISE_EFORMAT, "%s: no field %s", f->r.name,
			                   f->sizes[i].name);
	if (status == BRISE_OK && f->eps != FIELD_GIVEN)
		status = error_set(err, BRISE_EFORMAT, "%s: no field norm_eps", f->r.name);
	return status;
}

static void decide(config_fields *f)
{
	format_config *c = &f->a->config;

	if (config_fields_state(f, offsetof(format_config, n_kv_heads)) != FIELD_GIVEN) {
		c->n_kv_heads = c->n_heads;
		notes_add(f->decisions,
		          "key/value heads %" PRIu32 ", one for each head (not in %s)",
		          c->n_kv_heads, f->file);
	}
	config_fields_decide_head_dim(f);
	config_fields_decide_windows(f);
	config_fields_note_window(f, "sliding_window null, 0 or absent");
	if (c->window > 0)
		config_fields_decide_theta(f, THETA_CLASSIC,
		                           "the model has a window, so it is v0.1");
	else
		config_fields_decide_theta(f, THETA_LONG,
		                           "the model has no window, so it is v0.2 or later");
	if (config_fields_state(f, offsetof(format_config, max_context)) != FIELD_GIVEN) {
		c->max_context = CONTEXT_LONG;
		notes_add(f->decisions,
		          "trained for %d positions, as Mistral's models are (not in %s)",
		          CONTEXT_LONG, f->file);
	} else if (c->max_context > 0) {
		notes_add(f->decisions,
		          "trained for %" PRIu32
		          " positions (%s: max_seq_len or max_position_embeddings)",
		          c->max_context, f->file);
	}
	c->bos = 1;
	c->eos = 2;
	notes_add(f->decisions,
	          "begin token 1, end token 2, as in Mistral's tokenizers (not in %s)", f->file);
}

brise_status architecture_read_params(architecture *a, const char *json, size_t size,
                                      const char *name, notes *decisions, brise_error *err)
{
	brise_status status;
	config_fields f;
	char key[96];

	config_fields_begin(&f, a, json, size, name, decisions, err);
	f.sizes = sizes;
	f.n_sizes = sizeof sizes / sizeof *sizes;
	while (f.r.status == BRISE_OK && json_next_key(&f.r, key, sizeof key))
		read_field(&f, key);
	if ((status = check_required(&f, err)) != BRISE_OK)
		return status;
	decide(&f);
	status = rope_fields_decide(&f.rope, &a->config, f.file, decisions, err);
	return status == BRISE_OK ? model_check_config(&a->config, name, err) : status;
}
