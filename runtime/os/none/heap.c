/* heap.c - memory from one range that the program gives with brise_give_memory
 *
 * The range is a row of blocks, each with a head before it. A request takes the first free block
 * that is large enough and cuts off what it does not need; free neighbours become one block when a
 * request passes them. There are a few dozen blocks, so a walk is short.
 *
 * The range is the one variable of the library: heap.h has no place for another. One thread may
 * make and free objects at a time.
 */
#include "runtime/os/heap.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

typedef struct block {
	size_t bytes; /* behind the head */
	bool taken;
} block;

static struct {
	unsigned char *start, *end;
	size_t most; /* furthest byte ever taken, from the start */
} range;

static block *block_at(unsigned char *place)
{
	return (block *)(void *)place;
}

static unsigned char *after(block *b)
{
	return (unsigned char *)b + MEMORY_HEAD + b->bytes;
}

brise_status brise_give_memory(void *memory, size_t bytes, brise_error *err)
{
	size_t skip = (MEMORY_UNIT - (uintptr_t)memory % MEMORY_UNIT) % MEMORY_UNIT;

	if (!memory)
		return error_set(err, BRISE_EINVAL, "brise_give_memory: memory is NULL");
	if (bytes < skip + MEMORY_HEAD + MEMORY_UNIT)
		return error_set(err, BRISE_EINVAL, "brise_give_memory: %zu bytes are too few",
		                 bytes);
	range.start = (unsigned char *)memory + skip;
	range.end = range.start + (bytes - skip) / MEMORY_UNIT * MEMORY_UNIT;
	range.most = 0;
	*block_at(range.start) = (block){ (size_t)(range.end - range.start) - MEMORY_HEAD, false };
	return BRISE_OK;
}

size_t brise_get_memory_used(void)
{
	return range.most;
}

/* The block that has room for `bytes`; NULL: none. */
static block *find_free(size_t bytes)
{
	unsigned char *place = range.start;

	while (place != range.end) {
		block *b = block_at(place), *next;

		while (!b->taken && after(b) != range.end && !(next = block_at(after(b)))->taken)
			b->bytes += MEMORY_HEAD + next->bytes;
		if (!b->taken && b->bytes >= bytes)
			return b;
		place = after(b);
	}
	return NULL;
}

static block *take(size_t bytes)
{
	block *b;
	size_t rest, used;

	if (bytes > SIZE_MAX - MEMORY_UNIT)
		return NULL;
	bytes = (bytes + MEMORY_UNIT - 1) / MEMORY_UNIT * MEMORY_UNIT;
	if (!(b = find_free(bytes)))
		return NULL;
	rest = b->bytes - bytes;
	if (rest > MEMORY_HEAD) {
		b->bytes = bytes;
		*block_at(after(b)) = (block){ rest - MEMORY_HEAD, false };
	}
	b->taken = true;
	used = (size_t)(after(b) - range.start);
	range.most = used > range.most ? used : range.most;
	return b;
}

void *heap_get(size_t bytes)
{
	block *b = take(bytes);

	return b ? memset((unsigned char *)b + MEMORY_HEAD, 0, b->bytes) : NULL;
}

void *heap_resize(void *old, size_t bytes)
{
	block *was = old ? block_at((unsigned char *)old - MEMORY_HEAD) : NULL, *b;
	unsigned char *memory;

	if (was && was->bytes >= bytes)
		return old;
	if (!(b = take(bytes)))
		return NULL;
	memory = (unsigned char *)b + MEMORY_HEAD;
	if (was)
		memcpy(memory, old, was->bytes);
	heap_free(old);
	return memory;
}

void heap_free(void *memory)
{
	if (memory)
		block_at((unsigned char *)memory - MEMORY_HEAD)->taken = false;
}
