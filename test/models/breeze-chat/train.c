/* train.c - fine-tunes breeze on conversations
 *
 *     train check BREEZE                        the gradient against finite differences
 *     train perplexity MODEL IDS                of a text, as brise perplexity
 *     train run BREEZE DATA CHECKPOINT STEPS    begins, or continues a checkpoint
 *     train write CHECKPOINT MODEL.safetensors
 *
 * BREEZE and MODEL are folders with safetensors. DATA is what make_conversations.py writes. A step
 * takes the next GROUPS groups of whole sequences; each thread evaluates one group after another
 * and has a gradient of its own. Sums of gradients depend on which thread took which group, so two
 * runs differ in the last bits.
 *
 * SIGTERM ends the run behind the present step, with a checkpoint. The rate rises over WARM_UP
 * steps and falls to 0 over the last COOL_DOWN of all.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/models/breeze-chat/check.h"
#include "test/models/breeze-chat/groups.h"
#include "test/models/breeze-chat/model.h"
#include "test/models/breeze-chat/optimizer.h"
#include "test/models/breeze-chat/transformer.h"

#define THREADS      2
#define GROUPS       8
#define PEAK_RATE    5e-4
#define WARM_UP      100.0
#define COOL_DOWN    0.6
#define CLIP         1.0 /* largest norm of a step's gradient */
#define SAVE_SECONDS 240.0

typedef struct worker {
	struct run *run;
	size_t index;
	transformer *state;
	float *gradient;
	double loss, squares;
	size_t right;
} worker;

typedef struct run {
	training_state training;
	group groups[GROUPS];
	worker workers[THREADS];
	pthread_mutex_t lock;
	size_t next; /* group that no thread has taken */
	float scale, rate;
} run;

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *evaluate_groups(void *argument)
{
	worker *w = argument;
	run *r = w->run;
	size_t i;

	for (;;) {
		pthread_mutex_lock(&r->lock);
		i = r->next < GROUPS ? r->next++ : GROUPS;
		pthread_mutex_unlock(&r->lock);
		if (i == GROUPS)
			return NULL;
		w->loss += transformer_loss(w->state, r->training.parameters, r->groups[i].tokens,
		                            r->groups[i].targets, r->groups[i].begins,
		                            r->groups[i].n, w->gradient, &w->right);
	}
}

static size_t share(size_t index)
{
	return N_PARAMETERS / THREADS * index + (index == THREADS ? N_PARAMETERS % THREADS : 0);
}

/* Adds the threads' gradients of this thread's share of the parameters into the first one's. */
static void *sum_gradients(void *argument)
{
	worker *w = argument;
	float *sum = w->run->workers[0].gradient;
	size_t i, j;

	w->squares = 0.0;
	for (i = share(w->index); i < share(w->index + 1); i++) {
		for (j = 1; j < THREADS; j++) {
			sum[i] += w->run->workers[j].gradient[i];
			w->run->workers[j].gradient[i] = 0.0f;
		}
		w->squares += (double)sum[i] * (double)sum[i];
	}
	return NULL;
}

static void *update_share(void *argument)
{
	worker *w = argument;
	run *r = w->run;

	training_update(&r->training, r->workers[0].gradient, share(w->index), share(w->index + 1),
	                r->scale, r->rate);
	return NULL;
}

static bool in_threads(run *r, void *(*work)(void *))
{
	pthread_t threads[THREADS];
	size_t i, started;

	for (started = 1; started < THREADS; started++)
		if (pthread_create(&threads[started], NULL, work, &r->workers[started]))
			break;
	work(&r->workers[0]);
	for (i = 1; i < started; i++)
		pthread_join(threads[i], NULL);
	return started == THREADS;
}

static double rate_at(uint64_t step, uint64_t steps)
{
	double rise = (double)step / WARM_UP,
	       fall = (double)(steps - step + 1) / (COOL_DOWN * (double)steps);

	return PEAK_RATE * fmin(1.0, fmin(rise, fall));
}

typedef struct progress {
	double loss, since, norm;
	size_t right, targets, tokens;
} progress;

static bool take_step(run *r, const group_data *d, uint64_t steps, progress *p)
{
	size_t i, targets = 0;
	double squares = 0.0, norm;

	for (i = 0; i < GROUPS; i++) {
		if (!group_fill(&r->groups[i], d, &r->training.at))
			return false;
		targets += r->groups[i].n_targets;
		p->tokens += r->groups[i].n;
		r->training.tokens += r->groups[i].n;
	}
	r->next = 0;
	if (!in_threads(r, evaluate_groups) || !in_threads(r, sum_gradients))
		return false;
	for (i = 0; i < THREADS; i++) {
		squares += r->workers[i].squares;
		p->loss += r->workers[i].loss;
		p->right += r->workers[i].right;
		r->workers[i].loss = 0.0;
		r->workers[i].right = 0;
	}
	p->targets += targets;
	norm = sqrt(squares) / (double)targets;
	p->norm = fmax(p->norm, norm);
	r->scale = (float)(fmin(1.0, CLIP / norm) / (double)targets);
	r->training.step++;
	r->rate = (float)rate_at(r->training.step, steps);
	return in_threads(r, update_share);
}

static bool allocate_run(run *r)
{
	size_t i;

	if (!training_allocate(&r->training) || pthread_mutex_init(&r->lock, NULL))
		return false;
	for (i = 0; i < THREADS; i++) {
		r->workers[i].run = r;
		r->workers[i].index = i;
		r->workers[i].state = transformer_allocate(GROUP_MOST);
		r->workers[i].gradient = calloc(N_PARAMETERS, sizeof(float));
		if (!r->workers[i].state || !r->workers[i].gradient)
			return false;
	}
	return true;
}

static void report(const run *r, progress *p)
{
	double seconds = now() - p->since, targets = (double)p->targets;

	printf("step %llu loss %.4f right %.2f%% norm %.2f rate %.2e tokens %.2fM tokens/s %.0f\n",
	       (unsigned long long)r->training.step, p->loss / targets,
	       100.0 * (double)p->right / targets, p->norm, (double)r->rate,
	       (double)r->training.tokens * 1e-6, (double)p->tokens / seconds);
	fflush(stdout);
	*p = (progress){ .since = now() };
}

static bool train(const char *folder, const char *path, const char *checkpoint, uint64_t steps)
{
	run *r = calloc(1, sizeof *r);
	group_data d = { 0 };
	progress p = { .since = now() };
	double saved = now();
	FILE *file;
	bool ok = r && allocate_run(r) && group_read_data(path, &d);

	if (!ok)
		return false;
	file = fopen(checkpoint, "rb");
	if (file)
		fclose(file);
	ok = file ? training_load(&r->training, checkpoint)
	          : model_read_folder(folder, r->training.parameters);
	signal(SIGTERM, stop);
	while (ok && !stopped && r->training.step < steps) {
		ok = take_step(r, &d, steps, &p);
		if (r->training.step % 50 == 0)
			report(r, &p);
		if (ok && now() - saved > SAVE_SECONDS) {
			ok = training_save(&r->training, checkpoint);
			saved = now();
		}
	}
	return ok && training_save(&r->training, checkpoint);
}

static bool write_model(const char *checkpoint, const char *path)
{
	training_state s;

	return training_allocate(&s) && training_load(&s, checkpoint) &&
	       model_write(path, s.parameters);
}

static bool check(int argc, char **argv)
{
	float *parameters = calloc(N_PARAMETERS, sizeof *parameters);
	bool ok = parameters && model_read_folder(argv[2], parameters) &&
	          (argc == 3 ? check_gradient(parameters) : check_perplexity(parameters, argv[3]));

	free(parameters);
	return ok;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if ((argc == 3 && !strcmp(command, "check")) ||
	    (argc == 4 && !strcmp(command, "perplexity")))
		return check(argc, argv) ? 0 : 1;
	if (argc == 6 && !strcmp(command, "run"))
		return train(argv[2], argv[3], argv[4], strtoull(argv[5], NULL, 10)) ? 0 : 1;
	if (argc == 4 && !strcmp(command, "write"))
		return write_model(argv[2], argv[3]) ? 0 : 1;
	fprintf(stderr, "usage: train check BREEZE | perplexity MODEL IDS | "
	                "run BREEZE DATA CHECKPOINT STEPS | write CHECKPOINT MODEL.safetensors\n");
	return 2;
}
