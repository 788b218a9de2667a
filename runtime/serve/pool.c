/* pool.c - see pool.h: blocks in a list, each twice as large as the one before up to a bound */
#include "runtime/serve/pool.h"

#include <stdint.h>
#include <string.h>

#include "runtime/os/memory.h"

#define POOL_FIRST   ((size_t)4096)
#define POOL_LARGEST ((size_t)1 << 20) /* blocks grow up to here; larger pieces have their own */

struct pool_block {
	pool_block *next;
	size_t used, size; /* bytes behind the head */
	max_align_t begin[];
};

static pool_block *new_block(pool *p, size_t bytes)
{
	size_t size = p->blocks ? p->blocks->size * 2 : POOL_FIRST;
	pool_block *block;

	size = size < POOL_LARGEST ? size : POOL_LARGEST;
	size = size > bytes ? size : bytes;
	block = size <= SIZE_MAX - sizeof *block ? memory_new(1, sizeof *block + size) : NULL;
	if (!block)
		return NULL;
	block->next = p->blocks;
	block->size = size;
	p->blocks = block;
	return block;
}

void *pool_take(pool *p, size_t count, size_t size)
{
	size_t align = sizeof(max_align_t), bytes;
	pool_block *block = p->blocks;
	void *piece = NULL;

	if ((size > 0 && count > (SIZE_MAX - align) / size))
		goto failed;
	bytes = (count * size + align - 1) / align * align;
	if (!block || block->size - block->used < bytes)
		block = new_block(p, bytes);
	if (!block)
		goto failed;
	piece = (char *)block->begin + block->used;
	block->used += bytes;
	return piece;
failed:
	p->failed = true;
	return NULL;
}

char *pool_copy(pool *p, const char *text, size_t n)
{
	char *copy = n < SIZE_MAX ? pool_take(p, n + 1, 1) : NULL;

	if (copy && n > 0)
		memcpy(copy, text, n);
	return copy;
}

/* Room is there for a power of two of items: it is full when n is one. */
void *pool_append(pool *p, void **items, size_t n, size_t size)
{
	void *moved;

	if ((n & (n - 1)) == 0) {
		moved = n <= SIZE_MAX / 2 ? pool_take(p, n > 0 ? n * 2 : 1, size) : NULL;
		if (!moved)
			return NULL;
		if (n > 0)
			memcpy(moved, *items, n * size);
		*items = moved;
	}
	return (char *)*items + n * size;
}

void pool_clear(pool *p)
{
	while (p->blocks) {
		pool_block *block = p->blocks;

		p->blocks = block->next;
		memory_free(block);
	}
	p->failed = false;
}
