/* regex_ahead.c - see regex_ahead.h
 *
 * Behind `^` a look-ahead is a condition of its own on the whole text: the text fits if it fits
 * both, or does not fit the negative one. So these can be taken off, and their automata multiplied.
 */
#include "runtime/grammar/regex_ahead.h"

/* The next place of a character outside of classes and groups; bytes: there is none. */
static size_t find_at_top(const char *text, size_t bytes, size_t at, char wanted)
{
	size_t depth = 0;
	bool in_class = false;

	for (; at < bytes; at++) {
		if (text[at] == '\\') {
			at++;
		} else if (in_class) {
			in_class = text[at] != ']';
		} else if (text[at] == wanted && depth == 0) {
			return at;
		} else if (text[at] == '[') {
			in_class = true;
		} else if (text[at] == '(') {
			depth++;
		} else if (text[at] == ')' && depth > 0) {
			depth--;
		}
	}
	return bytes;
}

bool regex_find_ahead(const char *text, size_t bytes, size_t at, regex_ahead *group)
{
	if (bytes < 3 || at > bytes - 3 || text[at] != '(' || text[at + 1] != '?' ||
	    (text[at + 2] != '!' && text[at + 2] != '='))
		return false;
	group->is_negative = text[at + 2] == '!';
	group->begin = at + 3;
	group->end = find_at_top(text, bytes, at + 3, ')');
	return group->end < bytes;
}

bool regex_begins_ahead(const char *text, size_t bytes)
{
	regex_ahead group;

	return bytes > 0 && text[0] == '^' && regex_find_ahead(text, bytes, 1, &group) &&
	       find_at_top(text, bytes, 0, '|') == bytes;
}
