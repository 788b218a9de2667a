/* longest.h - llama.cpp's order for added tokens that overlap in a text */
#ifndef RUNTIME_LONGEST_H
#define RUNTIME_LONGEST_H

#include "runtime/text/added.h"

typedef struct longest_match {
	size_t at;
	const added_pattern *pattern;
} longest_match;

/* Memory that one text after another works in. Zero-initialised; freed with longest_free_space. */
typedef struct longest_space {
	longest_match *matches; /* [n] */
	size_t n, room;
	uint8_t *taken; /* [text_room] a flag for each byte of the text */
	size_t text_room;
} longest_space;

/* Takes memory for n occurrences in texts of `bytes` bytes. False: no memory. */
bool longest_reserve(longest_space *space, size_t n, size_t bytes);
void longest_free_space(longest_space *space);

/* Whether a pattern counts at a place of the text; user: as given to longest_find. */
typedef bool longest_counts_fn(const void *user, const added_pattern *pattern, size_t at);

/* Occurrences of the set's patterns in text [bytes] that do not overlap: longer patterns before
 * shorter ones over the whole text, of equal ones the lowest id first, each from left to right
 * (llama.cpp, tokenizer_st_partition). Special ones do not count where `special` is false, nor
 * others where `counts` says so. space->matches [space->n], by place, are valid until the next
 * text. False: no memory. */
bool longest_find(longest_space *space, const added_set *set, const uint8_t *text, size_t bytes,
                  bool special, longest_counts_fn *counts, const void *user);

#endif
