/* memory.h - all memory comes from here; nothing else calls malloc
 *
 * Memory is zeroed. NULL means that there is none (errno is ENOMEM, where the system has such a
 * code), or that count * size overflows. Any thread may
 * call at any time. Below lies runtime/os/heap.h, which an arena or a test can replace.
 */
#ifndef RUNTIME_MEMORY_H
#define RUNTIME_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* [count] items of `size` bytes, zeroed; large pieces that are not touched take no memory on
 * systems with paging. Of 0 bytes: a pointer that may only be freed. */
void *memory_new(size_t count, size_t size);

/* Moves `old` (NULL allowed) to [count] items of `size` bytes; what is new is not zeroed. NULL:
 * `old` is as it was. */
void *memory_resize(void *old, size_t count, size_t size);

/* A copy of n bytes, and of a text with its end. */
void *memory_copy(const void *bytes, size_t n);
char *memory_copy_text(const char *text);

/* NULL allowed. */
void memory_free(void *memory);

/* As memory_new and memory_free, at a multiple of 64 bytes: a cache line, and the widest vectors.
 * The two go together. */
void *memory_new_aligned(size_t count, size_t size);
void memory_free_aligned(void *memory);

/* What a request takes of the range that firmware gives: a head, and its bytes in units
 * (runtime/os/none/heap.c). */
#define MEMORY_UNIT 16u
#define MEMORY_HEAD 16u

/* Adds a request for [count] items of `size` bytes to what is needed. Both come from what has been
 * checked: their product does not overflow. */
static inline void memory_count(uint64_t *needed, uint64_t count, uint64_t size)
{
	uint64_t units = (count * size + MEMORY_UNIT - 1) / MEMORY_UNIT;

	*needed += MEMORY_HEAD + (units > 0 ? units : 1) * MEMORY_UNIT;
}

#endif
