/* candidates.h - what the word before the cursor can be completed to */
#ifndef CONSOLE_CANDIDATES_H
#define CONSOLE_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>

#define CANDIDATES_MAX       100u
#define CANDIDATES_MAX_BYTES 8192u

typedef struct candidates {
	const char *text; /* up to the cursor */
	size_t n_text;
	size_t from; /* what is replaced begins there */
	size_t n, n_bytes;
	bool is_cut; /* there are more */
	struct {
		size_t at, n;
	} items[CANDIDATES_MAX];
	char bytes[CANDIDATES_MAX_BYTES];
} candidates;

/* Offers words for text [n], which ends at the cursor. */
typedef void candidates_fn(void *user, candidates *list, const char *text, size_t n);

/* Adds `word` if the text from `from` on is a beginning of it. `from` is the same for all. A word
 * that is to be followed by a space says so itself. */
void candidates_offer(candidates *list, size_t from, const char *word);

void candidates_begin(candidates *list, const char *text, size_t n);

/* Bytes, whole characters, that all words have in common. */
size_t candidates_common(const candidates *list);

#endif
