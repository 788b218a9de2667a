/* prompt_progress.c - layers of the pass at work count as a share of its tokens */
#include "runtime/cli/prompt_progress.h"

#include <string.h>

void prompt_progress_begin(prompt_progress *p, size_t total, uint32_t n_layers, bool is_slow)
{
	memset(p, 0, sizeof *p);
	p->total = total;
	p->n_layers = n_layers;
	p->start = terminal_clock();
	terminal_open_line(&p->line);
	if (is_slow)
		p->line.next = p->start;
}

void prompt_progress_pass(prompt_progress *p, size_t n)
{
	p->done += p->pass;
	p->pass = n;
	p->layers_done = 0;
	if (n == 0)
		terminal_erase_line(&p->line);
}

static void draw(prompt_progress *p)
{
	double seconds = terminal_clock() - p->start,
	       tokens = (double)p->done +
	                (double)p->pass * (double)p->layers_done / (double)p->n_layers;

	if (tokens > 0 && seconds > 0)
		terminal_draw_line(&p->line, "prompt: %.0f of %zu tokens, %.3g tokens/s", tokens,
		                   p->total, tokens / seconds);
	else
		terminal_draw_line(&p->line, "prompt: 0 of %zu tokens", p->total);
}

bool prompt_progress_layer(void *user)
{
	prompt_progress *p = user;

	if (p->pass > 0) {
		if (terminal_is_due(&p->line))
			draw(p);
		if (p->layers_done < p->n_layers)
			p->layers_done++;
	}
	return terminal_was_interrupted(NULL);
}
