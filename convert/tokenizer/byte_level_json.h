/* byte_level_json.h - a tokenizer.json that was made from Mistral's tekken.json */
#ifndef CONVERT_TOKENIZER_BYTE_LEVEL_JSON_H
#define CONVERT_TOKENIZER_BYTE_LEVEL_JSON_H

#include "convert/tokenizer/json_tokenizer.h"

/* j: with byte_level. Makes a section as tokenizer_json_read_memory does. `name`: of the file.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED merges in another order than the ids of what they make,
 * or some of them missing; BRISE_ENOMEM. */
brise_status byte_level_read_json(const json_tokenizer *j, const char *name, void **section,
                                  size_t *bytes, brise_error *err);

#endif
