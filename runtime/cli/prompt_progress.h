/* prompt_progress.h - the progress line while a prompt is evaluated, drawn between layers
 *
 * One pass over a large model's weights takes seconds on a small board, so that the line cannot
 * wait for a pass to end. Drawing between layers changes neither speed nor bits.
 */
#ifndef CLI_PROMPT_PROGRESS_H
#define CLI_PROMPT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/cli/terminal.h"

typedef struct prompt_progress {
	terminal_line line;
	double start;
	size_t total, done, pass;       /* tokens: of the prompt, evaluated, of the pass at work */
	uint32_t n_layers, layers_done; /* of the pass at work */
} prompt_progress;

/* Begins a prompt of `total` tokens. is_slow: the first line is drawn at once, not after half a
 * second. */
void prompt_progress_begin(prompt_progress *p, size_t total, uint32_t n_layers, bool is_slow);

/* Before each pass of n tokens; once more with n 0 at the end erases the line. */
void prompt_progress_pass(prompt_progress *p, size_t n);

/* A brise_cancel_fn whose `user` is a prompt_progress: asked once per layer. Draws the line when it
 * is due; whether a signal asked to stop. Outside passes it only answers. */
bool prompt_progress_layer(void *user);

#endif
