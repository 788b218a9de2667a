/* service.h - what all handlers of requests share: exchange_facts.service
 *
 * Made by the command before the first request, and, but for counters, left as it is until the last
 * has ended.
 */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "runtime/brise.h"

typedef struct service {
	const brise_model *model;
	const brise_tokenizer *tokenizer; /* of the model; NULL: it has none */
	const brise_chat *chat;           /* NULL: the model has no known format of conversations */
	const char *no_chat;              /* why, for messages */
	struct scheduler *scheduler;
	struct grammar_cache *grammars; /* NULL: each grammar is compiled for its request alone */
	const char *name;               /* of the model, as clients see it */
	int64_t created;                /* when the model was loaded, seconds since 1970 */
	uint64_t submitted;             /* requests so far: seeds of those without one follow */
	uint64_t context;               /* most tokens of prompt and answer; 0: without end */
} service;

#endif
