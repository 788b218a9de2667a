/* input.h - text and token ids that come from files or standard input ("-") */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

/* Largest text read at once, far beyond any use: a limit for endless streams. */
#define INPUT_MOST_BYTES ((size_t)1 << 30)

/* *text: from memory_new, [*bytes], NUL after the end, freed by the caller; without the byte
 * order mark it may begin with.
 * Errors: BRISE_EIO, also for devices and for FIFOs that nobody writes to (stream.h), BRISE_EFORMAT
 * text in UTF-16, BRISE_ENOMEM, BRISE_ECANCELED a signal asked to stop while waiting. */
brise_status input_read_text(const char *path, char **text, size_t *bytes, brise_error *err);

/* Bytes of a text without the end of its last line, LF or CR LF, if it has one: that ends a line of
 * a file, and is no part of a prompt. */
size_t input_drop_line_end(const char *text, size_t bytes);

/* White-space-separated decimal ids in [0, vocab). *ids: from memory_new, [*n], freed by the
 * caller; NULL when *n is 0. `name` is what messages call the text; they also name the line.
 * Errors: BRISE_EFORMAT, BRISE_ENOMEM. */
brise_status input_parse_ids(const char *text, size_t bytes, const char *name, uint32_t vocab,
                             int32_t **ids, size_t *n, brise_error *err);

/* Both of the above. */
brise_status input_read_ids(const char *path, uint32_t vocab, int32_t **ids, size_t *n,
                            brise_error *err);

/* Whether two paths lead to one file: what is read must not be replaced. */
bool input_is_same_file(const char *a, const char *b);

/* What to call a path in messages: "standard input" for "-". */
const char *input_name(const char *path);

#endif
