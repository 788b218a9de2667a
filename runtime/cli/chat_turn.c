/* chat_turn.c - answering a message: what the model is shown of the conversation, the answer as it
 * comes, and what is said of it afterwards */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/chat.h"
#include "runtime/cli/report.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/text/chat_text.h"

/* Positions that are left for an answer before turns are dropped: an eighth of the context, at most
 * this many. */
#define ANSWER_ROOM 256u

/* Seconds between changes of the status: a serial line has 11,520 characters in one. */
#define STATUS_EVERY 0.5

typedef struct turn {
	talk *t;
	chat_text text; /* of the answer */
	answer_figures *figures;
	bool thinks;                 /* reasoning is being shown */
	double started, next_status; /* by the clock; started 0: nothing has come yet */
	uint64_t n_pieces;
} turn;

/* ---- the status ----------------------------------------------------------------------------- */

void talk_change(talk *t)
{
	int32_t *ids;

	t->has_changed = true;
	t->n_ids = 0;
	if (t->dialog.n > 0 &&
	    dialog_encode(&t->dialog, t->answerer.chat, &ids, &t->n_ids, NULL) == BRISE_OK)
		brise_free(ids);
	talk_show_status(t);
}

void talk_describe_room(const talk *t, char *text, size_t size)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(t->answerer.engine.sequence);
	uint64_t most = f->window > 0 ? f->window : f->slots,
	         position = t->has_changed ? t->n_ids : f->position,
	         used = position < most ? position : most;

	(void)snprintf(text, size, "%" PRIu64 " of %" PRIu64 " positions", used, most);
	if (t->dialog.dropped > 0 && strlen(text) < size)
		(void)snprintf(text + strlen(text), size - strlen(text),
		               ", the oldest %zu messages dropped", t->dialog.dropped);
}

/* The name comes last: it is what a narrow terminal has no room for. */
static void set_status(talk *t, double rate)
{
	char room[96], text[256], speed[48] = "";

	if (!t->shows_status) {
		console_set_status(t->console, "");
		return;
	}
	talk_describe_room(t, room, sizeof room);
	if (rate > 0)
		(void)snprintf(speed, sizeof speed, ", %.*f tokens/s", rate < 99.95, rate);
	(void)snprintf(text, sizeof text, "%s%s%s%s", room, speed, t->name[0] ? ", " : "", t->name);
	console_set_status(t->console, text);
}

static double rate(double n, double seconds)
{
	return seconds > 0 ? n / seconds : 0;
}

void talk_show_status(talk *t)
{
	set_status(t, rate((double)t->figures.n_tokens, t->figures.generate_s));
}

static void show_speed(turn *u)
{
	double now = os_clock();

	u->n_pieces++;
	if (u->started == 0) {
		u->started = now;
		u->next_status = now + STATUS_EVERY;
	} else if (now >= u->next_status) {
		u->next_status = now + STATUS_EVERY;
		set_status(u->t, rate((double)(u->n_pieces - 1), now - u->started));
	}
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void write_text(turn *u, const char *text, size_t n)
{
	chat_text_add(&u->text, text, n, false);
	console_write(u->t->console, text, n);
}

/* Reasoning is shown between two lines, if at all, and is no part of the text. */
static void write_thought(turn *u, const brise_answer_piece *piece)
{
	if (!u->t->shows_thoughts)
		return;
	if (!u->thinks)
		console_write(u->t->console, "(reasoning)\n", 12);
	u->thinks = true;
	console_write(u->t->console, piece->text, piece->bytes);
}

static void end_thought(turn *u)
{
	if (u->thinks)
		console_write(u->t->console, "\n(answer)\n", 10);
	u->thinks = false;
}

/* A brise_answer_fn. Nobody has offered the model tools, so that a call is a text like others. */
static void take_piece(void *user, const brise_answer_piece *piece)
{
	static const char call[] = "[TOOL_CALLS] ";
	turn *u = user;

	if (piece->kind == BRISE_ANSWER_THOUGHT) {
		write_thought(u, piece);
		show_speed(u);
		return;
	}
	end_thought(u);
	if (piece->kind == BRISE_ANSWER_CALL)
		write_text(u, call, sizeof call - 1);
	if (piece->kind != BRISE_ANSWER_CALL_END)
		write_text(u, piece->text, piece->bytes);
	if (piece->kind == BRISE_ANSWER_CALL)
		write_text(u, " ", 1);
	show_speed(u);
}

/* A brise_cancel_fn. */
static bool is_to_stop(void *user)
{
	const turn *u = user;

	return console_is_interrupted(u->t->console) || console_has_failed(u->t->console);
}

/* ---- what fits ------------------------------------------------------------------------------ */

/* The ids of what the model is shown, from brise_encode_chat, with `more` ids [n_more] after them.
 * Where they do not leave room for an answer, whole turns are dropped, the oldest first, until a
 * quarter of the context is free: then not every turn drops one, and has all others evaluated anew.
 */
static brise_status encode(talk *t, const int32_t *more, size_t n_more, int32_t **ids, size_t *n,
                           brise_error *err)
{
	dialog *d = &t->dialog;
	uint64_t room = answerer_room(&t->answerer), most = room;
	brise_status status = dialog_encode(d, t->answerer.chat, ids, n, err);
	int32_t *whole;

	if (room > 0)
		most -= room / 8 < ANSWER_ROOM ? room / 8 : ANSWER_ROOM;
	while (status == BRISE_OK && room > 0 && *n + n_more > most && dialog_drop_turn(d)) {
		most = room - room / 4;
		brise_free(*ids);
		status = dialog_encode(d, t->answerer.chat, ids, n, err);
	}
	if (status != BRISE_OK || n_more == 0)
		return status;
	if ((whole = memory_new(*n + n_more, sizeof *whole)) != NULL) {
		memcpy(whole, *ids, *n * sizeof *whole);
		memcpy(whole + *n, more, n_more * sizeof *whole);
		*n += n_more;
	}
	brise_free(*ids);
	*ids = whole;
	return whole ? BRISE_OK
	             : error_set(err, BRISE_ENOMEM, "no memory for %zu token ids", *n + n_more);
}

static brise_status check_room(talk *t, size_t n, brise_error *err)
{
	uint64_t room = answerer_room(&t->answerer);

	if (room == 0 || n <= room)
		return BRISE_OK;
	return error_set(err, BRISE_EFULL,
	                 "the message is longer than the context: %zu tokens with what belongs to "
	                 "it, %" PRIu64 " positions; --context %zu is enough",
	                 n, room, n + ANSWER_ROOM);
}

/* ---- a turn --------------------------------------------------------------------------------- */

void talk_report_figures(const talk *t)
{
	const answer_figures *f = &t->figures;
	size_t n = f->n_prompt - f->kept;

	report_note("chat",
	            "%zu of %zu tokens evaluated in %.2f s (%.1f tokens/s); answer %" PRIu64
	            " in %.2f s (%.1f tokens/s), %.2f tokens per pass",
	            n, f->n_prompt, f->prompt_s, rate((double)n, f->prompt_s), f->n_tokens,
	            f->generate_s, rate((double)f->n_tokens, f->generate_s),
	            rate((double)(f->n_passes + f->n_accepted), (double)f->n_passes));
}

/* Draws the answer, in a context that is shortened where it becomes full meanwhile. *ids [*n] is
 * replaced then; *begun: how many of them are the answer's. */
static brise_status draw(turn *u, const answer_options *o, int32_t **ids, size_t *n, size_t *begun,
                         brise_error *err)
{
	talk *t = u->t;
	answerer *a = &t->answerer;
	brise_status status;

	*begun = 0;
	while ((status = answerer_draw(a, *ids, *n, *begun, o, u->figures, err)) == BRISE_OK &&
	       u->figures->reason == GENERATE_FULL && dialog_drop_turn(&t->dialog)) {
		size_t from = *n - *begun, n_drawn = a->n - from;

		brise_free(*ids);
		status = encode(t, a->tokens + from, n_drawn, ids, n, err);
		*begun = n_drawn;
		if (status != BRISE_OK || *n >= answerer_room(a))
			break;
	}
	return status;
}

/* The message goes back to where it was typed, and its document to where it waits; what was
 * evaluated of them is not lost. */
static void take_message_back(talk *t, size_t dropped)
{
	dialog_message *m = &t->dialog.messages[t->dialog.n - 1];

	if (console_has_editor(t->console)) {
		memory_free(t->given);
		t->given = memory_copy_text(m->text + t->typed_from);
	}
	if (t->typed_from > 0) {
		memory_free(t->document);
		t->document = m->text;
		t->document_bytes = t->typed_from - strlen(TALK_JOIN);
		m->text = NULL;
	}
	dialog_cut(&t->dialog, t->dialog.n - 1);
	t->dialog.dropped = dropped;
}

/* What was to be replaced, a message or its answer alone, is there again. */
static void take_back(talk *t, size_t dropped)
{
	const dialog_part *old = &t->replaced;
	bool is_message = old->n == 0 || old->messages[0].role == BRISE_USER;

	if (is_message)
		take_message_back(t, dropped);
	t->replaces = is_message && old->n > 0 && t->given;
	dialog_put_back(&t->dialog, &t->replaced);
}

/* Writes the answer; ids, n and begun as of draw. */
static brise_status write_answer(turn *u, int32_t **ids, size_t *n, size_t *begun, brise_error *err)
{
	talk *t = u->t;
	const chat_settings *s = t->settings;
	answer_options o = { .sampling = &s->sampling,
		             .grammar = t->grammar,
		             .limit = s->tokens == UINT32_MAX ? UINT64_MAX : s->tokens,
		             .has_drafts = !s->no_drafts,
		             .ignore_ends = s->ignore_eos,
		             .each = take_piece,
		             .cancel = is_to_stop,
		             .user = u,
		             .turn = t->turns };
	brise_status status;

	t->has_changed = false;
	console_set_status(t->console, "");
	console_begin_answer(t->console);
	status = draw(u, &o, ids, n, begun, err);
	/* A tool call that is cut off is no error here. */
	if (t->answerer.reader && answerer_finish(&t->answerer, &o, NULL) == BRISE_ENOMEM)
		u->text.failed = true;
	console_end_answer(t->console);
	return status;
}

static brise_status keep_answer(turn *u, const int32_t *ids, size_t n, size_t begun,
                                brise_error *err)
{
	talk *t = u->t;
	const answerer *a = &t->answerer;
	size_t from = n - begun;

	if (u->text.failed)
		return error_set(err, BRISE_ENOMEM, "no memory for an answer");
	return dialog_add_answer(&t->dialog, a->chat, u->text.n > 0 ? u->text.bytes : "", u->text.n,
	                         a->tokens + from, a->n - from, ids, from, err);
}

/* Why an answer did not end by itself, to who sits at a terminal. */
static void say_reason(talk *t, const answer_figures *f, bool is_answered, bool replaces)
{
	bool is_interactive = console_is_interactive(t->console);

	if (f->reason == GENERATE_FULL)
		talk_say(t,
		         "(the context of %" PRIu64 " positions is full: --context N keeps more)",
		         answerer_room(&t->answerer));
	else if (f->is_stopped && is_interactive && console_signal(t->console) == 0)
		talk_say(t, "(stopped)");
	else if (f->reason == GENERATE_END && !is_answered)
		talk_say(t, replaces ? "(the model had no answer; the one before stays)"
		                     : "(the model had no answer; the message is taken back)");
	else if (f->reason == GENERATE_LIMIT && !is_answered && f->n_tokens > 0)
		talk_say(t, "(%" PRIu64 " tokens were reasoning, without an answer; the %s)",
		         f->n_tokens, replaces ? "one before stays" : "message is taken back");
	else if (f->reason == GENERATE_LIMIT && is_interactive)
		talk_say(t, "(stopped after %" PRIu64 " tokens)", f->n_tokens);
}

void talk_answer(talk *t)
{
	answer_figures figures = { .n_prompt = 0 };
	turn u = { .t = t, .figures = &figures };
	size_t dropped = t->dialog.dropped, n = 0, begun = 0;
	bool is_answered = false, replaces = t->replaced.n > 0;
	int32_t *ids = NULL;
	brise_error err;
	brise_status status = encode(t, NULL, 0, &ids, &n, &err);

	if (status == BRISE_OK)
		status = check_room(t, n, &err);
	if (status == BRISE_OK)
		status = write_answer(&u, &ids, &n, &begun, &err);
	/* No format has an answer without text. */
	if (status == BRISE_OK && (u.text.n > 0 || u.text.failed)) {
		status = keep_answer(&u, ids, n, begun, &err);
		is_answered = status == BRISE_OK;
	}
	if (figures.n_prompt > 0)
		t->figures = figures;
	if (status != BRISE_OK)
		t->result = report_status("chat", &err);
	if (!is_answered)
		take_back(t, dropped);
	if (status == BRISE_OK)
		say_reason(t, &figures, is_answered, replaces);
	if (is_answered) {
		dialog_free_part(&t->replaced);
		t->turns++;
		(void)talk_keep(t);
	}
	if (t->settings->stats && figures.n_prompt > 0)
		talk_report_figures(t);
	if (is_answered)
		talk_show_status(t);
	else
		talk_change(t);
	brise_free(ids);
	chat_text_free(&u.text);
}
