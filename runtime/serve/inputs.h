/* inputs.h - what completions continue and embeddings are of: a text, texts, ids, or lists of ids
 */
#ifndef SERVE_INPUTS_H
#define SERVE_INPUTS_H

#include "runtime/serve/fields.h"
#include "runtime/serve/request.h"

#define INPUTS_MOST      2048 /* of one request, as OpenAI has it */
#define INPUTS_IN_FLIGHT 4    /* submitted at once, so that many do not fill the queue */

typedef struct input {
	const char *text; /* [bytes] */
	size_t bytes;
	const int32_t *ids; /* [n_ids] instead; NULL: a text */
	size_t n_ids;
} input;

typedef struct inputs {
	void *list; /* [n] input; memory of the reader's pool */
	size_t n;
} inputs;

/* Reads the value ahead. False: refused. */
bool inputs_read(inputs *in, fields *f);

/* Encodes all that are texts, into memory of the pool; the service is read as request_encode does.
 */
bool inputs_encode(inputs *in, pool *p, const request *shared, const service *s, refusal *why);

/* A request for input i: `shared` with a pool of its own, without messages. What `shared` has in
 * its pool must outlive it. */
void inputs_make_request(const inputs *in, size_t i, const request *shared, request *r);

#endif
