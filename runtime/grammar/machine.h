/* machine.h - the places that a text may have reached in a network, as states that are made when
 * they are met
 *
 * A configuration is a state of the network and a stack of what is to be returned to. A state of
 * the machine is the set of configurations in which a text may be; all of them lead to the end of a
 * text, as the network has no others. States and stacks are kept once each and numbered, so that
 * moving on by a byte is one look into a table where that byte has been met in that state before
 * (a lazy automaton, as RE2's of regular expressions: https://swtch.com/~rsc/regexp/regexp3.html).
 *
 * Stacks are lists that share their tails (Tomita, "Efficient Parsing for Natural Language", 1986,
 * has the idea). A frame with a count repeats its rule. What does not come back is not pushed, so
 * rules that end with themselves need no deeper stacks.
 */
#ifndef GRAMMAR_MACHINE_H
#define GRAMMAR_MACHINE_H

#include "runtime/grammar/network.h"

/* Most configurations of a state, those that take no byte included. */
#define MACHINE_ITEMS_MAX 16384u

/* Most work for one token's mask, in configurations and entries of tables: some 100 ms, 40 MB. */
#define MACHINE_WORK_MAX 8000000

typedef struct machine_item {
	uint32_t state; /* of the network */
	uint32_t frame; /* top of the stack; 0: it is empty */
} machine_item;

typedef struct machine_frame {
	uint32_t place; /* where to go on: a state, or MACHINE_REPEAT and a repeat */
	uint32_t below;
	uint32_t count; /* of texts of a repeat that are whole */
} machine_frame;

#define MACHINE_REPEAT 0x80000000u

typedef struct machine_state {
	uint32_t first, n; /* configurations that take a byte */
	uint32_t hash;
	bool is_whole;  /* the text may end here */
	uint32_t *mask; /* of tokens, the caller's business; freed with the state */
} machine_state;

typedef struct machine_table {
	uint32_t *slots; /* numbers of what is there, 0: none */
	size_t n, most;  /* entries, slots */
} machine_table;

typedef struct machine {
	const network *network;
	machine_state *states; /* 0: no text gets here */
	uint32_t *next;        /* [states][classes] states; MACHINE_UNKNOWN: not made yet */
	machine_item *items;   /* of all states */
	machine_frame *frames; /* 0: the bottom */
	size_t n_states, n_items, n_frames;
	size_t most_states, most_items, most_frames;
	machine_table state_table, frame_table;
	/* the set that is being made */
	machine_item *set;
	size_t n_set;
	uint32_t *set_slots, *set_stamps, stamp;
	bool set_is_whole;
	size_t mask_bytes; /* taken by masks */
	int64_t work;      /* left for this token */
	brise_status status;
} machine;

#define MACHINE_UNKNOWN UINT32_MAX

/* The network must outlive the machine. False: no memory. */
bool machine_begin(machine *m, const network *n);
void machine_free(machine *m);

/* The state before the first byte. */
uint32_t machine_start(machine *m);

/* Where a byte of a class leads; 0: nowhere, or there was an error, which stays in m->status:
 * BRISE_ENOMEM, BRISE_EUNSUPPORTED too ambiguous or too much work. */
uint32_t machine_make_next(machine *m, uint32_t state, unsigned class);

static inline uint32_t machine_next(machine *m, uint32_t state, uint8_t byte)
{
	unsigned class = m->network->classes[byte];
	uint32_t next = m->next[(size_t)state * m->network->n_classes + class];

	return next != MACHINE_UNKNOWN ? next : machine_make_next(m, state, class);
}

size_t machine_count_bytes(const machine *m);

/* Forgets all states but those in kept [n], which become the numbers that they have now. False: no
 * memory; the machine is as it was. */
bool machine_renew(machine *m, uint32_t *const *kept, size_t n);

#endif
