/* memory.c - sizes are checked here, so that no caller multiplies */
#include "runtime/os/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/os/heap.h"

/* At least one byte: heaps may answer NULL to none. */
static bool total(size_t count, size_t size, size_t *bytes)
{
	uint64_t product;

	if (!checked_mul(count, size, &product) || !checked_size(product, bytes))
		return false;
	*bytes += *bytes == 0;
	return true;
}

/* The reason for error_errno, where errno has a code for it: a heap need not know errno. */
static void *with_reason(void *memory)
{
#if defined(ENOMEM) && !defined(NO_SYSTEM)
	if (!memory)
		errno = ENOMEM;
#endif
	return memory;
}

void *memory_new(size_t count, size_t size)
{
	size_t bytes;

	return with_reason(total(count, size, &bytes) ? heap_get(bytes) : NULL);
}

void *memory_resize(void *old, size_t count, size_t size)
{
	size_t bytes;

	return with_reason(total(count, size, &bytes) ? heap_resize(old, bytes) : NULL);
}

void *memory_copy(const void *bytes, size_t n)
{
	void *copy = memory_new(n, 1);

	if (copy && n > 0)
		memcpy(copy, bytes, n);
	return copy;
}

char *memory_copy_text(const char *text)
{
	return memory_copy(text, strlen(text) + 1);
}

void memory_free(void *memory)
{
	heap_free(memory);
}

#define ALIGN 64u

/* The pointer from the heap is stored before the aligned memory that is returned. */
void *memory_new_aligned(size_t count, size_t size)
{
	size_t bytes;
	void **aligned;
	char *base;

	if (!total(count, size, &bytes) || bytes > SIZE_MAX - ALIGN - sizeof base ||
	    !(base = heap_get(bytes + ALIGN + sizeof base)))
		return with_reason(NULL);
	aligned = (void **)(void *)(base + sizeof base);
	aligned = (void **)(void *)((char *)aligned + (ALIGN - (uintptr_t)aligned % ALIGN) % ALIGN);
	aligned[-1] = base;
	return aligned;
}

void memory_free_aligned(void *memory)
{
	if (memory)
		heap_free(((void **)memory)[-1]);
}
