/* plan.h - the plan of a .brise file, made before the first weight is read: types and places of all
 * tensors and sections */
#ifndef CONVERT_PLAN_H
#define CONVERT_PLAN_H

#include "convert/calibration/calibration.h"
#include "convert/convert.h"
#include "runtime/model/format.h"

#define PLAN_SECTIONS 9u

typedef struct file_plan {
	const convert_source *source;
	format_tensor *tensors; /* [n_tensors], in the file's order; without checksums and errors */
	uint32_t n_tensors;
	format_section sections[PLAN_SECTIONS]; /* [n_sections], without empty ones */
	const void *contents[PLAN_SECTIONS];    /* of the sections; not copies */
	uint32_t n_sections;
	uint64_t file_bytes;
	uint64_t source_bytes; /* counted as 2 per weight */
} file_plan;

/* Plans the file that `source` becomes with `options`: types as the options say, first for all
 * matrices, then q8 where the remaining bits help most (convert/types.h), then by the rules for
 * single ones.
 *
 * inputs  a calibration, NULL: none. Together with `errors`, the search's inner loop, for measuring
 *         what q4 costs a matrix
 * name    of the file, for messages
 * Errors: BRISE_EINVAL options, BRISE_ENOMEM, those of the source's read. Call plan_free in the end
 * and after an error. */
brise_status plan_make(file_plan *plan, const convert_source *source,
                       const convert_options *options, const calibration *inputs,
                       book_errors_fn *errors, const char *name, brise_error *err);
void plan_free(file_plan *plan);

/* Version of the file that `source` becomes: the first that has all it needs, so that older readers
 * take what they can. */
uint32_t plan_version(const convert_source *source);

/* Weights of all matrices. */
uint64_t plan_weights(const file_plan *plan);

#endif
