/* text_settings.c - see text_settings.h
 *
 * Whether a text gets the begin token: tokenizer_config.json's add_bos_token, else the
 * post-processor of tokenizer.json; else it does, if there is one. Which token it is:
 * tokenizer_config.json's bos_token by its text, else config.json's bos_token_id, which
 * transformers does not look at when it cuts a text. End tokens are all that any file names; a
 * model ends its turns with one of them, and which one depends on how it was trained.
 */
#include "convert/tokenizer/text_settings.h"

#include <inttypes.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/tokenizer/json_rule.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/json.h"
#include "runtime/text/utf8.h"

#define FILE_MAX ((size_t)64 << 20)

typedef struct reading {
	json_reader r;
	text_settings *out;
	const char *source; /* name of the file, static storage */
	notes *decisions;
	brise_error *err;
} reading;

/* ---- values --------------------------------------------------------------------------------- */

/* Of a number: an id, if it is a whole one. Other values are ignored. */
static void read_end(reading *in)
{
	double id;

	if (json_peek(&in->r) != JSON_NUMBER)
		json_skip(&in->r);
	else if (json_read_double(&in->r, &id) && id >= 0 && id <= INT32_MAX &&
	         id == (double)(int32_t)id)
		end_tokens_add(&in->out->ends, (int32_t)id, in->source);
}

static void read_ends(reading *in)
{
	if (json_peek(&in->r) != JSON_ARRAY) {
		read_end(in);
		return;
	}
	json_enter_array(&in->r);
	while (json_next_element(&in->r))
		read_end(in);
}

/* A text, or an object with a text "content". The first file that has one counts. */
static void read_token(reading *in, char **text, const char **source)
{
	char *found = NULL, key[32];
	size_t bytes;

	if (json_peek(&in->r) == JSON_STRING) {
		json_read_string(&in->r, &found, &bytes);
	} else if (json_peek(&in->r) == JSON_OBJECT) {
		json_enter_object(&in->r);
		while (json_next_key(&in->r, key, sizeof key))
			if (!strcmp(key, "content") && !found && json_peek(&in->r) == JSON_STRING)
				json_read_string(&in->r, &found, &bytes);
			else
				json_skip(&in->r);
	} else {
		json_skip(&in->r);
	}
	if (found && !*text) {
		*text = found;
		*source = in->source;
	} else {
		memory_free(found);
	}
}

static bool is_text(const char *text, size_t n)
{
	size_t at;
	int step;

	for (at = 0; at < n; at += (size_t)step) {
		step = utf8_measure((const uint8_t *)text + at, n - at);
		if (step <= 0 || text[at] == 0)
			return false;
	}
	return n > 0;
}

brise_status text_settings_keep_template(text_settings *s, const char *text, size_t n,
                                         const char *source, notes *decisions, brise_error *err)
{
	if (s->chat_template || n == 0)
		return BRISE_OK;
	if (n > FORMAT_TEMPLATE_MAX || !is_text(text, n)) {
		notes_add(decisions, "chat template of %zu bytes ignored: %s (%s)", n,
		          n > FORMAT_TEMPLATE_MAX ? "too long" : "not UTF-8 text", source);
		return BRISE_OK;
	}
	if (!(s->chat_template = memory_new(n + 1, 1)))
		return error_set(err, BRISE_ENOMEM, "no memory for a chat template");
	memcpy(s->chat_template, text, n);
	s->chat_template[n] = 0;
	s->template_source = source;
	return BRISE_OK;
}

brise_status text_settings_keep_format(text_settings *s, const char *text, size_t n,
                                       const char *source, brise_error *err)
{
	if (s->exported_format || n > FORMAT_CHAT_MAX || !is_text(text, n))
		return BRISE_OK;
	if (!(s->exported_format = memory_new(n + 1, 1)))
		return error_set(err, BRISE_ENOMEM, "no memory for a chat format");
	memcpy(s->exported_format, text, n);
	s->exported_format[n] = 0;
	s->exported_source = source;
	return BRISE_OK;
}

static void read_exported_format(reading *in)
{
	char *text = NULL;
	size_t bytes = 0;

	if (json_peek(&in->r) != JSON_STRING)
		json_skip(&in->r);
	else if (json_read_string(&in->r, &text, &bytes) &&
	         text_settings_keep_format(in->out, text, bytes, in->source, in->err) != BRISE_OK)
		json_refuse(&in->r, BRISE_ENOMEM, "no memory for a chat format");
	memory_free(text);
}

static void keep_string(reading *in)
{
	char *text = NULL;
	size_t bytes = 0;

	if (json_read_string(&in->r, &text, &bytes) &&
	    text_settings_keep_template(in->out, text, bytes, in->source, in->decisions, in->err) !=
	            BRISE_OK)
		json_refuse(&in->r, BRISE_ENOMEM, "no memory for a chat template");
	memory_free(text);
}

/* {"name": "default", "template": "..."}: only the one of that name is kept. */
static void read_named_template(reading *in)
{
	char key[32], name[32] = "", *text = NULL;
	size_t bytes = 0;

	if (json_peek(&in->r) != JSON_OBJECT) {
		json_skip(&in->r);
		return;
	}
	json_enter_object(&in->r);
	while (json_next_key(&in->r, key, sizeof key))
		if (!strcmp(key, "template") && !text && json_peek(&in->r) == JSON_STRING)
			json_read_string(&in->r, &text, &bytes);
		else if (!strcmp(key, "name") && json_peek(&in->r) == JSON_STRING)
			json_read_name(&in->r, name, sizeof name);
		else
			json_skip(&in->r);
	if (text && !strcmp(name, "default") &&
	    text_settings_keep_template(in->out, text, bytes, in->source, in->decisions, in->err) !=
	            BRISE_OK)
		json_refuse(&in->r, BRISE_ENOMEM, "no memory for a chat template");
	memory_free(text);
}

static void read_template(reading *in)
{
	if (json_peek(&in->r) == JSON_STRING) {
		keep_string(in);
	} else if (json_peek(&in->r) == JSON_ARRAY) {
		json_enter_array(&in->r);
		while (json_next_element(&in->r))
			read_named_template(in);
	} else {
		json_skip(&in->r);
	}
}

/* ---- files ---------------------------------------------------------------------------------- */

/* As Python takes a value for true or false; null, texts and so on say nothing. */
static bool read_truth(reading *in, bool *value)
{
	double number;

	if (json_peek(&in->r) == JSON_BOOL)
		return json_read_bool(&in->r, value);
	if (json_peek(&in->r) != JSON_NUMBER) {
		json_skip(&in->r);
		return false;
	}
	if (!json_read_double(&in->r, &number))
		return false;
	*value = number != 0;
	return true;
}

static void read_begins(reading *in)
{
	if (read_truth(in, &in->out->begins))
		in->out->begins_source = "tokenizer_config.json: add_bos_token";
}

static void read_prefix(reading *in)
{
	bool prefix = true;

	if (read_truth(in, &prefix))
		in->out->no_prefix = !prefix;
}

/* A field of any of the files; the same name means the same everywhere. */
static void read_field(reading *in, const char *key, json_rule *rule)
{
	text_settings *out = in->out;

	if (!strcmp(key, "eos_token_id"))
		read_ends(in);
	else if (!strcmp(key, "add_bos_token"))
		read_begins(in);
	else if (!strcmp(key, "add_prefix_space"))
		read_prefix(in);
	else if (!strcmp(key, "bos_token"))
		read_token(in, &out->bos, &out->bos_source);
	else if (!strcmp(key, "eos_token"))
		read_token(in, &out->eos, &out->eos_source);
	else if (!strcmp(key, "chat_template"))
		read_template(in);
	else if (!strcmp(key, CHAT_KEY_JSON))
		read_exported_format(in);
	else
		json_read_rule(&in->r, key, rule);
}

static brise_status read_json(text_settings *out, const char *source, const char *path,
                              const char *json, size_t size, notes *decisions, brise_error *err)
{
	reading in = { .out = out, .source = source, .decisions = decisions, .err = err };
	json_rule rule = { .begins = false };
	char key[64];
	brise_status status;

	json_begin(&in.r, json, size, path, err);
	json_enter_object(&in.r);
	while (json_next_key(&in.r, key, sizeof key))
		read_field(&in, key, &rule);
	status = json_end(&in.r);
	if (status == BRISE_OK && rule.has_template && !out->begins_source) {
		out->begins = rule.begins;
		out->begins_source = "tokenizer.json: post_processor";
	}
	return status;
}

static brise_status read_file(text_settings *out, const char *folder, const char *name,
                              notes *decisions, brise_error *err)
{
	bool is_json = strcmp(name + strlen(name) - 5, ".json") == 0;
	char *path = files_join(folder, name), *text = NULL;
	os_facts facts;
	size_t size;
	brise_status status = BRISE_OK;

	if (!path)
		return error_set(err, BRISE_ENOMEM, "%s: no memory to look into it", folder);
	/* Whatever has the name counts: reading refuses a link to nothing and what is no file. But
	 * a tokenizer.json that is missing so is for the reader of tokenizers to refuse. */
	if (strcmp(name, "tokenizer.json") ? os_examine_link(path, &facts)
	                                   : os_examine(path, &facts)) {
		status = files_read_whole(path, is_json ? CONTENTS_JSON : CONTENTS_ANY, FILE_MAX,
		                          &text, &size, err);
		if (status == BRISE_OK && is_json)
			status = read_json(out, name, path, text, size, decisions, err);
		else if (status == BRISE_OK)
			status = text_settings_keep_template(out, text, size, name, decisions, err);
	}
	memory_free(text);
	memory_free(path);
	return status;
}

brise_status text_settings_read(text_settings *out, const char *folder, notes *decisions,
                                brise_error *err)
{
	/* Of two files with the same setting the first counts, as in transformers. */
	static const char *const names[] = {
		"config.json",           "generation_config.json",  "chat_template.jinja",
		"tokenizer_config.json", "special_tokens_map.json", "tokenizer.json",
		"chat_template.json"
	};
	brise_status status = BRISE_OK;
	size_t i;

	memset(out, 0, sizeof *out);
	for (i = 0; i < sizeof names / sizeof *names && status == BRISE_OK; i++)
		status = read_file(out, folder, names[i], decisions, err);
	return status;
}

void text_settings_free(text_settings *s)
{
	memory_free(s->bos);
	memory_free(s->eos);
	memory_free(s->chat_template);
	memory_free(s->exported_format);
	memory_free(s->chat_format);
	memset(s, 0, sizeof *s);
}

/* ---- decisions ------------------------------------------------------------------------------ */

/* The id of a token that a file names by its text; -1: none, which *decisions then says. */
static int32_t find_named(const brise_tokenizer *tokenizer, const char *text, const char *what,
                          const char *source, notes *decisions)
{
	int32_t id = -1;

	if (!text || !tokenizer)
		return -1;
	(void)brise_find_token(tokenizer, text, strlen(text), &id, NULL);
	if (id < 0)
		notes_add(decisions, "%s \"%.60s\" ignored: no such token (%s)", what, text,
		          source);
	return id;
}

static void decide_begin(const text_settings *s, const brise_tokenizer *tokenizer,
                         format_config *config, notes *decisions)
{
	int32_t named = find_named(tokenizer, s->bos, "begin token", s->bos_source, decisions);

	if (s->begins_source && !s->begins) {
		config->bos = -1;
		notes_add(decisions, "no begin token is put in front of a text (%s)",
		          s->begins_source);
	} else if (named >= 0 && named != config->bos) {
		notes_add(decisions,
		          "begin token %" PRId32 " %.60s (%s; the configuration's is %" PRId32 ")",
		          named, s->bos, s->bos_source, config->bos);
		config->bos = named;
	}
}

void text_settings_apply(text_settings *s, const brise_tokenizer *tokenizer, format_config *config,
                         notes *decisions)
{
	decide_begin(s, tokenizer, config, decisions);
	end_tokens_add(&s->ends, config->eos, "configuration");
	end_tokens_add(&s->ends,
	               find_named(tokenizer, s->eos, "end token", s->eos_source, decisions),
	               s->eos_source);
	if (tokenizer)
		end_tokens_add_known(&s->ends, tokenizer);
	end_tokens_settle(&s->ends, tokenizer, config->vocab, decisions);
	if (config->eos < 0 && s->ends.n > 0)
		config->eos = s->ends.ids[0];
	if (s->chat_template)
		notes_add(decisions, "chat template of %zu bytes kept as text (%s)",
		          strlen(s->chat_template), s->template_source);
}
