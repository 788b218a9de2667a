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

void added_sort(added_set *set)
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
 * for every space, if pieces mark them. At most three times as long, and one space longer. */
static size_t normalize_pattern(const brise_tokenizer *t, added_pattern *p, uint8_t *out)
{
	size_t n = 0;
	uint32_t i;

	if (t->dummy_prefix) {
		memcpy(out, TOKENIZER_SPACE, TOKENIZER_SPACE_BYTES);
		n = TOKENIZER_SPACE_BYTES;
	}
	for (i = 0; i < p->bytes; i++)
		if (p->text[i] == ' ' && t->kind->marks_spaces) {
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

static bool is_normalized(uint32_t flags)
{
	return (flags & ADDED_NORMALIZED) != 0;
}

static bool is_control(const brise_tokenizer *t, uint32_t id)
{
	return t->types[id] == PIECE_CONTROL || t->types[id] == PIECE_UNKNOWN;
}

/* What the sets need. Patterns that begin at the same place have different lengths. */
typedef struct added_sizes {
	uint32_t n;
	size_t pool, nested;
	bool lengths[TOKENIZER_PIECE_MAX + 1];
} added_sizes;

static void measure_plain(added_sizes *sizes, uint32_t bytes)
{
	sizes->nested += !sizes->lengths[bytes];
	sizes->lengths[bytes] = true;
}

/* entries [n] NULL: control tokens. */
static added_sizes measure(const brise_tokenizer *t, const added_entry *entries, uint32_t n)
{
	added_sizes sizes = { .n = n };
	uint32_t i;

	for (i = 0; entries && i < n; i++)
		if (is_normalized(entries[i].flags))
			sizes.pool += TOKENIZER_SPACE_BYTES *
			              (tokenizer_piece_bytes(t, entries[i].id) + (size_t)1);
		else
			measure_plain(&sizes, tokenizer_piece_bytes(t, entries[i].id));
	for (i = 0; !entries && i < t->vocab; i++)
		if (is_control(t, i)) {
			sizes.n++;
			measure_plain(&sizes, tokenizer_piece_bytes(t, i));
		}
	return sizes;
}

/* Room for the patterns in both sets. */
static bool make_room(struct tokenizer_added *a, const added_sizes *sizes)
{
	a->plain.items = memory_new((size_t)sizes->n + 1, sizeof *a->plain.items);
	a->normalized.items = memory_new((size_t)sizes->n + 1, sizeof *a->normalized.items);
	a->pool = memory_new(sizes->pool + 1, 1);
	a->nested = sizes->nested;
	return a->plain.items && a->normalized.items && a->pool;
}

static void fill_stated(const brise_tokenizer *t, struct tokenizer_added *a,
                        const added_entry *entries, uint32_t n)
{
	bool spells = a->rule == ADDED_EVERY || a->rule == ADDED_GGML;
	size_t pool = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		added_set *set = is_normalized(entries[i].flags) ? &a->normalized : &a->plain;
		added_pattern p = piece_pattern(t, entries[i].id, entries[i].flags);

		if (is_normalized(p.flags) && spells)
			pool += normalize_pattern(t, &p, a->pool + pool);
		set->items[set->n++] = p;
	}
	a->symbols = true;
}

static void fill_control(const brise_tokenizer *t, struct tokenizer_added *a)
{
	uint32_t id;

	for (id = 0; id < t->vocab; id++)
		if (is_control(t, id))
			a->plain.items[a->plain.n++] = piece_pattern(t, id, ADDED_SPECIAL);
}

static const added_entry *entries_of(const void *section)
{
	return section ? (const added_entry *)(const void *)((const uint8_t *)section +
	                                                     sizeof(added_header))
	               : NULL;
}

brise_status added_count(const brise_tokenizer *t, const void *section, size_t bytes,
                         const char *name, struct tokenizer_added *to, uint64_t *needed,
                         brise_error *err)
{
	added_header h = { ADDED_GGML, 0 };
	added_sizes sizes;
	brise_status status;

	if (section && (status = check_section(t, section, bytes, &h, name, err)) != BRISE_OK)
		return status;
	sizes = measure(t, entries_of(section), h.n);
	to->rule = (added_rule)h.rule;
	to->nested = sizes.nested;
	memory_count(needed, 1, sizeof *to);
	memory_count(needed, (uint64_t)sizes.n + 1, sizeof(added_pattern));
	memory_count(needed, (uint64_t)sizes.n + 1, sizeof(added_pattern));
	memory_count(needed, sizes.pool + 1, 1);
	return BRISE_OK;
}

brise_status added_attach(brise_tokenizer *t, const void *section, size_t bytes, const char *name,
                          brise_error *err)
{
	added_header h = { ADDED_GGML, 0 };
	const added_entry *entries = entries_of(section);
	struct tokenizer_added *a;
	added_sizes sizes;
	brise_status status;

	if (section && (status = check_section(t, section, bytes, &h, name, err)) != BRISE_OK)
		return status;
	added_free(t->added);
	t->added = a = memory_new(1, sizeof *a);
	sizes = measure(t, entries, h.n);
	if (!a || !make_room(a, &sizes))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for added tokens", name);
	a->rule = (added_rule)h.rule;
	if (entries)
		fill_stated(t, a, entries, h.n);
	else
		fill_control(t, a);
	added_sort(&a->plain);
	added_sort(&a->normalized);
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
