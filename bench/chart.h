/* chart.h - an SVG with a grid and linear or logarithmic axes, for all pictures of the project
 *
 * Write errors are left in the stream.
 */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <stdbool.h>
#include <stdio.h>

typedef struct chart_axis {
	double low, high; /* values outside are drawn at the edge */
	bool is_log;
	const char *label;
} chart_axis;

/* Everything in SVG's user units: the picture, and the margins around this chart's grid. */
typedef struct chart {
	double width, height, left, right, top, bottom;
	chart_axis x, y;
} chart;

double chart_place_x(const chart *c, double value);
double chart_place_y(const chart *c, double value);

/* The head of a file that holds one picture of this size, with one chart or several side by side.
 * chart_close ends it. */
void chart_open(FILE *out, double width, double height);
void chart_close(FILE *out);

/* The chart's title, above it, and its axes' labels. */
void chart_draw_labels(FILE *out, const chart *c, const char *title);

/* One line of the grid with its value. */
void chart_draw_x(FILE *out, const chart *c, double value);
void chart_draw_y(FILE *out, const chart *c, double value);

#endif
