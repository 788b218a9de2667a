/* json_rule.c - see json_rule.h
 *
 * Components may be in sequences, so objects are walked through whatever holds them.
 */
#include "convert/tokenizer/json_rule.h"

#include <string.h>

#include "runtime/text/added_section.h"

#define DEPTH_MAX 6u

typedef struct component {
	char type[32], scheme[16];
} component;

static void take_component(json_rule *rule, const component *c)
{
	if (!strcmp(c->type, "Prepend") || !strcmp(c->type, "Replace"))
		rule->normalizes = true;
	if (!strcmp(c->type, "Metaspace")) {
		rule->metaspace = true;
		rule->always = !*c->scheme || !strcmp(c->scheme, "always");
	}
	if (!strcmp(c->type, "TemplateProcessing"))
		rule->has_template = true;
}

/* "single": [{"SpecialToken": {...}}, {"Sequence": {...}}]; the first decides. */
static void read_template(json_reader *r, json_rule *rule)
{
	bool first = true;
	char key[32];

	json_enter_array(r);
	while (json_next_element(r)) {
		json_enter_object(r);
		while (json_next_key(r, key, sizeof key)) {
			rule->begins = rule->begins || (first && !strcmp(key, "SpecialToken"));
			json_skip(r);
		}
		first = false;
	}
}

static void walk(json_reader *r, unsigned depth, json_rule *rule);

static void walk_object(json_reader *r, unsigned depth, json_rule *rule)
{
	component c = { "", "" };
	char key[32];

	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "type") && json_peek(r) == JSON_STRING)
			json_read_name(r, c.type, sizeof c.type);
		else if (!strcmp(key, "prepend_scheme") && json_peek(r) == JSON_STRING)
			json_read_name(r, c.scheme, sizeof c.scheme);
		else if (!strcmp(key, "single") && json_peek(r) == JSON_ARRAY)
			read_template(r, rule);
		else if (!strcmp(key, "normalizers") || !strcmp(key, "pretokenizers") ||
		         !strcmp(key, "processors"))
			walk(r, depth + 1, rule);
		else
			json_skip(r);
	take_component(rule, &c);
}

static void walk(json_reader *r, unsigned depth, json_rule *rule)
{
	if (depth < DEPTH_MAX && json_peek(r) == JSON_OBJECT) {
		walk_object(r, depth, rule);
	} else if (depth < DEPTH_MAX && json_peek(r) == JSON_ARRAY) {
		json_enter_array(r);
		while (json_next_element(r))
			walk(r, depth + 1, rule);
	} else {
		json_skip(r);
	}
}

void json_read_rule(json_reader *r, const char *key, json_rule *rule)
{
	if (!strcmp(key, "normalizer") || !strcmp(key, "pre_tokenizer") ||
	    !strcmp(key, "post_processor"))
		walk(r, 0, rule);
	else
		json_skip(r);
}

uint32_t json_choose_rule(const json_rule *rule)
{
	return rule->normalizes  ? ADDED_EVERY
	       : rule->metaspace ? (rule->always ? ADDED_ALWAYS : ADDED_FIRST)
	                         : 0;
}
