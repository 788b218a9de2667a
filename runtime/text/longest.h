/* longest.h - llama.cpp's order for added tokens that overlap in a text */
#ifndef RUNTIME_LONGEST_H
#define RUNTIME_LONGEST_H

#include "runtime/text/added.h"

typedef struct longest_match {
	size_t at;
	const added_pattern *pattern;
} longest_match;

/* Occurrences of the set's patterns in text [bytes] that do not overlap: longer patterns before
 * shorter ones over the whole text, of equal ones the lowest id first, each from left to right
 * (llama.cpp, tokenizer_st_partition). Special ones do not count where `special` is false.
 * *matches [*n], by place, is freed by the caller. False: no memory. */
bool longest_find(const added_set *set, const uint8_t *text, size_t bytes, bool special,
                  longest_match **matches, size_t *n);

#endif
