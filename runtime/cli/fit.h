/* fit.h - checks before the work begins whether a prompt, a context and a model fit */
#ifndef CLI_FIT_H
#define CLI_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

/* No number of tokens: generate to the end token. */
#define FIT_NO_LIMIT UINT32_MAX

/* Refuses a prompt of n_prompt tokens that the context cannot hold, where there is no window; says
 * when the context will end a text before `tokens` more have been generated (FIT_NO_LIMIT: not
 * said). Returns COMMANDS_READY or the exit status, with the error printed. */
int fit_check_prompt(const char *command, const brise_sequence_facts *sequence, size_t n_prompt,
                     uint32_t tokens);

/* Notes on a context beyond the trained length, and on a model that does not fit in memory.
 * own_bytes: cache and activations. */
void fit_note_limits(const char *command, const brise_model *model,
                     const brise_sequence_facts *sequence, uint64_t own_bytes);

/* The note on memory for a process that may use `memory` bytes (0: unknown) into text; false: there
 * is nothing to say. */
bool fit_describe_memory(const brise_model_facts *facts, uint64_t own_bytes, uint64_t memory,
                         char *text, size_t size);

#endif
