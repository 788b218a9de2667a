/* prompt_progress.c - layers of the current pass count as a share of its tokens */
#include "runtime/cli/prompt_progress.h"

#include <string.h>

/* Tokens of a full pass of the engine over this sequence. */
static size_t full_pass(const engine *e)
{
	uint32_t rows = brise_get_engine_facts(e->engine)->rows,
	         most = brise_get_sequence_facts(e->sequence)->pass_rows;

	return rows < most ? rows : most;
}

bool prompt_progress_is_slow(const engine *e, size_t n)
{
	return e->facts->token_bytes > 32000000 ||
	       (double)e->facts->token_weights * (double)n > 1e9;
}

void prompt_progress_begin(prompt_progress *p, const char *label, size_t total, const engine *e)
{
	memset(p, 0, sizeof *p);
	p->label = label;
	p->total = total;
	p->rows = full_pass(e);
	p->n_layers = e->facts->n_layers;
	p->start = terminal_clock();
	terminal_open_line(&p->line);
	if (prompt_progress_is_slow(e, total))
		p->line.next = p->start;
}

void prompt_progress_end(prompt_progress *p)
{
	p->done = p->total;
	terminal_erase_line(&p->line);
}

/* Tokens of the current pass. */
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
		terminal_draw_line(&p->line, "%s%.0f of %zu tokens, %.3g tokens/s", p->label,
		                   tokens, p->total, tokens / seconds);
	else
		terminal_draw_line(&p->line, "%s0 of %zu tokens", p->label, p->total);
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
