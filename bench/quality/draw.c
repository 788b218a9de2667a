/* draw.c - the picture of make quality: divergence against bits per weight
 *
 *     draw TITLE < POINTS > PICTURE.svg
 *
 * A line of POINTS is "KIND NAME BITS KLD", NAME without blanks. Kinds q4, q8 and f16 are brise's, filled for int8 keys and values (NAME ends in "/int8"),
 * hollow for others; "peer" and "importance" are others', grey, without and with importance.
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
} colours[] = { { "q4", "#c0392b" }, { "q8", "#0b6e99" }, { "f16", "#1e8449" }, { "peer", "#999" }, { "importance", "#999" } };

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

		if (n == POINTS_MAX || sscanf(line, "%15s %47s %lf %lf", p->kind, p->name, &p->bits, &p->kld) != 4 || !(p->bits > 0) || strpbrk(p->name, "<&'")) {
			fprintf(stderr, "draw: expected up to %u lines of KIND NAME BITS KLD, found %s", POINTS_MAX, line);
			exit(1);
		}
		n += p->kld > 0;
	}
	return n;
}

/* Decades of divergence that hold every point. */
static chart choose_chart(const point *points, size_t n)
{
	double low = 1e-3, high = 1e-2;
	size_t i;

	for (i = 0; i < n; i++) {
		low = points[i].kld < low ? points[i].kld : low;
		high = points[i].kld > high ? points[i].kld : high;
	}
	return (chart){ .width = 1000, .height = 640, .left = 80, .right = 290, .top = 50, .bottom = 60, .x = { 3, 18, true, "bits per weight, all matrices" },
		        .y = { pow(10, floor(log10(low))), pow(10, ceil(log10(high))), true, "mean KL divergence from f16, nats per token" } };
}

static void draw_grid(FILE *out, const chart *c)
{
	static const double bits[] = { 3, 4, 5, 6, 8, 10, 12, 16 }, steps[] = { 1, 2, 5 };
	double decade;
	size_t i;

	for (i = 0; i < sizeof bits / sizeof *bits; i++)
		chart_draw_x(out, c, bits[i]);
	for (decade = c->y.low; decade < c->y.high * 0.99; decade *= 10)
		for (i = 0; i < sizeof steps / sizeof *steps; i++)
			chart_draw_y(out, c, decade * steps[i]);
	chart_draw_y(out, c, c->y.high);
}

static void draw_point(FILE *out, const chart *c, const point *p)
{
	double x = chart_place_x(c, p->bits), y = chart_place_y(c, p->kld);
	const char *colour = colour_of(p->kind);

	fprintf(out, "<circle cx='%.1f' cy='%.1f' r='%s' stroke='%s' fill='%s'><title>%s%s: %.3f bits, %.5f</title></circle>\n", x, y, is_ours(p) ? "4.5" : "3", colour,
	        is_filled(p) ? colour : "none", p->name, strcmp(p->kind, "importance") ? "" : " with importance", p->bits, p->kld);
	if (!strcmp(p->kind, "peer"))
		fprintf(out, "<text x='%.1f' y='%.1f' font-size='9' fill='#888'>%s</text>\n", x + 5, y + 3, p->name);
}

static void draw_legend(FILE *out, const chart *c, const point *points, size_t n)
{
	double x = c->width - c->right + 16, y = c->top + 6;
	bool peers = false;
	size_t i;

	for (i = 0; i < n; i++) {
		peers = peers || !is_ours(&points[i]);
		if (!is_ours(&points[i]))
			continue;
		fprintf(out, "<circle cx='%.1f' cy='%.1f' r='4.5' stroke='%s' fill='%s'/>", x, y, colour_of(points[i].kind), is_filled(&points[i]) ? colour_of(points[i].kind) : "none");
		fprintf(out, "<text x='%.1f' y='%.1f'>%s: %.5f</text>\n", x + 10, y + 4, points[i].name, points[i].kld);
		y += 18;
	}
	if (peers) {
		fprintf(out, "<text x='%.1f' y='%.1f' fill='#666'>grey: ggml's and ik_llama.cpp's types,</text>\n", x, y + 14);
		fprintf(out, "<text x='%.1f' y='%.1f' fill='#666'>weights alone, floats elsewhere;</text>\n", x, y + 30);
		fprintf(out, "<text x='%.1f' y='%.1f' fill='#666'>hollow with importance</text>\n", x, y + 46);
	}
}

int main(int argc, char **argv)
{
	static point points[POINTS_MAX + 1];
	size_t n = read_points(points), i;
	chart c = choose_chart(points, n);

	chart_open(stdout, &c, argc > 1 ? argv[1] : "brise: loss against bits");
	draw_grid(stdout, &c);
	for (i = 0; i < n; i++)
		draw_point(stdout, &c, &points[i]);
	draw_legend(stdout, &c, points, n);
	chart_close(stdout);
	return fflush(stdout) || ferror(stdout);
}
