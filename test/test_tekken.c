/* test_tekken.c - byte-level tokenizers: tekken.json, a tokenizer.json made from one, encoding and
 * decoding
 *
 * Three references: vectors of three programs that agree (BRISE_GOLD), a slow encoder written from
 * the definition, and files made by hand.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "convert/tokenizer/tekken_writer.h"
#include "convert/tokenizer/tokenizer_json.h"
#include "runtime/portable.h"
#include "runtime/text/bpe.h"
#include "runtime/text/split.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"
#include "test/check.h"
#include "test/json_line.h"
#include "test/random.h"
#include "test/whole_file.h"

#define SMALL "test/models/tekken/tekken.json"

static check_counts counts;

typedef struct opened {
	void *section;
	size_t bytes;
	brise_tokenizer *t;
	brise_decoder *d;
} opened;

static brise_status open_json(opened *o, const char *json, size_t size, const char *name,
                              brise_error *err)
{
	brise_status status;

	memset(o, 0, sizeof *o);
	status = tokenizer_json_read_memory(json, size, name, TOKENIZER_JSON_ALL, NULL, &o->section,
	                                    &o->bytes, err);
	if (status == BRISE_OK)
		status = brise_open_tokenizer(&o->t, o->section, o->bytes, name, err);
	if (status == BRISE_OK)
		status = brise_new_decoder(&o->d, o->t, err);
	return status;
}

static void close_opened(opened *o)
{
	brise_free_decoder(o->d);
	brise_close_tokenizer(o->t);
	memory_free(o->section);
}

static bool open_small(opened *o)
{
	file json = read_file(SMALL);
	brise_error err = { .message = "it is not there" };
	brise_status status =
	        json.bytes ? open_json(o, (char *)json.bytes, json.size, SMALL, &err) : BRISE_EIO;

	CHECK(&counts, status == BRISE_OK, "%s opens: %s", SMALL, err.message);
	free(json.bytes);
	return status == BRISE_OK;
}

static bool encodes_to(const brise_tokenizer *t, const char *text, size_t bytes, bool control,
                       const int32_t *expected, size_t n_expected)
{
	int32_t *ids;
	size_t n;
	bool same;

	if (brise_encode_text(t, text, bytes, control, &ids, &n, NULL) != BRISE_OK)
		return false;
	same = n == n_expected && (n == 0 || !memcmp(ids, expected, n * sizeof *ids));
	memory_free(ids);
	return same;
}

static bool is_whole_utf8(const char *text, size_t bytes)
{
	size_t at;
	int step;

	for (at = 0; at < bytes; at += (size_t)step)
		if ((step = utf8_measure((const uint8_t *)text + at, bytes - at)) <= 0)
			return false;
	return true;
}

/* Decodes token by token into malloc'ed [*bytes]; NULL: a part was not whole characters. */
static char *decode_all(brise_decoder *d, const int32_t *ids, size_t n, size_t *bytes)
{
	char *text = malloc(4096 * (n + 2));
	const char *piece;
	size_t i, piece_bytes;
	bool whole = text != NULL;

	*bytes = 0;
	for (i = 0; whole && i <= n; i++) {
		if (i < n ? brise_decode_token(d, ids[i], &piece, &piece_bytes, NULL) != BRISE_OK
		          : brise_finish_decoder(d, &piece, &piece_bytes, NULL) != BRISE_OK)
			whole = false;
		else if ((whole = is_whole_utf8(piece, piece_bytes)) && piece_bytes > 0) {
			memcpy(text + *bytes, piece, piece_bytes);
			*bytes += piece_bytes;
		}
	}
	if (!whole) {
		free(text);
		return NULL;
	}
	return text;
}

static bool decodes_to(brise_decoder *d, const int32_t *ids, size_t n, const char *text,
                       size_t bytes)
{
	size_t found;
	char *decoded = decode_all(d, ids, n, &found);
	bool same = decoded && found == bytes && !memcmp(decoded, text, bytes);

	free(decoded);
	return same;
}

/* ---- reference vectors ---------------------------------------------------------------------- */

static FILE *open_vectors(const char *folder, const char *name)
{
	char path[1000];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return fopen(path, "r");
}

static void check_encode_vectors(const opened *o, const char *folder, const char *what)
{
	FILE *in = open_vectors(folder, "encode.jsonl");
	unsigned rows = 0, encoded = 0, decoded = 0;
	size_t room = 0, bytes = 0, n = 0;
	char *line = NULL;

	while (in && json_line_read(in, &line, &room)) {
		char *text = json_line_string(json_line_find(line, "text"), &bytes);
		int32_t *ids = json_line_ids(json_line_find(line, "ids"), &n);

		rows++;
		encoded += text && ids && encodes_to(o->t, text, bytes, false, ids, n);
		decoded += text && ids && decodes_to(o->d, ids, n, text, bytes);
		free(text);
		free(ids);
	}
	CHECK(&counts, rows > 0 && encoded == rows && decoded == rows,
	      "%s: of %u rows %u are encoded and %u decoded as the reference does", what, rows,
	      encoded, decoded);
	free(line);
	if (in)
		(void)fclose(in);
}

/* "kept" has the control tokens' texts: each piece in its place, decoded between them. */
static bool keeps(const opened *o, const int32_t *ids, size_t n, const char *kept, size_t bytes)
{
	size_t at = 0, first = 0, i, found, piece_bytes;
	const char *piece;
	bool same = true;

	for (i = 0; i <= n && same; i++) {
		bool control = i < n && o->t->types[ids[i]] == PIECE_CONTROL;
		char *text;

		if (i < n && !control)
			continue;
		text = decode_all(o->d, ids + first, i - first, &found);
		same = text && found <= bytes - at && !memcmp(kept + at, text, found);
		at += found;
		free(text);
		if (control && same &&
		    brise_get_piece(o->t, ids[i], &piece, &piece_bytes, NULL) == BRISE_OK) {
			same = piece_bytes <= bytes - at && !memcmp(kept + at, piece, piece_bytes);
			at += piece_bytes;
		}
		first = i + 1;
	}
	return same && at == bytes;
}

static void check_decode_vectors(const opened *o, const char *folder, const char *what, bool named)
{
	FILE *in = open_vectors(folder, "decode.jsonl");
	unsigned rows = 0, good = 0;
	size_t room = 0, bytes = 0, kept_bytes = 0, n = 0;
	char *line = NULL;

	while (in && json_line_read(in, &line, &room)) {
		char *text = json_line_string(json_line_find(line, "decoded"), &bytes),
		     *kept = json_line_string(json_line_find(line, "kept"), &kept_bytes);
		int32_t *ids = json_line_ids(json_line_find(line, "ids"), &n);

		rows++;
		good += text && kept && ids && decodes_to(o->d, ids, n, text, bytes) &&
		        (!named || keeps(o, ids, n, kept, kept_bytes));
		free(text);
		free(kept);
		free(ids);
	}
	CHECK(&counts, rows > 0 && good == rows,
	      "%s: of %u rows %u are decoded as the reference does", what, rows, good);
	free(line);
	if (in)
		(void)fclose(in);
}

static void check_bytes_vectors(const opened *o, const char *folder, const char *what)
{
	FILE *in = open_vectors(folder, "bytes.jsonl");
	unsigned rows = 0, good = 0;
	size_t room = 0, bytes = 0, n = 0;
	char *line = NULL;

	while (in && json_line_read(in, &line, &room)) {
		char *text = json_line_hex(json_line_find(line, "hex"), &bytes);
		int32_t *ids = json_line_ids(json_line_find(line, "ids"), &n);

		rows++;
		good += text && ids && encodes_to(o->t, text, bytes, false, ids, n);
		free(text);
		free(ids);
	}
	CHECK(&counts, rows > 0 && good == rows,
	      "%s: of %u rows of bytes %u are encoded as they should", what, rows, good);
	free(line);
	if (in)
		(void)fclose(in);
}

/* The whole of a compressed file, malloc'ed with a NUL; NULL: it is not there. */
static char *read_compressed(const char *folder, const char *name, size_t *bytes)
{
	char command[1100];
	size_t room = 0, got = 1;
	char *text = NULL, *grown;
	FILE *in;

	(void)snprintf(command, sizeof command, "gzip -dc '%s/%s' 2>/dev/null", folder, name);
	*bytes = 0;
	in = popen(command, "r");
	while (in && got > 0) {
		if (room - *bytes < 2) {
			if (!(grown = realloc(text, room = 2 * room + 65536)))
				exit(1);
			text = grown;
		}
		got = fread(text + *bytes, 1, room - *bytes - 1, in);
		*bytes += got;
	}
	if (in)
		(void)pclose(in);
	if (*bytes == 0) {
		free(text);
		return NULL;
	}
	text[*bytes] = 0;
	return text;
}

/* A file of version 13 of one of version 3: control tokens and entries that do not count come from
 * a patch. */
static char *make_v13(const char *json, const char *folder, size_t *bytes)
{
	char path[1000], *made = NULL;
	const char *special, *special_end, *append, *append_end, *version, *end;
	file patch;

	(void)snprintf(path, sizeof path, "%s/tekken-v13-head.json", folder);
	patch = read_file(path);
	if (!patch.bytes)
		return NULL;
	patch.bytes[patch.size] = 0;
	special = strstr((char *)patch.bytes, "\"special_tokens\"");
	special_end = special ? strchr(special, ']') : NULL;
	append = strstr((char *)patch.bytes, "\"vocab_append\"");
	append = append ? strchr(append, '[') : NULL;
	append_end = append ? strrchr(append, ']') : NULL;
	version = strstr(json, "\"v3\"");
	end = strrchr(json, ']');
	/* "[/INST]" holds the first of those brackets */
	while (special_end && special_end[1] != ',')
		special_end = strchr(special_end + 1, ']');
	while (special_end && special_end[-1] != ' ' && special_end[-1] != '\n')
		special_end = strchr(special_end + 1, ']');
	if (special_end && append_end && version && end) {
		made = malloc(strlen(json) + patch.size + 100);
		*bytes = (size_t)sprintf(
		        made, "{%.*s,%.*s\"v13\"%.*s,%.*s]}", (int)(special_end + 1 - special),
		        special, (int)(version - json - 1), json + 1, (int)(end - version - 4),
		        version + 4, (int)(append_end - append - 1), append + 1);
	}
	free(patch.bytes);
	return made;
}

static void check_vectors(char *json, size_t bytes, const char *folder, const char *what,
                          bool named)
{
	brise_error err = { .message = "" };
	opened o;

	if (!json) {
		CHECK(&counts, json, "%s is there", what);
		return;
	}
	CHECK(&counts, open_json(&o, json, bytes, what, &err) == BRISE_OK, "%s", err.message);
	if (o.d) {
		check_encode_vectors(&o, folder, what);
		check_decode_vectors(&o, folder, what, named);
		check_bytes_vectors(&o, folder, what);
	}
	close_opened(&o);
	free(json);
}

static void test_reference_vectors(void)
{
	const char *gold = getenv("BRISE_GOLD");
	char folder[900];
	char *json, *later;
	size_t bytes, later_bytes = 0;

	(void)snprintf(folder, sizeof folder, "%s/tekken", gold ? gold : "../shared/gold");
	json = read_compressed(folder, "tekken.json.gz", &bytes);
	if (!json) {
		check_skip(&counts, "vectors of tekken", "no ../shared/gold/tekken");
		return;
	}
	later = make_v13(json, folder, &later_bytes);
	check_vectors(json, bytes, folder, "tekken.json", true);
	check_vectors(later, later_bytes, folder, "tekken.json of version 13", true);
	/* names of the control tokens differ from rank 10 on */
	json = read_compressed(folder, "tokenizer.json.gz", &bytes);
	check_vectors(json, bytes, folder, "tokenizer.json", false);
}

/* ---- the small tokenizer -------------------------------------------------------------------- */

/* Ids of a text by the definition: of all neighbours in a part that make a piece, the lowest id,
 * leftmost first, until none is left. */
static size_t encode_slowly(const brise_tokenizer *t, const uint8_t *text, size_t bytes,
                            int32_t *ids)
{
	size_t n = 0, from, part, i, best_at;
	int32_t id, best;

	for (from = 0; from < bytes; from += part) {
		size_t ends[600], k = 0, m;

		part = split_next(text + from, bytes - from);
		if ((id = tokenizer_find_piece(t, text + from, part)) >= 0) {
			ids[n++] = id;
			continue;
		}
		for (i = 0; i < part; i++)
			ends[k++] = i + 1;
		for (;;) {
			for (i = 0, best = -1, best_at = 0; i + 1 < k; i++) {
				size_t start = i > 0 ? ends[i - 1] : 0;

				id = tokenizer_find_piece(t, text + from + start,
				                          ends[i + 1] - start);
				if (id >= 0 && (best < 0 || id < best)) {
					best = id;
					best_at = i;
				}
			}
			if (best < 0)
				break;
			for (m = best_at; m + 1 < k; m++)
				ends[m] = ends[m + 1];
			k--;
		}
		for (i = 0; i < k; i++) {
			size_t start = i > 0 ? ends[i - 1] : 0;

			ids[n++] = tokenizer_find_piece(t, text + from + start, ends[i] - start);
		}
	}
	return n;
}

/* A text of words and signs that merge, and of characters that do not. */
static size_t make_text(uint64_t *random, char *text, size_t most)
{
	static const char *const words[] = {
		"the",   " the",  " tokenizer", "aaaa",   " ",    "  ",      "\n",       "\n\n",
		"\t",    "0",     "12",         "...",    "/",    "\r\n",    "Hello",    " WORLD",
		"naïve", " café", "é",          "ß",      "京",   " москва", "\xcc\x81", "ʰ",
		"😀",     "-->",   "=======",    "[INST]", "</s>", "q",       "xyzzy",    "ThE"
	};
	size_t n = 0, bytes;

	for (;;) {
		const char *word = words[random_next(random) % (sizeof words / sizeof *words)];

		bytes = strlen(word);
		if (n + bytes > most || (n > 0 && random_next(random) % 40 == 0))
			return n;
		memcpy(text + n, word, bytes);
		n += bytes;
	}
}

static void test_text_is_merged_as_defined(void)
{
	uint64_t random = 11;
	unsigned i, encoded = 0, decoded = 0;
	char text[500];
	int32_t ids[500];
	opened o;

	if (!open_small(&o))
		return;
	for (i = 0; i < 5000; i++) {
		size_t bytes = make_text(&random, text, sizeof text),
		       n = encode_slowly(o.t, (uint8_t *)text, bytes, ids);

		encoded += encodes_to(o.t, text, bytes, false, ids, n);
		decoded += decodes_to(o.d, ids, n, text, bytes);
	}
	CHECK(&counts, encoded == 5000 && decoded == 5000,
	      "%u of 5000 texts are encoded and %u decoded right", encoded, decoded);
	close_opened(&o);
}

/* Catches: memory that is taken beforehand and too small, or for another text. */
static void test_an_encoder_gives_the_same_ids(void)
{
	uint64_t random = 12;
	unsigned i, same = 0;
	char text[300];
	brise_encoder *encoder = NULL;
	opened o;

	if (!open_small(&o))
		return;
	CHECK(&counts, brise_new_encoder(&encoder, o.t, sizeof text, NULL) == BRISE_OK,
	      "an encoder is made");
	for (i = 0; encoder && i < 2000; i++) {
		size_t bytes = make_text(&random, text, sizeof text), n, k;
		const int32_t *ids;

		for (k = 0; i % 2 && k < bytes; k += 1 + random_next(&random) % 9)
			text[k] = (char)random_next(&random);
		if (i % 50 == 0)
			memset(text, 0xff, bytes = sizeof text);
		same += brise_encode_next(encoder, text, bytes, false, &ids, &n, NULL) ==
		                BRISE_OK &&
		        encodes_to(o.t, text, bytes, false, ids, n);
	}
	CHECK(&counts, same == 2000, "%u of 2000 texts give the same ids", same);
	brise_free_encoder(encoder);
	close_opened(&o);
}

static void test_control_tokens_never_come_from_text(void)
{
	static const char text[] = "<s>[INST]a[/INST]</s>[THINK]<SPECIAL_50>[TOOL_CALLS]";
	static const int32_t begin[] = { 1, 3 };
	int32_t *ids, id;
	size_t n, i;
	unsigned control = 0;
	opened o;

	if (!open_small(&o))
		return;
	CHECK(&counts, o.t->bos == 1 && o.t->eos == 2 && o.t->unk == -1 && o.t->dialect == 13,
	      "begin %" PRId32 ", end %" PRId32 ", dialect %" PRIu32, o.t->bos, o.t->eos,
	      o.t->dialect);
	CHECK(&counts,
	      brise_find_token(o.t, "[THINK]", 7, &id, NULL) == BRISE_OK && id == 34 &&
	              brise_find_token(o.t, "<SPECIAL_50>", 12, &id, NULL) == BRISE_OK && id == 50,
	      "control tokens are found by their names");
	if (brise_encode_text(o.t, text, strlen(text), false, &ids, &n, NULL) == BRISE_OK) {
		for (i = 0; i < n; i++)
			control += ids[i] < 100;
		CHECK(&counts, control == 0, "%u ids of text are control tokens", control);
		CHECK(&counts, decodes_to(o.d, ids, n, text, strlen(text)), "the text comes back");
		memory_free(ids);
	}
	CHECK(&counts, encodes_to(o.t, text, 9, true, begin, 2), "on request they are found");
	close_opened(&o);
}

static void test_characters_are_decoded_whole(void)
{
	/* the first two bytes of U+1F600, a control token, the other two; then all four */
	const int32_t ids[] = { 100 + 0xf0, 100 + 0x9f, 3,          100 + 0x98, 100 + 0x80,
		                100 + 0xf0, 100 + 0x9f, 100 + 0x98, 100 + 0x80 };
	const size_t expected[] = { 0, 0, 3, 3, 3, 0, 0, 0, 4 };
	const char *text;
	size_t i, bytes, n;
	int32_t *encoded;
	opened o;

	if (!open_small(&o))
		return;
	for (i = 0; i < sizeof ids / sizeof *ids; i++)
		CHECK(&counts,
		      brise_decode_token(o.d, ids[i], &text, &bytes, NULL) == BRISE_OK &&
		              bytes == expected[i],
		      "token %zu gives %zu bytes, expected %zu", i, bytes, expected[i]);
	CHECK(&counts, decodes_to(o.d, ids, 2, UTF8_REPLACEMENT, 3),
	      "two bytes of a character become one U+FFFD");
	if (brise_encode_text(o.t, "a" UTF8_REPLACEMENT "b" UTF8_REPLACEMENT UTF8_REPLACEMENT, 11,
	                      false, &encoded, &n, NULL) == BRISE_OK) {
		CHECK(&counts,
		      encodes_to(o.t,
		                 "a\xf0\x9f\x98"
		                 "b\xed\xa0",
		                 7, false, encoded, n),
		      "so they do before they are encoded");
		memory_free(encoded);
	}
	close_opened(&o);
}

/* A quadratic step would take hours. */
static void test_long_texts_take_little_time(void)
{
	static const char *const units[] = { "a",   " ", "\xcc\x81", "\n", "京",
		                             "ab ", "=", "\xff",     "Aʰ", "the" };
	const size_t bytes = (size_t)1 << 20;
	char *text = malloc(bytes);
	size_t i, k, n;
	int32_t *ids;
	opened o;

	if (!text || !open_small(&o))
		return;
	for (i = 0; i < sizeof units / sizeof *units; i++) {
		clock_t start = clock();

		for (k = 0; k < bytes; k++)
			text[k] = units[i][k % strlen(units[i])];
		CHECK(&counts,
		      brise_encode_text(o.t, text, bytes, false, &ids, &n, NULL) == BRISE_OK,
		      "1 MB of %s is encoded", units[i]);
		memory_free(ids);
		CHECK(&counts, clock() - start < 20 * CLOCKS_PER_SEC, "1 MB of %s took %.1f s",
		      units[i], (double)(clock() - start) / CLOCKS_PER_SEC);
	}
	free(text);
	close_opened(&o);
}

/* Catches: a table that is used before it is checked. Whatever opens must encode and decode. */
static void test_damaged_sections_are_refused_or_work(void)
{
	static const char text[] = "The tokenizer\n  naïve \xff [INST] 2024";
	uint64_t random = 13;
	unsigned i, opens = 0, failed = 0;
	uint8_t *copy;
	opened o;

	if (!open_small(&o))
		return;
	copy = aligned_alloc(64, (o.bytes + 63) / 64 * 64);
	for (i = 0; copy && i < 3000; i++) {
		size_t k, n, at, bytes;
		brise_tokenizer *t;
		brise_decoder *d;
		const char *piece;
		int32_t *ids;

		memcpy(copy, o.section, o.bytes);
		for (k = 0; k <= i % 3; k++) {
			at = random_next(&random) % (i % 2 ? o.bytes : 64);
			copy[at] = (uint8_t)random_next(&random);
		}
		if (brise_open_tokenizer(&t, copy, o.bytes, "damaged", NULL) != BRISE_OK)
			continue;
		opens++;
		if (brise_encode_text(t, text, strlen(text), i % 4 == 0, &ids, &n, NULL) ==
		            BRISE_OK &&
		    brise_new_decoder(&d, t, NULL) == BRISE_OK) {
			for (k = 0; k < n; k++)
				failed += brise_decode_token(d, ids[k], &piece, &bytes, NULL) !=
				                  BRISE_OK ||
				          !is_whole_utf8(piece, bytes);
			brise_free_decoder(d);
			memory_free(ids);
		}
		brise_close_tokenizer(t);
	}
	CHECK(&counts, opens > 0 && opens < 3000, "%u of 3000 damaged sections open", opens);
	CHECK(&counts, failed == 0, "%u ids that encoding gave are not decoded", failed);
	free(copy);
	close_opened(&o);
}

/* Catches: a field of tekken.json that is not written. */
static void test_what_is_written_gives_the_same_section(void)
{
	buffer json = { NULL, 0, 0, false };
	brise_error err = { .message = "" };
	opened o, again = { .section = NULL };

	if (!open_small(&o))
		return;
	CHECK(&counts, tekken_can_hold(o.t), "a tekken.json can be written");
	tekken_make_json(o.t, &json);
	CHECK(&counts,
	      !json.failed &&
	              open_json(&again, (char *)json.data, json.n, "written", &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(&counts, again.bytes == o.bytes && !memcmp(again.section, o.section, o.bytes),
	      "%zu bytes instead of %zu", again.bytes, o.bytes);
	buffer_free(&json);
	close_opened(&again);
	close_opened(&o);
}

/* Catches: a section that opens though encoding could not rely on it. */
static void test_sections_that_do_not_fit_are_refused(void)
{
	enum { VERSION = 8, FLAGS = 12, UNK = 28 };
	tokenizer_places p;
	tokenizer_header h;
	opened o;
	size_t i;

	if (!open_small(&o))
		return;
	memcpy(&h, o.section, sizeof h);
	p = tokenizer_find_places(&h);
	const struct {
		size_t at, bytes;
		uint32_t value;
		const char *message;
	} edits[] = {
		{ VERSION, 4, 1, "version 1 does not go with" },
		{ VERSION, 4, 3, "reads up to 2" },
		{ FLAGS, 4, TOKENIZER_BYTE_LEVEL | 1, "version 2 does not go with" },
		{ FLAGS, 4, 0, "version 2 does not go with" },
		{ UNK, 4, 0, "byte-level with unk 0" },
		{ p.types + 700, 1, PIECE_UNUSED, "pieces of types 2, 5 or 6" },
		{ p.types + 700, 1, PIECE_UNKNOWN, "pieces of types 2, 5 or 6" },
		{ p.types + 700, 1, PIECE_BYTE, "pieces of types 2, 5 or 6" },
		{ p.types + 100 + 'a', 1, PIECE_CONTROL, "is not the token of byte 97" },
		{ p.byte_ids + 4 * 'a', 4, 100 + 'b', "is not the token of byte 97" },
		{ p.byte_ids + 4 * 'a', 4, 2048, "is not the token of byte 97" },
	};
	for (i = 0; i < sizeof edits / sizeof *edits; i++) {
		uint8_t *place = (uint8_t *)o.section + edits[i].at, before[4];
		brise_error err = { .message = "it opens" };
		brise_tokenizer *t;
		brise_status status;

		memcpy(before, place, 4);
		memcpy(place, &edits[i].value, edits[i].bytes); /* little-endian */
		status = brise_open_tokenizer(&t, o.section, o.bytes, "section", &err);
		CHECK(&counts, status != BRISE_OK && strstr(err.message, edits[i].message),
		      "expected \"%s\", found \"%s\"", edits[i].message, err.message);
		brise_close_tokenizer(t);
		memcpy(place, before, 4);
	}
	close_opened(&o);
}

/* A decoder drops no space in front of a text, so a grammar must not either. */
static void test_grammars_keep_the_first_space(void)
{
	brise_grammar_options g = { .size = sizeof g,
		                    .kind = BRISE_GRAMMAR_GBNF,
		                    .text = "root ::= \"a\" | \" b\"",
		                    .bytes = 19 };
	const int32_t end = 2, a = 100 + 'a', b = 100 + 'b', space = 100 + ' ';
	brise_grammar *grammar = NULL;
	brise_matcher *m = NULL;
	brise_allowed allowed;
	brise_error err = { .message = "" };
	opened o;

	if (!open_small(&o))
		return;
	CHECK(&counts,
	      brise_new_grammar(&grammar, o.t, &g, &err) == BRISE_OK &&
	              brise_new_matcher(&m, grammar, &end, 1, true, &err) == BRISE_OK &&
	              brise_get_allowed(m, &allowed, &err) == BRISE_OK,
	      "%s", err.message);
	if (m) {
		CHECK(&counts, bpe_has_id(allowed.mask, (uint32_t)a), "a is allowed");
		CHECK(&counts, !bpe_has_id(allowed.mask, (uint32_t)b), "b is not");
		CHECK(&counts,
		      brise_match_token(m, space, &err) == BRISE_OK &&
		              brise_get_allowed(m, &allowed, &err) == BRISE_OK &&
		              bpe_has_id(allowed.mask, (uint32_t)b) &&
		              !bpe_has_id(allowed.mask, (uint32_t)a),
		      "a space is part of the text: %s", err.message);
	}
	brise_free_matcher(m);
	brise_free_grammar(grammar);
	close_opened(&o);
}

/* ---- files by hand -------------------------------------------------------------------------- */

typedef struct handmade_file {
	char text[40000];
	size_t n;
} handmade_file;

static void put(handmade_file *f, const char *format, ...) PORTABLE_PRINTF(2, 3);

static void put(handmade_file *f, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(f->text + f->n, sizeof f->text - f->n, format, args);
	va_end(args);
	if (n < 0 || f->n + (size_t)n >= sizeof f->text)
		exit(1);
	f->n += (size_t)n;
}

/* The pattern as JSON writes it. */
static void put_pattern(handmade_file *f)
{
	const char *c;

	for (c = SPLIT_PATTERN; *c; c++)
		put(f, "%s%c", *c == '\\' ? "\\" : "", *c);
}

static void put_base64(handmade_file *f, const char *text, size_t n)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at;

	for (at = 0; at < n; at += 3) {
		uint32_t bits = (uint32_t)(uint8_t)text[at] << 16;

		bits |= at + 1 < n ? (uint32_t)(uint8_t)text[at + 1] << 8 : 0;
		bits |= at + 2 < n ? (uint8_t)text[at + 2] : 0;
		put(f, "%c%c%c%c", digits[bits >> 18], digits[bits >> 12 & 63],
		    at + 1 < n ? digits[bits >> 6 & 63] : '=',
		    at + 2 < n ? digits[bits & 63] : '=');
	}
}

static const char *const made[] = { "ab", "abc", "bc", "\xc3\xa9" };

/* Four control tokens, the bytes, and four more. */
static void make_tekken(handmade_file *f)
{
	unsigned i;

	f->n = 0;
	put(f, "{\"config\": {\"pattern\": \"");
	put_pattern(f);
	put(f, "\", \"default_vocab_size\": 264, \"default_num_special_tokens\": 4, "
	       "\"version\": \"v13\"},\n\"vocab\": [\n");
	for (i = 0; i < 260; i++) {
		char byte = (char)i;
		const char *text = i < 256 ? &byte : made[i - 256];

		put(f, "{\"rank\": %u, \"token_bytes\": \"", i);
		put_base64(f, text, i < 256 ? 1 : strlen(text));
		put(f, "\", \"token_str\": null}%s\n", i < 259 ? "," : "");
	}
	put(f, "],\n\"special_tokens\": [{\"rank\": 0, \"token_str\": \"<unk>\", \"is_control\": "
	       "true},\n{\"rank\": 1, \"token_str\": \"<s>\"}, {\"rank\": 3, \"token_str\": "
	       "\"[X]\"}]}\n");
}

static void put_alphabet(handmade_file *f, const char *text, size_t n)
{
	size_t i;
	unsigned c, hidden, byte;
	char utf8[4];

	for (i = 0; i < n; i++) {
		byte = (uint8_t)text[i];
		for (c = hidden = 0; c < byte; c++)
			hidden += !((c >= 33 && c <= 126) || (c >= 161 && c != 173));
		if (!((byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173)))
			byte = 256 + hidden;
		put(f, "%s%.*s", byte == '"' || byte == '\\' ? "\\" : "",
		    (int)json_line_put_utf8(utf8, byte), utf8);
	}
}

/* The same as tokenizer.json; [SEP] is a symbol of text. */
static void make_json(handmade_file *f)
{
	unsigned i;

	f->n = 0;
	put(f, "{\"version\": \"1.0\", \"added_tokens\": [\n"
	       "{\"id\": 0, \"content\": \"<unk>\", \"special\": true},\n"
	       "{\"id\": 1, \"content\": \"<s>\", \"special\": true},\n"
	       "{\"id\": 2, \"content\": \"[SEP]\", \"special\": false},\n"
	       "{\"id\": 3, \"content\": \"[X]\", \"special\": true}],\n"
	       "\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Sequence\", "
	       "\"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": \"");
	put_pattern(f);
	put(f, "\"}, \"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", "
	       "\"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": false}]},\n"
	       "\"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, "
	       "\"use_regex\": true},\n"
	       "\"model\": {\"type\": \"BPE\", \"unk_token\": null, \"ignore_merges\": true, "
	       "\"byte_fallback\": false, \"vocab\": {\"<unk>\": 0, ");
	for (i = 0; i < 260; i++) {
		char byte = (char)i;
		const char *text = i < 256 ? &byte : made[i - 256];

		put(f, "\"");
		put_alphabet(f, text, i < 256 ? 1 : strlen(text));
		put(f, "\": %u%s", i + 4, i < 259 ? ", " : "},\n");
	}
	put(f, "\"merges\": [\"a b\", \"a bc\", \"ab c\", \"b c\", \"\xc3\x83 \xc2\xa9\"]}}\n");
}

/* Puts `to` in the place of the first `from`. */
static void replace(handmade_file *f, const char *from, const char *to)
{
	char *at = strstr(f->text, from);
	size_t tail;

	CHECK(&counts, at, "the file has %s", from);
	if (!at)
		return;
	tail = f->n - (size_t)(at - f->text) - strlen(from) + 1;
	memmove(at + strlen(to), at + strlen(from), tail);
	memcpy(at, to, strlen(to));
	f->n += strlen(to) - strlen(from);
}

typedef struct edit {
	const char *from, *to, *message; /* NULL: it opens */
} edit;

typedef void make_fn(handmade_file *f);

static void check_edit(make_fn *make, const edit *e)
{
	static handmade_file f;
	brise_error err = { .message = "" };
	brise_status status;
	opened o;

	make(&f);
	replace(&f, e->from, e->to);
	status = open_json(&o, f.text, f.n, "file", &err);
	if (e->message)
		CHECK(&counts, status != BRISE_OK && strstr(err.message, e->message),
		      "'%s' for '%s': expected \"%s\", found \"%s\"", e->to, e->from, e->message,
		      status == BRISE_OK ? "it opens" : err.message);
	else
		CHECK(&counts, status == BRISE_OK, "'%s' for '%s': %s", e->to, e->from,
		      err.message);
	CHECK(&counts, !strchr(err.message, '\n'), "the message is one line");
	close_opened(&o);
}

static void test_tekken_by_hand(void)
{
	static handmade_file f;
	const int32_t ids[] = { 261, 4 + ' ', 4 + '1', 4 + '2', 4 + ' ', 263, 4 + 'b' },
	              joined[] = { 260, 260, 262, 4 + ' ', 4 + 0xe4, 4 + 0xba, 4 + 0xac };
	brise_error err = { .message = "" };
	opened o;

	make_tekken(&f);
	CHECK(&counts, open_json(&o, f.text, f.n, "file", &err) == BRISE_OK, "%s", err.message);
	if (o.t) {
		CHECK(&counts, encodes_to(o.t, "abc 12 éb", 10, false, ids, 7),
		      "a part that is a token, digits and a merge");
		CHECK(&counts, encodes_to(o.t, "ababbc 京", 10, false, joined, 7),
		      "the lowest rank first; a character without a token becomes bytes");
	}
	close_opened(&o);
}

/* Catches: a part that is merged where it is a token as a whole. */
static void test_a_part_that_is_a_token_is_taken_whole(void)
{
	static handmade_file f;
	const int32_t whole[] = { 263 }, more[] = { 4 + 'x', 4 + 'y', 4 + 'z', 4 + 'x' };
	brise_error err = { .message = "" };
	opened o;

	make_tekken(&f);
	replace(&f, "\"w6k=\"", "\"eHl6\""); /* xyz */
	CHECK(&counts, open_json(&o, f.text, f.n, "file", &err) == BRISE_OK, "%s", err.message);
	CHECK(&counts, o.t && encodes_to(o.t, "xyz", 3, false, whole, 1), "no merge leads to it");
	CHECK(&counts, o.t && encodes_to(o.t, "xyzx", 4, false, more, 4), "nor within a part");
	close_opened(&o);
}

/* U+2581 stands for a space with SentencePiece alone. */
static void test_spaces_are_not_marked(void)
{
	static handmade_file f;
	const int32_t ids[] = { 4 + 'a', 263, 4 + ' ' };
	brise_error err = { .message = "" };
	char spelled[8];
	opened o;

	make_tekken(&f);
	replace(&f, "\"w6k=\"", "\"4paB\"");
	CHECK(&counts, open_json(&o, f.text, f.n, "file", &err) == BRISE_OK, "%s", err.message);
	if (o.t) {
		CHECK(&counts, encodes_to(o.t, "a\xe2\x96\x81 ", 5, false, ids, 3),
		      "it is a character like others");
		CHECK(&counts, decodes_to(o.d, ids, 3, "a\xe2\x96\x81 ", 5), "and comes back");
		CHECK(&counts,
		      tokenizer_spell(o.t, 263, spelled) == 3 &&
		              !memcmp(spelled, "\xe2\x96\x81", 3) &&
		              tokenizer_spell(o.t, 1, spelled) == 0 &&
		              tokenizer_spell(o.t, 264, spelled) == 0,
		      "its text is itself; control tokens have none");
	}
	close_opened(&o);
}

static void test_hostile_tekken(void)
{
	static const edit edits[] = {
		{ "\\p{N}|", "\\p{N}{1,3}|", "config.pattern is not that of Mistral's" },
		{ "\"version\": \"v13\"", "\"version\": \"v999\"", NULL },
		{ "\"version\": \"v13\"", "\"version\": \"13\"", "config.version is \"13\"" },
		{ "\"version\": \"v13\"", "\"other\": 1", "config.version is \"\"" },
		{ "\"config\"", "\"config\": {}, \"config\"", "config appears twice" },
		{ "\"config\"", "\"image\": {\"a\": [1]}, \"config\"", NULL },
		{ "\"vocab\"", "\"words\"", "no vocab: not a tekken.json" },
		{ "\"vocab\"", "\"vocab\": [], \"vocab\"", "vocab appears twice" },
		{ "\"vocab\": [", "\"vocab\": {", "" },
		{ ": 264", ": 265", "vocab has 260 entries, expected 261" },
		{ ": 264", ": 263", NULL }, /* the last one does not count */
		{ ": 264", ": 259", "default_vocab_size is 259, expected room" },
		{ ": 264", ": 9000000000000000000", "default_vocab_size is 9000000000000000000" },
		{ ": 264", ": 1048577", "and at most 1048576" },
		{ ": 264", ": 1048576", "vocab has 260 entries" },
		{ "special_tokens\": 4", "special_tokens\": 0", "default_num_special_tokens is 0" },
		{ "special_tokens\": 4", "special_tokens\": -4",
		  "default_num_special_tokens is -4" },
		{ "special_tokens\": 4", "special_tokens\": 70000", "expected 1..65536" },
		{ "special_tokens\": 4", "special_tokens\": 3", "vocab has 260 entries" },
		{ "special_tokens\": 4", "special_tokens\": 5", NULL },
		{ "\"YQ==\"", "\"YQ=\"", "rank 97: token_bytes \"YQ=\" is not base64" },
		{ "\"YQ==\"", "\"YR==\"", "rank 97: token_bytes \"YR==\" is not base64" },
		{ "\"YQ==\"", "\"Y*==\"", "rank 97: token_bytes \"Y*==\" is not base64" },
		{ "\"YQ==\"", "\"Y===\"", "rank 97: token_bytes \"Y===\" is not base64" },
		{ "\"YQ==\"", "\"\"", "rank 97: a token of 0 bytes" },
		{ "\"YQ==\"", "\"YmI=\"", "no token is the byte 0x61" },
		{ "\"YQ==\"", "7", "" },
		{ "\"YWI=\"", "\"YWJj\"", "tokens 260 and 261 are the same 3 bytes" },
		{ "\"YWI=\"", "\"YQ==\"", "tokens 101 and 260 are the same 1 bytes" },
		{ "\"rank\": 97,", "\"rank\": 96,", "vocab: rank 96 appears twice" },
		{ "\"rank\": 97,", "\"rank\": 300,", "vocab: rank 97 is missing" },
		{ "\"rank\": 97,", "\"rank\": -1,", "an entry without a rank" },
		{ "\"rank\": 97,", "", "an entry without a rank" },
		{ "\"rank\": 97,", "\"rank\": 1e99,", "" },
		{ "\"token_bytes\": \"YQ==\", ", "", "an entry without token_bytes" },
		{ "\"rank\": 3, \"token_str\": \"[X]\"", "\"rank\": 4, \"token_str\": \"[X]\"",
		  "special_tokens: rank 4 is not below default_num_special_tokens" },
		{ "\"rank\": 3, \"token_str\": \"[X]\"", "\"rank\": 1, \"token_str\": \"[X]\"",
		  "special_tokens: rank 1 appears twice" },
		{ "\"rank\": 3, \"token_str\": \"[X]\"", "\"rank\": 3, \"token_str\": \"<s>\"",
		  "tokens 1 and 3 are the same 3 bytes" },
		{ "\"rank\": 3, \"token_str\": \"[X]\"", "\"rank\": 3, \"token_str\": \"abc\"",
		  NULL }, /* a control token of a piece's name */
		{ "\"rank\": 3, \"token_str\": \"[X]\"", "\"rank\": 3",
		  "an entry without token_str" },
		{ "\"special_tokens\"", "\"others\"",
		  "no special_tokens, which files of version v13" },
		{ "\"special_tokens\": [{", "\"special_tokens\": null, \"others\": [{",
		  "no special_tokens, which files of version v13" },
		{ "]}\n", "]", "" },
	};
	size_t i;

	for (i = 0; i < sizeof edits / sizeof *edits; i++)
		check_edit(make_tekken, &edits[i]);
}

static void test_unlisted_control_tokens_have_defaults(void)
{
	static handmade_file f;
	brise_error err = { .message = "" };
	const char *piece = "";
	size_t bytes = 0;
	opened o;

	make_tekken(&f);
	replace(&f, "\"special_tokens\"", "\"others\"");
	replace(&f, "v13", "v7");
	CHECK(&counts, open_json(&o, f.text, f.n, "file", &err) == BRISE_OK, "%s", err.message);
	CHECK(&counts,
	      o.t && brise_get_piece(o.t, 3, &piece, &bytes, NULL) == BRISE_OK && bytes == 6 &&
	              !memcmp(piece, "[INST]", 6),
	      "token 3 is %.*s", (int)bytes, piece);
	CHECK(&counts, o.t && o.t->dialect == 7 && o.t->bos == 1 && o.t->eos == 2,
	      "dialect, begin and end");
	close_opened(&o);
}

static void test_tokenizer_json_is_the_same(void)
{
	static handmade_file f, json;
	const int32_t cut[] = { 260, 2, 4 + 'c' };
	static const char text[] = "abc ababbc \xc3\xa9 \xff 42 [X]";
	brise_error err = { .message = "" };
	opened a, b;
	int32_t *ids;
	size_t n;

	make_tekken(&f);
	make_json(&json);
	CHECK(&counts, open_json(&a, f.text, f.n, "tekken.json", &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(&counts, open_json(&b, json.text, json.n, "tokenizer.json", &err) == BRISE_OK, "%s",
	      err.message);
	if (a.t && b.t &&
	    brise_encode_text(a.t, text, strlen(text), false, &ids, &n, NULL) == BRISE_OK) {
		CHECK(&counts, encodes_to(b.t, text, strlen(text), false, ids, n), "the same ids");
		CHECK(&counts, tekken_can_hold(a.t) && !tekken_can_hold(b.t),
		      "a tekken.json has no symbols of text");
		CHECK(&counts, encodes_to(b.t, "ab[SEP]c", 8, false, cut, 3),
		      "an added token that is not special is cut out of text");
		memory_free(ids);
	}
	close_opened(&a);
	close_opened(&b);
}

static void test_hostile_tokenizer_json(void)
{
	static const edit edits[] = {
		{ "\\p{N}|", "\\p{N}{1,3}|", "pre_tokenizer Split: the pattern is not that" },
		{ "Isolated", "Removed", "Split with behavior Removed is not supported" },
		{ "\"invert\": false", "\"invert\": true", "inverted" },
		{ "\"use_regex\": false", "\"use_regex\": true", "ByteLevel with use_regex" },
		{ "\"add_prefix_space\": false", "\"add_prefix_space\": true",
		  "ByteLevel with add_prefix_space" },
		{ "\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}", "normalizer NFC" },
		{ "\"decoder\": {\"type\": \"ByteLevel\"", "\"decoder\": {\"type\": \"Fuse\"",
		  "not all of pre_tokenizer Split and ByteLevel and decoder ByteLevel" },
		{ "\"ignore_merges\": true", "\"ignore_merges\": false",
		  "model.ignore_merges is off" },
		{ "\"byte_fallback\": false", "\"byte_fallback\": true", "model.byte_fallback" },
		{ "\"a b\", ", "", "no merge of 1 and 1 bytes into token 260" },
		{ "\"a bc\", \"ab c\"", "\"ab c\"", "no merge of 1 and 2 bytes into token 261" },
		{ "\"a b\", \"a bc\"", "\"a bc\", \"a b\"", "not in the order of the ids" },
		{ "\"a b\"", "\"a b\", \"a b\"", "appears twice" },
		{ "\"a b\"", "\"a b\", \"a q\"", "a part or what it makes is no token" },
		{ "\"ab\": 260", "\"ab\": 261", "token id 261 appears twice" },
		{ "\"ab\": 260", "\"ab\": 266", "leaves a gap" },
		{ "\"ab\": 260", "\"\\u0800b\": 260", "has a character that stands for no byte" },
		{ "\"ab\": 260, ", "", "none has id 260" },
		{ "\"id\": 3", "\"id\": 1", "added token id 1 appears twice" },
		{ "\"id\": 3", "\"id\": 300", "leaves a gap" },
		{ "\"<unk>\": 0, ", "", NULL },
		{ "\"<unk>\": 0, ", "\"<other>\": 0, ", "token id 0 appears twice" },
	};
	size_t i;

	for (i = 0; i < sizeof edits / sizeof *edits; i++)
		check_edit(make_json, &edits[i]);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_reference_vectors());
	RUN(test_text_is_merged_as_defined());
	RUN(test_an_encoder_gives_the_same_ids());
	RUN(test_control_tokens_never_come_from_text());
	RUN(test_characters_are_decoded_whole());
	RUN(test_long_texts_take_little_time());
	RUN(test_damaged_sections_are_refused_or_work());
	RUN(test_what_is_written_gives_the_same_section());
	RUN(test_sections_that_do_not_fit_are_refused());
	RUN(test_grammars_keep_the_first_space());
	RUN(test_tekken_by_hand());
	RUN(test_a_part_that_is_a_token_is_taken_whole());
	RUN(test_spaces_are_not_marked());
	RUN(test_hostile_tekken());
	RUN(test_unlisted_control_tokens_have_defaults());
	RUN(test_tokenizer_json_is_the_same());
	RUN(test_hostile_tokenizer_json());
	return check_report("tekken", &counts);
}
