/* network_finish.c - what no text can pass goes; what would not end is refused
 *
 * All steps take time in proportion to the edges.
 */
#include "runtime/grammar/network.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

/* A repeated part that may be empty can be left out at any count: each count is then a path of its
 * own that takes no byte. */
#define EMPTY_REPEATS_MAX 64u

typedef struct work {
	uint32_t *list; /* of states or rules to look at */
	size_t n;
	uint32_t *back;       /* [edges] edge numbers ordered by what they wait for */
	uint32_t *back_first; /* [states + 1] */
	uint32_t *uses;       /* [edges] edges that name a rule, ordered by rule */
	uint32_t *uses_first; /* [rules + 1] */
	uint32_t *from;       /* [edges] the state an edge leaves */
} work;

static uint32_t edge_rule(const network *n, const network_edge *e)
{
	return e->kind == NETWORK_REPEAT ? n->repeats[e->what].rule : e->what;
}

static bool names_rule(const network_edge *e)
{
	return e->kind == NETWORK_CALL || e->kind == NETWORK_REPEAT;
}

static void free_work(work *w)
{
	memory_free(w->list);
	memory_free(w->back);
	memory_free(w->back_first);
	memory_free(w->uses);
	memory_free(w->uses_first);
	memory_free(w->from);
}

/* Orders edges by their targets and by the rules that they name (counting sort). */
static bool make_work(network *n, work *w)
{
	size_t i;
	uint32_t e;

	w->list = memory_new(n->n_states + n->n_rules + 1, sizeof *w->list);
	w->back = memory_new(n->n_edges, sizeof *w->back);
	w->back_first = memory_new(n->n_states + 2, sizeof *w->back_first);
	w->uses = memory_new(n->n_edges, sizeof *w->uses);
	w->uses_first = memory_new(n->n_rules + 2, sizeof *w->uses_first);
	w->from = memory_new(n->n_edges, sizeof *w->from);
	if (!w->list || !w->back || !w->back_first || !w->uses || !w->uses_first || !w->from)
		return false;
	for (i = 0; i < n->n_states; i++)
		for (e = n->states[i].first; e; e = n->edges[e].next)
			w->from[e] = (uint32_t)i;
	for (i = 1; i < n->n_edges; i++) {
		w->back_first[n->edges[i].target + 2]++;
		if (names_rule(&n->edges[i]))
			w->uses_first[edge_rule(n, &n->edges[i]) + 2]++;
	}
	for (i = 2; i < n->n_states + 2; i++)
		w->back_first[i] += w->back_first[i - 1];
	for (i = 2; i < n->n_rules + 2; i++)
		w->uses_first[i] += w->uses_first[i - 1];
	for (e = 1; e < n->n_edges; e++) {
		w->back[w->back_first[n->edges[e].target + 1]++] = e;
		if (names_rule(&n->edges[e]))
			w->uses[w->uses_first[edge_rule(n, &n->edges[e]) + 1]++] = e;
	}
	return true;
}

/* ---- what may be empty ---------------------------------------------------------------------- */

/* Whether an edge can be passed without a byte. */
static bool is_free(const network *n, const network_edge *e)
{
	if (e->kind == NETWORK_REPEAT && n->repeats[e->what].least == 0)
		return true;
	return e->kind == NETWORK_EMPTY ||
	       (names_rule(e) && n->rules[edge_rule(n, e)].may_be_empty);
}

/* Backwards from the ends, through edges that take nothing; `empty` marks the states. */
static bool find_empty_rules(network *n, work *w)
{
	bool *empty = memory_new(n->n_states, sizeof *empty);
	uint32_t *rule_of = memory_new(n->n_states, sizeof *rule_of); /* of a start, + 1 */
	size_t i;

	if (!empty || !rule_of) {
		memory_free(empty);
		memory_free(rule_of);
		return false;
	}
	w->n = 0;
	for (i = 0; i < n->n_rules; i++) {
		rule_of[n->rules[i].start] = (uint32_t)i + 1;
		empty[n->rules[i].end] = true;
		w->list[w->n++] = n->rules[i].end;
	}
	while (w->n > 0) {
		uint32_t state = w->list[--w->n], k, rule = rule_of[state];

		for (k = w->back_first[state]; k < w->back_first[state + 1]; k++)
			if (is_free(n, &n->edges[w->back[k]]) && !empty[w->from[w->back[k]]]) {
				empty[w->from[w->back[k]]] = true;
				w->list[w->n++] = w->from[w->back[k]];
			}
		if (rule == 0)
			continue;
		n->rules[rule - 1].may_be_empty = true;
		for (k = w->uses_first[rule - 1]; k < w->uses_first[rule]; k++)
			if (empty[n->edges[w->uses[k]].target] && !empty[w->from[w->uses[k]]]) {
				empty[w->from[w->uses[k]]] = true;
				w->list[w->n++] = w->from[w->uses[k]];
			}
	}
	memory_free(empty);
	memory_free(rule_of);
	return true;
}

static bool fix_repeats(network *n)
{
	size_t i;

	for (i = 0; i < n->n_repeats; i++) {
		network_repeat *r = &n->repeats[i];

		if (!n->rules[r->rule].may_be_empty)
			continue;
		r->least = 0;
		if (r->most != NETWORK_NO_LIMIT && r->most > EMPTY_REPEATS_MAX)
			return false;
	}
	return true;
}

/* ---- what leads to an end ------------------------------------------------------------------- */

static bool rule_is_live(const network *n, uint32_t rule)
{
	return n->states[n->rules[rule].start].is_live;
}

/* Whether an edge whose target is live leads there. */
static bool can_pass(const network *n, const network_edge *e)
{
	if (!names_rule(e) || rule_is_live(n, edge_rule(n, e)))
		return true;
	return e->kind == NETWORK_REPEAT && n->repeats[e->what].least == 0;
}

static void enliven(network *n, work *w, uint32_t state)
{
	if (n->states[state].is_live)
		return;
	n->states[state].is_live = true;
	w->list[w->n++] = state;
}

static bool find_live_states(network *n, work *w)
{
	uint32_t *rule_of = memory_new(n->n_states, sizeof *rule_of), k;
	size_t i;

	if (!rule_of)
		return false;
	w->n = 0;
	for (i = 0; i < n->n_rules; i++) {
		rule_of[n->rules[i].start] = (uint32_t)i + 1;
		enliven(n, w, n->rules[i].end);
	}
	while (w->n > 0) {
		uint32_t state = w->list[--w->n], rule = rule_of[state];

		for (k = w->back_first[state]; k < w->back_first[state + 1]; k++)
			if (can_pass(n, &n->edges[w->back[k]]))
				enliven(n, w, w->from[w->back[k]]);
		for (k = rule ? w->uses_first[rule - 1] : 0; k < (rule ? w->uses_first[rule] : 0);
		     k++)
			if (n->states[n->edges[w->uses[k]].target].is_live)
				enliven(n, w, w->from[w->uses[k]]);
	}
	memory_free(rule_of);
	return true;
}

/* Where an edge leads if it leads on through single edges that take nothing: a call whose target is
 * the end of its rule need not come back. */
static uint32_t skip_empty(const network *n, const network_edge *edges, uint32_t state)
{
	unsigned steps;

	for (steps = 0; steps < 64; steps++) {
		const network_state *s = &n->states[state];

		if (s->is_end || s->n_edges != 1 || edges[s->first].kind != NETWORK_EMPTY)
			break;
		state = edges[s->first].target;
	}
	return state;
}

/* Arrays instead of lists, without dead edges, edges with bytes first. */
static bool order_edges(network *n)
{
	network_edge *ordered = memory_new(n->n_edges, sizeof *ordered);
	uint32_t at = 1, e, pass;
	size_t i;

	if (!ordered)
		return false;
	for (i = 0; i < n->n_states; i++) {
		network_state *s = &n->states[i];
		uint32_t first = at;

		for (pass = 0; pass < 2 && s->is_live; pass++) {
			for (e = s->first; e; e = n->edges[e].next) {
				network_edge edge = n->edges[e];

				if ((edge.kind == NETWORK_BYTES) != (pass == 0) ||
				    !n->states[edge.target].is_live || !can_pass(n, &edge))
					continue;
				if (names_rule(&edge) && !rule_is_live(n, edge_rule(n, &edge)))
					edge.kind = NETWORK_EMPTY;
				ordered[at++] = edge;
			}
			if (pass == 0)
				s->n_bytes = at - first;
		}
		s->first = first;
		s->n_edges = at - first;
	}
	for (e = 1; e < at; e++)
		ordered[e].target = skip_empty(n, ordered, ordered[e].target);
	for (i = 0; i < n->n_repeats; i++)
		n->repeats[i].target = skip_empty(n, ordered, n->repeats[i].target);
	memory_free(n->edges);
	n->edges = ordered;
	n->n_edges = n->most_edges = at;
	return true;
}

/* ---- rules that begin with themselves ------------------------------------------------------- */

typedef struct descent {
	uint32_t rule;
	uint32_t at, end; /* of its list of rules that it may begin with */
} descent;

/* Rules that each rule may begin with, in `begins`, those of rule i from first[i] to first[i+1].
 * False: no memory. */
static bool list_beginnings(const network *n, work *w, uint32_t **begins, uint32_t *first)
{
	uint32_t *seen = memory_new(n->n_states, sizeof *seen); /* rule + 1 that was there */
	size_t used = 0, most = 0, i;
	uint32_t k;

	*begins = NULL;
	for (i = 0; seen && i < n->n_rules; i++) {
		first[i] = (uint32_t)used;
		w->n = 0;
		w->list[w->n++] = n->rules[i].start;
		seen[n->rules[i].start] = (uint32_t)i + 1;
		while (w->n > 0) {
			const network_state *s = &n->states[w->list[--w->n]];

			for (k = s->first + s->n_bytes; k < s->first + s->n_edges; k++) {
				const network_edge *e = &n->edges[k];

				if (names_rule(e) && used == most) {
					uint32_t *moved = memory_resize(*begins, most * 2 + 64,
					                                sizeof *moved);

					if (!moved) {
						memory_free(seen);
						return false;
					}
					*begins = moved;
					most = most * 2 + 64;
				}
				if (names_rule(e))
					(*begins)[used++] = edge_rule(n, e);
				if (is_free(n, e) && seen[e->target] != i + 1) {
					seen[e->target] = (uint32_t)i + 1;
					w->list[w->n++] = e->target;
				}
			}
		}
	}
	if (seen)
		first[n->n_rules] = (uint32_t)used;
	memory_free(seen);
	return seen != NULL;
}

/* The next rule on the way down from the last of a path [*depth]; true: it is on the path. */
static bool descend(descent *path, size_t *depth, const uint32_t *begins, const uint32_t *first,
                    uint8_t *colors, uint32_t *found)
{
	descent *d = &path[*depth - 1];

	if (d->at == d->end) {
		colors[d->rule] = 2;
		--*depth;
		return false;
	}
	*found = begins[d->at++];
	if (colors[*found] == 0) {
		path[(*depth)++] = (descent){ *found, first[*found], first[*found + 1] };
		colors[*found] = 1;
		return false;
	}
	return colors[*found] == 1;
}

/* Depth first; *found: a rule that begins with itself, or n_rules. False: no memory. */
static bool find_recursion(const network *n, work *w, uint32_t *found)
{
	uint32_t *first = memory_new(n->n_rules + 1, sizeof *first), *begins = NULL, rule = 0;
	uint8_t *colors = memory_new(n->n_rules, 1);
	descent *path = memory_new(n->n_rules + 1, sizeof *path);
	bool done = first && colors && path && list_beginnings(n, w, &begins, first);
	bool is_found = false;
	size_t depth = 0, i;

	for (i = 0; done && i < n->n_rules && !is_found; i++) {
		if (colors[i])
			continue;
		path[depth++] = (descent){ (uint32_t)i, first[i], first[i + 1] };
		colors[i] = 1;
		while (depth > 0 && !is_found)
			is_found = descend(path, &depth, begins, first, colors, &rule);
	}
	*found = is_found ? rule : (uint32_t)n->n_rules;
	memory_free(first);
	memory_free(begins);
	memory_free(colors);
	memory_free(path);
	return done;
}

/* ---- classes of bytes ----------------------------------------------------------------------- */

static void find_classes(network *n)
{
	bool begins[257] = { [0] = true };
	size_t i;
	unsigned b;

	for (i = 1; i < n->n_edges; i++)
		if (n->edges[i].kind == NETWORK_BYTES) {
			begins[n->edges[i].low] = true;
			begins[n->edges[i].high + 1] = true;
		}
	for (b = 0; b < 256; b++) {
		if (begins[b])
			n->bytes[n->n_classes++] = (uint8_t)b;
		n->classes[b] = (uint8_t)(n->n_classes - 1);
	}
}

brise_status network_finish(network *n, uint32_t root, const char *name, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t recursive = 0;
	work w;

	if (n->too_large)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: too large: more than %u states or %u edges", name,
		                 NETWORK_STATES_MAX, NETWORK_EDGES_MAX);
	memset(&w, 0, sizeof w);
	n->root = root;
	if (n->no_memory || !make_work(n, &w) || !find_empty_rules(n, &w))
		status = BRISE_ENOMEM;
	else if (!fix_repeats(n))
		status = error_set(err, BRISE_EUNSUPPORTED,
		                   "%s: a part that may be empty is repeated more than %u times",
		                   name, EMPTY_REPEATS_MAX);
	else if (!find_live_states(n, &w) || !order_edges(n) || !find_recursion(n, &w, &recursive))
		status = BRISE_ENOMEM;
	free_work(&w);
	if (status == BRISE_ENOMEM)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for a grammar", name);
	if (status != BRISE_OK)
		return status;
	if (recursive < n->n_rules)
		return error_set(
		        err, BRISE_EUNSUPPORTED, "%s: %s begins with itself (left recursion)", name,
		        n->rules[recursive].name ? n->names + n->rules[recursive].name : "a rule");
	if (!rule_is_live(n, root))
		return error_set(err, BRISE_EUNSUPPORTED, "%s: no text can be valid", name);
	find_classes(n);
	return BRISE_OK;
}
