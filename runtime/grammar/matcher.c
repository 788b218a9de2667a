/* matcher.c - one text in a grammar: the mask of the next token
 *
 * A mask is made by walking the trie of the vocabulary through the machine's states, once for each
 * state, and kept with the state. Keys that an object has already are taken out of a copy.
 */
#include <inttypes.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/grammar/grammar.h"
#include "runtime/os/memory.h"

brise_status brise_new_matcher(brise_matcher **out, const brise_grammar *grammar,
                               const int32_t *ends, size_t n_ends, bool answer, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(grammar) };
	brise_status status = error_check_pointers(err, "brise_new_matcher", needed, 2);
	brise_matcher *m;
	size_t i;

	if (out)
		*out = NULL;
	if (status != BRISE_OK)
		return status;
	if (n_ends > 0 && !ends)
		return error_set(err, BRISE_EINVAL, "brise_new_matcher: ends is NULL");
	for (i = 0; i < n_ends; i++)
		if (ends[i] < 0 || (uint32_t)ends[i] >= grammar->vocabulary->rows)
			return error_set(err, BRISE_EINVAL,
			                 "end token %" PRId32 " outside the vocabulary of %" PRIu32,
			                 ends[i], grammar->vocabulary->rows);
	m = memory_new(1, sizeof *m);
	if (m) {
		m->ends = memory_new(n_ends, sizeof *m->ends);
		m->mask = memory_new(grammar->vocabulary->words, sizeof *m->mask);
	}
	if (!m || !m->ends || !m->mask) {
		brise_free_matcher(m);
		return error_set(err, BRISE_ENOMEM, "no memory for a matcher");
	}
	if (n_ends > 0)
		memcpy(m->ends, ends, n_ends * sizeof *ends);
	m->n_ends = n_ends;
	m->grammar = grammar;
	m->is_answer = answer && grammar->vocabulary->drops_space;
	m->next = grammar->cache->matchers;
	m->link = &grammar->cache->matchers;
	if (m->next)
		m->next->link = &m->next;
	grammar->cache->matchers = m;
	brise_reset_matcher(m);
	*out = m;
	return BRISE_OK;
}

void brise_free_matcher(brise_matcher *matcher)
{
	brise_matcher *m = matcher;

	if (!m)
		return;
	if (m->link) {
		*m->link = m->next;
		if (m->next)
			m->next->link = m->link;
	}
	members_free(&m->members);
	memory_free(m->ends);
	memory_free(m->mask);
	memory_free(m);
}

void brise_reset_matcher(brise_matcher *matcher)
{
	if (!matcher)
		return;
	matcher->state = matcher->grammar->cache->start;
	matcher->at_start = true;
	matcher->is_over = false;
	members_reset(&matcher->members);
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Forgets states that no matcher is in, when they take too much memory. */
static void keep_within_memory(const brise_grammar *g)
{
	grammar_cache *c = g->cache;
	brise_matcher *m;
	uint32_t **kept;
	size_t n = 0;

	if (machine_count_bytes(&c->machine) <= g->memory)
		return;
	for (m = c->matchers; m; m = m->next)
		n++;
	kept = memory_new(n + 1, sizeof *kept);
	if (!kept)
		return; /* it stays larger for now */
	kept[0] = &c->start;
	n = 1;
	for (m = c->matchers; m; m = m->next)
		kept[n++] = &m->state;
	(void)machine_renew(&c->machine, kept, n);
	memory_free(kept);
}

/* An error of the machine ends with the call that met it. */
static brise_status take_status(const brise_matcher *m, brise_error *err)
{
	machine *mc = &m->grammar->cache->machine;
	brise_status status = mc->status;

	mc->status = BRISE_OK;
	if (status == BRISE_ENOMEM)
		return error_set(err, status, "no memory for the states of a grammar");
	if (status != BRISE_OK)
		return error_set(err, status, "the grammar is too ambiguous at this place");
	return BRISE_OK;
}

static void begin_work(const brise_matcher *m)
{
	m->grammar->cache->machine.work = MACHINE_WORK_MAX;
}

/* ---- masks ---------------------------------------------------------------------------------- */

/* Sets the bits of the tokens of nodes [node, end) that the machine takes, where `state` is that
 * before the byte of depth `base`. */
static void walk(const brise_grammar *g, uint32_t state, uint32_t node, uint32_t end, unsigned base,
                 uint32_t *mask)
{
	const vocabulary *v = g->vocabulary;
	machine *mc = &g->cache->machine;
	uint32_t *path = g->cache->path, i;

	path[0] = state;
	while (node < end) {
		unsigned depth = v->depths[node] - base;
		uint32_t next = machine_next(mc, path[depth], v->bytes[node]);

		if (next == 0) {
			node = v->skips[node];
			continue;
		}
		path[depth + 1] = next;
		for (i = v->first[node]; i < v->first[node + 1]; i++)
			mask[v->tokens[i] / 32] |= UINT32_C(1) << v->tokens[i] % 32;
		node++;
	}
}

/* A walk over the whole vocabulary, kept with the state; NULL: an error of the machine. */
static const uint32_t *find_mask(const brise_matcher *m)
{
	const brise_grammar *g = m->grammar;
	machine *mc = &g->cache->machine;
	uint32_t *mask = mc->states[m->state].mask;

	if (mask)
		return mask;
	mask = memory_new(g->vocabulary->words, sizeof *mask);
	if (!mask) {
		mc->status = BRISE_ENOMEM;
		return NULL;
	}
	walk(g, m->state, 0, g->vocabulary->n_nodes, 0, mask);
	if (mc->status != BRISE_OK) {
		memory_free(mask);
		return NULL;
	}
	mc->states[m->state].mask = mask;
	mc->mask_bytes += g->vocabulary->words * sizeof *mask;
	return mask;
}

static void set_token(uint32_t *mask, uint32_t id)
{
	mask[id / 32] |= UINT32_C(1) << id % 32;
}

static void clear_token(uint32_t *mask, uint32_t id)
{
	mask[id / 32] &= ~(UINT32_C(1) << id % 32);
}

static bool has_token(const uint32_t *mask, uint32_t id)
{
	return mask[id / 32] >> id % 32 & 1;
}

/* The first token of an answer, where texts get a space in front: that space is no part of the
 * text. */
static const uint32_t *find_answer_mask(const brise_matcher *m)
{
	const brise_grammar *g = m->grammar;
	const vocabulary *v = g->vocabulary;
	grammar_cache *c = g->cache;
	const uint32_t *plain;
	uint32_t *mask, i, end;

	if (c->answer_mask)
		return c->answer_mask;
	plain = find_mask(m);
	mask = plain ? memory_copy(plain, v->words * sizeof *plain) : NULL;
	if (!mask) {
		if (plain)
			c->machine.status = BRISE_ENOMEM;
		return NULL;
	}
	if (v->space < v->n_nodes) {
		end = v->skips[v->space];
		for (i = v->first[v->space]; i < v->first[end]; i++)
			clear_token(mask, v->tokens[i]);
		for (i = v->first[v->space]; i < v->first[v->space + 1]; i++)
			set_token(mask, v->tokens[i]);
		walk(g, m->state, v->space + 1, end, 1, mask);
	}
	if (c->machine.status != BRISE_OK) {
		memory_free(mask);
		return NULL;
	}
	return c->answer_mask = mask;
}

/* The state behind bytes; 0: none. */
static uint32_t move(const brise_matcher *m, const char *text, size_t bytes)
{
	machine *mc = &m->grammar->cache->machine;
	uint32_t state = m->state;
	size_t i;

	for (i = 0; i < bytes && state; i++)
		state = machine_next(mc, state, (uint8_t)text[i]);
	return state;
}

/* Reads bytes that lead to a state into c->scratch. False: a key comes twice, or none is left where
 * one is to come, or there is no memory. */
static bool read_members(brise_matcher *m, const char *text, size_t bytes, uint32_t state)
{
	grammar_cache *c = m->grammar->cache;

	if (!members_copy(&c->scratch, &m->members) || !members_read(&c->scratch, text, bytes)) {
		if (c->scratch.failed)
			c->machine.status = BRISE_ENOMEM;
		return false;
	}
	return !m->grammar->keys.are_selected || !(c->scratch.wants_key || c->scratch.is_key) ||
	       unused_keys_remain(&c->unused, &c->machine, &c->scratch, state);
}

/* Takes a token out that read_members refuses. */
static void try_token(brise_matcher *m, uint32_t id)
{
	grammar_cache *c = m->grammar->cache;
	const char *text = c->spelled;
	size_t bytes;

	if (!has_token(m->mask, id))
		return;
	(void)vocabulary_spell(m->grammar->vocabulary, id, c->spelled, &bytes);
	if (m->at_start && m->is_answer && text[0] == ' ') {
		text++;
		bytes--;
	}
	if (!read_members(m, text, bytes, move(m, text, bytes)))
		clear_token(m->mask, id);
}

/* Takes out tokens that complete a key which the object has. */
static void exclude_keys(brise_matcher *m)
{
	const vocabulary *v = m->grammar->vocabulary;
	grammar_cache *c = m->grammar->cache;
	size_t partial_bytes, bytes, at = 0;
	const char *partial = members_partial(&m->members, &partial_bytes), *key;
	uint32_t node, i;

	while (partial && members_next(&m->members, &at, &key, &bytes)) {
		if (bytes < partial_bytes || memcmp(key, partial, partial_bytes) != 0)
			continue;
		/* Behind a key in memory stands its length, not the quotation mark. */
		node = 0;
		i = v->n_nodes;
		if (bytes > partial_bytes) {
			node = vocabulary_find(v, key + partial_bytes, bytes - partial_bytes);
			if (node == v->n_nodes)
				continue;
			i = v->skips[node++];
		}
		while (node < i && v->bytes[node] != '"')
			node = v->skips[node];
		if (node >= i)
			continue;
		for (i = v->first[node]; i < v->first[v->skips[node]]; i++)
			clear_token(m->mask, v->tokens[i]);
	}
	/* A token with two quotation marks may hold a whole key; one with a quotation mark or a
	 * comma may lead to where no key is left. */
	if (!m->grammar->keys.are_selected) {
		for (i = 0; i < v->n_quoted; i++)
			try_token(m, v->quoted[i]);
		return;
	}
	unused_keys_exclude(&c->unused, &c->machine, &m->members, m->state, v, m->mask);
	for (i = 0; i < v->n_marked; i++)
		try_token(m, v->marked[i]);
}

static bool is_empty(const uint32_t *mask, size_t words)
{
	size_t i;

	for (i = 0; i < words; i++)
		if (mask[i])
			return false;
	return true;
}

brise_status brise_get_allowed(brise_matcher *matcher, brise_allowed *allowed, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(matcher), ERROR_ARGUMENT(allowed) };
	brise_status status = error_check_pointers(err, "brise_get_allowed", needed, 2);
	brise_matcher *m = matcher;
	const uint32_t *mask;
	size_t words, i;

	if (status != BRISE_OK)
		return status;
	words = m->grammar->vocabulary->words;
	memset(m->mask, 0, words * sizeof *m->mask);
	*allowed =
	        (brise_allowed){ .mask = m->mask, .may_end = m->is_over, .must_end = m->is_over };
	if (!m->is_over) {
		keep_within_memory(m->grammar);
		begin_work(m);
		mask = m->at_start && m->is_answer ? find_answer_mask(m) : find_mask(m);
		if (mask)
			memcpy(m->mask, mask, words * sizeof *mask);
		if (mask && m->grammar->keys.are_free)
			exclude_keys(m);
		if ((status = take_status(m, err)) != BRISE_OK)
			return status;
		allowed->may_end = grammar_is_whole(m);
		allowed->must_end = allowed->may_end && is_empty(m->mask, words);
	}
	if (!allowed->may_end && is_empty(m->mask, words))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "no token of the vocabulary continues the text by its grammar");
	for (i = 0; i < m->n_ends; i++) {
		clear_token(m->mask, (uint32_t)m->ends[i]);
		if (allowed->may_end)
			set_token(m->mask, (uint32_t)m->ends[i]);
	}
	return BRISE_OK;
}

/* ---- moving --------------------------------------------------------------------------------- */

bool grammar_is_whole(const brise_matcher *m)
{
	return m->grammar->cache->machine.states[m->state].is_whole;
}

static bool take_bytes(brise_matcher *m, const char *text, size_t bytes)
{
	grammar_cache *c = m->grammar->cache;
	members moved;
	uint32_t state;

	begin_work(m);
	state = move(m, text, bytes);
	if (state == 0)
		return false;
	if (m->grammar->keys.are_free) {
		if (!read_members(m, text, bytes, state))
			return false;
		moved = m->members;
		m->members = c->scratch;
		c->scratch = moved;
	}
	m->state = state;
	m->at_start = false;
	return true;
}

bool grammar_match_bytes(brise_matcher *m, const char *text, size_t bytes, brise_status *status)
{
	bool taken;

	keep_within_memory(m->grammar);
	taken = take_bytes(m, text, bytes);
	*status = take_status(m, NULL);
	return taken;
}

static bool is_end(const brise_matcher *m, int32_t id)
{
	size_t i;

	for (i = 0; i < m->n_ends; i++)
		if (m->ends[i] == id)
			return true;
	return false;
}

brise_status brise_match_token(brise_matcher *matcher, int32_t id, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(matcher) };
	brise_status status = error_check_pointers(err, "brise_match_token", needed, 1);
	brise_matcher *m = matcher;
	const vocabulary *v;
	const char *text;
	size_t bytes;

	if (status != BRISE_OK)
		return status;
	v = m->grammar->vocabulary;
	text = m->grammar->cache->spelled;
	if (id < 0 || (uint32_t)id >= v->rows)
		return error_set(err, BRISE_EINVAL,
		                 "token id %" PRId32 " outside the vocabulary of %" PRIu32, id,
		                 v->rows);
	if (!m->is_over && is_end(m, id) && grammar_is_whole(m)) {
		m->is_over = true;
		return BRISE_OK;
	}
	if (!m->is_over && !is_end(m, id) &&
	    vocabulary_spell(v, (uint32_t)id, m->grammar->cache->spelled, &bytes)) {
		if (m->at_start && m->is_answer && text[0] == ' ') {
			text++;
			bytes--;
		}
		keep_within_memory(m->grammar);
		if (take_bytes(m, text, bytes))
			return BRISE_OK;
		if ((status = take_status(m, err)) != BRISE_OK)
			return status;
	}
	return error_set(err, BRISE_EINVAL, "token id %" PRId32 " is not allowed by the grammar",
	                 id);
}
