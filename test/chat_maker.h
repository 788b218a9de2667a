/* chat_maker.h - small vocabularies with the control tokens of chat formats, and ids spelled out */
#ifndef TEST_CHAT_MAKER_H
#define TEST_CHAT_MAKER_H

#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/sentencepiece.h"
#include "convert/tokenizer/tekken.h"
#include "runtime/text/added.h"
#include "runtime/text/chat_line.h"
#include "test/handmade_model.h"
#include "test/whole_file.h"

#define CHAT_MAKER_TEKKEN "test/models/tekken/tekken.json" /* has the tokens of v13 */

typedef enum chat_vocabulary {
	VOCABULARY_V1,      /* no control tokens but <s> and </s> */
	VOCABULARY_V3,      /* Mistral's */
	VOCABULARY_CHATML,  /* <|im_start|> a symbol, <|im_end|> a control token */
	VOCABULARY_CONTROL, /* both are control tokens */
	VOCABULARIES
} chat_vocabulary;

typedef struct chat_maker {
	uint8_t *section; /* aligned, with room for added tokens */
	size_t bytes;
	brise_tokenizer *t;
} chat_maker;

static inline void chat_maker_put_marks(handmade *m, chat_vocabulary which)
{
	static const char *const mistral[] = { "[INST]",
		                               "[/INST]",
		                               "[TOOL_CALLS]",
		                               "[AVAILABLE_TOOLS]",
		                               "[/AVAILABLE_TOOLS]",
		                               "[TOOL_RESULTS]",
		                               "[/TOOL_RESULTS]",
		                               "[ARGS]",
		                               "[CALL_ID]" };
	size_t i;

	for (i = 0; which == VOCABULARY_V3 && i < sizeof mistral / sizeof *mistral; i++)
		handmade_piece(m, mistral[i], 0, 3);
	if (which == VOCABULARY_CHATML || which == VOCABULARY_CONTROL) {
		handmade_piece(m, "<|im_start|>", 0, which == VOCABULARY_CHATML ? 4 : 3);
		handmade_piece(m, "<|im_end|>", 0, 3);
	}
}

/* Adds a section of added tokens: all control tokens, special, and all symbols, with `flags`. */
static inline size_t chat_maker_add(uint8_t *at, const brise_tokenizer *t, added_rule rule,
                                    uint32_t flags)
{
	added_header h = { rule, 0 };
	uint32_t id;

	for (id = 0; id < t->vocab; id++) {
		bool control = t->types[id] == PIECE_CONTROL;
		added_entry e = { id, control ? ADDED_SPECIAL : flags };

		if (!control && t->types[id] != PIECE_USER_DEFINED)
			continue;
		memcpy(at + sizeof h + h.n++ * sizeof e, &e, sizeof e);
	}
	memcpy(at, &h, sizeof h);
	return sizeof h + h.n * sizeof(added_entry);
}

/* rule 0: without a section of added tokens. False: something failed. */
static inline bool chat_maker_open(chat_maker *c, chat_vocabulary which, added_rule rule,
                                   uint32_t flags)
{
	handmade m = { .n = 0 };
	void *section = NULL;
	brise_error err;
	bool done;

	*c = (chat_maker){ NULL, 0, NULL };
	handmade_piece(&m, "<unk>", 0, 2);
	handmade_piece(&m, "<s>", 0, 3);
	handmade_piece(&m, "</s>", 0, 3);
	chat_maker_put_marks(&m, which);
	handmade_byte_pieces(&m);
	handmade_piece(&m, "\xe2\x96\x81", -1, 1);
	handmade_piece(&m, "<", -2, 1);
	handmade_piece(&m, "|", -3, 1);
	handmade_piece(&m, "<|", -1.5f, 1);
	handmade_rules(&m, 1, 1);
	done = sentencepiece_read_memory(m.bytes, m.n, "vocabulary", &section, &c->bytes, &err) ==
	       BRISE_OK;
	c->section = done ? calloc(1, c->bytes + 256) : NULL;
	if (c->section)
		memcpy(c->section, section, c->bytes);
	free(section);
	done = c->section &&
	       brise_open_tokenizer(&c->t, c->section, c->bytes, "vocabulary", &err) == BRISE_OK;
	if (done && rule > 0) {
		size_t more = chat_maker_add(c->section + c->bytes, c->t, rule, flags);

		brise_close_tokenizer(c->t);
		c->bytes += more;
		done = brise_open_tokenizer(&c->t, c->section, c->bytes, "vocabulary", &err) ==
		       BRISE_OK;
	}
	if (!done)
		fprintf(stderr, "%s\n", err.message);
	return done;
}

/* The small byte-level tokenizer, with `to` instead of `from` where that first stands in its file;
 * NULL: as it is. False: something failed. */
static inline bool chat_maker_open_tekken(chat_maker *c, const char *from, const char *to)
{
	file json = read_file(CHAT_MAKER_TEKKEN);
	brise_error err = { .message = "it is not there" };
	size_t bytes = json.size + (to ? strlen(to) : 0);
	char *text = json.bytes ? malloc(bytes + 1) : NULL, *at = NULL;
	void *section = NULL;
	bool done = false;

	*c = (chat_maker){ NULL, 0, NULL };
	if (text) {
		memcpy(text, json.bytes, json.size);
		text[json.size] = 0;
		at = from ? strstr(text, from) : NULL;
		if (at) {
			memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
			memcpy(at, to, strlen(to));
		}
		done = tekken_read_memory(text, strlen(text), CHAT_MAKER_TEKKEN, NULL, &section,
		                          &c->bytes, &err) == BRISE_OK &&
		       brise_open_tokenizer(&c->t, section, c->bytes, CHAT_MAKER_TEKKEN, &err) ==
		               BRISE_OK &&
		       (at || !from);
	}
	c->section = section;
	free(text);
	free(json.bytes);
	if (!done)
		fprintf(stderr, "%s: %s\n", CHAT_MAKER_TEKKEN, err.message);
	return done;
}

static inline void chat_maker_close(chat_maker *c)
{
	brise_close_tokenizer(c->t);
	free(c->section);
}

static inline bool chat_maker_is_mark(const brise_tokenizer *t, int32_t id)
{
	return t->types[id] == PIECE_CONTROL || t->types[id] == PIECE_USER_DEFINED;
}

/* Marks as {[INST]}, bytes as they are, "_" for the space of pieces; to `out` [bytes]. */
static inline void chat_maker_spell(const brise_tokenizer *t, const int32_t *ids, size_t n,
                                    char *out, size_t bytes)
{
	size_t i, at = 0, piece_bytes;
	const char *piece;

	for (i = 0; i < n && at + 64 < bytes; i++) {
		(void)brise_get_piece(t, ids[i], &piece, &piece_bytes, NULL);
		if (t->types[ids[i]] == PIECE_BYTE)
			out[at++] = (char)tokenizer_parse_byte((const uint8_t *)piece, piece_bytes);
		else if (piece_bytes >= 3 && !memcmp(piece, "\xe2\x96\x81", 3))
			out[at++] = '_';
		else
			at += (size_t)snprintf(out + at, bytes - at,
			                       chat_maker_is_mark(t, ids[i]) ? "{%.*s}" : "%.*s",
			                       (int)piece_bytes, piece);
	}
	out[at] = 0;
}

/* Reads a conversation from JSON, in which ' stands for ". */
static inline brise_status chat_maker_read(chat_line *line, const char *json, brise_error *err)
{
	char *text = malloc(strlen(json) + 1), *at;
	json_reader r;
	brise_status status;

	*line = (chat_line){ .takes_reasoning = true };
	if (!text)
		return BRISE_ENOMEM;
	strcpy(text, json);
	for (at = text; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	json_begin(&r, text, strlen(text), "line", err);
	(void)chat_line_read(line, &r);
	status = json_end(&r);
	free(text);
	return status;
}

#endif
