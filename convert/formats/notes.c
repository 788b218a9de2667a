/* notes.c - appending formatted lines */
#include "convert/formats/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"

void notes_add(notes *n, const char *format, ...)
{
	char line[512], *grown;
	size_t length;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	for (length = 0; line[length]; length++)
		if ((unsigned char)line[length] < 0x20 ||
		    line[length] == 0x7f) /* names come from files: a control character must not
		                             break the line */
			line[length] = '?';
	line[length++] = '\n';
	grown = memory_resize(n->text, n->bytes + length + 1, 1);
	if (!grown) {
		n->failed = true;
		return;
	}
	memcpy(grown + n->bytes, line, length);
	n->text = grown;
	n->bytes += length;
	n->text[n->bytes] = 0;
}
