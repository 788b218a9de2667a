/* test_tokenizer_json.c - tokenizer.json encodes as the tokenizer.model it was made of; merges that
 * scores cannot express are refused, and other pipelines by name */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/sentencepiece.h"
#include "convert/tokenizer/tokenizer_json.h"
#include "runtime/portable.h"
#include "runtime/text/tokenizer.h"
#include "test/check.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define BREEZE        "test/models/breeze/tokenizer.model"
#define SPACE         "\xe2\x96\x81"

/* ---- text that grows ------------------------------------------------------------------------- */

typedef struct growing {
	char *text;
	size_t n, room;
} growing;

static void put_bytes(growing *g, const char *bytes, size_t n)
{
	if (g->n + n + 1 > g->room) {
		g->room = 2 * (g->n + n) + 256;
		g->text = realloc(g->text, g->room);
		if (!g->text)
			abort();
	}
	memcpy(g->text + g->n, bytes, n);
	g->n += n;
	g->text[g->n] = 0;
}

static void put(growing *g, const char *format, ...) PORTABLE_PRINTF(2, 3);

static void put(growing *g, const char *format, ...)
{
	char line[2000];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof line, format, args);
	va_end(args);
	put_bytes(g, line, strlen(line));
}

/* As a JSON string. */
static void put_string(growing *g, const char *text, size_t n)
{
	size_t i;

	put(g, "\"");
	for (i = 0; i < n; i++)
		if (text[i] == '"' || text[i] == '\\')
			put(g, "\\%c", text[i]);
		else if ((unsigned char)text[i] < 0x20)
			put(g, "\\u%04x", text[i]);
		else
			put_bytes(g, text + i, 1);
	put(g, "\"");
}

/* ---- tokenizers ------------------------------------------------------------------------------ */

typedef struct opened {
	brise_tokenizer *t;
	void *section;
	size_t bytes;
} opened;

static void close_tokenizer(opened *o)
{
	brise_close_tokenizer(o->t);
	free(o->section);
	*o = (opened){ NULL, NULL, 0 };
}

static brise_status open_json(opened *o, const char *json, size_t n, brise_error *err)
{
	brise_status status = tokenizer_json_read_memory(
	        json, n, "tokenizer.json", TOKENIZER_JSON_ALL, NULL, &o->section, &o->bytes, err);

	o->t = NULL;
	return status == BRISE_OK
	               ? brise_open_tokenizer(&o->t, o->section, o->bytes, "tokenizer.json", err)
	               : status;
}

static bool same_ids(const brise_tokenizer *a, const brise_tokenizer *b, const char *text, size_t n)
{
	int32_t *ids_a = NULL, *ids_b = NULL;
	size_t n_a = 0, n_b = 0;
	bool same = brise_encode_text(a, text, n, false, &ids_a, &n_a, NULL) == BRISE_OK &&
	            brise_encode_text(b, text, n, false, &ids_b, &n_b, NULL) == BRISE_OK;

	same = same && n_a == n_b && (n_a == 0 || !memcmp(ids_a, ids_b, n_a * sizeof *ids_a));
	free(ids_a);
	free(ids_b);
	return same;
}

/* ---- breeze: all of it, in both spellings ---------------------------------------------------- */

typedef struct cut {
	uint32_t id, left_bytes;
	float score;
	int32_t left, right;
} cut;

static int by_score_and_ids(const void *a, const void *b)
{
	const cut *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->left != y->left    ? (x->left < y->left ? -1 : 1)
	       : x->right < y->right ? -1
	                             : x->right > y->right;
}

static int by_score_and_lengths(const void *a, const void *b)
{
	const cut *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->left_bytes != y->left_bytes ? (x->left_bytes > y->left_bytes ? -1 : 1)
	       : x->id < y->id                ? -1
	                                      : x->id > y->id;
}

/* Every way to cut a piece in two pieces: what the published converters make merges of. */
static cut *find_cuts(const brise_tokenizer *t, size_t *n)
{
	cut *cuts = calloc((size_t)t->offsets[t->vocab], sizeof *cuts);
	uint32_t id, k;

	*n = 0;
	for (id = 0; cuts && id < t->vocab; id++) {
		const uint8_t *text = t->text + t->offsets[id];
		uint32_t bytes = tokenizer_piece_bytes(t, id);

		for (k = 1; k < bytes && t->types[id] == PIECE_NORMAL; k++) {
			int32_t left = tokenizer_find_piece(t, text, k),
			        right = tokenizer_find_piece(t, text + k, bytes - k);

			if (left >= 0 && right >= 0)
				cuts[(*n)++] = (cut){ id, k, t->scores[id], left, right };
		}
	}
	return cuts;
}

static void put_merge(growing *g, const char *text, uint32_t left, uint32_t bytes, bool newer)
{
	growing joined = { NULL, 0, 0 };

	if (newer) {
		put(g, "[");
		put_string(g, text, left);
		put(g, ", ");
		put_string(g, text + left, bytes - left);
		put(g, "]");
		return;
	}
	put_bytes(&joined, text, left);
	put(&joined, " ");
	put_bytes(&joined, text + left, bytes - left);
	put_string(g, joined.text, joined.n);
	free(joined.text);
}

static void put_pipeline(growing *g, bool newer)
{
	put(g, "\"normalizer\": %s, \"pre_tokenizer\": %s,",
	    newer ? "null"
	          : "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
	            "\"prepend\": \"" SPACE "\"}, "
	            "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": "
	            "\"\\u2581\"}]}",
	    newer ? "{\"type\": \"Metaspace\", \"replacement\": \"\\u2581\", \"prepend_scheme\": "
	            "\"first\", \"split\": false}"
	          : "null");
	put(g, "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", "
	       "\"pattern\": {\"String\": \"" SPACE "\"}, \"content\": \" \"}, "
	       "{\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\", "
	       "\"content\": \" \", \"start\": 1, \"stop\": 0}]},");
}

static growing make_json(const brise_tokenizer *t, bool newer)
{
	growing g = { NULL, 0, 0 };
	uint32_t id;
	size_t n, i;
	cut *cuts = find_cuts(t, &n);

	put(&g, "{\"version\": \"1.0\", \"truncation\": null, \"added_tokens\": [");
	for (id = 0; id < 3; id++) {
		put(&g, "%s{\"id\": %" PRIu32 ", \"content\": ", id ? "," : "", id);
		put_string(&g, (const char *)t->text + t->offsets[id],
		           tokenizer_piece_bytes(t, id));
		put(&g, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
		        "\"normalized\": false, \"special\": true}");
	}
	put(&g, "],");
	put_pipeline(&g, newer);
	put(&g, "\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": \"<unk>\", "
	        "\"fuse_unk\": true, \"byte_fallback\": true, \"vocab\": {");
	for (id = 0; id < t->vocab; id++) {
		put(&g, "%s", id ? ",\n" : "");
		put_string(&g, (const char *)t->text + t->offsets[id],
		           tokenizer_piece_bytes(t, id));
		put(&g, ": %" PRIu32, id);
	}
	put(&g, "}, \"merges\": [");
	qsort(cuts, n, sizeof *cuts, newer ? by_score_and_lengths : by_score_and_ids);
	for (i = 0; i < n; i++) {
		put(&g, "%s", i ? ",\n" : "");
		put_merge(&g, (const char *)t->text + t->offsets[cuts[i].id], cuts[i].left_bytes,
		          tokenizer_piece_bytes(t, cuts[i].id), newer);
	}
	put(&g, "]}}\n");
	free(cuts);
	return g;
}

/* Pieces in a row, characters and bytes of all kinds, and runs. */
static size_t draw_text(const brise_tokenizer *t, uint64_t *seed, char *text, size_t room)
{
	static const char *const oddities[] = { " ",    "  ",       "\n",      "\t",
		                                "    ", "é",        "€",       "😀",
		                                "<s>",  "</s>",     "<0x41>",  SPACE,
		                                "\xff", "\xe2\x96", "0000000", "aaaa" };
	size_t n = 0, parts = (size_t)(random_next(seed) % 30);

	while (parts-- > 0) {
		uint32_t id = (uint32_t)(random_next(seed) % t->vocab);
		const char *part = (const char *)t->text + t->offsets[id];
		size_t bytes = tokenizer_piece_bytes(t, id);

		if (random_next(seed) % 3 == 0) {
			part = oddities[random_next(seed) % LENGTH(oddities)];
			bytes = strlen(part);
		}
		if (n + bytes > room)
			break;
		memcpy(text + n, part, bytes);
		n += bytes;
	}
	return n;
}

static void test_breeze_encodes_as_its_tokenizer_model_does(check_counts *counts)
{
	opened sp = { NULL, NULL, 0 };
	brise_error err = { BRISE_OK, "" };
	unsigned wrong, i;
	int newer;

	if (sentencepiece_read_model(BREEZE, &sp.section, &sp.bytes, &err) != BRISE_OK ||
	    brise_open_tokenizer(&sp.t, sp.section, sp.bytes, BREEZE, &err) != BRISE_OK) {
		check_skip(counts, "breeze's tokenizer as JSON", err.message);
		return;
	}
	for (newer = 0; newer <= 1; newer++) {
		growing g = make_json(sp.t, newer);
		opened o = { NULL, NULL, 0 }, again = { NULL, NULL, 0 };
		uint64_t seed = 1508;
		char text[600];

		CHECK(counts,
		      open_json(&o, g.text, g.n, &err) == BRISE_OK &&
		              open_json(&again, g.text, g.n, &err) == BRISE_OK,
		      "%s", err.message);
		if (o.t && again.t) {
			CHECK(counts,
			      o.bytes == again.bytes && !memcmp(o.section, again.section, o.bytes),
			      "two readings differ");
			CHECK(counts,
			      o.bytes > sp.bytes && o.t->bos == sp.t->bos &&
			              o.t->eos == sp.t->eos && o.t->unk == sp.t->unk &&
			              o.t->dummy_prefix == sp.t->dummy_prefix,
			      "other facts");
			CHECK(counts,
			      !memcmp(o.t->types, sp.t->types, sp.t->vocab) &&
			              !memcmp(o.t->offsets, sp.t->offsets,
			                      sp.t->vocab * sizeof *sp.t->offsets),
			      "other pieces");
			/* Metaspace puts no space in front of one. */
			for (i = wrong = 0; i < 5000; i++) {
				size_t n = draw_text(sp.t, &seed, text, sizeof text);
				bool begins = n > 0 && (text[0] == ' ' ||
				                        (n > 2 && !memcmp(text, SPACE, 3)));

				wrong += !(newer && begins) && !same_ids(o.t, sp.t, text, n);
			}
			CHECK(counts, wrong == 0, "%s: %u of %u texts are encoded otherwise",
			      newer ? "newer" : "older", wrong, i);
		}
		close_tokenizer(&o);
		close_tokenizer(&again);
		free(g.text);
	}
	close_tokenizer(&sp);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

#define SMALL_MODEL                                                                                \
	"\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": \"<unk>\", "             \
	"\"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": true, "  \
	"\"byte_fallback\": false, \"ignore_merges\": false, \"vocab\": {\"<unk>\": 0, \"<s>\": "  \
	"1, \"</s>\": 2, \"" SPACE "\": 3, \"a\": 4, \"b\": 5, \"ab\": 6, "                        \
	"\"\\u2581a\": 7, \"\\u0000\": 8, \"\\u0000a\": 9}, \"merges\": [\"a b\", \"" SPACE        \
	" a\", [\"\\u0000\", \"a\"]]}"
#define SMALL_ADDED                                                                                \
	"\"added_tokens\": [{\"id\": 0, \"content\": \"<unk>\", \"special\": true}, {\"id\": 1, "  \
	"\"content\": \"<s>\", \"special\": true}, "                                               \
	"{\"id\": 2, \"content\": \"</s>\", \"special\": true}, {\"id\": 11, \"content\": "        \
	"\"<|end|>\", \"lstrip\": true, \"special\": true}, "                                      \
	"{\"id\": 10, \"content\": \"<|begin|>\", \"lstrip\": false, \"normalized\": false, "      \
	"\"special\": false}]"
#define SMALL_NORMALIZER                                                                           \
	"\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "      \
	"\"prepend\": \"" SPACE "\"}, "                                                            \
	"{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" SPACE "\"}]}"
#define SMALL_PRE "\"pre_tokenizer\": null"
#define SMALL_DECODER                                                                              \
	"\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", "            \
	"\"pattern\": {\"String\": \"" SPACE "\"}, \"content\": \" \"}, {\"type\": \"Fuse\"}, "    \
	"{\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}]}"

static const char small[] = "{" SMALL_ADDED ", " SMALL_NORMALIZER ", " SMALL_PRE ", " SMALL_DECODER
                            ", " SMALL_MODEL "}\n";

#define METASPACE(rest)                                                                            \
	"\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": "     \
	"\"" SPACE "\"" rest "}"

/* The small file with the first `from` become `to`; aborts where there is none. */
static growing edit_small(const char *from, const char *to)
{
	growing g = { NULL, 0, 0 };
	const char *at = strstr(small, from);

	if (!at) {
		fprintf(stderr, "the small tokenizer holds no %s\n", from);
		exit(1);
	}
	put_bytes(&g, small, (size_t)(at - small));
	put_bytes(&g, to, strlen(to));
	put_bytes(&g, at + strlen(from), strlen(at + strlen(from)));
	return g;
}

static void expect_ids(check_counts *counts, const brise_tokenizer *t, const char *text,
                       size_t bytes, const char *expected)
{
	growing found = { NULL, 0, 0 };
	int32_t *ids = NULL;
	size_t n = 0, i;

	put(&found, "%s", "");
	if (brise_encode_text(t, text, bytes, false, &ids, &n, NULL) != BRISE_OK)
		put(&found, "error");
	for (i = 0; i < n; i++)
		put(&found, "%s%" PRId32, i ? " " : "", ids[i]);
	CHECK(counts, !strcmp(found.text, expected), "\"%s\": %s, expected %s", text, found.text,
	      expected);
	free(found.text);
	free(ids);
}

static void test_tokens_are_what_the_file_says(check_counts *counts)
{
	opened o = { NULL, NULL, 0 };
	brise_error err = { BRISE_OK, "" };
	brise_tokenizer_facts facts;

	CHECK(counts, open_json(&o, small, sizeof small - 1, &err) == BRISE_OK, "%s", err.message);
	if (!o.t)
		return;
	brise_get_tokenizer_facts(o.t, &facts, sizeof facts);
	CHECK(counts, facts.vocab == 12 && facts.unk == 0 && facts.bos == 1 && facts.eos == 2,
	      "%u tokens, unk %d, bos %d, eos %d", (unsigned)facts.vocab, (int)facts.unk,
	      (int)facts.bos, (int)facts.eos);
	CHECK(counts,
	      o.t->types[10] == PIECE_USER_DEFINED && o.t->types[11] == PIECE_CONTROL &&
	              o.t->types[1] == PIECE_CONTROL && o.t->types[0] == PIECE_UNKNOWN,
	      "other types");
	expect_ids(counts, o.t, "ab", 2, "3 6"); /* "a b" ranks above the space's merge */
	expect_ids(counts, o.t, "a", 1, "7");
	expect_ids(counts, o.t, "a<|begin|>a", 11, "7 10 7");
	expect_ids(counts, o.t, "a<|end|>", 8, "7 0"); /* no text spells a control token */
	expect_ids(counts, o.t, "<|begin|>", 9, "10"); /* no space in front of nothing */
	expect_ids(counts, o.t, "<|begin|><|begin|> a", 20, "10 10 3 7");
	expect_ids(counts, o.t, "xyb", 3, "3 0 5");
	expect_ids(counts, o.t, "\0a", 2, "3 9");
	expect_ids(counts, o.t, "", 0, "");
	close_tokenizer(&o);
}

static void test_added_tokens_without_a_row_are_left_out(check_counts *counts)
{
	static const struct {
		uint32_t rows, vocab;
		const char *line;
	} cases[] = { { 12, 12, NULL },
		      { 11, 11, "ignored: 1, of 11 and more" },
		      { 10, 10, "ignored: 2, of 10 and more" },
		      { 4, 10, "ignored: 2, of 4 and more" } };
	size_t i;

	/* the vocabulary itself stays: what it has too much of is refused elsewhere */
	for (i = 0; i < LENGTH(cases); i++) {
		notes lines = { NULL, 0, false };
		opened o = { NULL, NULL, 0 };
		brise_error err = { BRISE_OK, "" };
		brise_status status = tokenizer_json_read_memory(
		        small, sizeof small - 1, "tokenizer.json", cases[i].rows, &lines,
		        &o.section, &o.bytes, &err);

		if (status == BRISE_OK)
			status = brise_open_tokenizer(&o.t, o.section, o.bytes, "tokenizer.json",
			                              &err);
		CHECK(counts, status == BRISE_OK && o.t->vocab == cases[i].vocab, "%u rows: %s",
		      (unsigned)cases[i].rows, err.message);
		CHECK(counts,
		      cases[i].line ? lines.text && strstr(lines.text, cases[i].line) : !lines.text,
		      "%s", lines.text ? lines.text : "no line");
		close_tokenizer(&o);
		free(lines.text);
	}
}

/* Every spelling of a space in front, or of none, and what "a" becomes with it. */
static void test_spellings_of_the_space_in_front(check_counts *counts)
{
	static const char strip[] =
	        ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}";
	static const struct {
		const char *spelling;
		bool prefix;
	} cases[] = {
		{ METASPACE(", \"prepend_scheme\": \"first\", \"split\": false"), true },
		{ METASPACE(", \"prepend_scheme\": \"always\", \"add_prefix_space\": false"),
		  true },
		{ METASPACE(", \"add_prefix_space\": true"), true },
		{ METASPACE(""), true },
		{ METASPACE(", \"prepend_scheme\": \"never\""), false },
		{ METASPACE(", \"add_prefix_space\": false"), false },
		{ "\"normalizer\": {\"normalizers\": [{\"prepend\": \"" SPACE
		  "\", \"type\": \"Prepend\"}], \"type\": \"Sequence\"}, \"pre_tokenizer\": "
		  "{\"type\": \"Sequence\", "
		  "\"pretokenizers\": [{\"type\": \"Metaspace\", \"replacement\": \"" SPACE
		  "\", \"prepend_scheme\": \"never\"}]}",
		  true },
		{ "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, "
		  "\"content\": \"" SPACE "\"}, " SMALL_PRE,
		  false },
	};
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		growing g = edit_small(SMALL_NORMALIZER ", " SMALL_PRE, cases[i].spelling),
		        bare = { NULL, 0, 0 };
		const char *at = strstr(g.text, strip);
		brise_error err = { BRISE_OK, "" };
		opened o = { NULL, NULL, 0 };

		put_bytes(&bare, g.text, (size_t)(at - g.text));
		put(&bare, "%s", at + strlen(strip));
		CHECK(counts,
		      open_json(&o, cases[i].prefix ? g.text : bare.text,
		                cases[i].prefix ? g.n : bare.n, &err) == BRISE_OK,
		      "%s: %s", cases[i].spelling, err.message);
		if (o.t)
			expect_ids(counts, o.t, "a b", 3, cases[i].prefix ? "7 3 5" : "4 3 5");
		close_tokenizer(&o);
		CHECK(counts,
		      open_json(&o, cases[i].prefix ? bare.text : g.text,
		                cases[i].prefix ? bare.n : g.n, &err) == BRISE_EUNSUPPORTED &&
		              strstr(err.message, "decoder strips"),
		      "%s: %s", cases[i].spelling, err.message);
		close_tokenizer(&o);
		free(g.text);
		free(bare.text);
	}
}

/* ---- what is refused ------------------------------------------------------------------------- */

static const struct {
	const char *from, *to;
	brise_status status;
	const char *text;
} refusals[] = {
	{ SMALL_PRE, "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}",
	  BRISE_EUNSUPPORTED, "pre_tokenizer ByteLevel is not supported" },
	{ SMALL_PRE,
	  "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", "
	  "\"pattern\": {\"Regex\": \"x\"}}]}",
	  BRISE_EUNSUPPORTED, "pre_tokenizer Split" },
	{ SMALL_PRE, "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\"}",
	  BRISE_EUNSUPPORTED, "Metaspace with another replacement" },
	{ SMALL_PRE,
	  "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"" SPACE
	  "\", \"prepend_scheme\": \"last\"}",
	  BRISE_EUNSUPPORTED, "prepend_scheme last" },
	{ SMALL_PRE, "\"pre_tokenizer\": {}", BRISE_EUNSUPPORTED,
	  "pre_tokenizer  is not supported" },
	{ SMALL_PRE, "\"pre_tokenizer\": 5", BRISE_EFORMAT, "object expected" },
	{ SMALL_PRE, SMALL_PRE ", " SMALL_PRE, BRISE_EFORMAT, "appears twice" },
	{ SMALL_NORMALIZER, "\"normalizer\": {\"type\": \"NFKC\"}", BRISE_EUNSUPPORTED,
	  "normalizer NFKC is not supported" },
	{ SMALL_NORMALIZER,
	  "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}",
	  BRISE_EUNSUPPORTED, "normalizer Precompiled" },
	{ SMALL_NORMALIZER,
	  "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \" \"}, \"content\": "
	  "\"" SPACE "\"}",
	  BRISE_EUNSUPPORTED, "normalizer Replace of anything" },
	{ SMALL_NORMALIZER, "\"normalizer\": {\"type\": \"Prepend\", \"prepend\": \"_\"}",
	  BRISE_EUNSUPPORTED, "normalizer Prepend of anything" },
	{ SMALL_NORMALIZER, "\"normalizer\": null", BRISE_EUNSUPPORTED,
	  "spaces do not become U+2581" },
	{ SMALL_NORMALIZER,
	  "\"normalizer\": {\"normalizers\": [{\"normalizers\": [{\"normalizers\": "
	  "[{\"normalizers\": [{\"normalizers\": []}]}]}]}]}",
	  BRISE_EUNSUPPORTED, "sequences within" },
	{ SMALL_DECODER, "\"decoder\": {\"type\": \"ByteLevel\"}", BRISE_EUNSUPPORTED,
	  "decoder ByteLevel is not supported" },
	{ SMALL_DECODER,
	  "\"decoder\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"x\"}, \"content\": \" "
	  "\"}",
	  BRISE_EUNSUPPORTED, "decoder Replace of another text" },
	{ SMALL_DECODER, "\"decoder\": null", BRISE_EUNSUPPORTED, "the decoder does not turn" },
	{ "{\"type\": \"Fuse\"}", "{\"type\": \"ByteFallback\"}", BRISE_EUNSUPPORTED,
	  "do not go together" },
	{ "\"start\": 1", "\"start\": 2", BRISE_EUNSUPPORTED, "decoder Strip" },
	{ "\"type\": \"BPE\"", "\"type\": \"Unigram\"", BRISE_EUNSUPPORTED,
	  "model Unigram is not supported" },
	{ "\"dropout\": null", "\"dropout\": 0.1", BRISE_EUNSUPPORTED, "model.dropout" },
	{ "\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"##\"",
	  BRISE_EUNSUPPORTED, "model.continuing_subword_prefix" },
	{ "\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"_\"", BRISE_EUNSUPPORTED,
	  "model.end_of_word_suffix" },
	{ "\"ignore_merges\": false", "\"ignore_merges\": true", BRISE_EUNSUPPORTED,
	  "model.ignore_merges" },
	{ "\"fuse_unk\": true", "\"fuse_unk\": false", BRISE_EUNSUPPORTED,
	  "model.fuse_unk is off" },
	{ "\"byte_fallback\": false", "\"byte_fallback\": true", BRISE_EUNSUPPORTED,
	  "do not go together" },
	{ "\"unk_token\": \"<unk>\"", "\"unk_token\": \"<x>\"", BRISE_EFORMAT,
	  "model.unk_token \"<x>\" is no token" },
	{ "\"vocab\": {", "\"vocab\": [], \"x\": {", BRISE_EFORMAT, "an object expected" },
	{ "\"vocab\": {", "\"vocab\": {}, \"vocab\": {", BRISE_EFORMAT,
	  "model.vocab appears twice" },
	{ "\"merges\": [", "\"x\": [", BRISE_EFORMAT, "no model.vocab and model.merges" },
	{ SMALL_MODEL, "\"model\": {}", BRISE_EFORMAT, "no model.vocab and model.merges" },
	{ "\"b\": 5", "\"b\": 4", BRISE_EFORMAT, "id 4 appears twice" },
	{ "\"b\": 5", "\"b\": 50", BRISE_EFORMAT, "id 50 leaves a gap" },
	{ "\"b\": 5", "\"b\": -1", BRISE_EUNSUPPORTED, "token id -1" },
	{ "\"b\": 5", "\"b\": 1048576", BRISE_EUNSUPPORTED, "token id 1048576" },
	{ "\"b\": 5", "\"b\": 5.0", BRISE_EFORMAT, "integer" },
	{ "\"b\": 5", "\"a\": 5", BRISE_EFORMAT, "token \"a\" appears twice" },
	{ "\"b\": 5", "\"\": 5", BRISE_EUNSUPPORTED, "a token of 0 bytes" },
	{ "\"id\": 2, \"content\": \"</s>\"", "\"id\": 3, \"content\": \"</s>\"", BRISE_EFORMAT,
	  "token \"</s>\" appears twice" },
	{ "\"id\": 10", "\"id\": 11", BRISE_EFORMAT, "id 11 appears twice" },
	{ "\"id\": 10", "\"id\": 99", BRISE_EFORMAT, "id 99 leaves a gap" },
	{ "\"content\": \"<|begin|>\"", "\"content\": \"<|end|>\"", BRISE_EFORMAT,
	  "token \"<|end|>\" appears twice" },
	{ "\"a b\"", "\"a  b\"", BRISE_EFORMAT, "a merge that is not two texts" },
	{ "\"a b\"", "\"ab\"", BRISE_EFORMAT, "a merge that is not two texts" },
	{ "\"a b\"", "\"a \"", BRISE_EUNSUPPORTED, "merge 0 is not of two texts" },
	{ "\"a b\"", "\"a x\"", BRISE_EFORMAT, "model.merges 0 \"ax\": what it makes is no token" },
	{ "\"a b\"", "\"b a\"", BRISE_EFORMAT, "model.merges 0 \"ba\": what it makes is no token" },
	{ "\"a b\"", "[\"a\"]", BRISE_EFORMAT, "a merge of two texts" },
	{ "\"a b\"", "[\"a\", \"b\", \"c\"]", BRISE_EFORMAT, "a merge of two texts" },
	{ "\"a b\"", "[\"a\", 5]", BRISE_EFORMAT, "a string expected" },
	{ "\"a b\"", "\"a b\", [\"a\", \"b\"]", BRISE_EFORMAT,
	  "the merge of tokens 4 and 5 appears twice" },
	{ "\"a b\"", "7", BRISE_EFORMAT, "a string expected" },
	{ "[\"a b\", ", "[", BRISE_EUNSUPPORTED,
	  "token 6 \"ab\": its merges cannot be expressed by scores" },
	{ "}\n", "\n", BRISE_EFORMAT, "tokenizer.json: line" },
};

static void test_other_pipelines_and_damage_are_refused_by_name(check_counts *counts)
{
	size_t i;

	for (i = 0; i < LENGTH(refusals); i++) {
		growing g = edit_small(refusals[i].from, refusals[i].to);
		brise_error err = { BRISE_OK, "" };
		opened o = { NULL, NULL, 0 };
		brise_status status = open_json(&o, g.text, g.n, &err);

		CHECK(counts,
		      status == refusals[i].status && strstr(err.message, refusals[i].text) &&
		              strstr(err.message, "tokenizer.json") && !o.section,
		      "%.60s -> %.100s: %d %s", refusals[i].from, refusals[i].to, status,
		      err.message);
		close_tokenizer(&o);
		free(g.text);
	}
}

static void test_words_that_are_split_may_not_be_spanned(check_counts *counts)
{
	growing g = edit_small(SMALL_NORMALIZER ", " SMALL_PRE, METASPACE(", \"split\": true")),
	        spanning = { NULL, 0, 0 };
	const char *at = strstr(g.text, "\"b\": 5");
	brise_error err = { BRISE_OK, "" };
	opened o = { NULL, NULL, 0 };

	CHECK(counts, open_json(&o, g.text, g.n, &err) == BRISE_OK, "%s", err.message);
	close_tokenizer(&o);
	put_bytes(&spanning, g.text, (size_t)(at - g.text));
	put(&spanning, "\"a" SPACE "\": 5, \"b\": 12");
	put(&spanning, "%s", at + 6);
	at = strstr(spanning.text, "\"a b\"");
	free(g.text);
	g = (growing){ NULL, 0, 0 };
	put_bytes(&g, spanning.text, (size_t)(at - spanning.text));
	put(&g, "\"a " SPACE "\", %s", at);
	CHECK(counts,
	      open_json(&o, g.text, g.n, &err) == BRISE_EUNSUPPORTED &&
	              strstr(err.message, "splits words"),
	      "%s", err.message);
	close_tokenizer(&o);
	free(g.text);
	free(spanning.text);
}

/* A small file with the 256 tokens of bytes. */
static growing make_byte_fallback(unsigned n_bytes, const char *more_merges)
{
	growing g = { NULL, 0, 0 };
	unsigned i;

	put(&g, "{");
	put_pipeline(&g, false);
	put(&g, "\"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"fuse_unk\": true, "
	        "\"byte_fallback\": true, \"vocab\": {\"<unk>\": 0, \"a\": 1, \"<0x61>\": 2");
	for (i = 0; i < n_bytes; i++)
		if (i != 0x61)
			put(&g, ", \"<0x%02X>\": %u", i, i < 0x61 ? i + 3 : i + 2);
	put(&g, "}, \"merges\": [%s]}}", more_merges);
	return g;
}

static void test_characters_without_a_token_become_bytes(check_counts *counts)
{
	growing good = make_byte_fallback(256, ""), few = make_byte_fallback(255, ""),
	        merged = make_byte_fallback(256, "\"<0x61> a\"");
	brise_error err = { BRISE_OK, "" };
	opened o = { NULL, NULL, 0 };

	CHECK(counts, open_json(&o, good.text, good.n, &err) == BRISE_OK, "%s", err.message);
	if (o.t)
		expect_ids(counts, o.t, "aé", 3,
		           "228 152 131 1 197 171"); /* the space is three bytes too */
	close_tokenizer(&o);
	CHECK(counts,
	      open_json(&o, few.text, few.n, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "only 255 bytes"),
	      "%s", err.message);
	CHECK(counts,
	      open_json(&o, merged.text, merged.n, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "no token"),
	      "%s", err.message);
	free(good.text);
	free(few.text);
	free(merged.text);
}

static void test_truncated_file_is_refused_at_every_byte(check_counts *counts)
{
	unsigned accepted = 0, strange = 0;
	size_t n;

	for (n = 0; n + 2 < sizeof small; n++) {
		brise_error err = { BRISE_OK, "" };
		char *copy = malloc(n + 1); /* sanitizers see a byte too far */
		opened o = { NULL, NULL, 0 };
		brise_status status;

		memcpy(copy, small, n);
		status = open_json(&o, copy, n, &err);
		accepted += status == BRISE_OK;
		strange += status != BRISE_OK && (status != BRISE_EFORMAT || o.section);
		close_tokenizer(&o);
		free(copy);
	}
	CHECK(counts, accepted == 0 && strange == 0, "%u accepted, %u strange", accepted, strange);
}

static void test_flipped_bytes_do_no_harm(check_counts *counts)
{
	char copy[sizeof small];
	unsigned strange = 0, refused = 0;
	size_t at, bit;

	memcpy(copy, small, sizeof small);
	for (at = 0; at + 1 < sizeof small; at++)
		for (bit = 0; bit < 8; bit += 3) {
			brise_error err = { BRISE_OK, "" };
			opened o = { NULL, NULL, 0 };
			brise_status status;

			copy[at] = (char)(small[at] ^ 1 << bit);
			status = open_json(&o, copy, sizeof small - 1, &err);
			refused += status != BRISE_OK;
			strange += status != BRISE_OK && status != BRISE_EFORMAT &&
			           status != BRISE_EUNSUPPORTED;
			close_tokenizer(&o);
			copy[at] = small[at];
		}
	CHECK(counts, strange == 0 && refused > sizeof small, "%u strange, %u refused", strange,
	      refused);
}

static const char bare_pipeline[] =
        "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": "
        "\"" SPACE "\"}, \"pre_tokenizer\": null, "
        "\"decoder\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"" SPACE
        "\"}, \"content\": \" \"}, ";

/* A quadratic algorithm would take hours for long pieces that overlap themselves. */
static void test_work_is_bounded(check_counts *counts)
{
	growing g = { NULL, 0, 0 };
	brise_error err = { BRISE_OK, "" };
	opened o = { NULL, NULL, 0 };
	unsigned i, k;

	put(&g,
	    "{%s\"model\": {\"type\": \"BPE\", \"fuse_unk\": true, \"merges\": [], \"vocab\": "
	    "{\"<unk>\": 0",
	    bare_pipeline);
	for (i = 1; i < 1500; i++) {
		put(&g, ", \"%04u", i);
		for (k = 0; k < 1020; k++)
			put_bytes(&g, "a", 1);
		put(&g, "\": %u", i);
	}
	put(&g, "}}}");
	CHECK(counts,
	      open_json(&o, g.text, g.n, &err) == BRISE_EUNSUPPORTED &&
	              strstr(err.message, "more long pieces"),
	      "%s", err.message);
	close_tokenizer(&o);
	free(g.text);
}

static void test_missing_file_is_an_error(check_counts *counts)
{
	brise_error err = { BRISE_OK, "" };
	void *section;
	size_t bytes;

	CHECK(counts,
	      tokenizer_json_read_model("test/no such file", TOKENIZER_JSON_ALL, NULL, &section,
	                                &bytes, &err) == BRISE_EIO &&
	              !section,
	      "%s", err.message);
	CHECK(counts,
	      tokenizer_json_read_model("test", TOKENIZER_JSON_ALL, NULL, &section, &bytes, &err) ==
	                      BRISE_EIO &&
	              !section,
	      "%s", err.message);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_breeze_encodes_as_its_tokenizer_model_does(&counts));
	RUN(test_tokens_are_what_the_file_says(&counts));
	RUN(test_added_tokens_without_a_row_are_left_out(&counts));
	RUN(test_spellings_of_the_space_in_front(&counts));
	RUN(test_other_pipelines_and_damage_are_refused_by_name(&counts));
	RUN(test_words_that_are_split_may_not_be_spanned(&counts));
	RUN(test_characters_without_a_token_become_bytes(&counts));
	RUN(test_truncated_file_is_refused_at_every_byte(&counts));
	RUN(test_flipped_bytes_do_no_harm(&counts));
	RUN(test_work_is_bounded(&counts));
	RUN(test_missing_file_is_an_error(&counts));
	return check_report("tokenizer_json", &counts);
}
