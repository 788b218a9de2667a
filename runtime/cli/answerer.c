/* answerer.c - see answerer.h */
#include "runtime/cli/answerer.h"

#include <string.h>

#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

/* Where so many more tokens have been evaluated, they are put into the cache at once rather than at
 * the end: the process may be killed. */
#define LONG_TEXT 1024u

int answerer_open(answerer *a, const char *command, const char *path,
                  const engine_settings *settings, const char *chat_format)
{
	const brise_tokenizer *tokenizer;
	brise_error err;
	int result;

	memset(a, 0, sizeof *a);
	a->command = command;
	if ((result = engine_open_model(&a->engine, command, path)) != COMMANDS_READY)
		return result;
	if (!(tokenizer = brise_get_tokenizer(a->engine.model)))
		return report_error(command, "%s: no tokenizer in the file", path);
	if (chat_format_open(&a->chat, tokenizer, a->engine.facts, chat_format, &err) != BRISE_OK)
		return report_error(command, "%s: %s", path, err.message);
	a->facts = brise_get_chat_facts(a->chat);
	return engine_open_sequence(&a->engine, command, settings);
}

brise_status answerer_open_cache(answerer *a, const char *folder, uint64_t most_bytes,
                                 brise_error *err)
{
	brise_status status = prompt_cache_open(&a->cache, folder, most_bytes, err);

	a->has_cache = status == BRISE_OK;
	return status;
}

void answerer_close(answerer *a)
{
	if (a->has_cache)
		prompt_cache_close(&a->cache);
	brise_free_answer(a->reader);
	brise_free_sampler(a->sampler);
	brise_free_matcher(a->matcher);
	chat_thought_close(&a->thought);
	brise_free_chat(a->chat);
	memory_free(a->tokens);
	engine_close(&a->engine);
	memset(a, 0, sizeof *a);
}

uint64_t answerer_room(const answerer *a)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(a->engine.sequence);

	return f->window > 0 ? 0 : f->slots;
}

/* ---- what has been evaluated ---------------------------------------------------------------- */

static size_t count_evaluated(const answerer *a)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(a->engine.sequence);
	uint64_t n = f->position - f->start;

	return n < a->n ? (size_t)n : a->n;
}

void answerer_keep(answerer *a)
{
	size_t n = count_evaluated(a);
	brise_error err;

	if (!a->has_cache || n == a->cached)
		return;
	if (prompt_cache_put(&a->cache, a->engine.sequence, a->tokens, n, NULL, &err) != BRISE_OK)
		report_note(a->command, "%s", err.message);
	a->cached = n;
}

void answerer_forget(answerer *a)
{
	a->n = a->cached = 0;
}

static bool add_token(answerer *a, int32_t token)
{
	int32_t *tokens;

	if (a->n == a->most) {
		if (!(tokens = memory_resize(a->tokens, 2 * a->most + 256, sizeof *tokens)))
			return false;
		a->tokens = tokens;
		a->most = 2 * a->most + 256;
	}
	a->tokens[a->n++] = token;
	return true;
}

/* Prepares the sequence for a prompt, of which *kept tokens need no evaluation. */
static brise_status take_prompt(answerer *a, const int32_t *prompt, size_t n, size_t *kept,
                                brise_error *err)
{
	engine *e = &a->engine;
	const brise_sequence *before = e->sequence;
	size_t held = count_evaluated(a), room = n + 256;
	int32_t *tokens = memory_new(room, sizeof *tokens);
	brise_status status;

	if (!tokens)
		return error_set(err, BRISE_ENOMEM, "no memory for %zu token ids", n);
	memcpy(tokens, prompt, n * sizeof *tokens);
	status = a->has_cache
	                 ? prompt_cache_take(&a->cache, &e->sequence, e->model, &e->options,
	                                     a->tokens, held, prompt, n, kept, err)
	                 : brise_keep_prefix(e->sequence, a->tokens, held, prompt, n, kept, err);
	if (status == BRISE_OK) {
		memory_free(a->tokens);
		a->tokens = tokens;
		a->n = n;
		a->most = room;
		if (e->sequence != before || a->cached > *kept)
			a->cached = *kept;
	} else {
		memory_free(tokens);
	}
	return status;
}

/* ---- drawing -------------------------------------------------------------------------------- */

typedef struct drawing {
	answerer *a;
	const answer_options *options;
	prompt_progress progress;
	bool is_stopped;
	brise_status status; /* of reading the answer */
	brise_error error;
} drawing;

/* A brise_cancel_fn. */
static bool was_stopped(void *user)
{
	drawing *d = user;

	d->is_stopped = prompt_progress_layer(&d->progress) ||
	                (d->options->cancel && d->options->cancel(d->options->user));
	return d->is_stopped;
}

/* A generate_token_fn. */
static bool take_token(void *user, const generate_token *token)
{
	drawing *d = user;
	const answer_options *o = d->options;

	prompt_progress_end(&d->progress);
	if (!add_token(d->a, token->id))
		d->status = error_set(&d->error, BRISE_ENOMEM, "no memory for another token");
	else
		d->status = brise_read_answer(d->a->reader, token->id, o->each, o->user, &d->error);
	if (d->status == BRISE_OK && o->cancel && o->cancel(o->user))
		d->is_stopped = true;
	return d->is_stopped || d->status != BRISE_OK;
}

/* What a new answer to a prompt needs. */
static brise_status begin_answer(answerer *a, const int32_t *prompt, size_t n,
                                 const answer_options *o, brise_error *err)
{
	sampling_settings sampling = *o->sampling;
	brise_status status;

	brise_free_answer(a->reader);
	brise_free_sampler(a->sampler);
	brise_free_matcher(a->matcher);
	chat_thought_close(&a->thought);
	a->reader = NULL;
	a->sampler = NULL;
	a->matcher = NULL;
	sampling.values.seed += o->turn;
	status = sampling_new(&a->sampler, &sampling, &a->engine, err);
	if (status == BRISE_OK && o->grammar)
		status = brise_new_matcher(&a->matcher, o->grammar, a->facts->ends,
		                           a->facts->n_ends, true, err);
	if (status == BRISE_OK && o->grammar)
		status = chat_thought_open(&a->thought, a->chat, prompt, n, a->engine.facts->vocab,
		                           a->facts->ends, a->facts->n_ends, -1, err);
	if (status == BRISE_OK)
		status = brise_new_answer(&a->reader, a->chat, err);
	brise_begin_answer(a->reader, prompt, n);
	return status;
}

static void add_figures(answer_figures *f, const generation *g, size_t n, size_t begun,
                        const drawing *d)
{
	if (begun == 0) {
		*f = (answer_figures){ .n_prompt = n, .kept = g->kept };
	} else {
		f->n_prompt += n - begun;
		f->kept += g->kept < n - begun ? g->kept : n - begun;
	}
	f->reason = g->reason;
	f->is_stopped = d->is_stopped;
	f->n_tokens = begun + g->n_tokens;
	f->prompt_s += g->prompt_s;
	f->generate_s += g->generate_s;
	f->n_passes += g->n_passes;
	f->n_drafts += g->n_drafts;
	f->n_accepted += g->n_accepted;
}

static brise_status run(answerer *a, drawing *d, generation *g, const int32_t *prompt, size_t n,
                        brise_error *err)
{
	brise_status status;

	prompt_progress_begin(&d->progress, "prompt: ", n - g->kept, &a->engine);
	status = generate_run(g, a->engine.engine, a->engine.sequence, prompt, n, take_token,
	                      was_stopped, d, err);
	prompt_progress_end(&d->progress);
	if (status == BRISE_ECANCELED && d->is_stopped) {
		g->reason = GENERATE_STOPPED;
		status = BRISE_OK;
	}
	if (status == BRISE_OK && d->status != BRISE_OK) {
		status = d->status;
		if (err)
			*err = d->error;
	}
	return status;
}

brise_status answerer_draw(answerer *a, const int32_t *prompt, size_t n, size_t begun,
                           const answer_options *options, answer_figures *figures, brise_error *err)
{
	drawing d = { .a = a, .options = options };
	generation g = { .limit = options->limit - begun,
		         .ends = a->facts->ends,
		         .n_ends = options->ignore_ends ? 0 : a->facts->n_ends };
	drafter drafts;
	bool has_drafts = false;
	brise_status status = BRISE_OK;

	memset(&drafts, 0, sizeof drafts);
	if (begun == 0)
		status = begin_answer(a, prompt, n, options, err);
	if (status == BRISE_OK && options->has_drafts && !(has_drafts = drafter_new(&drafts)))
		status = error_set(err, BRISE_ENOMEM,
		                   "no memory for drafts (--no-drafts needs none)");
	if (status == BRISE_OK)
		status = take_prompt(a, prompt, n, &g.kept, err);
	if (status == BRISE_OK) {
		g.sampler = a->sampler;
		g.matcher = a->matcher;
		g.thought = &a->thought;
		g.drafter = has_drafts ? &drafts : NULL;
		status = run(a, &d, &g, prompt, n, err);
		add_figures(figures, &g, n, begun, &d);
	}
	drafter_free(&drafts);
	if (status == BRISE_OK && count_evaluated(a) >= a->cached + LONG_TEXT)
		answerer_keep(a);
	return status;
}

brise_status answerer_finish(answerer *a, const answer_options *options, brise_error *err)
{
	return brise_finish_answer(a->reader, options->each, options->user, err);
}
