/* grammar.h - a compiled grammar and a matcher, and what compiles each kind */
#ifndef GRAMMAR_GRAMMAR_H
#define GRAMMAR_GRAMMAR_H

#include "runtime/grammar/machine.h"
#include "runtime/grammar/members.h"
#include "runtime/grammar/network.h"
#include "runtime/grammar/unused_keys.h"
#include "runtime/grammar/vocabulary.h"

/* What changes as matchers move. */
typedef struct grammar_cache {
	machine machine;
	uint32_t start;
	/* the mask of a first token whose space is dropped; NULL: not made yet */
	uint32_t *answer_mask;
	brise_matcher *matchers; /* a list */
	members scratch;
	unused_keys unused;
	uint32_t *path; /* [deepest + 1] states of a walk */
	char *spelled;  /* [TOKENIZER_PIECE_MAX] of a token */
} grammar_cache;

/* Keys of JSON objects that are not known before: any; and of those some that patterns select,
 * which can be used up. */
typedef struct grammar_keys {
	bool are_free, are_selected;
} grammar_keys;

struct brise_grammar {
	network network;
	const vocabulary *vocabulary; /* the tokenizer's */
	size_t memory;
	grammar_keys keys;
	char *loose; /* which tools, and why; NULL: none */
	grammar_cache *cache;
};

struct brise_matcher {
	const brise_grammar *grammar;
	brise_matcher *next, **link; /* in the grammar's list */
	uint32_t state;
	bool is_answer;
	bool at_start;   /* no token yet */
	bool is_over;    /* an end token was matched */
	members members; /* with free keys */
	uint32_t *mask;  /* [words] */
	int32_t *ends;
	size_t n_ends;
};

/* Adds bytes to the text, without a token. False: they are not allowed, or there was an error,
 * which is in *status then. The matcher is unchanged then. */
bool grammar_match_bytes(brise_matcher *m, const char *text, size_t bytes, brise_status *status);

/* Whether the text may end. */
bool grammar_is_whole(const brise_matcher *m);

/* What compiles: adds rules to a network; *root: the rule of whole texts. text [bytes]; name of it
 * in messages. */
brise_status grammar_compile_json(network *n, uint32_t *root, brise_error *err);
brise_status grammar_compile_schema(network *n, const char *text, size_t bytes, const char *name,
                                    uint32_t *root, grammar_keys *keys, brise_error *err);

/* *loose: for brise_get_loose_tools, freed by the caller. */
brise_status grammar_compile_tools(network *n, const brise_grammar_options *options,
                                   const char *name, uint32_t *root, grammar_keys *keys,
                                   char **loose, brise_error *err);
brise_status grammar_compile_gbnf(network *n, const char *text, size_t bytes, const char *name,
                                  uint32_t *root, brise_error *err);

#endif
