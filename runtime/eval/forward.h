/* forward.h - one pass over the weights, whole or layer by layer */
#ifndef RUNTIME_FORWARD_H
#define RUNTIME_FORWARD_H

#include "runtime/eval/engine.h"

/* Receives the inputs of matrices: rows [n][stride], the input of the matrix of that kind and
 * layer, and of all matrices that share it. */
typedef void forward_observe_fn(void *user, uint32_t kind, uint32_t layer, const float *rows,
                                size_t stride, uint32_t n);

typedef struct forward_observer {
	forward_observe_fn *observe; /* NULL: no observer */
	void *user;
} forward_observer;

/* Runs the pass p up to the states behind the last layer, in e->x. Positions move at its end.
 * output: logits follow. cancel (NULL: never) is asked before each layer. After BRISE_ECANCELED,
 * and BRISE_EIO (the model's file could not be read), no position has moved. After BRISE_ECANCELED
 * the same pass again continues with the layer that was to come, if neither engine nor sequences
 * have been used for anything else and nothing is streamed. */
brise_status forward_pass(brise_engine *e, const pass *p, bool output, forward_observer observer,
                          brise_cancel_fn *cancel, void *user, brise_error *err);

/* The pass taken apart. e->x holds the states [n][engine_stride(dim)] of the rows of p, in its
 * order. Steps of a whole pass: forward_angles, forward_embed, pass_begin, forward_layer for each
 * layer in order, pass_end, forward_logits.
 * Errors: BRISE_EIO the model's file could not be read. */

/* Fills e->cosines and e->sines for the positions of p. */
void forward_angles(brise_engine *e, const pass *p);

/* e->x = the embeddings of p's tokens. */
brise_status forward_embed(brise_engine *e, const pass *p, brise_error *err);

/* e->x becomes the states after the layer; keys and values of the layer are written. */
brise_status forward_layer(brise_engine *e, const pass *p, uint32_t layer,
                           forward_observer observer, brise_error *err);

/* The parts of a layer by themselves, in order: RESIDENCY_QKV with attention behind it,
 * RESIDENCY_O, RESIDENCY_UP, RESIDENCY_DOWN. Only O and DOWN change e->x; UP begins with it alone,
 * so that a layer can be resumed there. */
brise_status forward_part(brise_engine *e, const pass *p, uint32_t layer, residency_part part,
                          forward_observer observer, brise_error *err);

/* What the matrices of a part would multiply for the first n rows, without multiplying: [n][stride
 * of their columns], valid until the engine is used again. The parts before it have been run;
 * RESIDENCY_PARTS stands for the output. The part itself cannot be run from there. */
const float *forward_input(brise_engine *e, uint32_t n, uint32_t layer, residency_part part);

/* The output matrix, held for any number of forward_logits. Release returns `status`, or its own
 * error if that is BRISE_OK. */
brise_status forward_acquire_output(brise_engine *e, weights_unit *output, brise_error *err);
brise_status forward_release_output(brise_engine *e, brise_status status, brise_error *err);

/* Logits of n rows of e->x, n <= LOGITS_ROWS, into e->logits. rows [n]: which. */
brise_status forward_logits(brise_engine *e, const weights_unit *output, const uint32_t *rows,
                            uint32_t n, brise_error *err);

/* The state that the output matrix would multiply for row `row` of e->x, [dim], into `state`. */
void forward_state(brise_engine *e, uint32_t row, float *state);

/* Tells the observer what the output matrix would multiply for the first n rows of e->x, without
 * multiplying. */
void forward_show_output(brise_engine *e, uint32_t n, forward_observer observer);

#endif
