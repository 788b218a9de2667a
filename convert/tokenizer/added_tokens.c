/* added_tokens.c - see added_tokens.h
 *
 * A token within the base's vocabulary must be the piece that tokenizer.model has there. Where it
 * is not, one of the two files belongs to another model. A wrong guess would cut texts wrongly
 * without any message, so such folders are refused until the wrong file is removed. Only reserved
 * tokens may differ: a note says so, and tokenizer.model's names are used. Mistral has given names
 * to its own over time ("[control_8]" became "[IMG]"), and fine-tunes give them others, which does
 * not change how ordinary text is cut. Tokens without a row ("[PAD]" added after training) are no
 * contradiction: the model can neither be given nor produce them.
 *
 * Kinds are those of convert/tokenizer/tokenizer_json.c: special tokens are control tokens, which
 * text spells only on request; others are user-defined symbols, cut out of text. added_tokens.json
 * does not tell them apart: those that special_tokens_map.json names are special, as in
 * transformers (tokenization_utils_base.py, from_pretrained).
 */
#include "convert/tokenizer/added_tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/tokenizer/json_rule.h"
#include "convert/tokenizer/json_tokenizer.h"
#include "convert/tokenizer/tokenizer_checks.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define FILE_MAX  ((size_t)64 << 20) /* as for a tokenizer.json that is read whole */
#define SHOWN_MAX 3u                 /* tokens in a line */

typedef struct reading {
	json_reader r;
	added_tokens *out;
	uint32_t rows;
	size_t n_rowless;
} reading;

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool make_room(reading *in)
{
	added_tokens *out = in->out;
	size_t room = out->room ? 2 * out->room : 64;
	added_token *grown;

	if (out->n < out->room)
		return true;
	if (!(grown = memory_resize(out->items, room, sizeof *grown)))
		return json_refuse(&in->r, BRISE_ENOMEM, "no memory for added tokens");
	out->items = grown;
	out->room = room;
	return true;
}

static bool has_row(reading *in, const json_added_token *token)
{
	if (in->r.status != BRISE_OK)
		return false;
	if (!token->text)
		return json_refuse(&in->r, BRISE_EFORMAT, "an added token without content");
	if (token->id < 0 || token->id > UINT32_MAX)
		return json_refuse(&in->r, BRISE_EFORMAT,
		                   "an added token without an id that could be one");
	in->n_rowless += token->id >= in->rows;
	return token->id < in->rows;
}

/* Takes over the token's text. */
static void add(reading *in, json_added_token *token)
{
	if (has_row(in, token) && make_room(in))
		in->out->items[in->out->n++] = (added_token){ token->text, token->bytes,
			                                      (uint32_t)token->id, token->flags };
	else
		memory_free(token->text);
}

/* "added_tokens": [{"id": 32000, "content": "<|im_end|>", "special": true}] */
static void read_list(reading *in)
{
	json_added_token token;

	json_enter_array(&in->r);
	while (json_next_element(&in->r)) {
		json_read_added_token(&in->r, &token);
		add(in, &token);
	}
}

/* "added_tokens_decoder": {"32000": {"content": "<|im_end|>", "special": true}} */
static void read_decoder(reading *in)
{
	json_added_token token;
	char key[16], *end;
	long long id;

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key)) {
		id = strtoll(key, &end, 10);
		json_read_added_token(&in->r, &token);
		token.id = *end || end == key ? -1 : id;
		/* transformers' default */
		if (!token.tells_normalized && !(token.flags & ADDED_SPECIAL))
			token.flags |= ADDED_NORMALIZED;
		add(in, &token);
	}
}

/* {"<|im_end|>": 32000}, the whole file. */
static void read_plain(reading *in)
{
	json_added_token token = { .id = -1 };

	json_enter_object(&in->r);
	while (json_next_whole_key(&in->r, &token.text, &token.bytes)) {
		json_read_integer(&in->r, &token.id);
		add(in, &token);
	}
}

/* transformers makes normalizers Prepend and Replace where "legacy" is true, as by default, else
 * Metaspace with prepend_scheme "first" (convert_slow_tokenizer.py, LlamaConverter). */
static void read_legacy(reading *in)
{
	bool legacy = true;

	if (json_peek(&in->r) != JSON_BOOL) {
		json_skip(&in->r);
		return;
	}
	json_read_bool(&in->r, &legacy);
	if (in->out->rule == 0)
		in->out->rule = legacy ? ADDED_EVERY : ADDED_FIRST;
}

/* A text, an object with a text "content", or a list of these: special tokens. */
static void read_special(reading *in, unsigned depth)
{
	char key[32], *text = NULL;
	size_t bytes = 0, i;

	switch (json_peek(&in->r)) {
	case JSON_STRING:
		json_read_string(&in->r, &text, &bytes);
		for (i = 0; text && i < in->out->n; i++)
			if (in->out->items[i].bytes == bytes &&
			    !memcmp(in->out->items[i].text, text, bytes))
				in->out->items[i].flags |= ADDED_SPECIAL;
		memory_free(text);
		break;
	case JSON_OBJECT:
		json_enter_object(&in->r);
		while (json_next_key(&in->r, key, sizeof key))
			if (!strcmp(key, "content") && json_peek(&in->r) == JSON_STRING)
				read_special(in, depth);
			else
				json_skip(&in->r);
		break;
	case JSON_ARRAY:
		json_enter_array(&in->r);
		while (json_next_element(&in->r))
			if (depth == 0)
				read_special(in, depth + 1);
			else
				json_skip(&in->r);
		break;
	default:
		json_skip(&in->r);
	}
}

static void read_specials(reading *in)
{
	char key[48];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		read_special(in, 0);
}

static bool read_tokenizer(reading *in)
{
	json_rule rule = { .normalizes = false };
	bool any = false;
	char key[32];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "added_tokens") && json_peek(&in->r) != JSON_NULL) {
			any = true;
			read_list(in);
		} else {
			json_read_rule(&in->r, key, &rule);
		}
	in->out->rule = json_choose_rule(&rule);
	return any;
}

static bool read_config(reading *in)
{
	bool any = false;
	char key[32];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "added_tokens_decoder") && json_peek(&in->r) != JSON_NULL) {
			any = true;
			read_decoder(in);
		} else if (!strcmp(key, "legacy")) {
			read_legacy(in);
		} else {
			json_skip(&in->r);
		}
	return any;
}

static int compare_tokens(const void *a, const void *b)
{
	const added_token *x = a, *y = b;
	int order = x->id != y->id ? (x->id < y->id ? -1 : 1) : strcmp(x->text, y->text);

	return order != 0 ? order : x->flags < y->flags ? -1 : x->flags > y->flags;
}

/* By id, and one of each. */
static brise_status sort_tokens(added_tokens *out, brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t i, n = 0;

	if (out->n > 0)
		qsort(out->items, out->n, sizeof *out->items, compare_tokens);
	for (i = 0; i < out->n; i++) {
		const added_token *t = &out->items[i], *before = n > 0 ? &out->items[n - 1] : NULL;

		if (!before || before->id != t->id) {
			out->items[n++] = *t;
			continue;
		}
		if (status == BRISE_OK &&
		    (before->bytes != t->bytes || memcmp(before->text, t->text, t->bytes) != 0 ||
		     ((before->flags ^ t->flags) & ADDED_SPECIAL)))
			status = error_set(err, BRISE_EFORMAT,
			                   "%s: added token %" PRIu32
			                   " appears twice, as \"%.60s\" and \"%.60s\"",
			                   out->path, t->id, before->text, t->text);
		memory_free(out->items[i].text);
	}
	out->n = n;
	return status;
}

brise_status added_tokens_read_memory(added_tokens *out, added_form form, const char *json,
                                      size_t size, uint32_t rows, bool *any, notes *decisions,
                                      brise_error *err)
{
	reading in = { .out = out, .rows = rows };
	brise_status status;

	*any = true;
	json_begin(&in.r, json, size, out->path, err);
	if (form == ADDED_SPECIALS) {
		read_specials(&in);
		return json_end(&in.r);
	}
	if (form == ADDED_PLAIN)
		read_plain(&in);
	else
		*any = form == ADDED_TOKENIZER ? read_tokenizer(&in) : read_config(&in);
	status = json_end(&in.r);
	if (status == BRISE_OK)
		status = sort_tokens(out, err);
	if (status == BRISE_OK && in.n_rowless > 0)
		notes_add(decisions,
		          "added tokens without a row in the embedding ignored: %zu, of %" PRIu32
		          " and more (%s)",
		          in.n_rowless, rows, file_name(out->path));
	return status;
}

/* The file of that form beside the model; *any false: it is not there, or says nothing. */
static brise_status read_file(added_tokens *out, added_form form, const char *model_path,
                              uint32_t rows, bool *any, notes *decisions, brise_error *err)
{
	static const char *const names[] = { [ADDED_TOKENIZER] = "tokenizer.json",
		                             [ADDED_CONFIG] = "tokenizer_config.json",
		                             [ADDED_PLAIN] = "added_tokens.json",
		                             [ADDED_SPECIALS] = "special_tokens_map.json" };
	size_t folder = (size_t)(file_name(model_path) - model_path),
	       bytes = folder + strlen(names[form]) + 1, size;
	os_facts facts;
	char *json;
	brise_status status;

	*any = false;
	memory_free(out->path);
	if (!(out->path = memory_new(bytes, 1)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory to look beside it", model_path);
	memcpy(out->path, model_path, folder);
	strcpy(out->path + folder, names[form]);
	if (!os_examine_link(out->path, &facts)) /* a link to nothing counts: reading it says so */
		return BRISE_OK;
	status = files_read_whole(out->path, CONTENTS_JSON, FILE_MAX, &json, &size, err);
	if (status == BRISE_OK)
		status = added_tokens_read_memory(out, form, json, size, rows, any, decisions, err);
	memory_free(json);
	return status;
}

brise_status added_tokens_read(added_tokens *out, const char *model_path, uint32_t rows,
                               notes *decisions, brise_error *err)
{
	static const added_form forms[] = { ADDED_TOKENIZER, ADDED_CONFIG, ADDED_PLAIN };
	brise_status status = BRISE_OK;
	bool any = false;
	char *path;
	size_t i;

	*out = (added_tokens){ .path = NULL };
	for (i = 0; i < sizeof forms / sizeof *forms && status == BRISE_OK && !any; i++)
		status = read_file(out, forms[i], model_path, rows, &any, decisions, err);
	if (status != BRISE_OK || !any || forms[i - 1] != ADDED_PLAIN)
		return status;
	path = out->path; /* messages about a token name the file that gave it an id */
	out->path = NULL;
	status = read_file(out, ADDED_SPECIALS, model_path, rows, &any, decisions, err);
	memory_free(out->path);
	out->path = path;
	return status;
}

void added_tokens_free(added_tokens *tokens)
{
	size_t i;

	for (i = 0; i < tokens->n; i++)
		memory_free(tokens->items[i].text);
	memory_free(tokens->items);
	memory_free(tokens->path);
	*tokens = (added_tokens){ .path = NULL };
}

/* ---- appending ------------------------------------------------------------------------------ */

/* A token of the base under another name: counted if it is a reserved one in both files, else
 * refused. */
static brise_status check_name(const added_tokens *tokens, const added_token *t,
                               const tokenizer_piece *piece, const char *model_path,
                               size_t *n_renamed, brise_error *err)
{
	if (t->bytes == piece->bytes && !memcmp(t->text, piece->text, t->bytes))
		return BRISE_OK;
	if ((t->flags & ADDED_SPECIAL) &&
	    (piece->type == PIECE_CONTROL || piece->type == PIECE_USER_DEFINED)) {
		++*n_renamed;
		return BRISE_OK;
	}
	return error_set(err, BRISE_EFORMAT,
	                 "%s: token %" PRIu32 " is \"%.60s\", but \"%.*s\" in %s: one of the two "
	                 "files belongs to another model: remove it",
	                 tokens->path, t->id, t->text, piece->bytes > 60 ? 60 : (int)piece->bytes,
	                 (const char *)piece->text, file_name(model_path));
}

/* A control token of the base stays one, which text spells only on request. */
static void take_flags(tokenizer_piece *piece, const added_token *t)
{
	piece->listed = true;
	piece->flags = t->flags | (piece->type == PIECE_CONTROL ? ADDED_SPECIAL : 0);
}

static brise_status append_one(const added_tokens *tokens, const added_token *t,
                               tokenizer_pieces *p, brise_error *err)
{
	if (t->id != p->vocab)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: added token \"%.60s\" has id %" PRIu32 ", but %" PRIu32
		                 " before it has no token",
		                 tokens->path, t->text, t->id, p->vocab);
	p->pieces[p->vocab++] =
	        (tokenizer_piece){ (const uint8_t *)t->text,
		                   (uint32_t)t->bytes,
		                   0,
		                   t->flags & ADDED_SPECIAL ? PIECE_CONTROL : PIECE_USER_DEFINED,
		                   t->flags,
		                   true };
	return tokenizer_check_piece(p, t->id, tokens->path, err);
}

/* "2 added tokens: <|im_end|> 32000 (control), <|im_start|> 32001 (symbol) (tokenizer.json)" */
static void note_added(const added_tokens *tokens, size_t first, notes *decisions)
{
	char shown[SHOWN_MAX * 100 + 40] = "";
	size_t n = tokens->n - first, i, at = 0;

	if (n == 0)
		return;
	for (i = 0; i < n && i < SHOWN_MAX; i++) {
		const added_token *t = &tokens->items[first + i];

		at += (size_t)snprintf(shown + at, sizeof shown - at, "%s%.60s %" PRIu32 " (%s)",
		                       i ? ", " : "", t->text, t->id,
		                       t->flags & ADDED_SPECIAL ? "control" : "symbol");
	}
	if (n > SHOWN_MAX)
		(void)snprintf(shown + at, sizeof shown - at, " and %zu more", n - SHOWN_MAX);
	notes_add(decisions, "tokenizer: %zu added by %s: %s", n, file_name(tokens->path), shown);
}

brise_status added_tokens_append(const added_tokens *tokens, tokenizer_pieces *p,
                                 const char *model_path, notes *decisions, brise_error *err)
{
	brise_status status = BRISE_OK;
	size_t i, n_base, n_renamed = 0;
	tokenizer_piece *grown;

	if (tokens->n > 0 || tokens->rule != 0)
		p->rule = tokens->rule != 0 ? tokens->rule : ADDED_EVERY;
	for (i = 0; i < tokens->n && tokens->items[i].id < p->vocab && status == BRISE_OK; i++) {
		status = check_name(tokens, &tokens->items[i], &p->pieces[tokens->items[i].id],
		                    model_path, &n_renamed, err);
		take_flags(&p->pieces[tokens->items[i].id], &tokens->items[i]);
	}
	if (n_renamed > 0 && status == BRISE_OK)
		notes_add(decisions,
		          "tokenizer: reserved tokens have other names in %s; those of %s are "
		          "used: %zu",
		          file_name(tokens->path), file_name(model_path), n_renamed);
	if (status != BRISE_OK || i == tokens->n)
		return status;
	if (p->vocab + (tokens->n - i) > TOKENIZER_VOCAB_MAX)
		return error_set(err, BRISE_EUNSUPPORTED, "%s: more than %u tokens", tokens->path,
		                 TOKENIZER_VOCAB_MAX);
	if (!(grown = memory_resize(p->pieces, p->vocab + (tokens->n - i), sizeof *grown)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for added tokens", tokens->path);
	p->pieces = grown;
	for (n_base = i; i < tokens->n && status == BRISE_OK; i++)
		status = append_one(tokens, &tokens->items[i], p, err);
	if (status == BRISE_OK)
		note_added(tokens, n_base, decisions);
	return status;
}
