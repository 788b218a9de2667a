/* ram.c - the machine's memory, how much of it is free, and the limit of the container
 *
 * MemAvailable of /proc/meminfo is the kernel's estimate of what programs can have without swapping
 * (Documentation/filesystems/proc.rst). A control group has its own account: limit less use, where
 * its cached file pages can be reclaimed (memory.stat).
 */
#include "runtime/os/ram.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/groups.h"
#include "runtime/os/os.h"

#define TEXT_BYTES 16384u

/* The number after `key` at the beginning of a line of a small file, times `unit`; 0: none. */
static uint64_t read_field(const char *root, const char *path, const char *key, uint64_t unit)
{
	char name[GROUPS_LINE * 2], text[TEXT_BYTES];
	size_t length = strlen(key);
	const char *line = text;
	int64_t got;
	int file;

	if (snprintf(name, sizeof name, "%s%s", root, path) >= (int)sizeof name ||
	    (file = os_open(name)) < 0)
		return 0;
	got = os_read_at(file, text, sizeof text - 1, 0);
	(void)os_close(file);
	text[got > 0 ? got : 0] = 0;
	while (*line) {
		if (strncmp(line, key, length) == 0)
			return strtoull(line + length, NULL, 10) * unit;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return 0;
}

/* A number in a file of its own. False: no file, or "max". */
static bool read_number(const char *root, const char *folder, const char *file, uint64_t *value)
{
	char path[GROUPS_LINE + 128], line[GROUPS_LINE], *end;

	(void)snprintf(path, sizeof path, "%s/%s", folder, file);
	if (!groups_read_line(line, root, path))
		return false;
	*value = strtoull(line, &end, 10);
	return end != line;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

static void read_group(void *user, const char *root, const char *folder, bool unified)
{
	uint64_t limit, used = 0, cached, available;
	ram_facts *facts = user;
	char path[GROUPS_LINE + 128];

	/* Version 1 writes a number near 2^63 for "unlimited". */
	if (!read_number(root, folder, unified ? "memory.max" : "memory.limit_in_bytes", &limit) ||
	    limit >= (uint64_t)1 << 60)
		return;
	facts->limit = smaller(facts->limit, limit);
	(void)read_number(root, folder, unified ? "memory.current" : "memory.usage_in_bytes",
	                  &used);
	(void)snprintf(path, sizeof path, "%s/memory.stat", folder);
	cached = read_field(root, path, unified ? "inactive_file " : "total_inactive_file ", 1) +
	         read_field(root, path, unified ? "active_file " : "total_active_file ", 1);
	used = used > cached ? used - cached : 0;
	available = limit > used ? limit - used : 1; /* 0 would be "unknown" */
	facts->available = smaller(facts->available, available);
}

void ram_read(ram_facts *facts, const char *root)
{
	memset(facts, 0, sizeof *facts);
	facts->total = read_field(root, "/proc/meminfo", "MemTotal:", 1024);
	facts->available = read_field(root, "/proc/meminfo", "MemAvailable:", 1024);
	if (facts->total == 0)
		facts->total = os_machine_memory();
	groups_visit(root, "memory", read_group, facts);
	facts->most = smaller(facts->total, facts->limit);
}

uint64_t ram_read_process(long pid, const char *line)
{
	char path[64] = "/proc/self/status", key[64];

	if (pid > 0)
		(void)snprintf(path, sizeof path, "/proc/%ld/status", pid);
	(void)snprintf(key, sizeof key, "%s:", line);
	return read_field("", path, key, 1024);
}
