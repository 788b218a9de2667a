/* gguf_architecture.c - the meaning of a GGUF file's metadata, and the key that each decision comes
 * from
 *
 * Keys of the model begin with its architecture: "llama.block_count". Mistral's models are stored
 * as "llama", newer ones under names of their own. Every key that could change the mathematics is
 * known here by name: handled, or refused unless it has the value that changes nothing. Where a key
 * is missing the default is llama.cpp's (src/llama-model.cpp), and a line says so.
 *
 * llama.cpp has no window in "llama" and its converter does not write one, so a file of Mistral 7B
 * v0.1 does not say that its window is 4096. is_first_mistral recognises such files; where it
 * guesses wrong, brise convert --window overrides it.
 */
#include "convert/checkpoint/gguf_architecture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/checkpoint/gguf_scaling.h"
#include "convert/formats/gguf.h"
#include "runtime/error.h"
#include "runtime/model/config.h"
#include "runtime/model/model.h"

#define THETA_CLASSIC 10000.0
#define FIRST_WINDOW  4096u
#define PREFIX_MAX    32u

typedef struct reading {
	const gguf_header *h;
	architecture *a;
	const char *name;
	notes *decisions;
	brise_error *err;
	char prefix[PREFIX_MAX]; /* "llama." */
} reading;

static bool text_is(const gguf_text *text, const char *expected)
{
	return text->n == strlen(expected) && !memcmp(text->bytes, expected, text->n);
}

static const gguf_value *find_key(const reading *in, const char *key)
{
	char whole[PREFIX_MAX + 64];

	(void)snprintf(whole, sizeof whole, "%s%s", in->prefix, key);
	return gguf_find(in->h, whole);
}

static brise_status find_prefix(reading *in)
{
	const gguf_value *v = gguf_find(in->h, "general.architecture");
	gguf_text text;
	size_t at;

	if (!v || v->is_array || v->type != GGUF_STRING)
		return error_set(in->err, BRISE_EFORMAT, "%s: no general.architecture", in->name);
	at = v->at;
	text = gguf_next_text(in->h, &at);
	if (!text_is(&text, "llama") &&
	    (text.n < 7 || memcmp(text.bytes, "mistral", 7) != 0 || text.n + 2 > sizeof in->prefix))
		return error_set(
		        in->err, BRISE_EUNSUPPORTED,
		        "%s: general.architecture %.*s is neither llama nor mistral: not supported",
		        in->name, (int)(text.n > 40 ? 40 : text.n), text.bytes);
	(void)snprintf(in->prefix, sizeof in->prefix, "%.*s.", (int)text.n, text.bytes);
	notes_add(in->decisions,
	          "a GGUF file of architecture %.*s: rows of q and k interleave their pairs, "
	          "stored as halves (general.architecture)",
	          (int)text.n, text.bytes);
	return BRISE_OK;
}

/* ---- sizes ---------------------------------------------------------------------------------- */

/* A 32-bit integer; of an array with one for each layer, all must be equal. *found: it is there. */
static brise_status read_size(const reading *in, const char *key, uint32_t *size, bool *found)
{
	const gguf_value *v = find_key(in, key);
	int64_t value = 0, other;
	uint64_t i;

	*found = v != NULL;
	if (!v)
		return BRISE_OK;
	if (!gguf_get_integer(in->h, v, 0, &value) || value < 0 || value > UINT32_MAX)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: %s is not an integer in the range of a size", in->name,
		                 v->key);
	for (i = 1; i < v->n; i++)
		if (!gguf_get_integer(in->h, v, i, &other) || other != value)
			return error_set(in->err, BRISE_EUNSUPPORTED,
			                 "%s: %s differs between layers: not supported", in->name,
			                 v->key);
	*size = (uint32_t)value;
	return BRISE_OK;
}

static brise_status read_required(const reading *in)
{
	format_config *c = &in->a->config;
	const struct {
		const char *key;
		uint32_t *size;
	} sizes[] = {
		{ "embedding_length", &c->dim },
		{ "block_count", &c->n_layers },
		{ "attention.head_count", &c->n_heads },
		{ "feed_forward_length", &c->hidden_dim },
	};
	brise_status status;
	bool found;
	size_t i;

	for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		if ((status = read_size(in, sizes[i].key, sizes[i].size, &found)) != BRISE_OK)
			return status;
		if (!found)
			return error_set(in->err, BRISE_EFORMAT, "%s: no %s%s", in->name,
			                 in->prefix, sizes[i].key);
	}
	return BRISE_OK;
}

static brise_status read_heads(const reading *in)
{
	format_config *c = &in->a->config;
	uint32_t value_length = 0, rotated = 0;
	bool found, has_value, has_rotated;
	brise_status status;

	if ((status = read_size(in, "attention.head_count_kv", &c->n_kv_heads, &found)) != BRISE_OK)
		return status;
	if (!found) {
		c->n_kv_heads = c->n_heads;
		notes_add(in->decisions,
		          "key/value heads %" PRIu32
		          ", one for each head (no %sattention.head_count_kv)",
		          c->n_kv_heads, in->prefix);
	}
	if ((status = read_size(in, "attention.key_length", &c->head_dim, &found)) != BRISE_OK ||
	    (status = read_size(in, "attention.value_length", &value_length, &has_value)) !=
	            BRISE_OK ||
	    (status = read_size(in, "rope.dimension_count", &rotated, &has_rotated)) != BRISE_OK)
		return status;
	if (!found) {
		c->head_dim = c->n_heads ? c->dim / c->n_heads : 0;
		notes_add(in->decisions,
		          "head size %" PRIu32 " = width / heads (no %sattention.key_length)",
		          c->head_dim, in->prefix);
	}
	if (has_value && value_length != c->head_dim)
		return error_set(in->err, BRISE_EUNSUPPORTED,
		                 "%s: %sattention.value_length %" PRIu32 ", keys have %" PRIu32
		                 ": not supported",
		                 in->name, in->prefix, value_length, c->head_dim);
	if (has_rotated && rotated != c->head_dim)
		return error_set(in->err, BRISE_EUNSUPPORTED,
		                 "%s: %srope.dimension_count %" PRIu32 " of %" PRIu32
		                 ": heads rotated in part are not supported",
		                 in->name, in->prefix, rotated, c->head_dim);
	return BRISE_OK;
}

/* The embedding's rows: llama.cpp, too, goes by tokens, and lets vocab_size be another number. */
static const named_tensor *find_embedding(const tensor_list *tensors)
{
	size_t i;

	for (i = 0; i < tensors->n; i++)
		if (!strcmp(tensors->items[i].name, "token_embd.weight"))
			return &tensors->items[i];
	return NULL;
}

static brise_status read_vocabulary(const reading *in, const tensor_list *tensors)
{
	const gguf_value *tokens = gguf_find(in->h, "tokenizer.ggml.tokens");
	const named_tensor *embedding = find_embedding(tensors);
	uint32_t *vocab = &in->a->config.vocab;
	named_tensor squeezed;
	bool found;
	brise_status status = read_size(in, "vocab_size", vocab, &found);

	if (status != BRISE_OK)
		return status;
	if (embedding) {
		squeezed = *embedding;
		tensors_squeeze(&squeezed, 2);
		if (squeezed.n_dims == 2 && squeezed.shape[0] <= UINT32_MAX) {
			if (!found || *vocab != squeezed.shape[0])
				notes_add(in->decisions,
				          "vocabulary %" PRIu64
				          ", the rows of token_embd.weight (%svocab_size %s)",
				          squeezed.shape[0], in->prefix,
				          found ? "says another number" : "is absent");
			*vocab = (uint32_t)squeezed.shape[0];
			return BRISE_OK;
		}
	}
	if (found)
		return BRISE_OK;
	if (!tokens || !tokens->is_array || tokens->n > UINT32_MAX)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: no %svocab_size and no token_embd.weight", in->name,
		                 in->prefix);
	*vocab = (uint32_t)tokens->n;
	return BRISE_OK;
}

/* ---- what decides the mathematics ----------------------------------------------------------- */

static brise_status read_number(const reading *in, const char *key, double *number, bool *found)
{
	const gguf_value *v = find_key(in, key);

	*found = v != NULL;
	if (v && (v->is_array || !gguf_get_number(in->h, v, 0, number)))
		return error_set(in->err, BRISE_EFORMAT, "%s: %s is not a number", in->name,
		                 v->key);
	return BRISE_OK;
}

static brise_status read_rope(const reading *in)
{
	bool found;
	brise_status status = read_number(in, "rope.freq_base", &in->a->config.rope_theta, &found);

	if (status != BRISE_OK)
		return status;
	if (!found)
		in->a->config.rope_theta = THETA_CLASSIC;
	notes_add(in->decisions,
	          found ? "rope theta %g (%srope.freq_base)"
	                : "rope theta %g: llama.cpp's default (no %srope.freq_base)",
	          in->a->config.rope_theta, in->prefix);
	return BRISE_OK;
}

static brise_status read_eps(const reading *in)
{
	double eps = 0;
	bool found;
	brise_status status = read_number(in, "attention.layer_norm_rms_epsilon", &eps, &found);

	if (status == BRISE_OK && !found)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: no %sattention.layer_norm_rms_epsilon", in->name, in->prefix);
	in->a->config.norm_eps = (float)eps;
	return status;
}

/* Mistral 7B v0.1 and its fine-tunes: no other model of "llama" has these sizes with theta 10000
 * (v0.2 and v0.3 have 1000000). */
static bool is_first_mistral(const format_config *c)
{
	return c->dim == 4096 && c->n_layers == 32 && c->n_heads == 32 && c->n_kv_heads == 8 &&
	       c->head_dim == 128 && c->hidden_dim == 14336 && c->rope_theta == THETA_CLASSIC &&
	       c->max_context == 32768;
}

/* What brise's own export writes where windows differ. *found: it is there. */
static brise_status read_windows(const reading *in, bool *found)
{
	const gguf_value *v = gguf_find(in->h, GGUF_WINDOWS);
	architecture *a = in->a;
	uint32_t n = a->config.n_layers, layer;
	int64_t window;

	*found = v != NULL;
	if (!v)
		return BRISE_OK;
	if (!v->is_array || v->n != n || n > CONFIG_LAYERS_MAX)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: " GGUF_WINDOWS " is not an array of one window for each of "
		                 "%" PRIu32 " layers",
		                 in->name, n);
	for (layer = 0; layer < n; layer++) {
		if (!gguf_get_integer(in->h, v, layer, &window) || window < 0 ||
		    window > CONFIG_WINDOW_MAX)
			return error_set(in->err, BRISE_EFORMAT,
			                 "%s: " GGUF_WINDOWS ": layer %" PRIu32
			                 " has no window of 0..%u",
			                 in->name, layer, CONFIG_WINDOW_MAX);
		a->windows[layer] = (uint32_t)window;
		a->windows_differ = a->windows_differ || a->windows[layer] != a->windows[0];
	}
	a->config.window = config_join_windows(a->windows, n);
	return BRISE_OK;
}

static void note_window(const reading *in, bool of_layers, bool stated)
{
	format_config *c = &in->a->config;

	if (in->a->windows_differ) {
		notes_add(in->decisions, "windows differ between layers (" GGUF_WINDOWS ")");
	} else if (c->window > 0) {
		notes_add(in->decisions, "window %" PRIu32 " (%s%s)", c->window,
		          of_layers ? "" : in->prefix,
		          of_layers ? GGUF_WINDOWS : "attention.sliding_window");
	} else if (!of_layers && !stated && is_first_mistral(c)) {
		c->window = FIRST_WINDOW;
		notes_add(in->decisions,
		          "window %" PRIu32 ": sizes and rope theta are those of Mistral 7B v0.1, "
		          "whose window GGUF files do not say",
		          c->window);
	} else {
		notes_add(in->decisions,
		          "no window: every token attends to all before it "
		          "(%sattention.sliding_window 0 or absent)",
		          in->prefix);
	}
}

static brise_status read_positions(const reading *in)
{
	format_config *c = &in->a->config;
	bool found, has_context, of_layers;
	brise_status status;

	if ((status = read_size(in, "context_length", &c->max_context, &has_context)) != BRISE_OK ||
	    (status = read_size(in, "attention.sliding_window", &c->window, &found)) != BRISE_OK ||
	    (status = read_windows(in, &of_layers)) != BRISE_OK)
		return status;
	if (has_context)
		notes_add(in->decisions, "trained for %" PRIu32 " positions (%scontext_length)",
		          c->max_context, in->prefix);
	note_window(in, of_layers, found);
	return BRISE_OK;
}

/* ---- what must not be there ----------------------------------------------------------------- */

/* Keys that are refused unless they have a value that changes nothing: this number, or `other`. A
 * name that ends with '*' is a prefix. */
static const struct neutral {
	const char *key;
	double value, other;
} neutrals[] = {
	{ "expert_*", 0, 0 },
	{ "leading_dense_block_count", 0, 0 },
	{ "nextn_predict_layers", 0, 0 },
	{ "logit_scale", 0, 1 },
	{ "residual_scale", 0, 1 },
	{ "embedding_scale", 0, 1 },
	{ "attention.scale", 0, 0 },
	{ "attention.output_scale", 0, 1 },
	{ "attention.clamp_kqv", 0, 0 },
	{ "attention.max_alibi_bias", 0, 0 },
	{ "attention.temperature_*", 0, 0 },
	{ "attention.sliding_window_pattern", 0, 0 },
	{ "attention.shared_kv_layers", 0, 0 },
	{ "attention.causal", 1, 1 },
	{ "attention.*_lora_rank", 0, 0 },
	{ "attention.key_length_*", 0, 0 },
	{ "attention.value_length_*", 0, 0 },
	{ "attn_logit_softcapping", 0, 0 },
	{ "final_logit_softcapping", 0, 0 },
	{ "use_parallel_residual", 0, 0 },
	{ "pooling_type", 0, 0 },
	{ "swin_norm", 0, 0 },
	{ "rope.scaling.*", 0, 1 },
	{ "rope.dimension_sections", 0, 0 },
	{ "rope.freq_base_swa", 0, 0 },
};

/* At most one '*' in the pattern, for any characters. */
static bool key_matches(const char *key, const char *pattern)
{
	const char *star = strchr(pattern, '*');
	size_t head, tail, n = strlen(key);

	if (!star)
		return !strcmp(key, pattern);
	head = (size_t)(star - pattern);
	tail = strlen(star + 1);
	return n >= head + tail && !memcmp(key, pattern, head) &&
	       !memcmp(key + n - tail, star + 1, tail);
}

static bool is_neutral(const reading *in, const gguf_value *v, const struct neutral *expected)
{
	double number;
	bool flag;

	if (v->is_array)
		return false;
	if (gguf_get_bool(in->h, v, 0, &flag))
		return (double)flag == expected->value;
	return gguf_get_number(in->h, v, 0, &number) &&
	       (number == expected->value || number == expected->other);
}

static brise_status check_layout(const reading *in)
{
	const gguf_value *v = find_key(in, "tensor_data_layout");
	size_t at = v ? v->at : 0;
	gguf_text text;

	if (!v)
		return BRISE_OK;
	if (v->is_array || v->type != GGUF_STRING)
		return error_set(in->err, BRISE_EFORMAT, "%s: %s is not a string", in->name,
		                 v->key);
	text = gguf_next_text(in->h, &at);
	if (!text_is(&text, "Meta AI original pth"))
		return error_set(in->err, BRISE_EUNSUPPORTED, "%s: %s is \"%.*s\": not supported",
		                 in->name, v->key, (int)(text.n > 40 ? 40 : text.n), text.bytes);
	return BRISE_OK;
}

static brise_status check_neutral(const reading *in)
{
	static const char *const known[] = { "embedding_length",
		                             "block_count",
		                             "attention.head_count",
		                             "attention.head_count_kv",
		                             "feed_forward_length",
		                             "attention.key_length",
		                             "attention.value_length",
		                             "rope.dimension_count",
		                             "vocab_size",
		                             "rope.freq_base",
		                             "attention.layer_norm_rms_epsilon",
		                             "context_length",
		                             "attention.sliding_window",
		                             "rope.scale_linear",
		                             "rope.scaling.type",
		                             "rope.scaling.factor",
		                             "rope.scaling.attn_factor",
		                             "rope.scaling.original_context_length",
		                             "rope.scaling.finetuned",
		                             "rope.scaling.yarn_*",
		                             "tensor_data_layout" };
	bool has_query_factor = !strcmp(in->prefix, GGUF_MINISTRAL);
	size_t prefix = strlen(in->prefix), i, k;

	for (i = 0; i < in->h->n_values; i++) {
		const gguf_value *v = &in->h->values[i];
		bool seen;

		if (strncmp(v->key, in->prefix, prefix) != 0)
			continue;
		seen = has_query_factor && !strcmp(v->key + prefix, "attention.temperature_scale");
		for (k = 0; k < sizeof known / sizeof *known; k++)
			seen = seen || key_matches(v->key + prefix, known[k]);
		for (k = 0; k < sizeof neutrals / sizeof *neutrals && !seen; k++) {
			seen = key_matches(v->key + prefix, neutrals[k].key);
			if (seen && !is_neutral(in, v, &neutrals[k]))
				return error_set(in->err, BRISE_EUNSUPPORTED,
				                 "%s: %s is not supported", in->name, v->key);
		}
		if (!seen)
			notes_add(in->decisions, "key %.80s ignored", v->key);
	}
	return BRISE_OK;
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* llama.cpp's ids for vocabularies "llama" (src/llama-vocab.cpp): they hold where the file says
 * nothing, or an id that no token has. */
#define BOS_DEFAULT 1
#define EOS_DEFAULT 2

static bool has_defaults(const reading *in)
{
	const gguf_value *v = gguf_find(in->h, "tokenizer.ggml.model");
	gguf_text text;
	size_t at;

	if (!v || v->is_array || v->type != GGUF_STRING)
		return false;
	at = v->at;
	text = gguf_next_text(in->h, &at);
	return text_is(&text, "llama");
}

static brise_status read_token(const reading *in, const char *key, int32_t fallback, int32_t *id)
{
	const gguf_value *v = gguf_find(in->h, key);
	uint32_t vocab = in->a->config.vocab;
	int64_t value;

	if (v && (v->is_array || !gguf_get_integer(in->h, v, 0, &value)))
		return error_set(in->err, BRISE_EFORMAT, "%s: %s is not a token id", in->name, key);
	if (v && value >= 0 && value < vocab) {
		*id = (int32_t)value;
		return BRISE_OK;
	}
	*id = has_defaults(in) && (uint32_t)fallback < vocab ? fallback : -1;
	if (v)
		notes_add(in->decisions,
		          "%s %" PRId64 " passed over: the model has %" PRIu32 " tokens", key,
		          value, vocab);
	if (*id >= 0)
		notes_add(in->decisions, "token %" PRId32 ": llama.cpp's default (%s %s)", *id, key,
		          v ? "is none" : "is absent");
	return BRISE_OK;
}

static brise_status read_tokens(const reading *in)
{
	static const char add[] = "tokenizer.ggml.add_bos_token";
	const gguf_value *v = gguf_find(in->h, add);
	format_config *c = &in->a->config;
	brise_status status;
	bool begins = true;

	if ((status = read_token(in, "tokenizer.ggml.bos_token_id", BOS_DEFAULT, &c->bos)) !=
	            BRISE_OK ||
	    (status = read_token(in, "tokenizer.ggml.eos_token_id", EOS_DEFAULT, &c->eos)) !=
	            BRISE_OK)
		return status;
	if (v && (v->is_array || !gguf_get_bool(in->h, v, 0, &begins)))
		return error_set(in->err, BRISE_EFORMAT, "%s: %s is not a boolean", in->name, add);
	if (!begins) {
		c->bos = -1;
		notes_add(in->decisions, "no begin token (%s is false)", add);
	}
	notes_add(in->decisions,
	          "begin token %" PRId32 ", end token %" PRId32
	          " (tokenizer.ggml.bos_token_id, eos_token_id)",
	          c->bos, c->eos);
	return BRISE_OK;
}

brise_status gguf_read_architecture(architecture *a, const gguf_header *h,
                                    const tensor_list *tensors, const char *name, notes *decisions,
                                    brise_error *err)
{
	reading in = { .h = h, .a = a, .name = name, .decisions = decisions, .err = err };
	brise_status status;

	memset(a, 0, sizeof *a);
	if ((status = find_prefix(&in)) != BRISE_OK || (status = read_required(&in)) != BRISE_OK ||
	    (status = read_heads(&in)) != BRISE_OK ||
	    (status = read_vocabulary(&in, tensors)) != BRISE_OK ||
	    (status = read_rope(&in)) != BRISE_OK || (status = read_eps(&in)) != BRISE_OK ||
	    (status = read_positions(&in)) != BRISE_OK ||
	    (status = gguf_read_scaling(&a->config, h, in.prefix, name, decisions, err)) !=
	            BRISE_OK ||
	    (status = check_layout(&in)) != BRISE_OK || (status = check_neutral(&in)) != BRISE_OK ||
	    (status = read_tokens(&in)) != BRISE_OK)
		return status;
	return model_check_config(&a->config, name, err);
}
