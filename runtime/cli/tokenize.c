/* tokenize.c - brise tokenize: text to token ids and back, with a model's tokenizer, a
 * SentencePiece tokenizer.model, a tekken.json or a tokenizer.json */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/text/json.h"
#include "convert/formats/files.h"
#include "convert/tokenizer/sentencepiece.h"
#include "convert/tokenizer/tokenizer_json.h"
#include "runtime/brise.h"
#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/input.h"
#include "runtime/text/chat_line.h"
#include "runtime/text/json_writer.h"
#include "runtime/cli/report.h"
#include "runtime/cli/stream.h"
#include "runtime/cli/terminal.h"
#include "runtime/error.h"
#include "runtime/model/contents.h"
#include "runtime/os/memory.h"

typedef struct tokenize_settings {
	const char *file, *chat_format;
	bool decode, jsonl, begin, control, chat;
} tokenize_settings;

#define AT(member) offsetof(tokenize_settings, member)

static const options_entry entries[] = {
	FLAG('d', "decode", decode, "ids to text"),
	STRING('f', "file", file, "FILE", "text or ids from FILE (default: standard input)"),
	FLAG(0, "bos", begin, "put the begin token first"),
	FLAG(0, "control", control, "recognise control tokens in the text"),
	FLAG(0, "jsonl", jsonl, "a JSON string or list of ids a line, in and out"),
	FLAG(0, "chat", chat, "with --jsonl: conversations, {\"messages\": [...]}"),
	STRING(0, "chat-format", chat_format, CHAT_FORMAT_VALUE, CHAT_FORMAT_HELP),
};

static const options_command command = {
	.name = "tokenize",
	.operands = "MODEL [TEXT]",
	.summary = "Prints the token ids of TEXT, or with --decode the text of ids.\n"
	           "MODEL is a .brise file, a SentencePiece tokenizer.model, a tekken.json or a\n"
	           "tokenizer.json.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 2,
	.surplus = "quote a text with spaces"
};

/* A tokenizer and what owns it. */
typedef struct vocabulary {
	const brise_tokenizer *tokenizer;
	brise_tokenizer_facts facts;
	uint32_t rows; /* ids that may be decoded */
	brise_model *model;
	brise_tokenizer *own;
	void *section;
	brise_chat *chat; /* with --chat */
} vocabulary;

/* Other forms of models are refused with brise_open_model's message, other text with the
 * tokenizer's. */
static bool is_model(contents found)
{
	return found == CONTENTS_BRISE || found == CONTENTS_GGUF || found == CONTENTS_SAFETENSORS ||
	       found == CONTENTS_ZIP;
}

static brise_status open_vocabulary(vocabulary *v, const char *path, brise_error *err)
{
	brise_status status;
	contents found;
	size_t bytes;

	if ((status = files_look(&found, path, err)) != BRISE_OK)
		return status;
	if (is_model(found)) {
		if ((status = brise_open_model(&v->model, path, NULL, err)) != BRISE_OK)
			return status;
		v->tokenizer = brise_get_tokenizer(v->model);
	} else {
		status = found == CONTENTS_JSON
		                 ? tokenizer_json_read_model(path, TOKENIZER_JSON_ALL, NULL,
		                                             &v->section, &bytes, err)
		                 : sentencepiece_read_model(path, &v->section, &bytes, err);
		if (status != BRISE_OK || (status = brise_open_tokenizer(&v->own, v->section, bytes,
		                                                         path, err)) != BRISE_OK)
			return status;
		v->tokenizer = v->own;
	}
	if (v->tokenizer)
		brise_get_tokenizer_facts(v->tokenizer, &v->facts, sizeof v->facts);
	v->rows = v->model ? brise_get_model_facts(v->model)->vocab : v->facts.vocab;
	return BRISE_OK;
}

static void close_vocabulary(vocabulary *v)
{
	brise_free_chat(v->chat);
	brise_close_tokenizer(v->own);
	memory_free(v->section);
	brise_close_model(v->model);
}

/* Ids between separators, after `open` and before `close`. */
static void print_ids(const vocabulary *v, bool begin, const int32_t *ids, size_t n,
                      const char *open, const char *separator, const char *close)
{
	size_t i;

	(void)fputs(open, stdout);
	if (begin)
		printf("%" PRId32 "%s", v->facts.bos, n ? separator : "");
	for (i = 0; i < n; i++)
		printf("%s%" PRId32, i ? separator : "", ids[i]);
	(void)fputs(close, stdout);
}

static brise_status encode(const vocabulary *v, const tokenize_settings *s, const char *text,
                           size_t bytes, brise_error *err)
{
	int32_t *ids;
	size_t n;
	brise_status status =
	        brise_encode_text(v->tokenizer, text, bytes, s->control, &ids, &n, err);

	if (status != BRISE_OK)
		return status;
	if (s->jsonl)
		print_ids(v, s->begin, ids, n, "[", ",", "]\n");
	else
		print_ids(v, s->begin, ids, n, "", " ", "\n");
	memory_free(ids);
	return BRISE_OK;
}

/* The whole text of a list of ids, from memory_new. */
static brise_status decode(const vocabulary *v, const int32_t *ids, size_t n, char **text,
                           size_t *bytes, brise_error *err)
{
	brise_decoder *decoder;
	brise_status status = brise_new_decoder(&decoder, v->tokenizer, err);
	size_t piece_bytes, room = 0, i;
	const char *piece;

	*text = NULL;
	*bytes = 0;
	for (i = 0; i <= n && status == BRISE_OK; i++) {
		if (i == n)
			(void)brise_finish_decoder(decoder, &piece, &piece_bytes, NULL);
		else if ((status = brise_decode_token(decoder, ids[i], &piece, &piece_bytes,
		                                      err)) != BRISE_OK)
			break;
		if (piece_bytes > room - *bytes) {
			size_t larger = 2 * room + piece_bytes + 64;
			char *grown = memory_resize(*text, larger, 1);

			if (!grown) {
				status = BRISE_ENOMEM;
				err->code = status;
				(void)snprintf(err->message, sizeof err->message,
				               "no memory for the text of %zu ids", n);
				break;
			}
			*text = grown;
			room = larger;
		}
		if (piece_bytes > 0)
			memcpy(*text + *bytes, piece, piece_bytes);
		*bytes += piece_bytes;
	}
	brise_free_decoder(decoder);
	return status;
}

static brise_status print_decoded(const vocabulary *v, const tokenize_settings *s,
                                  const int32_t *ids, size_t n, brise_error *err)
{
	bool terminal = terminal_is_terminal(stdout);
	size_t bytes;
	char *text;
	json_writer w = { .sink = report_json, .user = stdout };
	brise_status status = decode(v, ids, n, &text, &bytes, err);

	if (status == BRISE_OK && s->jsonl) {
		json_put_text(&w, NULL, text ? text : "", bytes);
		(void)putchar('\n');
	} else if (status == BRISE_OK) {
		if (bytes > 0)
			terminal_write_text(stdout, terminal, text, bytes);
		if (terminal)
			(void)putchar('\n');
	}
	memory_free(text);
	return status;
}

static bool read_id(json_reader *r, int64_t *id)
{
	if (!json_read_integer(r, id))
		return false;
	return *id >= INT32_MIN && *id <= INT32_MAX
	               ? true
	               : json_refuse(r, BRISE_EFORMAT, "a token id out of range");
}

static brise_status decode_line(const vocabulary *v, const tokenize_settings *s, json_reader *r,
                                size_t line_bytes, brise_error *err)
{
	int32_t *ids = memory_new(line_bytes / 2 + 1,
	                          sizeof *ids); /* an id and its comma take two bytes */
	brise_status status;
	int64_t id;
	size_t n = 0;

	if (!ids) {
		json_refuse(r, BRISE_ENOMEM, "no memory for its ids");
		return json_end(r);
	}
	json_enter_array(r);
	while (json_next_element(r) && read_id(r, &id))
		ids[n++] = (int32_t)id;
	status = json_end(r);
	if (status == BRISE_OK)
		status = print_decoded(v, s, ids, n, err);
	memory_free(ids);
	return status;
}

static brise_status encode_conversation(const vocabulary *v, json_reader *r, const char *place,
                                        brise_error *err)
{
	chat_line line = { .takes_reasoning = brise_get_chat_facts(v->chat)->thoughts };
	int32_t *ids = NULL;
	size_t n = 0;
	brise_status status;

	(void)chat_line_read(&line, r);
	status = json_end(r);
	if (status == BRISE_OK &&
	    (status = brise_encode_chat(v->chat, &line.conversation, &ids, &n, err)) != BRISE_OK) {
		brise_error found = *err;

		status = error_set(err, found.code, "%s: %s", place, found.message);
	}
	if (status == BRISE_OK)
		print_ids(v, false, ids, n, "[", ",", "]\n");
	memory_free(ids);
	chat_line_free(&line);
	return status;
}

static brise_status encode_line(const vocabulary *v, const tokenize_settings *s, json_reader *r,
                                brise_error *err)
{
	brise_status status;
	char *text = NULL;
	size_t bytes = 0;

	json_read_string(r, &text, &bytes);
	status = json_end(r);
	if (status == BRISE_OK)
		status = encode(v, s, text, bytes, err);
	memory_free(text);
	return status;
}

static brise_status work_through_lines(const vocabulary *v, const tokenize_settings *s, FILE *in,
                                       const char *name, brise_error *err)
{
	brise_status status = BRISE_OK;
	char *line = NULL, place[64];
	size_t room = 0, number = 0;
	ssize_t length;
	json_reader r;

	while (status == BRISE_OK && !ferror(stdout) &&
	       (errno = 0, length = getline(&line, &room, in)) >= 0) {
		number++;
		if (strspn(line, " \t\r\n") == (size_t)length)
			continue;
		(void)snprintf(place, sizeof place, "%.40s: record %zu", name, number);
		json_begin(&r, line, (size_t)length, place, err);
		status = s->chat     ? encode_conversation(v, &r, place, err)
		         : s->decode ? decode_line(v, s, &r, (size_t)length, err)
		                     : encode_line(v, s, &r, err);
	}
	if (status == BRISE_OK && !feof(in) && !ferror(stdout)) {
		bool interrupted = terminal_was_interrupted(NULL);

		status = interrupted ? BRISE_ECANCELED : BRISE_EIO;
		err->code = status;
		(void)snprintf(err->message, sizeof err->message, "%.200s: %s%s", name,
		               interrupted ? "interrupted" : "cannot be read: ",
		               interrupted ? "" : strerror(errno));
	}
	free(line); /* getline took it from libc */
	return status;
}

static brise_status work_on_lines(const vocabulary *v, const tokenize_settings *s, brise_error *err)
{
	const char *path = s->file ? s->file : "-";
	stream from;
	brise_status status = stream_open(&from, path, input_name(path), err);
	FILE *in;

	if (status == BRISE_OK && !(in = stream_to_libc(&from)))
		status = error_errno(err, "%s: cannot be opened", path);
	if (status != BRISE_OK) {
		stream_close(&from);
		return status;
	}
	status = work_through_lines(v, s, in, input_name(path), err);
	if (in != stdin)
		(void)fclose(in);
	return status;
}

static brise_status work_on_text(const vocabulary *v, const tokenize_settings *s, const char *text,
                                 size_t bytes, const char *name, brise_error *err)
{
	brise_status status;
	int32_t *ids;
	size_t n;

	if (!s->decode)
		return encode(v, s, text, bytes, err);
	status = input_parse_ids(text, bytes, name, v->rows, &ids, &n, err);
	if (status == BRISE_OK)
		status = print_decoded(v, s, ids, n, err);
	memory_free(ids);
	return status;
}

static brise_status work(const vocabulary *v, const tokenize_settings *s, const char *argument,
                         brise_error *err)
{
	const char *path = s->file ? s->file : "-";
	brise_status status;
	size_t bytes;
	char *text;

	if (s->jsonl)
		return work_on_lines(v, s, err);
	if (argument)
		return work_on_text(v, s, argument, strlen(argument), "argument", err);
	if (!s->file && isatty(STDIN_FILENO))
		report_note("tokenize", "reading %s; end with ctrl-D", s->decode ? "ids" : "text");
	if ((status = input_read_text(path, &text, &bytes, err)) != BRISE_OK)
		return status;
	status = work_on_text(v, s, text, bytes, input_name(path), err);
	memory_free(text);
	return status;
}

int cli_tokenize(int argc, char **argv)
{
	tokenize_settings settings = { .file = NULL };
	vocabulary v = { .tokenizer = NULL };
	options_result result;
	brise_status done;
	brise_error err;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY)
		return status;
	if ((settings.file || settings.jsonl) && result.n_operands > 1)
		return report_usage("tokenize", "either TEXT or %s expected",
		                    settings.file ? "--file"
		                                  : "--jsonl with lines on standard input");
	if (engine_check_name("tokenize", "MODEL", result.operands[0]) != COMMANDS_READY)
		return EXIT_FAILED;
	if (settings.chat && (!settings.jsonl || settings.decode))
		return report_usage("tokenize", "--chat: works with --jsonl, without --decode");
	if (settings.chat_format && !settings.chat)
		return report_usage("tokenize", "--chat-format: works with --chat");
	terminal_catch_signals();
	if ((done = open_vocabulary(&v, result.operands[0], &err)) != BRISE_OK)
		status = report_status("tokenize", &err);
	else if (!v.tokenizer)
		status = report_error("tokenize", "%s: no tokenizer in the file",
		                      result.operands[0]);
	else if (settings.chat &&
	         chat_format_open(&v.chat, v.tokenizer, brise_get_model_facts(v.model),
	                          settings.chat_format, &err) != BRISE_OK)
		status = report_status("tokenize", &err);
	else if (settings.begin && v.facts.bos < 0)
		status = report_error("tokenize", "%s: no begin token", result.operands[0]);
	else if ((done = work(&v, &settings, result.n_operands > 1 ? result.operands[1] : NULL,
	                      &err)) != BRISE_OK)
		status = report_status("tokenize", &err);
	else
		status = 0;
	close_vocabulary(&v);
	return commands_end("tokenize", status);
}
