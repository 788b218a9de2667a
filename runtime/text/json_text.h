/* json_text.h - writing JSON strings */
#ifndef CLI_JSON_TEXT_H
#define CLI_JSON_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes text [bytes] with its quotes. Bytes that are not UTF-8 become U+FFFD each, so that the
 * result is JSON whatever a file held. */
void json_write_string(FILE *out, const char *text, size_t bytes);

#endif
