/* error.c - errors are values: a code and one line that can be shown as it is */
#include "runtime/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/utf8.h"

/* Names in messages come from files: a control character could break the line or control the
 * terminal. What is not UTF-8 (also a character that the end of the message cuts) becomes question
 * marks. */
static void make_printable(char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		int n = utf8_measure((const uint8_t *)text, left), i;
		/* U+0080 to U+009F are controls too. */
		bool control =
		        (unsigned char)*text < 0x20 || *text == 0x7f ||
		        (n == 2 && !memcmp(text, "\xc2", 1) && (unsigned char)text[1] < 0xa0);

		if (n <= 0)
			control = true, n = 1;
		for (i = 0; control && i < n; i++)
			text[i] = '?';
		text += n;
		left -= (size_t)n;
	}
}

brise_status error_set(brise_error *err, brise_status code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, format);
	(void)vsnprintf(err->message, sizeof err->message, format, args);
	va_end(args);
	make_printable(err->message);
	return code;
}

brise_status error_check_pointers(brise_error *err, const char *function,
                                  const error_argument *arguments, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!arguments[i].pointer)
			return error_set(err, BRISE_EINVAL, "%s: %s is NULL", function,
			                 arguments[i].name);
	return BRISE_OK;
}

void brise_free(void *memory)
{
	memory_free(memory);
}

const char *brise_version(void)
{
	return BRISE_VERSION;
}

const char *brise_get_status_name(brise_status status)
{
	switch (status) {
	case BRISE_OK:
		return "ok";
	case BRISE_EINVAL:
		return "invalid argument";
	case BRISE_ENOMEM:
		return "out of memory";
	case BRISE_EIO:
		return "input or output failed";
	case BRISE_EFORMAT:
		return "damaged or foreign file";
	case BRISE_EUNSUPPORTED:
		return "not supported";
	case BRISE_EFULL:
		return "context full";
	case BRISE_ECANCELED:
		return "cancelled";
	}
	return "unknown status";
}
