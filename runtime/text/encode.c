/* encode.c - text to token ids: added tokens are cut out, what is between them is normalised and
 * merged
 *
 * 1. Added tokens are looked for in the text as it is: from left to right, the longest at each
 *    place (huggingface/tokenizers, AddedVocabulary), or for GGUF files longer ones first over the
 *    whole text (llama.cpp, tokenizer_st_partition; longest.c). Special ones count only if control
 *    tokens are asked for: text from a user must not become one.
 * 2. Each text between them is normalised: every space becomes U+2581, every byte that is not UTF-8
 *    becomes U+FFFD, and a space is put in front as the rule says (added_section.h). With a
 *    byte-level tokenizer spaces stay, and U+FFFD replaces bytes as far as they begin a character.
 * 3. Tokens that are to be found in normalised text are cut out of it.
 * 4. What is left is merged (bpe.c), byte-level in parts (kinds.c).
 *
 * Without rules in the file there are no patterns but control tokens: the whole text is normalised
 * and merged, as SentencePiece does.
 *
 * In a conversation, text from users stands between what its format wrote: there it is known for
 * every byte whose it is, and special tokens count only where all their bytes are the format's.
 */
#include "runtime/text/encode.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/added.h"
#include "runtime/text/bpe.h"
#include "runtime/text/longest.h"
#include "runtime/text/utf8.h"
#include "runtime/text/utf8_classes.h"

/* Normalised text grows to at most three times its bytes, and symbols count them in 32 bits. */
#define TEXT_MAX ((size_t)1 << 30)

typedef struct encoding {
	const brise_tokenizer *t;
	const struct tokenizer_added *added;
	const added_set *plain; /* tokens that are looked for in the text as it is */
	bool control;
	const uint8_t *text;   /* the whole */
	const uint8_t *placed; /* its bytes that a format wrote; NULL: as `control` says */
	const uint32_t *reserved;
	uint8_t *normalized; /* of one text between tokens */
	size_t room;
	uint8_t *mask; /* [mask_room] `placed` of the normalised text */
	size_t mask_room;
	bpe_space space;
	bpe_ids ids;
	longest_space matches; /* ADDED_GGML: where the plain set's patterns are */
	size_t i_match;
} encoding;

struct brise_encoder {
	encoding e;
	size_t most; /* bytes of a text */
};

/* ---- normalising ---------------------------------------------------------------------------- */

static_assert(TOKENIZER_SPACE_BYTES == 3 && UTF8_REPLACEMENT_BYTES == 3,
              "both replacements below are three bytes");

/* What takes the place of the text's first bytes. */
typedef struct normal_step {
	const void *out;
	size_t bytes, read;
} normal_step;

static normal_step normalize_next(const tokenizer_kind *kind, const uint8_t *text, size_t bytes)
{
	int measured = utf8_measure(text, bytes);

	if (measured <= 0)
		return (normal_step){ UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES,
			              kind->measure_broken(text, bytes) };
	if (*text == ' ' && kind->marks_spaces)
		return (normal_step){ TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES, 1 };
	return (normal_step){ text, (size_t)measured, (size_t)measured };
}

/* Bytes of the space in front of a text that gets one. */
static size_t prefix_bytes(const encoding *e, bool prefix)
{
	return prefix && e->t->kind->marks_spaces ? TOKENIZER_SPACE_BYTES : 0;
}

/* Writes normalised text to `out`, if not NULL, and returns its bytes. */
static size_t normalize(const encoding *e, bool prefix, const uint8_t *text, size_t bytes,
                        uint8_t *out)
{
	size_t n = prefix_bytes(e, prefix), from;
	normal_step step;

	if (out)
		memcpy(out, TOKENIZER_SPACE, n);
	for (from = 0; from < bytes; from += step.read) {
		step = normalize_next(e->t->kind, text + from, bytes - from);
		if (out)
			memcpy(out + n, step.out, step.bytes);
		n += step.bytes;
	}
	return n;
}

static bool reserve_normalized(encoding *e, size_t bytes)
{
	uint8_t *grown = memory_resize(e->normalized, bytes, 1);

	if (!grown)
		return false;
	e->normalized = grown;
	e->room = bytes;
	return true;
}

/* Normalises into e->normalized; *n its bytes. False: no memory. */
static bool fill_normalized(encoding *e, bool prefix, const uint8_t *text, size_t bytes, size_t *n)
{
	*n = normalize(e, prefix, text, bytes, NULL);
	if (*n > e->room && !reserve_normalized(e, *n))
		return false;
	normalize(e, prefix, text, bytes, e->normalized);
	return true;
}

/* `placed` of a text as that of its normalised form of n bytes; a space in front is the format's.
 * False: no memory. */
static bool fill_mask(encoding *e, bool prefix, const uint8_t *text, size_t bytes,
                      const uint8_t *placed, size_t n)
{
	size_t at = prefix_bytes(e, prefix), from;
	normal_step step;

	if (n > e->mask_room) {
		uint8_t *grown = memory_resize(e->mask, n, 1);

		if (!grown)
			return false;
		e->mask = grown;
		e->mask_room = n;
	}
	memset(e->mask, 1, at);
	for (from = 0; from < bytes; from += step.read, at += step.bytes) {
		step = normalize_next(e->t->kind, text + from, bytes - from);
		memset(e->mask + at, placed[from], step.bytes);
	}
	return true;
}

static bool merge_text(encoding *e, const uint8_t *text, size_t bytes)
{
	return e->t->kind->encode(e->t, text, bytes, !e->added->symbols, e->reserved, &e->space,
	                          &e->ids);
}

/* Metaspace's rule: a space in front, unless there is one. */
static bool merge_piece(encoding *e, const uint8_t *text, size_t bytes)
{
	bool begins = text[0] == ' ' || (bytes >= TOKENIZER_SPACE_BYTES &&
	                                 !memcmp(text, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES)),
	     wanted = e->added->rule == ADDED_ALWAYS || text == e->text;
	size_t n;

	return fill_normalized(e, e->t->dummy_prefix && wanted && !begins, text, bytes, &n) &&
	       merge_text(e, e->normalized, n);
}

/* ---- cutting -------------------------------------------------------------------------------- */

/* Encodes a text between two tokens. False: no memory. */
typedef bool take_text_fn(encoding *e, const uint8_t *text, size_t bytes);

/* Whether an occurrence of a token counts as one. placed: of its first byte in the text that is
 * searched; NULL: nothing is known of its bytes. */
static bool counts(const encoding *e, const added_pattern *p, const uint8_t *placed)
{
	uint32_t i = 0;

	if (!placed && e->control)
		return true;
	while (placed && i < p->bytes && placed[i])
		i++;
	return (placed && i == p->bytes) ||
	       (!(p->flags & ADDED_SPECIAL) && !bpe_has_id(e->reserved, p->id));
}

static bool counts_at(const void *user, const added_pattern *p, size_t at)
{
	const encoding *e = user;

	return counts(e, p, e->placed ? e->placed + at : NULL);
}

static bool stands_alone(const uint8_t *text, size_t bytes, size_t from, size_t to)
{
	return !utf8_ends_with_word(text, from) && !utf8_begins_with_word(text + to, bytes - to);
}

/* The next token of the set at *at, which moves there, or behind it; NULL: none. */
static const added_pattern *find_next(encoding *e, const added_set *set, const uint8_t *text,
                                      size_t bytes, size_t *at)
{
	const added_pattern *p;

	if (e->added->rule == ADDED_GGML && set == e->plain) {
		if (e->i_match == e->matches.n)
			return NULL;
		*at = e->matches.matches[e->i_match].at;
		return e->matches.matches[e->i_match++].pattern;
	}
	/* special tokens hide what is in them, also where they are not asked for */
	for (; *at < bytes; ++*at)
		if ((p = added_match(set, text + *at, bytes - *at, true)) != NULL)
			return p;
	return NULL;
}

/* Cuts patterns of the set out of text [bytes], whose own `placed` is given (NULL: unknown). */
static bool cut(encoding *e, const added_set *set, const uint8_t *text, size_t bytes,
                const uint8_t *placed, take_text_fn *take)
{
	size_t start = 0, at = 0, from, to;
	const added_pattern *p;

	while ((p = find_next(e, set, text, bytes, &at)) != NULL) {
		from = at;
		to = at = at + p->bytes;
		if (!counts(e, p, placed ? placed + from : NULL) ||
		    ((p->flags & ADDED_SINGLE_WORD) && !stands_alone(text, bytes, from, to)))
			continue;
		if (p->flags & ADDED_LSTRIP)
			from -= utf8_count_spaces_before(text + start,
			                                 from > start ? from - start : 0);
		if (p->flags & ADDED_RSTRIP)
			to += utf8_count_spaces(text + to, bytes - to);
		if ((start < from && !take(e, text + start, from - start)) ||
		    !bpe_add_id(&e->ids, (int32_t)p->id))
			return false;
		start = to;
	}
	return start >= bytes || take(e, text + start, bytes - start);
}

static bool take_first(encoding *e, const uint8_t *text, size_t bytes)
{
	const struct tokenizer_added *a = e->added;
	const uint8_t *placed = e->placed ? e->placed + (text - e->text) : NULL;
	size_t n;

	if (a->rule == ADDED_FIRST || a->rule == ADDED_ALWAYS)
		return a->normalized.n > 0
		               ? cut(e, &a->normalized, text, bytes, placed, merge_piece)
		               : merge_piece(e, text, bytes);
	if (!fill_normalized(e, e->t->dummy_prefix, text, bytes, &n))
		return false;
	if (a->normalized.n == 0)
		return merge_text(e, e->normalized, n);
	if (placed && !fill_mask(e, e->t->dummy_prefix, text, bytes, placed, n))
		return false;
	return cut(e, &a->normalized, e->normalized, n, placed ? e->mask : NULL, merge_text);
}

/* Appends the ids of a text to e->ids. */
static brise_status encode(encoding *e, const char *text, size_t bytes, bool control,
                           brise_error *err)
{
	e->added = e->t->added; /* may have been attached after the encoder was made */
	if (!e->plain)
		e->plain = &e->added->plain;
	e->text = (const uint8_t *)text;
	e->control = control;
	e->i_match = 0;
	if (bytes == 0)
		return BRISE_OK;
	if (bytes > TEXT_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "a text of %zu bytes, at most %zu are encoded at once", bytes,
		                 TEXT_MAX);
	if ((e->added->rule != ADDED_GGML || longest_find(&e->matches, e->plain, e->text, bytes,
	                                                  control || e->placed, counts_at, e)) &&
	    cut(e, e->plain, e->text, bytes, e->placed, take_first))
		return BRISE_OK;
	return error_set(err, BRISE_ENOMEM, "no memory to encode a text of %zu bytes", bytes);
}

/* All but the ids. */
static void free_space(encoding *e)
{
	longest_free_space(&e->matches);
	memory_free(e->normalized);
	memory_free(e->mask);
	bpe_free_space(&e->space);
}

brise_status brise_encode_text(const brise_tokenizer *tokenizer, const char *text, size_t bytes,
                               bool control, int32_t **ids, size_t *n, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(tokenizer), ERROR_ARGUMENT(ids),
		                          ERROR_ARGUMENT(n) };
	encoding e = { .t = tokenizer };
	brise_status status = error_check_pointers(err, "brise_encode_text", needed, 3);

	if (status == BRISE_OK && !text && bytes > 0)
		status = error_set(err, BRISE_EINVAL, "brise_encode_text: text is NULL");
	if (status != BRISE_OK)
		return status;
	*ids = NULL;
	*n = 0;
	status = encode(&e, text, bytes, control, err);
	free_space(&e);
	if (status != BRISE_OK) {
		memory_free(e.ids.items);
		return status;
	}
	*ids = e.ids.items;
	*n = e.ids.n;
	return BRISE_OK;
}

/* A space in front and user-defined symbols in the normalised text, nothing else. False: no
 * memory. */
static bool encode_plainly(encoding *e, const encode_request *r)
{
	size_t n;

	return r->bytes == 0 ||
	       (fill_normalized(e, true, (const uint8_t *)r->text, r->bytes, &n) &&
	        e->t->kind->encode(e->t, e->normalized, n, true, r->reserved, &e->space, &e->ids));
}

brise_status encode_append(const brise_tokenizer *tokenizer, const encode_request *r, bpe_ids *ids,
                           brise_error *err)
{
	encoding e = { .t = tokenizer,
		       .plain = r->tokens,
		       .placed = r->placed,
		       .reserved = r->reserved,
		       .ids = *ids };
	brise_status status = BRISE_OK;

	if (!r->sentencepiece || r->bytes > TEXT_MAX)
		status = encode(&e, r->text, r->bytes, false, err);
	else if (!encode_plainly(&e, r))
		status = error_set(err, BRISE_ENOMEM, "no memory to encode a text of %zu bytes",
		                   r->bytes);
	*ids = e.ids;
	free_space(&e);
	return status;
}

/* ---- encoders: the same with memory taken beforehand ---------------------------------------- */

/* What a text of `bytes` bytes takes at most. Every byte may be no UTF-8, which makes three bytes
 * and one character of it; between added tokens each text may get a space in front, again three
 * bytes and a character. A byte of normalised text may become a token of its own, and is a symbol
 * where bytes are merged. */
typedef struct encode_room {
	size_t normalized, symbols, ids;
} encode_room;

static encode_room room_for(const brise_tokenizer *t, size_t bytes)
{
	return (encode_room){ 3 * bytes + 3, t->kind->byte_level ? 3 * bytes + 3 : bytes + 1,
		              4 * bytes + 4 };
}

static bool reserve(encoding *e, size_t bytes)
{
	const encode_room room = room_for(e->t, bytes);

	return reserve_normalized(e, room.normalized) &&
	       bpe_reserve(&e->space, e->t, room.symbols) && bpe_reserve_ids(&e->ids, room.ids) &&
	       (e->t->added->rule != ADDED_GGML ||
	        longest_reserve(&e->matches, bytes * e->t->added->nested, bytes));
}

brise_status brise_new_encoder(brise_encoder **out, const brise_tokenizer *tokenizer, size_t most,
                               brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(tokenizer) };
	brise_status status = error_check_pointers(err, "brise_new_encoder", needed, 2);
	brise_encoder *encoder;

	if (out)
		*out = NULL;
	if (status != BRISE_OK)
		return status;
	if (most > ENCODER_MOST)
		return error_set(err, BRISE_EINVAL, "texts of %zu bytes, at most %zu expected",
		                 most, ENCODER_MOST);
	if ((encoder = memory_new(1, sizeof *encoder)) != NULL)
		*encoder = (brise_encoder){ { .t = tokenizer }, most };
	if (!encoder || !reserve(&encoder->e, most)) {
		brise_free_encoder(encoder);
		return error_set(err, BRISE_ENOMEM, "no memory to encode texts of %zu bytes", most);
	}
	*out = encoder;
	return BRISE_OK;
}

brise_status brise_encode_next(brise_encoder *encoder, const char *text, size_t bytes, bool control,
                               const int32_t **ids, size_t *n, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(encoder), ERROR_ARGUMENT(ids),
		                          ERROR_ARGUMENT(n) };
	brise_status status = error_check_pointers(err, "brise_encode_next", needed, 3);

	if (status == BRISE_OK && !text && bytes > 0)
		status = error_set(err, BRISE_EINVAL, "brise_encode_next: text is NULL");
	if (status == BRISE_OK && bytes > encoder->most)
		status = error_set(err, BRISE_EINVAL,
		                   "a text of %zu bytes; the encoder was made for %zu", bytes,
		                   encoder->most);
	encoder->e.ids.n = 0;
	encoder->e.plain = NULL;
	if (status == BRISE_OK)
		status = encode(&encoder->e, text, bytes, control, err);
	if (status != BRISE_OK)
		return status;
	*ids = encoder->e.ids.items;
	*n = encoder->e.ids.n;
	return BRISE_OK;
}

void brise_free_encoder(brise_encoder *encoder)
{
	if (!encoder)
		return;
	free_space(&encoder->e);
	memory_free(encoder->e.ids.items);
	memory_free(encoder);
}

void tokenizer_count_encoder(const brise_tokenizer *t, size_t bytes, uint64_t *needed)
{
	const encode_room room = room_for(t, bytes);

	memory_count(needed, 1, sizeof(brise_encoder));
	memory_count(needed, room.normalized, 1);
	bpe_count(t, room.symbols, needed);
	memory_count(needed, room.ids, sizeof(int32_t));
	if (t->added->rule == ADDED_GGML) {
		memory_count(needed, bytes * t->added->nested, sizeof(longest_match));
		memory_count(needed, bytes, 1);
	}
}
