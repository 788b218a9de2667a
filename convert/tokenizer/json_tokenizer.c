/* json_tokenizer.c - reads Hugging Face's tokenizer.json (github.com/huggingface/tokenizers)
 *
 * The file describes a pipeline: a normalizer and a pre-tokenizer (what happens to spaces), a model
 * (vocabulary and merges), a decoder, and added tokens. Those converted from SentencePiece's
 * models, as Mistral's and Llama's are, are equivalent to a tokenizer.model; they are read, and so
 * are those converted from Mistral's tekken.json: the pre-tokenizers Split, with its one pattern,
 * and ByteLevel. Everything else is refused by name. Two spellings exist for a space in front of
 * the text and U+2581 for every space: older files have the normalizers Prepend and Replace, newer
 * ones the pre-tokenizer Metaspace.
 */
#include "convert/tokenizer/json_tokenizer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/portable.h"
#include "runtime/text/split.h"
#include "runtime/text/tokenizer.h"

#define MERGES_MAX (1u << 22) /* two for each piece in Mistral's */
#define SPACE      TOKENIZER_SPACE

typedef struct reading {
	json_reader r;
	json_tokenizer *out;
	size_t pool_room;
	uint32_t token_room, merge_room;
	bool has_vocab, has_merges, fuse_unk, ignores_merges;
	bool cuts_parts, takes_bytes, gives_bytes; /* Split; ByteLevel before and after the model */
	unsigned prepends;                         /* normalizers that put a space in front */
	bool replaces, metaspace, metaspace_prefix; /* normalizer and pre-tokenizer */
	bool decodes_spaces, decodes_bytes, strips; /* decoder */
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

/* ---- growing lists -------------------------------------------------------------------------- */

/* The list with room for n + 1 items, doubled when full; NULL after an error, and then it stays as
 * it was. */
static void *grow(reading *in, void *items, uint32_t n, uint32_t *room, size_t item_bytes,
                  uint32_t most)
{
	uint32_t wanted = *room ? 2 * *room : 1024;
	void *grown;

	if (n < *room)
		return items;
	if (n >= most) {
		refuse(in, "more than %" PRIu32 " tokens or merges", most);
		return NULL;
	}
	grown = memory_resize(items, wanted, item_bytes);
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

	while (room - in->out->pool_bytes < bytes)
		room *= 2;
	if (room != in->pool_room) {
		grown = memory_resize(in->out->pool, room, 1);
		if (!grown)
			return json_refuse(&in->r, BRISE_ENOMEM, "no memory for the vocabulary");
		in->out->pool = grown;
		in->pool_room = room;
	}
	memcpy(in->out->pool + in->out->pool_bytes, text, bytes);
	*at = in->out->pool_bytes;
	in->out->pool_bytes += bytes;
	return true;
}

static bool add_token(reading *in, const char *text, size_t bytes, int64_t id, token_origin origin,
                      uint32_t flags)
{
	json_token *tokens, *t;

	if (bytes == 0 || bytes > TOKENIZER_PIECE_MAX)
		return refuse(in, "a token of %zu bytes, 1 to %u are supported", bytes,
		              TOKENIZER_PIECE_MAX);
	if (id < 0 || id >= TOKENIZER_VOCAB_MAX)
		return refuse(in, "token id %" PRId64 ", 0 to %u are supported", id,
		              TOKENIZER_VOCAB_MAX - 1);
	if (!(tokens = grow(in, in->out->tokens, in->out->n_tokens, &in->token_room, sizeof *tokens,
	                    TOKENIZER_VOCAB_MAX)))
		return false;
	in->out->tokens = tokens;
	t = &tokens[in->out->n_tokens];
	*t = (json_token){ 0, (uint32_t)bytes, (uint32_t)id, origin, flags };
	in->out->n_tokens += add_text(in, text, bytes, &t->at);
	return in->r.status == BRISE_OK;
}

/* ---- model ---------------------------------------------------------------------------------- */

static void read_vocab(reading *in)
{
	size_t bytes;
	int64_t id;
	char *text;

	if (in->has_vocab)
		json_refuse(&in->r, BRISE_EFORMAT, "model.vocab appears twice");
	in->has_vocab = true;
	json_enter_object(&in->r);
	while (json_next_whole_key(&in->r, &text, &bytes)) {
		if (json_read_integer(&in->r, &id))
			add_token(in, text, bytes, id, FROM_VOCABULARY, 0);
		memory_free(text);
	}
}

static bool add_merge(reading *in, const char *left, size_t left_bytes, const char *right,
                      size_t right_bytes)
{
	json_merge *merges, *m;
	size_t at;

	if (left_bytes == 0 || right_bytes == 0 || left_bytes + right_bytes > TOKENIZER_PIECE_MAX)
		return refuse(in,
		              "merge %" PRIu32
		              " is not of two texts that make a token of at most %u bytes",
		              in->out->n_merges, TOKENIZER_PIECE_MAX);
	if (!(merges = grow(in, in->out->merges, in->out->n_merges, &in->merge_room, sizeof *merges,
	                    MERGES_MAX)))
		return false;
	in->out->merges = merges;
	m = &merges[in->out->n_merges];
	*m = (json_merge){ 0, (uint32_t)left_bytes, (uint32_t)right_bytes };
	in->out->n_merges +=
	        add_text(in, left, left_bytes, &m->at) && add_text(in, right, right_bytes, &at);
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
		json_refuse(&in->r, BRISE_EFORMAT,
		            "a merge that is not two texts with a space between");
	else
		add_merge(in, text, (size_t)(space - text), space + 1,
		          bytes - (size_t)(space - text) - 1);
	memory_free(text);
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
	memory_free(texts[0]);
	memory_free(texts[1]);
}

static void read_merges(reading *in)
{
	if (in->has_merges)
		json_refuse(&in->r, BRISE_EFORMAT, "model.merges appears twice");
	in->has_merges = true;
	json_enter_array(&in->r);
	while (json_next_element(&in->r))
		if (json_peek(&in->r) == JSON_ARRAY)
			read_listed_merge(in);
		else
			read_joined_merge(in);
}

/* A field that must have no effect: null, "", false or 0. */
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
	static const char *const nothings[] = { "dropout", "continuing_subword_prefix",
		                                "end_of_word_suffix", NULL };
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
			json_read_bool(&in->r, &in->out->byte_fallback);
		else if (!strcmp(key, "ignore_merges") && !skip_null(in))
			json_read_bool(&in->r, &in->ignores_merges);
		else if (!strcmp(key, "fuse_unk"))
			json_read_bool(&in->r, &in->fuse_unk);
		else if (!strcmp(key, "unk_token") && !skip_null(in))
			json_read_name(&in->r, in->out->unk, sizeof in->out->unk);
		else if (strcmp(key, "unk_token") != 0 && strcmp(key, "ignore_merges") != 0)
			json_skip(&in->r);
	}
}

/* ---- added tokens --------------------------------------------------------------------------- */

bool json_read_added_token(json_reader *r, json_added_token *token)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} flags[] = { { "special", ADDED_SPECIAL },
		      { "lstrip", ADDED_LSTRIP },
		      { "rstrip", ADDED_RSTRIP },
		      { "single_word", ADDED_SINGLE_WORD },
		      { "normalized", ADDED_NORMALIZED } };
	char key[32];
	size_t i;
	bool flag;

	*token = (json_added_token){ .id = -1 };
	json_enter_object(r);
	while (json_next_key(r, key, sizeof key)) {
		if (!strcmp(key, "id"))
			json_read_integer(r, &token->id);
		else if (!strcmp(key, "content") && !token->text)
			json_read_string(r, &token->text, &token->bytes);
		else {
			for (i = 0; i < sizeof flags / sizeof *flags; i++)
				if (!strcmp(key, flags[i].name))
					break;
			if (i == sizeof flags / sizeof *flags)
				json_skip(r);
			else if (json_read_bool(r, &flag) && flag)
				token->flags |= flags[i].flag;
			token->tells_normalized =
			        token->tells_normalized || !strcmp(key, "normalized");
		}
	}
	return r->status == BRISE_OK;
}

static void read_added(reading *in)
{
	json_added_token token;

	if (json_read_added_token(&in->r, &token))
		add_token(in, token.text ? token.text : "", token.bytes, token.id,
		          token.flags & ADDED_SPECIAL ? FROM_SPECIAL : FROM_ADDED, token.flags);
	memory_free(token.text);
}

static void read_added_tokens(reading *in)
{
	if (skip_null(in))
		return;
	json_enter_array(&in->r);
	while (json_next_element(&in->r))
		read_added(in);
}

/* ---- normalizer, pre-tokenizer, decoder ----------------------------------------------------- */

/* What one of them says. Texts are short where they matter; absent fields have the defaults of the
 * reference. */
typedef struct component {
	char type[64], pattern[64], content[64], prepend[64], replacement[64], scheme[64],
	        behavior[64];
	char regex[1024];
	bool add_prefix_space, split, use_regex, invert;
	int64_t start, stop;
	bool sequence; /* it holds others, which have been handled */
} component;

typedef void handle_component_fn(reading *in, const component *c);

/* {"String": text} or {"Regex": text}. */
static void read_pattern(reading *in, component *c)
{
	char key[16];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "String"))
			json_read_name(&in->r, c->pattern, sizeof c->pattern);
		else if (!strcmp(key, "Regex"))
			json_read_name(&in->r, c->regex, sizeof c->regex);
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
	} texts[] = { { "type", c->type },         { "content", c->content },
		      { "prepend", c->prepend },   { "replacement", c->replacement },
		      { "behavior", c->behavior }, { "prepend_scheme", c->scheme } };
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
	component c = { .add_prefix_space = true, .split = true, .use_regex = true };
	struct {
		const char *name;
		bool *flag;
	} flags[] = { { "add_prefix_space", &c.add_prefix_space },
		      { "split", &c.split },
		      { "use_regex", &c.use_regex },
		      { "invert", &c.invert } };
	size_t i;
	char key[32];

	if (skip_null(in))
		return;
	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key)) {
		if (read_text_field(in, &c, key))
			continue;
		if (!strcmp(key, "pattern") && json_peek(&in->r) == JSON_OBJECT)
			read_pattern(in, &c);
		else if (!strcmp(key, "start"))
			json_read_integer(&in->r, &c.start);
		else if (!strcmp(key, "stop"))
			json_read_integer(&in->r, &c.stop);
		else if (!strcmp(key, "normalizers") || !strcmp(key, "pretokenizers") ||
		         !strcmp(key, "decoders")) {
			c.sequence = true;
			read_components(in, depth, handle);
		} else {
			for (i = 0; i < sizeof flags / sizeof *flags; i++)
				if (!strcmp(key, flags[i].name))
					break;
			if (i < sizeof flags / sizeof *flags)
				json_read_bool(&in->r, flags[i].flag);
			else
				json_skip(&in->r);
		}
	}
	if (in->r.status == BRISE_OK && !(c.sequence && !strcmp(c.type, "Sequence")))
		handle(in, &c);
}

static void handle_normalizer(reading *in, const component *c)
{
	if (!strcmp(c->type, "Prepend")) {
		if (strcmp(c->prepend, SPACE) != 0 || in->prepends++)
			refuse(in,
			       "normalizer Prepend of anything but one U+2581 is not supported");
	} else if (!strcmp(c->type, "Replace")) {
		in->replaces = true;
		if (strcmp(c->pattern, " ") != 0 || strcmp(c->content, SPACE) != 0)
			refuse(in, "normalizer Replace of anything but spaces by U+2581 is not "
			           "supported");
	} else {
		refuse(in, "normalizer %s is not supported", c->type);
	}
}

/* Older files have add_prefix_space, newer ones prepend_scheme. */
static bool read_prefix(reading *in, const component *c)
{
	if (*c->scheme && strcmp(c->scheme, "first") != 0 && strcmp(c->scheme, "always") != 0 &&
	    strcmp(c->scheme, "never") != 0)
		refuse(in, "Metaspace with prepend_scheme %s is not supported", c->scheme);
	if (strcmp(c->replacement, SPACE) != 0)
		refuse(in, "Metaspace with another replacement than U+2581 is not supported");
	return *c->scheme ? strcmp(c->scheme, "never") != 0 : c->add_prefix_space;
}

/* The first of tekken's two: cuts a text into parts. */
static void handle_split(reading *in, const component *c)
{
	size_t same = 0;

	while (c->regex[same] && c->regex[same] == SPLIT_PATTERN[same])
		same++;
	if (strcmp(c->regex, SPLIT_PATTERN) != 0)
		refuse(in,
		       "pre_tokenizer Split: the pattern is not that of Mistral's tokenizers: at "
		       "its "
		       "character %zu it has \"%.24s\", expected \"%.24s\"",
		       same, c->regex + same, &SPLIT_PATTERN[same]);
	else if (strcmp(c->behavior, "Isolated") != 0 || c->invert)
		refuse(in, "pre_tokenizer Split with behavior %.64s%s is not supported",
		       c->behavior, c->invert ? ", inverted," : "");
	else if (in->cuts_parts || in->takes_bytes || in->metaspace)
		refuse(in, "pre_tokenizer Split after another is not supported");
	in->cuts_parts = true;
}

static void handle_pre_tokenizer(reading *in, const component *c)
{
	if (!strcmp(c->type, "Split")) {
		handle_split(in, c);
		return;
	}
	if (!strcmp(c->type, "ByteLevel") && in->cuts_parts && !in->takes_bytes) {
		in->takes_bytes = true;
		if (c->add_prefix_space || c->use_regex)
			refuse(in, "pre_tokenizer ByteLevel with %s is not supported",
			       c->use_regex ? "use_regex" : "add_prefix_space");
		return;
	}
	if (strcmp(c->type, "Metaspace") != 0 || in->metaspace) {
		refuse(in, "pre_tokenizer %s%s is not supported", c->type,
		       in->metaspace ? " after Metaspace" : "");
		return;
	}
	in->metaspace = true;
	in->metaspace_prefix = read_prefix(in, c);
	in->out->rule = *c->scheme && strcmp(c->scheme, "always") != 0 ? ADDED_FIRST : ADDED_ALWAYS;
	in->out->splits = c->split;
}

static void handle_decoder(reading *in, const component *c)
{
	if (!strcmp(c->type, "Replace") && !strcmp(c->pattern, SPACE) && !strcmp(c->content, " ")) {
		in->decodes_spaces = true;
	} else if (!strcmp(c->type, "Metaspace")) {
		in->decodes_spaces = true;
		in->strips = read_prefix(in, c) || in->strips;
	} else if (!strcmp(c->type, "ByteLevel")) {
		in->gives_bytes = true;
	} else if (!strcmp(c->type, "ByteFallback")) {
		in->decodes_bytes = true;
	} else if (!strcmp(c->type, "Strip") && !strcmp(c->content, " ") && c->start >= 0 &&
	           c->start <= 1 && c->stop == 0) {
		in->strips = c->start == 1 || in->strips;
	} else if (strcmp(c->type, "Fuse") != 0) {
		refuse(in, "decoder %s%s is not supported", c->type,
		       !strcmp(c->type, "Replace") || !strcmp(c->type, "Strip")
		               ? " of another text than a space"
		               : "");
	}
}

/* ---- the whole file ------------------------------------------------------------------------- */

static brise_status read_file(reading *in)
{
	static const char *const names[] = { "model", "added_tokens", "normalizer", "pre_tokenizer",
		                             "decoder" };
	unsigned seen = 0, i;
	char key[64];

	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key)) {
		for (i = 0; i < sizeof names / sizeof *names && strcmp(key, names[i]) != 0; i++)
			;
		if (seen & 1u << i && i < sizeof names / sizeof *names)
			json_refuse(&in->r, BRISE_EFORMAT,
			            "model, added_tokens, normalizer, pre_tokenizer or decoder "
			            "appears twice");
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

/* What differs from tekken's pipeline; NULL: nothing. */
static const char *compare_byte_level(const reading *in)
{
	if (!in->takes_bytes || !in->gives_bytes)
		return "not all of pre_tokenizer Split and ByteLevel and decoder ByteLevel";
	if (in->replaces || in->prepends || in->metaspace || in->decodes_spaces ||
	    in->decodes_bytes || in->strips)
		return "ByteLevel beside a normalizer or decoder of another kind";
	if (in->out->byte_fallback)
		return "model.byte_fallback beside ByteLevel";
	return in->ignores_merges ? NULL
	                          : "model.ignore_merges is off: a word that is a token is merged "
	                            "all the same";
}

static brise_status check_pipeline(const reading *in, brise_error *err)
{
	const char *what = NULL;

	if (in->out->n_tokens == 0 || !in->has_merges)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: no model.vocab and model.merges: not a tokenizer of type BPE",
		                 in->r.name);
	if (in->out->byte_level)
		what = compare_byte_level(in);
	else if (in->gives_bytes)
		what = "decoder ByteLevel is not supported without pre_tokenizer Split and "
		       "ByteLevel";
	else if (in->ignores_merges)
		what = "model.ignore_merges is on";
	else if (!in->replaces && !in->metaspace)
		what = "spaces do not become U+2581 (normalizer Replace or pre_tokenizer Metaspace "
		       "expected)";
	else if (!in->decodes_spaces)
		what = "the decoder does not turn U+2581 into spaces";
	else if (in->out->byte_fallback != in->decodes_bytes)
		what = "model.byte_fallback and the decoder's ByteFallback do not go together";
	else if (in->out->prefix != in->strips)
		what = "the space put in front of a text is not the one that the decoder strips";
	else if (!in->out->byte_fallback && !in->fuse_unk)
		what = "model.fuse_unk is off: unknown characters in a row are one unknown token "
		       "with SentencePiece";
	return what ? error_set(err, BRISE_EUNSUPPORTED,
	                        "%s: %s; no tokenizer of Mistral's does that", in->r.name, what)
	            : BRISE_OK;
}

brise_status json_read_tokenizer(json_tokenizer *out, const char *json, size_t size,
                                 const char *name, brise_error *err)
{
	reading in = { .out = out };
	brise_status status;

	*out = (json_tokenizer){ .unk = "<unk>" };
	json_begin(&in.r, json, size, name, err);
	status = read_file(&in);
	out->byte_level = in.cuts_parts || in.takes_bytes;
	out->prefix = in.prepends || in.metaspace_prefix;
	if (in.prepends || !in.metaspace)
		out->rule = ADDED_EVERY;
	return status == BRISE_OK ? check_pipeline(&in, err) : status;
}

void json_free_tokenizer(json_tokenizer *tokenizer)
{
	memory_free(tokenizer->merges);
	memory_free(tokenizer->tokens);
	memory_free(tokenizer->pool);
	*tokenizer = (json_tokenizer){ .unk = "" };
}
