/* about.c - what the server says of itself */
#include "runtime/serve/about.h"

#include <string.h>

#include "runtime/serve/calendar.h"
#include "runtime/serve/exchange_life.h"
#include "runtime/serve/output.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/service.h"
#include "runtime/text/json_writer.h"

static service *find_service(const exchange *x)
{
	return exchange_get_facts(x)->service;
}

static void reply_json(exchange *x, int status, output *text)
{
	if (text->failed)
		exchange_refuse(x, 503, "no memory for the reply");
	else
		exchange_reply(x, status, "application/json", text->bytes + text->start,
		               output_size(text));
	output_free(text);
}

/* ---- /health -------------------------------------------------------------------------------- */

static void health(exchange *x)
{
	static const char ready[] = "{\"status\":\"ok\"}";
	brise_error why;

	switch (scheduler_get_state(find_service(x)->scheduler, &why)) {
	case SCHEDULER_LOADING:
		exchange_refuse(x, 503, "the model is being loaded");
		return;
	case SCHEDULER_FAILED:
		exchange_refuse(x, 500, why.message);
		return;
	default:
		exchange_reply(x, 200, "application/json", ready, sizeof ready - 1);
	}
}

/* ---- /v1/models ----------------------------------------------------------------------------- */

/* The fields of OpenAI's list and of Anthropic's, which do not contradict each other. */
static void put_model(json_writer *w, const char *key, const service *s)
{
	const brise_model_facts *f = brise_get_model_facts(s->model);
	char created[CALENDAR_TEXT];

	calendar_write(created, s->created);
	json_open(w, key, '{');
	json_put_string(w, "id", s->name);
	json_put_string(w, "object", "model");
	json_put_integer(w, "created", s->created);
	json_put_string(w, "owned_by", "brise");
	json_put_string(w, "type", "model");
	json_put_string(w, "display_name", s->name);
	json_put_string(w, "created_at", created);
	json_open(w, "meta", '{');
	json_put_unsigned(w, "n_vocab", f->vocab);
	json_put_unsigned(w, "n_embd", f->dim);
	json_put_unsigned(w, "n_params", f->matrix_weights);
	json_put_unsigned(w, "size", f->file_bytes);
	json_put_unsigned(w, "n_ctx", s->context);
	json_put_unsigned(w, "n_ctx_train", f->max_context);
	json_put_unsigned(w, "window", f->window);
	json_put_string(w, "quantization", f->type);
	json_close(w);
	json_close(w);
}

static void list_models(exchange *x)
{
	output text = { .bytes = NULL };
	json_writer w = { .sink = output_sink, .user = &text };
	const service *s = find_service(x);

	json_open(&w, NULL, '{');
	json_put_string(&w, "object", "list");
	json_open(&w, "data", '[');
	put_model(&w, NULL, s);
	json_close(&w);
	json_put_bool(&w, "has_more", false);
	json_put_string(&w, "first_id", s->name);
	json_put_string(&w, "last_id", s->name);
	json_close(&w);
	reply_json(x, 200, &text);
}

static void show_model(exchange *x)
{
	output text = { .bytes = NULL };
	json_writer w = { .sink = output_sink, .user = &text };
	const service *s = find_service(x);
	const char *name = strstr(exchange_get_facts(x)->path, "models/") + strlen("models/");

	if (strcmp(name, s->name) != 0) {
		output_format(&text, "no model '%.200s' here, but '%.200s'", name, s->name);
		output_add(&text, "", 1);
		exchange_refuse(x, 404, text.failed ? "no such model" : text.bytes + text.start);
		output_free(&text);
		return;
	}
	put_model(&w, NULL, s);
	reply_json(x, 200, &text);
}

/* ---- /props --------------------------------------------------------------------------------- */

/* What clients of llama.cpp's server look for, by its names. */
static void show_props(exchange *x)
{
	output text = { .bytes = NULL };
	json_writer w = { .sink = output_sink, .user = &text };
	const service *s = find_service(x);
	const brise_model_facts *f = brise_get_model_facts(s->model);
	brise_sampling defaults;
	scheduler_figures figures;

	brise_init_sampling(&defaults, sizeof defaults);
	scheduler_get_figures(s->scheduler, &figures);
	json_open(&w, NULL, '{');
	json_open(&w, "default_generation_settings", '{');
	json_put_unsigned(&w, "n_ctx", s->context);
	json_open(&w, "params", '{');
	json_put_exactly(&w, "temperature", (double)defaults.temperature, true);
	json_put_unsigned(&w, "top_k", defaults.top_k);
	json_put_exactly(&w, "top_p", (double)defaults.top_p, true);
	json_put_exactly(&w, "min_p", (double)defaults.min_p, true);
	json_put_exactly(&w, "repeat_penalty", (double)defaults.repetition_penalty, true);
	json_put_unsigned(&w, "repeat_last_n", defaults.penalty_last);
	json_close(&w);
	json_close(&w);
	json_put_unsigned(&w, "total_slots", figures.places);
	json_put_string(&w, "model_alias", s->name);
	json_put_string(&w, "chat_template", f->chat_template ? f->chat_template : "");
	json_put_string(&w, "chat_format", s->chat ? brise_get_chat_facts(s->chat)->format : NULL);
	json_put_unsigned(&w, "window", f->window);
	json_open(&w, "modalities", '{');
	json_put_bool(&w, "vision", false);
	json_put_bool(&w, "audio", false);
	json_close(&w);
	json_put_string(&w, "build_info", "brise " BRISE_VERSION);
	json_put_bool(&w, "is_sleeping", scheduler_get_state(s->scheduler, NULL) == SCHEDULER_IDLE);
	json_close(&w);
	reply_json(x, 200, &text);
}

const exchange_route about_open_routes[] = {
	{ "GET", "/health", health },
	{ "GET", "/v1/health", health },
};
const size_t about_n_open_routes = sizeof about_open_routes / sizeof *about_open_routes;

const exchange_route about_routes[] = {
	{ "GET", "/v1/models", list_models },  { "GET", "/models", list_models },
	{ "GET", "/v1/models/*", show_model }, { "GET", "/models/*", show_model },
	{ "GET", "/props", show_props },       { "GET", "/metrics", about_metrics },
};
const size_t about_n_routes = sizeof about_routes / sizeof *about_routes;
