/* device.h - the user's terminal as a device: its modes, its size, waiting for keys and signals
 *
 * While a message is edited the terminal is raw; while an answer is written it is quiet, that is,
 * keys are not shown, and ctrl-C is a signal. On every way out it is set back: by device_close, at
 * exit, when a signal ends or stops the process. A process has one device at most.
 */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum device_mode {
	DEVICE_COOKED, /* as it was */
	DEVICE_QUIET,
	DEVICE_RAW
} device_mode;

typedef enum device_event {
	DEVICE_INPUT,       /* device_read does not wait */
	DEVICE_TIMEOUT,     /* nothing came */
	DEVICE_RESIZED,     /* the terminal's size */
	DEVICE_CONTINUED,   /* after having been stopped: what was drawn is not there any more */
	DEVICE_INTERRUPTED, /* SIGINT, where somebody types */
	DEVICE_ENDED        /* SIGTERM, SIGHUP or SIGINT elsewhere, from now on always */
} device_event;

typedef struct device {
	int output;    /* where a message is edited: standard output, or standard error */
	bool has_keys; /* standard input is a terminal */
	bool is_dumb; /* has_keys, but a cursor cannot be moved there (TERM), or nothing be shown */
	bool shows_answers;  /* standard output is a terminal */
	bool shows_output;   /* what `output` is, is a terminal */
	bool has_colors;     /* that has them, and they are wanted (NO_COLOR) */
	bool is_output_dumb; /* TERM says so */
	bool failed;         /* something could not be written */
} device;

/* Looks at the standard streams and catches signals. */
void device_open(device *d);

/* Signals and modes as they were. */
void device_close(device *d);

/* Does nothing where a message is not edited. */
void device_set_mode(device *d, device_mode mode);

/* Waits for input or a signal; timeout_ms -1: for ever. Every signal is returned once. */
device_event device_wait(device *d, int timeout_ms);

/* Up to n bytes of standard input; 0: the end, or an error. */
size_t device_read(device *d, void *bytes, size_t n);

/* A output_write_fn: writes all to d->output. */
void device_write(void *d, const char *bytes, size_t n);

/* The same to standard output. */
void device_write_answer(void *d, const char *bytes, size_t n);

/* 80 x 24 where the terminal does not know its size, as on a serial line, unless COLUMNS and LINES
 * say otherwise. */
void device_size(const device *d, int *columns, int *rows);

/* Stops the process as ctrl-Z does; returns when it goes on. */
void device_suspend(device *d);

/* Whether SIGINT has come, or what ends the process; without taking it from device_wait. */
bool device_was_interrupted(const device *d);
void device_forget_interruption(device *d);

/* The signal that is to end the process; 0: none. */
int device_end_signal(const device *d);

/* Whether the size has changed since this was asked or device_wait said so. */
bool device_was_resized(device *d);

/* The same for having been stopped. */
bool device_was_continued(device *d);

#endif
