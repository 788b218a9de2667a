/* batch.h - answers the requests of a file, several at once, and appends each reply to another
 *
 * Replies come in the order in which they are done. A reply is written as a whole line, so a batch
 * can be stopped at any time and continued: what has a reply is not asked again, and a last line
 * that is torn is cut off first.
 */
#ifndef SERVE_BATCH_H
#define SERVE_BATCH_H

#include "runtime/serve/batch_lines.h"
#include "runtime/serve/exchange.h"
#include "runtime/serve/service.h"

typedef struct batch_item batch_item;

typedef struct batch {
	service *service;
	const exchange_route *const *tables; /* [n_tables] of routes, whose lengths follow */
	const size_t *table_sizes;
	size_t n_tables;
	uint32_t most; /* requests under way at most */
	batch_reader in;
	const char *out_path;
	int out; /* file; -1: not open */
	uint64_t out_at;
	batch_ids ids;
	batch_item *items; /* under way */
	uint32_t n_items;
	bool is_read; /* the last line has been read */
	brise_status status;
	brise_error error;
	/* Figures. */
	uint64_t total;               /* lines of requests */
	uint64_t before;              /* of them, with a reply when the batch began */
	uint64_t done, failed, asked; /* replies written now; of them not with status 200 */
} batch;

/* Opens both files, counts, and repairs the second. The service and tables are set before. Needs
 * closing in any case. Errors: BRISE_EIO, BRISE_ENOMEM, BRISE_EFORMAT the second has lines that are
 * no replies, BRISE_EINVAL both are the same, or another batch writes to it. */
brise_status batch_open(batch *b, const char *in, const char *out, brise_error *err);

/* Begins as many requests as may be under way. They go on when the scheduler delivers. False: there
 * is nothing more to wait for, everything is done or b->status is an error. */
bool batch_step(batch *b);

/* Leaves what is under way. */
void batch_close(batch *b);

#endif
