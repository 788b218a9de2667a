/* cores.c - how many threads this process should run
 *
 * Matrix products gain nothing from the second hardware thread of a core, and work handed out in
 * equal steps gains little from a slow core beside fast ones. Linux describes both:
 * topology/thread_siblings_list (Documentation/ABI/stable/sysfs-devices-system-cpu), cpu_capacity
 * on arm64 (relative speed), cpu_core/cpus on Intel's hybrids. A container's share of time is in
 * cpu.max (Documentation/admin-guide/cgroup-v2.rst) or cpu.cfs_quota_us; the smallest limit of the
 * group and its parents holds.
 */
#include "runtime/os/cores.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/os/groups.h"
#include "runtime/os/os.h"

/* A core with less than this share of the fastest one's capacity is of a slower kind. */
#define FAST_PERCENT 70

/* The logical processors that the process may use. */
typedef struct allowed_list {
	unsigned numbers[OS_PROCESSORS_MAX];
	unsigned n;
} allowed_list;

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

static bool read_cpu_line(char line[GROUPS_LINE], const char *root, unsigned cpu, const char *what)
{
	char path[128];

	(void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/%s", cpu, what);
	return groups_read_line(line, root, path);
}

/* Whether an earlier processor of the list is another hardware thread of the same core. */
static bool is_second_of_core(const char *root, const allowed_list *allowed, unsigned at)
{
	char siblings[GROUPS_LINE];
	unsigned i;

	if (!read_cpu_line(siblings, root, allowed->numbers[at], "topology/thread_siblings_list"))
		return false;
	for (i = 0; i < at; i++)
		if (list_contains(siblings, allowed->numbers[i]))
			return true;
	return false;
}

static unsigned capacity_of(const char *root, unsigned cpu)
{
	char line[GROUPS_LINE];

	return read_cpu_line(line, root, cpu, "cpu_capacity") ? (unsigned)strtoul(line, NULL, 10)
	                                                      : 0;
}

static void count_cores(cores_facts *facts, const allowed_list *allowed, const char *root)
{
	char fast_list[GROUPS_LINE], line[GROUPS_LINE];
	bool hybrid = groups_read_line(fast_list, root, "/sys/devices/cpu_core/cpus");
	unsigned i, most = 0;

	for (i = 0; i < allowed->n; i++) {
		unsigned capacity = capacity_of(root, allowed->numbers[i]);

		most = capacity > most ? capacity : most;
	}
	facts->allowed = allowed->n;
	facts->described = allowed->n > 0 && read_cpu_line(line, root, allowed->numbers[0],
	                                                   "topology/thread_siblings_list");
	for (i = 0; i < allowed->n; i++) {
		unsigned cpu = allowed->numbers[i];

		if (is_second_of_core(root, allowed, i))
			continue;
		facts->physical++;
		facts->fast += (!hybrid || list_contains(fast_list, cpu)) &&
		               (unsigned long)capacity_of(root, cpu) * 100 >=
		                       (unsigned long)most * FAST_PERCENT;
	}
	/* If only slow cores are allowed, those count as fast. */
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

/* user: unsigned *, the smallest quota so far. */
static void read_quota(void *user, const char *root, const char *folder, bool unified)
{
	char path[GROUPS_LINE + 128], line[GROUPS_LINE], period[GROUPS_LINE], *end;
	unsigned *quota = user;
	long long share;

	(void)snprintf(path, sizeof path, "%s/%s", folder,
	               unified ? "cpu.max" : "cpu.cfs_quota_us");
	if (!groups_read_line(line, root, path))
		return;
	share = strtoll(line, &end, 10); /* "max" is no number */
	if (end == line)
		return;
	if (unified) {
		*quota = smaller_quota(
		        *quota, processors_of((double)share, (double)strtoll(end, NULL, 10)));
		return;
	}
	(void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
	if (groups_read_line(period, root, path))
		*quota = smaller_quota(
		        *quota, processors_of((double)share, (double)strtoll(period, NULL, 10)));
}

void cores_read(cores_facts *facts, const char *root)
{
	allowed_list allowed;

	memset(facts, 0, sizeof *facts);
	allowed.n = os_list_processors(allowed.numbers, OS_PROCESSORS_MAX);
	count_cores(facts, &allowed, root);
	groups_visit(root, "cpu", read_quota, &facts->quota);
	facts->chosen = smaller_quota(facts->fast, facts->quota);
	if (facts->chosen == 0)
		facts->chosen = 1;
}
