/* writing.c - making, writing, renaming and removing files with POSIX calls */
#include "runtime/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include "quant/checked.h"

bool os_may_write(const char *path)
{
	return access(path, W_OK) == 0;
}

int os_create(const char *path, uint32_t mode)
{
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
}

int os_open_writable(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

bool os_write_at(int file, const void *bytes, size_t n, uint64_t offset)
{
	const char *from = bytes;

	while (n > 0) {
		ssize_t written = pwrite(file, from, n, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		from += written;
		n -= (size_t)written;
		offset += (uint64_t)written;
	}
	return true;
}

bool os_sync(int file)
{
	return fsync(file) == 0;
}

bool os_set_mode(int file, uint32_t mode)
{
	return fchmod(file, (mode_t)mode) == 0;
}

bool os_set_owner(int file, uint32_t owner)
{
	return fchown(file, (uid_t)owner, (gid_t)-1) == 0;
}

bool os_set_group(int file, uint32_t group)
{
	return fchown(file, (uid_t)-1, (gid_t)group) == 0;
}

bool os_set_size(int file, uint64_t bytes)
{
	return ftruncate(file, (off_t)bytes) == 0;
}

#if !defined(__APPLE__)
/* For file systems that cannot allocate, where a libc does not do this itself (musl): one byte of
 * each block is written as it is. */
static bool write_room(int file, uint64_t bytes)
{
	const uint64_t block = 4096; /* few file systems have smaller ones */
	uint64_t at;
	struct stat s;

	if (fstat(file, &s) != 0)
		return false;
	for (at = block - 1;; at += block) {
		uint64_t last = at < bytes ? at : bytes - 1;
		char byte = 0;

		if (last < (uint64_t)s.st_size && os_read_at(file, &byte, 1, last) != 1)
			return false;
		if (!os_write_at(file, &byte, 1, last))
			return false;
		if (last == bytes - 1)
			return true;
	}
}
#endif

bool os_take_room(int file, uint64_t bytes)
{
#if defined(__APPLE__)
	fstore_t room = { F_ALLOCATEALL, F_PEOFPOSMODE, 0, (off_t)bytes, 0 };
	struct stat s;

	if (fstat(file, &s) != 0)
		return false;
	room.fst_length -= s.st_size;
	return room.fst_length <= 0 ||
	       (fcntl(file, F_PREALLOCATE, &room) != -1 && ftruncate(file, (off_t)bytes) == 0);
#else
	int failure = posix_fallocate(file, 0, (off_t)bytes);

	if (failure == EOPNOTSUPP || failure == EINVAL || failure == ENOSYS)
		return write_room(file, bytes);
	if (failure != 0)
		errno = failure;
	return failure == 0;
#endif
}

os_lock_result os_lock_file(int file)
{
	if (flock(file, LOCK_EX | LOCK_NB) == 0)
		return OS_LOCKED;
	return errno == EWOULDBLOCK ? OS_LOCK_HELD : OS_LOCK_NONE;
}

bool os_free_bytes(int file, uint64_t *bytes)
{
	struct statvfs facts;

	return fstatvfs(file, &facts) == 0 && checked_mul(facts.f_bavail, facts.f_frsize, bytes);
}

bool os_rename(const char *from, const char *to)
{
	return rename(from, to) == 0;
}

/* One step where the system has it. False with any errno but EEXIST: it could not be done so. */
static bool rename_exclusively(const char *from, const char *to)
{
#if defined(__linux__) && defined(SYS_renameat2)
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */) == 0;
#elif defined(__APPLE__)
	return renamex_np(from, to, RENAME_EXCL) == 0;
#else
	(void)from, (void)to;
	errno = ENOSYS;
	return false;
#endif
}

bool os_rename_new(const char *from, const char *to)
{
	struct stat s;

	if (rename_exclusively(from, to))
		return true;
	if (errno == EEXIST)
		return false;
	if (link(from, to) == 0) {
		(void)unlink(from);
		return true;
	}
	if (errno == EEXIST)
		return false;
	if (lstat(to, &s) == 0) {
		errno = EEXIST;
		return false;
	}
	return rename(from, to) == 0;
}

bool os_remove(const char *path)
{
	return unlink(path) == 0;
}

long os_process(void)
{
	return (long)getpid();
}

void *os_map_writable(int file, size_t size)
{
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	return bytes == MAP_FAILED ? NULL : bytes;
}

void *os_map_private(int file, size_t size)
{
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);

	return bytes == MAP_FAILED ? NULL : bytes;
}

bool os_sync_map(const void *bytes, size_t n)
{
	return msync((void *)(uintptr_t)bytes, n, MS_SYNC) == 0;
}
