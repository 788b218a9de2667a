/* test_tekken.c - byte-level tokenizers: encoding, decoding, and the section
 *
 * Two references: vectors of three programs that agree (BRISE_GOLD), and a slow encoder written
 * from the definition.
 */
#include <time.h>

#include "runtime/text/bpe.h"
#include "test/random.h"
#include "test/tekken_files.h"

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

/* A file of version 13 of one of version 3: control tokens and entries that do not count come from
 * a patch. */
static char *make_v13(const char *json, const char *folder, size_t *bytes)
{
	char path[1000], *later = NULL;
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
		later = malloc(strlen(json) + patch.size + 100);
		*bytes = (size_t)sprintf(
		        later, "{%.*s,%.*s\"v13\"%.*s,%.*s]}", (int)(special_end + 1 - special),
		        special, (int)(version - json - 1), json + 1, (int)(end - version - 4),
		        version + 4, (int)(append_end - append - 1), append + 1);
	}
	free(patch.bytes);
	return later;
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

/* ---- tokenizers by hand ---------------------------------------------------------------------- */

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
	RUN(test_sections_that_do_not_fit_are_refused());
	RUN(test_grammars_keep_the_first_space());
	RUN(test_tekken_by_hand());
	RUN(test_a_part_that_is_a_token_is_taken_whole());
	RUN(test_spaces_are_not_marked());
	return check_report("tekken", &counts);
}
