/* failing_heap.h - a heap (runtime/os/heap.h) that counts what is in use and asked for, and
 * fails the n-th request
 *
 * For the one source of a test program that includes it: the program's heap is then this one.
 */
#ifndef TEST_FAILING_HEAP_H
#define TEST_FAILING_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/os/heap.h"

static atomic_long requests, fail_at, in_use;
static atomic_size_t bytes_asked; /* of all requests so far */

static inline bool may_have(size_t bytes)
{
	atomic_fetch_add(&bytes_asked, bytes);
	return atomic_fetch_add(&requests, 1) + 1 != atomic_load(&fail_at);
}

void *heap_get(size_t bytes)
{
	void *memory = may_have(bytes) ? calloc(1, bytes) : NULL;

	if (memory)
		atomic_fetch_add(&in_use, 1);
	return memory;
}

void *heap_resize(void *old, size_t bytes)
{
	void *memory = may_have(bytes) ? realloc(old, bytes) : NULL;

	if (memory && !old)
		atomic_fetch_add(&in_use, 1);
	return memory;
}

void heap_free(void *memory)
{
	if (memory)
		atomic_fetch_sub(&in_use, 1);
	free(memory);
}

/* Fails request n of what is counted from here on; 0: none. */
static inline void fail_request(long n)
{
	atomic_store(&requests, 0);
	atomic_store(&fail_at, n);
}

#endif
