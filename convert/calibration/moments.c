/* moments.c - X^T X in tiles of 16 x 16, each by one thread and in order of tokens
 *
 * Rows of inputs are a multiple of 512 bytes long, mostly of 4 KB: the inputs of a tile map to a
 * few sets of the caches and evict each other. So tokens go in blocks, of which all columns are
 * first turned into panels [token][16]. A panel of a block is 16 KB, half of a small L1; a strip of
 * four, which stays in L2, is multiplied with all panels to its left. Sums begin at zero in each
 * block: their errors of rounding do not grow with the text.
 */
#include "convert/calibration/moments.h"

#include <math.h>
#include <string.h>

#include "convert/calibration/calibration.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define PANEL       TILE_ROWS
#define TILE_FLOATS (PANEL * PANEL)
#define BLOCK       256u /* tokens */
#define STRIP       4u   /* panels whose rows of tiles are one piece of work */

static uint32_t n_spans(const moments *m)
{
	return m->span ? (m->cols + m->span - 1) / m->span : 0;
}

static size_t n_panels(size_t cols)
{
	return divide_up(cols, PANEL);
}

static size_t span_panels(const moments *m, uint32_t span)
{
	uint32_t first = span * m->span;

	return n_panels(calibration_span_end(first, m->span, m->cols) - first);
}

/* The tile of panels i and j <= i among a span's; also how many tiles i panels have. */
static size_t tile_at(size_t i, size_t j)
{
	return i * (i + 1) / 2 + j;
}

/* Room for `floats` floats, times `times`; NULL: no memory, or more than there can be. */
static void *allocate(uint64_t floats, uint64_t times)
{
	uint64_t all;
	size_t size;

	if (!checked_mul(floats, times, &all) || !checked_size(all, &size))
		return NULL;
	return memory_new_aligned(size, sizeof(float));
}

/* Of at most 2^16 panels. */
static uint64_t span_tiles(const moments *m, uint32_t span)
{
	uint64_t panels = span_panels(m, span);

	return panels * (panels + 1) / 2;
}

brise_status moments_new(moments *m, uint32_t cols, uint32_t span, brise_error *err)
{
	bool complete;
	uint32_t i;

	*m = (moments){ .cols = cols, .span = span };
	m->squares = memory_new(n_panels(cols) * PANEL, sizeof *m->squares);
	m->sums = memory_new(n_spans(m) + 1, sizeof *m->sums);
	m->panels = allocate(n_panels(cols) * PANEL, BLOCK);
	complete = m->squares && m->sums && m->panels;
	for (i = 0; complete && i < n_spans(m); i++)
		complete = (m->sums[i] = allocate(span_tiles(m, i), TILE_FLOATS)) != NULL;
	if (!complete)
		return error_set(err, BRISE_ENOMEM,
		                 "no memory for the moments of %u columns in spans of %u", cols,
		                 span);
	moments_clear(m);
	return BRISE_OK;
}

void moments_clear(moments *m)
{
	uint32_t i;

	memset(m->squares, 0, n_panels(m->cols) * PANEL * sizeof *m->squares);
	for (i = 0; i < n_spans(m); i++)
		memset(m->sums[i], 0, (size_t)span_tiles(m, i) * TILE_FLOATS * sizeof **m->sums);
}

void moments_free(moments *m)
{
	uint32_t i;

	for (i = 0; m->sums && i < n_spans(m); i++)
		memory_free_aligned(m->sums[i]);
	memory_free(m->sums);
	memory_free(m->squares);
	memory_free_aligned(m->panels);
	*m = (moments){ 0 };
}

/* ---- adding ---------------------------------------------------------------------------------- */

typedef struct add_job {
	moments *m;
	const float *rows;
	size_t stride;
	uint32_t n; /* at most BLOCK */
	const arch_tools *tools;
	size_t strips; /* of a whole span */
} add_job;

/* Items are panels: transposed, and their squares added at the same time. */
static void turn_panels(void *argument, unsigned worker, size_t first, size_t end)
{
	const add_job *job = argument;
	unsigned c;
	uint32_t t;

	(void)worker;
	for (; first < end; first++) {
		const float *row = job->rows + first * PANEL;
		float *panel = job->m->panels + first * PANEL * job->n;
		double squares[PANEL];

		memcpy(squares, job->m->squares + first * PANEL, sizeof squares);
		for (t = 0; t < job->n; t++, row += job->stride, panel += PANEL)
			for (c = 0; c < PANEL; c++) {
				panel[c] = row[c];
				squares[c] += (double)row[c] * (double)row[c];
			}
		memcpy(job->m->squares + first * PANEL, squares, sizeof squares);
	}
}

/* The tiles of a span's panels [first, first + STRIP) and all before them. */
static void add_strip(const add_job *job, uint32_t span, size_t first)
{
	const float *panels = job->m->panels + (size_t)span * job->m->span * job->n;
	size_t all = span_panels(job->m, span), end = first + STRIP < all ? first + STRIP : all,
	       floats = (size_t)job->n * PANEL, i, j;

	for (j = 0; j < end; j++)
		for (i = j > first ? j : first; i < end; i++)
			job->tools->add_products(job->m->sums[span] + tile_at(i, j) * TILE_FLOATS,
			                         panels + i * floats, panels + j * floats, job->n);
}

/* Items are the strips of all spans from the last to the first, so that long ones come before short
 * ones and threads finish together. */
static void add_strips(void *argument, unsigned worker, size_t first, size_t end)
{
	const add_job *job = argument;

	(void)worker;
	for (; first < end; first++) {
		size_t strip = n_spans(job->m) * job->strips - 1 - first;

		add_strip(job, (uint32_t)(strip / job->strips), strip % job->strips * STRIP);
	}
}

void moments_add(moments *m, const float *rows, size_t stride, uint32_t n, const arch_tools *tools,
                 pool *threads)
{
	size_t strips = m->span ? divide_up(span_panels(m, 0), STRIP) : 0;
	uint32_t first;

	for (first = 0; first < n; first += BLOCK) {
		add_job job = { m,      rows + first * stride,
			        stride, n - first < BLOCK ? n - first : BLOCK,
			        tools,  strips };

		pool_run(threads, turn_panels, &job, n_panels(m->cols), STRIP);
		pool_run(threads, add_strips, &job, n_spans(m) * strips, 1);
	}
}

/* ---- storing --------------------------------------------------------------------------------- */

static int16_t to_correlation(double sum, double norm)
{
	double c = norm > 0 ? sum / norm : 0;

	c = c > 1 ? 1 : c >= -1 ? c : -1; /* of sums that left a float's range, too */
	return (int16_t)floor(c * 32767 + 0.5);
}

typedef struct store_job {
	const moments *m;
	int16_t *correlations;
} store_job;

/* Items are columns: with those of its span before it. */
static void store_columns(void *argument, unsigned worker, size_t first, size_t end)
{
	const store_job *job = argument;
	const moments *m = job->m;

	(void)worker;
	for (; first < end; first++) {
		size_t span = first / m->span, row = first % m->span, col;
		const double *squares = m->squares + span * m->span;
		const float *sums =
		        m->sums[span] + tile_at(row / PANEL, 0) * TILE_FLOATS + row % PANEL * PANEL;
		int16_t *out = job->correlations + span * ((size_t)m->span * (m->span - 1) / 2) +
		               row * (row - 1) / 2;

		for (col = 0; col < row; col++)
			out[col] = to_correlation(
			        (double)sums[col / PANEL * TILE_FLOATS + col % PANEL],
			        sqrt(squares[row] * squares[col]));
	}
}

void moments_store(const moments *m, uint64_t tokens, void *bytes, pool *threads)
{
	float *squares = bytes;
	store_job job = { m, (int16_t *)(void *)(squares + m->cols) };
	uint32_t i;

	for (i = 0; i < m->cols; i++)
		squares[i] = (float)(m->squares[i] / (double)tokens);
	if (m->span)
		pool_run(threads, store_columns, &job, m->cols, PANEL);
}
