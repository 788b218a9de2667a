/* constraint.c - see constraint.h */
#include "runtime/serve/constraint.h"

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat.h"

static void set_token(uint32_t *mask, int32_t id)
{
	mask[id / 32] |= UINT32_C(1) << id % 32;
}

static void clear_token(uint32_t *mask, int32_t id)
{
	mask[id / 32] &= ~(UINT32_C(1) << id % 32);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Of reasoning: all texts, its end, and a call where one may follow, which ends it too. */
static void fill_thought(const constraint *c, const int32_t *ends, size_t n_ends)
{
	const brise_chat *chat = c->plan->chat;
	const brise_tokenizer *t = chat->tokenizer;
	uint32_t id;
	size_t i;

	for (id = 0; id < c->vocab && id < t->vocab; id++)
		if (t->types[id] != PIECE_CONTROL)
			set_token(c->thought, (int32_t)id);
	for (i = 0; i < n_ends; i++)
		clear_token(c->thought, ends[i]);
	set_token(c->thought, chat->controls[CHAT_END_THOUGHT]);
	if (c->plan->grammar_after >= 0)
		set_token(c->thought, c->plan->grammar_after);
}

static brise_status open_masks(constraint *c, const int32_t *ends, size_t n_ends, brise_error *err)
{
	const job_plan *plan = c->plan;
	bool starts = c->holds || plan->must_call;
	bool thinks = starts && plan->chat && plan->chat->facts.thoughts;

	if (plan->must_call || plan->text_grammar || thinks)
		c->first = memory_new(c->words, sizeof *c->first);
	if (thinks)
		c->thought = memory_new(c->words, sizeof *c->thought);
	if (((plan->must_call || plan->text_grammar || thinks) && !c->first) ||
	    (thinks && !c->thought))
		return error_set(err, BRISE_ENOMEM, "no memory for a mask of tokens");
	if (!thinks)
		return BRISE_OK;
	fill_thought(c, ends, n_ends);
	c->thinks = chat_begins_in_thought(plan->chat, plan->prompt, plan->n);
	c->may_think = !c->thinks;
	return BRISE_OK;
}

brise_status constraint_open(constraint *c, const job_plan *plan, uint32_t vocab,
                             const int32_t *ends, size_t n_ends, brise_error *err)
{
	brise_status status = BRISE_OK;
	bool is_answer = plan->chat != NULL;

	*c = (constraint){
		.plan = plan, .is_first = true, .vocab = vocab, .words = (vocab + 31) / 32
	};
	c->holds = plan->text_grammar || (plan->grammar && plan->grammar_after < 0);
	if (plan->grammar)
		status =
		        brise_new_matcher(&c->matcher, plan->grammar, ends, n_ends, is_answer, err);
	if (status == BRISE_OK && plan->text_grammar)
		status = brise_new_matcher(&c->text, plan->text_grammar, ends, n_ends, is_answer,
		                           err);
	return status == BRISE_OK ? open_masks(c, ends, n_ends, err) : status;
}

void constraint_close(constraint *c)
{
	brise_free_matcher(c->matcher);
	brise_free_matcher(c->text);
	memory_free(c->first);
	memory_free(c->thought);
	*c = (constraint){ .plan = NULL };
}

/* ---- masks ---------------------------------------------------------------------------------- */

static bool is_likeliest(const float *logits, uint32_t vocab, int32_t id)
{
	uint32_t i;

	for (i = 0; i < vocab; i++)
		if (logits[i] > logits[id])
			return false;
	return true;
}

/* Of the first token: what the grammar allows that holds, a call where one may or must begin, and
 * reasoning. */
static const uint32_t *find_first(const constraint *c, const uint32_t *allowed, const float *logits)
{
	size_t i;

	for (i = 0; i < c->words; i++)
		c->first[i] = allowed ? allowed[i] : 0;
	if (c->plan->must_call || c->text)
		set_token(c->first, c->plan->grammar_after);
	if (c->may_think &&
	    is_likeliest(logits, c->vocab, c->plan->chat->controls[CHAT_BEGIN_THOUGHT]))
		set_token(c->first, c->plan->chat->controls[CHAT_BEGIN_THOUGHT]);
	return c->first;
}

brise_status constraint_apply(constraint *c, const float *logits, brise_sampler *sampler,
                              brise_error *err)
{
	brise_allowed allowed = { .mask = NULL };
	brise_status status;

	if (c->thinks)
		return brise_set_mask(sampler, c->thought, err);
	if (c->holds &&
	    (status = brise_get_allowed(c->text ? c->text : c->matcher, &allowed, err)) != BRISE_OK)
		return status;
	if (c->first && c->is_first)
		return brise_set_mask(sampler, find_first(c, allowed.mask, logits), err);
	return brise_set_mask(sampler, allowed.mask, err);
}

/* Whether a token begins reasoning, is of it, or ends it by the mark for that. A call ends it as
 * the first token of the answer. */
static bool take_thought(constraint *c, int32_t id)
{
	const brise_chat *chat = c->plan->chat;

	if (c->thinks && id == c->plan->grammar_after) {
		c->thinks = false;
		return false;
	}
	if (c->thinks) {
		c->thinks = id != chat->controls[CHAT_END_THOUGHT];
		return true;
	}
	c->thinks = c->is_first && c->may_think && id == chat->controls[CHAT_BEGIN_THOUGHT];
	c->may_think = false;
	return c->thinks;
}

brise_status constraint_accept(constraint *c, int32_t id, brise_error *err)
{
	brise_matcher *m = c->text ? c->text : c->matcher;
	brise_allowed allowed;
	brise_status status;
	bool begins_call;

	if (take_thought(c, id))
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
