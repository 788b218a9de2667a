/* unused_keys.c - see unused_keys.h
 *
 * All states of the machine lead to the end of a text. So a key can be completed from a node if
 * some byte leads out of the trie, or on to such a node.
 */
#include "runtime/grammar/unused_keys.h"

#include <string.h>

#include "runtime/os/memory.h"

void unused_keys_free(unused_keys *u)
{
	memory_free(u->nodes);
	memset(u, 0, sizeof *u);
}

/* 0: no memory. */
static uint32_t add_node(unused_keys *u, key_node node)
{
	key_node *moved;

	if (u->n == u->most) {
		moved = memory_resize(u->nodes, u->most * 2 + 64, sizeof *moved);
		if (!moved)
			return 0;
		u->nodes = moved;
		u->most = u->most * 2 + 64;
	}
	u->nodes[u->n] = node;
	return (uint32_t)u->n++;
}

static uint32_t find_child(const unused_keys *u, uint32_t node, uint8_t byte)
{
	uint32_t child = u->nodes[node].child;

	while (child && u->nodes[child].byte != byte)
		child = u->nodes[child].next;
	return child;
}

/* Adds a key that is there, as far as a text can follow it. v: NULL, tokens are not wanted. */
static bool add_key(unused_keys *u, machine *mc, const char *key, size_t bytes, const vocabulary *v)
{
	uint32_t node = 0, child;
	size_t i;

	for (i = 0; i <= bytes; i++) {
		uint8_t byte = i < bytes ? (uint8_t)key[i] : '"';

		child = find_child(u, node, byte);
		if (!child) {
			key_node fresh = { .parent = node,
				           .next = u->nodes[node].child,
				           .byte = byte,
				           .is_key = i == bytes };

			fresh.state = machine_next(mc, u->nodes[node].state, byte);
			if (!fresh.state)
				return mc->status == BRISE_OK;
			if (v)
				fresh.token =
				        i > 0 && u->nodes[node].token == v->n_nodes
				                ? v->n_nodes
				                : vocabulary_step(v, u->nodes[node].token, byte);
			child = add_node(u, fresh);
			if (!child) {
				mc->status = BRISE_ENOMEM;
				return false;
			}
			u->nodes[node].child = child;
		}
		node = child;
	}
	mc->work -= (int64_t)bytes + 1;
	return true;
}

/* Whether a byte leads on that no child has. sizes: bytes of each class. */
static bool leads_out(const unused_keys *u, machine *mc, const key_node *node,
                      const uint16_t *sizes)
{
	const network *n = mc->network;
	uint16_t taken[256] = { 0 };
	uint32_t child;
	unsigned class;

	for (child = node->child; child; child = u->nodes[child].next)
		taken[n->classes[u->nodes[child].byte]]++;
	for (class = 0; class < n->n_classes; class ++)
		if (taken[class] < sizes[class] && machine_next(mc, node->state, n->bytes[class]))
			return true;
	mc->work -= n->n_classes;
	return false;
}

/* Children come behind their parents. */
static void find_open(unused_keys *u, machine *mc)
{
	uint16_t sizes[256] = { 0 };
	size_t i;

	for (i = 0; i < 256; i++)
		sizes[mc->network->classes[i]]++;
	for (i = u->n; i-- > 0 && mc->status == BRISE_OK;) {
		key_node *node = &u->nodes[i];

		if (node->is_key)
			continue;
		node->is_open = node->is_open || leads_out(u, mc, node, sizes);
		if (node->is_open && i > 0)
			u->nodes[node->parent].is_open = true;
	}
}

/* The trie from a state on, at which `partial` of a key has been read. */
static bool build(unused_keys *u, machine *mc, const members *m, const char *partial,
                  size_t partial_bytes, uint32_t state, const vocabulary *v)
{
	size_t at = 0, bytes;
	const char *key;

	u->n = 0;
	(void)add_node(u, (key_node){ .state = state, .token = v ? v->n_nodes : 0 });
	if (u->n == 0)
		mc->status = BRISE_ENOMEM;
	while (mc->status == BRISE_OK && members_next(m, &at, &key, &bytes))
		if (bytes >= partial_bytes &&
		    (partial_bytes == 0 || !memcmp(key, partial, partial_bytes)))
			(void)add_key(u, mc, key + partial_bytes, bytes - partial_bytes, v);
	if (mc->status == BRISE_OK && u->n > 1)
		find_open(u, mc);
	return mc->status == BRISE_OK;
}

bool unused_keys_remain(unused_keys *u, machine *mc, const members *m, uint32_t state)
{
	size_t partial_bytes, at = 0, bytes;
	const char *partial = members_partial(m, &partial_bytes), *key;

	if (!members_next(m, &at, &key, &bytes))
		return true; /* an object without keys, which may end */
	if (!partial) {
		partial_bytes = 0;
		state = machine_next(mc, state, '"');
		if (!state)
			return false;
	}
	return build(u, mc, m, partial, partial_bytes, state, NULL) &&
	       (u->n == 1 || u->nodes[0].is_open);
}

void unused_keys_exclude(unused_keys *u, machine *mc, const members *m, uint32_t state,
                         const vocabulary *v, uint32_t *mask)
{
	size_t partial_bytes, i;
	const char *partial = members_partial(m, &partial_bytes);
	uint32_t k;

	if (!partial || !build(u, mc, m, partial, partial_bytes, state, v))
		return;
	for (i = 1; i < u->n; i++) {
		uint32_t node = u->nodes[i].token;

		if (u->nodes[i].is_open || u->nodes[i].is_key || node == v->n_nodes)
			continue;
		for (k = v->first[node]; k < v->first[node + 1]; k++)
			mask[v->tokens[k] / 32] &= ~(UINT32_C(1) << v->tokens[k] % 32);
	}
}
