/* machine.c - see machine.h */
#include "runtime/grammar/machine.h"

#include <string.h>

#include "runtime/os/memory.h"

#define SET_SLOTS (MACHINE_ITEMS_MAX * 2)

static uint32_t mix(uint32_t hash, uint32_t value)
{
	hash = (hash ^ value) * 0x9e3779b1u; /* 2^32 / golden ratio */
	return hash ^ hash >> 15;
}

static bool fail(machine *m, brise_status status)
{
	if (m->status == BRISE_OK)
		m->status = status;
	return false;
}

/* Makes room for n items in all. */
static bool reserve(machine *m, void **items, size_t n, size_t *most, size_t size)
{
	size_t wanted = *most < 64 ? 64 : *most * 2;
	void *moved;

	if (n <= *most)
		return true;
	wanted = wanted < n ? n : wanted;
	moved = memory_resize(*items, wanted, size);
	if (!moved)
		return fail(m, BRISE_ENOMEM);
	*items = moved;
	*most = wanted;
	return true;
}

/* ---- tables of what is there ---------------------------------------------------------------- */

static uint32_t hash_frame(const machine_frame *f)
{
	return mix(mix(mix(0, f->place), f->below), f->count);
}

static uint32_t hash_entry(const machine *m, const machine_table *t, uint32_t entry)
{
	return t == &m->state_table ? m->states[entry].hash : hash_frame(&m->frames[entry]);
}

static void put_entry(const machine *m, machine_table *t, uint32_t entry)
{
	size_t at = hash_entry(m, t, entry) & (t->most - 1);

	while (t->slots[at])
		at = (at + 1) & (t->most - 1);
	t->slots[at] = entry;
}

static bool add_entry(machine *m, machine_table *t, uint32_t entry)
{
	if ((t->n + 1) * 2 > t->most) {
		size_t most = t->most ? t->most * 2 : 256, i;
		machine_table larger = { memory_new(most, sizeof *t->slots), t->n, most }, old = *t;

		if (!larger.slots)
			return fail(m, BRISE_ENOMEM);
		*t = larger;
		for (i = 0; i < old.most; i++)
			if (old.slots[i])
				put_entry(m, t, old.slots[i]);
		memory_free(old.slots);
	}
	put_entry(m, t, entry);
	t->n++;
	return true;
}

/* The number of a frame, which is made if there is none. */
static uint32_t find_frame(machine *m, machine_frame f)
{
	const machine_table *t = &m->frame_table;
	size_t at = hash_frame(&f) & (t->most - 1);

	for (; t->most && t->slots[at]; at = (at + 1) & (t->most - 1))
		if (!memcmp(&m->frames[t->slots[at]], &f, sizeof f))
			return t->slots[at];
	if (!reserve(m, (void **)&m->frames, m->n_frames + 1, &m->most_frames, sizeof f))
		return 0;
	m->frames[m->n_frames] = f;
	if (!add_entry(m, &m->frame_table, (uint32_t)m->n_frames))
		return 0;
	return (uint32_t)m->n_frames++;
}

/* ---- the set of configurations behind a byte ------------------------------------------------ */

static void begin_set(machine *m)
{
	m->n_set = 0;
	m->set_is_whole = false;
	if (++m->stamp == 0) {
		memset(m->set_stamps, 0, SET_SLOTS * sizeof *m->set_stamps);
		m->stamp = 1;
	}
}

static void add_item(machine *m, uint32_t state, uint32_t frame)
{
	size_t at = mix(mix(0, state), frame) & (SET_SLOTS - 1);

	for (; m->set_stamps[at] == m->stamp; at = (at + 1) & (SET_SLOTS - 1)) {
		const machine_item *there = &m->set[m->set_slots[at]];

		if (there->state == state && there->frame == frame)
			return;
	}
	if (m->n_set == MACHINE_ITEMS_MAX) {
		(void)fail(m, BRISE_EUNSUPPORTED);
		return;
	}
	m->set_stamps[at] = m->stamp;
	m->set_slots[at] = (uint32_t)m->n_set;
	m->set[m->n_set++] = (machine_item){ state, frame };
}

/* Into a rule; what is to come behind it waits on the stack. */
static void push(machine *m, uint32_t rule, machine_frame f)
{
	uint32_t frame = find_frame(m, f);

	if (frame)
		add_item(m, m->network->rules[rule].start, frame);
}

static void enter_call(machine *m, const network_edge *e, uint32_t frame)
{
	const network_state *target = &m->network->states[e->target];

	if (target->is_end && target->n_edges == 0)
		add_item(m, m->network->rules[e->what].start, frame);
	else
		push(m, e->what, (machine_frame){ e->target, frame, 0 });
}

/* `count` texts of a repeat are whole. Without a limit counting ends at the least. */
static void repeat(machine *m, uint32_t which, uint32_t count, uint32_t below)
{
	const network_repeat *r = &m->network->repeats[which];

	if (count >= r->least)
		add_item(m, r->target, below);
	if (r->most == NETWORK_NO_LIMIT && count > r->least)
		count = r->least;
	if (count < r->most)
		push(m, r->rule, (machine_frame){ MACHINE_REPEAT | which, below, count });
}

static void return_from_rule(machine *m, uint32_t frame)
{
	const machine_frame f = m->frames[frame];

	if (frame == 0)
		m->set_is_whole = true;
	else if (f.place & MACHINE_REPEAT)
		repeat(m, f.place & ~MACHINE_REPEAT, f.count + 1, f.below);
	else
		add_item(m, f.place, f.below);
}

/* Adds all that can be reached without a byte, and keeps what takes one. */
static void close_set(machine *m)
{
	const network *n = m->network;
	size_t i, kept = 0;
	uint32_t k;

	for (i = 0; i < m->n_set && m->status == BRISE_OK; i++) {
		const machine_item item = m->set[i];
		const network_state *s = &n->states[item.state];

		for (k = s->first + s->n_bytes; k < s->first + s->n_edges; k++) {
			const network_edge *e = &n->edges[k];

			if (e->kind == NETWORK_EMPTY)
				add_item(m, e->target, item.frame);
			else if (e->kind == NETWORK_CALL)
				enter_call(m, e, item.frame);
			else
				repeat(m, e->what, 0, item.frame);
		}
		if (s->is_end)
			return_from_rule(m, item.frame);
	}
	m->work -= (int64_t)m->n_set;
	for (i = 0; i < m->n_set; i++)
		if (n->states[m->set[i].state].n_bytes > 0)
			m->set[kept++] = m->set[i];
	m->n_set = kept;
}

static bool is_before(const machine_item *a, const machine_item *b)
{
	return a->state < b->state || (a->state == b->state && a->frame < b->frame);
}

static void sift(machine_item *items, size_t root, size_t n)
{
	while (root * 2 + 1 < n) {
		size_t child = root * 2 + 1;
		machine_item moved = items[root];

		if (child + 1 < n && is_before(&items[child], &items[child + 1]))
			child++;
		if (!is_before(&moved, &items[child]))
			return;
		items[root] = items[child];
		items[child] = moved;
		root = child;
	}
}

/* By insertion where there are few, else as a heap, which needs no memory. */
static void sort_items(machine_item *items, size_t n)
{
	size_t i, k;

	if (n <= 24) {
		for (i = 1; i < n; i++) {
			machine_item moved = items[i];

			for (k = i; k > 0 && is_before(&moved, &items[k - 1]); k--)
				items[k] = items[k - 1];
			items[k] = moved;
		}
		return;
	}
	for (i = n / 2; i-- > 0;)
		sift(items, i, n);
	for (i = n - 1; i > 0; i--) {
		machine_item moved = items[0];

		items[0] = items[i];
		items[i] = moved;
		sift(items, 0, i);
	}
}

/* ---- states --------------------------------------------------------------------------------- */

static uint32_t add_state(machine *m, uint32_t hash)
{
	size_t classes = m->network->n_classes, most = m->most_states;
	machine_state *s;

	if (!reserve(m, (void **)&m->items, m->n_items + m->n_set, &m->most_items,
	             sizeof *m->items) ||
	    !reserve(m, (void **)&m->states, m->n_states + 1, &m->most_states, sizeof *m->states))
		return 0;
	if (most != m->most_states) {
		uint32_t *moved = memory_resize(m->next, m->most_states, classes * sizeof *moved);

		if (!moved) {
			m->most_states = most;
			(void)fail(m, BRISE_ENOMEM);
			return 0;
		}
		m->next = moved;
	}
	s = &m->states[m->n_states];
	*s = (machine_state){ .first = (uint32_t)m->n_items,
		              .n = (uint32_t)m->n_set,
		              .hash = hash,
		              .is_whole = m->set_is_whole };
	if (m->n_set > 0)
		memcpy(m->items + m->n_items, m->set, m->n_set * sizeof *m->set);
	memset(m->next + m->n_states * classes, 0xff, classes * sizeof *m->next);
	if (!add_entry(m, &m->state_table, (uint32_t)m->n_states))
		return 0;
	m->n_items += m->n_set;
	m->work -= (int64_t)(m->n_set + classes);
	return (uint32_t)m->n_states++;
}

/* The number of the state that the set is. */
static uint32_t find_state(machine *m)
{
	const machine_table *t = &m->state_table;
	uint32_t hash = mix(0, m->set_is_whole);
	size_t i, at;

	if (m->status != BRISE_OK || (m->n_set == 0 && !m->set_is_whole))
		return 0;
	sort_items(m->set, m->n_set);
	for (i = 0; i < m->n_set; i++)
		hash = mix(mix(hash, m->set[i].state), m->set[i].frame);
	at = hash & (t->most - 1);
	for (; t->most && t->slots[at]; at = (at + 1) & (t->most - 1)) {
		const machine_state *s = &m->states[t->slots[at]];

		if (s->hash == hash && s->n == m->n_set && s->is_whole == m->set_is_whole &&
		    (s->n == 0 || !memcmp(m->items + s->first, m->set, m->n_set * sizeof *m->set)))
			return t->slots[at];
	}
	return add_state(m, hash);
}

uint32_t machine_start(machine *m)
{
	begin_set(m);
	add_item(m, m->network->rules[m->network->root].start, 0);
	close_set(m);
	return find_state(m);
}

uint32_t machine_make_next(machine *m, uint32_t state, unsigned class)
{
	const network *n = m->network;
	const machine_state s = m->states[state];
	uint8_t byte = n->bytes[class];
	uint32_t next, i, k;

	if (m->status != BRISE_OK)
		return 0;
	if (m->work < 0) {
		(void)fail(m, BRISE_EUNSUPPORTED);
		return 0;
	}
	begin_set(m);
	for (i = 0; i < s.n; i++) {
		const machine_item *item = &m->items[s.first + i];
		const network_state *from = &n->states[item->state];

		for (k = from->first; k < from->first + from->n_bytes; k++)
			if (n->edges[k].low <= byte && byte <= n->edges[k].high)
				add_item(m, n->edges[k].target, item->frame);
		m->work -= from->n_bytes;
	}
	close_set(m);
	next = find_state(m);
	if (m->status == BRISE_OK)
		m->next[(size_t)state * n->n_classes + class] = next;
	return next;
}

/* ---- beginning and forgetting --------------------------------------------------------------- */

bool machine_begin(machine *m, const network *n)
{
	memset(m, 0, sizeof *m);
	m->network = n;
	m->work = MACHINE_WORK_MAX;
	m->set = memory_new(MACHINE_ITEMS_MAX, sizeof *m->set);
	m->set_slots = memory_new(SET_SLOTS, sizeof *m->set_slots);
	m->set_stamps = memory_new(SET_SLOTS, sizeof *m->set_stamps);
	if (!m->set || !m->set_slots || !m->set_stamps ||
	    !reserve(m, (void **)&m->frames, 1, &m->most_frames, sizeof *m->frames))
		return false;
	memset(&m->frames[m->n_frames++], 0, sizeof *m->frames);
	/* State 0 has no configuration; nothing leads on from it. */
	if (add_state(m, 0) != 0 || m->status != BRISE_OK)
		return false;
	memset(m->next, 0, n->n_classes * sizeof *m->next);
	memset(m->state_table.slots, 0, m->state_table.most * sizeof *m->state_table.slots);
	m->state_table.n = 0;
	return true;
}

void machine_free(machine *m)
{
	size_t i;

	for (i = 0; i < m->n_states; i++)
		memory_free(m->states[i].mask);
	memory_free(m->states);
	memory_free(m->next);
	memory_free(m->items);
	memory_free(m->frames);
	memory_free(m->state_table.slots);
	memory_free(m->frame_table.slots);
	memory_free(m->set);
	memory_free(m->set_slots);
	memory_free(m->set_stamps);
	memset(m, 0, sizeof *m);
}

size_t machine_count_bytes(const machine *m)
{
	return m->most_states * (sizeof *m->states + m->network->n_classes * sizeof *m->next) +
	       m->most_items * sizeof *m->items + m->most_frames * sizeof *m->frames +
	       (m->state_table.most + m->frame_table.most) * sizeof(uint32_t) + m->mask_bytes;
}

/* Makes the frames that states need in a new machine; moved [frames]: their numbers there. Those
 * below come first, as they were made first. */
static void move_frames(const machine *old, machine *m, uint32_t *const *kept, size_t n,
                        uint32_t *moved)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		const machine_state *s = &old->states[*kept[i]];

		for (k = 0; k < s->n; k++)
			moved[old->items[s->first + k].frame] = 1;
	}
	for (i = old->n_frames; i-- > 1;)
		if (moved[i])
			moved[old->frames[i].below] = 1;
	moved[0] = 0;
	for (i = 1; i < old->n_frames; i++)
		if (moved[i]) {
			machine_frame f = old->frames[i];

			f.below = moved[f.below];
			moved[i] = find_frame(m, f);
		}
}

bool machine_renew(machine *m, uint32_t *const *kept, size_t n)
{
	uint32_t *moved = memory_new(m->n_frames, sizeof *moved), *states;
	machine fresh;
	size_t i, k;

	states = memory_new(n, sizeof *states);
	if (!machine_begin(&fresh, m->network) || !moved || !states) {
		memory_free(moved);
		memory_free(states);
		machine_free(&fresh);
		return false;
	}
	move_frames(m, &fresh, kept, n, moved);
	for (i = 0; i < n && fresh.status == BRISE_OK; i++) {
		const machine_state *s = &m->states[*kept[i]];

		begin_set(&fresh);
		fresh.set_is_whole = s->is_whole;
		for (k = 0; k < s->n; k++) {
			const machine_item *item = &m->items[s->first + k];

			add_item(&fresh, item->state, moved[item->frame]);
		}
		states[i] = find_state(&fresh);
	}
	memory_free(moved);
	if (fresh.status != BRISE_OK) {
		memory_free(states);
		machine_free(&fresh);
		return false;
	}
	for (i = 0; i < n; i++)
		*kept[i] = states[i];
	memory_free(states);
	machine_free(m);
	*m = fresh;
	return true;
}
