/* base64.h - RFC 4648, section 4: with padding, without line ends */
#ifndef CONVERT_FORMATS_BASE64_H
#define CONVERT_FORMATS_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes text [*bytes] in its place; *bytes: what it becomes. False: it is not base64, as
 * characters beyond the alphabet, missing padding, or bits that belong to no byte; then it stays as
 * it is. */
bool base64_decode(char *text, size_t *bytes);

#endif
