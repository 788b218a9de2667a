/* tekken_writer.c - see tekken_writer.h */
#include "convert/tokenizer/tekken_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/base64.h"
#include "runtime/text/chat_mistral.h"
#include "runtime/text/json_writer.h"
#include "runtime/text/split.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"

static uint32_t count_control(const brise_tokenizer *t)
{
	uint32_t n = 0;

	while (n < t->vocab && t->types[n] == PIECE_CONTROL)
		n++;
	return n;
}

bool tekken_can_hold(const brise_tokenizer *t)
{
	uint32_t id = count_control(t);

	if (!t->kind->byte_level || id == 0)
		return false;
	while (id < t->vocab && t->types[id] == PIECE_NORMAL)
		id++;
	return id == t->vocab;
}

static bool is_utf8(const uint8_t *text, size_t bytes)
{
	size_t at;
	int step;

	for (at = 0; at < bytes; at += (size_t)step)
		if ((step = utf8_measure(text + at, bytes - at)) <= 0)
			return false;
	return true;
}

static void put_entry(json_writer *w, const brise_tokenizer *t, uint32_t id, uint32_t n_control)
{
	const uint8_t *text = t->text + t->offsets[id];
	uint32_t bytes = tokenizer_piece_bytes(t, id);
	char encoded[BASE64_ROOM(TOKENIZER_PIECE_MAX)];

	json_open(w, NULL, '{');
	json_put_unsigned(w, "rank", id < n_control ? id : id - n_control);
	if (id >= n_control)
		json_put_text(w, "token_bytes", encoded, base64_encode(text, bytes, encoded));
	if (id < n_control || is_utf8(text, bytes))
		json_put_text(w, "token_str", (const char *)text, bytes);
	else
		json_put_null(w, "token_str");
	if (id < n_control)
		json_put_bool(w, "is_control", true);
	json_close(w);
}

/* Files of others than Mistral's own may not say it. */
static uint32_t choose_version(const brise_tokenizer *t, const char *chat_format)
{
	const mistral_rules *rules = chat_format ? mistral_find(chat_format) : NULL;

	return t->dialect ? t->dialect : rules && rules->dialect ? rules->dialect : 3;
}

void tekken_make_json(const brise_tokenizer *t, const char *chat_format, buffer *out)
{
	json_writer w = { .sink = buffer_take_json, .user = out };
	uint32_t n_control = count_control(t), id;
	char version[16];

	(void)snprintf(version, sizeof version, "v%" PRIu32, choose_version(t, chat_format));
	json_open(&w, NULL, '{');
	json_open(&w, "config", '{');
	json_put_string(&w, "pattern", SPLIT_PATTERN);
	json_put_unsigned(&w, "num_vocab_tokens", t->vocab - n_control);
	json_put_unsigned(&w, "default_vocab_size", t->vocab);
	json_put_unsigned(&w, "default_num_special_tokens", n_control);
	json_put_string(&w, "version", version);
	json_close(&w);
	json_open(&w, "vocab", '[');
	for (id = n_control; id < t->vocab; id++)
		put_entry(&w, t, id, n_control);
	json_close(&w);
	json_open(&w, "special_tokens", '[');
	for (id = 0; id < n_control; id++)
		put_entry(&w, t, id, n_control);
	json_close(&w);
	json_close(&w);
	buffer_print(out, "\n");
}
