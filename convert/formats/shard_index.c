/* shard_index.c - reads an index into two sorted lists
 *
 * Thousands of tensors name a few shards. While reading, an entry holds the place of its shard's
 * name in the list, which keeps every name once, in the order of first use; sorting comes last.
 */
#include "convert/formats/shard_index.h"

#include <stdlib.h>
#include <string.h>

#include "convert/formats/tensors.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/json.h"

#define SHARDS_MAX ((size_t)1 << 14)

static bool is_plain_name(const char *text, size_t bytes)
{
	return bytes > 0 && bytes <= 255 && strlen(text) == bytes && !strchr(text, '/') &&
	       strcmp(text, "..") != 0 && strcmp(text, ".") != 0;
}

/* Names mostly repeat the one before, so the search begins at the end. Takes the name over. */
static bool find_shard(shard_index *index, char *name, uint32_t *shard)
{
	size_t i = index->n_shards;
	char **grown;

	while (i > 0 && strcmp(index->shards[i - 1], name) != 0)
		i--;
	if (i > 0) {
		memory_free(name);
		*shard = (uint32_t)(i - 1);
		return true;
	}
	grown = index->n_shards < SHARDS_MAX
	                ? memory_resize(index->shards, index->n_shards + 1, sizeof *grown)
	                : NULL;
	if (!grown) {
		memory_free(name);
		return false;
	}
	index->shards = grown;
	*shard = (uint32_t)index->n_shards;
	grown[index->n_shards++] = name;
	return true;
}

static bool add_entry(json_reader *r, shard_index *index, char *tensor, size_t bytes, size_t *room)
{
	shard_entry entry = { .name = tensor };
	char *shard = NULL;
	size_t length;
	bool good = json_read_string(r, &shard, &length);

	if (good && (strlen(tensor) != bytes || !is_plain_name(shard, length)))
		good = json_refuse(r, BRISE_EFORMAT, "a shard that is no plain file name");
	if (!good)
		memory_free(shard);
	else if (!find_shard(index, shard, &entry.shard))
		good = json_refuse(r, BRISE_ENOMEM, "too many shards");
	if (good && index->n_entries == *room) {
		size_t wider = *room ? 2 * *room : 256;
		shard_entry *grown = wider <= TENSORS_MAX
		                             ? memory_resize(index->entries, wider, sizeof *grown)
		                             : NULL;

		if (grown) {
			index->entries = grown;
			*room = wider;
		} else {
			good = json_refuse(r, BRISE_ENOMEM, "too many tensors");
		}
	}
	if (good)
		index->entries[index->n_entries++] = entry;
	else
		memory_free(tensor);
	return good;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const shard_entry *)a)->name, ((const shard_entry *)b)->name);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the shards, and gives the entries their new places. */
static bool sort_shards(shard_index *index)
{
	char **before = memory_new(index->n_shards + 1, sizeof *before);
	size_t i;

	if (!before)
		return false;
	for (i = 0; i < index->n_shards; i++)
		before[i] = index->shards[i];
	if (index->n_shards > 1)
		qsort(index->shards, index->n_shards, sizeof *index->shards, compare_strings);
	for (i = 0; i < index->n_entries; i++) {
		char **place = bsearch(&before[index->entries[i].shard], index->shards,
		                       index->n_shards, sizeof *index->shards, compare_strings);

		index->entries[i].shard = (uint32_t)(place - index->shards);
	}
	memory_free(before);
	return true;
}

static brise_status sort(shard_index *index, const char *name, brise_error *err)
{
	size_t i;

	if (!sort_shards(index))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for its shards", name);
	if (index->n_entries > 1)
		qsort(index->entries, index->n_entries, sizeof *index->entries, compare_entries);
	for (i = 1; i < index->n_entries; i++) {
		const shard_entry *one = &index->entries[i - 1], *other = one + 1;

		if (strcmp(one->name, other->name) == 0)
			return error_set(err, BRISE_EFORMAT, "%s: tensor %s is in %s and in %s",
			                 name, one->name, index->shards[one->shard],
			                 index->shards[other->shard]);
	}
	return BRISE_OK;
}

brise_status shard_index_read(shard_index *index, const char *json, size_t size, const char *name,
                              brise_error *err)
{
	size_t room = 0, bytes;
	bool found = false;
	brise_status status;
	json_reader r;
	char key[64], *tensor;

	json_begin(&r, json, size, name, err);
	json_enter_object(&r);
	while (r.status == BRISE_OK && json_next_key(&r, key, sizeof key)) {
		if (strcmp(key, "weight_map") != 0) {
			json_skip(&r);
			continue;
		}
		found = true;
		json_enter_object(&r);
		while (r.status == BRISE_OK && json_next_whole_key(&r, &tensor, &bytes))
			(void)add_entry(&r, index, tensor, bytes, &room);
	}
	if (r.status == BRISE_OK && !found)
		json_refuse(&r, BRISE_EFORMAT, "no weight_map");
	if ((status = json_end(&r)) != BRISE_OK)
		return status;
	if (index->n_entries == 0)
		return error_set(err, BRISE_EFORMAT, "%s: names no files", name);
	return sort(index, name, err);
}

shard_entry *shard_index_find(const shard_index *index, const char *name)
{
	shard_entry wanted = { .name = (char *)(uintptr_t)name };

	return index->n_entries ? bsearch(&wanted, index->entries, index->n_entries,
	                                  sizeof *index->entries, compare_entries)
	                        : NULL;
}

void shard_index_free(shard_index *index)
{
	size_t i;

	for (i = 0; i < index->n_shards; i++)
		memory_free(index->shards[i]);
	for (i = 0; i < index->n_entries; i++)
		memory_free(index->entries[i].name);
	memory_free(index->shards);
	memory_free(index->entries);
	*index = (shard_index){ .shards = NULL };
}
