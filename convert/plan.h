/* plan.h - the plan of a .brise file, made before the first weight is read: types and places of all
 * tensors and sections */
#ifndef CONVERT_PLAN_H
#define CONVERT_PLAN_H

#include "convert/convert.h"
#include "runtime/model/format.h"

#define PLAN_SECTIONS 9u

struct choice;
struct encode_job;

typedef struct file_plan {
	const convert_source *source;
	struct choice *choice;  /* of types, within a budget (convert/mixed/choice.h); NULL: none */
	char *origin;           /* the source's, and how types were chosen; NULL: none */
	format_tensor *tensors; /* [n_tensors], in the file's order; without checksums and errors */
	uint32_t n_tensors;
	format_section sections[PLAN_SECTIONS]; /* [n_sections], without empty ones */
	const void *contents[PLAN_SECTIONS];    /* of the sections; not copies */
	uint32_t n_sections;
	uint64_t file_bytes;
	uint64_t source_bytes; /* counted as 2 per weight */
} file_plan;

/* Plans the file that `source` becomes with the job's options: types as the rules for single
 * matrices say, then the option's type for all others, or what a budget of bits or bytes allows,
 * by losses that are guessed. The job's plan is `plan`, and its calibration is checked; the job
 * must outlive the plan.
 * Errors: BRISE_EINVAL options, or a budget too small for any file; BRISE_ENOMEM, BRISE_ECANCELED,
 * those of the source's read. Call plan_free in the end and after an error. */
brise_status plan_make(file_plan *plan, const convert_source *source, const struct encode_job *job,
                       brise_error *err);

/* Where types are chosen and the calibration has a text: measures losses, which takes long, and
 * chooses again. The file stays within the same budget. Errors: those of choice_measure. */
brise_status plan_measure(file_plan *plan, brise_error *err);
void plan_free(file_plan *plan);

/* Version of the file that `source` becomes: the first that has all it needs, so that older readers
 * take what they can. */
uint32_t plan_version(const convert_source *source);

/* Weights of all matrices. */
uint64_t plan_weights(const file_plan *plan);

#endif
