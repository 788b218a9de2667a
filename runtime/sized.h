/* sized.h - options that begin with their size: programs and library may know different fields */
#ifndef RUNTIME_SIZED_H
#define RUNTIME_SIZED_H

#include "runtime/brise.h"

/* Copies a caller's options into `to`, which holds the defaults, [bytes], size first. `from` NULL:
 * none given. A smaller size leaves the defaults of what follows it; a larger one is taken if all
 * bytes that this library does not know are zero. `what` names the options in messages.
 * Errors: BRISE_EINVAL. */
brise_status sized_read(void *to, size_t bytes, const void *from, const char *what,
                        brise_error *err);

/* Copies `from` [bytes] to a caller's `to` [size], as much as fits, zeros after it; the size that
 * `to` begins with becomes `size`. Does nothing if `to` is NULL or has no room for the size. */
void sized_write(void *to, size_t size, const void *from, size_t bytes);

/* The same for a result that does not begin with its size. */
void sized_fill(void *to, size_t size, const void *from, size_t bytes);

#endif
