/* tekken.h - Mistral's tekken.json turned into the file's tokenizer section */
#ifndef CONVERT_TOKENIZER_TEKKEN_H
#define CONVERT_TOKENIZER_TEKKEN_H

#include <stdbool.h>

#include "convert/formats/notes.h"
#include "runtime/brise.h"
#include "runtime/os/memory.h"

/* Whether JSON begins as a tekken.json does: with one of its keys. */
bool tekken_recognise(const char *json, size_t size);

/* Makes a section for brise_open_tokenizer and the file. json [size] is the file `name`; version
 * and counts become a line of *decisions. *section: from memory_new [*bytes], freed by the caller.
 * The same file gives the same bytes.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED another pattern, BRISE_ENOMEM. */
brise_status tekken_read_memory(const char *json, size_t size, const char *name, notes *decisions,
                                void **section, size_t *bytes, brise_error *err);

#endif
