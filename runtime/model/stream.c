/* stream.c - a ring of slots, each with a piece
 *
 * Pieces have numbers, in the order in which they are read and used; number i waits in slot i
 * modulo SLOTS. All state is under one monitor but the bytes themselves: they are written by the
 * thread that took the number, and read by the user after the slot is marked as read. If the user
 * asks for another piece than the next, because the pass before was cancelled, reading begins again
 * there.
 */
#include "runtime/model/stream.h"

#include "quant/tile.h"
#include "runtime/error.h"
#include "runtime/model/storage.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

typedef struct slot {
	stream_piece piece;
	bool read; /* or failed */
	brise_status status;
	brise_error error;
} slot;

/* The place in a pass of the next piece to read. */
typedef struct cursor {
	uint64_t pass;
	uint32_t unit, matrix;
	size_t first;
} cursor;

struct stream {
	const brise_model *model;
	const residency_plan *plan;
	uint8_t *ring;
	os_monitor *monitor;
	os_thread *threads[STORAGE_READERS];
	unsigned n_threads;
	long process; /* that started them */

	/* under the monitor */
	slot slots[RESIDENCY_SLOTS];
	uint64_t taken, used; /* numbers of the next piece to read, and to use */
	cursor next;          /* piece `taken` */
	uint64_t pass;        /* of the user */
	bool output;          /* which wants the output's unit */
	unsigned under_way;   /* pieces being read */
	uint64_t bytes_read;
	bool stop, hold; /* readers end; take nothing for now */
	bool orphaned;
};

/* In a process made by fork there are no readers: what they had under way is lost, and one of them
 * may have held the monitor, so it is not asked for any more. */
static void lock(stream *s)
{
	if (s->process != os_process() && !s->orphaned) {
		s->orphaned = true;
		s->taken = s->used = 0;
		s->next = (cursor){ s->pass, 0, 0, 0 };
		s->under_way = 0;
		s->hold = false;
	}
	if (!s->orphaned)
		os_lock(s->monitor);
}

static void unlock(stream *s)
{
	if (!s->orphaned)
		os_unlock(s->monitor);
}

static void unlock_and_wake(stream *s)
{
	unlock(s);
	if (!s->orphaned)
		os_wake_all(s->monitor);
}

static bool has_readers(const stream *s)
{
	return s->n_threads > 0 && !s->orphaned;
}

static slot *slot_of(stream *s, uint64_t number)
{
	return &s->slots[number % RESIDENCY_SLOTS];
}

/* Moves the cursor to the next streamed unit at or behind it. False: there is none before the
 * user's next pass has begun, because only that tells whether the output is wanted. */
static bool find_unit(stream *s)
{
	const uint32_t last = s->plan->n_units - 1;

	for (;;) {
		while (s->next.unit < last && s->plan->units[s->next.unit].kept)
			s->next.unit++;
		if (s->next.unit < last || (s->next.unit == last && !s->plan->units[last].kept &&
		                            s->next.pass == s->pass && s->output))
			return true;
		if (s->next.pass > s->pass)
			return false;
		s->next = (cursor){ .pass = s->next.pass + 1 };
	}
}

/* Gives the piece at the cursor a slot and moves the cursor behind it. */
static slot *take_piece(stream *s)
{
	const residency_unit *unit = &s->plan->units[s->next.unit];
	const format_tensor *t = unit->matrices[s->next.matrix];
	size_t tiles = tile_count(t->rows), most = residency_piece_tiles(t),
	       end = tiles - s->next.first < most ? tiles : s->next.first + most;
	slot *taken = slot_of(s, s->taken++);

	*taken = (slot){ .piece = { s->next.unit, s->next.matrix, s->next.first, end, NULL } };
	s->next.first = end;
	if (end == tiles) {
		s->next.first = 0;
		s->next.matrix++;
	}
	if (s->next.matrix == unit->n_matrices) {
		s->next.matrix = 0;
		s->next.unit++;
	}
	return taken;
}

/* Reads a piece that has just been taken; not under the monitor meanwhile. */
static void read_piece(stream *s, slot *taken)
{
	stream_piece *p = &taken->piece;
	const format_tensor *t = s->plan->units[p->unit].matrices[p->matrix];
	uint8_t *room = s->ring + (size_t)(taken - s->slots) * s->plan->slot_bytes;
	uint64_t tile_bytes = t->bytes / tile_count(t->rows), from = p->first * tile_bytes,
	         n = (p->end - p->first) * tile_bytes, skip = from % FORMAT_PAGE;
	brise_error error = { 0 };
	brise_status status;

	s->under_way++;
	unlock(s);
	status = storage_read(s->model, t, from - skip, skip + n, room, &error);
	lock(s);
	s->under_way--;
	p->bytes = room + skip;
	taken->read = true;
	taken->status = status;
	taken->error = error;
	s->bytes_read += status == BRISE_OK ? round_up(skip + n, FORMAT_PAGE) : 0;
}

static void read_on(void *argument)
{
	stream *s = argument;

	lock(s);
	while (!s->stop) {
		if (!s->hold && s->taken - s->used < RESIDENCY_SLOTS && find_unit(s)) {
			read_piece(s, take_piece(s));
			unlock(s);
			os_wake_all(s->monitor);
			lock(s);
		} else {
			os_wait(s->monitor);
		}
	}
	unlock(s);
}

brise_status stream_new(stream **out, const brise_model *model, brise_error *err)
{
	stream *s = *out = memory_new(1, sizeof *s);

	if (!s)
		return error_set(err, BRISE_ENOMEM, "no memory to stream weights");
	s->model = model;
	s->plan = &model->residency;
	s->process = os_process();
	s->next.pass = 1; /* the first to begin */
	s->ring = os_new_pages((size_t)s->plan->ring_bytes);
	s->monitor = os_new_monitor();
	if (!s->ring || !s->monitor) {
		stream_free(s);
		*out = NULL;
		return error_set(err, BRISE_ENOMEM, "no memory to stream weights through");
	}
	while (s->n_threads < STORAGE_READERS &&
	       (s->threads[s->n_threads] = os_start_thread(read_on, s)) != NULL)
		s->n_threads++;
	return BRISE_OK;
}

void stream_free(stream *s)
{
	unsigned i;

	if (!s)
		return;
	if (s->monitor) {
		lock(s);
		s->stop = true;
		unlock(s);
		os_wake_all(s->monitor);
	}
	for (i = 0; i < s->n_threads; i++)
		os_join_thread(s->threads[i]);
	if (s->monitor)
		os_free_monitor(s->monitor);
	os_free_pages(s->ring, (size_t)s->plan->ring_bytes);
	memory_free(s);
}

void stream_begin_pass(stream *s, bool output)
{
	lock(s);
	if (s->next.pass == s->pass) /* the pass before may have ended without the output */
		(void)find_unit(s);
	s->pass++;
	s->output = output;
	if (s->next.pass < s->pass) /* or was cancelled */
		s->next.pass = s->pass;
	unlock_and_wake(s);
}

/* What is next to use is that piece, or will be read as that. */
static bool is_next(stream *s, uint32_t unit, uint32_t matrix, size_t first)
{
	const slot *next = slot_of(s, s->used);

	if (s->taken == s->used)
		return find_unit(s) && s->next.unit == unit && s->next.matrix == matrix &&
		       s->next.first == first;
	return next->piece.unit == unit && next->piece.matrix == matrix &&
	       next->piece.first == first;
}

/* Drops all pieces and lets reading begin at that one. */
static void restart(stream *s, uint32_t unit, uint32_t matrix, size_t first)
{
	s->hold = true;
	while (s->under_way > 0)
		os_wait(s->monitor);
	s->hold = false;
	s->used = s->taken;
	s->next = (cursor){ s->pass, unit, matrix, first };
}

/* Waits until the next piece to use has been read, or has failed. */
static const slot *await_next(stream *s)
{
	bool readers = has_readers(s);
	const slot *next = slot_of(s, s->used);

	if (!readers && s->taken == s->used)
		read_piece(s, take_piece(s));
	if (readers) {
		unlock_and_wake(s);
		lock(s);
	}
	while (s->taken == s->used || !next->read)
		os_wait(s->monitor);
	return next;
}

/* A read that failed is tried once more, whether it failed before its piece was asked for or
 * after. */
brise_status stream_acquire(stream *s, uint32_t unit, uint32_t matrix, size_t first,
                            stream_piece *piece, brise_error *err)
{
	const slot *next;
	brise_status status;

	lock(s);
	if (!is_next(s, unit, matrix, first))
		restart(s, unit, matrix, first);
	next = await_next(s);
	if (next->status != BRISE_OK) {
		restart(s, unit, matrix, first);
		next = await_next(s);
	}
	*piece = next->piece;
	status = next->status;
	if (status != BRISE_OK)
		(void)error_set(err, status, "%s", next->error.message);
	unlock(s);
	return status;
}

void stream_release(stream *s)
{
	lock(s);
	s->used++;
	unlock_and_wake(s);
}

uint64_t stream_bytes_read(stream *s)
{
	uint64_t bytes;

	lock(s);
	bytes = s->bytes_read;
	unlock(s);
	return bytes;
}
