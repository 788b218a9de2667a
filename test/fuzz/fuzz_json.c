/* fuzz_json.c - any bytes as JSON: skipping and reading agree about what is JSON
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_json.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_scalar(json_reader *r)
{
	json_reader before = *r;
	size_t bytes;
	char *text;
	double real;
	int64_t number;
	bool flag;

	switch (json_peek(r)) {
	case JSON_STRING:
		if (json_read_string(r, &text, &bytes) && text[bytes] != 0)
			abort();
		free(text);
		break;
	case JSON_NUMBER:
		if (json_read_double(r, &real)) {
			before.err = NULL;
			(void)json_read_integer(&before, &number);
		}
		break;
	case JSON_BOOL:
		(void)json_read_bool(r, &flag);
		break;
	default:
		(void)json_read_null(r);
	}
}

/* Reads every value with the call for its type. */
static void read_all(json_reader *r)
{
	bool object[JSON_DEPTH];
	char key[8];

	for (;;) {
		json_type type = json_peek(r);

		if (type != JSON_OBJECT && type != JSON_ARRAY)
			read_scalar(r);
		else if (type == JSON_OBJECT ? json_enter_object(r) : json_enter_array(r))
			object[r->depth - 1] = type == JSON_OBJECT;
		while (r->status == BRISE_OK && r->depth > 0 &&
		       !(object[r->depth - 1] ? json_next_key(r, key, sizeof key)
		                              : json_next_element(r)))
			;
		if (r->status != BRISE_OK || r->depth == 0)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size); /* not a byte too long */
	brise_status skipped, read;
	brise_error err;
	json_reader r;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	json_begin(&r, text, size, "fuzz", &err);
	json_skip(&r);
	skipped = json_end(&r);
	json_begin(&r, text, size, "fuzz", &err);
	read_all(&r);
	read = json_end(&r);
	/* Reading refuses more: numbers that no double holds, NaN and Infinity. */
	if (read == BRISE_OK && skipped != BRISE_OK)
		abort();
	if (skipped == BRISE_OK && read != BRISE_OK && !strstr(err.message, " number "))
		abort();
	free(text);
	return 0;
}
