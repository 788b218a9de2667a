/* board.c - one core and no clock
 *
 * A board with several cores or a timer has a file of its own in place of this one: `make firmware
 * BOARD=FILE`. runtime/os/os.h says what the functions must do.
 */
#include "runtime/os/cores.h"
#include "runtime/os/os.h"

/* How many threads an engine has unless its options say so. */
void cores_read(cores_facts *facts, const char *root)
{
	(void)root;
	*facts = (cores_facts){ .allowed = 1, .physical = 1, .fast = 1, .chosen = 1 };
}

/* A pool without threads runs its loops on the caller, as one does that could start none. */
os_thread *os_start_thread(os_thread_fn *run, void *argument)
{
	(void)run, (void)argument;
	return NULL;
}

void os_join_thread(os_thread *thread)
{
	(void)thread;
}

void os_yield(void)
{
}

/* Where there is one thread a lock is always free. */
struct os_monitor {
	char nothing;
};

/* Holds nothing; its address is needed, since NULL would mean no memory. */
os_monitor *os_new_monitor(void)
{
	static const os_monitor one = { 0 };

	return (os_monitor *)(uintptr_t)&one;
}

void os_free_monitor(os_monitor *monitor)
{
	(void)monitor;
}

void os_lock(os_monitor *monitor)
{
	(void)monitor;
}

void os_unlock(os_monitor *monitor)
{
	(void)monitor;
}

void os_wait(os_monitor *monitor)
{
	(void)monitor;
}

void os_wait_for(os_monitor *monitor, double seconds)
{
	(void)monitor;
	(void)seconds;
}

void os_wake_all(os_monitor *monitor)
{
	(void)monitor;
}

int64_t os_clock_ns(void)
{
	return 0;
}
