/* tools.c - what a model may write behind [TOOL_CALLS]
 *
 *     [{"name": "add", "arguments": {"a": 1}, "id": "call00001"}, ...]
 *
 * The id, nine letters and digits, may be missing, as in the format v2. Arguments follow the
 * parameters of the tool; a tool without parameters takes {}.
 */
#include <string.h>

#include "runtime/error.h"
#include "runtime/grammar/grammar.h"
#include "runtime/grammar/schema.h"

#define ID_BYTES 9u

static uint32_t put_text(network *n, uint32_t from, const char *text)
{
	uint32_t to = network_add_state(n);

	network_add_text(n, from, text, to);
	return to;
}

/* A separator that is written with a space, which may be missing. */
static uint32_t put_separator(network *n, uint32_t from, const char *text)
{
	uint32_t mark = put_text(n, from, text), to = network_add_state(n);

	json_rules_put_space(n, mark, to);
	return to;
}

static uint32_t put_id(network *n, uint32_t from)
{
	unsigned i;

	from = put_separator(n, from, ",");
	from = put_separator(n, from, "\"id\":");
	from = put_text(n, from, "\"");
	for (i = 0; i < ID_BYTES; i++) {
		uint32_t next = network_add_state(n);

		network_add_bytes(n, from, '0', '9', next);
		network_add_bytes(n, from, 'A', 'Z', next);
		network_add_bytes(n, from, 'a', 'z', next);
		from = next;
	}
	return put_text(n, from, "\"");
}

/* The rule of a tool's arguments. */
static uint32_t find_arguments(schema_builder *b, uint32_t parameters)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	uint32_t rule;

	if (!parameters || b->d->values[parameters].type == JSON_NULL) {
		rule = network_add_rule(b->n, NULL, 0);
		if (!network_is_full(b->n))
			network_add_text(b->n, b->n->rules[rule].start, "{}",
			                 b->n->rules[rule].end);
		return rule;
	}
	b->d->values[parameters].is_root = true;
	schema_collect(b, &p, parameters);
	(void)schema_add_part(b, &p, SCHEMA_OBJECT);
	return schema_rule(b, schema_take_set(b, &p, parameters));
}

static void put_tool(schema_builder *b, uint32_t function, uint32_t name, uint32_t call)
{
	network *n = b->n;
	uint32_t at, next,
	        arguments = find_arguments(b, document_find(b->d, function, "parameters"));

	if (network_is_full(n) || b->status != BRISE_OK)
		return;
	at = put_text(n, n->rules[call].start, "{");
	at = put_separator(n, at, "\"name\":");
	next = network_add_state(n);
	schema_put_value(b, name, at, next);
	at = put_separator(n, next, ",");
	at = put_separator(n, at, "\"arguments\":");
	next = network_add_state(n);
	network_add_call(n, at, arguments, next);
	at = put_id(n, next);
	network_add_empty(n, next, at);
	network_add_text(n, at, "}", n->rules[call].end);
}

/* The tools that may be called, each as a way to write a call; returns how many. */
static size_t put_tools(schema_builder *b, const char *only, uint32_t call)
{
	uint32_t i, function, name;
	size_t n = 0;

	for (i = b->d->values[1].child; i && b->status == BRISE_OK; i = b->d->values[i].next) {
		function = document_find(b->d, i, "function");
		name = function ? document_find(b->d, function, "name") : 0;
		if (!name || b->d->values[name].type != JSON_STRING) {
			(void)schema_refuse(b, i, BRISE_EFORMAT,
			                    "a tool without a function that has a name");
		} else if (!only || document_is_string(b->d, name, only)) {
			put_tool(b, function, name, call);
			n++;
		}
	}
	return n;
}

static uint32_t put_list(schema_builder *b, uint32_t call, bool is_one)
{
	network *n = b->n;
	uint32_t root = network_add_rule(n, NULL, 0), at = network_add_state(n), after;

	if (network_is_full(n))
		return root;
	json_rules_put_space(n, n->rules[root].start, at);
	at = put_text(n, at, "[");
	after = network_add_state(n);
	network_add_call(n, at, call, after);
	if (!is_one)
		network_add_empty(n, put_separator(n, after, ","), at);
	network_add_text(n, after, "]", n->rules[root].end);
	return root;
}

brise_status grammar_compile_tools(network *n, const brise_grammar_options *options,
                                   const char *name, uint32_t *root, grammar_keys *keys,
                                   brise_error *err)
{
	document d;
	schema_builder b = { .status =
		                     document_read(&d, options->text, options->bytes, name, err) };
	uint32_t call;

	if (b.status == BRISE_OK && d.values[1].type != JSON_ARRAY)
		b.status = document_refuse(&d, 1, BRISE_EFORMAT, "a list of tools expected", err);
	if (b.status == BRISE_OK && schema_begin(&b, &d, n, err)) {
		call = network_add_rule(n, NULL, 0);
		if (put_tools(&b, options->tool, call) == 0 && b.status == BRISE_OK)
			b.status = error_set(err, BRISE_EINVAL, "%s: no tool is called %s", name,
			                     options->tool ? options->tool : "anything");
		schema_fill_sets(&b);
		*root = put_list(&b, call, options->one_call);
		*keys = (grammar_keys){ b.has_free_keys, b.has_selected_keys };
		(void)schema_spend(&b, 0);
	}
	schema_end(&b);
	document_free(&d);
	return b.status;
}
