/* constraint.c - see constraint.h */
#include "runtime/serve/constraint.h"

#include "runtime/error.h"
#include "runtime/os/memory.h"

static void set_token(uint32_t *mask, int32_t id)
{
	mask[id / 32] |= UINT32_C(1) << id % 32;
}

brise_status constraint_open(constraint *c, const job_plan *plan, uint32_t vocab,
                             const int32_t *ends, size_t n_ends, brise_error *err)
{
	brise_status status = BRISE_OK;
	bool is_answer = plan->chat != NULL;

	*c = (constraint){ .plan = plan, .is_first = true, .words = (vocab + 31) / 32 };
	c->holds = plan->text_grammar || (plan->grammar && plan->grammar_after < 0);
	if (plan->grammar)
		status =
		        brise_new_matcher(&c->matcher, plan->grammar, ends, n_ends, is_answer, err);
	if (status == BRISE_OK && plan->text_grammar)
		status = brise_new_matcher(&c->text, plan->text_grammar, ends, n_ends, is_answer,
		                           err);
	if (status == BRISE_OK && (plan->must_call || plan->text_grammar)) {
		c->first = memory_new(c->words, sizeof *c->first);
		if (!c->first)
			return error_set(err, BRISE_ENOMEM, "no memory for a mask of tokens");
	}
	if (status == BRISE_OK && (c->holds || plan->must_call))
		status = chat_thought_open(&c->thought, plan->chat, plan->prompt, plan->n, vocab,
		                           ends, n_ends, plan->grammar_after, err);
	return status;
}

void constraint_close(constraint *c)
{
	brise_free_matcher(c->matcher);
	brise_free_matcher(c->text);
	memory_free(c->first);
	chat_thought_close(&c->thought);
	*c = (constraint){ .plan = NULL };
}

/* Of the first token: what the grammar allows that holds, and a call. */
static const uint32_t *find_first(const constraint *c, const uint32_t *allowed)
{
	size_t i;

	for (i = 0; i < c->words; i++)
		c->first[i] = allowed ? allowed[i] : 0;
	set_token(c->first, c->plan->grammar_after);
	return c->first;
}

brise_status constraint_apply(constraint *c, const float *logits, brise_sampler *sampler,
                              brise_error *err)
{
	brise_allowed allowed = { .mask = NULL };
	brise_status status;

	if (c->thought.is_open)
		return brise_set_mask(sampler, c->thought.mask, err);
	if (c->holds &&
	    (status = brise_get_allowed(c->text ? c->text : c->matcher, &allowed, err)) != BRISE_OK)
		return status;
	if (c->first && c->is_first)
		allowed.mask = find_first(c, allowed.mask);
	if (allowed.mask)
		allowed.mask = chat_thought_offer(&c->thought, allowed.mask, logits);
	return brise_set_mask(sampler, allowed.mask, err);
}

brise_status constraint_accept(constraint *c, int32_t id, brise_error *err)
{
	brise_matcher *m = c->text ? c->text : c->matcher;
	brise_allowed allowed;
	brise_status status;
	bool begins_call;

	if (chat_thought_take(&c->thought, id))
		return BRISE_OK;
	begins_call = c->is_first && c->text && id == c->plan->grammar_after;
	c->is_first = false;
	if (begins_call) {
		brise_free_matcher(c->text);
		c->text = NULL;
		return BRISE_OK;
	}
	if (!c->holds) {
		c->holds = c->matcher && id == c->plan->grammar_after;
		return BRISE_OK;
	}
	if ((status = brise_match_token(m, id, err)) != BRISE_OK ||
	    (status = brise_get_allowed(m, &allowed, err)) != BRISE_OK)
		return status;
	c->must_end = allowed.must_end;
	return BRISE_OK;
}
