/* event.h - a descriptor that one thread makes readable for another that polls it */
#ifndef RUNTIME_OS_EVENT_H
#define RUNTIME_OS_EVENT_H

#include <stdbool.h>

typedef struct os_event {
	int read, write; /* descriptors; -1: closed */
} os_event;

/* False: errno; *event needs no closing then. */
bool os_open_event(os_event *event);
void os_close_event(os_event *event); /* closed allowed */

/* event->read is readable from now on, until it is cleared. Any thread. */
void os_set_event(const os_event *event);
void os_clear_event(const os_event *event);

#endif
