/* test_added_tokens.c - tokens that files beside a tokenizer.model add give the section of a model
 * that has them as pieces; contradictions are refused */
#include <sys/stat.h>

#include "convert/convert.h"
#include "convert/tokenizer/sentencepiece.h"
#include "runtime/model/model.h"
#include "runtime/text/tokenizer.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/handmade_model.h"
#include "test/small_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define SPACE         "\xe2\x96\x81"
#define N_BASE        9u
#define ROWS          MAKER_VOCAB

static char base[512], folder[600], out_folder[600], out[700];

/* What a fine-tune for ChatML has; "<s>" is said again, and "[PAD]" has no row. */
static const char tokenizer_json[] =
        "{\"version\": \"1.0\", \"added_tokens\": [\n"
        "  {\"id\": 10, \"content\": \"<|im_start|>\", \"single_word\": false, \"lstrip\": false, "
        "\"rstrip\": false, \"special\": false},\n"
        "  {\"id\": 1, \"content\": \"<s>\", \"lstrip\": true, \"special\": true},\n"
        "  {\"id\": 40, \"content\": \"[PAD]\", \"lstrip\": false, \"special\": true},\n"
        "  {\"id\": 9, \"content\": \"<|im_end|>\", \"lstrip\": false, \"special\": true}],\n"
        " \"model\": {\"type\": \"BPE\", \"vocab\": {\"<unk>\": 0}, \"merges\": []}}";
static const char config_json[] =
        "{\"added_tokens_decoder\": {\"0\": {\"content\": \"<unk>\", \"special\": true}, \"9\": "
        "{\"content\": \"<|im_end|>\", \"special\": true},\n"
        " \"10\": {\"content\": \"<|im_start|>\", \"rstrip\": false, \"special\": false}}, "
        "\"bos_token\": \"<s>\", \"chat_template\": \"{{x}}\"}";
static const char plain_json[] = "{\"<|im_start|>\": 10, \"<|im_end|>\": 9}";

static void save_text(const char *name, const char *text)
{
	maker_save(folder, name, text, strlen(text));
}

static handmade make_model(void)
{
	handmade m = { .n = 0 };

	handmade_piece(&m, "<unk>", 0, 2);
	handmade_piece(&m, "<s>", 0, 3);
	handmade_piece(&m, "</s>", 0, 3);
	handmade_piece(&m, SPACE, -4, 1);
	handmade_piece(&m, "a", -5, 1);
	handmade_piece(&m, "b", -6, 1);
	handmade_piece(&m, "ab", -1, 1);
	handmade_piece(&m, SPACE "a", -2, 1);
	handmade_piece(&m, "<pad>", 0, 3);
	handmade_rules(&m, 0, 1);
	return m;
}

static void make_folder(void)
{
	handmade m = make_model();

	(void)maker_clear(folder);
	maker_save(folder, "tokenizer.model", m.bytes, m.n);
}

/* The section, or NULL; what it would say. */
static void *read_section(size_t *bytes, notes *lines, brise_status *status, brise_error *err)
{
	void *section = NULL;
	added_tokens added;
	char path[700];

	(void)snprintf(path, sizeof path, "%s/tokenizer.model", folder);
	err->message[0] = 0;
	*status = added_tokens_read(&added, path, ROWS, lines, err);
	if (*status == BRISE_OK)
		*status = sentencepiece_read_extended(path, &added, lines, &section, bytes, err);
	added_tokens_free(&added);
	return section;
}

/* The section must be that of the base model with these pieces after it, which protobuf lets one
 * append. */
static void expect_pieces(check_counts *counts, const char *what, const handmade *pieces,
                          const char *line)
{
	handmade m = make_model();
	void *expected = NULL, *found;
	size_t n_expected = 0, n_found = 0;
	notes lines = { NULL, 0, false };
	brise_status status;
	brise_error err;

	memcpy(m.bytes + m.n, pieces->bytes, pieces->n);
	m.n += pieces->n;
	CHECK(counts,
	      sentencepiece_read_memory(m.bytes, m.n, what, &expected, &n_expected, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	found = read_section(&n_found, &lines, &status, &err);
	CHECK(counts, status == BRISE_OK, "%s: %s", what, err.message);
	CHECK(counts, found && n_found >= n_expected && !memcmp(found, expected, n_expected),
	      "%s: another section", what);
	CHECK(counts, line ? lines.text && strstr(lines.text, line) : !lines.text, "%s: %s", what,
	      lines.text ? lines.text : "no line");
	free(lines.text);
	free(expected);
	free(found);
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void test_added_tokens_are_pieces_behind_the_base(check_counts *counts)
{
	handmade none = { .n = 0 }, flagged = { .n = 0 }, plain = { .n = 0 };

	handmade_piece(&flagged, "<|im_end|>", 0, 3);
	handmade_piece(&flagged, "<|im_start|>", 0, 4);
	handmade_piece(&plain, "<|im_end|>", 0, 4);
	handmade_piece(&plain, "<|im_start|>", 0, 4);
	make_folder();
	expect_pieces(counts, "nothing beside the model", &none, NULL);
	save_text("added_tokens.json", plain_json);
	expect_pieces(counts, "added_tokens.json", &plain,
	              "tokenizer: 2 added by added_tokens.json: <|im_end|> 9 (symbol), "
	              "<|im_start|> 10 (symbol)");
	save_text("special_tokens_map.json", "{\"eos_token\": {\"content\": \"<|im_end|>\"}}");
	expect_pieces(counts, "an object of special_tokens_map.json", &flagged,
	              "<|im_end|> 9 (control), <|im_start|> 10 (symbol)");
	save_text("special_tokens_map.json", "{\"additional_special_tokens\": [null, [], "
	                                     "\"<|im_end|>\", {\"content\": \"</s>\"}]}");
	expect_pieces(counts, "a list of special_tokens_map.json", &flagged,
	              "by added_tokens.json: <|im_end|> 9 (control)");
	save_text("special_tokens_map.json", "{\"eos_token\": \"<|im_\", \"x\": {\"y\": 1}}");
	expect_pieces(counts, "others in special_tokens_map.json", &plain, "9 (symbol)");
	save_text("tokenizer_config.json",
	          "{\"bos_token\": \"<s>\", \"added_tokens_decoder\": null}");
	expect_pieces(counts, "a configuration that says nothing", &plain, "by added_tokens.json");
	save_text("tokenizer_config.json", config_json);
	expect_pieces(counts, "tokenizer_config.json", &flagged,
	              "tokenizer: 2 added by tokenizer_config.json: <|im_end|> 9 (control), "
	              "<|im_start|> 10 (symbol)");
	save_text("tokenizer.json", tokenizer_json);
	expect_pieces(counts, "tokenizer.json", &flagged,
	              "tokenizer: 2 added by tokenizer.json: <|im_end|> 9 (control), <|im_start|> "
	              "10 (symbol)");
	expect_pieces(counts, "a token without a row", &flagged,
	              "without a row in the embedding ignored: 1, of 40 and more (tokenizer.json)");
	save_text("tokenizer.json", "{\"added_tokens\": []}");
	expect_pieces(counts, "an empty list", &none, NULL);
	save_text("tokenizer.json", "{\"added_tokens\": [{\"id\": 8, \"content\": \"<pad>\", "
	                            "\"special\": false, \"rstrip\": true}]}");
	expect_pieces(counts, "tokens that the base has", &none, NULL);
	save_text("tokenizer.json", "{\"added_tokens\": [{\"id\": 8, \"content\": \"[control_8]\", "
	                            "\"special\": true}]}");
	expect_pieces(counts, "a reserved token of another name", &none,
	              "tokenizer: reserved tokens have other names in tokenizer.json; those of "
	              "tokenizer.model are used: 1");
	save_text("tokenizer.json",
	          "{\"added_tokens\": [{\"id\": 9, \"content\": \"a b\", \"lstrip\": true, "
	          "\"special\": true}, {\"special\": true, \"content\": \"a b\", \"id\": 9}]}");
	handmade_piece(&none, "a b", 0, 3);
	expect_pieces(counts, "a control token said twice, of which nothing else matters", &none,
	              "tokenizer: 1 added by tokenizer.json: a b 9 (control)");
	save_text("tokenizer.json",
	          "{\"added_tokens\": [{\"id\": 9, \"content\": \"x\\ny\", \"special\": true}]}");
	none.n = 0;
	handmade_piece(&none, "x\ny", 0, 3);
	expect_pieces(counts, "a line feed, which breaks no line", &none,
	              "tokenizer: 1 added by tokenizer.json: x?y 9 (control)\n");
}

static void expect_ids(check_counts *counts, const brise_tokenizer *t, const char *text,
                       const char *expected)
{
	char found[200] = "";
	int32_t *ids = NULL;
	size_t n = 0, i, at = 0;

	CHECK(counts, brise_encode_text(t, text, strlen(text), false, &ids, &n, NULL) == BRISE_OK,
	      "%s", text);
	for (i = 0; i < n && at < 150; i++)
		at += (size_t)snprintf(found + at, sizeof found - at, "%s%" PRId32, i ? " " : "",
		                       ids[i]);
	CHECK(counts, !strcmp(found, expected), "%s: %s expected, found %s", text, expected, found);
	free(ids);
}

static void test_converted_file_knows_them(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");
	convert_options options;
	brise_model *model = NULL;
	brise_error err;

	make_folder();
	maker_config(folder, false, NULL);
	maker_safetensors(folder, "model.safetensors", m, 0, m->n, NULL);
	save_text("tokenizer.json", tokenizer_json);
	convert_init_options(&options);
	CHECK(counts,
	      convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_OK &&
	              brise_open_model(&model, out, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	if (model) {
		brise_tokenizer_facts facts;

		brise_get_tokenizer_facts(brise_get_tokenizer(model), &facts, sizeof facts);
		CHECK(counts, facts.vocab == 11 && facts.eos == 2, "%u pieces",
		      (unsigned)facts.vocab);
		expect_ids(counts, brise_get_tokenizer(model), "ab", "3 6");
		/* the older spelling: a space in front of each text between tokens */
		expect_ids(counts, brise_get_tokenizer(model), "a<|im_start|>ab a", "7 10 3 6 7");
		/* control tokens are not spelled by text */
		expect_ids(counts, brise_get_tokenizer(model), "a<s>b", "7 0 5");
		expect_ids(counts, brise_get_tokenizer(model), "a<|im_end|>", "7 0");
		CHECK(counts,
		      strstr(model->origin, "tokenizer: tokenizer.model") &&
		              strstr(model->origin, "tokenizer: 2 added by tokenizer.json"),
		      "%s", model->origin);
	}
	brise_close_model(model);
	CHECK(counts, maker_clear(out_folder) == 1, "no file, or more than one");
	save_text("tokenizer.json", "{\"added_tokens\": [{\"id\": 4, \"content\": \"A\"}]}");
	CHECK(counts,
	      convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_EFORMAT &&
	              maker_clear(out_folder) == 0,
	      "%s", err.message);
	options.no_tokenizer = true;
	CHECK(counts,
	      convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_OK &&
	              maker_clear(out_folder) == 1,
	      "%s", err.message);
	maker_close(m);
}

/* ---- what is refused ------------------------------------------------------------------------- */

#define ADDED(list) "{\"added_tokens\": [" list "]}"

static const struct {
	const char *file, *text;
	brise_status status;
	const char *message;
} refusals[] = {
	{ "tokenizer.json", ADDED("{\"id\": 4, \"content\": \"A\"}"), BRISE_EFORMAT,
	  "tokenizer.json: token 4 is \"A\", but \"a\" in tokenizer.model: one of the two files "
	  "belongs to another model: remove it" },
	{ "tokenizer.json", ADDED("{\"id\": 8, \"content\": \"<pad> \"}"), BRISE_EFORMAT,
	  "token 8 is \"<pad> \"" },
	{ "tokenizer.json", ADDED("{\"id\": 4, \"content\": \"A\", \"special\": true}"),
	  BRISE_EFORMAT, "token 4 is \"A\"" },
	{ "tokenizer.json", ADDED("{\"id\": 0, \"content\": \"<s>\", \"special\": true}"),
	  BRISE_EFORMAT, "token 0 is \"<s>\"" },
	{ "tokenizer.json",
	  ADDED("{\"id\": 9, \"content\": \"x\"}, {\"id\": 11, \"content\": \"y\"}"), BRISE_EFORMAT,
	  "added token \"y\" has id 11, but 10 before it has no token" },
	{ "tokenizer.json", ADDED("{\"id\": 10, \"content\": \"x\"}"), BRISE_EFORMAT,
	  "added token \"x\" has id 10, but 9 before it" },
	{ "tokenizer.json",
	  ADDED("{\"id\": 9, \"content\": \"x\"}, {\"id\": 9, \"content\": \"y\"}"), BRISE_EFORMAT,
	  "added token 9 appears twice, as \"x\" and \"y\"" },
	{ "tokenizer.json",
	  ADDED("{\"id\": 9, \"content\": \"x\"}, {\"id\": 9, \"content\": \"x\", \"special\": "
	        "true}"),
	  BRISE_EFORMAT, "added token 9 appears twice" },
	{ "tokenizer.json",
	  ADDED("{\"id\": 9, \"content\": \"x\"}, {\"id\": 10, \"content\": \"x\"}"), BRISE_EFORMAT,
	  "pieces 9 and 10 are both \"x\"" },
	{ "tokenizer.json", ADDED("{\"id\": 9, \"content\": \"<s>\"}"), BRISE_EUNSUPPORTED,
	  "text could spell a control token" },
	{ "tokenizer.json", ADDED("{\"id\": 9, \"content\": \"ab\", \"special\": true}"),
	  BRISE_EUNSUPPORTED, "text could spell a control token" },
	{ "tokenizer.json", ADDED("{\"id\": 9, \"content\": \"\"}"), BRISE_EFORMAT,
	  "piece 9 is empty" },
	{ "tokenizer.json", ADDED("{\"id\": 9, \"content\": \"a\\u0000\"}"), BRISE_EUNSUPPORTED,
	  "NUL byte" },
	{ "tokenizer.json", ADDED("{\"id\": 9}"), BRISE_EFORMAT, "without content" },
	{ "tokenizer.json", ADDED("{\"content\": \"x\"}"), BRISE_EFORMAT, "without an id" },
	{ "tokenizer.json", ADDED("{\"id\": -9, \"content\": \"x\"}"), BRISE_EFORMAT,
	  "without an id" },
	{ "tokenizer.json", ADDED("{\"id\": 4294967305, \"content\": \"x\"}"), BRISE_EFORMAT,
	  "without an id" },
	{ "tokenizer.json", ADDED("{\"id\": 9.5, \"content\": \"x\"}"), BRISE_EFORMAT, "integer" },
	{ "tokenizer.json", ADDED("\"x\""), BRISE_EFORMAT, "object expected" },
	{ "tokenizer.json", "{\"added_tokens\": {}}", BRISE_EFORMAT, "array expected" },
	{ "tokenizer.json", "", BRISE_EFORMAT, "tokenizer.json: is an empty file" },
	{ "tokenizer_config.json", "{\"added_tokens_decoder\": {\"9x\": {\"content\": \"x\"}}}",
	  BRISE_EFORMAT, "without an id" },
	{ "tokenizer_config.json", "{\"added_tokens_decoder\": {\"\": {\"content\": \"x\"}}}",
	  BRISE_EFORMAT, "without an id" },
	{ "tokenizer_config.json",
	  "{\"added_tokens_decoder\": {\"99999999999999999999\": {\"content\": \"x\"}}}",
	  BRISE_EFORMAT, "without an id" },
	{ "tokenizer_config.json", "{\"added_tokens_decoder\": []}", BRISE_EFORMAT,
	  "object expected" },
	{ "added_tokens.json", "{\"x\": \"9\"}", BRISE_EFORMAT, "number expected" },
	{ "added_tokens.json", "[]", BRISE_EFORMAT, "object expected" },
};

static void test_contradictions_and_damage_are_refused(check_counts *counts)
{
	size_t i, bytes;

	for (i = 0; i < LENGTH(refusals); i++) {
		notes lines = { NULL, 0, false };
		brise_status status;
		brise_error err;
		void *section;

		make_folder();
		save_text(refusals[i].file, refusals[i].text);
		section = read_section(&bytes, &lines, &status, &err);
		CHECK(counts,
		      status == refusals[i].status && strstr(err.message, refusals[i].message) &&
		              strstr(err.message, folder) && !section,
		      "%s: %d %s", refusals[i].text, status, err.message);
		free(section);
		free(lines.text);
	}
}

static void test_link_to_nothing_is_named(check_counts *counts)
{
	notes lines = { NULL, 0, false };
	brise_status status;
	brise_error err;
	char path[700];
	size_t bytes;

	make_folder();
	(void)snprintf(path, sizeof path, "%s/tokenizer.json", folder);
	if (symlink("nowhere", path) != 0)
		exit(1);
	CHECK(counts,
	      !read_section(&bytes, &lines, &status, &err) && status == BRISE_EIO &&
	              strstr(err.message, "tokenizer.json: a link to a file that is not there"),
	      "%s", err.message);
}

/* Reads part of a file's bytes, and appends what they say to the base. */
static brise_status read_bytes(added_form form, const char *text, size_t n, brise_error *err)
{
	added_tokens added = { .path = strdup("some.json") };
	tokenizer_pieces p = { .pieces = calloc(N_BASE, sizeof *p.pieces), .vocab = N_BASE };
	char *copy = malloc(n + 1); /* sanitizers see a byte too far */
	notes lines = { NULL, 0, false };
	brise_status status;
	bool any;
	size_t i;

	for (i = 0; i < N_BASE; i++)
		p.pieces[i] = (tokenizer_piece){ (const uint8_t *)(i == 1 ? "<s>" : "<unk>"),
			                         i == 1 ? 3 : 5,
			                         0,
			                         PIECE_CONTROL,
			                         0,
			                         false };
	memcpy(copy, text, n);
	status = added_tokens_read_memory(&added, form, copy, n, ROWS, &any, &lines, err);
	if (status == BRISE_OK)
		status = added_tokens_append(&added, &p, "some.model", &lines, err);
	added_tokens_free(&added);
	free(lines.text);
	free(copy);
	free(p.pieces);
	return status;
}

static void test_truncation_and_flipped_bytes_do_no_harm(check_counts *counts)
{
	static const char *const texts[] = { tokenizer_json, config_json, plain_json };
	char copy[sizeof tokenizer_json + sizeof config_json];
	size_t form, n, bit;

	for (form = 0; form < LENGTH(texts); form++) {
		unsigned accepted = 0, strange = 0;
		size_t whole = strlen(texts[form]);
		brise_error err;

		CHECK(counts, read_bytes((added_form)form, texts[form], whole, &err) == BRISE_OK,
		      "%s", err.message);
		for (n = 0; n < whole; n++)
			accepted += read_bytes((added_form)form, texts[form], n, &err) !=
			                    BRISE_EFORMAT ||
			            !strstr(err.message, "some.json: ");
		for (n = 0; n < whole; n++)
			for (bit = 0; bit < 8; bit++) {
				brise_status status;

				memcpy(copy, texts[form], whole);
				copy[n] = (char)(copy[n] ^ 1 << bit);
				status = read_bytes((added_form)form, copy, whole, &err);
				strange += status != BRISE_OK && status != BRISE_EFORMAT &&
				           status != BRISE_EUNSUPPORTED;
			}
		CHECK(counts, accepted == 0 && strange == 0,
		      "form %zu: %u truncations accepted, %u strange", form, accepted, strange);
	}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(base, sizeof base);
	(void)snprintf(folder, sizeof folder, "%s/checkpoint", base);
	(void)snprintf(out_folder, sizeof out_folder, "%s/out", base);
	(void)snprintf(out, sizeof out, "%s/model.brise", out_folder);
	if (mkdir(folder, 0777) != 0 || mkdir(out_folder, 0777) != 0)
		return 1;
	RUN(test_added_tokens_are_pieces_behind_the_base(&counts));
	RUN(test_converted_file_knows_them(&counts));
	RUN(test_contradictions_and_damage_are_refused(&counts));
	RUN(test_link_to_nothing_is_named(&counts));
	RUN(test_truncation_and_flipped_bytes_do_no_harm(&counts));
	(void)maker_clear(folder);
	(void)rmdir(folder);
	(void)rmdir(out_folder);
	(void)rmdir(base);
	return check_report("added_tokens", &counts);
}
