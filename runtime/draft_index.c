/* draft_index.c - runs of tokens in a table of hashes
 *
 * For each length n from 2 to 4 every run of n tokens that has a successor is in the table, under
 * its hash, as the position of the latest successor: the table holds positions, and the tokens
 * themselves are compared. So a hash that two runs share costs time, never a wrong answer.
 *
 * The table is made of buckets of 4 slots, 16 bytes. A run that is there already moves to its new
 * place; a new one replaces the oldest in its bucket, which is what has left the history, if there
 * is any. There are 4 slots for each token of the history, and at most 3 different runs.
 *
 * Positions are kept modulo 2^32. A slot that is left alone for that long names another token of
 * the history than it was made for, and is compared like all others.
 */
#include "runtime/draft_index.h"

#include <string.h>

#include "runtime/os/memory.h"

#define WAYS        4u
#define BUCKET_BITS 15u /* as many buckets as tokens of the history */
#define BUCKETS     (1u << BUCKET_BITS)

/* In the first 2^32 tokens this is the position of none that has been added. */
#define EMPTY UINT32_MAX

bool draft_index_new(draft_index *index)
{
	*index = (draft_index){ .n = 0 };
	index->tokens = memory_new(DRAFT_HISTORY, sizeof *index->tokens);
	index->slots = memory_new((size_t)BUCKETS * WAYS, sizeof *index->slots);
	if (!index->tokens || !index->slots) {
		draft_index_free(index);
		return false;
	}
	/* Written now, the pages are in use now: a text of any length adds none. */
	memset(index->tokens, 0xff, DRAFT_HISTORY * sizeof *index->tokens);
	memset(index->slots, 0xff, (size_t)BUCKETS * WAYS * sizeof *index->slots);
	return true;
}

void draft_index_free(draft_index *index)
{
	memory_free(index->tokens);
	memory_free(index->slots);
	*index = (draft_index){ .n = 0 };
}

int32_t draft_index_get(const draft_index *index, uint64_t position)
{
	return index->tokens[position % DRAFT_HISTORY];
}

/* Most tokens before the one `age` positions from the end that are still in the history. */
static uint64_t held_before(const draft_index *index, uint32_t age)
{
	uint64_t held = index->n < DRAFT_HISTORY ? index->n : DRAFT_HISTORY;

	return age < held ? held - age : 0;
}

unsigned draft_index_measure(const draft_index *index, uint64_t source, unsigned most)
{
	uint64_t age = index->n - source, held;
	unsigned same = 0;

	held = age < DRAFT_HISTORY ? held_before(index, (uint32_t)age) : 0;
	most = most < held ? most : (unsigned)held;
	while (same < most && draft_index_get(index, source - 1 - same) ==
	                              draft_index_get(index, index->n - 1 - same))
		same++;
	return same;
}

/* The bucket of the last `length` tokens. Multiplication by 2^64 / golden ratio spreads them to the
 * upper bits (Knuth, volume 3, 6.4). */
static uint32_t *find_bucket(const draft_index *index, unsigned length)
{
	uint64_t hash = length;
	unsigned i;

	for (i = 1; i <= length; i++) {
		hash ^= (uint32_t)draft_index_get(index, index->n - i);
		hash *= 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	hash *= 0x9e3779b97f4a7c15u;
	return index->slots + (size_t)(hash >> (64 - BUCKET_BITS)) * WAYS;
}

/* The slot of the last `length` tokens; NULL: they are not there. */
static uint32_t *find_slot(const draft_index *index, uint32_t *bucket, unsigned length)
{
	unsigned i;

	for (i = 0; i < WAYS; i++) {
		uint32_t age = (uint32_t)index->n - bucket[i];

		if (held_before(index, age) >= length &&
		    draft_index_measure(index, index->n - age, length) == length)
			return &bucket[i];
	}
	return NULL;
}

static uint32_t *find_oldest(const draft_index *index, uint32_t *bucket)
{
	unsigned i, oldest = 0;

	for (i = 1; i < WAYS; i++)
		if ((uint32_t)index->n - bucket[i] > (uint32_t)index->n - bucket[oldest])
			oldest = i;
	return &bucket[oldest];
}

/* The runs that end the text get their successor. */
void draft_index_add(draft_index *index, int32_t token)
{
	unsigned length;

	for (length = DRAFT_SHORTEST; length <= DRAFT_LONGEST && length <= index->n; length++) {
		uint32_t *bucket = find_bucket(index, length),
		         *slot = find_slot(index, bucket, length);

		if (!slot)
			slot = find_oldest(index, bucket);
		*slot = (uint32_t)index->n;
	}
	index->tokens[index->n % DRAFT_HISTORY] = token;
	index->n++;
}

bool draft_index_find(const draft_index *index, uint64_t *source)
{
	unsigned length;

	for (length = DRAFT_LONGEST; length >= DRAFT_SHORTEST; length--) {
		const uint32_t *slot;

		if (length > index->n)
			continue;
		slot = find_slot(index, find_bucket(index, length), length);
		if (slot) {
			*source = index->n - ((uint32_t)index->n - *slot);
			return true;
		}
	}
	return false;
}
