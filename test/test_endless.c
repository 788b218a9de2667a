/* test_endless.c - streams without end: far positions, attention sinks, and the last token where
 * there is no window
 *
 * A token at position p depends on the last n_layers * (W - 1) + 1 tokens, whatever came before, so
 * a stream has the logits of a fresh sequence that begins n_layers * W positions earlier.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "test/reference.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define SMALL_LENGTH 700u /* more than three times n_layers * W of the small models */

static brise_engine *make_engine(check_counts *counts, const brise_model *model, uint32_t rows)
{
	const brise_engine_options options = { .size = sizeof options,
		                               .rows = rows,
		                               .threads = 2,
		                               .arch = getenv("BRISE_TEST_ARCH") };
	brise_engine *engine;
	brise_error err = { BRISE_OK, "" };

	CHECK(counts, brise_new_engine(&engine, model, &options, &err) == BRISE_OK, "%s",
	      err.message);
	return engine;
}

static brise_sequence *make_sequence(check_counts *counts, const brise_model *model,
                                     const brise_sequence_options *options)
{
	brise_sequence *sequence;
	brise_error err = { BRISE_OK, "" };

	CHECK(counts, brise_new_sequence(&sequence, model, options, &err) == BRISE_OK, "%s",
	      err.message);
	return sequence;
}

static const float *eval(check_counts *counts, brise_engine *engine, brise_sequence *sequence,
                         const int32_t *tokens, size_t n)
{
	const float *logits = NULL;
	brise_error err = { BRISE_OK, "" };

	CHECK(counts,
	      brise_eval_tokens(engine, sequence, tokens, n, &logits, NULL, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	return logits;
}

/* ---- far positions --------------------------------------------------------------------------- */

/* A stream of n tokens from a position on, in steps of uneven size, compared with fresh sequences
 * at the ends of some of them. */
typedef struct stream {
	const brise_model *model;
	brise_engine *engine, *other; /* other: for fresh sequences */
	brise_sequence_options options;
	uint32_t window;
	const int32_t *tokens; /* [n] */
	size_t n, step;
} stream;

static void compare_with_fresh(check_counts *counts, const stream *s, size_t done,
                               const float *logits)
{
	size_t reach = (size_t)s->model->config.n_layers * s->window;
	brise_sequence_options options = s->options;
	brise_sequence *fresh;
	const float *expected;

	options.position += done - reach;
	options.slack = 64;
	fresh = make_sequence(counts, s->model, &options);
	expected = eval(counts, s->other, fresh, s->tokens + done - reach, reach);
	CHECK(counts, !memcmp(logits, expected, s->model->config.vocab * sizeof *logits),
	      "position %" PRIu64 ", %zu after the start: other logits than a fresh sequence",
	      brise_get_sequence_facts(fresh)->position - 1, done - 1);
	brise_free_sequence(fresh);
}

static void run_stream(check_counts *counts, const stream *s)
{
	brise_sequence *sequence = make_sequence(counts, s->model, &s->options);
	const brise_sequence_facts *facts = brise_get_sequence_facts(sequence);
	size_t reach = (size_t)s->model->config.n_layers * s->window, done = 0, compared = 0;
	uint64_t kv_bytes = facts->kv_bytes;

	while (done < s->n) {
		size_t step = s->n - done < s->step ? s->n - done : s->step;
		const float *logits = eval(counts, s->engine, sequence, s->tokens + done, step);

		done += step;
		if (done > reach) {
			compare_with_fresh(counts, s, done, logits);
			compared++;
		}
	}
	CHECK(counts,
	      facts->position == s->options.position + s->n && facts->kv_bytes == kv_bytes &&
	              compared > 2,
	      "position %" PRIu64 ", %zu compared", facts->position, compared);
	brise_free_sequence(sequence);
}

/* Around ROPE_FIXED_FROM and 2^32, at 10 million, 2^40 and up to the last: would catch positions
 * that are narrowed or lose bits, slots that depend on them, and what remains of tokens that can
 * have no influence. */
static void test_streams_forget(check_counts *counts, const brise_model *const *models,
                                unsigned n_models)
{
	static const uint64_t starts[] = { 0,
		                           (UINT64_C(1) << 20) - 350,
		                           10000000,
		                           (UINT64_C(1) << 31) - 350,
		                           (UINT64_C(1) << 32) - 350,
		                           UINT64_C(1) << 40,
		                           BRISE_POSITION_END - SMALL_LENGTH };
	const unsigned n_starts = sizeof starts / sizeof *starts;
	static int32_t tokens[SMALL_LENGTH];
	unsigned m, i, kv;

	for (m = 0; m < n_models; m++) {
		const format_config *c = &models[m]->config;
		brise_engine *engine = make_engine(counts, models[m], 64),
		             *other = make_engine(counts, models[m], 32);

		small_tokens(tokens, SMALL_LENGTH, c->vocab, 15 + m);
		/* Shapes differ in all positions; another codebook in the first and the last. */
		for (i = 0; i < n_starts; i += m < 3 ? 1 : n_starts - 1)
			for (kv = 0; kv < 2; kv++) {
				stream s = { models[m],    engine,
					     other,        { .size = sizeof s.options },
					     c->window,    tokens,
					     SMALL_LENGTH, 23 + 31 * (i % 3) };

				s.options.kv = kv ? BRISE_KV_F32 : BRISE_KV_INT8;
				s.options.position = starts[i];
				if (c->window == 0)
					s.window = s.options.window = 50;
				run_stream(counts, &s);
			}
		brise_free_engine(engine);
		brise_free_engine(other);
	}
}

/* breeze, of 5 layers and a window of 256: at 10 million and 2^40. */
static void test_breeze_forgets(check_counts *counts, const char *path)
{
	static const uint64_t starts[] = { 10000000, UINT64_C(1) << 40 };
	enum { LENGTH = 1700 };
	static int32_t tokens[LENGTH];
	const char *build = getenv("BRISE_BUILD");
	char command[1400];
	brise_model *model = NULL;
	brise_error err = { BRISE_OK, "" };
	brise_engine *engine, *other;
	unsigned i;

	(void)snprintf(command, sizeof command,
	               "%s/brise convert test/models/breeze '%s' --effort fast 2>/dev/null",
	               build ? build : "build", path);
	CHECK(counts,
	      system(command) == 0 && brise_open_model(&model, path, NULL, &err) == BRISE_OK,
	      "breeze: %s", err.message);
	if (!model)
		return;
	engine = make_engine(counts, model, 256);
	other = make_engine(counts, model, 100);
	small_tokens(tokens, LENGTH, model->config.vocab, 3);
	for (i = 0; i < 2; i++) {
		stream s = {
			model,  engine, other, { .size = sizeof s.options }, model->config.window,
			tokens, LENGTH, 141
		};

		s.options.position = starts[i];
		run_stream(counts, &s);
	}
	brise_free_engine(engine);
	brise_free_engine(other);
	brise_close_model(model);
	(void)unlink(path);
}

/* ---- attention sinks ------------------------------------------------------------------------- */

/* Windows and sinks of all kinds for models with float arithmetic, one of them with scaled
 * frequencies, magnitudes and queries, against a second implementation: would catch sinks at the
 * wrong distance, in the wrong number or overwritten. */
static void test_sinks_are_those_of_the_paper(check_counts *counts,
                                              const brise_model *const models[3])
{
	static const uint32_t shapes[][2] = { { 11, 4 }, { 10, 9 }, { 12, 3 },
		                              { 2, 1 },  { 7, 1 },  { 5, 2 } };
	enum { LENGTH = 90 };
	int32_t tokens[LENGTH];
	unsigned i, t, v;

	for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		const brise_model *model = models[i % 3];
		uint32_t vocab = model->config.vocab;
		const brise_sequence_options options = { .size = sizeof options,
			                                 .kv = BRISE_KV_F32,
			                                 .window = shapes[i][0],
			                                 .sinks = shapes[i][1] };
		brise_engine *engine = make_engine(counts, model, 16);
		brise_sequence *sequence = make_sequence(counts, model, &options);
		const float *logits;
		double *expected;

		small_tokens(tokens, LENGTH, vocab, 5);
		expected = reference_sink_logits(model, tokens, LENGTH, shapes[i][0], shapes[i][1]);
		for (t = 0; t < LENGTH; t++) {
			const double *right = expected + (size_t)t * vocab;
			double error = 0, size = 0;

			logits = eval(counts, engine, sequence, tokens + t, 1);
			for (v = 0; v < vocab; v++) {
				double off = (double)logits[v] - right[v];

				error += off * off;
				size += right[v] * right[v];
			}
			CHECK(counts, sqrt(error / size) < 4e-6,
			      "window %u, %u sinks, token %u: off by %g", shapes[i][0],
			      shapes[i][1], t, sqrt(error / size));
		}
		free(expected);
		brise_free_sequence(sequence);
		brise_free_engine(engine);
	}
}

/* Sinks change nothing until the text is longer than the window, and then they do. */
static void test_sinks_begin_beyond_the_window(check_counts *counts, const brise_model *model)
{
	brise_sequence_options options = { .size = sizeof options, .window = 40 };
	brise_engine *engine = make_engine(counts, model, 64),
	             *other = make_engine(counts, model, 64);
	brise_sequence *without = make_sequence(counts, model, &options), *with;
	size_t bytes = model->config.vocab * sizeof(float);
	int32_t tokens[41];
	const float *a, *b;

	options.sinks = 4;
	with = make_sequence(counts, model, &options);
	CHECK(counts,
	      brise_get_sequence_facts(with)->sinks == 4 &&
	              brise_get_sequence_facts(with)->kv_bytes >
	                      brise_get_sequence_facts(without)->kv_bytes,
	      "facts of sinks");
	small_tokens(tokens, 41, model->config.vocab, 8);
	a = eval(counts, engine, without, tokens, 40);
	b = eval(counts, other, with, tokens, 40);
	CHECK(counts, !memcmp(a, b, bytes), "sinks within the window change the logits");
	a = eval(counts, engine, without, tokens + 40, 1);
	b = eval(counts, other, with, tokens + 40, 1);
	CHECK(counts, memcmp(a, b, bytes) != 0, "sinks beyond the window change nothing");
	brise_free_sequence(without);
	brise_free_sequence(with);
	brise_free_engine(engine);
	brise_free_engine(other);
}

/* The same tokens in one pass and one by one, and again after a rewind: would catch bits that
 * depend on the rows of a pass, and sinks of an earlier text. */
static void test_sinks_do_not_depend_on_passes(check_counts *counts, const brise_model *model)
{
	enum { LENGTH = 150 };
	brise_sequence_options options = { .size = sizeof options,
		                           .window = 40,
		                           .sinks = 4,
		                           .position = (UINT64_C(1) << 40) + 7 };
	brise_engine *engine = make_engine(counts, model, 64),
	             *other = make_engine(counts, model, 64);
	brise_sequence *together = make_sequence(counts, model, &options),
	               *single = make_sequence(counts, model, &options);
	size_t bytes = model->config.vocab * sizeof(float), i;
	int32_t tokens[LENGTH];
	const float *a, *b = NULL;

	small_tokens(tokens, LENGTH, model->config.vocab, 80);
	(void)eval(counts, other, single, tokens + 9, LENGTH - 9); /* another text first */
	CHECK(counts, brise_rewind_sequence(single, options.position, NULL) == BRISE_OK, "rewind");
	a = eval(counts, engine, together, tokens, LENGTH);
	for (i = 0; i < LENGTH; i++)
		b = eval(counts, other, single, tokens + i, 1);
	CHECK(counts, !memcmp(a, b, bytes), "one by one: other logits");
	brise_free_sequence(together);
	brise_free_sequence(single);
	brise_free_engine(engine);
	brise_free_engine(other);
}

static void test_sinks_that_cannot_be_are_refused(check_counts *counts,
                                                  const brise_model *const models[3])
{
	static const struct {
		unsigned model;
		uint32_t window, sinks;
	} cases[] = {
		{ 2, 0, 4 }, { 0, 0, 11 }, { 0, 5, 5 }, { 2, 400, 33 }, { 2, 400, UINT32_MAX }
	};
	unsigned i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const brise_sequence_options options = { .size = sizeof options,
			                                 .window = cases[i].window,
			                                 .sinks = cases[i].sinks };
		brise_sequence *sequence;
		brise_error err = { BRISE_OK, "" };

		CHECK(counts,
		      brise_new_sequence(&sequence, models[cases[i].model], &options, &err) ==
		                      BRISE_EINVAL &&
		              !sequence && strstr(err.message, "sinks"),
		      "%u sinks in a window of %u: %s", cases[i].sinks, cases[i].window,
		      err.message);
	}
}

/* ---- no window ------------------------------------------------------------------------------- */

/* The last position of the context is used, at every place in memory; the next is refused with a
 * reason and nothing is lost. */
static void test_a_context_ends_after_its_last_token(check_counts *counts, const brise_model *model)
{
	static const uint32_t contexts[] = { 1, 31, 32, 33, 100 };
	static const uint64_t starts[] = { 0, 5, UINT64_C(1) << 40 };
	int32_t tokens[101];
	unsigned i, k, done;

	small_tokens(tokens, 101, model->config.vocab, 8);
	for (i = 0; i < sizeof contexts / sizeof *contexts; i++)
		for (k = 0; k < sizeof starts / sizeof *starts; k++) {
			const brise_sequence_options options = { .size = sizeof options,
				                                 .context = contexts[i],
				                                 .position = starts[k] };
			brise_engine *engine = make_engine(counts, model, 8);
			brise_sequence *sequence = make_sequence(counts, model, &options);
			const brise_sequence_facts *facts = brise_get_sequence_facts(sequence);
			brise_error err = { BRISE_OK, "" };

			CHECK(counts,
			      brise_eval_tokens(engine, sequence, tokens, contexts[i] + 1, NULL,
			                        NULL, NULL, &err) == BRISE_EFULL &&
			              facts->position == starts[k],
			      "one token too many at once");
			for (done = 0; done < contexts[i]; done++)
				(void)eval(counts, engine, sequence, tokens + done, 1);
			CHECK(counts,
			      brise_eval_tokens(engine, sequence, tokens, 1, NULL, NULL, NULL,
			                        &err) == BRISE_EFULL &&
			              facts->position == starts[k] + contexts[i] &&
			              facts->position == facts->end &&
			              strstr(err.message, "this model has no window"),
			      "the token after the last: %s", err.message);
			CHECK(counts,
			      brise_rewind_sequence(sequence, facts->end - 1, &err) == BRISE_OK,
			      "%s", err.message);
			(void)eval(counts, engine, sequence, tokens, 1);
			brise_free_sequence(sequence);
			brise_free_engine(engine);
		}
}

int main(int argc, char **argv)
{
	static const format_config *const shapes[3] = { &small_odd, &small_wide, &small_open };
	/* then the shape of the second with every other codebook */
	uint32_t types[3 + TYPE_KINDS] = { TYPE_F16, next_book_type(0), TYPE_F16 }, type = types[1];
	const brise_model *with_sinks[3];
	brise_model *scaled = NULL;
	check_counts counts = { 0, 0, 0 };
	brise_model *open[3 + TYPE_KINDS] = { NULL };
	const brise_model *models[3 + TYPE_KINDS];
	char folder[512], path[600];
	brise_error err;
	unsigned i, n_models = 3;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	while ((type = next_book_type(type)) != 0)
		types[n_models++] = type;
	for (i = 0; i < n_models; i++) {
		(void)snprintf(path, sizeof path, "%s/%u.brise", folder, i);
		small_write(shapes[i < 3 ? i : 1], types[i], path);
		if (brise_open_model(&open[i], path, NULL, &err) != BRISE_OK) {
			fprintf(stderr, "%s\n", err.message);
			return 1;
		}
		models[i] = open[i];
		(void)unlink(path);
	}
	RUN(test_streams_forget(&counts, models, n_models));
	RUN(test_breeze_forgets(&counts, path));
	small_write(&small_scaled, TYPE_F16, path);
	CHECK(&counts, brise_open_model(&scaled, path, NULL, &err) == BRISE_OK, "%s", err.message);
	(void)unlink(path);
	with_sinks[0] = models[0], with_sinks[1] = models[2], with_sinks[2] = scaled;
	if (scaled)
		RUN(test_sinks_are_those_of_the_paper(&counts, with_sinks));
	brise_close_model(scaled);
	RUN(test_sinks_begin_beyond_the_window(&counts, models[1]));
	RUN(test_sinks_do_not_depend_on_passes(&counts, models[1]));
	RUN(test_sinks_that_cannot_be_are_refused(&counts, models));
	RUN(test_a_context_ends_after_its_last_token(&counts, models[2]));
	for (i = 0; i < n_models; i++)
		brise_close_model(open[i]);
	(void)rmdir(folder);
	return check_report("endless", &counts);
}
