/* utf8_classes.c - see utf8_classes.h */
#include "runtime/text/utf8_classes.h"

#include "runtime/text/utf8.h"
#include "runtime/text/word_ranges.h"

#define NO_CHARACTER UINT32_MAX

/* The first character and its bytes; NO_CHARACTER where there is none. */
static uint32_t first_character(const uint8_t *text, size_t bytes, int *step)
{
	*step = bytes > 0 ? utf8_measure(text, bytes) : 0;
	return *step > 0 ? utf8_read(text, *step) : NO_CHARACTER;
}

static uint32_t last_character(const uint8_t *text, size_t bytes, int *step)
{
	uint32_t c;
	size_t n;

	for (n = 1; n <= 4 && n <= bytes; n++)
		if ((text[bytes - n] & 0xc0) != 0x80) {
			c = first_character(text + bytes - n, n, step);
			return *step == (int)n ? c : NO_CHARACTER;
		}
	return NO_CHARACTER;
}

static bool is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

static bool is_word(uint32_t c)
{
	size_t from = 0, to = sizeof word_ranges / sizeof *word_ranges;

	if (c < 128)
		return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_' ||
		       (c >= 'a' && c <= 'z');
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (c < WORDS_FIRST(word_ranges[middle]))
			to = middle;
		else if (c > WORDS_LAST(word_ranges[middle]))
			from = middle + 1;
		else
			return true;
	}
	return false;
}

size_t utf8_count_spaces(const uint8_t *text, size_t bytes)
{
	size_t n = 0;
	int step;

	while (is_space(first_character(text + n, bytes - n, &step)))
		n += (size_t)step;
	return n;
}

size_t utf8_count_spaces_before(const uint8_t *text, size_t bytes)
{
	size_t n = 0;
	int step;

	while (is_space(last_character(text, bytes - n, &step)))
		n += (size_t)step;
	return n;
}

bool utf8_begins_with_word(const uint8_t *text, size_t bytes)
{
	int step;

	return is_word(first_character(text, bytes, &step));
}

bool utf8_ends_with_word(const uint8_t *text, size_t bytes)
{
	int step;

	return is_word(last_character(text, bytes, &step));
}
