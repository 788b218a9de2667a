/* test_job_queue.c - clients take turns, connections of a client too, and one that sends very much
 * neither keeps others waiting nor out */
#include "runtime/serve/job_queue.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "test/check.h"
#include "test/random.h"

#define MOST 400u

/* Jobs that only have an asker. */
static job jobs[MOST];

static job *add(check_counts *counts, job_queue *q, size_t i, size_t key, uint64_t client,
                uint64_t connection)
{
	memset(&jobs[i], 0, sizeof jobs[i]);
	jobs[i].plan.who = (asker){ key, client, connection };
	CHECK(counts, job_queue_add(q, &jobs[i]), "memory");
	return &jobs[i];
}

/* Takes and ends all: their order, as letters of clients. */
static void run_all(job_queue *q, char *order)
{
	job *j;

	while ((j = job_queue_take(q))) {
		*order++ = (char)('a' + j->plan.who.client + 10 * j->plan.who.connection);
		job_queue_end(q, j);
	}
	*order = 0;
}

static void check_empty(check_counts *counts, const job_queue *q)
{
	CHECK(counts, q->n == 0 && !q->first && q->end == &q->first && !q->parties,
	      "%u jobs, or parties, are left", q->n);
}

static void test_clients_take_turns(check_counts *counts)
{
	static const uint64_t clients[] = { 1, 1, 1, 1, 2, 2, 3 };
	char order[16];
	job_queue q;
	size_t i;

	job_queue_open(&q);
	for (i = 0; i < 7; i++)
		add(counts, &q, i, 0, clients[i], 0);
	run_all(&q, order);
	CHECK(counts, !strcmp(order, "bcdbcbb"), "%s", order);
	check_empty(counts, &q);
}

/* Whose jobs run already comes after those of whom none does. */
static void test_fewest_running_come_first(check_counts *counts)
{
	job_queue q;
	job *a, *b, *other;

	job_queue_open(&q);
	add(counts, &q, 0, 1, 0, 0);
	add(counts, &q, 1, 1, 0, 0);
	a = job_queue_take(&q);
	add(counts, &q, 2, 2, 0, 0);
	other = job_queue_take(&q);
	CHECK(counts, a == &jobs[0] && other == &jobs[2], "the one of whom none runs");
	b = job_queue_take(&q);
	CHECK(counts, b == &jobs[1] && !job_queue_take(&q), "the rest");
	job_queue_end(&q, a);
	job_queue_end(&q, b);
	job_queue_end(&q, other);
	check_empty(counts, &q);
}

/* Clients and connections with the same numbers are no matter where keys tell who asks. */
static void test_connections_of_a_client_take_turns(check_counts *counts)
{
	char order[16];
	job_queue q;
	size_t i;

	job_queue_open(&q);
	for (i = 0; i < 4; i++)
		add(counts, &q, i, 0, 0, 0);
	add(counts, &q, 4, 0, 0, 1);
	add(counts, &q, 5, 0, 1, 0);
	run_all(&q, order);
	CHECK(counts, !strcmp(order, "abkaaa"), "%s", order);
	check_empty(counts, &q);
	for (i = 0; i < 4; i++)
		add(counts, &q, i, 7, i, 0);
	add(counts, &q, 4, 8, 9, 0);
	run_all(&q, order);
	CHECK(counts, !strcmp(order, "ajbcd"), "by key: %s", order);
	check_empty(counts, &q);
}

/* A new client waits for one job at most, however many are there. */
static void test_new_client_comes_next(check_counts *counts)
{
	job_queue q;
	size_t i;
	job *j;

	job_queue_open(&q);
	for (i = 0; i < 100; i++)
		add(counts, &q, i, 0, 1, i);
	for (i = 0; i < 10; i++) {
		j = job_queue_take(&q);
		add(counts, &q, 100 + i, 0, 2, 1000);
		job_queue_end(&q, j);
		j = job_queue_take(&q);
		CHECK(counts, j == &jobs[100 + i], "turn %zu", i);
		job_queue_end(&q, j);
	}
	while ((j = job_queue_take(&q)))
		job_queue_end(&q, j);
	check_empty(counts, &q);
}

/* Two that come again as soon as they have been answered do not pass a third over and over. */
static void test_who_comes_again_waits_for_the_others(check_counts *counts)
{
	unsigned served[4] = { 0 };
	job_queue q;
	size_t i;
	job *j;

	job_queue_open(&q);
	for (i = 0; i < 100; i++)
		add(counts, &q, i, 0, 1, i);
	add(counts, &q, 100, 0, 2, 0);
	add(counts, &q, 101, 0, 3, 0);
	for (i = 102; i < 352; i++) {
		j = job_queue_take(&q);
		served[j->plan.who.client]++;
		job_queue_end(&q, j);
		if (j->plan.who.client > 1)
			add(counts, &q, i, 0, j->plan.who.client, i);
	}
	CHECK(counts, served[1] >= 83 && served[2] >= 83 && served[3] >= 83, "%u, %u and %u jobs",
	      served[1], served[2], served[3]);
	while ((j = job_queue_take(&q)))
		job_queue_end(&q, j);
	check_empty(counts, &q);
}

/* At random, with several places: while a client waits and has no job that runs, no other begins
 * more than one, but those that had begun none when it came. */
static void test_nobody_is_passed_twice(check_counts *counts)
{
	uint64_t seed = 7;
	unsigned passed[5][5] = { { 0 } }, waiting[5] = { 0 }, running[5] = { 0 }, worst = 0;
	job *places[3] = { NULL };
	job_queue q;
	size_t i, turn, a, b;

	job_queue_open(&q);
	for (turn = i = 0; i < MOST - 1; turn++) {
		size_t p = random_next(&seed) % 3;

		a = random_next(&seed) % 7;
		a = a > 4 ? 0 : a; /* one sends more than the others */
		if (random_next(&seed) % 2) {
			add(counts, &q, i++, 0, a, random_next(&seed) % 3);
			if (waiting[a]++ == 0)
				memset(passed[a], 0, sizeof passed[a]);
		}
		if (places[p]) {
			running[places[p]->plan.who.client]--;
			job_queue_end(&q, places[p]);
		}
		if (!(places[p] = job_queue_take(&q)))
			continue;
		b = (size_t)places[p]->plan.who.client;
		waiting[b]--;
		running[b]++;
		memset(passed[b], 0, sizeof passed[b]);
		for (a = 0; a < 5; a++)
			if (a != b && waiting[a] > 0 && running[a] == 0 && ++passed[a][b] > worst)
				worst = passed[a][b];
	}
	CHECK(counts, worst <= 2, "a client was passed %u times by another", worst);
	for (i = 0; i < 3; i++)
		if (places[i])
			job_queue_end(&q, places[i]);
	while ((places[0] = job_queue_take(&q)))
		job_queue_end(&q, places[0]);
	check_empty(counts, &q);
}

static size_t fill(check_counts *counts, job_queue *q, size_t *n, uint64_t client, uint32_t most)
{
	job_plan plan = { .who = { 0, client, 0 } };
	size_t begin = *n;

	for (; *n < MOST && job_queue_has_room(q, &plan, most); ++*n)
		add(counts, q, *n, 0, client, *n);
	return *n - begin;
}

static void test_a_full_queue_has_room_for_others(check_counts *counts)
{
	size_t n = 0, i;
	job_queue q;
	job *j;

	job_queue_open(&q);
	CHECK(counts, fill(counts, &q, &n, 1, 64) == 64, "all of it for one client");
	for (i = 2; i < 10; i++)
		CHECK(counts, fill(counts, &q, &n, i, 64) == 8, "a share of it for client %zu", i);
	CHECK(counts, fill(counts, &q, &n, 10, 64) == 1 && fill(counts, &q, &n, 11, 64) == 1,
	      "one job for further ones");
	CHECK(counts, fill(counts, &q, &n, 1, 64) == 0 && fill(counts, &q, &n, 2, 64) == 0,
	      "no more for those");
	for (i = 0; (j = job_queue_take(&q)); i++)
		job_queue_end(&q, j);
	CHECK(counts, i == n, "%zu of %zu jobs", i, n);
	n = 0;
	CHECK(counts, fill(counts, &q, &n, 1, 1) == 1 && fill(counts, &q, &n, 2, 1) == 1,
	      "a queue of one");
	while ((j = job_queue_take(&q)))
		job_queue_end(&q, j);
	check_empty(counts, &q);
}

static void test_removed_jobs_leave_nothing(check_counts *counts)
{
	job_queue q;
	size_t i;
	job *j;

	job_queue_open(&q);
	for (i = 0; i < 6; i++)
		add(counts, &q, i, 0, i / 2, 0);
	job_queue_remove(&q, &jobs[5]);
	job_queue_remove(&q, &jobs[0]);
	job_queue_remove(&q, &jobs[1]);
	j = job_queue_take(&q);
	CHECK(counts, j == &jobs[2], "the oldest that is left");
	job_queue_remove(&q, &jobs[4]);
	job_queue_end(&q, j);
	j = job_queue_take(&q);
	CHECK(counts, j == &jobs[3] && q.n == 0, "the last");
	job_queue_end(&q, j);
	check_empty(counts, &q);
	for (i = 0; i < 2; i++)
		add(counts, &q, i, 0, 0, 0);
	job_queue_remove(&q, &jobs[1]);
	job_queue_remove(&q, &jobs[0]);
	check_empty(counts, &q);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_clients_take_turns(&counts));
	RUN(test_fewest_running_come_first(&counts));
	RUN(test_connections_of_a_client_take_turns(&counts));
	RUN(test_new_client_comes_next(&counts));
	RUN(test_who_comes_again_waits_for_the_others(&counts));
	RUN(test_nobody_is_passed_twice(&counts));
	RUN(test_a_full_queue_has_room_for_others(&counts));
	RUN(test_removed_jobs_leave_nothing(&counts));
	return check_report("job_queue", &counts);
}
