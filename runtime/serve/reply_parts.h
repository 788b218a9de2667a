/* reply_parts.h - an answer kept whole as it comes: texts, reasoning and tool calls, in order */
#ifndef SERVE_REPLY_PARTS_H
#define SERVE_REPLY_PARTS_H

#include "runtime/brise.h"
#include "runtime/serve/body.h"

typedef struct reply_part {
	bool is_call;
	bool is_thought;
	bool is_whole; /* it has ended as it should */
	char *name;    /* of the tool */
	char id[10];   /* of the call */
	body text;     /* or the call's arguments */
	body tokens;   /* JSON of its tokens, with commas between them */
} reply_part;

/* All zero: none. */
typedef struct reply_parts {
	reply_part *parts; /* [n] */
	size_t n, room;
	bool failed; /* memory ran out: something is missing */
} reply_parts;

/* Whether a piece begins a new part: a call does, and text or reasoning behind another part. */
bool reply_parts_begins(const reply_parts *p, const brise_answer_piece *piece);

/* The part that a piece belongs to: the last, or a new one. NULL: no memory. */
reply_part *reply_parts_take(reply_parts *p, const brise_answer_piece *piece);

/* The last one, NULL if there is none. */
reply_part *reply_parts_last(reply_parts *p);

/* Whether memory ran out anywhere. */
bool reply_parts_failed(const reply_parts *p);
void reply_parts_free(reply_parts *p);

/* Whether text [n] is one JSON object that any reader takes. */
bool reply_is_object(const char *text, size_t n);

#endif
