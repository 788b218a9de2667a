/* fuzz_safetensors.c - any bytes as a safetensors header, as an index of shards and as either
 * configuration
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_safetensors.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint/architecture.h"
#include "convert/formats/safetensors.h"
#include "convert/formats/shard_index.h"
#include "runtime/model/model.h"
#include "test/fuzz/fuzz_error.h"

#define DATA_BYTES 1000u /* of the file after the header */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_header(const char *json, size_t size)
{
	tensor_list list = { NULL, 0, 0 };
	uint64_t base = 8 + (uint64_t)size, bytes;
	size_t i;

	if (fuzz_succeeds(safetensors_parse(json, size, base + DATA_BYTES, "fuzz", 0, &list,
	                                    &fuzz_error)) &&
	    fuzz_succeeds(tensors_sort(&list, "fuzz", &fuzz_error)))
		for (i = 0; i < list.n; i++) {
			const named_tensor *t = &list.items[i];

			if (t->offset < base || t->offset > base + DATA_BYTES ||
			    t->bytes > base + DATA_BYTES - t->offset ||
			    tensors_find(&list, t->name) != t)
				abort();
			if (t->dtype && t->n_dims <= 4 &&
			    (!tensors_size(t, &bytes) || bytes != t->bytes))
				abort();
		}
	tensors_free(&list);
}

static void read_index(const char *json, size_t size)
{
	shard_index index = { .shards = NULL };
	size_t i;

	if (fuzz_succeeds(shard_index_read(&index, json, size, "fuzz", &fuzz_error)))
		for (i = 0; i < index.n_entries; i++) {
			const shard_entry *entry = &index.entries[i];
			const char *shard = index.shards[entry->shard];

			if (entry->shard >= index.n_shards || strchr(shard, '/') ||
			    !strcmp(shard, "..") || shard_index_find(&index, entry->name) != entry)
				abort();
		}
	shard_index_free(&index);
}

static void read_configuration(const char *json, size_t size)
{
	notes decisions = { 0 };
	architecture a;

	if (fuzz_succeeds(
	            architecture_read_config(&a, json, size, "fuzz", &decisions, &fuzz_error)) &&
	    !fuzz_succeeds(model_check_config(&a.config, "fuzz", &fuzz_error)))
		abort();
	if (fuzz_succeeds(
	            architecture_read_params(&a, json, size, "fuzz", &decisions, &fuzz_error)) &&
	    !fuzz_succeeds(model_check_config(&a.config, "fuzz", &fuzz_error)))
		abort();
	free(decisions.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *json = malloc(size); /* not a byte too long */

	if (!json)
		return 0;
	if (size)
		memcpy(json, data, size);
	read_header(json, size);
	read_index(json, size);
	read_configuration(json, size);
	free(json);
	return 0;
}
