/* chat.c - brise chat: a conversation with an instruct model, in the form that it was trained in
 *
 * At a terminal messages are edited, answers come as they are drawn, and what begins with "/" is a
 * command. In a pipe every line is a message, and answers are all that standard output gets.
 */
#include "runtime/cli/chat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/budget.h"
#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/places.h"
#include "runtime/cli/terminal.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

#define CACHE_BYTES UINT64_C(2000000000)

#define AT(member) offsetof(chat_settings, member)

static const options_entry entries[] = {
	STRING('f', "file", file, "FILE", "document that goes with the first message"),
	STRING(0, "system", system, "TEXT", "what the model is told first"),
	NUMBER('n', "tokens", tokens, "N", 1, 4e9, "-1", NULL),
	FLAG(0, "ignore-eos", ignore_eos, "most tokens of an answer; past the end token"),
	STRING(0, "chat-format", format, CHAT_FORMAT_VALUE, CHAT_FORMAT_HELP),
	STRING(0, "conversation", conversation, "NAME", NULL),
	FLAG(0, "resume", resume, "open or begin NAME; open the last"),
	FLAG(0, "private", is_private, "keep nothing on disk"),
	STRING(0, "cache", cache, "DIR", NULL),
	STRING(0, "cache-size", cache_size, "SIZE", NULL),
	FLAG(0, "no-cache", no_cache, "evaluated texts, 2G"),
	FLAG(0, "jsonl", jsonl, NULL),
	FLAG(0, "commands", commands, "conversations in; /commands in a pipe, too"),
	FLAG(0, "no-status", no_status, NULL),
	FLAG(0, "stats", stats, "without a status line; figures of every turn"),
	FLAG(0, "reasoning", reasoning, NULL),
	FLAG(0, "no-drafts", no_drafts, "show the model's reasoning; one token a pass"),
	GRAMMAR_OPTIONS,
	SAMPLING_OPTIONS,
	ENGINE_OPTIONS,
};

static const options_command command = {
	.name = "chat",
	.operands = "MODEL",
	.summary = "Talks with an instruct model; /help lists commands. In a pipe, answers lines.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 1,
	.surplus = "brise run MODEL --chat TEXT answers one question, --conversation NAME opens a "
	           "conversation",
};

void talk_say(talk *t, const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	console_say(t->console, text);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int check_settings(const chat_settings *s)
{
	const char *wrong = s->conversation ? store_check_name(s->conversation) : NULL;
	budget size;

	if (wrong)
		return report_usage("chat", "--conversation '%.40s': %s", s->conversation, wrong);
	if (s->conversation && s->resume)
		return report_usage("chat",
		                    "--resume opens the last conversation, --conversation another: "
		                    "expected one of them");
	if (s->is_private && (s->conversation || s->resume || s->cache))
		return report_usage("chat", "--private keeps nothing: expected without "
		                            "--conversation, --resume and --cache");
	if (s->file && !strcmp(s->file, "-"))
		return report_usage("chat", "--file -: standard input has the messages");
	if (s->cache && s->no_cache)
		return report_usage("chat", "--cache and --no-cache: expected one of them");
	if (s->cache_size && (!budget_read(s->cache_size, &size) || size.kind != BUDGET_BYTES))
		return report_usage("chat",
		                    "--cache-size: expected a size such as 2G, found '%.40s'",
		                    s->cache_size);
	if (s->jsonl && (s->file || s->system || s->conversation || s->resume || s->commands))
		return report_usage("chat", "--jsonl: a line is a whole conversation; expected "
		                            "without --file, --system, --conversation, --resume "
		                            "and --commands");
	if (grammar_files_check("chat", &s->grammars, s->ignore_eos) != COMMANDS_READY)
		return EXIT_USAGE;
	return engine_check_settings("chat", &s->engine);
}

/* A folder that was not asked for need not be there. */
static int open_cache(talk *t)
{
	const chat_settings *s = t->settings;
	uint64_t bytes = CACHE_BYTES;
	char *folder = NULL;
	brise_error err;
	budget size;

	if (s->no_cache || s->is_private)
		return COMMANDS_READY;
	if (s->cache_size && budget_read(s->cache_size, &size))
		bytes = size.bytes;
	if (!s->cache && !(folder = places_cache("prompts")))
		return COMMANDS_READY;
	if (answerer_open_cache(&t->answerer, s->cache ? s->cache : folder, bytes, &err) !=
	            BRISE_OK &&
	    s->cache)
		return report_status("chat", &err);
	memory_free(folder);
	return COMMANDS_READY;
}

static int open_console(talk *t)
{
	bool is_private = t->settings->is_private;
	char *folder = is_private ? NULL : places_data(""), *history = NULL;
	console_options options = { .command = "chat", .complete = talk_complete, .user = t };
	brise_error err;
	int result = COMMANDS_READY;

	if (folder && terminal_is_terminal(stdin) && places_make(folder, NULL) == BRISE_OK)
		options.history = history = places_data("history");
	if (console_open(&t->console, &options, &err) != BRISE_OK)
		result = report_status("chat", &err);
	memory_free(history);
	memory_free(folder);
	return result;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static bool takes_commands(const talk *t)
{
	return console_is_interactive(t->console) || t->settings->commands;
}

/* Returns false at the end of the conversation. */
static bool take_message(talk *t, const char *text, size_t n)
{
	talk_next next = TALK_ANSWER;
	bool replaces = t->replaces;

	t->replaces = false;
	if (n == 0 || strspn(text, " \t\r\n") == n)
		return true;
	if (text[0] == '/' && text[1] != '/' && takes_commands(t))
		next = talk_command(t, text);
	else if (text[0] == '/' && text[1] == '/' && takes_commands(t))
		next = talk_add_message(t, text + 1, n - 1, replaces) ? TALK_ANSWER : TALK_READ;
	else
		next = talk_add_message(t, text, n, replaces) ? TALK_ANSWER : TALK_READ;
	if (next == TALK_ANSWER)
		talk_answer(t);
	return next != TALK_END && !console_has_failed(t->console);
}

static void hold(talk *t)
{
	console_result result;
	const char *text;
	bool goes_on = true;
	char *given;
	size_t n;

	while (goes_on) {
		given = t->given;
		t->given = NULL;
		result = console_read(t->console, given ? given : "", given ? strlen(given) : 0,
		                      &text, &n);
		memory_free(given);
		if (result == CONSOLE_ENDED)
			break;
		if (result == CONSOLE_MESSAGE)
			goes_on = take_message(t, text, n);
		else
			t->replaces = false;
	}
}

static void greet(talk *t)
{
	if (!console_is_interactive(t->console))
		return;
	talk_say(t, "%s, format %s. /help lists commands, ctrl-D ends.", t->model,
	         t->answerer.facts->format);
	if (t->dialog.n > 0 && t->name[0])
		talk_recall(t);
}

static int chat(talk *t, const char *path)
{
	const chat_settings *s = t->settings;
	const char *slash = strrchr(path, '/');
	int result;

	t->model = slash ? slash + 1 : path;
	t->shows_status = !s->no_status;
	t->shows_thoughts = s->reasoning;
	if ((result = answerer_open(&t->answerer, "chat", path, &s->engine, s->format)) !=
	    COMMANDS_READY)
		return result;
	if ((result = grammar_files_open(&t->grammar, "chat", &s->grammars,
	                                 brise_get_tokenizer(t->answerer.engine.model))) !=
	    COMMANDS_READY)
		return result;
	if (s->system && !t->answerer.facts->system)
		return report_error("chat", "--system: the format %s has no system messages",
		                    t->answerer.facts->format);
	if ((result = open_cache(t)) != COMMANDS_READY ||
	    (result = open_console(t)) != COMMANDS_READY)
		return result;
	talk_open_store(t);
	if ((result = talk_open_conversation(t)) != COMMANDS_READY ||
	    (s->file && (result = talk_read_document(t, s->file)) != 0))
		return result;
	greet(t);
	talk_show_status(t);
	if (s->jsonl)
		talk_filter(t);
	else
		hold(t);
	answerer_keep(&t->answerer);
	if (console_signal(t->console)) {
		report_note("chat", "interrupted");
		return 128 + console_signal(t->console);
	}
	/* Who sits there has seen what went wrong. */
	return console_is_interactive(t->console) ? 0 : t->result;
}

int cli_chat(int argc, char **argv)
{
	chat_settings settings = { .tokens = UINT32_MAX };
	talk t = { .settings = &settings };
	options_result result;
	bool has_failed;
	int status;

	sampling_begin(&settings.sampling);
	if ((status = commands_begin(&command, argc, argv, &settings, &result)) != COMMANDS_READY ||
	    (status = check_settings(&settings)) != COMMANDS_READY)
		return status;
	sampling_finish(&settings.sampling);
	terminal_catch_signals();
	status = chat(&t, result.operands[0]);
	has_failed = t.console && console_has_failed(t.console);
	console_close(t.console);
	dialog_free(&t.dialog);
	dialog_free_part(&t.replaced);
	memory_free(t.document);
	memory_free(t.given);
	store_close(&t.store);
	answerer_close(&t.answerer);
	brise_free_grammar(t.grammar);
	return has_failed && status == 0 ? commands_end_lost("chat") : status;
}
