/* prompt_progress.c - layers of the pass at work count as a share of its tokens */
#include "runtime/cli/prompt_progress.h"

#include <string.h>

void prompt_progress_begin(prompt_progress *p, size_t total, size_t rows, uint32_t n_layers,
                           bool is_slow)
{
	memset(p, 0, sizeof *p);
	p->total = total;
	p->rows = rows;
	p->n_layers = n_layers;
	p->start = terminal_clock();
	terminal_open_line(&p->line);
	if (is_slow)
		p->line.next = p->start;
}

void prompt_progress_end(prompt_progress *p)
{
	p->done = p->total;
	terminal_erase_line(&p->line);
}

/* Tokens of the pass at work. */
static size_t pass_tokens(const prompt_progress *p)
{
	return p->total - p->done < p->rows ? p->total - p->done : p->rows;
}

static void draw(prompt_progress *p)
{
	double seconds = terminal_clock() - p->start,
	       tokens = (double)p->done +
	                (double)pass_tokens(p) * (double)p->layers_done / (double)p->n_layers;

	if (tokens > 0 && seconds > 0)
		terminal_draw_line(&p->line, "prompt: %.0f of %zu tokens, %.3g tokens/s", tokens,
		                   p->total, tokens / seconds);
	else
		terminal_draw_line(&p->line, "prompt: 0 of %zu tokens", p->total);
}

bool prompt_progress_layer(void *user)
{
	prompt_progress *p = user;

	if (p->layers_done == p->n_layers) {
		p->done += pass_tokens(p);
		p->layers_done = 0;
	}
	if (p->done < p->total) {
		if (terminal_is_due(&p->line))
			draw(p);
		p->layers_done++;
	}
	return terminal_was_interrupted(NULL);
}
