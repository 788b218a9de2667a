/* batch_lines.h - the files of a batch, as OpenAI's Batch API has them: a request a line, a reply a
 * line
 *
 *     {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {...}}
 *     {"id": ..., "custom_id": "a", "response": {"status_code": 200, "request_id": ...,
 *      "body": {...}}, "error": null}
 */
#ifndef SERVE_BATCH_LINES_H
#define SERVE_BATCH_LINES_H

#include "runtime/brise.h"
#include "runtime/serve/body.h"

/* Longest line that is read. */
#define BATCH_LINE_MOST ((size_t)64 << 20)

/* ---- reading lines --------------------------------------------------------------------------- */

typedef struct batch_reader {
	const char *path;
	int file;
	uint64_t at;  /* of the next byte to be read */
	uint64_t end; /* of the last line that was whole */
	char *buffer; /* [n], room for [room] */
	size_t n, room, start;
	bool is_at_end;
} batch_reader;

/* Errors: BRISE_EIO. Needs closing in any case. */
brise_status batch_reader_open(batch_reader *r, const char *path, brise_error *err);
void batch_reader_close(batch_reader *r);

/* *line [*bytes] without its end, valid until the next call; NULL: there is none. The last one
 * needs no end: *is_whole says whether it has one.
 * Errors: BRISE_EIO, BRISE_ENOMEM, BRISE_EFORMAT a line is too long. */
brise_status batch_reader_next(batch_reader *r, const char **line, size_t *bytes, bool *is_whole,
                               brise_error *err);

/* ---- what they say --------------------------------------------------------------------------- */

/* A line of a request; texts are memory_free'd by batch_line_free. */
typedef struct batch_line {
	char *custom_id;
	char method[16], url[256];
	const char *body; /* [body_bytes] within the line */
	size_t body_bytes;
} batch_line;

/* False: it is none; why [256] says so. custom_id is filled if it could be read. */
bool batch_line_read(batch_line *l, const char *line, size_t bytes, char why[256]);
void batch_line_free(batch_line *l);

/* Whether a line is one of a reply; *id: its custom_id, memory_free'd by the caller; NULL: null, as
 * in the error of a line that had none. */
bool batch_line_find_id(const char *line, size_t bytes, char **id);

/* Writes a reply's line with its end. status 0: no reply, but an error; then body [bytes] is its
 * message, not JSON. custom_id NULL: the line had none. */
void batch_line_write(body *out, uint64_t number, const char *custom_id, int status,
                      const char *body, size_t bytes);

/* ---- which are done -------------------------------------------------------------------------- */

/* A set of ids; 16 bytes of a hash each. */
typedef struct batch_ids {
	uint64_t (*hashes)[2]; /* [room], a power of two; zeros: free */
	size_t n, room;
} batch_ids;

/* *was_there: it was in the set. False: no memory. */
bool batch_ids_add(batch_ids *ids, const char *id, bool *was_there);
void batch_ids_free(batch_ids *ids);

#endif
