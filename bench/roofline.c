/* roofline.c - drawing the roofline: one slanted line for the read rate, one horizontal line and
 * one colour for each kernel set */
#include "bench/roofline.h"

#include <math.h>

#include "bench/chart.h"

static const char *const colours[] = { "#0b6e99", "#c0392b", "#1e8449",
	                               "#8e44ad", "#b9770e", "#5d6d7e" };

/* Decades that hold every point. */
static chart choose_chart(const bench_set *sets, unsigned n_sets)
{
	double low = 1e9, high = 1;
	unsigned s, r;

	for (s = 0; s < n_sets; s++) {
		high = sets[s].limits.int8_gops > high ? sets[s].limits.int8_gops : high;
		for (r = 0; r < BENCH_ROWS; r++)
			if (sets[s].rows[r].gops > 0 && sets[s].rows[r].gops < low)
				low = sets[s].rows[r].gops;
	}
	return (chart){ .width = 900,
		        .height = 560,
		        .left = 70,
		        .right = 230,
		        .top = 50,
		        .bottom = 60,
		        .x = { 1, 1000, true, "operations per byte read" },
		        .y = { pow(10, floor(log10(low))), pow(10, ceil(log10(high * 1.2))), true,
		               "GOPS" } };
}

static void draw_grid(FILE *out, const chart *c)
{
	double value;

	for (value = c->x.low; value <= c->x.high * 1.001; value *= 10)
		chart_draw_x(out, c, value);
	for (value = c->y.low; value <= c->y.high * 1.001; value *= 10)
		chart_draw_y(out, c, value);
}

static void draw_set(FILE *out, const chart *c, const bench_set *set, const char *colour,
                     double legend_y)
{
	double knee = set->limits.int8_gops / set->limits.read_gbps,
	       left = c->y.low / set->limits.read_gbps;
	unsigned r;

	left = left < c->x.low ? c->x.low : left;
	fprintf(out, "<polyline fill='none' stroke='%s' points='%.1f,%.1f %.1f,%.1f %.1f,%.1f'/>\n",
	        colour, chart_place_x(c, left), chart_place_y(c, left * set->limits.read_gbps),
	        chart_place_x(c, knee), chart_place_y(c, set->limits.int8_gops),
	        chart_place_x(c, c->x.high), chart_place_y(c, set->limits.int8_gops));
	for (r = 0; r < BENCH_ROWS; r++) {
		const bench_row *row = &set->rows[r];

		if (row->gops > 0)
			fprintf(out,
			        "<circle cx='%.1f' cy='%.1f' r='4' fill='%s'><title>%s, %s: %.0f "
			        "%s, %.0f %% of the limit</title></circle>\n",
			        chart_place_x(c, row->intensity), chart_place_y(c, row->gops),
			        colour, set->arch, row->kernel, row->rate, row->unit,
			        row->limit > 0 ? 100 * row->rate / row->limit : 0);
	}
	fprintf(out,
	        "<rect x='%.1f' y='%.1f' width='12' height='12' fill='%s'/><text x='%.1f' "
	        "y='%.1f'>%s: %.0f GOPS</text>\n",
	        c->width - c->right + 14, legend_y, colour, c->width - c->right + 32, legend_y + 11,
	        set->arch, set->limits.int8_gops);
}

void roofline_write(FILE *out, const bench_set *sets, unsigned n_sets, unsigned threads)
{
	chart c = choose_chart(sets, n_sets);
	char title[160];
	unsigned s;

	(void)snprintf(title, sizeof title,
	               "brise: int8 kernels under this machine's limits, %u threads, %.1f GB/s",
	               threads, n_sets ? sets[0].limits.read_gbps : 0);
	chart_open(out, c.width, c.height);
	chart_draw_labels(out, &c, title);
	draw_grid(out, &c);
	for (s = 0; s < n_sets; s++)
		draw_set(out, &c, &sets[s], colours[s % (sizeof colours / sizeof *colours)],
		         c.top + 20 * s);
	fprintf(out, "<text x='%.1f' y='%.1f'>left: matrix x vector, attention</text>\n",
	        c.width - c.right + 14, c.top + 20 * n_sets + 20);
	fprintf(out, "<text x='%.1f' y='%.1f'>right: matrix x matrix of %u rows</text>\n",
	        c.width - c.right + 14, c.top + 20 * n_sets + 38, 4096u);
	chart_close(out);
}
