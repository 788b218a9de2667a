/* test_memory.c - memory that runs out, at every single allocation of the library
 *
 * The n-th request fails (test/failing_heap.h). Whatever n is, the function at hand returns
 * BRISE_ENOMEM, nothing is lost, and nothing is used after it was freed, which the sanitizers see.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "test/check.h"
#include "test/failing_heap.h"
#include "test/small_model.h"

/* ---- the whole library in use --------------------------------------------------------------- */

typedef struct everything {
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequences[2];
	brise_sampler *sampler;
	brise_decoder *decoder;
	int32_t *ids;
} everything;

static brise_status make_engine(everything *e, brise_error *err)
{
	const brise_engine_options engine = { .size = sizeof engine, .threads = 3, .rows = 8 };
	const brise_sequence_options sequence = { .size = sizeof sequence, .context = 64 };
	brise_status status = brise_new_engine(&e->engine, e->model, &engine, err);
	unsigned i;

	for (i = 0; i < 2 && status == BRISE_OK; i++)
		status = brise_new_sequence(&e->sequences[i], e->model, &sequence, err);
	return status;
}

static brise_status make_sampler(everything *e, brise_error *err)
{
	brise_logit_bias bias[2] = { { 3, 1 }, { 4, -1 } };
	brise_sampling sampling;

	brise_init_sampling(&sampling, sizeof sampling);
	sampling.bias = bias;
	sampling.n_bias = 2;
	sampling.repetition_penalty = 1.1f;
	return brise_new_sampler(&e->sampler, brise_get_model_facts(e->model)->vocab, &sampling,
	                         err);
}

/* Text to ids, ids to logits, a choice, and text again. */
static brise_status run_once(everything *e, const void *image, size_t size, brise_error *err)
{
	static const char text[] = "A small breeze, and another one.";
	const float *logits = NULL;
	const char *piece;
	size_t n = 0, bytes;
	int32_t choice = 0;
	brise_status status;

	if ((status = brise_open_memory(&e->model, image, size, "image", NULL, err)) != BRISE_OK ||
	    (status = make_engine(e, err)) != BRISE_OK ||
	    (status = make_sampler(e, err)) != BRISE_OK ||
	    (status = brise_new_decoder(&e->decoder, brise_get_tokenizer(e->model), err)) !=
	            BRISE_OK ||
	    (status = brise_encode_text(brise_get_tokenizer(e->model), text, sizeof text - 1, false,
	                                &e->ids, &n, err)) != BRISE_OK)
		return status;
	if ((status = brise_eval_tokens(e->engine, e->sequences[0], e->ids, n, &logits, NULL, NULL,
	                                err)) != BRISE_OK ||
	    (status = brise_sample_token(e->sampler, logits, &choice, err)) != BRISE_OK ||
	    (status = brise_accept_token(e->sampler, choice, err)) != BRISE_OK)
		return status;
	return brise_decode_token(e->decoder, choice, &piece, &bytes, err);
}

static void free_all(everything *e)
{
	heap_free(e->ids);
	brise_free_decoder(e->decoder);
	brise_free_sampler(e->sampler);
	brise_free_sequence(e->sequences[0]);
	brise_free_sequence(e->sequences[1]);
	brise_free_engine(e->engine);
	brise_close_model(e->model);
}

/* How a run ends that fails request n. *left: what was not given back. */
static brise_status run_failing(long n, const void *image, size_t size, long *left,
                                brise_error *err)
{
	long before = atomic_load(&in_use);
	brise_status status;
	everything e;

	memset(&e, 0, sizeof e);
	fail_request(n);
	status = run_once(&e, image, size, err);
	free_all(&e);
	*left = atomic_load(&in_use) - before;
	return status;
}

static void test_every_failing_request_is_an_error(check_counts *counts, const void *image,
                                                   size_t size)
{
	brise_error err = { BRISE_OK, "" };
	long left, all, n, wrong = 0, lost = 0, threads = 0;

	CHECK(counts, run_failing(0, image, size, &left, &err) == BRISE_OK && left == 0,
	      "%s, %ld left", err.message, left);
	all = atomic_load(&requests);
	CHECK(counts, all > 15, "%ld requests", all);
	for (n = 1; n <= all; n++) {
		brise_status status = run_failing(n, image, size, &left, &err);

		/* A thread that cannot be started is done without. */
		threads += status == BRISE_OK;
		wrong += status != BRISE_OK && status != BRISE_ENOMEM;
		lost += left != 0;
	}
	CHECK(counts, wrong == 0 && lost == 0, "of %ld: %ld other errors, %ld lost memory", all,
	      wrong, lost);
	CHECK(counts, threads <= 2, "%ld failures had no effect", threads);
}

static void test_every_failing_request_of_opening_a_file(check_counts *counts, const char *path)
{
	brise_error err = { BRISE_OK, "" };
	long before = atomic_load(&in_use), n, all, wrong = 0;
	brise_model *model;

	fail_request(0);
	CHECK(counts, brise_open_model(&model, path, NULL, &err) == BRISE_OK, "%s", err.message);
	brise_close_model(model);
	all = atomic_load(&requests);
	for (n = 1; n <= all; n++) {
		fail_request(n);
		wrong += brise_open_model(&model, path, NULL, &err) != BRISE_ENOMEM || model;
	}
	CHECK(counts, wrong == 0 && all > 5, "%ld of %ld", wrong, all);
	CHECK(counts, atomic_load(&in_use) == before, "%ld lost", atomic_load(&in_use) - before);
	fail_request(0);
}

static void test_sizes_that_overflow_are_refused(check_counts *counts)
{
	CHECK(counts, !memory_new(SIZE_MAX / 2, 3) && !memory_new(SIZE_MAX, SIZE_MAX),
	      "more than there are addresses");
	CHECK(counts, !memory_resize(NULL, SIZE_MAX / 4 + 1, 8), "grown beyond all addresses");
}

/* The whole of a file, page-aligned, freed by the caller. */
static void *read_whole(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	void *bytes;

	if (!f || fseek(f, 0, SEEK_END) != 0)
		exit(1);
	*size = (size_t)ftell(f);
	bytes = aligned_alloc(4096, (*size + 4095) / 4096 * 4096);
	rewind(f);
	if (!bytes || fread(bytes, 1, *size, f) != *size)
		exit(1);
	(void)fclose(f);
	return bytes;
}

int main(void)
{
	check_counts counts = { 0, 0, 0 };
	char folder[256], path[300], command[800];
	const char *build = getenv("BRISE_BUILD");
	size_t size;
	void *image;

	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/breeze.brise", folder);
	(void)snprintf(command, sizeof command,
	               "%s/brise convert test/models/breeze '%s' 2>/dev/null",
	               build ? build : "build", path);
	if (system(command) != 0)
		return 1;
	image = read_whole(path, &size);
	test_every_failing_request_is_an_error(&counts, image, size);
	test_every_failing_request_of_opening_a_file(&counts, path);
	test_sizes_that_overflow_are_refused(&counts);
	free(image);
	(void)unlink(path);
	(void)rmdir(folder);
	return check_report("memory", &counts);
}
