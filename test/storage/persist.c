/* persist.c - a program that goes on when its disk does: MODEL MEMORY [SWITCH]
 *
 * Evaluates 30 tokens one by one, a token again and again while that is BRISE_EIO, and prints how
 * often it was and a number that depends on every bit of the logits. When all is open it makes the
 * file SWITCH, which lets the disk fail, and removes it after the third error. MEMORY: bytes for
 * weights, as brise_open_options take them.
 */
#include <brise.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS 30
#define MOST   100 /* errors */

static brise_error err;

static void check(brise_status status)
{
	if (status != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
}

/* FNV-1a */
static uint64_t add(uint64_t hash, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	while (n-- > 0)
		hash = (hash ^ *b++) * UINT64_C(0x100000001b3);
	return hash;
}

int main(int argc, char **argv)
{
	brise_open_options options = { .size = sizeof options };
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	unsigned i, errors = 0;
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	const float *logits;
	FILE *file;

	if (argc < 3)
		return 2;
	options.memory = strtoull(argv[2], NULL, 10);
	check(brise_open_model(&model, argv[1], &options, &err));
	check(brise_new_engine(&engine, model, NULL, &err));
	check(brise_new_sequence(&sequence, model, NULL, &err));
	if (argc > 3 && (!(file = fopen(argv[3], "w")) || fclose(file) != 0))
		return 4;
	for (i = 0; i < TOKENS; i++) {
		const int32_t token = (int32_t)(3 + 37 * i);
		brise_status status;

		while ((status = brise_eval_tokens(engine, sequence, &token, 1, &logits, NULL, NULL,
		                                   &err)) == BRISE_EIO &&
		       errors < MOST) {
			if (errors++ == 0)
				fprintf(stderr, "%s\n", err.message);
			if (brise_get_sequence_facts(sequence)->position != i)
				return 3;
			if (errors == 3 && argc > 3)
				(void)remove(argv[3]);
		}
		check(status);
		hash = add(hash, logits, brise_get_model_facts(model)->vocab * sizeof *logits);
	}
	printf("errors %u logits %016" PRIx64 "\n", errors, hash);
	brise_free_sequence(sequence);
	brise_free_engine(engine);
	brise_close_model(model);
	return 0;
}
