/* process.c - Linux's /proc; elsewhere the figures are left out */
#include "runtime/cli/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t process_read_memory(long pid, const char *line)
{
	char path[64] = "/proc/self/status", text[256];
	size_t length = strlen(line);
	uint64_t kilobytes = 0;
	FILE *status;

	if (pid > 0)
		(void)snprintf(path, sizeof path, "/proc/%ld/status", pid);
	if (!(status = fopen(path, "r")))
		return 0;
	while (fgets(text, (int)sizeof text, status))
		if (strncmp(text, line, length) == 0 && text[length] == ':' &&
		    sscanf(text + length + 1, "%" SCNu64, &kilobytes) == 1)
			break;
	(void)fclose(status);
	return kilobytes * 1024;
}
