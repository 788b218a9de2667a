/* test_cores.c - the number of threads, from simulated systems made of small files */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/os/cores.h"
#include "runtime/os/ram.h"
#include "test/check.h"
#include "test/scratch.h"

static char root[512];

/* Writes a line into root/path, making the folders. */
static void put(const char *line, const char *form, ...)
{
	char path[1024], *slash;
	va_list arguments;
	size_t length = strlen(root);
	FILE *file;

	memcpy(path, root, length);
	va_start(arguments, form);
	(void)vsnprintf(path + length, sizeof path - length, form, arguments);
	va_end(arguments);
	for (slash = strchr(path + length + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		(void)mkdir(path, 0777);
		*slash = '/';
	}
	file = fopen(path, "w");
	if (!file)
		abort();
	(void)fprintf(file, "%s\n", line);
	(void)fclose(file);
}

static void fresh_system(void)
{
	scratch_folder(root, sizeof root);
}

static void remove_system(void)
{
	char command[600];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", root);
	if (system(command) != 0)
		abort();
}

/* The processors of this machine that the process may use, up to 2: the tests describe these
 * two. */
static unsigned two_processors(unsigned cpus[2])
{
	cpu_set_t mask;
	unsigned cpu, n = 0;

	CPU_ZERO(&mask);
	(void)sched_getaffinity(0, sizeof mask, &mask);
	for (cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &mask))
			cpus[n++] = cpu;
	return n;
}

static void test_quotas(check_counts *counts)
{
	static const struct {
		const char *line;
		unsigned quota;
	} cases[] = { { "max 100000", 0 },
		      { "150000 100000", 2 },
		      { "100000 100000", 1 },
		      { "5000 100000", 1 },
		      { "0 0", 0 },
		      { "rubbish", 0 },
		      { "", 0 } };
	cores_facts facts;
	unsigned i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		fresh_system();
		put("0::/a/b", "/proc/self/cgroup");
		put(cases[i].line, "/sys/fs/cgroup/a/b/cpu.max");
		cores_read(&facts, root);
		CHECK(counts, facts.quota == cases[i].quota && facts.chosen >= 1,
		      "\"%s\": quota %u", cases[i].line, facts.quota);
		remove_system();
	}
	fresh_system();
	put("0::/a/b", "/proc/self/cgroup");
	put("900000 100000", "/sys/fs/cgroup/a/b/cpu.max");
	put("300000 100000", "/sys/fs/cgroup/a/cpu.max");
	cores_read(&facts, root);
	CHECK(counts, facts.quota == 3, "the group around it holds too: %u", facts.quota);
	remove_system();
	fresh_system();
	put("4:cpu,cpuacct:/c", "/proc/self/cgroup");
	put("100000", "/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us");
	put("100000", "/sys/fs/cgroup/cpu/c/cpu.cfs_period_us");
	cores_read(&facts, root);
	CHECK(counts, facts.quota == 1 && facts.chosen == 1, "version 1: %u", facts.quota);
	remove_system();
}

static void test_kinds_of_cores(check_counts *counts)
{
	cores_facts facts;
	char both[64];
	unsigned cpus[2];

	if (two_processors(cpus) < 2) {
		check_skip(counts, "kinds of cores", "this process has one processor only");
		return;
	}
	fresh_system();
	cores_read(&facts, root);
	CHECK(counts, facts.physical == facts.allowed && facts.fast == facts.allowed,
	      "what is not told does not limit: %u of %u", facts.physical, facts.allowed);
	(void)snprintf(both, sizeof both, "%u,%u", cpus[0], cpus[1]);
	put(both, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpus[0]);
	put(both, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpus[1]);
	cores_read(&facts, root);
	CHECK(counts, facts.physical == facts.allowed - 1 && facts.chosen == facts.physical,
	      "two threads of one core count once: %u of %u", facts.physical, facts.allowed);
	(void)snprintf(both, sizeof both, "%u-%u", cpus[0], cpus[1]);
	put(both, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpus[1]);
	cores_read(&facts, root);
	CHECK(counts, facts.physical == facts.allowed - 1, "siblings as a range: %u of %u",
	      facts.physical, facts.allowed);
	remove_system();

	fresh_system();
	put("1024", "/sys/devices/system/cpu/cpu%u/cpu_capacity", cpus[0]);
	put("400", "/sys/devices/system/cpu/cpu%u/cpu_capacity", cpus[1]);
	cores_read(&facts, root);
	CHECK(counts, facts.physical == facts.allowed && facts.fast == 1,
	      "slow cores are left out: %u", facts.fast);
	put("900", "/sys/devices/system/cpu/cpu%u/cpu_capacity", cpus[1]);
	cores_read(&facts, root);
	CHECK(counts, facts.fast == 2, "nearly as fast is fast: %u", facts.fast);
	remove_system();

	fresh_system();
	(void)snprintf(both, sizeof both, "%u", cpus[1]);
	put(both, "/sys/devices/cpu_core/cpus");
	cores_read(&facts, root);
	CHECK(counts, facts.fast == 1, "a hybrid's performance cores: %u", facts.fast);
	put("4000", "/sys/devices/cpu_core/cpus");
	cores_read(&facts, root);
	CHECK(counts, facts.fast == facts.physical, "slow cores alone are better than none: %u",
	      facts.fast);
	remove_system();
}

static void test_memory_is_the_least_of_machine_and_groups(check_counts *counts)
{
	static const char meminfo[] =
	        "MemTotal:        8000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB";
	ram_facts facts;

	fresh_system();
	put(meminfo, "/proc/meminfo");
	ram_read(&facts, root);
	CHECK(counts,
	      facts.total == 8192000 && facts.available == 4096000 && facts.limit == 0 &&
	              facts.most == 8192000,
	      "no groups");
	put("0::/a/b", "/proc/self/cgroup");
	put("max", "/sys/fs/cgroup/a/b/memory.max");
	put("1000000", "/sys/fs/cgroup/a/memory.max");
	put("900000", "/sys/fs/cgroup/a/memory.current");
	put("anon 1\ninactive_file 100000\nactive_file 50000", "/sys/fs/cgroup/a/memory.stat");
	ram_read(&facts, root);
	CHECK(counts, facts.limit == 1000000 && facts.most == 1000000 && facts.available == 250000,
	      "version 2: limit %llu, available %llu", (unsigned long long)facts.limit,
	      (unsigned long long)facts.available);
	remove_system();
	fresh_system();
	put(meminfo, "/proc/meminfo");
	put("9:memory:/docker/x", "/proc/self/cgroup");
	put("9223372036854771712", "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes");
	put("2000000", "/sys/fs/cgroup/memory/memory.limit_in_bytes");
	put("3000000", "/sys/fs/cgroup/memory/memory.usage_in_bytes");
	ram_read(&facts, root);
	CHECK(counts, facts.limit == 2000000 && facts.available == 1,
	      "version 1: limit %llu, available %llu", (unsigned long long)facts.limit,
	      (unsigned long long)facts.available);
	remove_system();
	ram_read(&facts, "");
	CHECK(counts, facts.most > 0 && facts.available > 0, "this machine's is known");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	cores_facts facts;

	check_choose(argc, argv);
	RUN(test_quotas(&counts));
	RUN(test_kinds_of_cores(&counts));
	cores_read(&facts, "");
	CHECK(&counts, facts.chosen >= 1 && facts.chosen <= facts.allowed, "this machine: %u of %u",
	      facts.chosen, facts.allowed);
	RUN(test_memory_is_the_least_of_machine_and_groups(&counts));
	return check_report("cores", &counts);
}
