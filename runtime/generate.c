/* generate.c - from a prompt to its continuation */
#include "runtime/generate.h"

#include "runtime/os/os.h"

/* The text that a token adds; none without a decoder. */
static brise_status decode(const generation *g, int32_t id, generate_token *token, brise_error *err)
{
	*token = (generate_token){ .id = id, .text = "" };
	if (!g->decoder)
		return BRISE_OK;
	return brise_decode_token(g->decoder, id, &token->text, &token->bytes, err);
}

static bool is_end(const generation *g, int32_t id)
{
	size_t i;

	for (i = 0; i < g->n_ends; i++)
		if (g->ends[i] == id)
			return true;
	return false;
}

brise_status generate_accept(generation *g, const int32_t *prompt, size_t n, brise_error *err)
{
	brise_status status = BRISE_OK;
	generate_token token;
	size_t i;

	for (i = 0; i < n && status == BRISE_OK; i++) {
		status = brise_accept_token(g->sampler, prompt[i], err);
		if (status == BRISE_OK)
			status = decode(g, prompt[i], &token, err);
	}
	return status;
}

brise_status generate_next(generation *g, const float *logits, generate_token *token,
                           brise_error *err)
{
	brise_status status;
	int32_t id;

	if ((status = brise_sample_token(g->sampler, logits, &id, err)) != BRISE_OK)
		return status;
	if (is_end(g, id)) {
		g->reason = GENERATE_END;
		return BRISE_OK;
	}
	if ((status = brise_accept_token(g->sampler, id, err)) != BRISE_OK)
		return status;
	g->n_tokens++;
	return decode(g, id, token, err);
}

brise_status generate_run(generation *g, brise_engine *engine, brise_sequence *sequence,
                          const int32_t *prompt, size_t n, generate_token_fn *each,
                          brise_cancel_fn *cancel, void *user, brise_error *err)
{
	double start = os_clock(), drawing;
	const float *logits;
	generate_token token;
	brise_status status;

	if ((status = generate_accept(g, prompt, n, err)) != BRISE_OK)
		return status;
	status = brise_eval_tokens(engine, sequence, prompt, n, &logits, cancel, user, err);
	drawing = os_clock();
	g->prompt_s = drawing - start;
	while (status == BRISE_OK && g->reason == GENERATE_GOING) {
		if (g->n_tokens == g->limit)
			g->reason = GENERATE_LIMIT;
		else if ((status = generate_next(g, logits, &token, err)) != BRISE_OK ||
		         g->reason == GENERATE_END)
			break;
		else if (each(user, &token))
			g->reason = GENERATE_STOPPED;
		else if (g->n_tokens < g->limit)
			status = brise_eval_tokens(engine, sequence, &token.id, 1, &logits, cancel,
			                           user, err);
	}
	/* No error: the text so far is complete, only the next token has no position. */
	if (status == BRISE_EFULL && g->n_tokens > 0) {
		g->reason = GENERATE_FULL;
		status = BRISE_OK;
	}
	g->generate_s = os_clock() - drawing;
	return status;
}
