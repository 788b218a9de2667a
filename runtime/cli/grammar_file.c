/* grammar_file.c - see grammar_file.h */
#include "runtime/cli/grammar_file.h"

#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/input.h"
#include "runtime/os/memory.h"

int grammar_files_check(const char *command, const grammar_files *files, bool ignores_ends)
{
	const char *path = files->schema ? files->schema : files->grammar;

	if (files->schema && files->grammar)
		return report_usage(command, "--schema, --grammar: expected one of them");
	if (path && !strcmp(path, "-"))
		return report_usage(command, "--schema, --grammar: expected a file, standard input "
		                             "has the text");
	if (path && ignores_ends)
		return report_usage(command, "--ignore-eos: expected without --schema and "
		                             "--grammar, which say where a text ends");
	return COMMANDS_READY;
}

int grammar_files_open(brise_grammar **out, const char *command, const grammar_files *files,
                       const brise_tokenizer *tokenizer)
{
	const char *path = files->schema ? files->schema : files->grammar;
	brise_grammar_options options;
	brise_status status;
	brise_error err;
	char *text;

	*out = NULL;
	if (!path)
		return COMMANDS_READY;
	if (!tokenizer)
		return report_error(command, "--schema, --grammar: the model has no tokenizer");
	brise_init_grammar_options(&options, sizeof options);
	options.kind = files->schema ? BRISE_GRAMMAR_SCHEMA : BRISE_GRAMMAR_GBNF;
	options.name = path;
	if (input_read_text(path, &text, &options.bytes, &err) != BRISE_OK)
		return report_status(command, &err);
	options.text = text;
	status = brise_new_grammar(out, tokenizer, &options, &err);
	memory_free(text);
	return status == BRISE_OK ? COMMANDS_READY : report_status(command, &err);
}
