/* stream.h - weights that are read anew in each pass, ahead of the kernels
 *
 * Threads of the stream read the streamed units of a plan in order of use, round and round, in
 * pieces of a few megabytes into a ring of memory: as far ahead as it has room, also beyond the end
 * of a pass. Whoever evaluates waits for a piece, multiplies with it, and gives its room back. One
 * user at a time.
 */
#ifndef RUNTIME_STREAM_H
#define RUNTIME_STREAM_H

#include "runtime/model/residency.h"

typedef struct stream stream;

/* Some tiles of a matrix. */
typedef struct stream_piece {
	uint32_t unit, matrix;
	size_t first, end;    /* tiles */
	const uint8_t *bytes; /* of tile `first`, 64-byte aligned */
} stream_piece;

/* Takes ring_bytes of memory and starts the threads; where the system starts none, pieces are read
 * when they are asked for. The model has a plan and outlives the stream.
 * Errors: BRISE_ENOMEM. */
brise_status stream_new(stream **out, const brise_model *model, brise_error *err);
void stream_free(stream *s); /* NULL allowed */

/* A pass begins. output: that of the output's unit will be asked for at its end, so it is read
 * ahead like others. */
void stream_begin_pass(stream *s, bool output);

/* Waits for the piece that begins with tile `first` of a matrix (0, or where the piece before
 * ended) of a streamed unit. Any order of matrices is right; that of use is fast. Release before
 * the next. Errors: BRISE_EIO the piece could not be read, twice; asking again reads again. */
brise_status stream_acquire(stream *s, uint32_t unit, uint32_t matrix, size_t first,
                            stream_piece *piece, brise_error *err);
void stream_release(stream *s);

/* Bytes read so far. */
uint64_t stream_bytes_read(stream *s);

#endif
