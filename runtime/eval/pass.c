/* pass.c - groups rows by sequence: attention takes those of one sequence together, because they
 * read the same keys and values */
#include "runtime/eval/pass.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/error.h"

static brise_status check_row(const brise_model *model, const brise_row *row, size_t index,
                              brise_error *err)
{
	if (!row->sequence)
		return error_set(err, BRISE_EINVAL, "row %zu: sequence is NULL", index);
	if (row->sequence->model != model)
		return error_set(err, BRISE_EINVAL,
		                 "row %zu: its sequence belongs to another model than the engine",
		                 index);
	if (row->token < 0 || (uint32_t)row->token >= model->config.vocab)
		return error_set(err, BRISE_EINVAL,
		                 "row %zu: token id %" PRId32 " outside the vocabulary of %" PRIu32,
		                 index, row->token, model->config.vocab);
	return BRISE_OK;
}

/* Index of the sequence's run, which may be new. `near` is where to look first. */
static uint32_t find_run(pass *p, brise_sequence *sequence, uint32_t near)
{
	uint32_t i;

	if (near < p->n_runs && p->runs[near].sequence == sequence)
		return near;
	for (i = 0; i < p->n_runs; i++)
		if (p->runs[i].sequence == sequence)
			return i;
	p->runs[p->n_runs++] = (pass_run){ sequence, sequence->facts.position, 0, 0 };
	return i;
}

static brise_status check_runs(const pass *p, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < p->n_runs && status == BRISE_OK; i++) {
		const pass_run *run = &p->runs[i];

		status = sequence_check_room(run->sequence, run->n, err);
		if (status == BRISE_OK && run->n > run->sequence->facts.pass_rows)
			status = error_set(err, BRISE_EINVAL,
			                   "%" PRIu32 " rows of one sequence in a pass; its slack "
			                   "allows %" PRIu32,
			                   run->n, run->sequence->facts.pass_rows);
	}
	return status;
}

/* Cuts runs into blocks. */
static void plan_blocks(pass *p, uint32_t block_rows)
{
	uint32_t i, at;

	p->n_blocks = 0;
	for (i = 0; i < p->n_runs; i++)
		for (at = 0; at < p->runs[i].n; at += block_rows) {
			pass_run block = p->runs[i];

			block.position += at;
			block.row += at;
			block.n = block.n - at < block_rows ? block.n - at : block_rows;
			p->blocks[p->n_blocks++] = block;
		}
}

brise_status pass_plan(pass *p, const brise_model *model, const brise_row *rows, size_t n,
                       uint32_t block_rows, brise_error *err)
{
	brise_status status;
	uint32_t i, run = 0, row = 0;

	p->n = (uint32_t)n;
	p->n_runs = 0;
	for (i = 0; i < n; i++) {
		if ((status = check_row(model, &rows[i], i, err)) != BRISE_OK)
			return status;
		run = find_run(p, rows[i].sequence, run);
		p->rows[i] = run;
		p->runs[run].n++;
	}
	if ((status = check_runs(p, err)) != BRISE_OK)
		return status;
	for (i = 0; i < p->n_runs; i++) {
		p->runs[i].row = row;
		row += p->runs[i].n;
		p->runs[i].n = 0; /* counted again below */
	}
	for (i = 0; i < n; i++) {
		pass_run *of = &p->runs[p->rows[i]];

		p->rows[i] = of->row + of->n++;
		p->tokens[p->rows[i]] = rows[i].token;
	}
	plan_blocks(p, block_rows);
	return BRISE_OK;
}

void pass_plan_run(pass *p, brise_sequence *sequence, const int32_t *tokens, uint32_t n,
                   uint32_t block_rows)
{
	uint32_t i;

	p->n = n;
	p->n_runs = n > 0;
	p->runs[0] = (pass_run){ sequence, sequence->facts.position, 0, n };
	for (i = 0; i < n; i++) {
		p->tokens[i] = tokens[i];
		p->rows[i] = i;
	}
	plan_blocks(p, block_rows);
}

bool pass_equals(const pass *a, const pass *b)
{
	uint32_t i;

	if (a->n != b->n || a->n_runs != b->n_runs ||
	    memcmp(a->tokens, b->tokens, a->n * sizeof *a->tokens) != 0)
		return false;
	for (i = 0; i < a->n_runs; i++)
		if (a->runs[i].sequence != b->runs[i].sequence ||
		    a->runs[i].position != b->runs[i].position ||
		    a->runs[i].row != b->runs[i].row || a->runs[i].n != b->runs[i].n)
			return false;
	return true;
}

void pass_remember(pass *to, const pass *from)
{
	to->n = from->n;
	to->n_runs = from->n_runs;
	memcpy(to->tokens, from->tokens, from->n * sizeof *to->tokens);
	memcpy(to->runs, from->runs, from->n_runs * sizeof *to->runs);
}

void pass_begin(const pass *p)
{
	uint32_t i;

	for (i = 0; i < p->n_runs; i++)
		sequence_begin_pass(p->runs[i].sequence, p->runs[i].n);
}

brise_status pass_check(const pass *p, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t i;

	for (i = 0; i < p->n_runs && status == BRISE_OK; i++)
		status = sequence_check_memory(p->runs[i].sequence, err);
	return status;
}

void pass_end(const pass *p)
{
	uint32_t i;

	for (i = 0; i < p->n_runs; i++)
		sequence_end_pass(p->runs[i].sequence, p->runs[i].n);
}

/* A sequence has room to go back as many positions as a pass may have. */
void pass_undo(const pass *p)
{
	uint32_t i;

	for (i = 0; i < p->n_runs; i++)
		(void)brise_rewind_sequence(p->runs[i].sequence, p->runs[i].position, NULL);
}
