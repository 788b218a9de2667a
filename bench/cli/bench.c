/* bench.c - brise bench: a model's or the kernels' speed against this machine's limits; synthetic
 * models to measure */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernels.h"
#include "bench/model.h"
#include "bench/roofline.h"
#include "bench/scaling.h"
#include "bench/synthetic.h"
#include "runtime/cli/budget.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/number.h"
#include "runtime/cli/result_file.h"
#include "runtime/cli/terminal.h"
#include "runtime/error.h"
#include "runtime/os/os.h"
#include "runtime/text/json_writer.h"

static const char *const shape_choices[] = { "mistral-7b",   "nemo-12b", "ministral-8b",
	                                     "ministral-3b", "breeze",   NULL };
static const char *const type_choices[] = { "q4", "q3", "q8", "f16", NULL };

typedef struct bench_settings {
	engine_settings engine;
	uint32_t prompt, generate;
	uint32_t layers;       /* of a synthetic model; 0: the shape's */
	uint32_t most_threads; /* of a range that begins at engine.threads; 0: none */
	int shape, type;       /* shape: index + 1 once given */
	const char *folder, *picture;
	bool kernels, json, no_start, drafts;
	terminal_line line;
	const char *measuring;
} bench_settings;

static const char *take_shape(void *settings, const char *value)
{
	bench_settings *s = settings;
	int i;

	for (i = 0; shape_choices[i]; i++)
		if (!strcmp(shape_choices[i], value)) {
			s->shape = i + 1;
			return NULL;
		}
	return "mistral-7b, nemo-12b, ministral-8b, ministral-3b or breeze";
}

/* A number, auto, or a range, whose end goes to most_threads. */
static const char *take_threads(void *settings, const char *value)
{
	static const char expected[] = "a number from 1 to 256, a range such as 1..4, or auto";
	bench_settings *s = settings;
	const char *dots = strstr(value, "..");
	uint64_t low, high;

	s->most_threads = 0;
	if (!strcmp(value, "auto")) {
		s->engine.threads = ENGINE_THREADS_AUTO;
		return NULL;
	}
	if (!number_read_whole(value, dots ? (size_t)(dots - value) : strlen(value), THREADS_MAX,
	                       &low) ||
	    low == 0)
		return expected;
	if (dots &&
	    (!number_read_whole(dots + 2, strlen(dots + 2), THREADS_MAX, &high) || high < low))
		return expected;
	s->engine.threads = (uint32_t)low;
	s->most_threads = dots ? (uint32_t)high : 0;
	return NULL;
}

#define AT(member) offsetof(bench_settings, member)

static const options_entry entries[] = {
	NUMBER('p', "prompt", prompt, "N", 0, 1e6, NULL, "tokens of prefill (default 512)"),
	NUMBER('n', "generate", generate, "N", 0, 1e6, NULL, "tokens of decode (default 64)"),
	TAKE('t', "threads", take_threads, "N|A..B|auto",
	     "threads (default: fast cores); A..B: a table"),
	STRING(0, "memory", engine.memory, "SIZE", "all, min, or as 3G (default: what is free)"),
	NUMBER(0, "chunk", engine.chunk, "N", 1, 4096, NULL,
	       "tokens per pass over the weights (default 256)"),
	STRING(0, "arch", engine.arch, "NAME", "kernel set; brise info lists them"),
	FLAG(0, "no-start", no_start, "do not time a fresh process"),
	FLAG(0, "drafts", drafts, "add a text that repeats its prompt, with drafts"),
	FLAG(0, "kernels", kernels, "measure the kernels of every set this machine runs"),
	STRING(0, "svg", picture, "FILE", "with --kernels: draw their roofline"),
	FLAG(0, "json", json, "one JSON object"),
	TAKE(0, "synthetic", take_shape, "SHAPE", "write a model of that shape"),
	NUMBER(0, "layers", layers, "N", 1, 1024, NULL, "its layers (default: the shape's)"),
	CHOICE(0, "type", type, type_choices, "its type (default q4)"),
	STRING(0, "dir", folder, "DIR", "its folder (default: the current one)"),
};

static const options_command command = {
	.name = "bench",
	.operands = "[MODEL]",
	.summary = "Measures prefill, decode and start of MODEL, and the memory and int8 rates\nof "
	           "this machine with the same threads and instructions. Fractions are of these.\n"
	           "Shapes: mistral-7b, nemo-12b, ministral-8b, ministral-3b, breeze.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 0,
	.max_operands = 1
};

static void draw_progress(void *user, const char *tensor, uint64_t done, uint64_t total)
{
	bench_settings *s = user;

	if (terminal_is_due(&s->line))
		terminal_draw_line(&s->line, "%s: %3.0f %%", tensor,
		                   100.0 * (double)done / (double)total);
}

/* The fast search: for random weights its error matters little. */
static int write_synthetic(bench_settings *s)
{
	static const uint32_t types[] = { TYPE_Q4, TYPE_Q3, TYPE_Q8, TYPE_F16 };
	const char *folder = s->folder ? s->folder : ".", *shape = shape_choices[s->shape - 1];
	convert_options options;
	convert_source source;
	convert_result result;
	brise_status status;
	char path[4096];
	brise_error err;

	if ((size_t)snprintf(path, sizeof path, "%s/%s-%s.brise", folder, shape,
	                     type_choices[s->type]) >= sizeof path)
		return report_usage("bench", "--dir: shorter than %zu characters expected",
		                    sizeof path);
	if (!synthetic_make_source(&source, shape))
		return report_usage("bench", "--synthetic: no shape %s", shape);
	if (s->layers > 0)
		source.config.n_layers = s->layers;
	convert_init_options(&options);
	options.type = types[s->type];
	options.effort = EFFORT_FAST;
	options.threads = s->engine.threads;
	options.progress = draw_progress;
	options.cancel = terminal_was_interrupted;
	options.user = s;
	terminal_open_line(&s->line);
	terminal_catch_signals();
	status = convert_write(&source, path, &options, &result, &err);
	terminal_erase_line(&s->line);
	if (status != BRISE_OK)
		return report_status("bench", &err);
	report_note("bench", "%.2f GB, %.3f bits per weight, in %.1f s",
	            (double)result.file_bytes / 1e9, result.bits_per_weight, result.seconds);
	printf("%s\n", path);
	return 0;
}

#define SETS_MAX 8u

/* How much a pass over n rows costs, of a pass over one. */
static void print_sweep(const char *type, const double seconds[BENCH_SWEEP])
{
	unsigned cliff = bench_find_cliff(seconds), i;

	printf("  %s, rows: cost", type);
	for (i = 1; i < BENCH_SWEEP; i++)
		printf(" %u: %.2f", bench_sweep_tokens[i], seconds[i] / seconds[0]);
	printf("\n");
	if (cliff > 0)
		printf("  %s: %u rows cost more than the same rows in two passes\n", type, cliff);
}

static void print_set(const bench_set *set, unsigned threads)
{
	unsigned i;

	printf("%s, %u threads: memory %.1f GB/s, int8 %.0f GOPS\n", set->arch, threads,
	       set->limits.read_gbps, set->limits.int8_gops);
	for (i = 0; i < BENCH_ROWS; i++) {
		const bench_row *row = &set->rows[i];

		printf("  %-21s %8.1f %-5s", row->kernel, row->rate, row->unit);
		if (row->limit > 0)
			printf("%4.0f %% of the limit", 100 * row->rate / row->limit);
		printf("\n");
	}
	for (i = 0; i < BENCH_SWEPT; i++)
		print_sweep(bench_swept[i], set->sweeps[i]);
	(void)fflush(stdout);
}

static void print_json_sweep(json_writer *w, const char *type, const double seconds[BENCH_SWEEP])
{
	char name[16];
	unsigned i;

	(void)snprintf(name, sizeof name, "sweep_%s", type);
	json_open(w, name, '[');
	for (i = 0; i < BENCH_SWEEP; i++) {
		json_open(w, NULL, '{');
		json_put_unsigned(w, "rows", bench_sweep_tokens[i]);
		json_put_fixed(w, "cost", seconds[i] / seconds[0], 3);
		json_close(w);
	}
	json_close(w);
}

static void print_sets_json(const bench_set *sets, unsigned n_sets, unsigned threads)
{
	json_writer w = { .sink = report_json, .user = stdout };
	unsigned s, i;

	json_open(&w, NULL, '{');
	json_put_unsigned(&w, "threads", threads);
	json_open(&w, "sets", '[');
	for (s = 0; s < n_sets; s++) {
		json_open(&w, NULL, '{');
		json_put_string(&w, "arch", sets[s].arch);
		json_put_fixed(&w, "read_gbps", sets[s].limits.read_gbps, 2);
		json_put_fixed(&w, "int8_gops", sets[s].limits.int8_gops, 1);
		json_open(&w, "kernels", '[');
		for (i = 0; i < BENCH_ROWS; i++) {
			const bench_row *row = &sets[s].rows[i];

			json_open(&w, NULL, '{');
			json_put_string(&w, "kernel", row->kernel);
			json_put_fixed(&w, "rate", row->rate, 2);
			json_put_string(&w, "unit", row->unit);
			json_put_fixed(&w, "limit", row->limit, 2);
			json_close(&w);
		}
		json_close(&w);
		for (i = 0; i < BENCH_SWEPT; i++)
			print_json_sweep(&w, bench_swept[i], sets[s].sweeps[i]);
		json_close(&w);
	}
	json_close(&w);
	json_close(&w);
	printf("\n");
}

static bool is_drawing(const void *head, size_t n, uint64_t file_bytes, uint64_t unit)
{
	(void)file_bytes, (void)unit;
	return n >= 4 && !memcmp(head, "<svg", 4);
}

static const result_kind drawing = { "an SVG drawing of this command", is_drawing, 0 };

static int draw_picture(const char *path, const bench_set *sets, unsigned n_sets, unsigned threads)
{
	result_file file;
	brise_error err;

	if (result_open(&file, path, &drawing, &err) != BRISE_OK)
		return report_status("bench", &err);
	roofline_write(file.stream, sets, n_sets, threads);
	if (result_commit(&file, &err) == BRISE_OK)
		return 0;
	result_discard(&file);
	return report_status("bench", &err);
}

/* Every set this machine supports, or the one chosen. */
static brise_status measure_sets(bench_set *sets, unsigned *n_sets, const bench_settings *s,
                                 pool *workers, unsigned threads, brise_error *err)
{
	brise_status status = BRISE_OK;
	arch_cpu cpu;
	size_t i;

	arch_detect(&cpu);
	for (i = 0; arch_list(i) && *n_sets < SETS_MAX && status == BRISE_OK; i++) {
		bench_set *set = &sets[*n_sets];
		arch_kernels kernels;

		if ((s->engine.arch && strcmp(s->engine.arch, arch_list(i)->name) != 0) ||
		    !arch_choose(&kernels, arch_list(i)->name, &cpu))
			continue;
		status = bench_measure_limits(&set->limits, &kernels, workers, bench_read_bytes(0),
		                              err);
		if (status == BRISE_OK)
			status = bench_measure_kernels(set, &kernels, workers, err);
		*n_sets += status == BRISE_OK;
		if (status == BRISE_OK && !s->json)
			print_set(set, threads);
	}
	return status;
}

static int measure_kernels(const bench_settings *s)
{
	unsigned threads = s->engine.threads ? s->engine.threads : threads_available(), n_sets = 0;
	bench_set sets[SETS_MAX];
	brise_status status;
	brise_error err;
	pool *workers;

	if ((s->picture && result_check(s->picture, &drawing, &err) != BRISE_OK) ||
	    pool_new(&workers, threads, &err) != BRISE_OK)
		return report_status("bench", &err);
	terminal_end_on_signals();
	status = measure_sets(sets, &n_sets, s, workers, threads, &err);
	pool_free(workers);
	if (status != BRISE_OK)
		return report_status("bench", &err);
	if (s->json)
		print_sets_json(sets, n_sets, threads);
	return s->picture ? draw_picture(s->picture, sets, n_sets, threads) : 0;
}

/* More threads than the process has processors only disturb each other, whatever one measurement
 * says. */
static unsigned choose_allowed(const scaling_row *rows, unsigned n)
{
	unsigned allowed = threads_available();

	while (n > 1 && rows[n - 1].threads > allowed)
		n--;
	return scaling_choose(rows, n);
}

static void print_scaling_json(const char *arch, const scaling_row *rows, unsigned n)
{
	json_writer w = { .sink = report_json, .user = stdout };
	unsigned i;

	json_open(&w, NULL, '{');
	json_put_string(&w, "arch", arch);
	json_open(&w, "scaling", '[');
	for (i = 0; i < n; i++) {
		json_open(&w, NULL, '{');
		json_put_unsigned(&w, "threads", rows[i].threads);
		json_put_fixed(&w, "read_gbps", rows[i].read_gbps, 2);
		json_put_fixed(&w, "int8_gops", rows[i].int8_gops, 1);
		json_close(&w);
	}
	json_close(&w);
	json_put_unsigned(&w, "threads", choose_allowed(rows, n));
	json_close(&w);
	printf("\n");
}

/* A row for each number of threads, and the number to choose. */
static int measure_scaling(const bench_settings *s)
{
	scaling_row rows[SCALING_ROWS];
	unsigned threads, n = 0;
	arch_kernels kernels;
	brise_error err;
	arch_cpu cpu;

	arch_detect(&cpu);
	if (!arch_choose(&kernels, s->engine.arch, &cpu))
		return report_error("bench",
		                    "kernel set %s: this processor or system does not support it",
		                    s->engine.arch ? s->engine.arch : "");
	terminal_end_on_signals();
	if (!s->json)
		printf("%s    decode GB/s  prefill GOPS\n", kernels.name);
	for (threads = s->engine.threads; threads <= s->most_threads; threads++, n++) {
		if (scaling_measure(&rows[n], &kernels, threads, false, &err) != BRISE_OK)
			return report_status("bench", &err);
		if (!s->json)
			printf("%3u threads  %8.1f  %12.0f\n", threads, rows[n].read_gbps,
			       rows[n].int8_gops);
		(void)fflush(stdout);
	}
	if (s->json)
		print_scaling_json(kernels.name, rows, n);
	else
		printf("choose %u: more threads gain less than 3 %% in decode, or are more than "
		       "the processors allowed\n",
		       choose_allowed(rows, n));
	return 0;
}

static void print_json_limit(json_writer *w, const bench_model_result *r)
{
	json_put_unsigned(w, "kept_bytes", r->memory.kept_bytes);
	json_put_unsigned(w, "streamed_bytes", r->memory.streamed_bytes);
	json_put_unsigned(w, "buffer_bytes", r->memory.buffer_bytes);
	json_put_bool(w, "locked", r->memory.locked);
	json_put_bool(w, "direct", r->memory.direct);
	json_put_fixed(w, "disk_gbps", r->disk_gbps, 3);
	json_put_fixed(w, "pass_bytes", r->pass_bytes, 0);
	json_put_unsigned(w, "prompt_bytes", r->prompt_bytes);
}

static void print_model_json(const bench_model_result *r)
{
	json_writer w = { .sink = report_json, .user = stdout };

	json_open(&w, NULL, '{');
	json_put_string(&w, "type", r->type);
	json_put_string(&w, "arch", r->arch);
	json_put_unsigned(&w, "threads", r->threads);
	json_put_unsigned(&w, "rows", r->rows);
	if (r->memory.limited)
		print_json_limit(&w, r);
	json_put_fixed(&w, "prefill_tokens_per_s", r->prefill_tokens_per_s, 3);
	json_put_fixed(&w, "decode_tokens_per_s", r->decode_tokens_per_s, 3);
	if (r->drafts_tokens_per_s > 0) {
		json_put_fixed(&w, "drafts_tokens_per_s", r->drafts_tokens_per_s, 3);
		json_put_fixed(&w, "drafts_tokens_per_pass", r->drafts_tokens_per_pass, 3);
	}
	json_put_fixed(&w, "read_gbps", r->limits.read_gbps, 3);
	json_put_fixed(&w, "file_gbps", r->file_gbps, 3);
	json_put_fixed(&w, "int8_gops", r->limits.int8_gops, 2);
	json_put_fixed(&w, "decode_fraction", r->decode_fraction, 4);
	json_put_fixed(&w, "prefill_fraction", r->prefill_fraction, 4);
	if (r->pages.known) {
		json_put_unsigned(&w, "page_bytes", r->pages.entry_bytes);
		json_put_fixed(&w, "huge_fraction", r->pages.huge_fraction, 4);
	}
	if (r->pages.folio_bytes > 0)
		json_put_unsigned(&w, "folio_bytes", r->pages.folio_bytes);
	json_put_unsigned(&w, "warm_up", r->warm_up);
	json_put_fixed(&w, "first_token_s", r->first_token_s, 4);
	json_put_unsigned(&w, "anon_bytes", r->anon_bytes);
	json_put_unsigned(&w, "token_bytes", r->token_bytes);
	json_close(&w);
	printf("\n");
}

static void print_pages(const bench_pages *pages)
{
	if (!pages->known) {
		printf("  file's pages  unknown\n");
		return;
	}
	printf("  file's pages %7.0f KB, %.0f %% of it mapped as huge pages; kept in folios of ",
	       (double)pages->entry_bytes / 1024, 100 * pages->huge_fraction);
	if (pages->folio_bytes > 0)
		printf("%.0f KB (mean)\n", (double)pages->folio_bytes / 1024);
	else
		printf("unknown size (only root can read it)\n");
}

static void print_plan(const bench_model_result *r)
{
	char kept[32], streamed[32], buffer[32];

	terminal_format_bytes((double)r->memory.kept_bytes, kept, sizeof kept);
	terminal_format_bytes((double)r->memory.streamed_bytes, streamed, sizeof streamed);
	terminal_format_bytes((double)r->memory.buffer_bytes, buffer, sizeof buffer);
	printf("  plan        %s of weights kept, %s read in each pass through %s of buffer%s\n",
	       kept, streamed, buffer,
	       r->memory.direct ? "" : "; the file cannot be read past the cache");
}

/* What is read from the disk, where weights are limited. */
static void print_reads(const bench_model_result *r)
{
	char pass[32], prompt[32];

	terminal_format_bytes(r->pass_bytes, pass, sizeof pass);
	terminal_format_bytes((double)r->prompt_bytes, prompt, sizeof prompt);
	printf("  disk reads  %s a pass of decode; %s for the prompt, in passes of %" PRIu32
	       " tokens\n",
	       pass, prompt, r->rows);
}

static void print_model(const bench_model_result *r, bool without_start)
{
	const bool limited = r->memory.limited;

	printf("%s with %s, %" PRIu32 " threads, measured after %" PRIu32 " passes\n", r->type,
	       r->arch, r->threads, r->warm_up);
	if (limited)
		print_plan(r);
	printf("  limits      %8.1f GB/s from memory, %.*f GB/s from the %s, %.0f GOPS int8\n",
	       r->limits.read_gbps, limited ? 2 : 1, limited ? r->disk_gbps : r->file_gbps,
	       limited ? "disk" : "file's mapping", r->limits.int8_gops);
	if (!limited)
		print_pages(&r->pages);
	printf("  decode      %8.2f tokens/s    %4.0f %% of %s (%.3f GB a token)\n",
	       r->decode_tokens_per_s, 100 * r->decode_fraction,
	       limited ? "what disk and memory allow" : "the mapping's rate",
	       (double)r->token_bytes / 1e9);
	printf("  prefill     %8.2f tokens/s    %4.0f %% of the int8 rate\n",
	       r->prefill_tokens_per_s, 100 * r->prefill_fraction);
	if (limited && r->memory.streamed_bytes > 0)
		print_reads(r);
	if (r->drafts_tokens_per_s > 0)
		printf("  drafts      %8.2f tokens/s    %4.2f tokens a pass, where a text repeats "
		       "its "
		       "prompt with changes\n",
		       r->drafts_tokens_per_s, r->drafts_tokens_per_pass);
	if (r->first_token_s > 0)
		printf("  first token %8.3f s from the start of a process, %.1f MB of anonymous "
		       "memory\n",
		       r->first_token_s, (double)r->anon_bytes / 1e6);
	else if (!without_start)
		printf("  first token  not timed: there is no /proc/self/exe to start a process "
		       "from\n");
}

#define PROGRAM        "/proc/self/exe"
#define MEASURED_LEAST ((size_t)128 << 20)

static void begin_measuring(void *user, const char *what)
{
	bench_settings *s = user;

	s->measuring = what;
	if (terminal_is_due(&s->line))
		terminal_draw_line(&s->line, "measuring: %s", what);
}

/* A brise_cancel_fn: called before each layer. */
static bool measure_on(void *user)
{
	bench_settings *s = user;

	begin_measuring(s, s->measuring);
	return terminal_was_interrupted(NULL);
}

/* Bytes to read when memory is measured, which are gone before weights are read: half of what the
 * process may take is left for the rest of it. */
static size_t choose_read_bytes(const bench_settings *s, uint64_t file_bytes)
{
	size_t bytes = bench_read_bytes(file_bytes);
	uint64_t most = budget_read_available() / 2;
	budget memory;

	(void)budget_read(s->engine.memory, &memory);
	most = memory.kind == BUDGET_ALL     ? UINT64_MAX
	       : memory.kind == BUDGET_MIN   ? MEASURED_LEAST
	       : memory.kind == BUDGET_BYTES ? memory.bytes / 2
	       : most > 0                    ? most
	                                     : UINT64_MAX;
	most = most < MEASURED_LEAST ? MEASURED_LEAST : most;
	return bytes < most ? bytes : (size_t)most;
}

static int measure_evaluation(bench_model_result *result, bench_settings *s, engine *e)
{
	const uint32_t positions = s->prompt + s->generate + 1;
	engine_settings settings = s->engine;
	bench_model_options options = { .begin = begin_measuring,
		                        .cancel = measure_on,
		                        .user = s,
		                        .prompt = s->prompt,
		                        .generate = s->generate,
		                        .drafts = s->drafts };
	brise_status status;
	brise_error err;
	int opened;

	settings.prompt = s->prompt;
	if (positions > 4096 && e->facts->window == 0)
		settings.context = positions;
	if ((opened = engine_open_sequence(e, "bench", &settings)) != COMMANDS_READY)
		return opened;
	options.model = e->model;
	options.engine = e->engine;
	options.sequence = e->sequence;
	terminal_open_line(&s->line);
	status = bench_measure_model(result, &options, &err);
	brise_free_engine(e->engine);
	e->engine = NULL;
	if (status == BRISE_OK)
		bench_relate_model(result, e->model);
	terminal_erase_line(&s->line);
	return status == BRISE_OK ? COMMANDS_READY : report_status("bench", &err);
}

static int measure_start(bench_model_result *result, const bench_settings *s, const char *path)
{
	const bench_start_options options = { .program = PROGRAM,
		                              .path = path,
		                              .arch = result->arch,
		                              .memory =
		                                      s->engine.memory ? s->engine.memory : "auto",
		                              .threads = result->threads };
	brise_error err;

	return bench_measure_start(result, &options, &err) == BRISE_OK
	               ? COMMANDS_READY
	               : report_status("bench", &err);
}

static int measure_model(bench_settings *s, const char *path)
{
	bench_model_result result = { .threads = 0 };
	engine e = { .model = NULL };
	os_facts program;
	brise_error err;
	int status = engine_open_model(&e, "bench", path);

	terminal_end_on_signals();
	terminal_open_line(&s->line);
	if (status == COMMANDS_READY) {
		begin_measuring(s, "this machine");
		if (bench_measure_machine(
		            &result, engine_choose_arch(s->engine.arch), s->engine.threads,
		            choose_read_bytes(s, e.facts->file_bytes), &err) != BRISE_OK)
			status = report_status("bench", &err);
		terminal_erase_line(&s->line);
	}
	if (status == COMMANDS_READY)
		status = measure_evaluation(&result, s, &e);
	engine_close(&e); /* a fresh process has the memory for itself */
	if (status == COMMANDS_READY && !s->no_start && os_examine(PROGRAM, &program))
		status = measure_start(&result, s, path);
	if (status != COMMANDS_READY)
		return status;
	if (s->json)
		print_model_json(&result);
	else
		print_model(&result, s->no_start);
	return 0;
}

int cli_bench(int argc, char **argv)
{
	bench_settings settings = { .prompt = 512, .generate = 64 };
	options_result result;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY)
		return status;
	if ((status = engine_check_settings("bench", &settings.engine)) != COMMANDS_READY)
		return status;
	if (settings.most_threads > 0)
		return commands_end("bench", measure_scaling(&settings));
	if (settings.engine.threads == ENGINE_THREADS_AUTO &&
	    (status = engine_measure_threads(&settings.engine.threads, "bench",
	                                     &settings.engine)) != COMMANDS_READY)
		return status;
	if (settings.shape == 0 && !settings.kernels && result.n_operands == 0)
		return report_usage("bench", "a MODEL, --kernels or --synthetic SHAPE expected; "
		                             "brise bench --help explains");
	if (settings.shape > 0)
		status = write_synthetic(&settings);
	else if (settings.kernels)
		status = measure_kernels(&settings);
	else
		status = measure_model(&settings, result.operands[0]);
	return commands_end("bench", status);
}
