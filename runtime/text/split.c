/* split.c - the pattern of Mistral's tekken tokenizers, matched by hand
 *
 * The pattern's alternatives, of which the first that matches counts, each greedy with
 * backtracking, where U is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and W is [\p{Ll}\p{Lm}\p{Lo}\p{M}]:
 *
 *  1  [^\r\n\p{L}\p{N}]? U* W+
 *  2  [^\r\n\p{L}\p{N}]? U+ W*
 *  3  \p{N}
 *  4  " "? [^\s\p{L}\p{N}]+ [\r\n/]*
 *  5  \s* [\r\n]+
 *  6  \s+ (?!\S)
 *  7  \s+
 *
 * What backtracking comes to:
 * - In 1, U* takes all that it can. If a lower-case letter follows, W+ begins there. If not, U*
 * gives characters back until W+ finds one that is in both sets (Lm, Lo, M), the last of the run;
 * upper case follows it, so W+ takes that one only and the piece ends behind it.
 * - A mark may be the one character before a word or its first one. The latter always matches 1, so
 * 2 is never tried with a mark at its beginning.
 * - Where 2 is reached, 1 has failed: the run is upper case only and no W follows it.
 * - In 5, \s* gives back what follows the last CR or LF of the white space, and that CR or LF
 * itself.
 * - In 6, \s+ gives back the last character, unless the text ends there.
 * So no alternative looks further than the run of characters that the piece begins with, and each
 * run is looked at a few times at most.
 */
#include "runtime/text/split.h"

#include <stdbool.h>

#include "runtime/text/split_ranges.h"
#include "runtime/text/utf8.h"

/* Digits of split_ranges.h beyond split_class. */
enum { FROM_UPPER = 8, FROM_LOWER = 9 };

#define SET(class) (1u << (class))
#define END        0u /* no class is in it */

#define PREFIX (SET(SPLIT_OTHER) | SET(SPLIT_SPACE) | SET(SPLIT_MARK)) /* [^\r\n\p{L}\p{N}] */
#define UPPERS (SET(SPLIT_UPPER) | SET(SPLIT_LETTER) | SET(SPLIT_MARK))
#define LOWERS (SET(SPLIT_LOWER) | SET(SPLIT_LETTER) | SET(SPLIT_MARK))
#define SYMBOL (SET(SPLIT_OTHER) | SET(SPLIT_MARK)) /* [^\s\p{L}\p{N}] */
#define SPACES (SET(SPLIT_SPACE) | SET(SPLIT_NEWLINE))

split_class split_classify(uint32_t character)
{
	size_t from = 0, to = sizeof split_ranges / sizeof *split_ranges;
	uint32_t found, offset;

	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (character < split_ranges[middle] >> 4)
			to = middle;
		else
			from = middle;
	}
	found = split_ranges[from] & 15;
	offset = character - (split_ranges[from] >> 4);
	if (found == FROM_UPPER || found == FROM_LOWER)
		return (found == FROM_UPPER) == (offset % 2 == 0) ? SPLIT_UPPER : SPLIT_LOWER;
	return (split_class)found;
}

typedef struct subject {
	const uint8_t *text;
	size_t bytes;
} subject;

/* The set that holds the class of the character at a place alone, END at the end; *step: its
 * bytes. */
static unsigned look(const subject *s, size_t at, size_t *step)
{
	int measured;

	*step = 1;
	if (at >= s->bytes)
		return END;
	measured = utf8_measure(s->text + at, s->bytes - at);
	if (measured <= 0)
		return SET(SPLIT_OTHER);
	*step = (size_t)measured;
	return SET(split_classify(utf8_read(s->text + at, measured)));
}

/* Where a run of a set's characters ends. */
static size_t pass(const subject *s, size_t at, unsigned set)
{
	size_t step;

	while (look(s, at, &step) & set)
		at += step;
	return at;
}

/* The end of U* W+ at a place, or of U+ W* where the former is known to fail; `from` itself: no
 * match. */
static size_t match_word(const subject *s, size_t from, bool has_lower)
{
	size_t at = from, in_both = from, step;
	unsigned found;

	for (; (found = look(s, at, &step)) & UPPERS; at += step)
		if (found & LOWERS)
			in_both = at + step;
	if (found == SET(SPLIT_LOWER))
		return pass(s, at, LOWERS);
	return has_lower ? in_both : at;
}

static size_t match_symbols(const subject *s, size_t from)
{
	size_t at = pass(s, from, SYMBOL);

	if (at > from)
		while (at < s->bytes &&
		       (s->text[at] == '\r' || s->text[at] == '\n' || s->text[at] == '/'))
			at++;
	return at;
}

/* Alternatives 5 to 7, where the text begins with white space. */
static size_t match_spaces(const subject *s)
{
	size_t at = 0, last = 0, newline = 0, step;
	unsigned found;

	for (; (found = look(s, at, &step)) & SPACES; at += step) {
		last = at;
		if (found == SET(SPLIT_NEWLINE))
			newline = at + step;
	}
	if (newline > 0)
		return newline;
	return at < s->bytes && last > 0 ? last : at;
}

size_t split_next(const uint8_t *text, size_t bytes)
{
	const subject s = { text, bytes };
	size_t step, end, from;
	unsigned first = look(&s, 0, &step);

	if (first & PREFIX && (end = match_word(&s, step, true)) > step)
		return end;
	if (first & (UPPERS | LOWERS) && (end = match_word(&s, 0, true)) > 0)
		return end;
	if (first & PREFIX && (end = match_word(&s, step, false)) > step)
		return end;
	if (first == SET(SPLIT_UPPER))
		return match_word(&s, 0, false);
	if (first == SET(SPLIT_NUMBER))
		return step;
	from = text[0] == ' ';
	if ((end = match_symbols(&s, from)) > from)
		return end;
	return match_spaces(&s);
}
