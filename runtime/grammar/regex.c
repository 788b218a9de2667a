/* regex.c - a tree to a deterministic automaton
 *
 * First one with edges that take nothing (Thompson, "Regular Expression Search Algorithm", CACM
 * 1968), then its sets of states. An expression is searched for: any characters may come before
 * its begin; behind its end everything fits. `^` is passed before the first character only, `$`
 * behind the last.
 */
#include "runtime/grammar/regex.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/regex_tree.h"
#include "runtime/os/memory.h"

#define EDGES_MAX   60000u   /* of the automaton with empty edges */
#define WORK_MAX    30000000 /* steps from state to state, some 0.2 s */
#define WORK_WEIGHT 2        /* of a step, in the caller's */
#define WORK_LEAST  5000     /* what the smallest expression takes, its memory above all */
#define CLASSES_MAX 2000u
#define ANY_SET     UINT32_MAX

typedef enum edge_kind { EDGE_SET, EDGE_EMPTY, EDGE_BEGIN, EDGE_END } edge_kind;

typedef struct edge {
	edge_kind kind;
	uint32_t set, target, next;
} edge;

typedef struct builder {
	const regex_tree *tree;
	edge *edges;     /* 0 is none */
	uint32_t *first; /* [most] edge of each state */
	size_t n_edges, n_states, most;
	uint32_t match;
	/* sets of states: members of set i are at list[starts[i]] .. list[starts[i + 1]] */
	uint32_t *list, *slots;
	size_t n_list, most_list;
	uint32_t starts[REGEX_STATES_MAX + 2];
	uint8_t *marks; /* [states] of the set that is being made */
	uint32_t *stack;
	bool *has_class; /* [sets][classes] */
	int64_t work;
	brise_status status;
	const char **why;
	regex *r;
} builder;

static bool fail(builder *b, brise_status status, const char *why)
{
	if (b->status == BRISE_OK) {
		b->status = status;
		*b->why = why;
	}
	return false;
}

/* ---- with empty edges ----------------------------------------------------------------------- */

static uint32_t new_state(builder *b)
{
	if (b->n_states < b->most)
		return (uint32_t)b->n_states++;
	(void)fail(b, BRISE_EUNSUPPORTED, "too large");
	return 0;
}

static void connect(builder *b, uint32_t from, edge_kind kind, uint32_t set, uint32_t target)
{
	if (b->n_edges == b->most) {
		(void)fail(b, BRISE_EUNSUPPORTED, "too large");
		return;
	}
	b->edges[b->n_edges] = (edge){ kind, set, target, b->first[from] };
	b->first[from] = (uint32_t)b->n_edges++;
}

static void build(builder *b, uint32_t node, uint32_t from, uint32_t to);

static void build_repeat(builder *b, const regex_node *n, uint32_t from, uint32_t to)
{
	uint32_t i, next;

	for (i = 0; i < n->least && b->status == BRISE_OK; i++) {
		next = new_state(b);
		build(b, n->child, from, next);
		from = next;
	}
	if (n->most == REGEX_NO_LIMIT) {
		next = new_state(b);
		connect(b, from, EDGE_EMPTY, 0, next);
		build(b, n->child, next, next);
		connect(b, next, EDGE_EMPTY, 0, to);
		return;
	}
	for (; i < n->most && b->status == BRISE_OK; i++) {
		connect(b, from, EDGE_EMPTY, 0, to);
		next = new_state(b);
		build(b, n->child, from, next);
		from = next;
	}
	connect(b, from, EDGE_EMPTY, 0, to);
}

/* Depth is that of groups, which is bounded. */
static void build(builder *b, uint32_t node, uint32_t from, uint32_t to)
{
	const regex_node *n = &b->tree->nodes[node];
	uint32_t child, next;

	if (b->status != BRISE_OK)
		return;
	switch (n->kind) {
	case REGEX_SET:
		connect(b, from, EDGE_SET, n->set, to);
		break;
	case REGEX_BEGIN:
		connect(b, from, EDGE_BEGIN, 0, to);
		break;
	case REGEX_END:
		connect(b, from, EDGE_END, 0, to);
		break;
	case REGEX_REPEAT:
		build_repeat(b, n, from, to);
		break;
	case REGEX_CHOICE:
		for (child = n->child; child; child = b->tree->nodes[child].next)
			build(b, child, from, to);
		break;
	case REGEX_SEQUENCE:
		for (child = n->child; child; child = b->tree->nodes[child].next) {
			next = new_state(b);
			build(b, child, from, next);
			from = next;
		}
		connect(b, from, EDGE_EMPTY, 0, to);
		break;
	case REGEX_EMPTY:
		connect(b, from, EDGE_EMPTY, 0, to);
	}
}

/* ---- classes of characters ------------------------------------------------------------------ */

static int compare_characters(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Characters that no set tells apart form a class. */
static bool find_classes(builder *b)
{
	const regex_tree *t = b->tree;
	regex *r = b->r;
	size_t n = 2, i, k, kept = 1;

	for (i = 0; i < t->n_sets; i++)
		n += 2 * t->sets[i].n;
	r->begins = memory_new(n, sizeof *r->begins);
	if (!r->begins)
		return false;
	n = 0;
	r->begins[n++] = 0;
	r->begins[n++] = CHARSET_LAST + 1;
	for (i = 0; i < t->n_sets; i++)
		for (k = 0; k < t->sets[i].n; k++) {
			r->begins[n++] = t->sets[i].ranges[k].low;
			r->begins[n++] = t->sets[i].ranges[k].high + 1;
		}
	qsort(r->begins, n, sizeof *r->begins, compare_characters);
	for (i = 1; i < n; i++)
		if (r->begins[i] != r->begins[kept - 1])
			r->begins[kept++] = r->begins[i];
	r->n_classes = kept - 1;
	if (r->n_classes > CLASSES_MAX || t->n_sets * r->n_classes > EDGES_MAX * 256u)
		return fail(b, BRISE_EUNSUPPORTED, "too many different characters");
	b->work -= (int64_t)(t->n_sets * r->n_classes);
	b->has_class = memory_new(t->n_sets * r->n_classes + 1, sizeof *b->has_class);
	if (!b->has_class)
		return false;
	for (i = 0; i < t->n_sets; i++)
		for (k = 0; k < r->n_classes; k++)
			b->has_class[i * r->n_classes + k] = charset_has(&t->sets[i], r->begins[k]);
	return true;
}

size_t regex_class(const regex *r, uint32_t c)
{
	size_t low = 0, high = r->n_classes;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (c < r->begins[middle])
			high = middle;
		else
			low = middle;
	}
	return low;
}

/* ---- sets of states ------------------------------------------------------------------------- */

static void mark(builder *b, uint32_t state, size_t *depth)
{
	if (b->marks[state])
		return;
	b->marks[state] = 1;
	b->stack[(*depth)++] = state;
}

/* Marks what can be reached without a character from what is on the stack. */
static void close_marks(builder *b, size_t depth, bool at_begin, bool at_end)
{
	uint32_t e;

	while (depth > 0) {
		uint32_t state = b->stack[--depth];

		for (e = b->first[state]; e; e = b->edges[e].next) {
			const edge *at = &b->edges[e];

			b->work--;
			if (at->kind == EDGE_EMPTY || (at->kind == EDGE_BEGIN && at_begin) ||
			    (at->kind == EDGE_END && at_end))
				mark(b, at->target, &depth);
		}
	}
}

/* The number of the marked set; the marks are removed. A set with the match is one that everything
 * fits behind. Sets are numbered from 1; that of nothing is 0. */
static uint32_t take_set(builder *b)
{
	uint32_t hash = 0, *moved;
	size_t i, n, start = b->n_list, at, slots = REGEX_STATES_MAX * 4;

	for (i = 0; i < b->n_states; i++) {
		bool has = b->marks[i] && (!b->marks[b->match] || i == b->match);

		if (!has)
			continue;
		if (b->n_list == b->most_list) {
			moved = memory_resize(b->list, b->most_list * 2 + 256, sizeof *moved);
			if (!moved)
				return fail(b, BRISE_ENOMEM, "no memory");
			b->list = moved;
			b->most_list = b->most_list * 2 + 256;
		}
		b->list[b->n_list++] = (uint32_t)i;
		hash = (hash ^ (uint32_t)i) * 0x9e3779b1u;
		hash ^= hash >> 15;
	}
	memset(b->marks, 0, b->n_states);
	b->work -= (int64_t)(b->n_states / 16);
	n = b->n_list - start;
	if (n == 0)
		return 0;
	for (at = hash % slots; b->slots[at]; at = (at + 1) % slots) {
		uint32_t there = b->slots[at];

		if (b->starts[there + 1] - b->starts[there] == n &&
		    !memcmp(b->list + b->starts[there], b->list + start, n * sizeof *b->list)) {
			b->n_list = start;
			return there;
		}
	}
	if (b->r->n_states > REGEX_STATES_MAX)
		return fail(b, BRISE_EUNSUPPORTED, "too many states");
	b->slots[at] = (uint32_t)b->r->n_states;
	b->starts[b->r->n_states + 1] = (uint32_t)b->n_list;
	return (uint32_t)b->r->n_states++;
}

static uint32_t follow(builder *b, uint32_t from, size_t class)
{
	size_t depth = 0, i;
	uint32_t e;

	for (i = b->starts[from]; i < b->starts[from + 1]; i++)
		for (e = b->first[b->list[i]]; e; e = b->edges[e].next) {
			const edge *at = &b->edges[e];

			b->work--;
			if (at->kind == EDGE_SET &&
			    (at->set == ANY_SET || b->has_class[at->set * b->r->n_classes + class]))
				mark(b, at->target, &depth);
		}
	close_marks(b, depth, false, false);
	return take_set(b);
}

static bool is_whole(builder *b, uint32_t set, bool at_begin)
{
	size_t depth = 0, i;
	bool whole;

	for (i = b->starts[set]; i < b->starts[set + 1]; i++)
		mark(b, b->list[i], &depth);
	close_marks(b, depth, at_begin, true);
	whole = b->marks[b->match];
	memset(b->marks, 0, b->n_states);
	return whole;
}

static bool make_sets(builder *b, uint32_t begin)
{
	regex *r = b->r;
	size_t depth = 0, class;
	uint32_t set;

	/* One more for regex_invert. */
	r->next = memory_new((REGEX_STATES_MAX + 2) * r->n_classes, sizeof *r->next);
	r->is_whole = memory_new(REGEX_STATES_MAX + 2, sizeof *r->is_whole);
	if (!r->next || !r->is_whole)
		return fail(b, BRISE_ENOMEM, "no memory");
	r->n_states = 1;
	mark(b, begin, &depth);
	close_marks(b, depth, true, false);
	r->start = take_set(b);
	for (set = 1; set < r->n_states && b->status == BRISE_OK; set++) {
		/* The first set alone is that before all characters. */
		r->is_whole[set] = is_whole(b, set, set == r->start);
		for (class = 0; class < r->n_classes; class ++)
			r->next[set * r->n_classes + class] = follow(b, set, class);
		if (b->work < 0)
			return fail(b, BRISE_EUNSUPPORTED, "too many states");
	}
	return b->status == BRISE_OK;
}

/* Gives back what the tables have too much; one state more is for regex_invert. */
static void shrink(regex *r)
{
	uint32_t *next = memory_resize(r->next, (r->n_states + 1) * r->n_classes, sizeof *next);
	bool *is_whole = next ? memory_resize(r->is_whole, r->n_states + 1, 1) : NULL;

	r->next = next ? next : r->next;
	r->is_whole = is_whole ? is_whole : r->is_whole;
}

static void free_builder(builder *b)
{
	memory_free(b->edges);
	memory_free(b->first);
	memory_free(b->list);
	memory_free(b->slots);
	memory_free(b->marks);
	memory_free(b->stack);
	memory_free(b->has_class);
	memory_free(b);
}

static builder *new_builder(regex *r, const regex_tree *tree, const char **why)
{
	builder *b = memory_new(1, sizeof *b);

	if (!b)
		return NULL;
	b->tree = tree;
	b->r = r;
	b->why = why;
	b->most = EDGES_MAX;
	b->n_edges = 1;
	b->edges = memory_new(EDGES_MAX, sizeof *b->edges);
	b->first = memory_new(EDGES_MAX, sizeof *b->first);
	b->marks = memory_new(EDGES_MAX, sizeof *b->marks);
	b->stack = memory_new(EDGES_MAX, sizeof *b->stack);
	b->slots = memory_new(REGEX_STATES_MAX * 4, sizeof *b->slots);
	if (b->edges && b->first && b->marks && b->stack && b->slots)
		return b;
	free_builder(b);
	return NULL;
}

brise_status regex_compile(regex *r, const char *text, size_t bytes, int64_t *work,
                           const char **why)
{
	regex_tree tree;
	brise_status status = regex_parse(&tree, text, bytes, why);
	builder *b = status == BRISE_OK ? new_builder(r, &tree, why) : NULL;
	int64_t most = *work / WORK_WEIGHT < WORK_MAX ? *work / WORK_WEIGHT : WORK_MAX;
	uint32_t begin, inner;

	memset(r, 0, sizeof *r);
	if (b)
		b->work = most;
	if (b && find_classes(b)) {
		begin = new_state(b);
		inner = new_state(b);
		b->match = new_state(b);
		connect(b, begin, EDGE_EMPTY, 0, inner);
		connect(b, begin, EDGE_SET, ANY_SET, begin);
		connect(b, b->match, EDGE_SET, ANY_SET, b->match);
		build(b, tree.root, inner, b->match);
		if (b->status == BRISE_OK && make_sets(b, begin))
			shrink(r);
		status = b->status;
	} else if (status == BRISE_OK) {
		status = b && b->status != BRISE_OK ? b->status : BRISE_ENOMEM;
		*why = status == BRISE_ENOMEM ? "no memory" : *why;
	}
	*work -= WORK_LEAST + (int64_t)bytes;
	if (b) {
		*work -= (most - b->work) * WORK_WEIGHT;
		free_builder(b);
	}
	regex_tree_free(&tree);
	if (status != BRISE_OK)
		regex_free(r);
	return status;
}

void regex_free(regex *r)
{
	memory_free(r->next);
	memory_free(r->is_whole);
	memory_free(r->begins);
	memset(r, 0, sizeof *r);
}

void regex_invert(regex *r)
{
	uint32_t all = (uint32_t)r->n_states++;
	size_t i;

	for (i = r->n_classes; i < r->n_states * r->n_classes; i++)
		if (r->next[i] == 0)
			r->next[i] = all;
	for (i = 1; i < r->n_states; i++)
		r->is_whole[i] = !r->is_whole[i];
}

bool regex_fits(const regex *r, const char *text, size_t bytes)
{
	uint32_t state = r->start;
	size_t at, step;

	for (at = 0; at < bytes && state; at += step)
		state = r->next[state * r->n_classes +
		                regex_class(r, charset_decode(text + at, bytes - at, &step))];
	return state && r->is_whole[state];
}
