/* scheduler_pass.c - one pass over the weights: a row for each job that draws, and a slice of the
 * prompts that are read */
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/serve/scheduler_parts.h"

/* ---- what is in it -------------------------------------------------------------------------- */

static void add_row(scheduler *s, place *p, int32_t token, bool logits)
{
	if (p->n_rows == 0)
		p->first_row = s->n_rows;
	p->n_rows++;
	s->row_place[s->n_rows] = (uint32_t)(p - s->set.places);
	s->rows[s->n_rows++] = (brise_row){ p->sequence, token, logits };
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Drafts are made while a single job draws: with others, their rows would wait for them. */
static bool open_drafts(const scheduler *s, place *p)
{
	size_t i;

	if (p->has_drafts)
		return true;
	if (!(p->has_drafts = drafter_new(&p->drafts)))
		return false;
	for (i = 0; i < p->n; i++)
		drafter_add(&p->drafts, p->tokens[i], false);
	p->drafts.force = s->force;
	p->drafts.user = p;
	p->drawing.g.drafter = &p->drafts;
	return true;
}

static void add_drafts(scheduler *s, place *p)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(p->sequence);
	const generation *g = &p->drawing.g;
	uint64_t most = least(DRAFT_MOST, g->limit - g->n_tokens - 1);
	size_t n;

	most = least(most, f->end - f->position - 1);
	most = least(most, f->pass_rows - 1);
	most = least(most, brise_get_engine_facts(s->engine)->rows - 1);
	if (most == 0 || !open_drafts(s, p))
		return;
	n = drafter_propose(&p->drafts, p->draft_tokens, (size_t)most);
	for (; p->n_drafts < n && !generate_is_end(g, p->draft_tokens[p->n_drafts]); p->n_drafts++)
		add_row(s, p, p->draft_tokens[p->n_drafts], true);
}

/* The last token drawn. A context without room for it ends the answer. */
static void add_drawing(scheduler *s, place *p)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(p->sequence);

	if (f->position == f->end) {
		drawing_finish(&p->drawing, JOB_FULL);
		scheduler_end_job(s, p, p->drawing.status, &p->drawing.error);
		return;
	}
	add_row(s, p, p->drawing.token, true);
}

/* The next tokens of a prompt, at most `most`. */
static void add_reading(scheduler *s, place *p, uint64_t most)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(p->sequence);
	size_t read = place_count_held(p), n = p->job->plan.n, i;
	bool draws = p->job->plan.limit > 0 && !p->job->plan.embeds;

	most = least(most, f->pass_rows);
	most = least(most, n - read);
	for (i = 0; i < most; i++)
		add_row(s, p, p->tokens[read + i], draws && read + i + 1 == n);
}

/* Prompts share what is left of a pass evenly, so that a short one does not wait for a long one. */
static void add_prompts(scheduler *s, uint64_t most)
{
	uint32_t n = 0, i;

	for (i = 0; i < s->set.n; i++) {
		place *p = &s->set.places[i];

		n += p->state == PLACE_READING && !place_waits(&s->set, p);
	}
	for (i = 0; i < s->set.n && n > 0 && most > 0; i++) {
		place *p = &s->set.places[(s->first + i) % s->set.n];
		uint64_t share = (most + n - 1) / n;

		if (p->state != PLACE_READING || p->follows)
			continue;
		add_reading(s, p, share);
		most -= p->n_rows;
		n--;
	}
	s->first = (s->first + 1) % s->set.n;
}

static void compose(scheduler *s)
{
	uint32_t n_drawing = 0, n_reading = 0, i, rows, before;
	place *alone = NULL;

	s->n_rows = 0;
	for (i = 0; i < s->set.n; i++) {
		place *p = &s->set.places[i];

		p->n_rows = p->n_drafts = p->n_drawn_from = 0;
		if (p->state == PLACE_DRAWING)
			add_drawing(s, p);
		if (p->n_rows > 0) {
			n_drawing++;
			alone = p;
		}
		n_reading += p->state == PLACE_READING;
	}
	if (n_drawing == 1 && n_reading == 0 && s->o.has_drafts)
		add_drafts(s, alone);
	before = s->n_rows;
	rows = brise_get_engine_facts(s->engine)->rows - before;
	s->has_prompts = n_reading > 0;
	if (n_reading > 0)
		add_prompts(s, n_drawing > 0 ? least(s->o.slice, rows) : rows);
	s->n_between = n_drawing > 0 ? s->n_rows - before : 0;
}

/* ---- evaluating it -------------------------------------------------------------------------- */

static void begin_drawing(scheduler *s, place *p)
{
	void *room;
	job_note *note = job_new_note(p->job, JOB_BEGUN, 0, &room);

	p->state = PLACE_DRAWING;
	p->evaluated = os_clock();
	os_lock(s->monitor);
	s->figures.prompt_tokens += p->job->plan.n;
	s->figures.kept_tokens += p->n_kept;
	os_unlock(s->monitor);
	if (!note) {
		p->drawing.is_over = true;
		p->drawing.status = error_set(&p->drawing.error, BRISE_ENOMEM, "no memory");
		return;
	}
	note->event.n_prompt = p->job->plan.n;
	note->event.n_kept = p->n_kept;
	scheduler_post(s, note);
}

/* A brise_logits_fn. The row of a draft that has not been drawn is passed over. */
static bool draw(void *user, size_t index, const float *logits)
{
	scheduler *s = user;
	place *p = &s->set.places[s->row_place[index]];
	drawing *d = &p->drawing;
	size_t row = index - p->first_row;

	if (s->evaluated == 0)
		s->evaluated = os_clock();
	if (p->state == PLACE_READING)
		begin_drawing(s, p);
	else if (d->is_over ||
	         (row > 0 && (p->n_drawn_from < row || d->token != p->draft_tokens[row - 1])))
		return false;
	if (d->is_over)
		return false;
	p->n_drawn_from = (uint32_t)row + 1;
	drawing_next(d, logits);
	if (d->status == BRISE_OK && d->g.reason == GENERATE_GOING && !place_add(p, d->token)) {
		d->status = error_set(&d->error, BRISE_ENOMEM, "no memory for another token");
		d->is_over = true;
	}
	return false;
}

/* A brise_cancel_fn: nobody waits for the pass. */
static bool is_dead(void *user)
{
	scheduler *s = user;
	bool is_wanted = false;
	uint32_t i;

	os_lock(s->monitor);
	for (i = 0; i < s->set.n; i++) {
		const place *p = &s->set.places[i];

		is_wanted |= p->job && p->n_rows > 0 && !p->job->is_cancelled;
	}
	is_wanted &= !s->stops;
	os_unlock(s->monitor);
	return !is_wanted;
}

/* ---- after it ------------------------------------------------------------------------------- */

static brise_status add_states(scheduler *s, place *p, brise_error *err)
{
	uint32_t dim = brise_get_model_facts(s->model)->dim, i, k;
	float *state = memory_new(dim, sizeof *state);
	brise_status status = BRISE_OK;

	if (!state)
		return error_set(err, BRISE_ENOMEM, "no memory for an embedding");
	for (i = 0; i < p->n_rows && status == BRISE_OK; i++) {
		status = brise_get_state(s->engine, p->first_row + i, state, err);
		for (k = 0; k < dim && status == BRISE_OK; k++)
			p->sums[k] += (double)state[k];
	}
	memory_free(state);
	return status;
}

static brise_status post_embedding(scheduler *s, place *p, brise_error *err)
{
	uint32_t dim = brise_get_model_facts(s->model)->dim, k;
	void *room;
	job_note *note = job_new_note(p->job, JOB_EMBEDDING, dim * sizeof(float), &room);
	float *mean = room;

	if (!note)
		return error_set(err, BRISE_ENOMEM, "no memory for an embedding");
	for (k = 0; k < dim; k++)
		mean[k] = (float)(p->sums[k] / (double)p->job->plan.n);
	note->event.embedding = mean;
	note->event.dim = dim;
	scheduler_post(s, note);
	return BRISE_OK;
}

/* A prompt that nothing is drawn from has been read. */
static brise_status finish_prompt(scheduler *s, place *p)
{
	drawing *d = &p->drawing;

	begin_drawing(s, p);
	if (d->status == BRISE_OK && p->sums)
		d->status = post_embedding(s, p, &d->error);
	d->is_over = true;
	d->reason = JOB_LIMITED;
	return d->status;
}

/* What a pass means for a place that had rows in it. */
static void settle(scheduler *s, place *p, uint64_t position)
{
	drawing *d = &p->drawing;
	brise_status status = BRISE_OK;

	if (p->sums)
		status = add_states(s, p, &d->error);
	if (status == BRISE_OK && p->n_drawn_from > 0 && p->n_drafts > 0)
		status = brise_rewind_sequence(p->sequence, position + p->n_drawn_from, &d->error);
	if (status == BRISE_OK && p->state == PLACE_READING &&
	    place_count_held(p) == p->job->plan.n)
		status = finish_prompt(s, p);
	if (status == BRISE_OK)
		status = d->status;
	if (status != BRISE_OK || d->is_over)
		scheduler_end_job(s, p, status, &d->error);
}

static void fail_all(scheduler *s, brise_status status, const brise_error *error)
{
	uint32_t i;

	for (i = 0; i < s->set.n; i++) {
		place *p = &s->set.places[i];

		if (p->n_rows == 0 || !p->job)
			continue;
		scheduler_end_job(s, p, status, error);
		place_forget(p, true);
	}
}

static void count_pass(scheduler *s, double start, uint64_t drawn, const place *alone)
{
	scheduler_figures *f = &s->figures;
	double seconds = os_clock() - start;

	os_lock(s->monitor);
	f->passes++;
	f->rows += s->n_rows;
	f->answer_tokens += drawn;
	if (s->n_between > f->most_between)
		f->most_between = s->n_between;
	*(s->has_prompts ? &f->prompt_s : &f->answer_s) += seconds;
	if (alone && alone->n_drafts > 0) {
		f->drafts += alone->n_drafts;
		f->accepted += alone->n_drawn_from > 0 ? alone->n_drawn_from - 1 : 0;
	}
	os_unlock(s->monitor);
}

/* Places of a pass that has been evaluated. */
static void settle_all(scheduler *s, double start, const uint64_t *drawn_before)
{
	uint64_t drawn = 0;
	place *alone = NULL;
	uint32_t i;

	for (i = 0; i < s->set.n; i++) {
		place *p = &s->set.places[i];

		if (p->n_rows == 0)
			continue;
		drawn += p->drawing.g.n_tokens - drawn_before[i];
		if (p->n_rows == s->n_rows)
			alone = p;
	}
	if (alone && alone->has_drafts && alone->n_drawn_from > 0)
		drafter_note_pass(&alone->drafts, alone->n_rows, alone->n_drawn_from,
		                  s->evaluated - start);
	count_pass(s, start, drawn, alone);
}

void scheduler_run_pass(scheduler *s)
{
	uint64_t drawn_before[SCHEDULER_MOST_PLACES], position[SCHEDULER_MOST_PLACES];
	double start = os_clock();
	brise_error error = { BRISE_OK, "" };
	brise_status status;
	uint32_t i;

	compose(s);
	if (s->n_rows == 0)
		return;
	for (i = 0; i < s->set.n; i++) {
		const place *p = &s->set.places[i];

		drawn_before[i] = p->drawing.g.n_tokens;
		position[i] = p->n_rows > 0 ? brise_get_sequence_facts(p->sequence)->position : 0;
	}
	s->evaluated = 0;
	status = brise_eval_rows(s->engine, s->rows, s->n_rows, draw, is_dead, s, &error);
	if (status == BRISE_ECANCELED)
		return;
	if (status != BRISE_OK) {
		fail_all(s, status, &error);
		return;
	}
	settle_all(s, start, drawn_before);
	for (i = 0; i < s->set.n; i++)
		if (s->set.places[i].n_rows > 0)
			settle(s, &s->set.places[i], position[i]);
}
