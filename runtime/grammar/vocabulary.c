/* vocabulary.c - see vocabulary.h */
#include "runtime/grammar/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/tokenizer.h"

/* A token that is a mark wherever it stands has that name, and users' texts are not cut into it. */
static void find_marks(vocabulary *v)
{
	static const char *const texts[VOCABULARY_MARKS] = { "[TOOL_CALLS]", "[CALL_ID]",
		                                             "[ARGS]" };
	const brise_tokenizer *t = v->tokenizer;
	int i;

	for (i = 0; i < VOCABULARY_MARKS; i++) {
		int32_t id = -1;

		(void)brise_find_token(t, texts[i], strlen(texts[i]), &id, NULL);
		v->marks[i] = id >= 0 && (t->types[id] == PIECE_CONTROL ||
		                          t->types[id] == PIECE_USER_DEFINED)
		                      ? id
		                      : -1;
	}
}

bool vocabulary_spell(const vocabulary *v, uint32_t id, char *buffer, size_t *bytes)
{
	size_t i;

	for (i = 0; i < VOCABULARY_MARKS; i++)
		if (v->marks[i] >= 0 && (uint32_t)v->marks[i] == id) {
			*buffer = (char)(VOCABULARY_CALLS + i);
			*bytes = 1;
			return true;
		}
	*bytes = tokenizer_spell(v->tokenizer, id, buffer);
	for (i = 0; i < *bytes && (uint8_t)buffer[i] < VOCABULARY_CALLS;)
		i++;
	return i == *bytes && i > 0;
}

typedef struct spelled {
	const uint8_t *text;
	uint32_t bytes, id;
} spelled;

static int compare_spelled(const void *a, const void *b)
{
	const spelled *x = a, *y = b;
	uint32_t n = x->bytes < y->bytes ? x->bytes : y->bytes;
	int order = memcmp(x->text, y->text, n);

	if (order == 0)
		order = (x->bytes > y->bytes) - (x->bytes < y->bytes);
	return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* All tokens with text, in order; *text: where their bytes are. */
static spelled *spell_all(const vocabulary *v, uint32_t *n, uint8_t **text)
{
	const brise_tokenizer *t = v->tokenizer;
	spelled *all = memory_new(t->vocab, sizeof *all);
	size_t total = t->vocab ? t->offsets[t->vocab] : 0, at = 0, bytes;
	uint32_t id;

	*n = 0;
	*text = memory_new(total + 1, 1);
	if (!all || !*text) {
		memory_free(all);
		return NULL;
	}
	for (id = 0; id < t->vocab; id++) {
		if (!vocabulary_spell(v, id, (char *)*text + at, &bytes))
			continue;
		all[(*n)++] = (spelled){ *text + at, (uint32_t)bytes, id };
		at += bytes;
	}
	qsort(all, *n, sizeof *all, compare_spelled);
	return all;
}

static uint32_t common(const spelled *a, const spelled *b)
{
	uint32_t n = 0;

	while (n < a->bytes && n < b->bytes && a->text[n] == b->text[n])
		n++;
	return n;
}

static bool has_two_quotes(const spelled *s)
{
	const uint8_t *first = memchr(s->text, '"', s->bytes);

	return first && memchr(first + 1, '"', s->bytes - (size_t)(first + 1 - s->text));
}

static bool is_marked(const spelled *s)
{
	return memchr(s->text, '"', s->bytes) || memchr(s->text, ',', s->bytes);
}

static bool make_arrays(vocabulary *v, const spelled *all)
{
	size_t nodes = 0;
	uint32_t i;

	for (i = 0; i < v->n_tokens; i++) {
		nodes += all[i].bytes - (i ? common(&all[i - 1], &all[i]) : 0);
		v->deepest = all[i].bytes > v->deepest ? all[i].bytes : v->deepest;
		v->n_quoted += has_two_quotes(&all[i]);
		v->n_marked += is_marked(&all[i]);
	}
	v->bytes = memory_new(nodes, sizeof *v->bytes);
	v->depths = memory_new(nodes, sizeof *v->depths);
	v->skips = memory_new(nodes, sizeof *v->skips);
	v->first = memory_new(nodes + 1, sizeof *v->first);
	v->tokens = memory_new(v->n_tokens, sizeof *v->tokens);
	v->quoted = memory_new(v->n_quoted, sizeof *v->quoted);
	v->marked = memory_new(v->n_marked, sizeof *v->marked);
	return v->bytes && v->depths && v->skips && v->first && v->tokens && v->quoted &&
	       v->marked && v->deepest < UINT16_MAX;
}

/* Nodes of a token are those of the one before it, as far as both agree, and new ones. path
 * [deepest]: the nodes from the root to the last token. */
static void fill(vocabulary *v, const spelled *all, uint32_t *path)
{
	uint32_t depth = 0, shared, i, n_quoted = 0, n_marked = 0;

	v->space = UINT32_MAX;
	for (i = 0; i < v->n_tokens; i++) {
		shared = i ? common(&all[i - 1], &all[i]) : 0;
		while (depth > shared)
			v->skips[path[--depth]] = v->n_nodes;
		for (; depth < all[i].bytes; depth++) {
			path[depth] = v->n_nodes;
			v->bytes[v->n_nodes] = all[i].text[depth];
			v->depths[v->n_nodes] = (uint16_t)depth;
			v->first[v->n_nodes] = i;
			if (depth == 0 && all[i].text[0] == ' ')
				v->space = v->n_nodes;
			v->n_nodes++;
			/* Tokens of this node begin here; of those above they have ended. */
		}
		v->tokens[i] = all[i].id;
		if (has_two_quotes(&all[i]))
			v->quoted[n_quoted++] = all[i].id;
		if (is_marked(&all[i]))
			v->marked[n_marked++] = all[i].id;
	}
	while (depth > 0)
		v->skips[path[--depth]] = v->n_nodes;
	v->first[v->n_nodes] = v->n_tokens;
	if (v->space == UINT32_MAX)
		v->space = v->n_nodes;
}

static bool make(vocabulary *v, const brise_tokenizer *t)
{
	uint32_t *path = NULL;
	uint8_t *text = NULL;
	spelled *all;
	bool done = false;

	v->tokenizer = t;
	find_marks(v);
	v->drops_space = t->dummy_prefix;
	v->rows = t->rows > t->vocab ? t->rows : t->vocab;
	v->words = (v->rows + 31) / 32;
	all = spell_all(v, &v->n_tokens, &text);
	if (all && make_arrays(v, all) && (path = memory_new(v->deepest + 1, sizeof *path))) {
		fill(v, all, path);
		done = true;
	}
	memory_free(path);
	memory_free(all);
	memory_free(text);
	return done;
}

typedef struct kept_vocabulary {
	tokenizer_kept kept; /* first */
	vocabulary v;
} kept_vocabulary;

static void free_kept(tokenizer_kept *kept)
{
	vocabulary *v = &((kept_vocabulary *)kept)->v;

	memory_free(v->bytes);
	memory_free(v->depths);
	memory_free(v->skips);
	memory_free(v->first);
	memory_free(v->tokens);
	memory_free(v->quoted);
	memory_free(v->marked);
	memory_free(kept);
}

const vocabulary *vocabulary_of(const brise_tokenizer *t)
{
	tokenizer_kept *first = atomic_load(t->kept);
	kept_vocabulary *own;

	if (first)
		return &((kept_vocabulary *)first)->v;
	own = memory_new(1, sizeof *own);
	if (!own || !make(&own->v, t)) {
		if (own)
			free_kept(&own->kept);
		return NULL;
	}
	own->kept.free = free_kept;
	if (atomic_compare_exchange_strong(t->kept, &first, &own->kept))
		return &own->v;
	free_kept(&own->kept); /* another thread was first */
	return &((kept_vocabulary *)first)->v;
}

uint32_t vocabulary_step(const vocabulary *v, uint32_t node, uint8_t byte)
{
	bool is_root = node == v->n_nodes;
	uint32_t end = is_root ? v->n_nodes : v->skips[node];

	for (node = is_root ? 0 : node + 1; node < end && v->bytes[node] != byte;)
		node = v->skips[node];
	return node < end ? node : v->n_nodes;
}

uint32_t vocabulary_find(const vocabulary *v, const char *text, size_t bytes)
{
	uint32_t node = 0, end = v->n_nodes;
	size_t i;

	for (i = 0; i < bytes; i++) {
		while (node < end && v->bytes[node] != (uint8_t)text[i])
			node = v->skips[node];
		if (node >= end)
			return v->n_nodes;
		if (i + 1 == bytes)
			return node;
		end = v->skips[node];
		node++;
	}
	return v->n_nodes;
}
