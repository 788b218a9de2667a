/* small_model.h - small models with awkward shapes, written by the converter into a temporary
 * folder */
#ifndef TEST_SMALL_MODEL_H
#define TEST_SMALL_MODEL_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/convert.h"
#include "runtime/model/model.h"
#include "test/random.h"
#include "test/scratch.h"

/* Nothing here is a multiple of a tile or a block, and the window is shorter than a span. */
static const format_config small_odd = { .dim = 72,
	                                 .n_layers = 2,
	                                 .n_heads = 6,
	                                 .n_kv_heads = 2,
	                                 .head_dim = 20,
	                                 .hidden_dim = 100,
	                                 .vocab = 83,
	                                 .window = 11,
	                                 .max_context = 64,
	                                 .bos = 1,
	                                 .eos = 2,
	                                 .norm_eps = 1e-5f,
	                                 .rope_theta = 1e4 };
/* Two key/value heads of 128, a window of several spans that is no multiple of one. */
static const format_config small_wide = { .dim = 128,
	                                  .n_layers = 2,
	                                  .n_heads = 4,
	                                  .n_kv_heads = 2,
	                                  .head_dim = 128,
	                                  .hidden_dim = 192,
	                                  .vocab = 160,
	                                  .window = 75,
	                                  .max_context = 64,
	                                  .bos = 1,
	                                  .eos = 2,
	                                  .norm_eps = 1e-5f,
	                                  .rope_theta = 1e6 };
/* No window. */
static const format_config small_open = { .dim = 64,
	                                  .n_layers = 1,
	                                  .n_heads = 2,
	                                  .n_kv_heads = 1,
	                                  .head_dim = 32,
	                                  .hidden_dim = 96,
	                                  .vocab = 64,
	                                  .window = 0,
	                                  .max_context = 640,
	                                  .bos = 1,
	                                  .eos = 2,
	                                  .norm_eps = 1e-6f,
	                                  .rope_theta = 1e6 };

/* Positions far beyond those that its frequencies were trained for, queries with a factor, and one
 * matrix as embedding and output. */
static const format_config small_scaled = { .dim = 72,
	                                    .n_layers = 2,
	                                    .n_heads = 6,
	                                    .n_kv_heads = 2,
	                                    .head_dim = 20,
	                                    .hidden_dim = 100,
	                                    .vocab = 83,
	                                    .max_context = 640,
	                                    .bos = 1,
	                                    .eos = 2,
	                                    .norm_eps = 1e-5f,
	                                    .rope_theta = 1e4,
	                                    .flags = FORMAT_TIED,
	                                    .rope_scaling = ROPE_YARN,
	                                    .rope_factor = 8,
	                                    .rope_beta_fast = 4,
	                                    .rope_beta_slow = 0.5,
	                                    .rope_magnitude = 1.1,
	                                    .rope_original = 32,
	                                    .query_original = 24,
	                                    .query_beta = 0.15 };
/* Linear scaling, and a window. */
static const format_config small_linear = { .dim = 64,
	                                    .n_layers = 2,
	                                    .n_heads = 4,
	                                    .n_kv_heads = 2,
	                                    .head_dim = 16,
	                                    .hidden_dim = 96,
	                                    .vocab = 64,
	                                    .window = 40,
	                                    .max_context = 64,
	                                    .bos = 1,
	                                    .eos = 2,
	                                    .norm_eps = 1e-5f,
	                                    .rope_theta = 1e4,
	                                    .rope_scaling = ROPE_LINEAR,
	                                    .rope_factor = 4 };

static inline brise_status small_read(void *self, uint32_t kind, uint32_t layer, uint32_t first,
                                      uint32_t n, float *rows, void *raw, brise_error *err)
{
	const format_config *config = self;
	uint32_t all, cols, row, col;

	(void)raw;
	(void)err;
	model_tensor_shape(config, kind, &all, &cols);
	for (row = 0; row < n; row++) {
		uint64_t seed = ((uint64_t)kind << 48) + ((uint64_t)layer << 32) + first + row;

		for (col = 0; col < cols; col++)
			rows[row * cols + col] =
			        all == 1 ? 1 + 0.2f * random_float(&seed)
			                 : random_gauss(&seed) *
			                           (kind == TENSOR_EMBEDDING
			                                    ? 1
			                                    : 1.5f / sqrtf((float)cols));
	}
	return BRISE_OK;
}

/* Writes a model of that shape, type and windows (NULL: the configuration's) to `path`; aborts the
 * test where that fails. */
static inline void small_write_windows(const format_config *config, const uint32_t *windows,
                                       uint32_t type, const char *path)
{
	convert_source source = { .config = *config,
		                  .windows = windows,
		                  .origin = "made for a test\n",
		                  .read = small_read,
		                  .self = (void *)(uintptr_t)config };
	convert_options options;
	brise_error err;

	convert_init_options(&options);
	options.type = type;
	options.threads = 2;
	if (convert_write(&source, path, &options, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "small model: %s\n", err.message);
		exit(1);
	}
}

static inline void small_write(const format_config *config, uint32_t type, const char *path)
{
	small_write_windows(config, NULL, type, path);
}

/* A folder for the test's files, gone at the program's end. */
static inline void small_folder(char *path, size_t bytes)
{
	scratch_folder(path, bytes);
}

static inline void small_tokens(int32_t *tokens, size_t n, uint32_t vocab, uint64_t seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		tokens[i] = (int32_t)(random_next(&seed) % vocab);
}

#endif
