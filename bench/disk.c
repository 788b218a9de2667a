/* disk.c - reading a model as a stream of its weights does
 *
 * As many reads under way, of the same size, and into as much memory: a smaller ring would stay in
 * the caches of the processor, and promise 10 % more than a stream can have.
 */
#include "bench/disk.h"

#include "bench/limits.h"
#include "quant/rounding.h"
#include "runtime/model/storage.h"
#include "runtime/os/os.h"
#include "runtime/os/threads.h"

#define MEASURE_SECONDS 0.5

typedef struct measured_reads {
	const brise_model *model;
	uint8_t *room; /* [RESIDENCY_SLOTS][RESIDENCY_PIECE] */
	double start;
	_Atomic uint64_t bytes;
} measured_reads;

/* Piece i of the tensors in file order, and its bytes. */
static uint64_t find_piece(const brise_model *model, size_t i, uint64_t *offset)
{
	size_t t;

	for (t = 0; t < model->n_tensors; t++) {
		const format_tensor *tensor = &model->tensors[t];
		uint64_t pieces = (tensor->bytes + RESIDENCY_PIECE - 1) / RESIDENCY_PIECE, left;

		if (i < pieces) {
			left = tensor->bytes - i * RESIDENCY_PIECE;
			*offset = tensor->offset + i * RESIDENCY_PIECE;
			return left < RESIDENCY_PIECE ? left : RESIDENCY_PIECE;
		}
		i -= (size_t)pieces;
	}
	return 0;
}

static void read_measured(void *argument, unsigned worker, size_t first, size_t end)
{
	measured_reads *m = argument;
	uint64_t offset, n;

	(void)worker;
	for (; first < end && bench_clock() - m->start < MEASURE_SECONDS; first++) {
		/* Not storage_read, which may drop what the system has cached of the file. */
		n = find_piece(m->model, first, &offset);
		if (n == 0 || os_read_at(m->model->map.file,
		                         m->room + first % RESIDENCY_SLOTS * RESIDENCY_PIECE,
		                         (size_t)round_up(n, FORMAT_PAGE), offset) < 0)
			return;
		m->bytes += n;
	}
}

static size_t count_pieces(const brise_model *model)
{
	size_t t, n = 0;

	for (t = 0; t < model->n_tensors; t++)
		n += (size_t)((model->tensors[t].bytes + RESIDENCY_PIECE - 1) / RESIDENCY_PIECE);
	return n;
}

double bench_measure_disk(const brise_model *model)
{
	const size_t room = RESIDENCY_SLOTS * RESIDENCY_PIECE;
	measured_reads m = { .model = model, .room = os_new_pages(room) };
	pool *readers = NULL;
	double seconds = 0;

	if (m.room && pool_new(&readers, STORAGE_READERS, NULL) == BRISE_OK &&
	    os_set_direct(model->map.file, true)) {
		m.start = bench_clock();
		pool_run(readers, read_measured, &m, count_pieces(model), 1);
		seconds = bench_clock() - m.start;
		(void)os_set_direct(model->map.file, model->direct);
	}
	pool_free(readers);
	os_free_pages(m.room, room);
	return seconds > 0 ? (double)m.bytes / seconds : 0;
}
