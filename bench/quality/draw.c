/* draw.c - the picture of make quality: divergence against bits per weight, and the 4-bit types
 * again on axes of their own
 *
 *     draw TITLE < POINTS > PICTURE.svg
 *
 * A line of POINTS is "KIND NAME BITS KLD", NAME without blanks. Kinds q3, q4, mixed, q8 and f16
 * are brise's, filled for int8 keys and values (NAME ends in "/int8"), hollow for others; "peer"
 * and "importance" are others', grey, without and with importance.
 */
#include <math.h>
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

static bool is_ours(const point *p)
{
	return strcmp(p->kind, "peer") != 0 && strcmp(p->kind, "importance") != 0;
}

static bool is_filled(const point *p)
{
	const char *slash = strchr(p->name, '/');

	return is_ours(p) ? slash && !strcmp(slash, "/int8") : !strcmp(p->kind, "peer");
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

#define WIDTH  1300.0
#define HEIGHT 680.0

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
		        .right = 590,
		        .top = 50,
		        .bottom = 60,
		        .x = { 3, 18, true, "bits per weight, all matrices" },
		        .y = { pow(10, floor(log10(low))), pow(10, ceil(log10(high))), true,
		               "mean KL divergence from f16, nats per token" } };
}

/* Around 4 bits, where types are a few percent apart; from zero, so that distances are to scale. */
static chart choose_close(const point *points, size_t n)
{
	double high = 0.01;
	size_t i;

	for (i = 0; i < n; i++)
		if (points[i].bits >= 4 && points[i].bits <= 5 && points[i].kld > high)
			high = points[i].kld;
	return (chart){ .width = WIDTH,
		        .height = HEIGHT,
		        .left = 780,
		        .right = 40,
		        .top = 50,
		        .bottom = 280,
		        .x = { 4, 5, false, "bits per weight" },
		        .y = { 0, ceil(high / 0.002) * 0.002, false, "nats per token" } };
}

static void draw_grids(FILE *out, const chart *whole, const chart *close)
{
	static const double bits[] = { 3, 4, 5, 6, 8, 10, 12, 16 }, steps[] = { 1, 2, 5 };
	double decade, kld;
	size_t i;

	for (i = 0; i < sizeof bits / sizeof *bits; i++)
		chart_draw_x(out, whole, bits[i]);
	for (decade = whole->y.low; decade < whole->y.high * 0.99; decade *= 10)
		for (i = 0; i < sizeof steps / sizeof *steps; i++)
			chart_draw_y(out, whole, decade * steps[i]);
	chart_draw_y(out, whole, whole->y.high);
	for (i = 0; i <= 4; i++)
		chart_draw_x(out, close, 4 + 0.25 * (double)i);
	for (kld = 0; kld < close->y.high * 1.001; kld += 0.002)
		chart_draw_y(out, close, kld);
}

static bool is_inside(const chart *c, const point *p)
{
	return p->bits >= c->x.low && p->bits <= c->x.high && p->kld >= c->y.low &&
	       p->kld <= c->y.high;
}

/* `names`: write the other programs' names beside their points. */
static void draw_point(FILE *out, const chart *c, const point *p, bool names)
{
	double x = chart_place_x(c, p->bits), y = chart_place_y(c, p->kld);
	const char *colour = colour_of(p->kind);

	if (!is_inside(c, p))
		return;
	fprintf(out,
	        "<circle cx='%.1f' cy='%.1f' r='%s' stroke='%s' fill='%s'><title>%s%s: %.3f bits, "
	        "%.5f</title></circle>\n",
	        x, y, is_ours(p) ? "4.5" : "3", colour, is_filled(p) ? colour : "none", p->name,
	        strcmp(p->kind, "importance") ? "" : " with importance", p->bits, p->kld);
	if (!strcmp(p->kind, "peer") && names)
		fprintf(out, "<text x='%.1f' y='%.1f' font-size='10' fill='#777'>%s</text>\n",
		        x + 6, y + 3, p->name);
}

/* Other programs' points first, so that ours are drawn over them. In the whole picture names would
 * cover each other around 4 bits.
 */
static void draw_points(FILE *out, const chart *c, const point *points, size_t n,
                        const chart *without_names)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!is_ours(&points[i]))
			draw_point(out, c, &points[i],
			           !without_names || !is_inside(without_names, &points[i]));
	for (i = 0; i < n; i++)
		if (is_ours(&points[i]))
			draw_point(out, c, &points[i], false);
}

/* Two columns below the close chart. */
static void draw_legend(FILE *out, const point *points, size_t n)
{
	const double left = 780, top = 475, column = 240;
	double below;
	bool peers = false;
	size_t i, row = 0;

	for (i = 0; i < n; i++) {
		double x = left + (double)(row % 2) * column, y = top + (double)(row / 2) * 18;

		peers = peers || !is_ours(&points[i]);
		if (!is_ours(&points[i]))
			continue;
		fprintf(out, "<circle cx='%.1f' cy='%.1f' r='4.5' stroke='%s' fill='%s'/>", x, y,
		        colour_of(points[i].kind),
		        is_filled(&points[i]) ? colour_of(points[i].kind) : "none");
		fprintf(out, "<text x='%.1f' y='%.1f'>%s: %.5f</text>\n", x + 10, y + 4,
		        points[i].name, points[i].kld);
		row++;
	}
	below = top + (double)((row + 1) / 2) * 18 + 12;
	if (peers)
		fprintf(out,
		        "<text x='%.1f' y='%.1f' fill='#666'>grey: ggml's and ik_llama.cpp's "
		        "types, hollow with importance;</text>\n"
		        "<text x='%.1f' y='%.1f' fill='#666'>weights only, while ours include  "
		        "int8 activations too</text>\n",
		        left - 5, below, left - 5, below + 16);
}

int main(int argc, char **argv)
{
	static point points[POINTS_MAX + 1];
	size_t n = read_points(points);
	chart whole = choose_whole(points, n), close = choose_close(points, n);

	chart_open(stdout, WIDTH, HEIGHT);
	chart_draw_labels(stdout, &whole, argc > 1 ? argv[1] : "brise: loss against bits");
	chart_draw_labels(stdout, &close, "the same around 4 bits");
	draw_grids(stdout, &whole, &close);
	draw_points(stdout, &whole, points, n, &close);
	draw_points(stdout, &close, points, n, NULL);
	draw_legend(stdout, points, n);
	chart_close(stdout);
	return fflush(stdout) || ferror(stdout);
}
