/* tokenizer_json.c - reads Hugging Face's tokenizer.json (github.com/huggingface/tokenizers)
 *
 * The file describes a pipeline: a normalizer and a pre-tokenizer (what happens to spaces), a model (vocabulary and merges), a decoder, and added tokens.
 * Those converted from SentencePiece's models, as Mistral's and Llama's are, say what a tokenizer.model says in other words; they are read, and all
 * else is refused by its name. Two spellings exist for a space in front of the text and U+2581 for every space: older files have the normalizers
 * Prepend and Replace, newer ones the pre-tokenizer Metaspace. Merges become scores in convert/merges.c.
 *
 * Added tokens are control tokens if special, which no text spells here; the others are user-defined symbols, cut out of the text first. Where
 * Hugging Face's program does otherwise than SentencePiece, with which the models were trained, SentencePiece counts: special tokens in the text stay
 * text, no space is put in front of what follows a symbol, and a text that begins with a space gets another one in front.
 */
#include "convert/tokenizer_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/files.h"
#include "convert/json.h"
#include "convert/merges.h"
#include "convert/names.h"
#include "runtime/error.h"
#include "runtime/tokenizer.h"

#define FILE_MAX   ((size_t)64 << 20) /* Mistral's have 2 MB, and 4 MB with merges as lists over several lines */
#define MERGES_MAX (1u << 22)         /* two for each piece in Mistral's */
#define SPACE      TOKENIZER_SPACE

typedef enum token_origin { FROM_VOCABULARY, ADDED, ADDED_SPECIAL } token_origin;

typedef struct token {
	size_t at; /* of its text in the pool */
	uint32_t bytes, id;
	token_origin origin;
} token;

typedef struct text_merge {
	size_t at; /* of both texts, one behind the other */
	uint32_t left_bytes, right_bytes;
} text_merge;

typedef struct reading {
	json_reader r;
	char *pool; /* texts, without ends */
	size_t pool_bytes, pool_room;
	token *tokens;
	uint32_t n_tokens, token_room;
	text_merge *merges;
	uint32_t n_merges, merge_room;
	char unk[64];
	bool has_vocab, has_merges, byte_fallback, fuse_unk;
	unsigned prepends;                                  /* normalizers that put a space in front */
	bool replaces, metaspace, metaspace_prefix, splits; /* normalizer and pre-tokenizer */
	bool decodes_spaces, decodes_bytes, strips;         /* decoder */
} reading;

/* Records that something named is not supported; returns false. */
static bool refuse(reading *in, const char *format, ...) PORTABLE_PRINTF(2, 3);

static bool refuse(reading *in, const char *format, ...)
{
	char what[200];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return json_refuse(&in->r, BRISE_EUNSUPPORTED, what);
}

static bool skip_null(reading *in)
{
	return json_peek(&in->r) == JSON_NULL && json_read_null(&in->r);
}

/* ---- growing lists ------------------------------------------------------------------------------------------------ */

/* The list with room for n + 1 items, doubled when full; NULL after an error, and then it stays as it was. */
static void *grow(reading *in, void *items, uint32_t n, uint32_t *room, size_t item_bytes, uint32_t most)
{
	uint32_t wanted = *room ? 2 * *room : 1024;
	void *grown;

	if (n < *room)
		return items;
	if (n >= most) {
		refuse(in, "more than %" PRIu32 " tokens or merges", most);
		return NULL;
	}
	grown = realloc(items, wanted * item_bytes);
	if (!grown)
		json_refuse(&in->r, BRISE_ENOMEM, "no memory for the vocabulary");
	else
		*room = wanted;
	return grown;
}

static bool add_text(reading *in, const char *text, size_t bytes, size_t *at)
{
	size_t room = in->pool_room ? in->pool_room : 1 << 16;
	char *grown;

	while (room - in->pool_bytes < bytes)
		room *= 2;
	if (room != in->pool_room) {
		grown = realloc(in->pool, room);
		if (!grown)
			return json_refuse(&in->r, BRISE_ENOMEM, "no memory for the vocabulary");
		in->pool = grown;
		in->pool_room = room;
	}
	memcpy(in->pool + in->pool_bytes, text, bytes);
	*at = in->pool_bytes;
	in->pool_bytes += bytes;
	return true;
}

static bool add_token(reading *in, const char *text, size_t bytes, int64_t id, token_origin origin)
{
	token *tokens, *t;

	if (bytes == 0 || bytes > TOKENIZER_PIECE_MAX)
		return refuse(in, "a token of %zu bytes, 1 to %u are supported", bytes, TOKENIZER_PIECE_MAX);
	if (id < 0 || id >= TOKENIZER_VOCAB_MAX)
		return refuse(in, "token id %" PRId64 ", 0 to %u are supported", id, TOKENIZER_VOCAB_MAX - 1);
	if (!(tokens = grow(in, in->tokens, in->n_tokens, &in->token_room, sizeof *tokens, TOKENIZER_VOCAB_MAX)))
		return false;
	in->tokens = tokens;
	t = &tokens[in->n_tokens];
	*t = (token){ 0, (uint32_t)bytes, (uint32_t)id, origin };
	in->n_tokens += add_text(in, text, bytes, &t->at);
	return in->r.status == BRISE_OK;
}

/* ---- model -------------------------------------------------------------------------------------------------------- */

static void read_vocab(reading *in)
{
	size_t bytes;
	int64_t id;
	char *text;

	if (in->has_vocab)
		json_refuse(&in->r, BRISE_EFORMAT, "model.vocab stands twice");
	in->has_vocab = true;
	json_enter_object(&in->r);
	while (json_next_whole_key(&in->r, &text, &bytes)) {
		if (json_read_integer(&in->r, &id))
			add_token(in, text, bytes, id, FROM_VOCABULARY);
		free(text);
	}
}

static bool add_merge(reading *in, const char *left, size_t left_bytes, const char *right, size_t right_bytes)
{
	text_merge *merges, *m;
	size_t at;

	if (left_bytes == 0 || right_bytes == 0 || left_bytes + right_bytes > TOKENIZER_PIECE_MAX)
		return refuse(in, "merge %" PRIu32 " is not of two texts that make a token of at most %u bytes", in->n_merges, TOKENIZER_PIECE_MAX);
	if (!(merges = grow(in, in->merges, in->n_merges, &in->merge_room, sizeof *merges, MERGES_MAX)))
		return false;
	in->merges = merges;
	m = &merges[in->n_merges];
	*m = (text_merge){ 0, (uint32_t)left_bytes, (uint32_t)right_bytes };
	in->n_merges += add_text(in, left, left_bytes, &m->at) && add_text(in, right, right_bytes, &at);
	return in->r.status == BRISE_OK;
}

/* "left right": pieces hold no spaces. */
static void read_joined_merge(reading *in)
{
	const char *space;
	size_t bytes;
	char *text;

	if (!json_read_string(&in->r, &text, &bytes))
		return;
	space = memchr(text, ' ', bytes);
	if (!space || memchr(space + 1, ' ', bytes - (size_t)(space - text) - 1))
		json_refuse(&in->r, BRISE_EFORMAT, "a merge that is not two texts with a space between");
	else
		add_merge(in, text, (size_t)(space - text), space + 1, bytes - (size_t)(space - text) - 1);
	free(text);
}

/* ["left", "right"] */
static void read_listed_merge(reading *in)
{
	char *texts[2] = { NULL, NULL };
	size_t bytes[2] = { 0, 0 }, n = 0;

	json_enter_array(&in->r);
	while (json_next_element(&in->r))
		if (n == 2 || !json_read_string(&in->r, &texts[n], &bytes[n]))
			json_refuse(&in->r, BRISE_EFORMAT, "a merge of two texts expected");
		else
			n++;
	if (in->r.status == BRISE_OK && n != 2)
		json_refuse(&in->r, BRISE_EFORMAT, "a merge of two texts expected");
	if (in->r.status == BRISE_OK)
		add_merge(in, texts[0], bytes[0], texts[1], bytes[1]);
	free(texts[0]);
	free(texts[1]);
}

static void read_merges(reading *in)
{
	if (in->has_merges)
		json_refuse(&in->r, BRISE_EFORMAT, "model.merges stands twice");
	in->has_merges = true;
	json_enter_array(&in->r);
	while (json_next_element(&in->r))
		if (json_peek(&in->r) == JSON_ARRAY)
			read_listed_merge(in);
		else
			read_joined_merge(in);
}

/* A field that must say nothing: null, "", false or 0. */
static void read_nothing(reading *in, const char *field)
{
	char text[8] = "";
	double number = 0;
	bool flag = false;

	switch (json_peek(&in->r)) {
	case JSON_NULL:
		json_read_null(&in->r);
		return;
	case JSON_BOOL:
		json_read_bool(&in->r, &flag);
		break;
	case JSON_NUMBER:
		json_read_double(&in->r, &number);
		break;
	default:
		json_read_name(&in->r, text, sizeof text);
	}
	if (flag || number != 0 || *text)
		refuse(in, "model.%s is not supported", field);
}

static void read_model(reading *in)
{
	static const char *const nothings[] = { "dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges", NULL };
	char key[64], type[64];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key)) {
		if (names_contain(nothings, key))
			read_nothing(in, key);
		else if (!strcmp(key, "type")) {
			if (json_read_name(&in->r, type, sizeof type) && strcmp(type, "BPE") != 0)
				refuse(in, "model %s is not supported, only BPE is", type);
		} else if (!strcmp(key, "vocab"))
			read_vocab(in);
		else if (!strcmp(key, "merges"))
			read_merges(in);
		else if (!strcmp(key, "byte_fallback"))
			json_read_bool(&in->r, &in->byte_fallback);
		else if (!strcmp(key, "fuse_unk"))
			json_read_bool(&in->r, &in->fuse_unk);
		else if (!strcmp(key, "unk_token") && !skip_null(in))
			json_read_name(&in->r, in->unk, sizeof in->unk);
		else if (strcmp(key, "unk_token") != 0)
			json_skip(&in->r);
	}
}

/* ---- added tokens ------------------------------------------------------------------------------------------------- */

static void read_added(reading *in)
{
	bool special = false, odd = false, flag;
	size_t bytes = 0;
	int64_t id = -1;
	char key[32], *content = NULL;

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key)) {
		if (!strcmp(key, "id"))
			json_read_integer(&in->r, &id);
		else if (!strcmp(key, "content") && !content)
			json_read_string(&in->r, &content, &bytes);
		else if (!strcmp(key, "special"))
			json_read_bool(&in->r, &special);
		else if (!strcmp(key, "lstrip") || !strcmp(key, "rstrip") || !strcmp(key, "single_word"))
			odd = (json_read_bool(&in->r, &flag) && flag) || odd;
		else
			json_skip(&in->r);
	}
	if (!special && content && memchr(content, ' ', bytes))
		refuse(in, "added token \"%.60s\": spaces in symbols are not supported", content);
	if (odd && !special) /* what surrounds a control token is no text's business */
		refuse(in, "added token \"%.60s\": lstrip, rstrip and single_word are not supported", content ? content : "");
	if (in->r.status == BRISE_OK)
		add_token(in, content ? content : "", bytes, id, special ? ADDED_SPECIAL : ADDED);
	free(content);
}

static void read_added_tokens(reading *in)
{
	if (skip_null(in))
		return;
	json_enter_array(&in->r);
	while (json_next_element(&in->r))
		read_added(in);
}

/* ---- normalizer, pre-tokenizer, decoder --------------------------------------------------------------------------- */

/* What one of them says. Texts are short where they matter; absent fields have the defaults of the reference. */
typedef struct component {
	char type[64], pattern[64], content[64], prepend[64], replacement[64], scheme[64];
	bool add_prefix_space, split;
	int64_t start, stop;
	bool sequence; /* it holds others, which have been handled */
} component;

typedef void handle_component_fn(reading *in, const component *c);

/* {"String": text}; a regular expression comes out as none. */
static void read_pattern(reading *in, component *c)
{
	char key[16];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "String"))
			json_read_name(&in->r, c->pattern, sizeof c->pattern);
		else
			json_skip(&in->r);
}

static void read_component(reading *in, unsigned depth, handle_component_fn *handle);

static void read_components(reading *in, unsigned depth, handle_component_fn *handle)
{
	if (depth == 4) {
		refuse(in, "sequences within sequences are not supported");
		return;
	}
	json_enter_array(&in->r);
	while (json_next_element(&in->r))
		read_component(in, depth + 1, handle);
}

static bool read_text_field(reading *in, component *c, const char *key)
{
	const struct {
		const char *name;
		char *text;
	} texts[] = { { "type", c->type }, { "content", c->content }, { "prepend", c->prepend }, { "replacement", c->replacement }, { "prepend_scheme", c->scheme } };
	size_t i;

	for (i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!strcmp(key, texts[i].name)) {
			json_read_name(&in->r, texts[i].text, sizeof c->type);
			return true;
		}
	return false;
}

static void read_component(reading *in, unsigned depth, handle_component_fn *handle)
{
	component c = { .add_prefix_space = true, .split = true };
	char key[32];

	if (skip_null(in))
		return;
	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key)) {
		if (read_text_field(in, &c, key))
			continue;
		if (!strcmp(key, "pattern") && json_peek(&in->r) == JSON_OBJECT)
			read_pattern(in, &c);
		else if (!strcmp(key, "add_prefix_space"))
			json_read_bool(&in->r, &c.add_prefix_space);
		else if (!strcmp(key, "split"))
			json_read_bool(&in->r, &c.split);
		else if (!strcmp(key, "start"))
			json_read_integer(&in->r, &c.start);
		else if (!strcmp(key, "stop"))
			json_read_integer(&in->r, &c.stop);
		else if (!strcmp(key, "normalizers") || !strcmp(key, "pretokenizers") || !strcmp(key, "decoders")) {
			c.sequence = true;
			read_components(in, depth, handle);
		} else
			json_skip(&in->r);
	}
	if (in->r.status == BRISE_OK && !(c.sequence && !strcmp(c.type, "Sequence")))
		handle(in, &c);
}

static void handle_normalizer(reading *in, const component *c)
{
	if (!strcmp(c->type, "Prepend")) {
		if (strcmp(c->prepend, SPACE) != 0 || in->prepends++)
			refuse(in, "normalizer Prepend of anything but one U+2581 is not supported");
	} else if (!strcmp(c->type, "Replace")) {
		in->replaces = true;
		if (strcmp(c->pattern, " ") != 0 || strcmp(c->content, SPACE) != 0)
			refuse(in, "normalizer Replace of anything but spaces by U+2581 is not supported");
	} else {
		refuse(in, "normalizer %s is not supported", c->type);
	}
}

/* Older files have add_prefix_space, newer ones prepend_scheme; "first" and "always" differ behind added tokens only. */
static bool read_prefix(reading *in, const component *c)
{
	if (*c->scheme && strcmp(c->scheme, "first") != 0 && strcmp(c->scheme, "always") != 0 && strcmp(c->scheme, "never") != 0)
		refuse(in, "Metaspace with prepend_scheme %s is not supported", c->scheme);
	if (strcmp(c->replacement, SPACE) != 0)
		refuse(in, "Metaspace with another replacement than U+2581 is not supported");
	return *c->scheme ? strcmp(c->scheme, "never") != 0 : c->add_prefix_space;
}

static void handle_pre_tokenizer(reading *in, const component *c)
{
	if (strcmp(c->type, "Metaspace") != 0 || in->metaspace) {
		refuse(in, "pre_tokenizer %s%s is not supported", c->type, in->metaspace ? " behind Metaspace" : "");
		return;
	}
	in->metaspace = true;
	in->metaspace_prefix = read_prefix(in, c);
	in->splits = c->split;
}

static void handle_decoder(reading *in, const component *c)
{
	if (!strcmp(c->type, "Replace") && !strcmp(c->pattern, SPACE) && !strcmp(c->content, " ")) {
		in->decodes_spaces = true;
	} else if (!strcmp(c->type, "Metaspace")) {
		in->decodes_spaces = true;
		in->strips = read_prefix(in, c) || in->strips;
	} else if (!strcmp(c->type, "ByteFallback")) {
		in->decodes_bytes = true;
	} else if (!strcmp(c->type, "Strip") && !strcmp(c->content, " ") && c->start >= 0 && c->start <= 1 && c->stop == 0) {
		in->strips = c->start == 1 || in->strips;
	} else if (strcmp(c->type, "Fuse") != 0) {
		refuse(in, "decoder %s%s is not supported", c->type, !strcmp(c->type, "Replace") || !strcmp(c->type, "Strip") ? " of another text than a space" : "");
	}
}

/* ---- the whole file ----------------------------------------------------------------------------------------------- */

static brise_status read_file(reading *in)
{
	static const char *const names[] = { "model", "added_tokens", "normalizer", "pre_tokenizer", "decoder" };
	unsigned seen = 0, i;
	char key[64];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key)) {
		for (i = 0; i < sizeof names / sizeof *names && strcmp(key, names[i]) != 0; i++)
			;
		if (seen & 1u << i && i < sizeof names / sizeof *names)
			json_refuse(&in->r, BRISE_EFORMAT, "model, added_tokens, normalizer, pre_tokenizer or decoder stands twice");
		seen |= 1u << i;
		if (i == 0)
			read_model(in);
		else if (i == 1)
			read_added_tokens(in);
		else if (i == 2)
			read_component(in, 0, handle_normalizer);
		else if (i == 3)
			read_component(in, 0, handle_pre_tokenizer);
		else if (i == 4)
			read_component(in, 0, handle_decoder);
		else
			json_skip(&in->r);
	}
	return json_end(&in->r);
}

static brise_status check_pipeline(const reading *in, brise_error *err)
{
	bool prefix = in->prepends || in->metaspace_prefix;
	const char *what = NULL;

	if (in->n_tokens == 0 || !in->has_merges)
		return error_set(err, BRISE_EFORMAT, "%s: no model.vocab and model.merges: not a tokenizer of type BPE", in->r.name);
	if (!in->replaces && !in->metaspace)
		what = "spaces do not become U+2581 (normalizer Replace or pre_tokenizer Metaspace expected)";
	else if (!in->decodes_spaces)
		what = "the decoder does not turn U+2581 into spaces";
	else if (in->byte_fallback != in->decodes_bytes)
		what = "model.byte_fallback and the decoder's ByteFallback do not go together";
	else if (prefix != in->strips)
		what = "the space put in front of a text is not the one that the decoder strips";
	else if (!in->byte_fallback && !in->fuse_unk)
		what = "model.fuse_unk is off: unknown characters in a row are one unknown token with SentencePiece";
	return what ? error_set(err, BRISE_EUNSUPPORTED, "%s: %s; no tokenizer of Mistral's does that", in->r.name, what) : BRISE_OK;
}

/* ---- pieces ------------------------------------------------------------------------------------------------------- */

/* qsort has no argument for the pool: texts are compared as pieces. */
typedef struct indexed {
	tokenizer_piece piece; /* its text and bytes */
	token_origin origin;
	uint32_t id;
} indexed;

static int compare_indexed(const void *a, const void *b)
{
	const indexed *x = a, *y = b;
	int order = tokenizer_compare_pieces(&x->piece, &y->piece);

	return order != 0 ? order : x->origin < y->origin ? -1 : x->origin > y->origin;
}

static tokenizer_type type_of(const reading *in, const indexed *t)
{
	if (t->piece.bytes == strlen(in->unk) && !memcmp(t->piece.text, in->unk, t->piece.bytes))
		return PIECE_UNKNOWN;
	if (in->byte_fallback && tokenizer_parse_byte(t->piece.text, t->piece.bytes) >= 0)
		return PIECE_BYTE;
	return t->origin == ADDED_SPECIAL ? PIECE_CONTROL : t->origin == ADDED ? PIECE_USER_DEFINED : PIECE_NORMAL;
}

/* Sorts tokens by text, and makes one of each that stands both in the vocabulary and among the added ones. Returns their number, 0 after an error. */
static uint32_t index_tokens(const reading *in, indexed *all, brise_error *err)
{
	uint32_t i, n = 0;

	for (i = 0; i < in->n_tokens; i++)
		all[i] = (indexed){ { (const uint8_t *)in->pool + in->tokens[i].at, in->tokens[i].bytes, 0, PIECE_NORMAL }, in->tokens[i].origin, in->tokens[i].id };
	qsort(all, in->n_tokens, sizeof *all, compare_indexed);
	for (i = 0; i < in->n_tokens; i++) {
		indexed *before = n > 0 && tokenizer_compare_pieces(&all[n - 1].piece, &all[i].piece) == 0 ? &all[n - 1] : NULL;

		if (before && (before->origin != FROM_VOCABULARY || all[i].origin == FROM_VOCABULARY || before->id != all[i].id)) {
			error_set(err, BRISE_EFORMAT, "%s: token \"%.*s\" stands twice, as %" PRIu32 " and %" PRIu32, in->r.name,
			          all[i].piece.bytes > 100 ? 100 : (int)all[i].piece.bytes, (const char *)all[i].piece.text, before->id, all[i].id);
			return 0;
		}
		if (before)
			*before = all[i];
		else
			all[n++] = all[i];
	}
	for (i = 0; i < n; i++)
		all[i].piece.type = type_of(in, &all[i]);
	return n;
}

static int32_t find_text(const indexed *all, uint32_t n, const void *text, uint32_t bytes)
{
	tokenizer_piece wanted = { text, bytes, 0, PIECE_NORMAL };
	uint32_t from = 0, to = n;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		int order = tokenizer_compare_pieces(&all[middle].piece, &wanted);

		if (order == 0)
			return (int32_t)middle;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return -1;
}

static int32_t find_control(const indexed *all, uint32_t n, const char *text)
{
	int32_t found = find_text(all, n, text, (uint32_t)strlen(text));

	return found >= 0 && all[found].piece.type == PIECE_CONTROL ? (int32_t)all[found].id : -1;
}

/* Every id from 0 on has one token; one is unknown; byte fallback has all bytes. */
static brise_status place_pieces(const reading *in, const indexed *all, tokenizer_pieces *p, brise_error *err)
{
	bool found[256] = { false };
	uint32_t i, n_bytes = 0;

	p->unk = -1;
	for (i = 0; i < p->vocab; i++) {
		uint32_t id = all[i].id;

		if (id >= p->vocab || p->pieces[id].bytes)
			return error_set(err, BRISE_EFORMAT, "%s: %" PRIu32 " tokens, but id %" PRIu32 " %s", in->r.name, p->vocab, id,
			                 id >= p->vocab ? "leaves a gap" : "stands twice");
		p->pieces[id] = all[i].piece;
		if (all[i].piece.type == PIECE_UNKNOWN)
			p->unk = (int32_t)id;
		if (all[i].piece.type == PIECE_BYTE && !found[tokenizer_parse_byte(all[i].piece.text, all[i].piece.bytes)]) {
			found[tokenizer_parse_byte(all[i].piece.text, all[i].piece.bytes)] = true;
			n_bytes++;
		}
	}
	if (p->unk < 0)
		return error_set(err, BRISE_EFORMAT, "%s: model.unk_token \"%s\" is no token", in->r.name, in->unk);
	if (in->byte_fallback && n_bytes != 256)
		return error_set(err, BRISE_EFORMAT, "%s: model.byte_fallback is set, but only %" PRIu32 " bytes have a token", in->r.name, n_bytes);
	p->bos = find_control(all, p->vocab, "<s>");
	p->eos = find_control(all, p->vocab, "</s>");
	p->flags = (in->prepends || in->metaspace_prefix ? TOKENIZER_DUMMY_PREFIX : 0) | (in->byte_fallback ? TOKENIZER_BYTE_FALLBACK : 0);
	return BRISE_OK;
}

static bool spans_words(const uint8_t *text, uint32_t bytes)
{
	uint32_t i;

	for (i = 1; i + TOKENIZER_SPACE_BYTES <= bytes; i++)
		if (!memcmp(text + i, SPACE, TOKENIZER_SPACE_BYTES))
			return true;
	return false;
}

/* The merges as ids. Those with a part or a result that is cut out of the text beforehand, or never looked for in it, are never done: left out. */
static brise_status resolve_merges(const reading *in, const indexed *all, const tokenizer_pieces *p, merges_pair *pairs, uint32_t *n, brise_error *err)
{
	uint32_t i;

	*n = 0;
	for (i = 0; i < in->n_merges; i++) {
		const text_merge *m = &in->merges[i];
		const char *text = in->pool + m->at;
		int32_t left = find_text(all, p->vocab, text, m->left_bytes), right = find_text(all, p->vocab, text + m->left_bytes, m->right_bytes),
		        made = find_text(all, p->vocab, text, m->left_bytes + m->right_bytes);
		int shown = m->left_bytes + m->right_bytes > 100 ? 100 : (int)(m->left_bytes + m->right_bytes);

		if (left < 0 || right < 0 || made < 0)
			return error_set(err, BRISE_EFORMAT, "%s: model.merges %" PRIu32 " \"%.*s\": %s is no token", in->r.name, i, shown, text,
			                 made < 0 ? "what it makes" : "a part of it");
		if (all[left].piece.type == PIECE_BYTE || all[right].piece.type == PIECE_BYTE || all[made].piece.type == PIECE_BYTE)
			return error_set(err, BRISE_EUNSUPPORTED, "%s: model.merges %" PRIu32 " \"%.*s\": merges of byte tokens are not supported", in->r.name, i, shown, text);
		if (all[left].piece.type != PIECE_NORMAL || all[right].piece.type != PIECE_NORMAL || all[made].piece.type != PIECE_NORMAL)
			continue;
		if (in->splits && spans_words((const uint8_t *)text, m->left_bytes + m->right_bytes))
			return error_set(err, BRISE_EUNSUPPORTED, "%s: pre_tokenizer Metaspace that splits words is not supported where a token spans them (\"%.*s\")", in->r.name,
			                 shown, text);
		pairs[(*n)++] = (merges_pair){ all[left].id, all[right].id, all[made].id };
	}
	return BRISE_OK;
}

static brise_status write_section(const reading *in, void **section, size_t *bytes, brise_error *err)
{
	indexed *all = calloc((size_t)in->n_tokens + 1, sizeof *all);
	merges_pair *pairs = calloc((size_t)in->n_merges + 1, sizeof *pairs);
	tokenizer_pieces p = { .pieces = calloc((size_t)in->n_tokens + 1, sizeof *p.pieces) };
	brise_status status = BRISE_OK;
	uint32_t n;

	if (!all || !pairs || !p.pieces) {
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " tokens", in->r.name, in->n_tokens);
		goto done;
	}
	p.vocab = index_tokens(in, all, err);
	if (p.vocab == 0)
		status = BRISE_EFORMAT;
	if (status == BRISE_OK)
		status = place_pieces(in, all, &p, err);
	if (status == BRISE_OK)
		status = resolve_merges(in, all, &p, pairs, &n, err);
	if (status == BRISE_OK)
		status = merges_find_scores(&p, pairs, n, in->r.name, err);
	if (status == BRISE_OK)
		status = tokenizer_write_section(&p, in->r.name, section, bytes, err);
done:
	free(p.pieces);
	free(pairs);
	free(all);
	return status;
}

brise_status tokenizer_json_read_memory(const char *json, size_t size, const char *name, void **section, size_t *bytes, brise_error *err)
{
	reading in = { .unk = "<unk>" };
	brise_status status;

	*section = NULL;
	*bytes = 0;
	json_begin(&in.r, json, size, name, err);
	status = read_file(&in);
	if (status == BRISE_OK)
		status = check_pipeline(&in, err);
	if (status == BRISE_OK)
		status = write_section(&in, section, bytes, err);
	free(in.merges);
	free(in.tokens);
	free(in.pool);
	return status;
}

brise_status tokenizer_json_read_model(const char *path, void **section, size_t *bytes, brise_error *err)
{
	size_t size;
	char *json;
	brise_status status = files_read_whole(path, FILE_MAX, &json, &size, err);

	*section = NULL;
	*bytes = 0;
	if (status == BRISE_OK)
		status = tokenizer_json_read_memory(json, size, path, section, bytes, err);
	free(json);
	return status;
}
