/* self_text.c - waves of sixteen texts at once: a pass over the weights gives a token to each */
#include "convert/calibration/self_text.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"

#define SLOTS 16u

/* Tokens of a text: long enough for attention to matter, short enough for many beginnings. */
#define LENGTH 512u

#define OPENING_MOST 16u

/* The first text has none. What they are matters little: they keep a model from writing one kind
 * of text alone. */
static const char *const openings[] = {
	"",
	"The",
	"In",
	"How do I",
	"I",
	"The following",
	"#include",
	"It was",
	"Q:",
	"Chapter 1",
	"def ",
	"- ",
	"To",
	"Le",
	"Dear",
	"{\"",
	"A new study",
	"Die",
	"1.",
	"What is the",
	"import",
	"El",
	"She said",
	"Note that",
	"<p>",
	"If",
	"However,",
	"function ",
	"Abstract",
	"On the",
	"static ",
	"Once upon a time",
};
#define OPENINGS (sizeof openings / sizeof *openings)

/* One text of a wave. */
typedef struct writer {
	brise_sequence *sequence;
	brise_sampler *sampler;
	int32_t ids[LENGTH + OPENING_MOST + 1];
	size_t given, n; /* begin token and opening; all so far */
	bool done;
	brise_error *err;
	brise_status status;
} writer;

typedef struct writing {
	const brise_model *model;
	const brise_tokenizer *tokenizer;
	const self_text_options *options;
	brise_engine *engine;
	writer *writers; /* [SLOTS] */
	int32_t bos, eos;
	size_t run; /* texts begun */
	int32_t *ids;
	size_t n;
	brise_error *err;
} writing;

/* Begin token and opening of the next text. */
static brise_status begin_text(writing *w, writer *at)
{
	const char *opening = openings[w->run % OPENINGS];
	brise_sampling sampling;
	int32_t *ids = NULL;
	size_t n = 0, i;
	brise_status status = BRISE_OK;

	at->n = 0;
	at->done = false;
	if (w->bos >= 0)
		at->ids[at->n++] = w->bos;
	if (w->tokenizer && (*opening || w->bos < 0)) {
		if (!*opening)
			opening = openings[1];
		status = brise_encode_text(w->tokenizer, opening, strlen(opening), false, &ids, &n,
		                           w->err);
	}
	for (i = 0; i < n && i < OPENING_MOST; i++)
		at->ids[at->n++] = ids[i];
	brise_free(ids);
	at->given = at->n;
	if (status != BRISE_OK)
		return status;
	brise_free_sampler(at->sampler);
	brise_init_sampling(&sampling, sizeof sampling);
	sampling.temperature = 1;
	sampling.top_p = 1;
	sampling.seed = w->options->seed + w->run++;
	if (w->tokenizer) {
		brise_tokenizer_facts facts;

		brise_get_tokenizer_facts(w->tokenizer, &facts, sizeof facts);
		sampling.n_pieces = facts.vocab;
	}
	status = brise_new_sampler(&at->sampler, w->model->config.vocab, &sampling, w->err);
	return status == BRISE_OK ? brise_rewind_sequence(at->sequence, 0, w->err) : status;
}

/* The rows of a pass: of each writer that is not done, the token at its position. */
typedef struct step {
	brise_row rows[SLOTS];
	writer *of[SLOTS];
	size_t n;
	int32_t eos;
} step;

static bool draw(void *user, size_t index, const float *logits)
{
	const step *s = user;
	writer *at = s->of[index];
	int32_t token;

	at->status = brise_sample_token(at->sampler, logits, &token, at->err);
	if (at->status != BRISE_OK)
		return true;
	at->ids[at->n++] = token;
	at->done = token == s->eos || at->n == LENGTH;
	return false;
}

static brise_status run_step(const writing *w, size_t position, size_t n_writers, bool *any)
{
	step s = { .n = 0, .eos = w->eos };
	brise_status status;
	size_t i;

	for (i = 0; i < n_writers; i++) {
		writer *at = &w->writers[i];

		if (at->done)
			continue;
		s.of[s.n] = at;
		s.rows[s.n++] =
		        (brise_row){ at->sequence, at->ids[position], position + 1 >= at->given };
	}
	*any = s.n > 0;
	if (s.n == 0)
		return BRISE_OK;
	status = brise_eval_rows(w->engine, s.rows, s.n, draw, NULL, &s, w->err);
	for (i = 0; i < s.n; i++)
		if (s.of[i]->status != BRISE_OK)
			return s.of[i]->status;
	return status;
}

/* As many texts as are still wanted, at most SLOTS; all end before the next wave begins, so that
 * their order does not depend on their lengths. */
static brise_status run_wave(writing *w)
{
	const self_text_options *o = w->options;
	size_t wanted = (o->tokens - w->n + LENGTH - 1) / LENGTH,
	       n = wanted < SLOTS ? wanted : SLOTS, position, i, left;
	brise_status status = BRISE_OK;
	bool any = true;

	for (i = 0; i < n && status == BRISE_OK; i++)
		status = begin_text(w, &w->writers[i]);
	for (position = 0; any && status == BRISE_OK; position++) {
		if (o->cancel && o->cancel(o->user))
			return error_set(w->err, BRISE_ECANCELED,
			                 "cancelled while the model wrote its text");
		if (o->progress)
			o->progress(o->user,
			            w->n + n * position < o->tokens ? w->n + n * position
			                                            : o->tokens,
			            o->tokens);
		status = run_step(w, position, n, &any);
	}
	for (i = 0; i < n && status == BRISE_OK; i++) {
		const writer *at = &w->writers[i];

		left = o->tokens - w->n;
		left = at->n < left ? at->n : left;
		memcpy(w->ids + w->n, at->ids, left * sizeof *w->ids);
		w->n += left;
	}
	return status;
}

static brise_status open_writers(writing *w)
{
	const brise_engine_options engine = { .size = sizeof engine,
		                              .threads = w->options->threads,
		                              .arch = w->options->arch,
		                              .rows = SLOTS };
	const brise_sequence_options sequence = { .size = sizeof sequence,
		                                  .context = LENGTH + OPENING_MOST + 1 };
	brise_status status = brise_new_engine(&w->engine, w->model, &engine, w->err);
	unsigned i;

	for (i = 0; i < SLOTS && status == BRISE_OK; i++) {
		w->writers[i].err = w->err;
		status = brise_new_sequence(&w->writers[i].sequence, w->model, &sequence, w->err);
	}
	return status;
}

static void close_writers(writing *w)
{
	unsigned i;

	for (i = 0; w->writers && i < SLOTS; i++) {
		brise_free_sampler(w->writers[i].sampler);
		brise_free_sequence(w->writers[i].sequence);
	}
	brise_free_engine(w->engine);
	memory_free(w->writers);
}

brise_status self_text_write(const brise_model *model, const self_text_options *options,
                             int32_t **ids, brise_error *err)
{
	writing w = { .model = model,
		      .tokenizer = brise_get_tokenizer(model),
		      .options = options,
		      .bos = model->config.bos,
		      .eos = model->config.eos,
		      .err = err };
	brise_status status = BRISE_OK;

	*ids = NULL;
	if (w.bos < 0 && !w.tokenizer)
		return error_set(err, BRISE_EINVAL,
		                 "%s: has neither a begin token nor a tokenizer, so no text begins",
		                 model->name);
	w.ids = memory_new(options->tokens, sizeof *w.ids);
	w.writers = memory_new(SLOTS, sizeof *w.writers);
	if (!w.ids || !w.writers)
		status = error_set(err, BRISE_ENOMEM, "no memory for a text of %zu tokens",
		                   options->tokens);
	if (status == BRISE_OK)
		status = open_writers(&w);
	while (status == BRISE_OK && w.n < options->tokens)
		status = run_wave(&w);
	close_writers(&w);
	if (status == BRISE_OK)
		*ids = w.ids;
	else
		memory_free(w.ids);
	return status;
}
