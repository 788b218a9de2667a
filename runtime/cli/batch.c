/* batch.c - brise batch: the requests of a file, answered several at once */
#include "runtime/serve/batch.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/budget.h"
#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/os.h"
#include "runtime/serve/grammar_cache.h"
#include "runtime/serve/openai_routes.h"
#include "runtime/serve/scheduler.h"

#define TURN_MS  200   /* between looks at signals and the progress line */
#define QUEUE    16384 /* jobs; each request under way has at most 64 */
#define PARALLEL 4u

typedef struct batch_settings {
	engine_settings engine;
	const char *format;
	uint32_t parallel;
	bool no_drafts, loose_tools;
} batch_settings;

#define AT(member) offsetof(batch_settings, member)

static const options_entry entries[] = {
	NUMBER(0, "parallel", parallel, "N", 1, 64, NULL, "answers at once (4)"),
	STRING(0, "chat-format", format, CHAT_FORMAT_VALUE, CHAT_FORMAT_HELP),
	FLAG(0, "loose-tools", loose_tools, "take tools whose schemas are not supported"),
	FLAG(0, "no-drafts", no_drafts, "one token a pass"),
	ENGINE_OPTIONS,
};

static const options_command command = {
	.name = "batch",
	.operands = "MODEL IN.jsonl OUT.jsonl",
	.summary = "Answers the requests of a file, in the form of OpenAI's Batch API. The same\n"
	           "command again continues: what has a reply in OUT is not asked again.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 3,
	.max_operands = 3,
};

typedef struct batching {
	const batch_settings *settings;
	engine engine; /* without engine and sequence: the scheduler makes them */
	char name[256];
	brise_chat *chat;
	brise_error no_chat;
	scheduler *scheduler;
	service service;
	batch batch;
	double begun;
	terminal_line line;
} batching;

static int open_model(batching *b, const char *path)
{
	const brise_tokenizer *tokenizer;
	int result = engine_open_model(&b->engine, "batch", path);

	if (result != COMMANDS_READY)
		return result;
	if (!(tokenizer = brise_get_tokenizer(b->engine.model)))
		return report_error("batch", "%s: the file holds no tokenizer", path);
	if (chat_format_open(&b->chat, tokenizer, b->engine.facts, b->settings->format,
	                     &b->no_chat) != BRISE_OK &&
	    b->settings->format)
		return report_status("batch", &b->no_chat);
	return COMMANDS_READY;
}

/* What requests say that the user should know. */
static void advise(const service *s, const char *line)
{
	(void)s;
	report_note("batch", "%s", line);
}

static int start_scheduler(batching *b, const char *path)
{
	const batch_settings *o = b->settings;
	scheduler_options options = { .places = o->parallel ? o->parallel : PARALLEL,
		                      .queue = QUEUE,
		                      .path = path,
		                      .has_drafts = !o->no_drafts };
	uint64_t own_bytes = 0, weights = UINT64_MAX;
	scheduler_figures figures;
	brise_error err;
	budget memory;
	int result = engine_choose_options(&b->engine, "batch", &o->engine, &options.engine,
	                                   &options.sequence);

	if (result != COMMANDS_READY)
		return result;
	(void)budget_read(o->engine.memory, &memory);
	if (scheduler_count_bytes(b->engine.model, &options, &own_bytes, &err) != BRISE_OK)
		return report_status("batch", &err);
	result = budget_choose(&memory, "batch", b->engine.model, own_bytes, &weights);
	if (result != COMMANDS_READY)
		return result;
	options.memory = weights == UINT64_MAX ? 0 : weights;
	if (scheduler_new(&b->scheduler, b->engine.model, &options, &err) != BRISE_OK)
		return report_status("batch", &err);
	scheduler_get_figures(b->scheduler, &figures);
	engine_name_model(path, b->name, sizeof b->name);
	b->service = (service){ .model = b->engine.model,
		                .tokenizer = brise_get_tokenizer(b->engine.model),
		                .chat = b->chat,
		                .no_chat = b->no_chat.message,
		                .scheduler = b->scheduler,
		                .grammars = grammar_cache_new(),
		                .name = b->name,
		                .created = os_time(),
		                .context = figures.context,
		                .loose_tools = o->loose_tools,
		                .advise = advise };
	b->batch.most = 2 * options.places;
	return COMMANDS_READY;
}

/* "12 of 200 (1 failed), 45.2 tokens/s, 2:10 left" */
static void show_progress(batching *b)
{
	const batch *p = &b->batch;
	double seconds = terminal_clock() - b->begun, left;
	scheduler_figures f;
	uint64_t more;

	if (!terminal_is_due(&b->line))
		return;
	scheduler_get_figures(b->scheduler, &f);
	more = p->total - p->before > p->done ? p->total - p->before - p->done : 0;
	left = p->done > 0 ? seconds / (double)p->done * (double)more : 0;
	terminal_draw_line(
	        &b->line,
	        "%" PRIu64 " of %" PRIu64 " (%" PRIu64 " failed), %.1f tokens/s, %.0f:%02.0f left",
	        p->before + p->done, p->total, p->failed,
	        (double)f.answer_tokens / (seconds > 0 ? seconds : 1),
	        (left - (double)((uint64_t)left % 60)) / 60, (double)((uint64_t)left % 60));
}

/* A model that cannot be loaded ends the batch, not each of its requests. */
static bool has_failed(batching *b)
{
	batch *p = &b->batch;

	if (p->status == BRISE_OK &&
	    scheduler_get_state(b->scheduler, &p->error) == SCHEDULER_FAILED)
		p->status = p->error.code;
	return p->status != BRISE_OK;
}

static bool wait_until_loaded(batching *b)
{
	struct pollfd wake = { .fd = scheduler_wake(b->scheduler), .events = POLLIN };

	while (scheduler_get_state(b->scheduler, NULL) == SCHEDULER_LOADING &&
	       !terminal_was_interrupted(NULL))
		(void)poll(&wake, 1, 10);
	return !has_failed(b);
}

static int run(batching *b)
{
	batch *p = &b->batch;
	struct pollfd wake = { .fd = scheduler_wake(b->scheduler), .events = POLLIN };

	terminal_catch_signals();
	b->begun = terminal_clock();
	terminal_open_line(&b->line);
	if (wait_until_loaded(b))
		while (!terminal_was_interrupted(NULL) && batch_step(p)) {
			(void)poll(&wake, 1, TURN_MS);
			scheduler_deliver(b->scheduler);
			show_progress(b);
		}
	terminal_erase_line(&b->line);
	if (p->status != BRISE_OK)
		return report_status("batch", &p->error);
	if (terminal_was_interrupted(NULL))
		return report_interruption(
		        "batch", "interrupted; the same command continues where it stopped");
	report_note("batch",
	            "%" PRIu64 " requests: %" PRIu64 " answered before, %" PRIu64 " now, %" PRIu64
	            " of these failed",
	            p->total, p->before, p->done, p->failed);
	return commands_end("batch", 0);
}

int cli_batch(int argc, char **argv)
{
	static const exchange_route *const tables[] = { openai_routes };
	const size_t sizes[] = { openai_n_routes };
	batch_settings settings = { .parallel = 0 };
	options_result operands;
	batching b = { .settings = &settings, .batch = { .out = -1, .in = { .file = -1 } } };
	brise_error err;
	int result = commands_begin(&command, argc, argv, &settings, &operands);

	if (result == COMMANDS_READY)
		result = engine_check_settings("batch", &settings.engine);
	if (result != COMMANDS_READY)
		return result;
	b.batch.service = &b.service;
	b.batch.tables = tables;
	b.batch.table_sizes = sizes;
	b.batch.n_tables = sizeof tables / sizeof *tables;
	if ((result = open_model(&b, operands.operands[0])) == COMMANDS_READY &&
	    batch_open(&b.batch, operands.operands[1], operands.operands[2], &err) != BRISE_OK)
		result = report_status("batch", &err);
	if (result == COMMANDS_READY)
		result = start_scheduler(&b, operands.operands[0]);
	if (result == COMMANDS_READY)
		result = run(&b);
	batch_close(&b.batch);
	scheduler_free(b.scheduler);
	grammar_cache_free(b.service.grammars);
	brise_free_chat(b.chat);
	engine_close(&b.engine);
	return result;
}
