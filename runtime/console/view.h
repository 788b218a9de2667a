/* view.h - some rows at the bottom of a terminal, of which only what changed is drawn
 *
 * The caller composes a frame: rows of clusters with their columns, and the cursor. view_show
 * compares it with the frame on the screen and writes the difference, so that a key costs a few
 * bytes on a serial line. Rows are separated by line feeds and not by the terminal's own wrapping,
 * and cursor movements are relative: the view need not know where on the screen it stands. Uses
 * what every terminal since the VT100 understands: CSI A, B, C, J, K, m.
 */
#ifndef CONSOLE_VIEW_H
#define CONSOLE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/console/output.h"
#include "runtime/console/width.h"

typedef enum view_style {
	VIEW_PLAIN,
	VIEW_PROMPT,
	VIEW_SHOWN, /* what stands for a control character */
	VIEW_FAINT, /* status and hints */
	N_VIEW_STYLES
} view_style;

/* The CSI sequence that begins a style, after which "\033[0m" ends it; "" for VIEW_PLAIN. */
const char *view_style_sequence(view_style style);

/* A larger terminal is drawn on as far as this. */
#define VIEW_COLUMNS_MAX 1000
#define VIEW_ROWS_MAX    300

typedef struct view_cell {
	uint32_t at; /* its bytes in the frame's text */
	uint8_t bytes, columns, style;
	bool is_doubtful;
} view_cell;

typedef struct view_row {
	uint32_t first, n; /* cells */
	int columns;
} view_row;

typedef struct view_frame {
	view_cell *cells;
	char *text;
	size_t n_cells, room_cells, n_text, room_text;
	view_row rows[VIEW_ROWS_MAX];
	int n_rows;
	int cursor_row, cursor_column;
} view_frame;

typedef struct view {
	view_frame frames[2];
	view_frame *drawn, *next;
	int columns, rows;       /* of the terminal */
	int row, column;         /* the terminal's cursor, from the first drawn row */
	int present;             /* rows from the first drawn one that exist on the screen */
	bool has_colors, failed; /* no memory while composing */
	uint8_t style;           /* the terminal's now */
	output output;           /* written when the frame ends */
} view;

void view_open(view *v, bool has_colors, output_write_fn *write, void *user);
void view_free(view *v);

/* The terminal's size. After a change the rows that are drawn are cleared, as far as can be known:
 * most terminals wrap rows again that have become too long. */
void view_resize(view *v, int columns, int rows);

/* Begins a frame with one empty row. */
void view_compose(view *v);

/* Adds a cluster to the last row, in which it must have room. Bytes beyond WIDTH_CLUSTER_MAX are
 * not for a cluster. */
void view_put(view *v, const char *text, size_t bytes, int columns, view_style style,
              bool is_doubtful);

/* Adds text [n] to the last row, as much as leaves `free` columns, control characters shown. */
void view_put_text(view *v, const char *text, size_t n, view_style style, int free);

/* Fills the last row with blanks up to a column. */
void view_put_blanks(view *v, int column);

/* Adds a row; false: there are VIEW_ROWS_MAX. */
bool view_add_row(view *v);

/* The cursor goes behind what has been put so far. */
void view_place_cursor(view *v);

/* Columns taken of the last row. */
int view_taken(const view *v);

/* Draws what differs. False: no memory for the frame, of which nothing is drawn. */
bool view_show(view *v);

/* Leaves what is drawn on the screen; the next frame begins in the row below. */
void view_leave(view *v);

/* Removes what is drawn from the screen. */
void view_erase(view *v);

/* Clears the screen; the next frame begins at its top. */
void view_clear(view *v);

/* Whatever is on the screen, the next frame begins where the cursor is, at the start of a row. */
void view_forget(view *v);

#endif
