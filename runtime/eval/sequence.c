/* sequence.c - making, moving and rewinding a sequence */
#include "runtime/eval/sequence.h"

#include <inttypes.h>
#include <string.h>

#include "arch/float_env.h"
#include "runtime/error.h"
#include "runtime/eval/rope_scaling.h"
#include "runtime/sized.h"
#include "runtime/os/memory.h"

#define CONTEXT_DEFAULT 4096u
#define CONTEXT_MAX     (1u << 24)
#define SLACK_MAX       PASS_ROWS_MAX
#define SINKS_MAX       SPAN_POSITIONS

void brise_init_sequence_options(brise_sequence_options *options, size_t size)
{
	brise_sequence_options defaults = { .size = sizeof defaults };

	sized_write(options, size, &defaults, sizeof defaults);
}

/* Positions kept where there is no window. */
static uint64_t choose_context(const format_config *c, uint32_t context)
{
	if (context > 0)
		return context;
	return c->max_context > 0 && c->max_context < CONTEXT_DEFAULT ? c->max_context
	                                                              : CONTEXT_DEFAULT;
}

/* differ: layers have windows of their own. */
static brise_status check_options(const brise_sequence_options *o, const format_config *c,
                                  bool differ, brise_error *err)
{
	if (o->kv != BRISE_KV_INT8 && o->kv != BRISE_KV_F32)
		return error_set(err, BRISE_EINVAL,
		                 "sequence options: key/value type %d is unknown", (int)o->kv);
	if (o->slack > SLACK_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "sequence options: a slack of %" PRIu32 ", expected at most %u",
		                 o->slack, SLACK_MAX);
	if (o->sinks > 0 && differ)
		return error_set(err, BRISE_EINVAL,
		                 "sequence options: %" PRIu32
		                 " sinks, expected one window for all layers, which the option "
		                 "window gives them",
		                 o->sinks);
	if (c->window > 0 && o->window > c->window)
		return error_set(err, BRISE_EINVAL,
		                 "sequence options: a window of %" PRIu32
		                 " positions, expected at most the model's %" PRIu32,
		                 o->window, c->window);
	if (o->sinks > 0 &&
	    (o->sinks > SINKS_MAX || o->sinks >= (o->window ? o->window : c->window)))
		return error_set(
		        err, BRISE_EINVAL,
		        "sequence options: %" PRIu32
		        " sinks, expected at most %u, and fewer than the window of %" PRIu32,
		        o->sinks, SINKS_MAX, o->window ? o->window : c->window);
	if (o->position >= BRISE_POSITION_END)
		return error_set(err, BRISE_EINVAL,
		                 "sequence options: position %" PRIu64
		                 ", expected less than %" PRIu64,
		                 o->position, (uint64_t)BRISE_POSITION_END);
	return BRISE_OK;
}

/* What follows from position and what is held. */
static void update_facts(brise_sequence *s)
{
	brise_sequence_facts *f = &s->facts;
	uint32_t n = s->oldest_of ? s->ring.n_layers : 1, layer;

	f->rewind_from = f->start;
	for (layer = 0; layer < n; layer++) {
		uint64_t held = sequence_held_from(s, layer), from;

		if (held <= f->start)
			continue;
		from = held + sequence_window(s, layer) - 1;
		f->rewind_from = from > f->rewind_from ? from : f->rewind_from;
	}
}

/* Layers hold positions from `oldest` on, but those from `least[layer]` on where that is more.
 * least NULL: none is. */
static void set_oldest(brise_sequence *s, uint64_t oldest, const uint64_t *least)
{
	uint32_t layer;

	if (!s->oldest_of) {
		s->oldest = least && least[0] > oldest ? least[0] : oldest;
		return;
	}
	s->oldest = UINT64_MAX;
	for (layer = 0; layer < s->ring.n_layers; layer++) {
		uint64_t *held = &s->oldest_of[layer];

		*held = least && least[layer] > oldest ? least[layer] : oldest;
		s->oldest = *held < s->oldest ? *held : s->oldest;
	}
}

/* Of what is written up to `end` slots hold the last positions only. */
static void drop_overwritten(brise_sequence *s, uint64_t end)
{
	uint32_t n = s->oldest_of ? s->ring.n_layers : 1, layer;
	uint64_t least = UINT64_MAX;

	for (layer = 0; layer < n; layer++) {
		uint64_t *held = s->oldest_of ? &s->oldest_of[layer] : &s->oldest,
		         slots = kv_slots_of(&s->ring.slots, layer);

		if (end > slots && *held < end - slots)
			*held = end - slots;
		least = *held < least ? *held : least;
	}
	s->oldest = least;
}

/* Angles of position start + W - 1, see sequence.h. */
static brise_status make_sinks(brise_sequence *s, brise_error *err)
{
	const format_config *c = &s->model->config;
	rope_frequency frequencies[ARCH_HEAD_DIM_MAX / 2];
	uint32_t half = c->head_dim / 2;

	if (s->sinks == 0)
		return BRISE_OK;
	s->sink_cosines = memory_new(2 * (size_t)half, sizeof *s->sink_cosines);
	if (!s->sink_cosines)
		return error_set(err, BRISE_ENOMEM, "no memory for the angles of sinks");
	s->sink_sines = s->sink_cosines + half;
	rope_scaling_fill(frequencies, c);
	rope_fill_angles(s->sink_cosines, s->sink_sines, frequencies, c->head_dim,
	                 s->facts.start + s->window - 1, rope_scaling_magnitude(c));
	return BRISE_OK;
}

/* The windows that layers have under the options: *window is the largest, 0 if one has none.
 * slots->windows is NULL where all are alike. */
static void choose_windows(const brise_sequence *s, const brise_sequence_options *o,
                           kv_slots *slots, uint32_t *window)
{
	const format_config *c = &s->model->config;
	bool none = false, differ = false;
	uint32_t layer, largest = 0;

	*slots = (kv_slots){ .windows = s->model->windows, .limit = o->window };
	*window = o->window ? o->window : c->window;
	if (!slots->windows)
		return;
	for (layer = 0; layer < c->n_layers; layer++) {
		uint32_t one = kv_slots_window(slots, layer);

		differ = differ || one != kv_slots_window(slots, 0);
		none = none || one == 0;
		largest = one > largest ? one : largest;
	}
	*window = none ? 0 : largest;
	if (!differ)
		slots->windows = NULL;
}

/* Most rows of a pass that overwrite nothing which the first of them attends to. */
static uint32_t choose_pass_rows(const brise_sequence *s)
{
	uint32_t n = s->ring.slots.windows ? s->ring.n_layers : 1, rows = PASS_ROWS_MAX, layer;

	for (layer = 0; layer < n; layer++) {
		uint64_t window = sequence_window(s, layer),
		         slots = kv_slots_of(&s->ring.slots, layer);

		/* Slots for all positions there can be are never used twice. */
		if (window == UINT64_MAX ||
		    (s->window == UINT64_MAX && slots == s->ring.slots.most))
			continue;
		if (slots - (window - 1) < rows)
			rows = (uint32_t)(slots - (window - 1));
	}
	return rows;
}

/* Window, and the positions that the ring must hold; nothing has memory yet. */
static brise_status plan(brise_sequence *s, const brise_sequence_options *o, brise_error *err)
{
	const format_config *c = &s->model->config;
	brise_sequence_facts *f = &s->facts;
	uint64_t kept, slack;
	uint32_t window;
	kv_slots slots;
	brise_status status;

	choose_windows(s, o, &slots, &window);
	if ((status = check_options(o, c, slots.windows != NULL, err)) != BRISE_OK)
		return status;
	kept = window ? window : choose_context(c, o->context);
	slack = window == 0 && !slots.windows ? 0 : o->slack ? o->slack : PASS_ROWS_DEFAULT;
	if (kept > CONTEXT_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "a context of %" PRIu64 " positions is more than %u", kept,
		                 CONTEXT_MAX);
	slots.slack = (uint32_t)slack;
	status = kv_ring_plan(&s->ring, o->kv, c, kept + (window ? slack : 0), &slots, o->sinks > 0,
	                      err);
	if (status != BRISE_OK)
		return status;
	s->window = window > 0 ? window : UINT64_MAX;
	s->sinks = o->sinks;
	s->oldest = o->position;
	f->position = f->start = o->position;
	f->end = window == 0 && kept < BRISE_POSITION_END - o->position ? o->position + kept
	                                                                : BRISE_POSITION_END;
	f->window = window;
	f->sinks = o->sinks;
	f->slots = window > 0 ? s->ring.slots.most : kept;
	f->slack = s->ring.slots.windows ? (uint32_t)slack : 0;
	f->kv_bytes = kv_ring_bytes(&s->ring);
	f->pass_rows = choose_pass_rows(s);
	f->rewind_from = f->start;
	return BRISE_OK;
}

/* What layers hold, where that differs. */
static brise_status make_oldest(brise_sequence *s, brise_error *err)
{
	if (!s->ring.slots.windows)
		return BRISE_OK;
	if (!(s->oldest_of = memory_new(s->ring.n_layers, sizeof *s->oldest_of)))
		return error_set(err, BRISE_ENOMEM, "no memory for a sequence");
	set_oldest(s, s->facts.start, NULL);
	return BRISE_OK;
}

brise_status brise_new_sequence(brise_sequence **out, const brise_model *model,
                                const brise_sequence_options *options, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(model) };
	brise_sequence_options o = { .size = sizeof o };
	brise_sequence *s;
	brise_status status;
	float_env host;

	if (out)
		*out = NULL;
	if ((status = error_check_pointers(err, "brise_new_sequence", needed, 2)) != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "sequence options", err)) != BRISE_OK)
		return status;
	if (!(s = memory_new(1, sizeof *s)))
		return error_set(err, BRISE_ENOMEM, "no memory for a sequence");
	s->model = model;
	host = float_env_enter();
	if ((status = plan(s, &o, err)) == BRISE_OK &&
	    (status = kv_ring_allocate(&s->ring, err)) == BRISE_OK &&
	    (status = make_oldest(s, err)) == BRISE_OK)
		status = make_sinks(s, err);
	float_env_leave(host);
	if (status != BRISE_OK)
		brise_free_sequence(s);
	else
		*out = s;
	return status;
}

brise_status sequence_count(const brise_model *model, const brise_sequence_options *options,
                            uint64_t *needed, brise_error *err)
{
	brise_sequence_options o = { .size = sizeof o };
	brise_sequence s = { .model = model };
	brise_status status = sized_read(&o, sizeof o, options, "sequence options", err);

	if (status != BRISE_OK || (status = plan(&s, &o, err)) != BRISE_OK)
		return status;
	memory_count(needed, 1, sizeof s);
	kv_ring_count(&s.ring, needed);
	if (s.ring.slots.windows)
		memory_count(needed, s.ring.n_layers, sizeof *s.oldest_of);
	if (s.sinks > 0)
		memory_count(needed, 2 * (uint64_t)(model->config.head_dim / 2), sizeof(float));
	return BRISE_OK;
}

void brise_free_sequence(brise_sequence *sequence)
{
	if (!sequence)
		return;
	kv_ring_free(&sequence->ring);
	memory_free(sequence->sink_cosines);
	memory_free(sequence->oldest_of);
	memory_free(sequence);
}

const brise_sequence_facts *brise_get_sequence_facts(const brise_sequence *sequence)
{
	return sequence ? &sequence->facts : NULL;
}

brise_status sequence_check_room(const brise_sequence *s, uint64_t n, brise_error *err)
{
	const brise_sequence_facts *f = &s->facts;

	if (n <= f->end - f->position)
		return BRISE_OK;
	if (f->end == BRISE_POSITION_END)
		return error_set(err, BRISE_EFULL,
		                 "sequence full: at position %" PRIu64 ", %" PRIu64
		                 " more wanted; positions end at %" PRIu64,
		                 f->position, n, f->end);
	return error_set(err, BRISE_EFULL,
	                 "context full: %" PRIu64 " of %" PRIu64 " positions used, %" PRIu64
	                 " more wanted; this model has no window",
	                 f->position - f->start, f->end - f->start, n);
}

brise_status sequence_restore(brise_sequence *s, uint64_t position, const uint64_t *oldest,
                              brise_error *err)
{
	brise_sequence_facts *f = &s->facts;
	uint32_t n = s->oldest_of ? s->ring.n_layers : 1, layer;

	for (layer = 0; layer < n; layer++)
		if (oldest[layer] < f->start || oldest[layer] > position || position > f->end)
			return error_set(err, BRISE_EINVAL,
			                 "positions %" PRIu64 " to %" PRIu64
			                 " do not fit a sequence from %" PRIu64 " to %" PRIu64,
			                 oldest[layer], position, f->start, f->end);
	set_oldest(s, f->start, oldest);
	drop_overwritten(s, position);
	for (layer = 0; layer < n; layer++) {
		uint64_t needed = sequence_attended_from(s, layer, position),
		         held = sequence_held_from(s, layer);

		if (held <= needed)
			continue;
		set_oldest(s, f->start, NULL);
		return error_set(err, BRISE_EINVAL,
		                 "positions from %" PRIu64 " on are held, position %" PRIu64
		                 " needs those from %" PRIu64 " on",
		                 held, position, needed);
	}
	f->position = position;
	update_facts(s);
	return BRISE_OK;
}

static bool are_alike(const brise_sequence *a, const brise_sequence *b)
{
	const kv_ring *r = &a->ring, *t = &b->ring;

	return a->model == b->model && a->window == b->window && a->sinks == b->sinks &&
	       a->facts.start == b->facts.start && r->type == t->type &&
	       r->slots.most == t->slots.most && r->slots.windows == t->slots.windows &&
	       (!r->slots.windows ||
	        (r->slots.limit == t->slots.limit && r->slots.slack == t->slots.slack));
}

brise_status sequence_copy(brise_sequence *to, const brise_sequence *from, uint64_t n,
                           brise_error *err)
{
	const brise_sequence_facts *f = &from->facts;
	uint64_t end = f->start + n, first = from->oldest / SPAN_POSITIONS,
	         last = (end + SPAN_POSITIONS - 1) / SPAN_POSITIONS;
	brise_status status = sequence_check_memory(from, err);

	if (status != BRISE_OK)
		return status;
	if (to == from || !are_alike(to, from))
		return error_set(err, BRISE_EINVAL, "a sequence can be copied to one alike only");
	if (n > f->position - f->start || (n > 0 && end < f->rewind_from))
		return error_set(err, BRISE_EINVAL,
		                 "%" PRIu64 " tokens of a sequence of %" PRIu64
		                 " cannot be copied: their window is no longer held",
		                 n, f->position - f->start);
	if (n == 0)
		return brise_rewind_sequence(to, f->start, err);
	kv_ring_copy(&to->ring, &from->ring, first, last > first ? last - first : 0);
	to->cut_by = NULL;
	set_oldest(to, from->oldest, from->oldest_of);
	to->facts.position = end;
	update_facts(to);
	return BRISE_OK;
}

brise_status sequence_check_memory(const brise_sequence *s, brise_error *err)
{
	if (!map_failed(&s->ring.map))
		return BRISE_OK;
	return error_set(err, BRISE_EIO,
	                 "the sequence's session file cannot be read any more: it has become "
	                 "shorter or its disk failed; load it again");
}

void sequence_begin_pass(brise_sequence *s, uint32_t n)
{
	s->cut_by = NULL;
	drop_overwritten(s, s->facts.position + n);
	update_facts(s);
}

void sequence_end_pass(brise_sequence *s, uint32_t n)
{
	s->facts.position += n;
}

brise_status brise_rewind_sequence(brise_sequence *sequence, uint64_t position, brise_error *err)
{
	brise_sequence_facts *f;

	if (!sequence)
		return error_set(err, BRISE_EINVAL, "brise_rewind_sequence: sequence is NULL");
	f = &sequence->facts;
	if (position < f->start || position > f->position)
		return error_set(err, BRISE_EINVAL,
		                 "cannot rewind to position %" PRIu64
		                 ": the sequence begins at %" PRIu64 " and is at %" PRIu64,
		                 position, f->start, f->position);
	/* Nothing is attended to from the start, so nothing need be held. */
	if (position == f->start)
		set_oldest(sequence, f->start, NULL);
	else if (position < f->rewind_from)
		return error_set(err, BRISE_EINVAL,
		                 "cannot rewind to position %" PRIu64
		                 ": part of its window has been overwritten; the earliest possible "
		                 "is %" PRIu64 ", or the start, %" PRIu64,
		                 position, f->rewind_from, f->start);
	f->position = position;
	update_facts(sequence);
	return BRISE_OK;
}
