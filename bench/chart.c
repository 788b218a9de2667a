/* chart.c - the grid */
#include "bench/chart.h"

#include <math.h>

/* 0 at the axis's low end, 1 at its high one. */
static double place(const chart_axis *axis, double value)
{
	double v = value < axis->low ? axis->low : value > axis->high ? axis->high : value;

	return axis->is_log ? log10(v / axis->low) / log10(axis->high / axis->low)
	                    : (v - axis->low) / (axis->high - axis->low);
}

double chart_place_x(const chart *c, double value)
{
	return c->left + (c->width - c->left - c->right) * place(&c->x, value);
}

double chart_place_y(const chart *c, double value)
{
	return c->height - c->bottom - (c->height - c->top - c->bottom) * place(&c->y, value);
}

void chart_open(FILE *out, double width, double height)
{
	fprintf(out,
	        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' "
	        "font-family='sans-serif' font-size='12'>\n",
	        width, height);
	fprintf(out, "<rect width='100%%' height='100%%' fill='white'/>\n");
}

void chart_close(FILE *out)
{
	fprintf(out, "</svg>\n");
}

void chart_draw_labels(FILE *out, const chart *c, const char *title)
{
	double bottom = c->height - c->bottom;

	fprintf(out, "<text x='%.1f' y='%.1f' font-size='16'>%s</text>\n", c->left, c->top - 24,
	        title);
	fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n",
	        (c->left + c->width - c->right) / 2, bottom + 42, c->x.label);
	fprintf(out,
	        "<text transform='translate(%.1f %.1f) rotate(-90)' "
	        "text-anchor='middle'>%s</text>\n",
	        c->left - 56, (c->top + bottom) / 2, c->y.label);
}

void chart_draw_x(FILE *out, const chart *c, double value)
{
	double x = chart_place_x(c, value);

	fprintf(out, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>", x, c->top, x,
	        c->height - c->bottom);
	fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n", x,
	        c->height - c->bottom + 18, value);
}

void chart_draw_y(FILE *out, const chart *c, double value)
{
	double y = chart_place_y(c, value);

	fprintf(out, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>", c->left, y,
	        c->width - c->right, y);
	fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n", c->left - 6, y + 4,
	        value);
}
