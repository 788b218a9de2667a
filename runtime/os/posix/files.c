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
		/* A direct read that ended with the file, off the grid, cannot go on from there. */
		if (got < 0 && errno == EINVAL && done % OS_DIRECT_ALIGN != 0)
			break;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (int64_t)done;
}

bool os_set_direct(int file, bool direct)
{
#if defined(O_DIRECT)
	int flags = fcntl(file, F_GETFL);

	return flags >= 0 &&
	       fcntl(file, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
#elif defined(F_NOCACHE)
	return fcntl(file, F_NOCACHE, direct ? 1 : 0) == 0;
#else
	(void)file;
	return !direct;
#endif
}

void os_drop_cached(int file, uint64_t offset, uint64_t n)
{
#if defined(POSIX_FADV_DONTNEED)
	(void)posix_fadvise(file, (off_t)offset, (off_t)n, POSIX_FADV_DONTNEED);
#else
	(void)file, (void)offset, (void)n;
#endif
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

static size_t whole_pages(size_t size)
{
	const size_t page = os_page_bytes();

	return (size + page - 1) / page * page;
}

void *os_new_pages(size_t size)
{
	const size_t huge = (size_t)2 << 20;
	size_t whole = size + huge, skip;
	uint8_t *pages;

	if (size > SIZE_MAX - 2 * huge)
		return NULL;
	pages = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	skip = (huge - (uintptr_t)pages % huge) % huge;
	if (skip > 0)
		(void)munmap(pages, skip);
	pages += skip;
	size = whole_pages(size);
	if (whole - skip > size)
		(void)munmap(pages + size, whole - skip - size);
	os_advise_huge(pages, size);
	return pages;
}

void os_free_pages(void *pages, size_t size)
{
	if (pages)
		(void)munmap(pages, whole_pages(size));
}

bool os_lock_pages(const void *pages, size_t size)
{
	return mlock(pages, size) == 0;
}

void os_advise_random(const void *bytes, size_t size)
{
	(void)posix_madvise((void *)(uintptr_t)bytes, size, POSIX_MADV_RANDOM);
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
