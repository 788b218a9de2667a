/* session.h - what the prompt cache asks of sessions beside the public functions */
#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

#include "runtime/brise.h"

/* A number that depends on everything that must be the same for a session to be continued: the
 * model's file, the numeric contract, and how the sequence was made. */
uint64_t session_identity(const brise_sequence *sequence);

/* Bytes of keys, values and n tokens in the sequence's session as it is now. */
uint64_t session_bytes(const brise_sequence *sequence, size_t n);

/* How a thread saves a sequence that others would use again soon. Each may be NULL. */
typedef struct session_watch {
	bool (*is_cancelled)(void *user); /* asked first, and every few MB */
	void (*was_read)(void *user);     /* the sequence is needed no more; the disk may take
	                                   * longer. Not called after an error before that */
	void *user;
} session_watch;

/* brise_save_session without a sampler; watch may be NULL.
 * Errors: BRISE_ECANCELED, and as brise_save_session. */
brise_status session_write(const char *path, const brise_sequence *sequence, const int32_t *tokens,
                           size_t n, const session_watch *watch, brise_error *err);

/* The tokens of a session of this model, without its keys and values. *tokens [*n]: memory_free'd
 * by the caller. Errors: as brise_load_session. */
brise_status session_read_tokens(const char *path, const brise_model *model, int32_t **tokens,
                                 size_t *n, brise_error *err);

#endif
