/* pass.h - the rows of one pass over the weights, put together by sequence */
#ifndef RUNTIME_PASS_H
#define RUNTIME_PASS_H

#include "runtime/eval/sequence.h"

/* Successive positions of one sequence, in successive rows of the activations. */
typedef struct pass_run {
	brise_sequence *sequence;
	uint64_t position; /* of the first */
	uint32_t row, n;
} pass_run;

/* Arrays have room for the engine's `rows`. */
typedef struct pass {
	uint32_t n;
	pass_run *runs; /* [n_runs] one per sequence */
	uint32_t n_runs;
	pass_run *blocks; /* [n_blocks] the runs, cut into what attention takes together */
	uint32_t n_blocks;
	int32_t *tokens; /* [n] by row of the activations */
	uint32_t *rows;  /* [n] the caller's row i is row rows[i] of the activations */
} pass;

/* Plans a pass over rows [n], n at most the room there is, for a model; blocks take at most
 * `block_rows` positions. Touches no sequence.
 * Errors: BRISE_EINVAL, BRISE_EFULL, as brise_eval_rows. */
brise_status pass_plan(pass *p, const brise_model *model, const brise_row *rows, size_t n,
                       uint32_t block_rows, brise_error *err);

/* The same for n tokens of one sequence that have been checked. */
void pass_plan_run(pass *p, brise_sequence *sequence, const int32_t *tokens, uint32_t n,
                   uint32_t block_rows);

/* Whether b evaluates the same tokens of the same sequences at the same positions, in the same rows
 * of the activations. */
bool pass_equals(const pass *a, const pass *b);

/* Copies what that compares; `to` has room for it. */
void pass_remember(pass *to, const pass *from);

/* Before keys and values are written, and after all have been. */
void pass_begin(const pass *p);
void pass_end(const pass *p);

/* Whether the keys and values that were read could be: sequence_check_memory of all. */
brise_status pass_check(const pass *p, brise_error *err);

/* As if the pass, the last of its sequences, had never been. */
void pass_undo(const pass *p);

#endif
