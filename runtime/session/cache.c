/* cache.c - finding, keeping and dropping texts in a folder
 *
 * Two processes may do any of this at once. What one removes, the other does not find; both may
 * keep the same text, under names that differ in their uses: then the next that drops something
 * counts both.
 */
#include "runtime/session/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/session/cache_entry.h"
#include "runtime/session/session.h"

#define CANDIDATES 4u /* whose tokens are looked at */
#define BUCKETS    256u

#define WRITABLE_BY_OTHERS 0002u /* a bit of a folder's mode */

static uint32_t this_hour(void)
{
	return (uint32_t)(os_time() / 3600);
}

/* folder/bucket[/name]; memory_free'd by the caller. NULL: no memory. */
static char *path_of(const prompt_cache *cache, uint32_t bucket, const char *name)
{
	size_t size = strlen(cache->folder) + ENTRY_NAME + 8;
	char *path = memory_new(size, 1);

	if (path)
		(void)snprintf(path, size, "%s/%02x%s%s", cache->folder, (unsigned)bucket,
		               name ? "/" : "", name ? name : "");
	return path;
}

/* ---- opening -------------------------------------------------------------------------------- */

brise_status prompt_cache_open(prompt_cache *cache, const char *folder, uint64_t most_bytes,
                               brise_error *err)
{
	brise_status status = BRISE_OK;
	os_facts facts;

	*cache = (prompt_cache){ memory_copy_text(folder), most_bytes };
	if (!cache->folder || folder[0] == 0)
		status = error_set(err, cache->folder ? BRISE_EINVAL : BRISE_ENOMEM,
		                   "no memory or no name for the folder of cached prompts");
	else if (!os_make_private_folders(folder))
		status = error_errno(err, "%s: the folder for cached prompts cannot be made",
		                     folder);
	else if (!os_examine(folder, &facts) || facts.kind != OS_FOLDER || !os_may_write(folder))
		status =
		        error_set(err, BRISE_EIO,
		                  "%s: is no folder that cached prompts can be written to", folder);
	else if (facts.mode & WRITABLE_BY_OTHERS)
		status = error_set(err, BRISE_EIO,
		                   "%s: everybody may write to this folder, so that others could "
		                   "read or replace cached prompts; choose another, or chmod 700",
		                   folder);
	if (status != BRISE_OK)
		prompt_cache_close(cache);
	return status;
}

void prompt_cache_close(prompt_cache *cache)
{
	memory_free(cache->folder);
	cache->folder = NULL;
}

/* ---- finding -------------------------------------------------------------------------------- */

typedef struct candidate {
	char name[ENTRY_NAME];
	cache_entry entry;
	uint32_t share;
	bool all;
} candidate;

typedef struct search {
	const entry_hashes *hashes;
	uint64_t room;              /* positions that the sequence can have */
	candidate best[CANDIDATES]; /* [n] the longest share first */
	unsigned n;
} search;

/* An os_entry_fn. */
static bool consider(void *user, const char *name)
{
	search *s = user;
	candidate c;
	unsigned at;

	if (!entry_parse(&c.entry, name) || c.entry.n > s->room)
		return true;
	c.share = entry_share(&c.entry, s->hashes, &c.all);
	/* What lies behind the end of the share must be rewound. */
	if (c.share == 0 || (!c.all && 2 * (uint64_t)c.share <= c.entry.rewind_from))
		return true;
	(void)snprintf(c.name, sizeof c.name, "%s", name);
	for (at = s->n; at > 0 && s->best[at - 1].share < c.share; at--)
		if (at < CANDIDATES)
			s->best[at] = s->best[at - 1];
	if (at < CANDIDATES)
		s->best[at] = c;
	if (s->n < CANDIDATES)
		s->n++;
	return true;
}

static size_t count_common(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
	size_t n = n_a < n_b ? n_a : n_b, i;

	for (i = 0; i < n && a[i] == b[i]; i++)
		;
	return i;
}

/* A file of which nobody can make anything; not one for which this process lacks the memory, or
 * has another sequence. */
static bool is_lost(brise_status status)
{
	return status != BRISE_OK && status != BRISE_ENOMEM && status != BRISE_EINVAL;
}

/* What of a candidate's text is of use; a file that is lost is removed. */
static size_t measure(const char *path, const candidate *c, const brise_model *model,
                      const int32_t *tokens, size_t n)
{
	size_t n_held, common = 0;
	int32_t *held;

	brise_status status = session_read_tokens(path, model, &held, &n_held, NULL);

	if (status == BRISE_OK)
		common = count_common(held, n_held, tokens, n);
	else if (is_lost(status))
		(void)os_remove(path);
	memory_free(held);
	return common < c->entry.rewind_from && common < n_held ? 0 : common;
}

/* One more use. */
static void note_use(const prompt_cache *cache, uint32_t bucket, const candidate *c)
{
	char name[ENTRY_NAME], *from = path_of(cache, bucket, c->name), *to;
	cache_entry e = c->entry;

	e.uses += e.uses < 0xffffff;
	e.hour = this_hour();
	entry_print(&e, name);
	to = path_of(cache, bucket, name);
	if (from && to)
		(void)os_rename(from, to);
	memory_free(from);
	memory_free(to);
}

/* The candidate that shares most, if that is more than `least`: its sequence and tokens. */
static void load_best(prompt_cache *cache, const search *s, const brise_model *model,
                      const brise_sequence_options *options, const int32_t *tokens, size_t n,
                      size_t least, brise_sequence **sequence, int32_t **held, size_t *n_held)
{
	uint32_t bucket = entry_bucket(s->hashes);
	size_t common, most = least;
	unsigned i, chosen = CANDIDATES;
	brise_status status;
	char *path;

	for (i = 0; i < s->n; i++) {
		if (!(path = path_of(cache, bucket, s->best[i].name)))
			return;
		common = measure(path, &s->best[i], model, tokens, n);
		memory_free(path);
		if (common > most) {
			most = common;
			chosen = i;
		}
	}
	if (chosen == CANDIDATES || !(path = path_of(cache, bucket, s->best[chosen].name)))
		return;
	status = brise_load_session(sequence, held, n_held, path, model, options, NULL, NULL);
	if (status == BRISE_OK)
		note_use(cache, bucket, &s->best[chosen]);
	else if (is_lost(status))
		(void)os_remove(path);
	memory_free(path);
}

brise_status prompt_cache_find(prompt_cache *cache, const brise_sequence *like,
                               const brise_model *model, const brise_sequence_options *options,
                               const int32_t *tokens, size_t n, size_t least,
                               brise_sequence **found, int32_t **held, size_t *n_held,
                               brise_error *err)
{
	const brise_sequence_facts *facts = brise_get_sequence_facts(like);
	entry_hashes hashes = { NULL, 0 };
	search *s;
	char *folder;

	*found = NULL;
	*held = NULL;
	*n_held = 0;
	if (n < ENTRY_LEAST || least >= n)
		return BRISE_OK;
	s = memory_new(1, sizeof *s);
	if (!s || !entry_hash(&hashes, session_identity(like), tokens, n)) {
		memory_free(s);
		return error_set(err, BRISE_ENOMEM, "no memory to look for %zu tokens", n);
	}
	s->hashes = &hashes;
	s->room = facts->end - facts->start;
	folder = path_of(cache, entry_bucket(&hashes), NULL);
	if (folder && os_list_folder(folder, consider, s))
		load_best(cache, s, model, options, tokens, n, least, found, held, n_held);
	memory_free(folder);
	entry_free_hashes(&hashes);
	memory_free(s);
	return BRISE_OK;
}

brise_status prompt_cache_take(prompt_cache *cache, brise_sequence **sequence,
                               const brise_model *model, const brise_sequence_options *options,
                               const int32_t *held, size_t n_held, const int32_t *tokens, size_t n,
                               size_t *kept, brise_error *err)
{
	size_t own = count_common(held, n_held, tokens, n), n_found = 0;
	brise_sequence *found = NULL;
	int32_t *found_tokens = NULL;
	brise_status status =
	        prompt_cache_find(cache, *sequence, model, options, tokens, n,
	                          own + PROMPT_CACHE_WORTH, &found, &found_tokens, &n_found, err);

	if (status != BRISE_OK)
		return status;
	if (found) {
		brise_free_sequence(*sequence);
		*sequence = found;
		status = brise_keep_prefix(found, found_tokens, n_found, tokens, n, kept, err);
	} else {
		status = brise_keep_prefix(*sequence, held, n_held, tokens, n, kept, err);
	}
	memory_free(found_tokens);
	return status;
}

/* ---- dropping ------------------------------------------------------------------------------- */

typedef struct kept_file {
	cache_entry entry;
	uint32_t bucket;
	double score;
} kept_file;

typedef struct inventory {
	const prompt_cache *cache;
	const entry_hashes *hashes; /* of the text that is to be kept */
	uint64_t rewind_from;       /* of its sequence */
	kept_file *files;           /* [n], room for [most] */
	size_t n, most;
	uint64_t bytes;
	uint32_t bucket, hour; /* bucket: that is being listed */
	bool there;            /* the text itself */
	bool failed;           /* no memory */
} inventory;

static void remove_file(const prompt_cache *cache, uint32_t bucket, const char *name)
{
	char *path = path_of(cache, bucket, name);

	if (path)
		(void)os_remove(path);
	memory_free(path);
}

/* What a process that was killed has left: nobody holds its lock. */
static void remove_leftover(const prompt_cache *cache, uint32_t bucket, const char *name)
{
	char *path = path_of(cache, bucket, name);
	int file = path ? os_open_writable(path) : -1;

	if (file >= 0 && os_lock_file(file) == OS_LOCKED)
		(void)os_remove(path);
	if (file >= 0)
		(void)os_close(file);
	memory_free(path);
}

static void add_file(inventory *v, const cache_entry *e)
{
	kept_file *files;

	if (v->n == v->most) {
		files = memory_resize(v->files, 2 * v->most + 64, sizeof *files);
		if (!files) {
			v->failed = true;
			return;
		}
		v->files = files;
		v->most = 2 * v->most + 64;
	}
	v->files[v->n++] = (kept_file){ *e, v->bucket, entry_score(e, v->hour) };
	v->bytes += e->bytes;
}

/* An os_entry_fn. */
static bool count_file(void *user, const char *name)
{
	inventory *v = user;
	cache_entry e;
	bool all;

	if (!entry_parse(&e, name)) {
		if (strstr(name, ".part"))
			remove_leftover(v->cache, v->bucket, name);
		return true;
	}
	(void)entry_share(&e, v->hashes, &all);
	if (all && e.n == v->hashes->n)
		v->there = true;
	/* The beginning of a text that can be rewound to it. */
	else if (all && (v->rewind_from == 0 || e.n >= v->rewind_from)) {
		remove_file(v->cache, v->bucket, name);
		return true;
	}
	add_file(v, &e);
	return !v->failed;
}

static int compare_scores(const void *a, const void *b)
{
	const kept_file *x = a, *y = b;

	return x->score < y->score ? -1 : x->score > y->score;
}

/* The least useful go until `bytes` more have room. */
static void make_room(inventory *v, uint64_t bytes)
{
	char name[ENTRY_NAME];
	size_t i;

	if (v->n > 0)
		qsort(v->files, v->n, sizeof *v->files, compare_scores);
	for (i = 0; i < v->n && v->bytes + bytes > v->cache->most_bytes; i++) {
		entry_print(&v->files[i].entry, name);
		remove_file(v->cache, v->files[i].bucket, name);
		v->bytes -= v->files[i].entry.bytes;
	}
}

static void take_inventory(inventory *v)
{
	char *folder;

	for (v->bucket = 0; v->bucket < BUCKETS && !v->failed; v->bucket++) {
		folder = path_of(v->cache, v->bucket, NULL);
		if (folder)
			(void)os_list_folder(folder, count_file, v);
		memory_free(folder);
	}
}

/* ---- keeping -------------------------------------------------------------------------------- */

static brise_status save(prompt_cache *cache, const brise_sequence *sequence, const int32_t *tokens,
                         const cache_entry *e, uint32_t bucket, const session_watch *watch,
                         brise_error *err)
{
	char name[ENTRY_NAME], *folder = path_of(cache, bucket, NULL), *path;
	brise_status status = BRISE_OK;

	entry_print(e, name);
	path = path_of(cache, bucket, name);
	if (!folder || !path)
		status = error_set(err, BRISE_ENOMEM, "no memory for a name");
	else if (!os_make_private_folder(folder) && errno != EEXIST)
		status = error_errno(err, "%s: cannot be made", folder);
	else
		status = session_write(path, sequence, tokens, e->n, watch, err);
	memory_free(folder);
	memory_free(path);
	return status;
}

brise_status prompt_cache_put(prompt_cache *cache, const brise_sequence *sequence,
                              const int32_t *tokens, size_t n, const session_watch *watch,
                              brise_error *err)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(sequence);
	inventory v = { .cache = cache, .rewind_from = f->rewind_from, .hour = this_hour() };
	uint64_t bytes;
	brise_status status = BRISE_OK;
	entry_hashes hashes;
	cache_entry e;

	if (f->start != 0 || f->position != n || n < ENTRY_LEAST || n > UINT32_MAX / 2)
		return BRISE_OK;
	bytes = session_bytes(sequence, n) + 100000; /* the header and what is rounded up */
	if (bytes > cache->most_bytes / 2)
		return BRISE_OK;
	if (!entry_hash(&hashes, session_identity(sequence), tokens, n))
		return error_set(err, BRISE_ENOMEM, "no memory for the hashes of %zu tokens", n);
	v.hashes = &hashes;
	e = entry_of(&hashes);
	e.bytes = bytes;
	e.hour = v.hour;
	e.rewind_from = f->rewind_from;
	take_inventory(&v);
	if (v.failed)
		status = error_set(err, BRISE_ENOMEM, "no memory to list %zu cached prompts", v.n);
	else if (!v.there) {
		make_room(&v, bytes);
		status = save(cache, sequence, tokens, &e, entry_bucket(&hashes), watch, err);
	}
	memory_free(v.files);
	entry_free_hashes(&hashes);
	return status;
}
