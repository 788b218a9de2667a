/* error_errno.c - errors of the operating system, with its own words for the reason */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"

brise_status error_errno(brise_error *err, const char *format, ...)
{
	const char *reason = strerror(errno);
	brise_status code = BRISE_EIO;
	char what[sizeof err->message];
	va_list args;

#ifdef ENOMEM
	if (errno == ENOMEM)
		code = BRISE_ENOMEM;
#endif
	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	/* A path as long as paths may be does not push out the reason. */
	return error_set(err, code, "%.*s: %s", (int)(sizeof what - strlen(reason) - 3), what,
	                 reason);
}
