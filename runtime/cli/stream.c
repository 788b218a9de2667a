/* stream.c - nonblocking opens, and polls that end */
#include "runtime/cli/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/cli/terminal.h"
#include "runtime/error.h"

/* How long a FIFO may lack its other end: a shell starts both programs within milliseconds. */
#define PARTNER_MS      1000
#define PARTNER_STEP_MS 20

static bool is_null(const struct stat *facts)
{
	struct stat null;

	return stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode) &&
	       null.st_rdev == facts->st_rdev;
}

static brise_status check_kind(int file, const char *name, const struct stat *facts,
                               brise_error *err)
{
	if (S_ISDIR(facts->st_mode))
		return error_set(err, BRISE_EIO, "%s: is a folder, expected a file", name);
	if (S_ISBLK(facts->st_mode) ||
	    (S_ISCHR(facts->st_mode) && isatty(file) != 1 && !is_null(facts)))
		return error_set(err, BRISE_EIO, "%s: is a device, expected a file or a pipe",
		                 name);
	return BRISE_OK;
}

static brise_status tell_failure(const char *name, brise_error *err)
{
	if (errno == EINTR && terminal_was_interrupted(NULL))
		return error_set(err, BRISE_ECANCELED, "%s: interrupted", name);
	return error_errno(err, "%s: cannot be read", name);
}

/* Waits for something to read or the end. *ready is false after `ms`; -1: there is no limit. */
static brise_status wait_for(int file, int ms, const char *name, bool *ready, brise_error *err)
{
	struct pollfd input = { .fd = file, .events = POLLIN };
	int n;

	do
		n = poll(&input, 1, ms);
	while (n < 0 && errno == EINTR && !terminal_was_interrupted(NULL));
	*ready = n > 0;
	return n < 0 ? tell_failure(name, err) : BRISE_OK;
}

/* A FIFO that nobody writes to reads as empty; one that is open at its other end says that there is
 * nothing yet. An anonymous pipe that was closed (/dev/fd/N of a shell's <(...)) is ready at
 * once. */
static brise_status wait_for_writer(stream *s, brise_error *err)
{
	bool ready;
	brise_status status = wait_for(s->file, PARTNER_MS, s->name, &ready, err);
	ssize_t n;

	if (status != BRISE_OK || ready)
		return status;
	n = read(s->file, &s->first, 1);
	s->has_first = n == 1;
	return n != 0 ? BRISE_OK
	              : error_set(err, BRISE_EIO, "%s: is a FIFO that no program writes to",
	                          s->name);
}

brise_status stream_open(stream *s, const char *path, const char *name, brise_error *err)
{
	struct stat facts;
	brise_status status;

	*s = (stream){ .name = name, .file = STDIN_FILENO };
	if (strcmp(path, "-") != 0)
		s->file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (s->file < 0)
		return error_errno(err, "%s: cannot be opened", name);
	if (fstat(s->file, &facts) != 0)
		return error_errno(err, "%s: cannot be read", name);
	status = check_kind(s->file, name, &facts, err);
	if (status == BRISE_OK && s->file != STDIN_FILENO && S_ISFIFO(facts.st_mode))
		status = wait_for_writer(s, err);
	return status;
}

brise_status stream_read(stream *s, void *bytes, size_t n, size_t *got, brise_error *err)
{
	*got = 0;
	if (s->has_first) {
		*(char *)bytes = s->first;
		s->has_first = false;
		*got = 1;
		return BRISE_OK;
	}
	for (;;) {
		ssize_t m = read(s->file, bytes, n);
		brise_status status;
		bool ready;

		if (m >= 0) {
			*got = (size_t)m;
			return BRISE_OK;
		}
		if (errno == EINTR && !terminal_was_interrupted(NULL))
			continue;
		if (errno != EAGAIN)
			return tell_failure(s->name, err);
		if ((status = wait_for(s->file, -1, s->name, &ready, err)) != BRISE_OK)
			return status;
	}
}

static void wait_in_calls(int file)
{
	int flags = fcntl(file, F_GETFL);

	if (flags >= 0)
		(void)fcntl(file, F_SETFL, flags & ~O_NONBLOCK);
}

FILE *stream_to_libc(stream *s)
{
	FILE *in = stdin;

	if (s->file != STDIN_FILENO) {
		wait_in_calls(s->file);
		if (!(in = fdopen(s->file, "rb")))
			return NULL;
	}
	if (s->has_first)
		(void)ungetc((unsigned char)s->first, in);
	s->file = -1;
	return in;
}

void stream_close(stream *s)
{
	if (s->file > STDIN_FILENO)
		(void)close(s->file);
	s->file = -1;
}

int stream_open_output(const char *path)
{
	int file, waited;

	for (waited = 0;; waited += PARTNER_STEP_MS) {
		file = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (file >= 0 || errno != ENXIO || waited >= PARTNER_MS ||
		    terminal_was_interrupted(NULL))
			break;
		(void)poll(NULL, 0, PARTNER_STEP_MS);
		errno = ENXIO;
	}
	if (file >= 0)
		wait_in_calls(file);
	return file;
}
