/* schema_pattern.c - see schema_pattern.h
 *
 * An expression is compiled once for a document, however often it is used. All together take a
 * bounded time and memory, of the builder's steps.
 */
#include "runtime/grammar/schema_pattern.h"

#include <stdio.h>
#include <string.h>

#include "runtime/grammar/regex_ahead.h"
#include "runtime/os/memory.h"

/* Steps that an entry of a table counts as, which bounds all tables to 60 MB. */
#define ENTRY_STEPS 4u

struct schema_pattern {
	schema_pattern *next;
	char *text;
	size_t bytes;
	bool is_inverted;
	regex r;
};

void schema_free_patterns(schema_builder *b)
{
	schema_pattern *p, *next;

	for (p = b->patterns; p; p = next) {
		next = p->next;
		regex_free(&p->r);
		memory_free(p->text);
		memory_free(p);
	}
}

static bool compile(schema_builder *b, schema_pattern *p, uint32_t value)
{
	const char *why = "";
	brise_status status;
	char what[150];

	status = regex_compile(&p->r, p->text, p->bytes, &b->work, &why);
	if (status != BRISE_OK) {
		(void)snprintf(what, sizeof what, "a regular expression: %s", why);
		return schema_refuse(b, value, status, what);
	}
	if (!schema_spend(b, p->r.n_states * p->r.n_classes * ENTRY_STEPS))
		return false;
	if (p->is_inverted)
		regex_invert(&p->r);
	return true;
}

static const regex *find(schema_builder *b, const char *text, size_t bytes, bool is_inverted,
                         uint32_t value)
{
	schema_pattern *p;

	for (p = b->patterns; p && schema_spend(b, 1 + bytes / 64); p = p->next)
		if (p->bytes == bytes && p->is_inverted == is_inverted &&
		    !memcmp(p->text, text, bytes))
			return &p->r;
	p = memory_new(1, sizeof *p);
	if (p)
		*p = (schema_pattern){ .next = b->patterns,
			               .text = memory_copy(text, bytes),
			               .bytes = bytes,
			               .is_inverted = is_inverted };
	if (!p || !p->text) {
		memory_free(p);
		(void)schema_no_memory(b);
		return NULL;
	}
	b->patterns = p;
	return compile(b, p, value) ? &p->r : NULL;
}

static bool add(schema_builder *b, automata *a, unsigned group, const char *text, size_t bytes,
                bool is_inverted, uint32_t value)
{
	if (b->status != BRISE_OK)
		return false;
	if (a->n == AUTOMATA_MAX)
		return schema_refuse(b, value, BRISE_EUNSUPPORTED,
		                     "too many patterns that hold together");
	a->groups[a->n] = (uint8_t)group;
	a->r[a->n] = find(b, text, bytes, is_inverted, value);
	if (!a->r[a->n])
		return false;
	a->n++;
	return true;
}

/* What an expression looks for ahead becomes automata of its own. */
bool automata_add(schema_builder *b, automata *a, unsigned group, const char *text, size_t bytes,
                  uint32_t value)
{
	size_t at = 1, n;
	regex_ahead ahead;
	char *part;
	bool done = true;

	if (!regex_begins_ahead(text, bytes))
		return add(b, a, group, text, bytes, false, value);
	part = memory_new(bytes + 8, 1);
	if (!part)
		return schema_no_memory(b);
	for (; done && regex_find_ahead(text, bytes, at, &ahead); at = ahead.end + 1) {
		n = ahead.end - ahead.begin;
		memcpy(part, "^(?:", 4);
		memcpy(part + 4, text + ahead.begin, n);
		part[4 + n] = ')';
		done = add(b, a, group, part, n + 5, ahead.is_negative, value);
	}
	if (done) {
		part[0] = '^';
		memcpy(part + 1, text + at, bytes - at);
		done = add(b, a, group, part, 1 + bytes - at, false, value);
	}
	memory_free(part);
	return done;
}

/* ---- lists of texts ------------------------------------------------------------------------- */

bool alternatives_add(schema_builder *b, alternatives *list, const char *text, size_t bytes)
{
	size_t needed = list->bytes + bytes * 10 + 8, at, step;
	char *moved;

	if (needed > list->most) {
		moved = memory_resize(list->text, needed * 2, 1);
		if (!moved)
			return schema_no_memory(b);
		list->text = moved;
		list->most = needed * 2;
	}
	memcpy(list->text + list->bytes, list->n ? "|" : "^(?:", list->n ? 1 : 4);
	list->bytes += list->n ? 1 : 4;
	/* \u{10ffff}: at most 10 bytes for one. */
	for (at = 0; at < bytes; at += step)
		list->bytes += (size_t)sprintf(
		        list->text + list->bytes, "\\u{%lx}",
		        (unsigned long)charset_decode(text + at, bytes - at, &step));
	list->n++;
	return true;
}

bool automata_add_list(schema_builder *b, automata *a, alternatives *list, bool is_excluded,
                       uint32_t value)
{
	bool done = b->status == BRISE_OK;

	if (done && list->n > 0) {
		memcpy(list->text + list->bytes, ")$", 2);
		done = add(b, a, 0, list->text, list->bytes + 2, is_excluded, value);
	}
	memory_free(list->text);
	*list = (alternatives){ NULL, 0, 0, 0 };
	return done;
}

/* ---- of a set ------------------------------------------------------------------------------- */

/* Patterns and formats that must not fit. */
static void add_inverted(schema_builder *b, automata *a, uint32_t part)
{
	const schema_facts f = b->facts[b->facts_of[schema_value_of(part)]];
	const document_value *v = &b->d->values[f.pattern];

	if (schema_kind_of(part) == SCHEMA_NOT_FORMAT)
		(void)add(b, a, 0, f.format, strlen(f.format), true, f.format_value);
	else if (schema_kind_of(part) != SCHEMA_NOT_PATTERN)
		return;
	else if (regex_begins_ahead(v->string, v->string_bytes))
		(void)schema_refuse(b, f.pattern, BRISE_EUNSUPPORTED,
		                    "look-ahead in a pattern that must not fit");
	else
		(void)add(b, a, 0, v->string, v->string_bytes, true, f.pattern);
}

bool automata_add_strings(schema_builder *b, automata *a, const schema_merged *m)
{
	alternatives excluded = { NULL, 0, 0, 0 };
	uint32_t last = m->value;
	size_t i;

	for (i = 0; i < m->n && b->status == BRISE_OK; i++) {
		const schema_facts f = *schema_get(b, m->parts[i]);
		const document_value *v = &b->d->values[schema_value_of(m->parts[i])];

		if (f.pattern)
			(void)automata_add(b, a, 0, b->d->values[f.pattern].string,
			                   b->d->values[f.pattern].string_bytes, f.pattern);
		if (f.format)
			(void)automata_add(b, a, 0, f.format, strlen(f.format), f.format_value);
		add_inverted(b, a, m->parts[i]);
		if (schema_kind_of(m->parts[i]) == SCHEMA_NOT_VALUE && v->type == JSON_STRING) {
			last = schema_value_of(m->parts[i]);
			(void)alternatives_add(b, &excluded, v->string, v->string_bytes);
		}
	}
	return automata_add_list(b, a, &excluded, true, last);
}

bool automata_fit(const automata *a, unsigned group, const char *text, size_t bytes)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->groups[i] == group && !regex_fits(a->r[i], text, bytes))
			return false;
	return true;
}
