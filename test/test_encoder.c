/* test_encoder.c - the encoder of q4 and q3 (and the error q8's returns): its losses against the
 * documented limits, its errors against sums in double over the decoded tiles
 *
 * Feedback is tested on second moments made by hand, through the factors that conversion uses; e H
 * e^T is summed here in double.
 */
#include <limits.h>
#include <math.h>

#include "arch/tools/tools.h"
#include "convert/calibration/factor.h"
#include "quant/encode/q8_encode.h"
#include "quant/q3.h"
#include "quant/q4.h"
#include "test/check.h"
#include "test/guarded.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const char *const effort_names[] = { "fast", "normal", "high" };

/* The type under test, and how much more it loses than q4. */
typedef struct tested_type {
	const char *name;
	const codebook *book;
	double loss;
	double gaussian, laplace, outlier; /* the documented limits */
	double shortness;                  /* 1 - w * q / w * w of a row, as a share of its error */
} tested_type;

static const tested_type tested[] = { { "q4", &q4_book, 1, 0.0047, 0.0060, 0.0070, 0 },
	                              { "q3", &q3_book, 4.5, 0.0196, 0.0240, 0.0280, 0.33 } };
static const tested_type *now = tested;

/* The fastest set here: every set gives the same tiles, which is tested below. */
static arch_tools best;

/* ---- one tile -------------------------------------------------------------------------------- */

/* Encodes up to 16 rows between guard pages, and decodes them. tile: NULL, or
 * [codebook_tile_bytes(now->book, cols)]. */
static tile_error encode(const float *w, size_t n_rows, size_t cols, const book_encoding *how,
                         float *decoded, uint8_t *tile)
{
	guarded weights = guarded_new(n_rows * cols * sizeof *w, sizeof *w),
	        out = guarded_new(codebook_tile_bytes(now->book, cols), 1);
	guarded scratch = guarded_new(book_scratch(cols, how->feedback != NULL) * sizeof(float),
	                              sizeof(float));
	tile_error sum = { 0, 0 };
	unsigned r;

	memcpy(weights.data, w, n_rows * cols * sizeof *w);
	memset(out.data, 0xa5, codebook_tile_bytes(now->book, cols));
	memset(scratch.data, 0xff,
	       book_scratch(cols, how->feedback != NULL) * sizeof(float)); /* NaN */
	book_encode_tile(now->book, out.data, (const float *)(void *)weights.data, n_rows, cols,
	                 how, (float *)(void *)scratch.data, &sum);
	for (r = 0; decoded && r < n_rows; r++)
		codebook_decode_row(now->book, decoded + r * cols, out.data, r, cols);
	if (tile)
		memcpy(tile, out.data, codebook_tile_bytes(now->book, cols));
	guarded_free(&weights), guarded_free(&out), guarded_free(&scratch);
	return sum;
}

/* sum of h (w - q)^2; h NULL: of (w - q)^2 */
static double squared_error(const float *w, const float *q, const float *h, size_t n_rows,
                            size_t cols)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n_rows * cols; i++)
		sum += ((double)w[i] - (double)q[i]) * ((double)w[i] - (double)q[i]) *
		       (h ? (double)h[i % cols] : 1);
	return sum;
}

static double squared_norm(const float *w, size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (double)w[i] * (double)w[i];
	return sum;
}

/* ---- documented limits ----------------------------------------------------------------------- */

static double uniform(uint64_t *seed)
{
	return ((double)(random_next(seed) >> 11) + 0.5) / 9007199254740992.0;
}

static float gauss(uint64_t *seed)
{
	double radius = sqrt(-2 * log(uniform(seed)));

	return (float)(radius * cos(6.283185307179586 * uniform(seed)));
}

static float laplace(uint64_t *seed)
{
	double u = uniform(seed) - 0.5;

	return (float)(u < 0 ? log(1 + 2 * u) : -log(1 - 2 * u));
}

/* Catches a codebook, table or search that is worse than the format can be: the limits are those of
 * the documentation. */
static void test_relative_error_is_below_what_is_promised(check_counts *counts)
{
	const struct {
		const char *name;
		float (*draw)(uint64_t *seed);
		double most;
	} cases[] = { { "Gaussian", gauss, now->gaussian }, { "Laplace", laplace, now->laplace } };
	const size_t cols = 4096, tiles = 4;
	float *w = malloc(TILE_ROWS * cols * sizeof *w);
	double before = 0;
	size_t c, tile, i;
	int effort;

	for (c = 0; c < LENGTH(cases); c++)
		for (effort = EFFORT_FAST; effort <= EFFORT_HIGH; effort++) {
			book_encoding how = { .effort = (enum book_effort)effort,
				              .errors = best.book_errors };
			tile_error sum = { 0, 0 };
			uint64_t seed = 11 + c;

			for (tile = 0; tile < tiles; tile++) {
				tile_error one;

				for (i = 0; i < TILE_ROWS * cols; i++)
					w[i] = 0.02f * cases[c].draw(&seed);
				one = encode(w, TILE_ROWS, cols, &how, NULL, NULL);
				sum.error += one.error;
				sum.norm += one.norm;
			}
			CHECK(counts, effort == EFFORT_FAST || sum.error / sum.norm < cases[c].most,
			      "%s, %s, %s: %.6f", now->name, cases[c].name, effort_names[effort],
			      sum.error / sum.norm);
			CHECK(counts, effort == EFFORT_FAST || sum.error / sum.norm < before,
			      "%s, %s: %s is not below the effort before it", now->name,
			      cases[c].name, effort_names[effort]);
			before = sum.error / sum.norm;
		}
	free(w);
}

/* Catches magnitudes that are too large beside the one that an outlier takes: one weight of 25
 * deviations in a row. */
static void test_rows_with_an_outlier_lose_what_is_promised(check_counts *counts)
{
	const size_t cols = 4096;
	float *w = malloc(TILE_ROWS * cols * sizeof *w);
	book_encoding how = { .effort = EFFORT_NORMAL, .errors = best.book_errors };
	uint64_t seed = 13;
	tile_error sum;
	size_t i;

	for (i = 0; i < TILE_ROWS * cols; i++)
		w[i] = i % cols == 1000 ? 0.5f : 0.02f * gauss(&seed);
	sum = encode(w, TILE_ROWS, cols, &how, NULL, NULL);
	CHECK(counts, sum.error / sum.norm < now->outlier, "%s: %.6f", now->name,
	      sum.error / sum.norm);
	free(w);
}

/* Catches rows that are stretched too far, too little, or by sums that are not weighed: a row's
 * weighted projection on its weights is short by a share of the error at the scale that fits best.
 */
static void test_rows_are_short_by_a_share_of_their_error(check_counts *counts)
{
	enum { COLS = 1000 };
	float w[TILE_ROWS * COLS], q[TILE_ROWS * COLS], h[COLS];
	uint64_t seed = 6;
	size_t r, i;
	int effort, weighed;

	for (i = 0; i < TILE_ROWS * COLS; i++)
		w[i] = gauss(&seed);
	for (i = 0; i < COLS; i++)
		h[i] = expf(gauss(&seed));
	for (effort = EFFORT_FAST; effort <= EFFORT_HIGH; effort++)
		for (weighed = 0; weighed < 2; weighed++) {
			book_encoding how = { .effort = (enum book_effort)effort,
				              .importance = weighed ? h : NULL,
				              .errors = best.book_errors };

			(void)encode(w, TILE_ROWS, COLS, &how, q, NULL);
			for (r = 0; r < TILE_ROWS; r++) {
				double ww = 0, wq = 0, qq = 0, least;

				for (i = 0; i < COLS; i++) {
					double by = weighed ? (double)h[i] : 1,
					       a = (double)w[r * COLS + i],
					       b = (double)q[r * COLS + i];

					ww += by * a * a, wq += by * a * b, qq += by * b * b;
				}
				least = 1 - wq * wq / (ww * qq);
				CHECK(counts,
				      fabs(1 - wq / ww - now->shortness * least) < 0.02 * least,
				      "%s, %s, weighed %d, row %zu: short by %g, loses %g",
				      now->name, effort_names[effort], weighed, r, 1 - wq / ww,
				      least);
			}
		}
}

/* ---- awkward weights ------------------------------------------------------------------------- */

enum {
	GAUSS,
	ZEROS,
	OUTLIER,
	DENORMAL,
	TINY,
	CONSTANT,
	NEGATIVE,
	ONE_WEIGHT,
	HALF_ZERO,
	SCALES,
	MANNERS
};
static const char *const manner_names[MANNERS] = { "gauss",    "zeros",      "outlier",
	                                           "denormal", "tiny",       "constant",
	                                           "negative", "one weight", "half zero",
	                                           "scales" };

static void fill_row(float *w, size_t cols, int manner, uint64_t *seed)
{
	size_t i;

	for (i = 0; i < cols; i++) {
		float x = random_gauss(seed);

		switch (manner) {
		case ZEROS:
			w[i] = 0;
			break;
		case OUTLIER:
			w[i] = i == cols / 3 ? 60000 : x;
			break;
		case DENORMAL:
			w[i] = x * 1e-40f;
			break;
		case TINY: /* its squares vanish as floats */
			w[i] = x * 1e-25f;
			break;
		case CONSTANT:
			w[i] = -0.3f;
			break;
		case NEGATIVE:
			w[i] = -fabsf(x) - 1;
			break;
		case ONE_WEIGHT:
			w[i] = i == cols - 1 ? -1 : 0;
			break;
		case HALF_ZERO:
			w[i] = i / TILE_BLOCK % 2 ? x : 0;
			break;
		case SCALES: /* blocks of all sizes in one row */
			w[i] = ldexpf(x, (int)(i / TILE_BLOCK % 23) - 11);
			break;
		default:
			w[i] = x;
		}
	}
}

/* The error that the encoder returns is the error of decoding, with padding, zero rows and missing
 * rows. */
static void test_told_error_is_the_decoded_error(check_counts *counts)
{
	static const size_t
	        widths[] = { 1, 5, 31, 32, 33, 72, 100, 127, 128, 129, 250, 4096, 4100 },
	        heights[] = { 1, 3, 15, 16 };
	uint64_t seed = 3;
	size_t i, h, r;
	int manner, effort;

	for (i = 0; i < LENGTH(widths); i++)
		for (manner = 0; manner < MANNERS; manner++)
			for (effort = EFFORT_FAST; effort <= EFFORT_HIGH; effort++) {
				size_t cols = widths[i],
				       n = cols > 4000 ? 2
				                       : heights[h = (i + (size_t)manner) %
				                                     LENGTH(heights)];
				float *w = malloc(n * cols * sizeof *w),
				      *q = malloc(n * cols * sizeof *q);
				book_encoding how = { .effort = (enum book_effort)effort,
					              .errors = best.book_errors };
				tile_error told;
				double error, norm;

				for (r = 0; r < n; r++)
					fill_row(w + r * cols, cols,
					         r == 1 && manner != ZEROS ? ZEROS : manner, &seed);
				told = encode(w, n, cols, &how, q, NULL);
				error = squared_error(w, q, NULL, n, cols);
				norm = squared_norm(w, n * cols);
				CHECK(counts, fabs(told.error - error) <= 2e-6 * norm + 1e-37,
				      "%s, %zu x %zu, %s: told %g, found %g of %g",
				      manner_names[manner], n, cols, effort_names[effort],
				      told.error, error, norm);
				CHECK(counts, fabs(told.norm - norm) <= 1e-5 * norm + 1e-37,
				      "%s, %zu x %zu: norm %g, found %g", manner_names[manner], n,
				      cols, told.norm, norm);
				CHECK(counts,
				      error <= now->loss *
				                       (manner == OUTLIER && effort == EFFORT_FAST
				                                ? 0.04
				                        : manner == DENORMAL ? 0.1
				                                             : 0.02) *
				                       norm,
				      "%s, %zu x %zu, %s: %g of %g lost", manner_names[manner], n,
				      cols, effort_names[effort], error, norm);
				for (r = n > 1 && manner != ZEROS ? cols : 0;
				     n > 1 && manner != ZEROS && r < 2 * cols && q[r] == 0; r++)
					;
				CHECK(counts, n == 1 || manner == ZEROS || r == 2 * cols,
				      "%s: a row of zeros became %g", manner_names[manner],
				      (double)q[r < 2 * cols ? r : 0]);
				free(w), free(q);
			}
	(void)h;
}

/* Where the smallest magnitude is far too large for a block, zeros lose less. */
static void test_blocks_beside_an_outlier_lose_no_more_than_themselves(check_counts *counts)
{
	static const float outliers[] = { 10, 100, 1000, 1e6f };
	float w[512], q[512];
	uint64_t seed = 11;
	size_t s, i;
	int effort;

	for (s = 0; s < LENGTH(outliers); s++)
		for (effort = EFFORT_FAST; effort <= EFFORT_HIGH; effort++) {
			book_encoding how = { .effort = (enum book_effort)effort,
				              .errors = best.book_errors };
			tile_error told;
			double error, norm;

			for (i = 0; i < 512; i++)
				w[i] = random_float(&seed) * 0.1f;
			w[77] = outliers[s];
			told = encode(w, 1, 512, &how, q, NULL);
			error = squared_error(w, q, NULL, 1, 512);
			norm = squared_norm(w, 512);
			CHECK(counts, fabs(told.error - error) <= 2e-6 * norm,
			      "outlier %g, %s: told %g, found %g", (double)outliers[s],
			      effort_names[effort], told.error, error);
			for (i = 0; i < 512; i += TILE_BLOCK)
				if (i != 64)
					CHECK(counts,
					      squared_error(w + i, q + i, NULL, 1, TILE_BLOCK) <=
					              1.1 * squared_norm(w + i, TILE_BLOCK),
					      "outlier %g, %s, block %zu: more lost than there was",
					      (double)outliers[s], effort_names[effort],
					      i / TILE_BLOCK);
		}
}

/* Weights of any size that a checkpoint may hold, up to the largest float, become finite ones. */
static void test_huge_weights_stay_finite(check_counts *counts)
{
	static const float sizes[] = { 1e10f, 1e18f, 1e19f, 3e25f, 1e36f, 3e38f };
	float w[200], q[200];
	uint64_t seed = 8;
	size_t s, i, bad;
	int effort;

	for (s = 0; s < LENGTH(sizes); s++)
		for (effort = EFFORT_FAST; effort <= EFFORT_HIGH; effort++) {
			book_encoding how = { .effort = (enum book_effort)effort,
				              .errors = best.book_errors };

			for (i = 0; i < 200; i++)
				w[i] = random_float(&seed) * sizes[s];
			(void)encode(w, 1, 200, &how, q, NULL);
			for (i = bad = 0; i < 200; i++)
				bad += !(fabsf(q[i] / sizes[s] - w[i] / sizes[s]) <
				         0.2f * sqrtf((float)now->loss));
			CHECK(counts, bad == 0, "%g, %s: %zu weights lost", (double)sizes[s],
			      effort_names[effort], bad);
		}
}

/* Of q8 too, where squares of the weights are beyond a float's range, and where they vanish. */
static void test_q8_tells_the_decoded_error(check_counts *counts)
{
	static const float sizes[] = { 1e-30f, 1e-22f, 1e-10f, 1, 1e18f, 1e20f, 1e37f };
	float w[200], q[200], scratch[256];
	uint8_t *tile = malloc(q8_tile_bytes(200));
	uint64_t seed = 9;
	size_t s, i;

	for (s = 0; s < LENGTH(sizes); s++) {
		tile_error told = { 0, 0 };
		double error, norm;

		for (i = 0; i < 200; i++)
			w[i] = gauss(&seed) * sizes[s];
		q8_encode_tile(tile, w, 1, 200, scratch, &told);
		q8_decode_row(q, tile, 0, 200);
		error = squared_error(w, q, NULL, 1, 200);
		norm = squared_norm(w, 200);
		CHECK(counts, fabs(told.norm - norm) <= 1e-5 * norm, "%g: norm %g, found %g",
		      (double)sizes[s], told.norm, norm);
		CHECK(counts, fabs(told.error - error) <= 1e-3 * error && error < 1e-4 * norm,
		      "%g: told %g, found %g of %g", (double)sizes[s], told.error, error, norm);
	}
	free(tile);
}

/* ---- importance ------------------------------------------------------------------------------ */

/* Catches importance that is ignored, applied to the wrong column, or taken as a root. */
static void test_importance_lowers_the_weighted_error(check_counts *counts)
{
	const size_t cols = 1000;
	float *w = malloc(TILE_ROWS * cols * sizeof *w), *q = malloc(TILE_ROWS * cols * sizeof *q),
	      *h = malloc(cols * sizeof *h);
	uint64_t seed = 5;
	size_t i;
	int effort;

	for (i = 0; i < TILE_ROWS * cols; i++)
		w[i] = gauss(&seed);
	for (i = 0; i < cols; i++)
		h[i] = expf(2 * gauss(&seed));
	for (effort = EFFORT_FAST; effort <= EFFORT_HIGH; effort++) {
		book_encoding how = { .effort = (enum book_effort)effort,
			              .errors = best.book_errors };
		double plain[2], weighted[2];

		for (i = 0; i < 2; i++) {
			tile_error told;

			how.importance = i ? h : NULL;
			told = encode(w, TILE_ROWS, cols, &how, q, NULL);
			plain[i] = squared_error(w, q, NULL, TILE_ROWS, cols);
			weighted[i] = squared_error(w, q, h, TILE_ROWS, cols);
			CHECK(counts, fabs(told.error - plain[i]) < 1e-5 * told.norm,
			      "the told error is the plain one: %g, found %g", told.error,
			      plain[i]);
		}
		CHECK(counts,
		      weighted[1] < (effort == EFFORT_FAST ? 1 : 0.9) * weighted[0] +
		                            (effort == EFFORT_FAST ? 1e-3 * weighted[0] : 0),
		      "%s: weighted %g, without importance %g", effort_names[effort], weighted[1],
		      weighted[0]);
		CHECK(counts, effort == EFFORT_FAST || plain[1] > plain[0],
		      "%s: plain %g, without importance %g", effort_names[effort], plain[1],
		      plain[0]);
	}
	free(w), free(q), free(h);
}

/* Importance has no unit, and may be zero for many columns, or for all. */
static void test_importance_has_no_unit(check_counts *counts)
{
	const size_t cols = 300;
	float w[300], q[300], h[300], scaled[300];
	uint8_t *tiles[2];
	book_encoding how = { .effort = EFFORT_NORMAL, .errors = best.book_errors };
	uint64_t seed = 6;
	size_t i, all;

	tiles[0] = malloc(codebook_tile_bytes(now->book, cols)),
	tiles[1] = malloc(codebook_tile_bytes(now->book, cols));
	for (i = 0; i < cols; i++) {
		w[i] = gauss(&seed);
		h[i] = i % 3 == 0 || i / 64 == 1 ? 0 : (float)uniform(&seed);
		scaled[i] = h[i] * 4096;
	}
	how.importance = h;
	(void)encode(w, 1, cols, &how, q, tiles[0]);
	how.importance = scaled;
	(void)encode(w, 1, cols, &how, q, tiles[1]);
	CHECK(counts, memcmp(tiles[0], tiles[1], codebook_tile_bytes(now->book, cols)) == 0,
	      "a factor of 4096 changes the tile");
	CHECK(counts, squared_error(w, q, NULL, 1, cols) < 0.02 * now->loss * squared_norm(w, cols),
	      "columns without importance are lost: %g", squared_error(w, q, NULL, 1, cols));
	for (all = 0; all < 2; all++) {
		for (i = 0; i < cols; i++)
			h[i] = all ? 3e38f : 0;
		how.importance = h;
		(void)encode(w, 1, cols, &how, q, NULL);
		CHECK(counts,
		      squared_error(w, q, NULL, 1, cols) < 0.02 * now->loss * squared_norm(w, cols),
		      "importance %g everywhere: %g", (double)h[0],
		      squared_error(w, q, NULL, 1, cols));
	}
	free(tiles[0]), free(tiles[1]);
}

/* ---- feedback -------------------------------------------------------------------------------- */

/* A calibration of one layer in memory, its first input filled by hand. */
typedef struct by_hand {
	calibration c;
	calibration_input *inputs;
	uint8_t *bytes;
	double *h; /* [cols][cols] from the correlations: 0 between groups */
	uint32_t cols, span;
} by_hand;

/* Two kinds of correlation: between neighbours, rho^|i - j| (an autoregressive process), or between
 * all, as sums of a few common factors and a tenth of noise. */
typedef enum bond { NEIGHBOURS, COMMON_CAUSES } bond;

#define CAUSES 5

static double correlate(bond kind, uint32_t i, uint32_t j)
{
	uint64_t a = i * 1000003ull, b = j * 1000003ull;
	double x[CAUSES], y[CAUSES], xx = 0, yy = 0, xy = 0;
	int k;

	if (kind == NEIGHBOURS)
		return pow(0.95, fabs((double)i - (double)j));
	for (k = 0; k < CAUSES; k++) {
		x[k] = (double)gauss(&a);
		y[k] = (double)gauss(&b);
		xx += x[k] * x[k];
		yy += y[k] * y[k];
		xy += x[k] * y[k];
	}
	return 0.9 * xy / sqrt(xx * yy);
}

/* Both are correlations of real inputs (positive definite) however they are rounded. Variances are
 * uneven. */
static by_hand make_moments(uint32_t cols, uint32_t span, bond kind)
{
	format_config config = {
		.dim = cols, .n_layers = 1, .n_heads = 1, .head_dim = 32, .hidden_dim = 32
	};
	by_hand m = { .cols = cols, .span = span, .h = calloc((size_t)cols * cols, sizeof *m.h) };
	uint64_t seed = cols;
	uint32_t i, j;
	float *squares;
	int16_t *out;

	if (!m.h || calibration_plan(&m.c.header, &m.inputs, &config, span, 1, NULL) != BRISE_OK ||
	    !(m.bytes = calloc(1, (size_t)m.c.header.file_bytes)))
		exit(1);
	m.c.inputs = m.inputs;
	m.c.map = MAP_CLOSED;
	m.c.map.bytes = m.bytes;
	squares = (float *)(void *)(m.bytes + m.inputs[0].offset);
	out = (int16_t *)(void *)(squares + cols);
	for (i = 0; i < cols; i++) {
		squares[i] = expf(1.5f * gauss(&seed));
		m.h[i * cols + i] = (double)squares[i];
		/* rows of each span's lower triangle follow one another, spans too */
		for (j = i / span * span; j < i; j++) {
			int16_t correlation = (int16_t)floor(correlate(kind, i, j) * 32767 + 0.5);

			m.h[i * cols + j] = m.h[j * cols + i] =
			        correlation / 32767.0 *
			        sqrt((double)squares[i] * (double)squares[j]);
			*out++ = correlation;
		}
	}
	m.c.map.size = (size_t)m.c.header.file_bytes;
	if ((uint8_t *)out != m.bytes + m.inputs[0].offset + m.inputs[0].bytes)
		exit(1);
	return m;
}

static void free_moments(by_hand *m)
{
	free(m->h), free(m->inputs), free(m->bytes);
}

static void factor(const by_hand *m, book_feedback *f, unsigned n_threads)
{
	pool *threads;

	if (pool_new(&threads, n_threads, NULL) != BRISE_OK ||
	    factor_new(f, m->cols, m->span, false, best.add_products, NULL) != BRISE_OK ||
	    factor_input(f, &m->c, 0, threads, NULL, NULL, NULL) != BRISE_OK)
		exit(1);
	pool_free(threads);
}

/* A's element, its unit diagonal included. */
static double element(const book_feedback *f, size_t row, size_t col)
{
	size_t first = col / f->span * f->span, block = (col - first) / TILE_BLOCK;

	if (row > col || row < first)
		return 0;
	return row == col
	               ? 1
	               : (double)f
	                         ->panels[col / f->span][book_panel(block) +
	                                                 book_in_panel(block, row - first,
	                                                               (col - first) % TILE_BLOCK)];
}

static const uint32_t shapes[][2] = { { 32, 32 },    { 64, 64 },  { 160, 64 }, { 150, 64 },
	                              { 200, 4096 }, { 129, 32 }, { 70, 96 },  { 300, 160 },
	                              { 3, 32 },     { 450, 448 } };

/* Catches a wrong order of elimination, strip, span, or panel: A D A^T is H with damping on its
 * diagonal. */
static void test_factors_multiply_to_the_moments(check_counts *counts)
{
	size_t s, i, j, k;

	for (s = 0; s < LENGTH(shapes); s++) {
		by_hand m = make_moments(shapes[s][0], shapes[s][1],
		                         s % 2 ? NEIGHBOURS : COMMON_CAUSES);
		double worst = 0;
		book_feedback f;

		factor(&m, &f, 1 + (unsigned)s % 3);
		for (i = 0; i < m.cols; i++) {
			size_t first = i / m.span * m.span,
			       end = first + m.span < m.cols ? first + m.span : m.cols;
			double mean = 0;

			for (k = first; k < end; k++)
				mean += m.h[k * m.cols + k] / (double)(end - first);
			for (j = 0; j <= i; j++) {
				double sum = 0,
				       expected = m.h[i * m.cols + j] + (i == j ? 0.01 * mean : 0),
				       off;

				for (k = i; k < m.cols; k++)
					sum += element(&f, i, k) * (double)f.variance[k] *
					       element(&f, j, k);
				off = fabs(sum - expected) /
				      sqrt((m.h[i * m.cols + i] + 0.01 * mean) *
				           (m.h[j * m.cols + j] + 0.01 * mean));
				worst = off > worst ? off : worst;
			}
		}
		CHECK(counts, worst < 1e-6, "%u columns in spans of %u: off by %g", m.cols, m.span,
		      worst);
		for (k = m.cols, i = 0; k < tile_padded(m.cols); k++)
			i += f.variance[k] != 0;
		CHECK(counts, i == 0, "%zu variances in the padding", i);
		factor_free(&f);
		free_moments(&m);
	}
}

static void test_factors_do_not_depend_on_threads(check_counts *counts)
{
	by_hand m = make_moments(700, 512, COMMON_CAUSES);
	book_feedback one, many;
	size_t i;

	factor(&m, &one, 1);
	factor(&m, &many, 3);
	CHECK(counts,
	      memcmp(one.variance, many.variance, tile_padded(m.cols) * sizeof *one.variance) == 0,
	      "variances");
	for (i = 0; i < 2; i++)
		CHECK(counts,
		      memcmp(one.panels[i], many.panels[i],
		             book_panel((i ? 188 + 31 : 512) / TILE_BLOCK) * sizeof **one.panels) ==
		              0,
		      "panels of span %zu", i);
	factor_free(&one), factor_free(&many);
	free_moments(&m);
}

/* sum over rows of e H e^T, e = w - q */
static double output_error(const by_hand *m, const float *w, const float *q, size_t n_rows)
{
	double sum = 0;
	size_t r, i, j;

	for (r = 0; r < n_rows; r++)
		for (i = 0; i < m->cols; i++)
			for (j = 0; j < m->cols; j++)
				sum += ((double)w[r * m->cols + i] - (double)q[r * m->cols + i]) *
				       m->h[i * m->cols + j] *
				       ((double)w[r * m->cols + j] - (double)q[r * m->cols + j]);
	return sum;
}

/* The share of columns rounded to a code next to their target: |(e A)_j|, what is left of it, is at
 * most half the codebook's widest gap. Others were clipped. */
static double share_of_near(const book_feedback *f, const float *w, const float *q,
                            const uint8_t *tile, size_t n_rows)
{
	size_t near = 0, all = 0, r, j, k;
	double widest = 0;

	for (j = 1; j < now->book->n_values; j++)
		widest = fmax(widest, now->book->values[j] - now->book->values[j - 1]);
	for (r = 0; r < n_rows; r++)
		for (j = 0; j < f->cols; j++) {
			uint8_t scale = tile[codebook_scales(now->book, j / TILE_BLOCK) + r];
			double left = 0;
			float row_scale;

			memcpy(&row_scale, tile + r * sizeof row_scale, sizeof row_scale);
			for (k = j / f->span * f->span; k <= j; k++)
				left += ((double)w[r * f->cols + k] - (double)q[r * f->cols + k]) *
				        element(f, k, j);
			near += fabs(left) <=
			        widest / 2 * 1.001 *
			                        fabs((double)row_scale *
			                             codebook_magnitude(now->book, scale)) +
			                1e-12;
			all++;
		}
	return (double)near / (double)all;
}

/* Catches feedback with the wrong sign, from the wrong column or row, or lost between blocks. */
static void check_feedback(check_counts *counts, uint32_t cols, uint32_t span, bond kind, size_t n)
{
	by_hand m = make_moments(cols, span, kind);
	float *w = malloc(n * cols * sizeof *w), *q = malloc(n * cols * sizeof *q);
	uint8_t *tile = malloc(codebook_tile_bytes(now->book, cols));
	uint64_t seed = 40 + cols;
	book_feedback f;
	size_t i;
	int effort;

	factor(&m, &f, 2);
	for (i = 0; i < n * cols; i++)
		w[i] = i / cols == 2 ? 0 : 0.02f * gauss(&seed);
	for (effort = EFFORT_NORMAL; effort <= EFFORT_HIGH; effort++) {
		book_encoding how = { .effort = (enum book_effort)effort,
			              .errors = best.book_errors };
		double alone, weighted, together, near;
		tile_error told;

		(void)encode(w, n, cols, &how, q, NULL);
		alone = output_error(&m, w, q, n);
		how.importance = (const float *)(const void *)(m.bytes + m.inputs[0].offset);
		(void)encode(w, n, cols, &how, q, NULL);
		weighted = output_error(&m, w, q, n);
		how.feedback = &f;
		told = encode(w, n, cols, &how, q, tile);
		together = output_error(&m, w, q, n);
		near = share_of_near(&f, w, q, tile, n);
		CHECK(counts, cols < 32 || (together < 0.5 * alone && together < 0.5 * weighted),
		      "%u columns in spans of %u, %s: %g with feedback, %g with importance, %g "
		      "alone",
		      cols, span, effort_names[effort], together, weighted, alone);
		CHECK(counts, near > 1 - 0.02 * now->loss,
		      "%u columns in spans of %u, %s, bond %d: %g are rounded to a neighbour", cols,
		      span, effort_names[effort], kind, near);
		CHECK(counts,
		      fabs(told.error - squared_error(w, q, NULL, n, cols)) < 1e-6 * told.norm,
		      "told %g, found %g", told.error, squared_error(w, q, NULL, n, cols));
		CHECK(counts, fabs(told.norm - squared_norm(w, n * cols)) < 1e-6 * told.norm,
		      "norm %g", told.norm);
		CHECK(counts, squared_error(w, q, NULL, n, cols) < 0.05 * now->loss * told.norm,
		      "weights are lost: %g of %g", told.error, told.norm);
	}
	factor_free(&f);
	free(w), free(q), free(tile);
	free_moments(&m);
}

static void test_feedback_lowers_the_error_of_outputs(check_counts *counts)
{
	size_t s;

	for (s = 0; s < LENGTH(shapes); s++) {
		check_feedback(counts, shapes[s][0], shapes[s][1], NEIGHBOURS, s % 2 ? 16 : 13);
		check_feedback(counts, shapes[s][0], shapes[s][1], COMMON_CAUSES, s % 2 ? 16 : 13);
	}
}

/* Correlations that no data can have pass every checksum: they must be refused, or leave finite
 * factors. */
static void test_impossible_correlations_do_no_harm(check_counts *counts)
{
	static const int16_t values[] = { -32767, 32767, -32768, -3000 };
	float w[256], q[256];
	uint64_t seed = 1;
	size_t v, i;

	for (v = 0; v <= LENGTH(values); v++) {
		by_hand m = make_moments(256, 256, NEIGHBOURS);
		int16_t *out =
		        (int16_t *)(void *)(m.bytes + m.inputs[0].offset + m.cols * sizeof(float));
		book_feedback f;
		pool *threads;
		size_t bad = 0;

		for (i = 0; i < m.cols * (m.cols - 1) / 2; i++)
			out[i] = v < LENGTH(values) ? values[v] : (int16_t)random_next(&seed);
		if (pool_new(&threads, 2, NULL) != BRISE_OK ||
		    factor_new(&f, m.cols, m.span, false, best.add_products, NULL) != BRISE_OK)
			exit(1);
		if (factor_input(&f, &m.c, 0, threads, NULL, NULL, NULL) == BRISE_OK) {
			book_encoding how = { .effort = EFFORT_HIGH,
				              .errors = best.book_errors,
				              .feedback = &f };

			for (i = 0; i < m.cols; i++)
				bad += !isfinite(f.variance[i]) || !(f.variance[i] > 0);
			for (i = 0; i < book_panel(m.cols / TILE_BLOCK); i++)
				bad += isfinite(f.panels[0][i]) ? 0 : 1;
			for (i = 0; i < m.cols; i++)
				w[i] = gauss(&seed);
			if (bad == 0) {
				(void)encode(w, 1, m.cols, &how, q, NULL);
				for (i = 0; i < m.cols; i++)
					bad += isfinite(q[i]) ? 0 : 1;
			}
		}
		CHECK(counts, bad == 0, "case %zu: %zu factors or weights are not finite", v, bad);
		factor_free(&f);
		pool_free(threads);
		free_moments(&m);
	}
}

/* Sums that leave a float's range become infinite, and their differences no numbers: neither is a
 * place in a table. */
static void test_feedback_beyond_floats_stays_within_tables(check_counts *counts)
{
	static const float sizes[] = { 1e-37f, 1e-25f, 1, 1e20f, 1e38f };
	by_hand m = make_moments(256, 256, NEIGHBOURS);
	float w[256], q[256];
	book_feedback f;
	size_t s, i;
	int way;

	factor(&m, &f, 1);
	for (s = 0; s < LENGTH(sizes) + 1; s++)
		for (way = 0; way < 2; way++) {
			book_encoding how = { .effort = EFFORT_HIGH,
				              .errors = way ? best.book_errors : book_errors,
				              .feedback = &f };
			float size = s < LENGTH(sizes) ? sizes[s] : 1;
			uint64_t seed = 4;
			double error = 0, norm = 0;
			tile_error told;

			for (i = 0; s == LENGTH(sizes) && i < book_panel(m.cols / TILE_BLOCK); i++)
				/* the last round: factors of an inconsistent calibration */
				f.panels[0][i] = i % 3 ? 3e38f : -3e38f;
			for (i = 0; i < m.cols; i++)
				w[i] = random_float(&seed) * size;
			told = encode(w, 1, m.cols, &how, q, NULL);
			for (i = 0; i < m.cols; i++) {
				error += pow((double)w[i] / (double)size -
				                     (double)q[i] / (double)size,
				             2);
				norm += pow((double)w[i] / (double)size, 2);
			}
			CHECK(counts,
			      s < LENGTH(sizes) ? error < 0.1 * now->loss * norm : isfinite(error),
			      "weights of %g: %g of %g lost", (double)size, error, norm);
			CHECK(counts,
			      s == LENGTH(sizes) ||
			              fabs(told.error / told.norm - error / norm) < 1e-4,
			      "weights of %g: told %g of %g", (double)size, told.error, told.norm);
		}
	factor_free(&f);
	free_moments(&m);
}

typedef struct patience {
	unsigned asked, most;
} patience;

static bool lose_patience(void *user)
{
	patience *p = user;

	return p->asked++ >= p->most;
}

/* Spans within those that the calibration has: as if it had no others. Catches correlations of
 * other columns. */
static void test_shorter_spans_are_parts_of_longer_ones(check_counts *counts)
{
	by_hand whole = make_moments(300, 128, NEIGHBOURS),
	        parts = make_moments(300, 64, NEIGHBOURS);
	book_feedback a, b;
	size_t span;

	factor(&parts, &a, 2);
	whole.span = 64;
	factor(&whole, &b, 2);
	CHECK(counts, memcmp(a.variance, b.variance, 300 * sizeof *a.variance) == 0, "variance");
	for (span = 0; span < 5; span++)
		CHECK(counts,
		      memcmp(a.panels[span], b.panels[span], book_panel(2) * sizeof **a.panels) ==
		              0,
		      "span %zu", span);
	factor_free(&a), factor_free(&b);
	free_moments(&whole), free_moments(&parts);
}

/* Wide inputs take seconds: the cancel function is called at every strip of 64 columns, and nothing
 * is computed after it returns true. */
static void test_factoring_stops_when_asked_to(check_counts *counts)
{
	by_hand m = make_moments(450, 448, NEIGHBOURS); /* seven strips and one of a second span */
	patience p = { 0, UINT_MAX };
	brise_error err;
	book_feedback f;
	pool *threads;
	unsigned all;

	if (pool_new(&threads, 2, NULL) != BRISE_OK ||
	    factor_new(&f, m.cols, m.span, false, best.add_products, NULL) != BRISE_OK)
		exit(1);
	CHECK(counts, factor_input(&f, &m.c, 0, threads, lose_patience, &p, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, p.asked >= 8, "asked %u times", p.asked);
	for (all = p.asked, p.most = 0; p.most < all; p.most++) {
		p.asked = 0;
		CHECK(counts,
		      factor_input(&f, &m.c, 0, threads, lose_patience, &p, &err) ==
		                      BRISE_ECANCELED &&
		              p.asked == p.most + 1,
		      "told to stop at question %u: %u asked", p.most, p.asked);
	}
	factor_free(&f);
	pool_free(threads);
	free_moments(&m);
}

/* ---- kernel sets ----------------------------------------------------------------------------- */

static void check_set(check_counts *counts, const arch_tools *set)
{
	by_hand m = make_moments(1000, 512, COMMON_CAUSES);
	float *w = malloc(TILE_ROWS * m.cols * sizeof *w);
	uint8_t *expected = malloc(codebook_tile_bytes(now->book, m.cols)),
	        *tile = malloc(codebook_tile_bytes(now->book, m.cols));
	uint64_t seed = 77;
	book_feedback f;
	size_t r;
	int effort, way;

	factor(&m, &f, 1);
	for (r = 0; r < TILE_ROWS; r++)
		fill_row(w + r * m.cols, m.cols, (int)r % MANNERS, &seed);
	for (effort = EFFORT_FAST; effort <= EFFORT_HIGH; effort++)
		for (way = 0; way < 3; way++) {
			book_encoding how = { .effort = (enum book_effort)effort,
				              .errors = book_errors,
				              .feedback = way == 2 ? &f : NULL };
			tile_error a, b;

			if (way == 1)
				how.importance = f.variance;
			a = encode(w, TILE_ROWS, m.cols, &how, NULL, expected);
			how.errors = set->book_errors;
			b = encode(w, TILE_ROWS, m.cols, &how, NULL, tile);
			CHECK(counts,
			      memcmp(expected, tile, codebook_tile_bytes(now->book, m.cols)) == 0 &&
			              a.error == b.error && a.norm == b.norm,
			      "%s, %s, way %d: another tile", set->name, effort_names[effort], way);
		}
	factor_free(&f);
	free(w), free(expected), free(tile);
	free_moments(&m);
}

/* The sums themselves, also for cells that no search asks for, far outside the table; infinite ones
 * and NaN excepted. */
static void check_sums(check_counts *counts, const arch_tools *set)
{
	float table[BOOK_CELLS], w[TILE_BLOCK], importance[TILE_BLOCK], by[37], plus[37],
	        expected[37], got[37];
	uint64_t seed = 78;
	size_t n, i;

	for (n = 0; n <= 37; n++) {
		for (i = 0; i < BOOK_CELLS; i++)
			table[i] = 128 + 100 * random_float(&seed);
		for (i = 0; i < TILE_BLOCK; i++) {
			w[i] = ldexpf(random_float(&seed), (int)(random_next(&seed) % 24) - 12);
			importance[i] = (float)uniform(&seed);
		}
		for (i = 0; i < n; i++) {
			by[i] = 60 * random_float(&seed);
			plus[i] = 128 + 16 * random_float(&seed);
		}
		memset(expected, 0, sizeof expected);
		memset(got, 0, sizeof got);
		book_errors(expected, w, importance, table, by, plus, n);
		set->book_errors(got, w, importance, table, by, plus, n);
		CHECK(counts, memcmp(expected, got, sizeof got) == 0, "%s: %zu scales", set->name,
		      n);
	}
}

static void test_every_kernel_set_gives_the_same_tile(check_counts *counts)
{
	const char *only = getenv("BRISE_TEST_ARCH");
	arch_cpu cpu;
	size_t i;

	arch_detect(&cpu);
	for (i = 0; arch_list(i); i++) {
		arch_kernels set;
		arch_tools tools;

		if (only && *only && strcmp(only, arch_list(i)->name) != 0)
			continue;
		if (!arch_choose(&set, arch_list(i)->name, &cpu)) {
			check_skip(counts, arch_list(i)->name, "not here");
			continue;
		}
		arch_find_tools(&tools, set.name);
		check_sums(counts, &tools);
		check_set(counts, &tools);
	}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	arch_kernels set;
	arch_cpu cpu;

	check_choose(argc, argv);
	arch_detect(&cpu);
	if (!arch_choose(&set, NULL, &cpu))
		return 1;
	arch_find_tools(&best, set.name);
	for (now = tested; now < tested + LENGTH(tested); now++) {
		RUN(test_relative_error_is_below_what_is_promised(&counts));
		RUN(test_rows_with_an_outlier_lose_what_is_promised(&counts));
		RUN(test_rows_are_short_by_a_share_of_their_error(&counts));
		RUN(test_told_error_is_the_decoded_error(&counts));
		RUN(test_blocks_beside_an_outlier_lose_no_more_than_themselves(&counts));
		RUN(test_huge_weights_stay_finite(&counts));
		RUN(test_importance_lowers_the_weighted_error(&counts));
		RUN(test_importance_has_no_unit(&counts));
		RUN(test_feedback_lowers_the_error_of_outputs(&counts));
		RUN(test_impossible_correlations_do_no_harm(&counts));
		RUN(test_feedback_beyond_floats_stays_within_tables(&counts));
		RUN(test_every_kernel_set_gives_the_same_tile(&counts));
	}
	RUN(test_q8_tells_the_decoded_error(&counts));
	RUN(test_factors_multiply_to_the_moments(&counts));
	RUN(test_factors_do_not_depend_on_threads(&counts));
	RUN(test_shorter_spans_are_parts_of_longer_ones(&counts));
	RUN(test_factoring_stops_when_asked_to(&counts));
	return check_report("encoder", &counts);
}
