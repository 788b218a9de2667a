/* main.c - brise: finds the command and runs it */
#include "runtime/cli/commands.h"
#include "runtime/cli/nearest.h"
#include "runtime/cli/terminal.h"

#include <string.h>

static const struct {
	const char *name, *summary;
	commands_main *run;
} commands[] = {
	{ "run", "continue a text", cli_run },
	{ "convert", "turn an fp16 checkpoint into a .brise file", cli_convert },
	{ "calibrate", "learn from a text which weights matter", cli_calibrate },
	{ "export", "give a model back as GGUF or safetensors", cli_export },
	{ "info", "what a model is and what it needs", cli_info },
	{ "tokenize", "text to token ids and back", cli_tokenize },
	{ "logits", "logits of every position, for comparisons", cli_logits },
	{ "perplexity", "how well a model predicts a text", cli_perplexity },
	{ "compare", "what conversion did to every tensor", cli_compare },
	{ "bench", "speed against this machine's limits", cli_bench },
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])

static int print_help(FILE *out, int status)
{
	size_t i;

	fprintf(out, "brise " BRISE_VERSION
	             " - runs Mistral models on the CPU\n\nusage: brise COMMAND [options]\n\n");
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fprintf(out,
	        "\nbrise COMMAND --help explains a command; brise --version prints the version.\n"
	        "Results go to standard output, everything else to standard error.\n"
	        "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
	return out == stdout ? commands_end(NULL, status) : status;
}

static commands_main *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run;
	return NULL;
}

static int refuse(const char *name)
{
	const char *kind = name[0] == '-' ? "option" : "command";
	nearest_match match = { NULL, 0 };
	const char *meant;
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		nearest_offer(&match, name, commands[i].name);
	nearest_offer(&match, name, "--help");
	nearest_offer(&match, name, "--version");
	meant = nearest_choose(&match, name);
	if (meant)
		return report_usage(NULL, "unknown %s '%.60s'; did you mean %s?", kind, name,
		                    meant);
	return report_usage(NULL, "unknown %s '%.60s'; brise --help lists the commands", kind,
	                    name);
}

int main(int argc, char **argv)
{
	commands_main *command;
	char help[] = "--help";
	char *help_argv[] = { NULL, help, NULL };

	terminal_prepare();
	if (argc < 2)
		return print_help(stderr, EXIT_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    (strcmp(argv[1], "help") == 0 && argc == 2))
		return print_help(stdout, 0);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("brise " BRISE_VERSION "\n");
		return commands_end(NULL, 0);
	}
	if (strcmp(argv[1], "help") == 0) {
		command = find_command(argv[2]);
		help_argv[0] = argv[2];
		return command ? command(2, help_argv) : refuse(argv[2]);
	}
	command = find_command(argv[1]);
	return command ? command(argc - 1, argv + 1) : refuse(argv[1]);
}
