/* attention.h - one layer's attention for all rows of a pass */
#ifndef RUNTIME_ATTENTION_H
#define RUNTIME_ATTENTION_H

#include "runtime/eval/engine.h"

/* Rows of one sequence that attention takes together; for pass_plan. */
uint32_t attention_block_rows(const format_config *config);

/* Rotates e->q and e->k, stores keys and values in the sequences' rings, and attends: e->mixed is
 * the result, all by the rows of p. */
void attention_run(brise_engine *e, const pass *p, uint32_t layer);

#endif
