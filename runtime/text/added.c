/* added.c - see added.h
 *
 * The sets are made when a tokenizer is opened: a few entries for most models, about a thousand for
 * those with reserved control tokens.
 */
#include "runtime/text/added.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

void added_free(struct tokenizer_added *added)
{
	if (!added)
		return;
	memory_free(added->plain.items);
	memory_free(added->normalized.items);
	memory_free(added->pool);
	memory_free(added);
}

static int compare_patterns(const void *a, const void *b)
{
	const added_pattern *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->bytes < y->bytes ? x->bytes : y->bytes);

	if (order != 0)
		return order;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void sort_set(added_set *set)
{
	size_t i;

	if (set->n > 0)
		qsort(set->items, set->n, sizeof *set->items, compare_patterns);
	for (i = 0; i < set->n; i++)
		set->begins[set->items[i].text[0]] = true;
}

static added_pattern piece_pattern(const brise_tokenizer *t, uint32_t id, uint32_t flags)
{
	return (added_pattern){ t->text + t->offsets[id], tokenizer_piece_bytes(t, id), id, flags };
}

/* The pattern as the text is when it is looked for: a space in front, if texts get one, and U+2581
 * for every space. At most three times as long, and one space longer. */
static size_t normalize_pattern(const brise_tokenizer *t, added_pattern *p, uint8_t *out)
{
	size_t n = 0;
	uint32_t i;

	if (t->dummy_prefix) {
		memcpy(out, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES);
		n = TOKENIZER_SPACE_BYTES;
	}
	for (i = 0; i < p->bytes; i++)
		if (p->text[i] == ' ') {
			memcpy(out + n, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES);
			n += TOKENIZER_SPACE_BYTES;
		} else {
			out[n++] = p->text[i];
		}
	p->text = out;
	p->bytes = (uint32_t)n;
	return n;
}

static brise_status check_entry(const brise_tokenizer *t, const added_entry *entries, uint32_t i,
                                const char *name, brise_error *err)
{
	uint32_t id = entries[i].id, type = id < t->vocab ? t->types[id] : 0;

	if ((type != PIECE_UNKNOWN && type != PIECE_CONTROL && type != PIECE_USER_DEFINED) ||
	    (i > 0 && entries[i - 1].id >= id))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: added tokens: entry %" PRIu32 ", id %" PRIu32
		                 ", is out of order or no control token or symbol",
		                 name, i, id);
	if (entries[i].flags & ~ADDED_FLAGS)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: added tokens: entry %" PRIu32 " has unknown flags 0x%" PRIx32,
		                 name, i, entries[i].flags & ~ADDED_FLAGS);
	return BRISE_OK;
}

static brise_status check_section(const brise_tokenizer *t, const void *section, size_t bytes,
                                  added_header *h, const char *name, brise_error *err)
{
	const added_entry *entries;
	brise_status status = BRISE_OK;
	uint32_t i;

	if (bytes < sizeof *h)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: added tokens: %zu bytes are too few for their header", name,
		                 bytes);
	memcpy(h, section, sizeof *h);
	if (h->rule == 0 || h->rule >= ADDED_RULES)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: added tokens: rule %" PRIu32 " is not known to this version",
		                 name, h->rule);
	if (h->n > t->vocab || bytes != sizeof *h + (size_t)h->n * sizeof *entries)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: added tokens: %zu bytes for %" PRIu32 " entries", name, bytes,
		                 h->n);
	entries = (const added_entry *)(const void *)((const uint8_t *)section + sizeof *h);
	for (i = 0; i < h->n && status == BRISE_OK; i++)
		status = check_entry(t, entries, i, name, err);
	return status;
}

/* Room for n patterns in both sets. */
static bool make_room(struct tokenizer_added *a, size_t n, size_t pool_bytes)
{
	a->plain.items = memory_new(n + 1, sizeof *a->plain.items);
	a->normalized.items = memory_new(n + 1, sizeof *a->normalized.items);
	a->pool = memory_new(pool_bytes + 1, 1);
	return a->plain.items && a->normalized.items && a->pool;
}

static bool is_normalized(uint32_t flags)
{
	return (flags & ADDED_NORMALIZED) != 0;
}

static bool fill_stated(const brise_tokenizer *t, struct tokenizer_added *a,
                        const added_entry *entries, uint32_t n)
{
	bool spells = a->rule == ADDED_EVERY || a->rule == ADDED_GGML;
	size_t pool = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		if (is_normalized(entries[i].flags))
			pool += TOKENIZER_SPACE_BYTES *
			        (tokenizer_piece_bytes(t, entries[i].id) + (size_t)1);
	if (!make_room(a, n, pool))
		return false;
	for (pool = 0, i = 0; i < n; i++) {
		added_set *set = is_normalized(entries[i].flags) ? &a->normalized : &a->plain;
		added_pattern p = piece_pattern(t, entries[i].id, entries[i].flags);

		if (is_normalized(p.flags) && spells)
			pool += normalize_pattern(t, &p, a->pool + pool);
		set->items[set->n++] = p;
	}
	a->symbols = true;
	return true;
}

static bool fill_control(const brise_tokenizer *t, struct tokenizer_added *a)
{
	uint32_t id, n = 0;

	for (id = 0; id < t->vocab; id++)
		n += t->types[id] == PIECE_CONTROL || t->types[id] == PIECE_UNKNOWN;
	if (!make_room(a, n, 0))
		return false;
	for (id = 0; id < t->vocab; id++)
		if (t->types[id] == PIECE_CONTROL || t->types[id] == PIECE_UNKNOWN)
			a->plain.items[a->plain.n++] = piece_pattern(t, id, ADDED_SPECIAL);
	return true;
}

brise_status added_attach(brise_tokenizer *t, const void *section, size_t bytes, const char *name,
                          brise_error *err)
{
	added_header h = { ADDED_GGML, 0 };
	struct tokenizer_added *a;
	brise_status status;
	bool filled;

	if (section && (status = check_section(t, section, bytes, &h, name, err)) != BRISE_OK)
		return status;
	added_free(t->added);
	t->added = a = memory_new(1, sizeof *a);
	if (a)
		a->rule = (added_rule)h.rule;
	filled = a &&
	         (section ? fill_stated(
	                            t, a,
	                            (const added_entry *)(const void *)((const uint8_t *)section +
	                                                                sizeof h),
	                            h.n)
	                  : fill_control(t, a));
	if (!filled)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for added tokens", name);
	sort_set(&a->plain);
	sort_set(&a->normalized);
	return BRISE_OK;
}

/* Byte `depth` of a pattern, -1 past its end. */
static int byte_at(const added_set *set, size_t i, uint32_t depth)
{
	return depth < set->items[i].bytes ? set->items[i].text[depth] : -1;
}

/* First of the patterns [from, to), alike up to `depth`, whose byte there is at least `least`. */
static size_t find_bound(const added_set *set, size_t from, size_t to, uint32_t depth, int least)
{
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (byte_at(set, middle, depth) < least)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* The patterns that share the text's first bytes are a range, which every further byte narrows. */
const added_pattern *added_match(const added_set *set, const uint8_t *text, size_t bytes,
                                 bool special)
{
	const added_pattern *longest = NULL;
	size_t from = 0, to = set->n;
	uint32_t depth;

	if (bytes == 0 || !set->begins[text[0]])
		return NULL;
	for (depth = 0; depth < bytes && from < to; depth++) {
		from = find_bound(set, from, to, depth, text[depth]);
		to = find_bound(set, from, to, depth, text[depth] + 1);
		if (from < to && set->items[from].bytes == depth + 1 &&
		    (special || !(set->items[from].flags & ADDED_SPECIAL)))
			longest = &set->items[from];
	}
	return longest;
}
