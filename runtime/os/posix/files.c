/* files.c - reading and mapping files with POSIX calls
 *
 * What only a program that writes calls stands in writing.c and folders.c, so that others do not
 * link it.
 */
#include "runtime/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__APPLE__)
#define st_mtim st_mtimespec
#endif

static void fill_facts(os_facts *facts, const struct stat *s)
{
	facts->kind = S_ISREG(s->st_mode)   ? OS_FILE
	              : S_ISDIR(s->st_mode) ? OS_FOLDER
	              : S_ISLNK(s->st_mode) ? OS_LINK
	                                    : OS_OTHER;
	facts->mode = (uint32_t)s->st_mode & 07777u;
	facts->owner = (uint32_t)s->st_uid;
	facts->group = (uint32_t)s->st_gid;
	facts->bytes = s->st_size > 0 ? (uint64_t)s->st_size : 0;
	facts->device = (uint64_t)s->st_dev;
	facts->serial = (uint64_t)s->st_ino;
	facts->changed_ns = (int64_t)s->st_mtim.tv_sec * 1000000000 + s->st_mtim.tv_nsec;
}

bool os_examine(const char *path, os_facts *facts)
{
	struct stat s;

	if (stat(path, &s) != 0)
		return false;
	fill_facts(facts, &s);
	return true;
}

bool os_examine_link(const char *path, os_facts *facts)
{
	struct stat s;

	if (lstat(path, &s) != 0)
		return false;
	fill_facts(facts, &s);
	return true;
}

bool os_examine_open(int file, os_facts *facts)
{
	struct stat s;

	if (fstat(file, &s) != 0)
		return false;
	fill_facts(facts, &s);
	return true;
}

int os_open(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

bool os_close(int file)
{
	return close(file) == 0;
}

int64_t os_read_at(int file, void *bytes, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(file, (char *)bytes + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (int64_t)done;
}

/* ---- mappings ------------------------------------------------------------------------------- */

const void *os_map(int file, size_t size)
{
	void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);

	return bytes == MAP_FAILED ? NULL : bytes;
}

void os_unmap(const void *bytes, size_t size)
{
	if (bytes)
		(void)munmap((void *)(uintptr_t)bytes, size);
}

size_t os_page_bytes(void)
{
	long bytes = sysconf(_SC_PAGESIZE);

	return bytes > 0 ? (size_t)bytes : 4096;
}

void os_advise_huge(const void *bytes, size_t size)
{
#ifdef MADV_HUGEPAGE
	uintptr_t page = os_page_bytes(), skip = (page - (uintptr_t)bytes % page) % page;

	if (size > skip)
		(void)madvise((void *)((uintptr_t)bytes + skip), size - skip, MADV_HUGEPAGE);
#else
	(void)bytes, (void)size;
#endif
}
