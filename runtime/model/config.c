/* config.c - which numbers a configuration may have */
#include "runtime/model/config.h"

#include <inttypes.h>
#include <string.h>

#include "arch/kernels.h"
#include "runtime/error.h"

#define DIM_MAX      (1u << 20)
#define FACTOR_MAX   1048576.0 /* keeps scaled frequencies exact in fixed point, see rope.c */
#define ORIGINAL_MAX (1u << 30)
#define BETA_MAX     1e6

static brise_status check_sizes(const format_config *c, const char *name, brise_error *err)
{
	const struct {
		const char *name;
		uint32_t value, most;
	} sizes[] = {
		{ "dim", c->dim, DIM_MAX },
		{ "n_layers", c->n_layers, CONFIG_LAYERS_MAX },
		{ "n_heads", c->n_heads, 4096 },
		{ "n_kv_heads", c->n_kv_heads, 4096 },
		{ "head_dim", c->head_dim, ARCH_HEAD_DIM_MAX },
		{ "hidden_dim", c->hidden_dim, DIM_MAX },
		{ "vocab", c->vocab, DIM_MAX },
	};
	size_t i;

	for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (sizes[i].value == 0 || sizes[i].value > sizes[i].most)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: configuration: %s %" PRIu32 ", expected 1..%" PRIu32,
			                 name, sizes[i].name, sizes[i].value, sizes[i].most);
	return BRISE_OK;
}

/* Comparisons are written so that NaN fails them. */
static brise_status check_rope(const format_config *c, const char *name, brise_error *err)
{
	if (c->rope_scaling >= ROPE_SCALINGS)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: configuration: rope scaling of kind %" PRIu32
		                 " is unknown to this version",
		                 name, c->rope_scaling);
	if (c->rope_scaling == ROPE_UNSCALED)
		return BRISE_OK;
	if (!(c->rope_factor >= 1 && c->rope_factor <= FACTOR_MAX))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: rope factor %g, expected 1..%g", name,
		                 c->rope_factor, FACTOR_MAX);
	if (!(c->rope_magnitude == 0 || (c->rope_magnitude >= 1e-3 && c->rope_magnitude <= 1e3)))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: rope magnitude %g out of range", name,
		                 c->rope_magnitude);
	if (c->rope_scaling == ROPE_LINEAR)
		return BRISE_OK;
	if (!(c->rope_beta_slow > 0 && c->rope_beta_fast >= c->rope_beta_slow &&
	      c->rope_beta_fast <= BETA_MAX))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: yarn from %g to %g turns, expected two "
		                 "positive numbers in this order",
		                 name, c->rope_beta_slow, c->rope_beta_fast);
	if (c->rope_original == 0 || c->rope_original > ORIGINAL_MAX || !(c->rope_theta > 1))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: yarn for %" PRIu32
		                 " positions and rope_theta %g out of range",
		                 name, c->rope_original, c->rope_theta);
	return BRISE_OK;
}

static brise_status check_later(const format_config *c, const char *name, brise_error *err)
{
	brise_status status = check_rope(c, name, err);

	if (status != BRISE_OK)
		return status;
	if (c->flags & ~FORMAT_TIED)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: configuration: flags %08" PRIx32
		                 " are unknown to this version",
		                 name, c->flags);
	if (!(c->query_beta >= 0 && c->query_beta <= BETA_MAX) ||
	    (c->query_beta > 0 && (c->query_original == 0 || c->query_original > ORIGINAL_MAX)))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: factor of queries: beta %g, every %" PRIu32
		                 " positions, out of range",
		                 name, c->query_beta, c->query_original);
	return BRISE_OK;
}

brise_status model_check_config(const format_config *c, const char *name, brise_error *err)
{
	brise_status status = check_sizes(c, name, err);

	if (status != BRISE_OK)
		return status;
	if (c->n_heads % c->n_kv_heads != 0)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: %" PRIu32 " heads do not divide among %" PRIu32
		                 " key/value heads",
		                 name, c->n_heads, c->n_kv_heads);
	if (c->head_dim % 2 != 0 || (uint64_t)c->n_heads * c->head_dim > DIM_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: %" PRIu32 " heads of %" PRIu32
		                 ", expected an even size and at most %u in all",
		                 name, c->n_heads, c->head_dim, DIM_MAX);
	if (!(c->norm_eps > 0 && c->norm_eps < 1) || !(c->rope_theta >= 1 && c->rope_theta < 1e15))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: norm_eps %g or rope_theta %g out of range",
		                 name, (double)c->norm_eps, c->rope_theta);
	if (c->bos < -1 || c->eos < -1 || c->bos >= (int64_t)c->vocab ||
	    c->eos >= (int64_t)c->vocab)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration: bos %" PRId32 " or eos %" PRId32
		                 " outside the vocabulary of %" PRIu32,
		                 name, c->bos, c->eos, c->vocab);
	return check_later(c, name, err);
}

brise_status config_read(format_config *config, const uint8_t *bytes, uint64_t n, uint32_t version,
                         const char *name, brise_error *err)
{
	size_t needed = version == 1 ? FORMAT_CONFIG_1 : sizeof *config;

	memset(config, 0, sizeof *config);
	if (n < needed)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: configuration of %" PRIu64 " bytes, expected %zu or more",
		                 name, n, needed);
	memcpy(config, bytes, needed);
	return model_check_config(config, name, err);
}

size_t config_bytes(const format_config *config)
{
	const uint8_t *later = (const uint8_t *)config + FORMAT_CONFIG_1;
	size_t i;

	for (i = 0; i < sizeof *config - FORMAT_CONFIG_1; i++)
		if (later[i] != 0)
			return sizeof *config;
	return FORMAT_CONFIG_1;
}

uint32_t config_join_windows(const uint32_t *windows, uint32_t n)
{
	uint32_t largest = 0, i;

	for (i = 0; i < n; i++) {
		if (windows[i] == 0)
			return 0;
		largest = windows[i] > largest ? windows[i] : largest;
	}
	return largest;
}

brise_status config_check_windows(const format_config *config, const uint32_t *windows,
                                  const char *name, brise_error *err)
{
	uint32_t joined = config_join_windows(windows, config->n_layers), i;

	for (i = 0; i < config->n_layers; i++)
		if (windows[i] > CONFIG_WINDOW_MAX)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: windows: %" PRIu32 " positions in layer %" PRIu32
			                 ", at most %u expected",
			                 name, windows[i], i, CONFIG_WINDOW_MAX);
	if (joined != config->window)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: windows: the largest is %" PRIu32
		                 ", the configuration has %" PRIu32 " (0: none)",
		                 name, joined, config->window);
	return BRISE_OK;
}

const char *config_rope_scaling(const format_config *config)
{
	return config->rope_scaling == ROPE_LINEAR ? "linear"
	       : config->rope_scaling == ROPE_YARN ? "yarn"
	                                           : NULL;
}
