/* view.c - see view.h */
#include "runtime/console/view.h"

#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"

const char *view_style_sequence(view_style style)
{
	static const char sequences[N_VIEW_STYLES][8] = { "", "\033[1m", "\033[7m", "\033[2m" };

	return sequences[style];
}

void view_open(view *v, bool has_colors, output_write_fn *write, void *user)
{
	memset(v, 0, sizeof *v);
	v->drawn = &v->frames[0];
	v->next = &v->frames[1];
	v->columns = 80;
	v->rows = 24;
	v->present = 1;
	v->has_colors = has_colors;
	v->output.write = write;
	v->output.user = user;
}

void view_free(view *v)
{
	int i;

	for (i = 0; i < 2; i++) {
		memory_free(v->frames[i].cells);
		memory_free(v->frames[i].text);
	}
}

/* ---- composing ------------------------------------------------------------------------------ */

static void clear_frame(view_frame *frame)
{
	frame->n_cells = frame->n_text = 0;
	frame->n_rows = 1;
	frame->cursor_row = frame->cursor_column = 0;
	memset(&frame->rows[0], 0, sizeof frame->rows[0]);
}

void view_compose(view *v)
{
	v->failed = false;
	clear_frame(v->next);
}

static bool reserve(view_frame *frame, size_t bytes)
{
	if (frame->n_cells == frame->room_cells) {
		size_t room = frame->room_cells ? 2 * frame->room_cells : 256;
		view_cell *cells = memory_resize(frame->cells, room, sizeof *cells);

		if (!cells)
			return false;
		frame->cells = cells;
		frame->room_cells = room;
	}
	if (frame->room_text - frame->n_text < bytes) {
		size_t room = frame->room_text ? 2 * frame->room_text : 1024;
		char *text = memory_resize(frame->text, room, 1);

		if (!text)
			return false;
		frame->text = text;
		frame->room_text = room;
	}
	return true;
}

void view_put(view *v, const char *text, size_t bytes, int columns, view_style style,
              bool is_doubtful)
{
	view_frame *frame = v->next;
	view_row *row = &frame->rows[frame->n_rows - 1];
	view_cell *cell;

	if (v->failed || bytes > WIDTH_CLUSTER_MAX + WIDTH_BASE_BYTES || !reserve(frame, bytes)) {
		v->failed = true;
		return;
	}
	cell = &frame->cells[frame->n_cells++];
	cell->at = (uint32_t)frame->n_text;
	cell->bytes = (uint8_t)bytes;
	cell->columns = (uint8_t)columns;
	cell->style = (uint8_t)style;
	cell->is_doubtful = is_doubtful;
	memcpy(frame->text + frame->n_text, text, bytes);
	frame->n_text += bytes;
	row->n++;
	row->columns += columns;
}

void view_put_text(view *v, const char *text, size_t n, view_style style, int free)
{
	size_t at = 0;

	while (at < n) {
		char shown[WIDTH_SHOWN_MAX];
		width_cluster cluster;
		size_t bytes;

		width_measure(text + at, n - at, &cluster);
		if (view_taken(v) + cluster.columns + free > v->columns)
			return;
		bytes = width_show(cluster.base, shown);
		if (bytes > 0)
			view_put(v, shown, bytes, (int)bytes, VIEW_SHOWN, false);
		else if (!width_needs_base(cluster.base))
			view_put(v, text + at, cluster.bytes, cluster.columns, style,
			         cluster.is_doubtful);
		at += cluster.bytes;
	}
}

void view_put_blanks(view *v, int column)
{
	int n = column - view_taken(v);

	for (; n > 0; n--)
		view_put(v, " ", 1, 1, VIEW_PLAIN, false);
}

bool view_add_row(view *v)
{
	view_frame *frame = v->next;
	view_row *row = &frame->rows[frame->n_rows];

	if (frame->n_rows == VIEW_ROWS_MAX)
		return false;
	memset(row, 0, sizeof *row);
	row->first = (uint32_t)frame->n_cells;
	frame->n_rows++;
	return true;
}

void view_place_cursor(view *v)
{
	v->next->cursor_row = v->next->n_rows - 1;
	v->next->cursor_column = view_taken(v);
}

int view_taken(const view *v)
{
	return v->next->rows[v->next->n_rows - 1].columns;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void flush(view *v)
{
	output_flush(&v->output);
}

static void emit(view *v, const char *bytes, size_t n)
{
	output_put(&v->output, bytes, n);
}

static void emit_text(view *v, const char *text)
{
	output_put_text(&v->output, text);
}

/* CSI n letter, without n where it is 1; nothing for 0. */
static void emit_csi(view *v, int n, char letter)
{
	char text[24];
	int bytes;

	if (n <= 0)
		return;
	bytes = n == 1 ? snprintf(text, sizeof text, "\033[%c", letter)
	               : snprintf(text, sizeof text, "\033[%d%c", n, letter);
	emit(v, text, (size_t)bytes);
}

static void set_style(view *v, uint8_t style)
{
	if (!v->has_colors || v->style == style)
		return;
	if (v->style != VIEW_PLAIN)
		emit_text(v, "\033[0m");
	emit_text(v, view_style_sequence((view_style)style));
	v->style = style;
}

static void set_column(view *v, int column)
{
	int back = v->column - column;

	if (back == 0)
		return;
	/* In the last column the cursor is where it wrote or behind, depending on the terminal. */
	if (v->column >= v->columns || column == 0 || back > 3) {
		emit_text(v, "\r");
		v->column = 0;
	}
	for (; v->column > column; v->column--)
		emit_text(v, "\b");
	emit_csi(v, column - v->column, 'C');
	v->column = column;
}

/* To a row that may have to be made at the bottom of the screen. */
static void move(view *v, int row, int column)
{
	if (row != v->row && v->column >= v->columns)
		set_column(v, 0);
	if (row < v->row) {
		emit_csi(v, v->row - row, 'A');
	} else {
		int last = row < v->present ? row : v->present - 1;

		emit_csi(v, last - v->row, 'B');
		for (; last < row; last++) {
			emit_text(v, "\r\n");
			v->column = 0;
		}
	}
	v->row = row;
	if (row >= v->present)
		v->present = row + 1;
	set_column(v, column);
}

static void write_cells(view *v, const view_frame *frame, uint32_t from, uint32_t to)
{
	for (; from < to; from++) {
		const view_cell *cell = &frame->cells[from];
		int column = v->column + cell->columns;

		set_style(v, cell->style);
		emit(v, frame->text + cell->at, cell->bytes);
		v->column = column;
		if (cell->is_doubtful && column < v->columns) {
			emit_text(v, "\r");
			v->column = 0;
			set_column(v, column);
		}
	}
	set_style(v, VIEW_PLAIN);
}

/* ---- differences ---------------------------------------------------------------------------- */

static bool same_cell(const view_frame *a, uint32_t i, const view_frame *b, uint32_t j)
{
	const view_cell *x = &a->cells[i], *y = &b->cells[j];

	return x->bytes == y->bytes && x->columns == y->columns && x->style == y->style &&
	       memcmp(a->text + x->at, b->text + y->at, x->bytes) == 0;
}

static void show_row(view *v, int index)
{
	static const view_row none;
	const view_frame *next = v->next, *drawn = v->drawn;
	const view_row *now = &next->rows[index];
	const view_row *old = index < drawn->n_rows ? &drawn->rows[index] : &none;
	uint32_t from = 0, to = now->n, old_to = old->n;
	int column = 0;

	while (from < now->n && from < old->n &&
	       same_cell(next, now->first + from, drawn, old->first + from))
		column += next->cells[now->first + from++].columns;
	/* What follows stays where it is if both rows end in the same column. */
	if (now->columns == old->columns)
		while (to > from && old_to > from &&
		       same_cell(next, now->first + to - 1, drawn, old->first + old_to - 1)) {
			to--;
			old_to--;
		}
	if (from == to && now->columns >= old->columns)
		return;
	move(v, index, column);
	write_cells(v, next, now->first + from, now->first + to);
	if (now->columns < old->columns)
		emit_text(v, "\033[K");
}

bool view_show(view *v)
{
	view_frame *shown = v->next;
	int row;

	if (v->failed)
		return false;
	for (row = 0; row < shown->n_rows; row++)
		show_row(v, row);
	if (shown->n_rows < v->drawn->n_rows) {
		move(v, shown->n_rows, 0);
		emit_text(v, "\033[J");
	}
	/* An empty last row may not exist on the screen yet. */
	if (shown->n_rows > v->present)
		move(v, shown->n_rows - 1, 0);
	move(v, shown->cursor_row, shown->cursor_column);
	flush(v);
	v->next = v->drawn;
	v->drawn = shown;
	return true;
}

/* ---- what is not a frame -------------------------------------------------------------------- */

void view_forget(view *v)
{
	clear_frame(v->drawn);
	v->row = v->column = 0;
	v->present = 1;
}

void view_leave(view *v)
{
	move(v, v->drawn->n_rows - 1, 0);
	emit_text(v, "\r\n");
	flush(v);
	view_forget(v);
}

void view_erase(view *v)
{
	move(v, 0, 0);
	emit_text(v, "\033[J");
	flush(v);
	view_forget(v);
}

void view_clear(view *v)
{
	emit_text(v, "\033[H\033[2J");
	flush(v);
	view_forget(v);
}

void view_resize(view *v, int columns, int rows)
{
	int i, above = 0;

	columns = columns > VIEW_COLUMNS_MAX ? VIEW_COLUMNS_MAX : columns;
	if (columns == v->columns && rows == v->rows)
		return;
	/* A row that is wider than the terminal has become takes several. */
	if (columns < v->columns) {
		for (i = 0; i < v->row && i < v->drawn->n_rows; i++)
			above += v->drawn->rows[i].columns > 0
			                 ? (v->drawn->rows[i].columns - 1) / columns
			                 : 0;
		above += v->column > 0 ? (v->column - 1) / columns : 0;
	}
	v->row += above;
	v->column = v->column > columns ? columns : v->column;
	/* More rows than the screen has have gone up from it. */
	if (v->row >= rows)
		v->row = rows - 1;
	v->columns = columns;
	v->rows = rows;
	v->present = v->row + 1;
	emit_text(v, "\r");
	v->column = 0;
	move(v, 0, 0);
	emit_text(v, "\033[J");
	flush(v);
	view_forget(v);
}
