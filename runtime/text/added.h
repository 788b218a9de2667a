/* added.h - the tokens that are cut out of a text before it is normalised */
#ifndef RUNTIME_ADDED_H
#define RUNTIME_ADDED_H

#include <stdbool.h>

#include "runtime/text/added_section.h"
#include "runtime/text/tokenizer.h"

typedef struct added_pattern {
	const uint8_t *text;
	uint32_t bytes, id, flags;
} added_pattern;

/* In ascending order of their bytes, a prefix first. */
typedef struct added_set {
	added_pattern *items;
	size_t n;
	bool begins[256]; /* some pattern begins with that byte */
} added_set;

struct tokenizer_added {
	added_rule rule;
	bool symbols; /* user-defined symbols are among the patterns, not left to the merging */
	added_set plain, normalized;
	uint8_t *pool; /* normalised texts of the second set */
	size_t nested; /* most patterns of the first set that begin at one place of a text */
};

/* Makes the sets of an open tokenizer. section [bytes]: what the file says (added_section.h); NULL:
 * nothing, then control tokens are the only patterns, and all of them special. t->added is freed
 * with the tokenizer. Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status added_attach(brise_tokenizer *t, const void *section, size_t bytes, const char *name,
                          brise_error *err);
/* What added_attach will take, in *needed; fills rule and nested of `to`. Takes no memory.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED. */
brise_status added_count(const brise_tokenizer *t, const void *section, size_t bytes,
                         const char *name, struct tokenizer_added *to, uint64_t *needed,
                         brise_error *err);
void added_free(struct tokenizer_added *added);

/* Brings a set whose items [n] are filled into its order. */
void added_sort(added_set *set);

/* The longest pattern that text [bytes] begins with, NULL: none. Special ones do not count where
 * `special` is false. */
const added_pattern *added_match(const added_set *set, const uint8_t *text, size_t bytes,
                                 bool special);

#endif
