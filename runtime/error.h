/* error.h - filling a brise_error */
#ifndef RUNTIME_ERROR_H
#define RUNTIME_ERROR_H

#include "runtime/brise.h"
#include "runtime/portable.h"

/* Fills *err (NULL allowed) with code and a printf-formatted line, control characters replaced, and
 * returns code. */
brise_status error_set(brise_error *err, brise_status code, const char *format, ...)
        PORTABLE_PRINTF(3, 4);

/* BRISE_EIO with ": " and the text of errno appended. */
brise_status error_errno(brise_error *err, const char *format, ...) PORTABLE_PRINTF(2, 3);

#endif
