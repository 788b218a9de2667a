/* test_tekken_files.c - files that hold a byte-level tokenizer: tekken.json, and a tokenizer.json
 * made from one
 */
#include "convert/tokenizer/tekken_writer.h"
#include "test/tekken_files.h"

/* Catches: a field of tekken.json that is not written. */
static void test_what_is_written_gives_the_same_section(void)
{
	buffer json = { NULL, 0, 0, false };
	brise_error err = { .message = "" };
	opened o, again = { .section = NULL };

	if (!open_small(&o))
		return;
	CHECK(&counts, tekken_can_hold(o.t), "a tekken.json can be written");
	tekken_make_json(o.t, "v7", &json);
	CHECK(&counts,
	      !json.failed &&
	              open_json(&again, (char *)json.data, json.n, "written", &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(&counts, again.bytes == o.bytes && !memcmp(again.section, o.section, o.bytes),
	      "%zu bytes instead of %zu", again.bytes, o.bytes);
	close_opened(&again);
	buffer_free(&json);
	o.t->dialect = 0;
	tekken_make_json(o.t, "v7", &json);
	CHECK(&counts,
	      !json.failed &&
	              open_json(&again, (char *)json.data, json.n, "written", &err) == BRISE_OK &&
	              again.t->dialect == 7,
	      "the version of the conversations where the tokenizer has none: %s", err.message);
	buffer_free(&json);
	close_opened(&again);
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
	RUN(test_what_is_written_gives_the_same_section());
	RUN(test_hostile_tekken());
	RUN(test_unlisted_control_tokens_have_defaults());
	RUN(test_tokenizer_json_is_the_same());
	RUN(test_hostile_tokenizer_json());
	return check_report("tekken_files", &counts);
}
