/* logprobs.c - see logprobs.h */
#include "runtime/serve/logprobs.h"

#include <math.h>
#include <string.h>

#include "arch/math.h"
#include "runtime/text/tokenizer.h"

double logprobs_normalize(const float *logits, uint32_t vocab)
{
	double most = -INFINITY, sum = 0;
	uint32_t i;

	for (i = 0; i < vocab; i++)
		if (isfinite(logits[i]) && (double)logits[i] > most)
			most = (double)logits[i];
	if (!isfinite(most))
		return 0;
	for (i = 0; i < vocab; i++)
		if (isfinite(logits[i]) && (double)logits[i] - most > -60)
			sum += math_exp_double((double)logits[i] - most);
	return most + math_log_double(sum);
}

static float logprob_of(float logit, double norm)
{
	return isfinite(logit) ? (float)((double)logit - norm) : -INFINITY;
}

size_t logprobs_choose(const float *logits, uint32_t vocab, double norm, logprobs_entry *top,
                       size_t n)
{
	size_t count = 0, at;
	uint32_t i;

	for (i = 0; i < vocab && n > 0; i++) {
		float logprob = logprob_of(logits[i], norm);

		if (count == n && !(logprob > top[n - 1].logprob))
			continue;
		at = count < n ? count++ : n - 1;
		for (; at > 0 && logprob > top[at - 1].logprob; at--)
			top[at] = top[at - 1];
		top[at] = (logprobs_entry){ (int32_t)i, logprob };
	}
	return count;
}

size_t logprobs_write_text(const brise_tokenizer *tokenizer, int32_t id, char *text)
{
	if (!tokenizer || id < 0 || (uint32_t)id >= tokenizer->vocab)
		return 0;
	if (tokenizer->types[id] == PIECE_UNKNOWN) {
		memcpy(text, " \xe2\x81\x87 ", 5);
		return 5;
	}
	return tokenizer_spell(tokenizer, (uint32_t)id, text);
}
