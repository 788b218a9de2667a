/* network.c - building networks */
#include "runtime/grammar/network.h"

#include <string.h>

#include "runtime/os/memory.h"

/* Makes room for one more of `n` items. */
static bool grow(network *net, void **items, size_t n, size_t *most, size_t size, size_t limit)
{
	size_t wanted = *most < 64 ? 64 : *most * 2;
	void *moved;

	if (network_is_full(net))
		return false;
	if (n < *most)
		return true;
	if (n >= limit) {
		net->too_large = true;
		return false;
	}
	moved = memory_resize(*items, wanted, size);
	if (!moved) {
		net->no_memory = true;
		return false;
	}
	*items = moved;
	*most = wanted;
	return true;
}

#define GROW(net, what, limit)                                                                     \
	grow(net, (void **)&(net)->what, (net)->n_##what, &(net)->most_##what,                     \
	     sizeof *(net)->what, limit)

bool network_begin(network *n)
{
	memset(n, 0, sizeof *n);
	if (!GROW(n, states, NETWORK_STATES_MAX) || !GROW(n, edges, NETWORK_EDGES_MAX) ||
	    !GROW(n, names, 1))
		return false;
	memset(&n->states[n->n_states++], 0, sizeof *n->states);
	memset(&n->edges[n->n_edges++], 0, sizeof *n->edges);
	n->names[n->n_names++] = 0;
	return true;
}

void network_free(network *n)
{
	memory_free(n->states);
	memory_free(n->edges);
	memory_free(n->rules);
	memory_free(n->repeats);
	memory_free(n->names);
	memset(n, 0, sizeof *n);
}

uint32_t network_add_state(network *n)
{
	if (!GROW(n, states, NETWORK_STATES_MAX))
		return 0;
	memset(&n->states[n->n_states], 0, sizeof *n->states);
	return (uint32_t)n->n_states++;
}

static uint32_t add_name(network *n, const char *name, size_t bytes)
{
	uint32_t at = (uint32_t)n->n_names;
	size_t i;

	for (i = 0; i <= bytes; i++) {
		if (!GROW(n, names, NETWORK_EDGES_MAX))
			return 0;
		n->names[n->n_names++] = i < bytes ? name[i] : 0;
	}
	return at;
}

uint32_t network_add_rule(network *n, const char *name, size_t bytes)
{
	network_rule rule = { .start = network_add_state(n), .end = network_add_state(n) };

	if (name)
		rule.name = add_name(n, name, bytes);
	if (!GROW(n, rules, NETWORK_STATES_MAX))
		return 0;
	n->states[rule.end].is_end = true;
	n->rules[n->n_rules] = rule;
	return (uint32_t)n->n_rules++;
}

static void add_edge(network *n, uint32_t from, network_edge edge)
{
	if (!GROW(n, edges, NETWORK_EDGES_MAX))
		return;
	edge.next = n->states[from].first;
	n->states[from].first = (uint32_t)n->n_edges;
	n->states[from].n_edges++;
	n->edges[n->n_edges++] = edge;
}

void network_add_bytes(network *n, uint32_t from, unsigned low, unsigned high, uint32_t to)
{
	add_edge(n, from,
	         (network_edge){ .kind = NETWORK_BYTES,
	                         .low = (uint8_t)low,
	                         .high = (uint8_t)high,
	                         .target = to });
}

void network_add_empty(network *n, uint32_t from, uint32_t to)
{
	if (from != to)
		add_edge(n, from, (network_edge){ .kind = NETWORK_EMPTY, .target = to });
}

void network_add_call(network *n, uint32_t from, uint32_t rule, uint32_t to)
{
	add_edge(n, from, (network_edge){ .kind = NETWORK_CALL, .target = to, .what = rule });
}

void network_add_repeat(network *n, uint32_t from, uint32_t rule, uint32_t least, uint32_t most,
                        uint32_t to)
{
	if (least > most)
		return;
	if (most == 0) {
		network_add_empty(n, from, to);
		return;
	}
	if (!GROW(n, repeats, NETWORK_STATES_MAX))
		return;
	n->repeats[n->n_repeats] =
	        (network_repeat){ .rule = rule, .least = least, .most = most, .target = to };
	add_edge(n, from,
	         (network_edge){
	                 .kind = NETWORK_REPEAT, .target = to, .what = (uint32_t)n->n_repeats++ });
}

void network_add_string(network *n, uint32_t from, const char *text, size_t bytes, uint32_t to)
{
	size_t i;

	for (i = 0; i < bytes; i++) {
		uint32_t next = i + 1 == bytes ? to : network_add_state(n);

		network_add_bytes(n, from, (uint8_t)text[i], (uint8_t)text[i], next);
		from = next;
	}
	if (bytes == 0)
		network_add_empty(n, from, to);
}

void network_add_text(network *n, uint32_t from, const char *text, uint32_t to)
{
	network_add_string(n, from, text, strlen(text), to);
}
