/* writer.c - see writer.h */
#include "runtime/console/writer.h"

#include <stdio.h>
#include <string.h>

#include "runtime/text/utf8.h"

#define TAB 8

void writer_open(writer *w, writer_kind kind, bool has_colors, output_write_fn *write, void *user)
{
	memset(w, 0, sizeof *w);
	w->kind = kind;
	w->has_colors = has_colors && kind == WRITER_FULL;
	w->output.write = write;
	w->output.user = user;
	w->columns = 80;
}

/* ---- output --------------------------------------------------------------------------------- */

static void flush(writer *w)
{
	output_flush(&w->output);
}

static void emit(writer *w, const char *bytes, size_t n)
{
	output_put(&w->output, bytes, n);
}

static void emit_text(writer *w, const char *text)
{
	output_put_text(&w->output, text);
}

static void emit_blanks(writer *w, int n)
{
	for (; n > 0; n--)
		emit(w, " ", 1);
}

/* To the column that the row has been written up to. */
static void set_column(writer *w)
{
	char text[24];

	emit_text(w, "\r");
	if (w->column > 0)
		emit(w, text, (size_t)snprintf(text, sizeof text, "\033[%dC", w->column));
}

/* Code has a color; the fence that ends it too, since it is known as such only at its end. */
static void set_style(writer *w, bool is_styled)
{
	if (w->has_colors && w->is_styled != is_styled)
		emit_text(w, is_styled ? "\033[36m" : "\033[0m");
	w->is_styled = is_styled;
}

/* ---- status --------------------------------------------------------------------------------- */

static void hide_status(writer *w)
{
	if (!w->has_status)
		return;
	emit_text(w, "\r\n\033[K\033[A");
	set_column(w);
	w->has_status = false;
}

/* Below the row that is being written. At the bottom of the screen the line feed makes room. */
static void show_status(writer *w)
{
	bool was_styled = w->is_styled;
	width_cluster cluster;
	int column = 0;
	size_t at, n = strlen(w->status);

	if (w->kind != WRITER_FULL || n == 0 || w->is_blocked || w->column >= w->columns)
		return;
	set_style(w, false);
	emit_text(w, "\r\n");
	if (w->has_colors)
		emit_text(w, view_style_sequence(VIEW_FAINT));
	for (at = 0; at < n; at += cluster.bytes) {
		char shown[WIDTH_SHOWN_MAX];

		width_measure(w->status + at, n - at, &cluster);
		column += cluster.columns;
		if (column >= w->columns)
			break;
		if (!cluster.is_doubtful && width_show(cluster.base, shown) == 0)
			emit(w, w->status + at, cluster.bytes);
	}
	emit_text(w, w->has_colors ? "\033[0m\033[K\033[A" : "\033[K\033[A");
	set_column(w);
	set_style(w, was_styled);
	w->has_status = true;
}

void writer_set_status(writer *w, const char *status)
{
	if (strncmp(w->status, status, sizeof w->status - 1) == 0)
		return;
	(void)snprintf(w->status, sizeof w->status, "%s", status);
	if (!w->is_open)
		return;
	if (w->status[0])
		show_status(w);
	else
		hide_status(w);
	flush(w);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void end_word(writer *w)
{
	w->n_word = 0;
	w->word_columns = 0;
}

/* The next row, which may hold the status; it is shown again below when all is written. */
static void begin_row(writer *w, int indent)
{
	emit_text(w, w->has_status ? "\r\n\033[K" : "\r\n");
	w->has_status = w->is_blocked = false;
	w->column = indent;
	emit_blanks(w, indent);
}

static int row_end(const writer *w)
{
	return w->columns - 1;
}

/* Takes the word back and writes it in the next row. */
static void move_word(writer *w)
{
	int i;

	for (i = 0; i < w->word_columns; i++)
		emit_text(w, "\b");
	if (w->kind == WRITER_FULL)
		emit_text(w, "\033[K");
	else
		emit_blanks(w, w->word_columns);
	begin_row(w, w->indent);
	emit(w, w->word, w->n_word);
	w->column += w->word_columns;
}

/* Makes room for `columns` more of a word that has begun, or begins with them. */
static void make_room(writer *w, int columns)
{
	if (w->column + columns <= row_end(w))
		return;
	if (w->n_word > 0 && w->column > w->indent + w->word_columns &&
	    w->indent + w->word_columns + columns <= row_end(w)) {
		move_word(w);
	} else if (w->column > w->indent) {
		end_word(w);
		begin_row(w, w->indent + columns > row_end(w) ? 0 : w->indent);
	}
}

/* The blanks before a word, unless it begins a row. */
static void write_spaces(writer *w, int columns)
{
	int spaces = w->spaces;

	w->spaces = 0;
	if (spaces == 0)
		return;
	if (w->column + spaces + columns > row_end(w) && w->column > w->indent) {
		begin_row(w, w->indent);
		return;
	}
	spaces = spaces < row_end(w) / 2 ? spaces : row_end(w) / 2;
	emit_blanks(w, spaces);
	w->column += spaces;
}

/* ---- characters ----------------------------------------------------------------------------- */

/* Brackets, quotes and stops that end something, of East Asian texts and others. */
static bool is_closing(uint32_t c)
{
	static const uint16_t closing[] = {
		'!',    ')',    ',',    '.',    ':',    ';',    '?',    ']',
		'}',    0x2019, 0x201d, 0x2026, 0x3001, 0x3002, 0x3009, 0x300b,
		0x300d, 0x300f, 0x3011, 0x3015, 0x30fb, 0x30fc, 0xff01, 0xff09,
		0xff0c, 0xff0e, 0xff1a, 0xff1b, 0xff1f, 0xff3d, 0xff5d,
	};
	size_t i;

	for (i = 0; i < sizeof closing / sizeof *closing; i++)
		if (closing[i] == c)
			return true;
	return false;
}

/* Where terminals may disagree about the last cluster's width, the next one is placed. */
static void settle(writer *w)
{
	if (w->cluster.bytes > 0 && w->cluster.is_doubtful && w->kind == WRITER_FULL &&
	    w->column < w->columns)
		set_column(w);
	w->cluster.bytes = 0;
}

static void keep_in_word(writer *w, const char *text, size_t n, int columns)
{
	if (n > sizeof w->word - w->n_word)
		end_word(w);
	memcpy(w->word + w->n_word, text, n);
	w->n_word += n;
	w->word_columns += columns;
}

/* In code the terminal wraps, so that what is copied from it has no line ends added. The row after
 * the next is not known to be free for the status until the line ends. */
static void write_code(writer *w, const char *text, size_t n, int columns)
{
	if (w->column + columns >= w->columns) {
		hide_status(w);
		w->is_blocked = true;
	}
	if (w->column + columns > w->columns)
		w->column = 0;
	emit(w, text, n);
	w->column += columns;
}

static void write_cluster(writer *w, const char *text, size_t n, int columns)
{
	if (w->markup.in_code) {
		emit_blanks(w, w->spaces);
		w->column += w->spaces;
		w->spaces = 0;
		write_code(w, text, n, columns);
		return;
	}
	if (w->n_word == 0)
		write_spaces(w, columns);
	make_room(w, columns);
	emit(w, text, n);
	w->column += columns;
	keep_in_word(w, text, n, columns);
}

/* Adds to the last cluster. It has been written; the terminal puts the rest on top of it. */
static void join(writer *w, uint32_t c, const char *text, size_t n)
{
	int grown = width_join(&w->cluster, c, n);

	emit(w, text, n);
	w->column += grown;
	if (!w->markup.in_code)
		keep_in_word(w, text, n, grown);
}

static void begin_cluster(writer *w, uint32_t c, const char *text, size_t n)
{
	char based[WIDTH_BASE_BYTES + 4] = WIDTH_BASE, shown[WIDTH_SHOWN_MAX];
	bool was_wide = w->cluster.bytes > 0 && w->cluster.columns > 1;
	size_t n_shown = width_show(c, shown);

	settle(w);
	width_begin(&w->cluster, c, n);
	if ((was_wide || w->cluster.columns > 1) && !is_closing(c) && n_shown == 0)
		end_word(w);
	if (n_shown > 0) {
		write_cluster(w, shown, n_shown, (int)n_shown);
	} else if (width_needs_base(c)) {
		memcpy(based + WIDTH_BASE_BYTES, text, n);
		write_cluster(w, based, WIDTH_BASE_BYTES + n, w->cluster.columns);
	} else {
		write_cluster(w, text, n, w->cluster.columns);
	}
}

static void end_line(writer *w)
{
	settle(w);
	(void)markup_take(&w->markup, '\n');
	end_word(w);
	w->spaces = w->indent = 0;
	set_style(w, w->markup.in_code);
	begin_row(w, 0);
}

static void put_blank(writer *w, int n)
{
	settle(w);
	(void)markup_take(&w->markup, ' ');
	end_word(w);
	w->spaces += n;
	/* Nothing wraps in code, so nothing is decided by what follows. */
	if (w->markup.in_code)
		for (; w->spaces > 0; w->spaces--)
			write_code(w, " ", 1, 1);
}

static void put_character(writer *w, uint32_t c, const char *text, size_t n)
{
	if (w->was_return) {
		w->was_return = false;
		if (c != '\n')
			begin_cluster(w, '\r', "\r", 1);
	}
	if (c == '\n') {
		end_line(w);
	} else if (c == '\r') {
		w->was_return = true;
	} else if (c == ' ') {
		put_blank(w, 1);
	} else if (c == '\t') {
		put_blank(w, TAB - (w->column + w->spaces) % TAB);
	} else if (w->spaces == 0 && width_joins(&w->cluster, c, n)) {
		join(w, c, text, n);
	} else {
		if (markup_take(&w->markup, c)) {
			w->indent = w->column + w->spaces;
			if (w->indent > w->columns / 2)
				w->indent = 0;
		}
		begin_cluster(w, c, text, n);
	}
}

/* ---- all ------------------------------------------------------------------------------------ */

void writer_begin(writer *w)
{
	end_word(w);
	memset(&w->markup, 0, sizeof w->markup);
	w->column = w->indent = w->spaces = 0;
	w->cluster.bytes = w->n_held = 0;
	w->was_return = w->has_status = w->is_blocked = false;
	w->is_open = true;
	show_status(w);
	flush(w);
}

/* Characters that are complete, from bytes held and new ones. */
static void take(writer *w, const char *bytes, size_t n)
{
	size_t length;
	uint32_t c = width_decode(bytes, n, &length);

	if (w->kind == WRITER_PIPE) {
		emit(w, bytes, n);
		w->column = c != '\n';
	} else if (c == 0xfffd) {
		put_character(w, c, UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES);
	} else {
		put_character(w, c, bytes, n);
	}
}

void writer_put(writer *w, const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		int length;

		w->held[w->n_held++] = text[i];
		length = utf8_measure((const uint8_t *)w->held, w->n_held);
		if (length == 0)
			continue;
		/* The byte that shows a character to be broken may begin the next. */
		if (length < 0 && w->n_held > 1) {
			take(w, w->held, w->n_held - 1);
			w->n_held = 0;
			i--;
			continue;
		}
		take(w, w->held, w->n_held);
		w->n_held = 0;
	}
	if (!w->has_status)
		show_status(w);
	flush(w);
}

void writer_end(writer *w)
{
	if (w->n_held > 0)
		take(w, w->held, w->n_held);
	w->n_held = 0;
	if (w->kind != WRITER_PIPE) {
		if (w->was_return)
			begin_cluster(w, '\r', "\r", 1);
		w->was_return = false;
		hide_status(w);
		set_style(w, false);
	}
	if (w->column > 0)
		emit_text(w, w->kind == WRITER_PIPE ? "\n" : "\r\n");
	w->column = 0;
	w->is_open = false;
	flush(w);
}

void writer_begin_row(writer *w)
{
	end_word(w);
	w->column = w->indent = w->spaces = 0;
	w->cluster.bytes = 0;
	w->has_status = w->is_blocked = false;
}

void writer_resize(writer *w, int columns)
{
	bool is_narrower = columns < w->columns;

	columns = columns < 10 ? 10 : columns;
	if (columns == w->columns)
		return;
	/* The status may have been wrapped into several rows. */
	if (w->has_status)
		emit_text(w, "\033[J");
	w->has_status = false;
	w->columns = columns;
	if (is_narrower && w->kind != WRITER_PIPE && w->column >= row_end(w)) {
		/* Where the cursor is now depends on whether the terminal wraps again. */
		emit_text(w, "\r\n");
		writer_begin_row(w);
	}
	flush(w);
}
