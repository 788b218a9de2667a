/* options.h - a command's options as one table, used for parsing and for help, so that the two
 * agree
 *
 * Long options take --name value or --name=value, short ones -n value or -nvalue; "--" ends the
 * options; "-" is an operand or a value (a standard stream). Options and operands mix in any order,
 * and the last of a repeated option counts. Names that other programs use are understood or
 * answered (synonyms.h); anything else that is not in the table, and every value that does not fit,
 * is refused with what was expected and the nearest name.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum options_type {
	OPTION_FLAG,   /* bool: true when given */
	OPTION_STRING, /* const char *: points into argv */
	OPTION_U32,    /* uint32_t in [low, high], or UINT32_MAX for the entry's word */
	OPTION_U64,    /* uint64_t, any */
	OPTION_FLOAT,  /* float in [low, high] */
	OPTION_CHOICE, /* int: index into choices */
	OPTION_TAKE    /* take() is called with the value each time, for options that repeat */
} options_type;

/* Stores one value into the command's settings. Returns NULL, or what was expected instead. */
typedef const char *options_take_fn(void *settings, const char *value);

typedef struct options_entry {
	const char *name; /* without dashes */
	char alias;       /* 0: none */
	options_type type;
	size_t offset;     /* of the variable in the command's settings */
	const char *value; /* how the help calls the value; NULL for flags and choices */
	const char *help;  /* NULL: shares the help line of the entry that follows */
	double low, high;
	const char *word; /* OPTION_U32: accepted instead of a number, as UINT32_MAX; NULL: none */
	const char *const *choices; /* NULL-terminated */
	options_take_fn *take;
} options_entry;

/* Table entries, one a line. `letter` is the short name or 0; `field` is a member of the command's
 * settings, whose offset its own macro AT(field) gives; `unit` is how the help calls the value, and
 * `text` is its help (NULL: on the line of the entry that follows). */
/* clang-format off */
#define FLAG(letter, long_name, field, text) \
	{ .name = (long_name), .alias = (letter), .type = OPTION_FLAG, .offset = AT(field), .help = (text) }
#define STRING(letter, long_name, field, unit, text) \
	{ .name = (long_name), .alias = (letter), .type = OPTION_STRING, .offset = AT(field), \
	  .value = (unit), .help = (text) }
#define NUMBER(letter, long_name, field, unit, least, most, instead, text) \
	{ .name = (long_name), .alias = (letter), .type = OPTION_U32, .offset = AT(field), \
	  .value = (unit), .low = (least), .high = (most), .word = (instead), .help = (text) }
#define REAL(letter, long_name, field, unit, least, most, text) \
	{ .name = (long_name), .alias = (letter), .type = OPTION_FLOAT, .offset = AT(field), \
	  .value = (unit), .low = (least), .high = (most), .help = (text) }
#define CHOICE(letter, long_name, field, names, text) \
	{ .name = (long_name), .alias = (letter), .type = OPTION_CHOICE, .offset = AT(field), \
	  .choices = (names), .help = (text) }
#define TAKE(letter, long_name, function, unit, text) \
	{ .name = (long_name), .alias = (letter), .type = OPTION_TAKE, .take = (function), \
	  .value = (unit), .help = (text) }
/* clang-format on */

typedef struct options_command {
	const char *name;     /* "run" */
	const char *operands; /* "MODEL [PROMPT]" */
	const char *summary;  /* lines without a final line feed */
	const options_entry *entries;
	size_t n_entries;
	int min_operands, max_operands;
	const char *surplus; /* what one operand too many may be meant for; NULL: nothing is said */
} options_command;

typedef enum options_outcome { OPTIONS_READY, OPTIONS_HELP, OPTIONS_WRONG } options_outcome;

typedef struct options_result {
	char **operands; /* the argv it came from, from index 1 on, operands moved to the front */
	int n_operands;
	char message[256]; /* what is wrong, without a line feed */
	char ignored[128]; /* options of other programs that change nothing here, or "" */
} options_result;

/* Reads argv[1..argc) into *settings, which holds the defaults already. --help and -h are
 * understood without an entry. */
options_outcome options_parse(const options_command *command, int argc, char **argv, void *settings,
                              options_result *result);

/* Prints usage, summary and one line per option (fewer where entries share one). */
void options_print_help(const options_command *command, FILE *out);

#endif
