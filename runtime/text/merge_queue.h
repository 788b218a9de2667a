/* merge_queue.h - possible merges of a text, best first: highest score, then leftmost
 *
 * A heap of four children per node: half the levels of a binary one, and the children share a cache
 * line or two. The caller provides room for as many entries as there can ever be, so nothing here
 * fails.
 */
#ifndef RUNTIME_MERGE_QUEUE_H
#define RUNTIME_MERGE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct merge {
	uint32_t rank; /* falls as the score rises: merge_rank */
	uint32_t left; /* symbol on the left */
	uint32_t id;   /* piece it makes with the symbol that followed when it was entered */
} merge;

typedef struct merge_queue {
	merge *entries;
	size_t n;
} merge_queue;

/* Finite floats as unsigned numbers in opposite order, equal for equal scores (IEEE 754: positive
 * floats sort as their bits). */
static inline uint32_t merge_rank(float score)
{
	uint32_t bits;

	if (score == 0)
		score = 0; /* -0 too */
	memcpy(&bits, &score, sizeof bits);
	return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

static inline bool merge_before(const merge *a, const merge *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static inline void merge_queue_push(merge_queue *q, merge entry)
{
	size_t at = q->n++, parent;

	for (; at > 0; at = parent) {
		parent = (at - 1) / 4;
		if (!merge_before(&entry, &q->entries[parent]))
			break;
		q->entries[at] = q->entries[parent];
	}
	q->entries[at] = entry;
}

/* The best entry of a queue that is not empty. */
static inline merge merge_queue_pop(merge_queue *q)
{
	merge best = q->entries[0], last = q->entries[--q->n];
	size_t at = 0, child, next, end;

	while ((child = 4 * at + 1) < q->n) {
		end = child + 4 < q->n ? child + 4 : q->n;
		for (next = child + 1; next < end; next++)
			if (merge_before(&q->entries[next], &q->entries[child]))
				child = next;
		if (!merge_before(&q->entries[child], &last))
			break;
		q->entries[at] = q->entries[child];
		at = child;
	}
	q->entries[at] = last;
	return best;
}

#endif
