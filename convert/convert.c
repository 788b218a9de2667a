/* convert.c - converts a checkpoint and its tokenizer */
#include "convert/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/float_env.h"
#include "convert/calibration/calibration.h"
#include "convert/formats/names.h"
#include "convert/source.h"
#include "convert/tokenizer/added_tokens.h"
#include "convert/tokenizer/chat_decision.h"
#include "convert/tokenizer/gguf_tokenizer.h"
#include "convert/tokenizer/sentencepiece.h"
#include "convert/tokenizer/text_settings.h"
#include "convert/tokenizer/tokenizer_json.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/tokenizer_section.h"

void convert_init_options(convert_options *options)
{
	memset(options, 0, sizeof *options);
	options->type = TYPE_Q4;
	options->effort = EFFORT_NORMAL;
	options->window = CONVERT_WINDOW_AS_FOUND;
}

/* tokenizer.model, and what files beside it add. */
static brise_status read_sentencepiece(const checkpoint *cp, notes *decisions, void **section,
                                       size_t *bytes, brise_error *err)
{
	added_tokens added;
	brise_status status =
	        added_tokens_read(&added, cp->tokenizer_path, cp->config.vocab, decisions, err);

	if (status == BRISE_OK)
		status = sentencepiece_read_extended(cp->tokenizer_path, &added, decisions, section,
		                                     bytes, err);
	added_tokens_free(&added);
	return status;
}

static brise_status read_tokenizer(const checkpoint *cp, const convert_options *options,
                                   notes *decisions, void **section, size_t *bytes,
                                   brise_error *err)
{
	*section = NULL;
	*bytes = 0;
	if (options->no_tokenizer)
		return BRISE_OK;
	if (cp->gguf)
		return gguf_read_tokenizer(cp->gguf, cp->tokenizer_path, decisions, section, bytes,
		                           err);
	if (!cp->tokenizer_path)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: no tekken.json, tokenizer.model or tokenizer.json beside the "
		                 "weights; brise convert --no-tokenizer and brise calibrate --ids "
		                 "do without",
		                 cp->files[0].path);
	if (names_end_with(cp->tokenizer_path, ".json"))
		return tokenizer_json_read_model(cp->tokenizer_path, cp->config.vocab, decisions,
		                                 section, bytes, err);
	return read_sentencepiece(cp, decisions, section, bytes, err);
}

/* The model may have more rows than the tokenizer has pieces (padding), never fewer. */
static brise_status check_vocabularies(const checkpoint *cp, const brise_tokenizer *tokenizer,
                                       brise_error *err)
{
	brise_tokenizer_facts facts;

	brise_get_tokenizer_facts(tokenizer, &facts, sizeof facts);
	if (facts.vocab > cp->config.vocab)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: %" PRIu32 " pieces for a model of %" PRIu32 " tokens",
		                 cp->tokenizer_path, facts.vocab, cp->config.vocab);
	return BRISE_OK;
}

/* The folder of the weights; from memory_new. */
static char *copy_folder(const checkpoint *cp)
{
	const char *path = cp->n_files > 0 ? cp->files[0].path : "", *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 1;
	char *folder = memory_new(n + 2, 1);

	if (folder) {
		memcpy(folder, slash ? path : ".", n);
		folder[n] = 0;
		if (n == 0)
			strcpy(folder, "/");
	}
	return folder;
}

static brise_status read_settings(const checkpoint *cp, text_settings *settings, notes *decisions,
                                  brise_error *err)
{
	char *folder;
	brise_status status;

	if (cp->gguf)
		return gguf_read_settings(cp->gguf, cp->files[0].path, settings, decisions, err);
	if (!(folder = copy_folder(cp)))
		return error_set(err, BRISE_ENOMEM, "no memory for a path");
	status = text_settings_read(settings, folder, decisions, err);
	memory_free(folder);
	return status;
}

/* add_prefix_space false: transformers makes a tokenizer of tokenizer.model anew, without the space
 * in front of texts (convert_slow_tokenizer.py, LlamaConverter). A tokenizer.json has its own. */
static void drop_prefix(const checkpoint *cp, const text_settings *settings, void *section,
                        notes *decisions)
{
	tokenizer_header h;

	memcpy(&h, section, sizeof h);
	if (!settings->no_prefix || cp->gguf || names_end_with(cp->tokenizer_path, ".json") ||
	    !(h.flags & TOKENIZER_DUMMY_PREFIX))
		return;
	h.flags &= ~(uint32_t)TOKENIZER_DUMMY_PREFIX;
	memcpy(section, &h, sizeof h);
	notes_add(decisions, "no space is put in front of a text (tokenizer_config.json: "
	                     "add_prefix_space)");
}

/* What was read of the tokenizer, and what the files beside the weights say about texts, as parts
 * of the file to write. section: as tokenizer_write_section makes it; NULL: none. */
static brise_status place_texts(source *s, void *section, size_t bytes, text_settings *settings,
                                const char *chat_format, notes *decisions, brise_error *err)
{
	convert_source *rows = &s->rows;
	brise_tokenizer *tokenizer = NULL;
	tokenizer_header h = { .vocab = 0 };
	brise_status status = read_settings(s->cp, settings, decisions, err);

	if (section && status == BRISE_OK) {
		drop_prefix(s->cp, settings, section, decisions);
		memcpy(&h, section, sizeof h);
		status = brise_open_tokenizer(&tokenizer, section, bytes, s->cp->tokenizer_path,
		                              err);
		if (status == BRISE_OK)
			status = check_vocabularies(s->cp, tokenizer, err);
		rows->tokenizer = section;
		rows->tokenizer_bytes = (size_t)h.bytes;
		rows->added = (uint8_t *)section + h.bytes;
		rows->added_bytes = bytes - (size_t)h.bytes;
	}
	if (status == BRISE_OK)
		text_settings_apply(settings, tokenizer, &rows->config, decisions);
	if (status == BRISE_OK)
		status = chat_decide(settings, tokenizer, &rows->config, chat_format, decisions,
		                     err);
	rows->chat_template = settings->chat_template;
	rows->chat_format = settings->chat_format;
	if (settings->ends.n > 1) {
		rows->ends = settings->ends.ids;
		rows->n_ends = settings->ends.n;
	}
	brise_close_tokenizer(tokenizer);
	return status;
}

/* GGUF files have no window, and others may state a wrong one; rope theta and what else was decided
 * stay as they are. */
static void set_window(source *s, uint32_t window, notes *lines)
{
	char found[24] = "none";

	if (window == CONVERT_WINDOW_AS_FOUND)
		return;
	if (s->rows.windows)
		(void)snprintf(found, sizeof found, "differ");
	else if (s->rows.config.window > 0)
		(void)snprintf(found, sizeof found, "%" PRIu32, s->rows.config.window);
	s->rows.config.window = window;
	s->rows.windows = NULL;
	if (window > 0)
		notes_add(lines, "window %" PRIu32 " (--window; the checkpoint's is %s)", window,
		          found);
	else
		notes_add(lines,
		          "no window: every token attends to all before it (--window 0; the "
		          "checkpoint's is %s)",
		          found);
}

/* What a calibration is used for; one that cannot be opened is refused later. */
static const char *describe_calibration(const convert_options *o)
{
	bool fed_back = false;
	calibration *c;

	if (!o->calibration)
		return "";
	if (o->effort == EFFORT_BEST)
		return ", in a closed loop on the text of a calibration";
	if (o->effort == EFFORT_HIGH && calibration_open(&c, o->calibration, NULL) == BRISE_OK) {
		fed_back = c->header.span > 0;
		calibration_close(c);
	}
	return fed_back ? ", errors weighed by a calibration and fed back"
	                : ", errors weighed by a calibration";
}

/* What the options change, and how the matrices are encoded, after the checkpoint's decisions. */
static brise_status apply_options(source *s, const convert_options *o, notes *lines,
                                  brise_error *err)
{
	static const char *const efforts[] = { [EFFORT_FAST] = "fast",
		                               [EFFORT_NORMAL] = "normal",
		                               [EFFORT_HIGH] = "high",
		                               [EFFORT_BEST] = "best" };
	bool mixed = o->bits > 0 || o->memory > 0;
	const char *name = mixed ? "q3, q4 and q8" : type_name(o->type);

	set_window(s, o->window, lines);
	if (mixed || type_book(o->type))
		notes_add(lines, "encoded as %s, effort %s%s", name, efforts[o->effort],
		          describe_calibration(o));
	else
		notes_add(lines, "encoded as %s", name);
	return lines->failed ? error_set(err, BRISE_ENOMEM, "no memory for notes") : BRISE_OK;
}

static brise_status convert(const char *path, const char *out, const convert_options *options,
                            convert_result *result, brise_error *err)
{
	void *section = NULL;
	size_t section_bytes = 0;
	text_settings settings = { .bos = NULL };
	notes lines = { NULL, 0, false };
	brise_status status;
	source *s;

	if ((status = source_open(&s, path, options->loras, options->n_loras, err)) != BRISE_OK)
		return status;
	lines = (notes){ s->origin, strlen(s->origin), false };
	if ((status = read_tokenizer(s->cp, options, &lines, &section, &section_bytes, err)) !=
	            BRISE_OK ||
	    (status = place_texts(s, section, section_bytes, &settings, options->chat_format,
	                          &lines, err)) != BRISE_OK ||
	    (status = apply_options(s, options, &lines, err)) != BRISE_OK)
		goto done;
	if (lines.failed) {
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for notes", path);
		goto done;
	}
	s->rows.origin = lines.text;
	status = convert_write(&s->rows, out, options, result, err);
	if (status == BRISE_OK && result)
		result->requantized = s->cp->quantized;
done:
	s->origin = lines.text; /* which has grown, and is freed with the source */
	text_settings_free(&settings);
	memory_free(section);
	source_close(s);
	return status;
}

brise_status convert_checkpoint(const char *path, const char *out, const convert_options *options,
                                convert_result *result, brise_error *err)
{
	float_env host = float_env_enter();
	brise_status status = convert(path, out, options, result, err);

	float_env_leave(host);
	return status;
}
