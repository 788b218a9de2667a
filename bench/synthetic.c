/* synthetic.c - weights from a hash of their indices, so that any thread can make any row
 *
 * A weight is the sum of four random bytes, centred: close enough to a Gaussian for an encoder
 * (Irwin-Hall), and two of them come out of one 64-bit hash. The variance of a matrix is 1 /
 * columns, which keeps activations of order one.
 */
#include "bench/synthetic.h"

#include <math.h>
#include <string.h>

#include "runtime/model/model.h"

/* Variance of a sum of four uniform bytes: 4 * (256^2 - 1) / 12. */
#define BYTES_VARIANCE 21845.0f

typedef struct synthetic_shape {
	const char *name;
	format_config config;
} synthetic_shape;

/* What all Ministral 3 have. */
#define MINISTRAL_3                                                                                \
	.max_context = 262144, .bos = 1, .eos = 2, .norm_eps = 1e-5f, .rope_theta = 1e6,           \
	.rope_scaling = ROPE_YARN, .rope_factor = 16, .rope_beta_fast = 32, .rope_beta_slow = 1,   \
	.rope_magnitude = 1, .rope_original = 16384, .query_original = 16384, .query_beta = 0.1

static const synthetic_shape shapes[] = {
	{ "mistral-7b",
	  { .dim = 4096,
	    .n_layers = 32,
	    .n_heads = 32,
	    .n_kv_heads = 8,
	    .head_dim = 128,
	    .hidden_dim = 14336,
	    .vocab = 32000,
	    .window = 4096,
	    .max_context = 32768,
	    .bos = 1,
	    .eos = 2,
	    .norm_eps = 1e-5f,
	    .rope_theta = 10000 } },
	/* config.json of Mistral-Nemo-Base-2407 */
	{ "nemo-12b",
	  { .dim = 5120,
	    .n_layers = 40,
	    .n_heads = 32,
	    .n_kv_heads = 8,
	    .head_dim = 128,
	    .hidden_dim = 14336,
	    .vocab = 131072,
	    .max_context = 128000,
	    .bos = 1,
	    .eos = 2,
	    .norm_eps = 1e-5f,
	    .rope_theta = 1e6 } },
	/* transformers' defaults for the type (Ministral3Config); the 3B's sizes are those of
	 * NVIDIA's Megatron Bridge (ministral3_provider.py) */
	{ "ministral-8b",
	  { .dim = 4096,
	    .n_layers = 34,
	    .n_heads = 32,
	    .n_kv_heads = 8,
	    .head_dim = 128,
	    .hidden_dim = 14336,
	    .vocab = 131072,
	    MINISTRAL_3 } },
	{ "ministral-3b",
	  { .dim = 3072,
	    .n_layers = 26,
	    .n_heads = 32,
	    .n_kv_heads = 8,
	    .head_dim = 128,
	    .hidden_dim = 9216,
	    .vocab = 131072,
	    .flags = FORMAT_TIED,
	    MINISTRAL_3 } },
	{ "breeze",
	  { .dim = 512,
	    .n_layers = 5,
	    .n_heads = 4,
	    .n_kv_heads = 2,
	    .head_dim = 128,
	    .hidden_dim = 1024,
	    .vocab = 4096,
	    .window = 256,
	    .max_context = 32768,
	    .bos = 1,
	    .eos = 2,
	    .norm_eps = 1e-5f,
	    .rope_theta = 10000 } },
};

const char *synthetic_shape_name(size_t index)
{
	return index < sizeof shapes / sizeof *shapes ? shapes[index].name : NULL;
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static inline uint64_t hash_place(uint64_t z)
{
	z *= 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Sum of the low and of the high four bytes, in the low and high half of the result. */
static inline uint64_t add_bytes(uint64_t z)
{
	z = (z & 0x00ff00ff00ff00ffu) + (z >> 8 & 0x00ff00ff00ff00ffu);
	return (z & 0x0000ffff0000ffffu) + (z >> 16 & 0x0000ffff0000ffffu);
}

static brise_status read_rows(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n,
                              float *rows, void *raw, brise_error *err)
{
	const synthetic_shape *shape = self;
	uint64_t place = ((uint64_t)kind << 58) + ((uint64_t)layer << 48);
	uint32_t all_rows = 0, cols = 0;
	size_t i, count;
	float scale;

	(void)raw;
	(void)err;
	model_tensor_shape(&shape->config, kind, &all_rows, &cols);
	count = (size_t)n * cols;
	if (all_rows == 1) {
		for (i = 0; i < count; i++)
			rows[i] = 1;
		return BRISE_OK;
	}
	scale = 1 / sqrtf(BYTES_VARIANCE * (float)cols);
	place += (uint64_t)first * cols;
	for (i = 0; i + 2 <= count; i += 2) {
		uint64_t sums = add_bytes(hash_place(place + i));

		rows[i] = scale * ((float)(uint32_t)sums - 510);
		rows[i + 1] = scale * ((float)(uint32_t)(sums >> 32) - 510);
	}
	if (i < count)
		rows[i] = 0;
	return BRISE_OK;
}

bool synthetic_make_source(convert_source *source, const char *shape)
{
	size_t i;

	for (i = 0; i < sizeof shapes / sizeof *shapes; i++)
		if (!strcmp(shapes[i].name, shape)) {
			memset(source, 0, sizeof *source);
			source->config = shapes[i].config;
			source->origin = "synthetic weights, for measuring only\n";
			source->read = read_rows;
			source->self = (void *)(uintptr_t)&shapes[i];
			return true;
		}
	return false;
}
