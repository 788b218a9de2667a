#ifndef TEST_WHOLE_FILE_H
#define TEST_WHOLE_FILE_H

/* whole_file.h - files read, written and compared whole; what goes wrong with them ends the test */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct file {
	uint8_t *bytes;
	size_t size;
} file;

/* No bytes if it cannot be opened. */
static inline file read_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	file f = { NULL, 0 };

	if (!in)
		return f;
	(void)fseek(in, 0, SEEK_END);
	f.size = (size_t)ftell(in);
	rewind(in);
	f.bytes = malloc(f.size + 1);
	if (!f.bytes || fread(f.bytes, 1, f.size, in) != f.size)
		exit(1);
	(void)fclose(in);
	return f;
}

static inline void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *out = fopen(path, "wb");

	if (!out || (size && fwrite(bytes, 1, size, out) != size) || fclose(out) != 0)
		exit(1);
}

static inline bool is_same(const file *a, const file *b)
{
	return a->bytes && b->bytes && a->size == b->size &&
	       memcmp(a->bytes, b->bytes, a->size) == 0;
}

static inline bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

#endif
