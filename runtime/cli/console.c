/* console.c - see console.h */
#include "runtime/cli/console.h"

#include <string.h>

#include "runtime/cli/device.h"
#include "runtime/cli/report.h"
#include "runtime/console/editor.h"
#include "runtime/console/writer.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

struct console {
	console_options options;
	device device;
	editor editor;
	history history;
	writer writer, sayer;
	line plain;          /* a message that is not edited */
	uint8_t bytes[4096]; /* read, and not taken yet */
	size_t at, n;
	bool has_ended;
	console_result result; /* of console_read */
};

static void open_writer(writer *w, device *d, bool is_answer)
{
	writer_kind kind = d->is_output_dumb ? WRITER_DUMB : WRITER_FULL;

	if (!(is_answer ? d->shows_answers : d->shows_output))
		kind = WRITER_PIPE;
	writer_open(w, kind, d->has_colors, is_answer ? device_write_answer : device_write, d);
}

brise_status console_open(console **opened, const console_options *options, brise_error *err)
{
	console *c = memory_new(1, sizeof *c);
	editor_options editing;
	brise_error problem;

	*opened = c;
	if (!c)
		return error_set(err, BRISE_ENOMEM, "no memory for a conversation");
	c->options = *options;
	if (!c->options.prompt)
		c->options.prompt = "> ";
	if (!c->options.more)
		c->options.more = "  ";
	device_open(&c->device);
	if (history_open(&c->history, c->device.has_keys ? options->history : NULL, &problem) !=
	    BRISE_OK)
		report_note(options->command, "%s", problem.message);
	memset(&editing, 0, sizeof editing);
	editing.prompt = c->options.prompt;
	editing.more = c->options.more;
	editing.history = &c->history;
	editing.complete = options->complete;
	editing.user = options->user;
	editing.has_colors = c->device.has_colors;
	editor_open(&c->editor, &editing, device_write, &c->device);
	open_writer(&c->writer, &c->device, true);
	open_writer(&c->sayer, &c->device, false);
	return BRISE_OK;
}

void console_close(console *c)
{
	if (!c)
		return;
	device_close(&c->device);
	editor_free(&c->editor);
	history_free(&c->history);
	line_free(&c->plain);
	memory_free(c);
}

bool console_is_interactive(const console *c)
{
	return c->device.has_keys;
}

bool console_has_editor(const console *c)
{
	return c->device.has_keys && !c->device.is_dumb;
}

int console_signal(const console *c)
{
	return device_end_signal(&c->device);
}

bool console_has_failed(const console *c)
{
	return c->device.failed;
}

bool console_is_interrupted(void *user)
{
	const console *c = user;

	return device_was_interrupted(&c->device);
}

brise_status console_clear_history(console *c, brise_error *err)
{
	return history_clear(&c->history, err);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Whether bytes came. */
static bool fill(console *c)
{
	c->at = 0;
	c->n = device_read(&c->device, c->bytes, sizeof c->bytes);
	return c->n > 0;
}

static void keep_in_history(console *c, const char *text, size_t n)
{
	brise_error problem;

	if (c->device.has_keys && history_add(&c->history, text, n, &problem) != BRISE_OK)
		report_note(c->options.command, "%s", problem.message);
}

/* Whether the message is decided. */
static bool decide(console *c, editor_result result)
{
	const char *text;
	size_t n;

	switch (result) {
	case EDITOR_MORE:
		return false;
	case EDITOR_SENT:
		editor_finish(&c->editor);
		text = editor_text(&c->editor, &n);
		keep_in_history(c, text, n);
		c->result = CONSOLE_MESSAGE;
		return true;
	case EDITOR_CANCELLED:
		editor_hide(&c->editor);
		c->result = CONSOLE_CANCELLED;
		return true;
	case EDITOR_SUSPENDED:
		editor_finish(&c->editor);
		device_suspend(&c->device);
		return false;
	case EDITOR_ENDED:
		break;
	}
	editor_finish(&c->editor);
	c->has_ended = true;
	c->result = CONSOLE_ENDED;
	return true;
}

static void fit(console *c)
{
	int columns, rows;

	device_size(&c->device, &columns, &rows);
	editor_resize(&c->editor, columns, rows);
}

/* Draws when no byte is waiting, so that a paste is drawn once. */
static bool await_keys(console *c, bool *is_drawn)
{
	device_event event;

	event = device_wait(&c->device, *is_drawn ? editor_timeout(&c->editor) : 0);
	switch (event) {
	case DEVICE_INPUT:
		*is_drawn = false;
		return fill(c) ? false : decide(c, EDITOR_ENDED);
	case DEVICE_TIMEOUT:
		if (*is_drawn && decide(c, editor_expire(&c->editor)))
			return true;
		editor_draw(&c->editor);
		*is_drawn = true;
		return false;
	case DEVICE_RESIZED:
		fit(c);
		break;
	case DEVICE_CONTINUED:
		device_set_mode(&c->device, DEVICE_RAW);
		fit(c);
		editor_redraw(&c->editor);
		break;
	case DEVICE_INTERRUPTED:
		return decide(c, EDITOR_CANCELLED);
	case DEVICE_ENDED:
		return decide(c, EDITOR_ENDED);
	}
	*is_drawn = false;
	return false;
}

static void read_edited(console *c, const char *given, size_t n_given)
{
	bool is_drawn = false, is_decided = false;
	size_t used;

	device_set_mode(&c->device, DEVICE_RAW);
	fit(c);
	(void)editor_begin(&c->editor, given, n_given);
	while (!is_decided) {
		if (c->at < c->n) {
			editor_result result =
			        editor_feed(&c->editor, c->bytes + c->at, c->n - c->at, &used);

			c->at += used;
			is_decided = decide(c, result);
			is_drawn = false;
		} else {
			is_decided = await_keys(c, &is_drawn);
		}
	}
	device_set_mode(&c->device, c->has_ended ? DEVICE_COOKED : DEVICE_QUIET);
}

/* ---- reading lines -------------------------------------------------------------------------- */

static void prompt_plainly(console *c, const char *prompt)
{
	if (c->device.has_keys)
		device_write(&c->device, prompt, strlen(prompt));
}

/* Waits for bytes; false: the message is decided. */
static bool await_bytes(console *c)
{
	device_event event;

	do
		event = device_wait(&c->device, -1);
	while (event == DEVICE_TIMEOUT || event == DEVICE_RESIZED || event == DEVICE_CONTINUED);
	if (event == DEVICE_INPUT && fill(c))
		return true;
	if (event == DEVICE_INPUT && c->plain.text.n > 0 && !c->device.has_keys) {
		c->result = CONSOLE_MESSAGE; /* a last line without its end */
		return false;
	}
	if (c->device.has_keys)
		device_write(&c->device, "\n", 1);
	c->result = event == DEVICE_INTERRUPTED && c->device.has_keys ? CONSOLE_CANCELLED
	                                                              : CONSOLE_ENDED;
	c->has_ended = c->result == CONSOLE_ENDED;
	return false;
}

/* Takes what is read up to a line's end; true: that was there. */
static bool take_line(console *c, bool *is_cut)
{
	const char *bytes = (const char *)c->bytes + c->at;
	const char *end = memchr(bytes, '\n', c->n - c->at);
	size_t n = end ? (size_t)(end - bytes) : c->n - c->at;

	if (*is_cut || !line_insert(&c->plain, bytes, n))
		*is_cut = true;
	c->at += end ? n + 1 : n;
	return end != NULL;
}

/* At a terminal a backslash at the end of a line asks for another. */
static bool goes_on(console *c)
{
	line *l = &c->plain;

	if (l->text.n > 0 && l->text.bytes[l->text.n - 1] == '\r')
		(void)line_remove(l, l->text.n - 1, false);
	if (!c->device.has_keys || l->text.n == 0 || l->text.bytes[l->text.n - 1] != '\\')
		return false;
	(void)line_replace(l, l->text.n - 1, "\n", 1);
	prompt_plainly(c, c->options.more);
	return true;
}

static void read_plain(console *c)
{
	bool is_cut = false, is_whole = false;

	line_clear(&c->plain);
	prompt_plainly(c, c->options.prompt);
	c->result = CONSOLE_MESSAGE;
	while (!is_whole) {
		if (c->at == c->n && !await_bytes(c))
			break;
		is_whole = take_line(c, &is_cut) && !goes_on(c);
	}
	if (is_cut)
		report_note(c->options.command,
		            "a line is longer than %zu bytes: its end is dropped", LINE_MAX_BYTES);
}

console_result console_read(console *c, const char *given, size_t n_given, const char **text,
                            size_t *n)
{
	*text = "";
	*n = 0;
	if (device_end_signal(&c->device) != 0)
		c->has_ended = true;
	if (c->has_ended)
		return CONSOLE_ENDED;
	device_forget_interruption(&c->device);
	if (console_has_editor(c)) {
		read_edited(c, given, n_given);
		*text = editor_text(&c->editor, n);
	} else {
		read_plain(c);
		*text = c->plain.text.n > 0 ? c->plain.text.bytes : "";
		*n = c->plain.text.n;
	}
	device_forget_interruption(&c->device);
	return c->result;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void resize_writers(console *c)
{
	int columns, rows;

	device_size(&c->device, &columns, &rows);
	writer_resize(&c->writer, columns);
	writer_resize(&c->sayer, columns);
}

void console_begin_answer(console *c)
{
	device_forget_interruption(&c->device);
	resize_writers(c);
	writer_begin(&c->writer);
}

void console_write(console *c, const char *text, size_t n)
{
	if (device_was_continued(&c->device))
		writer_begin_row(&c->writer);
	if (device_was_resized(&c->device))
		resize_writers(c);
	writer_put(&c->writer, text, n);
}

void console_end_answer(console *c)
{
	writer_end(&c->writer);
}

void console_say(console *c, const char *text)
{
	resize_writers(c);
	writer_begin(&c->sayer);
	writer_put(&c->sayer, text, strlen(text));
	writer_end(&c->sayer);
}

void console_set_status(console *c, const char *text)
{
	if (c->options.hides_status)
		return;
	editor_set_status(&c->editor, text);
	writer_set_status(&c->writer, text);
}
