/* rope_fields.h - rope_scaling and rope_parameters of a configuration, which must have no effect
 *
 * Spellings in use: transformers 4 writes rope_theta beside rope_scaling, null or {"type" or
 * "rope_type": "linear", "factor": 2.0, ...}; transformers 5 writes rope_parameters with rope_theta
 * inside, or one such object for each type of layer ({"full_attention": {...}, ...}). What is
 * inside has precedence (transformers, RotaryEmbeddingConfigMixin.convert_rope_params_to_dict).
 */
#ifndef CONVERT_CHECKPOINT_ROPE_FIELDS_H
#define CONVERT_CHECKPOINT_ROPE_FIELDS_H

#include <stdbool.h>

#include "runtime/text/json.h"

/* Zero-initialised by the caller. */
typedef struct rope_fields {
	bool has_theta, has_outer_theta; /* within the parameters, and beside them */
	double theta, outer_theta;
	bool dynamic; /* frequencies would change beyond the trained length */
} rope_fields;

/* Reads the current value, of the field `name`: null, or an object whose type and factors leave
 * every frequency as it is. Everything else is refused with the field's name; errors are in *r. */
void rope_fields_read(rope_fields *rope, json_reader *r, const char *name);

#endif
