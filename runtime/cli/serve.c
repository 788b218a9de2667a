/* serve.c - brise serve: the model, the scheduler and the server, put together */
#include <stdio.h>
#include <unistd.h>

#include "runtime/cli/budget.h"
#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/places.h"
#include "runtime/cli/serve_settings.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/serve/about.h"
#include "runtime/serve/api_slots.h"
#include "runtime/serve/changing_system.h"
#include "runtime/serve/grammar_cache.h"
#include "runtime/serve/openai_routes.h"
#include "runtime/serve/page/page.h"
#include "runtime/serve/recent_items.h"
#include "runtime/serve/scheduler.h"
#include "runtime/serve/service.h"
#include "runtime/session/cache.h"

#define NAME_MOST 200

typedef struct serving {
	serve_settings *settings;
	engine engine; /* without engine and sequence: the scheduler makes them */
	brise_chat *chat;
	brise_error no_chat;
	char *cache; /* folder; NULL: none */
	char name[NAME_MOST];
	uint64_t cache_bytes, body_bytes;
	service service;
	recent_items *recent;     /* NULL, without memory: none are kept */
	changing_system *systems; /* NULL: not compared */
	scheduler *scheduler;
	server *server;
	int signals;
	bool was_ready;
	brise_error failure; /* code BRISE_OK: none */
} serving;

/* A folder that was not asked for need not be there. */
static int choose_cache(serving *s)
{
	const serve_settings *o = s->settings;
	prompt_cache cache;
	brise_error err;

	if (o->no_cache ||
	    !(s->cache = o->cache ? memory_copy_text(o->cache) : places_cache("prompts")))
		return COMMANDS_READY;
	if (prompt_cache_open(&cache, s->cache, s->cache_bytes, &err) == BRISE_OK) {
		prompt_cache_close(&cache);
		return COMMANDS_READY;
	}
	memory_free(s->cache);
	s->cache = NULL;
	return o->cache ? report_status("serve", &err) : COMMANDS_READY;
}

static int open_model(serving *s, const char *path)
{
	int result = engine_open_model(&s->engine, "serve", path);
	const brise_tokenizer *tokenizer;

	if (result != COMMANDS_READY)
		return result;
	if (!(tokenizer = brise_get_tokenizer(s->engine.model)))
		return report_error("serve", "%s: the file holds no tokenizer", path);
	if (chat_format_open(&s->chat, tokenizer, s->engine.facts, s->settings->format,
	                     &s->no_chat) != BRISE_OK) {
		if (s->settings->format)
			return report_status("serve", &s->no_chat);
		report_note("serve", "no conversations, only /v1/completions: %s",
		            s->no_chat.message);
	}
	if (s->settings->alias)
		(void)snprintf(s->name, sizeof s->name, "%s", s->settings->alias);
	else
		engine_name_model(path, s->name, sizeof s->name);
	return COMMANDS_READY;
}

/* What requests say that the operator of the server should know. */
static void advise(const service *s, const char *line)
{
	(void)s;
	report_note("serve", "%s", line);
}

static int start_scheduler(serving *s, const char *path)
{
	const serve_settings *o = s->settings;
	scheduler_options options = { .places = o->parallel,
		                      .slice = o->slice,
		                      .queue = o->queue,
		                      .idle_seconds = (double)o->idle_s,
		                      .path = path,
		                      .cache = s->cache,
		                      .cache_bytes = s->cache_bytes,
		                      .owners = o->keys.items,
		                      .n_owners = o->keys.n,
		                      .has_drafts = !o->no_drafts };
	uint64_t own_bytes = 0, weights = UINT64_MAX;
	scheduler_figures figures;
	brise_error err;
	budget memory;
	int result = engine_choose_options(&s->engine, "serve", &o->engine, &options.engine,
	                                   &options.sequence);

	if (result != COMMANDS_READY)
		return result;
	(void)budget_read(o->engine.memory, &memory);
	if (scheduler_count_bytes(s->engine.model, &options, &own_bytes, &err) != BRISE_OK)
		return report_status("serve", &err);
	result = budget_choose(&memory, "serve", s->engine.model, own_bytes, &weights);
	if (result != COMMANDS_READY)
		return result;
	options.memory = weights == UINT64_MAX ? 0 : weights;
	if (scheduler_new(&s->scheduler, s->engine.model, &options, &err) != BRISE_OK)
		return report_status("serve", &err);
	s->recent = memory_new(1, sizeof *s->recent);
	s->systems = memory_new(1, sizeof *s->systems);
	scheduler_get_figures(s->scheduler, &figures);
	s->service = (service){ .model = s->engine.model,
		                .tokenizer = brise_get_tokenizer(s->engine.model),
		                .chat = s->chat,
		                .no_chat = s->no_chat.message,
		                .scheduler = s->scheduler,
		                .grammars = grammar_cache_new(),
		                .name = s->name,
		                .created = os_time(),
		                .context = figures.context,
		                .recent = s->recent,
		                .systems = s->systems,
		                .moves_systems = o->moves_system,
		                .loose_tools = o->loose_tools,
		                .advise = advise };
	return COMMANDS_READY;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void stop_at_signal(void *user)
{
	serving *s = user;
	char byte;

	(void)!read(s->signals, &byte, 1);
	server_stop(s->server);
}

/* A model that cannot be loaded at all ends the program. */
static void deliver(void *user)
{
	serving *s = user;

	scheduler_deliver(s->scheduler);
	switch (scheduler_get_state(s->scheduler, &s->failure)) {
	case SCHEDULER_LOADING:
		break;
	case SCHEDULER_FAILED:
		if (s->was_ready || s->failure.code == BRISE_OK)
			break;
		server_stop(s->server);
		server_stop(s->server);
		return;
	default:
		s->was_ready = true;
	}
	s->failure.code = BRISE_OK;
}

static void add_routes(serving *s)
{
	server_add_routes(s->server, about_open_routes, about_n_open_routes, true);
	server_add_routes(s->server, about_routes, about_n_routes, false);
	server_add_routes(s->server, slots_routes, slots_n_routes, false);
	server_add_routes(s->server, openai_routes, openai_n_routes, false);
	if (!s->settings->no_page)
		server_add_routes(s->server, page_routes, page_n_routes, true);
}

static int open_server(serving *s)
{
	serve_settings *o = s->settings;
	server_options options;
	brise_error err;
	int result;

	server_init_options(&options);
	options.limits.body = (size_t)s->body_bytes;
	options.connections = o->connections;
	options.timeout_s = (double)o->timeout_s;
	options.keep_s = (double)o->keep_s;
	options.grace_s = (double)o->grace_s;
	options.guard = (guard){ .keys = o->keys.items,
		                 .n_keys = o->keys.n,
		                 .origins = o->origins.items,
		                 .n_origins = o->origins.n,
		                 .hosts = o->hosts.items,
		                 .n_hosts = o->hosts.n };
	options.log = (log_format)o->log;
	options.service = &s->service;
	if (server_new(&s->server, &options, &err) != BRISE_OK)
		return report_status("serve", &err);
	add_routes(s);
	if ((s->signals = terminal_open_signals()) == -1)
		return report_error("serve", "no pipe for signals");
	server_watch(s->server, s->signals, stop_at_signal, s);
	if ((result = serve_listen(&o->place, s->server)) != COMMANDS_READY)
		return result;
	if (o->place.is_open && o->keys.n == 0)
		report_note("serve",
		            "other machines can ask, without a key: --api-key KEY asks for one");
	return COMMANDS_READY;
}

static int run(serving *s)
{
	brise_error err;

	server_watch(s->server, scheduler_wake(s->scheduler), deliver, s);
	if (server_run(s->server, &err) != BRISE_OK)
		return report_status("serve", &err);
	return s->failure.code != BRISE_OK ? report_status("serve", &s->failure)
	                                   : commands_end("serve", 0);
}

/* Requests end before what they use. */
static void close_all(serving *s)
{
	server_free(s->server);
	serve_unlisten(&s->settings->place);
	scheduler_free(s->scheduler);
	grammar_cache_free(s->service.grammars);
	brise_free_chat(s->chat);
	engine_close(&s->engine);
	memory_free(s->cache);
	if (s->recent)
		recent_items_free(s->recent);
	memory_free(s->recent);
	memory_free(s->systems);
}

int cli_serve(int argc, char **argv)
{
	serve_settings settings;
	options_result operands;
	serving s = { .settings = &settings, .signals = -1 };
	char *keys = NULL;
	int result;

	serve_init_settings(&settings);
	result = commands_begin(&serve_command, argc, argv, &settings, &operands);
	if (result == COMMANDS_READY)
		result = serve_check_settings(&settings, &keys, &s.cache_bytes, &s.body_bytes);
	if (result == COMMANDS_READY)
		result = open_model(&s, operands.operands[0]);
	if (result == COMMANDS_READY)
		result = choose_cache(&s);
	if (result == COMMANDS_READY)
		result = open_server(&s);
	if (result == COMMANDS_READY)
		result = start_scheduler(&s, operands.operands[0]);
	if (result == COMMANDS_READY)
		result = run(&s);
	close_all(&s);
	memory_free(keys);
	return result;
}
