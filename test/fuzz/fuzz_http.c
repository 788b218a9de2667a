/* fuzz_http.c - any bytes as requests of one connection: how they are cut changes nothing, and what
 * was read is within its limits
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_http.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const http_limits limits = { 256, 1024, 8, 512 };

/* Feeds a copy of at most `step` bytes at a time, not a byte too long, up to the end of a
 * request. */
static size_t feed(http_request *r, const uint8_t *data, size_t size, size_t step)
{
	size_t used = 0;

	while (used < size && r->state != HTTP_WHOLE && r->state != HTTP_REFUSED) {
		size_t n = size - used < step ? size - used : step, taken;
		char *piece = malloc(n);

		if (!piece)
			abort();
		memcpy(piece, data + used, n);
		taken = http_read(r, piece, n);
		free(piece);
		if (taken > n || (taken < n && r->state != HTTP_WHOLE && r->state != HTTP_REFUSED))
			abort();
		used += taken;
	}
	return used;
}

static void check_whole(const http_request *r)
{
	size_t i;

	if (r->body_bytes > limits.body || r->n_fields > limits.fields)
		abort();
	if (r->path[0] != '/' && strcmp(r->path, "*") != 0)
		abort();
	if (r->body && r->body[r->body_bytes] != 0)
		abort();
	if (r->minor > 0 && !r->host)
		abort();
	for (i = 0; i < r->n_fields; i++)
		if (!http_is_token(r->fields[i].name, strlen(r->fields[i].name)) ||
		    strpbrk(r->fields[i].value, "\r\n"))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	http_request whole, cut;
	size_t at = 0, step = size > 0 ? 1 + data[size - 1] % 13u : 1;

	http_begin(&whole, &limits);
	http_begin(&cut, &limits);
	while (at < size) {
		size_t used = feed(&whole, data + at, size - at, size);

		if (feed(&cut, data + at, size - at, step) != used || cut.state != whole.state ||
		    (whole.state == HTTP_REFUSED && whole.status != cut.status))
			abort();
		if (whole.state != HTTP_WHOLE)
			break;
		check_whole(&whole);
		if (cut.body_bytes != whole.body_bytes || cut.n_fields != whole.n_fields ||
		    strcmp(cut.path, whole.path) != 0 ||
		    (whole.body_bytes > 0 && memcmp(cut.body, whole.body, whole.body_bytes) != 0))
			abort();
		at += used;
		http_next(&whole);
		http_next(&cut);
	}
	http_free(&whole);
	http_free(&cut);
	return 0;
}
