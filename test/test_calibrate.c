/* test_calibrate.c - moments against double arithmetic over independently observed inputs;
 * interrupted and exchanged runs, full disks; inconsistent files
 *
 * Inputs are observed in two more ways: in the usual pass, in other chunks (the same bits), and in
 * test/reference.h's pass (doubles, but the cache is not int8).
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "convert/calibration/calibrate.h"
#include "convert/calibration/calibration.h"
#include "convert/convert.h"
#include "runtime/eval/attention.h"
#include "runtime/eval/forward.h"
#include "runtime/model/crc32.h"
#include "test/check.h"
#include "test/evaluator.h"
#include "test/reference.h"
#include "test/small_model.h"
#include "test/whole_file.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TOKENS        530u /* three chunks, the last short */
#define LAYERS_MAX    3u

static char folder[256], model_path[300], cal[300], unfinished[320], other[300], target[300];

/* ---- files ----------------------------------------------------------------------------------- */

static bool is_line(const brise_error *err, const char *word)
{
	return strstr(err->message, word) != NULL && strchr(err->message, '\n') == NULL;
}

/* Files in the tests' folder. */
static unsigned folder_entries(void)
{
	struct dirent *entry;
	unsigned n = 0;
	DIR *d = opendir(folder);

	while (d && (entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static brise_model *open_model(const format_config *config, uint32_t type)
{
	brise_model *model;
	brise_error err;

	small_write(config, type, model_path);
	if (brise_open_model(&model, model_path, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return model;
}

static brise_status calibrate(const brise_model *model, const int32_t *ids, size_t n,
                              const calibrate_options *options, calibrate_result *result,
                              brise_error *err)
{
	return calibrate_model(model, ids, n, cal, options, result, err);
}

/* The file of an uninterrupted run. */
static file calibrated(check_counts *counts, const brise_model *model, const int32_t *ids, size_t n,
                       const calibrate_options *options)
{
	brise_error err = { BRISE_OK, "" };
	calibrate_result result = { 0, 9, 0 };
	file f;

	(void)unlink(cal), (void)unlink(unfinished);
	CHECK(counts, calibrate(model, ids, n, options, &result, &err) == BRISE_OK, "%s",
	      err.message);
	f = read_file(cal);
	CHECK(counts, f.size == result.file_bytes && result.resumed == 0,
	      "%zu bytes, said to be %llu", f.size, (unsigned long long)result.file_bytes);
	CHECK(counts, !exists(unfinished), "a finished run leaves nothing else");
	(void)unlink(cal);
	return f;
}

/* ---- moments --------------------------------------------------------------------------------- */

/* Inputs of the matrices: [layer][input of the layer] and the output's after the layers,
 * [TOKENS][cols]. */
typedef struct seen {
	const format_config *c;
	double *rows[LAYERS_MAX * 4 + 1];
	size_t n[LAYERS_MAX * 4 + 1];
} seen;

static uint32_t cols_of(const format_config *c, uint32_t index)
{
	const uint32_t cols[] = { c->dim, c->n_heads * c->head_dim, c->dim, c->hidden_dim };

	return index == c->n_layers * 4 ? c->dim : cols[index % 4];
}

static uint32_t index_of(const format_config *c, uint32_t kind, uint32_t layer)
{
	return kind == TENSOR_OUTPUT ? c->n_layers * 4
	                             : layer * 4 + (kind == TENSOR_WQ   ? 0u
	                                            : kind == TENSOR_WO ? 1u
	                                            : kind == TENSOR_W1 ? 2u
	                                                                : 3u);
}

static void start_seeing(seen *s, const format_config *c)
{
	uint32_t i;

	memset(s, 0, sizeof *s);
	s->c = c;
	for (i = 0; i <= c->n_layers * 4; i++)
		s->rows[i] = calloc((size_t)TOKENS * cols_of(c, i), sizeof **s->rows);
}

static void stop_seeing(seen *s)
{
	uint32_t i;

	for (i = 0; i <= s->c->n_layers * 4; i++)
		free(s->rows[i]);
}

static void see(void *user, uint32_t kind, uint32_t layer, const float *rows, size_t stride,
                uint32_t n)
{
	seen *s = user;
	uint32_t index = index_of(s->c, kind, layer), cols = cols_of(s->c, index), t, i;

	for (t = 0; t < n && s->n[index] < TOKENS; t++, s->n[index]++)
		for (i = 0; i < cols; i++)
			s->rows[index][s->n[index] * cols + i] = (double)rows[t * stride + i];
}

static void see_usual_pass(check_counts *counts, seen *s, const brise_model *model,
                           const int32_t *ids)
{
	const evaluator_options o = { .chunk = 37, .threads = 1, .context = TOKENS };
	uint32_t done, n;
	evaluator e;

	start_seeing(s, &model->config);
	CHECK(counts, evaluator_open(&e, model, o, NULL) == BRISE_OK, "engine");
	for (done = 0; done < TOKENS; done += n) {
		n = TOKENS - done < o.chunk ? TOKENS - done : o.chunk;
		pass_plan_run(&e.engine->pass, e.sequence, ids + done, n,
		              attention_block_rows(&model->config));
		CHECK(counts,
		      forward_pass(e.engine, &e.engine->pass, false, (forward_observer){ see, s },
		                   NULL, NULL, NULL) == BRISE_OK,
		      "evaluation");
	}
	evaluator_close(&e);
}

static void see_doubles(void *user, uint32_t kind, uint32_t layer, const double *rows)
{
	seen *s = user;
	uint32_t index = index_of(s->c, kind, layer);

	memcpy(s->rows[index], rows, (size_t)TOKENS * cols_of(s->c, index) * sizeof *rows);
	s->n[index] = TOKENS;
}

static void see_reference_pass(seen *s, const brise_model *model, const int32_t *ids)
{
	start_seeing(s, &model->config);
	free(reference_observe(model, ids, TOKENS, see_doubles, s));
}

/* sum over tokens of x_i x_j, by tokens */
static double mean_product(const seen *s, uint32_t index, uint32_t i, uint32_t j)
{
	uint32_t cols = cols_of(s->c, index);
	double sum = 0;
	size_t t;

	for (t = 0; t < TOKENS; t++)
		sum += s->rows[index][t * cols + i] * s->rows[index][t * cols + j];
	return sum / TOKENS;
}

/* Largest difference of mean squares, as a part of the input's mean over all columns, and of
 * correlations. The file is read as convert/calibration/calibration.h describes it. */
static void differ(const file *f, const seen *s, uint32_t index, uint32_t span, double *squares_off,
                   double *correlations_off)
{
	calibration_input in;
	const float *squares;
	const int16_t *correlation;
	uint32_t cols = cols_of(s->c, index), i, j;
	double expected[512], mean = 0;

	*squares_off = *correlations_off = 1e9;
	memcpy(&in, f->bytes + 128 + index * sizeof in, sizeof in);
	if (in.cols != cols || in.offset % 64 != 0 || in.offset + in.bytes > f->size ||
	    s->n[index] != TOKENS)
		return;
	squares = (const float *)(const void *)(f->bytes + in.offset);
	correlation = (const int16_t *)(const void *)(squares + cols);
	*squares_off = *correlations_off = 0;
	for (i = 0; i < cols; i++)
		mean += (expected[i] = mean_product(s, index, i, i)) / cols;
	for (i = 0; i < cols; i++) {
		*squares_off = fmax(*squares_off, fabs((double)squares[i] - expected[i]) / mean);
		for (j = span ? i / span * span : i; j < i; j++)
			*correlations_off = fmax(*correlations_off,
			                         fabs(*correlation++ / 32767.0 -
			                              mean_product(s, index, i, j) /
			                                      sqrt(expected[i] * expected[j])));
	}
	if ((const uint8_t *)correlation != f->bytes + in.offset + in.bytes)
		*correlations_off = 1e9;
}

/* Catches inputs of the wrong matrix or layer, tokens left out or counted twice at chunks, states
 * of the wrong layer, spans out of place. */
static void test_moments_are_those_of_the_inputs(check_counts *counts, const format_config *config,
                                                 uint32_t span)
{
	brise_model *model = open_model(config, TYPE_F16);
	calibrate_options options = { .span = span, .threads = 2 };
	int32_t ids[TOKENS];
	double squares, correlations;
	seen usual, doubles;
	uint32_t i;
	file f;

	small_tokens(ids, TOKENS, config->vocab, 9);
	f = calibrated(counts, model, ids, TOKENS, &options);
	see_usual_pass(counts, &usual, model, ids);
	see_reference_pass(&doubles, model, ids);
	for (i = 0; i <= config->n_layers * 4; i++) {
		if (i < config->n_layers * 4) {
			differ(&f, &usual, i, span, &squares, &correlations);
			CHECK(counts, squares < 1e-6 && correlations < 0.5 / 32767 + 1e-5,
			      "width %u, span %u, input %u: squares off by %g, correlations by %g",
			      config->dim, span, i, squares, correlations);
		}
		differ(&f, &doubles, i, span, &squares, &correlations);
		CHECK(counts, squares < 0.05 && correlations < 0.02,
		      "width %u, span %u, input %u against the reference: squares off by %g, "
		      "correlations by %g",
		      config->dim, span, i, squares, correlations);
	}
	stop_seeing(&usual), stop_seeing(&doubles);
	free(f.bytes);
	brise_close_model(model);
}

static void test_any_threads_and_kernels_give_the_same_file(check_counts *counts,
                                                            const format_config *config)
{
	static const uint32_t threads[] = { 1, 3, 2 };
	const char *only = getenv("BRISE_TEST_ARCH");
	brise_model *model = open_model(config, TYPE_F16);
	calibrate_options options = { .span = 64, .threads = 1 };
	int32_t ids[TOKENS];
	arch_cpu cpu;
	size_t i;
	file first, f;

	arch_detect(&cpu);
	small_tokens(ids, TOKENS, config->vocab, 10);
	first = calibrated(counts, model, ids, TOKENS, &options);
	for (i = 0; i < LENGTH(threads); i++) {
		options.threads = threads[i];
		f = calibrated(counts, model, ids, TOKENS, &options);
		CHECK(counts, is_same(&first, &f), "%u threads", threads[i]);
		free(f.bytes);
	}
	for (i = 0; arch_list(i); i++) {
		arch_kernels set;

		if (!arch_choose(&set, arch_list(i)->name, &cpu) ||
		    (only && *only && strcmp(only, arch_list(i)->name) != 0))
			continue;
		options.arch = arch_list(i)->name;
		f = calibrated(counts, model, ids, TOKENS, &options);
		CHECK(counts, is_same(&first, &f), "%s", options.arch);
		free(f.bytes);
	}
	free(first.bytes);
	brise_close_model(model);
}

/* ---- interruptions --------------------------------------------------------------------------- */

typedef struct countdown {
	unsigned left;
} countdown;

static bool count_down(void *user)
{
	countdown *c = user;

	return c->left == 0 || c->left-- == 0;
}

/* Runs until the cancel function has been called `asked` times. */
static brise_status run_part(const brise_model *model, const int32_t *ids, size_t n,
                             calibrate_options options, unsigned asked, calibrate_result *result,
                             brise_error *err)
{
	countdown c = { asked };

	options.cancel = count_down;
	options.user = &c;
	return calibrate(model, ids, n, &options, result, err);
}

/* At every call of cancel, and twice in a row. There are three calls for the embedding, for each
 * layer and for the output. */
static void test_interrupted_runs_go_on_to_the_same_file(check_counts *counts)
{
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = { .span = 32, .threads = 2 };
	int32_t ids[TOKENS];
	brise_error err;
	file whole, f;
	unsigned asked, twice;

	small_tokens(ids, TOKENS, small_odd.vocab, 11);
	whole = calibrated(counts, model, ids, TOKENS, &options);
	for (twice = 0; twice < 2; twice++)
		for (asked = 0; asked < 12; asked++) {
			uint32_t done = asked < 6 ? 0 : asked / 3 - 1;
			calibrate_result result = { 0, 9, 0 };

			err.message[0] = 0;
			CHECK(counts,
			      run_part(model, ids, TOKENS, options, asked, NULL, &err) ==
			              BRISE_ECANCELED,
			      "question %u", asked);
			CHECK(counts,
			      done > 0 ? strstr(err.message, "the same command resumes there") &&
			                         strstr(err.message, unfinished)
			               : strstr(err.message, "nothing was written") != NULL,
			      "%s", err.message);
			CHECK(counts, exists(unfinished) == (done > 0) && !exists(cal),
			      "after question %u", asked);
			if (twice)
				CHECK(counts,
				      run_part(model, ids, TOKENS, options, 1, NULL, &err) ==
				              BRISE_ECANCELED,
				      "question %u, again", asked);
			options.threads = 1 + asked % 3;
			CHECK(counts,
			      calibrate(model, ids, TOKENS, &options, &result, &err) == BRISE_OK,
			      "question %u: %s", asked, err.message);
			CHECK(counts, result.resumed == done,
			      "question %u: resumed after layer %u, expected %u", asked,
			      result.resumed, done);
			f = read_file(cal);
			CHECK(counts, is_same(&whole, &f), "question %u: another file", asked);
			CHECK(counts, !exists(unfinished), "question %u: the unfinished file stays",
			      asked);
			free(f.bytes);
			(void)unlink(cal);
		}
	free(whole.bytes);
	brise_close_model(model);
}

static char noted[1024]; /* all lines of a run, one after another */

static void note(void *user, const char *line)
{
	(void)user;
	(void)snprintf(noted + strlen(noted), sizeof noted - strlen(noted), "%s\n", line);
}

/* Where the states that the next layer starts from lie, of a file with two layers done. */
static size_t states_at(const file *f)
{
	calibration_header h;

	memcpy(&h, f->bytes, sizeof h);
	return (size_t)h.file_bytes / 64 * 64 + 64;
}

/* A run interrupted with one text, model or span is not resumed by another, nor is one with damaged
 * moments or states. */
static void test_another_run_begins_anew(check_counts *counts)
{
	format_config changed = small_odd;
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = { .span = 32, .threads = 2, .note = note },
	                  wider = { .span = 64, .threads = 2, .note = note };
	int32_t ids[TOKENS], others[TOKENS];
	brise_error err = { BRISE_OK, "" };
	file expected, f;
	int what;

	small_tokens(ids, TOKENS, small_odd.vocab, 12);
	memcpy(others, ids, sizeof ids);
	others[TOKENS - 1] ^= 1;
	changed.rope_theta *= 2;
	for (what = 0; what < 9; what++) {
		const calibrate_options *o = what == 3 ? &wider : &options;
		const int32_t *text = what == 1 ? others : ids;
		size_t n = what == 2 ? TOKENS - 1 : TOKENS;
		calibrate_result result = { 0, 9, 0 };

		CHECK(counts,
		      run_part(model, ids, TOKENS, options, 10, NULL, &err) == BRISE_ECANCELED,
		      "interrupted");
		f = read_file(unfinished);
		if (what == 5) /* within the moments of layer 0 */
			f.bytes[128 + 9 * 32 + 100] ^= 1;
		if (what == 7) /* the first and the last of the states */
			f.bytes[states_at(&f)] ^= 1;
		if (what == 8)
			f.bytes[states_at(&f) + (f.size - states_at(&f)) / 2 - 1] ^= 0x80;
		if (what == 4 || what == 6) { /* another configuration; other weights */
			brise_close_model(model);
			model = what == 4 ? open_model(&changed, TYPE_F16)
			                  : open_model(&small_odd, TYPE_Q8);
		}
		expected = calibrated(counts, model, text, n, o);
		write_file(unfinished, f.bytes, f.size);
		free(f.bytes);
		noted[0] = 0;
		CHECK(counts, calibrate(model, text, n, o, &result, &err) == BRISE_OK, "%s",
		      err.message);
		CHECK(counts,
		      what == 0 ? !noted[0]
		                : strstr(noted, unfinished) &&
		                          strstr(noted, what == 5 || what >= 7 ? "damaged"
		                                                               : "another model") &&
		                          strchr(noted, '\n')[1] == 0,
		      "case %d: notes '%s'", what, noted);
		CHECK(counts, result.resumed == (what == 0 ? 2u : 0u),
		      "case %d: resumed after layer %u", what, result.resumed);
		f = read_file(cal);
		CHECK(counts, is_same(&expected, &f), "case %d: another file than from nothing",
		      what);
		free(f.bytes), free(expected.bytes);
		(void)unlink(cal);
		if (what == 4 || what == 6) {
			brise_close_model(model);
			model = open_model(&small_odd, TYPE_F16);
		}
	}
	brise_close_model(model);
}

/* Killed between the last save and the new name: everything is there, with the states after it or
 * cut off. */
static void test_complete_files_are_only_finished(check_counts *counts)
{
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = { .span = 32, .threads = 2, .note = note };
	int32_t ids[TOKENS];
	brise_error err = { BRISE_OK, "" };
	file whole, part, f;
	const unsigned inputs = small_odd.n_layers * CALIBRATION_PER_LAYER + 1;
	calibration_input last;
	uint8_t *bytes;
	size_t end; /* of the moments; the text is written anew */
	int what;

	small_tokens(ids, TOKENS, small_odd.vocab, 20);
	whole = calibrated(counts, model, ids, TOKENS, &options);
	CHECK(counts, run_part(model, ids, TOKENS, options, 10, NULL, &err) == BRISE_ECANCELED,
	      "interrupted");
	part = read_file(unfinished);
	bytes = calloc(1, part.size);
	memcpy(bytes, whole.bytes, whole.size);
	memcpy(&last, bytes + sizeof(calibration_header) + (inputs - 1) * sizeof last, sizeof last);
	end = (size_t)(last.offset + last.bytes);
	for (what = 0; what < 4; what++) {
		calibrate_result result = { 0, 9, 0 };
		bool damaged = what >= 2;

		bytes[end - 1] ^= damaged;
		write_file(unfinished, bytes, what % 2 ? whole.size : part.size);
		bytes[end - 1] ^= damaged;
		noted[0] = 0;
		/* The cancel function is called after each input that is checked, and leaves the
		 * file; there are no more calls, since nothing is computed. */
		if (!damaged)
			CHECK(counts,
			      run_part(model, ids, TOKENS, options, inputs - 1, NULL, &err) ==
			                      BRISE_ECANCELED &&
			              is_line(&err, unfinished) && exists(unfinished) &&
			              !exists(cal),
			      "case %d: %s", what, err.message);
		CHECK(counts,
		      run_part(model, ids, TOKENS, options, damaged ? 1000 : inputs, &result,
		               &err) == BRISE_OK,
		      "case %d: %s", what, err.message);
		CHECK(counts, result.resumed == (damaged ? 0u : 2u) && !noted[0] == !damaged,
		      "case %d: resumed after layer %u, notes '%s'", what, result.resumed, noted);
		f = read_file(cal);
		CHECK(counts, is_same(&whole, &f) && !exists(unfinished), "case %d: another file",
		      what);
		free(f.bytes);
		(void)unlink(cal);
	}
	free(bytes), free(whole.bytes), free(part.bytes);
	brise_close_model(model);
}

/* A file of the name that a run uses may belong to another program. */
static void test_what_is_no_calibration_is_not_overwritten(check_counts *counts)
{
	static const char letter[] =
	        "Dear reader, this file took a year to write and has no copy anywhere. It is "
	        "longer than a header of 128 bytes, as letters tend to be, too.";
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = { .span = 32, .threads = 1 };
	static const size_t sizes[] = { 1, 7, 100, sizeof letter };
	brise_error err;
	int32_t id = 1;
	size_t i;

	for (i = 0; i < LENGTH(sizes); i++) {
		file f, expected = { (uint8_t *)(uintptr_t)letter, sizes[i] };

		write_file(unfinished, letter, sizes[i]);
		CHECK(counts,
		      calibrate(model, &id, 1, &options, NULL, &err) == BRISE_EIO &&
		              is_line(&err, unfinished),
		      "%zu bytes: %s", sizes[i], err.message);
		f = read_file(unfinished);
		CHECK(counts, is_same(&f, &expected) && !exists(cal), "%zu bytes were touched",
		      sizes[i]);
		free(f.bytes);
	}
	write_file(unfinished, (const char[200]){ 0 }, 200);
	CHECK(counts, calibrate(model, &id, 1, &options, NULL, &err) == BRISE_EIO && !exists(cal),
	      "zeros are no mark of a calibration: %s", err.message);
	write_file(unfinished, (const char[160]){ "BRISECAL\1\0\0\0 of another program" }, 160);
	CHECK(counts, calibrate(model, &id, 1, &options, NULL, &err) == BRISE_EIO && !exists(cal),
	      "nor is the magic alone: %s", err.message);
	write_file(unfinished, "", 0); /* killed before anything was written */
	CHECK(counts, calibrate(model, &id, 1, &options, NULL, &err) == BRISE_OK, "empty: %s",
	      err.message);
	(void)unlink(cal);
	brise_close_model(model);
}

/* The beginning of another text overwrites the states that the first run's header describes. */
static void test_a_run_overwritten_by_another_does_not_go_on(check_counts *counts)
{
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = { .span = 32, .threads = 2 };
	int32_t ids[TOKENS], others[TOKENS];
	brise_error err = { BRISE_OK, "" };
	unsigned asked;
	file whole, f;

	small_tokens(ids, TOKENS, small_odd.vocab, 13);
	small_tokens(others, TOKENS, small_odd.vocab, 14);
	whole = calibrated(counts, model, ids, TOKENS, &options);
	for (asked = 1; asked < 6; asked++) {
		CHECK(counts,
		      run_part(model, ids, TOKENS, options, 10, NULL, &err) == BRISE_ECANCELED,
		      "the first text");
		CHECK(counts,
		      run_part(model, others, TOKENS, options, asked, NULL, &err) ==
		              BRISE_ECANCELED,
		      "the second text");
		CHECK(counts, calibrate(model, ids, TOKENS, &options, NULL, &err) == BRISE_OK, "%s",
		      err.message);
		f = read_file(cal);
		CHECK(counts, is_same(&whole, &f),
		      "after %u questions of another run: another file", asked);
		free(f.bytes);
		(void)unlink(cal);
	}
	free(whole.bytes);
	brise_close_model(model);
}

/* An unfinished file is untrusted input: with valid checksums it may contain anything. Catches
 * offsets that are used unchecked. */
static void test_lying_unfinished_files_do_no_harm(check_counts *counts)
{
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = { .span = 32, .threads = 1 };
	int32_t ids[TOKENS];
	brise_error err = { BRISE_OK, "" };
	calibration_header h;
	calibration_input *in;
	file whole, part;
	uint64_t seed = 5;
	int what;
	size_t i;

	small_tokens(ids, TOKENS, small_odd.vocab, 15);
	whole = calibrated(counts, model, ids, TOKENS, &options);
	CHECK(counts, run_part(model, ids, TOKENS, options, 10, NULL, &err) == BRISE_ECANCELED,
	      "interrupted");
	part = read_file(unfinished);
	for (what = 0; what < 6; what++) {
		uint8_t *bytes = malloc(part.size);
		file f;

		memcpy(bytes, part.bytes, part.size);
		memcpy(&h, bytes, sizeof h);
		in = (calibration_input *)(void *)(bytes + sizeof h);
		switch (what) {
		case 0:
			in[8].offset = (uint64_t)1 << 40;
			break;
		case 1:
			in[8].bytes = in[0].bytes = UINT64_MAX;
			in[8].cols = UINT32_MAX;
			break;
		case 2:
			h.done = 3;
			break;
		case 3:
			h.n_layers = h.n_inputs = UINT32_MAX;
			h.done = UINT32_MAX - 1;
			break;
		case 4: /* states that are no numbers */
			memset(bytes + states_at(&part), 0xff, part.size - states_at(&part));
			h.states_crc = crc32_update(0, bytes + states_at(&part),
			                            (part.size - states_at(&part)) / 2);
			break;
		default:
			for (i = sizeof h; i < part.size; i++)
				bytes[i] = (uint8_t)random_next(&seed);
		}
		h.inputs_crc = crc32_update(0, in, 9 * sizeof *in);
		h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
		memcpy(bytes, &h, sizeof h);
		write_file(unfinished, bytes, part.size);
		free(bytes);
		if (what == 4) {
			CHECK(counts,
			      calibrate(model, ids, TOKENS, &options, NULL, &err) ==
			                      BRISE_EFORMAT &&
			              strstr(err.message, "not finite"),
			      "%s", err.message);
			CHECK(counts, !exists(cal), "written");
			CHECK(counts, !exists(unfinished),
			      "an error that comes again leaves a file");
			continue;
		}
		CHECK(counts, calibrate(model, ids, TOKENS, &options, NULL, &err) == BRISE_OK,
		      "case %d: %s", what, err.message);
		f = read_file(cal);
		CHECK(counts, is_same(&whole, &f), "case %d: another file", what);
		free(f.bytes);
		(void)unlink(cal);
	}
	(void)unlink(unfinished);
	free(whole.bytes), free(part.bytes);
	brise_close_model(model);
}

/* ---- unusable places ------------------------------------------------------------------------- */

static void test_places_that_do_not_serve_are_refused(check_counts *counts)
{
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = { .span = 32, .threads = 1 };
	struct rlimit limit, small;
	brise_error err = { BRISE_OK, "" };
	int32_t ids[TOKENS];
	char path[400];

	small_tokens(ids, TOKENS, small_odd.vocab, 16);
	(void)snprintf(path, sizeof path, "%s/missing/x.cal", folder);
	CHECK(counts,
	      calibrate_model(model, ids, TOKENS, path, &options, NULL, &err) == BRISE_EIO &&
	              is_line(&err, path),
	      "%s", err.message);
	CHECK(counts,
	      calibrate_model(model, ids, TOKENS, folder, &options, NULL, &err) == BRISE_EIO &&
	              is_line(&err, folder),
	      "a folder as target: %s", err.message);
	(void)snprintf(path, sizeof path, "%s.unfinished", folder);
	CHECK(counts, !exists(path), "and leaves nothing beside it");
	(void)mkdir(unfinished, 0777);
	CHECK(counts,
	      calibrate(model, ids, TOKENS, &options, NULL, &err) == BRISE_EIO &&
	              is_line(&err, unfinished),
	      "%s", err.message);
	(void)rmdir(unfinished);

	/* As a full disk: files may not grow that large. */
	(void)getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = 100000;
	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &small) == 0) {
		err.message[0] = 0;
		CHECK(counts,
		      calibrate(model, ids, TOKENS, &options, NULL, &err) == BRISE_EIO &&
		              is_line(&err, strerror(EFBIG)),
		      "%s", err.message);
		CHECK(counts, !exists(unfinished) && !exists(cal),
		      "nothing is left where there is no room");
		(void)setrlimit(RLIMIT_FSIZE, &limit);
	} else {
		check_skip(counts, "a full disk", "no limit can be set");
	}
	(void)signal(SIGXFSZ, SIG_DFL);
	brise_close_model(model);
}

static bool calibrate_again(void *user)
{
	const brise_model *model = user;
	calibrate_options options = { .span = 32, .threads = 1 };
	int32_t id = 1;
	brise_error err = { BRISE_OK, "" };

	return calibrate(model, &id, 1, &options, NULL, &err) == BRISE_EIO &&
	       is_line(&err, "another");
}

/* Two at once would write each other's file. */
static void test_a_second_run_at_once_is_refused(check_counts *counts)
{
	brise_model *model = open_model(&small_odd, TYPE_F16);
	calibrate_options options = {
		.span = 32, .threads = 1, .cancel = calibrate_again, .user = model
	};
	brise_error err = { BRISE_OK, "" };
	int32_t id = 2;

	/* The second run is refused: the first's cancel function says stop. */
	CHECK(counts, calibrate(model, &id, 1, &options, NULL, &err) == BRISE_ECANCELED, "%s",
	      err.message);
	(void)unlink(unfinished);
	brise_close_model(model);
}

static void test_wrong_options_and_ids_are_refused(check_counts *counts)
{
	brise_model *model = open_model(&small_odd, TYPE_F16);
	static const uint32_t spans[] = { 1, 33, (1u << 20) + 32 };
	calibrate_options options = { .span = 32, .threads = 1 };
	brise_error err = { BRISE_OK, "" };
	int32_t ids[] = { 1, 82, 83, -1 };
	size_t i;

	CHECK(counts,
	      calibrate(model, ids, 0, &options, NULL, &err) == BRISE_EINVAL &&
	              is_line(&err, "no tokens"),
	      "%s", err.message);
	CHECK(counts,
	      calibrate(model, ids, 3, &options, NULL, &err) == BRISE_EINVAL &&
	              is_line(&err, "token 2: id 83"),
	      "%s", err.message);
	CHECK(counts,
	      calibrate(model, ids + 3, 1, &options, NULL, &err) == BRISE_EINVAL &&
	              is_line(&err, "id -1"),
	      "%s", err.message);
	for (i = 0; i < LENGTH(spans); i++) {
		options.span = spans[i];
		CHECK(counts,
		      calibrate(model, ids, 2, &options, NULL, &err) == BRISE_EINVAL &&
		              is_line(&err, "span"),
		      "span %u: %s", spans[i], err.message);
	}
	CHECK(counts, !exists(unfinished) && !exists(cal), "something was written");
	brise_close_model(model);
}

/* ---- inconsistent files --------------------------------------------------------------------- */

static brise_status open_and_close(const char *path, brise_error *err)
{
	calibration *c;
	brise_status status;

	err->message[0] = 0;
	status = calibration_open(&c, path, err);
	if (status == BRISE_OK)
		calibration_close(c);
	return status;
}

/* Conversion with that calibration. */
static brise_status convert(const char *measured, const format_config *config,
                            enum book_effort effort, brise_error *err)
{
	convert_source source = { .config = *config,
		                  .origin = "made for a test\n",
		                  .read = small_read,
		                  .self = (void *)(uintptr_t)config };
	convert_options options;

	err->message[0] = 0;
	convert_init_options(&options);
	options.threads = 2;
	options.effort = effort;
	options.calibration = measured;
	return convert_write(&source, target, &options, NULL, err);
}

static void seal(uint8_t *bytes)
{
	calibration_header h;

	memcpy(&h, bytes, sizeof h);
	h.inputs_crc = crc32_update(0, bytes + sizeof h, 9 * sizeof(calibration_input));
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	memcpy(bytes, &h, sizeof h);
}

static void test_damaged_files_are_refused(check_counts *counts, const file *good)
{
	const size_t head = 128 + 9 * 32;
	uint8_t *bytes = malloc(good->size + 64);
	unsigned wrong = 0, silent = 0;
	brise_error err;
	size_t at;

	memcpy(bytes, good->bytes, good->size);
	for (at = 0; at < good->size; at += 64) {
		write_file(other, bytes, at);
		wrong += open_and_close(other, &err) == BRISE_OK;
		silent += !is_line(&err, other);
	}
	CHECK(counts, wrong == 0 && silent == 0,
	      "%u of the truncated files opened, %u without a line", wrong, silent);
	memset(bytes + good->size, 0, 64);
	write_file(other, bytes, good->size + 64);
	CHECK(counts, open_and_close(other, &err) == BRISE_EFORMAT && is_line(&err, other),
	      "a file with an appendix: %s", err.message);
	for (at = 0, wrong = silent = 0; at < head; at++) {
		bytes[at] ^= 0x5a;
		write_file(other, bytes, good->size);
		wrong += open_and_close(other, &err) == BRISE_OK;
		silent += !is_line(&err, other);
		bytes[at] ^= 0x5a;
	}
	CHECK(counts, wrong == 0 && silent == 0,
	      "%u of %zu changed bytes of header and table go unnoticed, %u without a line", wrong,
	      head, silent);
	write_file(other, bytes, good->size);
	CHECK(counts, open_and_close(other, &err) == BRISE_OK, "the file as it was: %s",
	      err.message);
	free(bytes);
}

/* Checksums are right, the data they cover are not. */
static void test_lying_headers_are_refused(check_counts *counts, const file *good)
{
	static const struct {
		size_t at;
		uint32_t value;
	} lies[] = { { 8, 3 },
		     { 8, 1 },
		     { 24, TOKENS + 1 },
		     { 28, 1u << 30 },
		     { 12, 0 },
		     { 12, 1 },
		     { 12, 4 },
		     { 16, 0 },
		     { 32, 0 },
		     { 32, 71 },
		     { 32, 1u << 21 },
		     { 36, 0 },
		     { 36, 1025 },
		     { 36, UINT32_MAX },
		     { 40, 0 },
		     { 40, 128 },
		     { 44, 0 },
		     { 44, UINT32_MAX },
		     { 48, 31 },
		     { 48, 64 },
		     { 48, 0 },
		     { 48, 1u << 21 },
		     { 52, 0 },
		     { 52, 8 },
		     { 52, UINT32_MAX },
		     /* the table's first entry: kind, layer, columns, offset, bytes */
		     { 128, 12 },
		     { 132, 1 },
		     { 136, 71 },
		     { 136, UINT32_MAX },
		     { 144, 0 },
		     { 144, 448 + 64 },
		     { 148, 1 },
		     { 152, 4 },
		     { 156, 1 } };
	uint8_t *bytes = malloc(good->size);
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(lies); i++) {
		memcpy(bytes, good->bytes, good->size);
		memcpy(bytes + lies[i].at, &lies[i].value, 4);
		seal(bytes);
		write_file(other, bytes, good->size);
		CHECK(counts, open_and_close(other, &err) != BRISE_OK && is_line(&err, other),
		      "byte %zu as %u: '%s'", lies[i].at, lies[i].value, err.message);
	}
	free(bytes);
}

/* A file that fits its header in everything, but whose spans no encoder can use. */
static void test_spans_of_no_whole_blocks_are_refused(check_counts *counts)
{
	static const uint32_t spans[] = { 32, 48, 1 };
	calibration_input *inputs;
	calibration_header h;
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(spans); i++) {
		uint8_t *bytes;

		if (calibration_plan(&h, &inputs, &small_odd, spans[i], 10, NULL) != BRISE_OK ||
		    !(bytes = calloc(1, (size_t)h.file_bytes)))
			exit(1);
		h.done = h.n_layers + 1;
		memcpy(bytes, &h, sizeof h);
		memcpy(bytes + sizeof h, inputs, 9 * sizeof *inputs);
		seal(bytes);
		write_file(other, bytes, (size_t)h.file_bytes);
		CHECK(counts,
		      (open_and_close(other, &err) == BRISE_OK) == (spans[i] == 32) &&
		              (spans[i] == 32 || is_line(&err, other)),
		      "span %u: '%s'", spans[i], err.message);
		free(bytes), free(inputs);
	}
}

/* Of layers that a header claims without their entries. */
static void test_memory_follows_the_file(check_counts *counts, const file *good)
{
	calibration_header h;
	brise_error err;

	memcpy(&h, good->bytes, sizeof h);
	h.n_layers = 1024;
	h.done = 1025;
	h.n_inputs = 4097;
	h.file_bytes = sizeof h;
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	write_file(other, &h, sizeof h);
	CHECK(counts, open_and_close(other, &err) == BRISE_EFORMAT && is_line(&err, "table"), "%s",
	      err.message);
}

/* Every byte of one input, by conversion: nothing may be written. */
static void test_damaged_data_do_not_convert(check_counts *counts, const file *good)
{
	uint8_t *bytes = malloc(good->size);
	static const float lies[] = { NAN, INFINITY, -INFINITY, -1e-30f };
	unsigned wrong = 0;
	brise_error err;
	calibration_input in;
	size_t i;

	memcpy(bytes, good->bytes, good->size);
	memcpy(&in, bytes + 128 + 5 * sizeof in, sizeof in);
	for (i = 0; i < in.bytes; i += 97) {
		bytes[in.offset + i] ^= 0x10;
		write_file(other, bytes, good->size);
		wrong += convert(other, &small_odd, i % 2 ? EFFORT_HIGH : EFFORT_FAST, &err) ==
		                 BRISE_OK ||
		         !is_line(&err, "input 5") || exists(target);
		bytes[in.offset + i] ^= 0x10;
	}
	CHECK(counts, wrong == 0, "%u of %zu changed bytes of data", wrong, (size_t)in.bytes / 97);
	for (i = 0; i < LENGTH(lies); i++) {
		memcpy(bytes, good->bytes, good->size);
		memcpy(bytes + in.offset + 8, &lies[i], sizeof lies[i]);
		in.crc = crc32_update(0, bytes + in.offset, (size_t)in.bytes);
		memcpy(bytes + 128 + 5 * sizeof in, &in, sizeof in);
		seal(bytes);
		write_file(other, bytes, good->size);
		CHECK(counts, open_and_close(other, &err) == BRISE_OK, "%s", err.message);
		CHECK(counts,
		      convert(other, &small_odd, EFFORT_NORMAL, &err) == BRISE_EFORMAT &&
		              is_line(&err, "input 5") && !exists(target),
		      "%g: '%s'", (double)lies[i], err.message);
	}
	/* No inputs have correlations of -1 everywhere. */
	memcpy(bytes, good->bytes, good->size);
	for (i = in.cols * sizeof(float); i < in.bytes; i += 2) {
		const int16_t least = -32767;

		memcpy(bytes + in.offset + i, &least, sizeof least);
	}
	in.crc = crc32_update(0, bytes + in.offset, (size_t)in.bytes);
	memcpy(bytes + 128 + 5 * sizeof in, &in, sizeof in);
	seal(bytes);
	write_file(other, bytes, good->size);
	CHECK(counts,
	      convert(other, &small_odd, EFFORT_HIGH, &err) == BRISE_EFORMAT &&
	              is_line(&err, "input 5") && !exists(target),
	      "correlations of -1: '%s'", err.message);
	free(bytes);
}

static void test_files_that_do_not_belong_are_refused(check_counts *counts, const file *good)
{
	calibrate_options options = { .span = 32, .threads = 1 };
	brise_model *model = open_model(&small_odd, TYPE_F16);
	format_config more = small_odd, wider = small_odd;
	brise_error err;
	int32_t ids[20];

	small_tokens(ids, 20, small_odd.vocab, 17);
	write_file(other, good->bytes, good->size);
	CHECK(counts, convert(other, &small_odd, EFFORT_FAST, &err) == BRISE_OK && exists(target),
	      "the right one: %s", err.message);
	(void)unlink(target);
	more.n_layers = 3;
	wider.hidden_dim = 128;
	CHECK(counts,
	      convert(other, &more, EFFORT_FAST, &err) == BRISE_EFORMAT && is_line(&err, other) &&
	              !exists(target),
	      "one layer more: %s", err.message);
	CHECK(counts,
	      convert(other, &wider, EFFORT_HIGH, &err) == BRISE_EFORMAT && is_line(&err, other) &&
	              !exists(target),
	      "another width: %s", err.message);
	CHECK(counts, run_part(model, ids, 20, options, 3, NULL, &err) == BRISE_ECANCELED,
	      "interrupted");
	CHECK(counts,
	      convert(unfinished, &small_odd, EFFORT_FAST, &err) == BRISE_EFORMAT &&
	              is_line(&err, "interrupted") && !exists(target),
	      "unfinished: %s", err.message);
	CHECK(counts,
	      convert(model_path, &small_odd, EFFORT_FAST, &err) == BRISE_EFORMAT &&
	              is_line(&err, "brise calibrate") && !exists(target),
	      "a model: %s", err.message);
	(void)unlink(other);
	CHECK(counts,
	      convert(other, &small_odd, EFFORT_FAST, &err) == BRISE_EIO && is_line(&err, other) &&
	              !exists(target),
	      "missing: %s", err.message);
	CHECK(counts,
	      convert(folder, &small_odd, EFFORT_FAST, &err) == BRISE_EIO &&
	              is_line(&err, folder) && !exists(target),
	      "a folder: %s", err.message);
	(void)unlink(unfinished);
	brise_close_model(model);
}

/* Also while factors are computed: at every call of cancel, with one message that says what was
 * left. */
static void test_cancelled_conversions_leave_nothing(check_counts *counts, const file *good)
{
	convert_source source = { .config = small_odd,
		                  .origin = "made for a test\n",
		                  .read = small_read,
		                  .self = (void *)(uintptr_t)&small_odd };
	unsigned asked, wrong = 0, left = 0;
	convert_options options;
	brise_status status;
	brise_error err;
	countdown c;

	write_file(other, good->bytes, good->size);
	convert_init_options(&options);
	options.threads = 1;
	options.effort = EFFORT_HIGH;
	options.calibration = other;
	options.cancel = count_down;
	options.user = &c;
	for (asked = 0, status = BRISE_ECANCELED; status == BRISE_ECANCELED && asked < 1000;
	     asked++) {
		c.left = asked;
		status = convert_write(&source, target, &options, NULL, &err);
		wrong += status == BRISE_ECANCELED &&
		         (!is_line(&err, "nothing was written") || !is_line(&err, target));
		left += status == BRISE_ECANCELED && (exists(target) || folder_entries() != 2);
	}
	/* Nine inputs are checked; their factors take two calls of cancel per span and strip. */
	CHECK(counts, status == BRISE_OK && asked > 60 && asked < 1000,
	      "status %d after %u questions", (int)status, asked);
	CHECK(counts, wrong == 0 && left == 0, "%u messages, %u folders are not as they should be",
	      wrong, left);
	(void)unlink(target), (void)unlink(other);
}

/* ---- use ------------------------------------------------------------------------------------- */

/* sum over tokens and rows of ((w - q) x)^2 for wq of layer 1 */
static double output_error(const seen *s, const brise_model *model)
{
	uint32_t rows, cols, r, i;
	double sum = 0;
	size_t t;
	float w[128], q[128];

	model_tensor_shape(s->c, TENSOR_WQ, &rows, &cols);
	for (r = 0; r < rows; r++) {
		(void)small_read((void *)(uintptr_t)s->c, TENSOR_WQ, 1, r, 1, w, NULL, NULL);
		(void)weights_read_row(model, model->places[1].kinds[TENSOR_WQ], r, q, NULL);
		for (t = 0; t < TOKENS; t++) {
			double y = 0;

			for (i = 0; i < cols; i++)
				y += ((double)w[i] - (double)q[i]) * s->rows[4][t * cols + i];
			sum += y * y;
		}
	}
	return sum;
}

/* A calibration lowers the error of the matrices' outputs, by importance and more by feedback, with
 * the same bytes for any number of threads. */
static void test_calibrated_conversion_loses_less(check_counts *counts)
{
	/* Few tokens repeat: their inputs are strongly correlated, which feedback needs. */
	brise_model *model = open_model(&small_odd, TYPE_F16), *made;
	calibrate_options options = { .span = 64, .threads = 2 };
	double lost[3];
	int32_t ids[TOKENS];
	brise_error err;
	seen s;
	file f;
	int i;

	small_tokens(ids, TOKENS, 12, 18);
	f = calibrated(counts, model, ids, TOKENS, &options);
	write_file(other, f.bytes, f.size);
	see_usual_pass(counts, &s, model, ids);
	for (i = 0; i < 3; i++) {
		CHECK(counts,
		      convert(i ? other : NULL, &small_odd, i == 2 ? EFFORT_HIGH : EFFORT_NORMAL,
		              &err) == BRISE_OK,
		      "%s", err.message);
		if (brise_open_model(&made, target, NULL, &err) != BRISE_OK) {
			CHECK(counts, false, "%s", err.message);
			break;
		}
		lost[i] = output_error(&s, made);
		brise_close_model(made);
		(void)unlink(target);
	}
	CHECK(counts, i == 3 && lost[1] < 0.98 * lost[0] && lost[2] < 0.7 * lost[1],
	      "%g without, %g with importance, %g with feedback", lost[0], lost[1], lost[2]);
	stop_seeing(&s);
	free(f.bytes);
	(void)unlink(other);
	brise_close_model(model);
}

int main(int argc, char **argv)
{
	static const uint32_t spans[] = { 32, 96, 4096, 0 };
	calibrate_options options = { .span = 32, .threads = 1 };
	check_counts counts = { 0, 0, 0 };
	int32_t ids[20];
	brise_model *model;
	size_t i;
	file good;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(model_path, sizeof model_path, "%s/model.brise", folder);
	(void)snprintf(cal, sizeof cal, "%s/x.cal", folder);
	(void)snprintf(unfinished, sizeof unfinished, "%s.unfinished", cal);
	(void)snprintf(other, sizeof other, "%s/other.cal", folder);
	(void)snprintf(target, sizeof target, "%s/out.brise", folder);
	for (i = 0; i < LENGTH(spans); i++)
		RUN(test_moments_are_those_of_the_inputs(&counts, &small_odd, spans[i]));
	RUN(test_moments_are_those_of_the_inputs(&counts, &small_wide, 4096));
	RUN(test_moments_are_those_of_the_inputs(&counts, &small_open, 32));
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_odd));
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_open));
	RUN(test_interrupted_runs_go_on_to_the_same_file(&counts));
	RUN(test_another_run_begins_anew(&counts));
	RUN(test_complete_files_are_only_finished(&counts));
	RUN(test_what_is_no_calibration_is_not_overwritten(&counts));
	RUN(test_a_run_overwritten_by_another_does_not_go_on(&counts));
	RUN(test_lying_unfinished_files_do_no_harm(&counts));
	RUN(test_places_that_do_not_serve_are_refused(&counts));
	RUN(test_a_second_run_at_once_is_refused(&counts));
	RUN(test_wrong_options_and_ids_are_refused(&counts));
	RUN(test_calibrated_conversion_loses_less(&counts));

	model = open_model(&small_odd, TYPE_F16);
	small_tokens(ids, 20, small_odd.vocab, 19);
	good = calibrated(&counts, model, ids, 20, &options);
	brise_close_model(model);
	RUN(test_damaged_files_are_refused(&counts, &good));
	RUN(test_lying_headers_are_refused(&counts, &good));
	RUN(test_spans_of_no_whole_blocks_are_refused(&counts));
	RUN(test_memory_follows_the_file(&counts, &good));
	RUN(test_damaged_data_do_not_convert(&counts, &good));
	RUN(test_files_that_do_not_belong_are_refused(&counts, &good));
	RUN(test_cancelled_conversions_leave_nothing(&counts, &good));
	free(good.bytes);
	(void)unlink(model_path), (void)unlink(cal), (void)unlink(other), (void)unlink(target),
	        (void)unlink(unfinished), (void)rmdir(folder);
	return check_report("calibrate", &counts);
}
