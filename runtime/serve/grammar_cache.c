/* grammar_cache.c - see grammar_cache.h: a short list, the most recently used first */
#include "runtime/serve/grammar_cache.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

#define CACHE_ENTRIES 16 /* agents use a few; each may take options.memory for its states */

struct grammar_entry {
	brise_grammar *grammar;
	brise_grammar_kind kind;
	size_t owner;
	char *text, *tool; /* text [bytes]; tool NULL: any */
	size_t bytes;
	bool one_call, loose_tools;
	size_t users; /* jobs, and the cache */
};

struct grammar_cache {
	grammar_entry *entries[CACHE_ENTRIES];
	size_t n;
};

grammar_cache *grammar_cache_new(void)
{
	return memory_new(1, sizeof(grammar_cache));
}

void grammar_cache_free(grammar_cache *cache)
{
	size_t i;

	for (i = 0; cache && i < cache->n; i++)
		grammar_entry_release(cache->entries[i]);
	memory_free(cache);
}

void grammar_entry_keep(grammar_entry *entry)
{
	entry->users++;
}

void grammar_entry_release(void *of)
{
	grammar_entry *entry = of;

	if (!entry || --entry->users > 0)
		return;
	brise_free_grammar(entry->grammar);
	memory_free(entry->text);
	memory_free(entry->tool);
	memory_free(entry);
}

void *grammar_pair_keep(grammar_entry *first, grammar_entry *second)
{
	grammar_entry **pair = memory_new(2, sizeof(grammar_entry *)); /* a list of pointers */
	int i;

	if (!pair)
		return NULL;
	pair[0] = first;
	pair[1] = second;
	for (i = 0; i < 2; i++)
		if (pair[i])
			grammar_entry_keep(pair[i]);
	return pair;
}

void grammar_pair_release(void *of)
{
	grammar_entry **pair = of;

	grammar_entry_release(pair[0]);
	grammar_entry_release(pair[1]);
	memory_free(pair);
}

const brise_grammar *grammar_entry_get(const grammar_entry *entry)
{
	return entry->grammar;
}

static bool is_same(const grammar_entry *e, size_t owner, const brise_grammar_options *o)
{
	return e->owner == owner && e->kind == o->kind && e->one_call == o->one_call &&
	       e->loose_tools == o->loose_tools && e->bytes == o->bytes && !e->tool == !o->tool &&
	       (!o->tool || !strcmp(e->tool, o->tool)) &&
	       (o->bytes == 0 || !memcmp(e->text, o->text, o->bytes));
}

static brise_status compile(const brise_tokenizer *tokenizer, const brise_grammar_options *o,
                            grammar_entry **out, brise_error *err)
{
	grammar_entry *e = memory_new(1, sizeof *e);
	brise_status status;

	if (!e)
		return error_set(err, BRISE_ENOMEM, "no memory for a grammar");
	e->users = 1;
	e->kind = o->kind;
	e->one_call = o->one_call;
	e->loose_tools = o->loose_tools;
	e->bytes = o->bytes;
	e->text = memory_copy(o->text ? o->text : "", o->bytes);
	e->tool = o->tool ? memory_copy_text(o->tool) : NULL;
	if (!e->text || (o->tool && !e->tool))
		status = error_set(err, BRISE_ENOMEM, "no memory for a grammar");
	else
		status = brise_new_grammar(&e->grammar, tokenizer, o, err);
	if (status != BRISE_OK)
		grammar_entry_release(e);
	else
		*out = e;
	return status;
}

/* Puts an entry first, whose place was `i`. */
static void move_first(grammar_cache *cache, size_t i)
{
	grammar_entry *e = cache->entries[i];

	memmove(cache->entries + 1, cache->entries, i * sizeof(grammar_entry *));
	cache->entries[0] = e;
}

static void insert(grammar_cache *cache, grammar_entry *e)
{
	if (cache->n == CACHE_ENTRIES)
		grammar_entry_release(cache->entries[--cache->n]);
	cache->entries[cache->n++] = e;
	move_first(cache, cache->n - 1);
	grammar_entry_keep(e);
}

brise_status grammar_cache_take(grammar_cache *cache, size_t owner,
                                const brise_tokenizer *tokenizer,
                                const brise_grammar_options *options, grammar_entry **out,
                                brise_error *err)
{
	brise_status status;
	size_t i;

	*out = NULL;
	for (i = 0; cache && i < cache->n; i++)
		if (is_same(cache->entries[i], owner, options)) {
			move_first(cache, i);
			*out = cache->entries[0];
			grammar_entry_keep(*out);
			return BRISE_OK;
		}
	status = compile(tokenizer, options, out, err);
	if (status == BRISE_OK)
		(*out)->owner = owner;
	if (status == BRISE_OK && cache)
		insert(cache, *out);
	return status;
}
