/* api_tokenize.c - see api_tokenize.h */
#include "runtime/serve/api_tokenize.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/api_chat.h"
#include "runtime/serve/aside.h"
#include "runtime/serve/inputs.h"
#include "runtime/serve/openai.h"
#include "runtime/text/utf8.h"

typedef struct asked {
	const char *text; /* [bytes]; NULL: none */
	size_t bytes;
	bool has_messages;
	bool adds, parses, wants_pieces;
	inputs tokens;
} asked;

static bool read_body(asked *a, const exchange_facts *facts, pool *p, refusal *why)
{
	char key[48];
	fields f;

	fields_begin(&f, facts->body, facts->body_bytes, p, why);
	for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);)
		if (!strcmp(key, "content") || !strcmp(key, "prompt")) {
			fields_read_string(&f, &a->text, &a->bytes);
		} else if (!strcmp(key, "add_special")) {
			fields_read_bool(&f, &a->adds);
		} else if (!strcmp(key, "parse_special")) {
			fields_read_bool(&f, &a->parses);
		} else if (!strcmp(key, "with_pieces")) {
			fields_read_bool(&f, &a->wants_pieces);
		} else if (!strcmp(key, "tokens")) {
			if (fields_peek(&f) != JSON_ARRAY)
				fields_refuse_type(&f, "an array of token ids");
			inputs_read(&a->tokens, &f);
		} else {
			a->has_messages = a->has_messages || !strcmp(key, "messages");
			fields_skip(&f);
		}
	return fields_end(&f);
}

/* ---- to ids --------------------------------------------------------------------------------- */

static bool encode(const asked *a, const service *s, request *r, refusal *why)
{
	const brise_model_facts *model = brise_get_model_facts(s->model);
	size_t begin = a->adds && model && model->bos >= 0, n = 0;
	int32_t *ids = NULL, *copy;
	brise_error err;

	if (a->has_messages)
		return request_encode(r, s, why);
	if (!a->text)
		return refusal_set(why, 400, "missing_required_parameter", "content",
		                   "Missing required parameter: 'content'.");
	if (!s->tokenizer)
		return refusal_set(why, 400, NULL, NULL, "This model's file has no tokenizer.");
	if (brise_encode_text(s->tokenizer, a->text, a->bytes, a->parses, &ids, &n, &err) !=
	    BRISE_OK)
		return refusal_set(why, err.code == BRISE_EINVAL ? 400 : 500, NULL, NULL, "%s",
		                   err.message);
	copy = pool_take(&r->pool, n + begin, sizeof *copy);
	if (copy && begin)
		copy[0] = model->bos;
	if (copy && n > 0)
		memcpy(copy + begin, ids, n * sizeof *ids);
	brise_free(ids);
	r->ids = copy;
	r->n_ids = n + begin;
	return copy || refusal_set(why, 500, NULL, NULL, "out of memory");
}

static bool is_utf8(const char *text, size_t bytes)
{
	size_t at;
	int step;

	for (at = 0; at < bytes; at += (size_t)step)
		if ((step = utf8_measure((const uint8_t *)text + at, bytes - at)) <= 0)
			return false;
	return true;
}

/* Pieces of byte-level tokenizers that are parts of characters are lists of bytes, as llama.cpp's
 * server has them. */
static void put_token(json_writer *w, const service *s, int32_t id, bool with_piece)
{
	const char *piece = "";
	size_t bytes = 0, i;

	if (!with_piece) {
		json_put_integer(w, NULL, id);
		return;
	}
	json_open(w, NULL, '{');
	json_put_integer(w, "id", id);
	if (brise_get_piece(s->tokenizer, id, &piece, &bytes, NULL) == BRISE_OK &&
	    is_utf8(piece, bytes)) {
		json_put_text(w, "piece", piece, bytes);
	} else if (bytes > 0) {
		json_open(w, "piece", '[');
		for (i = 0; i < bytes; i++)
			json_put_integer(w, NULL, (uint8_t)piece[i]);
		json_close(w);
	} else
		json_put_null(w, "piece");
	json_close(w);
}

typedef struct tokenize_call {
	exchange *x;
	const service *service;
	pool pool;
	asked asked;
	request request;
	body out; /* the reply */
	refusal why;
} tokenize_call;

static void put_ids(tokenize_call *c)
{
	json_writer w = { .sink = body_add, .user = &c->out };
	size_t i;

	json_open(&w, NULL, '{');
	json_open(&w, "tokens", '[');
	for (i = 0; i < c->request.n_ids; i++)
		put_token(&w, c->service, c->request.ids[i], c->asked.wants_pieces);
	json_close(&w);
	json_put_unsigned(&w, "count", c->request.n_ids);
	json_close(&w);
}

static void run_tokenize(void *user)
{
	tokenize_call *c = user;

	if (encode(&c->asked, c->service, &c->request, &c->why))
		put_ids(c);
}

static void answer(void *user, bool is_gone)
{
	tokenize_call *c = user;

	if (!is_gone && c->why.status != 0)
		openai_refuse(c->x, &c->why);
	else if (!is_gone)
		openai_reply(c->x, &c->out);
	body_free(&c->out);
	request_free(&c->request);
	pool_clear(&c->pool);
	memory_free(c);
}

/* NULL: the exchange has been refused. */
static tokenize_call *begin(exchange *x)
{
	tokenize_call *c = memory_new(1, sizeof *c);
	refusal why = { .status = 0 };

	if (!c) {
		(void)refusal_set(&why, 500, NULL, NULL, "out of memory");
		openai_refuse(x, &why);
		return NULL;
	}
	c->x = x;
	c->service = exchange_get_facts(x)->service;
	request_init(&c->request);
	return c;
}

void api_tokenize(exchange *x)
{
	const exchange_facts *facts = exchange_get_facts(x);
	tokenize_call *c = begin(x);

	if (!c)
		return;
	if (read_body(&c->asked, facts, &c->pool, &c->why) &&
	    (!c->asked.has_messages ||
	     api_chat_read(&c->request, facts->body, facts->body_bytes, &c->why)))
		aside_run(x, run_tokenize, answer, c);
	else
		answer(c, false);
}

/* ---- to text -------------------------------------------------------------------------------- */

static bool decode(const service *s, const input *of, body *text, refusal *why)
{
	brise_decoder *decoder = NULL;
	const char *piece;
	size_t bytes, i;
	brise_error err;

	if (!s->tokenizer)
		return refusal_set(why, 400, NULL, NULL, "This model's file has no tokenizer.");
	if (brise_new_decoder(&decoder, s->tokenizer, &err) != BRISE_OK)
		return refusal_set(why, 500, NULL, NULL, "%s", err.message);
	for (i = 0; i < of->n_ids && why->status == 0; i++)
		if (brise_decode_token(decoder, of->ids[i], &piece, &bytes, &err) == BRISE_OK)
			body_add(text, piece, bytes);
		else
			(void)refusal_set(why, 400, "invalid_value", "tokens",
			                  "Invalid 'tokens': %s.", err.message);
	if (brise_finish_decoder(decoder, &piece, &bytes, NULL) == BRISE_OK)
		body_add(text, piece, bytes);
	brise_free_decoder(decoder);
	return why->status == 0;
}

static void run_detokenize(void *user)
{
	tokenize_call *c = user;
	json_writer w = { .sink = body_add, .user = &c->out };
	body text = { .n = 0 };

	if (decode(c->service, c->asked.tokens.list, &text, &c->why)) {
		json_open(&w, NULL, '{');
		json_put_text(&w, "content", text.bytes, text.n);
		json_close(&w);
		c->out.failed = c->out.failed || text.failed;
	}
	body_free(&text);
}

void api_detokenize(exchange *x)
{
	const exchange_facts *facts = exchange_get_facts(x);
	tokenize_call *c = begin(x);
	const input *of;

	if (!c)
		return;
	if (read_body(&c->asked, facts, &c->pool, &c->why) && c->asked.tokens.n == 0)
		(void)refusal_set(&c->why, 400, "missing_required_parameter", "tokens",
		                  "Missing required parameter: 'tokens'.");
	of = c->asked.tokens.list;
	if (c->why.status == 0 && (c->asked.tokens.n > 1 || !of->ids))
		(void)refusal_set(&c->why, 400, "invalid_type", "tokens",
		                  "Invalid type for 'tokens': expected an array of token ids.");
	if (c->why.status == 0)
		aside_run(x, run_detokenize, answer, c);
	else
		answer(c, false);
}
