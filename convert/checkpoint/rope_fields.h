/* rope_fields.h - rope_scaling and rope_parameters of a configuration, and yarn of a params.json
 *
 * Spellings in use: transformers 4 writes rope_theta beside rope_scaling, null or {"type" or
 * "rope_type": "linear", "factor": 2.0, ...}; transformers 5 writes rope_parameters with rope_theta
 * inside, or one such object for each type of layer ({"full_attention": {...}, ...}). What is
 * inside has precedence (transformers, RotaryEmbeddingConfigMixin.convert_rope_params_to_dict).
 * Mistral's params.json has {"yarn": {"factor", "original_max_position_embeddings", "beta",
 * "alpha", "apply_scale"}} and {"llama_4_scaling": {"beta", "original_max_position_embeddings"}}.
 *
 * linear and yarn are what the runtime computes (runtime/eval/rope_scaling.h). The other types are
 * taken where their values change nothing, and refused by name elsewhere.
 */
#ifndef CONVERT_CHECKPOINT_ROPE_FIELDS_H
#define CONVERT_CHECKPOINT_ROPE_FIELDS_H

#include <stdbool.h>

#include "convert/formats/notes.h"
#include "runtime/model/format.h"
#include "runtime/text/json.h"

/* One object; what is not said is 0. */
typedef struct rope_scaling_fields {
	char type[24]; /* "": none */
	double factor, original, beta_fast, beta_slow;
	double mscale, mscale_all_dim, attention_factor;
	bool magnitude_off; /* params.json: apply_scale false */
	double query_beta;
} rope_scaling_fields;

/* Zero-initialised by the caller. */
typedef struct rope_fields {
	bool has_theta, has_outer_theta; /* within the parameters, and beside them */
	double theta, outer_theta;
	bool dynamic; /* frequencies would change beyond the trained length */
	rope_scaling_fields scaling;
	double query_beta, query_original; /* of llama_4_scaling */
} rope_fields;

/* Reads the current value, of the field `name`: null, or an object. What is neither computed nor
 * without effect is refused with the field's name; errors are in *r. */
void rope_fields_read(rope_fields *rope, json_reader *r, const char *name);

/* The same of llama_4_scaling. */
void rope_fields_read_query(rope_fields *rope, json_reader *r, const char *name);

/* What was read, into the configuration, whose other fields are known; each decision becomes a
 * line. file: for messages and lines. Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED. */
brise_status rope_fields_decide(const rope_fields *rope, format_config *config, const char *file,
                                notes *decisions, brise_error *err);

#endif
