/* rope_fields.c - fields of rope scaling: read, checked, and made into a configuration
 *
 * With factor 1 the types linear, yarn and llama3 leave all frequencies alone, and yarn's magnitude
 * is 1 (transformers, modeling_rope_utils.py; what their other fields say matters only then).
 * dynamic with factor 1 does so up to the trained length. longrope takes its factor from lengths,
 * whatever its field says.
 */
#include "convert/checkpoint/rope_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/eval/rope_scaling.h"

/* transformers' defaults for yarn */
#define BETA_FAST 32.0
#define BETA_SLOW 1.0

static void refuse(json_reader *r, const char *name, const char *key, const char *what)
{
	char text[200];

	(void)snprintf(text, sizeof text,
	               "%s.%.40s%s: rope scaling of this kind is not supported; linear and yarn "
	               "are, and values that change nothing",
	               name, key, what);
	json_refuse(r, BRISE_EUNSUPPORTED, text);
}

static bool is_null(json_reader *r)
{
	return json_peek(r) == JSON_NULL && json_read_null(r);
}

static void read_theta(rope_fields *rope, json_reader *r, const char *name)
{
	double theta;

	if (is_null(r) || !json_read_double(r, &theta))
		return;
	if (rope->has_theta && rope->theta != theta)
		refuse(r, name, "rope_theta", " differs between layers");
	rope->theta = theta;
	rope->has_theta = true;
}

static void read_type(rope_scaling_fields *s, json_reader *r, const char *name)
{
	static const char *const known[] = { "default", "none",   "linear", "dynamic",
		                             "yarn",    "llama3", NULL };
	char type[24], what[40];

	if (is_null(r) || !json_read_name(r, type, sizeof type))
		return;
	(void)snprintf(what, sizeof what, " %s", type);
	if (!names_contain(known, type))
		refuse(r, name, "type", what);
	else if (strcmp(type, "default") != 0 && strcmp(type, "none") != 0)
		strcpy(s->type, type);
}

/* A number that must be 1, or a list of it. */
static void read_ones(json_reader *r, const char *name, const char *key)
{
	bool list = json_peek(r) == JSON_ARRAY;
	char what[40];
	double value;

	if (is_null(r) || (list && !json_enter_array(r)))
		return;
	while (!list || json_next_element(r)) {
		if (!json_read_double(r, &value))
			return;
		(void)snprintf(what, sizeof what, " %g", value);
		if (value != 1)
			refuse(r, name, key, what);
		if (!list)
			break;
	}
}

/* A number of the object; false: the key is another. */
static bool read_number(rope_scaling_fields *s, json_reader *r, const char *key)
{
	const struct {
		const char *key;
		double *value;
	} numbers[] = { { "factor", &s->factor },
		        { "original_max_position_embeddings", &s->original },
		        { "beta_fast", &s->beta_fast },
		        { "beta", &s->beta_fast },
		        { "beta_slow", &s->beta_slow },
		        { "alpha", &s->beta_slow },
		        { "mscale", &s->mscale },
		        { "mscale_all_dim", &s->mscale_all_dim },
		        { "attention_factor", &s->attention_factor },
		        { "llama_4_scaling_beta", &s->query_beta } };
	size_t i;

	for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!strcmp(key, numbers[i].key)) {
			if (!is_null(r))
				json_read_double(r, numbers[i].value);
			return true;
		}
	return false;
}

/* A flag that is true unless it is said: *off where it is false. */
static void read_flag(json_reader *r, bool *off)
{
	bool on = true;

	if (!is_null(r) && json_read_bool(r, &on))
		*off = !on;
}

static bool read_field(rope_fields *rope, rope_scaling_fields *s, json_reader *r, const char *name,
                       const char *key)
{
	static const char *const ones[] = { "partial_rotary_factor", "short_factor", "long_factor",
		                            NULL };
	/* without effect on linear and yarn, and on the others where the factor is 1 */
	static const char *const details[] = { "max_position_embeddings", "low_freq_factor",
		                               "high_freq_factor", "finetuned", NULL };
	bool off = false;

	if (!strcmp(key, "rope_theta"))
		read_theta(rope, r, name);
	else if (!strcmp(key, "rope_type") || !strcmp(key, "type"))
		read_type(s, r, name);
	else if (!strcmp(key, "apply_scale"))
		read_flag(r, &s->magnitude_off);
	else if (!strcmp(key, "truncate")) {
		read_flag(r, &off);
		if (off)
			refuse(r, name, key, " false");
	} else if (names_contain(ones, key))
		read_ones(r, name, key);
	else if (names_contain(details, key))
		json_skip(r);
	else
		return read_number(s, r, key);
	return true;
}

/* Whether frequencies or magnitudes are others than without the object. */
static bool has_effect(const rope_scaling_fields *s)
{
	return (s->factor != 0 && s->factor != 1) ||
	       (s->attention_factor != 0 && s->attention_factor != 1);
}

static void check_type(rope_fields *rope, const rope_scaling_fields *s, json_reader *r,
                       const char *name)
{
	bool computed = !strcmp(s->type, "linear") || !strcmp(s->type, "yarn");
	char what[64];

	if (r->status != BRISE_OK)
		return;
	(void)snprintf(what, sizeof what, " %s without a factor", s->type);
	if (*s->type && s->factor == 0)
		refuse(r, name, "type", what);
	(void)snprintf(what, sizeof what, " %g%s%s", s->factor, *s->type ? " of type " : "",
	               s->type);
	if (s->factor != 0 && s->factor != 1 && (!computed || s->factor < 1))
		refuse(r, name, "factor", what);
	(void)snprintf(what, sizeof what, " %g", s->attention_factor);
	if (s->attention_factor != 0 && s->attention_factor != 1 &&
	    (strcmp(s->type, "yarn") != 0 || s->factor == 1))
		refuse(r, name, "attention_factor", what);
	rope->dynamic = rope->dynamic || !strcmp(s->type, "dynamic");
}

/* The object for one type of layer, which must leave all as it is. */
static void read_inner(rope_fields *rope, json_reader *r, const char *name)
{
	rope_scaling_fields s = { .type = "" };
	char key[48], what[40];

	if (is_null(r) || !json_enter_object(r))
		return;
	while (r->status == BRISE_OK && json_next_key(r, key, sizeof key))
		if (!read_field(rope, &s, r, name, key) && !is_null(r))
			refuse(r, name, key, "");
	check_type(rope, &s, r, name);
	(void)snprintf(what, sizeof what, " %g for one type of layer", s.factor);
	if (r->status == BRISE_OK && (has_effect(&s) || s.query_beta != 0))
		refuse(r, name, "factor", what);
}

void rope_fields_read(rope_fields *rope, json_reader *r, const char *name)
{
	rope_scaling_fields s = { .type = "" };
	char key[48];

	if (is_null(r) || !json_enter_object(r))
		return;
	if (!strcmp(name, "yarn")) /* params.json: the field says the type */
		strcpy(s.type, name);
	while (r->status == BRISE_OK && json_next_key(r, key, sizeof key)) {
		if (read_field(rope, &s, r, name, key) || is_null(r))
			continue;
		if (names_end_with(key, "_attention"))
			read_inner(rope, r, name);
		else
			refuse(r, name, key, "");
	}
	check_type(rope, &s, r, name);
	if (has_effect(&rope->scaling) && has_effect(&s))
		refuse(r, name, "factor", ": scaled twice");
	if (has_effect(&s) || s.query_beta != 0)
		rope->scaling = s;
}

void rope_fields_read_query(rope_fields *rope, json_reader *r, const char *name)
{
	char key[48];

	if (is_null(r) || !json_enter_object(r))
		return;
	while (r->status == BRISE_OK && json_next_key(r, key, sizeof key)) {
		if (is_null(r))
			continue;
		if (!strcmp(key, "beta"))
			json_read_double(r, &rope->query_beta);
		else if (!strcmp(key, "original_max_position_embeddings"))
			json_read_double(r, &rope->query_original);
		else
			refuse(r, name, key, "");
	}
}

/* ---- decisions ------------------------------------------------------------------------------- */

/* Lengths may be written as 16384.0. */
static brise_status read_length(double value, const char *what, uint32_t *length, const char *file,
                                brise_error *err)
{
	*length = value >= 1 && value <= UINT32_MAX ? (uint32_t)value : 0;
	if (*length > 0 && (double)*length == value)
		return BRISE_OK;
	return error_set(err, BRISE_EFORMAT,
	                 "%s: %s: original_max_position_embeddings %g, a positive integer expected",
	                 file, what, value);
}

/* modeling_rope_utils.py, _compute_yarn_parameters. */
static double choose_magnitude(const rope_scaling_fields *s)
{
	if (s->magnitude_off)
		return 1;
	if (s->attention_factor != 0)
		return s->attention_factor;
	if (s->mscale != 0 && s->mscale_all_dim != 0)
		return rope_scaling_default_magnitude(s->factor, s->mscale) /
		       rope_scaling_default_magnitude(s->factor, s->mscale_all_dim);
	return rope_scaling_default_magnitude(s->factor, 1);
}

static brise_status decide_yarn(const rope_scaling_fields *s, format_config *c, const char *file,
                                notes *decisions, brise_error *err)
{
	brise_status status = read_length(s->original != 0 ? s->original : c->max_context, "yarn",
	                                  &c->rope_original, file, err);

	if (status != BRISE_OK)
		return status;
	c->rope_scaling = ROPE_YARN;
	c->rope_factor = s->factor;
	c->rope_beta_fast = s->beta_fast != 0 ? s->beta_fast : BETA_FAST;
	c->rope_beta_slow = s->beta_slow != 0 ? s->beta_slow : BETA_SLOW;
	c->rope_magnitude = choose_magnitude(s);
	notes_add(decisions,
	          "yarn: frequencies by %g from %" PRIu32
	          " positions on%s, between %g and %g turns, magnitude %.9g (%s)",
	          c->rope_factor, c->rope_original,
	          s->original != 0 ? "" : ", as max_position_embeddings says", c->rope_beta_slow,
	          c->rope_beta_fast, c->rope_magnitude, file);
	return BRISE_OK;
}

static brise_status decide_query(const rope_fields *rope, format_config *c, const char *file,
                                 notes *decisions, brise_error *err)
{
	const rope_scaling_fields *s = &rope->scaling;
	double beta = rope->query_beta != 0 ? rope->query_beta : s->query_beta;
	brise_status status;

	if (beta == 0)
		return BRISE_OK;
	if (!(beta > 0))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: llama_4_scaling with beta %g, a positive number expected",
		                 file, beta);
	status = read_length(rope->query_beta != 0 ? rope->query_original : s->original,
	                     "llama_4_scaling", &c->query_original, file, err);
	if (status != BRISE_OK)
		return status;
	c->query_beta = beta;
	notes_add(decisions,
	          "queries times 1 + %g ln(1 + floor(position / %" PRIu32
	          ")) (%s: llama_4_scaling)",
	          c->query_beta, c->query_original, file);
	return BRISE_OK;
}

brise_status rope_fields_decide(const rope_fields *rope, format_config *c, const char *file,
                                notes *decisions, brise_error *err)
{
	const rope_scaling_fields *s = &rope->scaling;
	brise_status status = BRISE_OK;

	if (rope->dynamic)
		notes_add(decisions,
		          "dynamic rope scaling by 1: nothing changes up to the trained length, "
		          "and beyond it frequencies stay as they are");
	if (has_effect(s) && !strcmp(s->type, "linear")) {
		c->rope_scaling = ROPE_LINEAR;
		c->rope_factor = s->factor;
		notes_add(decisions, "linear rope scaling: all frequencies by %g (%s)",
		          c->rope_factor, file);
	} else if (has_effect(s)) {
		status = decide_yarn(s, c, file, decisions, err);
	}
	return status == BRISE_OK ? decide_query(rope, c, file, decisions, err) : status;
}
