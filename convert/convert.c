/* convert.c - a checkpoint and its tokenizer, made a file */
#include "convert/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/calibration.h"
#include "convert/gguf_tokenizer.h"
#include "convert/names.h"
#include "convert/sentencepiece.h"
#include "convert/source.h"
#include "convert/tokenizer_json.h"
#include "runtime/error.h"

void convert_init_options(convert_options *options)
{
	memset(options, 0, sizeof *options);
	options->type = TYPE_Q4;
	options->effort = Q4_NORMAL;
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

/* What a calibration is used for; one that cannot be opened is refused later. */
static const char *describe_calibration(const convert_options *o)
{
	bool fed_back = false;
	calibration *c;

	if (!o->calibration)
		return "";
	if (o->effort == Q4_HIGH && calibration_open(&c, o->calibration, NULL) == BRISE_OK) {
		fed_back = c->header.span > 0;
		calibration_close(c);
	}
	return fed_back ? ", errors weighed by a calibration and fed back" : ", errors weighed by a calibration";
}

/* How the matrices were encoded, behind the checkpoint's decisions. */
static brise_status note_encoding(source *s, const convert_options *o, brise_error *err)
{
	static const char *const efforts[] = { [Q4_FAST] = "fast", [Q4_NORMAL] = "normal", [Q4_HIGH] = "high" };
	notes lines = { s->origin, strlen(s->origin), false };
	char room[64] = "";

	if (o->bits > 0)
		(void)snprintf(room, sizeof room, ", as q8 where %g bits per weight have room", o->bits);
	if (o->type == TYPE_Q4)
		notes_add(&lines, "encoded as q4, effort %s%s%s", efforts[o->effort], room, describe_calibration(o));
	else
		notes_add(&lines, "encoded as %s", o->type == TYPE_Q8 ? "q8" : "f16");
	s->origin = lines.text;
	s->rows.origin = lines.text;
	return lines.failed ? error_set(err, BRISE_ENOMEM, "no memory for notes") : BRISE_OK;
}

brise_status convert_checkpoint(const char *path, const char *out, const convert_options *options, convert_result *result, brise_error *err)
{
	void *section = NULL;
	brise_status status;
	source *s;

	if ((status = source_open(&s, path, options->loras, options->n_loras, err)) != BRISE_OK)
		return status;
	if ((status = read_tokenizer(s->cp, options, &section, &s->rows.tokenizer_bytes, err)) != BRISE_OK ||
	    (status = check_vocabularies(s->cp, section, s->rows.tokenizer_bytes, err)) != BRISE_OK ||
	    (status = note_encoding(s, options, err)) != BRISE_OK)
		goto done;
	s->rows.tokenizer = section;
	status = convert_write(&s->rows, out, options, result, err);
	if (status == BRISE_OK && result)
		result->requantized = s->cp->quantized;
done:
	free(section);
	source_close(s);
	return status;
}
