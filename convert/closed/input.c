/* input.c - see input.h */
#include "convert/closed/input.h"

#include <float.h>

#include "convert/calibration/factor.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

/* Columns whose correlations are kept together. */
#define SPAN 4096u

/* Added to each mean square, of their mean. On breeze between 0.01 and 0.1 differ by no more than
 * 3 %. */
#define DAMPING 0.05

/* The fraction of the correction that is made. On breeze, divergence on validation text and on the
 * project's documents: none of it 0.0045 and 0.0063, half 0.0038 and 0.0056. */
#define STRENGTH 0.5f

brise_status input_new(closed_input *in, uint32_t cols, uint32_t rows, unsigned threads,
                       brise_error *err)
{
	brise_status status;

	*in = (closed_input){ .cols = cols };
	status = moments_new(&in->moments, cols, SPAN, err);
	return status == BRISE_OK ? correction_new(&in->correction, cols, SPAN, rows, threads, err)
	                          : status;
}

void input_free(closed_input *in)
{
	moments_free(&in->moments);
	correction_free(&in->correction);
	factor_free(&in->feedback);
	memory_free_aligned(in->data);
	*in = (closed_input){ 0 };
}

void input_add(closed_input *in, const correction_rows *rows, const arch_tools *tools,
               pool *threads)
{
	moments_add(&in->moments, rows->y, rows->stride, rows->n, tools, threads);
	correction_add(&in->correction, rows, tools, threads);
}

static brise_status store_moments(closed_input *in, size_t tokens, const char *name, pool *threads,
                                  brise_error *err)
{
	uint32_t i;

	for (i = 0; i < in->cols; i++)
		if (!(in->moments.squares[i] / (double)tokens <= (double)FLT_MAX))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: what its matrices multiply is not finite", name);
	in->data = memory_new_aligned((size_t)calibration_data_bytes(in->cols, SPAN), 1);
	if (!in->data)
		return error_set(err, BRISE_ENOMEM, "no memory for moments");
	moments_store(&in->moments, tokens, in->data, threads);
	moments_free(&in->moments);
	return BRISE_OK;
}

brise_status input_finish(closed_input *in, size_t tokens, const encode_job *job, pool *threads,
                          brise_error *err)
{
	const convert_options *o = job->options;
	brise_status status;

	if ((status = store_moments(in, tokens, job->name, threads, err)) != BRISE_OK ||
	    (status = factor_new(&in->feedback, in->cols, SPAN, true, job->tools->add_products,
	                         err)) != BRISE_OK ||
	    (status = factor_data(&in->feedback, in->data, DAMPING, job->name, threads, o->cancel,
	                          o->user, err)) != BRISE_OK)
		return status;
	correction_finish(&in->correction, &in->feedback, STRENGTH, tokens, job->tools, threads);
	return BRISE_OK;
}

/* By spans: moments as they are and as correlations, their factors, what corrects; four squares of
 * a span, of which two are the doubles that are factored; by columns: panels of 256 tokens,
 * inverses of blocks. */
uint64_t input_bytes(uint32_t cols, uint32_t rows)
{
	uint64_t span = cols < SPAN ? cols : SPAN;

	return sizeof(float) * (cols * span * 11 / 4 + (uint64_t)cols * ((uint64_t)rows + 612) +
	                        (uint64_t)rows * 256 + 4 * span * span);
}
