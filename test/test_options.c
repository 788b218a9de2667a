/* test_options.c - the parts of the command line: options, numbers, suggestions, formatted figures,
 * JSON strings, ids, files that appear whole */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/cli/fit.h"
#include "runtime/cli/input.h"
#include "runtime/text/json_writer.h"
#include "runtime/cli/nearest.h"
#include "runtime/cli/number.h"
#include "runtime/cli/options.h"
#include "runtime/cli/result_file.h"
#include "runtime/cli/terminal.h"
#include "test/check.h"
#include "test/scratch.h"
#include "test/random.h"

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

static void check_answers(void)
{
	static const struct {
		const char *line, *says;
	} lines[] = {
		{ "a -ngl 99", "-ngl: brise runs on the CPU" },
		{ "a -ngl=99", "-ngl: brise runs on the CPU" },
		{ "a --n_gpu_layers=1", "--n-gpu-layers: brise runs on the CPU" },
		{ "a -i", "no chat yet" },
		{ "a -cnv", "no chat yet" },
		{ "a -sys x", "no chat yet" },
		{ "a --chat-template chatml", "no chat yet" },
		{ "a --mlock", "--mlock: " },
		{ "a --no-mmap", "always mapped" },
		{ "a --verbose-prompt", "brise tokenize" },
		{ "a --lora x", "brise convert CHECKPOINT" },
		{ "a -np 4", "one prompt at a time" },
		{ "a --port 8080", "no server yet" },
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

/* ---- what fits ------------------------------------------------------------------------------- */

static void check_memory_note(void)
{
	brise_model_facts facts = { .file_bytes = 3850000000u };
	char text[256];

	CHECK(&counts, !fit_describe_memory(&facts, 300000000, 8000000000u, text, sizeof text),
	      "a model of 3.85 GB fits 8 GB");
	CHECK(&counts, !fit_describe_memory(&facts, 300000000, 4150000000u, text, sizeof text),
	      "memory that is just enough is enough");
	CHECK(&counts,
	      fit_describe_memory(&facts, 300000000, 4149999999u, text, sizeof text) &&
	              strstr(text, "3.85 GB") && strstr(text, "300 MB") &&
	              strstr(text, "4.15 GB") && strstr(text, "disk"),
	      "a byte less is said with all three sizes: %s", text);
	CHECK(&counts,
	      fit_describe_memory(&facts, 9000000000u, 8000000000u, text, sizeof text) &&
	              strstr(text, "--context"),
	      "a cache larger than memory names the option: %s", text);
	CHECK(&counts, !fit_describe_memory(&facts, 300000000, 0, text, sizeof text),
	      "unknown memory says nothing");
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void check_whole(void)
{
	static const struct {
		const char *text;
		uint64_t most;
		bool accepted;
		uint64_t value;
	} cases[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "007", 9, true, 7 },
		{ "9", 9, true, 9 },
		{ "10", 9, false, 0 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "4294967295", UINT32_MAX, true, UINT32_MAX },
		{ "4294967296", UINT32_MAX, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "1.", 9, false, 0 },
		{ "0x1", 99, false, 0 },
		{ "1e1", 99, false, 0 },
	};
	uint64_t value;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		value = 12345;
		CHECK(&counts,
		      number_read_whole(cases[i].text, strlen(cases[i].text), cases[i].most,
		                        &value) == cases[i].accepted,
		      "'%s'", cases[i].text);
		CHECK(&counts, value == (cases[i].accepted ? cases[i].value : 12345),
		      "'%s' leaves the right value", cases[i].text);
	}
	CHECK(&counts, number_read_whole("123456", 3, 999, &value) && value == 123,
	      "the length ends the number");
	CHECK(&counts, !number_read_whole("1\0002", 3, 999, &value), "a NUL is no digit");
}

static void check_real(void)
{
	static const struct {
		const char *text;
		double value;
	} good[] = { { "0", 0 },       { "1", 1 },        { "-1.5", -1.5 },
		     { "+.5", .5 },    { "5.", 5 },       { "1e3", 1e3 },
		     { "1E-3", 1e-3 }, { "2.5e+2", 250 }, { "1e-999", 0 } };
	static const char *const bad[] = { "",    ".",     "-",   "e5",    "1e", "1e+",
		                           "inf", "-inf",  "nan", "0x10",  "1 ", " 1",
		                           "1,5", "1e999", "--1", "1.2.3", "1f", "-.e1" };
	double value;
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(&counts, number_read_real(good[i].text, &value) && value == good[i].value,
		      "'%s' is %g", good[i].text, good[i].value);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		value = 12345;
		CHECK(&counts, !number_read_real(bad[i], &value) && value == 12345,
		      "'%s' is no number", bad[i]);
	}
}

/* ---- suggestions ----------------------------------------------------------------------------- */

static unsigned naive_distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned best, other;

	if (n == 0 || m == 0)
		return (unsigned)(n + m);
	best = naive_distance(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
	other = naive_distance(a, n - 1, b, m) + 1;
	best = other < best ? other : best;
	other = naive_distance(a, n, b, m - 1) + 1;
	best = other < best ? other : best;
	if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
		other = naive_distance(a, n - 2, b, m - 2) + 1;
		best = other < best ? other : best;
	}
	return best;
}

static void random_word(uint64_t *seed, char *word, size_t most)
{
	size_t n = random_next(seed) % (most + 1), i;

	for (i = 0; i < n; i++)
		word[i] = (char)('a' + random_next(seed) % 3);
	word[n] = '\0';
}

static const char *choose(const char *typed, const char *a, const char *b)
{
	nearest_match match = { NULL, 0 };

	nearest_offer(&match, typed, a);
	nearest_offer(&match, typed, b);
	return nearest_choose(&match, typed);
}

static void check_nearest(void)
{
	char a[8], b[8], long_a[201], long_b[201];
	nearest_match none = { NULL, 0 };
	uint64_t seed = 1;
	unsigned wrong = 0, i;

	for (i = 0; i < 3000; i++) {
		random_word(&seed, a, 5);
		random_word(&seed, b, 5);
		wrong += nearest_distance(a, b) != naive_distance(a, strlen(a), b, strlen(b));
	}
	CHECK(&counts, wrong == 0, "%u of 3000 distances differ from the definition", wrong);
	memset(long_a, 'a', 200);
	memset(long_b, 'a', 200);
	long_a[200] = long_b[200] = '\0';
	long_b[63] = 'b';
	CHECK(&counts, nearest_distance(long_a, long_b) == 0, "texts are compared up to 63 bytes");
	long_b[62] = 'b';
	CHECK(&counts, nearest_distance(long_a, long_b) == 1, "and byte 63 still counts");
	CHECK(&counts, nearest_distance(long_a, "") == 63 && nearest_distance("", long_a) == 63,
	      "a long text against nothing");
	CHECK(&counts, is_text(choose("thraeds", "chunk", "threads"), "threads"),
	      "a swap is one edit");
	CHECK(&counts, is_text(choose("temp", "tokens", "temperature"), "temperature"),
	      "a beginning suggests the whole");
	CHECK(&counts, choose("xyz", "tokens", "temperature") == NULL,
	      "nothing near, nothing suggested");
	CHECK(&counts, choose("q", "f16", "x") == NULL,
	      "a name is no suggestion when all of it differs");
	CHECK(&counts, nearest_choose(&none, "x") == NULL, "no candidates, no suggestion");
}

/* ---- formatted figures ----------------------------------------------------------------------- */

static void check_duration(double seconds, const char *expected)
{
	char text[32];

	terminal_format_duration(seconds, text, sizeof text);
	CHECK(&counts, strcmp(text, expected) == 0, "%g s is '%s', not '%s'", seconds, expected,
	      text);
}

static void check_bytes(double bytes, const char *expected)
{
	char text[32];

	terminal_format_bytes(bytes, text, sizeof text);
	CHECK(&counts, strcmp(text, expected) == 0, "%g bytes are '%s', not '%s'", bytes, expected,
	      text);
}

static void check_count(double count, const char *expected)
{
	char text[32];

	terminal_format_count(count, text, sizeof text);
	CHECK(&counts, strcmp(text, expected) == 0, "%g are '%s', not '%s'", count, expected, text);
}

static void check_formats(void)
{
	check_duration(0, "0.0 s");
	check_duration(-1, "0.0 s");
	check_duration(0.26, "0.3 s");
	check_duration(9.94, "9.9 s");
	check_duration(9.96, "10 s");
	check_duration(59.4, "59 s");
	check_duration(59.6, "1:00");
	check_duration(125, "2:05");
	check_duration(3599.6, "1:00:00");
	check_duration(3723, "1:02:03");
	check_duration(1e300, "100000:00:00");
	check_duration(INFINITY, "100000:00:00");
	check_bytes(0, "0 B");
	check_bytes(512, "512 B");
	check_bytes(999, "999 B");
	check_bytes(1000, "1.00 kB");
	check_bytes(3400, "3.40 kB");
	check_bytes(9994, "9.99 kB");
	check_bytes(9996, "10.0 kB");
	check_bytes(99960, "100 kB");
	check_bytes(999400, "999 kB");
	check_bytes(999600, "1.00 MB");
	check_bytes(3.78e9, "3.78 GB");
	check_bytes(1e15, "1000 TB");
	check_count(12, "12");
	check_count(15990784, "16.0 M");
	check_count(7241732096.0, "7.24 G");
	check_count(998e6, "998 M");
}

static void check_text(bool is_terminal, const char *text, size_t bytes, const char *expected)
{
	char *out = NULL;
	size_t n = 0;
	FILE *stream = open_memstream(&out, &n);

	terminal_write_text(stream, is_terminal, text, bytes);
	(void)fclose(stream);
	CHECK(&counts, n == strlen(expected) && memcmp(out, expected, n) == 0,
	      "'%s' is written, not '%s'", expected, out);
	free(out);
}

static void check_terminal_text(void)
{
	check_text(false, "a\033[2Jb\n", 7, "a\033[2Jb\n");
	check_text(true, "a\033[2Jb\n\t", 8, "a\xef\xbf\xbd[2Jb\n\t");
	check_text(true, "\r\x7f", 2, "\xef\xbf\xbd\xef\xbf\xbd");
	check_text(true,
	           "\xc2\x9b"
	           "1m\xc2\xa0\xc3\xa9",
	           8,
	           "\xef\xbf\xbd"
	           "1m\xc2\xa0\xc3\xa9");
	check_text(true, "", 0, "");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

typedef struct collected {
	char text[4096];
	size_t n;
} collected;

static void collect(void *user, const char *bytes, size_t n)
{
	collected *c = user;

	if (n < sizeof c->text - c->n) {
		memcpy(c->text + c->n, bytes, n);
		c->n += n;
		c->text[c->n] = 0;
	}
}

static void check_string(const char *text, size_t bytes, const char *expected)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c };

	json_put_text(&w, NULL, text, bytes);
	CHECK(&counts, c.n == strlen(expected) && memcmp(c.text, expected, c.n) == 0,
	      "%s is written, not %s", expected, c.text);
}

static void check_json_values(void)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c };

	json_open(&w, NULL, '{');
	json_put_number(&w, "a", 0.1, 17);
	json_put_number(&w, "nan", NAN, 9);
	json_put_number(&w, "inf", -INFINITY, 9);
	json_open(&w, "list", '[');
	json_put_integer(&w, NULL, INT64_MIN);
	json_put_unsigned(&w, NULL, UINT64_MAX);
	json_open(&w, NULL, '{');
	json_close(&w);
	json_put_bool(&w, NULL, true);
	json_close(&w);
	json_put_string(&w, "s", NULL);
	json_put_number(&w, "b", 1e300, 3);
	json_close(&w);
	CHECK(&counts,
	      !strcmp(c.text, "{\"a\":0.10000000000000001,\"nan\":null,\"inf\":null,\"list\":["
	                      "-9223372036854775808,18446744073709551615,{},true],\"s\":null,"
	                      "\"b\":1e+300}"),
	      "written: %s", c.text);
}

static void check_json_decimals(void)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c };

	json_open(&w, NULL, '[');
	json_put_fixed(&w, NULL, 2.0 / 3, 2);
	json_put_fixed(&w, NULL, 0, 4);
	json_put_fixed(&w, NULL, INFINITY, 1);
	json_put_exactly(&w, NULL, 0, false);
	json_put_exactly(&w, NULL, -10000, false);
	json_put_exactly(&w, NULL, 1e300, false);
	json_put_exactly(&w, NULL, 0.02, false);
	json_put_exactly(&w, NULL, (double)1e-5f, true);
	json_put_exactly(&w, NULL, (double)1e-5f, false);
	json_put_exactly(&w, NULL, NAN, true);
	json_close(&w);
	CHECK(&counts,
	      !strcmp(c.text, "[0.67,0.0000,null,0.0,-10000.0,1e+300,0.02,1e-05,"
	                      "9.999999747378752e-06,null]"),
	      "written: %s", c.text);
}

/* What Python's json.dumps(value, indent=2) prints. */
static void check_json_lines(void)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c, .indent = 2 };

	json_open(&w, NULL, '{');
	json_put_string(&w, "a", "b");
	json_open(&w, "list", '[');
	json_put_integer(&w, NULL, 1);
	json_open(&w, NULL, '{');
	json_close(&w);
	json_close(&w);
	json_close(&w);
	CHECK(&counts, !strcmp(c.text, "{\n  \"a\": \"b\",\n  \"list\": [\n    1,\n    {}\n  ]\n}"),
	      "written: %s", c.text);
}

#define BAD "\xef\xbf\xbd"

static void check_json_strings(void)
{
	check_string("", 0, "\"\"");
	check_string("a \"b\" \\c/", 9, "\"a \\\"b\\\" \\\\c/\"");
	check_string("\n\t\r\b\f\0\x1f\x7f", 8,
	             "\"\\n\\t\\u000d\\u0008\\u000c\\u0000\\u001f\\u007f\"");
	check_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	             "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check_string("a\xff"
	             "b",
	             3, "\"a" BAD "b\"");
	check_string("\xc3", 1, "\"" BAD "\"");                         /* cut short */
	check_string("\xe2\x82", 2, "\"" BAD BAD "\"");                 /* cut short, each byte */
	check_string("\xc0\xaf", 2, "\"" BAD BAD "\"");                 /* overlong */
	check_string("\xed\xa0\x80", 3, "\"" BAD BAD BAD "\"");         /* a surrogate */
	check_string("\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""); /* above U+10FFFF */
	check_string("\xe2\x82\xac\"", 3, "\"\xe2\x82\xac\"");          /* the length ends it */
}

/* ---- ids ------------------------------------------------------------------------------------- */

static void check_good_ids(const char *text, size_t bytes, const int32_t *expected, size_t n)
{
	brise_error err = { 0 };
	int32_t *ids;
	size_t got;
	brise_status status = input_parse_ids(text, bytes, "name", 100, &ids, &got, &err);

	CHECK(&counts,
	      status == BRISE_OK && got == n &&
	              (n == 0 ? ids == NULL : memcmp(ids, expected, n * sizeof *ids) == 0),
	      "'%s' is read: %s", text, err.message);
	if (status == BRISE_OK)
		free(ids);
}

static void check_bad_ids(const char *text, uint32_t vocab, const char *says)
{
	brise_error err = { 0 };
	int32_t *ids;
	size_t n;
	brise_status status = input_parse_ids(text, strlen(text), "name", vocab, &ids, &n, &err);

	CHECK(&counts,
	      status == BRISE_EFORMAT && ids == NULL && n == 0 && strstr(err.message, says),
	      "'%s' says '%s', not '%s'", text, says, err.message);
}

static void check_ids(void)
{
	static const int32_t three[] = { 1, 99, 0 };
	char *text;
	size_t bytes;
	brise_error err;

	check_good_ids("", 0, NULL, 0);
	check_good_ids(" \n\t\r\n", 5, NULL, 0);
	check_good_ids("1 99 0", 6, three, 3);
	check_good_ids("\n1\t99\r\n00\n", 10, three, 3);
	check_good_ids("1 99 05", 6, three, 3); /* the length ends the last id */
	check_bad_ids("1\n2\n x", 100, "name: line 3: expected a token id from 0 to 99, found 'x'");
	check_bad_ids("1\n100", 100, "line 2: expected a token id from 0 to 99, found '100'");
	check_bad_ids("-1", 100, "line 1: expected a token id from 0 to 99, found '-1'");
	check_bad_ids("\r\n\r\n1,2", 100, "line 3: expected a token id from 0 to 99, found '1,2'");
	check_bad_ids("1 2.0", 100, "found '2.0'");
	check_bad_ids("99999999999999999999999999999999999999999", 100,
	              "found '99999999999999999999999999999999'");
	CHECK(&counts,
	      input_read_text("/", &text, &bytes, &err) == BRISE_EIO && !text && bytes == 0,
	      "a folder is no text");
	CHECK(&counts,
	      input_read_text("/no such file", &text, &bytes, &err) == BRISE_EIO &&
	              strstr(err.message, "/no such file: "),
	      "a missing file is named: %s", err.message);
}

/* ---- files that appear whole ----------------------------------------------------------------- */

static char folder[512];

static const char *in_folder(const char *name)
{
	static char paths[2][600];
	static unsigned turn;

	turn = !turn;
	(void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
	return paths[turn];
}

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static bool file_holds(const char *path, const char *text)
{
	char got[64] = "";
	FILE *file = fopen(path, "rb");
	size_t n = file ? fread(got, 1, sizeof got - 1, file) : 0;

	if (file)
		(void)fclose(file);
	return file && n == strlen(text) && memcmp(got, text, n) == 0;
}

static unsigned count_files(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (dir)
		(void)closedir(dir);
	return n;
}

static bool begin_file(result_file *file, const char *path)
{
	brise_error err = { 0 };
	bool opened = result_open(file, path, &err) == BRISE_OK;

	CHECK(&counts, opened, "%s opens: %s", path, err.message);
	if (opened)
		(void)fputs("new", file->stream);
	return opened;
}

static void check_commit_and_discard(void)
{
	const char *path = in_folder("out");
	result_file file;
	brise_error err;

	if (!begin_file(&file, path))
		return;
	(void)fflush(file.stream);
	CHECK(&counts, access(path, F_OK) != 0, "nothing is at the target before the commit");
	CHECK(&counts,
	      result_commit(&file, &err) == BRISE_OK && file_holds(path, "new") &&
	              count_files() == 1,
	      "the commit leaves the target alone in its folder");
	result_discard(&file);
	CHECK(&counts, file_holds(path, "new"), "a discard after the commit removes nothing");
	put_file(path, "old");
	if (!begin_file(&file, path))
		return;
	(void)fflush(file.stream);
	CHECK(&counts, file_holds(path, "old"), "a target that was there stays until the commit");
	result_discard(&file);
	CHECK(&counts, file_holds(path, "old") && count_files() == 1,
	      "a discard leaves the old target and nothing beside it");
	if (begin_file(&file, path))
		CHECK(&counts,
		      result_commit(&file, &err) == BRISE_OK && file_holds(path, "new") &&
		              count_files() == 1,
		      "a commit replaces the old target");
	(void)unlink(path);
}

static void check_links(void)
{
	const char *target = in_folder("target"), *link = in_folder("link");
	struct stat facts;
	result_file file;
	brise_error err;

	put_file(target, "old");
	if (symlink("target", link) != 0)
		return check_skip(&counts, "a link's target is replaced", "no symbolic links here");
	if (begin_file(&file, link))
		CHECK(&counts, result_commit(&file, &err) == BRISE_OK && file_holds(target, "new"),
		      "the file a link leads to is replaced");
	CHECK(&counts, lstat(link, &facts) == 0 && S_ISLNK(facts.st_mode), "the link stays a link");
	(void)unlink(target);
	if (begin_file(&file, link))
		CHECK(&counts, result_commit(&file, &err) == BRISE_OK && file_holds(target, "new"),
		      "a link that leads nowhere yet gets its target");
	CHECK(&counts, lstat(link, &facts) == 0 && S_ISLNK(facts.st_mode), "and stays a link too");
	(void)unlink(target);
	(void)unlink(link);
}

static void check_failing_targets(void)
{
	result_file file;
	brise_error err = { 0 };

	CHECK(&counts,
	      result_open(&file, folder, &err) == BRISE_EIO &&
	              strstr(err.message, "found a folder"),
	      "a folder is refused: %s", err.message);
	result_discard(&file);
	CHECK(&counts, result_open(&file, in_folder("missing/out"), &err) == BRISE_EIO,
	      "a missing folder is refused");
	CHECK(&counts, strstr(err.message, "missing/out: ") != NULL, "and the target is named: %s",
	      err.message);
	result_discard(&file);
	CHECK(&counts, count_files() == 0, "failures leave nothing");
	if (access("/dev/full", W_OK) != 0)
		return check_skip(&counts, "a full disk is an error", "no /dev/full here");
	if (begin_file(&file, "/dev/full"))
		CHECK(&counts,
		      result_commit(&file, &err) == BRISE_EIO &&
		              strstr(err.message, "/dev/full: cannot be written: "),
		      "a full disk is an error: %s", err.message);
	CHECK(&counts, access("/dev/full", W_OK) == 0, "a device stays where it is");
}

static void check_result_files(void)
{
	scratch_folder(folder, sizeof folder);
	check_commit_and_discard();
	check_links();
	check_failing_targets();
	CHECK(&counts, rmdir(folder) == 0, "%s is empty at the end", folder);
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
	RUN(check_answers());
	RUN(check_memory_note());
	RUN(check_whole());
	RUN(check_real());
	RUN(check_nearest());
	RUN(check_formats());
	RUN(check_terminal_text());
	RUN(check_json_strings());
	RUN(check_json_values());
	RUN(check_json_decimals());
	RUN(check_json_lines());
	RUN(check_ids());
	RUN(check_result_files());
	return check_report("options", &counts);
}
