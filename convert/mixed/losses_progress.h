/* losses_progress.h - how far the measurement of losses is, and how long the rest will take */
#ifndef CONVERT_MIXED_LOSSES_PROGRESS_H
#define CONVERT_MIXED_LOSSES_PROGRESS_H

#include "convert/encode.h"

typedef struct losses_progress {
	const encode_job *job;
	size_t tokens;         /* of a pass */
	uint64_t done, total;  /* source bytes, as passes read them */
	double start, passing; /* when it began; seconds in passes over layers */
	char name[64];         /* of what is being done */
} losses_progress;

/* Counts all work, of single matrices or by layers (convert/mixed/parts.h), and begins now. */
void losses_begin(losses_progress *p, const encode_job *job, bool by_layer, size_t tokens);

void losses_name_layer(losses_progress *p, uint32_t layer);
void losses_name_output(losses_progress *p);

/* What has been done: a pass over a layer, in so many seconds; all encoding of a layer, or of the
 * output; the predictions of a stream. */
void losses_pass_done(losses_progress *p, double seconds);
void losses_layer_encoded(losses_progress *p);
void losses_output_encoded(losses_progress *p);
void losses_prediction_done(losses_progress *p);

/* Calls the job's progress. BRISE_ECANCELED if the caller wants it to end. */
brise_status losses_report(const losses_progress *p, brise_error *err);

/* The same as a rounding's `tell`, of a losses_progress. */
brise_status losses_tell_share(void *progress, double share, brise_error *err);

/* Lines for the job's decision: memory before it is taken; the time left, once the first layer is
 * done. */
void losses_tell_needs(const encode_job *job, size_t tokens, size_t parts, bool by_layer,
                       double bytes);
void losses_tell_time(const losses_progress *p);

#endif
