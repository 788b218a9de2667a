/* names.h - comparing names of files, fields and tensors */
#ifndef CONVERT_FORMATS_NAMES_H
#define CONVERT_FORMATS_NAMES_H

#include <stdbool.h>
#include <string.h>

static inline bool names_end_with(const char *name, const char *end)
{
	size_t length = strlen(name), bytes = strlen(end);

	return length >= bytes && !strcmp(name + length - bytes, end);
}

/* list: ends with NULL. */
static inline bool names_contain(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

#endif
