/* none.c - no operating system: no files; models come from memory
 *
 * Every function refuses. What is built on them works without: brise_open_memory needs no file.
 */
#include "runtime/os/os.h"

/* Sets no errno: not every environment has one. */
static bool refuse(void)
{
	return false;
}

bool os_examine(const char *path, os_facts *facts)
{
	(void)path, (void)facts;
	return refuse();
}

bool os_examine_link(const char *path, os_facts *facts)
{
	(void)path, (void)facts;
	return refuse();
}

bool os_examine_open(int file, os_facts *facts)
{
	(void)file, (void)facts;
	return refuse();
}

bool os_may_write(const char *path)
{
	(void)path;
	return refuse();
}

int os_open(const char *path)
{
	(void)path;
	return refuse() ? 0 : -1;
}

int os_create(const char *path, uint32_t mode)
{
	(void)path, (void)mode;
	return refuse() ? 0 : -1;
}

int os_open_writable(const char *path)
{
	(void)path;
	return refuse() ? 0 : -1;
}

bool os_close(int file)
{
	(void)file;
	return refuse();
}

int64_t os_read_at(int file, void *bytes, size_t n, uint64_t offset)
{
	(void)file, (void)bytes, (void)n, (void)offset;
	return refuse() ? 0 : -1;
}

bool os_write_at(int file, const void *bytes, size_t n, uint64_t offset)
{
	(void)file, (void)bytes, (void)n, (void)offset;
	return refuse();
}

bool os_sync(int file)
{
	(void)file;
	return refuse();
}

bool os_sync_folder(const char *path)
{
	(void)path;
	return refuse();
}

bool os_set_mode(int file, uint32_t mode)
{
	(void)file, (void)mode;
	return refuse();
}

bool os_set_owner(int file, uint32_t owner)
{
	(void)file, (void)owner;
	return refuse();
}

bool os_set_group(int file, uint32_t group)
{
	(void)file, (void)group;
	return refuse();
}

bool os_set_size(int file, uint64_t bytes)
{
	(void)file, (void)bytes;
	return refuse();
}

bool os_take_room(int file, uint64_t bytes)
{
	(void)file, (void)bytes;
	return refuse();
}

os_lock_result os_lock_file(int file)
{
	(void)file;
	return OS_LOCK_NONE;
}

bool os_free_bytes(int file, uint64_t *bytes)
{
	(void)file, (void)bytes;
	return refuse();
}

bool os_rename(const char *from, const char *to)
{
	(void)from, (void)to;
	return refuse();
}

bool os_rename_new(const char *from, const char *to)
{
	(void)from, (void)to;
	return refuse();
}

bool os_remove(const char *path)
{
	(void)path;
	return refuse();
}

bool os_make_folder(const char *path)
{
	(void)path;
	return refuse();
}

bool os_make_private_folder(const char *path)
{
	return os_make_folder(path);
}

bool os_make_private_folders(const char *path)
{
	return os_make_folder(path);
}

bool os_remove_folder(const char *path)
{
	(void)path;
	return refuse();
}

bool os_list_folder(const char *path, os_entry_fn *each, void *user)
{
	(void)path, (void)each, (void)user;
	return refuse();
}

char *os_resolve(const char *path)
{
	(void)path;
	(void)refuse();
	return NULL;
}

char *os_read_link(const char *path)
{
	(void)path;
	(void)refuse();
	return NULL;
}

const void *os_map(int file, size_t size)
{
	(void)file, (void)size;
	(void)refuse();
	return NULL;
}

void *os_map_writable(int file, size_t size)
{
	(void)file, (void)size;
	(void)refuse();
	return NULL;
}

void *os_map_private(int file, size_t size)
{
	return os_map_writable(file, size);
}

bool os_sync_map(const void *bytes, size_t n)
{
	(void)bytes, (void)n;
	return refuse();
}

void os_unmap(const void *bytes, size_t size)
{
	(void)bytes, (void)size;
}

long os_process(void)
{
	return 1;
}

size_t os_page_bytes(void)
{
	return 4096;
}

void *os_new_pages(size_t size)
{
	(void)size;
	return NULL;
}

void os_free_pages(void *pages, size_t size)
{
	(void)pages, (void)size;
}

bool os_lock_pages(const void *pages, size_t size)
{
	(void)pages, (void)size;
	return refuse();
}

void os_advise_random(const void *bytes, size_t size)
{
	(void)bytes, (void)size;
}

bool os_set_direct(int file, bool direct)
{
	(void)file, (void)direct;
	return refuse();
}

void os_drop_cached(int file, uint64_t offset, uint64_t n)
{
	(void)file, (void)offset, (void)n;
}

void os_advise_huge(const void *bytes, size_t size)
{
	(void)bytes, (void)size;
}

int os_guard(const void *bytes, size_t size, bool writable)
{
	(void)bytes, (void)size, (void)writable;
	return -1;
}

bool os_guard_hit(int guard)
{
	(void)guard;
	return false;
}

unsigned os_guard_count(int guard)
{
	(void)guard;
	return 0;
}

bool os_guard_restore(int guard, int file)
{
	(void)guard, (void)file;
	return refuse();
}

void os_unguard(int guard)
{
	(void)guard;
}

/* ---- processors, memory --------------------------------------------------------------------- */

unsigned os_list_processors(unsigned *numbers, unsigned most)
{
	(void)numbers, (void)most;
	return 0;
}

uint64_t os_machine_memory(void)
{
	return 0;
}
