/* cores.c - how many threads this process should run
 *
 * Matrix products gain nothing from the second hardware thread of a core, and work handed out in
 * equal steps gains little from a slow core beside fast ones. Linux tells which is which:
 * topology/thread_siblings_list (Documentation/ABI/stable/sysfs-devices-system-cpu), cpu_capacity
 * on arm64 (relative speed), cpu_core/cpus on Intel's hybrids. A container's share of time stands
 * in cpu.max (Documentation/admin-guide/cgroup-v2.rst) or cpu.cfs_quota_us; the smallest of the
 * group and those it lies in holds.
 */
#include "runtime/os/cores.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 1024
/* A core with less than this share of the fastest one's capacity is of a slower kind. */
#define FAST_PERCENT 70

#if defined(__linux__)

/* First line of root/path, without its end; false if there is none. */
static bool read_line(char line[LINE_MAX_BYTES], const char *root, const char *path)
{
	char name[LINE_MAX_BYTES * 2];
	FILE *file;
	bool got;

	if (snprintf(name, sizeof name, "%s%s", root, path) >= (int)sizeof name ||
	    !(file = fopen(name, "re")))
		return false;
	got = fgets(line, LINE_MAX_BYTES, file) != NULL;
	(void)fclose(file);
	if (got)
		line[strcspn(line, "\n")] = 0;
	return got;
}

/* Lists such as "0-3,8,10-11". */
static bool list_contains(const char *list, unsigned cpu)
{
	while (*list) {
		char *end;
		unsigned long low = strtoul(list, &end, 10), high = low;

		if (end == list)
			return false;
		if (*end == '-')
			high = strtoul(end + 1, &end, 10);
		if (cpu >= low && cpu <= high)
			return true;
		list = *end == ',' ? end + 1 : end;
		if (*end && *end != ',')
			return false;
	}
	return false;
}

static bool read_cpu_line(char line[LINE_MAX_BYTES], const char *root, unsigned cpu,
                          const char *what)
{
	char path[128];

	(void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/%s", cpu, what);
	return read_line(line, root, path);
}

/* Whether an earlier processor of the mask is another hardware thread of the same core. */
static bool is_second_of_core(const char *root, const cpu_set_t *mask, unsigned cpu)
{
	char siblings[LINE_MAX_BYTES];
	unsigned other;

	if (!read_cpu_line(siblings, root, cpu, "topology/thread_siblings_list"))
		return false;
	for (other = 0; other < cpu; other++)
		if (CPU_ISSET(other, mask) && list_contains(siblings, other))
			return true;
	return false;
}

static unsigned capacity_of(const char *root, unsigned cpu)
{
	char line[LINE_MAX_BYTES];

	return read_cpu_line(line, root, cpu, "cpu_capacity") ? (unsigned)strtoul(line, NULL, 10)
	                                                      : 0;
}

static void count_cores(cores_facts *facts, const cpu_set_t *mask, const char *root)
{
	char fast_list[LINE_MAX_BYTES];
	bool hybrid = read_line(fast_list, root, "/sys/devices/cpu_core/cpus");
	unsigned cpu, most = 0;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, mask)) {
			unsigned capacity = capacity_of(root, cpu);

			most = capacity > most ? capacity : most;
		}
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, mask))
			continue;
		facts->allowed++;
		if (is_second_of_core(root, mask, cpu))
			continue;
		facts->physical++;
		facts->fast += (!hybrid || list_contains(fast_list, cpu)) &&
		               (unsigned long)capacity_of(root, cpu) * 100 >=
		                       (unsigned long)most * FAST_PERCENT;
	}
	/* A mask of slow cores alone leaves those. */
	if (facts->fast == 0)
		facts->fast = facts->physical;
}

static unsigned processors_of(double quota, double period)
{
	double share = quota / period;

	if (!(quota > 0 && period > 0))
		return 0;
	return share >= UINT_MAX ? 0 : (unsigned)share + ((double)(unsigned)share < share);
}

static unsigned smaller_quota(unsigned a, unsigned b)
{
	return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

/* The quota of one group, 0 if it has none. unified: version 2. */
static unsigned quota_of_group(const char *root, const char *group, bool unified)
{
	char path[LINE_MAX_BYTES + 64], line[LINE_MAX_BYTES], period[LINE_MAX_BYTES], *end;
	double quota;

	if (unified) {
		(void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
		if (!read_line(line, root, path))
			return 0;
		quota = strtod(line, &end); /* "max" is no number */
		return end == line ? 0 : processors_of(quota, strtod(end, NULL));
	}
	(void)snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", group);
	if (!read_line(line, root, path))
		return 0;
	(void)snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", group);
	return read_line(period, root, path)
	               ? processors_of(strtod(line, NULL), strtod(period, NULL))
	               : 0;
}

/* The group and all it lies in. */
static unsigned quota_of_path(const char *root, char *group, bool unified)
{
	unsigned quota = 0;

	for (;;) {
		char *slash;

		quota = smaller_quota(quota, quota_of_group(root, group, unified));
		slash = strrchr(group, '/');
		if (!slash)
			return quota;
		*slash = 0;
	}
}

/* Lines of /proc/self/cgroup: "0::/path" for version 2, "4:cpu,cpuacct:/path" for version 1. */
static unsigned read_quota(const char *root)
{
	char name[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
	unsigned quota = 0;
	FILE *file;

	if (snprintf(name, sizeof name, "%s/proc/self/cgroup", root) >= (int)sizeof name ||
	    !(file = fopen(name, "re")))
		return 0;
	while (fgets(line, sizeof line, file)) {
		char *controllers = strchr(line, ':'),
		     *group = controllers ? strchr(controllers + 1, ':') : NULL;
		bool unified;

		if (!group)
			continue;
		*group++ = 0;
		group[strcspn(group, "\n")] = 0;
		unified = controllers[1] == 0;
		if (unified || !strncmp(controllers + 1, "cpu,", 4) ||
		    strstr(controllers, ",cpu,") || !strcmp(controllers + 1, "cpu"))
			quota = smaller_quota(quota, quota_of_path(root, group, unified));
	}
	(void)fclose(file);
	return quota;
}

void cores_read(cores_facts *facts, const char *root)
{
	cpu_set_t mask;

	memset(facts, 0, sizeof *facts);
	if (sched_getaffinity(0, sizeof mask, &mask) == 0)
		count_cores(facts, &mask, root);
	facts->quota = read_quota(root);
	facts->chosen = smaller_quota(facts->fast, facts->quota);
	if (facts->chosen == 0)
		facts->chosen = 1;
}

#else

#include <unistd.h>

/* Systems without affinity masks: what is online. */
void cores_read(cores_facts *facts, const char *root)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	(void)root;
	memset(facts, 0, sizeof *facts);
	facts->chosen = facts->fast = facts->physical = facts->allowed =
	        online > 0 ? (unsigned)online : 1;
}

#endif
