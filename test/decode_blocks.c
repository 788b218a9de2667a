/* decode_blocks.c - decodes blocks of an element type, for comparison with other decoders:
 * `decode_blocks Q4_K <blocks >floats` */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/elements.h"

int main(int argc, char **argv)
{
	uint32_t dtype = 1;
	uint64_t bytes;
	float *floats;
	void *block;

	while (argc == 2 && dtype < ELEMENTS_TYPES && strcmp(argv[1], elements_name(dtype)) != 0)
		dtype++;
	if (argc != 2 || !elements_measure(dtype, elements_block(dtype), &bytes)) {
		fprintf(stderr, "usage: decode_blocks TYPE <blocks >floats\n");
		return 2;
	}
	block = malloc((size_t)bytes);
	floats = malloc(elements_block(dtype) * sizeof *floats);
	while (block && floats && fread(block, (size_t)bytes, 1, stdin) == 1) {
		(void)elements_decode(floats, block, dtype, elements_block(dtype));
		if (fwrite(floats, sizeof *floats, elements_block(dtype), stdout) !=
		    elements_block(dtype))
			return 1;
	}
	free(block);
	free(floats);
	return fflush(stdout) != 0;
}
