/* cache.h - sessions that nobody asked for: what has been evaluated, kept on disk and found
 * again by its tokens
 *
 * A folder of session files (runtime/session/file.h), one for each text. A file's name says all
 * that is needed to find it and to choose what to drop, so there is no index that could be damaged
 * or need a lock: files appear and change their names in one step, and any number of processes may
 * use the folder, be killed, or delete it.
 */
#ifndef RUNTIME_SESSION_CACHE_H
#define RUNTIME_SESSION_CACHE_H

#include "runtime/brise.h"

/* Shorter texts are evaluated again rather than kept. */
#define PROMPT_CACHE_LEAST 32u

/* Tokens that must be saved for it to be worth loading another sequence. */
#define PROMPT_CACHE_WORTH 16u

typedef struct prompt_cache {
	char *folder;
	uint64_t most_bytes;
} prompt_cache;

/* Uses a folder, which is made with its parents, for this user alone (mode 0700); most_bytes: what
 * its files may take. Refuses a folder that everybody may write to. Errors: BRISE_EIO,
 * BRISE_ENOMEM; *cache needs no closing then. */
brise_status prompt_cache_open(prompt_cache *cache, const char *folder, uint64_t most_bytes,
                               brise_error *err);
void prompt_cache_close(prompt_cache *cache);

/* Looks for the text that shares the longest prefix with tokens [n], of those evaluated by
 * sequences like *sequence, whose tokens are `held` [n_held]. If it shares more than the sequence's
 * own, *sequence becomes another one. In either case it is then ready for tokens + *kept
 * (brise_keep_prefix). The options are those that *sequence was made with. A file that is damaged
 * or cannot be read is removed from the cache.
 * Errors: BRISE_ENOMEM, BRISE_EINVAL. */
brise_status prompt_cache_take(prompt_cache *cache, brise_sequence **sequence,
                               const brise_model *model, const brise_sequence_options *options,
                               const int32_t *held, size_t n_held, const int32_t *tokens, size_t n,
                               size_t *kept, brise_error *err);

/* The first half of that: *found is the sequence of the text that shares the longest prefix, more
 * than `least` tokens, for the caller to free, with its tokens *held [*n_held] for memory_free;
 * NULL: there is none. `like` is read as far as it never changes. Errors: BRISE_ENOMEM. */
brise_status prompt_cache_find(prompt_cache *cache, const brise_sequence *like,
                               const brise_model *model, const brise_sequence_options *options,
                               const int32_t *tokens, size_t n, size_t least,
                               brise_sequence **found, int32_t **held, size_t *n_held,
                               brise_error *err);

/* Keeps a text of which all tokens [n] have been evaluated, if it is long enough and not there yet,
 * and drops the least useful of the others where they take too much. A text that is the beginning
 * of this one is dropped too. watch: as session_write takes it, NULL allowed.
 * Errors: BRISE_EIO, BRISE_ENOMEM, BRISE_ECANCELED; the folder is as it was, or smaller. */
struct session_watch;
brise_status prompt_cache_put(prompt_cache *cache, const brise_sequence *sequence,
                              const int32_t *tokens, size_t n, const struct session_watch *watch,
                              brise_error *err);

#endif
