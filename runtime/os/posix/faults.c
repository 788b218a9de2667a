/* faults.c - reads of mapped pages that fail become a flag instead of the end of the process
 *
 * A signal handler reaches nothing but static variables, so this file has some: the library's only
 * ones. Guards are slots of a fixed table that the handler searches without locks; everything else
 * happens under a mutex. mmap is not on POSIX's list of functions that a handler may call, but on
 * every system it is a plain system call that takes no lock of the process.
 */
#include "runtime/os/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#if !defined(MAP_ANONYMOUS) && defined(MAP_ANON)
#define MAP_ANONYMOUS MAP_ANON
#endif

#define GUARDS_MAX 256

typedef struct guard_slot {
	_Atomic uintptr_t first, end; /* end 0: free */
	atomic_bool writable, hit;    /* hit: some of it is zeros */
	atomic_uint count;
} guard_slot;

static guard_slot guards[GUARDS_MAX];
static pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;
static unsigned n_guards;
static struct sigaction before; /* the handler that was there when ours was installed */

/* Replaces what is left of the mapping by pages of zeros: a file that became shorter lacks all of
 * it, and one fault for each page of a large file would take minutes. */
static bool absorb(uintptr_t address)
{
	int i;

	for (i = 0; i < GUARDS_MAX; i++) {
		uintptr_t end = atomic_load(&guards[i].end), first = atomic_load(&guards[i].first);

		if (end == 0 || address < first || address >= end)
			continue;
		atomic_store(&guards[i].hit, true);
		atomic_fetch_add(&guards[i].count, 1);
		address -= address % os_page_bytes();
		return mmap((void *)address, end - address,
		            PROT_READ | (atomic_load(&guards[i].writable) ? PROT_WRITE : 0),
		            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
	}
	return false;
}

/* A fault that is not ours. With the default action restored, the instruction faults again and ends
 * the process as it would without this handler; a signal sent by a process is raised again. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	struct sigaction standard;

	if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) {
		before.sa_sigaction(number, info, context);
		return;
	}
	if (before.sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(number);
		return;
	}
	memset(&standard, 0, sizeof standard);
	standard.sa_handler = SIG_DFL;
	(void)sigaction(number, &standard, NULL);
	if (info->si_code <= 0)
		(void)raise(number);
}

static void handle(int number, siginfo_t *info, void *context)
{
	/* si_code above 0: the kernel's own, so si_addr holds. */
	if (info->si_code <= 0 || !absorb((uintptr_t)info->si_addr))
		pass_on(number, info, context);
}

static void install(void)
{
	struct sigaction ours;

	memset(&ours, 0, sizeof ours);
	ours.sa_sigaction = handle;
	ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	(void)sigemptyset(&ours.sa_mask);
	(void)sigaction(SIGBUS, NULL, &before);
	(void)sigaction(SIGBUS, &ours, NULL);
}

/* A handler that was installed after ours may call ours, so ours is not removed then. */
static void restore(void)
{
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
	    now.sa_sigaction == handle)
		(void)sigaction(SIGBUS, &before, NULL);
}

int os_guard(const void *bytes, size_t size, bool writable)
{
	int slot = 0;

	(void)pthread_mutex_lock(&change);
	while (slot < GUARDS_MAX && atomic_load(&guards[slot].end) != 0)
		slot++;
	if (slot < GUARDS_MAX && size > 0) {
		if (n_guards++ == 0)
			install();
		atomic_store(&guards[slot].hit, false);
		atomic_store(&guards[slot].count, 0);
		atomic_store(&guards[slot].writable, writable);
		atomic_store(&guards[slot].first, (uintptr_t)bytes);
		atomic_store(&guards[slot].end, (uintptr_t)bytes + size);
	} else {
		slot = -1;
	}
	(void)pthread_mutex_unlock(&change);
	return slot;
}

bool os_guard_hit(int guard)
{
	return guard >= 0 && atomic_load_explicit(&guards[guard].hit, memory_order_relaxed);
}

unsigned os_guard_count(int guard)
{
	return guard < 0 ? 0 : atomic_load_explicit(&guards[guard].count, memory_order_relaxed);
}

bool os_guard_restore(int guard, int file)
{
	bool restored = true;

	if (guard < 0)
		return true;
	(void)pthread_mutex_lock(&change);
	if (atomic_load(&guards[guard].hit)) {
		uintptr_t first = atomic_load(&guards[guard].first);

		/* Before the pages: a fault from now on is another. */
		atomic_store(&guards[guard].hit, false);
		restored = mmap((void *)first, atomic_load(&guards[guard].end) - first,
		                PROT_READ | (atomic_load(&guards[guard].writable) ? PROT_WRITE : 0),
		                MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED;
		if (!restored)
			atomic_store(&guards[guard].hit, true);
	}
	(void)pthread_mutex_unlock(&change);
	return restored;
}

void os_unguard(int guard)
{
	if (guard < 0)
		return;
	(void)pthread_mutex_lock(&change);
	atomic_store(&guards[guard].end, 0);
	if (--n_guards == 0)
		restore();
	(void)pthread_mutex_unlock(&change);
}
