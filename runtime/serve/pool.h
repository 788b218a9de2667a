/* pool.h - memory that is taken in many pieces and freed at once */
#ifndef SERVE_POOL_H
#define SERVE_POOL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pool_block pool_block;

/* All zero: empty. */
typedef struct pool {
	pool_block *blocks; /* the last one is the first */
	bool failed;        /* memory could not be had once: what was read is not complete */
} pool;

/* [count] items of `size` bytes, zeroed and aligned for any type; NULL: no memory. */
void *pool_take(pool *p, size_t count, size_t size);

/* A copy of text [n] with a NUL behind it; NULL: no memory. */
char *pool_copy(pool *p, const char *text, size_t n);

/* Room for one more item of `size` bytes behind items [n], which may move; its address. NULL: no
 * memory. *items: NULL for n 0. The room doubles, so a list takes at most three times its bytes. */
void *pool_append(pool *p, void **items, size_t n, size_t size);

/* Frees everything; the pool is empty then. */
void pool_clear(pool *p);

#endif
