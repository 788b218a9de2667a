/* device.c - see device.h */
#include "runtime/cli/device.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

#define N_SIGNALS 7

static const int signals[N_SIGNALS] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH
};

/* What a signal handler sets the terminal back with, and what it notes. */
static struct {
	bool is_open, has_modes, has_keys;
	int output;
	struct termios modes[DEVICE_RAW + 1];
	struct sigaction before[N_SIGNALS];
	bool is_caught[N_SIGNALS];
	volatile sig_atomic_t mode, wanted;
	volatile sig_atomic_t interruptions, ended, continued, resized;
} shared;

/* ---- modes ---------------------------------------------------------------------------------- */

/* Waits where another program has set the stream not to block. */
static bool may_retry(int file, bool is_output)
{
	struct pollfd entry = { file, is_output ? POLLOUT : POLLIN, 0 };

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	(void)poll(&entry, 1, -1);
	return true;
}

static void write_all(int file, const char *bytes, size_t n, bool *failed)
{
	while (n > 0) {
		ssize_t done = write(file, bytes, n);

		if (done < 0 && may_retry(file, true))
			continue;
		if (done <= 0) {
			*failed = true;
			return;
		}
		bytes += done;
		n -= (size_t)done;
	}
}

/* Calls only what a signal handler may call. Bracketed paste stays on while an answer is written:
 * what is pasted then is one message, too. */
static void set_mode(device_mode mode, int when)
{
	static const char begin_paste[] = "\033[?2004h", end_paste[] = "\033[?2004l";
	bool failed = false;

	if (shared.mode != DEVICE_COOKED && mode == DEVICE_COOKED)
		write_all(shared.output, end_paste, sizeof end_paste - 1, &failed);
	while (tcsetattr(STDIN_FILENO, when, &shared.modes[mode]) != 0 && errno == EINTR) {
	}
	if (mode != DEVICE_COOKED)
		write_all(shared.output, begin_paste, sizeof begin_paste - 1, &failed);
	shared.mode = (sig_atomic_t)mode;
}

void device_set_mode(device *d, device_mode mode)
{
	(void)d;
	shared.wanted = (sig_atomic_t)mode;
	if (shared.has_modes && (device_mode)shared.mode != mode)
		set_mode(mode, TCSADRAIN);
}

static void restore_at_exit(void)
{
	if (shared.is_open && shared.has_modes && shared.mode != DEVICE_COOKED)
		set_mode(DEVICE_COOKED, TCSANOW);
}

static bool prepare_modes(void)
{
	struct termios *raw = &shared.modes[DEVICE_RAW], *quiet = &shared.modes[DEVICE_QUIET];

	if (tcgetattr(STDIN_FILENO, &shared.modes[DEVICE_COOKED]) != 0)
		return false;
	*quiet = shared.modes[DEVICE_COOKED];
	quiet->c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | ISTRIP | BRKINT);
	quiet->c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	quiet->c_cc[VMIN] = 1;
	quiet->c_cc[VTIME] = 0;
	*raw = *quiet;
	raw->c_iflag &= ~(tcflag_t)IXON;
	raw->c_lflag &= ~(tcflag_t)(ISIG | IEXTEN);
	return true;
}

/* ---- signals -------------------------------------------------------------------------------- */

/* Does what the signal does by default, with the terminal set back. Returns only after a signal
 * that stops the process. */
static void act_by_default(int number)
{
	struct sigaction standard, ours;
	sigset_t one, before;

	restore_at_exit();
	memset(&standard, 0, sizeof standard);
	standard.sa_handler = SIG_DFL;
	(void)sigaction(number, &standard, &ours);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, number);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &one, &before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)sigaction(number, &ours, NULL);
}

/* The process goes on, with a terminal that is as the shell has left it. */
static void set_wanted_mode(void)
{
	if (shared.has_modes && shared.wanted != DEVICE_COOKED &&
	    tcgetpgrp(STDIN_FILENO) == getpgrp())
		set_mode((device_mode)shared.wanted, TCSANOW);
}

/* The second time, nothing has come of the first. */
static void end(int number)
{
	if (shared.ended)
		act_by_default(number);
	shared.ended = number;
}

static void catch_signal(int number)
{
	int kept = errno;

	switch (number) {
	case SIGWINCH:
		shared.resized = 1;
		break;
	case SIGINT:
		/* Nobody types: it ends the process. */
		if (!shared.has_keys)
			end(number);
		/* The third time, nothing has come of the first two. */
		else if (++shared.interruptions > 2)
			act_by_default(number);
		break;
	case SIGTSTP:
		act_by_default(number);
		set_wanted_mode(); /* where nothing can stop it, nothing continues it */
		break;
	case SIGCONT:
		shared.continued = 1;
		set_wanted_mode();
		break;
	case SIGQUIT:
		act_by_default(number);
		break;
	default:
		end(number);
		break;
	}
	errno = kept;
}

static void fill_set(sigset_t *set)
{
	int i;

	(void)sigemptyset(set);
	for (i = 0; i < N_SIGNALS; i++)
		(void)sigaddset(set, signals[i]);
}

/* Signals that were ignored at the start stay ignored. */
static void catch_signals(void)
{
	struct sigaction action;
	int i;

	memset(&action, 0, sizeof action);
	action.sa_handler = catch_signal;
	fill_set(&action.sa_mask);
	for (i = 0; i < N_SIGNALS; i++) {
		shared.is_caught[i] = sigaction(signals[i], NULL, &shared.before[i]) == 0 &&
		                      shared.before[i].sa_handler != SIG_IGN &&
		                      sigaction(signals[i], &action, NULL) == 0;
	}
}

bool device_was_interrupted(const device *d)
{
	(void)d;
	return shared.interruptions > 0 || shared.ended != 0;
}

void device_forget_interruption(device *d)
{
	(void)d;
	shared.interruptions = 0;
}

int device_end_signal(const device *d)
{
	(void)d;
	return shared.ended;
}

bool device_was_resized(device *d)
{
	bool resized = shared.resized != 0;

	(void)d;
	shared.resized = 0;
	return resized;
}

bool device_was_continued(device *d)
{
	bool continued = shared.continued != 0;

	(void)d;
	shared.continued = 0;
	return continued;
}

void device_suspend(device *d)
{
	(void)d;
	(void)kill(0, SIGTSTP); /* what ctrl-Z does: to all of a pipeline */
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool has_dumb_name(void)
{
	const char *name = getenv("TERM");

	return !name || !*name || strcmp(name, "dumb") == 0 || strcmp(name, "unknown") == 0;
}

void device_open(device *d)
{
	const char *no_color = getenv("NO_COLOR");

	memset(d, 0, sizeof *d);
	d->has_keys = isatty(STDIN_FILENO) == 1;
	d->shows_answers = isatty(STDOUT_FILENO) == 1;
	d->output = d->shows_answers ? STDOUT_FILENO : STDERR_FILENO;
	d->shows_output = isatty(d->output) == 1;
	d->is_output_dumb = has_dumb_name();
	d->is_dumb = d->has_keys && (d->is_output_dumb || !d->shows_output);
	d->has_colors = d->shows_output && !d->is_output_dumb && !(no_color && *no_color);
	shared.mode = shared.wanted = DEVICE_COOKED;
	shared.interruptions = shared.ended = shared.continued = shared.resized = 0;
	shared.output = d->output;
	shared.has_keys = d->has_keys;
	shared.has_modes = d->has_keys && !d->is_dumb && prepare_modes();
	d->is_dumb = d->has_keys && !shared.has_modes;
	shared.is_open = true;
	(void)atexit(restore_at_exit);
	catch_signals();
}

void device_close(device *d)
{
	int i;

	device_set_mode(d, DEVICE_COOKED);
	for (i = 0; i < N_SIGNALS; i++)
		if (shared.is_caught[i])
			(void)sigaction(signals[i], &shared.before[i], NULL);
	shared.is_open = false;
}

static int read_number(const char *name, int otherwise)
{
	const char *text = getenv(name);
	int value = text ? atoi(text) : 0;

	return value > 0 && value < 10000 ? value : otherwise;
}

void device_size(const device *d, int *columns, int *rows)
{
	struct winsize size;

	*columns = *rows = 0;
	if (ioctl(d->output, TIOCGWINSZ, &size) == 0) {
		*columns = size.ws_col;
		*rows = size.ws_row;
	}
	if (*columns <= 0)
		*columns = read_number("COLUMNS", 80);
	if (*rows <= 0)
		*rows = read_number("LINES", 24);
}

/* ---- input and output ----------------------------------------------------------------------- */

/* Signals that came, in the order of their weight. */
static bool take_signal(device *d, device_event *event)
{
	if (shared.ended) {
		*event = DEVICE_ENDED;
	} else if (shared.interruptions) {
		shared.interruptions = 0;
		*event = DEVICE_INTERRUPTED;
	} else if (device_was_continued(d)) {
		*event = DEVICE_CONTINUED;
	} else if (device_was_resized(d)) {
		*event = DEVICE_RESIZED;
	} else {
		return false;
	}
	return true;
}

/* Signals are blocked but for the time that pselect waits, so that none comes between looking for
 * one and waiting. */
device_event device_wait(device *d, int timeout_ms)
{
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	device_event event = DEVICE_INPUT;
	sigset_t set, before;
	int ready = -1;

	fill_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	while (ready < 0 && !take_signal(d, &event)) {
		fd_set input;

		FD_ZERO(&input);
		FD_SET(STDIN_FILENO, &input);
		ready = pselect(STDIN_FILENO + 1, &input, NULL, NULL,
		                timeout_ms < 0 ? NULL : &timeout, &before);
		if (ready == 0)
			event = DEVICE_TIMEOUT;
		else if (ready < 0 && errno != EINTR)
			ready = 1; /* reading says what is wrong */
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return event;
}

size_t device_read(device *d, void *bytes, size_t n)
{
	ssize_t got;

	(void)d;
	do
		got = read(STDIN_FILENO, bytes, n);
	while (got < 0 && may_retry(STDIN_FILENO, false));
	return got > 0 ? (size_t)got : 0;
}

void device_write(void *user, const char *bytes, size_t n)
{
	device *d = user;

	write_all(d->output, bytes, n, &d->failed);
}

void device_write_answer(void *user, const char *bytes, size_t n)
{
	device *d = user;

	write_all(STDOUT_FILENO, bytes, n, &d->failed);
}
