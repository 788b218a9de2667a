/* reason.c - errors of a system that there is not: there are no reasons to tell */
#include <stdarg.h>
#include <stdio.h>

#include "runtime/error.h"

brise_status error_errno(brise_error *err, const char *format, ...)
{
	char what[sizeof err->message];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return error_set(err, BRISE_EIO, "%s: this library has no operating system", what);
}
