/* fuzz_model.c - any bytes as a .brise file; what opens evaluates two tokens
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_model.c SECONDS
 *
 * Input: one byte; if it is even, a file follows, otherwise changes of a valid model, three bytes
 * each: where (little-endian) and what. Checksums are corrected first, since otherwise nothing
 * behind them would be reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/crc32.h"
#include "test/small_model.h"
#include "test/tested_types.h"
#include "test/evaluator.h"
#include "test/fuzz/fuzz_error.h"

#define IMAGE_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const format_config tiny = { .dim = 16,
	                            .n_layers = 1,
	                            .n_heads = 2,
	                            .n_kv_heads = 1,
	                            .head_dim = 8,
	                            .hidden_dim = 24,
	                            .vocab = 20,
	                            .window = 5,
	                            .max_context = 16,
	                            .bos = 1,
	                            .eos = 2,
	                            .norm_eps = 1e-5f,
	                            .rope_theta = 1e4 };

/* The same with all that version 2 added. */
static const format_config later = { .dim = 16,
	                             .n_layers = 2,
	                             .n_heads = 2,
	                             .n_kv_heads = 1,
	                             .head_dim = 8,
	                             .hidden_dim = 24,
	                             .vocab = 20,
	                             .window = 5,
	                             .max_context = 16,
	                             .bos = 1,
	                             .eos = 2,
	                             .norm_eps = 1e-5f,
	                             .rope_theta = 1e4,
	                             .flags = FORMAT_TIED,
	                             .rope_scaling = ROPE_YARN,
	                             .rope_factor = 4,
	                             .rope_beta_fast = 4,
	                             .rope_beta_slow = 1,
	                             .rope_original = 8,
	                             .query_original = 4,
	                             .query_beta = 0.1 };
static const uint32_t later_windows[] = { 5, 3 };

static size_t read_base(uint8_t *bytes, uint32_t type, bool is_later)
{
	char folder[512], path[600];
	size_t size;
	FILE *file;

	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	if (is_later)
		small_write_windows(&later, later_windows, type, path);
	else
		small_write(&tiny, type, path);
	file = fopen(path, "rb");
	size = file ? fread(bytes, 1, IMAGE_MAX, file) : 0;
	if (size == 0)
		abort();
	fclose(file);
	(void)unlink(path);
	(void)rmdir(folder);
	return size;
}

static void mend(uint8_t *bytes, size_t size)
{
	format_header h;
	uint32_t i;

	if (size < sizeof h)
		return;
	memcpy(&h, bytes, sizeof h);
	memcpy(h.magic, FORMAT_MAGIC, sizeof h.magic);
	h.file_bytes = size;
	for (i = 0;
	     i < h.n_sections && sizeof h + (i + 1) * sizeof(format_section) <= size && i < 16;
	     i++) {
		uint8_t *place = bytes + sizeof h + i * sizeof(format_section);
		format_section s;

		memcpy(&s, place, sizeof s);
		if (s.offset <= size && s.bytes <= size - s.offset) {
			s.crc = crc32_update(0, bytes + s.offset, (size_t)s.bytes);
			memcpy(place, &s, sizeof s);
		}
	}
	if (i == h.n_sections)
		h.sections_crc =
		        crc32_update(0, bytes + sizeof h, h.n_sections * sizeof(format_section));
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	memcpy(bytes, &h, sizeof h);
}

static void run_model(const brise_model *model)
{
	const evaluator_options options = { .threads = 1, .chunk = 4 };
	const float *logits;
	evaluator e;

	if (!fuzz_succeeds(evaluator_open(&e, model, options, &fuzz_error)))
		return;
	(void)fuzz_succeeds(evaluator_eval(&e, (int32_t[]){ 1, 3 }, 2, &logits, &fuzz_error));
	evaluator_close(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *bases[2][TYPE_KINDS];
	static size_t base_sizes[2][TYPE_KINDS];
	uint32_t types[TYPE_KINDS];
	const unsigned n_types = list_matrix_types(types);
	const uint32_t type = types[size > 0 ? (data[0] >> 1) % n_types : 0];
	const bool is_later = size > 0 && (data[0] >> 1) / n_types % 2;
	uint8_t *bytes, **base = &bases[is_later][type];
	size_t used, i;
	brise_model *model;

	if (!*base) {
		*base = malloc(IMAGE_MAX);
		if (!*base)
			abort();
		base_sizes[is_later][type] = read_base(*base, type, is_later);
	}
	if (size == 0)
		return 0;
	used = data[0] & 1 ? base_sizes[is_later][type] : size - 1;
	bytes = aligned_alloc(64, (used + 63) / 64 * 64 + 64);
	if (!bytes)
		return 0;
	if (data[0] & 1) {
		memcpy(bytes, *base, used);
		for (i = 1; i + 3 <= size; i += 3)
			bytes[(data[i] | (size_t)data[i + 1] << 8) % used] = data[i + 2];
	} else {
		memcpy(bytes, data + 1, used);
	}
	mend(bytes, used);
	if (fuzz_succeeds(brise_open_memory(&model, bytes, used, "fuzz", NULL, &fuzz_error))) {
		run_model(model);
		brise_close_model(model);
	}
	free(bytes);
	return 0;
}
