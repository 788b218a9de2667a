/* heap.c - libc's heap */
#include "runtime/os/heap.h"

#include <stdlib.h>

void *heap_get(size_t bytes)
{
	return calloc(1, bytes);
}

void *heap_resize(void *old, size_t bytes)
{
	return realloc(old, bytes);
}

void heap_free(void *memory)
{
	free(memory);
}
