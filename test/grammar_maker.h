/* grammar_maker.h - compiling grammars for the vocabulary of test/models/breeze, and trying texts
 */
#ifndef TEST_GRAMMAR_MAKER_H
#define TEST_GRAMMAR_MAKER_H

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

#endif
