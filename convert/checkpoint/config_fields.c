/* config_fields.c - one field at a time, and the decisions that both forms share */
#include "convert/checkpoint/config_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

void config_fields_begin(config_fields *f, architecture *a, const char *json, size_t size,
                         const char *name, notes *decisions, brise_error *err)
{
	const char *slash = strrchr(name, '/');

	memset(f, 0, sizeof *f);
	memset(a, 0, sizeof *a);
	a->config.bos = a->config.eos = -1;
	f->a = a;
	f->decisions = decisions;
	(void)snprintf(f->file, sizeof f->file, "%s", slash ? slash + 1 : name);
	json_begin(&f->r, json, size, name, err);
	json_enter_object(&f->r);
}

void config_fields_refuse(config_fields *f, const char *what)
{
	char text[200];

	(void)snprintf(text, sizeof text, "%s is not supported", what);
	json_refuse(&f->r, BRISE_EUNSUPPORTED, text);
}

/* ---- values --------------------------------------------------------------------------------- */

static bool is_null(config_fields *f)
{
	return json_peek(&f->r) == JSON_NULL && json_read_null(&f->r);
}

/* A window may be text, or a list with one for each layer, in params.json. */
static bool read_window(config_fields *f, int64_t *value, bool *null)
{
	char text[24], *end;
	int64_t one;
	size_t n = 0;

	if (json_peek(&f->r) == JSON_STRING) {
		if (!json_read_name(&f->r, text, sizeof text))
			return false;
		*value = strtoll(text, &end, 10);
		return *text && !*end ? true
		                      : json_refuse(&f->r, BRISE_EFORMAT, "an integer expected");
	}
	if (!json_enter_array(&f->r))
		return false;
	for (; json_next_element(&f->r); n++) {
		one = 0;
		if (!is_null(f) && !json_read_integer(&f->r, &one))
			return false;
		if (n == CONFIG_LAYERS_MAX || one < 0 || one > CONFIG_WINDOW_MAX)
			return json_refuse(&f->r, BRISE_EFORMAT, "a window out of range");
		f->a->windows[n] = (uint32_t)one;
	}
	f->n_windows = (uint32_t)n;
	*value = n > 0 ? f->a->windows[0] : 0;
	*null = n == 0;
	return f->r.status == BRISE_OK;
}

void config_fields_read_size(config_fields *f, size_t index)
{
	const size_field *field = &f->sizes[index];
	bool window = field->offset == offsetof(format_config, window), null = false;
	json_type type = json_peek(&f->r);
	char what[80];
	int64_t value;

	if (type == JSON_NULL) {
		json_read_null(&f->r);
		f->states[index] = FIELD_NULL;
		return;
	}
	if (window && (type == JSON_STRING || type == JSON_ARRAY)
	            ? !read_window(f, &value, &null)
	            : !json_read_integer(&f->r, &value))
		return;
	if (value < 0 || value > UINT32_MAX) {
		(void)snprintf(what, sizeof what, "%s: a size out of range", field->name);
		json_refuse(&f->r, BRISE_EFORMAT, what);
		return;
	}
	*(uint32_t *)(void *)((char *)&f->a->config + field->offset) = (uint32_t)value;
	f->states[index] = null ? FIELD_NULL : FIELD_GIVEN;
}

/* Of a list the first; null within it says nothing. */
void config_fields_read_id(config_fields *f, const char *field, int32_t *id, field_state *state)
{
	bool list = json_peek(&f->r) == JSON_ARRAY;
	int64_t value = -1, one;
	size_t n = 0;

	*id = -1;
	*state = FIELD_NULL;
	if (is_null(f))
		return;
	if (!list) {
		n = json_read_integer(&f->r, &value);
	} else if (json_enter_array(&f->r)) {
		while (json_next_element(&f->r)) {
			if (is_null(f))
				continue;
			if (!json_read_integer(&f->r, &one))
				return;
			value = n++ ? value : one;
		}
	}
	if (n == 0)
		return;
	*id = value < -1 ? -1 : value > INT32_MAX ? INT32_MAX : (int32_t)value;
	*state = FIELD_GIVEN;
	if (n > 1)
		notes_add(f->decisions, "%s %" PRId32 ": the first of %zu (%s: %s)", field, *id, n,
		          f->file, field);
}

/* A model runs without these tokens, so an id that it does not have is no reason to refuse it. */
static void drop_id(config_fields *f, const char *field, int32_t fallback, int32_t *id)
{
	uint32_t vocab = f->a->config.vocab;

	if (*id < 0 || (uint32_t)*id < vocab)
		return;
	notes_add(f->decisions, "%s %" PRId32 " passed over: the model has %" PRIu32 " tokens (%s)",
	          field, *id, vocab, f->file);
	*id = fallback;
}

void config_fields_drop_ids(config_fields *f)
{
	drop_id(f, "bos_token_id", f->a->config.vocab > 1 ? 1 : -1, &f->a->config.bos);
	drop_id(f, "eos_token_id", -1, &f->a->config.eos);
}

void config_fields_read_eps(config_fields *f)
{
	double eps;

	if (!is_null(f) && json_read_double(&f->r, &eps)) {
		f->a->config.norm_eps = (float)eps;
		f->eps = FIELD_GIVEN;
	}
}

bool config_fields_read_common(config_fields *f, const char *key)
{
	size_t i;

	for (i = 0; i < f->n_sizes; i++)
		if (!strcmp(key, f->sizes[i].name)) {
			config_fields_read_size(f, i);
			return true;
		}
	if (!strcmp(key, "rope_theta")) {
		if (!is_null(f) && json_read_double(&f->r, &f->rope.outer_theta))
			f->rope.has_outer_theta = true;
		return true;
	}
	if (!strcmp(key, "rope_scaling") || !strcmp(key, "rope_parameters")) {
		rope_fields_read(&f->rope, &f->r, key);
		return true;
	}
	if (!strcmp(key, "llama_4_scaling")) {
		rope_fields_read_query(&f->rope, &f->r, key);
		return true;
	}
	if (!strcmp(key, "tie_word_embeddings") || !strcmp(key, "tied_embeddings")) {
		if (!is_null(f))
			json_read_bool(&f->r, &f->a->tied);
		return true;
	}
	return false;
}

/* ---- values that change nothing ------------------------------------------------------------- */

bool config_fields_says_something(json_reader *r, const neutral_field *allowed)
{
	double number = 0;
	bool flag = false;
	char key[2];

	switch (json_peek(r)) {
	case JSON_NULL:
		json_read_null(r);
		return false;
	case JSON_BOOL:
		json_read_bool(r, &flag);
		number = flag;
		break;
	case JSON_NUMBER:
		json_read_double(r, &number);
		break;
	case JSON_OBJECT:
		json_enter_object(r);
		return json_next_key(r, key, sizeof key);
	case JSON_ARRAY:
		json_enter_array(r);
		return json_next_element(r);
	default:
		return json_skip(r);
	}
	return number != allowed->value && number != allowed->other;
}

bool config_fields_pass_over(json_reader *r)
{
	bool given = json_peek(r) != JSON_NULL;

	json_skip(r);
	return given;
}

bool config_fields_read_neutral(config_fields *f, const char *key, const neutral_field *list,
                                size_t n)
{
	size_t i;

	for (i = 0; i < n && strcmp(key, list[i].name) != 0; i++)
		;
	if (i == n)
		return false;
	if (config_fields_says_something(&f->r, &list[i]) && f->r.status == BRISE_OK)
		config_fields_refuse(f, key);
	return true;
}

/* ---- decisions ------------------------------------------------------------------------------ */

field_state config_fields_state(const config_fields *f, size_t offset)
{
	field_state state = FIELD_ABSENT;
	size_t i;

	for (i = 0; i < f->n_sizes; i++)
		if (f->sizes[i].offset == offset && f->states[i] > state)
			state = f->states[i];
	return state;
}

void config_fields_decide_head_dim(config_fields *f)
{
	format_config *c = &f->a->config;

	if (config_fields_state(f, offsetof(format_config, head_dim)) == FIELD_GIVEN)
		return;
	c->head_dim = c->n_heads ? c->dim / c->n_heads : 0;
	notes_add(f->decisions, "head size %" PRIu32 " = width / heads (not in %s)", c->head_dim,
	          f->file);
}

/* A list is repeated over the layers. */
void config_fields_decide_windows(config_fields *f)
{
	format_config *c = &f->a->config;
	uint32_t *windows = f->a->windows, layer;

	if (f->n_windows == 0 || c->n_layers > CONFIG_LAYERS_MAX)
		return;
	for (layer = f->n_windows; layer < c->n_layers; layer++)
		windows[layer] = windows[layer - f->n_windows];
	for (layer = 1; layer < c->n_layers; layer++)
		f->a->windows_differ = f->a->windows_differ || windows[layer] != windows[0];
	c->window = config_join_windows(windows, c->n_layers);
}

void config_fields_note_window(config_fields *f, const char *why_none)
{
	const format_config *c = &f->a->config;

	if (f->a->windows_differ)
		notes_add(f->decisions,
		          "windows differ between layers, a list of %" PRIu32
		          " repeated over them (%s: sliding_window)",
		          f->n_windows, f->file);
	else if (c->window > 0)
		notes_add(f->decisions, "window %" PRIu32 " (%s: sliding_window)", c->window,
		          f->file);
	else
		notes_add(f->decisions, "no window: every token attends to all before it (%s: %s)",
		          f->file, why_none);
}

void config_fields_decide_theta(config_fields *f, double fallback, const char *why)
{
	const rope_fields *rope = &f->rope;

	if (!rope->has_theta && !rope->has_outer_theta) {
		f->a->config.rope_theta = fallback;
		notes_add(f->decisions, "rope theta %g: %s (%s has no rope_theta)", fallback, why,
		          f->file);
		return;
	}
	f->a->config.rope_theta = rope->has_theta ? rope->theta : rope->outer_theta;
	notes_add(f->decisions, "rope theta %g (%s: %s)", f->a->config.rope_theta, f->file,
	          rope->has_theta ? "rope_theta within the rope parameters" : "rope_theta");
}
