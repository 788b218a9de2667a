/* test_longest.c - added tokens that overlap in a text: by each source's order */
#include <string.h>

#include "convert/tokenizer/sentencepiece.h"
#include "runtime/os/memory.h"
#include "runtime/text/added.h"
#include "runtime/text/tokenizer.h"
#include "test/check.h"
#include "test/handmade_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define SPACE         "\xe2\x96\x81"
#define FIRST_ADDED   9

/* Ids from FIRST_ADDED on. */
static const char *const added[] = { "aab", "abcd", "<a", "a><b", "cc", "ccc", "ac" };

static brise_tokenizer *make(added_rule rule, void **bytes)
{
	handmade m = { .n = 0 };
	struct {
		added_header h;
		added_entry entries[LENGTH(added)];
	} section = { { (uint32_t)rule, LENGTH(added) }, { { 0, 0 } } };
	static const char *const pieces[] = { SPACE, "a", "b", "c", "d", "<" };
	brise_tokenizer *t = NULL;
	brise_error err;
	size_t i, n;

	handmade_piece(&m, "<unk>", 0, 2);
	handmade_piece(&m, "<s>", 0, 3);
	handmade_piece(&m, "</s>", 0, 3);
	for (i = 0; i < LENGTH(pieces); i++)
		handmade_piece(&m, pieces[i], -(float)i - 1, 1);
	for (i = 0; i < LENGTH(added); i++) {
		handmade_piece(&m, added[i], 0, 4);
		section.entries[i].id = FIRST_ADDED + (uint32_t)i;
	}
	handmade_rules(&m, 0, 0);
	if (sentencepiece_read_memory(m.bytes, m.n, "handmade", bytes, &n, &err) != BRISE_OK ||
	    brise_open_tokenizer(&t, *bytes, n, "handmade", &err) != BRISE_OK ||
	    added_attach(t, &section, sizeof section, "handmade", &err) != BRISE_OK)
		puts(err.message);
	return t;
}

static bool encodes(const brise_tokenizer *t, const char *text, const int32_t *expected, size_t n)
{
	int32_t *ids = NULL;
	size_t n_ids = 0;
	brise_error err;
	bool same =
	        brise_encode_text(t, text, strlen(text), true, &ids, &n_ids, &err) == BRISE_OK &&
	        n_ids == n && (n == 0 || !memcmp(ids, expected, n * sizeof *ids));

	brise_free(ids);
	return same;
}

static void check_texts(check_counts *counts, bool longest)
{
	static const struct {
		const char *text;
		int32_t longest[4], leftmost[4];
		size_t n_longest, n_leftmost;
	} cases[] = {
		{ "aabcd", { 4, 10 }, { 9, 6, 7 }, 2, 3 },
		{ "aabab", { 9, 4, 5 }, { 9, 4, 5 }, 3, 3 },
		{ "ccccc", { 14, 13 }, { 14, 13 }, 2, 2 },
		{ "accc", { 4, 14 }, { 15, 13 }, 2, 2 },
		{ "<a><b", { 8, 12 }, { 11, 0, 8, 5 }, 2, 4 },
		{ "<aabcd", { 11, 10 }, { 11, 10 }, 2, 2 },
		{ "", { 0 }, { 0 }, 0, 0 },
	};
	void *bytes = NULL;
	brise_tokenizer *t = make(longest ? ADDED_GGML : ADDED_EVERY, &bytes);
	size_t i;

	for (i = 0; t && i < LENGTH(cases); i++)
		CHECK(counts,
		      encodes(t, cases[i].text, longest ? cases[i].longest : cases[i].leftmost,
		              longest ? cases[i].n_longest : cases[i].n_leftmost),
		      "%s, %s first", cases[i].text, longest ? "longest" : "leftmost");
	CHECK(counts, t != NULL, "no tokenizer");
	brise_close_tokenizer(t);
	memory_free(bytes);
}

/* The ids are those of llama.cpp for a GGUF file with these tokens. */
static void test_longer_tokens_come_first_in_files_of_ggml(check_counts *counts)
{
	check_texts(counts, true);
}

static void test_leftmost_tokens_come_first_in_hugging_faces_files(check_counts *counts)
{
	check_texts(counts, false);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_longer_tokens_come_first_in_files_of_ggml(&counts));
	RUN(test_leftmost_tokens_come_first_in_hugging_faces_files(&counts));
	return check_report("longest", &counts);
}
