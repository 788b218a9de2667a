/* sequence.h - one text: its keys and values, and its position */
#ifndef RUNTIME_SEQUENCE_H
#define RUNTIME_SEQUENCE_H

#include "runtime/eval/kv_ring.h"
#include "runtime/model/model.h"

/* Most rows of one pass, and so the largest useful slack. */
#define PASS_ROWS_MAX     4096u
#define PASS_ROWS_DEFAULT 256u

struct brise_sequence {
	const brise_model *model;
	kv_ring ring;
	uint64_t window; /* W; UINT64_MAX: all positions; where layers differ, the largest */
	uint32_t sinks;  /* S < W */
	/* [head_dim / 2] angles of queries that attend to sinks; NULL: no sinks */
	float *sink_cosines, *sink_sines;
	/* The first position whose keys and values no later one has overwritten: what has been
	 * written, by a cancelled pass too, reaches to oldest and the ring's slots at most. */
	uint64_t oldest;
	/* [n_layers] the same of each layer, where they differ, and oldest is the least; NULL: all
	 * are alike */
	uint64_t *oldest_of;
	/* The engine that has a pass over this sequence cut short, if nothing has happened to the
	 * sequence since; NULL: none */
	const brise_engine *cut_by;
	brise_sequence_facts facts; /* position, start and end among them */
};

/* What a token at `position` attends to: the last W positions, itself included, or with S attention
 * sinks (arXiv 2309.17453) the first S positions of the text and the last W - S.
 *
 * Sinks are seen at their positions in a cache of W: the query stands at the end of it, W - 1
 * after the first token, however far the text has gone. Keys keep the rotation of their own
 * position, start + 0 .. S - 1, so queries are rotated as if at start + W - 1 for them. While the
 * text is no longer than W, everything is attended to as without sinks.
 */

/* Whether the sinks are attended to at their distance from start + W - 1, apart from the rest. */
static inline bool sequence_sees_sinks(const brise_sequence *s, uint64_t position)
{
	return s->sinks > 0 && position - s->facts.start >= s->window;
}

/* W of a layer. */
static inline uint64_t sequence_window(const brise_sequence *s, uint32_t layer)
{
	const kv_slots *slots = &s->ring.slots;
	uint32_t window = slots->windows ? kv_slots_window(slots, layer) : 0;

	return !slots->windows ? s->window : window > 0 ? window : UINT64_MAX;
}

/* The first position that a token at `position` attends to in a layer, sinks apart. */
static inline uint64_t sequence_attended_from(const brise_sequence *s, uint32_t layer,
                                              uint64_t position)
{
	uint64_t past = position - s->facts.start, window = sequence_window(s, layer);

	return past >= window ? position + 1 - (window - s->sinks) : s->facts.start;
}

/* The first position that a layer holds. */
static inline uint64_t sequence_held_from(const brise_sequence *s, uint32_t layer)
{
	return s->oldest_of ? s->oldest_of[layer] : s->oldest;
}

/* Adds what brise_new_sequence will take to *needed; of the model its configuration is enough.
 * Errors: BRISE_EINVAL. */
brise_status sequence_count(const brise_model *model, const brise_sequence_options *options,
                            uint64_t *needed, brise_error *err);

/* Refuses n more positions than there is room for, with BRISE_EFULL. */
brise_status sequence_check_room(const brise_sequence *s, uint64_t n, brise_error *err);

/* A new sequence continues what another was: it is at `position` and holds the positions from
 * oldest[layer] on, as far as its slots reach; where all layers are alike, oldest[0]. Errors:
 * BRISE_EINVAL that is not what the next position needs, or more than there is room for. */
brise_status sequence_restore(brise_sequence *s, uint64_t position, const uint64_t *oldest,
                              brise_error *err);

/* `to` becomes what `from` was after its first n tokens; both are of one model and were made with
 * the same options. Errors: BRISE_EINVAL that is not what they are, or `from` has no n tokens or
 * does not hold their window any more; BRISE_EIO as sequence_check_memory of `from`. *to is
 * unchanged then. */
brise_status sequence_copy(brise_sequence *to, const brise_sequence *from, uint64_t n,
                           brise_error *err);

/* Keys and values of a session are pages of its file. Errors: BRISE_EIO one could not be read: the
 * sequence is lost. */
brise_status sequence_check_memory(const brise_sequence *s, brise_error *err);

/* Notes that a pass is about to write n positions from s->facts.position on. */
void sequence_begin_pass(brise_sequence *s, uint32_t n);

/* The n positions written are part of the sequence from now on. */
void sequence_end_pass(brise_sequence *s, uint32_t n);

#endif
