/* options_help.c - the help screen, from the table the parser uses; test/test_cli.sh checks that it
 * fits 24 x 80 */
#include "runtime/cli/options.h"

#include <string.h>

#define HELP_COLUMN 30 /* where explanations begin */

static int print_name(const options_entry *entry, bool first, FILE *out)
{
	size_t i;
	int n = 0;

	if (entry->alias)
		n += fprintf(out, "%s-%c, ", first ? "  " : ", ", entry->alias);
	else
		n += fprintf(out, "%s", first ? "      " : ", ");
	n += fprintf(out, "--%s", entry->name);
	if (entry->type == OPTION_CHOICE)
		for (i = 0; entry->choices[i]; i++)
			n += fprintf(out, "%c%s", i ? '|' : ' ', entry->choices[i]);
	else if (entry->value)
		n += fprintf(out, " %s", entry->value);
	return n;
}

void options_print_help(const options_command *command, FILE *out)
{
	static const options_entry help = {
		.name = "help", .alias = 'h', .type = OPTION_FLAG, .help = "print this"
	};
	bool first = true;
	size_t i;
	int used = 0;

	fprintf(out, "usage: brise %s %s [options]\n%s\n\n", command->name, command->operands,
	        command->summary);
	for (i = 0; i <= command->n_entries; i++) {
		const options_entry *entry = i < command->n_entries ? &command->entries[i] : &help;

		used = (first ? 0 : used) + print_name(entry, first, out);
		first = entry->help != NULL;
		if (first)
			fprintf(out, "%*s%s\n", used < HELP_COLUMN - 1 ? HELP_COLUMN - used : 2, "",
			        entry->help);
	}
}
