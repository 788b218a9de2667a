/* test_blocks.c - pieces from many threads become one file, written in large aligned blocks
 *
 * Would catch a byte lost or at the wrong place, a block written twice or never, a small write.
 */
#include <stdatomic.h>
#include <string.h>

#include "convert/blocks.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/threads.h"
#include "test/check.h"
#include "test/random.h"

#define FILE_BYTES ((uint64_t)11 * 1024 * 1024 + 4321)
#define TENSORS    5u
#define PIECE      70001u

typedef struct written {
	uint8_t *bytes;
	atomic_uint writes, wrong;
	unsigned refuse_after; /* writes; 0: never */
} written;

static brise_status note_write(void *user, const void *bytes, size_t n, uint64_t offset,
                               brise_error *err)
{
	written *w = user;
	unsigned before = atomic_fetch_add(&w->writes, 1);

	if (w->refuse_after > 0 && before >= w->refuse_after)
		return error_set(err, BRISE_EIO, "disk full");
	if (offset % BLOCKS_BYTES != 0 || offset + n > FILE_BYTES ||
	    (n != BLOCKS_BYTES && offset + n != FILE_BYTES))
		atomic_fetch_add(&w->wrong, 1);
	else
		memcpy(w->bytes + offset, bytes, n);
	return BRISE_OK;
}

/* With gaps of 0 to 4095 bytes, one tensor within a block, a gap at the end of a block. */
static const format_tensor tensors[TENSORS] = {
	{ .offset = 4096, .bytes = 3000000 },
	{ .offset = 3006464, .bytes = 64 },
	{ .offset = 3010560, .bytes = 4 * BLOCKS_BYTES - 3010560 - 100 },
	{ .offset = 4 * BLOCKS_BYTES, .bytes = 1 },
	{ .offset = 4 * BLOCKS_BYTES + 4096, .bytes = FILE_BYTES - 4 * BLOCKS_BYTES - 4096 },
};

static uint8_t byte_at(uint64_t offset)
{
	return (uint8_t)(1 + (offset * 2654435761u >> 13) % 255);
}

typedef struct add_job {
	blocks *to;
	uint64_t from[400];
	size_t bytes[400];
	size_t n;
	atomic_uint failed;
} add_job;

static void add_pieces(void *argument, unsigned worker, size_t first, size_t end)
{
	add_job *job = argument;
	uint8_t piece[PIECE];
	brise_error err;

	(void)worker;
	for (; first < end; first++) {
		size_t i;

		for (i = 0; i < job->bytes[first]; i++)
			piece[i] = byte_at(job->from[first] + i);
		if (blocks_add(job->to, piece, job->bytes[first], job->from[first], &err) !=
		    BRISE_OK)
			atomic_fetch_add(&job->failed, 1);
	}
}

static void plan_pieces(add_job *job, bool shuffled)
{
	uint64_t seed = 5;
	size_t i;

	job->n = 0;
	for (i = 0; i < TENSORS; i++) {
		uint64_t at = tensors[i].offset, end = at + tensors[i].bytes;

		for (; at < end; at += job->bytes[job->n++]) {
			job->from[job->n] = at;
			job->bytes[job->n] = end - at < PIECE ? (size_t)(end - at) : PIECE;
		}
	}
	for (i = job->n; shuffled && i > 1; i--) {
		size_t other = (size_t)(random_next(&seed) % i), bytes = job->bytes[i - 1];
		uint64_t from = job->from[i - 1];

		job->from[i - 1] = job->from[other], job->bytes[i - 1] = job->bytes[other];
		job->from[other] = from, job->bytes[other] = bytes;
	}
}

static void test_all_bytes_are_written_once_in_whole_blocks(check_counts *counts, unsigned threads,
                                                            bool shuffled)
{
	written w = { .bytes = memory_new(FILE_BYTES, 1) };
	static add_job job;
	unsigned wrong = 0;
	pool *workers = NULL;
	brise_error err;
	size_t i;
	uint64_t at;

	memset(&job, 0, sizeof job);
	plan_pieces(&job, shuffled);
	CHECK(counts,
	      w.bytes && pool_new(&workers, threads, &err) == BRISE_OK &&
	              blocks_new(&job.to, tensors, TENSORS, note_write, &w, &err) == BRISE_OK,
	      "no memory");
	memset(w.bytes, 0xee, FILE_BYTES);
	pool_run(workers, add_pieces, &job, job.n, 1);
	for (i = 0, at = 0; i < TENSORS; i++) {
		for (; at < tensors[i].offset; at++)
			wrong += w.bytes[at] != 0;
		for (; at < tensors[i].offset + tensors[i].bytes; at++)
			wrong += w.bytes[at] != byte_at(at);
	}
	CHECK(counts, wrong == 0, "%u threads: %u bytes differ", threads, wrong);
	CHECK(counts, w.wrong == 0 && job.failed == 0, "%u threads: a write is no whole block",
	      threads);
	CHECK(counts, w.writes == (FILE_BYTES + BLOCKS_BYTES - 1) / BLOCKS_BYTES,
	      "%u threads: %u writes", threads, (unsigned)w.writes);
	blocks_free(job.to);
	pool_free(workers);
	memory_free(w.bytes);
}

static void test_a_failed_write_is_the_adders_error(check_counts *counts)
{
	written w = { .bytes = memory_new(FILE_BYTES, 1), .refuse_after = 2 };
	static add_job job;
	brise_error err;

	memset(&job, 0, sizeof job);
	plan_pieces(&job, false);
	CHECK(counts, blocks_new(&job.to, tensors, TENSORS, note_write, &w, &err) == BRISE_OK,
	      "no memory");
	add_pieces(&job, 0, 0, job.n);
	CHECK(counts, w.writes > 2 && job.failed == w.writes - 2, "%u of %u writes told as failed",
	      (unsigned)job.failed, (unsigned)w.writes);
	blocks_free(job.to);
	memory_free(w.bytes);
}

static void test_what_is_not_complete_is_not_written(check_counts *counts)
{
	written w = { .bytes = memory_new(FILE_BYTES, 1) };
	static add_job job;
	brise_error err;

	memset(&job, 0, sizeof job);
	plan_pieces(&job, false);
	CHECK(counts, blocks_new(&job.to, tensors, TENSORS, note_write, &w, &err) == BRISE_OK,
	      "no memory");
	add_pieces(&job, 0, 1, 20); /* without the first piece of the first block */
	CHECK(counts, w.writes == 0, "%u writes", (unsigned)w.writes);
	blocks_free(job.to);
	memory_free(w.bytes);
}

int main(void)
{
	check_counts counts = { 0, 0, 0 };
	static const unsigned threads[] = { 1, 2, 3, 8 };
	unsigned i;

	for (i = 0; i < sizeof threads / sizeof *threads; i++) {
		test_all_bytes_are_written_once_in_whole_blocks(&counts, threads[i], false);
		test_all_bytes_are_written_once_in_whole_blocks(&counts, threads[i], true);
	}
	test_a_failed_write_is_the_adders_error(&counts);
	test_what_is_not_complete_is_not_written(&counts);
	return check_report("blocks", &counts);
}
