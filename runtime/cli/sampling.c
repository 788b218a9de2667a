/* sampling.c - see sampling.h */
#include "runtime/cli/sampling.h"

#include <math.h>
#include <string.h>

#include "runtime/cli/number.h"
#include "runtime/os/os.h"

const char *sampling_take_seed(void *settings, const char *value)
{
	sampling_settings *s = settings;

	s->has_seed = strcmp(value, "-1") != 0; /* as other programs ask for the clock's */
	return !s->has_seed || number_read_whole(value, strlen(value), UINT64_MAX, &s->values.seed)
	               ? NULL
	               : "a whole number below 2^64";
}

const char *sampling_take_bias(void *settings, const char *value)
{
	static const char expected[] = "ID=X, as in 13=-2.5 or 13=-inf";
	sampling_settings *s = settings;
	const char *equals = strchr(value, '=');
	uint64_t token;
	double bias;

	if (!equals || !number_read_whole(value, (size_t)(equals - value), INT32_MAX, &token))
		return expected;
	if (!strcmp(equals + 1, "-inf"))
		bias = -INFINITY;
	else if (!number_read_real(equals + 1, &bias) || fabs(bias) > 1e6)
		return expected;
	if (s->values.n_bias == SAMPLING_MOST_BIASES)
		return "at most 256 of them";
	s->biases[s->values.n_bias++] = (brise_logit_bias){ (int32_t)token, (float)bias };
	return NULL;
}

void sampling_begin(sampling_settings *s)
{
	memset(s, 0, sizeof *s);
	brise_init_sampling(&s->values, sizeof s->values);
}

void sampling_finish(sampling_settings *s)
{
	if (s->greedy)
		s->values.temperature = 0;
	if (s->values.penalty_last == UINT32_MAX)
		s->values.penalty_last = SAMPLING_MOST_RECENT;
	if (!s->has_seed)
		s->values.seed = (uint64_t)os_time() * 1000003u + (uint64_t)os_process();
	s->values.bias = s->biases;
}

/* Tokens with a piece; 0: the file has no tokenizer. */
static uint32_t count_pieces(const brise_model *model)
{
	const brise_tokenizer *tokenizer = brise_get_tokenizer(model);
	brise_tokenizer_facts facts = { .vocab = 0 };

	if (tokenizer)
		brise_get_tokenizer_facts(tokenizer, &facts, sizeof facts);
	return facts.vocab;
}

brise_status sampling_new(brise_sampler **out, const sampling_settings *s, const engine *e,
                          brise_error *err)
{
	brise_sampling values = s->values;

	values.n_pieces = count_pieces(e->model);
	return brise_new_sampler(out, e->facts->vocab, &values, err);
}
