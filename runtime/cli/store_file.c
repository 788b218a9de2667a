/* store_file.c - see store_file.h */
#include "runtime/cli/store_file.h"

#include <stdio.h>
#include <string.h>

#include "runtime/cli/input.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"
#include "runtime/text/chat_text.h"
#include "runtime/text/json.h"
#include "runtime/text/json_writer.h"

#define KIND    "conversation"
#define VERSION 1

/* What every file begins with, so that no other is replaced. */
static const target_kind kind = { "{\"brise\":\"conver", 16, "a conversation of brise", true };

/* ---- writing -------------------------------------------------------------------------------- */

/* A sink of json_writer.h. */
static void append(void *user, const char *bytes, size_t n)
{
	chat_text_add(user, bytes, n, false);
}

static const char *name_role(brise_role role)
{
	return role == BRISE_SYSTEM ? "system" : role == BRISE_USER ? "user" : "assistant";
}

static void compose_head(chat_text *text, const dialog *d, const char *model)
{
	json_writer w = { .sink = append, .user = text };

	json_open(&w, NULL, '{');
	json_put_string(&w, "brise", KIND);
	json_put_unsigned(&w, "version", VERSION);
	json_put_string(&w, "model", model);
	json_put_unsigned(&w, "dropped", d->dropped);
	json_close(&w);
	append(text, "\n", 1);
}

static void compose_message(chat_text *text, const dialog_message *m)
{
	json_writer w = { .sink = append, .user = text };
	size_t i;

	json_open(&w, NULL, '{');
	json_put_string(&w, "role", name_role(m->role));
	json_put_text(&w, "content", m->text, m->bytes);
	if (m->ids) {
		json_open(&w, "ids", '[');
		for (i = 0; i < m->n_ids; i++)
			json_put_integer(&w, NULL, m->ids[i]);
		json_close(&w);
	}
	json_close(&w);
	append(text, "\n", 1);
}

brise_status store_file_write(const char *path, const dialog *d, const char *model,
                              brise_error *err)
{
	chat_text text = { .n = 0 };
	brise_status status = BRISE_OK;
	target_file target;
	size_t i;

	compose_head(&text, d, model);
	for (i = 0; i < d->n; i++)
		compose_message(&text, &d->messages[i]);
	if (text.failed) {
		chat_text_free(&text);
		return error_set(err, BRISE_ENOMEM, "%s: no memory to write it", path);
	}
	status = target_open(&target, path, &kind, err);
	if (status == BRISE_OK) {
		if (!os_set_mode(target.descriptor, 0600))
			status = error_errno(err, "%s: cannot be made private", path);
		if (status == BRISE_OK)
			status = target_write_at(&target, text.bytes, text.n, 0, err);
		if (status == BRISE_OK)
			status = target_commit(&target, err);
		target_discard(&target);
	}
	chat_text_free(&text);
	return status;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool read_head(json_reader *r, int64_t *dropped)
{
	char key[32], word[32] = "";
	int64_t version = 0;

	*dropped = 0;
	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "brise"))
			json_read_name(r, word, sizeof word);
		else if (!strcmp(key, "version"))
			json_read_integer(r, &version);
		else if (!strcmp(key, "dropped"))
			json_read_integer(r, dropped);
		else
			json_skip(r);
	if (r->status == BRISE_OK && strcmp(word, KIND) != 0)
		json_refuse(r, BRISE_EFORMAT, "no conversation of brise");
	if (r->status == BRISE_OK && version != VERSION)
		json_refuse(r, BRISE_EUNSUPPORTED,
		            "the conversation has a format that this version does not know");
	return r->status == BRISE_OK;
}

static bool read_role(json_reader *r, brise_role *role)
{
	char word[32];

	if (!json_read_name(r, word, sizeof word))
		return false;
	for (*role = BRISE_SYSTEM; *role <= BRISE_ASSISTANT; (*role)++)
		if (!strcmp(word, name_role(*role)))
			return true;
	return json_refuse(r, BRISE_EFORMAT, "role: system, user or assistant expected");
}

/* *ids: from memory_new, [*n]. */
static bool read_ids(json_reader *r, int32_t **ids, size_t *n)
{
	size_t room = 0;
	int32_t *grown;
	int64_t id;

	json_enter_array(r);
	while (json_next_element(r) && json_read_integer(r, &id)) {
		if (id < 0 || id > INT32_MAX)
			return json_refuse(r, BRISE_EFORMAT, "ids: token ids expected");
		if (*n == room) {
			if (!(grown = memory_resize(*ids, 2 * room + 64, sizeof *grown)))
				return json_refuse(r, BRISE_ENOMEM, "no memory for token ids");
			*ids = grown;
			room = 2 * room + 64;
		}
		(*ids)[(*n)++] = (int32_t)id;
	}
	return r->status == BRISE_OK;
}

static bool read_message(json_reader *r, dialog *d)
{
	brise_role role = BRISE_USER;
	bool has_role = false;
	char key[32], *text = NULL;
	size_t bytes = 0, n_ids = 0;
	int32_t *ids = NULL;

	json_enter_object(r);
	while (json_next_key(r, key, sizeof key))
		if (!strcmp(key, "role"))
			has_role = read_role(r, &role);
		else if (!strcmp(key, "content") && !text)
			json_read_string(r, &text, &bytes);
		else if (!strcmp(key, "ids") && !ids)
			read_ids(r, &ids, &n_ids);
		else
			json_skip(r);
	if (r->status == BRISE_OK && (!has_role || !text))
		json_refuse(r, BRISE_EFORMAT, "a message with role and content expected");
	if (r->status == BRISE_OK && role == BRISE_SYSTEM && d->n > 0)
		json_refuse(r, BRISE_EFORMAT, "only the first message can be the system's");
	if (r->status == BRISE_OK && !dialog_add(d, role, text, bytes))
		json_refuse(r, BRISE_ENOMEM, "no memory for a message");
	if (r->status == BRISE_OK && role == BRISE_ASSISTANT) {
		d->messages[d->n - 1].ids = ids;
		d->messages[d->n - 1].n_ids = n_ids;
		ids = NULL;
	}
	memory_free(text);
	memory_free(ids);
	return r->status == BRISE_OK;
}

static brise_status read_line(const char *path, size_t line, const char *text, size_t bytes,
                              dialog *d, int64_t *dropped, brise_error *err)
{
	char name[512];
	json_reader r;

	(void)snprintf(name, sizeof name, "%s: record %zu", path, line);
	json_begin(&r, text, bytes, name, err);
	if (line == 1)
		read_head(&r, dropped);
	else
		read_message(&r, d);
	return json_end(&r);
}

brise_status store_file_read(const char *path, dialog *d, brise_error *err)
{
	char *text, *end;
	size_t bytes, at, line = 0, n, first;
	brise_status status = input_read_text(path, &text, &bytes, err);
	int64_t dropped = 0;

	if (status != BRISE_OK)
		return status;
	for (at = 0; at < bytes && status == BRISE_OK; at += n + 1) {
		end = memchr(text + at, '\n', bytes - at);
		n = end ? (size_t)(end - text) - at : bytes - at;
		status = read_line(path, ++line, text + at, n, d, &dropped, err);
	}
	if (status == BRISE_OK && line == 0)
		status = error_set(err, BRISE_EFORMAT, "%s: is empty, no conversation", path);
	memory_free(text);
	if (status != BRISE_OK) {
		dialog_free(d);
		return status;
	}
	/* What is dropped ends before a message of the user. */
	first = dialog_get_system(d) ? 1 : 0;
	if (dropped > 0 && (uint64_t)dropped < d->n - first &&
	    d->messages[first + (size_t)dropped].role == BRISE_USER)
		d->dropped = (size_t)dropped;
	return BRISE_OK;
}
