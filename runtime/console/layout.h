/* layout.h - where the characters of an edited text stand when it is wrapped into rows
 *
 * Rows are broken between clusters, not at words, so that a text does not jump while it is typed.
 */
#ifndef CONSOLE_LAYOUT_H
#define CONSOLE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/console/width.h"

/* A tab is shown as so many blanks wherever it stands. */
#define LAYOUT_TAB 4

/* The narrowest rows; what is shown for one character fits. */
#define LAYOUT_COLUMNS_MIN 10

typedef struct layout {
	uint32_t *starts; /* of the rows, as offsets in the text */
	size_t n, room;
	int columns;
	int indents[2]; /* columns before the text of the first row, and of the others */
} layout;

/* Lays out text [n]; the cursor behind its end has a place too. False: no memory; the layout is
 * empty. */
bool layout_compute(layout *l, const char *text, size_t n);

/* width_measure, but for tabs. */
void layout_measure(const char *text, size_t n, width_cluster *cluster);

int layout_indent(const layout *l, size_t row);

/* The row that holds the offset. */
size_t layout_row(const layout *l, size_t at);

/* The column of an offset in its row, and the offset nearest to a column of a row. */
int layout_column(const layout *l, const char *text, size_t row, size_t at);
size_t layout_offset(const layout *l, const char *text, size_t n, size_t row, int column);

void layout_free(layout *l);

#endif
