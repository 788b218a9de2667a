/* chat_decision.c - see chat_decision.h
 *
 * What --chat-format says counts, then what the model had that a checkpoint was exported from.
 * A base model without a template, whose vocabulary shows nothing, gets no record; a template that
 * is not recognised is recorded as such. A version of tekken that is not known is said alone, as
 * later readers may know it.
 */
#include "convert/tokenizer/chat_decision.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/tokenizer.h"

/* Whether the format fits the vocabulary. */
static brise_status try_format(const text_settings *s, const brise_tokenizer *tokenizer,
                               const format_config *config, const char *format, brise_error *err)
{
	brise_model_facts facts = { .bos = config->bos,
		                    .eos = config->eos,
		                    .ends = s->ends.ids,
		                    .n_ends = s->ends.n,
		                    .chat_template = s->chat_template };
	brise_chat_options options = { .size = sizeof options };
	brise_chat *chat;
	brise_status status;

	if (*format == '{') {
		options.affixes = format;
		options.affixes_bytes = strlen(format);
		options.affixes_name = "--chat-format";
	} else {
		options.format = format;
	}
	status = brise_new_chat(&chat, tokenizer, &facts, &options, err);
	brise_free_chat(chat);
	return status;
}

static brise_status record(text_settings *s, const char *format, brise_error *err)
{
	s->chat_format = memory_copy_text(format);
	return s->chat_format ? BRISE_OK
	                      : error_set(err, BRISE_ENOMEM, "no memory for a chat format");
}

static brise_status record_chosen(text_settings *s, const brise_tokenizer *tokenizer,
                                  const format_config *config, const char *chosen, notes *decisions,
                                  brise_error *err)
{
	brise_status status;

	if (!tokenizer)
		return error_set(err, BRISE_EINVAL,
		                 "--chat-format: the file gets no tokenizer, which it is for");
	chosen += strspn(chosen, " \t\r\n");
	if (strlen(chosen) > FORMAT_CHAT_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "--chat-format: affixes of %zu bytes, at most %u expected",
		                 strlen(chosen), FORMAT_CHAT_MAX);
	if ((status = try_format(s, tokenizer, config, chosen, err)) != BRISE_OK)
		return status;
	notes_add(decisions, "chat format %s (--chat-format)",
	          *chosen == '{' ? "of a file of affixes" : chosen);
	return record(s, chosen, err);
}

static bool fits_exported(const text_settings *s, const brise_tokenizer *tokenizer,
                          const format_config *config, notes *decisions)
{
	const char *format = s->exported_format;
	brise_error why;

	if (try_format(s, tokenizer, config, format, &why) != BRISE_OK) {
		notes_add(decisions, "chat format of the exported model ignored: %s (%s)",
		          why.message, s->exported_source);
		return false;
	}
	notes_add(decisions, "chat format %s (%s)",
	          *format == '{' ? "of a file of affixes" : format, s->exported_source);
	return true;
}

brise_status chat_decide(text_settings *s, const brise_tokenizer *tokenizer,
                         const format_config *config, const char *chosen, notes *decisions,
                         brise_error *err)
{
	chat_guess guess;
	bool has_mark;
	brise_error why = { .message = "" };

	if (chosen)
		return record_chosen(s, tokenizer, config, chosen, decisions, err);
	if (!tokenizer)
		return BRISE_OK;
	if (s->exported_format && fits_exported(s, tokenizer, config, decisions))
		return record(s, s->exported_format, err);
	chat_guess_format(&guess, s->chat_template, tokenizer);
	if (guess.format && try_format(s, tokenizer, config, guess.format, &why) == BRISE_OK) {
		notes_add(decisions, "chat format %s: %s", guess.format, guess.seen);
		return record(s, guess.format, err);
	}
	has_mark = s->chat_template || guess.format;
	if (has_mark || tokenizer->dialect > 0)
		notes_add(decisions, "chat format unknown: %s; --chat-format can say which",
		          guess.format ? why.message : guess.seen);
	if (!has_mark)
		return BRISE_OK;
	return record(s, CHAT_UNKNOWN, err);
}
