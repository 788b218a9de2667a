/* constraint.c - see constraint.h */
#include "runtime/serve/constraint.h"

#include "runtime/error.h"
#include "runtime/os/memory.h"

brise_status constraint_open(constraint *c, const job_plan *plan, uint32_t vocab,
                             const int32_t *ends, size_t n_ends, brise_error *err)
{
	brise_status status = BRISE_OK;

	*c = (constraint){ .plan = plan, .is_first = true };
	c->holds = plan->grammar && plan->grammar_after < 0;
	if (plan->grammar)
		status = brise_new_matcher(&c->matcher, plan->grammar, ends, n_ends,
		                           plan->chat != NULL, err);
	if (status == BRISE_OK && plan->must_call) {
		c->only = memory_new((vocab + 31) / 32, sizeof *c->only);
		if (!c->only)
			return error_set(err, BRISE_ENOMEM, "no memory for a mask of tokens");
		c->only[plan->grammar_after / 32] = UINT32_C(1) << plan->grammar_after % 32;
	}
	return status;
}

void constraint_close(constraint *c)
{
	brise_free_matcher(c->matcher);
	memory_free(c->only);
	*c = (constraint){ .plan = NULL };
}

brise_status constraint_apply(constraint *c, brise_sampler *sampler, brise_error *err)
{
	brise_allowed allowed = { .mask = NULL };
	brise_status status;

	if (c->only && c->is_first)
		allowed.mask = c->only;
	else if (c->holds && (status = brise_get_allowed(c->matcher, &allowed, err)) != BRISE_OK)
		return status;
	return brise_set_mask(sampler, allowed.mask, err);
}

brise_status constraint_accept(constraint *c, int32_t id, brise_error *err)
{
	brise_allowed allowed;
	brise_status status;

	c->is_first = false;
	if (!c->holds) {
		c->holds = c->matcher && id == c->plan->grammar_after;
		return BRISE_OK;
	}
	if ((status = brise_match_token(c->matcher, id, err)) != BRISE_OK ||
	    (status = brise_get_allowed(c->matcher, &allowed, err)) != BRISE_OK)
		return status;
	c->must_end = allowed.must_end;
	return BRISE_OK;
}
