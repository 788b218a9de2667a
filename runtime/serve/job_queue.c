/* job_queue.c - see job_queue.h
 *
 * Parties are looked for in a list: there are no more of them than jobs, which are few.
 */
#include "runtime/serve/job_queue.h"

#include "runtime/os/memory.h"

void job_queue_open(job_queue *q)
{
	*q = (job_queue){ .n = 0 };
	q->end = &q->first;
}

/* ---- parties -------------------------------------------------------------------------------- */

static uint64_t client_of(const job_plan *plan)
{
	return plan->who.key > 0 ? plan->who.key : plan->who.client;
}

static job_party *find_party(const job_queue *q, const job_party *of, uint64_t id)
{
	job_party *p = q->parties;

	while (p && (p->of != of || p->id != id))
		p = p->next;
	return p;
}

/* Counts are even where a job begins, so that a new party stands between the last two. */
static job_party *find_or_make_party(job_queue *q, job_party *of, uint64_t id)
{
	job_party *p = find_party(q, of, id);

	if (p || !(p = memory_new(1, sizeof *p)))
		return p;
	*p = (job_party){ q->parties, of, id, 0, 0, q->count > 0 ? q->count - 1 : 0 };
	return q->parties = p;
}

static void drop_party(job_queue *q, job_party *p)
{
	job_party **link = &q->parties;

	if (p->waiting > 0 || p->running > 0)
		return;
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	memory_free(p);
}

/* A job's parties have no others' jobs; the connection first, which points to the client. */
static void drop_parties(job_queue *q, job *j)
{
	job_party *client = j->party->of;

	drop_party(q, j->party);
	drop_party(q, client);
	j->party = NULL;
}

bool job_queue_has_room(const job_queue *q, const job_plan *plan, uint32_t most)
{
	const job_party *client = find_party(q, NULL, client_of(plan));
	uint32_t waiting = client ? client->waiting : 0;

	return q->n < most || waiting == 0 || (q->n / 2 < most && waiting < most / 8);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

bool job_queue_add(job_queue *q, job *j)
{
	job_party *client = find_or_make_party(q, NULL, client_of(&j->plan));

	if (!client)
		return false;
	if (!(j->party = find_or_make_party(q, client, j->plan.who.connection))) {
		drop_party(q, client);
		return false;
	}
	j->party->waiting++;
	client->waiting++;
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
	q->n++;
	return true;
}

static void unlink_job(job_queue *q, job **link)
{
	job *j = *link;

	j->party->waiting--;
	j->party->of->waiting--;
	if (!(*link = j->next))
		q->end = link;
	q->n--;
}

void job_queue_remove(job_queue *q, job *j)
{
	job **link = &q->first;

	while (*link && *link != j)
		link = &(*link)->next;
	if (!*link)
		return;
	unlink_job(q, link);
	drop_parties(q, j);
}

static bool comes_before(const job_party *a, const job_party *b)
{
	if (a->of != b->of)
		return comes_before(a->of, b->of);
	return a->running != b->running ? a->running < b->running : a->began < b->began;
}

job *job_queue_take(job_queue *q)
{
	job **best = &q->first, **link, *j;

	if (!q->first)
		return NULL;
	for (link = &q->first; *link; link = &(*link)->next)
		if (comes_before((*link)->party, (*best)->party))
			best = link;
	j = *best;
	unlink_job(q, best);
	q->count += 2;
	j->party->began = j->party->of->began = q->count;
	j->party->running++;
	j->party->of->running++;
	return j;
}

void job_queue_end(job_queue *q, job *j)
{
	j->party->running--;
	j->party->of->running--;
	drop_parties(q, j);
}
