/* request_fields.h - the fields that requests have in common, whatever the API */
#ifndef SERVE_REQUEST_FIELDS_H
#define SERVE_REQUEST_FIELDS_H

#include "runtime/serve/fields.h"
#include "runtime/serve/request.h"

/* Reads the field `key`, whose value is ahead, if it is one of how answers are drawn, stopped and
 * replied: temperature, top_p, top_k, min_p, seed, penalties, logit_bias, stop, n, stream, grammar,
 * response_format and so on. False: it is none of them, and still ahead. */
bool request_read_field(request *r, fields *f, const char *key);

/* The most tokens of an answer; least: 1, or -1, which then means no limit, as in llama.cpp. */
void request_read_limit(request *r, fields *f, int64_t least);

/* "tools" and "tool_choice" as OpenAI's chat has them. */
bool request_read_tools(request *r, fields *f);
bool request_read_tool_choice(request *r, fields *f);

/* What no field shows alone; after the last one. fields_end has said that all was read. */
bool request_check(request *r, refusal *why);

#endif
