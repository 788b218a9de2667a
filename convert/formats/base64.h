/* base64.h - RFC 4648, section 4: with padding, without line ends */
#ifndef CONVERT_FORMATS_BASE64_H
#define CONVERT_FORMATS_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes text [*bytes] in its place; *bytes: what it becomes. False: it is not base64, as
 * characters beyond the alphabet, missing padding, or bits that belong to no byte; then it stays as
 * it is. */
bool base64_decode(char *text, size_t *bytes);

/* Characters that `bytes` bytes become. */
#define BASE64_ROOM(bytes) (((bytes) + 2) / 3 * 4)

/* Encodes bytes [n] to out [BASE64_ROOM(n)], without a NUL; returns the number of characters. */
size_t base64_encode(const uint8_t *bytes, size_t n, char *out);

#endif
