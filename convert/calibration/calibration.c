/* calibration.c - the calibration file: planning, opening, finding things in it */
#include "convert/calibration/calibration.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "quant/checked.h"
#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/model/contents.h"
#include "runtime/model/crc32.h"
#include "runtime/model/order.h"
#include "runtime/model/tensor.h"
#include "runtime/os/memory.h"

const target_kind calibration_kind = { CALIBRATION_MAGIC, sizeof CALIBRATION_MAGIC - 1,
	                               "a calibration", false };

uint32_t calibration_index(const format_config *config, uint32_t kind, uint32_t layer)
{
	uint32_t first = layer * CALIBRATION_PER_LAYER;

	switch (kind) {
	case TENSOR_WQ:
	case TENSOR_WK:
	case TENSOR_WV:
		return first;
	case TENSOR_WO:
		return first + 1;
	case TENSOR_W1:
	case TENSOR_W3:
		return first + 2;
	case TENSOR_W2:
		return first + 3;
	case TENSOR_OUTPUT:
		return config->n_layers * CALIBRATION_PER_LAYER;
	case TENSOR_EMBEDDING: /* of tied matrices it is the output */
		return config->flags & FORMAT_TIED ? config->n_layers * CALIBRATION_PER_LAYER
		                                   : UINT32_MAX;
	default:
		return UINT32_MAX;
	}
}

static uint64_t pairs_of(uint64_t n)
{
	return n * (n - 1) / 2;
}

/* Bytes of correlations of the spans before column `first`. At most 2^40 for 2^20 columns. */
static uint64_t correlation_bytes(uint32_t span, uint32_t first)
{
	return span == 0 ? 0
	                 : sizeof(int16_t) * (first / span * pairs_of(span) +
	                                      (first % span ? pairs_of(first % span) : 0));
}

uint64_t calibration_data_bytes(uint32_t cols, uint32_t span)
{
	return cols * sizeof(float) + correlation_bytes(span, cols);
}

const int16_t *calibration_data_correlations(const void *data, uint32_t cols, uint32_t span,
                                             uint32_t first)
{
	return (const int16_t *)(const void *)((const uint8_t *)data + cols * sizeof(float) +
	                                       correlation_bytes(span, first));
}

/* The entries of a file of that header, offsets included: each where order.h has the first matrix
 * of those that share the input. Bounds of the configuration keep all sums far from 2^64. */
static uint64_t fill_inputs(calibration_input *inputs, const calibration_header *h)
{
	/* What the columns of matrices depend on; as if one head were all. */
	const format_config config = { .dim = h->dim,
		                       .n_layers = h->n_layers,
		                       .n_heads = 1,
		                       .head_dim = h->mixed_dim,
		                       .hidden_dim = h->hidden_dim };
	uint64_t at = sizeof *h + (uint64_t)h->n_inputs * sizeof *inputs;
	uint32_t kind, layer, rows, n = 0;
	size_t i;

	for (i = 0; n < h->n_inputs && order_at(&config, i, &kind, &layer); i++) {
		calibration_input *in = &inputs[n];

		if (calibration_index(&config, kind, layer) != n)
			continue;
		memset(in, 0, sizeof *in);
		in->kind = kind;
		in->layer = layer;
		(void)model_tensor_shape(&config, kind, &rows, &in->cols);
		in->bytes = calibration_data_bytes(in->cols, h->span);
		in->offset = at = round_up(at, 64);
		at += in->bytes;
		n++;
	}
	return h->version < 2 ? at : round_up(at, 64) + h->tokens * sizeof(int32_t);
}

brise_status calibration_plan(calibration_header *header, calibration_input **inputs,
                              const format_config *config, uint32_t span, uint64_t tokens,
                              brise_error *err)
{
	memset(header, 0, sizeof *header);
	memcpy(header->magic, CALIBRATION_MAGIC, sizeof header->magic);
	header->version = CALIBRATION_VERSION;
	header->dim = config->dim;
	header->n_layers = config->n_layers;
	header->mixed_dim = config->n_heads * config->head_dim;
	header->hidden_dim = config->hidden_dim;
	header->span = span;
	header->tokens = tokens;
	header->n_inputs = config->n_layers * CALIBRATION_PER_LAYER + 1;
	if (!(*inputs = memory_new(header->n_inputs, sizeof **inputs)))
		return error_set(err, BRISE_ENOMEM,
		                 "no memory for a calibration of %" PRIu32 " layers",
		                 config->n_layers);
	header->file_bytes = fill_inputs(*inputs, header);
	return BRISE_OK;
}

/* Checks that the table is the one that follows from the header's dimensions. */
static brise_status check_inputs(const calibration *c, const char *path, brise_error *err)
{
	const calibration_header *h = &c->header;
	calibration_input *expected = memory_new(h->n_inputs, sizeof *expected);
	brise_status status = BRISE_OK;
	uint32_t i;

	if (!expected)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " inputs", path,
		                 h->n_inputs);
	if (fill_inputs(expected, h) != c->map.size)
		status = error_set(err, BRISE_EFORMAT, "%s: %zu bytes do not fit its dimensions",
		                   path, c->map.size);
	for (i = 0; i < h->n_inputs && status == BRISE_OK; i++) {
		expected[i].crc = c->inputs[i].crc;
		if (memcmp(&expected[i], &c->inputs[i], sizeof *expected) != 0)
			status = error_set(err, BRISE_EFORMAT,
			                   "%s: entry %" PRIu32
			                   " of the table does not fit its dimensions",
			                   path, i);
	}
	memory_free(expected);
	return status;
}

static bool in_range(uint32_t value, uint32_t most)
{
	return value > 0 && value <= most;
}

static brise_status check(calibration *c, const char *path, brise_error *err)
{
	calibration_header *h = &c->header;
	size_t head = c->map.size < CONTENTS_HEAD ? c->map.size : CONTENTS_HEAD;
	brise_status status =
	        contents_check(c->map.bytes, head, c->map.size, CONTENTS_BINARY, path, err);

	if (c->map.size < sizeof *h ||
	    memcmp(c->map.bytes, CALIBRATION_MAGIC, sizeof h->magic) != 0)
		return status != BRISE_OK && contents_recognize(c->map.bytes, head, c->map.size) !=
		                                     CONTENTS_BRISE
		               ? status
		               : error_set(err, BRISE_EFORMAT,
		                           "%s: not a calibration file; brise calibrate makes one",
		                           path);
	memcpy(h, c->map.bytes, sizeof *h);
	if (h->version > CALIBRATION_VERSION)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: calibration version %" PRIu32 ", this program reads up to %u",
		                 path, h->version, CALIBRATION_VERSION);
	if (crc32_update(0, h, sizeof *h - sizeof h->header_crc) != h->header_crc)
		return error_set(err, BRISE_EFORMAT, "%s: the header does not fit its checksum",
		                 path);
	if (!in_range(h->n_layers, 1024) || h->done != h->n_layers + 1)
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: an interrupted calibration: the same brise calibrate resumes it",
		        path);
	if (h->n_inputs != h->n_layers * CALIBRATION_PER_LAYER + 1 || !in_range(h->dim, 1u << 20) ||
	    !in_range(h->mixed_dim, 1u << 20) || !in_range(h->hidden_dim, 1u << 20) ||
	    h->span % 32 != 0 || h->span > 1u << 20 || h->file_bytes != c->map.size ||
	    (h->version >= 2 && h->tokens > CALIBRATION_TOKENS_MAX))
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: the header's dimensions are out of range, or the file was cut off",
		        path);
	if ((c->map.size - sizeof *h) / sizeof *c->inputs < h->n_inputs)
		return error_set(err, BRISE_EFORMAT, "%s: cut off within its table", path);
	c->inputs = memory_copy(c->map.bytes + sizeof *h, h->n_inputs * sizeof *c->inputs);
	if (!c->inputs)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for its table", path);
	if (crc32_update(0, c->inputs, h->n_inputs * sizeof *c->inputs) != h->inputs_crc)
		return error_set(err, BRISE_EFORMAT, "%s: the table does not fit its checksum",
		                 path);
	return check_inputs(c, path, err);
}

brise_status calibration_open(calibration **out, const char *path, brise_error *err)
{
	calibration *c = memory_new(1, sizeof *c);
	brise_status status;

	*out = NULL;
	if (c)
		c->map = MAP_CLOSED;
	if (!c || !(c->name = memory_copy_text(path))) {
		memory_free(c);
		return error_set(err, BRISE_ENOMEM, "%s: no memory to open it", path);
	}
	status = map_open(&c->map, path, true, err);
	if (status == BRISE_OK)
		status = check(c, path, err);
	if (status != BRISE_ENOMEM && map_failed(&c->map))
		status = map_check(&c->map, path, err);
	if (status != BRISE_OK)
		calibration_close(c);
	else
		*out = c;
	return status;
}

void calibration_close(calibration *c)
{
	if (!c)
		return;
	map_close(&c->map);
	memory_free(c->inputs);
	memory_free(c->name);
	memory_free(c);
}

brise_status calibration_fits(const calibration *c, const format_config *config, const char *model,
                              brise_error *err)
{
	const calibration_header *h = &c->header;

	if (h->dim == config->dim && h->n_layers == config->n_layers &&
	    h->hidden_dim == config->hidden_dim &&
	    h->mixed_dim == config->n_heads * config->head_dim)
		return BRISE_OK;
	return error_set(err, BRISE_EFORMAT,
	                 "%s: measured on a model of %" PRIu32 " layers, width %" PRIu32
	                 ", hidden %" PRIu32 "; %s has %" PRIu32 ", %" PRIu32 ", %" PRIu32,
	                 c->name, h->n_layers, h->dim, h->hidden_dim, model, config->n_layers,
	                 config->dim, config->hidden_dim);
}

brise_status calibration_verify_input(const calibration *c, uint32_t index, brise_error *err)
{
	const calibration_input *in = &c->inputs[index];
	const float *squares = calibration_squares(c, index);
	uint32_t i, crc = crc32_update(0, c->map.bytes + in->offset, (size_t)in->bytes);

	if (map_failed(&c->map))
		return calibration_check_read(c, err);
	if (crc != in->crc)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: the data of input %" PRIu32 " do not fit their checksum",
		                 c->name, index);
	for (i = 0; i < in->cols; i++)
		if (!(squares[i] >= 0 && squares[i] <= FLT_MAX))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: input %" PRIu32 ": a mean square of %g", c->name,
			                 index, (double)squares[i]);
	return BRISE_OK;
}

brise_status calibration_take_ids(const calibration *c, uint32_t vocab, const int32_t **ids,
                                  brise_error *err)
{
	const calibration_header *h = &c->header;
	size_t n = (size_t)h->tokens, i;
	const int32_t *found;

	*ids = NULL;
	if (h->version < 2)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: calibration version 1 has no text; brise calibrate makes one "
		                 "that has",
		                 c->name);
	found = (const int32_t *)(const void *)(c->map.bytes + calibration_ids_at(h));
	if (crc32_update(0, found, n * sizeof *found) != h->ids_crc)
		return map_failed(&c->map)
		               ? calibration_check_read(c, err)
		               : error_set(err, BRISE_EFORMAT,
		                           "%s: the text does not fit its checksum", c->name);
	for (i = 0; i < n; i++)
		if (found[i] < 0 || (uint32_t)found[i] >= vocab)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: token %zu: id %" PRId32
			                 " outside the vocabulary of %" PRIu32,
			                 c->name, i, found[i], vocab);
	*ids = found;
	return n > 0 ? BRISE_OK : error_set(err, BRISE_EFORMAT, "%s: has no text", c->name);
}

brise_status calibration_check_read(const calibration *c, brise_error *err)
{
	return map_check(&c->map, c->name, err);
}

const float *calibration_squares(const calibration *c, uint32_t index)
{
	return (const float *)(const void *)(c->map.bytes + c->inputs[index].offset);
}

const int16_t *calibration_correlations(const calibration *c, uint32_t index, uint32_t first)
{
	const calibration_input *in = &c->inputs[index];

	return calibration_data_correlations(c->map.bytes + in->offset, in->cols, c->header.span,
	                                     first);
}
