/* merges.c - finds scores with which SentencePiece's merging is equivalent to a list of merges, and
 * checks it for every piece
 *
 * Both ways start from characters and take the best pair of neighbours until there is none. Hugging
 * Face's BPE takes, of the pairs on its list, the one of lowest rank; SentencePiece's takes, of all
 * pairs whose text is a piece, the one with the highest score of that piece; both take the leftmost
 * among equals. A list has about two pairs for each piece, and pieces that other lists lack, so the
 * two agree for some vocabularies only.
 *
 * What decides it: while nothing has been merged across the ends of a stretch of text, what happens
 * inside depends on that stretch alone. Merges inside are done in the order of their own
 * priorities, those outside do not touch them, and one across the ends would make an end inner. So
 * each piece, wherever it is made, is made as when its text stands alone: always from the same last
 * pair, or never. Call that its last merge. Merges that are not the last of any piece are never
 * done. Two ways of merging in which all pieces have the same last merges, in the same order of
 * priority, therefore do the same with every text.
 *
 * So: merge each piece's text alone by the list; number the pieces by the rank of their last
 * merges, and score them by that number; merge each piece's text alone by these scores, and compare
 * the last merges. The check is complete, and its cost is that of encoding the vocabulary twice.
 */
#include "convert/tokenizer/merges.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/merge_queue.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"

/* Looking up a text costs its length, so a piece of n bytes costs n * n at most: 32,768 pieces of
 * Mistral's make 3 million, and this a second or two. */
#define WORK_MAX ((uint64_t)1 << 30)

#define NO_SYMBOL UINT32_MAX
#define NO_RANK   UINT32_MAX /* of a piece that is never made */

typedef struct symbol {
	uint32_t offset, next, prev;
	int32_t id; /* piece, or -1 */
	bool merged_away;
} symbol;

typedef struct ranked_pair {
	uint64_t key; /* left, right */
	uint32_t rank, made;
} ranked_pair;

typedef struct merger {
	const brise_tokenizer *t; /* finds pieces by text */
	const ranked_pair *pairs; /* by key */
	uint32_t n_pairs;
	const uint32_t *order; /* [vocab] of pieces by score, best first; NULL: merge by the list */
	const uint8_t *text;
	uint32_t bytes;
	merge_queue queue;
	merge entries[2 * TOKENIZER_PIECE_MAX];
	symbol symbols[TOKENIZER_PIECE_MAX];
} merger;

/* How a piece is made: bytes of the left part of its last merge, 0: never; and that merge's
 * rank. */
typedef struct last_merge {
	uint32_t left_bytes, rank;
} last_merge;

static uint64_t key_of(int32_t left, int32_t right)
{
	return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static const ranked_pair *find_pair(const merger *m, int32_t left, int32_t right)
{
	uint64_t key = key_of(left, right);
	uint32_t from = 0, to = m->n_pairs;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (m->pairs[middle].key < key)
			from = middle + 1;
		else
			to = middle;
	}
	return from < m->n_pairs && m->pairs[from].key == key ? &m->pairs[from] : NULL;
}

static uint32_t symbol_end(const merger *m, const symbol *s)
{
	return s->next == NO_SYMBOL ? m->bytes : m->symbols[s->next].offset;
}

static void consider_pair(merger *m, uint32_t left, uint32_t right)
{
	const symbol *l, *r;

	if (left == NO_SYMBOL || right == NO_SYMBOL)
		return;
	l = &m->symbols[left];
	r = &m->symbols[right];
	if (m->order) {
		int32_t id = tokenizer_find_piece(m->t, m->text + l->offset,
		                                  symbol_end(m, r) - l->offset);

		if (id >= 0)
			merge_queue_push(&m->queue, (merge){ m->order[id], left, (uint32_t)id });
	} else if (l->id >= 0 && r->id >= 0) {
		const ranked_pair *pair = find_pair(m, l->id, r->id);

		if (pair)
			merge_queue_push(&m->queue, (merge){ pair->rank, left, pair->made });
	}
}

static uint32_t cut_characters(merger *m)
{
	uint32_t at, n = 0, step;

	for (at = 0; at < m->bytes; at += step, n++) {
		step = (uint32_t)utf8_measure(m->text + at, m->bytes - at);
		m->symbols[n] = (symbol){ .offset = at,
			                  .next = at + step == m->bytes ? NO_SYMBOL : n + 1,
			                  .prev = n == 0 ? NO_SYMBOL : n - 1,
			                  .id = tokenizer_find_piece(m->t, m->text + at, step) };
	}
	return n;
}

/* Merges a piece's text alone. */
static last_merge merge_piece(merger *m, const tokenizer_piece *piece)
{
	last_merge last = { 0, NO_RANK };
	uint32_t n, i;

	m->text = piece->text;
	m->bytes = piece->bytes;
	m->queue = (merge_queue){ m->entries, 0 };
	n = cut_characters(m);
	for (i = 1; i < n; i++)
		consider_pair(m, i - 1, i);
	while (m->queue.n > 0) {
		merge best = merge_queue_pop(&m->queue);
		symbol *left = &m->symbols[best.left], *right;

		if (left->merged_away || left->next == NO_SYMBOL)
			continue;
		right = &m->symbols[left->next];
		if (symbol_end(m, right) - left->offset != tokenizer_piece_bytes(m->t, best.id))
			continue; /* one of the two has grown since */
		last = (last_merge){ right->offset - left->offset, best.rank };
		left->id = (int32_t)best.id;
		left->next = right->next;
		right->merged_away = true;
		if (left->next != NO_SYMBOL)
			m->symbols[left->next].prev = best.left;
		consider_pair(m, left->prev, best.left);
		consider_pair(m, best.left, left->next);
	}
	return m->symbols[0].next == NO_SYMBOL ? last : (last_merge){ 0, NO_RANK };
}

/* Pieces that hold a user-defined symbol are never made: it is cut out of the text first. */
static bool can_be_made(const brise_tokenizer *t, const tokenizer_piece *piece)
{
	uint32_t at;

	if (piece->type != PIECE_NORMAL)
		return false;
	for (at = 0; at < piece->bytes; at++)
		if (tokenizer_match_user(t, piece->text + at, piece->bytes - at) > 0)
			return false;
	return true;
}

static int compare_pairs(const void *a, const void *b)
{
	const ranked_pair *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static brise_status sort_pairs(ranked_pair *sorted, const merges_pair *pairs, uint32_t n,
                               const char *name, brise_error *err)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		sorted[i] = (ranked_pair){ key_of((int32_t)pairs[i].left, (int32_t)pairs[i].right),
			                   i, pairs[i].made };
	if (n > 1)
		qsort(sorted, n, sizeof *sorted, compare_pairs);
	for (i = 1; i < n; i++)
		if (sorted[i - 1].key == sorted[i].key)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: the merge of tokens %" PRIu64 " and %" PRIu64
			                 " appears twice",
			                 name, sorted[i].key >> 32, sorted[i].key & UINT32_MAX);
	return BRISE_OK;
}

static brise_status check_work(const tokenizer_pieces *p, const char *name, brise_error *err)
{
	uint64_t work = 0;
	uint32_t i;

	for (i = 0; i < p->vocab; i++)
		work += (uint64_t)p->pieces[i].bytes * p->pieces[i].bytes;
	return work <= WORK_MAX ? BRISE_OK
	                        : error_set(err, BRISE_EUNSUPPORTED,
	                                    "%s: more long pieces than any tokenizer has", name);
}

/* order[id] of every piece by the rank of its last merge, and scores that fall with it. Counts to
 * 2^20 at most, which floats hold exactly. */
static void set_scores(tokenizer_pieces *p, const merges_pair *pairs, uint32_t n,
                       const last_merge *last, uint32_t *order)
{
	uint32_t rank, place = 0, id;

	for (id = 0; id < p->vocab; id++)
		order[id] = NO_RANK;
	for (rank = 0; rank < n; rank++)
		if (last[pairs[rank].made].rank == rank)
			order[pairs[rank].made] = place++;
	for (id = 0; id < p->vocab; id++)
		if (p->pieces[id].type == PIECE_NORMAL)
			p->pieces[id].score = -(float)(order[id] == NO_RANK ? place : order[id]);
}

static brise_status compare_last_merges(merger *m, const tokenizer_pieces *p,
                                        const last_merge *last, const char *name, brise_error *err)
{
	uint32_t id;

	for (id = 0; id < p->vocab; id++) {
		const tokenizer_piece *piece = &p->pieces[id];

		if (can_be_made(m->t, piece) &&
		    merge_piece(m, piece).left_bytes != last[id].left_bytes)
			return error_set(
			        err, BRISE_EUNSUPPORTED,
			        "%s: token %" PRIu32
			        " \"%.*s\": its merges cannot be expressed by scores; it is no "
			        "vocabulary of SentencePiece's",
			        name, id, piece->bytes > 100 ? 100 : (int)piece->bytes,
			        (const char *)piece->text);
	}
	return BRISE_OK;
}

brise_status merges_find_scores(tokenizer_pieces *p, const merges_pair *pairs, uint32_t n,
                                const char *name, brise_error *err)
{
	merger *m = memory_new(1, sizeof *m);
	ranked_pair *sorted = memory_new((size_t)n + 1, sizeof *sorted);
	last_merge *last = memory_new(p->vocab, sizeof *last);
	uint32_t *order = memory_new(p->vocab, sizeof *order), id;
	brise_tokenizer *t = NULL;
	void *section = NULL;
	size_t bytes;
	brise_status status = check_work(p, name, err);

	if (status == BRISE_OK && (!m || !sorted || !last || !order))
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " merges", name,
		                   n);
	/* A section without scores finds pieces by their text. */
	if (status == BRISE_OK)
		status = tokenizer_write_section(p, name, &section, &bytes, err);
	if (status == BRISE_OK)
		status = brise_open_tokenizer(&t, section, bytes, name, err);
	if (status == BRISE_OK)
		status = sort_pairs(sorted, pairs, n, name, err);
	if (status != BRISE_OK)
		goto done;
	m->t = t;
	m->pairs = sorted;
	m->n_pairs = n;
	for (id = 0; id < p->vocab; id++)
		last[id] = can_be_made(t, &p->pieces[id]) ? merge_piece(m, &p->pieces[id])
		                                          : (last_merge){ 0, NO_RANK };
	set_scores(p, pairs, n, last, order);
	m->order = order;
	status = compare_last_merges(m, p, last, name, err);
done:
	brise_close_tokenizer(t);
	memory_free(section);
	memory_free(order);
	memory_free(last);
	memory_free(sorted);
	memory_free(m);
	return status;
}
