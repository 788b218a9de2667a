/* scratch.h - folders for a test program's files, removed when it ends
 *
 * Also when it ends by exit in the middle or by a signal that can be caught. test/run.sh gives each
 * program a TMPDIR of its own, fails it if anything is left there, and removes what is.
 */
#ifndef TEST_SCRATCH_H
#define TEST_SCRATCH_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH_MAX 64u

static char scratch_paths[SCRATCH_MAX][512];
static unsigned scratch_n;
static pid_t scratch_owner; /* a child of fork ends without removing anything */

/* Calls only what a signal handler may call. */
static inline void scratch_remove(void)
{
	unsigned i;
	pid_t child;

	for (i = 0; i < scratch_n && getpid() == scratch_owner; i++) {
		if (access(scratch_paths[i], F_OK) != 0)
			continue;
		child = fork();
		if (child == 0) {
			(void)execlp("rm", "rm", "-rf", "--", scratch_paths[i], (char *)NULL);
			_exit(1);
		}
		if (child > 0)
			(void)waitpid(child, NULL, 0);
	}
}

static inline void scratch_end_by_signal(int number)
{
	scratch_remove();
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

/* Makes an empty folder with a unique name below TMPDIR; path [bytes]. Ends the program if it
 * cannot be made. */
static inline void scratch_folder(char *path, size_t bytes)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGABRT };
	const char *base = getenv("TMPDIR");
	size_t i;

	(void)snprintf(path, bytes, "%s/brise-XXXXXX", base && *base ? base : "/tmp");
	if (scratch_n == SCRATCH_MAX || strlen(path) >= sizeof scratch_paths[0] || !mkdtemp(path)) {
		perror(path);
		exit(1);
	}
	(void)strcpy(scratch_paths[scratch_n], path);
	if (scratch_n++ == 0) {
		scratch_owner = getpid();
		(void)atexit(scratch_remove);
		for (i = 0; i < sizeof signals / sizeof *signals; i++)
			(void)signal(signals[i], scratch_end_by_signal);
	}
}

#endif
