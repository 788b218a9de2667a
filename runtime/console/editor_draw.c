/* editor_draw.c - what the editor shows: the text or what is searched, candidates, a hint, the
 * status */
#include "runtime/console/editor.h"

#include <string.h>

/* What is shown above the status: the message, or the one that a search has found. */
typedef struct shown_text {
	const char *bytes;
	size_t n, cursor;
	char prompt[300];
	size_t n_prompt;
} shown_text;

static void append(shown_text *shown, const char *text, size_t n)
{
	size_t free = sizeof shown->prompt - shown->n_prompt;

	n = n < free ? n : free;
	memcpy(shown->prompt + shown->n_prompt, text, n);
	shown->n_prompt += n;
}

static size_t find(const char *text, size_t n, const char *part, size_t n_part)
{
	size_t at;

	for (at = 0; at + n_part <= n; at++)
		if (memcmp(text + at, part, n_part) == 0)
			return at;
	return n;
}

static void choose_text(const editor *e, shown_text *shown)
{
	const history *h = e->options.history;

	shown->bytes = e->line.text.n > 0 ? e->line.text.bytes : "";
	shown->n = e->line.text.n;
	shown->cursor = e->line.cursor;
	shown->n_prompt = 0;
	if (!e->is_searching) {
		append(shown, e->options.prompt, strlen(e->options.prompt));
		return;
	}
	append(shown, "search '", 8);
	append(shown, e->query, e->n_query);
	append(shown, "': ", 3);
	shown->n = shown->cursor = 0;
	if (e->found < h->n) {
		shown->bytes = h->entries[e->found].text;
		shown->n = h->entries[e->found].n;
		shown->cursor = find(shown->bytes, shown->n, e->query, e->n_query);
	}
}

static int count_columns(const char *text, size_t n)
{
	width_cluster cluster;
	int columns = 0;
	size_t at;

	for (at = 0; at < n; at += cluster.bytes) {
		layout_measure(text + at, n - at, &cluster);
		columns += cluster.columns;
	}
	return columns;
}

/* Prompts are left out where they would take more than half of the width. */
static void lay_out(editor *e, shown_text *shown)
{
	layout *l = &e->layout;
	int most = (l->columns < LAYOUT_COLUMNS_MIN * 2 ? 0 : l->columns) / 2;
	int first = count_columns(shown->prompt, shown->n_prompt);
	int more = count_columns(e->options.more, strlen(e->options.more));

	l->indents[0] = first > most ? 0 : first;
	l->indents[1] = more > most ? 0 : more;
	if (!layout_compute(l, shown->bytes, shown->n)) {
		shown->n = shown->cursor = 0;
		(void)layout_compute(l, "", 0);
	}
}

static void put_cluster(view *v, const char *text, const width_cluster *cluster)
{
	char based[WIDTH_BASE_BYTES + WIDTH_CLUSTER_MAX] = WIDTH_BASE;
	char shown[WIDTH_SHOWN_MAX];
	size_t n = width_show(cluster->base, shown);

	if (cluster->base == '\t') {
		for (n = 0; n < LAYOUT_TAB; n++)
			view_put(v, " ", 1, 1, VIEW_PLAIN, false);
	} else if (n > 0) {
		view_put(v, shown, n, (int)n, VIEW_SHOWN, false);
	} else if (width_needs_base(cluster->base)) {
		memcpy(based + WIDTH_BASE_BYTES, text, cluster->bytes);
		view_put(v, based, WIDTH_BASE_BYTES + cluster->bytes, cluster->columns, VIEW_PLAIN,
		         true);
	} else {
		view_put(v, text, cluster->bytes, cluster->columns, VIEW_PLAIN,
		         cluster->is_doubtful);
	}
}

/* The prompt of the first row, the other prompt of rows after a line feed, blanks after a wrap. */
static void put_prompt(editor *e, const shown_text *shown, size_t row)
{
	size_t start = e->layout.starts[row];
	int indent = layout_indent(&e->layout, row);
	bool is_line = row > 0 && shown->bytes[start - 1] == '\n';

	if (indent > 0 && row == 0)
		view_put_text(&e->view, shown->prompt, shown->n_prompt, VIEW_PROMPT, 0);
	else if (indent > 0 && is_line)
		view_put_text(&e->view, e->options.more, strlen(e->options.more), VIEW_PROMPT, 0);
	view_put_blanks(&e->view, indent);
}

static void put_row(editor *e, const shown_text *shown, size_t row)
{
	const layout *l = &e->layout;
	size_t at = l->starts[row], end = row + 1 < l->n ? l->starts[row + 1] : shown->n;
	bool is_cursor_row = row == layout_row(l, shown->cursor);
	width_cluster cluster;

	put_prompt(e, shown, row);
	for (; at < end && shown->bytes[at] != '\n'; at += cluster.bytes) {
		layout_measure(shown->bytes + at, shown->n - at, &cluster);
		if (is_cursor_row && at <= shown->cursor && shown->cursor < at + cluster.bytes)
			view_place_cursor(&e->view);
		put_cluster(&e->view, shown->bytes + at, &cluster);
	}
	if (is_cursor_row && shown->cursor >= at)
		view_place_cursor(&e->view);
}

/* Rows of the text that fit, the cursor's among them. */
static void put_text(editor *e, const shown_text *shown, size_t height)
{
	const layout *l = &e->layout;
	size_t row = layout_row(l, shown->cursor), i;

	if (row < e->top)
		e->top = row;
	if (row >= e->top + height)
		e->top = row - height + 1;
	if (e->top + height > l->n)
		e->top = l->n > height ? l->n - height : 0;
	for (i = e->top; i < l->n && i < e->top + height; i++) {
		if (i > e->top)
			(void)view_add_row(&e->view);
		put_row(e, shown, i);
	}
}

/* ---- below the text ------------------------------------------------------------------------- */

/* Without the space that a complete word may end with. */
static size_t candidate_bytes(const candidates *list, size_t i)
{
	size_t n = list->items[i].n;

	return n > 0 && list->bytes[list->items[i].at + n - 1] == ' ' ? n - 1 : n;
}

/* What makes columns of candidates: the widest, with two blanks. */
static int candidate_columns(const candidates *list)
{
	int widest = 0, columns;
	size_t i;

	for (i = 0; i < list->n; i++) {
		columns = count_columns(list->bytes + list->items[i].at, candidate_bytes(list, i));
		widest = columns > widest ? columns : widest;
	}
	return widest + 2;
}

static size_t count_candidate_rows(const editor *e, size_t most)
{
	int columns = candidate_columns(&e->candidates);
	int across = e->view.columns > columns ? e->view.columns / columns : 1;
	size_t rows = (e->candidates.n + (size_t)across - 1) / (size_t)across;

	if (!e->shows_candidates)
		return 0;
	return rows < most ? rows : most;
}

/* "..." where not all fit. */
static void put_candidates(editor *e, size_t rows)
{
	const candidates *list = &e->candidates;
	int columns = candidate_columns(list), column = 0;
	size_t i = 0, row;

	for (row = 0; row < rows; row++) {
		(void)view_add_row(&e->view);
		for (column = 0; i < list->n && (column == 0 || column + columns < e->view.columns);
		     column += columns) {
			view_put_blanks(&e->view, column);
			if (row + 1 == rows && column + 2 * columns >= e->view.columns &&
			    (i + 1 < list->n || list->is_cut)) {
				view_put_text(&e->view, "...", 3, VIEW_FAINT, 0);
				return;
			}
			view_put_text(&e->view, list->bytes + list->items[i].at,
			              candidate_bytes(list, i), VIEW_FAINT, 1);
			i++;
		}
	}
}

static void put_line(editor *e, const char *text)
{
	(void)view_add_row(&e->view);
	view_put_text(&e->view, text, strlen(text), VIEW_FAINT, 1);
}

/* ---- all ------------------------------------------------------------------------------------ */

static void compose(editor *e, bool is_final)
{
	size_t rows = (size_t)e->view.rows, below = 0, n_candidates = 0;
	const char *hint = is_final ? NULL : e->hint;
	bool has_status = !is_final && e->status[0] && rows > 2;
	shown_text shown;

	choose_text(e, &shown);
	if (is_final)
		shown.cursor = shown.n;
	lay_out(e, &shown);
	if (!is_final)
		n_candidates = count_candidate_rows(e, rows / 2);
	below = n_candidates + (hint && rows > 3) + has_status;
	view_compose(&e->view);
	put_text(e, &shown, rows > below ? rows - below : 1);
	put_candidates(e, n_candidates);
	if (hint && rows > 3)
		put_line(e, hint);
	if (has_status)
		put_line(e, e->status);
}

void editor_draw(editor *e)
{
	compose(e, false);
	(void)view_show(&e->view);
}

void editor_finish(editor *e)
{
	compose(e, true);
	(void)view_show(&e->view);
	view_leave(&e->view);
}

void editor_redraw(editor *e)
{
	view_forget(&e->view);
	editor_draw(e);
}

void editor_hide(editor *e)
{
	view_erase(&e->view);
}

void editor_resize(editor *e, int columns, int rows)
{
	columns = columns < LAYOUT_COLUMNS_MIN ? LAYOUT_COLUMNS_MIN : columns;
	rows = rows < 1 ? 1 : rows > VIEW_ROWS_MAX ? VIEW_ROWS_MAX : rows;
	view_resize(&e->view, columns, rows);
	e->layout.columns = e->view.columns;
}
