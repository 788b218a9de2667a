/* calibrate.h - running a model over a text to measure the inputs of its matrices */
#ifndef CONVERT_CALIBRATION_CALIBRATE_H
#define CONVERT_CALIBRATION_CALIBRATE_H

#include "runtime/brise.h"

/* Called from the calling thread: layers and tokens of the current layer. */
typedef void calibrate_progress_fn(void *user, uint32_t layer, uint32_t n_layers, uint64_t token,
                                   uint64_t tokens);

/* Receives one line about an interrupted run that this one cannot resume. */
typedef void calibrate_note_fn(void *user, const char *line);

typedef struct calibrate_options {
	/* columns whose correlations are kept together, a multiple of 32; 0: mean squares alone */
	uint32_t span;
	uint32_t threads; /* 0: one per core this process may use. Any value gives the same file */
	const char *arch; /* kernel set; NULL: the best. Any gives the same file */
	calibrate_progress_fn *progress;
	calibrate_note_fn *note;
	brise_cancel_fn *cancel;
	void *user;
} calibrate_options;

/* Span 4096. */
void calibrate_init_options(calibrate_options *options);

typedef struct calibrate_result {
	uint64_t file_bytes;
	uint32_t resumed; /* layers that an interrupted run had done */
	double seconds;
} calibrate_result;

/* Evaluates ids [n] as one stream, layer after layer: memory holds one layer's moments, and the
 * states of all tokens are mapped from the unfinished file.
 *
 * The file is written as `out`.unfinished and renamed when complete
 * (convert/calibration/unfinished.h). A run that was cancelled, failed or was killed after its
 * first layer leaves that file, and the same call resumes after the last complete layer; result
 * (may be NULL) says so. Any other file of that name is refused.
 * Errors: BRISE_EINVAL ids or options, BRISE_EIO, BRISE_ENOMEM, BRISE_EFORMAT the model computes
 * infinities or NaNs, BRISE_ECANCELED. */
brise_status calibrate_model(const brise_model *model, const int32_t *ids, size_t n,
                             const char *out, const calibrate_options *options,
                             calibrate_result *result, brise_error *err);

#endif
