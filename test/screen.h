/* screen.h - a terminal's screen in memory, for tests of what is written to one
 *
 * Knows the controls that runtime/console uses and counts every other as an error. Cells hold a
 * character with its marks; a wide one takes the cell to its right, too. Emoji of a sequence stand
 * side by side, as on many terminals. Like a VT100 it stays in the last
 * column until the next character comes, and scrolls at the bottom.
 */
#ifndef TEST_SCREEN_H
#define TEST_SCREEN_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/console/width.h"

#define SCREEN_ROWS    60
#define SCREEN_COLUMNS 200
#define SCREEN_CELL    96

typedef struct screen {
	int columns, rows, row, column;
	bool is_pending; /* the next character goes to the next row */
	bool is_simple;  /* every emoji of a sequence and every regional indicator takes its columns
	                  */
	int scrolled, unknown;
	int style; /* of the last CSI m */
	size_t written;
	char cells[SCREEN_ROWS][SCREEN_COLUMNS][SCREEN_CELL];
	char held[64]; /* the beginning of what is not complete */
	size_t n_held;
} screen;

static inline void screen_open(screen *s, int columns, int rows)
{
	memset(s, 0, sizeof *s);
	s->columns = columns;
	s->rows = rows;
}

static inline void screen_line_feed(screen *s)
{
	if (s->row + 1 < s->rows) {
		s->row++;
		return;
	}
	s->scrolled++;
	memmove(s->cells[0], s->cells[1], (size_t)(s->rows - 1) * sizeof s->cells[0]);
	memset(s->cells[s->rows - 1], 0, sizeof s->cells[0]);
}

/* Whether a character is added to the one before it; Indic spacing marks have columns of their
 * own. */
static inline bool screen_combines(const char *text, size_t bytes)
{
	char after[8] = "a";
	width_cluster cluster;

	memcpy(after + 1, text, bytes);
	width_measure(after, 1 + bytes, &cluster);
	return cluster.bytes > 1 && cluster.columns == 1;
}

static inline void screen_combine(screen *s, const char *text, size_t bytes)
{
	int column = s->is_pending || s->column == 0 ? s->column : s->column - 1;
	char *cell = s->cells[s->row][column];

	if (!*cell && column > 0)
		cell = s->cells[s->row][column - 1];
	if (strlen(cell) + bytes < SCREEN_CELL)
		(void)strncat(cell, text, bytes);
}

static inline void screen_put(screen *s, const char *text, size_t bytes)
{
	width_cluster cluster;
	int columns;

	if (screen_combines(text, bytes)) {
		screen_combine(s, text, bytes);
		return;
	}
	width_measure(text, bytes, &cluster);
	columns = cluster.columns;
	if (s->is_pending || s->column + columns > s->columns) {
		screen_line_feed(s);
		s->column = 0;
		s->is_pending = false;
	}
	memset(s->cells[s->row][s->column], 0, (size_t)columns * SCREEN_CELL);
	memcpy(s->cells[s->row][s->column], text, bytes);
	s->column += columns;
	if (s->column >= s->columns) {
		s->column = s->columns - 1;
		s->is_pending = true;
	}
}

static inline void screen_erase(screen *s, int mode)
{
	int row = s->row, from = s->column;

	if (mode == 2) {
		memset(s->cells, 0, sizeof s->cells);
		return;
	}
	memset(s->cells[row][from], 0, (size_t)(s->columns - from) * SCREEN_CELL);
	while (mode == 0 && ++row < s->rows)
		memset(s->cells[row], 0, sizeof s->cells[row]);
}

static inline void screen_csi(screen *s, const char *parameters, char final)
{
	int n = atoi(parameters), most;

	most = n > 0 ? n : 1;
	if (final != 'm')
		s->is_pending = false;
	if (final == 'A')
		s->row = s->row > most ? s->row - most : 0;
	else if (final == 'B')
		s->row = s->row + most < s->rows ? s->row + most : s->rows - 1;
	else if (final == 'C')
		s->column = s->column + most < s->columns ? s->column + most : s->columns - 1;
	else if (final == 'D')
		s->column = s->column > most ? s->column - most : 0;
	else if (final == 'H')
		s->row = s->column = 0;
	else if (final == 'J')
		screen_erase(s, n);
	else if (final == 'K' && n == 0)
		screen_erase(s, -1);
	else if (final == 'm')
		s->style = n;
	else if (strcmp(parameters, "?2004") != 0)
		s->unknown++;
}

/* Bytes of what is complete at the start of text [n]; 0: nothing is. */
static inline size_t screen_take(screen *s, const char *text, size_t n)
{
	size_t i, bytes;
	char c = text[0];

	if (c == '\033') {
		char parameters[32] = "";

		if (n < 2)
			return 0;
		for (i = 2; i < n && text[1] == '['; i++) {
			if ((text[i] < '0' || text[i] > '?') && i - 2 < sizeof parameters) {
				memcpy(parameters, text + 2, i - 2);
				screen_csi(s, parameters, text[i]);
				return i + 1;
			}
		}
		if (text[1] == '[' && n < sizeof s->held)
			return 0;
		s->unknown++;
		return 2;
	}
	if (c == '\r' || c == '\b') {
		s->column = c == '\r' ? 0 : s->column > 0 ? s->column - 1 : 0;
		s->is_pending = false;
		return 1;
	}
	if (c == '\n') {
		screen_line_feed(s);
		s->is_pending = false;
		return 1;
	}
	if ((unsigned char)c < 0x20 || c == 0x7f) {
		s->unknown++;
		return 1;
	}
	(void)width_decode(text, n, &bytes);
	if (bytes == 1 && (unsigned char)c >= 0xc2 && n < 4)
		return 0;
	if (width_show(width_decode(text, n, &bytes), (char[WIDTH_SHOWN_MAX]){ 0 }) > 0)
		s->unknown++;
	screen_put(s, text, bytes);
	return bytes;
}

/* A output_write_fn; user is the screen. */
static void screen_write(void *user, const char *bytes, size_t n)
{
	screen *s = user;
	size_t i, used;

	s->written += n;
	for (i = 0; i < n; i++) {
		s->held[s->n_held++] = bytes[i];
		used = screen_take(s, s->held, s->n_held);
		s->n_held -= used;
		memmove(s->held, s->held + used, s->n_held);
	}
}

/* A row without the blanks at its end. */
static inline const char *screen_row(const screen *s, int row)
{
	static char text[SCREEN_COLUMNS * 8];
	size_t n = 0;
	int column;

	for (column = 0; column < s->columns && n < sizeof text - SCREEN_CELL; column++) {
		const char *cell = s->cells[row][column];
		width_cluster cluster = { 0 };

		if (!*cell) {
			text[n++] = ' ';
			continue;
		}
		width_measure(cell, strlen(cell), &cluster);
		memcpy(text + n, cell, strlen(cell));
		n += strlen(cell);
		if (cluster.columns > 1 && column + 1 < s->columns && !*s->cells[row][column + 1])
			column++;
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = 0;
	return text;
}

#endif
