/* rounding.h - encodes one tensor into memory, corrected and with feedback */
#ifndef CONVERT_CLOSED_ROUNDING_H
#define CONVERT_CLOSED_ROUNDING_H

#include "convert/closed/correction.h"
#include "convert/encode.h"

/* What a matrix of one input is rounded with. */
typedef struct rounding {
	const encode_job *job;
	const book_feedback *feedback; /* NULL: none */
	const correction *correction;  /* NULL: none */
	/* Called on the calling thread now and then with the share of the tensor that is done;
	 * anything but BRISE_OK ends it. */
	brise_status (*tell)(void *user, double share, brise_error *err);
	void *user;
	uint32_t *source; /* gets the checksum of the weights that were read; NULL: not wanted */
} rounding;

/* Encodes tensor t of the job's source into `bytes` [t->bytes]; *sum: error against the source's
 * weights. Errors: as encode_tensors. */
brise_status rounding_encode(const rounding *r, const format_tensor *t, uint8_t *bytes,
                             tile_error *sum, pool *threads, brise_error *err);

/* Most bytes that each thread takes for rows of `cols` columns. */
uint64_t rounding_bytes(uint32_t cols);

/* Only reads the tensor, for the checksum. */
brise_status rounding_read(const rounding *r, const format_tensor *t, pool *threads,
                           brise_error *err);

#endif
