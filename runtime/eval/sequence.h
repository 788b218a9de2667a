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
	uint64_t window; /* W; UINT64_MAX: all positions */
	/* The first position whose keys and values no later one has overwritten: what has been
	 * written, by a cancelled pass too, reaches to oldest + ring.slots at most. */
	uint64_t oldest;
	brise_sequence_facts facts; /* position, start and end among them */
};

/* The first position that a token at `position` attends to: itself and the W-1 before it. */
static inline uint64_t sequence_attended_from(const brise_sequence *s, uint64_t position)
{
	uint64_t past = position - s->facts.start;

	return past >= s->window ? position + 1 - s->window : s->facts.start;
}

/* Refuses n more positions than there is room for, with BRISE_EFULL. */
brise_status sequence_check_room(const brise_sequence *s, uint64_t n, brise_error *err);

/* Notes that a pass is about to write n positions from s->facts.position on. */
void sequence_begin_pass(brise_sequence *s, uint32_t n);

/* The n positions written are part of the sequence from now on. */
void sequence_end_pass(brise_sequence *s, uint32_t n);

#endif
