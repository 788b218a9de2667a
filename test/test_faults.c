/* test_faults.c - a model file that changes while it is mapped: an error value, never a signal
 *
 * Each test maps a file, makes it shorter or writes another over it, and uses the model.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "convert/calibration/calibration.h"
#include "test/check.h"
#include "test/evaluator.h"
#include "test/small_model.h"
#include "test/tested_types.h"
#include "test/tested_types.h"

#define HEAD_BYTES 5000 /* the tables are before, the weights of small_wide after it */

static char path[512];

static uint32_t file_type; /* whose kernels meet the fault */

static brise_model *open_fresh(check_counts *counts)
{
	brise_error err = { BRISE_OK, "" };
	brise_model *model = NULL;

	(void)unlink(path);
	small_write(&small_wide, file_type, path);
	CHECK(counts, brise_open_model(&model, path, NULL, &err) == BRISE_OK, "%s", err.message);
	return model;
}

static bool names_file(const brise_error *err)
{
	return err->code == BRISE_EIO && strstr(err->message, path) && !strchr(err->message, '\n');
}

static brise_status eval_some(const brise_model *model, unsigned threads, brise_error *err)
{
	int32_t tokens[20];
	evaluator e;
	const float *logits;
	brise_status status =
	        evaluator_open(&e, model, (evaluator_options){ .threads = threads }, err);

	small_tokens(tokens, 20, small_wide.vocab, 1);
	if (status == BRISE_OK)
		status = brise_eval_tokens(e.engine, e.sequence, tokens, 20, &logits, NULL, NULL,
		                           err);
	evaluator_close(&e);
	return status;
}

static void test_evaluation_of_a_file_that_shrinks_is_an_error(check_counts *counts)
{
	static const long sizes[] = { HEAD_BYTES, 0, 1, 4096, 100000 };
	unsigned i, threads;

	for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (threads = 1; threads <= 4; threads += 3) {
			brise_model *model = open_fresh(counts);
			brise_error err = { BRISE_OK, "" };

			CHECK(counts, truncate(path, sizes[i]) == 0, "truncate");
			CHECK(counts,
			      eval_some(model, threads, &err) == BRISE_EIO && names_file(&err),
			      "%ld bytes left: %s", sizes[i], err.message);
			CHECK(counts, eval_some(model, threads, &err) == BRISE_EIO,
			      "it stays an error");
			brise_close_model(model);
		}
}

/* In the middle of a sequence: what was evaluated stays. */
static void test_the_position_stays_where_it_was(check_counts *counts)
{
	brise_model *model = open_fresh(counts);
	brise_error err = { BRISE_OK, "" };
	const float *logits = NULL;
	int32_t tokens[40];
	evaluator e;

	small_tokens(tokens, 40, small_wide.vocab, 1);
	CHECK(counts,
	      evaluator_open(&e, model, (evaluator_options){ .threads = 2 }, &err) == BRISE_OK &&
	              brise_eval_tokens(e.engine, e.sequence, tokens, 20, &logits, NULL, NULL,
	                                &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, truncate(path, HEAD_BYTES) == 0, "truncate");
	CHECK(counts,
	      brise_eval_tokens(e.engine, e.sequence, tokens + 20, 20, &logits, NULL, NULL, &err) ==
	              BRISE_EIO,
	      "%s", err.message);
	CHECK(counts, brise_get_sequence_facts(e.sequence)->position == 20, "the position moved");
	evaluator_close(&e);
	brise_close_model(model);
}

static void test_rows_and_checksums_of_a_file_that_shrinks_are_errors(check_counts *counts)
{
	float row[512];
	size_t i, wrong = 0, n;
	brise_model *model = open_fresh(counts);
	brise_error err = { BRISE_OK, "" };

	CHECK(counts, truncate(path, HEAD_BYTES) == 0, "truncate");
	CHECK(counts,
	      brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_EIO && names_file(&err),
	      "%s", err.message);
	brise_close_model(model);
	model = open_fresh(counts);
	CHECK(counts, truncate(path, HEAD_BYTES) == 0, "truncate");
	n = brise_get_tensor_count(model);
	for (i = n; i-- > 1;)
		wrong += brise_read_row(model, i, 0, row, &err) != BRISE_EIO;
	CHECK(counts, wrong == 0, "%zu of %zu rows", wrong, n);
	brise_close_model(model);
}

/* cp over the file: it is empty for a moment, then holds something shorter. The tables that were
 * checked at opening must not change with it. */
static void test_a_file_that_is_overwritten_is_an_error(check_counts *counts)
{
	brise_model *model = open_fresh(counts);
	brise_error err = { BRISE_OK, "" };
	brise_tensor_facts before, after;
	char garbage[6000];
	int file;

	CHECK(counts, brise_get_tensor_facts(model, 3, &before, sizeof before, &err) == BRISE_OK,
	      "%s", err.message);
	memset(garbage, 0xff, sizeof garbage);
	file = open(path, O_WRONLY | O_TRUNC);
	CHECK(counts, write(file, garbage, sizeof garbage) == sizeof garbage, "write");
	(void)close(file);
	CHECK(counts, eval_some(model, 2, &err) == BRISE_EIO, "%s", err.message);
	CHECK(counts, brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_EIO, "%s",
	      err.message);
	CHECK(counts,
	      brise_get_tensor_facts(model, 3, &after, sizeof after, &err) == BRISE_OK &&
	              !memcmp(&before, &after, sizeof after),
	      "the tensor table changed");
	brise_close_model(model);
}

static void test_other_models_are_not_concerned(check_counts *counts)
{
	char other[600];
	brise_model *model = open_fresh(counts), *sound = NULL;
	brise_error err = { BRISE_OK, "" };

	(void)snprintf(other, sizeof other, "%s.other", path);
	small_write(&small_wide, file_type, other);
	CHECK(counts, brise_open_model(&sound, other, NULL, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, truncate(path, HEAD_BYTES) == 0, "truncate");
	CHECK(counts, eval_some(model, 2, &err) == BRISE_EIO, "%s", err.message);
	CHECK(counts, eval_some(sound, 2, &err) == BRISE_OK, "%s", err.message);
	brise_close_model(model);
	CHECK(counts, eval_some(sound, 2, &err) == BRISE_OK, "%s", err.message);
	brise_close_model(sound);
	(void)unlink(other);
}

/* ---- what a program has to do with the signal itself ---------------------------------------- */

static sigjmp_buf back;

static void jump_back(int number)
{
	(void)number;
	siglongjmp(back, 1);
}

/* A fault of the program's own, in a mapping that is none of ours. */
static bool fault_reaches_program(void)
{
	int file = open(path, O_RDWR | O_CREAT, 0600);
	volatile const char *bytes;
	volatile bool reached = true;

	if (ftruncate(file, 4096) != 0)
		return false;
	bytes = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
	if (ftruncate(file, 0) != 0)
		return false;
	(void)close(file);
	if (sigsetjmp(back, 1) == 0) {
		(void)bytes[0];
		reached = false;
	}
	(void)munmap((void *)(uintptr_t)bytes, 4096);
	return reached;
}

static void test_faults_of_the_program_go_to_its_handler(check_counts *counts)
{
	struct sigaction mine, old, now;
	brise_model *model;

	memset(&mine, 0, sizeof mine);
	mine.sa_handler = jump_back;
	(void)sigemptyset(&mine.sa_mask);
	(void)sigaction(SIGBUS, &mine, &old);
	model = open_fresh(counts);
	CHECK(counts, fault_reaches_program(), "a fault elsewhere did not reach the program");
	brise_close_model(model);
	(void)sigaction(SIGBUS, NULL, &now);
	CHECK(counts, now.sa_handler == jump_back, "the program's handler was not put back");
	(void)sigaction(SIGBUS, &old, NULL);
}

/* How a child ends that opens the file with those options, makes it shorter and evaluates. */
static int end_of_child(const brise_open_options *options)
{
	pid_t child;
	int status = 0;

	(void)unlink(path);
	small_write(&small_wide, file_type, path);
	if ((child = fork()) == 0) {
		brise_model *model;

		(void)signal(SIGBUS, SIG_DFL);
		if (brise_open_model(&model, path, options, NULL) != BRISE_OK ||
		    truncate(path, HEAD_BYTES) != 0)
			_exit(100);
		_exit((int)eval_some(model, 2, NULL));
	}
	return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static void test_the_handler_can_be_declined(check_counts *counts)
{
	brise_open_options options = { .size = sizeof options, .leave_faults = true };
	int status = end_of_child(NULL);

	CHECK(counts, WIFEXITED(status) && WEXITSTATUS(status) == BRISE_EIO, "%x", status);
	status = end_of_child(&options);
	CHECK(counts, WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "%x", status);
}

static bool write_back(const char *bytes, size_t n)
{
	FILE *f = fopen(path, "r+b");
	bool written = f && fwrite(bytes, 1, n, f) == n;

	return f && fclose(f) == 0 && written;
}

/* A card that comes back: the sequence goes on with the logits of one that never saw a fault. */
static void test_a_sequence_goes_on_when_the_file_is_whole_again(check_counts *counts)
{
	brise_model *model = open_fresh(counts);
	brise_error err = { BRISE_OK, "" };
	static char bytes[1 << 20];
	float expected[160];
	const float *logits;
	int32_t tokens[9];
	evaluator e, undisturbed;
	FILE *f = fopen(path, "rb");
	size_t n = fread(bytes, 1, sizeof bytes, f);
	int i;

	(void)fclose(f);
	CHECK(counts, n < sizeof bytes, "a larger model than this test takes");
	small_tokens(tokens, 9, small_wide.vocab, 1);
	(void)evaluator_open(&undisturbed, model, (evaluator_options){ .threads = 2 }, &err);
	(void)evaluator_eval(&undisturbed, tokens, 9, &logits, &err);
	memcpy(expected, logits, sizeof expected);
	evaluator_close(&undisturbed);
	(void)evaluator_open(&e, model, (evaluator_options){ .threads = 2 }, &err);
	CHECK(counts, evaluator_eval(&e, tokens, 5, &logits, &err) == BRISE_OK, "%s", err.message);
	for (i = 0; i < 3; i++) {
		CHECK(counts, truncate(path, HEAD_BYTES) == 0, "truncate");
		CHECK(counts,
		      evaluator_eval(&e, tokens + 5, 4, &logits, &err) == BRISE_EIO &&
		              names_file(&err) && evaluator_position(&e) == 5,
		      "%s", err.message);
		CHECK(counts, brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_EIO,
		      "verified");
		CHECK(counts, write_back(bytes, n), "the file cannot be written");
		CHECK(counts, brise_verify_model(model, NULL, NULL, NULL, &err) == BRISE_OK, "%s",
		      err.message);
	}
	CHECK(counts, evaluator_eval(&e, tokens + 5, 4, &logits, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, !memcmp(logits, expected, sizeof expected), "other logits");
	evaluator_close(&e);
	brise_close_model(model);
}

int main(void)
{
	check_counts counts = { 0, 0, 0 };
	char folder[256];

	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	while ((file_type = next_book_type(file_type)) != 0) {
		test_evaluation_of_a_file_that_shrinks_is_an_error(&counts);
		test_the_position_stays_where_it_was(&counts);
		test_rows_and_checksums_of_a_file_that_shrinks_are_errors(&counts);
		test_a_file_that_is_overwritten_is_an_error(&counts);
		test_other_models_are_not_concerned(&counts);
		test_faults_of_the_program_go_to_its_handler(&counts);
		test_the_handler_can_be_declined(&counts);
		test_a_sequence_goes_on_when_the_file_is_whole_again(&counts);
	}
	(void)unlink(path);
	(void)rmdir(folder);
	return check_report("faults", &counts);
}
