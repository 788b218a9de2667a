/* fields.c - see fields.h
 *
 * Types are looked at before json.h reads, so that what it refuses itself is no JSON at all, out of
 * memory, or nested too deeply. The messages are worded as OpenAI's, which people search for.
 */
#include "runtime/serve/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"

void fields_begin_at(fields *f, const char *text, size_t bytes, const char *path, pool *p,
                     refusal *why)
{
	memset(f, 0, sizeof *f);
	f->pool = p;
	f->why = why;
	(void)snprintf(f->path, sizeof f->path, "%s", path);
	json_begin(&f->json, text, bytes, "the body", &f->err);
}

void fields_begin(fields *f, const char *text, size_t bytes, pool *p, refusal *why)
{
	fields_begin_at(f, text, bytes, "", p, why);
}

/* Whether reading may go on. */
static bool good(const fields *f)
{
	return f->why->status == 0 && f->json.status == BRISE_OK;
}

/* What the reader refused; the result of its call otherwise. */
static bool check(fields *f, bool result)
{
	if (f->json.status == BRISE_OK)
		return result && f->why->status == 0;
	if (f->json.status == BRISE_ENOMEM)
		return refusal_set(f->why, 500, NULL, NULL, "out of memory");
	return refusal_set(f->why, 400, "invalid_json", NULL,
	                   "We could not parse the JSON body of your request: %s.", f->err.message);
}

bool fields_end(fields *f)
{
	(void)check(f, json_end(&f->json) == BRISE_OK);
	if (f->pool->failed)
		return refusal_set(f->why, 500, NULL, NULL, "out of memory");
	return good(f);
}

/* ---- types ---------------------------------------------------------------------------------- */

json_type fields_peek(fields *f)
{
	return good(f) ? json_peek(&f->json) : JSON_NOTHING;
}

static const char *name_type(fields *f)
{
	json_reader ahead = f->json;
	int64_t value;

	ahead.err = NULL;
	switch (json_peek(&f->json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_BOOL:
		return "a boolean";
	case JSON_NULL:
		return "null";
	case JSON_NUMBER:
		return json_read_integer(&ahead, &value) ? "an integer" : "a decimal";
	default:
		return "no value";
	}
}

bool fields_refuse_type(fields *f, const char *expected)
{
	const char *got = name_type(f);

	if (good(f) && !check(f, json_skip(&f->json))) /* what is no JSON at all comes first */
		return false;
	if (!f->path[0])
		return refusal_set(f->why, 400, "invalid_type", NULL,
		                   "Invalid type for the body: expected %s, but got %s instead.",
		                   expected, got);
	return refusal_set(f->why, 400, "invalid_type", f->path,
	                   "Invalid type for '%s': expected %s, but got %s instead.", f->path,
	                   expected, got);
}

bool fields_refuse(fields *f, const char *code, const char *format, ...)
{
	char message[sizeof f->why->message];
	va_list list;

	va_start(list, format);
	(void)vsnprintf(message, sizeof message, format, list);
	va_end(list);
	return refusal_set(f->why, 400, code, f->path, "%s", message);
}

bool fields_refuse_missing(fields *f, const char *path)
{
	if (!good(f))
		return false;
	return refusal_set(f->why, 400, "missing_required_parameter", path,
	                   "Missing required parameter: '%s'.", path);
}

bool fields_refuse_missing_in(fields *f, const char *item, const char *field)
{
	char path[REFUSAL_PARAM];

	(void)snprintf(path, sizeof path, "%s%s", item, field);
	return fields_refuse_missing(f, path);
}

/* ---- containers ----------------------------------------------------------------------------- */

static bool enter(fields *f, bool entered)
{
	if (!check(f, entered))
		return false;
	f->outer[f->json.depth - 1] = strlen(f->path);
	f->count[f->json.depth - 1] = 0;
	return true;
}

bool fields_enter_object(fields *f)
{
	if (fields_peek(f) != JSON_OBJECT)
		return good(f) ? fields_refuse_type(f, "an object") : false;
	return enter(f, json_enter_object(&f->json));
}

bool fields_enter_array(fields *f)
{
	if (fields_peek(f) != JSON_ARRAY)
		return good(f) ? fields_refuse_type(f, "an array") : false;
	return enter(f, json_enter_array(&f->json));
}

/* The path of the container that is being read, and then a part. */
static void set_path(fields *f, unsigned level, const char *format, const char *key, size_t i)
{
	size_t n = f->outer[level];

	f->path[n] = 0;
	if (key)
		(void)snprintf(f->path + n, sizeof f->path - n, format, key);
	else if (format)
		(void)snprintf(f->path + n, sizeof f->path - n, format, i);
}

bool fields_next_key(fields *f, char *key, size_t bytes)
{
	unsigned level = f->json.depth - 1;

	while (good(f)) {
		bool found = json_next_key(&f->json, key, bytes);

		set_path(f, level, NULL, NULL, 0);
		if (!check(f, found))
			return false;
		set_path(f, level, f->outer[level] > 0 ? ".%s" : "%s", key, 0);
		if (json_peek(&f->json) != JSON_NULL)
			return true;
		(void)check(f, json_read_null(&f->json));
	}
	return false;
}

bool fields_next_element(fields *f)
{
	unsigned level = f->json.depth - 1;
	bool found;

	if (!good(f))
		return false;
	found = json_next_element(&f->json);
	set_path(f, level, NULL, NULL, 0);
	if (!check(f, found))
		return false;
	set_path(f, level, "[%zu]", NULL, f->count[level]++);
	return true;
}

/* ---- values --------------------------------------------------------------------------------- */

bool fields_read_string(fields *f, const char **text, size_t *bytes)
{
	char *read, *copy;

	if (fields_peek(f) != JSON_STRING)
		return good(f) ? fields_refuse_type(f, "a string") : false;
	if (!check(f, json_read_string(&f->json, &read, bytes)))
		return false;
	copy = pool_copy(f->pool, read, *bytes);
	memory_free(read);
	*text = copy;
	return copy ? true : refusal_set(f->why, 500, NULL, NULL, "out of memory");
}

bool fields_read_name(fields *f, const char **text)
{
	const char *read = "";
	size_t bytes = 0;

	if (!fields_read_string(f, &read, &bytes))
		return false;
	if (strlen(read) != bytes)
		return fields_refuse(f, "invalid_value",
		                     "Invalid '%s': a string with a zero character.", f->path);
	*text = read;
	return true;
}

bool fields_read_bool(fields *f, bool *value)
{
	if (fields_peek(f) != JSON_BOOL)
		return good(f) ? fields_refuse_type(f, "a boolean") : false;
	return check(f, json_read_bool(&f->json, value));
}

bool fields_read_integer(fields *f, int64_t least, int64_t most, int64_t *value)
{
	json_reader ahead = f->json;
	int64_t read;

	ahead.err = NULL;
	if (fields_peek(f) != JSON_NUMBER || !json_read_integer(&ahead, &read))
		return good(f) ? fields_refuse_type(f, "an integer") : false;
	(void)json_read_integer(&f->json, &read);
	if (read < least)
		return fields_refuse(f, "integer_below_min_value",
		                     "Invalid '%s': integer below minimum value. Expected a value "
		                     ">= %lld, but got %lld instead.",
		                     f->path, (long long)least, (long long)read);
	if (read > most)
		return fields_refuse(f, "integer_above_max_value",
		                     "Invalid '%s': integer above maximum value. Expected a value "
		                     "<= %lld, but got %lld instead.",
		                     f->path, (long long)most, (long long)read);
	*value = read;
	return true;
}

bool fields_read_number(fields *f, double least, double most, double *value)
{
	json_reader ahead = f->json;
	double read;

	ahead.err = NULL;
	if (fields_peek(f) != JSON_NUMBER || !json_read_double(&ahead, &read))
		return good(f) ? fields_refuse_type(f, "a finite number") : false;
	(void)json_read_double(&f->json, &read);
	if (read < least)
		return fields_refuse(f, "decimal_below_min_value",
		                     "Invalid '%s': decimal below minimum value. Expected a value "
		                     ">= %g, but got %g instead.",
		                     f->path, least, read);
	if (read > most)
		return fields_refuse(f, "decimal_above_max_value",
		                     "Invalid '%s': decimal above maximum value. Expected a value "
		                     "<= %g, but got %g instead.",
		                     f->path, most, read);
	*value = read;
	return true;
}

bool fields_read_raw(fields *f, const char **text, size_t *bytes)
{
	size_t from;

	if (fields_peek(f) == JSON_NOTHING) /* passes white space */
		return check(f, json_skip(&f->json));
	from = f->json.at;
	if (!check(f, json_skip(&f->json)))
		return false;
	*text = f->json.text + from;
	*bytes = f->json.at - from;
	return true;
}

bool fields_skip(fields *f)
{
	return good(f) && check(f, json_skip(&f->json));
}
