/* drawing.c - see drawing.h */
#include "runtime/serve/drawing.h"

#include <math.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/serve/logprobs.h"

/* ---- opening -------------------------------------------------------------------------------- */

static uint32_t count_pieces(const brise_model *model)
{
	const brise_tokenizer *tokenizer = brise_get_tokenizer(model);
	brise_tokenizer_facts facts = { .vocab = 0 };

	if (tokenizer)
		brise_get_tokenizer_facts(tokenizer, &facts, sizeof facts);
	return facts.vocab;
}

static brise_status open_text(drawing *d, brise_error *err)
{
	const brise_tokenizer *tokenizer = brise_get_tokenizer(d->model);

	if (d->job->plan.chat) {
		brise_status status = brise_new_answer(&d->reader, d->job->plan.chat, err);

		brise_begin_answer(d->reader, d->job->plan.prompt, d->job->plan.n);
		return status;
	}
	return tokenizer ? brise_new_decoder(&d->g.decoder, tokenizer, err) : BRISE_OK;
}

brise_status drawing_open(drawing *d, job *j, const brise_model *model, drawing_post_fn *post,
                          void *user, brise_error *err)
{
	const brise_model_facts *facts = brise_get_model_facts(model);
	const brise_chat_facts *chat = brise_get_chat_facts(j->plan.chat);
	const int32_t *ends = chat ? chat->ends : facts->ends;
	size_t n_ends = chat ? chat->n_ends : facts->n_ends;
	brise_status status;

	*d = (drawing){ .job = j, .model = model, .post = post, .user = user };
	job_notes_open(&d->held);
	stops_open(&d->stops, j->plan.stops, j->plan.n_stops);
	d->g.limit = j->plan.limit;
	d->g.ends = ends;
	d->g.n_ends = j->plan.ignores_ends ? 0 : n_ends;
	j->sampling.n_pieces = count_pieces(model);
	if ((status = constraint_open(&d->constraint, &j->plan, facts->vocab, ends, d->g.n_ends,
	                              err)) != BRISE_OK ||
	    (status = brise_new_sampler(&d->g.sampler, facts->vocab, &j->sampling, err)) !=
	            BRISE_OK ||
	    (status = open_text(d, err)) != BRISE_OK)
		return status;
	return generate_accept(&d->g, j->plan.prompt, j->plan.n, err);
}

void drawing_close(drawing *d)
{
	job_note *note;

	while ((note = job_notes_take(&d->held)))
		memory_free(note);
	constraint_close(&d->constraint);
	stops_close(&d->stops);
	brise_free_sampler(d->g.sampler);
	brise_free_decoder(d->g.decoder);
	brise_free_answer(d->reader);
	*d = (drawing){ .job = NULL };
}

/* ---- events --------------------------------------------------------------------------------- */

static void fail(drawing *d, brise_status status)
{
	if (d->status == BRISE_OK)
		d->status = status;
	d->is_over = true;
}

static void post_piece(drawing *d, brise_answer_kind kind, size_t call, const char *text,
                       size_t bytes)
{
	void *room;
	job_note *note = job_new_note(d->job, JOB_PIECE, bytes, &room);

	if (!note) {
		fail(d, error_set(&d->error, BRISE_ENOMEM, "no memory for a part of the answer"));
		return;
	}
	if (bytes > 0)
		memcpy(room, text, bytes);
	note->event.piece = (brise_answer_piece){ kind, call, room, bytes };
	d->post(d->user, note);
}

/* Gives out tokens that began before what has been given out of the text, or all. The place where
 * one began stands in n_tokens meanwhile. */
static void post_tokens(drawing *d, bool all)
{
	while (d->held.first && (all || d->held.first->event.n_tokens < d->text_out)) {
		job_note *note = job_notes_take(&d->held);

		note->event.n_tokens = 0;
		d->post(d->user, note);
	}
}

static void post_text(drawing *d, const char *text, size_t bytes)
{
	d->text_out += bytes;
	post_tokens(d, d->text_out == d->text_in);
	if (bytes > 0)
		post_piece(d, BRISE_ANSWER_TEXT, 0, text, bytes);
}

static void take_text(drawing *d, stops_result result, const char *text, size_t bytes)
{
	switch (result) {
	case STOPS_FOUND:
		d->is_over = true;
		d->reason = JOB_STOPPED;
		d->text_out += bytes;
		post_tokens(d, false);
		if (bytes > 0)
			post_piece(d, BRISE_ANSWER_TEXT, 0, text, bytes);
		break;
	case STOPS_NONE:
		post_text(d, text, bytes);
		break;
	default:
		fail(d, error_set(&d->error, BRISE_ENOMEM, "no memory for a part of the answer"));
	}
}

static void flush_text(drawing *d)
{
	const char *text = "";
	size_t bytes = 0;
	stops_result result = stops_flush(&d->stops, &text, &bytes, &d->stop);

	take_text(d, result, text, bytes);
}

static void add_text(drawing *d, const char *text, size_t bytes)
{
	const char *out = "";
	size_t n_out = 0;
	stops_result result;

	d->text_in += bytes;
	result = stops_add(&d->stops, text, bytes, &out, &n_out, &d->stop);
	take_text(d, result, out, n_out);
}

/* A brise_answer_fn. Nothing follows a stop text. */
static void take_piece(void *user, const brise_answer_piece *piece)
{
	drawing *d = user;

	if (d->is_over)
		return;
	if (piece->kind == BRISE_ANSWER_TEXT) {
		add_text(d, piece->text, piece->bytes);
		return;
	}
	flush_text(d);
	if (d->is_over)
		return;
	d->n_calls += piece->kind == BRISE_ANSWER_CALL;
	post_piece(d, piece->kind, piece->call, piece->text, piece->bytes);
}

/* ---- logprobs ------------------------------------------------------------------------------- */

static void fill_token(const drawing *d, job_token *token, const logprobs_entry *entry, char *text)
{
	*token = (job_token){ .id = entry->id, .text = text, .logprob = entry->logprob };
	token->bytes = logprobs_write_text(brise_get_tokenizer(d->model), entry->id, text);
}

/* Holds an event for the token that has been drawn from the logits, which came before any text of
 * it. */
static void hold_token(drawing *d, const float *logits, int32_t id)
{
	const uint32_t vocab = brise_get_model_facts(d->model)->vocab;
	const double norm = logprobs_normalize(logits, vocab);
	logprobs_entry top[JOB_MOST_TOP], drawn = { id, -INFINITY };
	size_t n, i;
	job_note *note;
	job_token *tops;
	void *room;

	n = d->job->plan.n_top < JOB_MOST_TOP ? d->job->plan.n_top : JOB_MOST_TOP;
	n = logprobs_choose(logits, vocab, norm, top, n);
	if (isfinite(logits[id]))
		drawn.logprob = (float)((double)logits[id] - norm);
	note = job_new_note(d->job, JOB_TOKEN, n * sizeof *tops + (n + 1) * LOGPROBS_TEXT, &room);
	if (!note) {
		fail(d, error_set(&d->error, BRISE_ENOMEM, "no memory for logprobs"));
		return;
	}
	tops = room;
	for (i = 0; i < n; i++)
		fill_token(d, &tops[i], &top[i], (char *)(tops + n) + i * LOGPROBS_TEXT);
	fill_token(d, &note->event.token, &drawn, (char *)(tops + n) + n * LOGPROBS_TEXT);
	note->event.top = tops;
	note->event.n_top = n;
	note->event.n_tokens = d->text_in;
	job_notes_add(&d->held, note);
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void end(drawing *d, job_reason reason)
{
	d->is_over = true;
	d->reason = reason == JOB_ENDED && d->n_calls > 0 ? JOB_CALLED : reason;
}

static void read_token(drawing *d, const generate_token *token)
{
	brise_status status = BRISE_OK;

	if (d->reader)
		status = brise_read_answer(d->reader, token->id, take_piece, d, &d->error);
	else
		add_text(d, token->text, token->bytes);
	if (status != BRISE_OK)
		fail(d, status);
	else if (d->text_out == d->text_in)
		post_tokens(d, true);
}

/* Biases can ban all tokens, or all that a grammar allows. */
static brise_status choose(drawing *d, const float *logits, generate_token *token)
{
	brise_status status = constraint_apply(&d->constraint, logits, d->g.sampler, &d->error);

	if (status == BRISE_OK)
		status = generate_next(&d->g, logits, token, &d->error);
	if (status == BRISE_EINVAL && d->job->plan.sampling->n_bias > 0)
		status = error_set(&d->error, BRISE_EUNSUPPORTED,
		                   "logit_bias bans every token that may come next");
	return status;
}

void drawing_next(drawing *d, const float *logits)
{
	generate_token token;
	brise_status status;

	if ((status = choose(d, logits, &token)) != BRISE_OK) {
		fail(d, status);
		return;
	}
	if (d->g.reason == GENERATE_END) {
		drawing_finish(d, JOB_ENDED);
		return;
	}
	d->token = token.id;
	if (d->job->plan.has_logprobs)
		hold_token(d, logits, token.id);
	read_token(d, &token);
	if (d->is_over)
		return;
	if ((status = constraint_accept(&d->constraint, token.id, &d->error)) != BRISE_OK)
		fail(d, status);
	else if (d->constraint.must_end)
		drawing_finish(d, JOB_ENDED);
	else if (d->g.n_tokens == d->g.limit)
		drawing_finish(d, JOB_LIMITED);
}

void drawing_finish(drawing *d, job_reason reason)
{
	brise_status status = BRISE_OK;
	const char *text;
	size_t bytes;

	if (d->is_over)
		return;
	if (d->reader) {
		status = brise_finish_answer(d->reader, take_piece, d, &d->error);
	} else if (d->g.decoder) {
		status = brise_finish_decoder(d->g.decoder, &text, &bytes, &d->error);
		if (status == BRISE_OK)
			add_text(d, text, bytes);
	}
	if (status == BRISE_EFORMAT)
		d->is_cut = true;
	else if (status != BRISE_OK)
		fail(d, status);
	if (d->is_over) /* by a stop text in what was held back */
		return;
	flush_text(d);
	if (!d->is_over)
		end(d, reason);
}
