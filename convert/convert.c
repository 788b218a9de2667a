/* convert.c - a checkpoint as a source: rows as floats, in the file's order of q and k */
#include "convert/convert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint.h"
#include "convert/elements.h"
#include "convert/gguf_tokenizer.h"
#include "convert/sentencepiece.h"
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
	brise_status status = BRISE_OK;
	uint64_t row_bytes = 0;
	uint32_t i;

	if (!interleaved)
		return checkpoint_read_rows(cp, t, first, n, raw, err);
	(void)elements_measure(t->dtype, t->cols, &row_bytes);
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = checkpoint_read_rows(cp, t, interleaved_row(first + i, cp->config.head_dim), 1, (uint8_t *)raw + i * row_bytes, err);
	return status;
}

static brise_status read_rows(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n, float *rows, void *raw, brise_error *err)
{
	const checkpoint *cp = self;
	const checkpoint_tensor *t = &cp->tensors[layer][kind];
	bool interleaved = cp->rope == CHECKPOINT_INTERLEAVED && (kind == TENSOR_WQ || kind == TENSOR_WK);
	brise_status status = read_raw(cp, t, interleaved, first, n, raw, err);

	if (status != BRISE_OK)
		return status;
	if (!elements_decode(rows, raw, t->dtype, (size_t)n * t->cols))
		return error_set(err, BRISE_EFORMAT, "%s: tensor %s: a weight in rows %" PRIu32 "..%" PRIu32 " is infinite or not a number",
		                 cp->files[t->file].path, t->name, first, first + n - 1);
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
	if (cp->gguf)
		return gguf_read_tokenizer(cp->gguf, cp->tokenizer_path, section, bytes, err);
	if (!cp->tokenizer_path)
		return error_set(err, BRISE_EFORMAT, "no tokenizer.model beside the weights; --no-tokenizer converts without one");
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

brise_status convert_checkpoint(const char *path, const char *out, const convert_options *options, convert_result *result, brise_error *err)
{
	convert_source source = { .read = read_rows };
	checkpoint *cp = NULL;
	void *section = NULL;
	brise_status status;

	if ((status = checkpoint_open(&cp, path, err)) != BRISE_OK)
		goto done;
	tell_decisions(options, cp->decisions);
	if ((status = read_tokenizer(cp, options, &section, &source.tokenizer_bytes, err)) != BRISE_OK ||
	    (status = check_vocabularies(cp, section, source.tokenizer_bytes, err)) != BRISE_OK)
		goto done;
	source.config = cp->config;
	source.origin = cp->decisions;
	source.tokenizer = section;
	source.self = cp;
	status = convert_write(&source, out, options, result, err);
	if (status == BRISE_OK && result)
		result->requantized = cp->quantized;
done:
	free(section);
	checkpoint_close(cp);
	return status;
}
