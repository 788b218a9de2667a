/* nearest.h - suggestions for mistyped names: the name at the smallest edit distance */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`; texts are
 * compared up to 63 bytes. */
unsigned nearest_distance(const char *a, const char *b);

/* Keeps the best of several calls: start with best NULL. A candidate that `typed` begins counts as
 * one edit away. */
typedef struct nearest_match {
	const char *best;
	unsigned distance;
} nearest_match;

void nearest_offer(nearest_match *match, const char *typed, const char *candidate);

/* The best candidate if it is near enough for a suggestion: at most a third of `typed` differs;
 * else NULL. */
const char *nearest_choose(const nearest_match *match, const char *typed);

#endif
