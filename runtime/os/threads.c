/* threads.c - the worker pool
 *
 * One 64-bit gate holds everything that workers and caller must agree on: the number of the loop
 * (upper half), whether it is closed to further workers, and how many workers are inside. A worker
 * enters by compare-and-swap, takes slices from a shared counter, and leaves. The caller works too;
 * when no slice is left it closes the gate and waits only for those inside. So a worker that the
 * system has not woken yet, or has interrupted outside a slice, delays nothing.
 *
 * Idle workers watch the gate for about a tenth of a millisecond (matrices follow each other faster
 * than a sleeper wakes), then sleep on a condition variable: between calls no processor is kept
 * busy.
 */
#include "runtime/os/threads.h"

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/error.h"
#include "runtime/os/cores.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define GATE_CLOSED ((uint64_t)1 << 31)
#define GATE_INSIDE (GATE_CLOSED - 1)
#define GATE_LOOP   ((uint64_t)1 << 32)

#define SPIN_NS      100000
#define SPINS_A_LOOK 64 /* reads of the gate between reads of the clock */
/* Every thread's share of what is left is cut into so many slices: a core up to 6 times slower than
 * the others delays them by one small slice at most. */
#define PIECES_A_THREAD 6

struct pool {
	_Atomic uint64_t gate;
	char pad[56]; /* gate and counter are written by different cores at different times */
	_Atomic size_t next;
	pool_fn *fn;
	void *job;
	size_t items, grain;
	atomic_uint sleepers;
	atomic_bool stop;
	os_monitor *monitor; /* where idle workers sleep */
	unsigned n_workers;  /* besides the caller */
	struct worker {
		pool *owner;
		unsigned index;
		os_thread *thread;
	} workers[];
};

unsigned threads_available(void)
{
	cores_facts facts;

	cores_read(&facts, "");
	return facts.chosen > THREADS_MAX ? THREADS_MAX : facts.chosen;
}

/* Slices shrink with what is left, whole grains first, single items at the very end: a core a few
 * times slower than the others delays them by one small slice at most (guided self-scheduling:
 * Polychronopoulos and Kuck, IEEE Transactions on Computers C-36, 1987). */
static size_t slice_size(const pool *p, size_t left)
{
	size_t threads = p->n_workers + 1,
	       large = left / (PIECES_A_THREAD * threads) / p->grain * p->grain,
	       small = left / (2 * threads);

	if (large > 0)
		return large;
	return small >= p->grain ? p->grain : small > 0 ? small : 1;
}

static void take_slices(pool *p, unsigned worker)
{
	size_t first = atomic_load_explicit(&p->next, memory_order_relaxed);

	while (first < p->items) {
		size_t size = slice_size(p, p->items - first);

		if (atomic_compare_exchange_weak_explicit(&p->next, &first, first + size,
		                                          memory_order_relaxed,
		                                          memory_order_relaxed)) {
			p->fn(p->job, worker, first, first + size);
			first = atomic_load_explicit(&p->next, memory_order_relaxed);
		}
	}
}

static bool gate_news(uint64_t gate, uint64_t seen)
{
	return gate >> 32 != seen >> 32 && !(gate & GATE_CLOSED);
}

/* Returns once the gate shows an open loop after `seen`, or the pool stops. */
static void wait_for_loop(pool *p, uint64_t seen)
{
	int64_t until = os_clock_ns() + SPIN_NS;
	unsigned spins = 0;

	do {
		if (gate_news(atomic_load_explicit(&p->gate, memory_order_acquire), seen) ||
		    atomic_load(&p->stop))
			return;
		if (++spins % SPINS_A_LOOK == 0)
			os_yield();
	} while (spins % SPINS_A_LOOK != 0 || os_clock_ns() < until);
	os_lock(p->monitor);
	atomic_fetch_add(&p->sleepers, 1);
	while (!gate_news(atomic_load(&p->gate), seen) && !atomic_load(&p->stop))
		os_wait(p->monitor);
	atomic_fetch_sub(&p->sleepers, 1);
	os_unlock(p->monitor);
}

static void worker_main(void *argument)
{
	struct worker *me = argument;
	pool *p = me->owner;
	uint64_t seen = 0;

	for (;;) {
		uint64_t gate;

		wait_for_loop(p, seen);
		if (atomic_load(&p->stop))
			return;
		gate = atomic_load(&p->gate);
		while (gate_news(gate, seen))
			if (atomic_compare_exchange_weak(&p->gate, &gate, gate + 1)) {
				seen = gate;
				take_slices(p, me->index);
				atomic_fetch_sub_explicit(&p->gate, 1, memory_order_release);
				break;
			}
	}
}

void pool_run(pool *p, pool_fn *fn, void *job, size_t items, size_t grain)
{
	unsigned spins = 0;

	if (grain == 0)
		grain = 1;
	if (p->n_workers == 0 || items <= grain) {
		if (items > 0)
			fn(job, 0, 0, items);
		return;
	}
	p->fn = fn;
	p->job = job;
	p->items = items;
	p->grain = grain;
	atomic_store_explicit(&p->next, 0, memory_order_relaxed);
	atomic_store(&p->gate, (atomic_load_explicit(&p->gate, memory_order_relaxed) >> 32 << 32) +
	                               GATE_LOOP);
	if (atomic_load(&p->sleepers) > 0)
		os_wake_all(p->monitor);
	take_slices(p, 0);
	atomic_fetch_or(&p->gate, GATE_CLOSED);
	while (atomic_load_explicit(&p->gate, memory_order_acquire) & GATE_INSIDE)
		if (++spins % SPINS_A_LOOK == 0)
			os_yield();
}

/* Starts as many as the system allows. */
static void start_workers(pool *p, unsigned n)
{
	for (; p->n_workers < n; p->n_workers++) {
		struct worker *w = &p->workers[p->n_workers];

		w->owner = p;
		w->index = p->n_workers + 1;
		w->thread = os_start_thread(worker_main, w);
		if (!w->thread)
			return;
	}
}

brise_status pool_new(pool **out, unsigned threads, brise_error *err)
{
	pool *p = memory_new(1, sizeof *p + (threads - 1) * sizeof *p->workers);

	*out = NULL;
	if (p)
		p->monitor = os_new_monitor();
	if (!p || !p->monitor) {
		memory_free(p);
		return error_set(err, BRISE_ENOMEM, "no memory for a pool of %u threads", threads);
	}
	atomic_store(&p->gate, GATE_CLOSED);
	start_workers(p, threads - 1);
	*out = p;
	return BRISE_OK;
}

/* In a process made by fork the workers do not exist: waking does nothing there, and joining
 * frees. */
void pool_free(pool *p)
{
	unsigned i;

	if (!p)
		return;
	atomic_store(&p->stop, true);
	if (p->n_workers > 0)
		os_wake_all(p->monitor);
	for (i = 0; i < p->n_workers; i++)
		os_join_thread(p->workers[i].thread);
	os_free_monitor(p->monitor);
	memory_free(p);
}

void pool_count(unsigned threads, uint64_t *needed)
{
	memory_count(needed, 1, sizeof(pool) + (threads - 1) * sizeof(struct worker));
}

unsigned pool_threads(const pool *p)
{
	return p->n_workers + 1;
}
