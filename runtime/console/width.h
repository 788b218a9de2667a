/* width.h - characters as a terminal shows them: which belong together, and how many columns they
 * take
 *
 * A cluster is what a reader sees as one character, and what the cursor moves over in one step: a
 * character with its marks, two regional indicators (a flag), an emoji with its modifiers and with
 * what zero width joiners add to it. That is Unicode Standard Annex 29 without its rules for
 * conjuncts and prepended marks. Ambiguous widths count as one column. Terminals disagree about
 * some clusters, so what writes a doubtful one must set the column after it.
 */
#ifndef CONSOLE_WIDTH_H
#define CONSOLE_WIDTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer cluster is cut, so that what holds one needs no memory of its own. */
#define WIDTH_CLUSTER_MAX 64u

typedef struct width_cluster {
	uint32_t base, last; /* code points */
	size_t bytes;
	int columns;
	bool is_doubtful;
} width_cluster;

/* The code point at the start of text [n], n > 0, and its bytes; U+FFFD for a byte that begins
 * none. */
uint32_t width_decode(const char *text, size_t n, size_t *bytes);

/* Writes c as UTF-8; returns how many bytes. */
size_t width_encode(uint32_t c, char text[4]);

/* Whether c, of `bytes` bytes, belongs to the cluster. */
bool width_joins(const width_cluster *cluster, uint32_t c, size_t bytes);

/* Begins a cluster with c. A mark without a character to stand on takes a column. */
void width_begin(width_cluster *cluster, uint32_t c, size_t bytes);

/* Adds c, which joins; returns how many columns the cluster has grown by. */
int width_join(width_cluster *cluster, uint32_t c, size_t bytes);

/* The cluster at the start of text [n], n > 0. A control character is one of its own. */
void width_measure(const char *text, size_t n, width_cluster *cluster);

/* Bytes of the cluster that ends at `at` > 0 in text. */
size_t width_step_back(const char *text, size_t at);

/* Characters that a terminal would obey, or that change what stands beside them or hide: controls,
 * bidirectional overrides and isolates, line separators, tags. They are shown as text instead:
 * "^[", "<9B>", "<U+202E>". Writes that to `text` and returns its bytes, which are its columns; 0:
 * c is written as it is. */
#define WIDTH_SHOWN_MAX 10u
size_t width_show(uint32_t c, char text[WIDTH_SHOWN_MAX]);

/* Whether a cluster that begins with c would be a mark on nothing; it is written on a dotted
 * circle. */
bool width_needs_base(uint32_t c);
#define WIDTH_BASE       "\xe2\x97\x8c" /* U+25CC */
#define WIDTH_BASE_BYTES 3u

#endif
