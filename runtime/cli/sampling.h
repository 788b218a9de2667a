/* sampling.h - the options of every command that draws tokens, and making a sampler with them */
#ifndef CLI_SAMPLING_H
#define CLI_SAMPLING_H

#include "runtime/cli/engine.h"
#include "runtime/cli/options.h"

#define SAMPLING_MOST_BIASES 256
#define SAMPLING_MOST_RECENT 1000000u

/* The settings of a command that has SAMPLING_OPTIONS begin with a member `sampling` of this
 * type. */
typedef struct sampling_settings {
	brise_sampling values;
	brise_logit_bias biases[SAMPLING_MOST_BIASES];
	bool greedy, has_seed;
} sampling_settings;

options_take_fn sampling_take_seed, sampling_take_bias;

/* clang-format off */
#define SAMPLING_OPTIONS \
	REAL(0, "temperature", sampling.values.temperature, "X", 0, 100, NULL), \
	FLAG(0, "greedy", sampling.greedy, "default 0.7; 0, or greedy: always the likeliest"), \
	NUMBER(0, "top-k", sampling.values.top_k, "N", 0, 4e9, "-1", NULL), \
	REAL(0, "top-p", sampling.values.top_p, "X", 0, 1, \
	     "the N likeliest; those that make up X (0.95)"), \
	REAL(0, "min-p", sampling.values.min_p, "X", 0, 1, \
	     "those at least X times as likely as the first"), \
	REAL(0, "repetition-penalty", sampling.values.repetition_penalty, "X", 0.01, 100, \
	     "above 1: avoid recent tokens"), \
	REAL(0, "presence-penalty", sampling.values.presence_penalty, "X", -100, 100, NULL), \
	REAL(0, "frequency-penalty", sampling.values.frequency_penalty, "X", -100, 100, \
	     "subtract once; each time"), \
	NUMBER(0, "penalty-last", sampling.values.penalty_last, "N", 0, SAMPLING_MOST_RECENT, "-1", \
	       "how many tokens are recent (default 64)"), \
	TAKE(0, "logit-bias", sampling_take_bias, "ID=X", \
	     "add X to a token's logit, -inf bans; repeatable"), \
	TAKE(0, "seed", sampling_take_seed, "N", \
	     "same seed, same text (default: from the clock)")
/* clang-format on */

/* The defaults, before the options are read. */
void sampling_begin(sampling_settings *s);

/* After they are read: their consequences, and a seed if none was given. */
void sampling_finish(sampling_settings *s);

/* As brise_new_sampler, for the model. */
brise_status sampling_new(brise_sampler **out, const sampling_settings *s, const engine *e,
                          brise_error *err);

#endif
