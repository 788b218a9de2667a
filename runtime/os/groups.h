/* groups.h - small system files, and the limits that control groups set (Linux) */
#ifndef RUNTIME_GROUPS_H
#define RUNTIME_GROUPS_H

#include <stdbool.h>

#define GROUPS_LINE 1024

/* The first line of the file at root/path, without its end; false if there is none. */
bool groups_read_line(char line[GROUPS_LINE], const char *root, const char *path);

/* Calls `each` with the folder ("/sys/fs/cgroup/...") of the group that this process is in for a
 * controller such as "cpu" or "memory", and with those of its parents: a limit of any of them
 * holds. unified: version 2, whose files have other names. root: "" for the system's own. */
typedef void groups_fn(void *user, const char *root, const char *folder, bool unified);
void groups_visit(const char *root, const char *controller, groups_fn *each, void *user);

#endif
