/* print_serving.c - how long clients of a scheduler wait, with any model: to be run on a machine
 * that does nothing else
 *
 *     print_serving MODEL idle [ROUNDS]          first token of a fresh start, warm, and after
 * idling print_serving MODEL slice SLICE PROMPT     longest wait of a stream while a prompt is read
 *     print_serving MODEL streams N TOKENS       tokens per second of 1 and of N streams
 *     print_serving MODEL turn PROMPT            first token of a second turn of 20 tokens
 *     print_serving MODEL save PROMPT FOLDER     longest wait of a stream while a text goes to disk
 */
#include <inttypes.h>
#include <sys/resource.h>

#include "test/scheduling.h"

#define MOST_STREAMS 16u
#define MOST_PROMPT  16384u
#define SHORT        20u

static const char *path;
static brise_model *model;
static client clients[MOST_STREAMS + 1];
static int32_t prompts[MOST_STREAMS + 1][MOST_PROMPT];

static void fail(const char *what)
{
	fprintf(stderr, "print_serving: %s\n", what);
	exit(1);
}

static void make_prompt(int32_t *prompt, size_t n, uint64_t seed)
{
	uint32_t vocab = brise_get_model_facts(model)->vocab;
	size_t i;

	prompt[0] = 1;
	for (i = 1; i < n; i++)
		prompt[i] = (int32_t)(259 + random_next(&seed) % (vocab - 259));
}

static scheduler *start(scheduler_options o)
{
	brise_error err;
	scheduler *s;

	o.path = path;
	if (scheduler_new(&s, model, &o, &err) != BRISE_OK)
		fail(err.message);
	return s;
}

/* A client_event that measures waits between tokens: a model may have no tokenizer, and then there
 * are no pieces. */
static void take_event(void *user, const job_event *e)
{
	client *c = user;
	double now = os_clock();

	client_event(c, e);
	if (e->kind != JOB_TOKEN)
		return;
	if (now - c->last_piece > c->longest_wait)
		c->longest_wait = now - c->last_piece;
	c->last_piece = now;
}

/* Client i asks with a prompt of its own. */
static client *submit(scheduler *s, size_t i, size_t n, uint64_t limit, uint64_t seed)
{
	brise_error err;

	make_prompt(prompts[i], n, seed);
	client_init(&clients[i], prompts[i], n, limit, 1);
	clients[i].plan.ignores_ends = true;
	if (scheduler_submit(s, &clients[i].job, &clients[i].plan, take_event, &clients[i], &err) !=
	    BRISE_OK)
		fail(err.message);
	return &clients[i];
}

/* Waits until a client has n tokens or has ended. */
static void wait_for_tokens(scheduler *s, const client *c, size_t n)
{
	while (c->job && c->n_ids < n)
		scheduling_turn(s, 1000);
}

/* To the first token of a short prompt: page faults of the process, too. */
typedef struct first_token {
	double seconds;
	long faults, reads; /* reads: of them, from the disk */
} first_token;

static first_token time_first(scheduler *s, uint64_t seed)
{
	struct rusage before, after;
	double begin = os_clock();
	first_token result;
	client *c;

	(void)getrusage(RUSAGE_SELF, &before);
	c = submit(s, 0, SHORT, 1, seed);
	wait_for_tokens(s, c, 1);
	result.seconds = os_clock() - begin;
	(void)getrusage(RUSAGE_SELF, &after);
	result.faults = after.ru_minflt - before.ru_minflt;
	result.reads = after.ru_majflt - before.ru_majflt;
	(void)scheduling_finish(s, c, 1);
	return result;
}

static void open_model(void)
{
	brise_error err;

	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK)
		fail(err.message);
}

static void print_idle(unsigned rounds)
{
	scheduler_options o = { .places = 2, .idle_seconds = 0.3 };
	unsigned i;

	for (i = 0; i < rounds; i++) {
		double begin = os_clock();
		first_token first[5];
		scheduler *s;
		size_t k;

		brise_close_model(model);
		open_model();
		s = start(o);
		first[0] = time_first(s, 10 * i);
		first[0].seconds = os_clock() - begin;
		for (k = 1; k < 4; k++)
			first[k] = time_first(s, 10 * i + k);
		while (scheduler_get_state(s, NULL) != SCHEDULER_IDLE)
			scheduling_turn(s, 20);
		first[4] = time_first(s, 10 * i + 4);
		printf("start %.3f s (%ld faults, %ld reads), warm %.3f %.3f %.3f s, after idling "
		       "%.3f s (%ld faults, %ld reads)\n",
		       first[0].seconds, first[0].faults, first[0].reads, first[1].seconds,
		       first[2].seconds, first[3].seconds, first[4].seconds, first[4].faults,
		       first[4].reads);
		(void)fflush(stdout);
		scheduler_free(s);
	}
}

/* The time between two tokens of a stream: without others, and the longest while a prompt is read.
 */
static void print_slice(uint32_t slice, size_t n)
{
	scheduler_options o = { .places = 2, .slice = slice };
	scheduler *s = start(o);
	client *c = submit(s, 0, SHORT, 1000000, 1), *reads;
	double begin, alone;

	wait_for_tokens(s, c, 6);
	c->longest_wait = 0;
	begin = os_clock();
	wait_for_tokens(s, c, 16);
	alone = (os_clock() - begin) / 10;
	c->longest_wait = 0;
	begin = os_clock();
	reads = submit(s, 1, n, 1, 2);
	wait_for_tokens(s, reads, 1);
	printf("slice %" PRIu32 ", prompt %zu: read in %.2f s, a token of the stream every %.3f s "
	       "alone, longest wait %.3f s\n",
	       slice, n, os_clock() - begin, alone, c->longest_wait);
	scheduler_cancel(c->job);
	scheduler_free(s);
}

static double time_streams(uint32_t n, size_t tokens)
{
	scheduler_options o = { .places = n };
	scheduler *s = start(o);
	double begin;
	size_t i, before = 0, after = 0;

	for (i = 0; i < n; i++)
		(void)submit(s, i, SHORT, 1000000, i);
	for (i = 0; i < n; i++)
		wait_for_tokens(s, &clients[i], 5);
	for (i = 0; i < n; i++)
		before += clients[i].n_ids;
	begin = os_clock();
	wait_for_tokens(s, &clients[0], clients[0].n_ids + tokens);
	begin = os_clock() - begin;
	for (i = 0; i < n; i++) {
		after += clients[i].n_ids;
		scheduler_cancel(clients[i].job);
	}
	scheduler_free(s);
	return (double)(after - before) / begin;
}

static void print_streams(uint32_t n, size_t tokens)
{
	double one = time_streams(1, tokens), many = time_streams(n, tokens);

	printf("1 stream %.2f tokens/s, %" PRIu32 " streams %.2f tokens/s: %.2f times\n", one, n,
	       many, many / one);
}

static void print_turn(size_t n)
{
	scheduler_options o = { .places = 2 };
	scheduler *s = start(o);
	double begin = os_clock(), first;
	client *c = submit(s, 0, n, 8, 1);
	brise_error err;

	wait_for_tokens(s, c, 1);
	first = os_clock() - begin;
	(void)scheduling_finish(s, c, 1);
	memcpy(prompts[1], prompts[0], n * sizeof *prompts[1]);
	memcpy(prompts[1] + n, c->ids, 8 * sizeof *c->ids);
	make_prompt(prompts[1] + n + 8, SHORT, 2);
	client_init(&clients[1], prompts[1], n + 8 + SHORT, 1, 1);
	begin = os_clock();
	if (client_submit(&clients[1], s, &err) != BRISE_OK)
		fail(err.message);
	wait_for_tokens(s, &clients[1], 1);
	printf("prompt %zu: first token after %.3f s; second turn of %u tokens: %.3f s, %zu kept\n",
	       n, first, SHORT, os_clock() - begin, clients[1].last.n_kept);
	scheduler_free(s);
}

/* A long text leaves its place for another one. */
static void print_save(size_t n, const char *folder)
{
	scheduler_options o = { .places = 2, .cache = folder, .cache_bytes = (uint64_t)4 << 30 };
	scheduler *s = start(o);
	client *c, *other = submit(s, 1, n, 1, 3);
	double begin, alone;

	(void)scheduling_finish(s, other, 1);
	c = submit(s, 0, SHORT, 1000000, 1);
	wait_for_tokens(s, c, 6);
	begin = os_clock();
	wait_for_tokens(s, c, 16);
	alone = (os_clock() - begin) / 10;
	c->longest_wait = 0;
	begin = os_clock();
	other = submit(s, 1, SHORT, 1, 4);
	wait_for_tokens(s, other, 1);
	begin = os_clock() - begin;
	wait_for_tokens(s, c, c->n_ids + 10);
	printf("a text of %zu tokens left: the next job's first token after %.3f s; a token of the "
	       "stream every %.3f s alone, longest wait %.3f s\n",
	       n, begin, alone, c->longest_wait);
	scheduler_cancel(c->job);
	scheduler_free(s);
}

static size_t read_number(int argc, char **argv, int i, size_t otherwise, size_t most)
{
	size_t n = i < argc ? (size_t)strtoul(argv[i], NULL, 10) : otherwise;

	if (n == 0 || n > most)
		fail("a number is out of range");
	return n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	if (argc < 3)
		fail("MODEL idle|slice|streams|turn|save ...");
	path = argv[1];
	open_model();
	if (!strcmp(what, "idle"))
		print_idle((unsigned)read_number(argc, argv, 3, 5, 1000));
	else if (!strcmp(what, "slice"))
		print_slice((uint32_t)read_number(argc, argv, 3, 64, 4096),
		            read_number(argc, argv, 4, 2000, MOST_PROMPT));
	else if (!strcmp(what, "streams"))
		print_streams((uint32_t)read_number(argc, argv, 3, 4, MOST_STREAMS),
		              read_number(argc, argv, 4, 50, 500));
	else if (!strcmp(what, "turn"))
		print_turn(read_number(argc, argv, 3, 3000, MOST_PROMPT - 100));
	else if (!strcmp(what, "save") && argc > 4)
		print_save(read_number(argc, argv, 3, 3000, MOST_PROMPT), argv[4]);
	else
		fail("MODEL idle|slice|streams|turn|save ...");
	brise_close_model(model);
	return 0;
}
