/* compare.c - brise compare: what conversion did to every tensor, measured between files, or a file
 * and its checkpoint */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "convert/compare.h"
#include "convert/formats/files.h"
#include "convert/model_source.h"
#include "runtime/cli/report.h"
#include "runtime/text/json_writer.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

typedef struct compare_settings {
	uint32_t threads;
	bool json;
	terminal_line line;
	double start;
} compare_settings;

#define AT(member) offsetof(compare_settings, member)

static const options_entry entries[] = {
	FLAG(0, "json", json, "one JSON object"),
	NUMBER('t', "threads", threads, "N", 1, 256, NULL, "threads (default: fast cores)"),
};

static const options_command command = {
	.name = "compare",
	.operands = "A B",
	.summary = "Compares all weights of A with those of B, the reference: .brise files or\n"
	           "checkpoints. The relative squared error is sum (a - b)^2 / sum b^2, the\n"
	           "signal-to-noise ratio its logarithm in dB.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 2,
	.max_operands = 2
};

/* ---- the two sides --------------------------------------------------------------------------- */

typedef struct side {
	convert_source source;
	bool is_model, is_open;
} side;

/* By its first bytes, or by its name where they are damaged. */
static bool looks_like_model(const char *path)
{
	const char *end = strrchr(path, '.');
	contents found;
	os_facts facts;

	if (!os_examine(path, &facts))
		return true; /* a missing file is reported as a missing model */
	if (facts.kind != OS_FILE)
		return false;
	if (end && !strcmp(end, ".brise"))
		return true;
	return files_look(&found, path, NULL) != BRISE_OK || found == CONTENTS_BRISE;
}

static brise_status open_side(side *s, const char *path, brise_error *err)
{
	brise_status status;

	s->is_model = looks_like_model(path);
	status = s->is_model ? model_source_open(&s->source, path, err)
	                     : convert_open_source(&s->source, path, err);
	s->is_open = status == BRISE_OK;
	return status;
}

static void close_side(side *s)
{
	if (s->is_open && s->is_model)
		model_source_close(&s->source);
	else if (s->is_open)
		convert_close_source(&s->source);
}

/* ---- results --------------------------------------------------------------------------------- */

/* Infinite for equal tensors. */
static double signal_to_noise(const compare_sums *sums)
{
	return -10 * log10(compare_relative_error(sums));
}

/* Of the matrices, as the converter counts: norm weights, few and large, are kept as they are and
 * would dilute the error. */
static compare_sums sum_matrices(const compare_tensor *list, size_t n, size_t *equal)
{
	compare_sums all = { 0, 0, 0 };
	size_t i;

	for (*equal = 0, i = 0; i < n; i++) {
		if (list[i].rows > 1)
			compare_add(&all, &list[i].sums);
		*equal += list[i].sums.error == 0;
	}
	return all;
}

static void print_row(const char *name, const char *shape, const char *types,
                      const compare_sums *sums)
{
	printf("%-24s %15s  %-9s ", name, shape, types);
	if (sums->error == 0)
		printf("%10s\n", "equal");
	else
		printf("%#10.3g %#10.3g %6.2f\n", compare_relative_error(sums), sums->largest,
		       signal_to_noise(sums));
}

static void print_table(const compare_tensor *list, size_t n)
{
	char text[64], types[32];
	size_t i, equal;
	compare_sums all = sum_matrices(list, n, &equal);

	printf("%-24s %15s  %-9s %10s %10s %6s\n", "tensor", "rows x columns", "types",
	       "rel.sq.err", "largest", "SNR dB");
	for (i = 0; i < n; i++) {
		(void)snprintf(text, sizeof text, "%" PRIu32 " x %" PRIu32, list[i].rows,
		               list[i].cols);
		(void)snprintf(types, sizeof types, "%s %s",
		               list[i].types[0] ? list[i].types[0] : "?",
		               list[i].types[1] ? list[i].types[1] : "?");
		print_row(list[i].name, text, types, &list[i].sums);
	}
	(void)snprintf(text, sizeof text, "%zu equal", equal);
	print_row("all matrices", text, "", &all);
}

static void print_json_sums(json_writer *w, const compare_sums *sums)
{
	json_put_number(w, "relative_error", compare_relative_error(sums), 9);
	json_put_number(w, "largest_difference", sums->largest, 9);
	json_put_number(w, "snr_db", signal_to_noise(sums), 9);
}

static void print_json_tensor(json_writer *w, const compare_tensor *t)
{
	int k;

	json_open(w, NULL, '{');
	json_put_string(w, "name", t->name);
	json_open(w, "types", '[');
	for (k = 0; k < 2; k++)
		json_put_string(w, NULL, t->types[k] ? t->types[k] : "?");
	json_close(w);
	json_put_unsigned(w, "rows", t->rows);
	json_put_unsigned(w, "cols", t->cols);
	print_json_sums(w, &t->sums);
	json_close(w);
}

static void print_json(const compare_tensor *list, size_t n)
{
	json_writer w = { .sink = report_json, .user = stdout };
	size_t i, equal;
	compare_sums all = sum_matrices(list, n, &equal);

	json_open(&w, NULL, '{');
	json_put_unsigned(&w, "n_tensors", n);
	json_put_unsigned(&w, "equal_tensors", equal);
	print_json_sums(&w, &all);
	json_open(&w, "tensors", '[');
	for (i = 0; i < n; i++)
		print_json_tensor(&w, &list[i]);
	json_close(&w);
	json_close(&w);
	(void)putchar('\n');
}

/* Models can differ in their configuration while all weights are equal. */
static void note_configurations(const format_config *a, const format_config *b)
{
	if (a->window != b->window)
		report_note("compare",
		            "the windows differ: %" PRIu32 " and %" PRIu32 " positions (0: none)",
		            a->window, b->window);
	if (a->rope_theta < b->rope_theta || a->rope_theta > b->rope_theta)
		report_note("compare", "rope theta differs: %.17g and %.17g", a->rope_theta,
		            b->rope_theta);
	if (a->norm_eps < b->norm_eps || a->norm_eps > b->norm_eps)
		report_note("compare", "norm eps differs: %.9g and %.9g", (double)a->norm_eps,
		            (double)b->norm_eps);
	if (memcmp(&a->rope_scaling, &b->rope_scaling,
	           sizeof *a - offsetof(format_config, rope_scaling)) != 0)
		report_note("compare", "rope scaling or the factor of queries differs");
	if (a->bos != b->bos || a->eos != b->eos)
		report_note("compare",
		            "begin and end tokens differ: %" PRId32 ", %" PRId32 " and %" PRId32
		            ", %" PRId32,
		            a->bos, a->eos, b->bos, b->eos);
}

/* ---- the work -------------------------------------------------------------------------------- */

static void draw_progress(void *user, const char *tensor, uint64_t done, uint64_t total)
{
	compare_settings *s = user;
	double seconds = terminal_clock() - s->start,
	       rate = (double)done / (seconds > 0 ? seconds : 1);
	char left[32];

	if (!terminal_is_due(&s->line))
		return;
	terminal_format_duration(rate > 0 ? (double)(total - done) / rate : 0, left, sizeof left);
	terminal_draw_line(&s->line, "%s: %3.0f %%, %s left", tensor,
	                   100.0 * (double)done / (double)total, left);
}

static int compare(const side *a, const side *b, char **paths, compare_settings *settings)
{
	compare_options options = { .threads = settings->threads,
		                    .progress = draw_progress,
		                    .cancel = terminal_was_interrupted,
		                    .user = settings };
	compare_tensor *list;
	brise_status status;
	brise_error err;
	size_t n;

	settings->start = terminal_clock();
	terminal_open_line(&settings->line);
	status = compare_sources(&a->source, paths[0], &b->source, paths[1], &options, &list, &n,
	                         &err);
	terminal_erase_line(&settings->line);
	if (status != BRISE_OK)
		return report_status("compare", &err);
	note_configurations(&a->source.config, &b->source.config);
	if (settings->json)
		print_json(list, n);
	else
		print_table(list, n);
	memory_free(list);
	return 0;
}

int cli_compare(int argc, char **argv)
{
	compare_settings settings = { .json = false };
	side a = { .is_open = false }, b = { .is_open = false };
	options_result result;
	brise_error err;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY)
		return status;
	if (engine_check_name("compare", "A", result.operands[0]) != COMMANDS_READY ||
	    engine_check_name("compare", "B", result.operands[1]) != COMMANDS_READY)
		return EXIT_FAILED;
	terminal_catch_signals();
	if (open_side(&a, result.operands[0], &err) != BRISE_OK ||
	    open_side(&b, result.operands[1], &err) != BRISE_OK)
		status = report_status("compare", &err);
	else
		status = compare(&a, &b, result.operands, &settings);
	close_side(&a);
	close_side(&b);
	return commands_end("compare", status);
}
