/* layout.c - see layout.h */
#include "runtime/console/layout.h"

#include "runtime/os/memory.h"

static bool add_row(layout *l, size_t start)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		uint32_t *starts = memory_resize(l->starts, room, sizeof *starts);

		if (!starts)
			return false;
		l->starts = starts;
		l->room = room;
	}
	l->starts[l->n++] = (uint32_t)start;
	return true;
}

void layout_measure(const char *text, size_t n, width_cluster *cluster)
{
	unsigned char first = (unsigned char)text[0];

	/* Most of a text: ASCII that nothing can join. */
	if (first >= 0x20 && first < 0x7f && (n == 1 || (unsigned char)text[1] < 0x80)) {
		cluster->base = cluster->last = first;
		cluster->bytes = 1;
		cluster->columns = 1;
		cluster->is_doubtful = false;
		return;
	}
	width_measure(text, n, cluster);
	if (first == '\t')
		cluster->columns = LAYOUT_TAB;
}

int layout_indent(const layout *l, size_t row)
{
	return l->indents[row > 0];
}

bool layout_compute(layout *l, const char *text, size_t n)
{
	size_t at = 0;
	int column = l->indents[0];
	bool fits;

	l->n = 0;
	fits = add_row(l, 0);
	while (fits && at < n) {
		width_cluster cluster;

		if (text[at] == '\n') {
			fits = add_row(l, ++at);
			column = l->indents[1];
			continue;
		}
		layout_measure(text + at, n - at, &cluster);
		if (column + cluster.columns > l->columns) {
			fits = add_row(l, at);
			column = l->indents[1];
		}
		column += cluster.columns;
		at += cluster.bytes;
	}
	if (fits && column >= l->columns)
		fits = add_row(l, n);
	if (!fits)
		l->n = 0;
	return fits;
}

size_t layout_row(const layout *l, size_t at)
{
	size_t from = 0, to = l->n;

	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (l->starts[middle] <= at)
			from = middle;
		else
			to = middle;
	}
	return from;
}

int layout_column(const layout *l, const char *text, size_t row, size_t at)
{
	size_t from = l->starts[row];
	int column = layout_indent(l, row);
	width_cluster cluster;

	while (from < at) {
		layout_measure(text + from, at - from, &cluster);
		column += cluster.columns;
		from += cluster.bytes;
	}
	return column;
}

size_t layout_offset(const layout *l, const char *text, size_t n, size_t row, int column)
{
	size_t at = l->starts[row], end = row + 1 < l->n ? l->starts[row + 1] : n, last = at;
	int here = layout_indent(l, row);
	width_cluster cluster;

	while (at < end && text[at] != '\n' && here < column) {
		layout_measure(text + at, n - at, &cluster);
		here += cluster.columns;
		last = at;
		at += cluster.bytes;
	}
	/* The end of a row that was wrapped is the next row's beginning. */
	if (at == end && row + 1 < l->n && (at == 0 || text[at - 1] != '\n'))
		return last;
	return here > column ? last : at;
}

void layout_free(layout *l)
{
	memory_free(l->starts);
	l->starts = NULL;
	l->n = l->room = 0;
}
