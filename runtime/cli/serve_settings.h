/* serve_settings.h - the options of brise serve */
#ifndef CLI_SERVE_SETTINGS_H
#define CLI_SERVE_SETTINGS_H

#include "runtime/cli/engine.h"
#include "runtime/cli/serve_listen.h"

#define SERVE_LIST 256u

/* Texts of an option that repeats. */
typedef struct serve_list {
	const char *items[SERVE_LIST];
	size_t n;
} serve_list;

typedef struct serve_settings {
	engine_settings engine;
	serve_place place;
	serve_list keys, origins, hosts;
	const char *key_file, *alias, *format, *cache, *cache_size, *max_body;
	uint32_t parallel, slice, queue, connections;
	float idle_s, grace_s, timeout_s, keep_s;
	int log; /* log_format */
	bool no_page, no_cache, no_drafts, moves_system, loose_tools;
} serve_settings;

extern const options_command serve_command;

void serve_init_settings(serve_settings *s);

/* Refuses what does not go together, and reads the file of keys, whose text *text is freed by the
 * caller with memory_free, and bytes of sizes. Returns COMMANDS_READY or the exit status. */
int serve_check_settings(serve_settings *s, char **text, uint64_t *cache_bytes,
                         uint64_t *body_bytes);

#endif
