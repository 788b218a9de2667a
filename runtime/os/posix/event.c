/* event.c - a pipe whose ends never wait */
#include "runtime/os/event.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool set_flags(int file)
{
	int flags = fcntl(file, F_GETFL);

	return flags >= 0 && fcntl(file, F_SETFL, flags | O_NONBLOCK) == 0 &&
	       fcntl(file, F_SETFD, FD_CLOEXEC) == 0;
}

bool os_open_event(os_event *event)
{
	int ends[2], reason;

	*event = (os_event){ -1, -1 };
	if (pipe(ends) != 0)
		return false;
	*event = (os_event){ ends[0], ends[1] };
	if (set_flags(ends[0]) && set_flags(ends[1]))
		return true;
	reason = errno;
	os_close_event(event);
	errno = reason;
	return false;
}

void os_close_event(os_event *event)
{
	if (event->read >= 0)
		(void)close(event->read);
	if (event->write >= 0)
		(void)close(event->write);
	*event = (os_event){ -1, -1 };
}

/* A full pipe is readable already. */
void os_set_event(const os_event *event)
{
	while (write(event->write, "", 1) < 0 && errno == EINTR)
		;
}

void os_clear_event(const os_event *event)
{
	char bytes[64];
	ssize_t n;

	do
		n = read(event->read, bytes, sizeof bytes);
	while (n == (ssize_t)sizeof bytes || (n < 0 && errno == EINTR));
}
