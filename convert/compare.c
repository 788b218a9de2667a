/* compare.c - the comparison: slices of rows on all threads, with sums added in order, so that they
 * do not depend on the threads */
#include "convert/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>

#include "arch/float_env.h"
#include "convert/slices.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"
#include "runtime/os/threads.h"

#define SLICE_ROWS 16u
#define LANES      8u /* running sums side by side, so that compilers keep them in vectors */

typedef struct comparison {
	const convert_source *a, *b;
	format_config order; /* of the tensors; the rest is b's */
	const compare_options *options;
	unsigned workers;
	uint32_t kind, layer; /* of the current tensor */
	compare_tensor *tensor;
	compare_sums *slices; /* [slices of the largest tensor] */
	float **spaces;       /* [workers] rows of a, rows of b, scratch: [3][SLICE_ROWS][widest] */
	size_t space;         /* floats of one of the three */
	uint64_t done, total; /* weights, of whole tensors */
	atomic_uint_fast64_t rows_done;
} comparison;

double compare_relative_error(const compare_sums *sums)
{
	return sums->error == 0 ? 0 : sums->error / sums->norm;
}

void compare_add(compare_sums *sums, const compare_sums *other)
{
	sums->error += other->error;
	sums->norm += other->norm;
	sums->largest = other->largest > sums->largest ? other->largest : sums->largest;
}

static void add_weights(compare_sums *sums, const float *a, const float *b, size_t n)
{
	double error[LANES] = { 0 }, norm[LANES] = { 0 }, largest[LANES] = { 0 };
	size_t i, lane;

	for (i = 0; i + LANES <= n; i += LANES)
		for (lane = 0; lane < LANES; lane++) {
			double reference = (double)b[i + lane],
			       off = fabs((double)a[i + lane] - reference);

			error[lane] += off * off;
			norm[lane] += reference * reference;
			largest[lane] = off > largest[lane] ? off : largest[lane];
		}
	for (lane = 0; i < n; i++, lane++) {
		double reference = (double)b[i], off = fabs((double)a[i] - reference);

		error[lane] += off * off;
		norm[lane] += reference * reference;
		largest[lane] = off > largest[lane] ? off : largest[lane];
	}
	for (lane = 0; lane < LANES; lane++)
		compare_add(sums, &(compare_sums){ error[lane], norm[lane], largest[lane] });
}

static brise_status compare_slice(void *self, unsigned worker, size_t slice, brise_error *err)
{
	comparison *c = self;
	const compare_tensor *t = c->tensor;
	uint32_t first = (uint32_t)slice * SLICE_ROWS,
	         n = t->rows - first < SLICE_ROWS ? t->rows - first : SLICE_ROWS;
	float *a = c->spaces[worker], *b = a + c->space, *raw = b + c->space;
	brise_status status = c->a->read(c->a->self, c->kind, c->layer, first, n, a, raw, err);

	if (status == BRISE_OK)
		status = c->b->read(c->b->self, c->kind, c->layer, first, n, b, raw, err);
	c->slices[slice] = (compare_sums){ 0, 0, 0 };
	if (status == BRISE_OK)
		add_weights(&c->slices[slice], a, b, (size_t)n * t->cols);
	atomic_fetch_add(&c->rows_done, n);
	return status;
}

static brise_status tell_progress(void *self, size_t slice, brise_error *err)
{
	comparison *c = self;

	(void)slice;
	if (c->options->progress)
		c->options->progress(c->options->user, c->tensor->name,
		                     c->done + atomic_load(&c->rows_done) * c->tensor->cols,
		                     c->total);
	if (c->options->cancel && c->options->cancel(c->options->user))
		return error_set(err, BRISE_ECANCELED, "comparison cancelled; nothing was printed");
	return BRISE_OK;
}

static brise_status compare_tensor_slices(comparison *c, brise_error *err)
{
	compare_tensor *t = c->tensor;
	const slices job = { divide_up(t->rows, SLICE_ROWS), c->workers, compare_slice,
		             tell_progress, c };
	brise_status status;
	size_t i;

	atomic_store(&c->rows_done, 0);
	if ((status = slices_run(&job, err)) != BRISE_OK)
		return status;
	for (i = 0; i < job.n; i++)
		compare_add(&t->sums, &c->slices[i]);
	c->done += (uint64_t)t->rows * t->cols;
	atomic_store(&c->rows_done, 0);
	return tell_progress(c, 0, err); /* of few slices, the caller's thread may have had none */
}

/* ---- the plan ------------------------------------------------------------------------------- */

static const char *type_of(const convert_source *source, uint32_t kind, uint32_t layer)
{
	return source->name_type ? source->name_type(source->self, kind, layer) : NULL;
}

/* Fills the list's names, shapes and types; shapes are compared on the way. */
static brise_status plan(comparison *c, const char *a_name, const char *b_name,
                         compare_tensor *list, brise_error *err)
{
	uint32_t kind, layer, rows, cols;
	size_t i;

	for (i = 0; order_at(&c->order, i, &kind, &layer); i++) {
		compare_tensor *t = &list[i];

		model_tensor_name(t->name, kind, layer);
		model_tensor_shape(&c->b->config, kind, &t->rows, &t->cols);
		model_tensor_shape(&c->a->config, kind, &rows, &cols);
		if (rows != t->rows || cols != t->cols)
			return error_set(err, BRISE_EINVAL,
			                 "%s: tensor %s: expected %" PRIu32 " x %" PRIu32
			                 " as in %s, found %" PRIu32 " x %" PRIu32,
			                 a_name, t->name, t->rows, t->cols, b_name, rows, cols);
		t->types[0] = type_of(c->a, kind, layer);
		t->types[1] = type_of(c->b, kind, layer);
		c->total += (uint64_t)rows * cols;
	}
	return BRISE_OK;
}

static brise_status allocate(comparison *c, const compare_tensor *list, size_t n, brise_error *err)
{
	uint32_t most_rows = 1, widest = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		most_rows = list[i].rows > most_rows ? list[i].rows : most_rows;
		widest = list[i].cols > widest ? list[i].cols : widest;
	}
	c->space = (size_t)SLICE_ROWS * widest;
	c->slices = memory_new(most_rows / SLICE_ROWS + 1, sizeof *c->slices);
	c->spaces = memory_new(c->workers, sizeof *c->spaces);
	for (i = 0; c->spaces && i < c->workers; i++)
		if (!(c->spaces[i] = memory_new(3 * c->space, sizeof(float))))
			break;
	if (!c->slices || !c->spaces || i < c->workers)
		return error_set(err, BRISE_ENOMEM,
		                 "no memory to compare rows of %" PRIu32 " on %u threads", widest,
		                 c->workers);
	return BRISE_OK;
}

static void free_comparison(comparison *c)
{
	unsigned i;

	for (i = 0; c->spaces && i < c->workers; i++)
		memory_free(c->spaces[i]);
	memory_free(c->spaces);
	memory_free(c->slices);
}

static brise_status compare(const convert_source *a, const char *a_name, const convert_source *b,
                            const char *b_name, const compare_options *options,
                            compare_tensor **list, size_t *n, brise_error *err)
{
	comparison c = { .a = a,
		         .b = b,
		         .options = options,
		         .workers = options->threads ? options->threads : threads_available() };
	brise_status status;
	size_t i;

	*list = NULL;
	*n = 0;
	c.workers = c.workers > THREADS_MAX ? THREADS_MAX : c.workers;
	if (a->config.n_layers != b->config.n_layers)
		return error_set(err, BRISE_EINVAL,
		                 "%s: expected %" PRIu32 " layers as in %s, found %" PRIu32, a_name,
		                 b->config.n_layers, b_name, a->config.n_layers);
	c.order = b->config;
	c.order.flags &= a->config.flags; /* tied matrices are two beside a model that has two */
	*n = order_count(&c.order);
	if (!(*list = memory_new(*n, sizeof **list)))
		return error_set(err, BRISE_ENOMEM, "no memory for a list of %zu tensors", *n);
	if ((status = plan(&c, a_name, b_name, *list, err)) == BRISE_OK)
		status = allocate(&c, *list, *n, err);
	for (i = 0; i < *n && status == BRISE_OK; i++) {
		c.tensor = &(*list)[i];
		(void)order_at(&c.order, i, &c.kind, &c.layer);
		status = compare_tensor_slices(&c, err);
	}
	free_comparison(&c);
	if (status != BRISE_OK) {
		memory_free(*list);
		*list = NULL;
		*n = 0;
	}
	return status;
}

brise_status compare_sources(const convert_source *a, const char *a_name, const convert_source *b,
                             const char *b_name, const compare_options *options,
                             compare_tensor **list, size_t *n, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = compare(a, a_name, b, b_name, options, list, n, err);

	float_env_leave(host);
	return status;
}
