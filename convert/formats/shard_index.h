/* shard_index.h - model.safetensors.index.json: which shard holds which tensor
 *
 * {"metadata": {...}, "weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors", ...}}
 */
#ifndef CONVERT_FORMATS_SHARD_INDEX_H
#define CONVERT_FORMATS_SHARD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

typedef struct shard_entry {
	char *name;
	uint32_t shard; /* of shards */
	bool found;     /* for the caller */
} shard_entry;

/* Zero-initialised by the caller; freed with shard_index_free, also after an error. */
typedef struct shard_index {
	char **shards; /* [n_shards], ascending */
	size_t n_shards;
	shard_entry *entries; /* [n_entries], ascending by name */
	size_t n_entries;
} shard_index;

/* Refused: shards that are no plain file names, tensors in two of them, no weight_map or an empty
 * one. Errors: BRISE_EFORMAT, BRISE_ENOMEM. */
brise_status shard_index_read(shard_index *index, const char *json, size_t size, const char *name,
                              brise_error *err);

/* NULL: not listed. */
shard_entry *shard_index_find(const shard_index *index, const char *name);
void shard_index_free(shard_index *index);

#endif
