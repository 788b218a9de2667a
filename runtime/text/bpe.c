/* bpe.c - text to token ids: byte pair encoding (Sennrich, Haddow, Birch, arXiv 1508.07909) as
 * SentencePiece does it (arXiv 1808.06226)
 *
 * 1. Normalise: a space in front if the model wants one, every space becomes U+2581, every byte
 * that is not UTF-8 becomes U+FFFD.
 * 2. Cut into symbols: user-defined ones (longest match first, never merged further), else single
 * characters.
 * 3. Merge: of all neighbours that together are a piece, the pair with the highest score, leftmost
 * among equals, becomes one symbol; repeat.
 * 4. Take merges into pieces of type "unused" back: they are steps on the way to longer pieces
 * only.
 * 5. Symbols that are no piece become byte tokens, or one unknown token per run of them.
 *
 * The symbols lie in an array in the order of the text and form a list through it, so that a merge
 * costs the same everywhere. A pair enters the queue when it becomes a pair; one that has changed
 * since is recognised by its length when it comes out. So n characters cost n log n, whatever they
 * are: each merge enters two pairs and takes one symbol away.
 */
#include "runtime/text/tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/text/merge_queue.h"
#include "runtime/text/utf8.h"

/* Normalised text grows to at most three times its bytes, and symbols count them in 32 bits. */
#define TEXT_MAX ((size_t)1 << 30)

#define NO_SYMBOL UINT32_MAX

enum { NO_PIECE = -1, MERGED_AWAY = -2 };

typedef struct symbol {
	/* of its first byte in the normalised text; its end is where the next one begins */
	uint32_t offset;
	uint32_t prev, next; /* NO_SYMBOL at the ends */
	int32_t id;          /* piece, NO_PIECE, or MERGED_AWAY */
} symbol;

typedef struct bpe {
	const brise_tokenizer *t;
	uint8_t *text; /* normalised */
	uint32_t text_bytes;
	symbol *symbols;
	uint32_t n;
	merge_queue queue;
	/* [vocab] of an unused piece: bytes of its left part when last seen as a pair, 0: never;
	 * NULL without unused pieces */
	uint32_t *cuts;
} bpe;

/* Writes normalised text to `out`, if not NULL, and returns its bytes. */
static size_t normalize(const brise_tokenizer *t, const uint8_t *text, size_t bytes, uint8_t *out)
{
	size_t n = 0, from;
	int step;

	if (t->dummy_prefix) {
		if (out)
			memcpy(out, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES);
		n = TOKENIZER_SPACE_BYTES;
	}
	for (from = 0; from < bytes; from += (size_t)step) {
		const char *replacement = NULL;

		step = utf8_measure(text + from, bytes - from);
		if (step <= 0) {
			replacement = UTF8_REPLACEMENT;
			step = 1;
		} else if (text[from] == ' ') {
			replacement = TOKENIZER_SPACE;
		}
		if (out)
			memcpy(out + n, replacement ? (const uint8_t *)replacement : text + from,
			       replacement ? 3 : (size_t)step);
		n += replacement ? 3 : (size_t)step;
	}
	return n;
}

static_assert(TOKENIZER_SPACE_BYTES == 3 && UTF8_REPLACEMENT_BYTES == 3,
              "both replacements above are three bytes");

static uint32_t count_characters(const uint8_t *text, size_t bytes)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}

/* The symbols of text and room for everything that follows. */
static brise_status prepare(bpe *b, const uint8_t *text, size_t bytes, brise_error *err)
{
	size_t symbols, entries;
	uint64_t n;

	b->text_bytes = (uint32_t)normalize(b->t, text, bytes, NULL);
	b->text = malloc(b->text_bytes);
	if (!b->text)
		goto no_memory;
	normalize(b->t, text, bytes, b->text);
	n = count_characters(b->text, b->text_bytes);
	/* n - 1 pairs at the start, and every merge, of n - 1 at most, adds two entries for the one
	 * it took out. */
	if (!checked_size(n * sizeof *b->symbols, &symbols) ||
	    !checked_size(2 * n * sizeof *b->queue.entries, &entries))
		goto no_memory;
	b->symbols = malloc(symbols);
	b->queue.entries = malloc(entries);
	if (b->t->has_unused)
		b->cuts = calloc(b->t->vocab, sizeof *b->cuts);
	if (b->symbols && b->queue.entries && (b->cuts || !b->t->has_unused))
		return BRISE_OK;
no_memory:
	return error_set(err, BRISE_ENOMEM, "no memory to encode a text of %zu bytes", bytes);
}

static void cut_symbols(bpe *b)
{
	uint32_t at, step;

	for (at = 0; at < b->text_bytes; at += step) {
		symbol *s = &b->symbols[b->n];

		step = (uint32_t)tokenizer_match_user(b->t, b->text + at, b->text_bytes - at);
		if (step == 0)
			step = (uint32_t)utf8_measure(b->text + at, b->text_bytes - at);
		s->offset = at;
		s->prev = b->n == 0 ? NO_SYMBOL : b->n - 1;
		s->next = at + step == b->text_bytes ? NO_SYMBOL : b->n + 1;
		s->id = tokenizer_find_piece(b->t, b->text + at, step);
		b->n++;
	}
}

static uint32_t symbol_end(const bpe *b, const symbol *s)
{
	return s->next == NO_SYMBOL ? b->text_bytes : b->symbols[s->next].offset;
}

/* User-defined symbols stay as they were cut. No merge makes one: its text would have been cut out
 * as it. */
static bool is_frozen(const bpe *b, const symbol *s)
{
	return s->id >= 0 && b->t->types[s->id] == PIECE_USER_DEFINED;
}

static void consider_pair(bpe *b, uint32_t left, uint32_t right)
{
	const symbol *l, *r;
	uint32_t bytes;
	int32_t id;

	if (left == NO_SYMBOL || right == NO_SYMBOL)
		return;
	l = &b->symbols[left];
	r = &b->symbols[right];
	bytes = symbol_end(b, r) - l->offset;
	if (bytes > b->t->longest || is_frozen(b, l) || is_frozen(b, r))
		return;
	id = tokenizer_find_piece(b->t, b->text + l->offset, bytes);
	if (id < 0)
		return;
	merge_queue_push(&b->queue, (merge){ merge_rank(b->t->scores[id]), left, (uint32_t)id });
	if (b->t->types[id] == PIECE_UNUSED)
		b->cuts[id] = r->offset - l->offset;
}

/* Merges until no pair of the queue is left. */
static void merge_queued(bpe *b)
{
	while (b->queue.n > 0) {
		merge best = merge_queue_pop(&b->queue);
		symbol *left = &b->symbols[best.left], *right;

		if (left->id == MERGED_AWAY || left->next == NO_SYMBOL)
			continue;
		right = &b->symbols[left->next];
		if (symbol_end(b, right) - left->offset != tokenizer_piece_bytes(b->t, best.id))
			continue; /* one of the two has grown since */
		left->id = (int32_t)best.id;
		left->next = right->next;
		right->id = MERGED_AWAY;
		if (left->next != NO_SYMBOL)
			b->symbols[left->next].prev = best.left;
		consider_pair(b, left->prev, best.left);
		consider_pair(b, best.left, left->next);
	}
}

/* Where no piece spans words, merges in one cannot touch another: word by word the queue stays
 * short and in the cache, and the result is the same. Not so with unused pieces, whose parts depend
 * on the order of all merges. */
static void merge_symbols(bpe *b)
{
	bool by_words = b->t->cuts_words && !b->t->has_unused;
	uint32_t i;

	for (i = 1; i < b->n; i++) {
		if (by_words && tokenizer_begins_word(b->text, b->symbols[i].offset, b->text_bytes))
			merge_queued(b);
		else
			consider_pair(b, i - 1, i);
	}
	merge_queued(b);
}

/* Cuts a symbol in two, `bytes` from its start. The right part gets the place of the character it
 * begins with, which was merged away. */
static bool cut_symbol(bpe *b, uint32_t index, uint32_t bytes)
{
	symbol *left = &b->symbols[index], *right;
	uint32_t from = left->offset, middle = from + bytes, end = symbol_end(b, left),
	         i = index + 1;

	while (i < b->n && b->symbols[i].offset < middle)
		i++;
	if (i == b->n || b->symbols[i].offset != middle || middle >= end)
		return false;
	right = &b->symbols[i];
	right->next = left->next;
	right->prev = index;
	right->id = tokenizer_find_piece(b->t, b->text + middle, end - middle);
	if (right->next != NO_SYMBOL)
		b->symbols[right->next].prev = i;
	left->next = i;
	left->id = tokenizer_find_piece(b->t, b->text + from, bytes);
	return true;
}

/* Where one unused piece came about from different pairs, the pair seen last counts for all of
 * them, as in the reference. */
static void take_back_unused(bpe *b)
{
	uint32_t i = 0;

	if (!b->cuts)
		return;
	while (i != NO_SYMBOL) {
		symbol *s = &b->symbols[i];
		uint32_t bytes =
		        s->id >= 0 && b->t->types[s->id] == PIECE_UNUSED ? b->cuts[s->id] : 0;

		if (bytes == 0 || !cut_symbol(b, i, bytes))
			i = s->next;
	}
}

/* Writes the ids to `ids`, if not NULL, and returns their number. */
static size_t write_ids(const bpe *b, int32_t *ids)
{
	size_t n = 0;
	uint32_t i, at;
	bool after_unknown = false;

	for (i = 0; i != NO_SYMBOL; i = b->symbols[i].next) {
		const symbol *s = &b->symbols[i];
		bool unknown = s->id < 0;

		if (unknown && b->t->byte_fallback) {
			for (at = s->offset; at < symbol_end(b, s); at++, n++)
				if (ids)
					ids[n] = (int32_t)b->t->byte_ids[b->text[at]];
		} else if (!unknown || !after_unknown) {
			if (ids)
				ids[n] = unknown ? b->t->unk : s->id;
			n++;
		}
		after_unknown = unknown;
	}
	return n;
}

brise_status brise_encode_text(const brise_tokenizer *tokenizer, const char *text, size_t bytes,
                               int32_t **ids, size_t *n, brise_error *err)
{
	bpe b = { .t = tokenizer };
	brise_status status;

	*ids = NULL;
	*n = 0;
	if (bytes == 0)
		return BRISE_OK;
	if (bytes > TEXT_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "a text of %zu bytes, at most %zu are encoded at once", bytes,
		                 TEXT_MAX);
	status = prepare(&b, (const uint8_t *)text, bytes, err);
	if (status != BRISE_OK)
		goto done;
	cut_symbols(&b);
	merge_symbols(&b);
	take_back_unused(&b);
	*n = write_ids(&b, NULL);
	*ids = malloc(*n * sizeof **ids);
	if (!*ids) {
		*n = 0;
		status = error_set(err, BRISE_ENOMEM,
		                   "no memory for the ids of a text of %zu bytes", bytes);
		goto done;
	}
	write_ids(&b, *ids);
done:
	free(b.text);
	free(b.symbols);
	free(b.queue.entries);
	free(b.cuts);
	return status;
}
