/* openai.h - what OpenAI's chat, completions and embeddings have in common: errors, usage, heads
 *
 * Field by field as in OpenAI's API reference (platform.openai.com/docs/api-reference).
 */
#ifndef SERVE_OPENAI_H
#define SERVE_OPENAI_H

#include "runtime/serve/body.h"
#include "runtime/serve/exchange.h"
#include "runtime/serve/refusal.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/service.h"
#include "runtime/text/json_writer.h"

#define OPENAI_JSON   "application/json"
#define OPENAI_STREAM "text/event-stream; charset=utf-8"

/* Replies {"error": {...}} with the refusal's status; a full queue with Retry-After. */
void openai_refuse(exchange *x, const refusal *why);

/* "error": {...} of an object that is open. */
void openai_put_error(json_writer *w, const refusal *why);

/* Why a job failed, as a refusal: 400 where it is for what the client asked for. */
void openai_explain(refusal *why, const job_event *event);

typedef struct openai_usage {
	uint64_t prompt, kept, answer; /* tokens; kept: of the prompt, not evaluated anew */
	uint64_t thought;              /* of the answer, reasoning */
} openai_usage;
void openai_put_usage(json_writer *w, const openai_usage *usage);

/* What all objects of one reply begin with. */
typedef struct openai_head {
	char id[48];
	int64_t created; /* seconds since 1970 */
	const char *model;
} openai_head;

/* prefix: of the id, "chatcmpl-". model NULL: the client did not say, the service's name. */
void openai_init_head(openai_head *head, const char *prefix, const exchange *x, const char *model);

/* id, object, created, model, system_fingerprint of an object that is open. */
void openai_put_head(json_writer *w, const openai_head *head, const char *object);

/* finish_reason */
const char *openai_reason(job_reason reason);

/* Replies a JSON body that was written to `b`, or that memory ran out. */
void openai_reply(exchange *x, const body *b);

#endif
