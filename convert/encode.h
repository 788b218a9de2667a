/* encode.h - reads, encodes and writes all tensors of a plan, on all threads */
#ifndef CONVERT_ENCODE_H
#define CONVERT_ENCODE_H

#include "arch/tools/tools.h"
#include "convert/calibration/calibration.h"
#include "convert/plan.h"
#include "quant/encode/tile_error.h"
#include "runtime/os/target.h"

typedef struct encode_job {
	file_plan *plan;
	const convert_options *options;
	calibration *calibration; /* NULL: none */
	const arch_tools *tools;
	unsigned threads; /* 1..THREADS_MAX */
	const char *name; /* of the file to write, for messages */
} encode_job;

/* Writes every tensor at its place in the target, fills in its checksum and error in the plan, and
 * adds up the errors in *all.
 *
 * The file is the same for any number of threads. Memory: some tiles for each thread, and the
 * factors of one input where errors are fed back.
 * Errors: those of the source's read and of the calibration, BRISE_EUNSUPPORTED a weight that the
 * type cannot hold, BRISE_ENOMEM, BRISE_EIO, BRISE_ECANCELED. */
brise_status encode_tensors(const encode_job *job, target_file *target, tile_error *all,
                            brise_error *err);

/* BRISE_ECANCELED if the caller wants the conversion to end. */
brise_status encode_ask_cancel(const convert_options *options, const char *name, brise_error *err);

/* BRISE_ECANCELED, with the message of a conversion of which nothing is left. */
brise_status encode_say_cancelled(const char *name, brise_error *err);

#endif
