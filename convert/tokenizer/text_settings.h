/* text_settings.h - settings for text from the small files beside a checkpoint's weights: the begin
 * token, the end tokens, the chat template
 *
 * Read are config.json, generation_config.json, tokenizer_config.json, special_tokens_map.json,
 * tokenizer.json's post-processor, chat_template.jinja and chat_template.json. Any may be absent.
 */
#ifndef CONVERT_TOKENIZER_TEXT_SETTINGS_H
#define CONVERT_TOKENIZER_TEXT_SETTINGS_H

#include <stdbool.h>

#include "convert/formats/notes.h"
#include "convert/tokenizer/end_tokens.h"
#include "runtime/brise.h"

typedef struct text_settings {
	end_tokens ends;
	/* texts of the begin and end token, from memory_new; NULL: not said */
	char *bos, *eos;
	const char *bos_source, *eos_source;
	bool begins; /* a text gets the begin token; counts with begins_source only */
	const char *begins_source;
	bool no_prefix;      /* add_prefix_space is false */
	char *chat_template; /* UTF-8 from memory_new; NULL: none */
	const char *template_source;
	char *exported_format; /* that the exported model had, from memory_new; NULL: not said */
	const char *exported_source;
	char *chat_format; /* for SECTION_CHAT, from memory_new; NULL: nothing */
} text_settings;

/* Reads what is in `folder`. *out must be freed with text_settings_free, also after an error.
 * Errors: those of files_read_whole and of reading JSON, with the file's name. */
brise_status text_settings_read(text_settings *out, const char *folder, notes *decisions,
                                brise_error *err);
void text_settings_free(text_settings *settings);

/* Keeps a template of n bytes, if it is text that a file can hold; *decisions says otherwise. A
 * template that is there already stays. */
brise_status text_settings_keep_template(text_settings *settings, const char *text, size_t n,
                                         const char *source, notes *decisions, brise_error *err);

/* Keeps what an exported checkpoint says about the format of conversations, if it is text that a
 * file can hold. Errors: BRISE_ENOMEM. */
brise_status text_settings_keep_format(text_settings *settings, const char *text, size_t n,
                                       const char *source, brise_error *err);

/* Decides config->bos and config->eos, and completes settings->ends, for an open tokenizer (NULL:
 * none). What was decided, and where it was found, becomes lines of *decisions. */
void text_settings_apply(text_settings *settings, const brise_tokenizer *tokenizer,
                         format_config *config, notes *decisions);

#endif
