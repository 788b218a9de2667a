/* session.h - run --session: a text that is kept in a file, with its keys and values */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "runtime/cli/engine.h"

/* Zero-initialised: none. */
typedef struct session {
	const char *path; /* NULL: the text is not kept */
	int32_t *tokens;  /* [n] of the text, room for [most] */
	size_t n, most;
} session;

/* Takes what the file holds in place of e->sequence; without a file nothing changes. sampler: gets
 * its saved state; NULL: keeps its own. Returns COMMANDS_READY or the exit status, with the error
 * printed. */
int session_load(session *s, const char *command, engine *e, const engine_settings *settings,
                 brise_sampler *sampler);

/* The text becomes tokens [n], of which *kept need no evaluation any more. Returns as
 * session_load. */
int session_begin(session *s, const char *command, engine *e, const int32_t *tokens, size_t n,
                  size_t *kept);

/* A token was drawn. False: no memory. */
bool session_add(session *s, int32_t token);

/* Saves the text as far as it goes. Returns 0 or the exit status, with the error printed. */
int session_save(const session *s, const char *command, const engine *e,
                 const brise_sampler *sampler);

void session_free(session *s);

#endif
