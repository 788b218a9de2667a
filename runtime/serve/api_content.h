/* api_content.h - what the Responses and the Messages API have in common: typed objects, content
 * that is a text or a list of parts, and tools without the chat API's wrapping */
#ifndef SERVE_API_CONTENT_H
#define SERVE_API_CONTENT_H

#include "runtime/serve/body.h"
#include "runtime/serve/fields.h"
#include "runtime/serve/joined_text.h"
#include "runtime/serve/request.h"

#define API_TYPE_BYTES 64

/* The "type" of the object ahead, which is not passed; "" where there is none, or none that is
 * a text which fits. */
void api_peek_type(const fields *f, char type[API_TYPE_BYTES]);

/* Reads a string, or a list of parts whose types are "text" or among `types` (each followed by a
 * NUL, then an empty one); other parts are refused by their types. */
bool api_read_content(fields *f, const char *types, joined_text *text);

/* A tool as both APIs have it. */
typedef struct api_tool {
	const char *name;
	const char *description; /* [description_bytes]; NULL: none */
	size_t description_bytes;
	const char *schema; /* of its arguments: JSON [schema_bytes]; NULL: none */
	size_t schema_bytes;
	bool is_strict;
	bool is_allowed; /* false: the model is not shown it */
} api_tool;

typedef struct api_tools {
	void *list; /* api_tool [n] */
	size_t n;
} api_tools;

/* Reads one object with "name", "description", "strict" and `schema` (the key of the schema). */
bool api_read_tool(fields *f, const char *schema, api_tools *tools);

const api_tool *api_get_tool(const api_tools *tools, size_t i);

/* Gives the request the allowed ones as OpenAI's chat has them. False: no memory, or refused. */
bool api_set_tools(request *r, const api_tools *tools, refusal *why);

#endif
