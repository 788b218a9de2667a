/* process.h - what the operating system says about memory */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <stdint.h>

/* A line of /proc/PID/status such as "RssAnon" or "VmHWM", in bytes; 0 where it cannot be had. pid
 * 0: this process. */
uint64_t process_read_memory(long pid, const char *line);

#endif
