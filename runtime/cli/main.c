/* main.c - brise: finds the command and runs it */
#include "arch/float_env.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/nearest.h"
#include "runtime/cli/synonyms.h"
#include "runtime/cli/terminal.h"

#include <string.h>

static const struct {
	const char *name, *summary;
	commands_main *run;
} commands[] = {
	{ "run", "continue a prompt", cli_run },
	{ "chat", "talk with an instruct model", cli_chat },
	{ "serve", "answer requests over HTTP, and show a page", cli_serve },
	{ "batch", "answer the requests of a file", cli_batch },
	{ "convert", "turn a checkpoint into a .brise file", cli_convert },
	{ "calibrate", "measure on a text which weights matter", cli_calibrate },
	{ "export", "write a model as GGUF or safetensors", cli_export },
	{ "info", "print a model's configuration and memory needs", cli_info },
	{ "tokenize", "turn text into token ids, or ids into text", cli_tokenize },
	{ "logits", "write the logits of every position", cli_logits },
	{ "perplexity", "measure how well a model predicts a text", cli_perplexity },
	{ "compare", "print what conversion changed in every tensor", cli_compare },
	{ "bench", "measure speed and this machine's limits", cli_bench },
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
	        "Exit status: 0 done, 1 failed, 2 wrong usage, 128 + N ended by signal N.\n");
	return out == stdout ? commands_end(NULL, status) : status;
}

static commands_main *find_command(const char *name)
{
	const synonym *other = synonyms_find_command(name);
	size_t i;

	if (other && other->kind == SYNONYM_OPTION)
		name = other->ours;
	for (i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run;
	return NULL;
}

static int refuse(const char *name)
{
	const char *kind = name[0] == '-' ? "option" : "command";
	const synonym *other = synonyms_find_command(name);
	nearest_match match = { NULL, 0 };
	const char *meant;
	size_t i;

	if (other)
		return report_usage(NULL, "%s: %s", name, other->ours);
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

/* Whether these are the arguments of `run` without the command, as other programs take them: a
 * model file first, or -m or -p anywhere. */
static bool is_run(int argc, char **argv)
{
	size_t length = strlen(argv[1]);
	int i;

	if (argv[1][0] != '-')
		return (length > 6 && strcmp(argv[1] + length - 6, ".brise") == 0) ||
		       (length > 5 && strcmp(argv[1] + length - 5, ".gguf") == 0);
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "-p") == 0 || strcmp(argv[i], "--prompt") == 0 ||
		    strcmp(argv[i], "-m") == 0 || strcmp(argv[i], "--model") == 0 ||
		    strncmp(argv[i], "--model=", 8) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	commands_main *command;
	char help[] = "--help";
	char *help_argv[] = { NULL, help, NULL };

	terminal_prepare();
	(void)float_env_enter(); /* numbers in options and files, too */
	if (argc < 2)
		return print_help(stderr, EXIT_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    (strcmp(argv[1], "help") == 0 && (argc == 2 || strcmp(argv[2], "help") == 0)))
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
	if (command)
		return command(argc - 1, argv + 1);
	return is_run(argc, argv) ? cli_run(argc, argv) : refuse(argv[1]);
}
