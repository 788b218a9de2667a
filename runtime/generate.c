/* generate.c - from a prompt to its continuation */
#include "runtime/generate.h"

#include "runtime/os/os.h"
#include "runtime/text/chat_thought.h"

/* The text that a token adds; none without a decoder. */
static brise_status decode(const generation *g, int32_t id, generate_token *token, brise_error *err)
{
	*token = (generate_token){ .id = id, .text = "" };
	if (!g->decoder)
		return BRISE_OK;
	return brise_decode_token(g->decoder, id, &token->text, &token->bytes, err);
}

bool generate_is_end(const generation *g, int32_t id)
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
		if (status == BRISE_OK && g->drafter)
			drafter_add(g->drafter, prompt[i], false);
		if (status == BRISE_OK)
			status = decode(g, prompt[i], &token, err);
	}
	return status;
}

static bool is_thinking(const generation *g)
{
	return g->thought && g->thought->is_open;
}

static brise_status find_mask(const generation *g, const float *logits, const uint32_t **mask,
                              brise_error *err)
{
	brise_allowed allowed;
	brise_status status;

	if (is_thinking(g)) {
		*mask = g->thought->mask;
		return BRISE_OK;
	}
	status = brise_get_allowed(g->matcher, &allowed, err);
	if (status == BRISE_OK)
		*mask = g->thought ? chat_thought_offer(g->thought, allowed.mask, logits)
		                   : allowed.mask;
	return status;
}

/* Draws a token that the matcher, if there is one, allows. */
static brise_status sample(generation *g, const float *logits, int32_t *id, brise_error *err)
{
	const uint32_t *mask = NULL;
	brise_status status;

	if (!g->matcher)
		return brise_sample_token(g->sampler, logits, id, err);
	if ((status = find_mask(g, logits, &mask, err)) != BRISE_OK)
		return status;
	(void)brise_set_mask(g->sampler, mask, NULL);
	status = brise_sample_token(g->sampler, logits, id, err);
	(void)brise_set_mask(g->sampler, NULL, NULL);
	if (status != BRISE_OK || (g->thought && chat_thought_take(g->thought, *id)))
		return status;
	return brise_match_token(g->matcher, *id, err);
}

/* Whether the matcher allows nothing but the end: no pass is needed to draw that. */
static bool must_end(const generation *g)
{
	brise_allowed allowed;

	return g->matcher && !is_thinking(g) &&
	       brise_get_allowed(g->matcher, &allowed, NULL) == BRISE_OK && allowed.must_end;
}

brise_status generate_next(generation *g, const float *logits, generate_token *token,
                           brise_error *err)
{
	brise_status status;
	int32_t id;

	if ((status = sample(g, logits, &id, err)) != BRISE_OK)
		return status;
	if (generate_is_end(g, id)) {
		g->reason = GENERATE_END;
		return BRISE_OK;
	}
	if ((status = brise_accept_token(g->sampler, id, err)) != BRISE_OK)
		return status;
	g->n_tokens++;
	if (g->drafter)
		drafter_add(g->drafter, id, true);
	return decode(g, id, token, err);
}

/* ---- the loop for one sequence --------------------------------------------------------------- */

/* A run, and the pass that it is in. */
typedef struct walk {
	generation *g;
	brise_engine *engine;
	brise_sequence *sequence;
	generate_token_fn *each;
	brise_cancel_fn *cancel;
	void *user;
	int32_t token; /* the last drawn */
	int32_t drafts[DRAFT_MOST];
	size_t n_drafts;
	size_t n_drawn_from; /* rows of the pass that the sampler has seen */
	double evaluated;    /* when the pass had its logits */
	brise_status status; /* of drawing */
	brise_error error;
} walk;

/* Draws from the logits after the last token. Returns whether the text continues. */
static bool draw(walk *w, const float *logits)
{
	generation *g = w->g;
	generate_token token;

	w->status = generate_next(g, logits, &token, &w->error);
	if (w->status != BRISE_OK || g->reason != GENERATE_GOING)
		return false;
	w->token = token.id;
	if (w->each(w->user, &token))
		g->reason = GENERATE_STOPPED;
	else if (must_end(g))
		g->reason = GENERATE_END;
	else if (g->n_tokens == g->limit)
		g->reason = GENERATE_LIMIT;
	return g->reason == GENERATE_GOING;
}

/* A brise_logits_fn: row 0 is the last token, row `index` draft index - 1, which was drawn. Ends
 * the pass where the draft of the next row was not. */
static bool draw_from_row(void *user, size_t index, const float *logits)
{
	walk *w = user;

	if (index == 0)
		w->evaluated = os_clock();
	w->n_drawn_from = index + 1;
	return !draw(w, logits) || index == w->n_drafts || w->token != w->drafts[index];
}

static bool cancel_walk(void *user)
{
	const walk *w = user;

	return w->cancel(w->user);
}

static size_t least(size_t a, uint64_t b)
{
	return a < b ? a : (size_t)b;
}

/* Drafts of the next pass: none beyond the limit, the sequence's end and the rows of a pass. An end
 * token need not be evaluated. */
static void propose(walk *w)
{
	const generation *g = w->g;
	const brise_sequence_facts *s = brise_get_sequence_facts(w->sequence);
	size_t most = DRAFT_MOST, n;

	w->n_drafts = 0;
	if (!g->drafter || s->position == s->end)
		return;
	most = least(most, g->limit - g->n_tokens - 1);
	most = least(most, s->end - s->position - 1);
	most = least(most, s->pass_rows - 1);
	most = least(most, brise_get_engine_facts(w->engine)->rows - 1);
	n = most > 0 ? drafter_propose(g->drafter, w->drafts, most) : 0;
	while (w->n_drafts < n && !generate_is_end(g, w->drafts[w->n_drafts]))
		w->n_drafts++;
}

/* Keeps the rows that were drawn from; without logits, after an error, the first. */
static brise_status keep_drawn(walk *w, uint64_t position)
{
	uint64_t kept = position + (w->n_drawn_from > 0 ? w->n_drawn_from : 1);

	if (brise_get_sequence_facts(w->sequence)->position <= kept)
		return BRISE_OK;
	return brise_rewind_sequence(w->sequence, kept, &w->error);
}

/* Evaluates the last token and its drafts, and draws as far as they go. */
static brise_status run_pass(walk *w)
{
	generation *g = w->g;
	uint64_t position = brise_get_sequence_facts(w->sequence)->position;
	brise_row rows[DRAFT_MOST + 1] = { { w->sequence, w->token, true } };
	brise_status status;
	brise_error err; /* apart from that of drawing */
	double start;
	size_t i;

	propose(w);
	for (i = 0; i < w->n_drafts; i++)
		rows[1 + i] = (brise_row){ w->sequence, w->drafts[i], true };
	w->n_drawn_from = 0;
	start = os_clock();
	status = brise_eval_rows(w->engine, rows, 1 + w->n_drafts, draw_from_row,
	                         w->cancel ? cancel_walk : NULL, w, &err);
	if (w->n_drawn_from == 0) {
		(void)keep_drawn(w, position);
		w->error = err;
		return status;
	}
	g->n_passes++;
	g->n_drafts += w->n_drafts;
	g->n_accepted += w->n_drawn_from - 1;
	if (g->drafter)
		drafter_note_pass(g->drafter, 1 + w->n_drafts, w->n_drawn_from,
		                  w->evaluated - start);
	status = keep_drawn(w, position);
	return w->status != BRISE_OK ? w->status : status;
}

brise_status generate_run(generation *g, brise_engine *engine, brise_sequence *sequence,
                          const int32_t *prompt, size_t n, generate_token_fn *each,
                          brise_cancel_fn *cancel, void *user, brise_error *err)
{
	walk w = { .g = g,
		   .engine = engine,
		   .sequence = sequence,
		   .each = each,
		   .cancel = cancel,
		   .user = user };
	double start = os_clock(), drawing;
	const float *logits;
	brise_status status;

	if ((status = generate_accept(g, prompt, n, err)) != BRISE_OK)
		return status;
	status = brise_eval_tokens(engine, sequence, prompt + g->kept, n - g->kept, &logits, cancel,
	                           user, &w.error);
	drawing = os_clock();
	g->prompt_s = drawing - start;
	if (status == BRISE_OK && g->n_tokens >= g->limit)
		g->reason = GENERATE_LIMIT;
	else if (status == BRISE_OK)
		status = draw(&w, logits) ? BRISE_OK : w.status;
	while (status == BRISE_OK && g->reason == GENERATE_GOING)
		status = run_pass(&w);
	/* No error: the text so far is complete, only the next token has no position. */
	if (status == BRISE_EFULL && g->n_tokens > 0) {
		g->reason = GENERATE_FULL;
		status = BRISE_OK;
	}
	if (status != BRISE_OK && err)
		*err = w.error;
	g->generate_s = os_clock() - drawing;
	return status;
}
