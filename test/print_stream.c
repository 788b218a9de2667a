/* print_stream.c - a long text that begins at any position, for test/endless.py to measure
 *
 * print_stream MODEL POSITION TOKENS: prints TOKENS ids, drawn one a pass by one thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/brise.h"

static brise_error err;

static void check(brise_status status)
{
	if (status != BRISE_OK) {
		fprintf(stderr, "print_stream: %s\n", err.message);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	const brise_engine_options engine_options = { .size = sizeof engine_options, .threads = 1 };
	brise_sequence_options options = { .size = sizeof options };
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	brise_sampler *sampler;
	brise_sampling sampling;
	const float *logits;
	uint64_t tokens, i;
	int32_t id;

	if (argc != 4)
		return 2;
	options.position = strtoull(argv[2], NULL, 10);
	tokens = strtoull(argv[3], NULL, 10);
	brise_init_sampling(&sampling, sizeof sampling);
	sampling.temperature = sampling.top_p = 1;
	sampling.seed = 15;
	check(brise_open_model(&model, argv[1], NULL, &err));
	check(brise_new_engine(&engine, model, &engine_options, &err));
	check(brise_new_sequence(&sequence, model, &options, &err));
	check(brise_new_sampler(&sampler, brise_get_model_facts(model)->vocab, &sampling, &err));
	id = brise_get_model_facts(model)->bos;
	for (i = 0; i < tokens; i++) {
		check(brise_eval_tokens(engine, sequence, &id, 1, &logits, NULL, NULL, &err));
		check(brise_sample_token(sampler, logits, &id, &err));
		printf("%" PRId32 "\n", id);
	}
	if (brise_get_sequence_facts(sequence)->position != options.position + tokens)
		return 1;
	brise_free_sampler(sampler);
	brise_free_sequence(sequence);
	brise_free_engine(engine);
	brise_close_model(model);
	return 0;
}
