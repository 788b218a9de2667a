/* limit.h - a limit on the memory that a model's weights take (brise_limit_memory) */
#ifndef RUNTIME_LIMIT_H
#define RUNTIME_LIMIT_H

#include "runtime/model/model.h"

/* Place of a norm's weights in kept_weights, behind the matrices. */
uint64_t limit_vector_at(const brise_model *model, uint32_t kind, uint32_t layer);

/* Gives back what brise_limit_memory took. */
void limit_free(brise_model *model);

#endif
