/* export_rows.h - what an export has planned, and its weights; for export.c alone */
#ifndef CONVERT_EXPORT_ROWS_H
#define CONVERT_EXPORT_ROWS_H

#include <stdatomic.h>

#include "convert/export.h"
#include "convert/formats/export_plan.h"
#include "quant/encode/tile_error.h"
#include "runtime/os/target.h"

typedef struct row_slice {
	uint32_t tensor, first, n;
	tile_error error;
} row_slice;

/* Buffers of one thread. */
typedef struct export_space {
	float *row;
	uint8_t *out;
} export_space;

typedef struct exporter {
	const export_options *options;
	export_plan plan;
	uint64_t data_bytes, data_start; /* the start is that in the file */
	row_slice *slices;
	size_t n_slices;
	export_space *spaces;
	unsigned threads;
	const target_file *target;
	atomic_uint_fast64_t done;
} exporter;

/* Memory and slices for the tensors of the plan. Errors: BRISE_ENOMEM. */
brise_status export_prepare_rows(exporter *e, brise_error *err);

void export_free_rows(exporter *e);

/* Whether the caller's callback says so; user: the exporter. */
bool export_is_cancelled(void *user);

/* All data, from e->data_start of e->target on. Errors: BRISE_ECANCELED, BRISE_EFORMAT a weight is
 * infinite or NaN, BRISE_EUNSUPPORTED one is too large for the type, BRISE_EIO. */
brise_status export_write_rows(exporter *e, brise_error *err);

/* The errors of slices, sizes and bits per weight. */
void export_join_rows(const exporter *e, export_result *result);

#endif
