/* slow_disk.c - a library for LD_PRELOAD: models are read as from a slow disk, or one that fails
 *
 * BRISE_DISK_RATE   bytes per second; reads queue up as at one device
 * BRISE_DISK_FAILS  path of a file: while it is there, reads fail with EIO
 * BRISE_DISK_AFTER  so many reads succeed, the next ones fail until as many as BRISE_DISK_COUNT
 *                   have failed; with BRISE_DISK_FAILS, while that file is there
 *
 * Only reads at a place of files whose name ends with ".brise" are concerned: those of weights that
 * are kept or streamed. Mapped pages are read by the kernel.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double number(const char *name, double otherwise)
{
	const char *text = getenv(name);

	return text ? atof(text) : otherwise;
}

static bool is_model(int file)
{
	char link[40], path[4096];
	ssize_t n;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
	n = readlink(link, path, sizeof path);
	return n > 6 && memcmp(path + n - 6, ".brise", 6) == 0;
}

static bool fails(void)
{
	static long reads;
	const char *switched = getenv("BRISE_DISK_FAILS");
	long after = (long)number("BRISE_DISK_AFTER", -1), count;

	(void)pthread_mutex_lock(&mutex);
	count = ++reads;
	(void)pthread_mutex_unlock(&mutex);
	if (switched)
		return count > after && access(switched, F_OK) == 0;
	return after >= 0 && count > after &&
	       (double)(count - after) <= number("BRISE_DISK_COUNT", 1e9);
}

/* Waits until a device that has all earlier reads to do would have this one. */
static void wait_for(size_t bytes)
{
	static double busy_until;
	double rate = number("BRISE_DISK_RATE", 0), until, left;
	struct timespec t;

	if (rate <= 0)
		return;
	(void)pthread_mutex_lock(&mutex);
	until = busy_until = (busy_until > now() ? busy_until : now()) + (double)bytes / rate;
	(void)pthread_mutex_unlock(&mutex);
	while ((left = until - now()) > 0) {
		t.tv_sec = (time_t)left;
		t.tv_nsec = (long)(1e9 * (left - (double)t.tv_sec));
		(void)nanosleep(&t, NULL);
	}
}

typedef ssize_t read_at(int file, void *bytes, size_t n, off_t offset);

static ssize_t slow_read(const char *name, int file, void *bytes, size_t n, off_t offset)
{
	read_at *next;
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(&next, &found, sizeof next);
	if (is_model(file)) {
		if (fails()) {
			errno = EIO;
			return -1;
		}
		wait_for(n);
	}
	return next(file, bytes, n, offset);
}

ssize_t pread(int file, void *bytes, size_t n, off_t offset);
ssize_t pread64(int file, void *bytes, size_t n, off_t offset);

ssize_t pread(int file, void *bytes, size_t n, off_t offset)
{
	return slow_read("pread", file, bytes, n, offset);
}

ssize_t pread64(int file, void *bytes, size_t n, off_t offset)
{
	return slow_read("pread64", file, bytes, n, offset);
}
