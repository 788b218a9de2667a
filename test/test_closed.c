/* test_closed.c - the arithmetic of the closed loop against doubles, and conversions that are
 * interrupted, damaged and repeated */
#include <math.h>

#include "arch/tools/tools.h"
#include "convert/calibration/factor.h"
#include "convert/calibration/moments.h"
#include "convert/closed/correction.h"
#include "convert/closed/inverse.h"
#include "convert/closed/loop_file.h"
#include "quant/encode/encoders.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "test/conversion.h"
#include "test/guarded.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TOKENS        300u /* two chunks, the last short */
#define DAMPING       0.03

static arch_tools best;
static pool *threads;

/* ---- inputs ---------------------------------------------------------------------------------- */

/* Inputs of a few common causes and some noise, and what follows from them in doubles. */
typedef struct inputs {
	uint32_t cols, span;
	size_t stride;
	float *x, *y; /* [TOKENS][stride] */
	double *h;    /* [cols][cols] mean products of y, damped; 0 between spans */
	book_feedback feedback;
	void *data;
} inputs;

static double span_mean(const inputs *in, const double *squares, size_t col)
{
	size_t first = col / in->span * in->span,
	       end = first + in->span < in->cols ? first + in->span : in->cols, i;
	double mean = 0;

	for (i = first; i < end; i++)
		mean += squares[i] / (double)(end - first);
	return mean;
}

static void fill_rows(const inputs *in)
{
	uint64_t seed = in->cols;
	size_t t, c, k;

	for (t = 0; t < TOKENS; t++) {
		float causes[6];

		for (k = 0; k < 6; k++)
			causes[k] = random_gauss(&seed);
		for (c = 0; c < in->cols; c++) {
			float *y = &in->y[t * in->stride + c];

			*y = 0.3f * random_gauss(&seed);
			for (k = 0; k < 6; k++)
				*y += sinf((float)(c * (k + 2))) * causes[k];
			in->x[t * in->stride + c] =
			        *y + 0.1f * random_gauss(&seed) + 0.05f * causes[0];
		}
	}
}

static void fill_products(const inputs *in)
{
	double *squares = calloc(in->cols, sizeof *squares);
	size_t t, i, j;

	for (i = 0; i < in->cols; i++)
		for (j = i / in->span * in->span; j < in->cols && j / in->span == i / in->span; j++)
			for (t = 0; t < TOKENS; t++)
				in->h[i * in->cols + j] += (double)in->y[t * in->stride + i] *
				                           (double)in->y[t * in->stride + j] /
				                           TOKENS;
	for (i = 0; i < in->cols; i++)
		squares[i] = in->h[i * in->cols + i];
	for (i = 0; i < in->cols; i++)
		in->h[i * in->cols + i] += DAMPING * span_mean(in, squares, i);
	free(squares);
}

static inputs make_inputs(uint32_t cols, uint32_t span)
{
	inputs in = { .cols = cols, .span = span, .stride = tile_padded(cols) };
	moments m;

	in.x = calloc(TOKENS * in.stride, sizeof *in.x);
	in.y = calloc(TOKENS * in.stride, sizeof *in.y);
	in.h = calloc((size_t)cols * cols, sizeof *in.h);
	in.data = calloc(1, (size_t)calibration_data_bytes(cols, span));
	if (!in.x || !in.y || !in.h || !in.data || moments_new(&m, cols, span, NULL) != BRISE_OK ||
	    factor_new(&in.feedback, cols, span, true, best.add_products, NULL) != BRISE_OK)
		exit(1);
	fill_rows(&in);
	fill_products(&in);
	moments_add(&m, in.y, in.stride, TOKENS, &best, threads);
	moments_store(&m, TOKENS, in.data, threads);
	moments_free(&m);
	if (factor_data(&in.feedback, in.data, DAMPING, "test", threads, NULL, NULL, NULL) !=
	    BRISE_OK)
		exit(1);
	return in;
}

static void free_inputs(inputs *in)
{
	factor_free(&in->feedback);
	free(in->x), free(in->y), free(in->h), free(in->data);
}

static const uint32_t shapes[][2] = { { 32, 32 },    { 64, 64 },   { 160, 64 }, { 150, 64 },
	                              { 200, 4096 }, { 129, 128 }, { 70, 96 },  { 3, 32 } };

/* ---- arithmetic ------------------------------------------------------------------------------ */

static void test_inverse_times_moments_is_the_scale(check_counts *counts)
{
	size_t s, span, i, j, k;

	for (s = 0; s < LENGTH(shapes); s++) {
		inputs in = make_inputs(shapes[s][0], shapes[s][1]);
		double worst = 0;

		for (span = 0; span * in.span < in.cols; span++) {
			size_t first = span * in.span,
			       width = in.span < in.cols - first ? in.span : in.cols - first,
			       n = book_span_columns(width);
			float *out = memory_new_aligned(n * n, sizeof *out),
			      *scratch = memory_new_aligned(n * n, sizeof *out),
			      *work = memory_new_aligned(n * TILE_ROWS * INVERSE_STRIP * 3,
			                                 sizeof *out);

			inverse_make(out, scratch, work, &in.feedback, span, n, 0.5f,
			             best.add_products, threads);
			for (i = 0; i < n; i++)
				for (j = 0; j < n; j++) {
					double sum = 0;

					for (k = 0; k < width && j < width; k++)
						sum += (double)out[k / TILE_ROWS * TILE_ROWS * n +
						                   i * TILE_ROWS + k % TILE_ROWS] *
						       in.h[(first + k) * in.cols + first + j];
					sum -= i == j && i < width ? 0.5 : 0;
					worst = fabs(sum) > worst ? fabs(sum) : worst;
				}
			memory_free_aligned(out), memory_free_aligned(scratch),
			        memory_free_aligned(work);
		}
		CHECK(counts, worst < 2e-3, "%u columns in spans of %u: off by %g", in.cols,
		      in.span, worst);
		free_inputs(&in);
	}
}

/* z h = b for each row of b [n][cols], by Gaussian elimination; h is destroyed. */
static void solve(double *h, double *b, size_t n, size_t cols)
{
	size_t i, j, k, r;

	for (k = 0; k < cols; k++) { /* columns of h, since z is to its left */
		for (j = k + 1; j < cols; j++) {
			double by = h[k * cols + j] / h[k * cols + k];

			for (i = k; i < cols; i++)
				h[i * cols + j] -= by * h[i * cols + k];
			for (r = 0; r < n; r++)
				b[r * cols + j] -= by * b[r * cols + k];
		}
	}
	for (k = cols; k-- > 0;)
		for (r = 0; r < n; r++) {
			b[r * cols + k] /= h[k * cols + k];
			for (j = 0; j < k; j++)
				b[r * cols + j] -= b[r * cols + k] * h[k * cols + j];
		}
}

/* Catches x and y exchanged, a lost share, products of the wrong span, panel or row. */
static void check_correction(check_counts *counts, const inputs *in, bool residual)
{
	enum { ROWS = 21, DIM = 40 };
	const size_t dim = tile_padded(DIM), padded = round_up_size(in->cols, TILE_BLOCK);
	float *w = calloc(ROWS * in->cols, sizeof *w), *now = calloc(ROWS * in->cols, sizeof *w),
	      *at_once = calloc(ROWS * in->cols, sizeof *w), *a = calloc(TOKENS * dim, sizeof *a),
	      *b = calloc(TOKENS * dim, sizeof *b),
	      *scratch = memory_new_aligned(padded * 2 * TILE_ROWS, sizeof *scratch);
	double *h = calloc((size_t)in->cols * in->cols, sizeof *h),
	       *change = calloc(ROWS * in->cols, sizeof *change), worst = 0, largest = 0;
	correction_rows rows = { in->x, in->y, in->stride, a, b, dim, TOKENS };
	uint64_t seed = 5;
	correction c;
	size_t r, i, j, t;

	for (t = 0; t < TOKENS; t++)
		for (i = 0; i < DIM; i++) {
			b[t * dim + i] = random_gauss(&seed);
			a[t * dim + i] =
			        b[t * dim + i] + 0.1f * in->y[t * in->stride + i % in->cols];
		}
	for (i = 0; i < ROWS * in->cols; i++)
		at_once[i] = now[i] = w[i] = random_gauss(&seed);
	if (correction_new(&c, in->cols, in->span, residual ? DIM : 0, pool_threads(threads),
	                   NULL) != BRISE_OK)
		exit(1);
	correction_add(&c, &rows, &best, threads);
	correction_finish(&c, &in->feedback, 0.5f, TOKENS, &best, threads);
	correction_apply(&c, now, TILE_ROWS, 0, scratch, &best);
	correction_apply(&c, now + TILE_ROWS * in->cols, ROWS - TILE_ROWS, TILE_ROWS, scratch,
	                 &best);
	correction_apply(&c, at_once, ROWS, 0, scratch, &best);
	CHECK(counts, !memcmp(now, at_once, ROWS * in->cols * sizeof *now),
	      "%u columns in spans of %u%s: two tiles at once differ", in->cols, in->span,
	      residual ? " with a loss" : "");
	for (t = 0; t < TOKENS; t++)
		for (r = 0; r < ROWS; r++)
			for (i = 0; i < in->cols; i++) {
				size_t first = i / in->span * in->span,
				       end = first + in->span < in->cols ? first + in->span
				                                         : in->cols;
				double want = 0;

				for (j = first; j < end; j++)
					want += (double)w[r * in->cols + j] *
					        ((double)in->x[t * in->stride + j] -
					         (double)in->y[t * in->stride + j]);
				if (residual)
					want += ((double)a[t * dim + r] - (double)b[t * dim + r]) *
					        (double)book_span_columns(end - first) /
					        (double)padded;
				change[r * in->cols + i] +=
				        0.5 / TOKENS * want * (double)in->y[t * in->stride + i];
			}
	memcpy(h, in->h, (size_t)in->cols * in->cols * sizeof *h);
	solve(h, change, ROWS, in->cols);
	for (i = 0; i < ROWS * in->cols; i++) {
		double off = fabs((double)now[i] - (double)w[i] - change[i]);

		worst = off > worst ? off : worst;
		largest = fabs(change[i]) > largest ? fabs(change[i]) : largest;
	}
	CHECK(counts, worst < 5e-3 * largest && largest > 1e-3,
	      "%u columns in spans of %u%s: off by %g, largest %g", in->cols, in->span,
	      residual ? " with a loss" : "", worst, largest);
	correction_free(&c);
	memory_free_aligned(scratch);
	free(w), free(now), free(at_once), free(a), free(b), free(h), free(change);
}

static void test_correction_is_the_regression(check_counts *counts)
{
	size_t s;

	for (s = 0; s < LENGTH(shapes); s++) {
		inputs in = make_inputs(shapes[s][0], shapes[s][1]);

		check_correction(counts, &in, false);
		check_correction(counts, &in, true);
		free_inputs(&in);
	}
}

static double cost_of(const inputs *in, const float *w, const float *q, size_t n_rows)
{
	double sum = 0;
	size_t r, i, j;

	for (r = 0; r < n_rows; r++)
		for (i = 0; i < in->cols; i++)
			for (j = 0; j < in->cols; j++)
				sum += (double)(w[r * in->cols + i] - q[r * in->cols + i]) *
				       in->h[i * in->cols + j] *
				       (double)(w[r * in->cols + j] - q[r * in->cols + j]);
	return sum;
}

static tile_error encode(const inputs *in, uint32_t type, const float *w, float *q, size_t n_rows,
                         bool descent)
{
	book_feedback f = in->feedback;
	const book_encoding how = { .effort = EFFORT_BEST,
		                    .feedback = &f,
		                    .errors = best.book_errors };
	float *scratch = calloc(encoder_scratch(in->cols, true), sizeof *scratch);
	uint8_t *tile = calloc(1, type_find(type)->tile_bytes(in->cols));
	tile_error sum = { 0, 0 };
	unsigned r;

	if (!descent)
		f.moments = NULL;
	(void)encoder_find(type)(tile, w, n_rows, in->cols, &how, scratch, &sum);
	for (r = 0; r < n_rows; r++)
		type_find(type)->decode_row(q + r * in->cols, tile, r, in->cols);
	free(scratch), free(tile);
	return sum;
}

/* Catches a gradient of the wrong block, span or sign, and errors that are not those of what was
 * stored. */
static void test_descent_lowers_the_cost(check_counts *counts, uint32_t type)
{
	size_t s, i;

	for (s = 0; s < LENGTH(shapes); s++) {
		inputs in = make_inputs(shapes[s][0], shapes[s][1]);
		size_t n = (s % 2 ? 16 : 13) * in.cols;
		float *w = calloc(n, sizeof *w), *q = calloc(n, sizeof *q);
		double before, after, found = 0;
		uint64_t seed = s;
		tile_error told;

		for (i = 0; i < n; i++)
			w[i] = i / in.cols == 2 ? 0 : 0.02f * random_gauss(&seed);
		(void)encode(&in, type, w, q, n / in.cols, false);
		before = cost_of(&in, w, q, n / in.cols);
		told = encode(&in, type, w, q, n / in.cols, true);
		after = cost_of(&in, w, q, n / in.cols);
		for (i = 0; i < n; i++)
			found += (double)(w[i] - q[i]) * (double)(w[i] - q[i]);
		CHECK(counts, in.cols < 32 ? after <= before : after < 0.97 * before,
		      "%s, %u columns in spans of %u: %g, before %g", type_name(type), in.cols,
		      in.span, after, before);
		CHECK(counts, fabs(told.error - found) < 1e-5 * told.norm, "told %g, found %g",
		      told.error, found);
		free(w), free(q);
		free_inputs(&in);
	}
}

/* Catches tiles that read each other's errors or scales, and bits that depend on how many there
 * are.
 */
static void check_side_by_side(check_counts *counts, const inputs *in, uint32_t type, size_t n_rows)
{
	const book_encoding how = { .effort = EFFORT_BEST,
		                    .feedback = &in->feedback,
		                    .errors = best.book_errors };
	size_t tiles = tile_count(n_rows), bytes = type_find(type)->tile_bytes(in->cols), i,
	       floats = encoder_scratch(in->cols, true);
	guarded w = guarded_new(n_rows * in->cols * sizeof(float), 4),
	        scratch = guarded_new(tiles * floats * sizeof(float), 4),
	        out = guarded_new(tiles * bytes, 1);
	float *weights = (float *)(void *)w.data, *room = (float *)(void *)scratch.data;
	uint8_t *one = calloc(1, bytes);
	tile_error sums[ENCODER_TILES] = { { 0, 0 } };
	uint64_t seed = n_rows;

	for (i = 0; i < n_rows * in->cols; i++)
		weights[i] = i / in->cols == 17 ? 0 : 0.02f * random_gauss(&seed);
	memset(scratch.data, 0xff, tiles * floats * sizeof(float)); /* NaN */
	memset(out.data, 0xa5, tiles * bytes);
	(void)encoder_run(type, out.data, weights, n_rows, in->cols, &how, room, sums);
	for (i = 0; i < tiles; i++) {
		size_t left = n_rows - i * TILE_ROWS;
		tile_error sum = { 0, 0 };

		(void)encoder_find(type)(one, weights + i * TILE_ROWS * in->cols,
		                         left < TILE_ROWS ? left : TILE_ROWS, in->cols, &how, room,
		                         &sum);
		CHECK(counts,
		      !memcmp(one, out.data + i * bytes, bytes) &&
		              !memcmp(&sum, &sums[i], sizeof sum),
		      "%s, tile %zu of %zu, %u columns in spans of %u", type_name(type), i, tiles,
		      in->cols, in->span);
	}
	guarded_free(&w), guarded_free(&scratch), guarded_free(&out);
	free(one);
}

static void test_tiles_side_by_side_are_those_one_after_another(check_counts *counts)
{
	static const uint32_t types[] = { TYPE_Q4, TYPE_Q3, TYPE_Q8 };
	size_t s, t;

	for (s = 0; s < LENGTH(shapes); s++) {
		inputs in = make_inputs(shapes[s][0], shapes[s][1]);

		for (t = 0; t < LENGTH(types); t++)
			check_side_by_side(counts, &in, types[t],
			                   ENCODER_TILES * TILE_ROWS - 5 * (s % 2 + t));
		free_inputs(&in);
	}
}

/* ---- conversions ----------------------------------------------------------------------------- */

static char unfinished[320];

/* A calibration with a text for models of that shape. */
static void make_calibration(const format_config *config, uint64_t seed)
{
	int32_t ids[TOKENS];

	small_write(config, TYPE_F16, files.model);
	small_tokens(ids, TOKENS, config->vocab, seed);
	conversion_calibrate(ids, TOKENS, 0);
}

static brise_status convert(const format_config *config, unsigned n_threads, const char *arch,
                            watcher *w, brise_error *err)
{
	convert_source source = { .config = *config,
		                  .read = small_read,
		                  .self = (void *)(uintptr_t)config };
	convert_options options;

	convert_init_options(&options);
	options.effort = EFFORT_BEST;
	options.threads = n_threads;
	options.arch = arch;
	return conversion_write(&source, options, w, err);
}

static file converted(check_counts *counts, const format_config *config, unsigned n_threads,
                      const char *arch)
{
	watcher w = { UINT32_MAX, "" };
	brise_error err;
	file f;

	(void)unlink(files.out);
	CHECK(counts, convert(config, n_threads, arch, &w, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, !exists(unfinished), "a finished run leaves nothing else");
	f = read_file(files.out);
	(void)unlink(files.out);
	return f;
}

static void test_any_threads_and_kernels_give_the_same_file(check_counts *counts,
                                                            const format_config *config)
{
	brise_model *model;
	brise_error err;
	file first;

	make_calibration(config, 10);
	first = conversion_compare(counts, config, converted);
	write_file(files.out, first.bytes, first.size);
	CHECK(counts, brise_open_model(&model, files.out, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	brise_close_model(model);
	free(first.bytes);
}

/* At many calls of cancel: what is resumed becomes the same file, and nothing is left where nothing
 * was done. */
static void test_interrupted_runs_go_on_to_the_same_file(check_counts *counts)
{
	unsigned asked, resumed = 0;
	brise_error err;
	file whole, f;

	make_calibration(&small_odd, 11);
	whole = converted(counts, &small_odd, 2, NULL);
	for (asked = 0; asked < 400; asked += asked < 8 ? 1 : 13) {
		watcher part = { asked, "" }, rest = { UINT32_MAX, "" };
		bool kept;

		if (convert(&small_odd, 1 + asked % 3, NULL, &part, &err) == BRISE_OK)
			break;
		kept = exists(unfinished);
		CHECK(counts, err.code == BRISE_ECANCELED && !exists(files.out), "question %u: %s",
		      asked, err.message);
		CHECK(counts,
		      strstr(err.message, kept ? "the same command resumes there"
		                               : "nothing was written") != NULL,
		      "question %u: %s", asked, err.message);
		CHECK(counts, convert(&small_odd, 2, NULL, &rest, &err) == BRISE_OK,
		      "question %u: %s", asked, err.message);
		CHECK(counts, (strstr(rest.notes, "resumed after layer") != NULL) == kept,
		      "question %u: %s", asked, rest.notes);
		resumed += kept;
		f = read_file(files.out);
		CHECK(counts, is_same(&whole, &f) && !exists(unfinished), "question %u", asked);
		free(f.bytes);
		(void)unlink(files.out);
	}
	CHECK(counts, asked > 20 && resumed > 2, "%u questions, %u resumed", asked, resumed);
	free(whole.bytes);
}

/* An unfinished file with two steps done at least. */
static file interrupted(check_counts *counts)
{
	unsigned asked;
	brise_error err;
	file f = { NULL, 0 };

	for (asked = 0; asked < 1000; asked += 5) {
		watcher w = { asked, "" };
		loop_header h = { .done = 0 };

		(void)unlink(unfinished);
		if (convert(&small_odd, 2, NULL, &w, &err) == BRISE_OK)
			break;
		f = read_file(unfinished);
		if (f.size > sizeof h)
			memcpy(&h, f.bytes + f.size - sizeof h, sizeof h);
		if (h.done >= 2)
			return f;
		free(f.bytes);
		f.bytes = NULL;
	}
	CHECK(counts, false, "no interruption left a layer");
	return f;
}

/* Every byte of the file that counts, one after another: a damaged file is noticed and made anew,
 * or the damage does not matter. */
static void test_damaged_runs_begin_anew(check_counts *counts)
{
	unsigned begun = 0;
	brise_error err;
	file whole, part, f;
	size_t at;

	make_calibration(&small_odd, 12);
	whole = converted(counts, &small_odd, 2, NULL);
	part = interrupted(counts);
	for (at = 0; part.bytes && at < part.size;
	     at += at + 700 < part.size ? part.size / 40 : 37) {
		watcher w = { UINT32_MAX, "" };

		part.bytes[at] ^= 0x40;
		write_file(unfinished, part.bytes, part.size);
		part.bytes[at] ^= 0x40;
		if (convert(&small_odd, 2, NULL, &w, &err) != BRISE_OK) {
			CHECK(counts,
			      strstr(err.message, "would be overwritten") && exists(unfinished),
			      "byte %zu: %s", at, err.message);
			(void)unlink(unfinished);
			continue;
		}
		begun += strstr(w.notes, "damaged since it was interrupted") != NULL;
		f = read_file(files.out);
		CHECK(counts, is_same(&whole, &f), "byte %zu", at);
		free(f.bytes);
		(void)unlink(files.out);
	}
	CHECK(counts, begun > 3, "%u noticed", begun);
	free(whole.bytes), free(part.bytes);
}

/* As small_read, but the last of what is read is damaged. */
static brise_status read_damaged(void *self, uint32_t kind, uint32_t layer, uint32_t first,
                                 uint32_t n, float *rows, void *raw, brise_error *err)
{
	if (kind == TENSOR_FINAL_NORM)
		return error_set(err, BRISE_EFORMAT, "damaged");
	return small_read(self, kind, layer, first, n, rows, raw, err);
}

/* Whoever repairs the weight loses no work, and others know why the file is there. */
static void test_an_error_says_what_it_leaves(check_counts *counts)
{
	const convert_source source = { .config = small_odd,
		                        .read = read_damaged,
		                        .self = (void *)(uintptr_t)&small_odd };
	watcher w = { UINT32_MAX, "" }, rest = w;
	convert_options options;
	brise_error err;

	make_calibration(&small_odd, 15);
	convert_init_options(&options);
	options.effort = EFFORT_BEST;
	CHECK(counts, conversion_write(&source, options, &w, &err) == BRISE_EFORMAT, "%s",
	      err.message);
	CHECK(counts, exists(unfinished) && strstr(w.notes, unfinished), "%s", w.notes);
	CHECK(counts, strstr(w.notes, "layers are done; the same command resumes there"), "%s",
	      w.notes);
	CHECK(counts, convert(&small_odd, 2, NULL, &rest, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, strstr(rest.notes, "resumed after layer"), "%s", rest.notes);
	CHECK(counts, !exists(unfinished), "a finished run leaves nothing else");
	(void)unlink(files.out);
}

/* A run of another text is not resumed; what is no unfinished conversion is not overwritten. */
static void test_other_files_are_told_apart(check_counts *counts)
{
	watcher w = { UINT32_MAX, "" };
	brise_error err;
	file part, f;

	make_calibration(&small_odd, 13);
	part = interrupted(counts);
	make_calibration(&small_odd, 14);
	CHECK(counts, convert(&small_odd, 2, NULL, &w, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, strstr(w.notes, "of another model, text or options; started again"), "%s",
	      w.notes);
	(void)unlink(files.out);
	write_file(unfinished, "a letter", 8);
	CHECK(counts,
	      convert(&small_odd, 2, NULL, &w, &err) == BRISE_EIO &&
	              strstr(err.message, "not an unfinished conversion"),
	      "%s", err.message);
	f = read_file(unfinished);
	CHECK(counts, f.size == 8 && !exists(files.out), "it stays");
	(void)unlink(unfinished);
	write_file(unfinished, "", 0);
	CHECK(counts, convert(&small_odd, 2, NULL, &w, &err) == BRISE_OK, "empty: %s", err.message);
	(void)unlink(files.out);
	write_file(files.out, "a letter", 8);
	CHECK(counts, convert(&small_odd, 2, NULL, &w, &err) == BRISE_EIO && !exists(unfinished),
	      "%s", err.message);
	(void)unlink(files.out);
	free(part.bytes), free(f.bytes);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	arch_kernels kernels;
	arch_cpu cpu;

	check_choose(argc, argv);
	arch_detect(&cpu);
	if (!arch_choose(&kernels, getenv("BRISE_TEST_ARCH"), &cpu) ||
	    pool_new(&threads, 3, NULL) != BRISE_OK)
		return 1;
	arch_find_tools(&best, kernels.name);
	RUN(test_inverse_times_moments_is_the_scale(&counts));
	RUN(test_correction_is_the_regression(&counts));
	RUN(test_descent_lowers_the_cost(&counts, TYPE_Q4));
	RUN(test_descent_lowers_the_cost(&counts, TYPE_Q3));
	RUN(test_tiles_side_by_side_are_those_one_after_another(&counts));
	conversion_folder();
	(void)snprintf(unfinished, sizeof unfinished, "%s.unfinished", files.out);
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_odd));
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_open));
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_scaled));
	RUN(test_interrupted_runs_go_on_to_the_same_file(&counts));
	RUN(test_damaged_runs_begin_anew(&counts));
	RUN(test_an_error_says_what_it_leaves(&counts));
	RUN(test_other_files_are_told_apart(&counts));
	pool_free(threads);
	return check_report("closed", &counts);
}
