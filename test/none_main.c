/* none_main.c - runs a model from memory as firmware would, through the public interface alone
 *
 * usage: none_main MODEL.brise. Prints a checksum of all logits of a fixed text. test_none.sh links
 * it with the library for no system and with the one for this system, and compares.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/brise.h"

#define CHECK_STATUS(call)                                                                         \
	if ((call) != BRISE_OK) {                                                                  \
		fprintf(stderr, "%s\n", err.message);                                              \
		return 1;                                                                          \
	}

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

/* FNV-1a, 64 bits. */
static bool add_to_checksum(void *user, size_t index, const float *logits)
{
	const unsigned char *bytes = (const unsigned char *)logits;
	uint64_t *checksum = user;
	size_t i;

	(void)index;
	for (i = 0; i < 4096 * sizeof *logits; i++)
		*checksum = (*checksum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return false;
}

int main(int argc, char **argv)
{
	static const char text[] = "The wind that crosses the plain";
	uint64_t checksum = UINT64_C(0xcbf29ce484222325);
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	brise_error err;
	int32_t *ids;
	size_t size, n;
	void *image;

	if (argc != 2)
		return 2;
	image = read_whole(argv[1], &size);
	CHECK_STATUS(brise_open_memory(&model, image, size, "image", NULL, &err))
	CHECK_STATUS(brise_new_engine(&engine, model, NULL, &err))
	CHECK_STATUS(brise_new_sequence(&sequence, model, NULL, &err))
	CHECK_STATUS(brise_encode_text(brise_get_tokenizer(model), text, sizeof text - 1, false,
	                               &ids, &n, &err))
	CHECK_STATUS(
	        brise_eval_all(engine, sequence, ids, n, add_to_checksum, NULL, &checksum, &err))
	printf("%zu tokens, %u threads, %016" PRIx64 "\n", n,
	       (unsigned)brise_get_engine_facts(engine)->threads, checksum);
	free(ids);
	brise_free_sequence(sequence);
	brise_free_engine(engine);
	brise_close_model(model);
	free(image);
	return 0;
}
