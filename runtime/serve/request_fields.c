/* request_fields.c - see request_fields.h
 *
 * Names and bounds are those of OpenAI's reference (chat completions); those that it does not have
 * are llama.cpp's and vLLM's. What is out of bounds is refused, never cut to them.
 */
#include "runtime/serve/request_fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MOST (INT64_C(1) << 40)
#define WHOLE_TEXT 4096 /* tokens that presence and frequency penalties look back */

/* ---- numbers -------------------------------------------------------------------------------- */

static void read_float(fields *f, double least, double most, float *value)
{
	double number;

	if (fields_read_number(f, least, most, &number))
		*value = (float)number;
}

static void read_count(fields *f, int64_t least, int64_t most, uint32_t *value)
{
	int64_t number;

	if (fields_read_integer(f, least, most, &number))
		*value = (uint32_t)number;
}

void request_read_limit(request *r, fields *f, int64_t least)
{
	int64_t number;

	if (!fields_read_integer(f, least, LIMIT_MOST, &number))
		return;
	r->has_limit = number >= 0;
	r->limit = number >= 0 ? (uint64_t)number : 0;
}

/* Any integer is a seed, but -1, which in llama.cpp stands for none. */
static void read_seed(fields *f, request *r)
{
	int64_t number;

	if (!fields_read_integer(f, INT64_MIN, INT64_MAX, &number))
		return;
	r->has_seed = number != -1;
	r->sampling.seed = (uint64_t)number;
}

/* OpenAI's penalties are of the whole text so far, the repetition penalty of its last tokens. */
static void read_openai_penalty(fields *f, request *r, float *value)
{
	read_float(f, -2, 2, value);
	if (!r->has_penalty_last)
		r->sampling.penalty_last = WHOLE_TEXT;
}

static void read_penalty_last(fields *f, request *r)
{
	int64_t number;

	if (!fields_read_integer(f, -1, WHOLE_TEXT, &number))
		return;
	r->has_penalty_last = true;
	r->sampling.penalty_last = number < 0 ? WHOLE_TEXT : (uint32_t)number;
}

static bool read_sampling(request *r, fields *f, const char *key)
{
	brise_sampling *s = &r->sampling;

	if (!strcmp(key, "temperature"))
		read_float(f, 0, 2, &s->temperature);
	else if (!strcmp(key, "top_p"))
		read_float(f, 0, 1, &s->top_p);
	else if (!strcmp(key, "min_p"))
		read_float(f, 0, 1, &s->min_p);
	else if (!strcmp(key, "top_k"))
		read_count(f, 0, INT32_MAX, &s->top_k);
	else if (!strcmp(key, "presence_penalty"))
		read_openai_penalty(f, r, &s->presence_penalty);
	else if (!strcmp(key, "frequency_penalty"))
		read_openai_penalty(f, r, &s->frequency_penalty);
	else if (!strcmp(key, "repetition_penalty") || !strcmp(key, "repeat_penalty"))
		read_float(f, 0.01, 10, &s->repetition_penalty);
	else if (!strcmp(key, "repeat_last_n"))
		read_penalty_last(f, r);
	else if (!strcmp(key, "seed"))
		read_seed(f, r);
	else
		return false;
	return true;
}

/* ---- biases and stop texts ------------------------------------------------------------------ */

/* {"id": bias, ...}: -100 bans a token. Ids outside the vocabulary are refused later, as are
 * those whose text is not a number here. */
static void read_bias(request *r, fields *f)
{
	void *list = NULL;
	size_t n = 0;
	char key[24], *end;

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key); n++) {
		long long id = strtoll(key, &end, 10);
		brise_logit_bias *bias;
		double value = 0;

		if (key[0] < '0' || key[0] > '9' || *end || id > INT32_MAX) {
			fields_refuse(f, "invalid_value",
			              "Invalid key in 'logit_bias': expected the id of a token, "
			              "but got '%s' instead.",
			              key);
			return;
		}
		if (!fields_read_number(f, -100, 100, &value) ||
		    !(bias = pool_append(&r->pool, &list, n, sizeof *bias)))
			return;
		*bias = (brise_logit_bias){ (int32_t)id, value <= -100 ? -INFINITY : (float)value };
	}
	r->sampling.bias = list;
	r->sampling.n_bias = n;
}

static void read_stop(request *r, fields *f)
{
	const char *text;

	r->n_stops = 0;
	if (fields_peek(f) == JSON_STRING) {
		if (fields_read_name(f, &text) && *text)
			r->stops[r->n_stops++] = text;
		return;
	}
	if (fields_peek(f) != JSON_ARRAY) {
		fields_refuse_type(f, "a string or an array of strings");
		return;
	}
	for (fields_enter_array(f); fields_next_element(f);) {
		if (r->n_stops == REQUEST_STOPS) {
			fields_refuse(f, "array_above_max_length",
			              "Invalid 'stop': array too long. Expected an array with "
			              "maximum length %d.",
			              REQUEST_STOPS);
			return;
		}
		if (fields_read_name(f, &text) && *text)
			r->stops[r->n_stops++] = text;
	}
}

/* ---- form ----------------------------------------------------------------------------------- */

static void refuse_value(fields *f, const char *got, const char *supported)
{
	fields_refuse(f, "invalid_value", "Invalid value: '%s'. Supported values are: %s.", got,
	              supported);
}

static void read_schema(request *r, fields *f)
{
	if (fields_peek(f) != JSON_OBJECT && fields_peek(f) != JSON_BOOL) {
		fields_refuse_type(f, "an object");
		return;
	}
	if (fields_read_raw(f, &r->grammar, &r->grammar_bytes))
		r->form = FORM_SCHEMA;
}

/* {"name": ..., "schema": {...}, "strict": ...} */
static void read_json_schema(request *r, fields *f)
{
	const char *text;
	char key[32];
	bool strict, has_name = false;

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "schema"))
			read_schema(r, f);
		else if (!strcmp(key, "name"))
			has_name = fields_read_name(f, &text);
		else if (!strcmp(key, "description"))
			fields_read_name(f, &text);
		else if (!strcmp(key, "strict"))
			fields_read_bool(f, &strict);
		else
			fields_skip(f);
	if (!has_name)
		fields_refuse_missing(f, "response_format.json_schema.name");
}

static void read_response_format(request *r, fields *f)
{
	const char *type = NULL;
	bool has_schema = false;
	char key[32];

	r->form = FORM_TEXT;
	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "type")) {
			if (!fields_read_name(f, &type))
				return;
			if (strcmp(type, "text") != 0 && strcmp(type, "json_object") != 0 &&
			    strcmp(type, "json_schema") != 0)
				refuse_value(f, type, "'json_object', 'json_schema', and 'text'");
		} else if (!strcmp(key, "json_schema")) {
			has_schema = true;
			read_json_schema(r, f);
		} else if (!strcmp(key, "schema")) { /* llama.cpp's, with json_object */
			read_schema(r, f);
		} else {
			fields_skip(f);
		}
	if (!type) {
		fields_refuse_missing(f, "response_format.type");
		return;
	}
	if (!strcmp(type, "json_schema") && !has_schema)
		fields_refuse_missing(f, "response_format.json_schema");
	if (!strcmp(type, "text"))
		r->form = FORM_TEXT;
	else if (r->form != FORM_SCHEMA) /* a schema may be left out */
		r->form = FORM_JSON;
}

static void read_grammar(request *r, fields *f)
{
	if (!fields_read_string(f, &r->gbnf, &r->gbnf_bytes))
		return;
	if (r->gbnf_bytes == 0)
		r->gbnf = NULL;
}

/* ---- the reply ------------------------------------------------------------------------------ */

static void read_stream_options(request *r, fields *f)
{
	char key[32];

	for (fields_enter_object(f); fields_next_key(f, key, sizeof key);)
		if (!strcmp(key, "include_usage"))
			fields_read_bool(f, &r->includes_usage);
		else
			fields_skip(f);
}

bool request_read_field(request *r, fields *f, const char *key)
{
	if (read_sampling(r, f, key))
		return true;
	if (!strcmp(key, "model"))
		fields_read_name(f, &r->model);
	else if (!strcmp(key, "max_tokens") || !strcmp(key, "max_completion_tokens") ||
	         !strcmp(key, "n_predict"))
		request_read_limit(r, f, -1);
	else if (!strcmp(key, "logit_bias"))
		read_bias(r, f);
	else if (!strcmp(key, "stop"))
		read_stop(r, f);
	else if (!strcmp(key, "n"))
		read_count(f, 1, REQUEST_ANSWERS, &r->n);
	else if (!strcmp(key, "stream"))
		fields_read_bool(f, &r->streams);
	else if (!strcmp(key, "stream_options"))
		read_stream_options(r, f);
	else if (!strcmp(key, "response_format"))
		read_response_format(r, f);
	else if (!strcmp(key, "grammar"))
		read_grammar(r, f);
	else if (!strcmp(key, "cache_prompt"))
		fields_read_bool(f, &r->cache_prompt);
	else if (!strcmp(key, "ignore_eos"))
		fields_read_bool(f, &r->ignores_ends);
	else
		return false;
	return true;
}

/* A choice needs tools, and a named one that is among them. */
static bool check_choice(const request *r, refusal *why)
{
	const char *const *names = r->tool_names;
	size_t i;

	if (!r->tools && (r->choice == TOOLS_REQUIRED || r->choice == TOOLS_NAMED))
		return refusal_set(why, 400, "invalid_value", "tool_choice",
		                   "Invalid value for 'tool_choice': 'tool_choice' is only allowed "
		                   "when 'tools' are specified.");
	if (r->choice != TOOLS_NAMED || r->n_tools == 0)
		return true;
	for (i = 0; i < r->n_tools; i++)
		if (!strcmp(names[i], r->named))
			return true;
	return refusal_set(why, 400, "invalid_value", "tool_choice",
	                   "Invalid value for 'tool_choice': tool '%s' not found in 'tools'.",
	                   r->named);
}

bool request_check(request *r, refusal *why)
{
	if (!check_choice(r, why))
		return false;
	if (r->gbnf && r->form != FORM_TEXT)
		return refusal_set(why, 400, "invalid_value", "grammar",
		                   "Invalid 'grammar': 'response_format' asks for JSON already.");
	if (r->gbnf) {
		r->form = FORM_GRAMMAR;
		r->grammar = r->gbnf;
		r->grammar_bytes = r->gbnf_bytes;
	}
	return true;
}
