/* ram.h - how much memory this process may use before the system swaps, evicts or kills, and how
 * much it uses */
#ifndef RUNTIME_RAM_H
#define RUNTIME_RAM_H

#include <stdint.h>

typedef struct ram_facts {
	uint64_t total; /* of the machine; 0: unknown */
	/* what programs could take now without anything else being pushed out; pages of files that
	 * are only cached count as available. 0: unknown */
	uint64_t available;
	uint64_t limit; /* smallest limit of the control groups around the process; 0: none */
	/* min(total, limit): a mapped file larger than this less what runs beside it is read from
	 * disk again for every token. 0: unknown */
	uint64_t most;
} ram_facts;

/* Reads procfs and control groups below `root` ("" for the system's own). */
void ram_read(ram_facts *facts, const char *root);

/* A line of /proc/PID/status such as "RssAnon" or "VmHWM", in bytes; 0 where it cannot be had. pid
 * 0: this process. */
uint64_t ram_read_process(long pid, const char *line);

#endif
