/* gguf_scaling.c - see gguf_scaling.h
 *
 * What llama.cpp does with the keys (src/llama-context.cpp, src/llama-model.cpp, ggml's rope_yarn):
 *
 *   rope.scaling.type           none, linear (the default), yarn, longrope
 *   rope.scaling.factor         0 and absent: 1; the old name is rope.scale_linear
 *   original_context_length     absent: context_length
 *   yarn_beta_fast, yarn_beta_slow
 *   yarn_log_multiplier         yarn's mscale_all_dim, beside an mscale of 1: cosines and sines are
 *                               multiplied by m(1) / m(multiplier), m(a) = 0.1 a ln(factor) + 1;
 *                               0 and absent: by m(1)
 *   attn_factor                 cosines and sines are multiplied by it as well
 *   attention.temperature_scale in mistral3 alone: beta of the factor of queries, whose steps have
 *                               the original length
 *
 * llama.cpp reads the three yarn_ keys for mistral3 alone. Its converter writes them for "llama"
 * too, from a checkpoint that says so; they mean the same there.
 */
#include "convert/checkpoint/gguf_scaling.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint/rope_fields.h"
#include "quant/half.h"
#include "runtime/error.h"
#include "runtime/eval/rope_scaling.h"

typedef struct reading {
	const gguf_header *h;
	const char *prefix, *name;
	brise_error *err;
} reading;

static const gguf_value *find_key(const reading *in, const char *key)
{
	char whole[128];

	(void)snprintf(whole, sizeof whole, "%s%s", in->prefix, key);
	return gguf_find(in->h, whole);
}

/* Floats come from decimals of a configuration: 0.1, not the nearest float to it. The shortest
 * decimal that a float is nearest to. */
static double undo_rounding(double value)
{
	char text[32];
	double back = value;
	int digits;

	for (digits = 1; digits <= 9; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, value);
		back = strtod(text, NULL);
		if (half_to_bits((float)back) == half_to_bits((float)value))
			return back;
	}
	return value;
}

/* Leaves *number where the key is absent. */
static brise_status read_number(const reading *in, const char *key, double *number)
{
	const gguf_value *v = find_key(in, key);

	if (!v)
		return BRISE_OK;
	if (v->is_array || !gguf_get_number(in->h, v, 0, number))
		return error_set(in->err, BRISE_EFORMAT, "%s: %s is not a number", in->name,
		                 v->key);
	if (!(*number >= -1e300 && *number <= 1e300))
		return error_set(in->err, BRISE_EFORMAT, "%s: %s is not finite", in->name, v->key);
	if (v->type == GGUF_F32)
		*number = undo_rounding(*number);
	return BRISE_OK;
}

static brise_status read_type(const reading *in, rope_scaling_fields *s)
{
	static const char *const known[] = { "none", "linear", "yarn" };
	const gguf_value *v = find_key(in, "rope.scaling.type");
	size_t at = v ? v->at : 0, i;
	gguf_text text = { "linear", 6 };

	if (v && (v->is_array || v->type != GGUF_STRING))
		return error_set(in->err, BRISE_EFORMAT, "%s: %s is not a string", in->name,
		                 v->key);
	if (v)
		text = gguf_next_text(in->h, &at);
	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (text.n == strlen(known[i]) && !memcmp(text.bytes, known[i], text.n)) {
			(void)snprintf(s->type, sizeof s->type, "%s", known[i]);
			return BRISE_OK;
		}
	return error_set(in->err, BRISE_EUNSUPPORTED,
	                 "%s: %srope.scaling.type %.*s is not supported, only linear and yarn",
	                 in->name, in->prefix, (int)(text.n > 40 ? 40 : text.n), text.bytes);
}

/* A factor of cosines and sines that no type brings. */
static brise_status refuse_factor(const reading *in, const char *key, double value)
{
	return error_set(in->err, BRISE_EUNSUPPORTED, "%s: %srope.scaling.%s %g is not supported",
	                 in->name, in->prefix, key, value);
}

/* yarn's mix of both frequencies, and a factor that llama.cpp takes from other architectures. */
static brise_status check_fixed(const reading *in, bool yarn)
{
	double mix = -1, factor = 1;
	brise_status status;

	if ((status = read_number(in, "rope.scaling.yarn_ext_factor", &mix)) != BRISE_OK ||
	    (status = read_number(in, "rope.scaling.yarn_attn_factor", &factor)) != BRISE_OK)
		return status;
	if (!(mix < 0) && mix != (yarn ? 1 : 0))
		return refuse_factor(in, "yarn_ext_factor", mix);
	return factor != 1 ? refuse_factor(in, "yarn_attn_factor", factor) : BRISE_OK;
}

static brise_status read_frequencies(const reading *in, rope_scaling_fields *s)
{
	double attention = 1, multiplier = 0;
	brise_status status;
	bool yarn;

	if ((status = read_type(in, s)) != BRISE_OK ||
	    (status = read_number(in, "rope.scale_linear", &s->factor)) != BRISE_OK ||
	    (status = read_number(in, "rope.scaling.factor", &s->factor)) != BRISE_OK ||
	    (status = read_number(in, "rope.scaling.attn_factor", &attention)) != BRISE_OK ||
	    (status = read_number(in, "rope.scaling.yarn_log_multiplier", &multiplier)) !=
	            BRISE_OK ||
	    (status = read_number(in, "rope.scaling.yarn_beta_fast", &s->beta_fast)) != BRISE_OK ||
	    (status = read_number(in, "rope.scaling.yarn_beta_slow", &s->beta_slow)) != BRISE_OK)
		return status;
	if (!strcmp(s->type, "none") || s->factor == 0)
		s->factor = 1;
	yarn = !strcmp(s->type, "yarn") && s->factor != 1;
	if ((status = check_fixed(in, yarn)) != BRISE_OK)
		return status;
	if (!(s->factor >= 1))
		return refuse_factor(in, "factor", s->factor);
	if (attention == 0)
		attention = 1;
	if (attention != 1 && !yarn)
		return refuse_factor(in, "attn_factor", attention);
	if (!(multiplier >= 0))
		return refuse_factor(in, "yarn_log_multiplier", multiplier);
	if (yarn && (multiplier != 0 || attention != 1))
		s->attention_factor = rope_scaling_default_magnitude(s->factor, 1) /
		                      rope_scaling_default_magnitude(s->factor, multiplier) *
		                      attention;
	return BRISE_OK;
}

brise_status gguf_read_scaling(format_config *config, const gguf_header *h, const char *prefix,
                               const char *name, notes *decisions, brise_error *err)
{
	reading in = { h, prefix, name, err };
	rope_fields rope = { .has_theta = false };
	rope_scaling_fields *s = &rope.scaling;
	brise_status status = read_frequencies(&in, s);

	if (status == BRISE_OK)
		status = read_number(&in, "rope.scaling.original_context_length", &s->original);
	if (status == BRISE_OK && !strcmp(prefix, GGUF_MINISTRAL))
		status = read_number(&in, "attention.temperature_scale", &s->query_beta);
	if (status != BRISE_OK)
		return status;
	if (s->original == 0 && s->query_beta != 0)
		s->original = config->max_context;
	return rope_fields_decide(&rope, config, name, decisions, err);
}
