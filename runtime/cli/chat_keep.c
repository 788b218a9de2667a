/* chat_keep.c - which conversation is being held, and what is kept of it */
#include <stdio.h>
#include <string.h>

#include "runtime/cli/chat.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/input.h"
#include "runtime/cli/places.h"
#include "runtime/os/memory.h"

/* Bytes of the last messages that are shown when a conversation is opened. */
#define RECALLED 1000u

/* Conversations are kept where somebody talks, and where one is named. */
void talk_open_store(talk *t)
{
	const chat_settings *s = t->settings;
	bool is_wanted = s->conversation || s->resume || console_is_interactive(t->console);
	char *folder = is_wanted && !s->is_private ? places_data("conversations") : NULL;

	t->has_store = folder && store_open(&t->store, folder);
	memory_free(folder);
}

static void forget(talk *t)
{
	dialog_free(&t->dialog);
	memory_free(t->document);
	memory_free(t->given);
	t->document = t->given = NULL;
	t->document_bytes = t->typed_from = 0;
	t->replaces = false;
	t->name[0] = 0;
	memset(&t->file, 0, sizeof t->file);
	t->figures = (answer_figures){ .n_prompt = 0 };
}

void talk_begin(talk *t)
{
	const char *text = t->settings->system;

	answerer_keep(&t->answerer);
	forget(t);
	if (text && !dialog_set_system(&t->dialog, text, strlen(text)))
		t->result = report_error("chat", "no memory for the system's message");
	talk_change(t);
}

static bool was_written_by_others(const talk *t)
{
	const os_facts *ours = &t->file;
	os_facts now;

	return t->name[0] && store_look(&t->store, t->name, &now) &&
	       (now.device != ours->device || now.serial != ours->serial ||
	        now.bytes != ours->bytes || now.changed_ns != ours->changed_ns);
}

bool talk_keep(talk *t)
{
	const dialog *d = &t->dialog;
	const dialog_message *first = d->n > 0 ? &d->messages[0] : NULL;
	bool is_others = t->has_store && was_written_by_others(t);
	size_t from = 0;
	brise_error err;

	/* One of which everything was taken back is kept without messages. */
	if (!t->has_store ||
	    (!first && (is_others || !t->name[0] || !store_has(&t->store, t->name))))
		return true;
	if (first && first->role == BRISE_SYSTEM && d->n > 1)
		first++;
	/* It is called by what was typed, not by a document. */
	if (first == &d->messages[dialog_find_last_of_user(d)] && t->typed_from < first->bytes)
		from = t->typed_from;
	if ((!t->name[0] || is_others) &&
	    !store_choose_name(&t->store, first->text + from, first->bytes - from, t->name)) {
		t->result =
		        report_error("chat", "the conversation is not kept: all names of its "
		                             "first message are taken; /save NAME gives it one");
		return false;
	}
	if (is_others)
		talk_say(t, "another process has written this conversation, too; here it is %s now",
		         t->name);
	if (store_save(&t->store, t->name, d, t->model, &err) == BRISE_OK) {
		(void)store_look(&t->store, t->name, &t->file);
		return true;
	}
	t->result = report_status("chat", &err);
	return false;
}

bool talk_load(talk *t, const char *name)
{
	brise_error err;
	os_facts file;
	dialog d;

	if (!store_look(&t->store, name, &file))
		memset(&file, 0, sizeof file);
	if (store_load(&t->store, name, &d, &err) != BRISE_OK ||
	    dialog_check_ids(&d, t->answerer.chat, &err) != BRISE_OK) {
		talk_say(t, "%s", err.message);
		return false;
	}
	answerer_keep(&t->answerer);
	forget(t);
	t->dialog = d;
	t->file = file;
	(void)snprintf(t->name, sizeof t->name, "%s", name);
	talk_change(t);
	return true;
}

/* The last bytes of a text, at most `most`, whole characters. */
static const char *end_of(const dialog_message *m, size_t most)
{
	size_t from = m->bytes > most ? m->bytes - most : 0;

	while (from < m->bytes && ((unsigned char)m->text[from] & 0xc0) == 0x80)
		from++;
	return m->text + from;
}

void talk_recall(talk *t)
{
	const dialog *d = &t->dialog;
	size_t i = d->n > 2 ? d->n - 2 : 0;

	talk_say(t, "%s, %zu messages", t->name, d->n);
	for (; i < d->n && console_is_interactive(t->console); i++) {
		const dialog_message *m = &d->messages[i];
		const char *text = end_of(m, RECALLED);

		if (m->role != BRISE_SYSTEM)
			talk_say(t, "%s%s%s", m->role == BRISE_USER ? "> " : "",
			         text > m->text ? "..." : "", text);
	}
}

/* The conversation that was kept last. */
static int resume(talk *t)
{
	store_entry *entries;
	brise_error err;
	bool is_loaded;
	size_t n;

	if (store_list(&t->store, &entries, &n, &err) != BRISE_OK)
		return report_status("chat", &err);
	if (n == 0) {
		talk_say(t, "there is no conversation yet; this one is new");
		talk_begin(t);
		return COMMANDS_READY;
	}
	is_loaded = talk_load(t, entries[0].name);
	memory_free(entries);
	return is_loaded ? COMMANDS_READY : EXIT_FAILED;
}

int talk_open_conversation(talk *t)
{
	const chat_settings *s = t->settings;
	int result = COMMANDS_READY;

	if ((s->resume || s->conversation) && !t->has_store)
		return report_error("chat", "conversations are kept below $XDG_DATA_HOME or $HOME, "
		                            "and neither names a folder");
	if (s->resume) {
		result = resume(t);
	} else if (s->conversation && store_has(&t->store, s->conversation)) {
		result = talk_load(t, s->conversation) ? COMMANDS_READY : EXIT_FAILED;
	} else {
		talk_begin(t);
		if (s->conversation)
			(void)snprintf(t->name, sizeof t->name, "%s", s->conversation);
	}
	if (result == COMMANDS_READY && s->system &&
	    !dialog_set_system(&t->dialog, s->system, strlen(s->system)))
		result = report_error("chat", "no memory for the system's message");
	return result;
}

int talk_read_document(talk *t, const char *path)
{
	brise_error err;
	size_t bytes;
	char *text;

	if (input_read_text(path, &text, &bytes, &err) != BRISE_OK)
		return report_status("chat", &err);
	if (bytes == 0 || memchr(text, 0, bytes)) {
		memory_free(text);
		return report_error("chat", bytes == 0 ? "%s: is empty" : "%s: is no text", path);
	}
	memory_free(t->document);
	t->document = text;
	t->document_bytes = input_drop_line_end(text, bytes);
	return 0;
}

bool talk_add_message(talk *t, const char *text, size_t bytes, bool replaces)
{
	size_t join = t->document ? strlen(TALK_JOIN) : 0, from = t->document_bytes + join;
	char *whole = memory_new((t->document ? from : 0) + bytes + 1, 1);
	bool is_added = false;

	if (whole && t->document) {
		memcpy(whole, t->document, t->document_bytes);
		memcpy(whole + t->document_bytes, TALK_JOIN, join);
	}
	t->typed_from = t->document ? from : 0;
	if (whole &&
	    (!replaces ||
	     dialog_set_aside(&t->dialog, dialog_find_last_of_user(&t->dialog), &t->replaced))) {
		memcpy(whole + t->typed_from, text, bytes);
		is_added = dialog_add(&t->dialog, BRISE_USER, whole, t->typed_from + bytes);
		if (!is_added)
			dialog_put_back(&t->dialog, &t->replaced);
	}
	memory_free(whole);
	if (is_added) {
		memory_free(t->document);
		t->document = NULL;
		t->document_bytes = 0;
	} else {
		t->result = report_error("chat", "no memory for a message");
	}
	return is_added;
}
