/* weights.h - where each weight is now
 *
 * Whoever multiplies with weights asks for a unit of them (runtime/model/residency.h) before and
 * gives it back after; addresses are valid between the two only. Without a limit on memory all
 * weights lie in the mapped file and asking costs a few additions; with one, some have been read
 * into memory, and others are streamed through it.
 *
 * Giving back tells whether all could be read: when the file became shorter or its disk failed
 * meanwhile, what was computed with zeros in their place is worthless.
 */
#ifndef RUNTIME_WEIGHTS_H
#define RUNTIME_WEIGHTS_H

#include "arch/kernels.h"
#include "runtime/model/residency.h"

typedef struct weights_matrix {
	arch_matrix view;
	uint32_t type; /* quant/types.h */
	uint32_t rows, cols;
} weights_matrix;

typedef struct weights_unit {
	uint32_t index;
	weights_matrix matrices[RESIDENCY_MATRICES]; /* in order of use */
	uint32_t n_matrices;
	bool streamed; /* views are empty: there are pieces only */
} weights_unit;

/* Tiles [first, first + tile_count(matrix.rows)) of a streamed matrix, as a matrix. */
typedef struct weights_piece {
	weights_matrix matrix;
	size_t first;
} weights_piece;

/* One user of a model's weights; its units are held one at a time. */
typedef struct weights_reader weights_reader;

/* Errors: BRISE_ENOMEM. */
brise_status weights_new_reader(weights_reader **out, const brise_model *model, brise_error *err);
/* Adds what a reader takes, where nothing is streamed, to *needed. */
void weights_count(uint64_t *needed);
void weights_free_reader(weights_reader *r); /* NULL allowed */

/* A pass over the layers begins. output: the output follows at its end. What failed in passes
 * before is forgotten. Errors: BRISE_EIO the file is still not what it was. */
brise_status weights_begin_pass(weights_reader *r, bool output, brise_error *err);

/* Unit `part` of a layer; the output: layer n_layers, part 0.
 * Errors: BRISE_EIO it cannot be read; nothing needs giving back then. */
brise_status weights_acquire(weights_reader *r, uint32_t layer, residency_part part,
                             weights_unit *unit, brise_error *err);

/* The piece of a streamed unit's matrix that begins with tile `first`: 0, or where the one before
 * ended. One is held at a time. Errors: BRISE_EIO; nothing needs giving back then. */
brise_status weights_acquire_piece(weights_reader *r, const weights_unit *unit, uint32_t matrix,
                                   size_t first, weights_piece *piece, brise_error *err);
void weights_release_piece(weights_reader *r);

/* Errors: BRISE_EIO some of the weights could not be read since the pass began. */
brise_status weights_release(weights_reader *r, brise_error *err);

/* The weights of a norm, [dim]; valid as long as the model. */
const float *weights_norm(const brise_model *model, uint32_t kind, uint32_t layer);

/* Rows tokens [n] of the embedding, into x [n][stride]. Errors: BRISE_EIO. */
brise_status weights_read_embedding(weights_reader *r, const int32_t *tokens, uint32_t n, float *x,
                                    size_t stride, brise_error *err);

/* Row `row` of any tensor of a known kind and type, as floats [cols]. Errors: BRISE_EIO. */
brise_status weights_read_row(const brise_model *model, const format_tensor *tensor, uint32_t row,
                              float *out, brise_error *err);

/* Bytes that this user has read from storage. */
uint64_t weights_bytes_read(weights_reader *r);

#endif
