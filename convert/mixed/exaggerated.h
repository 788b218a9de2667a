/* exaggerated.h - a source whose matrices have the errors of a type, several times as large */
#ifndef CONVERT_MIXED_EXAGGERATED_H
#define CONVERT_MIXED_EXAGGERATED_H

#include "convert/calibration/calibration.h"
#include "convert/convert.h"

typedef struct exaggerated {
	const convert_source *source;
	const calibration *calibration;       /* weighs errors; NULL: all columns count alike */
	const struct book_feedback *feedback; /* NULL: none; of the matrix that is read */
	book_errors_fn *errors;
	uint32_t type; /* has a codebook */
	float factor;
} exaggerated;

/* The source of weights w + factor (coded(w) - w), with everything else of e->source. Rows are read
 * by tiles of the type: `first` is a multiple of TILE_ROWS, or n is 1. e must outlive it. */
convert_source exaggerated_source(exaggerated *e);

#endif
