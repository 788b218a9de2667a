/* heap.h - where memory.c gets bytes: the one place that can run out of them
 *
 * heap.c takes them from libc, none/heap.c from a range that the program gives; tests define these
 * three functions themselves, for a heap that fails.
 */
#ifndef RUNTIME_HEAP_H
#define RUNTIME_HEAP_H

#include <stddef.h>

/* bytes > 0, zeroed, aligned for any type. NULL: none left. */
void *heap_get(size_t bytes);

/* old NULL: as heap_get, but not zeroed. */
void *heap_resize(void *old, size_t bytes);

void heap_free(void *memory);

#endif
