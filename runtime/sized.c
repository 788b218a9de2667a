/* sized.c - options that begin with their size */
#include "runtime/sized.h"

#include <stdint.h>
#include <string.h>

#include "runtime/error.h"

brise_status sized_read(void *to, size_t bytes, const void *from, const char *what,
                        brise_error *err)
{
	size_t size, i;

	if (!from)
		return BRISE_OK;
	memcpy(&size, from, sizeof size);
	if (size < sizeof size)
		return error_set(err, BRISE_EINVAL,
		                 "%s: their size is %zu; it must be set to sizeof of the options",
		                 what, size);
	for (i = bytes; i < size; i++)
		if (((const uint8_t *)from)[i] != 0)
			return error_set(err, BRISE_EINVAL,
			                 "%s: byte %zu of %zu is set, but this library knows %zu",
			                 what, i, size, bytes);
	memcpy(to, from, size < bytes ? size : bytes);
	memcpy(to, &bytes, sizeof bytes);
	return BRISE_OK;
}

void sized_write(void *to, size_t size, const void *from, size_t bytes)
{
	sized_fill(to, size, from, bytes);
	if (to && size >= sizeof size)
		memcpy(to, &size, sizeof size);
}

void sized_fill(void *to, size_t size, const void *from, size_t bytes)
{
	if (!to || size == 0)
		return;
	memset(to, 0, size);
	memcpy(to, from, size < bytes ? size : bytes);
}
