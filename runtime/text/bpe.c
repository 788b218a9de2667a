/* bpe.c - normalised text to token ids: byte pair encoding (Sennrich, Haddow, Birch, arXiv
 * 1508.07909) as SentencePiece does it (arXiv 1808.06226)
 *
 * 1. Cut into symbols: user-defined ones (longest match first, never merged further) where the text
 *    still holds them, else single characters, or bytes with a byte-level tokenizer.
 * 2. Merge: of all neighbours that together are a piece, the pair with the highest score, leftmost
 *    among equals, becomes one symbol; repeat. Byte-level tokenizers have no scores: the lowest id.
 * 3. Take merges into pieces of type "unused" back: they are steps on the way to longer pieces
 *    only.
 * 4. Symbols that are no piece become byte tokens, or one unknown token per run of them.
 *
 * The symbols lie in an array in the order of the text and form a list through it, so that a merge
 * costs the same everywhere. A pair enters the queue when it becomes a pair; one that has changed
 * since is recognised by its length when it is taken out. So n characters cost n log n, whatever
 * they are: each merge enters two pairs and takes one symbol away.
 */
#include "runtime/text/bpe.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"

#define NO_SYMBOL UINT32_MAX

enum { NO_PIECE = -1, MERGED_AWAY = -2 };

typedef struct bpe_symbol {
	/* of its first byte in the text; its end is where the next one begins */
	uint32_t offset;
	uint32_t prev, next; /* NO_SYMBOL at the ends */
	int32_t id;          /* piece, NO_PIECE, or MERGED_AWAY */
} symbol;

typedef struct bpe {
	const brise_tokenizer *t;
	const uint8_t *text;
	uint32_t text_bytes;
	bool cuts_symbols; /* user-defined symbols are looked for */
	const uint32_t *reserved;
	symbol *symbols;
	uint32_t n;
	merge_queue queue;
	/* [vocab] of an unused piece: bytes of its left part when last seen as a pair; NULL without
	 * unused pieces. Every use follows a merge of the same text, so what earlier texts left
	 * does no harm */
	uint32_t *cuts;
} bpe;

/* ---- memory --------------------------------------------------------------------------------- */

bool bpe_reserve_ids(bpe_ids *ids, size_t n)
{
	int32_t *grown = memory_resize(ids->items, n, sizeof *grown);

	if (!grown)
		return false;
	ids->items = grown;
	ids->room = n;
	return true;
}

bool bpe_add_id(bpe_ids *ids, int32_t id)
{
	if (ids->n == ids->room && !bpe_reserve_ids(ids, ids->room > 0 ? 2 * ids->room : 64))
		return false;
	ids->items[ids->n++] = id;
	return true;
}

void bpe_free_space(bpe_space *space)
{
	memory_free(space->symbols);
	memory_free(space->entries);
	memory_free(space->cuts);
	*space = (bpe_space){ NULL, NULL, NULL, 0 };
}

static uint32_t count_characters(const uint8_t *text, size_t bytes)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}

/* Room for the symbols of a text and everything that follows. n - 1 pairs at the start, and every
 * merge, of n - 1 at most, adds two entries for the one it took out. */
bool bpe_reserve(bpe_space *space, const brise_tokenizer *t, size_t n)
{
	if (t->has_unused && !space->cuts &&
	    !(space->cuts = memory_new(t->vocab, sizeof *space->cuts)))
		return false;
	if (n <= space->room)
		return true;
	memory_free(space->symbols);
	memory_free(space->entries);
	space->symbols = memory_new(n, sizeof *space->symbols);
	space->entries = memory_new(n, 2 * sizeof *space->entries);
	space->room = space->symbols && space->entries ? n : 0;
	return space->room > 0;
}

void bpe_count(const brise_tokenizer *t, size_t n, uint64_t *needed)
{
	if (t->has_unused)
		memory_count(needed, t->vocab, sizeof(uint32_t));
	memory_count(needed, n, sizeof(symbol));
	memory_count(needed, n, 2 * sizeof(merge));
}

/* ---- merging -------------------------------------------------------------------------------- */

/* As tokenizer_find_piece, without reserved ids. */
static int32_t find_piece(const bpe *b, uint32_t at, uint32_t bytes)
{
	int32_t id = tokenizer_find_piece(b->t, b->text + at, bytes);

	return id >= 0 && bpe_has_id(b->reserved, (uint32_t)id) ? NO_PIECE : id;
}

/* Bytes of the user-defined symbol at a place; 0: none, or one that is reserved. */
static uint32_t match_symbol(const bpe *b, uint32_t at)
{
	size_t bytes =
	        b->cuts_symbols ? tokenizer_match_user(b->t, b->text + at, b->text_bytes - at) : 0;

	return bytes > 0 && find_piece(b, at, (uint32_t)bytes) >= 0 ? (uint32_t)bytes : 0;
}

static void cut_symbols(bpe *b)
{
	uint32_t at, step;

	for (at = 0; at < b->text_bytes; at += step) {
		symbol *s = &b->symbols[b->n];

		step = match_symbol(b, at);
		if (step == 0)
			step = b->t->kind->byte_level
			               ? 1
			               : (uint32_t)utf8_measure(b->text + at, b->text_bytes - at);
		s->offset = at;
		s->prev = b->n == 0 ? NO_SYMBOL : b->n - 1;
		s->next = at + step == b->text_bytes ? NO_SYMBOL : b->n + 1;
		s->id = find_piece(b, at, step);
		b->n++;
	}
}

static uint32_t symbol_end(const bpe *b, const symbol *s)
{
	return s->next == NO_SYMBOL ? b->text_bytes : b->symbols[s->next].offset;
}

/* User-defined symbols stay as they were cut. */
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
	id = find_piece(b, l->offset, bytes);
	/* No merge makes a user-defined symbol: where its text is still there, it was left uncut on
	 * purpose. */
	if (id < 0 || b->t->types[id] == PIECE_USER_DEFINED)
		return;
	merge_queue_push(&b->queue,
	                 (merge){ b->t->scores ? merge_rank(b->t->scores[id]) : (uint32_t)id, left,
	                          (uint32_t)id });
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
	right->id = find_piece(b, middle, end - middle);
	if (right->next != NO_SYMBOL)
		b->symbols[right->next].prev = i;
	left->next = i;
	left->id = find_piece(b, from, bytes);
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

static bool add_bytes(const bpe *b, const symbol *s, bpe_ids *ids)
{
	uint32_t at;

	for (at = s->offset; at < symbol_end(b, s); at++)
		if (!bpe_add_id(ids, (int32_t)b->t->byte_ids[b->text[at]]))
			return false;
	return true;
}

static bool add_ids(const bpe *b, bpe_ids *ids)
{
	bool after_unknown = false, unknown, done = true;
	uint32_t i;

	for (i = 0; i != NO_SYMBOL && done; i = b->symbols[i].next, after_unknown = unknown) {
		const symbol *s = &b->symbols[i];

		unknown = s->id < 0;
		if (unknown && b->t->byte_ids)
			done = add_bytes(b, s, ids);
		else if (!unknown || !after_unknown)
			done = bpe_add_id(ids, unknown ? b->t->unk : s->id);
	}
	return done;
}

bool bpe_encode(const brise_tokenizer *t, const uint8_t *text, size_t bytes, bool symbols,
                const uint32_t *reserved, bpe_space *space, bpe_ids *ids)
{
	bpe b = { .t = t,
		  .text = text,
		  .text_bytes = (uint32_t)bytes,
		  .cuts_symbols = symbols,
		  .reserved = reserved };

	if (bytes == 0)
		return true;
	if (!bpe_reserve(space, t, t->kind->byte_level ? bytes : count_characters(text, bytes)))
		return false;
	b.symbols = space->symbols;
	b.queue.entries = space->entries;
	b.cuts = space->cuts;
	cut_symbols(&b);
	merge_symbols(&b);
	take_back_unused(&b);
	return add_ids(&b, ids);
}
