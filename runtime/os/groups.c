/* groups.c - walking control groups
 *
 * /proc/self/cgroup says which groups a process is in, a line for each hierarchy: "0::/path" for
 * version 2 (Documentation/admin-guide/cgroup-v2.rst), "4:cpu,cpuacct:/path" for version 1
 * (cgroup-v1/cgroups.rst). In a container the path may be that of the host, whose folders are not
 * there: then those of the groups around it count, up to the root of what is mounted.
 */
#include "runtime/os/groups.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/os.h"

/* The whole of a small file, cut at `size`; 0: none. */
static size_t read_small(char *text, size_t size, const char *root, const char *path)
{
	char name[GROUPS_LINE * 2];
	int64_t got;
	int file;

	text[0] = 0;
	if (snprintf(name, sizeof name, "%s%s", root, path) >= (int)sizeof name ||
	    (file = os_open(name)) < 0)
		return 0;
	got = os_read_at(file, text, size - 1, 0);
	(void)os_close(file);
	text[got > 0 ? got : 0] = 0;
	return got > 0 ? (size_t)got : 0;
}

bool groups_read_line(char line[GROUPS_LINE], const char *root, const char *path)
{
	if (read_small(line, GROUPS_LINE, root, path) == 0)
		return false;
	line[strcspn(line, "\n")] = 0;
	return true;
}

static bool names_controller(const char *list, const char *controller)
{
	size_t length = strlen(controller);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == length && memcmp(list, controller, n) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static void visit_path(const char *root, const char *controller, char *group, bool unified,
                       groups_fn *each, void *user)
{
	char folder[GROUPS_LINE + 64];
	char *slash;

	for (;;) {
		if (unified)
			(void)snprintf(folder, sizeof folder, "/sys/fs/cgroup%s", group);
		else
			(void)snprintf(folder, sizeof folder, "/sys/fs/cgroup/%.40s%s", controller,
			               group);
		each(user, root, folder, unified);
		if (!(slash = strrchr(group, '/')))
			return;
		*slash = 0;
	}
}

void groups_visit(const char *root, const char *controller, groups_fn *each, void *user)
{
	char text[4 * GROUPS_LINE], *line = text, *next;

	(void)read_small(text, sizeof text, root, "/proc/self/cgroup");
	for (; *line; line = next) {
		char *controllers, *group;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		controllers = strchr(line, ':');
		group = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!group || strlen(group) >= GROUPS_LINE)
			continue;
		*group++ = 0;
		if (controllers[1] == 0 || names_controller(controllers + 1, controller))
			visit_path(root, controller, group, controllers[1] == 0, each, user);
	}
}
