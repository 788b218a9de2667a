/* scales.h - matrices of 8-bit floats with one scale each, and what lies beside them */
#ifndef CONVERT_CHECKPOINT_SCALES_H
#define CONVERT_CHECKPOINT_SCALES_H

#include "convert/checkpoint/opened.h"

/* Finds the scale of a matrix that needs one, and reads it into *scale: 1 for other types. The
 * list is sorted. Errors: BRISE_EFORMAT none, or one that is not a positive number; BRISE_EIO. */
brise_status scales_find(const opened *o, const named_tensor *matrix, float *scale);

/* Whether the name is that of a matrix's scale, which scales_find reads. */
bool scales_is_weight_scale(const opened *o, const char *name);

/* Whether the name is that of a scale of activations or of a fake quantizer: what other programs
 * round at run time, in a layer of the model. */
bool scales_is_activation_scale(const opened *o, const char *name);

#endif
