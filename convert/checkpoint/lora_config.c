/* lora_config.c - reads adapter_config.json as PEFT writes it (github.com/huggingface/peft,
 * LoraConfig), and mistral-finetune's params.json
 *
 * Every field of LoraConfig is known here by name: used, ignored because it matters in training
 * only, or required to be empty, because it would change more than adding B A to a matrix does.
 * Which modules an adapter changes is seen from its tensors.
 *
 * A params.json describes the model that was trained, with {"lora": {"enable": true, "rank": 64,
 * "dropout": 0.0, "scaling": 2.0}} in it. The scaling multiplies B A as it is
 * (github.com/mistralai/mistral-finetune, model/args.py, and LoRALinear.merge_weight in
 * model/lora.py).
 */
#include "convert/checkpoint/lora_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/text/json.h"
#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define RANK_DEFAULT  8
#define ALPHA_DEFAULT 8
#define PATTERNS_MAX  4096u /* a few for each matrix of a large model */

typedef struct reading {
	json_reader r;
	lora_config *config;
	notes *decisions;
	bool has_type, has_rank, has_alpha;
} reading;

static void refuse(reading *in, const char *field, const char *what)
{
	char text[400];

	(void)snprintf(text, sizeof text,
	               "%.60s%s is not supported; merge_and_unload of PEFT makes a checkpoint to "
	               "convert",
	               field, what);
	json_refuse(&in->r, BRISE_EUNSUPPORTED, text);
}

static bool skip_null(reading *in)
{
	return json_peek(&in->r) == JSON_NULL && json_read_null(&in->r);
}

/* null, false, {} and [] have no effect. */
static void forbid(reading *in, const char *field)
{
	bool said = false;
	char key[2];

	switch (json_peek(&in->r)) {
	case JSON_NULL:
		json_read_null(&in->r);
		break;
	case JSON_BOOL:
		json_read_bool(&in->r, &said);
		break;
	case JSON_OBJECT:
		json_enter_object(&in->r);
		said = json_next_key(&in->r, key, sizeof key);
		break;
	case JSON_ARRAY:
		json_enter_array(&in->r);
		said = json_next_element(&in->r);
		break;
	default: /* a text, a number, or nothing at all */
		said = json_skip(&in->r);
	}
	if (said)
		refuse(in, field, "");
}

/* Which modules were trained as a whole; their tensors say the same. */
static void read_saved_modules(reading *in)
{
	if (skip_null(in))
		return;
	json_enter_array(&in->r);
	while (json_next_element(&in->r)) {
		in->config->saves_modules = true;
		json_skip(&in->r);
	}
}

/* A text that must be one of a list. */
static void expect(reading *in, const char *field, const char *const *allowed)
{
	char text[64], what[80];

	if (!json_read_name(&in->r, text, sizeof text))
		return;
	if (names_contain(allowed, text))
		return;
	(void)snprintf(what, sizeof what, " %s", text);
	refuse(in, field, what);
}

/* Some ways to begin training put part of the matrix into the adapter, and so need another base
 * than the published one. */
static void read_beginning(reading *in)
{
	static const char *const allowed[] = { "gaussian", "eva", "orthogonal", NULL };
	bool flag;

	if (json_peek(&in->r) == JSON_BOOL)
		json_read_bool(&in->r, &flag);
	else if (!skip_null(in))
		expect(in, "init_lora_weights", allowed);
}

static void add_pattern(reading *in, lora_patterns *patterns, pattern *key)
{
	lora_pattern *grown = NULL;
	double value;

	if (json_read_double(&in->r, &value) && patterns->n < PATTERNS_MAX)
		grown = memory_resize(patterns->items, patterns->n + 1, sizeof *grown);
	if (!grown) {
		json_refuse(&in->r, BRISE_ENOMEM, "no memory for the patterns");
		pattern_free(key);
		return;
	}
	patterns->items = grown;
	grown[patterns->n++] = (lora_pattern){ key, value };
}

/* Keys are regular expressions. *unread: where given, is set for one that cannot be read, and the
 * field is ignored. */
static void read_patterns(reading *in, const char *field, lora_patterns *patterns, bool *unread)
{
	char *text, what[160];
	const char *why;
	pattern *key;
	size_t bytes;

	if (skip_null(in))
		return;
	json_enter_object(&in->r);
	while (json_next_whole_key(&in->r, &text, &bytes)) {
		key = pattern_new(text, bytes, &why);
		(void)snprintf(what, sizeof what, ": %.60s: %s", text, key ? "" : why);
		memory_free(text);
		if (key) {
			add_pattern(in, patterns, key);
		} else if (unread) {
			*unread = true;
			json_skip(&in->r);
		} else {
			refuse(in, field, what);
		}
	}
}

static void read_field(reading *in, const char *key)
{
	static const char *const lora[] = { "LORA", NULL };
	static const char *const forbidden[] = { "use_dora",
		                                 "lora_bias",
		                                 "use_qalora",
		                                 "use_bdlora",
		                                 "layer_replication",
		                                 "megatron_config",
		                                 "trainable_token_indices",
		                                 "target_parameters",
		                                 "alora_invocation_tokens",
		                                 "arrow_config",
		                                 NULL };
	/* fan_in_fan_out: PEFT sets it to false for matrices stored as Mistral's are; biases are
	 * seen from the tensors, and Mistral's models have none to train */
	static const char *const training[] = { "fan_in_fan_out",      "bias",
		                                "auto_mapping",        "base_model_name_or_path",
		                                "corda_config",        "ensure_weight_tying",
		                                "eva_config",          "exclude_modules",
		                                "inference_mode",      "layers_pattern",
		                                "layers_to_transform", "loftq_config",
		                                "lora_dropout",        "lora_ga_config",
		                                "megatron_core",       "peft_version",
		                                "qalora_group_size",   "revision",
		                                "runtime_config",      "target_modules",
		                                "task_type",           NULL };
	bool null, flag;

	if (names_contain(forbidden, key))
		forbid(in, key);
	else if (names_contain(training, key))
		json_skip(&in->r);
	else if (!strcmp(key, "modules_to_save"))
		read_saved_modules(in);
	else if (!strcmp(key, "peft_type")) {
		in->has_type = true;
		expect(in, key, lora);
	} else if (!strcmp(key, "r"))
		in->has_rank = json_read_integer(&in->r, &in->config->rank);
	else if (!strcmp(key, "lora_alpha"))
		in->has_alpha = json_read_double(&in->r, &in->config->alpha);
	else if (!strcmp(key, "use_rslora") && !skip_null(in)) {
		if (json_read_bool(&in->r, &flag))
			in->config->scaling = flag ? LORA_BY_ROOT : LORA_BY_RANK;
	} else if (!strcmp(key, "init_lora_weights"))
		read_beginning(in);
	else if (!strcmp(key, "rank_pattern"))
		read_patterns(in, key, &in->config->ranks, &in->config->ranks_unread);
	else if (!strcmp(key, "alpha_pattern"))
		read_patterns(in, key, &in->config->alphas, NULL);
	else if (strcmp(key, "use_rslora") != 0) {
		null = json_peek(&in->r) == JSON_NULL;
		json_skip(&in->r);
		if (!null)
			notes_add(in->decisions, "adapter_config.json: field %.60s ignored", key);
	}
}

brise_status lora_read_config(lora_config *config, const char *json, size_t size, const char *name,
                              notes *decisions, brise_error *err)
{
	reading in = { .config = config, .decisions = decisions };
	brise_status status;
	char key[96];

	memset(config, 0, sizeof *config);
	json_begin(&in.r, json, size, name, err);
	json_enter_object(&in.r);
	while (json_next_key(&in.r, key, sizeof key))
		read_field(&in, key);
	if ((status = json_end(&in.r)) != BRISE_OK)
		return status;
	if (!in.has_type)
		return error_set(err, BRISE_EFORMAT, "%s: no field peft_type", name);
	if (!in.has_rank) {
		config->rank = RANK_DEFAULT;
		notes_add(decisions, "r %d: PEFT's default (adapter_config.json says nothing)",
		          RANK_DEFAULT);
	}
	if (!in.has_alpha) {
		config->alpha = ALPHA_DEFAULT;
		notes_add(decisions,
		          "lora_alpha %d: PEFT's default (adapter_config.json says nothing)",
		          ALPHA_DEFAULT);
	}
	return BRISE_OK;
}

/* ---- mistral-finetune ----------------------------------------------------------------------- */

static void read_lora_field(reading *in, const char *key)
{
	bool enabled = true;

	if (!strcmp(key, "rank"))
		in->has_rank = json_read_integer(&in->r, &in->config->rank);
	else if (!strcmp(key, "scaling"))
		in->has_alpha = json_read_double(&in->r, &in->config->alpha);
	else if (!strcmp(key, "enable") && json_read_bool(&in->r, &enabled) && !enabled)
		json_refuse(&in->r, BRISE_EFORMAT, "lora.enable is false: nothing was trained");
	else if (strcmp(key, "enable") != 0) {
		if (strcmp(key, "dropout") != 0)
			notes_add(in->decisions, "params.json: field lora.%.60s ignored", key);
		json_skip(&in->r);
	}
}

static void read_lora(reading *in)
{
	char key[96];

	if (skip_null(in))
		return;
	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		read_lora_field(in, key);
}

/* A size of the model that was trained; fields of other meanings are ignored. */
static void check_size(reading *in, const format_config *model, const char *key)
{
	const struct {
		const char *name;
		uint32_t value;
	} sizes[] = { { "dim", model->dim },
		      { "n_layers", model->n_layers },
		      { "n_heads", model->n_heads },
		      { "head_dim", model->head_dim },
		      { "n_kv_heads", model->n_kv_heads },
		      { "hidden_dim", model->hidden_dim } };
	char what[160];
	int64_t value;
	size_t i;

	for (i = 0; i < sizeof sizes / sizeof *sizes && strcmp(key, sizes[i].name) != 0; i++)
		;
	if (i == sizeof sizes / sizeof *sizes) {
		json_skip(&in->r);
	} else if (json_read_integer(&in->r, &value) && value != sizes[i].value) {
		(void)snprintf(what, sizeof what,
		               "%s %" PRId64 ", but the model's is %" PRIu32
		               ": an adapter of another model",
		               sizes[i].name, value, sizes[i].value);
		json_refuse(&in->r, BRISE_EFORMAT, what);
	}
}

/* The same sizes were published with several bases, which theta tells apart. */
static void compare_theta(reading *in, const format_config *model)
{
	double theta;

	if (json_read_double(&in->r, &theta) && theta != model->rope_theta)
		notes_add(in->decisions,
		          "adapter trained with rope theta %g, but the model's is %g: perhaps it "
		          "is of another model (params.json: rope_theta)",
		          theta, model->rope_theta);
}

brise_status lora_read_params(lora_config *config, const format_config *model, const char *json,
                              size_t size, const char *name, notes *decisions, brise_error *err)
{
	reading in = { .config = config, .decisions = decisions };
	brise_status status;
	char key[96];

	memset(config, 0, sizeof *config);
	config->scaling = LORA_UNDIVIDED;
	json_begin(&in.r, json, size, name, err);
	json_enter_object(&in.r);
	while (json_next_key(&in.r, key, sizeof key))
		if (!strcmp(key, "lora"))
			read_lora(&in);
		else if (!strcmp(key, "moe"))
			forbid(&in, key);
		else if (!strcmp(key, "rope_theta") && !skip_null(&in))
			compare_theta(&in, model);
		else if (strcmp(key, "rope_theta") != 0)
			check_size(&in, model, key);
	if ((status = json_end(&in.r)) != BRISE_OK)
		return status;
	if (!in.has_rank || !in.has_alpha)
		return error_set(err, BRISE_EFORMAT, "%s: no field lora.%s", name,
		                 !in.has_rank ? "rank" : "scaling");
	return BRISE_OK;
}

/* ---- ranks and factors ---------------------------------------------------------------------- */

static void free_patterns(lora_patterns *patterns)
{
	size_t i;

	for (i = 0; i < patterns->n; i++)
		pattern_free(patterns->items[i].key);
	memory_free(patterns->items);
}

void lora_free_config(lora_config *config)
{
	free_patterns(&config->ranks);
	free_patterns(&config->alphas);
	memset(config, 0, sizeof *config);
}

/* The first that fits counts, as in PEFT. */
static double find_pattern(const lora_patterns *patterns, const char *module, double otherwise)
{
	size_t i;

	for (i = 0; i < patterns->n; i++)
		if (pattern_fits(patterns->items[i].key, module))
			return patterns->items[i].value;
	return otherwise;
}

int64_t lora_rank_of(const lora_config *config, const char *module)
{
	double rank = find_pattern(&config->ranks, module, (double)config->rank);

	return rank >= 1 && rank <= UINT32_MAX ? (int64_t)rank : 0;
}

double lora_factor_of(const lora_config *config, const char *module, uint32_t rank)
{
	double alpha = find_pattern(&config->alphas, module, config->alpha);

	return config->scaling == LORA_UNDIVIDED
	               ? alpha
	               : alpha / (config->scaling == LORA_BY_ROOT ? sqrt(rank) : rank);
}
