/* rope_fields.c - which values of rope scaling have no effect
 *
 * With factor 1 the types linear, yarn and llama3 leave all frequencies alone, and yarn's magnitude
 * is 1 (transformers, modeling_rope_utils.py; what their other fields say matters only then).
 * dynamic with factor 1 does so up to the trained length. longrope takes its factor from lengths,
 * whatever its field says.
 */
#include "convert/checkpoint/rope_fields.h"

#include <stdio.h>
#include <string.h>

#include "convert/formats/names.h"

/* One object. */
typedef struct scaling {
	char type[24];
	bool has_factor;
} scaling;

static void refuse(json_reader *r, const char *name, const char *key, const char *what)
{
	char text[200];

	(void)snprintf(text, sizeof text,
	               "%s.%.40s%s: rope scaling is not supported; only values that change "
	               "nothing are",
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

static void read_type(scaling *s, json_reader *r, const char *name)
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

/* A number that must be `neutral`, or a list of it; true: it was there. */
static bool read_neutral(json_reader *r, const char *name, const char *key, double neutral)
{
	bool list = json_peek(r) == JSON_ARRAY;
	char what[40];
	double value;

	if (is_null(r) || (list && !json_enter_array(r)))
		return false;
	while (!list || json_next_element(r)) {
		if (!json_read_double(r, &value))
			return false;
		(void)snprintf(what, sizeof what, " %g", value);
		if (value != neutral)
			refuse(r, name, key, what);
		if (!list)
			break;
	}
	return r->status == BRISE_OK;
}

static bool read_field(rope_fields *rope, scaling *s, json_reader *r, const char *name,
                       const char *key)
{
	static const char *const ones[] = { "attention_factor", "partial_rotary_factor",
		                            "short_factor", "long_factor", NULL };
	/* without effect where the factor is 1 */
	static const char *const details[] = { "original_max_position_embeddings",
		                               "max_position_embeddings",
		                               "beta_fast",
		                               "beta_slow",
		                               "beta",
		                               "alpha",
		                               "apply_scale",
		                               "mscale",
		                               "mscale_all_dim",
		                               "low_freq_factor",
		                               "high_freq_factor",
		                               "truncate",
		                               "finetuned",
		                               NULL };

	if (!strcmp(key, "rope_theta"))
		read_theta(rope, r, name);
	else if (!strcmp(key, "rope_type") || !strcmp(key, "type"))
		read_type(s, r, name);
	else if (!strcmp(key, "factor"))
		s->has_factor = read_neutral(r, name, key, 1) || s->has_factor;
	else if (names_contain(ones, key))
		(void)read_neutral(r, name, key, 1);
	else if (!strcmp(key, "llama_4_scaling_beta"))
		(void)read_neutral(r, name, key, 0);
	else if (names_contain(details, key))
		json_skip(r);
	else
		return false;
	return true;
}

static void check_type(rope_fields *rope, const scaling *s, json_reader *r, const char *name)
{
	char what[64];

	(void)snprintf(what, sizeof what, " %s without a factor", s->type);
	if (r->status == BRISE_OK && *s->type && !s->has_factor)
		refuse(r, name, "type", what);
	rope->dynamic = rope->dynamic || !strcmp(s->type, "dynamic");
}

/* The object for one type of layer. */
static void read_inner(rope_fields *rope, json_reader *r, const char *name)
{
	scaling s = { .type = "" };
	char key[48];

	if (is_null(r) || !json_enter_object(r))
		return;
	while (r->status == BRISE_OK && json_next_key(r, key, sizeof key))
		if (!read_field(rope, &s, r, name, key) && !is_null(r))
			refuse(r, name, key, "");
	check_type(rope, &s, r, name);
}

void rope_fields_read(rope_fields *rope, json_reader *r, const char *name)
{
	scaling s = { .type = "" };
	char key[48];

	if (is_null(r) || !json_enter_object(r))
		return;
	while (r->status == BRISE_OK && json_next_key(r, key, sizeof key)) {
		if (read_field(rope, &s, r, name, key) || is_null(r))
			continue;
		if (names_end_with(key, "_attention"))
			read_inner(rope, r, name);
		else
			refuse(r, name, key, "");
	}
	check_type(rope, &s, r, name);
}
