/* engine.h - the options of every command that evaluates, and opening a model with them */
#ifndef CLI_ENGINE_H
#define CLI_ENGINE_H

#include "runtime/brise.h"
#include "runtime/cli/options.h"

#define ENGINE_THREADS_AUTO UINT32_MAX
#define ENGINE_CONTEXT_TRAINED                                                                     \
	UINT32_MAX /* --context 0: as many positions as the model was trained for */

typedef struct engine_settings {
	/* 0: the default; threads also ENGINE_THREADS_AUTO, context also ENGINE_CONTEXT_TRAINED */
	uint32_t threads, chunk, context, window, sinks;
	int kv;                    /* brise_kv_type */
	const char *arch, *memory; /* memory: as budget_read takes it */
	/* no options: tokens to evaluate together at first, 0: unknown; where a command has several
	 * models, what the budget says of them */
	size_t prompt;
	double share;
	uint64_t available;
} engine_settings;

extern const char *const engine_kv_choices[];

/* Table entries for a command whose settings hold an engine_settings called `engine`. */
/* clang-format off */
#define ENGINE_OPTIONS ENGINE_OPTIONS_BUT_CONTEXT, \
	NUMBER(0, "context", engine.context, "N", 1, 1 << 24, "0", \
	       "positions kept by models without a window")

#define ENGINE_OPTIONS_BUT_CONTEXT \
	NUMBER('t', "threads", engine.threads, "N", 1, 256, "auto", \
	       "threads (default: fast cores; auto: measured now)"), \
	NUMBER(0, "chunk", engine.chunk, "N", 1, 4096, NULL, \
	       "tokens per pass over the weights (default 256)"), \
	STRING(0, "memory", engine.memory, "SIZE", \
	       "all, min, or as 3G (default: what is free)"), \
	NUMBER(0, "window", engine.window, "N", 1, 1 << 24, NULL, NULL), \
	NUMBER(0, "sinks", engine.sinks, "N", 0, 32, NULL, \
	       "attend to the last N tokens, and to the first N"), \
	CHOICE(0, "kv", engine.kv, engine_kv_choices, "keys and values (default int8)"), \
	STRING(0, "arch", engine.arch, "NAME", "kernel set; brise info lists them")
/* clang-format on */

/* What --arch says, else BRISE_ARCH from the environment; NULL: neither. The library itself never
 * reads the environment. */
const char *engine_choose_arch(const char *option);

/* Refuses an unknown kernel set, from --arch or BRISE_ARCH, and a size of memory that is none.
 * Returns COMMANDS_READY or
 * EXIT_USAGE. */
int engine_check_settings(const char *command, const engine_settings *settings);

/* A model with an engine and a sequence. Zero-initialised or opened; engine_close takes both. */
typedef struct engine {
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	brise_sequence_options options; /* that the sequence was made with */
	const brise_model_facts *facts;
} engine;

/* Refuses what is no path but a model's name elsewhere: "mistral", "mistral:7b",
 * "mistralai/Mistral-7B-v0.1". `what` is how messages call it: "MODEL". Returns COMMANDS_READY or
 * the exit status. */
int engine_check_name(const char *command, const char *what, const char *path);

/* Opens the model alone. Returns COMMANDS_READY or the exit status, with the error printed. */
int engine_open_model(engine *e, const char *command, const char *path);

/* How many threads serve this machine best, by measurement; --threads auto asks for it. Returns
 * COMMANDS_READY or the exit status, with the error printed. */
int engine_measure_threads(uint32_t *threads, const char *command, const engine_settings *settings);

/* What the settings say about an engine and its sequences, for commands that make them otherwise.
 * Returns COMMANDS_READY or the exit status, with the error printed. */
int engine_choose_options(const engine *e, const char *command, const engine_settings *settings,
                          brise_engine_options *engine_options,
                          brise_sequence_options *sequence_options);

/* Makes its engine and sequence. Where weights are streamed and settings->prompt is known, passes
 * over it become longer than usual if that makes it faster. Returns COMMANDS_READY or the exit
 * status, with the error printed. */
int engine_open_sequence(engine *e, const char *command, const engine_settings *settings);

/* The same, for one stream of n tokens: a model without a window gets room for all of them unless
 * the settings say otherwise. */
int engine_open_sequence_for(engine *e, const char *command, const engine_settings *settings,
                             size_t n);

/* The begin token, if the model has one, and the text's tokens. *ids: from memory_new, [*n], freed
 * by the caller. Returns COMMANDS_READY or the exit status, with the error printed; a file without
 * a tokenizer is one. */
int engine_encode_text(const engine *e, const char *command, const char *text, size_t bytes,
                       int32_t **ids, size_t *n);

/* What clients are told the model is called: the file's name without folders and ".brise". */
void engine_name_model(const char *path, char *name, size_t size);

void engine_close(engine *e);

#endif
