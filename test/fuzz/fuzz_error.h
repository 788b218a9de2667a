/* fuzz_error.h - what every harness asks of an error: its message can be shown as it is
 *
 *     if (fuzz_succeeds(json_read(text, size, &fuzz_error)))
 */
#ifndef TEST_FUZZ_FUZZ_ERROR_H
#define TEST_FUZZ_FUZZ_ERROR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/brise.h"
#include "runtime/text/utf8.h"

static brise_error fuzz_error;

/* One line of UTF-8 without control characters, that ends. */
static inline bool fuzz_is_printable(const char *message)
{
	size_t left = strnlen(message, sizeof fuzz_error.message);
	int n;

	if (left == 0 || left == sizeof fuzz_error.message)
		return false;
	for (; left > 0; left -= (size_t)n, message += n) {
		uint8_t first = (uint8_t)message[0], second = (uint8_t)message[1];

		n = utf8_measure((const uint8_t *)message, left);
		if (n <= 0 || first < 0x20 || first == 0x7f || (first == 0xc2 && second < 0xa0))
			return false;
	}
	return true;
}

/* Of a call that fills fuzz_error: ends the program where it failed without saying so properly. */
static inline bool fuzz_succeeds(brise_status status)
{
	if (status != BRISE_OK &&
	    (fuzz_error.code != status || !fuzz_is_printable(fuzz_error.message))) {
		fprintf(stderr, "status %d, code %d, message \"%.*s\"\n", (int)status,
		        (int)fuzz_error.code, (int)sizeof fuzz_error.message, fuzz_error.message);
		abort();
	}
	memset(&fuzz_error, 0, sizeof fuzz_error);
	return status == BRISE_OK;
}

#endif
