/* test_tokenizer.c - SentencePiece's models, the tokenizer section, encoding and decoding
 *
 * Three references: reference vectors (BRISE_GOLD), a slow encoder written from the definition, and
 * models made by hand with known answers.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/protobuf.h"
#include "convert/tokenizer/sentencepiece.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"
#include "test/check.h"
#include "test/guarded.h"
#include "test/handmade_model.h"
#include "test/json_line.h"
#include "test/random.h"

#define BREEZE "test/models/breeze/tokenizer.model"

static check_counts counts;

typedef struct opened {
	void *section;
	size_t bytes;
	brise_tokenizer *t;
	brise_decoder *d;
} opened;

static bool finish_open(opened *o, const char *what, brise_status status, brise_error *err)
{
	if (status == BRISE_OK)
		status = brise_open_tokenizer(&o->t, o->section, o->bytes, what, err);
	if (status == BRISE_OK)
		status = brise_new_decoder(&o->d, o->t, err);
	CHECK(&counts, status == BRISE_OK, "%s opens: %s", what, err->message);
	return status == BRISE_OK;
}

static bool open_file(opened *o, const char *path)
{
	brise_error err = { 0 };

	memset(o, 0, sizeof *o);
	return finish_open(o, path, sentencepiece_read_model(path, &o->section, &o->bytes, &err),
	                   &err);
}

static bool open_handmade(opened *o, const handmade *m, const char *what)
{
	brise_error err = { 0 };

	memset(o, 0, sizeof *o);
	return finish_open(
	        o, what,
	        sentencepiece_read_memory(m->bytes, m->n, what, &o->section, &o->bytes, &err),
	        &err);
}

static void close_opened(opened *o)
{
	brise_free_decoder(o->d);
	brise_close_tokenizer(o->t);
	free(o->section);
}

/* ---- helpers that compare -------------------------------------------------------------------- */

static bool encodes_to(const brise_tokenizer *t, const char *text, size_t bytes, const int32_t *ids,
                       size_t n)
{
	int32_t *got;
	size_t n_got;
	bool same;

	if (brise_encode_text(t, text, bytes, false, &got, &n_got, NULL) != BRISE_OK)
		return false;
	same = n_got == n && (n == 0 ? got == NULL : memcmp(got, ids, n * sizeof *ids) == 0);
	free(got);
	return same;
}

static bool is_utf8(const char *text, size_t bytes)
{
	int step;

	for (; bytes; text += step, bytes -= (size_t)step) {
		step = utf8_measure((const uint8_t *)text, bytes);
		if (step <= 0)
			return false;
	}
	return true;
}

/* The whole text of ids, malloc'ed; *whole says whether every piece of output was UTF-8 by
 * itself. */
static char *decode(brise_decoder *d, const int32_t *ids, size_t n, size_t *bytes, bool *whole)
{
	char *out = NULL, *grown;
	const char *text;
	size_t i, step;

	*bytes = 0;
	*whole = true;
	for (i = 0; i <= n; i++) {
		if (i == n)
			(void)brise_finish_decoder(d, &text, &step, NULL);
		else if (brise_decode_token(d, ids[i], &text, &step, NULL) != BRISE_OK)
			break;
		*whole = *whole && is_utf8(text, step);
		grown = realloc(out, *bytes + step + 1);
		if (!grown)
			break;
		out = grown;
		memcpy(out + *bytes, text, step);
		*bytes += step;
	}
	return out;
}

static bool decodes_to(brise_decoder *d, const int32_t *ids, size_t n, const char *text,
                       size_t bytes)
{
	bool whole, same;
	size_t n_got;
	char *got = decode(d, ids, n, &n_got, &whole);

	same = got && n_got == bytes && memcmp(got, text, bytes) == 0 && whole;
	free(got);
	return same;
}

/* ---- reference vectors ----------------------------------------------------------------------- */

typedef enum vector_kind { VECTOR_ENCODE, VECTOR_DECODE, VECTOR_BYTES } vector_kind;

static void check_line(const opened *o, const char *path, unsigned number, const char *line,
                       vector_kind kind)
{
	size_t n_ids = 0, text_bytes = 0, decoded_bytes = 0;
	int32_t *ids = json_line_ids(json_line_find(line, "ids"), &n_ids);
	char *text =
	        kind == VECTOR_ENCODE  ? json_line_string(json_line_find(line, "text"), &text_bytes)
	        : kind == VECTOR_BYTES ? json_line_hex(json_line_find(line, "hex"), &text_bytes)
	                               : NULL;
	char *decoded = kind == VECTOR_BYTES
	                        ? NULL
	                        : json_line_string(json_line_find(line, "decoded"), &decoded_bytes);

	CHECK(&counts, ids && (text || kind == VECTOR_DECODE) && (decoded || kind == VECTOR_BYTES),
	      "%s:%u can be read", path, number);
	if (ids && text)
		CHECK(&counts, encodes_to(o->t, text, text_bytes, ids, n_ids),
		      "%s:%u encodes as the reference does", path, number);
	if (ids && decoded)
		CHECK(&counts, decodes_to(o->d, ids, n_ids, decoded, decoded_bytes),
		      "%s:%u decodes as the reference does", path, number);
	free(ids);
	free(text);
	free(decoded);
}

static void test_vectors(const char *gold, const char *name)
{
	static const char *const suffixes[] = { "encode", "decode", "bytes" };
	char path[4096], *line = NULL;
	size_t room = 0;
	opened o;
	int kind;

	(void)snprintf(path, sizeof path, "%s/tokenizer/%s.model", gold, name);
	if (open_file(&o, path)) {
		for (kind = VECTOR_ENCODE; kind <= VECTOR_BYTES; kind++) {
			FILE *file;
			unsigned number = 0;

			(void)snprintf(path, sizeof path, "%s/tokenizer/%s.%s.jsonl", gold, name,
			               suffixes[kind]);
			file = fopen(path, "rb");
			while (file && json_line_read(file, &line, &room))
				check_line(&o, path, ++number, line, (vector_kind)kind);
			CHECK(&counts, number > 50, "%s has lines", path);
			if (file)
				(void)fclose(file);
		}
	}
	free(line);
	close_opened(&o);
}

/* ---- a slow encoder, straight from the definition -------------------------------------------- */

typedef struct slow_symbol {
	size_t from, to;
	bool frozen;
} slow_symbol;

typedef struct slow {
	const brise_tokenizer *t;
	uint8_t text[1024];
	size_t bytes, n;
	slow_symbol symbols[1024];
	size_t cuts[1024]; /* of an unused piece */
	int32_t ids[1024];
	size_t n_ids;
} slow;

/* The piece of that text among those that text may give, by looking at all of them. */
static int32_t slow_find(const slow *s, size_t from, size_t to)
{
	uint32_t id;

	for (id = 0; id < s->t->vocab; id++)
		if ((s->t->types[id] == PIECE_NORMAL || s->t->types[id] == PIECE_USER_DEFINED ||
		     s->t->types[id] == PIECE_UNUSED) &&
		    tokenizer_piece_bytes(s->t, id) == to - from &&
		    memcmp(s->t->text + s->t->offsets[id], s->text + from, to - from) == 0)
			return (int32_t)id;
	return -1;
}

static size_t slow_match_user(const slow *s, size_t from)
{
	size_t longest = 0;
	uint32_t id;

	for (id = 0; id < s->t->vocab; id++) {
		size_t bytes = tokenizer_piece_bytes(s->t, id);

		if (s->t->types[id] == PIECE_USER_DEFINED && bytes <= s->bytes - from &&
		    bytes > longest &&
		    memcmp(s->t->text + s->t->offsets[id], s->text + from, bytes) == 0)
			longest = bytes;
	}
	return longest;
}

static void slow_note_cut(slow *s, size_t left)
{
	int32_t id;

	if (left + 1 >= s->n || s->symbols[left].frozen || s->symbols[left + 1].frozen)
		return;
	id = slow_find(s, s->symbols[left].from, s->symbols[left + 1].to);
	if (id >= 0 && s->t->types[id] == PIECE_UNUSED)
		s->cuts[id] = s->symbols[left].to - s->symbols[left].from;
}

static bool slow_merge_best(slow *s)
{
	size_t i, best = s->n;
	float best_score = 0;

	for (i = 0; i + 1 < s->n; i++) {
		int32_t id = s->symbols[i].frozen || s->symbols[i + 1].frozen
		                     ? -1
		                     : slow_find(s, s->symbols[i].from, s->symbols[i + 1].to);

		if (id >= 0 && (best == s->n || s->t->scores[id] > best_score)) {
			best = i;
			best_score = s->t->scores[id];
		}
	}
	if (best == s->n)
		return false;
	s->symbols[best].to = s->symbols[best + 1].to;
	memmove(s->symbols + best + 1, s->symbols + best + 2,
	        (s->n - best - 2) * sizeof *s->symbols);
	s->n--;
	if (best > 0)
		slow_note_cut(s, best - 1);
	slow_note_cut(s, best);
	return true;
}

/* Recursion as deep as merges: allowed in a test. */
static void slow_write(slow *s, size_t from, size_t to, bool *after_unknown)
{
	int32_t id = slow_find(s, from, to);

	if (id >= 0 && s->t->types[id] == PIECE_UNUSED && s->cuts[id] != 0) {
		slow_write(s, from, from + s->cuts[id], after_unknown);
		slow_write(s, from + s->cuts[id], to, after_unknown);
		return;
	}
	if (id >= 0)
		s->ids[s->n_ids++] = id;
	else if (s->t->byte_fallback)
		for (; from < to; from++)
			s->ids[s->n_ids++] = (int32_t)s->t->byte_ids[s->text[from]];
	else if (!*after_unknown)
		s->ids[s->n_ids++] = s->t->unk;
	*after_unknown = id < 0;
}

/* text is UTF-8 without spaces and short. */
static void slow_encode(slow *s, const brise_tokenizer *t, const char *text, size_t bytes)
{
	size_t at, step, i;
	bool after_unknown = false;

	memset(s, 0, sizeof *s);
	s->t = t;
	if (t->dummy_prefix) {
		memcpy(s->text, "\xe2\x96\x81", 3);
		s->bytes = 3;
	}
	memcpy(s->text + s->bytes, text, bytes);
	s->bytes += bytes;
	for (at = 0; at < s->bytes; at += step) {
		step = slow_match_user(s, at);
		s->symbols[s->n].frozen = step != 0;
		if (step == 0)
			step = (size_t)utf8_measure(s->text + at, s->bytes - at);
		s->symbols[s->n].from = at;
		s->symbols[s->n++].to = at + step;
	}
	for (i = 0; i < s->n; i++)
		slow_note_cut(s, i);
	while (slow_merge_best(s))
		;
	for (i = 0; i < s->n; i++)
		slow_write(s, s->symbols[i].from, s->symbols[i].to, &after_unknown);
}

/* Pieces over {a, b, U+00E9, U+2581} of up to six characters; scores often tie; some are
 * user-defined. In every other model some are unused, in the rest U+2581 stands in front only, so
 * that these are encoded word by word. */
static void random_model(handmade *m, uint64_t *state, bool words)
{
	static const char *const letters[] = { "a", "b", "\xc3\xa9", "\xe2\x96\x81" };
	char seen[64][32], text[32];
	unsigned n = 0, i, k, bytes_fallback = random_next(state) & 1;

	m->n = 0;
	handmade_piece(m, "<unk>", 0, 2);
	handmade_piece(m, "<s>", 0, 3);
	for (i = 0; i < 60; i++) {
		unsigned length = i < 3 ? 1 : 1 + (unsigned)(random_next(state) % (i < 30 ? 2 : 6)),
		         kind = (unsigned)(random_next(state) % 16);

		strcpy(text, words && random_next(state) % 3 == 0 ? letters[3] : "");
		while (length-- > 0)
			strcat(text, letters[random_next(state) % (words ? 3 : 4)]);
		for (k = 0; k < n && strcmp(seen[k], text) != 0; k++)
			;
		if (k < n)
			continue;
		strcpy(seen[n++], text);
		handmade_piece(m, text, -(float)(random_next(state) % 8),
		               kind < 3 && !words    ? 5
		               : kind == 3 && i > 40 ? 4
		                                     : 1);
	}
	if (bytes_fallback)
		handmade_byte_pieces(m);
	handmade_rules(m, bytes_fallback, random_next(state) & 1);
}

static void test_encoding_is_the_definition(void)
{
	static const char *const letters[] = {
		"a", "b", "\xc3\xa9", "a", "b", "\xe2\x96\x81", "c"
	};
	static slow s;
	static handmade m;
	uint64_t state = 1;
	unsigned model, text_number;

	for (model = 0; model < 100; model++) {
		opened o;
		char text[512];

		random_model(&m, &state, model % 2);
		if (!open_handmade(&o, &m, "random model"))
			break;
		CHECK(&counts, o.t->cuts_words || model % 2 == 0, "model %u is cut into words",
		      model);
		for (text_number = 0; text_number < 30; text_number++) {
			unsigned length = (unsigned)(random_next(&state) % 60);

			text[0] = 0;
			while (length-- > 0)
				strcat(text, letters[random_next(&state) % 7]);
			slow_encode(&s, o.t, text, strlen(text));
			if (text[0])
				CHECK(&counts, encodes_to(o.t, text, strlen(text), s.ids, s.n_ids),
				      "model %u encodes \"%s\" as the definition says", model,
				      text);
		}
		close_opened(&o);
	}
}

/* ---- known answers --------------------------------------------------------------------------- */

static void test_known_answers(void)
{
	static handmade m;
	opened o;

	m.n = 0;
	handmade_piece(&m, "<unk>", 0, 2);        /* 0 */
	handmade_piece(&m, "<s>", 0, 3);          /* 1 */
	handmade_piece(&m, "</s>", 0, 3);         /* 2 */
	handmade_piece(&m, "a", 0, 1);            /* 3 */
	handmade_piece(&m, "b", 0, 1);            /* 4 */
	handmade_piece(&m, "aa", -1, 1);          /* 5 */
	handmade_piece(&m, "ab", -1, 1);          /* 6 */
	handmade_piece(&m, "aab", -2, 5);         /* 7: unused */
	handmade_piece(&m, "[A]", 0, 4);          /* 8 */
	handmade_piece(&m, "[A]b", 0, 4);         /* 9 */
	handmade_piece(&m, "\xe2\x96\x81", 0, 1); /* 10 */
	handmade_piece(&m, "aaaa", -3, 1);        /* 11 */
	handmade_piece(&m, "x", 0, 3);            /* 12: a control token of one letter */
	handmade_piece(&m, "cd", -0.0f, 1);       /* 13 */
	handmade_piece(&m, "dc", 0, 1);           /* 14 */
	handmade_piece(&m, "c", 0, 1);            /* 15 */
	handmade_rules(&m, 0, 0);
	if (open_handmade(&o, &m, "known answers")) {
#define ENCODES(text, ...)                                                                         \
	CHECK(&counts,                                                                             \
	      encodes_to(o.t, text, sizeof(text) - 1, (const int32_t[]){ __VA_ARGS__ },            \
	                 sizeof((const int32_t[]){ __VA_ARGS__ }) / 4),                            \
	      "\"%s\"", text)
		CHECK(&counts, encodes_to(o.t, "", 0, NULL, 0), "no text, no ids");
		ENCODES("aaa", 5, 3);      /* leftmost of equals */
		ENCODES("aab", 5, 4);      /* aa leftmost; aab is unused and taken back */
		ENCODES("aaaaa", 11, 3);   /* merges of merges */
		ENCODES("cdc", 13, 15);    /* 0 and -0 are the same score */
		ENCODES("b[A]a", 4, 8, 3); /* user-defined symbols are cut out whole */
		ENCODES("[A]b", 9);        /* the longest of them */
		ENCODES("[A][A", 8, 0);    /* two unknown characters in a row are one token */
		ENCODES("?a??b", 0, 3, 0, 4);
		ENCODES("<s>", 0); /* text does not spell control tokens, */
		ENCODES("x", 0);   /* not even those of one letter */
		ENCODES(" a", 10, 3);
		ENCODES("\0a", 0, 3); /* NUL is a character */
		ENCODES("\xff", 0);
#undef ENCODES
		CHECK(&counts, decodes_to(o.d, (const int32_t[]){ 10, 3, 10, 4 }, 4, " a b", 4),
		      "without dummy prefix the first space stays");
		CHECK(&counts, decodes_to(o.d, (const int32_t[]){ 1, 8, 2 }, 3, "[A]", 3),
		      "control tokens give nothing");
	}
	close_opened(&o);
}

/* ---- breeze's tokenizer ---------------------------------------------------------------------- */

static bool round_trips(const opened *o, const char *text, size_t bytes)
{
	int32_t *ids;
	size_t n;
	bool same;

	if (brise_encode_text(o->t, text, bytes, false, &ids, &n, NULL) != BRISE_OK)
		return false;
	same = decodes_to(o->d, ids, n, text, bytes);
	free(ids);
	return same;
}

static void test_round_trips(const opened *o)
{
	static const char *const texts[] = { "a",
		                             " ",
		                             "  leading and  double  spaces ",
		                             "line\nbreaks\r\n\ttabs",
		                             "na\xc3\xafve caf\xc3\xa9",
		                             "\xe4\xb8\xad\xe6\x96\x87",
		                             "\xf0\x9f\x98\x80\xf0\x9f\x8f\xbd",
		                             "e\xcc\x81",
		                             "<s></s><unk><0x41>",
		                             "\x01\x02\x7f",
		                             "\xef\xbf\xbd",
		                             "\xf4\x8f\xbf\xbf" };
	uint64_t state = 7;
	char text[256];
	unsigned i;

	for (i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK(&counts, round_trips(o, texts[i], strlen(texts[i])), "\"%s\"", texts[i]);
	CHECK(&counts, round_trips(o, "a\0b", 3), "NUL bytes are text");
	for (i = 0; i < 500; i++) {
		size_t n = 0;

		while (n < sizeof text - 4) {
			uint32_t c = (uint32_t)(random_next(&state) >>
			                        (random_next(&state) % 2 ? 57 : 43));

			if (c != 0x2581 && (c < 0xd800 || c > 0xdfff) && c <= 0x10ffff)
				n += json_line_put_utf8(text + n, c);
		}
		CHECK(&counts, round_trips(o, text, n), "random text %u", i);
	}
}

/* Of each the first byte that begins no character becomes U+FFFD, then the next, so that none of
 * these bytes is left. */
static void test_what_is_not_utf8(const opened *o)
{
	static const char *const wrong[] = { "\x80",
		                             "\xbf",
		                             "\xc0\xaf",
		                             "\xc1\xbf",
		                             "\xc2",
		                             "\xe0\x80\xaf",
		                             "\xe0\x9f\xbf",
		                             "\xe1\x80",
		                             "\xed\xa0\x80",
		                             "\xed\xbf\xbf",
		                             "\xf0\x8f\xbf\xbf",
		                             "\xf0\x90\x80",
		                             "\xf4\x90\x80\x80",
		                             "\xf5\x80\x80\x80",
		                             "\xff",
		                             "\xfe" };
	static const char *const right[] = { "\xc2\x80",         "\xdf\xbf",
		                             "\xe0\xa0\x80",     "\xec\xbf\xbf",
		                             "\xed\x9f\xbf",     "\xee\x80\x80",
		                             "\xef\xbf\xbf",     "\xf0\x90\x80\x80",
		                             "\xf3\xbf\xbf\xbf", "\xf4\x8f\xbf\xbf" };
	size_t n, n_ids, k;
	int32_t *ids;
	unsigned i;

	for (i = 0; i < sizeof right / sizeof *right; i++)
		CHECK(&counts, round_trips(o, right[i], strlen(right[i])),
		      "well-formed sequence %u", i);
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char expected[16] = "";
		int32_t bytes[4];

		n = strlen(wrong[i]);
		for (k = 0; k < n; k++) {
			strcat(expected, UTF8_REPLACEMENT);
			bytes[k] = (int32_t)o->t->byte_ids[(uint8_t)wrong[i][k]];
		}
		CHECK(&counts, decodes_to(o->d, bytes, n, expected, 3 * n),
		      "ill-formed byte tokens %u", i);
		CHECK(&counts,
		      brise_encode_text(o->t, wrong[i], n, false, &ids, &n_ids, NULL) == BRISE_OK &&
		              decodes_to(o->d, ids, n_ids, expected, 3 * n),
		      "ill-formed text %u", i);
		free(ids);
	}
}

static void test_control_never_comes_from_text(const opened *o)
{
	static const char text[] = "<s>[INST] hi [/INST]</s><unk><0x0A><s>";
	int32_t *ids = NULL;
	size_t n = 0, i;
	bool none = true;

	CHECK(&counts,
	      brise_encode_text(o->t, text, sizeof text - 1, false, &ids, &n, NULL) == BRISE_OK,
	      "encodes");
	for (i = 0; i < n; i++)
		none = none && o->t->types[ids[i]] != PIECE_CONTROL && ids[i] != o->t->unk;
	CHECK(&counts, n > 0 && none, "only pieces of text and bytes");
	free(ids);
}

static void test_streaming(const opened *o)
{
	const int32_t *byte = (const int32_t *)(const void *)o->t->byte_ids;
	const char *text;
	size_t bytes;
	brise_error err;
	uint64_t state = 3;
	int32_t *ids = NULL;
	size_t n = 0;
	unsigned i;

	CHECK(&counts,
	      brise_decode_token(o->d, byte[0xe4], &text, &bytes, NULL) == BRISE_OK && bytes == 0,
	      "a third of a character waits");
	CHECK(&counts,
	      brise_decode_token(o->d, byte[0xb8], &text, &bytes, NULL) == BRISE_OK && bytes == 0,
	      "two thirds wait");
	CHECK(&counts,
	      brise_decode_token(o->d, byte[0xad], &text, &bytes, NULL) == BRISE_OK && bytes == 3 &&
	              memcmp(text, "\xe4\xb8\xad", 3) == 0,
	      "the whole comes");
	CHECK(&counts,
	      brise_decode_token(o->d, byte[0xe4], &text, &bytes, NULL) == BRISE_OK && bytes == 0,
	      "waits again");
	CHECK(&counts,
	      brise_decode_token(o->d, o->t->bos, &text, &bytes, NULL) == BRISE_OK && bytes == 3 &&
	              memcmp(text, "\xef\xbf\xbd", 3) == 0,
	      "any other token ends the waiting");
	CHECK(&counts,
	      brise_decode_token(o->d, byte[0xf0], &text, &bytes, NULL) == BRISE_OK && bytes == 0,
	      "waits");
	(void)brise_finish_decoder(o->d, &text, &bytes, NULL);
	CHECK(&counts, bytes == 3 && memcmp(text, "\xef\xbf\xbd", 3) == 0,
	      "the end gives out what is held");
	(void)brise_finish_decoder(o->d, &text, &bytes, NULL);
	CHECK(&counts, bytes == 0, "once");
	CHECK(&counts,
	      decodes_to(o->d, (const int32_t[]){ byte[0xf0], byte[0x80], byte[0x80] }, 3,
	                 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 9),
	      "an overlong form is three wrong bytes");
	CHECK(&counts,
	      decodes_to(o->d, (const int32_t[]){ 0, 0 }, 2, " \xe2\x81\x87  \xe2\x81\x87 ", 10),
	      "unknown tokens show");
	CHECK(&counts,
	      brise_encode_text(o->t, " a", 2, false, &ids, &n, NULL) == BRISE_OK &&
	              brise_decode_token(o->d, o->t->bos, &text, &bytes, NULL) == BRISE_OK,
	      "a text begins with BOS");
	CHECK(&counts, decodes_to(o->d, ids, n, " a", 2),
	      "the space of encoding is dropped after BOS too, and no other");
	free(ids);
	CHECK(&counts,
	      brise_decode_token(o->d, -1, &text, &bytes, &err) == BRISE_EINVAL && bytes == 0,
	      "id -1 is refused");
	CHECK(&counts,
	      brise_decode_token(o->d, (int32_t)o->t->vocab, &text, &bytes, &err) == BRISE_EINVAL &&
	              strstr(err.message, "vocabulary"),
	      "an id past the vocabulary is refused");
	(void)brise_finish_decoder(o->d, &text, &bytes, NULL);
	for (i = 0; i < 2000; i++) {
		int32_t drawn[12];
		size_t k;
		bool whole;

		n = random_next(&state) % 13;
		for (k = 0; k < n; k++)
			drawn[k] = (int32_t)(random_next(&state) %
			                     (random_next(&state) % 2 ? o->t->vocab : 260));
		free(decode(o->d, drawn, n, &bytes, &whole));
		CHECK(&counts, whole, "random ids %u give whole characters at every step", i);
	}
}

/* A quadratic algorithm would take hours for these. */
static void test_long_texts(const opened *o)
{
	static const char *const units[] = { "a",    " ",
		                             "ab",   "\xf0\x9f\x98\x80",
		                             "\xff", "the quick brown fox. " };
	size_t bytes = 1 << 20, i, k;
	char *text = malloc(bytes);

	for (i = 0; text && i < sizeof units / sizeof *units; i++) {
		size_t unit = strlen(units[i]), n = 0;
		int32_t *ids = NULL;

		for (k = 0; k < bytes; k++)
			text[k] = units[i][k % unit];
		CHECK(&counts,
		      brise_encode_text(o->t, text, bytes, false, &ids, &n, NULL) == BRISE_OK &&
		              n > 0,
		      "1 MB of \"%s\"", units[i]);
		free(ids);
	}
	free(text);
}

static void test_breeze(void)
{
	opened o;
	void *again = NULL;
	size_t bytes = 0;
	brise_tokenizer_facts facts;
	const char *piece;

	if (open_file(&o, BREEZE)) {
		brise_get_tokenizer_facts(o.t, &facts, sizeof facts);
		CHECK(&counts,
		      facts.vocab == 4096 && facts.unk == 0 && facts.bos == 1 && facts.eos == 2,
		      "%" PRIu32, facts.vocab);
		CHECK(&counts,
		      brise_get_piece(o.t, 1, &piece, &bytes, NULL) == BRISE_OK && bytes == 3 &&
		              memcmp(piece, "<s>", 3) == 0,
		      "BOS is <s>");
		CHECK(&counts, brise_get_piece(o.t, 4096, &piece, &bytes, NULL) == BRISE_EINVAL,
		      "piece 4096 of 4096 is refused");
		CHECK(&counts,
		      sentencepiece_read_model(BREEZE, &again, &bytes, NULL) == BRISE_OK &&
		              bytes == o.bytes && memcmp(again, o.section, bytes) == 0,
		      "the same model gives the same bytes");
		CHECK(&counts, o.bytes % 8 == 0, "a section is a multiple of 8 bytes");
		test_round_trips(&o);
		test_what_is_not_utf8(&o);
		test_control_never_comes_from_text(&o);
		test_streaming(&o);
		test_long_texts(&o);
	}
	free(again);
	close_opened(&o);
}

/* ---- hostile input --------------------------------------------------------------------------- */

static void small_model(handmade *m, unsigned byte_fallback)
{
	m->n = 0;
	handmade_piece(m, "<unk>", 0, 2);
	handmade_piece(m, "<s>", 0, 3);
	handmade_piece(m, "</s>", 0, 3);
	handmade_piece(m, "a", -1, 1);
	handmade_piece(m, "\xe2\x96\x81", -2, 1);
	handmade_piece(m, "ab", -3, 1);
	handmade_piece(m, "b", -4, 5);
	handmade_piece(m,
	               "\xe2\x96\x81"
	               "ab",
	               -5, 1);
	handmade_piece(m, "[X]", -6, 4);
	handmade_piece(m, "[XY]", -7, 4);
	if (byte_fallback)
		handmade_byte_pieces(m);
	handmade_rules(m, byte_fallback, 1);
}

/* Whatever opens must encode and decode without accesses out of bounds, and give ids of the
 * vocabulary. */
static bool survives(const void *section, size_t bytes)
{
	static const char text[] = "ab [X] [XY]ab \xe4\xb8\xad\xff ab[";
	brise_tokenizer *t;
	brise_decoder *d = NULL;
	brise_error err = { 0 };
	int32_t *ids = NULL, id;
	size_t n = 0, i, n_text;
	const char *out;
	bool fine = true;
	brise_status status = brise_open_tokenizer(&t, section, bytes, "hostile", &err);

	if (status != BRISE_OK)
		return t == NULL && (status == BRISE_EFORMAT || status == BRISE_EUNSUPPORTED) &&
		       err.code == status && strncmp(err.message, "hostile: ", 9) == 0;
	if (brise_encode_text(t, text, sizeof text - 1, false, &ids, &n, NULL) != BRISE_OK ||
	    brise_new_decoder(&d, t, NULL) != BRISE_OK)
		fine = false;
	for (i = 0; fine && i < n; i++)
		fine = ids[i] >= 0 && (uint32_t)ids[i] < t->vocab &&
		       t->types[ids[i]] != PIECE_CONTROL;
	for (id = 0; fine && (uint32_t)id < t->vocab; id++)
		fine = brise_get_piece(t, id, &out, &n_text, NULL) == BRISE_OK && n_text > 0 &&
		       brise_decode_token(d, id, &out, &n_text, NULL) == BRISE_OK &&
		       is_utf8(out, n_text);
	free(ids);
	brise_free_decoder(d);
	brise_close_tokenizer(t);
	return fine;
}

/* A full table has no empty entry for a search to stop at: a search for an absent key would never
 * end. */
static void test_full_hash_table_is_refused(void *section, size_t bytes)
{
	tokenizer_header h;
	tokenizer_places places;
	uint32_t slot, some = 0, *hash;
	brise_tokenizer *t;
	brise_error err = { 0 };

	memcpy(&h, section, sizeof h);
	places = tokenizer_find_places(&h);
	hash = (uint32_t *)(void *)((uint8_t *)section + places.hash);
	for (slot = 0; slot < h.slots; slot++)
		some = hash[slot] ? hash[slot] : some;
	for (slot = 0; slot < h.slots; slot++)
		hash[slot] = hash[slot] ? hash[slot] : some;
	CHECK(&counts,
	      brise_open_tokenizer(&t, section, bytes, "full", &err) == BRISE_EFORMAT &&
	              strstr(err.message, "at most half"),
	      "%s", err.message);
}

static void test_hostile_sections(unsigned byte_fallback)
{
	static handmade m;
	void *section = NULL;
	size_t bytes = 0, at, k;
	guarded g;
	uint64_t state = 5;
	unsigned bit, round;

	small_model(&m, byte_fallback);
	CHECK(&counts,
	      sentencepiece_read_memory(m.bytes, m.n, "small", &section, &bytes, NULL) == BRISE_OK,
	      "the small model converts");
	if (!section)
		return;
	CHECK(&counts, survives(section, bytes), "the section as it is opens and works");
	g = guarded_new(bytes, 8);
	for (at = 0; at < bytes; at++) {
		bool fine = true;

		memcpy(g.data, section, bytes);
		for (bit = 0; bit < 9; bit++) {
			g.data[at] =
			        (uint8_t)(((uint8_t *)section)[at] ^ (bit == 8 ? 0xff : 1u << bit));
			fine = fine && survives(g.data, bytes);
		}
		CHECK(&counts, fine, "byte %zu flipped does no harm", at);
	}
	for (round = 0; round < 2000; round++) {
		memcpy(g.data, section, bytes);
		for (k = 0; k < 4; k++)
			g.data[random_next(&state) % bytes] = (uint8_t)random_next(&state);
		CHECK(&counts, survives(g.data, bytes), "four random bytes, round %u, do no harm",
		      round);
	}
	guarded_free(&g);
	for (at = 0; at < bytes; at++) {
		g = guarded_new(at, 8);
		memcpy(g.data, section, at);
		CHECK(&counts,
		      brise_open_tokenizer(&(brise_tokenizer *){ NULL }, g.data, at, "cut", NULL) ==
		              BRISE_EFORMAT,
		      "cut to %zu bytes it is refused", at);
		guarded_free(&g);
	}
	g = guarded_new(bytes + 8, 8);
	memcpy(g.data + 4, section, bytes);
	CHECK(&counts,
	      brise_open_tokenizer(&(brise_tokenizer *){ NULL }, g.data + 4, bytes, "unaligned",
	                           NULL) == BRISE_EFORMAT,
	      "unaligned it is refused");
	guarded_free(&g);
	test_full_hash_table_is_refused(section, bytes);
	free(section);
}

/* Reads a model in memory that ends at a guard page; true if it was refused or gave a section that
 * works. */
static bool model_survives(const uint8_t *model, size_t bytes)
{
	guarded g = guarded_new(bytes, 1);
	void *section = NULL;
	size_t n = 0;
	brise_error err = { 0 };
	brise_status status;
	bool fine;

	memcpy(g.data, model, bytes);
	status = sentencepiece_read_memory(g.data, bytes, "model", &section, &n, &err);
	fine = status == BRISE_OK ? survives(section, n)
	                          : !section && n == 0 && err.code == status &&
	                                    strncmp(err.message, "model: ", 7) == 0;
	free(section);
	guarded_free(&g);
	return fine;
}

static void test_hostile_models(void)
{
	static handmade m;
	size_t at;
	unsigned bit;

	small_model(&m, 1);
	for (at = 0; at < m.n; at++) {
		uint8_t whole = m.bytes[at];
		bool fine = model_survives(m.bytes, at);

		CHECK(&counts, fine, "cut to %zu bytes a model does no harm", at);
		for (bit = 0; bit < 8; bit++) {
			m.bytes[at] = (uint8_t)(whole ^ 1u << bit);
			fine = fine && model_survives(m.bytes, m.n);
		}
		m.bytes[at] = whole;
		CHECK(&counts, fine, "byte %zu of a model flipped does no harm", at);
	}
}

static void refuses(const handmade *m, brise_status expected, const char *part)
{
	void *section = NULL;
	size_t bytes = 0;
	brise_error err = { 0 };
	brise_status status =
	        sentencepiece_read_memory(m->bytes, m->n, "model", &section, &bytes, &err);

	CHECK(&counts, status == expected && strstr(err.message, part),
	      "expected \"%s\", found %d \"%s\"", part, (int)status, err.message);
	free(section);
}

static void test_protobuf_fields(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		protobuf_outcome outcome;
		uint64_t value;
	} cases[] = {
		{ "", 0, PROTOBUF_END, 0 },
		{ "\x08\x96\x01", 3, PROTOBUF_FIELD, 150 },
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, PROTOBUF_FIELD, UINT64_MAX },
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, PROTOBUF_DAMAGED,
		  0 }, /* bit 64 */
		/* eleven bytes */
		{ "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12, PROTOBUF_DAMAGED, 0 },
		{ "\x08\x80", 2, PROTOBUF_DAMAGED, 0 },
		{ "\x08", 1, PROTOBUF_DAMAGED, 0 },
		/* field 0 */
		{ "\x00\x01", 2, PROTOBUF_DAMAGED, 0 },
		/* field 2^29 */
		{ "\x80\x80\x80\x80\x10\x01", 6, PROTOBUF_DAMAGED, 0 },
		/* a group */
		{ "\x0b\x0c", 2, PROTOBUF_DAMAGED, 0 },
		{ "\x0d\x01\x02\x03\x04", 5, PROTOBUF_FIELD, 0x04030201 },
		{ "\x0d\x01\x02\x03", 4, PROTOBUF_DAMAGED, 0 },
		{ "\x09\x01\x02\x03\x04\x05\x06\x07\x08", 9, PROTOBUF_FIELD, 0x0807060504030201 },
		{ "\x0a\x02xy", 4, PROTOBUF_FIELD, 0 },
		{ "\x0a\x03xy", 4, PROTOBUF_DAMAGED, 0 },
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, PROTOBUF_DAMAGED, 0 },
	};
	unsigned i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const uint8_t *bytes = (const uint8_t *)cases[i].bytes;
		protobuf_reader reader = protobuf_open(bytes, cases[i].n);
		protobuf_field field = { .value = 0 };
		protobuf_outcome outcome = protobuf_next(&reader, &field);

		CHECK(&counts,
		      outcome == cases[i].outcome &&
		              (outcome != PROTOBUF_FIELD || field.value == cases[i].value),
		      "case %u: %d", i, (int)outcome);
		CHECK(&counts, reader.at == bytes + (outcome == PROTOBUF_FIELD ? cases[i].n : 0),
		      "case %u: the reader is past the field, or at it", i);
	}
}

static void with_submessage(handmade *m, unsigned submessage, unsigned field, const char *bytes,
                            uint64_t number)
{
	handmade sub = { .n = 0 };

	small_model(m, 1);
	if (bytes)
		handmade_bytes(&sub, field, bytes, strlen(bytes));
	else
		handmade_number(&sub, field, number);
	handmade_bytes(m, submessage, sub.bytes, sub.n);
}

static void with_piece(handmade *m, const char *text, float score, unsigned type)
{
	small_model(m, 1);
	handmade_piece(m, text, score, type);
}

static void test_refusals_name_their_reason(void)
{
	static handmade m;
	char text[2048];
	const float zero = 0;

	m.n = 0;
	refuses(&m, BRISE_EFORMAT, "no pieces");
	with_submessage(&m, 2, 3, NULL, 1);
	refuses(&m, BRISE_EUNSUPPORTED, "model_type 1 (unigram)");
	with_submessage(&m, 2, 3, NULL, UINT64_MAX);
	refuses(&m, BRISE_EUNSUPPORTED, "model_type 18446744073709551615 (unknown)");
	with_submessage(&m, 2, 24, NULL, 1);
	refuses(&m, BRISE_EUNSUPPORTED, "treat_whitespace_as_suffix");
	with_submessage(&m, 2, 35, NULL, 0);
	refuses(&m, BRISE_EFORMAT, "byte_fallback is off");
	with_submessage(&m, 2, 44, "?", 0);
	refuses(&m, BRISE_EUNSUPPORTED, "unk_surface");
	with_submessage(&m, 3, 2, "x", 0);
	refuses(&m, BRISE_EUNSUPPORTED, "normalizer_spec.precompiled_charsmap");
	with_submessage(&m, 5, 2, "x", 0);
	refuses(&m, BRISE_EUNSUPPORTED, "denormalizer_spec.precompiled_charsmap");
	with_submessage(&m, 3, 4, NULL, 1);
	refuses(&m, BRISE_EUNSUPPORTED, "remove_extra_whitespaces");
	with_submessage(&m, 3, 5, NULL, 0);
	refuses(&m, BRISE_EUNSUPPORTED, "escape_whitespaces");
	with_submessage(&m, 3, 4, "x", 0);
	refuses(&m, BRISE_EFORMAT, "wire type");
	with_piece(&m, "", 0, 1);
	refuses(&m, BRISE_EFORMAT, "is empty");
	with_piece(&m, "\xff", 0, 1);
	refuses(&m, BRISE_EFORMAT, "not UTF-8");
	with_piece(&m, "ab", 0, 1);
	refuses(&m, BRISE_EFORMAT, "both \"ab\"");
	with_piece(&m, "<s>", 0, 1);
	refuses(&m, BRISE_EUNSUPPORTED, "control token");
	with_piece(&m, "z", 0, 7);
	refuses(&m, BRISE_EUNSUPPORTED, "type 7");
	with_piece(&m, "z", 0, 2);
	refuses(&m, BRISE_EFORMAT, "both of type unknown");
	with_piece(&m, "<0x4g>", 0, 6);
	refuses(&m, BRISE_EFORMAT, "not <0x00>");
	with_piece(&m, "z", zero / zero, 1);
	refuses(&m, BRISE_EFORMAT, "not a finite number");
	memset(text, 'z', sizeof text);
	text[TOKENIZER_PIECE_MAX + 1] = 0;
	with_piece(&m, text, 0, 1);
	refuses(&m, BRISE_EUNSUPPORTED, "at most 1024");
	m.n = 0;
	handmade_piece(&m, "a", 0, 1);
	handmade_rules(&m, 0, 1);
	refuses(&m, BRISE_EFORMAT, "no piece is of type unknown");
	m.n = 0;
	handmade_piece(&m, "u", 0, 2);
	handmade_rules(&m, 1, 1);
	refuses(&m, BRISE_EFORMAT, "only 0 bytes");
	CHECK(&counts,
	      sentencepiece_read_model("test/no such file", &(void *){ NULL }, &(size_t){ 0 },
	                               NULL) == BRISE_EIO,
	      "a missing file is an I/O error");
	CHECK(&counts,
	      sentencepiece_read_model("test", &(void *){ NULL }, &(size_t){ 0 }, NULL) ==
	              BRISE_EIO,
	      "a folder is an I/O error");
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "breeze", "v1", "v2", "v3" };
	const char *gold = getenv("BRISE_GOLD");
	unsigned i;

	check_choose(argc, argv);
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		if (gold)
			RUN(test_vectors(gold, names[i]));
		else
			check_skip(&counts, names[i],
			           "no ../shared/gold, and BRISE_GOLD is not set");
	}
	RUN(test_known_answers());
	RUN(test_encoding_is_the_definition());
	RUN(test_breeze());
	RUN(test_hostile_sections(0));
	RUN(test_hostile_sections(1));
	RUN(test_protobuf_fields());
	RUN(test_hostile_models());
	RUN(test_refusals_name_their_reason());
	return check_report("tokenizer", &counts);
}
