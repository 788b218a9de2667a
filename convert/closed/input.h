/* input.h - what the matrices of one input are rounded with in a closed loop: sums over a text, and
 * the factors and the correction that they become */
#ifndef CONVERT_CLOSED_INPUT_H
#define CONVERT_CLOSED_INPUT_H

#include "convert/calibration/moments.h"
#include "convert/closed/correction.h"
#include "convert/encode.h"

typedef struct closed_input {
	uint32_t cols;
	moments moments; /* freed when they have become factors */
	correction correction;
	book_feedback feedback;
	void *data; /* moments as factor_data wants them */
} closed_input;

/* rows: of the residual stream that outputs are added to; 0: they are not. Errors: BRISE_ENOMEM.
 * Call input_free in the end and after an error. */
brise_status input_new(closed_input *in, uint32_t cols, uint32_t rows, unsigned threads,
                       brise_error *err);
void input_free(closed_input *in);

void input_add(closed_input *in, const correction_rows *rows, const arch_tools *tools,
               pool *threads);

/* Sums over `tokens` become factors and correction. Errors: BRISE_ENOMEM, BRISE_EFORMAT (not
 * finite), BRISE_ECANCELED. */
brise_status input_finish(closed_input *in, size_t tokens, const encode_job *job, pool *threads,
                          brise_error *err);

/* Most bytes of memory that an input takes while it is measured, factored and used. */
uint64_t input_bytes(uint32_t cols, uint32_t rows);

#endif
