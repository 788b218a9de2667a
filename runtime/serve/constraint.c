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
		set_token(c->first, plan->grammar_after);
	}
	return status;
}

void constraint_close(constraint *c)
{
	brise_free_matcher(c->matcher);
	brise_free_matcher(c->text);
	memory_free(c->first);
	*c = (constraint){ .plan = NULL };
}

brise_status constraint_apply(constraint *c, brise_sampler *sampler, brise_error *err)
{
	brise_allowed allowed = { .mask = NULL };
	brise_status status;
	size_t i;

	if (c->holds &&
	    (status = brise_get_allowed(c->text ? c->text : c->matcher, &allowed, err)) != BRISE_OK)
		return status;
	if (c->first && c->is_first) {
		for (i = 0; c->text && i < c->words; i++)
			c->first[i] |= allowed.mask[i];
		allowed.mask = c->first;
	}
	return brise_set_mask(sampler, allowed.mask, err);
}

brise_status constraint_accept(constraint *c, int32_t id, brise_error *err)
{
	bool begins_call = c->is_first && c->text && id == c->plan->grammar_after;
	brise_matcher *m = c->text ? c->text : c->matcher;
	brise_allowed allowed;
	brise_status status;

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
