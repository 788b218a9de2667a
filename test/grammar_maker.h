/* grammar_maker.h - compiling grammars for the vocabulary of test/models/breeze, and trying texts
 */
#ifndef TEST_GRAMMAR_MAKER_H
#define TEST_GRAMMAR_MAKER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/sentencepiece.h"
#include "runtime/grammar/grammar.h"
#include "test/check.h"

typedef struct maker {
	brise_tokenizer *tokenizer;
	void *section;
	brise_error err;
} maker;

static inline bool maker_begin(maker *m)
{
	size_t bytes;

	memset(m, 0, sizeof *m);
	return sentencepiece_read_model("test/models/breeze/tokenizer.model", &m->section, &bytes,
	                                &m->err) == BRISE_OK &&
	       brise_open_tokenizer(&m->tokenizer, m->section, bytes, "breeze", &m->err) ==
	               BRISE_OK;
}

static inline void maker_end(maker *m)
{
	brise_close_tokenizer(m->tokenizer);
	free(m->section);
}

static inline brise_grammar *maker_compile_with(const brise_tokenizer *tokenizer,
                                                brise_grammar_kind kind, const char *text)
{
	brise_grammar_options o;
	brise_grammar *g;

	brise_init_grammar_options(&o, sizeof o);
	o.kind = kind;
	o.text = text;
	o.bytes = strlen(text);
	return brise_new_grammar(&g, tokenizer, &o, NULL) == BRISE_OK ? g : NULL;
}

/* NULL: refused, see m->err. */
static inline brise_grammar *maker_compile(maker *m, brise_grammar_kind kind, const char *text)
{
	brise_grammar_options o;
	brise_grammar *g;

	brise_init_grammar_options(&o, sizeof o);
	o.kind = kind;
	o.text = text;
	o.bytes = strlen(text);
	m->err.message[0] = 0;
	return brise_new_grammar(&g, m->tokenizer, &o, &m->err) == BRISE_OK ? g : NULL;
}

/* head, then `each` n times with numbers from 0 for its %u, then tail; freed by the caller. */
static inline char *maker_repeat(const char *head, const char *each, unsigned n, const char *tail)
{
	size_t room = strlen(head) + n * (strlen(each) + 20) + strlen(tail) + 1, at;
	char *text = malloc(room);
	unsigned i;

	if (!text)
		exit(1);
	at = (size_t)snprintf(text, room, "%s", head);
	for (i = 0; i < n; i++) {
		const char *from = each, *mark;

		for (; (mark = strstr(from, "%u")); from = mark + 2)
			at += (size_t)snprintf(text + at, room - at, "%.*s%u", (int)(mark - from),
			                       from, i);
		at += (size_t)snprintf(text + at, room - at, "%s", from);
	}
	(void)snprintf(text + at, room - at, "%s", tail);
	return text;
}

/* 'v': a whole text; 'b': the beginning of one; 'x': neither; '!': an error. */
static inline char maker_try(const brise_grammar *g, const char *text)
{
	brise_status status = BRISE_OK;
	brise_matcher *m;
	bool taken = true;
	char result;

	if (brise_new_matcher(&m, g, NULL, 0, false, NULL) != BRISE_OK)
		return '!';
	for (; *text && taken; text++)
		taken = grammar_match_bytes(m, text, 1, &status);
	result = status != BRISE_OK ? '!' : !taken ? 'x' : grammar_is_whole(m) ? 'v' : 'b';
	brise_free_matcher(m);
	return result;
}

/* A schema, then texts that are tried by it: 'v' valid, 'b' the beginning of a valid one, 'x'
 * neither. */
typedef struct maker_case {
	const char *schema, *text;
	char expected;
} maker_case;

static inline void maker_try_cases(check_counts *counts, maker *m, const maker_case *cases,
                                   size_t n)
{
	const char *schema = "";
	brise_grammar *g = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (cases[i].schema) {
			brise_free_grammar(g);
			schema = cases[i].schema;
			g = maker_compile(m, BRISE_GRAMMAR_SCHEMA, schema);
			CHECK(counts, g, "%s: %s", schema, m->err.message);
		} else if (g) {
			char result = maker_try(g, cases[i].text);

			CHECK(counts, result == cases[i].expected, "%s: %s is %c", schema,
			      cases[i].text, result);
		}
	}
	brise_free_grammar(g);
}

/* Schemas that are refused, each with a part of the message. */
static inline void maker_try_refused(check_counts *counts, maker *m, const char *const (*cases)[2],
                                     size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_SCHEMA, cases[i][0]);

		CHECK(counts, !g && strstr(m->err.message, cases[i][1]), "%s: %s", cases[i][0],
		      g ? "taken" : m->err.message);
		brise_free_grammar(g);
	}
}

#endif
