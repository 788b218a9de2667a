/* job_queue.h - jobs that wait, and whose turn it is
 *
 * Clients take turns, whatever each of them sends at once. A client is whoever shows an API key or,
 * where no keys are set, an address; connections of one client take turns among themselves, since
 * behind one address (this machine's own, a proxy's) there may be several.
 */
#ifndef SERVE_JOB_QUEUE_H
#define SERVE_JOB_QUEUE_H

#include "runtime/serve/job.h"

/* A client or one of its connections, as long as it has jobs. */
typedef struct job_party {
	struct job_party *next, *of; /* of: the client; NULL: this is one */
	uint64_t id;
	uint32_t waiting, running;
	uint64_t began; /* when its last job began, or else the party: counted in jobs, twice */
} job_party;

/* Clients come first of whom fewest jobs run, then those whose last job began longest ago. A new
 * client comes before the one whose job began last, but behind all who have waited since before
 * that, so nobody waits for ever. Connections of a client in the same way, and jobs of a connection
 * in order of submission. */
typedef struct job_queue {
	job *first, **end;
	uint32_t n;
	job_party *parties;
	uint64_t count;
} job_queue;

void job_queue_open(job_queue *q);

/* Whether another job may wait where `most` are the rule. Those of one client may take all of that;
 * then each other client may still have an eighth of it, up to twice as many in all, and after that
 * one job. */
bool job_queue_has_room(const job_queue *q, const job_plan *plan, uint32_t most);

/* False: no memory. */
bool job_queue_add(job_queue *q, job *j);
void job_queue_remove(job_queue *q, job *j);
job *job_queue_take(job_queue *q); /* NULL: none. It counts as running until: */
void job_queue_end(job_queue *q, job *j);

#endif
