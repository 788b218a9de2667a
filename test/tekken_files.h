/* tekken_files.h - byte-level tokenizers from files: the project's small one, and files by hand */
#ifndef TEST_TEKKEN_FILES_H
#define TEST_TEKKEN_FILES_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/tokenizer_json.h"
#include "runtime/os/memory.h"
#include "runtime/portable.h"
#include "runtime/text/split.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"
#include "test/check.h"
#include "test/json_line.h"
#include "test/whole_file.h"

#define SMALL "test/models/tekken/tekken.json"

static check_counts counts;

typedef struct opened {
	void *section;
	size_t bytes;
	brise_tokenizer *t;
	brise_decoder *d;
} opened;

static inline brise_status open_json(opened *o, const char *json, size_t size, const char *name,
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

static inline void close_opened(opened *o)
{
	brise_free_decoder(o->d);
	brise_close_tokenizer(o->t);
	memory_free(o->section);
}

static inline bool open_small(opened *o)
{
	file json = read_file(SMALL);
	brise_error err = { .message = "it is not there" };
	brise_status status =
	        json.bytes ? open_json(o, (char *)json.bytes, json.size, SMALL, &err) : BRISE_EIO;

	CHECK(&counts, status == BRISE_OK, "%s opens: %s", SMALL, err.message);
	free(json.bytes);
	return status == BRISE_OK;
}

static inline bool encodes_to(const brise_tokenizer *t, const char *text, size_t bytes,
                              bool control, const int32_t *expected, size_t n_expected)
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

static inline bool is_whole_utf8(const char *text, size_t bytes)
{
	size_t at;
	int step;

	for (at = 0; at < bytes; at += (size_t)step)
		if ((step = utf8_measure((const uint8_t *)text + at, bytes - at)) <= 0)
			return false;
	return true;
}

/* Decodes token by token into malloc'ed [*bytes]; NULL: a part was not whole characters. */
static inline char *decode_all(brise_decoder *d, const int32_t *ids, size_t n, size_t *bytes)
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

static inline bool decodes_to(brise_decoder *d, const int32_t *ids, size_t n, const char *text,
                              size_t bytes)
{
	size_t found;
	char *decoded = decode_all(d, ids, n, &found);
	bool same = decoded && found == bytes && !memcmp(decoded, text, bytes);

	free(decoded);
	return same;
}

/* The whole of a compressed file, malloc'ed with a NUL; NULL: it is not there. */
static inline char *read_compressed(const char *folder, const char *name, size_t *bytes)
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

/* ---- files by hand -------------------------------------------------------------------------- */

typedef struct handmade_file {
	char text[40000];
	size_t n;
} handmade_file;

static inline void put(handmade_file *f, const char *format, ...) PORTABLE_PRINTF(2, 3);

static inline void put(handmade_file *f, const char *format, ...)
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
static inline void put_pattern(handmade_file *f)
{
	const char *c;

	for (c = SPLIT_PATTERN; *c; c++)
		put(f, "%s%c", *c == '\\' ? "\\" : "", *c);
}

static inline void put_base64(handmade_file *f, const char *text, size_t n)
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
static inline void make_tekken(handmade_file *f)
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

/* json: with quotes and backslashes escaped. */
static inline void put_alphabet(handmade_file *f, const char *text, size_t n, bool json)
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
		put(f, "%s%.*s", json && (byte == '"' || byte == '\\') ? "\\" : "",
		    (int)json_line_put_utf8(utf8, byte), utf8);
	}
}

/* The same as tokenizer.json; [SEP] is a symbol of text. */
static inline void make_json(handmade_file *f)
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
		put_alphabet(f, text, i < 256 ? 1 : strlen(text), true);
		put(f, "\": %u%s", i + 4, i < 259 ? ", " : "},\n");
	}
	put(f, "\"merges\": [\"a b\", \"a bc\", \"ab c\", \"b c\", \"\xc3\x83 \xc2\xa9\"]}}\n");
}

/* Puts `to` in the place of the first `from`. */
static inline void replace(handmade_file *f, const char *from, const char *to)
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

static inline void check_edit(make_fn *make, const edit *e)
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

#endif
