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
	size_t total, done, rows;       /* tokens: of the prompt, evaluated, of a whole pass */
	uint32_t n_layers, layers_done; /* of the pass at work */
} prompt_progress;

/* Begins a prompt of `total` tokens, evaluated `rows` at a time. is_slow: the first line is drawn
 * at once, not after half a second. */
void prompt_progress_begin(prompt_progress *p, size_t total, size_t rows, uint32_t n_layers,
                           bool is_slow);

/* Erases the line. From now on prompt_progress_layer only answers. */
void prompt_progress_end(prompt_progress *p);

/* A brise_cancel_fn whose `user` is a prompt_progress: asked before each layer. Draws the line when
 * it is due; whether a signal asked to stop. */
bool prompt_progress_layer(void *user);

#endif
