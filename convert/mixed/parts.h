/* parts.h - what is replaced at once where losses are measured: each matrix alone, or all of a
 * layer
 *
 * A table of kinds (convert/types.c) says well how much the matrices of a layer differ, but not how
 * much layers do: on breeze, with feedback, layers lose 0.13 to 1.0 times what it says, kinds 0.32
 * to 0.69 times. So the loss of a layer, measured at once and divided by the table, tells most of
 * what those of single matrices would, and takes a seventh of the passes.
 */
#ifndef CONVERT_MIXED_PARTS_H
#define CONVERT_MIXED_PARTS_H

#include "convert/plan.h"

/* A matrix whose type is not chosen. */
bool parts_is_wanted(const format_tensor *t);

/* Whether a part begins with tensor `index` of the plan: every wanted matrix, or by layers the
 * first wanted one of each layer, and embedding and output. */
bool parts_begin(const file_plan *plan, bool by_layer, uint32_t index);
size_t parts_count(const file_plan *plan, bool by_layer);

/* The loss of the part that begins with tensor `first`. By layers, losses[] of the layer's wanted
 * matrices are guesses, and become parts of it in proportion. */
void parts_set_loss(const file_plan *plan, bool by_layer, uint32_t first, double loss,
                    double *losses);

#endif
