/* test_loop.c - the unfinished file of a closed loop: weights that change while a conversion is
 * interrupted, every layer at which it may be, and files too large for the machine */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "convert/calibration/calibrate.h"
#include "convert/closed/loop_file.h"
#include "convert/convert.h"
#include "runtime/model/model.h"
#include "runtime/model/tensor.h"
#include "test/check.h"
#include "test/small_model.h"
#include "test/whole_file.h"

#define TOKENS 120u

/* The small model but for one weight. */
typedef struct altered {
	const format_config *config;
	uint32_t kind, layer, row; /* kind 0: none */
	const uint32_t *windows;   /* as in convert_source */
} altered;

static char folder[256], cal[300], out[300], unfinished[320], model_path[300];

static brise_status read_altered(void *self, uint32_t kind, uint32_t layer, uint32_t first,
                                 uint32_t n, float *rows, void *raw, brise_error *err)
{
	const altered *a = self;
	brise_status status =
	        small_read((void *)(uintptr_t)a->config, kind, layer, first, n, rows, raw, err);
	uint32_t all, cols;

	model_tensor_shape(a->config, kind, &all, &cols);
	if (kind == a->kind && layer == a->layer && a->row - first < n)
		rows[(a->row - first) * cols + cols - 1] += 0.25f;
	return status;
}

typedef struct watcher {
	uint32_t steps;
	char notes[4096];
	const char *tensor; /* NULL: none */
	bool reached;       /* work on that tensor */
} watcher;

static void note(void *user, const char *line)
{
	watcher *w = user;

	(void)snprintf(w->notes + strlen(w->notes), sizeof w->notes - strlen(w->notes), "%s\n",
	               line);
}

static uint32_t steps_done(void)
{
	loop_header h = { .done = 0 };
	FILE *f = fopen(unfinished, "rb");

	if (f && (fseek(f, -(long)sizeof h, SEEK_END) != 0 || fread(&h, sizeof h, 1, f) != 1))
		h.done = 0;
	if (f)
		(void)fclose(f);
	return h.done;
}

static bool is_done(void *user)
{
	const watcher *w = user;

	return w->reached || (w->steps > 0 && steps_done() >= w->steps);
}

static void progress(void *user, const char *name, uint64_t done, uint64_t all)
{
	watcher *w = user;

	(void)done, (void)all;
	w->reached = w->reached || (w->tensor && strcmp(name, w->tensor) == 0);
}

/* It is cancelled when w->steps steps, unless 0, are done and kept, or where w->tensor is next. */
static brise_status convert(const altered *a, unsigned n_threads, watcher *w, brise_error *err)
{
	const convert_source source = { .config = *a->config,
		                        .read = read_altered,
		                        .self = (void *)(uintptr_t)a,
		                        .windows = a->windows };
	convert_options options;

	convert_init_options(&options);
	options.effort = EFFORT_BEST;
	options.calibration = cal;
	options.threads = n_threads;
	options.decision = note;
	options.progress = progress;
	options.cancel = is_done;
	options.user = w;
	w->notes[0] = err->message[0] = 0;
	return convert_write(&source, out, &options, NULL, err);
}

static file convert_whole(check_counts *counts, const altered *a)
{
	watcher w = { 0 };
	brise_error err;
	file f;

	(void)unlink(out), (void)unlink(unfinished);
	CHECK(counts, convert(a, 2, &w, &err) == BRISE_OK, "%s", err.message);
	f = read_file(out);
	(void)unlink(out);
	return f;
}

static void interrupt(check_counts *counts, const altered *a, uint32_t steps)
{
	watcher w = { .steps = steps };
	brise_error err;

	(void)unlink(unfinished), (void)unlink(out);
	CHECK(counts, convert(a, 2, &w, &err) == BRISE_ECANCELED, "step %u: %s", steps,
	      err.message);
	CHECK(counts, steps_done() == steps && !exists(out), "%u steps, not %u", steps_done(),
	      steps);
}

/* Whatever has changed meanwhile, the file is the one that an uninterrupted run makes of what is
 * there now. Catches a fingerprint of some rows alone, and checksums of the wrong tensor. */
static void check_change(check_counts *counts, uint32_t done, altered now, bool resumes)
{
	const altered before = { .config = now.config };
	watcher w = { 0 };
	brise_error err;
	file want = convert_whole(counts, &now), f;

	interrupt(counts, &before, done);
	CHECK(counts, convert(&now, 1, &w, &err) == BRISE_OK, "%s", err.message);
	f = read_file(out);
	CHECK(counts, is_same(&want, &f), "tensor %u of layer %u, row %u, after step %u", now.kind,
	      now.layer, now.row, done);
	CHECK(counts, (strstr(w.notes, "was of other weights; started again") == NULL) == resumes,
	      "tensor %u of layer %u after step %u: %s", now.kind, now.layer, done, w.notes);
	CHECK(counts, (strstr(w.notes, "resumed after layer") != NULL) == resumes,
	      "tensor %u of layer %u after step %u: %s", now.kind, now.layer, done, w.notes);
	free(want.bytes), free(f.bytes);
}

static void test_weights_that_change_in_between(check_counts *counts)
{
	const format_config *c = &small_odd;

	check_change(counts, 2, (altered){ .config = c }, true);
	check_change(counts, 2, (altered){ c, TENSOR_EMBEDDING, 0, c->vocab - 1, NULL }, false);
	check_change(counts, 2, (altered){ c, TENSOR_WK, 0, 17, NULL }, false);
	check_change(counts, 2, (altered){ c, TENSOR_W2, 0, c->dim - 1, NULL }, false);
	check_change(counts, 2, (altered){ c, TENSOR_FFN_NORM, 0, 0, NULL }, false);
	check_change(counts, 2, (altered){ c, TENSOR_W2, 1, 0, NULL }, true);
	check_change(counts, 2, (altered){ c, TENSOR_OUTPUT, 0, 3, NULL }, true);
	check_change(counts, 1, (altered){ c, TENSOR_WQ, 0, 0, NULL }, true);
	check_change(counts, c->n_layers + 1, (altered){ c, TENSOR_W1, c->n_layers - 1, 5, NULL },
	             false);
	check_change(counts, c->n_layers + 1, (altered){ c, TENSOR_FINAL_NORM, 0, 0, NULL }, true);
}

static void test_every_step_is_resumed(check_counts *counts, const format_config *config)
{
	const altered plain = { .config = config };
	file want = convert_whole(counts, &plain), f;
	uint32_t done;

	for (done = 1; done < config->n_layers + 2; done++) {
		watcher w = { 0 };
		brise_error err;
		char said[64];

		interrupt(counts, &plain, done);
		CHECK(counts, convert(&plain, done % 4 + 1, &w, &err) == BRISE_OK, "%s",
		      err.message);
		f = read_file(out);
		(void)snprintf(said, sizeof said, "resumed after layer %u of", done - 1);
		CHECK(counts, is_same(&want, &f) && strstr(w.notes, said) != NULL, "step %u: %s",
		      done, w.notes);
		free(f.bytes);
	}
	(void)unlink(out);
	free(want.bytes);
}

/* Catches states of a layer that overwrite those that it begins with. */
static void test_a_layer_is_resumed_from_its_beginning(check_counts *counts)
{
	static const uint32_t kinds[] = { TENSOR_WQ, TENSOR_WO, TENSOR_W1, TENSOR_W2 };
	const altered plain = { .config = &small_odd };
	file want = convert_whole(counts, &plain), f;
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char name[48];
		watcher part = { .tensor = name }, rest = { 0 };
		brise_error err;

		model_tensor_name(name, kinds[i], 1);
		CHECK(counts,
		      convert(&plain, 2, &part, &err) == BRISE_ECANCELED && steps_done() == 2,
		      "%s: %s, after %u steps", name, err.message, steps_done());
		CHECK(counts, convert(&plain, 2, &rest, &err) == BRISE_OK, "%s", err.message);
		f = read_file(out);
		CHECK(counts,
		      is_same(&want, &f) && strstr(rest.notes, "resumed after layer 1 of") != NULL,
		      "%s: %s", name, rest.notes);
		free(f.bytes);
		(void)unlink(out);
	}
	free(want.bytes);
}

/* Whether two files have the same matrix. */
static bool is_same_matrix(check_counts *counts, const file *a, const file *b, uint32_t kind,
                           uint32_t layer)
{
	const file *files[2] = { a, b };
	const char *paths[2] = { out, model_path };
	const uint8_t *bytes[2] = { NULL, NULL };
	brise_model *models[2] = { NULL, NULL };
	size_t size = 0, i, k;
	bool same;

	for (i = 0; i < 2; i++) {
		brise_error err;

		write_file(paths[i], files[i]->bytes, files[i]->size);
		CHECK(counts, brise_open_model(&models[i], paths[i], NULL, &err) == BRISE_OK, "%s",
		      err.message);
		for (k = 0; models[i] && k < models[i]->n_tensors; k++)
			if (models[i]->tensors[k].kind == kind &&
			    models[i]->tensors[k].layer == layer) {
				bytes[i] = models[i]->bytes + models[i]->tensors[k].offset;
				size = (size_t)models[i]->tensors[k].bytes;
			}
	}
	same = bytes[0] && bytes[1] && memcmp(bytes[0], bytes[1], size) == 0;
	brise_close_model(models[0]);
	brise_close_model(models[1]);
	(void)unlink(out), (void)unlink(model_path);
	return same;
}

/* A layer's matrices depend on the windows up to its own alone. */
static void test_layers_have_windows_of_their_own(check_counts *counts)
{
	const uint32_t windows[2] = { 3, 9 }, others[2] = { 3, 8 };
	format_config narrow = small_odd, wide = small_odd;
	file both, three, nine, again;
	watcher w = { 0 };
	brise_error err;

	narrow.n_layers = wide.n_layers = 2;
	narrow.window = 3, wide.window = 9;
	both = convert_whole(counts, &(altered){ .config = &wide, .windows = windows });
	three = convert_whole(counts, &(altered){ .config = &narrow });
	nine = convert_whole(counts, &(altered){ .config = &wide });
	CHECK(counts, is_same_matrix(counts, &both, &three, TENSOR_WO, 0), "3 in the first layer");
	CHECK(counts, !is_same_matrix(counts, &both, &nine, TENSOR_WO, 0), "not 9");
	CHECK(counts, !is_same_matrix(counts, &both, &three, TENSOR_WO, 1), "9 in the second");
	/* A run with other windows is not resumed. */
	interrupt(counts, &(altered){ .config = &wide, .windows = others }, 2);
	CHECK(counts,
	      convert(&(altered){ .config = &wide, .windows = windows }, 2, &w, &err) == BRISE_OK &&
	              strstr(w.notes, "was of another model, text or options") != NULL,
	      "%s%s", err.message, w.notes);
	again = read_file(out);
	CHECK(counts, is_same(&both, &again), "made anew");
	(void)unlink(out);
	free(again.bytes);
	free(both.bytes), free(three.bytes), free(nine.bytes);
}

/* As a model of 7B on a machine of 32 bits. */
static void test_a_file_that_cannot_be_mapped_is_refused(check_counts *counts)
{
	const convert_source source = { .config = small_odd };
	file_plan plan = { .source = &source, .file_bytes = UINT64_MAX - (1u << 20) };
	brise_error err = { BRISE_OK, "" };
	loop_file s;

	CHECK(counts,
	      loop_plan(&s, out, &plan, TOKENS, 0, &err) == BRISE_EUNSUPPORTED &&
	              strstr(err.message, "too large to be mapped") != NULL,
	      "%s", err.message);
	loop_close(&s);
	plan.file_bytes = 0;
	CHECK(counts, loop_plan(&s, out, &plan, SIZE_MAX / 64, 0, &err) == BRISE_EUNSUPPORTED, "%s",
	      err.message);
	loop_close(&s);
}

static void calibrate(const format_config *config)
{
	const calibrate_options options = { .span = 0, .threads = 2 };
	int32_t ids[TOKENS];
	brise_model *model;
	brise_error err;

	small_write(config, TYPE_F16, model_path);
	small_tokens(ids, TOKENS, config->vocab, 3);
	(void)unlink(cal);
	if (brise_open_model(&model, model_path, NULL, &err) != BRISE_OK ||
	    calibrate_model(model, ids, TOKENS, cal, &options, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	brise_close_model(model);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(cal, sizeof cal, "%s/x.cal", folder);
	(void)snprintf(out, sizeof out, "%s/x.brise", folder);
	(void)snprintf(unfinished, sizeof unfinished, "%s.unfinished", out);
	(void)snprintf(model_path, sizeof model_path, "%s/model.brise", folder);
	calibrate(&small_odd);
	RUN(test_every_step_is_resumed(&counts, &small_odd));
	RUN(test_a_layer_is_resumed_from_its_beginning(&counts));
	RUN(test_weights_that_change_in_between(&counts));
	RUN(test_layers_have_windows_of_their_own(&counts));
	calibrate(&small_open);
	RUN(test_every_step_is_resumed(&counts, &small_open));
	RUN(test_a_file_that_cannot_be_mapped_is_refused(&counts));
	(void)unlink(cal), (void)unlink(out), (void)unlink(model_path);
	(void)rmdir(folder);
	return check_report("loop", &counts);
}
