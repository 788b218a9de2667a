/* output.c - collecting bytes for a terminal */
#include "runtime/console/output.h"

#include <string.h>

void output_flush(output *o)
{
	if (o->n > 0)
		o->write(o->user, o->bytes, o->n);
	o->n = 0;
}

void output_put(output *o, const char *bytes, size_t n)
{
	size_t step;

	for (; n > 0; n -= step, bytes += step) {
		if (n > sizeof o->bytes - o->n)
			output_flush(o);
		step = n < sizeof o->bytes ? n : sizeof o->bytes;
		memcpy(o->bytes + o->n, bytes, step);
		o->n += step;
	}
}

void output_put_text(output *o, const char *text)
{
	output_put(o, text, strlen(text));
}
