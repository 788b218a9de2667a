/* tools.c - what a model may write behind [TOOL_CALLS]
 *
 *     [{"name": "add", "arguments": {"a": 1}, "id": "call00001"}, ...]        up to v7
 *     add[CALL_ID]call00001[ARGS]{"a": 1}[TOOL_CALLS]add...                   v11
 *     add[ARGS]{"a": 1}[TOOL_CALLS]add...                                     v13
 *
 * In a list the id, nine letters and digits, may be missing, as in the format v2. Arguments follow
 * the parameters of the tool; a tool without parameters takes {}. Loose tools, whose parameters are
 * not supported, take any object: each tool is compiled by itself first to know which these are.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/grammar/grammar.h"
#include "runtime/grammar/schema.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_mistral.h"

#define ID_BYTES    9u
#define NAME_BYTES  256u /* of a tool that stands without quotation marks (chat_calls.c) */
#define NAME_LENGTH "256"

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

/* A control token, by its byte (vocabulary.h). */
static uint32_t put_mark(network *n, uint32_t from, unsigned mark)
{
	uint32_t to = network_add_state(n);

	network_add_bytes(n, from, mark, mark, to);
	return to;
}

static uint32_t put_id(network *n, uint32_t from)
{
	unsigned i;

	for (i = 0; i < ID_BYTES; i++) {
		uint32_t next = network_add_state(n);

		network_add_bytes(n, from, '0', '9', next);
		network_add_bytes(n, from, 'A', 'Z', next);
		network_add_bytes(n, from, 'a', 'z', next);
		from = next;
	}
	return from;
}

/* ---- loose tools ---------------------------------------------------------------------------- */

#define LOOSE_BYTES 1000u /* of the text about all of them */

/* Compiles parameters alone; *err says why they are not supported. */
static brise_status try_parameters(document *d, uint32_t parameters, int64_t *work,
                                   brise_error *err)
{
	schema_parts p = { NULL, NULL, 0, 0, 0, 0, false };
	brise_status status = BRISE_ENOMEM;
	schema_builder alone;
	network n;
	uint32_t rule;

	if (!network_begin(&n))
		return error_set(err, BRISE_ENOMEM, "%s: no memory", d->name);
	if (schema_begin(&alone, d, &n, err)) {
		alone.work = *work;
		schema_collect(&alone, &p, parameters);
		(void)schema_add_part(&alone, &p, SCHEMA_OBJECT);
		rule = schema_rule(&alone, schema_take_set(&alone, &p, parameters));
		schema_fill_sets(&alone);
		(void)schema_spend(&alone, 0);
		*work = alone.work;
		status = alone.status;
		if (status == BRISE_OK)
			status = network_finish(&n, rule, d->name, err);
	}
	schema_end(&alone);
	network_free(&n);
	return status;
}

/* Adds a tool to the text, on one line. */
static bool describe_loose(schema_builder *b, char **loose, uint32_t name, const char *message)
{
	size_t prefix = strlen(b->d->name) + 2, bytes;
	bool has_name;
	char tool[65], *at;

	if (!*loose && !(*loose = memory_new(LOOSE_BYTES, 1)))
		return schema_no_memory(b);
	bytes = strlen(*loose);
	(void)snprintf(tool, sizeof tool, "%s", b->d->values[name].string);
	for (at = tool; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?'; /* as in messages */
	/* These begin with the name of the text, and those of a place with that of the tool. */
	message += strlen(message) > prefix ? prefix : 0;
	has_name = !strncmp(message, tool, strlen(tool));
	(void)snprintf(*loose + bytes, LOOSE_BYTES - bytes, "%s%s%s%s", bytes ? "; " : "",
	               has_name ? "" : tool, has_name ? "" : ": ", message);
	for (at = *loose; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	return true;
}

/* Whether a tool takes any object. */
static bool is_loose(schema_builder *b, document *d, uint32_t name, uint32_t parameters,
                     char **loose)
{
	int64_t work = b->work;
	brise_error why;
	brise_status status = try_parameters(d, parameters, &work, &why);

	b->work = work;
	d->work = &b->work;
	return status == BRISE_EUNSUPPORTED && describe_loose(b, loose, name, why.message);
}

/* ---- a tool --------------------------------------------------------------------------------- */

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
	schema_collect(b, &p, parameters);
	(void)schema_add_part(b, &p, SCHEMA_OBJECT);
	return schema_rule(b, schema_take_set(b, &p, parameters));
}

/* {"name": ..., "arguments": ..., "id": ...} */
static void put_object(schema_builder *b, uint32_t name, uint32_t arguments, uint32_t call)
{
	network *n = b->n;
	uint32_t at = put_text(n, n->rules[call].start, "{"), next;

	at = put_separator(n, at, "\"name\":");
	next = network_add_state(n);
	schema_put_value(b, name, at, next);
	at = put_separator(n, next, ",");
	at = put_separator(n, at, "\"arguments\":");
	next = network_add_state(n);
	network_add_call(n, at, arguments, next);
	at = put_separator(n, next, ",");
	at = put_separator(n, at, "\"id\":");
	at = put_id(n, put_text(n, at, "\""));
	at = put_text(n, at, "\"");
	network_add_empty(n, next, at);
	network_add_text(n, at, "}", n->rules[call].end);
}

/* Whether what reads answers finds the end of such a name. */
static bool is_plain_name(const document_value *name)
{
	const char *text = name->string;
	size_t n = name->string_bytes, i;

	for (i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || strchr("\"{[", text[i]))
			return false;
	return n > 0 && n <= NAME_BYTES && text[0] != ' ' && text[n - 1] != ' ';
}

/* name[CALL_ID]id[ARGS]{...}, or without the id */
static void put_named(schema_builder *b, uint32_t name, uint32_t arguments, bool has_id,
                      uint32_t call)
{
	const document_value *value = &b->d->values[name];
	network *n = b->n;
	uint32_t at = network_add_state(n);

	if (!is_plain_name(value)) {
		(void)schema_refuse(b, name, BRISE_EINVAL,
		                    "calls of this format have names of 1 to " NAME_LENGTH
		                    " bytes without \", { and [, control characters, and "
		                    "spaces at the ends");
		return;
	}
	network_add_string(n, n->rules[call].start, value->string, value->string_bytes, at);
	if (has_id)
		at = put_id(n, put_mark(n, at, VOCABULARY_CALL_ID));
	at = put_mark(n, at, VOCABULARY_ARGUMENTS);
	network_add_call(n, at, arguments, n->rules[call].end);
}

/* loose: NULL, where no tool may be. */
static void put_tool(schema_builder *b, document *d, uint32_t function, uint32_t name,
                     mistral_calls form, uint32_t call, char **loose)
{
	uint32_t parameters = document_find(d, function, "parameters"), arguments;

	if (parameters)
		d->values[parameters].is_root = true;
	if (loose && parameters && d->values[parameters].type != JSON_NULL &&
	    is_loose(b, d, name, parameters, loose)) {
		arguments = b->rules.object;
		b->has_free_keys = true;
	} else {
		arguments = find_arguments(b, parameters);
	}
	if (network_is_full(b->n) || b->status != BRISE_OK)
		return;
	if (form == MISTRAL_LIST)
		put_object(b, name, arguments, call);
	else
		put_named(b, name, arguments, form == MISTRAL_NAMES_IDS, call);
}

/* The tools that may be called, each as a way to write a call; returns how many. */
static size_t put_tools(schema_builder *b, document *d, const char *only, mistral_calls form,
                        uint32_t call, char **loose)
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
			put_tool(b, d, function, name, form, call, loose);
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

/* A call, or several with the mark between them. */
static uint32_t put_calls(schema_builder *b, uint32_t call, bool is_one)
{
	network *n = b->n;
	uint32_t root = network_add_rule(n, NULL, 0), at = network_add_state(n);

	if (network_is_full(n))
		return root;
	network_add_empty(n, n->rules[root].start, at);
	network_add_call(n, at, call, n->rules[root].end);
	if (!is_one) {
		uint32_t after = network_add_state(n);

		network_add_call(n, at, call, after);
		network_add_bytes(n, after, VOCABULARY_CALLS, VOCABULARY_CALLS, at);
	}
	return root;
}

static mistral_calls find_form(const brise_chat *chat)
{
	return chat && chat->rules ? chat->rules->calls : MISTRAL_LIST;
}

brise_status grammar_compile_tools(network *n, const brise_grammar_options *options,
                                   const char *name, uint32_t *root, grammar_keys *keys,
                                   char **loose, brise_error *err)
{
	document d;
	schema_builder b = { .status =
		                     document_read(&d, options->text, options->bytes, name, err) };
	mistral_calls form = find_form(options->chat);
	uint32_t call;

	if (b.status == BRISE_OK && d.values[1].type != JSON_ARRAY)
		b.status = document_refuse(&d, 1, BRISE_EFORMAT, "a list of tools expected", err);
	if (b.status == BRISE_OK && schema_begin(&b, &d, n, err)) {
		call = network_add_rule(n, NULL, 0);
		if (put_tools(&b, &d, options->tool, form, call,
		              options->loose_tools ? loose : NULL) == 0 &&
		    b.status == BRISE_OK)
			b.status = error_set(err, BRISE_EINVAL, "%s: no tool is called %s", name,
			                     options->tool ? options->tool : "anything");
		schema_fill_sets(&b);
		*root = form == MISTRAL_LIST ? put_list(&b, call, options->one_call)
		                             : put_calls(&b, call, options->one_call);
		*keys = (grammar_keys){ b.has_free_keys, b.has_selected_keys };
		(void)schema_spend(&b, 0);
	}
	schema_end(&b);
	document_free(&d);
	return b.status;
}
