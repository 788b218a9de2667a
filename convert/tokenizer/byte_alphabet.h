/* byte_alphabet.h - the characters that stand for bytes in tokenizer.json and GGUF files
 *
 * As GPT-2 has them (encoder.py, bytes_to_unicode): the bytes that are visible in Latin-1 stand for
 * themselves, the 68 others are U+0100 and following, in order.
 */
#ifndef CONVERT_TOKENIZER_BYTE_ALPHABET_H
#define CONVERT_TOKENIZER_BYTE_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes that UTF-8 text [bytes] stands for in out [*n], which may be text itself. False: a
 * character stands for none. */
bool byte_alphabet_decode(const char *text, size_t bytes, uint8_t *out, size_t *n);

/* Room for the characters of n bytes, of which each has two bytes at most. */
#define BYTE_ALPHABET_ROOM(n) (2 * (n))

/* The characters that stand for bytes [n]: UTF-8 in out, without an end. Returns its bytes. */
size_t byte_alphabet_encode(const uint8_t *bytes, size_t n, char *out);

#endif
