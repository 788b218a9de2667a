/* test_sockets.c - waiting for sockets goes on without memory */
#include "runtime/os/sockets.h"

#include <unistd.h>

#include "test/check.h"
#include "test/failing_heap.h"

#define WAITS 200u /* more than are waited for without memory of their own */

static check_counts counts;

/* A server that ends because one list could not be had would lose all its clients. */
static void test_waiting_needs_no_memory(void)
{
	socket_wait waits[WAITS];
	int ends[2];
	size_t i;

	if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
		return;
	for (i = 0; i < WAITS; i++)
		waits[i] = (socket_wait){ ends[0], SOCKET_READABLE, -1 };
	CHECK(&counts,
	      socket_poll(waits, WAITS, -1) && waits[WAITS - 1].happened == SOCKET_READABLE,
	      "with memory");
	for (i = 0; i < WAITS; i++)
		waits[i].happened = -1;
	fail_request(1);
	CHECK(&counts, socket_poll(waits, WAITS, -1), "without memory");
	fail_request(0);
	CHECK(&counts, waits[0].happened == SOCKET_READABLE, "the first");
	CHECK(&counts, waits[WAITS - 1].happened == 0, "the last: %d", waits[WAITS - 1].happened);
	for (i = 0; i < WAITS; i++)
		waits[i] = (socket_wait){ i < WAITS - 1 ? -1 : ends[0], SOCKET_READABLE, -1 };
	fail_request(1);
	CHECK(&counts, socket_poll(waits, WAITS, -1), "nothing among the first: it must return");
	fail_request(0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(test_waiting_needs_no_memory());
	return check_report("sockets", &counts);
}
