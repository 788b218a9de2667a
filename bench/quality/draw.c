/* draw.c - the picture of make quality: divergence against bits per weight, and the types of 3 to 5
 * bits again on axes of their own
 *
 *     draw TITLE < POINTS > PICTURE.svg
 *
 * A line of POINTS is "KIND NAME BITS KLD", NAME without blanks. Kinds q3, q4, mixed, q8 and f16
 * are brise's; a line joins those of one kind. "peer" and "importance" are others', grey, without
 * and with importance.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/chart.h"

#define POINTS_MAX 256u

typedef struct point {
	char kind[16], name[48];
	double bits, kld;
} point;

static const struct {
	const char *kind, *colour;
} colours[] = { { "q3", "#b9770e" },     { "q4", "#c0392b" },  { "mixed", "#7d3c98" },
	        { "q8", "#0b6e99" },     { "f16", "#1e8449" }, { "peer", "#999" },
	        { "importance", "#999" } };

static const char *colour_of(const char *kind)
{
	size_t i;

	for (i = 0; i < sizeof colours / sizeof *colours; i++)
		if (!strcmp(colours[i].kind, kind))
			return colours[i].colour;
	return "#000";
}

static bool is_peer(const point *p)
{
	return !strcmp(p->kind, "peer");
}

static bool is_ours(const point *p)
{
	return !is_peer(p) && strcmp(p->kind, "importance") != 0;
}

/* Lines that are no points end the program; so do points a logarithm cannot show. */
static size_t read_points(point *points)
{
	char line[256];
	size_t n = 0;

	while (fgets(line, sizeof line, stdin)) {
		point *p = &points[n];

		if (n == POINTS_MAX ||
		    sscanf(line, "%15s %47s %lf %lf", p->kind, p->name, &p->bits, &p->kld) != 4 ||
		    !(p->bits > 0) || strpbrk(p->name, "<&'")) {
			fprintf(stderr,
			        "draw: expected up to %u lines of KIND NAME BITS KLD, found %s",
			        POINTS_MAX, line);
			exit(1);
		}
		n += p->kld > 0;
	}
	return n;
}

static int by_kld(const void *a, const void *b)
{
	const point *p = a, *q = b;

	return p->kld < q->kld ? 1 : p->kld > q->kld ? -1 : strcmp(p->name, q->name);
}

#define WIDTH  1300.0
#define HEIGHT 770.0
#define BOTTOM 220.0 /* of the charts: labels of axes, and the legend */

/* Decades of divergence that hold every point. */
static chart choose_whole(const point *points, size_t n)
{
	double low = 1e-3, high = 1e-2;
	size_t i;

	for (i = 0; i < n; i++) {
		low = points[i].kld < low ? points[i].kld : low;
		high = points[i].kld > high ? points[i].kld : high;
	}
	return (chart){ .width = WIDTH,
		        .height = HEIGHT,
		        .left = 90,
		        .right = 800,
		        .top = 50,
		        .bottom = BOTTOM,
		        .x = { 3, 18, true, "bits per weight, all matrices" },
		        .y = { pow(10, floor(log10(low))), pow(10, ceil(log10(high))), true,
		               "mean KL divergence from f16, nats per token" } };
}

/* Divergences with a line in the close chart. */
static const double ticks[] = { 0.001, 0.002, 0.003, 0.004, 0.005, 0.007, 0.01, 0.015,
	                        0.02,  0.03,  0.04,  0.05,  0.07,  0.1,   0.2,  0.5 };
#define TICKS (sizeof ticks / sizeof *ticks)

/* From 3 to 5 bits, where most types are. */
static chart choose_close(const point *points, size_t n)
{
	chart c = { .width = WIDTH,
		    .height = HEIGHT,
		    .left = 590,
		    .right = 40,
		    .top = 50,
		    .bottom = BOTTOM,
		    .x = { 3, 5.2, false, "bits per weight" },
		    .y = { 0.005, 0.01, true, "nats per token" } };
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < TICKS; k++) {
			const point *p = &points[i];

			if (p->bits < c.x.low || p->bits > c.x.high)
				continue;
			if (ticks[k] <= p->kld && (k + 1 == TICKS || ticks[k + 1] > p->kld) &&
			    ticks[k] < c.y.low)
				c.y.low = ticks[k];
			if (ticks[k] >= p->kld && (k == 0 || ticks[k - 1] < p->kld) &&
			    ticks[k] > c.y.high)
				c.y.high = ticks[k];
		}
	return c;
}

static void draw_grids(FILE *out, const chart *whole, const chart *close)
{
	static const double bits[] = { 3, 4, 5, 6, 8, 10, 12, 16 }, steps[] = { 1, 2, 5 };
	double decade;
	size_t i;

	for (i = 0; i < sizeof bits / sizeof *bits; i++)
		chart_draw_x(out, whole, bits[i]);
	for (decade = whole->y.low; decade < whole->y.high * 0.99; decade *= 10)
		for (i = 0; i < sizeof steps / sizeof *steps; i++)
			chart_draw_y(out, whole, decade * steps[i]);
	chart_draw_y(out, whole, whole->y.high);
	for (i = 0; i <= 8; i++)
		chart_draw_x(out, close, 3 + 0.25 * (double)i);
	for (i = 0; i < TICKS; i++)
		if (ticks[i] >= close->y.low && ticks[i] <= close->y.high)
			chart_draw_y(out, close, ticks[i]);
}

static bool is_inside(const chart *c, const point *p)
{
	return p->bits >= c->x.low && p->bits <= c->x.high && p->kld >= c->y.low &&
	       p->kld <= c->y.high;
}

static void draw_point(FILE *out, const chart *c, const point *p)
{
	const char *colour = colour_of(p->kind);

	fprintf(out,
	        "<circle cx='%.1f' cy='%.1f' r='%s' stroke='%s' fill='%s'><title>%s%s: %.3f bits, "
	        "%.5f</title></circle>\n",
	        chart_place_x(c, p->bits), chart_place_y(c, p->kld), is_ours(p) ? "4.5" : "3",
	        colour, is_ours(p) || is_peer(p) ? colour : "none", p->name,
	        strcmp(p->kind, "importance") ? "" : " with importance", p->bits, p->kld);
}

/* Points are in order of divergence: each is joined with the next of its kind. */
static void draw_lines(FILE *out, const chart *c, const point *points, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = i + 1; k < n && strcmp(points[k].kind, points[i].kind) != 0; k++)
			;
		if (k == n || !is_ours(&points[i]) || !is_inside(c, &points[i]) ||
		    !is_inside(c, &points[k]))
			continue;
		fprintf(out,
		        "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' "
		        "stroke-width='1.5' stroke-opacity='0.5'/>\n",
		        chart_place_x(c, points[i].bits), chart_place_y(c, points[i].kld),
		        chart_place_x(c, points[k].bits), chart_place_y(c, points[k].kld),
		        colour_of(points[i].kind));
	}
}

#define NAME_WIDTH  76.0
#define NAME_HEIGHT 12.0

typedef struct label {
	double x, y;
	bool ours;
} label;

/* Ours left of their points, the others' to the right; from above to below, each below what covers
 * its place. */
static void draw_names(FILE *out, const chart *c, const point *points, size_t n)
{
	static label placed[POINTS_MAX];
	size_t i, k, n_placed = 0;

	for (i = 0; i < n; i++) {
		const bool ours = is_ours(&points[i]);
		double x = chart_place_x(c, points[i].bits) + (ours ? -9 : 7),
		       y = chart_place_y(c, points[i].kld) + 4;

		if (!is_inside(c, &points[i]) || (!ours && !is_peer(&points[i])))
			continue;
		for (k = 0; k < n_placed; k++)
			if (placed[k].ours == ours && fabs(placed[k].x - x) < NAME_WIDTH &&
			    fabs(placed[k].y - y) < NAME_HEIGHT)
				y = placed[k].y + NAME_HEIGHT;
		placed[n_placed++] = (label){ x, y, ours };
		fprintf(out,
		        "<text x='%.1f' y='%.1f' font-size='11' text-anchor='%s' "
		        "fill='%s'>%s</text>\n",
		        x, y, ours ? "end" : "start", ours ? colour_of(points[i].kind) : "#777",
		        points[i].name);
	}
}

/* Other programs' points first, so that ours are drawn over them. */
static void draw_points(FILE *out, const chart *c, const point *points, size_t n)
{
	size_t i;
	int ours;

	draw_lines(out, c, points, n);
	for (ours = 0; ours < 2; ours++)
		for (i = 0; i < n; i++)
			if (is_ours(&points[i]) == ours && is_inside(c, &points[i]))
				draw_point(out, c, &points[i]);
}

/* Four columns below the charts. */
static void draw_legend(FILE *out, const point *points, size_t n)
{
	const double left = 95, top = HEIGHT - BOTTOM + 75, column = 290, height = 18;
	size_t n_ours = 0, rows, row = 0, i;
	bool peers = false;

	for (i = 0; i < n; i++) {
		n_ours += is_ours(&points[i]);
		peers = peers || !is_ours(&points[i]);
	}
	rows = (n_ours + 3) / 4;
	for (i = 0; i < n; i++) {
		double x = left + (double)(row / (rows ? rows : 1)) * column,
		       y = top + (double)(row % (rows ? rows : 1)) * height;

		if (!is_ours(&points[i]))
			continue;
		fprintf(out, "<circle cx='%.1f' cy='%.1f' r='4.5' fill='%s'/>", x, y - 4,
		        colour_of(points[i].kind));
		fprintf(out, "<text x='%.1f' y='%.1f'>%s: %.2f bits, %.5f</text>\n", x + 10, y,
		        points[i].name, points[i].bits, points[i].kld);
		row++;
	}
	if (peers)
		fprintf(out,
		        "<text x='%.1f' y='%.1f' fill='#666'>grey: ggml's and ik_llama.cpp's "
		        "types, "
		        "hollow with importance; their weights alone, while ours include int8 "
		        "activations, keys and values</text>\n",
		        left - 5, top + (double)rows * height + 10);
}

int main(int argc, char **argv)
{
	static point points[POINTS_MAX + 1];
	size_t n = read_points(points);
	chart whole = choose_whole(points, n), close = choose_close(points, n);

	chart_open(stdout, WIDTH, HEIGHT);
	chart_draw_labels(stdout, &whole, argc > 1 ? argv[1] : "brise: loss against bits");
	chart_draw_labels(stdout, &close, "the same from 3 to 5 bits");
	draw_grids(stdout, &whole, &close);
	draw_legend(stdout, points, n);
	qsort(points, n, sizeof *points, by_kld);
	draw_points(stdout, &whole, points, n);
	draw_points(stdout, &close, points, n);
	draw_names(stdout, &close, points, n);
	chart_close(stdout);
	return fflush(stdout) || ferror(stdout);
}
