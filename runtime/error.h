/* error.h - filling a brise_error */
#ifndef RUNTIME_ERROR_H
#define RUNTIME_ERROR_H

#include "runtime/brise.h"
#include "runtime/portable.h"

/* Fills *err (NULL allowed) with code and a printf-formatted line, what is no printable UTF-8
 * replaced, and returns code. */
brise_status error_set(brise_error *err, brise_status code, const char *format, ...)
        PORTABLE_PRINTF(3, 4);

/* An argument of a public function by its name. */
typedef struct error_argument {
	const char *name;
	const void *pointer;
} error_argument;

#define ERROR_ARGUMENT(pointer)                                                                    \
	{                                                                                          \
#pointer, pointer                                                                  \
	}

/* BRISE_EINVAL with a message that names the first NULL of arguments [n]; BRISE_OK if there is
 * none. */
brise_status error_check_pointers(brise_error *err, const char *function,
                                  const error_argument *arguments, size_t n);

/* BRISE_EIO, or BRISE_ENOMEM if that is what errno says, with ": " and the text of errno
 * appended. */
brise_status error_errno(brise_error *err, const char *format, ...) PORTABLE_PRINTF(2, 3);

#endif
