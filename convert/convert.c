/* convert.c - a checkpoint as a source: rows as floats, in the file's order of q and k */
#include "convert/convert.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint.h"
#include "convert/lora.h"
#include "convert/names.h"
#include "convert/notes.h"
#include "convert/sentencepiece.h"
#include "convert/tokenizer_json.h"
#include "quant/half.h"
#include "runtime/error.h"

void convert_init_options(convert_options *options)
{
	memset(options, 0, sizeof *options);
	options->type = TYPE_Q4;
	options->effort = Q4_NORMAL;
}

/* A head's row in a checkpoint that interleaves RoPE's pairs: the file's halves (i, i + head_dim / 2) lie there at (2i, 2i + 1). */
static uint32_t interleaved_row(uint32_t row, uint32_t head_dim)
{
	uint32_t in_head = row % head_dim, half = head_dim / 2;

	return row - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
}

static brise_status read_raw(const checkpoint *cp, const checkpoint_tensor *t, bool interleaved, uint32_t first, uint32_t n, void *raw, brise_error *err)
{
	size_t row_bytes = t->cols * checkpoint_dtype_bytes(t->dtype);
	brise_status status = BRISE_OK;
	uint32_t i;

	if (!interleaved)
		return checkpoint_read_rows(cp, t, first, n, raw, err);
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = checkpoint_read_rows(cp, t, interleaved_row(first + i, cp->config.head_dim), 1, (uint8_t *)raw + i * row_bytes, err);
	return status;
}

/* Decodes n elements; false if one is infinite or not a number: those have all exponent bits set, and adding one there carries into the sign's place.
 * The checks are on the integers, where compilers vectorize them. */
static bool decode_floats(float *out, const void *raw, checkpoint_dtype dtype, size_t n)
{
	const uint16_t *halves = raw;
	uint32_t carry = 0;
	uint16_t carry_half = 0;
	size_t i;

	if (dtype == CHECKPOINT_F32) {
		memcpy(out, raw, n * sizeof *out);
		for (i = 0; i < n; i++)
			carry |= (half_to_bits(out[i]) & 0x7fffffff) + 0x00800000;
	} else if (dtype == CHECKPOINT_BF16) {
		for (i = 0; i < n; i++) {
			carry_half |= (uint16_t)((halves[i] & 0x7fff) + 0x0080);
			out[i] = half_decode_bfloat(halves[i]);
		}
	} else {
		for (i = 0; i < n; i++)
			carry_half |= (uint16_t)((halves[i] & 0x7fff) + 0x0400);
		for (i = 0; i < n; i++)
			out[i] = half_decode_finite(halves[i]);
	}
	return !(carry >> 31) && !(carry_half >> 15);
}

/* What rows come from. */
typedef struct conversion {
	checkpoint *cp;
	lora *adapters;
} conversion;

static brise_status read_rows(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n, float *rows, void *raw, brise_error *err)
{
	const conversion *c = self;
	const checkpoint *cp = c->cp;
	const checkpoint_tensor *t = &cp->tensors[layer][kind];
	bool interleaved = cp->rope == CHECKPOINT_INTERLEAVED && (kind == TENSOR_WQ || kind == TENSOR_WK);
	brise_status status = read_raw(cp, t, interleaved, first, n, raw, err);

	if (status != BRISE_OK)
		return status;
	if (!decode_floats(rows, raw, t->dtype, (size_t)n * t->cols))
		return error_set(err, BRISE_EFORMAT, "%s: tensor %s: a weight in rows %" PRIu32 "..%" PRIu32 " is infinite or not a number",
		                 cp->files[t->file].path, t->name, first, first + n - 1);
	lora_add_rows(c->adapters, kind, layer, first, n, t->cols, rows);
	return BRISE_OK;
}

static void tell_decisions(const convert_options *options, char *lines)
{
	char *line, *end;

	for (line = lines; options->decision && line && *line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (end)
			*end = 0;
		if (*line)
			options->decision(options->user, line);
		if (end)
			*end = '\n';
	}
}

static brise_status read_tokenizer(const checkpoint *cp, const convert_options *options, void **section, size_t *bytes, brise_error *err)
{
	*section = NULL;
	*bytes = 0;
	if (options->no_tokenizer)
		return BRISE_OK;
	if (!cp->tokenizer_path)
		return error_set(err, BRISE_EFORMAT, "no tokenizer.model or tokenizer.json beside the weights; --no-tokenizer converts without one");
	if (names_end_with(cp->tokenizer_path, ".json"))
		return tokenizer_json_read_model(cp->tokenizer_path, section, bytes, err);
	return sentencepiece_read_model(cp->tokenizer_path, section, bytes, err);
}

/* The model may have more rows than the tokenizer has pieces (padding), never fewer. */
static brise_status check_vocabularies(const checkpoint *cp, const void *section, size_t bytes, brise_error *err)
{
	brise_tokenizer *tokenizer;
	brise_tokenizer_facts facts;
	brise_status status;

	if (!section)
		return BRISE_OK;
	status = brise_open_tokenizer(&tokenizer, section, bytes, cp->tokenizer_path, err);
	if (status != BRISE_OK)
		return status;
	brise_get_tokenizer_facts(tokenizer, &facts);
	brise_close_tokenizer(tokenizer);
	if (facts.vocab > cp->config.vocab)
		return error_set(err, BRISE_EFORMAT, "%s: %" PRIu32 " pieces for a model of %" PRIu32 " tokens", cp->tokenizer_path, facts.vocab, cp->config.vocab);
	return BRISE_OK;
}

/* Opens the adapters, and puts what was decided about them behind the checkpoint's decisions: *origin, malloc'ed. */
static brise_status open_adapters(conversion *c, const convert_options *options, char **origin, brise_error *err)
{
	const checkpoint_tensor *outside = c->cp->tensors[0];
	bool tied = outside[TENSOR_OUTPUT].file == outside[TENSOR_EMBEDDING].file && outside[TENSOR_OUTPUT].offset == outside[TENSOR_EMBEDDING].offset;
	notes lines = { NULL, 0, false };
	brise_status status = lora_open(&c->adapters, options->loras, options->n_loras, &c->cp->config, tied, &lines, err);
	size_t bytes = strlen(c->cp->decisions);

	if (status == BRISE_OK && !lines.failed)
		*origin = malloc(bytes + lines.bytes + 1);
	if (status == BRISE_OK && !*origin)
		status = error_set(err, BRISE_ENOMEM, "no memory for notes");
	if (status == BRISE_OK) {
		memcpy(*origin, c->cp->decisions, bytes);
		memcpy(*origin + bytes, lines.text ? lines.text : "", lines.bytes + 1);
	}
	free(lines.text);
	return status;
}

brise_status convert_checkpoint(const char *path, const char *out, const convert_options *options, convert_result *result, brise_error *err)
{
	convert_source source = { .read = read_rows };
	conversion c = { NULL, NULL };
	char *origin = NULL;
	void *section = NULL;
	brise_status status;

	if ((status = checkpoint_open(&c.cp, path, err)) != BRISE_OK || (status = open_adapters(&c, options, &origin, err)) != BRISE_OK)
		goto done;
	if ((status = read_tokenizer(c.cp, options, &section, &source.tokenizer_bytes, err)) != BRISE_OK ||
	    (status = check_vocabularies(c.cp, section, source.tokenizer_bytes, err)) != BRISE_OK)
		goto done;
	tell_decisions(options, origin); /* last, so that a refusal is one line */
	source.config = c.cp->config;
	source.origin = origin;
	source.tokenizer = section;
	source.self = &c;
	status = convert_write(&source, out, options, result, err);
done:
	free(section);
	free(origin);
	lora_close(c.adapters);
	checkpoint_close(c.cp);
	return status;
}
