/* threads.h - a pool that runs loops: threads take items slice by slice, so unequal cores finish
 * together */
#ifndef RUNTIME_THREADS_H
#define RUNTIME_THREADS_H

#include <stddef.h>

#include "runtime/brise.h"

#define THREADS_MAX 256u

typedef struct pool pool;

/* Works on items [first, end); worker is in [0, threads). */
typedef void pool_fn(void *job, unsigned worker, size_t first, size_t end);

/* Threads that suit this process: see runtime/os/cores.h. */
unsigned threads_available(void);

/* threads in 1..THREADS_MAX, the caller's included. Where the system starts no more threads, the
 * pool has those that did start. Errors: BRISE_ENOMEM.
 *
 * After fork the child's copy of a pool has no workers: pool_run does all work on its caller, and
 * pool_free frees. The fork must not happen during pool_run. */
brise_status pool_new(pool **out, unsigned threads, brise_error *err);
void pool_free(pool *p);

/* Adds what the pool takes of runtime/os/heap.h to *needed; threads have memory of the system's. */
void pool_count(unsigned threads, uint64_t *needed);

/* How many run, the caller included. */
unsigned pool_threads(const pool *p);

/* Calls fn on slices of the items until all are done, and returns then. Slices are multiples of
 * `grain` items but for the last few. One caller at a time. */
void pool_run(pool *p, pool_fn *fn, void *job, size_t items, size_t grain);

#endif
