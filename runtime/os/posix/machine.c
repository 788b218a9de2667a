/* machine.c - clock, processors and physical memory with POSIX calls */
#include "runtime/os/os.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

int64_t os_clock_ns(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return 0;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t os_time(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_REALTIME, &t) == 0 ? (int64_t)t.tv_sec : 0;
}

#if defined(__linux__)

unsigned os_list_processors(unsigned *numbers, unsigned most)
{
	cpu_set_t mask;
	unsigned i, n = 0;

	CPU_ZERO(&mask);
	if (sched_getaffinity(0, sizeof mask, &mask) != 0)
		return 0;
	for (i = 0; i < CPU_SETSIZE && n < most; i++)
		if (CPU_ISSET(i, &mask))
			numbers[n++] = i;
	return n;
}

#else

/* Systems without affinity masks: what is online. */
unsigned os_list_processors(unsigned *numbers, unsigned most)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n;

	for (n = 0; n < most && (long)n < online; n++)
		numbers[n] = n;
	return n;
}

#endif

uint64_t os_machine_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);

	return pages > 0 && bytes > 0 ? (uint64_t)pages * (uint64_t)bytes : 0;
}
