/* utf8_classes.h - white space and word characters at the ends of a text
 *
 * Bytes that are not UTF-8 are neither.
 */
#ifndef RUNTIME_UTF8_CLASSES_H
#define RUNTIME_UTF8_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the white space (Unicode's White_Space) that text [bytes] begins with. */
size_t utf8_count_spaces(const uint8_t *text, size_t bytes);

/* Bytes of the white space that text [bytes] ends with. */
size_t utf8_count_spaces_before(const uint8_t *text, size_t bytes);

/* Whether the first or last character of text [bytes] is one of words (\w of Unicode Technical
 * Standard 18). */
bool utf8_begins_with_word(const uint8_t *text, size_t bytes);
bool utf8_ends_with_word(const uint8_t *text, size_t bytes);

#endif
