/* json_text.c - RFC 8259, section 7: quotes, backslashes and controls are escaped */
#include "runtime/text/json_text.h"

#include "runtime/text/utf8.h"

static void write_escaped(FILE *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c == '\n')
		(void)fputs("\\n", out);
	else if (c == '\t')
		(void)fputs("\\t", out);
	else
		fprintf(out, "\\u%04x", c);
}

void json_write_string(FILE *out, const char *text, size_t bytes)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t i = 0;

	(void)fputc('"', out);
	while (i < bytes) {
		int size = utf8_measure(p + i, bytes - i);

		if (size <= 0)
			(void)fputs(UTF8_REPLACEMENT, out);
		else if (size > 1)
			(void)fwrite(p + i, 1, (size_t)size, out);
		else if (p[i] < 0x20 || p[i] == '"' || p[i] == '\\' || p[i] == 0x7f)
			write_escaped(out, p[i]);
		else
			(void)fputc(p[i], out);
		i += size > 0 ? (size_t)size : 1;
	}
	(void)fputc('"', out);
}
