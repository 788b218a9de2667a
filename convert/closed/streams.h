/* streams.h - a text through two models, layer by layer: the original, and the one that is being
 * made */
#ifndef CONVERT_CLOSED_STREAMS_H
#define CONVERT_CLOSED_STREAMS_H

#include "convert/closed/correction.h"
#include "convert/closed/layer.h"
#include "runtime/eval/engine.h"

/* Streams. */
enum { STREAM_ORIGINAL, STREAM_QUANTIZED, STREAMS };

typedef struct streams {
	layer_model layers[STREAMS];
	brise_engine *engines[STREAMS]; /* they take turns on the threads of the first */
	brise_sequence *sequences[STREAMS];
	const int32_t *ids; /* [n] */
	size_t n;
	/* Residual streams [n][engine_stride(dim)]: between layers, and within one behind its
	 * attention. */
	float *states[STREAMS][2];
} streams;

/* Models of the configuration, without a layer yet. ids [n] must outlive them; states are the
 * caller's. Errors: those of engines and sequences. Call streams_free in the end and after an
 * error. */
brise_status streams_new(streams *s, const format_config *config, const char *name,
                         const int32_t *ids, size_t n, unsigned threads, const char *arch,
                         brise_error *err);
void streams_free(streams *s);

/* Parts [first, end) of the layer that both models hold, from the states that the layer begins with
 * or those behind its attention, for all tokens. */
typedef struct streams_step {
	unsigned first, end;
	bool behind_attention; /* the second generation of states, not the first */
	int to;                /* generation that gets what they leave; -1: none */
	int show; /* part whose inputs are shown then, RESIDENCY_PARTS for the output; -1: none */
} streams_step;

/* Shown: x of the original, y of the quantized model, and where they are added to it, the residual
 * streams. `done` tokens came before. Anything but BRISE_OK ends the step. */
typedef brise_status streams_observe_fn(void *user, const correction_rows *rows, size_t done,
                                        brise_error *err);

brise_status streams_run(streams *s, const streams_step *step, streams_observe_fn *observe,
                         void *user, brise_error *err);

/* Columns of what a part's matrices multiply; RESIDENCY_PARTS stands for the output. */
uint32_t streams_columns(const format_config *config, unsigned part);

/* Floats of the states of one stream and generation. False: too many. */
bool streams_state_floats(const format_config *config, size_t n, size_t *floats);

#endif
