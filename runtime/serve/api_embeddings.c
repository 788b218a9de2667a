/* api_embeddings.c - see api_embeddings.h */
#include "runtime/serve/api_embeddings.h"

#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/serve/inputs.h"
#include "runtime/serve/aside.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/request_fields.h"

typedef struct reply reply;

typedef struct vector {
	reply *reply;
	request request;
	float *values; /* [dim]; memory of request.pool */
	size_t dim;
} vector;

struct reply {
	request shared;
	inputs inputs;
	exchange *x;
	bool is_base64;
	int64_t dimensions;        /* that the client wants; 0: not said */
	vector *vectors;           /* [inputs.n] */
	size_t submitted, running; /* inputs */
	uint64_t n_prompt;
	const service *service;
	refusal why; /* of reading and encoding */
	body out;
};

static void free_reply(reply *p)
{
	size_t i;

	for (i = 0; p->vectors && i < p->inputs.n; i++)
		request_free(&p->vectors[i].request);
	body_free(&p->out);
	request_free(&p->shared); /* with the vectors */
	memory_free(p);
}

static void drop(void *user)
{
	free_reply(user);
}

/* ---- the reply ------------------------------------------------------------------------------ */

/* Bytes of float32, the least significant first (RFC 4648, section 4). */
static void add_base64(body *b, const float *values, size_t n)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t bytes = 4 * n, i, k;
	char four[4];

	for (i = 0; i < bytes; i += 3) {
		uint32_t three = 0;

		for (k = i; k < i + 3; k++) {
			uint32_t word = 0;

			if (k < bytes)
				memcpy(&word, &values[k / 4], sizeof word);
			three = three << 8 | (word >> 8 * (k % 4) & 255);
		}
		for (k = 0; k < 4; k++)
			four[k] = i + k <= bytes ? digits[three >> (18 - 6 * k) & 63] : '=';
		body_add(b, four, 4);
	}
}

static void put_vector(reply *p, size_t i, json_writer *w)
{
	const vector *v = &p->vectors[i];
	body text = { .n = 0 };
	size_t k;

	json_open(w, NULL, '{');
	json_put_string(w, "object", "embedding");
	json_put_unsigned(w, "index", i);
	if (p->is_base64) {
		add_base64(&text, v->values, v->dim);
		json_put_text(w, "embedding", text.bytes, text.n);
		p->out.failed = p->out.failed || text.failed;
		body_free(&text);
	} else {
		json_open(w, "embedding", '[');
		for (k = 0; k < v->dim; k++)
			json_put_exactly(w, NULL, (double)v->values[k], true);
		json_close(w);
	}
	json_close(w);
}

static void finish_reply(reply *p)
{
	const service *s = exchange_get_facts(p->x)->service;
	json_writer w = { .sink = body_add, .user = &p->out };
	size_t i;

	json_open(&w, NULL, '{');
	json_put_string(&w, "object", "list");
	json_open(&w, "data", '[');
	for (i = 0; i < p->inputs.n; i++)
		put_vector(p, i, &w);
	json_close(&w);
	json_put_string(&w, "model", p->shared.model ? p->shared.model : s->name);
	json_open(&w, "usage", '{');
	json_put_unsigned(&w, "prompt_tokens", p->n_prompt);
	json_put_unsigned(&w, "total_tokens", p->n_prompt);
	json_close(&w);
	json_close(&w);
	exchange_note(p->x, p->n_prompt, 0, 0);
	exchange_on_gone(p->x, NULL, NULL);
	openai_reply(p->x, &p->out);
	free_reply(p);
}

static void refuse(reply *p, const refusal *why)
{
	exchange_on_gone(p->x, NULL, NULL);
	openai_refuse(p->x, why);
	free_reply(p);
}

/* ---- the request ---------------------------------------------------------------------------- */

static void read_format(reply *p, fields *f)
{
	const char *name;

	if (!fields_read_name(f, &name))
		return;
	p->is_base64 = strcmp(name, "base64") == 0;
	if (!p->is_base64 && strcmp(name, "float") != 0)
		fields_refuse(f, "invalid_value",
		              "Invalid value: '%s'. Supported values are: 'float' and 'base64'.",
		              name);
}

static bool read_body(reply *p, const service *s, const exchange_facts *facts, refusal *why)
{
	const brise_model_facts *model = brise_get_model_facts(s->model);
	char key[48];
	fields f;

	fields_begin(&f, facts->body, facts->body_bytes, &p->shared.pool, why);
	for (fields_enter_object(&f); fields_next_key(&f, key, sizeof key);)
		if (!strcmp(key, "input"))
			inputs_read(&p->inputs, &f);
		else if (!strcmp(key, "model"))
			fields_read_name(&f, &p->shared.model);
		else if (!strcmp(key, "encoding_format"))
			read_format(p, &f);
		else if (!strcmp(key, "dimensions"))
			fields_read_integer(&f, 1, INT32_MAX, &p->dimensions);
		else
			fields_skip(&f);
	if (!fields_end(&f))
		return false;
	if (p->inputs.n == 0)
		return fields_refuse_missing(&f, "input");
	if (p->dimensions > 0 && model && p->dimensions != model->dim)
		return refusal_set(why, 400, "unsupported_value", "dimensions",
		                   "Invalid 'dimensions': this model's embeddings have %lu.",
		                   (unsigned long)model->dim);
	return true;
}

static void take_event(void *user, uint32_t answer, const job_event *event);

/* Submits what may be under way besides what is. A full queue is no reason to refuse as long as
 * something of this reply runs, whose end leads here again. */
static bool submit_inputs(reply *p, refusal *why)
{
	const exchange_facts *facts = exchange_get_facts(p->x);

	for (; p->submitted < p->inputs.n && p->running < INPUTS_IN_FLIGHT; p->submitted++) {
		vector *v = &p->vectors[p->submitted];

		v->reply = p;
		if (!v->request.n)
			inputs_make_request(&p->inputs, p->submitted, &p->shared, &v->request);
		if (!request_submit(&v->request, facts->service, &facts->who, take_event, v, why)) {
			if (why->param[0])
				strcpy(why->param, "input");
			if (why->status != 503 || p->running == 0)
				return false;
			why->status = 0;
			return true;
		}
		p->n_prompt += v->request.n_prompt;
		p->running++;
	}
	return true;
}

static void take_event(void *user, uint32_t answer, const job_event *event)
{
	vector *v = user;
	reply *p = v->reply;
	refusal why = { .status = 0 };

	(void)answer;
	if (event->kind == JOB_FAILED) {
		openai_explain(&why, event);
		refuse(p, &why);
	} else if (event->kind == JOB_EMBEDDING) {
		v->values = pool_take(&v->request.pool, event->dim, sizeof *v->values);
		v->dim = v->values ? event->dim : 0;
		if (v->values)
			memcpy(v->values, event->embedding, event->dim * sizeof *v->values);
	} else if (event->kind == JOB_DONE) {
		p->running--;
		if (!submit_inputs(p, &why))
			refuse(p, &why);
		else if (p->running == 0)
			finish_reply(p);
	}
}

static void encode(void *user)
{
	reply *p = user;

	if (!inputs_encode(&p->inputs, &p->shared.pool, &p->shared, p->service, &p->why) &&
	    p->why.param[0])
		strcpy(p->why.param, "input");
}

/* The request has been read and encoded, or is to be refused. */
static void answer(void *user, bool is_gone)
{
	reply *p = user;

	if (is_gone) {
		free_reply(p);
		return;
	}
	if (p->why.status == 0 &&
	    !(p->vectors = pool_take(&p->shared.pool, p->inputs.n, sizeof *p->vectors)))
		(void)refusal_set(&p->why, 500, NULL, NULL, "out of memory");
	if (p->why.status != 0 || !submit_inputs(p, &p->why))
		refuse(p, &p->why);
	else
		exchange_on_gone(p->x, drop, p);
}

void api_embeddings(exchange *x)
{
	const exchange_facts *facts = exchange_get_facts(x);
	reply *p = memory_new(1, sizeof *p);
	refusal why = { .status = 0 };

	if (!p) {
		(void)refusal_set(&why, 500, NULL, NULL, "out of memory");
		openai_refuse(x, &why);
		return;
	}
	request_init(&p->shared);
	p->shared.embeds = true;
	p->x = x;
	p->service = facts->service;
	if (read_body(p, p->service, facts, &p->why))
		aside_run(x, encode, answer, p);
	else
		answer(p, false);
}
