/* markup.h - the little of Markdown that wrapping must know: code blocks, and list items
 *
 * Follows CommonMark 0.31 for fences: three or more backticks or tildes at the start of a line; as
 * many of the same close. An opening line of backticks has no other backtick.
 */
#ifndef CONSOLE_MARKUP_H
#define CONSOLE_MARKUP_H

#include <stdbool.h>
#include <stdint.h>

typedef enum markup_place {
	MARKUP_START,  /* blanks only, so far in this line */
	MARKUP_FENCE,  /* `, ``, ... */
	MARKUP_DIGITS, /* 1, 12, ... */
	MARKUP_MARK,   /* a bullet, or a number's point: an item if a blank follows */
	MARKUP_ITEM,   /* the blanks after that */
	MARKUP_TEXT
} markup_place;

/* All zeros to begin with. */
typedef struct markup {
	markup_place place;
	uint32_t fence;             /* its character, in this line */
	int n_fence;                /* how many */
	bool is_opening;            /* this line began a code block */
	bool is_closing;            /* this line ends it if nothing follows */
	bool in_code;               /* from the opening line's fence to the closing line's end */
	uint32_t code_fence;        /* of the opening line */
	int n_code_fence, n_digits; /* of a list number in this line */
} markup;

/* Takes the next character. True: the line's own text begins with it, behind blanks and a list
 * item's mark: what is wrapped is to be indented as far. */
bool markup_take(markup *m, uint32_t c);

#endif
