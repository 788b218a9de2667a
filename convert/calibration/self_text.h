/* self_text.h - a text for calibration that the model writes itself */
#ifndef CONVERT_CALIBRATION_SELF_TEXT_H
#define CONVERT_CALIBRATION_SELF_TEXT_H

#include "runtime/brise.h"

/* Called from the calling thread: tokens written so far. */
typedef void self_text_progress_fn(void *user, size_t done, size_t all);

typedef struct self_text_options {
	size_t tokens; /* at least 1 */
	uint64_t seed;
	uint32_t threads; /* 0: one per core this process may use */
	const char *arch; /* NULL: the best */
	self_text_progress_fn *progress;
	brise_cancel_fn *cancel;
	void *user;
} self_text_options;

/* Many short texts one after another, each drawn at temperature 1, from the begin token alone or
 * with a short opening behind it: prose, questions, lists, code, other languages. A model without
 * a tokenizer begins them all with the begin token.
 *
 * *ids: [tokens], memory_free'd by the caller; the same for the same model and seed on every
 * machine, for any number of threads.
 * Errors: BRISE_EINVAL neither begin token nor tokenizer; BRISE_ENOMEM, BRISE_EIO,
 * BRISE_ECANCELED. */
brise_status self_text_write(const brise_model *model, const self_text_options *options,
                             int32_t **ids, brise_error *err);

#endif
