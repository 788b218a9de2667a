/* test_sequences.c - sequences that share an engine: a row's bits depend on its own sequence alone,
 * whatever else is in the pass, is cancelled or is rewound */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "test/reference.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define MIXES     64u
#define STEPS     18u /* of a mix */
#define MOST      8u  /* sequences of a mix */
#define MOST_ROWS 9u  /* of a sequence in a pass */
#define LENGTH    160u

/* ---- random mixes --------------------------------------------------------------------------- */

/* A sequence in the mix, and the same tokens alone. */
typedef struct tracked {
	brise_sequence *mixed, *alone;
	const brise_sequence_facts *facts; /* of mixed */
	brise_sequence_options options;
	int32_t tokens[LENGTH]; /* evaluated so far, the first at options.position */
	unsigned n, n_alone;
} tracked;

typedef struct mix {
	check_counts *counts;
	const brise_model *model;
	brise_engine *engine, *alone; /* alone: the best kernels, one thread, one row a pass */
	tracked sequences[MOST];
	unsigned n_sequences;
	uint64_t seed;
	brise_row rows[MOST * MOST_ROWS];
	unsigned of[MOST * MOST_ROWS]; /* index of the row's sequence */
	unsigned n_rows;
	size_t next;   /* index that the logits callback must not be behind */
	float *logits; /* [n_rows][vocab] */
	unsigned compared, cancelled, rewound, refused;
} mix;

static unsigned below(mix *m, unsigned n)
{
	return (unsigned)(random_next(&m->seed) % n);
}

/* Windows, slacks and starts of all kinds; rings turn every 32 to 128 positions. */
static void add_sequence(mix *m, brise_kv_type kv)
{
	tracked *t = &m->sequences[m->n_sequences++];
	uint32_t window = m->model->config.window;
	brise_error err = { BRISE_OK, "" };

	memset(t, 0, sizeof *t);
	t->options = (brise_sequence_options){ .size = sizeof t->options, .kv = kv };
	t->options.slack = 1 + below(m, 20);
	t->options.context = LENGTH;
	if (window > 0 && below(m, 4) > 0)
		t->options.window = 1 + below(m, window < 40 ? window : 40);
	if (window > 32 && below(m, 4) == 0) { /* a ring that passes of few rows fill */
		t->options.window = 32 - below(m, 4);
		t->options.slack = 1;
	}
	window = t->options.window ? t->options.window : window;
	if (window > 1 && below(m, 3) == 0)
		t->options.sinks = 1 + below(m, window > 32 ? 32 : window - 1);
	if (below(m, 3) == 0)
		t->options.position = below(m, 1000);
	if (below(m, 6) == 0)
		t->options.position += UINT64_C(1) << (20 + below(m, 27));
	CHECK(m->counts, brise_new_sequence(&t->mixed, m->model, &t->options, &err) == BRISE_OK,
	      "%s", err.message);
	t->facts = brise_get_sequence_facts(t->mixed);
}

/* The logits after token `index`, from a sequence that nothing disturbs. */
static const float *expect(mix *m, tracked *t, unsigned index)
{
	const float *logits = NULL;
	brise_sequence_options options = t->options;

	if (t->alone && t->n_alone > index) {
		brise_free_sequence(t->alone);
		t->alone = NULL;
	}
	if (!t->alone) {
		options.slack = 64;
		(void)brise_new_sequence(&t->alone, m->model, &options, NULL);
		t->n_alone = 0;
	}
	CHECK(m->counts,
	      brise_eval_tokens(m->alone, t->alone, t->tokens + t->n_alone, index + 1 - t->n_alone,
	                        &logits, NULL, NULL, NULL) == BRISE_OK,
	      "token %u alone", index);
	t->n_alone = index + 1;
	return logits;
}

/* 1 to 9 rows of some of the sequences, shuffled. */
static void draw_rows(mix *m)
{
	unsigned left[MOST], total = 0, i;

	for (i = 0; i < m->n_sequences; i++) {
		const tracked *t = &m->sequences[i];
		unsigned most = MOST_ROWS;

		most = t->facts->pass_rows < most ? t->facts->pass_rows : most;
		most = LENGTH - t->n < most ? LENGTH - t->n : most;
		left[i] = below(m, 4) > 0 && most > 0 ? 1 + below(m, most) : 0;
		total += left[i];
	}
	for (m->n_rows = 0; m->n_rows < total;) {
		i = below(m, m->n_sequences);
		if (left[i] == 0)
			continue;
		left[i]--;
		m->of[m->n_rows] = i;
		m->rows[m->n_rows++] =
		        (brise_row){ m->sequences[i].mixed,
			             (int32_t)below(m, m->model->config.vocab), below(m, 3) > 0 };
	}
}

static bool keep_logits(void *user, size_t index, const float *logits)
{
	mix *m = user;
	uint32_t vocab = m->model->config.vocab;

	CHECK(m->counts, index >= m->next && index < m->n_rows && m->rows[index].logits,
	      "logits of row %zu", index);
	m->next = index + 1;
	memcpy(m->logits + index * vocab, logits, vocab * sizeof *logits);
	return false;
}

static void compare_rows(mix *m)
{
	size_t bytes = m->model->config.vocab * sizeof(float);
	unsigned at, i;

	for (i = 0; i < m->n_rows; i++) {
		tracked *t = &m->sequences[m->of[i]];

		t->tokens[t->n++] = m->rows[i].token;
	}
	for (i = 0; i < m->n_sequences; i++)
		CHECK(m->counts,
		      m->sequences[i].facts->position ==
		              m->sequences[i].options.position + m->sequences[i].n,
		      "position %u", (unsigned)m->sequences[i].facts->position);
	/* A sequence's first row of the pass comes before its others. */
	for (i = 0; i < m->n_sequences; i++) {
		tracked *t = &m->sequences[i];
		unsigned index = t->n;

		for (at = 0; at < m->n_rows; at++)
			index -= m->of[at] == i;
		for (at = 0; at < m->n_rows; at++) {
			if (m->of[at] != i)
				continue;
			if (m->rows[at].logits) {
				m->compared++;
				CHECK(m->counts,
				      !memcmp(m->logits + at * m->model->config.vocab,
				              expect(m, t, index), bytes),
				      "sequence %u, token %u: other logits than alone", i, index);
			}
			index++;
		}
	}
}

static bool count_down(void *user)
{
	mix *m = user;

	return m->cancelled-- == 0;
}

/* A pass that is cancelled at one of its layers. Positions stay, and what it wrote must not change
 * later results. */
static void run_cancelled(mix *m)
{
	unsigned before = m->cancelled, i;

	m->cancelled = below(m, m->model->config.n_layers);
	CHECK(m->counts,
	      brise_eval_rows(m->engine, m->rows, m->n_rows, NULL, count_down, m, NULL) ==
	              BRISE_ECANCELED,
	      "cancelled");
	m->cancelled = before + 1;
	for (i = 0; i < m->n_sequences; i++)
		CHECK(m->counts,
		      m->sequences[i].facts->position ==
		              m->sequences[i].options.position + m->sequences[i].n,
		      "a cancelled pass moved a sequence");
}

/* To a position that is still held, or the start; and now and then to one that is not. */
static void rewind_some(mix *m)
{
	unsigned i;

	for (i = 0; i < m->n_sequences; i++) {
		tracked *t = &m->sequences[i];
		uint64_t from = t->facts->rewind_from, to = t->facts->position, target;
		brise_error err = { BRISE_OK, "" };

		CHECK(m->counts, from <= to, "a sequence's own position is not held");
		if (below(m, 4) > 0)
			continue;
		if (from > t->facts->start + 1) {
			CHECK(m->counts,
			      brise_rewind_sequence(t->mixed, from - 1, &err) == BRISE_EINVAL &&
			              t->facts->position == to,
			      "rewound to what is not held");
			m->refused++;
		}
		target = below(m, 8) == 0 ? t->facts->start
		                          : from + below(m, (unsigned)(to - from + 1));
		CHECK(m->counts, brise_rewind_sequence(t->mixed, target, &err) == BRISE_OK, "%s",
		      err.message);
		t->n = (unsigned)(target - t->facts->start);
		/* From here on other tokens follow. */
		if (t->n_alone > t->n) {
			brise_free_sequence(t->alone);
			t->alone = NULL;
		}
		m->rewound++;
	}
}

static void run_mix(mix *m, brise_kv_type kv)
{
	unsigned wanted = 1 + below(m, MOST), step, i;
	brise_error err = { BRISE_OK, "" };

	m->n_sequences = 0;
	while (m->n_sequences < wanted)
		add_sequence(m, kv);
	for (step = 0; step < STEPS; step++) {
		draw_rows(m);
		if (m->n_rows > 0 && below(m, 4) == 0)
			run_cancelled(m);
		if (below(m, 4) == 0) {
			rewind_some(m);
			draw_rows(m);
		}
		m->next = 0;
		CHECK(m->counts,
		      brise_eval_rows(m->engine, m->rows, m->n_rows, keep_logits, NULL, m, &err) ==
		              BRISE_OK,
		      "%s", err.message);
		compare_rows(m);
	}
	for (i = 0; i < m->n_sequences; i++) {
		brise_free_sequence(m->sequences[i].mixed);
		brise_free_sequence(m->sequences[i].alone);
	}
}

/* 64 mixes with one kernel set: would catch rows that see each other, slots overwritten too early,
 * and bits that depend on the rows of a pass. */
static void test_mixes(check_counts *counts, const brise_model *const *models, unsigned n_models,
                       brise_kv_type kv, const char *arch)
{
	mix m = { .counts = counts, .seed = 14 };
	unsigned i;

	m.logits = calloc(MOST * MOST_ROWS * 160, sizeof *m.logits);
	for (i = 0; i < MIXES; i++) {
		m.model = models[i % n_models];
		CHECK(counts,
		      brise_new_engine(
		              &m.engine, m.model,
		              &(brise_engine_options){ .size = sizeof(brise_engine_options),
		                                       .rows = MOST * MOST_ROWS,
		                                       .threads = 1 + i % 3,
		                                       .arch = arch },
		              NULL) == BRISE_OK &&
		              brise_new_engine(
		                      &m.alone, m.model,
		                      &(brise_engine_options){ .size = sizeof(brise_engine_options),
		                                               .rows = 1,
		                                               .threads = 1,
		                                               .arch = getenv("BRISE_TEST_ARCH") },
		                      NULL) == BRISE_OK,
		      "engines");
		run_mix(&m, kv);
		brise_free_engine(m.engine);
		brise_free_engine(m.alone);
	}
	free(m.logits);
	CHECK(counts, m.compared > 1000 && m.cancelled > 50 && m.rewound > 50 && m.refused > 20,
	      "only %u logits compared, %u passes cancelled, %u rewound, %u refused", m.compared,
	      m.cancelled, m.rewound, m.refused);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_rows_are_checked(check_counts *counts, const brise_model *const *models)
{
	const brise_engine_options engine_options = { .size = sizeof engine_options, .rows = 64 };
	const brise_sequence_options short_slack = { .size = sizeof short_slack, .slack = 1 };
	uint32_t vocab = brise_get_model_facts(models[0])->vocab;
	brise_sequence *own, *foreign;
	const brise_sequence_facts *facts;
	brise_row rows[65];
	brise_engine *engine;
	brise_error err;
	unsigned i;

	CHECK(counts,
	      brise_new_engine(&engine, models[0], &engine_options, &err) == BRISE_OK &&
	              brise_new_sequence(&own, models[0], &short_slack, &err) == BRISE_OK &&
	              brise_new_sequence(&foreign, models[1], NULL, &err) == BRISE_OK,
	      "%s", err.message);
	facts = brise_get_sequence_facts(own);
	for (i = 0; i < 65; i++)
		rows[i] = (brise_row){ own, 1, false };
	CHECK(counts, brise_eval_rows(engine, rows, 65, NULL, NULL, NULL, &err) == BRISE_EINVAL,
	      "more rows than the engine takes");
	CHECK(counts,
	      brise_eval_rows(engine, rows, facts->pass_rows + 1, NULL, NULL, NULL, &err) ==
	              BRISE_EINVAL,
	      "more rows than the slack allows");
	rows[3].token = (int32_t)vocab;
	CHECK(counts, brise_eval_rows(engine, rows, 4, NULL, NULL, NULL, &err) == BRISE_EINVAL,
	      "an id outside the vocabulary");
	rows[3] = (brise_row){ foreign, 1, false };
	CHECK(counts, brise_eval_rows(engine, rows, 4, NULL, NULL, NULL, &err) == BRISE_EINVAL,
	      "another model's sequence");
	CHECK(counts,
	      brise_eval_tokens(engine, foreign, &(int32_t){ 1 }, 1, NULL, NULL, NULL, &err) ==
	              BRISE_EINVAL,
	      "another model's sequence");
	CHECK(counts, facts->position == 0, "something was evaluated");
	CHECK(counts,
	      brise_eval_rows(engine, rows, 3, NULL, NULL, NULL, &err) == BRISE_OK &&
	              facts->position == 3,
	      "%s", err.message);
	CHECK(counts, brise_rewind_sequence(own, 4, &err) == BRISE_EINVAL, "a position ahead");
	brise_free_engine(engine);
	brise_free_sequence(own);
	brise_free_sequence(foreign);
}

/* A sequence that starts close to the last position there is: would catch a limit that is checked
 * too late, or an overflow after it. */
static void test_positions_end(check_counts *counts, const brise_model *const *models,
                               unsigned n_models)
{
	brise_sequence_options options = { .size = sizeof options,
		                           .position = BRISE_POSITION_END - 5 };
	static const int32_t tokens[6] = { 1, 2, 3, 4, 5, 6 };
	const float *logits;
	brise_sequence *sequence;
	brise_engine *engine;
	brise_error err = { BRISE_OK, "" };
	unsigned i;

	for (i = 0; i < n_models; i++) {
		CHECK(counts,
		      brise_new_engine(&engine, models[i], NULL, &err) == BRISE_OK &&
		              brise_new_sequence(&sequence, models[i], &options, &err) == BRISE_OK,
		      "%s", err.message);
		CHECK(counts,
		      brise_eval_tokens(engine, sequence, tokens, 6, &logits, NULL, NULL, &err) ==
		                      BRISE_EFULL &&
		              brise_get_sequence_facts(sequence)->position == options.position,
		      "six tokens where five fit: %s", err.message);
		CHECK(counts,
		      brise_eval_tokens(engine, sequence, tokens, 5, &logits, NULL, NULL, &err) ==
		              BRISE_OK,
		      "%s", err.message);
		CHECK(counts, isfinite(logits[0]), "logits at the last position");
		CHECK(counts,
		      brise_eval_tokens(engine, sequence, tokens, 1, &logits, NULL, NULL, &err) ==
		              BRISE_EFULL,
		      "%s", err.message);
		CHECK(counts,
		      brise_eval_rows(engine, &(brise_row){ sequence, 1, false }, 1, NULL, NULL,
		                      NULL, &err) == BRISE_EFULL,
		      "%s", err.message);
		brise_free_sequence(sequence);
		brise_free_engine(engine);
	}
	options.position = BRISE_POSITION_END;
	CHECK(counts,
	      brise_new_sequence(&sequence, models[0], &options, &err) == BRISE_EINVAL && !sequence,
	      "a start past the last position");
}

/* ---- f32 caches longer than the scratch ----------------------------------------------------- */

/* Beyond 8,192 positions scores of the f32 path are computed twice instead of kept. */
static void test_f32_beyond_its_scratch(check_counts *counts, const char *path)
{
	const format_config tiny = { .dim = 16,
		                     .n_layers = 1,
		                     .n_heads = 1,
		                     .n_kv_heads = 1,
		                     .head_dim = 16,
		                     .hidden_dim = 16,
		                     .vocab = 40,
		                     .bos = 1,
		                     .eos = 2,
		                     .norm_eps = 1e-5f,
		                     .rope_theta = 1e4 };
	enum { N = 8200 };
	int32_t *tokens = malloc(N * sizeof *tokens);
	const brise_sequence_options options = { .size = sizeof options,
		                                 .kv = BRISE_KV_F32,
		                                 .context = N };
	brise_sequence *sequence = NULL;
	const float *logits = NULL;
	brise_engine *engine = NULL;
	brise_model *model = NULL;
	brise_error err = { BRISE_OK, "" };
	double error = 0, size = 0, *all;
	const double *expected;
	uint32_t i;

	small_write(&tiny, TYPE_F16, path);
	small_tokens(tokens, N, tiny.vocab, 3);
	CHECK(counts,
	      brise_open_model(&model, path, NULL, &err) == BRISE_OK &&
	              brise_new_engine(&engine, model, NULL, &err) == BRISE_OK &&
	              brise_new_sequence(&sequence, model, &options, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts,
	      brise_eval_tokens(engine, sequence, tokens, N, &logits, NULL, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	all = reference_logits(model, tokens, N);
	expected = all + (size_t)(N - 1) * tiny.vocab;
	for (i = 0; i < tiny.vocab; i++) {
		error += (logits[i] - expected[i]) * (logits[i] - expected[i]);
		size += expected[i] * expected[i];
	}
	CHECK(counts, sqrt(error / size) < 2e-6, "off by %g", sqrt(error / size));
	brise_free_sequence(sequence);
	brise_free_engine(engine);
	brise_close_model(model);
	(void)unlink(path);
	free(tokens), free(all);
}

/* ---- options -------------------------------------------------------------------------------- */

/* Programs built with an older or a newer header: shorter options have defaults, longer ones must
 * hold zeros where this library knows nothing. */
static void test_options_of_other_sizes(check_counts *counts, const brise_model *model)
{
	struct {
		brise_sequence_options known;
		uint64_t later;
	} longer = { { .size = sizeof longer, .context = 10 }, 0 };
	brise_sequence_options shorter = { .size = offsetof(brise_sequence_options, context),
		                           .context = 10 };
	brise_sequence *s = NULL;
	brise_error err;

	CHECK(counts, brise_new_sequence(&s, model, &longer.known, &err) == BRISE_OK, "longer");
	CHECK(counts, brise_get_sequence_facts(s)->slots == 10, "longer: context");
	brise_free_sequence(s);
	longer.later = 1;
	CHECK(counts, brise_new_sequence(&s, model, &longer.known, &err) == BRISE_EINVAL && !s,
	      "unknown bytes are set");
	CHECK(counts, brise_new_sequence(&s, model, &shorter, &err) == BRISE_OK, "shorter");
	CHECK(counts, brise_get_sequence_facts(s)->slots == 640,
	      "shorter: its context is not read");
	brise_free_sequence(s);
	shorter.size = 0;
	CHECK(counts, brise_new_sequence(&s, model, &shorter, &err) == BRISE_EINVAL && !s,
	      "size 0");
}

/* BRISE_TEST_ARCH limits slow builds, such as the thread sanitizer's, to one set. */
static void test_all_mixes(check_counts *counts, const brise_model *const *models,
                           unsigned n_models)
{
	const char *only = getenv("BRISE_TEST_ARCH");

	test_mixes(counts, models, n_models, BRISE_KV_INT8, only);
	test_mixes(counts, models, n_models, BRISE_KV_F32, only);
	if (only)
		return;
	test_mixes(counts, models, n_models, BRISE_KV_INT8, "scalar");
	test_mixes(counts, models, n_models, BRISE_KV_F32, "scalar");
}

int main(int argc, char **argv)
{
	static const format_config *const shapes[3] = { &small_odd, &small_wide, &small_open };
	check_counts counts = { 0, 0, 0 };
	uint32_t types[TYPE_KINDS];
	const unsigned n_models = list_matrix_types(types);
	brise_model *models[TYPE_KINDS] = { NULL };
	char folder[512], path[600];
	brise_error err;
	unsigned i;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	for (i = 0; i < n_models; i++) {
		(void)snprintf(path, sizeof path, "%s/%u.brise", folder, i);
		small_write(shapes[i % 3], types[i], path);
		if (brise_open_model(&models[i], path, NULL, &err) != BRISE_OK) {
			fprintf(stderr, "%s\n", err.message);
			return 1;
		}
		(void)unlink(path);
	}
	RUN(test_all_mixes(&counts, (const brise_model *const *)models, n_models));
	RUN(test_rows_are_checked(&counts, (const brise_model *const *)models));
	RUN(test_positions_end(&counts, (const brise_model *const *)models, n_models));
	RUN(test_f32_beyond_its_scratch(&counts, path));
	RUN(test_options_of_other_sizes(&counts, models[2]));
	for (i = 0; i < n_models; i++)
		brise_close_model(models[i]);
	(void)rmdir(folder);
	return check_report("sequences", &counts);
}
