/* guarded.h - memory that ends at a guard page: reading or writing one byte past it faults at once
 */
#ifndef TEST_GUARDED_H
#define TEST_GUARDED_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guarded {
	uint8_t *map, *data;
	size_t bytes;
} guarded;

/* `bytes` zeros at data, ending (rounded up to `align`) right before the guard page. */
static inline guarded guarded_new(size_t bytes, size_t align)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded = (bytes + align - 1) / align * align;
	size_t body = (rounded + page - 1) / page * page;
	guarded g;

	g.bytes = body + page;
	g.map = mmap(NULL, g.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.map == MAP_FAILED || mprotect(g.map + body, page, PROT_NONE) != 0)
		abort();
	g.data = g.map + body - rounded;
	return g;
}

static inline void guarded_free(guarded *g)
{
	munmap(g->map, g->bytes);
}

#endif
