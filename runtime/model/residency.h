/* residency.h - which weights stay in memory and which are read anew in each pass
 *
 * A file that exceeds the memory it may take must not be left to the system's cache: reading it
 * from front to back pass after pass, a cache that drops what was used longest ago drops exactly
 * what comes next, and reads the whole file each time. So a budget decides beforehand: matrices
 * that fit are read once and kept, the rest is streamed.
 *
 * Matrices with the same input are one unit: they are acquired, kept or streamed together. Norms'
 * weights are always kept, and rows of the embedding come from the mapped file.
 */
#ifndef RUNTIME_RESIDENCY_H
#define RUNTIME_RESIDENCY_H

#include <stdbool.h>

#include "runtime/brise.h"
#include "runtime/model/format.h"

/* Units of a layer, in order of use; behind the last layer comes that of the output. */
typedef enum residency_part {
	RESIDENCY_QKV,
	RESIDENCY_O,
	RESIDENCY_UP, /* w1 and w3 */
	RESIDENCY_DOWN,
	RESIDENCY_PARTS
} residency_part;

#define RESIDENCY_MATRICES 3u /* most of a unit */

/* Bytes of a piece: enough for a disk to reach its speed and for the threads that multiply with it
 * to get equal shares. Slots: some are read while one is multiplied. */
#define RESIDENCY_PIECE ((uint64_t)4 << 20)
#define RESIDENCY_SLOTS 6u

typedef struct residency_unit {
	const format_tensor *matrices[RESIDENCY_MATRICES];
	uint32_t n_matrices;
	uint64_t bytes; /* in memory: each matrix takes whole pages of FORMAT_PAGE */
	bool kept;
	uint64_t at; /* kept: place in the memory that holds all those kept */
} residency_unit;

typedef struct residency_plan {
	residency_unit *units; /* [n_units] */
	uint32_t n_units;
	uint64_t budget;                     /* as given */
	uint64_t kept_bytes, streamed_bytes; /* together: all matrices but the embedding */
	uint64_t vector_bytes;               /* norms, copied */
	/* Streamed units pass through RESIDENCY_SLOTS slots of memory, piece by piece. */
	uint64_t slot_bytes, ring_bytes; /* 0: nothing is streamed */
	uint64_t least;                  /* smallest budget for this file */
} residency_plan;

/* Unit `part` of a layer; the output: layer n_layers, part 0. */
static inline uint32_t residency_index(uint32_t layer, residency_part part)
{
	return layer * RESIDENCY_PARTS + (uint32_t)part;
}

/* Tiles of a piece of a matrix: as many as fit, at least one. */
size_t residency_piece_tiles(const format_tensor *matrix);

/* Plans a budget of that many bytes for weights. The streamed units are spread evenly over a pass,
 * so that reading them goes on beside all of its arithmetic. Free it with residency_free.
 * Errors: BRISE_ENOMEM; BRISE_EINVAL the budget is below the least, which the message names. */
brise_status residency_make(residency_plan *plan, const brise_model *model, uint64_t budget,
                            brise_error *err);
void residency_free(residency_plan *plan);

#endif
