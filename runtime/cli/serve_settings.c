/* serve_settings.c - the options of brise serve */
#include "runtime/cli/serve_settings.h"

#include <string.h>

#include "runtime/cli/budget.h"
#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/input.h"
#include "runtime/serve/log.h"

#define BODY_BYTES  UINT64_C(8000000)
#define CACHE_BYTES UINT64_C(2000000000)

/* Shortest key: what is shorter can be tried out. */
#define KEY_LEAST 8u

static const char *const log_choices[] = { "text", "json", "none", NULL };

static const char *add_item(serve_list *list, const char *value)
{
	if (list->n == SERVE_LIST)
		return "at most 256 of them";
	list->items[list->n++] = value;
	return NULL;
}

/* What a header field can hold without spaces. */
static const char *check_key(const char *value)
{
	const char *at;

	for (at = value; *at; at++)
		if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f)
			return "a key of visible ASCII characters";
	return strlen(value) < KEY_LEAST ? "a key of at least 8 characters" : NULL;
}

static const char *take_key(void *settings, const char *value)
{
	serve_settings *s = settings;
	const char *expected = check_key(value);

	return expected ? expected : add_item(&s->keys, value);
}

static const char *take_origin(void *settings, const char *value)
{
	serve_settings *s = settings;
	const char *name = strstr(value, "://");

	if (strcmp(value, "*") != 0 && (!name || name[3] == 0 || strchr(name + 3, '/')))
		return "an origin such as https://example.org, without a path, or *";
	return add_item(&s->origins, value);
}

static const char *take_host(void *settings, const char *value)
{
	serve_settings *s = settings;

	if (*value == 0 || strchr(value, '/') || (strchr(value, ':') && value[0] != '['))
		return "a name such as brise.example.org, without a port";
	return add_item(&s->hosts, value);
}

#define AT(member) offsetof(serve_settings, member)

static const options_entry entries[] = {
	STRING(0, "host", place.host, "ADDRESS", NULL),
	NUMBER(0, "port", place.port, "N", 0, 65535, NULL, NULL),
	STRING(0, "unix", place.path, "PATH", "where (127.0.0.1, 8080; 0: any)"),
	TAKE(0, "api-key", take_key, "KEY", NULL),
	STRING(0, "api-key-file", key_file, "FILE", "who may ask; repeatable; one a line"),
	TAKE(0, "cors", take_origin, "ORIGIN", NULL),
	TAKE(0, "allow-host", take_host, "NAME", "pages that may ask, *: all; more names"),
	STRING('a', "alias", alias, "NAME", "what the model is called (default: its file)"),
	STRING(0, "chat-format", format, CHAT_FORMAT_VALUE, CHAT_FORMAT_HELP),
	NUMBER(0, "parallel", parallel, "N", 1, 64, NULL, NULL),
	NUMBER(0, "queue", queue, "N", 1, 100000, NULL, "answers at once (4); more that wait (64)"),
	NUMBER(0, "slice", slice, "N", 1, 4096, NULL,
	       "tokens of prompts between two of answers (64)"),
	REAL(0, "idle", idle_s, "S", 0, 1e9, "give memory back after S idle seconds (0: never)"),
	STRING(0, "cache", cache, "DIR", NULL),
	STRING(0, "cache-size", cache_size, "SIZE", NULL),
	FLAG(0, "no-cache", no_cache, "evaluated texts, 2G"),
	FLAG(0, "loose-tools", loose_tools, "take tools whose schemas are not supported"),
	FLAG(0, "move-changing-system", moves_system, "changing lines of system prompts last"),
	NUMBER(0, "max-connections", connections, "N", 1, 4096, NULL, NULL),
	STRING(0, "max-body", max_body, "SIZE", "limits (128, 8M)"),
	REAL(0, "timeout", timeout_s, "S", 0.1, 1e6, NULL),
	REAL(0, "keep-alive", keep_s, "S", 0, 1e6, "wait for slow clients (30), for requests (75)"),
	REAL(0, "grace", grace_s, "S", 0, 1e6, "finish answers for S seconds at the end (30)"),
	CHOICE(0, "log-format", log, log_choices, "a line for each request (text)"),
	FLAG(0, "no-page", no_page, NULL),
	FLAG(0, "no-drafts", no_drafts, "nothing at /; one token a pass"),
	ENGINE_OPTIONS,
};

const options_command serve_command = {
	.name = "serve",
	.operands = "MODEL",
	.summary = "Answers requests over HTTP: OpenAI's and Anthropic's APIs, and a page.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 1,
};

void serve_init_settings(serve_settings *s)
{
	server_options defaults;

	server_init_options(&defaults);
	memset(s, 0, sizeof *s);
	s->place.port = SERVE_PORT_UNSAID;
	s->connections = (uint32_t)defaults.connections;
	s->timeout_s = (float)defaults.timeout_s;
	s->keep_s = (float)defaults.keep_s;
	s->grace_s = (float)defaults.grace_s;
}

/* A key a line; empty lines and those that begin with # are none. */
static int read_keys(serve_settings *s, char **text)
{
	const char *expected;
	brise_error err;
	char *line, *next;
	size_t bytes, number = 1;

	if (input_read_text(s->key_file, text, &bytes, &err) != BRISE_OK)
		return report_status("serve", &err);
	for (line = *text; line; line = next, number++) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = 0;
		line[strcspn(line, "\r")] = 0;
		if (*line == 0 || *line == '#')
			continue;
		if ((expected = take_key(s, line)) != NULL)
			return report_error("serve", "%s: line %zu: expected %s", s->key_file,
			                    number, expected);
	}
	return s->keys.n > 0 ? COMMANDS_READY
	                     : report_error("serve", "%s: holds no key", s->key_file);
}

static int read_size(const char *option, const char *text, uint64_t *bytes)
{
	budget size;

	if (!text)
		return COMMANDS_READY;
	if (!budget_read(text, &size) || size.kind != BUDGET_BYTES)
		return report_usage("serve", "--%s: expected a size such as 2G, found '%.40s'",
		                    option, text);
	*bytes = size.bytes;
	return COMMANDS_READY;
}

int serve_check_settings(serve_settings *s, char **text, uint64_t *cache_bytes,
                         uint64_t *body_bytes)
{
	int result;

	*text = NULL;
	*cache_bytes = CACHE_BYTES;
	*body_bytes = BODY_BYTES;
	if (s->cache && s->no_cache)
		return report_usage("serve", "--cache and --no-cache: expected one of them");
	if ((result = read_size("cache-size", s->cache_size, cache_bytes)) != COMMANDS_READY ||
	    (result = read_size("max-body", s->max_body, body_bytes)) != COMMANDS_READY)
		return result;
	if (*body_bytes > UINT32_MAX)
		return report_usage("serve", "--max-body: expected at most 4G, found '%.40s'",
		                    s->max_body);
	if (s->key_file && (result = read_keys(s, text)) != COMMANDS_READY)
		return result;
	return engine_check_settings("serve", &s->engine);
}
