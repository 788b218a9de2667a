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
	struct recent_items *recent;    /* of the Responses API; NULL: none are kept */
	/* Compares system prompts of requests; NULL: they are not compared. Lines that change in
	 * every request are moved, or else `advise` is called once with a line for the log. */
	struct changing_system *systems;
	bool moves_systems, has_advised;
	/* Tools whose parameters grammars do not support are let through, without their schemas;
	 * the first time `advise` is called. */
	bool loose_tools, has_said_loose;
	void (*advise)(const struct service *s, const char *line); /* NULL: not called */
} service;

#endif
