/* tekken.c - see tekken.h
 *
 * The file is an object (mistral-common, tokens/tokenizers/tekken.py):
 *
 *     config           pattern, default_vocab_size, default_num_special_tokens, version ("v3", ...)
 *     vocab            entries of rank, token_bytes (base64) and token_str (for reading only)
 *     special_tokens   entries of rank and token_str; up to version 7 they may be absent
 *     image and others what other parts of a model need
 *
 * The first ids are the control tokens, default_num_special_tokens of them, whether they have a
 * name or not; the entry of rank r has id default_num_special_tokens + r. Files may hold more
 * entries than default_vocab_size takes: those of higher ranks do not count.
 */
#include "convert/tokenizer/tekken.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/base64.h"
#include "convert/formats/names.h"
#include "convert/tokenizer/byte_level.h"
#include "runtime/error.h"
#include "runtime/portable.h"
#include "runtime/text/json.h"
#include "runtime/text/split.h"

#define CONTROL_MAX  (1u << 16) /* control tokens; Mistral's have 1,000 */
#define ENTRIES_MAX  (1u << 21) /* of vocab; Mistral's have 130,072 to 150,000 */
#define UNLISTED_MAX 7          /* the last version that has its control tokens by default */
#define PATTERN_ROOM 1024

typedef struct entry {
	size_t at; /* of its text in the pool */
	uint32_t bytes;
	int64_t rank;
} entry;

typedef struct entries {
	entry *items;
	uint32_t n, room;
} entries;

typedef struct reading {
	json_reader r;
	char *pool;
	size_t pool_bytes, pool_room;
	entries vocab, control;
	bool has_config, has_vocab, has_control;
	char pattern[PATTERN_ROOM], version[32];
	int64_t size, n_control; /* -1: not there */
} reading;

static bool refuse(reading *in, brise_status status, const char *format, ...) PORTABLE_PRINTF(3, 4);

static bool refuse(reading *in, brise_status status, const char *format, ...)
{
	char what[200];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return json_refuse(&in->r, status, what);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Room for one more item. */
static bool grow(reading *in, entries *list, uint32_t most)
{
	uint32_t room = list->room ? 2 * list->room : 1024;
	entry *grown;

	if (list->n < list->room)
		return true;
	if (list->n >= most)
		return refuse(in, BRISE_EUNSUPPORTED, "more than %" PRIu32 " entries", most);
	if (!(grown = memory_resize(list->items, room, sizeof *grown)))
		return refuse(in, BRISE_ENOMEM, "no memory for the vocabulary");
	list->items = grown;
	list->room = room;
	return true;
}

static bool add_text(reading *in, const char *text, size_t bytes, size_t *at)
{
	size_t room = in->pool_room ? in->pool_room : 1 << 16;
	char *grown;

	while (room - in->pool_bytes < bytes)
		room *= 2;
	if (room != in->pool_room) {
		if (!(grown = memory_resize(in->pool, room, 1)))
			return refuse(in, BRISE_ENOMEM, "no memory for the vocabulary");
		in->pool = grown;
		in->pool_room = room;
	}
	memcpy(in->pool + in->pool_bytes, text, bytes);
	*at = in->pool_bytes;
	in->pool_bytes += bytes;
	return true;
}

/* text [bytes]: the value of `field`; NULL: it was not there. */
static bool add_entry(reading *in, entries *list, uint32_t most, const char *field, char *text,
                      size_t bytes, int64_t rank, bool is_base64)
{
	entry *e;

	if (in->r.status != BRISE_OK)
		return false;
	if (rank < 0 || !text)
		return refuse(in, BRISE_EFORMAT, "an entry without %s", text ? "a rank" : field);
	if (is_base64 && !base64_decode(text, &bytes))
		return refuse(in, BRISE_EFORMAT, "rank %" PRId64 ": %s \"%.40s\" is not base64",
		              rank, field, text);
	if (bytes == 0 || bytes > TOKENIZER_PIECE_MAX)
		return refuse(in, BRISE_EFORMAT,
		              "rank %" PRId64 ": a token of %zu bytes, 1 to %u are supported", rank,
		              bytes, TOKENIZER_PIECE_MAX);
	if (!grow(in, list, most))
		return false;
	e = &list->items[list->n];
	*e = (entry){ 0, (uint32_t)bytes, rank };
	list->n += add_text(in, text, bytes, &e->at);
	return in->r.status == BRISE_OK;
}

/* {"rank": , field: text}, and what else there is. */
static void read_entry(reading *in, entries *list, uint32_t most, const char *field, bool is_base64)
{
	int64_t rank = -1;
	char key[32], *text = NULL;
	size_t bytes = 0;

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "rank"))
			json_read_integer(&in->r, &rank);
		else if (!strcmp(key, field) && !text)
			json_read_string(&in->r, &text, &bytes);
		else
			json_skip(&in->r);
	add_entry(in, list, most, field, text, bytes, rank, is_base64);
	memory_free(text);
}

static void read_config(reading *in)
{
	char key[40];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "pattern"))
			json_read_name(&in->r, in->pattern, sizeof in->pattern);
		else if (!strcmp(key, "version"))
			json_read_name(&in->r, in->version, sizeof in->version);
		else if (!strcmp(key, "default_vocab_size"))
			json_read_integer(&in->r, &in->size);
		else if (!strcmp(key, "default_num_special_tokens"))
			json_read_integer(&in->r, &in->n_control);
		else
			json_skip(&in->r);
}

static bool begin_once(reading *in, bool *seen, const char *key)
{
	if (*seen)
		return refuse(in, BRISE_EFORMAT, "%s appears twice", key);
	*seen = true;
	return true;
}

static brise_status read_file(reading *in)
{
	char key[40];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "config")) {
			if (begin_once(in, &in->has_config, key))
				read_config(in);
		} else if (!strcmp(key, "vocab")) {
			if (begin_once(in, &in->has_vocab, key) && json_enter_array(&in->r))
				while (json_next_element(&in->r))
					read_entry(in, &in->vocab, ENTRIES_MAX, "token_bytes",
					           true);
		} else if (!strcmp(key, "special_tokens")) {
			if (!begin_once(in, &in->has_control, key))
				break;
			if (json_peek(&in->r) == JSON_NULL)
				in->has_control = !json_read_null(&in->r);
			else if (json_enter_array(&in->r))
				while (json_next_element(&in->r))
					read_entry(in, &in->control, CONTROL_MAX, "token_str",
					           false);
		} else {
			json_skip(&in->r);
		}
	return json_end(&in->r);
}

/* ---- what was read -------------------------------------------------------------------------- */

/* The number of "v3"; 0: it is not of that form. */
static uint32_t parse_version(const char *version)
{
	size_t digits = *version == 'v' ? strspn(version + 1, "0123456789") : 0;

	return digits > 0 && digits < 5 && version[1 + digits] == 0
	               ? (uint32_t)strtoul(version + 1, NULL, 10)
	               : 0;
}

static brise_status check_config(const reading *in, brise_error *err)
{
	const char *name = in->r.name;
	size_t same = 0;

	if (!in->has_config || !in->has_vocab)
		return error_set(err, BRISE_EFORMAT, "%s: no %s: not a tekken.json", name,
		                 in->has_config ? "vocab" : "config");
	while (in->pattern[same] && in->pattern[same] == SPLIT_PATTERN[same])
		same++;
	if (strcmp(in->pattern, SPLIT_PATTERN) != 0)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: config.pattern is not that of Mistral's tokenizers: at its "
		                 "character %zu it has \"%.40s\", expected \"%.40s\"",
		                 name, same, in->pattern + same, &SPLIT_PATTERN[same]);
	if (parse_version(in->version) == 0)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: config.version is \"%s\", expected v3 or the like", name,
		                 in->version);
	if (in->n_control < 1 || in->n_control > CONTROL_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: config.default_num_special_tokens is %" PRId64
		                 ", expected 1..%u",
		                 name, in->n_control, CONTROL_MAX);
	if (in->size < in->n_control + 256 || in->size > TOKENIZER_VOCAB_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: config.default_vocab_size is %" PRId64
		                 ", expected room for %" PRId64
		                 " control tokens and 256 bytes, and at most %u",
		                 name, in->size, in->n_control, TOKENIZER_VOCAB_MAX);
	if (in->vocab.n < in->size - in->n_control)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: vocab has %" PRIu32 " entries, expected %" PRId64
		                 " (default_vocab_size - default_num_special_tokens)",
		                 name, in->vocab.n, in->size - in->n_control);
	if (!in->has_control && parse_version(in->version) > UNLISTED_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: no special_tokens, which files of version %s have", name,
		                 in->version);
	return BRISE_OK;
}

/* The control tokens of files that list none. */
static const char *const defaults[] = { "<unk>",
	                                "<s>",
	                                "</s>",
	                                "[INST]",
	                                "[/INST]",
	                                "[AVAILABLE_TOOLS]",
	                                "[/AVAILABLE_TOOLS]",
	                                "[TOOL_RESULTS]",
	                                "[/TOOL_RESULTS]",
	                                "[TOOL_CALLS]",
	                                "[IMG]",
	                                "<pad>",
	                                "[IMG_BREAK]",
	                                "[IMG_END]",
	                                "[PREFIX]",
	                                "[MIDDLE]",
	                                "[SUFFIX]",
	                                "[SYSTEM_PROMPT]",
	                                "[/SYSTEM_PROMPT]",
	                                "[TOOL_CONTENT]" };

/* Names for the control tokens that have none, as entries like the others: the defaults if the file
 * lists none, and numbered ones. has [n_control]. */
static bool name_control(reading *in, bool *has)
{
	char text[40];
	int64_t rank;
	uint32_t i;

	for (i = 0; i < in->control.n; i++)
		if (in->control.items[i].rank < in->n_control)
			has[in->control.items[i].rank] = true;
	for (rank = 0; rank < in->n_control; rank++) {
		bool known = !in->has_control && (size_t)rank < sizeof defaults / sizeof *defaults;

		if (has[rank])
			continue;
		(void)snprintf(text, sizeof text, "%s", known ? defaults[rank] : "");
		if (!known)
			(void)snprintf(text, sizeof text, "<SPECIAL_%" PRId64 ">", rank);
		if (!add_entry(in, &in->control, 2 * CONTROL_MAX, "token_str", text, strlen(text),
		               rank, false))
			return false;
	}
	return true;
}

/* Puts the entries of ranks below `most` into pieces [most], each once. */
static brise_status place(const reading *in, const entries *list, int64_t most, tokenizer_type type,
                          const char *what, tokenizer_piece *pieces, brise_error *err)
{
	uint32_t i;

	for (i = 0; i < list->n; i++) {
		const entry *e = &list->items[i];

		if (e->rank >= most && type == PIECE_NORMAL)
			continue;
		if (e->rank >= most || pieces[e->rank].bytes > 0)
			return error_set(err, BRISE_EFORMAT, "%s: %s: rank %" PRId64 " %s",
			                 in->r.name, what, e->rank,
			                 e->rank >= most ? "is not below "
			                                   "default_num_special_tokens"
			                                 : "appears twice");
		pieces[e->rank] = (tokenizer_piece){
			(const uint8_t *)in->pool + e->at, e->bytes, 0, type, 0, false
		};
	}
	for (i = 0; i < most; i++)
		if (pieces[i].bytes == 0)
			return error_set(err, BRISE_EFORMAT, "%s: %s: rank %" PRIu32 " is missing",
			                 in->r.name, what, i);
	return BRISE_OK;
}

static brise_status write_section(reading *in, notes *decisions, void **section, size_t *bytes,
                                  brise_error *err)
{
	tokenizer_pieces p = { .vocab = (uint32_t)in->size, .dialect = parse_version(in->version) };
	bool *has = memory_new((size_t)in->n_control, sizeof *has);
	brise_status status = BRISE_OK;

	p.pieces = memory_new(p.vocab, sizeof *p.pieces);
	if (!has || !p.pieces)
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " tokens",
		                   in->r.name, p.vocab);
	else if (!name_control(in, has))
		status = in->r.status;
	if (status == BRISE_OK)
		status = place(in, &in->control, in->n_control, PIECE_CONTROL, "special_tokens",
		               p.pieces, err);
	if (status == BRISE_OK)
		status = place(in, &in->vocab, in->size - in->n_control, PIECE_NORMAL, "vocab",
		               p.pieces + in->n_control, err);
	if (status == BRISE_OK)
		status = byte_level_write_section(&p, in->r.name, section, bytes, err);
	if (status == BRISE_OK && decisions)
		notes_add(decisions,
		          "tekken version %s: %" PRId64 " tokens, %" PRId64 " of them control",
		          in->version, in->size, in->n_control);
	memory_free(p.pieces);
	memory_free(has);
	return status;
}

brise_status tekken_read_memory(const char *json, size_t size, const char *name, notes *decisions,
                                void **section, size_t *bytes, brise_error *err)
{
	reading in = { .size = -1, .n_control = -1 };
	brise_status status;

	*section = NULL;
	*bytes = 0;
	json_begin(&in.r, json, size, name, err);
	status = read_file(&in);
	if (status == BRISE_OK)
		status = check_config(&in, err);
	if (status == BRISE_OK)
		status = write_section(&in, decisions, section, bytes, err);
	memory_free(in.vocab.items);
	memory_free(in.control.items);
	memory_free(in.pool);
	return status;
}

bool tekken_recognise(const char *json, size_t size)
{
	static const char *const keys[] = { "config", "vocab",      "special_tokens",
		                            "image",  "multimodal", "audio",
		                            NULL };
	json_reader r;
	brise_error err;
	char key[40];

	json_begin(&r, json, size, "", &err);
	return json_enter_object(&r) && json_next_key(&r, key, sizeof key) &&
	       names_contain(keys, key);
}
