/* none_main.c - runs the program of a board on this system, with the library for none
 *
 * usage: none_main MODEL.brise
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/firmware/story.h"

#define MEMORY ((size_t)64 << 20)

static void *read_whole(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	void *bytes;

	if (!f || fseek(f, 0, SEEK_END) != 0)
		exit(1);
	*size = (size_t)ftell(f);
	bytes = aligned_alloc(4096, (*size + 4095) / 4096 * 4096);
	rewind(f);
	if (!bytes || fread(bytes, 1, *size, f) != *size)
		exit(1);
	(void)fclose(f);
	return bytes;
}

static void print(const char *text, size_t bytes)
{
	(void)fwrite(text, 1, bytes, stdout);
}

int main(int argc, char **argv)
{
	void *image, *memory = malloc(MEMORY);
	size_t size;
	int status;

	if (argc != 2 || !memory)
		return 2;
	image = read_whole(argv[1], &size);
	status = story_run(image, size, memory, MEMORY, print);
	free(image);
	free(memory);
	return status;
}
