/* test_text_settings.c - the begin token, the end tokens and the chat template, from every place
 * where checkpoints state them, through conversion and export and back */
#include <string.h>
#include <sys/stat.h>

#include "convert/convert.h"
#include "convert/export.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/handmade_model.h"
#include "test/small_model.h"

#define SPACE "\xe2\x96\x81"

static check_counts counts;
static char root[300], folder[400], file[400], source[400], out[400];

static void save(const char *name, const char *text)
{
	maker_save(folder, name, text, strlen(text));
}

/* Ids 0 <unk>, 1 <s>, 2 </s>, 3 U+2581, 4 a, 5 b; the model has 40 rows. */
static void make_folder(const char *config_from, const char *config_to)
{
	maker_edit edit = { "config.json", config_from, config_from ? strlen(config_from) : 0,
		            config_to, config_to ? strlen(config_to) : 0 };
	maker_model *m = maker_new(false, "F16");
	handmade t = { .n = 0 };

	(void)maker_clear(folder);
	maker_config(folder, false, config_from ? &edit : NULL);
	maker_safetensors(folder, "model.safetensors", m, 0, m->n, NULL);
	maker_close(m);
	handmade_piece(&t, "<unk>", 0, 2);
	handmade_piece(&t, "<s>", 0, 3);
	handmade_piece(&t, "</s>", 0, 3);
	handmade_piece(&t, SPACE, -1, 1);
	handmade_piece(&t, "a", -2, 1);
	handmade_piece(&t, "b", -3, 1);
	handmade_rules(&t, 0, 1);
	maker_save(folder, "tokenizer.model", t.bytes, t.n);
}

/* chat_format: as of convert_options. */
static brise_model *convert_as(const char *path, const char *chat_format)
{
	convert_options options;
	brise_model *model = NULL;
	brise_error err = { BRISE_OK, "" };

	convert_init_options(&options);
	options.type = TYPE_F16;
	options.chat_format = chat_format;
	(void)unlink(file);
	if (convert_checkpoint(path, file, &options, NULL, &err) == BRISE_OK)
		(void)brise_open_model(&model, file, NULL, &err);
	CHECK(&counts, model, "%s", err.message);
	return model;
}

static brise_model *convert(const char *path)
{
	return convert_as(path, NULL);
}

/* "2,6": the begin token, a colon, the end tokens. */
static void expect_model(const brise_model *model, const char *what, const char *expected)
{
	const brise_model_facts *f = brise_get_model_facts(model);
	char found[200];
	size_t i;
	int at = snprintf(found, sizeof found, "%d:", (int)f->bos);

	for (i = 0; i < f->n_ends; i++)
		at += snprintf(found + at, sizeof found - (size_t)at, "%s%d", i ? "," : "",
		               (int)f->ends[i]);
	CHECK(&counts, !strcmp(found, expected), "%s: %s, expected %s", what, found, expected);
}

static void expect(const char *what, const char *expected, const char *line)
{
	brise_model *model = convert(folder);

	if (!model)
		return;
	expect_model(model, what, expected);
	CHECK(&counts, !line || strstr(brise_get_model_facts(model)->origin, line),
	      "%s: no \"%s\" in %s", what, line, brise_get_model_facts(model)->origin);
	brise_close_model(model);
}

#define EOS "\"eos_token_id\": 2"

static void test_end_tokens_are_found_wherever_they_are_stated(void)
{
	make_folder(NULL, NULL);
	expect("config.json", "1:2", "end token 2 </s> (config.json)");
	make_folder(EOS, "\"eos_token_id\": [5, 2, 4]");
	expect("a list in config.json", "1:5,2,4", "5 b (config.json), 2 </s> (config.json)");
	make_folder(EOS, "\"eos_token_id\": null");
	save("generation_config.json", "{\"eos_token_id\": 5}");
	expect("generation_config.json alone", "1:5,2", "5 b (generation_config.json)");
	make_folder(NULL, NULL);
	save("generation_config.json", "{\"eos_token_id\": [2, 4, 5, 4]}");
	expect("a list in generation_config.json", "1:2,4,5", "4 a (generation_config.json)");
	make_folder(NULL, NULL);
	save("generation_config.json", "{\"eos_token_id\": [2, 40, -1, 4]}");
	expect("ids outside the model", "1:2,4",
	       "end token 40 ignored: the model has 40 tokens (generation_config.json)");
	make_folder(NULL, NULL);
	save("generation_config.json", "{\"eos_token_id\": [null, \"5\", 4.0, 4.5, true, 1e300]}");
	expect("values that are no ids", "1:2,4", NULL);
	make_folder(NULL, NULL);
	save("tokenizer_config.json", "{\"eos_token\": \"b\"}");
	expect("a text in tokenizer_config.json", "1:2,5", "5 b (tokenizer_config.json)");
	make_folder(NULL, NULL);
	save("tokenizer_config.json",
	     "{\"eos_token\": {\"__type\": \"AddedToken\", \"content\": \"b\"}}");
	expect("an object in tokenizer_config.json", "1:2,5", NULL);
	make_folder(NULL, NULL);
	save("special_tokens_map.json", "{\"eos_token\": {\"content\": \"b\"}}");
	expect("special_tokens_map.json", "1:2,5", "5 b (special_tokens_map.json)");
	make_folder(NULL, NULL);
	save("tokenizer_config.json", "{\"eos_token\": \"<none>\"}");
	expect("a text that is no token", "1:2", "end token \"<none>\" ignored");
}

/* Ids 3 4 and 4: with and without U+2581 in front. */
static void test_space_in_front_may_be_switched_off(void)
{
	static const struct {
		const char *config;
		size_t n;
	} cases[] = { { "{\"add_prefix_space\": true}", 2 },
		      { "{\"add_prefix_space\": null}", 2 },
		      { "{\"add_prefix_space\": \"false\"}", 2 },
		      { "{\"add_prefix_space\": false}", 1 },
		      { "{\"add_prefix_space\": false, \"legacy\": false}", 1 } };
	size_t i, n;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		brise_model *model;
		int32_t *ids = NULL;

		make_folder(NULL, NULL);
		save("tokenizer_config.json", cases[i].config);
		if (!(model = convert(folder)))
			continue;
		CHECK(&counts,
		      brise_encode_text(brise_get_tokenizer(model), "a", 1, false, &ids, &n,
		                        NULL) == BRISE_OK &&
		              n == cases[i].n,
		      "%s: %zu tokens", cases[i].config, n);
		brise_free(ids);
		brise_close_model(model);
	}
}

static void test_names_of_turn_ends_are_known(void)
{
	static const char *const names[] = { "<|im_end|>",  "<|eot_id|>",    "<|eom_id|>",
		                             "<|end|>",     "<end_of_turn>", "<|endoftext|>",
		                             "<|fim_pad|>", "<|file_sep|>",  "<EOT>" };
	char text[300];
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		make_folder(NULL, NULL);
		(void)snprintf(text, sizeof text, "{\"%s\": 6, \"<|im_start|>\": 7}", names[i]);
		save("added_tokens.json", text);
		expect(names[i], "1:2,6", "(by its name)");
		(void)snprintf(text, sizeof text,
		               "{\"added_tokens_decoder\": {\"6\": {\"content\": \"%s\", "
		               "\"special\": true}}}",
		               names[i]);
		make_folder(NULL, NULL);
		save("tokenizer_config.json", text);
		expect(names[i], "1:2,6", "(by its name)");
	}
	make_folder(NULL, NULL);
	save("added_tokens.json", "{\"<|im_ended|>\": 6, \"im_end\": 7}");
	expect("names that are none of them", "1:2", NULL);
	make_folder(NULL, NULL);
	save("added_tokens.json", "{\"<|end|>\": 6, \"<|return|>\": 7, \"<|call|>\": 8}");
	expect("<|end|> where other tokens end a turn", "1:2,7,8", NULL);
}

#define TEMPLATE(first)                                                                            \
	"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [" first              \
	"{\"Sequence\": {\"id\": \"A\"}}]}, \"added_tokens\": []}"

static void test_the_begin_token_follows_the_tokenizer(void)
{
	make_folder(NULL, NULL);
	save("tokenizer_config.json", "{\"add_bos_token\": false}");
	expect("add_bos_token false", "-1:2", "no begin token is put in front of a text");
	make_folder(NULL, NULL);
	save("tokenizer_config.json", "{\"add_bos_token\": true, \"bos_token\": \"a\"}");
	expect("another bos_token", "4:2", "begin token 4 a (tokenizer_config.json");
	make_folder(NULL, NULL);
	save("tokenizer_config.json", "{\"add_bos_token\": 0}");
	expect("add_bos_token 0", "-1:2", "no begin token is put in front of a text");
	make_folder("\"bos_token_id\": 1", "\"bos_token_id\": null");
	save("tokenizer_config.json", "{\"bos_token\": \"<s>\"}");
	expect("bos_token alone", "1:2", "begin token 1 <s> (tokenizer_config.json");
	make_folder(NULL, NULL);
	save("tokenizer_config.json", "{\"add_bos_token\": null, \"bos_token\": null}");
	expect("nulls say nothing", "1:2", NULL);
	make_folder(NULL, NULL);
	save("tokenizer.json", TEMPLATE(""));
	expect("a post-processor without a begin token", "-1:2", "tokenizer.json: post_processor");
	make_folder(NULL, NULL);
	save("tokenizer.json", TEMPLATE("{\"SpecialToken\": {\"id\": \"<s>\"}}, "));
	expect("a post-processor with one", "1:2", NULL);
	save("tokenizer_config.json", "{\"add_bos_token\": false}");
	expect("tokenizer_config.json is above it", "-1:2", "tokenizer_config.json");
	make_folder(NULL, NULL);
	save("tokenizer.json", TEMPLATE(""));
	save("tokenizer_config.json", "{\"add_bos_token\": true}");
	expect("tokenizer_config.json is above it", "1:2", NULL);
}

static void expect_template(const char *what, const char *expected)
{
	brise_model *model = convert(folder);
	const char *found = model ? brise_get_model_facts(model)->chat_template : NULL;

	CHECK(&counts, expected ? found && !strcmp(found, expected) : !found, "%s: %s", what,
	      found ? found : "none");
	brise_close_model(model);
}

static void test_chat_templates_are_kept_as_text(void)
{
	static char large[(1 << 20) + 100];

	make_folder(NULL, NULL);
	expect_template("none", NULL);
	save("chat_template.json", "{\"chat_template\": \"{{ c }}\"}");
	expect_template("chat_template.json", "{{ c }}");
	save("tokenizer_config.json", "{\"chat_template\": \"{{ a\\n\\\"b\\\" }}\"}");
	expect_template("tokenizer_config.json", "{{ a\n\"b\" }}");
	save("tokenizer_config.json",
	     "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"{{ t }}\"}, "
	     "{\"template\": \"{{ d }}\", \"name\": \"default\"}]}");
	expect_template("named ones: the default", "{{ d }}");
	save("chat_template.jinja", "{{ j }}\n");
	expect_template("chat_template.jinja is above all", "{{ j }}\n");
	make_folder(NULL, NULL);
	memset(large, 'x', sizeof large - 1);
	save("chat_template.jinja", large);
	expect_template("too long", NULL);
	large[1 << 20] = 0;
	save("chat_template.jinja", large);
	expect_template("as long as may be", large);
	save("chat_template.jinja", "\xff\xfe");
	expect("no UTF-8, which stops nothing", "1:2", NULL);
}

/* What the file records, and a part of what the converter says. */
static void expect_format(const char *what, const char *chosen, const char *expected,
                          const char *line)
{
	brise_model *model = convert_as(folder, chosen);
	const brise_model_facts *f = brise_get_model_facts(model);

	if (!model)
		return;
	CHECK(&counts,
	      expected ? f->chat_format && !strcmp(f->chat_format, expected) : !f->chat_format,
	      "%s: %s", what, f->chat_format ? f->chat_format : "nothing");
	CHECK(&counts, line ? strstr(f->origin, line) != NULL : !strstr(f->origin, "chat format"),
	      "%s: %s", what, f->origin);
	brise_close_model(model);
}

#define CHATML_TOKENS                                                                              \
	"\"added_tokens_decoder\": {\"6\": {\"content\": \"<|im_end|>\", \"special\": true}, "     \
	"\"7\": {\"content\": \"<|im_start|>\", \"special\": false}}"
#define AFFIXES                                                                                    \
	"{\"user\": {\"before\": \"a\", \"after\": \"\"}, \"assistant\": {\"before\": \"b\", "     \
	"\"after\": \"</s>\"}}"

static void test_the_format_of_conversations_is_recorded(void)
{
	convert_options options;
	brise_error err = { BRISE_OK, "" };

	make_folder(NULL, NULL);
	expect_format("nothing says", NULL, NULL, NULL);
	expect_format("chosen", "v1", "v1", "chat format v1 (--chat-format)");
	expect_format("affixes", " \n" AFFIXES "\n", AFFIXES "\n",
	              "chat format of a file of affixes");
	save("tokenizer_config.json", "{" CHATML_TOKENS "}");
	expect_format("tokens alone", NULL, "chatml",
	              "chat format chatml: the vocabulary has <|im_start|>");
	save("tokenizer_config.json", "{\"chat_template\": \"[INST] {{ x }} [/INST]\"}");
	expect_format("a template", NULL, "v1", "chat format v1: the chat template writes [INST]");
	expect_format("chosen above the template", "zephyr", "zephyr",
	              "chat format zephyr (--chat-format)");
	save("tokenizer_config.json", "{\"chat_template\": \"{{ x }}\"}");
	expect_format("an unknown template", NULL, "unknown",
	              "chat format unknown: the chat template is of no known form; --chat-format");
	save("tokenizer_config.json", "{\"chat_template\": \"<|im_start|>\"}");
	expect_format("a template without its tokens", NULL, "unknown",
	              "but the vocabulary lacks it");
	save("tokenizer_config.json",
	     "{\"chat_template\": \"[INST]\", \"brise_chat_format\": \"zephyr\"}");
	expect_format("exported", NULL, "zephyr", "chat format zephyr (tokenizer_config.json)");
	expect_format("chosen above what was exported", "v1", "v1",
	              "chat format v1 (--chat-format)");
	save("tokenizer_config.json",
	     "{\"chat_template\": \"[INST]\", \"brise_chat_format\": \"v3\"}");
	expect_format("exported with another vocabulary", NULL, "v1",
	              "chat format of the exported model ignored: the format v3 needs");
	save("tokenizer_config.json", "{\"brise_chat_format\": \"\\u0000\"}");
	expect_format("exported without text", NULL, NULL, NULL);
	save("tokenizer_config.json", "{\"brise_chat_format\": [1]}");
	expect_format("exported as no text", NULL, NULL, NULL);
	convert_init_options(&options);
	options.chat_format = "v3";
	CHECK(&counts,
	      convert_checkpoint(folder, file, &options, NULL, &err) == BRISE_EINVAL &&
	              strstr(err.message, "the format v3 needs the control token [INST]"),
	      "%s", err.message);
	options.chat_format = "{}";
	CHECK(&counts,
	      convert_checkpoint(folder, file, &options, NULL, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "no affixes of the role"),
	      "%s", err.message);
}

static void test_damaged_files_are_named(void)
{
	static const struct {
		const char *name, *text;
	} wrong[] = { { "generation_config.json", "{\"eos_token_id\": [2" },
		      { "tokenizer_config.json", "{\"add_bos_token\": tru}" },
		      { "special_tokens_map.json", "[]" } };
	convert_options options;
	brise_error err;
	size_t i;

	convert_init_options(&options);
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		make_folder(NULL, NULL);
		save(wrong[i].name, wrong[i].text);
		err.message[0] = 0;
		CHECK(&counts,
		      convert_checkpoint(folder, file, &options, NULL, &err) == BRISE_EFORMAT &&
		              strstr(err.message, wrong[i].name),
		      "%s: %s", wrong[i].text, err.message);
	}
}

/* Six pieces for 40 rows. */
static void test_rows_without_a_piece_are_written_as_nothing(void)
{
	const int32_t ids[] = { 4, 6, 39, 5, 20 };
	brise_decoder *decoder = NULL;
	const char *text;
	char found[40] = "";
	brise_model *model;
	const brise_tokenizer *t;
	size_t bytes, i;
	int32_t id;

	make_folder(NULL, NULL);
	if (!(model = convert(folder)))
		return;
	t = brise_get_tokenizer(model);
	CHECK(&counts, brise_new_decoder(&decoder, t, NULL) == BRISE_OK, "a decoder");
	for (i = 0; i < sizeof ids / sizeof *ids; i++) {
		CHECK(&counts, brise_decode_token(decoder, ids[i], &text, &bytes, NULL) == BRISE_OK,
		      "id %d", (int)ids[i]);
		strncat(found, text, bytes);
	}
	CHECK(&counts, !strcmp(found, "ab"), "\"%s\", expected \"ab\"", found);
	CHECK(&counts,
	      brise_decode_token(decoder, 40, &text, &bytes, NULL) == BRISE_EINVAL &&
	              brise_decode_token(decoder, -1, &text, &bytes, NULL) == BRISE_EINVAL,
	      "ids outside the model are refused");
	CHECK(&counts,
	      brise_get_piece(t, 39, &text, &bytes, NULL) == BRISE_OK && bytes == 0 &&
	              brise_get_piece(t, 40, &text, &bytes, NULL) == BRISE_EINVAL,
	      "such a row has an empty piece");
	CHECK(&counts, brise_find_token(t, "b", 1, &id, NULL) == BRISE_OK && id == 5, "%d",
	      (int)id);
	CHECK(&counts, brise_find_token(t, "</s>", 4, &id, NULL) == BRISE_OK && id == 2,
	      "control tokens have a piece too: %d", (int)id);
	CHECK(&counts, brise_find_token(t, "c", 1, &id, NULL) == BRISE_EINVAL && id == -1,
	      "no such piece: %d", (int)id);
	brise_free_decoder(decoder);
	brise_close_model(model);
}

/* ---- there and back ------------------------------------------------------------------------- */

static brise_model *export_and_convert(const brise_model *model, enum export_format format,
                                       const char *name)
{
	export_options options;
	brise_error err = { BRISE_OK, "" };

	(void)snprintf(out, sizeof out, "%s/%s", root, name);
	(void)maker_clear(out);
	(void)rmdir(out);
	(void)unlink(out);
	export_init_options(&options);
	options.format = format;
	CHECK(&counts, export_model(model, out, &options, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	return convert(out);
}

static void expect_ids(const brise_model *model, const char *what, bool control,
                       const char *expected)
{
	char found[100] = "";
	int32_t *ids = NULL;
	size_t n = 0, i;
	int at = 0;

	CHECK(&counts,
	      brise_encode_text(brise_get_tokenizer(model), "a<|im_end|>b<|im_start|>a", 25,
	                        control, &ids, &n, NULL) == BRISE_OK,
	      "%s", what);
	for (i = 0; i < n; i++)
		at += snprintf(found + at, sizeof found - (size_t)at, "%s%d", i ? " " : "",
		               (int)ids[i]);
	CHECK(&counts, !strcmp(found, expected), "%s: %s, expected %s", what, found, expected);
	free(ids);
}

static void check_back(const brise_model *model, enum export_format format, const char *name,
                       const char *expected)
{
	brise_model *back = export_and_convert(model, format, name);
	const char *text = back ? brise_get_model_facts(back)->chat_template : NULL;

	if (!back)
		return;
	expect_model(back, name, expected);
	CHECK(&counts, text && !strcmp(text, "{{ \"x\\y\" }}\n\t\xc3\xa9"), "%s: template %s", name,
	      text ? text : "none");
	expect_ids(back, name, true, "3 4 6 3 5 7 3 4");
	brise_close_model(back);
}

static void test_exports_bring_everything_back(void)
{
	brise_model *model;

	make_folder(NULL, NULL);
	save("tokenizer_config.json",
	     "{\"add_bos_token\": false, \"added_tokens_decoder\": {\"6\": {\"content\": "
	     "\"<|im_end|>\", \"special\": true, \"normalized\": false}, \"7\": {\"content\": "
	     "\"<|im_start|>\", \"special\": false, \"normalized\": false}}, \"chat_template\": "
	     "\"{{ \\\"x\\\\y\\\" }}\\n\\t\\u00e9\"}");
	if (!(model = convert(folder)))
		return;
	(void)rename(file, source);
	brise_close_model(model);
	if (brise_open_model(&model, source, NULL, NULL) != BRISE_OK)
		return;
	expect_ids(model, "converted, control tokens asked for", true, "3 4 6 3 5 7 3 4");
	expect_ids(model, "converted, not asked for", false, "3 4 0 5 7 3 4");
	check_back(model, EXPORT_SAFETENSORS, "back", "-1:2,6");
	check_back(model, EXPORT_GGUF, "back.gguf", "-1:2,6");
	brise_close_model(model);
}

int main(void)
{
	small_folder(root, sizeof root);
	(void)snprintf(folder, sizeof folder, "%s/checkpoint", root);
	(void)snprintf(file, sizeof file, "%s/m.brise", root);
	(void)snprintf(source, sizeof source, "%s/source.brise", root);
	if (mkdir(folder, 0700) != 0)
		return 1;
	test_end_tokens_are_found_wherever_they_are_stated();
	test_space_in_front_may_be_switched_off();
	test_names_of_turn_ends_are_known();
	test_the_begin_token_follows_the_tokenizer();
	test_chat_templates_are_kept_as_text();
	test_the_format_of_conversations_is_recorded();
	test_damaged_files_are_named();
	test_rows_without_a_piece_are_written_as_nothing();
	test_exports_bring_everything_back();
	(void)maker_clear(folder);
	(void)rmdir(folder);
	(void)snprintf(out, sizeof out, "%s/back", root);
	(void)maker_clear(out);
	(void)rmdir(out);
	(void)maker_clear(root);
	(void)rmdir(root);
	return check_report("text_settings", &counts);
}
