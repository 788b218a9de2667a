/* nearest.c - optimal string alignment distance (Damerau 1964): three rows of the usual table,
 * since a swap looks two rows back */
#include "runtime/cli/nearest.h"

#include <string.h>

#define NEAREST_BYTES 63

static size_t clipped_length(const char *text)
{
	const char *end = memchr(text, '\0', NEAREST_BYTES);

	return end ? (size_t)(end - text) : NEAREST_BYTES;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned nearest_distance(const char *a, const char *b)
{
	unsigned rows[3][NEAREST_BYTES + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	size_t a_length = clipped_length(a), b_length = clipped_length(b), i, j;

	for (j = 0; j <= b_length; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= a_length; i++) {
		unsigned *free_row = before;

		before = above;
		above = row;
		row = free_row;
		row[0] = (unsigned)i;
		for (j = 1; j <= b_length; j++) {
			unsigned same = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = least(same, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return row[b_length];
}

void nearest_offer(nearest_match *match, const char *typed, const char *candidate)
{
	size_t length = strlen(typed);
	unsigned distance = nearest_distance(typed, candidate);

	if (length > 1 && distance > 1 && strncmp(typed, candidate, length) == 0)
		distance = 1;
	if (!match->best || distance < match->distance) {
		match->best = candidate;
		match->distance = distance;
	}
}

const char *nearest_choose(const nearest_match *match, const char *typed)
{
	size_t allowed = strlen(typed) / 3;

	if (!match->best)
		return NULL;
	return match->distance <= (allowed ? allowed : 1) && match->distance < strlen(match->best)
	               ? match->best
	               : NULL;
}
