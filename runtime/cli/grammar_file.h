/* grammar_file.h - the options of every command that draws text by a grammar */
#ifndef CLI_GRAMMAR_FILE_H
#define CLI_GRAMMAR_FILE_H

#include "runtime/brise.h"
#include "runtime/cli/options.h"

/* Files of --schema and --grammar; NULL: not given. */
typedef struct grammar_files {
	const char *schema, *grammar;
} grammar_files;

/* The settings of a command that has GRAMMAR_OPTIONS have a member `grammars` of this type. */
/* clang-format off */
#define GRAMMAR_OPTIONS \
	STRING(0, "schema", grammars.schema, "FILE", NULL), \
	STRING(0, "grammar", grammars.grammar, "FILE", "text by a JSON schema; by a GBNF grammar")
/* clang-format on */

/* Checks the options: one of them, with end tokens. Returns COMMANDS_READY or the exit status, with
 * the error printed. */
int grammar_files_check(const char *command, const grammar_files *files, bool ignores_ends);

/* Reads and compiles what is given. *out: freed with brise_free_grammar; NULL: nothing is. Returns
 * as above. */
int grammar_files_open(brise_grammar **out, const char *command, const grammar_files *files,
                       const brise_tokenizer *tokenizer);

#endif
