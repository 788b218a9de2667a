/* synthetic.h - models of a given shape with generated weights: for measuring without a checkpoint
 */
#ifndef BENCH_SYNTHETIC_H
#define BENCH_SYNTHETIC_H

#include "convert/convert.h"

/* Shapes by name, "mistral-7b" or "breeze"; NULL past the last. */
const char *synthetic_shape_name(size_t index);

/* A source with deterministic, about Gaussian weights. False: no shape of that name. */
bool synthetic_make_source(convert_source *source, const char *shape);

#endif
