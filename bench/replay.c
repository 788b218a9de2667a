/* replay.c - a mask that allows the recorded token alone leaves the sampler no choice */
#include "bench/replay.h"

#include "runtime/error.h"
#include "runtime/generate.h"
#include "runtime/os/memory.h"

typedef struct player {
	const bench_replay *replay;
	uint32_t *mask; /* [(vocab + 31) / 32] */
	size_t next;    /* index of the token that the mask allows */
} player;

static void flip(player *p)
{
	int32_t id = p->replay->text[p->next];

	p->mask[id / 32] ^= UINT32_C(1) << id % 32;
}

/* A generate_token_fn: allows the next token instead of this one. */
static bool allow_next(void *user, const generate_token *token)
{
	player *p = user;

	(void)token;
	flip(p);
	p->next++;
	if (p->next < p->replay->n)
		flip(p);
	return false;
}

static bool cancel(void *user)
{
	const player *p = user;

	return p->replay->cancel && p->replay->cancel(p->replay->user);
}

static brise_status play(bench_replay_result *result, player *p, drafter *d, brise_sampler *sampler,
                         brise_engine *engine, brise_sequence *sequence, brise_error *err)
{
	const bench_replay *r = p->replay;
	generation g = { .sampler = sampler, .limit = r->n, .drafter = d };
	brise_status status = brise_set_mask(sampler, p->mask, err);

	if (r->n > 0)
		flip(p);
	if (status == BRISE_OK)
		status = generate_run(&g, engine, sequence, r->prompt, r->n_prompt, allow_next,
		                      cancel, p, err);
	*result = (bench_replay_result){ g.n_passes, g.n_drafts, g.n_accepted, g.generate_s };
	return status;
}

brise_status bench_replay_text(bench_replay_result *result, const bench_replay *replay,
                               const brise_model *model, brise_engine *engine,
                               brise_sequence *sequence, brise_error *err)
{
	uint32_t vocab = brise_get_model_facts(model)->vocab;
	player p = { replay, memory_new(vocab / 32 + 1, sizeof *p.mask), 0 };
	brise_sampler *sampler = NULL;
	drafter d = { .match = 0 };
	brise_sampling sampling;
	brise_status status;

	brise_init_sampling(&sampling, sizeof sampling);
	sampling.temperature = 0;
	status = brise_new_sampler(&sampler, vocab, &sampling, err);
	if (status == BRISE_OK && (!p.mask || (replay->drafts && !drafter_new(&d))))
		status = error_set(err, BRISE_ENOMEM, "no memory to replay a text");
	if (status == BRISE_OK)
		status = play(result, &p, replay->drafts ? &d : NULL, sampler, engine, sequence,
		              err);
	drafter_free(&d);
	brise_free_sampler(sampler);
	memory_free(p.mask);
	return status;
}

/* Multiples of a prime: none returns before all ids have come, unless the prime divides vocab. */
void bench_make_edit(int32_t *prompt, int32_t *text, size_t n, size_t every, uint32_t vocab)
{
	size_t i;

	for (i = 0; i < n; i++) {
		prompt[i] = (int32_t)(i * 7919 % vocab);
		text[i] = i % every == every / 2 ? (int32_t)((i * 7919 + vocab / 2) % vocab)
		                                 : prompt[i];
	}
}
