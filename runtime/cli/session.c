/* session.c - loading, extending and saving the text of run --session */
#include "runtime/cli/session.h"

#include <errno.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/target.h"

/* What the command line says of the cache, or nothing: then it is as it was saved. */
static const brise_sequence_options *options_for(const engine *e, const engine_settings *settings,
                                                 brise_sequence_options *o)
{
	const brise_sequence_facts *f = brise_get_sequence_facts(e->sequence);
	uint64_t slack = f->slack > 0 ? f->slack : f->window > 0 ? f->slots - f->window : 0;

	if (settings->kv == 0 && settings->context == 0 && settings->window == 0 &&
	    settings->sinks == 0)
		return NULL;
	*o = (brise_sequence_options){ .size = sizeof *o,
		                       .kv = settings->kv == 0 ? BRISE_KV_INT8 : BRISE_KV_F32,
		                       .window = (uint32_t)f->window,
		                       .context = f->window > 0 ? 0 : (uint32_t)f->slots,
		                       .slack = slack < 4096 ? (uint32_t)slack : 4096,
		                       .sinks = f->sinks };
	return o;
}

/* What could not be saved at the end is said before anything is evaluated. */
static brise_status check_place(const char *path, brise_error *err)
{
	brise_status status = target_check(path, NULL, err);
	char *place = status == BRISE_OK ? target_resolve(path) : NULL, *slash = NULL;

	if (place && (slash = strrchr(place, '/')) != NULL)
		slash[slash == place] = 0; /* the root keeps its name */
	if (place && !os_may_write(slash ? place : "."))
		status = error_errno(err, "%s: cannot be saved there", path);
	memory_free(place);
	return status;
}

int session_load(session *s, const char *command, engine *e, const engine_settings *settings,
                 brise_sampler *sampler)
{
	brise_sequence_options options;
	brise_sequence *sequence;
	brise_error err;
	os_facts facts;

	if (!s->path)
		return COMMANDS_READY;
	if (check_place(s->path, &err) != BRISE_OK)
		return report_status(command, &err);
	if (!os_examine(s->path, &facts) && errno == ENOENT)
		return COMMANDS_READY;
	if (brise_load_session(&sequence, &s->tokens, &s->n, s->path, e->model,
	                       options_for(e, settings, &options), sampler, &err) != BRISE_OK)
		return report_status(command, &err);
	s->most = s->n;
	brise_free_sequence(e->sequence);
	e->sequence = sequence;
	return COMMANDS_READY;
}

int session_begin(session *s, const char *command, engine *e, const int32_t *tokens, size_t n,
                  size_t *kept)
{
	int32_t *text;
	brise_error err;

	*kept = 0;
	if (!s->path)
		return COMMANDS_READY;
	if (brise_keep_prefix(e->sequence, s->tokens, s->n, tokens, n, kept, &err) != BRISE_OK)
		return report_status(command, &err);
	text = memory_copy(tokens, n * sizeof *tokens);
	if (!text)
		return report_error(command, "no memory for a text of %zu tokens", n);
	memory_free(s->tokens);
	s->tokens = text;
	s->n = s->most = n;
	return COMMANDS_READY;
}

bool session_add(session *s, int32_t token)
{
	int32_t *text;

	if (!s->path)
		return true;
	if (s->n == s->most) {
		text = memory_resize(s->tokens, 2 * s->most + 64, sizeof *text);
		if (!text)
			return false;
		s->tokens = text;
		s->most = 2 * s->most + 64;
	}
	s->tokens[s->n++] = token;
	return true;
}

int session_save(const session *s, const char *command, const engine *e,
                 const brise_sampler *sampler)
{
	brise_error err;

	if (!s->path ||
	    brise_save_session(s->path, e->sequence, s->tokens, s->n, sampler, &err) == BRISE_OK)
		return 0;
	return report_status(command, &err);
}

void session_free(session *s)
{
	memory_free(s->tokens);
	memset(s, 0, sizeof *s);
}
