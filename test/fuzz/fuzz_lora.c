/* fuzz_lora.c - any bytes as an adapter: refused, or one that adds finite numbers to rows of every
 * matrix
 *
 * Two bytes, the length of the configuration and in their highest bit the form, that file, and the
 * rest as tensors.
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_lora.c SECONDS
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/checkpoint/lora.h"
#include "runtime/model/model.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];
static const char *const names[2][2] = { { "adapter_config.json", "adapter_model.safetensors" },
	                                 { "params.json", "lora.safetensors" } };

static void save(const char *name, const uint8_t *data, size_t size)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (!file || (size && fwrite(data, 1, size, file) != size) || fclose(file) != 0)
		abort();
}

static void remove_files(void)
{
	char path[128];
	int i;

	for (i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, names[i / 2][i % 2]);
		(void)unlink(path);
	}
}

static void remove_folder(void)
{
	remove_files();
	(void)rmdir(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const format_config model = { .dim = 8,
		                             .n_layers = 2,
		                             .n_heads = 2,
		                             .n_kv_heads = 1,
		                             .head_dim = 4,
		                             .hidden_dim = 12,
		                             .vocab = 10,
		                             .rope_theta = 1e4 };
	const char *specs[] = { folder };
	size_t length = size < 2 ? 0 : (size_t)data[0] | (size_t)(data[1] & 0x7f) << 8,
	       form = size < 2 ? 0 : data[1] >> 7;
	notes lines = { NULL, 0, false };
	uint32_t layer, kind, all, cols, i;
	float row[12];
	lora *l;

	if (!*folder) {
		strcpy(folder, "/dev/shm/fuzz-lora-XXXXXX");
		if (!mkdtemp(folder))
			abort();
		(void)atexit(remove_folder);
	}
	if (size < 2 || length > size - 2)
		return 0;
	remove_files();
	save(names[form][0], data + 2, length);
	save(names[form][1], data + 2 + length, size - 2 - length);
	if (fuzz_succeeds(lora_open(&l, specs, 1, &model, false, &lines, &fuzz_error))) {
		for (layer = 0; layer < model.n_layers; layer++)
			for (kind = TENSOR_EMBEDDING; kind < TENSOR_KINDS; kind++) {
				model_tensor_shape(&model, kind, &all, &cols);
				memset(row, 0, sizeof row);
				(void)fuzz_succeeds(lora_apply_rows(l, kind, layer, all - 1, 1,
				                                    cols, row, &fuzz_error));
				for (i = 0; i < cols; i++)
					if (!isfinite(row[i]))
						abort();
			}
		lora_close(l);
	}
	free(lines.text);
	return 0;
}
