/* target_part.c - finding a free name, recognising and removing leftovers */
#include "runtime/os/target_part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define NAMES_MAX 100u /* parts side by side, and foreign files of such names */
#define NAME_KEPT 240u /* bytes of a file's name: with what is appended it fits into 255 */

char *part_name(const char *path, unsigned n)
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash ? (size_t)(slash - path) + 1 : 0, length = strlen(path);
	size_t size;
	char *part;

	if (length - folder > NAME_KEPT)
		length = folder + NAME_KEPT;
	size = length + 24;
	part = memory_new(size, 1);
	if (part && n == 1)
		(void)snprintf(part, size, "%.*s.part", (int)length, path);
	else if (part)
		(void)snprintf(part, size, "%.*s.part-%u", (int)length, path, n);
	return part;
}

/* Whether the path still leads to the open file: another run may have removed it. */
static bool is_in_place(const char *path, int file)
{
	os_facts there, mine;

	return os_examine_link(path, &there) && os_examine_open(file, &mine) &&
	       there.device == mine.device && there.serial == mine.serial;
}

/* Makes and locks the file; -1: errno, EEXIST also if another run took it for a leftover. */
static int create_locked(const char *path, uint32_t mode)
{
	int file = os_create(path, mode);

	if (file >= 0 && (os_lock_file(file) == OS_LOCK_HELD || !is_in_place(path, file))) {
		(void)os_close(file);
		errno = EEXIST;
		return -1;
	}
	return file;
}

/* Opens and locks an existing file that no other process has locked; -1: it is in use, or cannot be
 * locked. */
static int lock_leftover(const char *path)
{
	os_facts facts;
	int file;

	if (!os_examine_link(path, &facts) || facts.kind != OS_FILE)
		return -1;
	file = os_open_writable(path);
	if (file >= 0 && (os_lock_file(file) != OS_LOCKED || !is_in_place(path, file))) {
		(void)os_close(file);
		return -1;
	}
	return file;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Removes what a killed run left under this name; false: it is something else, or in use. */
static bool remove_leftover(const char *path, const char *magic)
{
	char begin[PART_MARK_BYTES];
	int file = lock_leftover(path);
	int64_t n;
	bool removed;

	if (file < 0)
		return false;
	n = os_read_at(file, begin, sizeof begin, 0);
	removed = (n == 0 || (n == (int64_t)sizeof begin &&
	                      (!memcmp(begin, PART_MARK, sizeof begin) ||
	                       (magic && !memcmp(begin, magic, sizeof begin))))) &&
	          os_remove(path);
	(void)os_close(file);
	return removed;
}

static brise_status tell_no_name(const char *part, brise_error *err)
{
	return error_set(err, BRISE_EIO,
	                 "%s: cannot be created: it and %u more of such names exist; remove them",
	                 part, NAMES_MAX - 1);
}

brise_status part_open_file(const char *path, const char *name, uint32_t mode, const char *magic,
                            char **part, int *file, brise_error *err)
{
	brise_status status;
	unsigned n;

	for (n = 1; n <= NAMES_MAX; n++) {
		if (!(*part = part_name(path, n)))
			return error_set(err, BRISE_ENOMEM, "%s: no memory", name);
		*file = create_locked(*part, mode);
		if (*file < 0 && errno == EEXIST) {
			if (remove_leftover(*part, magic))
				*file = create_locked(*part, mode);
			else
				errno = EEXIST;
		}
		if (*file >= 0)
			return BRISE_OK;
		status = errno == EEXIST && n == NAMES_MAX
		                 ? tell_no_name(*part, err)
		                 : error_errno(err, "%s: cannot create %s", name, *part);
		if (errno != EEXIST)
			n = NAMES_MAX;
		memory_free(*part);
		*part = NULL;
	}
	return status;
}

/* ---- folders -------------------------------------------------------------------------------- */

static bool remove_entry(void *user, const char *name)
{
	const char *folder = user;
	size_t size = strlen(folder) + strlen(name) + 2;
	char *path = memory_new(size, 1);

	if (!path)
		return false;
	(void)snprintf(path, size, "%s/%s", folder, name);
	(void)os_remove(path);
	memory_free(path);
	return true;
}

void part_remove_folder(const char *path)
{
	char *copy = memory_copy_text(path);

	if (copy)
		(void)os_list_folder(path, remove_entry, copy);
	memory_free(copy);
	(void)os_remove_folder(path);
}

static char *name_mark(const char *folder)
{
	size_t size = strlen(folder) + sizeof PART_FOLDER_MARK + 1;
	char *path = memory_new(size, 1);

	if (path)
		(void)snprintf(path, size, "%s/%s", folder, PART_FOLDER_MARK);
	return path;
}

/* Removes the folder that a killed run left; false: it is something else, or in use. */
static bool remove_left_folder(const char *folder, const char *mark)
{
	int lock = lock_leftover(mark);

	if (lock < 0)
		return false;
	part_remove_folder(folder);
	(void)os_close(lock);
	return true;
}

brise_status part_open_folder(const char *path, const char *name, char **part, int *lock,
                              brise_error *err)
{
	brise_status status = BRISE_OK;
	unsigned n;

	for (n = 1; n <= NAMES_MAX; n++) {
		char *mark;
		bool made;

		*part = part_name(path, n);
		mark = *part ? name_mark(*part) : NULL;
		if (!mark) {
			memory_free(*part);
			*part = NULL;
			return error_set(err, BRISE_ENOMEM, "%s: no memory", name);
		}
		made = os_make_folder(*part);
		if (!made && errno == EEXIST) {
			if (remove_left_folder(*part, mark))
				made = os_make_folder(*part);
			else
				errno = EEXIST;
		}
		if (made && (*lock = create_locked(mark, 0666)) < 0) {
			status = error_errno(err, "%s: cannot create %s", name, mark);
			(void)os_remove_folder(*part);
			n = NAMES_MAX;
		} else if (!made) {
			status = errno == EEXIST && n == NAMES_MAX
			                 ? tell_no_name(*part, err)
			                 : error_errno(err, "%s: cannot create %s", name, *part);
			if (errno != EEXIST)
				n = NAMES_MAX;
		}
		memory_free(mark);
		if (made && *lock >= 0)
			return BRISE_OK;
		memory_free(*part);
		*part = NULL;
	}
	return status;
}
