/* strings.c - the functions of libc's string.h, stdlib.h and stdio.h that the library uses beside
 * memcpy, memmove, memset and memcmp, which every compiler expects of its environment
 *
 * They are here under their standard names, so that the other files are the same for all systems.
 * In libbrise.a they have the library's prefix: a program's own libc is not replaced.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

size_t strlen(const char *text)
{
	const char *end = text;

	while (*end)
		end++;
	return (size_t)(end - text);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *text, int byte)
{
	for (; *text != (char)byte; text++)
		if (!*text)
			return NULL;
	return (char *)(size_t)text;
}

static void swap(unsigned char *a, unsigned char *b, size_t size)
{
	for (; size > 0; size--, a++, b++) {
		unsigned char byte = *a;

		*a = *b;
		*b = byte;
	}
}

/* Moves item `at` of a heap of n down to its place. */
static void sift(unsigned char *items, size_t at, size_t n, size_t size,
                 int (*compare)(const void *, const void *))
{
	size_t child;

	for (; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && compare(items + child * size, items + (child + 1) * size) < 0)
			child++;
		if (compare(items + at * size, items + child * size) >= 0)
			return;
		swap(items + at * size, items + child * size, size);
	}
}

/* Heapsort: no memory, and n log n whatever the order. No two items that the library sorts are
 * equal. */
void qsort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	size_t i;

	for (i = n / 2; i > 0; i--)
		sift(items, i - 1, n, size, compare);
	for (i = n; i > 1; i--) {
		swap(items, (unsigned char *)items + (i - 1) * size, size);
		sift(items, 0, i - 1, size, compare);
	}
}
