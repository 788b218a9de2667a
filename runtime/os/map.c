/* map.c - mapping a file with POSIX calls */
#include "runtime/os/map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quant/checked.h"
#include "runtime/error.h"

void map_wish_huge(const void *bytes, size_t size)
{
#ifdef MADV_HUGEPAGE
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
	          skip = (page - (uintptr_t)bytes % page) % page;

	if (size > skip)
		(void)madvise((void *)((uintptr_t)bytes + skip), size - skip, MADV_HUGEPAGE);
#else
	(void)bytes, (void)size;
#endif
}

static brise_status check_regular(int descriptor, const char *path, size_t *size, brise_error *err)
{
	struct stat facts;

	if (fstat(descriptor, &facts) != 0)
		return error_errno(err, "%s: cannot be examined", path);
	if (S_ISDIR(facts.st_mode))
		return error_set(err, BRISE_EIO, "%s: is a folder, expected a .brise file", path);
	if (!S_ISREG(facts.st_mode))
		return error_set(err, BRISE_EIO, "%s: is not a regular file", path);
	if (facts.st_size <= 0)
		return error_set(err, BRISE_EFORMAT, "%s: is empty", path);
	if (!checked_size((uint64_t)facts.st_size, size))
		return error_set(err, BRISE_EUNSUPPORTED, "%s: too large to map on this machine",
		                 path);
	return BRISE_OK;
}

brise_status map_open(const uint8_t **bytes, size_t *size, const char *path, brise_error *err)
{
	brise_status status;
	int descriptor;
	void *mapped;

	*bytes = NULL;
	descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0)
		return error_errno(err, "%s: cannot be opened", path);
	status = check_regular(descriptor, path, size, err);
	if (status == BRISE_OK) {
		mapped = mmap(NULL, *size, PROT_READ, MAP_SHARED, descriptor, 0);
		if (mapped == MAP_FAILED)
			status = error_errno(err, "%s: cannot be mapped", path);
		else
			*bytes = mapped;
		/* File systems with large folios may then read what is not in memory yet into huge
		 * pages. */
		if (*bytes)
			map_wish_huge(mapped, *size);
	}
	close(descriptor);
	return status;
}

void map_close(const uint8_t *bytes, size_t size)
{
	if (bytes)
		munmap((void *)(uintptr_t)bytes, size);
}
