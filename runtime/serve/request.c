/* request.c - see request.h */
#include "runtime/serve/request.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/changing_system.h"
#include "runtime/serve/grammar_cache.h"
#include "runtime/serve/join_messages.h"
#include "runtime/serve/scheduler.h"

#define CALLS "[TOOL_CALLS]" /* the token that calls stand behind */

struct request_job {
	request *request;
	uint32_t answer;
	job *job; /* NULL: it has ended */
};

void request_init(request *r)
{
	memset(r, 0, sizeof *r);
	brise_init_sampling(&r->sampling, sizeof r->sampling);
	r->n = 1;
	r->parallel_calls = true;
	r->cache_prompt = true;
}

static void cancel(request *r)
{
	uint32_t i;

	for (i = 0; r->jobs && i < r->n; i++) {
		if (r->jobs[i].job)
			scheduler_cancel(r->jobs[i].job);
		r->jobs[i].job = NULL;
	}
	r->running = 0;
}

void request_free(request *r)
{
	cancel(r);
	memory_free(r->jobs);
	pool_clear(&r->pool);
	request_init(r);
}

bool request_add_message(request *r, const brise_message *message)
{
	void *list = r->messages;
	brise_message *slot = pool_append(&r->pool, &list, r->n_messages, sizeof *slot);

	if (!slot)
		return false;
	*slot = *message;
	r->messages = list;
	r->n_messages++;
	return true;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool refuse_memory(refusal *why)
{
	return refusal_set(why, 500, NULL, NULL, "out of memory");
}

static void advise(service *s, changing_lines lines)
{
	char line[256];

	if (!s->advise || s->has_advised)
		return;
	s->has_advised = true;
	(void)snprintf(
	        line, sizeof line,
	        "bytes %zu to %zu of a client's system prompt change in every request, so that "
	        "what follows them is evaluated anew each time: --move-changing-system moves "
	        "them behind it",
	        lines.from, lines.to);
	s->advise(s, line);
}

bool request_adapt_system(request *r, service *s, size_t key, refusal *why)
{
	changing_lines lines;
	size_t i = 0;

	while (i < r->n_messages && r->messages[i].role != BRISE_SYSTEM)
		i++;
	if (!s->systems || i == r->n_messages || !r->cache_prompt ||
	    r->messages[i].n_thoughts > 0) /* it would have to be moved with its text */
		return true;
	lines = changing_system_see(s->systems, key, r->messages[i].content, r->messages[i].bytes);
	if (lines.from == lines.to)
		return true;
	if (!s->moves_systems) {
		advise(s, lines);
		return true;
	}
	return changing_system_move(&r->messages, &r->n_messages, i, lines, &r->pool) ||
	       refuse_memory(why);
}

/* ---- ids ------------------------------------------------------------------------------------ */

static bool keep_ids(request *r, int32_t begin, int32_t *ids, size_t n, refusal *why)
{
	size_t first = begin >= 0;
	int32_t *copy = n < SIZE_MAX ? pool_take(&r->pool, n + first, sizeof *copy) : NULL;

	if (copy && first)
		copy[0] = begin;
	if (copy && n > 0)
		memcpy(copy + first, ids, n * sizeof *ids);
	brise_free(ids);
	if (!copy)
		return refuse_memory(why);
	r->ids = copy;
	r->n_ids = n + first;
	return true;
}

/* Reasoning that the format has no form for, with answers that had nothing else. */
static void drop_thoughts(request *r)
{
	size_t i, kept = 0;

	for (i = 0; i < r->n_messages; i++) {
		brise_message m = r->messages[i];
		bool had = m.n_thoughts > 0;

		m.thoughts = NULL;
		m.n_thoughts = 0;
		if (!had || m.role != BRISE_ASSISTANT || m.bytes > 0 || m.n_calls > 0)
			r->messages[kept++] = m;
	}
	r->n_messages = kept;
}

/* What clients send and formats have no form for: reasoning; messages of one role in a row; text
 * beside calls in one answer, of which the calls are kept where the format has one of them, as
 * Mistral's templates keep them; and an answer that ends the conversation, which is to be
 * continued. */
static bool adapt_messages(request *r, const service *s)
{
	size_t i;

	if (!brise_get_chat_facts(s->chat)->thoughts)
		drop_thoughts(r);
	if (!join_messages(r->messages, &r->n_messages, brise_get_chat_facts(s->chat)->tools,
	                   &r->pool))
		return false;
	for (i = 0; i < r->n_messages; i++) {
		brise_message *m = &r->messages[i];

		if (m->role == BRISE_ASSISTANT && m->n_calls > 0 &&
		    !brise_get_chat_facts(s->chat)->text_and_calls)
			m->bytes = 0;
		if (m->role == BRISE_ASSISTANT && m->n_calls == 0 && i + 1 == r->n_messages)
			m->continued = true;
	}
	return true;
}

static bool encode_messages(request *r, const service *s, refusal *why)
{
	brise_conversation conversation = { .size = sizeof conversation };
	int32_t *ids = NULL;
	brise_status status;
	brise_error err;
	size_t n = 0;

	if (!s->chat)
		return refusal_set(why, 400, "unsupported_parameter", "messages",
		                   "This model has no known format of conversations: %s. Use "
		                   "/v1/completions.",
		                   s->no_chat ? s->no_chat : "it is a base model");
	if (!adapt_messages(r, s))
		return refuse_memory(why);
	conversation.messages = r->messages;
	conversation.n = r->n_messages;
	if (r->choice != TOOLS_NONE) {
		conversation.tools = r->tools;
		conversation.tools_bytes = r->tools_bytes;
	}
	status = brise_encode_chat(s->chat, &conversation, &ids, &n, &err);
	if (status == BRISE_OK)
		return keep_ids(r, -1, ids, n, why);
	if (status == BRISE_ENOMEM)
		return refuse_memory(why);
	return refusal_set(why, 400, "invalid_value",
	                   !strncmp(err.message, "tools", 5) ? "tools" : "messages",
	                   "Invalid '%s': %s.",
	                   !strncmp(err.message, "tools", 5) ? "tools" : "messages", err.message);
}

bool request_encode(request *r, const service *s, refusal *why)
{
	const brise_model_facts *facts = brise_get_model_facts(s->model);
	int32_t *ids = NULL;
	brise_status status;
	brise_error err;
	size_t n = 0;

	if (r->ids)
		return true;
	if (r->n_messages > 0)
		return encode_messages(r, s, why);
	if (!s->tokenizer)
		return refusal_set(why, 400, "unsupported_parameter", "prompt",
		                   "This model's file has no tokenizer: give token ids.");
	status = brise_encode_text(s->tokenizer, r->text ? r->text : "", r->text_bytes, false, &ids,
	                           &n, &err);
	if (status == BRISE_ENOMEM)
		return refuse_memory(why);
	if (status != BRISE_OK)
		return refusal_set(why, 400, "invalid_value", "prompt", "%s", err.message);
	return keep_ids(r, facts ? facts->bos : -1, ids, n, why);
}

/* ---- grammars ------------------------------------------------------------------------------- */

/* The token that calls stand behind; -1: the model has none. */
static int32_t find_calls(const service *s)
{
	int32_t id = -1;

	if (!s->tokenizer || !s->chat || !brise_get_chat_facts(s->chat)->tools ||
	    brise_find_token(s->tokenizer, CALLS, strlen(CALLS), &id, NULL) != BRISE_OK)
		return -1;
	return id;
}

/* tool_choice "none": the token cannot be drawn. */
static bool ban_token(request *r, int32_t id, refusal *why)
{
	size_t n = r->sampling.n_bias;
	brise_logit_bias *list = pool_take(&r->pool, n + 1, sizeof *list);

	if (!list)
		return refuse_memory(why);
	if (n > 0)
		memcpy(list, r->sampling.bias, n * sizeof *list);
	list[n] = (brise_logit_bias){ id, -INFINITY };
	r->sampling.bias = list;
	r->sampling.n_bias = n + 1;
	return true;
}

static const char *name_form(const request *r)
{
	if (r->form == FORM_TEXT)
		return "tools";
	if (r->form_param)
		return r->form_param;
	return r->form == FORM_GRAMMAR ? "grammar" : "response_format";
}

/* Tools are let through whose schemas grammars do not have: said in the reply and, once, in the
 * log. */
static bool note_loose_tools(request *r, service *s, const char *tools, refusal *why)
{
	char line[300];

	r->unconstrained = pool_copy(&r->pool, tools, strlen(tools));
	if (!r->unconstrained)
		return refuse_memory(why);
	if (s->advise && !s->has_said_loose) {
		(void)snprintf(line, sizeof line,
		               "arguments of a tool do not follow its schema: %.200s", tools);
		s->advise(s, line);
	}
	s->has_said_loose = true;
	return true;
}

static bool compile(request *r, service *s, size_t owner, const brise_grammar_options *options,
                    grammar_entry **out, refusal *why)
{
	bool are_tools = options->kind == BRISE_GRAMMAR_TOOLS;
	const char *loose;
	brise_status status;
	brise_error err;

	if (!s->tokenizer)
		return refusal_set(why, 400, "unsupported_parameter", name_form(r),
		                   "This model's file has no tokenizer, which '%s' needs.",
		                   name_form(r));
	status = grammar_cache_take(s->grammars, owner, s->tokenizer, options, out, &err);
	if (status == BRISE_OK) {
		loose = brise_get_loose_tools(grammar_entry_get(*out));
		if (!loose || note_loose_tools(r, s, loose, why))
			return true;
		grammar_entry_release(*out);
		*out = NULL;
		return false;
	}
	if (status == BRISE_ENOMEM)
		return refuse_memory(why);
	return refusal_set(
	        why, 400, status == BRISE_EUNSUPPORTED ? "unsupported_value" : "invalid_value",
	        are_tools ? "tools" : name_form(r), "Invalid '%s': %s.%s",
	        are_tools ? "tools" : name_form(r), err.message,
	        status == BRISE_EUNSUPPORTED && are_tools && !s->loose_tools && !r->is_strict
	                ? " brise serve and brise batch take --loose-tools, which "
	                  "leaves the arguments of such a tool to the model."
	                : "");
}

/* Grammars of a plan, each NULL: none. */
typedef struct plan_grammars {
	grammar_entry *form;  /* of a text */
	grammar_entry *calls; /* behind the token of calls */
} plan_grammars;

static bool compile_tools(request *r, service *s, size_t owner, plan_grammars *g, refusal *why)
{
	brise_grammar_options options;

	brise_init_grammar_options(&options, sizeof options);
	options.kind = BRISE_GRAMMAR_TOOLS;
	options.text = r->tools;
	options.bytes = r->tools_bytes;
	options.name = "tools";
	options.tool = r->choice == TOOLS_NAMED ? r->named : NULL;
	options.one_call = !r->parallel_calls;
	options.loose_tools = s->loose_tools && !r->is_strict;
	options.chat = s->chat;
	return compile(r, s, owner, &options, &g->calls, why);
}

static bool compile_form(request *r, service *s, size_t owner, plan_grammars *g, refusal *why)
{
	brise_grammar_options options;

	brise_init_grammar_options(&options, sizeof options);
	options.kind = r->form == FORM_JSON     ? BRISE_GRAMMAR_JSON
	               : r->form == FORM_SCHEMA ? BRISE_GRAMMAR_SCHEMA
	                                        : BRISE_GRAMMAR_GBNF;
	if (r->form != FORM_JSON) {
		options.text = r->grammar;
		options.bytes = r->grammar_bytes;
	}
	return compile(r, s, owner, &options, &g->form, why);
}

/* Compiles what the plan needs: calls by their tools, a text by its form, or either where the model
 * is free to call. g is the caller's to release in any case. */
static bool plan_grammar(request *r, service *s, job_plan *plan, plan_grammars *g, refusal *why)
{
	bool must_call = r->choice == TOOLS_REQUIRED || r->choice == TOOLS_NAMED;
	bool may_call = r->tools && r->choice != TOOLS_NONE;
	bool has_form = r->form != FORM_TEXT && !(may_call && must_call);
	int32_t calls_token = r->n_messages > 0 ? find_calls(s) : -1;

	plan->grammar_after = -1;
	if (may_call && has_form && calls_token < 0)
		return refusal_set(
		        why, 400, "unsupported_parameter", name_form(r),
		        "A form of the answer together with 'tools' needs a model with a "
		        "token for calls, unless 'tool_choice' is 'none'.");
	if (may_call && calls_token >= 0) {
		plan->must_call = must_call;
		if (!compile_tools(r, s, plan->who.key, g, why))
			return false;
		plan->grammar = grammar_entry_get(g->calls);
		plan->grammar_after = calls_token;
	}
	if (has_form) {
		if (!compile_form(r, s, plan->who.key, g, why))
			return false;
		*(g->calls ? &plan->text_grammar : &plan->grammar) = grammar_entry_get(g->form);
		return true;
	}
	/* Without a token the format writes calls as text. */
	return may_call || calls_token < 0 || ban_token(r, calls_token, why);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void deliver(void *user, const job_event *event)
{
	request_job *j = user;
	request *r = j->request;

	if (event->kind == JOB_DONE || event->kind == JOB_FAILED) {
		j->job = NULL;
		r->running--;
	}
	r->each(r->user, j->answer, event); /* which may free r */
}

/* A 64-bit mix (Steele and others, "Fast splittable pseudorandom number generators", OOPSLA 2014).
 */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool refuse_submit(brise_status status, const brise_error *err, const request *r,
                          uint64_t context, refusal *why)
{
	bool is_text = r->n_messages == 0;

	if (status == BRISE_ENOMEM)
		return refuse_memory(why);
	if (status == BRISE_EFULL)
		return refusal_set(why, 503, "queue_full", NULL,
		                   "The server is busy: as many requests wait as may. Try again "
		                   "later.");
	if (context > 0 && r->n_prompt >= context)
		return refusal_set(why, 400, "context_length_exceeded",
		                   is_text ? "prompt" : "messages",
		                   "This model's maximum context length is %llu tokens. However, "
		                   "your %s resulted in %zu tokens. Please reduce the length of "
		                   "the %s.",
		                   (unsigned long long)context, is_text ? "prompt" : "messages",
		                   r->n_prompt, is_text ? "prompt" : "messages");
	return refusal_set(why, status == BRISE_EINVAL ? 400 : 500, NULL, NULL, "%s", err->message);
}

static uint64_t choose_limit(const request *r, uint64_t context)
{
	if (r->has_limit || r->limit > 0)
		return r->limit;
	if (context == 0)
		return REQUEST_LIMIT;
	return context > r->n_prompt ? context - r->n_prompt : 1;
}

static bool submit_jobs(request *r, service *s, const job_plan *shared, const plan_grammars *g,
                        uint64_t context, refusal *why)
{
	brise_sampling sampling = r->sampling;
	job_plan plan = *shared;
	brise_status status;
	brise_error err;
	uint32_t i;

	if (!r->has_seed)
		sampling.seed =
		        mix((uint64_t)s->created * UINT64_C(0x9e3779b97f4a7c15) + ++s->submitted);
	plan.sampling = &sampling;
	for (i = 0; i < r->n; i++, sampling.seed++) {
		r->jobs[i].request = r;
		r->jobs[i].answer = i;
		plan.like = i > 0 ? r->jobs[0].job : NULL;
		if (g->form || g->calls) {
			plan.held = grammar_pair_keep(g->form, g->calls);
			plan.release = grammar_pair_release;
			if (!plan.held) {
				cancel(r);
				return refuse_memory(why);
			}
		}
		status = scheduler_submit(s->scheduler, &r->jobs[i].job, &plan, deliver,
		                          &r->jobs[i], &err);
		if (status != BRISE_OK) {
			r->jobs[i].job = NULL;
			if (plan.held)
				grammar_pair_release(plan.held);
			cancel(r);
			return refuse_submit(status, &err, r, context, why);
		}
		r->running++;
	}
	return true;
}

/* Ids that the client gave. */
static bool check_ids(const request *r, const service *s, refusal *why)
{
	const brise_model_facts *model = brise_get_model_facts(s->model);
	brise_tokenizer_facts tokenizer;
	uint32_t vocab;
	size_t i;

	brise_get_tokenizer_facts(s->tokenizer, &tokenizer, sizeof tokenizer);
	vocab = model ? model->vocab : tokenizer.vocab;
	for (i = 0; i < r->n_ids; i++)
		if (r->ids[i] < 0 || (uint32_t)r->ids[i] >= vocab)
			return refusal_set(why, 400, "invalid_value", "prompt",
			                   "Invalid 'prompt': token id %ld is outside the "
			                   "vocabulary of %lu.",
			                   (long)r->ids[i], (unsigned long)vocab);
	/* Every answer copies them: those that come twice must not make megabytes of it. */
	if (r->sampling.n_bias > vocab)
		return refusal_set(why, 400, "invalid_value", "logit_bias",
		                   "Invalid 'logit_bias': %zu entries, for a vocabulary of %lu.",
		                   r->sampling.n_bias, (unsigned long)vocab);
	for (i = 0; i < r->sampling.n_bias; i++)
		if ((uint32_t)r->sampling.bias[i].token >= vocab)
			return refusal_set(why, 400, "invalid_value", "logit_bias",
			                   "Invalid 'logit_bias': token id %ld is outside the "
			                   "vocabulary of %lu.",
			                   (long)r->sampling.bias[i].token, (unsigned long)vocab);
	return true;
}

bool request_submit(request *r, service *s, const asker *who,
                    void (*each)(void *user, uint32_t answer, const job_event *event), void *user,
                    refusal *why)
{
	plan_grammars g = { NULL, NULL };
	scheduler_figures figures;
	job_plan plan = { .who = *who };
	bool submitted = false;

	if ((!r->ids && !request_adapt_system(r, s, who->key, why)) || !request_encode(r, s, why) ||
	    !check_ids(r, s, why) || !plan_grammar(r, s, &plan, &g, why))
		goto done;
	scheduler_get_figures(s->scheduler, &figures);
	r->each = each;
	r->user = user;
	r->n_prompt = r->n_ids;
	plan.prompt = r->ids;
	plan.n = r->n_ids;
	plan.limit = choose_limit(r, figures.context);
	plan.stops = r->stops;
	plan.n_stops = r->n_stops;
	plan.chat = r->n_messages > 0 ? s->chat : NULL;
	plan.ignores_ends = r->ignores_ends;
	plan.has_logprobs = r->has_logprobs;
	plan.n_top = r->n_top;
	plan.keeps = r->cache_prompt;
	plan.embeds = r->embeds;
	r->jobs = memory_new(r->n, sizeof *r->jobs);
	submitted =
	        r->jobs ? submit_jobs(r, s, &plan, &g, figures.context, why) : refuse_memory(why);
	if (!submitted) {
		memory_free(r->jobs);
		r->jobs = NULL;
	}
done:
	grammar_entry_release(g.form);
	grammar_entry_release(g.calls);
	return submitted;
}

void request_name_call(const service *s, uint64_t number, uint32_t answer, size_t call, char id[10])
{
	char text[96];

	(void)snprintf(text, sizeof text, "call %lld %llu %lu %zu", (long long)s->created,
	               (unsigned long long)number, (unsigned long)answer, call);
	brise_map_call_id(text, id);
}
