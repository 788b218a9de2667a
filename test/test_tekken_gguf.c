/* test_tekken_gguf.c - byte-level tokenizers in GGUF files
 *
 * Files are made here as llama.cpp's converters make them; what they become is compared with what
 * the tekken.json or tokenizer.json of the same tokens becomes.
 */
#include "convert/formats/gguf_reader.h"
#include "convert/tokenizer/byte_level.h"
#include "convert/tokenizer/byte_level_merges.h"
#include "convert/tokenizer/chat_decision.h"
#include "convert/tokenizer/gguf_byte_level.h"
#include "convert/tokenizer/gguf_tokenizer.h"
#include "convert/tokenizer/gguf_tokenizer_writer.h"
#include "convert/tokenizer/json_tokenizer.h"
#include "test/failing_heap.h"
#include "test/gguf_maker.h"
#include "test/tekken_files.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- files ----------------------------------------------------------------------------------- */

/* A file by hand, as make_tekken's; what is not set is as it should be. */
typedef struct by_hand {
	const char *model, *pre; /* "": no such key */
	const char *token;       /* text of token `id` instead of its own */
	uint32_t id, type;       /* 0: its own type */
	uint32_t padding;        /* tokens more than there are */
	int more_types;
	const char *merges[8]; /* NULL: the right ones; "" first: no array */
	bool numbers;          /* merges are numbers */
	int64_t version;       /* -1: no such key */
	uint32_t version_type;
	brise_status status; /* of reading it */
	const char *message;
} by_hand;

static const char *const controls[] = { "<unk>", "<s>", "<SPECIAL_2>", "[X]" };
static const char *const right_merges[] = { "a b", "a bc", "ab c", "b c", "\xc3\x83 \xc2\xa9" };

static void put_token(maker_bytes *b, const by_hand *f, uint32_t i)
{
	static handmade_file text;
	char byte = (char)(i - 4), padding[24];
	const char *token = i < 4 ? controls[i] : i < 260 ? &byte : i < 264 ? made[i - 260] : "";

	if (f->token && f->id == i) {
		gguf_put_text(b, f->token);
		return;
	}
	if (i >= 264) {
		(void)snprintf(padding, sizeof padding, "[PAD%u]", (unsigned)i);
		gguf_put_text(b, padding);
		return;
	}
	text.n = 0;
	if (i < 4)
		put(&text, "%s", token);
	else
		put_alphabet(&text, token, i < 260 ? 1 : strlen(token), false);
	text.text[text.n] = 0;
	gguf_put_text(b, text.text);
}

static void put_version(gguf_maker *g, const by_hand *f)
{
	uint32_t type = f->version_type ? f->version_type : GGUF_U32;
	maker_bytes *b;

	if (f->version < 0)
		return;
	b = gguf_put_key(g, "brise.tekken_version", type);
	if (type == GGUF_STRING)
		gguf_put_text(b, "v13");
	else
		maker_number(b, (uint64_t)(f->version ? f->version : 13), 4);
}

static void put_merges(gguf_maker *g, const by_hand *f)
{
	const char *const *merges = f->merges[0] ? f->merges : right_merges;
	uint32_t n = 0, i;
	maker_bytes *b;

	while (n < (f->merges[0] ? 8 : LENGTH(right_merges)) && merges[n])
		n++;
	if (n > 0 && !*merges[0])
		return;
	b = gguf_put_array(g, "tokenizer.ggml.merges", f->numbers ? GGUF_U32 : GGUF_STRING, n);
	for (i = 0; i < n; i++)
		if (f->numbers)
			maker_number(b, i, 4);
		else
			gguf_put_text(b, merges[i]);
}

static maker_bytes make_by_hand(const by_hand *f)
{
	uint32_t n = 264 + f->padding, n_types = (uint32_t)((int)n + f->more_types), i;
	gguf_maker g = { .version = 0 };
	maker_bytes *b;

	gguf_put_string(&g, "tokenizer.ggml.model", f->model ? f->model : "gpt2");
	if (!f->pre || *f->pre)
		gguf_put_string(&g, "tokenizer.ggml.pre", f->pre ? f->pre : "tekken");
	b = gguf_put_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, n);
	for (i = 0; i < n; i++)
		put_token(b, f, i);
	b = gguf_put_array(&g, "tokenizer.ggml.token_type", GGUF_I32, n_types);
	for (i = 0; i < n_types; i++)
		maker_number(b,
		             f->type && f->id == i ? f->type
		             : i < 4               ? GGUF_TOKEN_CONTROL
		             : i < 264             ? GGUF_TOKEN_NORMAL
		                                   : GGUF_TOKEN_UNUSED,
		             4);
	put_merges(&g, f);
	put_version(&g, f);
	return gguf_finish(&g);
}

static brise_status read_gguf(maker_bytes bytes, notes *decisions, opened *o, brise_error *err)
{
	tensor_list list = { NULL, 0, 0 };
	gguf_header h;
	brise_status status;

	memset(o, 0, sizeof *o);
	err->message[0] = 0;
	status = gguf_read_memory(&h, bytes.data, bytes.n, "file", 0, &list, err);
	if (status == BRISE_OK)
		status = gguf_read_tokenizer(&h, "file", decisions, &o->section, &o->bytes, err);
	if (status == BRISE_OK)
		status = brise_open_tokenizer(&o->t, o->section, o->bytes, "file", err);
	gguf_free(&h);
	tensors_free(&list);
	maker_free(&bytes);
	return status;
}

static bool same_section(const opened *a, const opened *b)
{
	return a->bytes == b->bytes && a->bytes > 0 && !memcmp(a->section, b->section, a->bytes);
}

/* ---- by hand --------------------------------------------------------------------------------- */

/* Catches: a type or text that is read another way, padding that becomes tokens. */
static void test_a_gguf_gives_what_its_tekken_json_gives(void)
{
	static const by_hand files[] = {
		{ .padding = 0 },
		{ .padding = 3 },
		{ .id = 0, .type = GGUF_TOKEN_UNKNOWN },
		{ .id = 2, .type = GGUF_TOKEN_UNUSED },
	};
	static handmade_file f;
	brise_error err = { .message = "" };
	opened expected, o;
	size_t i;

	make_tekken(&f);
	CHECK(&counts, open_json(&expected, f.text, f.n, "tekken.json", &err) == BRISE_OK, "%s",
	      err.message);
	for (i = 0; i < LENGTH(files); i++) {
		notes decisions = { NULL, 0, false };

		CHECK(&counts, read_gguf(make_by_hand(&files[i]), &decisions, &o, &err) == BRISE_OK,
		      "%zu: %s", i, err.message);
		CHECK(&counts, same_section(&o, &expected), "%zu: another section", i);
		CHECK(&counts,
		      decisions.text &&
		              strstr(decisions.text, "tekken version v13: 264 tokens, 4 of them "
		                                     "control (brise.tekken_version)"),
		      "%s", decisions.text ? decisions.text : "nothing is said");
		memory_free(decisions.text);
		close_opened(&o);
	}
	close_opened(&expected);
}

/* Files of others do not say it: all else is the same. */
static void test_a_version_may_be_absent(void)
{
	static const by_hand without = { .version = -1 }, with = { .version = 13 };
	notes decisions = { NULL, 0, false };
	brise_error err;
	opened a, b;

	CHECK(&counts, read_gguf(make_by_hand(&without), &decisions, &a, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(&counts, read_gguf(make_by_hand(&with), NULL, &b, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(&counts, a.t && b.t && a.t->dialect == 0 && b.t->dialect == 13, "the versions");
	CHECK(&counts, decisions.text && strstr(decisions.text, "tekken of a version not stated"),
	      "%s", decisions.text ? decisions.text : "nothing is said");
	if (a.section && b.section)
		((tokenizer_header *)a.section)->dialect = 13;
	CHECK(&counts, same_section(&a, &b), "more differs than the version");
	memory_free(decisions.text);
	close_opened(&a);
	close_opened(&b);
}

static void test_symbols_of_text_are_read(void)
{
	static const by_hand symbol = { .id = 3, .type = GGUF_TOKEN_USER_DEFINED };
	const int32_t cut[] = { 260, 3, 4 + 'c' };
	brise_error err;
	opened o;

	CHECK(&counts, read_gguf(make_by_hand(&symbol), NULL, &o, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(&counts, o.t && encodes_to(o.t, "ab[X]c", 6, false, cut, 3), "it is cut out of text");
	close_opened(&o);
}

static void test_hostile_files_are_refused(void)
{
	static const by_hand files[] = {
		{ .model = "bert",
		  .status = BRISE_EUNSUPPORTED,
		  .message = "model \"bert\" is not supported, only \"llama\"" },
		{ .pre = "",
		  .status = BRISE_EFORMAT,
		  .message = "\"gpt2\" without tokenizer.ggml.pre" },
		{ .pre = "llama-bpe",
		  .status = BRISE_EUNSUPPORTED,
		  .message = "tokenizer.ggml.pre \"llama-bpe\" is not supported, only \"tekken\"" },
		{ .pre = "tekkens",
		  .status = BRISE_EUNSUPPORTED,
		  .message = "\"tekkens\" is not supported" },
		{ .id = 264,
		  .padding = 1,
		  .type = GGUF_TOKEN_NORMAL,
		  .token = "\xe0\xa0\x80"
		           "b",
		  .status = BRISE_EFORMAT,
		  .message = "token 264 \"\xe0\xa0\x80"
		             "b\" has a character that stands for no byte" },
		{ .id = 260,
		  .token = "a b",
		  .status = BRISE_EFORMAT,
		  .message = "tokenizer.ggml.tokens: token 260 \"a b\" has a character" },
		{ .id = 260,
		  .token = "a\xff",
		  .status = BRISE_EFORMAT,
		  .message = "token 260 \"a?\" has a character" },
		{ .id = 260,
		  .token = "\xc5\x84",
		  .status = BRISE_EFORMAT,
		  .message = "has a character that stands for no byte" },
		{ .id = 260,
		  .token = "",
		  .status = BRISE_EFORMAT,
		  .message = "token 260 is empty" },
		{ .id = 260,
		  .token = "abc",
		  .status = BRISE_EFORMAT,
		  .message = "tokens 260 and 261 are the same 3 bytes" },
		{ .id = 4 + 'a',
		  .token = "xy",
		  .status = BRISE_EFORMAT,
		  .message = "no token is the byte 0x61" },
		{ .id = 3,
		  .token = "<s>",
		  .status = BRISE_EFORMAT,
		  .message = "tokens 1 and 3 are the same 3 bytes" },
		{ .id = 3,
		  .token = "\xff",
		  .status = BRISE_EFORMAT,
		  .message = "piece 3 is not UTF-8" },
		{ .id = 3, .token = "", .status = BRISE_EFORMAT, .message = "piece 3 is empty" },
		{ .id = 3, .token = "abc" }, /* a control token of a piece's name */
		{ .id = 9,
		  .type = 7,
		  .status = BRISE_EFORMAT,
		  .message = "token 9 has none of the types 1..6" },
		{ .id = 260,
		  .type = GGUF_TOKEN_BYTE,
		  .status = BRISE_EFORMAT,
		  .message = "token 260 is of type byte" },
		{ .id = 4 + 'a',
		  .type = GGUF_TOKEN_CONTROL,
		  .status = BRISE_EFORMAT,
		  .message = "no token is the byte 0x61" },
		{ .more_types = -1,
		  .status = BRISE_EFORMAT,
		  .message = "tokenizer.ggml.token_type has 263 entries for 264 tokens" },
		{ .more_types = 1,
		  .status = BRISE_EFORMAT,
		  .message = "tokenizer.ggml.token_type has 265 entries" },
		{ .merges = { "" },
		  .status = BRISE_EFORMAT,
		  .message = "no array of strings tokenizer.ggml.merges" },
		{ .numbers = true,
		  .status = BRISE_EFORMAT,
		  .message = "no array of strings tokenizer.ggml.merges" },
		{ .merges = { "a bc", "a b", "ab c", "b c", "\xc3\x83 \xc2\xa9" },
		  .status = BRISE_EUNSUPPORTED,
		  .message = "tokenizer.ggml.merges 1 \"a b\" is not in the order of the ids" },
		{ .merges = { "a b", "a b", "a bc", "ab c", "b c", "\xc3\x83 \xc2\xa9" },
		  .status = BRISE_EUNSUPPORTED,
		  .message = "tokenizer.ggml.merges 1 \"a b\" appears twice" },
		{ .merges = { "a b", "ab c", "b c", "\xc3\x83 \xc2\xa9" },
		  .status = BRISE_EUNSUPPORTED,
		  .message = "no merge of 1 and 2 bytes into token 261" },
		{ .merges = { "a b", "a bc", "ab c", "b c" },
		  .status = BRISE_EUNSUPPORTED,
		  .message = "no merge of 1 and 1 bytes into token 263" },
		{ .merges = { "a b", "a q" },
		  .status = BRISE_EFORMAT,
		  .message = "merges 1 \"a q\": a part or what it makes is no token" },
		{ .merges = { "a b", "a b c" },
		  .status = BRISE_EFORMAT,
		  .message = "a part or what it makes is no token" },
		{ .merges = { "a b", "abc" },
		  .status = BRISE_EFORMAT,
		  .message = "tokenizer.ggml.merges 1 is not two texts with a space" },
		{ .merges = { "a b", " ab" },
		  .status = BRISE_EFORMAT,
		  .message = "tokenizer.ggml.merges 1 is not two texts with a space" },
		{ .merges = { "a b", "ab " },
		  .status = BRISE_EFORMAT,
		  .message = "tokenizer.ggml.merges 1 is not two texts with a space" },
		{ .version = 10000,
		  .status = BRISE_EFORMAT,
		  .message = "brise.tekken_version is not a number of 1..9999" },
		{ .version_type = GGUF_STRING,
		  .status = BRISE_EFORMAT,
		  .message = "brise.tekken_version is not a number" },
		{ .version = 42 }, /* later than what is known */
	};
	brise_error err;
	opened o;
	size_t i;

	for (i = 0; i < LENGTH(files); i++) {
		const by_hand *f = &files[i];
		brise_status status = read_gguf(make_by_hand(f), NULL, &o, &err);

		CHECK(&counts,
		      status == f->status && (!f->message || strstr(err.message, f->message)) &&
		              !strchr(err.message, '\n'),
		      "%zu: expected \"%s\", found \"%s\"", i, f->message ? f->message : "",
		      err.message);
		CHECK(&counts, status == BRISE_OK || !o.section, "%zu: a section all the same", i);
		close_opened(&o);
	}
}

/* ---- whole tokenizers ------------------------------------------------------------------------ */

/* A GGUF of a tokenizer.json, with its list of merges. */
static maker_bytes make_of_json(const json_tokenizer *j)
{
	gguf_maker g = { .version = 0 };
	const json_token **tokens = calloc(j->n_tokens, sizeof *tokens);
	char text[TOKENIZER_PIECE_MAX + 2];
	uint32_t i, n = 0;
	maker_bytes *b;

	if (!tokens)
		exit(1);
	for (i = 0; i < j->n_tokens; i++)
		if (j->tokens[i].id < j->n_tokens) {
			const json_token **t = &tokens[j->tokens[i].id];

			n += !*t;
			if (!*t || j->tokens[i].origin != FROM_VOCABULARY)
				*t = &j->tokens[i];
		}
	gguf_put_string(&g, "tokenizer.ggml.model", "gpt2");
	gguf_put_string(&g, "tokenizer.ggml.pre", "tekken");
	b = gguf_put_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, n);
	for (i = 0; i < n; i++) {
		maker_number(b, tokens[i]->bytes, 8);
		maker_put(b, j->pool + tokens[i]->at, tokens[i]->bytes);
	}
	b = gguf_put_array(&g, "tokenizer.ggml.token_type", GGUF_I32, n);
	for (i = 0; i < n; i++)
		maker_number(b,
		             tokens[i]->origin == FROM_SPECIAL ? GGUF_TOKEN_CONTROL
		             : tokens[i]->origin == FROM_ADDED ? GGUF_TOKEN_USER_DEFINED
		                                               : GGUF_TOKEN_NORMAL,
		             4);
	b = gguf_put_array(&g, "tokenizer.ggml.merges", GGUF_STRING, j->n_merges);
	for (i = 0; i < j->n_merges; i++) {
		const json_merge *m = &j->merges[i];

		(void)snprintf(text, sizeof text, "%.*s %.*s", (int)m->left_bytes, j->pool + m->at,
		               (int)m->right_bytes, j->pool + m->at + m->left_bytes);
		gguf_put_text(b, text);
	}
	free(tokens);
	return gguf_finish(&g);
}

/* The merges are Hugging Face's own. */
static void test_a_gguf_of_mistral_nemo_gives_what_its_tokenizer_json_gives(void)
{
	const char *gold = getenv("BRISE_GOLD");
	char folder[900], *json;
	brise_error err = { .message = "" };
	json_tokenizer j;
	opened expected, o;
	size_t bytes;

	(void)snprintf(folder, sizeof folder, "%s/tekken", gold ? gold : "../shared/gold");
	json = read_compressed(folder, "tokenizer.json.gz", &bytes);
	if (!json) {
		check_skip(&counts, "a tokenizer of Mistral's", "no ../shared/gold/tekken");
		return;
	}
	CHECK(&counts, open_json(&expected, json, bytes, "tokenizer.json", &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(&counts, json_read_tokenizer(&j, json, bytes, "tokenizer.json", &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(&counts, j.n_merges > 200000, "%" PRIu32 " merges", j.n_merges);
	CHECK(&counts, read_gguf(make_of_json(&j), NULL, &o, &err) == BRISE_OK, "%s", err.message);
	CHECK(&counts, same_section(&o, &expected), "the section differs");
	close_opened(&o);
	close_opened(&expected);
	json_free_tokenizer(&j);
	free(json);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A GGUF of metadata alone, as gguf_put_tokenizer writes them, for a model of `rows` tokens. */
static maker_bytes write_gguf(const brise_tokenizer *t, uint32_t rows, const char *template_text,
                              const char *format)
{
	brise_model model = { .config = { .vocab = rows, .bos = t->bos, .eos = t->eos },
		              .facts = { .chat_template = template_text, .chat_format = format } };
	maker_bytes bytes = { NULL, 0, 0 };
	gguf_pairs p = { .n = 0 };

	gguf_put_tokenizer(&p, t, &model);
	CHECK(&counts, !p.data.failed, "memory");
	maker_text(&bytes, GGUF_MAGIC);
	maker_number(&bytes, GGUF_VERSION, 4);
	maker_number(&bytes, 0, 8);
	maker_number(&bytes, p.n, 8);
	maker_put(&bytes, p.data.data, p.data.n);
	buffer_free(&p.data);
	return bytes;
}

static void check_round_trip(const opened *o, uint32_t padding, const char *what)
{
	brise_error err;
	opened again;

	CHECK(&counts,
	      read_gguf(write_gguf(o->t, o->t->vocab + padding, NULL, NULL), NULL, &again, &err) ==
	              BRISE_OK,
	      "%s: %s", what, err.message);
	CHECK(&counts, same_section(&again, o), "%s: another section", what);
	close_opened(&again);
}

/* Catches: a field of the section that is not written, or read another way. */
static void test_what_is_written_gives_the_same_section(void)
{
	static const by_hand symbol = { .id = 3, .type = GGUF_TOKEN_USER_DEFINED },
	                     later = { .version = 42 }, none = { .version = -1 };
	static const by_hand named = { .id = 3, .token = "[a \xc3\xa9]" };
	const by_hand *const files[] = { &symbol, &later, &none, &named };
	brise_error err;
	opened o;
	size_t i;

	if (open_small(&o)) {
		check_round_trip(&o, 0, SMALL);
		check_round_trip(&o, 50, "with padding");
	}
	close_opened(&o);
	for (i = 0; i < LENGTH(files); i++) {
		CHECK(&counts, read_gguf(make_by_hand(files[i]), NULL, &o, &err) == BRISE_OK, "%s",
		      err.message);
		if (o.t)
			check_round_trip(&o, 0, "by hand");
		close_opened(&o);
	}
}

/* The format of conversations that a conversion records, by what the file says about it. */
static void test_formats_of_conversations_are_found(void)
{
	static const struct {
		uint32_t version;
		const char *template_text, *recorded, *chosen, *format, *line;
	} cases[] = {
		{ 13, NULL, NULL, NULL, "v13", "the tokenizer is of tekken's version 13" },
		{ 11, "[INST]", NULL, NULL, "v11", "the tokenizer is of tekken's version 11" },
		{ 13, "[INST]", "v7", NULL, "v7", "chat format v7 (brise.chat_format)" },
		{ 0, "[INST]", NULL, NULL, "v13", "the vocabulary has [THINK]" },
		{ 0, "mistral-v7-tekken", NULL, NULL, "v7", "name mistral-v7-tekken" },
		{ 0, "[INST][ARGS][CALL_ID]", NULL, NULL, "v13", "the vocabulary has [THINK]" },
		{ 0, "[THINK][ARGS]", NULL, NULL, "v13", "writes [THINK]" },
		{ 0, NULL, NULL, NULL, "v13", "the vocabulary has [THINK]" },
		{ 0, NULL, NULL, "v7", "v7", "chat format v7 (--chat-format)" },
	};
	brise_error err = { .message = "" };
	tensor_list list = { NULL, 0, 0 };
	opened o;
	size_t i;

	for (i = 0; i < LENGTH(cases) && open_small(&o); i++) {
		format_config config = { .vocab = o.t->vocab, .bos = 1, .eos = 2 };
		notes decisions = { NULL, 0, false };
		text_settings settings;
		maker_bytes bytes;
		gguf_header h;

		o.t->dialect = cases[i].version;
		bytes = write_gguf(o.t, o.t->vocab, cases[i].template_text, cases[i].recorded);
		CHECK(&counts,
		      gguf_read_memory(&h, bytes.data, bytes.n, "file", 0, &list, &err) ==
		                      BRISE_OK &&
		              gguf_read_settings(&h, "file", &settings, &decisions, &err) ==
		                      BRISE_OK &&
		              chat_decide(&settings, o.t, &config, cases[i].chosen, &decisions,
		                          &err) == BRISE_OK,
		      "%zu: %s", i, err.message);
		CHECK(&counts,
		      settings.chat_format && !strcmp(settings.chat_format, cases[i].format) &&
		              strstr(decisions.text, cases[i].line),
		      "%zu: %s, %s", i, settings.chat_format, decisions.text);
		text_settings_free(&settings);
		memory_free(decisions.text);
		gguf_free(&h);
		maker_free(&bytes);
		close_opened(&o);
	}
}

/* A long token is twice as long in the alphabet. */
static void test_the_longest_tokens_come_back(void)
{
	static uint8_t longest[TOKENIZER_PIECE_MAX];
	tokenizer_piece pieces[258];
	tokenizer_pieces p = { .pieces = pieces, .vocab = LENGTH(pieces) };
	brise_error err = { .message = "" };
	uint8_t bytes[256];
	opened o = { .section = NULL };
	uint32_t i;

	for (i = 0; i < 256; i++) {
		bytes[i] = (uint8_t)i;
		pieces[i] = (tokenizer_piece){ &bytes[i], 1, 0, PIECE_NORMAL, 0, false };
	}
	pieces[256] = (tokenizer_piece){ longest, sizeof longest, 0, PIECE_NORMAL, 0, false };
	pieces[257] = (tokenizer_piece){ longest, sizeof longest - 1, 0, PIECE_NORMAL, 0, false };
	CHECK(&counts,
	      byte_level_write_section(&p, "longest", &o.section, &o.bytes, &err) == BRISE_OK &&
	              brise_open_tokenizer(&o.t, o.section, o.bytes, "longest", &err) == BRISE_OK,
	      "%s", err.message);
	if (o.t)
		check_round_trip(&o, 0, "the longest");
	close_opened(&o);
}

/* Catches: memory that is lost, or used though it was not there. */
static void test_memory_that_runs_out_is_an_error(void)
{
	static const by_hand whole = { .padding = 1 };
	long before = atomic_load(&in_use), n, written = 0;
	brise_status status = BRISE_ENOMEM;
	brise_error err;
	gguf_pairs p = { .data = { .failed = true } };
	opened o;

	for (n = 1; status == BRISE_ENOMEM && n < 1000; n++) {
		maker_bytes bytes = make_by_hand(&whole);

		fail_request(n);
		status = read_gguf(bytes, NULL, &o, &err);
		fail_request(0);
		if (status != BRISE_OK)
			close_opened(&o);
	}
	CHECK(&counts, status == BRISE_OK && n > 10, "request %ld: %s", n, err.message);
	while (status == BRISE_OK && p.data.failed && written < 1000) {
		brise_model model = { .config = { .vocab = 264, .bos = 1, .eos = 2 } };

		buffer_free(&p.data);
		p = (gguf_pairs){ .n = 0 };
		fail_request(++written);
		gguf_put_tokenizer(&p, o.t, &model);
		fail_request(0);
	}
	CHECK(&counts, !p.data.failed && written > 2, "%ld requests", written);
	buffer_free(&p.data);
	if (status == BRISE_OK)
		close_opened(&o);
	CHECK(&counts, atomic_load(&in_use) == before, "%ld lost", atomic_load(&in_use) - before);
}

/* Whether bytes are these characters, by the alphabet of put_alphabet. */
static bool spells(const char *bytes, size_t n, const char *text, size_t text_bytes)
{
	static handmade_file f;

	f.n = 0;
	put_alphabet(&f, bytes, n, false);
	return f.n == text_bytes && !memcmp(f.text, text, text_bytes);
}

/* Catches: merges left out, or in another order than Hugging Face's converter has found. */
static void test_merges_are_those_of_mistral_nemo(void)
{
	const char *gold = getenv("BRISE_GOLD");
	char folder[900], *json;
	brise_error err = { .message = "" };
	uint32_t cuts[TOKENIZER_PIECE_MAX], id, i, n, at = 0, wrong = 0;
	json_tokenizer j;
	opened o;
	size_t bytes;

	(void)snprintf(folder, sizeof folder, "%s/tekken", gold ? gold : "../shared/gold");
	json = read_compressed(folder, "tokenizer.json.gz", &bytes);
	if (!json) {
		check_skip(&counts, "merges of Mistral's", "no ../shared/gold/tekken");
		return;
	}
	CHECK(&counts,
	      open_json(&o, json, bytes, "tokenizer.json", &err) == BRISE_OK &&
	              json_read_tokenizer(&j, json, bytes, "tokenizer.json", &err) == BRISE_OK,
	      "%s", err.message);
	for (id = 0; id < o.t->vocab; id++)
		for (i = 0, n = byte_level_list_cuts(o.t, id, cuts); i < n; i++, at++) {
			const char *text = (const char *)o.t->text + o.t->offsets[id];
			const json_merge *m = &j.merges[at < j.n_merges ? at : 0];

			wrong += at >= j.n_merges ||
			         !spells(text, cuts[i], j.pool + m->at, m->left_bytes) ||
			         !spells(text + cuts[i], tokenizer_piece_bytes(o.t, id) - cuts[i],
			                 j.pool + m->at + m->left_bytes, m->right_bytes);
		}
	CHECK(&counts, wrong == 0 && at == j.n_merges, "%u of %u merges differ", wrong, at);
	check_round_trip(&o, 0, "tokenizer.json");
	close_opened(&o);
	json_free_tokenizer(&j);
	free(json);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_a_gguf_gives_what_its_tekken_json_gives());
	RUN(test_a_version_may_be_absent());
	RUN(test_symbols_of_text_are_read());
	RUN(test_hostile_files_are_refused());
	RUN(test_a_gguf_of_mistral_nemo_gives_what_its_tokenizer_json_gives());
	RUN(test_what_is_written_gives_the_same_section());
	RUN(test_formats_of_conversations_are_found());
	RUN(test_the_longest_tokens_come_back());
	RUN(test_memory_that_runs_out_is_an_error());
	RUN(test_merges_are_those_of_mistral_nemo());
	return check_report("tekken_gguf", &counts);
}
