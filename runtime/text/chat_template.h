/* chat_template.h - which format a checkpoint's conversations have, from its template and tokens */
#ifndef RUNTIME_CHAT_TEMPLATE_H
#define RUNTIME_CHAT_TEMPLATE_H

#include "runtime/brise.h"

#define CHAT_UNKNOWN "unknown" /* what the converter records if it recognises nothing */

/* Keys under which exported checkpoints have what is recorded. */
#define CHAT_KEY_JSON "brise_chat_format" /* of tokenizer_config.json */
#define CHAT_KEY_GGUF "brise.chat_format"

typedef struct chat_guess {
	const char *format; /* "v3", ...; NULL: none that is known */
	/* what it was recognised by, or for an unknown one what was seen; a half sentence */
	char seen[160];
	bool begins; /* the template writes the begin token */
} chat_guess;

/* Recognises the template (Jinja; NULL: none) by texts it contains, never executing it, and by
 * control tokens of the vocabulary (NULL: no tokenizer). */
void chat_guess_format(chat_guess *out, const char *template_text,
                       const brise_tokenizer *tokenizer);

#endif
