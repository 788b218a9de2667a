/* roofline.c - drawing the roofline: one slanted roof for memory, one flat roof and one colour for each kernel set */
#include "bench/roofline.h"

#include <math.h>

#define WIDTH   900.0
#define HEIGHT  560.0
#define LEFT    70.0
#define RIGHT   230.0 /* the legend's width */
#define TOP     50.0
#define BOTTOM  60.0
#define X_LOW   1.0 /* operations per byte */
#define X_HIGH  1000.0

typedef struct axes {
	double low, high; /* GOPS, powers of ten */
} axes;

static const char *const colours[] = { "#0b6e99", "#c0392b", "#1e8449", "#8e44ad", "#b9770e", "#5d6d7e" };

static double place_x(double intensity)
{
	double x = intensity < X_LOW ? X_LOW : intensity > X_HIGH ? X_HIGH : intensity;

	return LEFT + (WIDTH - LEFT - RIGHT) * log10(x / X_LOW) / log10(X_HIGH / X_LOW);
}

static double place_y(const axes *a, double gops)
{
	double y = gops < a->low ? a->low : gops > a->high ? a->high : gops;

	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * log10(y / a->low) / log10(a->high / a->low);
}

static axes choose_axes(const bench_set *sets, unsigned n_sets)
{
	double low = 1e9, high = 1;
	unsigned s, r;

	for (s = 0; s < n_sets; s++) {
		high = sets[s].limits.int8_gops > high ? sets[s].limits.int8_gops : high;
		for (r = 0; r < BENCH_ROWS; r++)
			if (sets[s].rows[r].gops > 0 && sets[s].rows[r].gops < low)
				low = sets[s].rows[r].gops;
	}
	return (axes){ pow(10, floor(log10(low))), pow(10, ceil(log10(high * 1.2))) };
}

static void draw_grid(FILE *out, const axes *a)
{
	double value;

	for (value = X_LOW; value <= X_HIGH * 1.001; value *= 10) {
		fprintf(out, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>", place_x(value), TOP, place_x(value), HEIGHT - BOTTOM);
		fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n", place_x(value), HEIGHT - BOTTOM + 18, value);
	}
	for (value = a->low; value <= a->high * 1.001; value *= 10) {
		fprintf(out, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>", LEFT, place_y(a, value), WIDTH - RIGHT, place_y(a, value));
		fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n", LEFT - 6, place_y(a, value) + 4, value);
	}
	fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>operations per byte read</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18);
	fprintf(out, "<text transform='translate(18 %.1f) rotate(-90)' text-anchor='middle'>GOPS</text>\n", (TOP + HEIGHT - BOTTOM) / 2);
}

static void draw_set(FILE *out, const axes *a, const bench_set *set, const char *colour, double legend_y)
{
	double knee = set->limits.int8_gops / set->limits.read_gbps, left = a->low / set->limits.read_gbps;
	unsigned r;

	left = left < X_LOW ? X_LOW : left;
	fprintf(out, "<polyline fill='none' stroke='%s' points='%.1f,%.1f %.1f,%.1f %.1f,%.1f'/>\n", colour, place_x(left), place_y(a, left * set->limits.read_gbps),
	        place_x(knee), place_y(a, set->limits.int8_gops), place_x(X_HIGH), place_y(a, set->limits.int8_gops));
	for (r = 0; r < BENCH_ROWS; r++) {
		const bench_row *row = &set->rows[r];

		if (row->gops > 0)
			fprintf(out, "<circle cx='%.1f' cy='%.1f' r='4' fill='%s'><title>%s, %s: %.0f %s, %.0f %% of the limit</title></circle>\n", place_x(row->intensity),
			        place_y(a, row->gops), colour, set->arch, row->kernel, row->rate, row->unit, row->limit > 0 ? 100 * row->rate / row->limit : 0);
	}
	fprintf(out, "<rect x='%.1f' y='%.1f' width='12' height='12' fill='%s'/><text x='%.1f' y='%.1f'>%s: %.0f GOPS</text>\n", WIDTH - RIGHT + 14, legend_y, colour,
	        WIDTH - RIGHT + 32, legend_y + 11, set->arch, set->limits.int8_gops);
}

void roofline_write(FILE *out, const bench_set *sets, unsigned n_sets, unsigned threads)
{
	axes a = choose_axes(sets, n_sets);
	unsigned s;

	fprintf(out, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' font-family='sans-serif' font-size='12'>\n", WIDTH, HEIGHT);
	fprintf(out, "<rect width='100%%' height='100%%' fill='white'/>\n");
	fprintf(out, "<text x='%.1f' y='26' font-size='16'>brise: int8 kernels under this machine's limits, %u threads, %.1f GB/s</text>\n", LEFT, threads,
	        n_sets ? sets[0].limits.read_gbps : 0);
	draw_grid(out, &a);
	for (s = 0; s < n_sets; s++)
		draw_set(out, &a, &sets[s], colours[s % (sizeof colours / sizeof *colours)], TOP + 20 * s);
	fprintf(out, "<text x='%.1f' y='%.1f'>left: matrix x vector, attention</text>\n", WIDTH - RIGHT + 14, TOP + 20 * n_sets + 20);
	fprintf(out, "<text x='%.1f' y='%.1f'>right: matrix x matrix of %u rows</text>\n</svg>\n", WIDTH - RIGHT + 14, TOP + 20 * n_sets + 38, 4096u);
}
