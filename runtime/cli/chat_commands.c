/* chat_commands.c - what begins with "/" */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/chat.h"
#include "runtime/cli/nearest.h"
#include "runtime/cli/number.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/memory.h"

/* argument: what follows the command, without blanks around it; "" if nothing does. */
typedef talk_next command_fn(talk *t, const char *argument);

/* ---- the conversation ----------------------------------------------------------------------- */

/* One that is kept already is kept with it. */
static void change_system(talk *t, const char *text, const char *said)
{
	if (!dialog_set_system(&t->dialog, text, strlen(text))) {
		talk_say(t, "no memory for it");
		return;
	}
	if (t->has_store && t->name[0] && store_has(&t->store, t->name))
		(void)talk_keep(t);
	talk_change(t);
	talk_say(t, "%s", said);
}

static talk_next set_system(talk *t, const char *argument)
{
	const dialog_message *m = dialog_get_system(&t->dialog);

	if (!*argument)
		talk_say(t, "%s",
		         m ? m->text : "there is no system message; /system TEXT sets one");
	else if (!t->answerer.facts->system)
		talk_say(t, "the format %s has no system messages", t->answerer.facts->format);
	else if (!strcmp(argument, "off"))
		change_system(t, "", "no system message from now on");
	else
		change_system(t, argument, "the system message holds from now on");
	return TALK_READ;
}

static bool has_messages(talk *t)
{
	if (dialog_find_last_of_user(&t->dialog) < t->dialog.n)
		return true;
	talk_say(t, "there is no message yet");
	return false;
}

static talk_next retry(talk *t, const char *argument)
{
	(void)argument;
	if (!has_messages(t))
		return TALK_READ;
	if (!dialog_set_aside(&t->dialog, dialog_find_last_of_user(&t->dialog) + 1, &t->replaced)) {
		talk_say(t, "no memory for another answer");
		return TALK_READ;
	}
	t->typed_from = 0;
	return TALK_ANSWER;
}

static talk_next undo(talk *t, const char *argument)
{
	(void)argument;
	if (!has_messages(t))
		return TALK_READ;
	dialog_cut(&t->dialog, dialog_find_last_of_user(&t->dialog));
	(void)talk_keep(t);
	talk_change(t);
	talk_say(t, "the last message and its answer are taken back");
	return TALK_READ;
}

/* The last message stays until another has been answered in its place. */
static talk_next edit(talk *t, const char *argument)
{
	const char *text;

	if (!has_messages(t))
		return TALK_READ;
	if (*argument)
		return talk_add_message(t, argument, strlen(argument), true) ? TALK_ANSWER
		                                                             : TALK_READ;
	text = t->dialog.messages[dialog_find_last_of_user(&t->dialog)].text;
	t->replaces = true;
	if (console_has_editor(t->console)) {
		memory_free(t->given);
		t->given = memory_copy_text(text);
	} else {
		talk_say(t, "the next message takes the place of this:");
		console_say(t->console, text);
	}
	return TALK_READ;
}

static talk_next clear(talk *t, const char *argument)
{
	(void)argument;
	talk_begin(t);
	talk_say(t, "a new conversation");
	return TALK_READ;
}

static talk_next add_file(talk *t, const char *argument)
{
	if (!*argument) {
		talk_say(t,
		         t->document ? "%zu bytes go with the next message; /file off: none"
		                     : "/file PATH: its text goes with the next message",
		         t->document_bytes);
	} else if (!strcmp(argument, "off")) {
		memory_free(t->document);
		t->document = NULL;
		t->document_bytes = 0;
	} else if (talk_read_document(t, argument) == 0) {
		talk_say(t, "%zu bytes go with the next message", t->document_bytes);
	}
	return TALK_READ;
}

/* ---- conversations by name ------------------------------------------------------------------ */

static bool keeps_conversations(talk *t)
{
	if (!t->has_store)
		talk_say(t, t->settings->is_private
		                    ? "--private: no conversation is kept"
		                    : "no conversation is kept: neither $XDG_DATA_HOME nor $HOME "
		                      "names a folder, or a pipe is read without --conversation");
	return t->has_store;
}

static bool is_name(talk *t, const char *name)
{
	const char *wrong = store_check_name(name);

	if (wrong)
		talk_say(t, "%s", wrong);
	return !wrong;
}

static bool is_free_name(talk *t, const char *name)
{
	if (!is_name(t, name))
		return false;
	if (strcmp(name, t->name) != 0 && store_has(&t->store, name)) {
		talk_say(t, "there is a conversation %s already", name);
		return false;
	}
	return true;
}

static void say_not_there(talk *t, const char *name)
{
	nearest_match match = { NULL, 0 };
	store_entry *entries = NULL;
	const char *meant;
	size_t n = 0, i;

	(void)store_list(&t->store, &entries, &n, NULL);
	for (i = 0; i < n; i++)
		nearest_offer(&match, name, entries[i].name);
	meant = nearest_choose(&match, name);
	talk_say(t,
	         meant ? "there is no conversation %s; did you mean %s?"
	               : "there is no conversation %s; /list shows them",
	         name, meant);
	memory_free(entries);
}

static talk_next save(talk *t, const char *argument)
{
	bool is_kept;

	if (!keeps_conversations(t) || (*argument && !is_free_name(t, argument)))
		return TALK_READ;
	if (*argument)
		(void)snprintf(t->name, sizeof t->name, "%s", argument);
	is_kept = talk_keep(t);
	answerer_keep(&t->answerer);
	if (is_kept && t->dialog.n > 0)
		talk_say(t, "kept as %s, as every turn from now on", t->name);
	else if (is_kept)
		talk_say(t, "kept from the first message on");
	talk_show_status(t);
	return TALK_READ;
}

static talk_next load(talk *t, const char *argument)
{
	if (!keeps_conversations(t) || !is_name(t, argument))
		return TALK_READ;
	if (!store_has(&t->store, argument))
		say_not_there(t, argument);
	else if (talk_load(t, argument))
		talk_recall(t);
	return TALK_READ;
}

static talk_next list(talk *t, const char *argument)
{
	store_entry *entries;
	brise_error err;
	size_t n, i;

	(void)argument;
	if (!keeps_conversations(t))
		return TALK_READ;
	if (store_list(&t->store, &entries, &n, &err) != BRISE_OK) {
		talk_say(t, "%s", err.message);
		return TALK_READ;
	}
	for (i = 0; i < n; i++)
		talk_say(t, "%s %s", strcmp(entries[i].name, t->name) == 0 ? "*" : " ",
		         entries[i].name);
	if (n == 0)
		talk_say(t, "no conversation is kept yet");
	memory_free(entries);
	return TALK_READ;
}

static talk_next rename_conversation(talk *t, const char *argument)
{
	brise_error err;

	if (!keeps_conversations(t) || !is_free_name(t, argument))
		return TALK_READ;
	if (t->name[0] && store_has(&t->store, t->name) &&
	    store_rename(&t->store, t->name, argument, &err) != BRISE_OK) {
		talk_say(t, "%s", err.message);
		return TALK_READ;
	}
	(void)snprintf(t->name, sizeof t->name, "%s", argument);
	talk_say(t, "this conversation is called %s", t->name);
	talk_show_status(t);
	return TALK_READ;
}

static talk_next delete (talk *t, const char *argument)
{
	brise_error err;

	if (!keeps_conversations(t) || !is_name(t, argument))
		return TALK_READ;
	if (!store_has(&t->store, argument)) {
		say_not_there(t, argument);
	} else if (store_remove(&t->store, argument, &err) != BRISE_OK) {
		talk_say(t, "%s", err.message);
	} else {
		talk_say(t, "%s is deleted", argument);
		if (strcmp(argument, t->name) == 0) {
			answerer_forget(&t->answerer);
			talk_begin(t);
		}
	}
	return TALK_READ;
}

/* ---- figures and settings ------------------------------------------------------------------- */

static talk_next stats(talk *t, const char *argument)
{
	const answer_figures *f = &t->figures;
	const brise_engine_facts *e = brise_get_engine_facts(t->answerer.engine.engine);
	const brise_sequence_facts *s = brise_get_sequence_facts(t->answerer.engine.sequence);
	char room[96], kv[32];

	if (!strcmp(argument, "on") || !strcmp(argument, "off")) {
		t->shows_status = argument[1] == 'n';
		talk_show_status(t);
		return TALK_READ;
	}
	talk_describe_room(t, room, sizeof room);
	terminal_format_bytes((double)s->kv_bytes, kv, sizeof kv);
	if (f->n_prompt > 0)
		talk_say(t,
		         "last turn: %zu of %zu tokens evaluated in %.2f s, answer of %" PRIu64
		         " tokens in %.2f s (%.1f tokens/s), %" PRIu64 " of %" PRIu64
		         " drafts accepted",
		         f->n_prompt - f->kept, f->n_prompt, f->prompt_s, f->n_tokens,
		         f->generate_s, f->generate_s > 0 ? (double)f->n_tokens / f->generate_s : 0,
		         f->n_accepted, f->n_drafts);
	talk_say(t, "%s, %zu messages; keys and values of the %s take %s", room, t->dialog.n,
	         s->window > 0 ? "window" : "context", kv);
	talk_say(t, "%s, format %s (%s); %s kernels, %" PRIu32 " threads, temperature %g", t->model,
	         t->answerer.facts->format, t->answerer.facts->reason, e->arch, e->threads,
	         (double)t->settings->sampling.values.temperature);
	talk_say(t, "/stats off hides the status line, /stats on shows it");
	return TALK_READ;
}

static talk_next show_reasoning(talk *t, const char *argument)
{
	if (!t->answerer.facts->thoughts)
		talk_say(t, "the format %s has no reasoning apart", t->answerer.facts->format);
	else if (!strcmp(argument, "on") || !strcmp(argument, "off"))
		t->shows_thoughts = argument[1] == 'n';
	else
		talk_say(t, "reasoning is %s; /reasoning %s",
		         t->shows_thoughts ? "shown" : "hidden",
		         t->shows_thoughts ? "off hides it" : "on shows it");
	return TALK_READ;
}

static talk_next set_temperature(talk *t, const char *argument)
{
	double value;

	if (!*argument)
		talk_say(t, "temperature %g", (double)t->settings->sampling.values.temperature);
	else if (!number_read_real(argument, &value) || value < 0 || value > 100)
		talk_say(t, "/temp X: expected a number from 0 to 100, found '%.40s'", argument);
	else
		t->settings->sampling.values.temperature = (float)value;
	return TALK_READ;
}

static talk_next quit(talk *t, const char *argument)
{
	(void)t;
	(void)argument;
	return TALK_END;
}

/* ---- the table ------------------------------------------------------------------------------ */

static command_fn help;

static const struct {
	const char *name, *argument, *help;
	command_fn *run;
} table[] = {
	{ "/help", "", "this list", help },
	{ "/system", "[TEXT]", "show or set the system message; off: none", set_system },
	{ "/retry", "", "draw another answer", retry },
	{ "/undo", "", "take back the last message and its answer", undo },
	{ "/edit", "[TEXT]", "edit the last message and send it again", edit },
	{ "/save", "[NAME]", "keep the conversation, under that name", save },
	{ "/load", "NAME", "go on with a conversation", load },
	{ "/list", "", "conversations, the last first", list },
	{ "/rename", "NAME", "give this conversation another name", rename_conversation },
	{ "/delete", "NAME", "delete a conversation", delete },
	{ "/file", "PATH", "a text that goes with the next message; off: none", add_file },
	{ "/stats", "[off|on]", "speed and memory; hide or show the status line", stats },
	{ "/reasoning", "[on|off]", "show or hide the model's reasoning", show_reasoning },
	{ "/temp", "[X]", "show or set the temperature", set_temperature },
	{ "/clear", "", "begin a new conversation", clear },
	{ "/quit", "", "end, as ctrl-D does", quit },
};

#define N_COMMANDS (sizeof table / sizeof *table)

static talk_next help(talk *t, const char *argument)
{
	char text[2048] = "";
	size_t i, used = 0;

	(void)argument;
	for (i = 0; i < N_COMMANDS && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s %-*s %s\n",
		                         table[i].name, (int)(20 - strlen(table[i].name)),
		                         table[i].argument, table[i].help);
	talk_say(t,
	         "%sctrl-C stops an answer; alt-enter, or \\ before enter, begins a line; // "
	         "begins a message with /",
	         text);
	return TALK_READ;
}

static talk_next refuse(talk *t, const char *name)
{
	nearest_match match = { NULL, 0 };
	const char *meant;
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		nearest_offer(&match, name, table[i].name);
	meant = nearest_choose(&match, name);
	talk_say(t,
	         meant ? "unknown command %s; did you mean %s?"
	               : "unknown command %s; /help lists them (// begins a message with /)",
	         name, meant);
	return TALK_READ;
}

/* What other programs call a command. */
static const char *find_other_name(const char *name)
{
	static const char *const names[][2] = {
		{ "/?", "/help" },    { "/exit", "/quit" },        { "/bye", "/quit" },
		{ "/new", "/clear" }, { "/reset", "/clear" },      { "/regen", "/retry" },
		{ "/read", "/file" }, { "/temperature", "/temp" }, { "/conversations", "/list" },
	};
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i][0], name))
			return names[i][1];
	return name;
}

talk_next talk_command(talk *t, const char *text)
{
	size_t length = strcspn(text, " \t\r\n"), i, n;
	const char *from = text + length + strspn(text + length, " \t\r\n"), *known;
	char name[32], *argument;
	talk_next next = TALK_READ;

	(void)snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), text);
	if (!(argument = memory_copy_text(from))) {
		talk_say(t, "no memory for a command");
		return TALK_READ;
	}
	for (n = strlen(argument); n > 0 && strchr(" \t\r\n", argument[n - 1]); n--)
		argument[n - 1] = 0;
	known = find_other_name(name);
	for (i = 0; i < N_COMMANDS && strcmp(known, table[i].name) != 0; i++)
		;
	next = i < N_COMMANDS ? table[i].run(t, argument) : refuse(t, name);
	memory_free(argument);
	return next;
}

bool talk_get_command(size_t index, const char **name, bool *has_argument)
{
	if (index >= N_COMMANDS)
		return false;
	*name = table[index].name;
	*has_argument = table[index].argument[0] != 0;
	return true;
}
