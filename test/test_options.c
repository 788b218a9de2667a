/* test_options.c - options of the command line, and those of other programs */
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/options.h"
#include "test/check.h"

static check_counts counts;

/* ---- options --------------------------------------------------------------------------------- */

typedef struct settings {
	bool loud;
	const char *file;
	uint32_t number;
	uint64_t large;
	float real;
	int kind;
	char taken[64];
} settings;

static const char *take_word(void *target, const char *value)
{
	settings *s = target;

	if (strcmp(value, "bad") == 0)
		return "anything but bad";
	(void)strncat(s->taken, value, sizeof s->taken - strlen(s->taken) - 1);
	return NULL;
}

static const char *const kinds[] = { "int8", "f32", "sparse", NULL };

#define AT(member) offsetof(settings, member)

static const options_entry entries[] = {
	FLAG('l', "loud", loud, "flag"),
	STRING('f', "file", file, "FILE", "string"),
	NUMBER('n', "number", number, "N", 1, 256, NULL, "whole"),
	{ .name = "large", .type = OPTION_U64, .offset = AT(large), .value = "N" },
	REAL(0, "real", real, "X", -2, 2.5, "two on a line"),
	CHOICE(0, "kind", kind, kinds, "choice"),
	TAKE('w', "word", take_word, "W", "repeats"),
};

static const options_command command = { .name = "try",
	                                 .operands = "ONE [TWO]",
	                                 .summary = "Tries.",
	                                 .entries = entries,
	                                 .n_entries = sizeof entries / sizeof *entries,
	                                 .min_operands = 1,
	                                 .max_operands = 2 };

#define MOST_WORDS 24

typedef struct attempt {
	settings s;
	options_result result;
	options_outcome outcome;
	char line[512];
	char *argv[MOST_WORDS + 1];
} attempt;

/* Words are separated by single blanks; "@" stands for an empty word. */
static void parse_line(attempt *a, const char *line)
{
	int argc = 0;
	char *word, *rest = a->line;

	memset(a, 0, sizeof *a);
	(void)snprintf(a->line, sizeof a->line, "try %s", line);
	while (argc < MOST_WORDS && (word = strsep(&rest, " ")) != NULL)
		if (strcmp(word, "@") == 0)
			a->argv[argc++] = word + 1;
		else if (*word)
			a->argv[argc++] = word;
	a->outcome = options_parse(&command, argc, a->argv, &a->s, &a->result);
}

static bool is_text(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static void check_accepted(void)
{
	attempt a;

	parse_line(
	        &a,
	        "m --loud --file x --number 7 --large 18446744073709551615 --real -1.5 --kind f32");
	CHECK(&counts, a.outcome == OPTIONS_READY, "every kind is read: %s", a.result.message);
	CHECK(&counts,
	      a.s.loud && is_text(a.s.file, "x") && a.s.number == 7 && a.s.large == UINT64_MAX &&
	              a.s.real == -1.5f && a.s.kind == 1,
	      "every kind arrives where it belongs");
	CHECK(&counts, a.result.n_operands == 1 && is_text(a.result.operands[0], "m"),
	      "the operand is left");
	parse_line(&a, "--file=x --number=256 --real=2.5 --kind=int8 --word=a m --large=0");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && is_text(a.s.file, "x") && a.s.number == 256 &&
	              a.s.real == 2.5f && a.s.kind == 0 && is_text(a.s.taken, "a"),
	      "--name=value is read: %s", a.result.message);
	parse_line(&a, "-fx -n9 -wa -w b -l m");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && is_text(a.s.file, "x") && a.s.number == 9 &&
	              is_text(a.s.taken, "ab") && a.s.loud,
	      "-nvalue and -n value are read: %s", a.result.message);
	parse_line(&a, "-n 1 --number 2 --number=3 m -f a -f b");
	CHECK(&counts, a.outcome == OPTIONS_READY && a.s.number == 3 && is_text(a.s.file, "b"),
	      "the last of a repeated option counts: %s", a.result.message);
	parse_line(&a, "m --word a --word=b -wc");
	CHECK(&counts, a.outcome == OPTIONS_READY && is_text(a.s.taken, "abc"),
	      "a taken option sees every value: %s", a.result.message);
	parse_line(&a, "--file=a=b m");
	CHECK(&counts, a.outcome == OPTIONS_READY && is_text(a.s.file, "a=b"),
	      "only the first = separates: %s", a.result.message);
	parse_line(&a, "--file= m");
	CHECK(&counts, a.outcome == OPTIONS_WRONG && strstr(a.result.message, "an empty word"),
	      "--file= names no file: %s", a.result.message);
	parse_line(&a, "--file=--x m");
	CHECK(&counts, a.outcome == OPTIONS_READY && is_text(a.s.file, "--x"),
	      "after = a value may begin with dashes: %s", a.result.message);
	parse_line(&a, "m -f -x");
	CHECK(&counts, a.outcome == OPTIONS_READY && is_text(a.s.file, "-x"),
	      "a value may begin with one dash: %s", a.result.message);
}

static void check_operands(void)
{
	attempt a;

	parse_line(&a, "-f - -");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && is_text(a.s.file, "-") && a.result.n_operands == 1 &&
	              is_text(a.result.operands[0], "-"),
	      "- is a value and an operand: %s", a.result.message);
	parse_line(&a, "one -l two -n 3");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && a.result.n_operands == 2 &&
	              is_text(a.result.operands[0], "one") && is_text(a.result.operands[1], "two"),
	      "operands and options mix: %s", a.result.message);
	parse_line(&a, "-l -- --loud -n");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && a.result.n_operands == 2 &&
	              is_text(a.result.operands[0], "--loud") &&
	              is_text(a.result.operands[1], "-n"),
	      "-- ends the options: %s", a.result.message);
	parse_line(&a, "-- -- --");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && a.result.n_operands == 2 &&
	              is_text(a.result.operands[1], "--"),
	      "after -- another -- is an operand: %s", a.result.message);
	parse_line(&a, "m @");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && a.result.n_operands == 2 &&
	              is_text(a.result.operands[1], ""),
	      "an empty word is an operand: %s", a.result.message);
	parse_line(&a, "");
	CHECK(&counts, a.outcome == OPTIONS_WRONG && strstr(a.result.message, "ONE [TWO]"),
	      "too few operands: %s", a.result.message);
	parse_line(&a, "@ -l");
	CHECK(&counts,
	      a.outcome == OPTIONS_WRONG && strstr(a.result.message, "found an empty name"),
	      "an empty name where one must be: %s", a.result.message);
	parse_line(&a, "a b c");
	CHECK(&counts, a.outcome == OPTIONS_WRONG && strstr(a.result.message, "'c'"),
	      "too many operands: %s", a.result.message);
	parse_line(&a, "--help");
	CHECK(&counts, a.outcome == OPTIONS_HELP, "--help needs no operand");
	parse_line(&a, "a b c d -h");
	CHECK(&counts, a.outcome == OPTIONS_HELP, "-h comes before counting");
	parse_line(&a, "-- -h");
	CHECK(&counts, a.outcome == OPTIONS_READY && is_text(a.result.operands[0], "-h"),
	      "-h after -- is an operand");
}

/* Lines that are wrong, and what their message must hold. */
static void check_refused(void)
{
	static const struct {
		const char *line, *says;
	} lines[] = {
		{ "m --laud", "unknown option --laud; did you mean --loud?" },
		{ "m --lou", "did you mean --loud?" },
		{ "m -loud", "takes no value" },
		{ "m -kind f32", "did you mean --kind?" },
		{ "m --numbre=7", "unknown option --numbre; did you mean --number?" },
		{ "m --hlep", "did you mean --help?" },
		{ "m --help=yes", "--help takes no value" },
		{ "m --entirely-else",
		  "unknown option --entirely-else; brise try --help lists them" },
		{ "m -z", "unknown option -z; brise try --help lists them" },
		{ "m --=3", "unknown option --" },
		{ "m --loud=yes", "--loud takes no value, found 'yes'" },
		{ "m --loud=", "--loud takes no value" },
		{ "m -lx", "-l takes no value, found 'x'" },
		{ "m --file", "--file: expected a value, found nothing" },
		{ "m -f", "--file: expected a value, found nothing" },
		{ "m --file --loud", "--file: expected a value, found '--loud'" },
		{ "m --file --", "--file: expected a value" },
		{ "m -n 0", "--number: expected a whole number from 1 to 256, found '0'" },
		{ "m -n 257", "from 1 to 256, found '257'" },
		{ "m -n -1", "from 1 to 256, found '-1'" },
		{ "m -n 4294967297", "from 1 to 256, found '4294967297'" },
		{ "m -n 1.5", "from 1 to 256" },
		{ "m -n 0x10", "from 1 to 256" },
		{ "m -n 7b", "from 1 to 256" },
		{ "m -n +7", "from 1 to 256" },
		{ "m -n @", "from 1 to 256, found ''" },
		{ "m --number=", "from 1 to 256, found ''" },
		{ "m --large 18446744073709551616", "--large: expected a whole number below 2^64" },
		{ "m --large -1", "below 2^64, found '-1'" },
		{ "m --real 2.51", "--real: expected a number from -2 to 2.5, found '2.51'" },
		{ "m --real nan", "from -2 to 2.5, found 'nan'" },
		{ "m --real inf", "from -2 to 2.5, found 'inf'" },
		{ "m --real 1,5", "found '1,5'" },
		{ "m --kind f16", "--kind: expected int8, f32 or sparse, found 'f16'" },
		{ "m --kind f23", "did you mean f32?" },
		{ "m --kind in8", "did you mean int8?" },
		{ "m --kind @", "found ''" },
		{ "m --word bad", "--word: expected anything but bad, found 'bad'" },
	};
	attempt a;
	size_t i;

	for (i = 0; i < sizeof lines / sizeof *lines; i++) {
		parse_line(&a, lines[i].line);
		CHECK(&counts,
		      a.outcome == OPTIONS_WRONG && strstr(a.result.message, lines[i].says),
		      "'%s' says '%s', not '%s'", lines[i].line, lines[i].says, a.result.message);
	}
	parse_line(&a, "m --kind f32 --number 5 --number 999 --kind f64");
	CHECK(&counts, a.s.number == 5 && a.s.kind == 1, "a refused value changes nothing");
}

static void check_long_words(void)
{
	static char name[4000], equals[4000], value[4000], tool[] = "try", option[] = "--kind";
	char *words[][4] = { { tool, name, NULL, NULL },
		             { tool, equals, NULL, NULL },
		             { tool, option, value, NULL } };
	settings s = { .loud = false };
	options_result result;
	size_t i;

	memset(name, 'x', sizeof name - 1);
	memcpy(name, "--", 2);
	memcpy(equals, "--kind=", 7);
	memset(equals + 7, 'y', sizeof equals - 8);
	memset(value, 'z', sizeof value - 1);
	for (i = 0; i < 3; i++)
		CHECK(&counts,
		      options_parse(&command, i == 2 ? 3 : 2, words[i], &s, &result) ==
		                      OPTIONS_WRONG &&
		              strlen(result.message) < 200,
		      "a word of 4000 bytes is refused in a short message (%zu)", i);
}

static void check_help(void)
{
	char *text = NULL;
	size_t bytes = 0, i;
	FILE *out = open_memstream(&text, &bytes);
	char name[32];

	options_print_help(&command, out);
	(void)fclose(out);
	for (i = 0; i < command.n_entries; i++) {
		(void)snprintf(name, sizeof name, "--%s", entries[i].name);
		CHECK(&counts, strstr(text, name) != NULL, "the help names %s", name);
	}
	CHECK(&counts, strstr(text, "usage: brise try ONE [TWO] [options]\nTries.\n") == text,
	      "the help begins with usage: %s", text);
	CHECK(&counts, strstr(text, "--large N, --real X") != NULL,
	      "an entry without help shares the next one's line");
	CHECK(&counts, strstr(text, "--kind int8|f32|sparse") != NULL, "choices are listed");
	free(text);
}

/* ---- other programs' options ----------------------------------------------------------------- */

typedef struct run_like {
	uint32_t tokens, context, chunk, penalty_last;
	float temperature, repetition_penalty;
	bool stats;
	char taken[64];
} run_like;

static const char *take_seed(void *target, const char *value)
{
	run_like *s = target;

	(void)snprintf(s->taken, sizeof s->taken, "%s", value);
	return NULL;
}

#undef AT
#define AT(member) offsetof(run_like, member)

static const options_entry run_entries[] = {
	NUMBER('n', "tokens", tokens, "N", 0, 4e9, "-1", "limit"),
	NUMBER(0, "context", context, "N", 1, 1e6, "0", "positions"),
	NUMBER(0, "chunk", chunk, "N", 1, 4096, NULL, "pass"),
	NUMBER(0, "penalty-last", penalty_last, "N", 0, 1e6, "-1", "recent"),
	REAL(0, "temperature", temperature, "X", 0, 100, "heat"),
	REAL(0, "repetition-penalty", repetition_penalty, "X", 0.01, 100, "repeats"),
	FLAG(0, "stats", stats, "speed"),
	TAKE(0, "seed", take_seed, "N", "seed"),
};

static const options_command run_command = { .name = "run",
	                                     .operands = "MODEL [PROMPT]",
	                                     .summary = "Runs.",
	                                     .entries = run_entries,
	                                     .n_entries = sizeof run_entries / sizeof *run_entries,
	                                     .min_operands = 1,
	                                     .max_operands = 2 };

typedef struct run_attempt {
	run_like s;
	options_result result;
	options_outcome outcome;
	char line[256];
	char *argv[MOST_WORDS];
} run_attempt;

static void parse_run(run_attempt *a, const char *line)
{
	char *word, *rest = a->line;
	int argc = 0;

	memset(a, 0, sizeof *a);
	(void)snprintf(a->line, sizeof a->line, "run %s", line);
	while (argc < MOST_WORDS && (word = strsep(&rest, " ")) != NULL)
		a->argv[argc++] = word;
	a->outcome = options_parse(&run_command, argc, a->argv, &a->s, &a->result);
}

static bool has_operands(const run_attempt *a, const char *model, const char *prompt)
{
	return a->outcome == OPTIONS_READY && a->result.n_operands == 1 + (prompt != NULL) &&
	       is_text(a->result.operands[0], model) &&
	       (!prompt || is_text(a->result.operands[1], prompt));
}

static void check_model_and_prompt_as_options(void)
{
	static const struct {
		const char *line, *model, *prompt;
	} lines[] = {
		{ "-m a -p b", "a", "b" },
		{ "-p b -m a", "a", "b" },
		{ "a -p b", "a", "b" },
		{ "-p b a", "a", "b" },
		{ "-m a b", "a", "b" },
		{ "b -m a", "a", "b" },
		{ "--model=a --prompt=b", "a", "b" },
		{ "--model a --prompt b", "a", "b" },
		{ "-m a", "a", NULL },
		{ "-ma -pb", "a", "b" },
		{ "-m a -m c -p b", "c", "b" },
		{ "-m a -n 5 -p -b", "a", "-b" },
	};
	run_attempt a;
	size_t i;

	for (i = 0; i < sizeof lines / sizeof *lines; i++) {
		parse_run(&a, lines[i].line);
		CHECK(&counts, has_operands(&a, lines[i].model, lines[i].prompt),
		      "'%s' names model and prompt: %s", lines[i].line, a.result.message);
	}
	parse_run(&a, "-m a b c");
	CHECK(&counts, a.outcome == OPTIONS_WRONG && strstr(a.result.message, "'c'"),
	      "-m a b c is one operand too many: %s", a.result.message);
	parse_run(&a, "a b -p c");
	CHECK(&counts, a.outcome == OPTIONS_WRONG && strstr(a.result.message, "'c'"),
	      "two prompts are one too many: %s", a.result.message);
	parse_run(&a, "-p b");
	CHECK(&counts, a.outcome == OPTIONS_WRONG && strstr(a.result.message, "found no MODEL"),
	      "-p alone lacks a model: %s", a.result.message);
}

static void check_synonyms(void)
{
	run_attempt a;

	parse_run(&a, "a --n-predict 7 --ctx-size 99 --batch-size 8 --temp 0.5 --repeat-penalty "
	              "1.5 --repeat-last-n 3 -s 4");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && a.s.tokens == 7 && a.s.context == 99 &&
	              a.s.chunk == 8 && a.s.temperature == 0.5f && a.s.penalty_last == 3 &&
	              a.s.repetition_penalty == 1.5f && is_text(a.s.taken, "4"),
	      "other programs' long names are understood: %s", a.result.message);
	parse_run(&a,
	          "a -n -1 -c 0 -ub 16 --repeat_last_n=-1 --n_predict=9 --repetition_penalty 2");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && a.s.tokens == 9 && a.s.context == UINT32_MAX &&
	              a.s.chunk == 16 && a.s.penalty_last == UINT32_MAX &&
	              a.s.repetition_penalty == 2,
	      "and short ones, underscores and their values: %s", a.result.message);
	parse_run(&a, "a -c4096 -n-1 --verbose --log-disable -no-cnv --no-warmup -ngl 0 --keep=0");
	CHECK(&counts,
	      a.outcome == OPTIONS_READY && a.s.tokens == UINT32_MAX && a.s.context == 4096 &&
	              a.s.stats,
	      "what asks for nothing else is taken: %s", a.result.message);
}

static void check_ignored(void)
{
	static const char *const lines[] = { "a -ngl 99 -c 16",
		                             "a -ngl=99 -c 16",
		                             "a --n_gpu_layers=1 -c 16",
		                             "a -fa -c 16",
		                             "a -fa on -c 16",
		                             "a -fit off -lv 1 -c 16",
		                             "a --color --no-mmap --mlock -tb 4 --prio 2 -c 16" };
	run_attempt a;
	size_t i;

	for (i = 0; i < sizeof lines / sizeof *lines; i++) {
		parse_run(&a, lines[i]);
		CHECK(&counts,
		      a.outcome == OPTIONS_READY && a.s.context == 16 && a.result.n_operands == 1 &&
		              a.result.ignored[0] == '-',
		      "'%s' ignores '%s', %s", lines[i], a.result.ignored, a.result.message);
	}
	CHECK(&counts, !strcmp(a.result.ignored, "--color, --no-mmap, --mlock, -tb, --prio"),
	      "all are named: %s", a.result.ignored);
}

static void check_answers(void)
{
	static const struct {
		const char *line, *says;
	} lines[] = {
		{ "a -i", "run MODEL --chat" },
		{ "a -cnv", "brise chat MODEL holds a conversation" },
		{ "a -sys x", "brise chat MODEL" },
		{ "a --chat-template chatml", "templates are not executed" },
		{ "a --verbose-prompt", "brise tokenize" },
		{ "a --lora x", "brise convert CHECKPOINT" },
		{ "a -np 4", "brise serve MODEL --parallel" },
		{ "a --port 8080", "brise serve MODEL answers" },
		{ "a --image x.png", "text only" },
		{ "a --keepalive 5m", "one command only" },
		{ "a -ctk q8_0", "--kv int8" },
		{ "a -r x", "no stop texts yet" },
		{ "a --mirostat 2", "--temperature" },
		{ "a -hf org/name", "downloads nothing" },
		{ "a --ctx-size x", "--context: expected a whole number" },
		{ "a --ctx-size", "--ctx-size: expected a value, found nothing" },
		{ "a -c --stats", "-c: expected a value, found '--stats'" },
		{ "a --log-disable=yes", "takes no value" },
		{ "a -ngl", "-ngl: expected a value, found nothing" },
		{ "a -to 5", "brise serve MODEL answers" },
		{ "a -bf x", "--file FILE" },
		{ "a -tok 5", "unknown option --tok" },
		{ "a -ctxsize 5", "unknown option --ctxsize" },
		{ "a --tmep 1", "unknown option --tmep" },
		{ "a --contxt 1", "did you mean --context?" },
	};
	attempt other;
	run_attempt a;
	size_t i;

	for (i = 0; i < sizeof lines / sizeof *lines; i++) {
		parse_run(&a, lines[i].line);
		CHECK(&counts,
		      a.outcome == OPTIONS_WRONG && strstr(a.result.message, lines[i].says),
		      "'%s' says '%s', not '%s'", lines[i].line, lines[i].says, a.result.message);
	}
	parse_line(&other, "m -p x");
	CHECK(&counts, other.outcome == OPTIONS_WRONG && strstr(other.result.message, "unknown"),
	      "a command without a prompt knows no -p: %s", other.result.message);
	parse_line(&other, "m --temp 1");
	CHECK(&counts, other.outcome == OPTIONS_WRONG && strstr(other.result.message, "unknown"),
	      "nor a name for an option it lacks: %s", other.result.message);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(check_accepted());
	RUN(check_operands());
	RUN(check_refused());
	RUN(check_long_words());
	RUN(check_help());
	RUN(check_model_and_prompt_as_options());
	RUN(check_synonyms());
	RUN(check_ignored());
	RUN(check_answers());
	return check_report("options", &counts);
}
