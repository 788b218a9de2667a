/* prompt_progress.h - the progress line while tokens are evaluated, drawn between layers
 *
 * One pass over a large model's weights takes seconds on a small board, so the line cannot wait for
 * the end of a pass. Drawing between layers changes neither speed nor bits.
 */
#ifndef CLI_PROMPT_PROGRESS_H
#define CLI_PROMPT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/cli/engine.h"
#include "runtime/cli/terminal.h"

typedef struct prompt_progress {
	const char *label; /* printed before the numbers */
	terminal_line line;
	double start;
	size_t total, done, rows;       /* tokens: in all, evaluated, of a full pass */
	uint32_t n_layers, layers_done; /* of the current pass */
} prompt_progress;

/* Whether one layer of a pass over n tokens may take more than half a second on a small board: to
 * read its weights from a card, or for the arithmetic. The first line is then drawn at once. */
bool prompt_progress_is_slow(const engine *e, size_t n);

/* Begins the evaluation of `total` tokens of e->sequence. label: static, "prompt: " or "". */
void prompt_progress_begin(prompt_progress *p, const char *label, size_t total, const engine *e);

/* Erases the line. From now on prompt_progress_layer draws nothing. */
void prompt_progress_end(prompt_progress *p);

/* A brise_cancel_fn whose `user` is a prompt_progress: called before each layer. Draws the line
 * when it is due; true if a signal asked to stop. */
bool prompt_progress_layer(void *user);

#endif
