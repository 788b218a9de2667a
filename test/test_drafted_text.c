/* test_drafted_text.c - drafts, right and wrong ones, change nothing but the number of passes, and
 * a limit on memory nothing at all: the same text, the same end, the same sequence and sampler
 * afterwards */
#include "runtime/generate.h"

#include "test/check.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define TRIALS    216 /* each limit with drafts and without: 9 for each model */
#define MOST_TEXT 90  /* tokens of a prompt, and drawn after it */
#define N_ENGINES 4
#define N_MASKS   4

static const uint32_t engine_rows[N_ENGINES] = { 1, 2, 5, 64 };

#define N_SHAPES 3 /* which the models, one of each type, take in turn */

/* Memory for the weights of a model. */
typedef enum budget { MAPPED, ALL_STREAMED, HALF_STREAMED, ALL_KEPT, N_BUDGETS } budget;

typedef struct drafting {
	check_counts *counts;
	unsigned n_models;
	brise_model *models[TYPE_KINDS][N_BUDGETS];
	brise_engine *engines[TYPE_KINDS][N_BUDGETS][N_ENGINES];
	uint64_t seed;
	uint64_t n_drafts, n_accepted; /* in all trials */
	unsigned reasons[GENERATE_STOPPED + 1], failures;
} drafting;

/* A prompt, and everything that a text depends on. */
typedef struct trial {
	drafting *all;
	unsigned model, engine;
	uint32_t vocab;
	brise_sequence_options sequence;
	brise_sampling sampling;
	brise_logit_bias biases[3];
	int32_t prompt[MOST_TEXT], ends[2];
	size_t n_prompt, n_ends, stop_after;
	uint64_t limit;
	bool masked;
	uint32_t masks[N_MASKS][8]; /* the one after a token depends on the token */
} trial;

/* What came of it. */
typedef struct outcome {
	int32_t tokens[MOST_TEXT];
	size_t n;
	generate_reason reason;
	brise_status status;
	uint64_t position;
	char message[sizeof((brise_error *)0)->message];
	float logits[256]; /* after one token more, where there is room */
	int32_t next;      /* drawn from them */
} outcome;

typedef struct trial_run {
	const trial *t;
	brise_sampler *sampler;
	outcome *o;
	drafter drafter;
	const outcome *expected; /* without drafts */
	uint64_t seed;
	brise_engine *engine;
} trial_run;

static unsigned under(uint64_t *seed, unsigned n)
{
	return (unsigned)(random_next(seed) % n);
}

static void choose_sampling(trial *t, uint64_t *seed)
{
	static const float temperatures[] = { 0, 0, 0.3f, 0.7f, 1.5f };
	brise_sampling *s = &t->sampling;
	unsigned i;

	brise_init_sampling(s, sizeof *s);
	s->seed = random_next(seed);
	s->temperature = temperatures[under(seed, 5)];
	s->top_k = under(seed, 3) > 0 ? 0 : 1 + under(seed, 6);
	s->top_p = under(seed, 2) > 0 ? 1 : 0.2f + 0.2f * (float)under(seed, 4);
	s->min_p = under(seed, 3) > 0 ? 0 : 0.1f * (float)under(seed, 5);
	if (under(seed, 3) == 0) {
		s->repetition_penalty = 0.8f + 0.1f * (float)under(seed, 8);
		s->presence_penalty = 0.2f * (float)under(seed, 3);
		s->frequency_penalty = 0.1f * (float)under(seed, 4);
		s->penalty_last = 1 + under(seed, 40);
	}
	if (under(seed, 3) == 0)
		for (s->bias = t->biases; s->n_bias < 3; s->n_bias++)
			t->biases[s->n_bias] = (brise_logit_bias){ (int32_t)under(seed, 60),
				                                   (float)under(seed, 7) - 3 };
	t->masked = under(seed, 3) == 0;
	for (i = 0; i < N_MASKS * 8; i++)
		t->masks[i / 8][i % 8] = (uint32_t)(random_next(seed) | random_next(seed));
	if (under(seed, 4) == 0) /* nothing may follow some tokens: an error */
		memset(t->masks[0], 0, sizeof t->masks[0]);
}

/* A prompt of few tokens repeats itself. */
static void choose_trial(trial *t, drafting *all, unsigned number)
{
	uint64_t *seed = &all->seed;
	unsigned model = number % all->n_models, engine = under(seed, N_ENGINES),
	         alphabet = 2 + under(seed, 60), i;
	const format_config *config = &all->models[model][MAPPED]->config;

	memset(t, 0, sizeof *t);
	t->all = all;
	t->model = model;
	t->engine = engine;
	t->vocab = config->vocab;
	t->sequence = (brise_sequence_options){ .size = sizeof t->sequence };
	t->sequence.kv = under(seed, 4) > 0 ? BRISE_KV_INT8 : BRISE_KV_F32;
	t->sequence.slack = 1 + under(seed, 80);
	t->sequence.position = under(seed, 2) > 0 ? 0 : under(seed, 1000);
	if (under(seed, 2) > 0 && config->window > 0)
		t->sequence.window = 1 + under(seed, 11);
	if (config->window > 32 && under(seed, 2) > 0) { /* a ring that few rows fill */
		t->sequence.window = 32 - under(seed, 4);
		t->sequence.slack = 1;
	}
	t->n_prompt = 1 + under(seed, MOST_TEXT);
	t->limit = under(seed, MOST_TEXT + 1);
	t->sequence.context = (uint32_t)t->n_prompt + under(seed, MOST_TEXT);
	t->stop_after = under(seed, 4) > 0 ? SIZE_MAX : 1 + under(seed, MOST_TEXT);
	for (i = 0; i < t->n_prompt; i++)
		t->prompt[i] = (int32_t)under(seed, alphabet);
	for (t->n_ends = under(seed, 4) > 0 ? 0 : 2, i = 0; i < 2; i++)
		t->ends[i] = (int32_t)under(seed, 64);
	choose_sampling(t, seed);
}

static bool take_trial(void *user, const generate_token *token)
{
	trial_run *r = user;

	if (r->o->n < MOST_TEXT)
		r->o->tokens[r->o->n++] = token->id;
	if (r->t->masked)
		brise_set_mask(r->sampler, r->t->masks[token->id % N_MASKS], NULL);
	return r->o->n == r->t->stop_after;
}

/* ---- where drafts come from; all return how many */

/* Whatever is found, always as much as there is room for. */
static size_t draft_all_found(void *user, int32_t *drafts, size_t most)
{
	trial_run *r = user;
	unsigned i;
	size_t n;

	r->drafter.force = NULL;
	r->drafter.pace.seconds[1] = r->drafter.pace.seconds[DRAFT_MOST + 1] = 1;
	r->drafter.pace.balance = 0;
	for (i = 0; i < DRAFT_PACE_CLASSES; i++)
		r->drafter.pace.right[i] = 1;
	n = drafter_propose(&r->drafter, drafts, most);
	r->drafter.force = draft_all_found;
	return n;
}

/* Anything. */
static size_t draft_at_random(void *user, int32_t *drafts, size_t most)
{
	trial_run *r = user;
	size_t i;

	CHECK(r->t->all->counts, r->o->n + most < r->t->limit, "%zu drafts wanted", most);
	for (i = 0; i < most; i++)
		drafts[i] = (int32_t)under(&r->seed, r->t->vocab);
	return under(&r->seed, (unsigned)most + 1);
}

/* What will be drawn, and somewhere in it, perhaps, a token that will not. */
static size_t draft_the_truth(void *user, int32_t *drafts, size_t most)
{
	trial_run *r = user;
	size_t at;

	(void)draft_at_random(user, drafts, most);
	for (at = 0; at < most && r->o->n + at < r->expected->n; at++)
		drafts[at] = r->expected->tokens[r->o->n + at];
	if (most > 0 && under(&r->seed, 2) > 0)
		drafts[under(&r->seed, (unsigned)most)] = (int32_t)under(&r->seed, 60);
	return most;
}

/* ---- running and comparing */

/* What the sequence and the sampler are like afterwards. */
static void look_at_state(const trial_run *r, brise_sequence *sequence)
{
	const float *logits;
	brise_status status;

	r->o->position = brise_get_sequence_facts(sequence)->position;
	brise_set_mask(r->sampler, NULL, NULL);
	status = brise_eval_tokens(r->engine, sequence, &(int32_t){ 3 }, 1, &logits, NULL, NULL,
	                           NULL);
	r->o->next = -(int32_t)status;
	if (status != BRISE_OK)
		return;
	memcpy(r->o->logits, logits, r->t->vocab * sizeof *logits);
	brise_sample_token(r->sampler, logits, &r->o->next, NULL);
}

/* origin NULL: no drafts, or learned ones. */
static void run_trial(const trial *t, budget memory, bool drafts, drafter_force_fn *origin,
                      outcome *o, const outcome *expected)
{
	trial_run r = { .t = t,
		        .o = o,
		        .expected = expected,
		        .seed = t->sampling.seed,
		        .engine = t->all->engines[t->model][memory][t->engine] };
	generation g = { .limit = t->limit, .ends = t->ends, .n_ends = t->n_ends };
	brise_sequence *sequence = NULL;
	brise_error err = { BRISE_OK, "" };

	memset(o, 0, sizeof *o);
	brise_new_sampler(&r.sampler, t->vocab, &t->sampling, NULL);
	brise_new_sequence(&sequence, t->all->models[t->model][memory], &t->sequence, NULL);
	g.sampler = r.sampler;
	if (drafts && drafter_new(&r.drafter)) {
		r.drafter.force = origin;
		r.drafter.user = &r;
		g.drafter = &r.drafter;
	}
	o->status = generate_run(&g, r.engine, sequence, t->prompt, t->n_prompt, take_trial, NULL,
	                         &r, &err);
	if (o->status != BRISE_OK)
		memcpy(o->message, err.message, strlen(err.message));
	o->reason = g.reason;
	look_at_state(&r, sequence);
	CHECK(t->all->counts,
	      g.n_tokens == o->n && g.n_passes + g.n_accepted + 1 >= g.n_tokens &&
	              g.n_accepted <= g.n_drafts,
	      "%u tokens in %u passes", (unsigned)g.n_tokens, (unsigned)g.n_passes);
	t->all->n_drafts += g.n_drafts;
	t->all->n_accepted += g.n_accepted;
	drafter_free(&r.drafter);
	brise_free_sampler(r.sampler);
	brise_free_sequence(sequence);
}

static void check_outcome(const trial *t, unsigned number, const char *how, const outcome *got,
                          const outcome *expected)
{
	CHECK(t->all->counts, !memcmp(got, expected, sizeof *expected),
	      "text %u, %s: %zu tokens, expected %zu; at %u, expected %u; reason %d, expected %d",
	      number, how, got->n, expected->n, (unsigned)got->position,
	      (unsigned)expected->position, (int)got->reason, (int)expected->reason);
}

/* Under one limit after another, with drafts and without in turn. Streaming takes time, so prompts
 * are evaluated in few passes. */
static void check_limits(const trial *t, unsigned number, const outcome *expected)
{
	static const char *const names[N_BUDGETS][2] = {
		[ALL_STREAMED] = { "all streamed", "all streamed, with drafts" },
		[HALF_STREAMED] = { "half streamed", "half streamed, with drafts" },
		[ALL_KEPT] = { "all kept", "all kept, with drafts" },
	};
	static outcome got;
	const budget memory = (budget)(1 + number / t->all->n_models % (N_BUDGETS - 1));
	const bool drafts = number / t->all->n_models / (N_BUDGETS - 1) % 2 > 0;
	trial long_passes = *t;

	long_passes.engine = N_ENGINES - 1;
	run_trial(&long_passes, memory, drafts, draft_all_found, &got, expected);
	check_outcome(t, number, names[memory][drafts], &got, expected);
}

static void test_drafts_and_limits_change_no_text(drafting *all)
{
	static const struct {
		const char *name;
		drafter_force_fn *origin;
	} modes[] = { { "drafts learned", NULL },
		      { "drafts all found", draft_all_found },
		      { "drafts random", draft_at_random },
		      { "drafts the truth", draft_the_truth } };
	static outcome expected, drafted;
	unsigned number, mode;
	trial t;

	for (number = 0; number < TRIALS; number++) {
		choose_trial(&t, all, number);
		run_trial(&t, MAPPED, false, NULL, &expected, NULL);
		all->reasons[expected.reason]++;
		all->failures += expected.status != BRISE_OK;
		for (mode = 0; mode < 4; mode++) {
			run_trial(&t, MAPPED, true, modes[mode].origin, &drafted, &expected);
			check_outcome(&t, number, modes[mode].name, &drafted, &expected);
		}
		check_limits(&t, number, &expected);
	}
	/* The trials must have had what they are to test. */
	CHECK(all->counts, all->n_accepted > 2000 && all->n_drafts - all->n_accepted > 2000,
	      "%u of %u drafts accepted", (unsigned)all->n_accepted, (unsigned)all->n_drafts);
	for (mode = GENERATE_END; mode <= GENERATE_STOPPED; mode++)
		CHECK(all->counts, all->reasons[mode] >= 5, "reason %u: %u times", mode,
		      all->reasons[mode]);
	CHECK(all->counts, all->failures >= 5, "%u failures", all->failures);
}

/* The file becomes shorter while drafts are checked. Afterwards the sequence is before the last
 * token drawn, and goes on when the file is whole again. */
typedef struct broken {
	char path[600];
	char *bytes;
	size_t n;
	const outcome *expected;
	size_t n_drawn, cut_after, cut_to;
} broken;

static bool cut_file(void *user, const generate_token *token)
{
	broken *b = user;

	(void)token;
	if (++b->n_drawn == b->cut_after && truncate(b->path, (off_t)b->cut_to) != 0)
		exit(1);
	return false;
}

static size_t draft_the_expected(void *user, int32_t *drafts, size_t most)
{
	const broken *b = user;
	size_t n = b->expected->n - b->n_drawn;

	n = n < most ? n : most;
	n = n < 4 ? n : 4;
	memcpy(drafts, b->expected->tokens + b->n_drawn, n * sizeof *drafts);
	return n;
}

static void read_whole(broken *b)
{
	FILE *f = fopen(b->path, "rb");

	b->bytes = malloc(4 << 20);
	b->n = f && b->bytes ? fread(b->bytes, 1, 4 << 20, f) : 0;
	if (!f || b->n == 0 || fclose(f) != 0)
		exit(1);
}

static void write_whole(const broken *b)
{
	FILE *f = fopen(b->path, "r+b");

	if (!f || fwrite(b->bytes, 1, b->n, f) != b->n || fclose(f) != 0)
		exit(1);
}

static void test_storage_that_fails_under_drafts(drafting *all, const char *folder, unsigned model)
{
	static outcome expected;
	broken b = { .expected = &expected };
	size_t fed, at;
	trial t;

	(void)snprintf(b.path, sizeof b.path, "%s/%u-%d.brise", folder, model, (int)ALL_STREAMED);
	read_whole(&b);
	do
		choose_trial(&t, all, model);
	while (t.n_prompt < 5);
	t.engine = 2;
	t.limit = 30;
	t.n_ends = 0;
	t.masked = false;
	t.stop_after = SIZE_MAX;
	t.sequence = (brise_sequence_options){ .size = sizeof t.sequence };
	run_trial(&t, MAPPED, false, NULL, &expected, NULL);
	for (b.cut_after = 1; b.cut_after < 20; b.cut_after += 3) {
		generation g = { .limit = t.limit };
		brise_sequence *sequence = NULL, *alone = NULL;
		brise_error err = { BRISE_OK, "" };
		const float *got, *wanted;
		drafter d;

		if (!drafter_new(&d))
			exit(1);
		d.force = draft_the_expected;
		d.user = &b;
		g.drafter = &d;
		b.n_drawn = 0;
		/* The output matrix comes last: without it a pass ends, but has no logits. */
		b.cut_to = b.cut_after % 2 ? b.n / 2 : b.n - 8192;
		brise_new_sampler(&g.sampler, t.vocab, &t.sampling, NULL);
		brise_new_sequence(&sequence, all->models[model][ALL_STREAMED], &t.sequence, NULL);
		brise_new_sequence(&alone, all->models[model][MAPPED], &t.sequence, NULL);
		CHECK(all->counts,
		      generate_run(&g, all->engines[model][ALL_STREAMED][2], sequence, t.prompt,
		                   t.n_prompt, cut_file, NULL, &b, &err) == BRISE_EIO,
		      "%s", err.message);
		at = (size_t)brise_get_sequence_facts(sequence)->position - t.n_prompt;
		CHECK(all->counts, b.n_drawn >= b.cut_after && at + 1 == b.n_drawn,
		      "%zu drawn, %zu evaluated", b.n_drawn, at);
		write_whole(&b);
		fed = at < expected.n ? at : 0;
		brise_eval_tokens(all->engines[model][MAPPED][2], alone, t.prompt, t.n_prompt, NULL,
		                  NULL, NULL, NULL);
		brise_eval_tokens(all->engines[model][MAPPED][2], alone, expected.tokens, fed + 1,
		                  &wanted, NULL, NULL, NULL);
		CHECK(all->counts,
		      brise_eval_tokens(all->engines[model][ALL_STREAMED][2], sequence,
		                        expected.tokens + fed, 1, &got, NULL, NULL,
		                        &err) == BRISE_OK &&
		              !memcmp(got, wanted, t.vocab * sizeof *got),
		      "after the failure: %s", err.message);
		drafter_free(&d);
		brise_free_sampler(g.sampler);
		brise_free_sequence(sequence);
		brise_free_sequence(alone);
	}
	free(b.bytes);
}

static void limit(drafting *all, brise_model *model, budget memory)
{
	brise_memory_facts facts;
	uint64_t bytes;
	bool limited = brise_plan_memory(model, UINT64_MAX, &facts, sizeof facts, NULL) == BRISE_OK;

	bytes = memory == ALL_KEPT       ? UINT64_MAX
	        : memory == ALL_STREAMED ? facts.least
	                                 : (facts.least + facts.kept_bytes) / 2;
	limited = limited && brise_limit_memory(model, bytes, NULL, NULL, NULL, NULL) == BRISE_OK &&
	          brise_get_memory_facts(model, &facts, sizeof facts, NULL) == BRISE_OK;
	CHECK(all->counts, limited && (facts.streamed_bytes > 0) == (memory != ALL_KEPT),
	      "a limit on memory: %u bytes streamed", (unsigned)facts.streamed_bytes);
}

static void open_all(drafting *all, const char *folder)
{
	static const format_config *const shapes[N_SHAPES] = { &small_odd, &small_wide,
		                                               &small_open };
	brise_engine_options options = { .size = sizeof options, .threads = 1 };
	uint32_t types[TYPE_KINDS];
	char path[600];
	format_config shape;
	unsigned i, k;
	int memory;

	all->n_models = list_matrix_types(types);
	for (i = 0; i < all->n_models; i++)
		for (memory = MAPPED; memory < N_BUDGETS; memory++) {
			brise_model **model = &all->models[i][memory];

			shape = *shapes[i % N_SHAPES];
			shape.n_layers = 3; /* more than a stream's buffer holds */

			(void)snprintf(path, sizeof path, "%s/%u-%d.brise", folder, i, memory);
			small_write(&shape, types[i], path);
			brise_open_model(model, path, NULL, NULL);
			if (memory != MAPPED)
				limit(all, *model, (budget)memory);
			for (k = 0; k < N_ENGINES; k++) {
				options.rows = engine_rows[k];
				brise_new_engine(&all->engines[i][memory][k], *model, &options,
				                 NULL);
			}
		}
}

static void close_all(drafting *all)
{
	unsigned i, k, memory;

	for (i = 0; i < all->n_models; i++)
		for (memory = 0; memory < N_BUDGETS; memory++) {
			for (k = 0; k < N_ENGINES; k++)
				brise_free_engine(all->engines[i][memory][k]);
			brise_close_model(all->models[i][memory]);
		}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	drafting all = { .counts = &counts, .seed = 1 };
	char folder[512];
	unsigned i;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	open_all(&all, folder);
	RUN(test_drafts_and_limits_change_no_text(&all));
	for (i = 0; i < all.n_models; i++)
		RUN(test_storage_that_fails_under_drafts(&all, folder, i));
	close_all(&all);
	return check_report("drafted_text", &counts);
}
