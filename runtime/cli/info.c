/* info.c - brise info: contents of a file, memory that it needs, and kernels that will run it */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/disk.h"
#include "bench/limits.h"
#include "runtime/cli/budget.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/report.h"
#include "runtime/text/json_writer.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/cores.h"
#include "runtime/os/os.h"
#include "runtime/os/threads.h"
#include "runtime/text/tokenizer.h"

typedef struct info_settings {
	engine_settings engine;
	budget memory;
	bool wants_plan;
	brise_memory_facts plan; /* budget 0: no limit */
	double disk, ram;        /* bytes per second; 0: unknown */
	bool verify, tensors, json;
	terminal_line line;
} info_settings;

#define AT(member) offsetof(info_settings, member)

static const options_entry entries[] = {
	FLAG(0, "verify", verify, "compare everything with its checksum"),
	FLAG(0, "tensors", tensors, "list all tensors"),
	FLAG(0, "json", json, "one JSON object"),
	ENGINE_OPTIONS,
};

static const options_command command = {
	.name = "info",
	.operands = "MODEL",
	.summary = "Prints a model's configuration, where it came from, its size, the memory it\n"
	           "takes with these options, and the kernel sets of this machine.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 1
};

static double bits_per_weight(const brise_model_facts *f)
{
	return 8.0 * (double)f->file_bytes / (double)f->matrix_weights;
}

/* What chose the kernel set. */
static const char *arch_reason(const info_settings *s)
{
	return s->engine.arch             ? "--arch"
	       : engine_choose_arch(NULL) ? "BRISE_ARCH"
	                                  : "the best this machine runs";
}

static void print_sizes(const engine *e)
{
	const brise_model_facts *f = e->facts;
	const brise_sequence_facts *sequence = brise_get_sequence_facts(e->sequence);
	char file[32], weights[32], cache[32], work[32];

	terminal_format_bytes((double)f->file_bytes, file, sizeof file);
	terminal_format_count((double)f->matrix_weights, weights, sizeof weights);
	terminal_format_bytes((double)sequence->kv_bytes, cache, sizeof cache);
	terminal_format_bytes((double)brise_get_engine_facts(e->engine)->work_bytes, work,
	                      sizeof work);
	printf("type         %s, %.3f bits per weight of the whole file\n", f->type,
	       bits_per_weight(f));
	printf("size         %s in the file, mapped and shared; %s weights\n", file, weights);
	printf("memory       %s for keys and values of %" PRIu64 " positions, %s scratch\n", cache,
	       sequence->slots, work);
}

#define PLAN_READ_BYTES ((size_t)128 << 20)

/* 1e9 bytes per second that this machine reads from memory; 0: unknown. */
static double measure_memory(const engine *e)
{
	uint8_t *bytes = os_new_pages(PLAN_READ_BYTES);
	pool *threads = NULL;
	double rate = 0;

	if (bytes &&
	    pool_new(&threads, brise_get_engine_facts(e->engine)->threads, NULL) == BRISE_OK) {
		memset(bytes, 1, PLAN_READ_BYTES);
		rate = bench_measure_reads(threads, bytes, PLAN_READ_BYTES);
	}
	pool_free(threads);
	os_free_pages(bytes, PLAN_READ_BYTES);
	return rate;
}

/* What --memory would do. */
static int make_plan(const engine *e, info_settings *s)
{
	uint64_t own = brise_get_sequence_facts(e->sequence)->kv_bytes +
	               brise_get_engine_facts(e->engine)->work_bytes,
	         bytes;
	brise_error err;
	int status;

	if (!s->wants_plan)
		return COMMANDS_READY;
	status = budget_choose(&s->memory, "info", e->model, own, &bytes);
	if (status != COMMANDS_READY || bytes == UINT64_MAX)
		return status;
	if (brise_plan_memory(e->model, bytes, &s->plan, sizeof s->plan, &err) != BRISE_OK)
		return report_status("info", &err);
	s->disk = bench_measure_disk(e->model);
	s->ram = measure_memory(e) * 1e9;
	return COMMANDS_READY;
}

/* A token takes as long as the disk or the memory, whichever is slower; 0: unknown. */
static double plan_speed(const engine *e, const info_settings *s)
{
	if (s->disk <= 0 || s->ram <= 0)
		return 0;
	return 1 / fmax((double)s->plan.streamed_bytes / s->disk,
	                (double)e->facts->token_bytes / s->ram);
}

static void print_plan(const engine *e, const info_settings *s)
{
	char kept[32], streamed[32], buffer[32];

	if (!s->wants_plan)
		return;
	if (s->plan.budget == 0) {
		printf("plan         no limit: the file is mapped\n");
		return;
	}
	terminal_format_bytes((double)s->plan.kept_bytes, kept, sizeof kept);
	terminal_format_bytes((double)s->plan.streamed_bytes, streamed, sizeof streamed);
	terminal_format_bytes((double)s->plan.buffer_bytes, buffer, sizeof buffer);
	printf("plan         %s of weights kept, %s read in each pass through %s of buffer\n", kept,
	       streamed, buffer);
	if (plan_speed(e, s) > 0)
		printf("             the disk gives %.2f GB/s, memory %.1f GB/s: about %.3g "
		       "tokens/s\n",
		       s->disk / 1e9, s->ram / 1e9, plan_speed(e, s));
}

static void print_json_plan(json_writer *w, const engine *e, const info_settings *s)
{
	if (!s->wants_plan || s->plan.budget == 0)
		return;
	json_open(w, "plan", '{');
	json_put_unsigned(w, "kept_bytes", s->plan.kept_bytes);
	json_put_unsigned(w, "streamed_bytes", s->plan.streamed_bytes);
	json_put_unsigned(w, "buffer_bytes", s->plan.buffer_bytes);
	json_put_unsigned(w, "least_bytes", s->plan.least);
	json_put_number(w, "tokens_per_s", plan_speed(e, s), 4);
	json_close(w);
}

static void print_token(const brise_model *model, int32_t id)
{
	const brise_tokenizer *tokenizer = brise_get_tokenizer(model);
	const char *piece;
	size_t bytes;

	if (id < 0)
		printf("none");
	else
		printf("%" PRId32, id);
	if (tokenizer && id >= 0 &&
	    brise_get_piece(tokenizer, id, &piece, &bytes, NULL) == BRISE_OK && bytes > 0) {
		printf(" ");
		terminal_write_text(stdout, true, piece, bytes);
	}
}

/* The begin token, and all tokens that end a generation. */
static void print_ends(const brise_model *model, const brise_model_facts *f)
{
	size_t i;

	printf("tokens       begin ");
	print_token(model, f->bos);
	printf(", end ");
	if (f->n_ends == 0)
		printf("none");
	for (i = 0; i < f->n_ends; i++) {
		printf("%s", i ? ", " : "");
		print_token(model, f->ends[i]);
	}
	printf("\n");
	if (f->chat_template)
		printf("template     %zu bytes, kept as text\n", strlen(f->chat_template));
}

/* The format of conversations, as brise_new_chat finds it. A base model has none. */
static void print_chat(const brise_model *model, const brise_model_facts *f)
{
	const brise_tokenizer *tokenizer = brise_get_tokenizer(model);
	const brise_chat_facts *facts;
	brise_chat *chat;
	brise_error err;

	if (!tokenizer)
		return;
	if (brise_new_chat(&chat, tokenizer, f, NULL, &err) != BRISE_OK) {
		printf("chat         %s\n", f->chat_template || f->chat_format
		                                    ? err.message
		                                    : "no template, and no format recorded");
		return;
	}
	facts = brise_get_chat_facts(chat);
	printf("chat         %s (%s)%s%s\n", facts->format, facts->reason,
	       facts->tools ? ", with tools" : "",
	       facts->system ? "" : ", without system messages");
	brise_free_chat(chat);
}

/* Where layers differ: how many have each window, in order of appearance. */
static void print_windows(const brise_model_facts *f)
{
	const char *before = "";
	uint32_t layer, other, n;

	for (layer = 0; layer < f->n_layers; layer++) {
		for (other = 0; other < layer && f->windows[other] != f->windows[layer]; other++)
			;
		if (other < layer)
			continue;
		for (n = 0, other = layer; other < f->n_layers; other++)
			n += f->windows[other] == f->windows[layer];
		if (f->windows[layer])
			printf("%s%" PRIu32 " positions", before, f->windows[layer]);
		else
			printf("%snone", before);
		printf(" in %" PRIu32 " layers", n);
		before = ", ";
	}
	printf("%s\n", f->window ? ", text of any length" : "");
}

static void print_window(const brise_model_facts *f)
{
	printf("window       ");
	if (f->windows)
		print_windows(f);
	else if (f->window)
		printf("%" PRIu32 " positions, text of any length\n", f->window);
	else
		printf("none\n");
}

static void print_scaling(const brise_model_facts *f)
{
	if (f->rope_scaling && f->rope_original)
		printf("positions    %s by %g, trained for %" PRIu32 " before\n", f->rope_scaling,
		       f->rope_factor, f->rope_original);
	else if (f->rope_scaling)
		printf("positions    %s by %g\n", f->rope_scaling, f->rope_factor);
	if (f->query_beta > 0)
		printf("queries      times 1 + %g ln(1 + floor(position / %" PRIu32 "))\n",
		       f->query_beta, f->query_original);
}

static void print_configuration(const brise_model_facts *f)
{
	printf("layers       %" PRIu32 ", width %" PRIu32 ", hidden %" PRIu32
	       ", vocabulary %" PRIu32 "\n",
	       f->n_layers, f->dim, f->hidden_dim, f->vocab);
	printf("heads        %" PRIu32 " of %" PRIu32 ", on %" PRIu32 " for keys and values\n",
	       f->n_heads, f->head_dim, f->n_kv_heads);
	print_window(f);
	printf("rope theta   %g, norm eps %g\n", f->rope_theta, (double)f->norm_eps);
	print_scaling(f);
	if (f->max_context)
		printf("trained for  %" PRIu32 " positions\n", f->max_context);
}

static void print_kernels(const engine *e, const info_settings *s)
{
	const brise_engine_facts *facts = brise_get_engine_facts(e->engine);
	cores_facts cores;
	const char *name;
	bool supported;
	size_t i;

	printf("kernels      %s (%s); sets:", facts->arch, arch_reason(s));
	for (i = 0; (name = brise_get_arch(i, &supported)) != NULL; i++)
		printf("%s %s%s", i ? "," : "", name, supported ? "" : " (not on this machine)");
	printf("\n");
	cores_read(&cores, "");
	printf("threads      %" PRIu32 " (%s); %u processors allowed, ", facts->threads,
	       s->engine.threads ? "--threads"
	       : cores.described ? "the fast cores"
	                         : "all processors",
	       cores.allowed);
	if (cores.described)
		printf("%u cores, %u of them fast", cores.physical, cores.fast);
	else
		printf("cores unknown: /sys does not describe them");
	if (cores.quota > 0)
		printf(", a quota for %u", cores.quota);
	printf("\n");
}

/* The converter's decisions, line by line; the file may hold anything. */
static void print_origin(const char *origin)
{
	const char *line, *end;

	for (line = origin; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		printf("%s", line == origin ? "converted    " : "             ");
		terminal_write_text(stdout, true, line, (size_t)(end - line));
		printf("\n");
	}
}

/* Padding of small matrices included. */
static double tensor_bits(const brise_tensor_facts *t)
{
	double weights = (double)t->rows * t->cols;

	return weights > 0 ? 8.0 * (double)t->bytes / weights : NAN;
}

static void print_tensors(const brise_model *model)
{
	brise_tensor_facts t;
	size_t i;

	for (i = 0; i < brise_get_tensor_count(model); i++)
		if (brise_get_tensor_facts(model, i, &t, sizeof t, NULL) == BRISE_OK)
			printf("  %-26s %-4s %6" PRIu32 " x %-6" PRIu32 " %12" PRIu64
			       " bytes, %6.3f bits per weight, relative squared error %.6f\n",
			       t.name, t.type, t.rows, t.cols, t.bytes, tensor_bits(&t),
			       (double)t.relative_error);
}

static void print_json_tensors(json_writer *w, const brise_model *model)
{
	brise_tensor_facts t;
	size_t i;

	json_open(w, "tensors", '[');
	for (i = 0; i < brise_get_tensor_count(model); i++) {
		if (brise_get_tensor_facts(model, i, &t, sizeof t, NULL) != BRISE_OK)
			continue;
		json_open(w, NULL, '{');
		json_put_string(w, "name", t.name);
		json_put_string(w, "type", t.type);
		json_put_unsigned(w, "rows", t.rows);
		json_put_unsigned(w, "cols", t.cols);
		json_put_unsigned(w, "bytes", t.bytes);
		json_put_number(w, "bits", tensor_bits(&t), 6);
		json_put_number(w, "relative_error", (double)t.relative_error, 8);
		json_close(w);
	}
	json_close(w);
}

static void print_json_model(json_writer *w, const brise_model_facts *f)
{
	size_t i;

	json_put_string(w, "type", f->type);
	json_put_unsigned(w, "n_layers", f->n_layers);
	json_put_unsigned(w, "dim", f->dim);
	json_put_unsigned(w, "hidden_dim", f->hidden_dim);
	json_put_unsigned(w, "vocab", f->vocab);
	json_put_unsigned(w, "n_heads", f->n_heads);
	json_put_unsigned(w, "n_kv_heads", f->n_kv_heads);
	json_put_unsigned(w, "head_dim", f->head_dim);
	json_put_unsigned(w, "window", f->window);
	if (f->windows) {
		json_open(w, "windows", '[');
		for (i = 0; i < f->n_layers; i++)
			json_put_unsigned(w, NULL, f->windows[i]);
		json_close(w);
	}
	json_put_unsigned(w, "max_context", f->max_context);
	if (f->rope_scaling) {
		json_put_string(w, "rope_scaling", f->rope_scaling);
		json_put_number(w, "rope_factor", f->rope_factor, 17);
		json_put_unsigned(w, "rope_original", f->rope_original);
	}
	if (f->query_beta > 0) {
		json_put_number(w, "query_beta", f->query_beta, 17);
		json_put_unsigned(w, "query_original", f->query_original);
	}
	json_put_bool(w, "tied", f->tied);
	json_put_number(w, "rope_theta", f->rope_theta, 17);
	json_put_number(w, "norm_eps", (double)f->norm_eps, 9);
	json_put_integer(w, "bos", f->bos);
	json_put_integer(w, "eos", f->eos);
	json_open(w, "ends", '[');
	for (i = 0; i < f->n_ends; i++)
		json_put_integer(w, NULL, f->ends[i]);
	json_close(w);
	json_put_string(w, "chat_template", f->chat_template);
	json_put_string(w, "chat_format", f->chat_format);
	json_put_unsigned(w, "file_bytes", f->file_bytes);
	json_put_unsigned(w, "matrix_bytes", f->matrix_bytes);
	json_put_unsigned(w, "weights", f->matrix_weights);
	json_put_number(w, "bits_per_weight", bits_per_weight(f), 8);
	json_put_unsigned(w, "token_bytes", f->token_bytes);
}

static void print_json(const engine *e, const info_settings *s)
{
	const brise_engine_facts *facts = brise_get_engine_facts(e->engine);
	const brise_sequence_facts *sequence = brise_get_sequence_facts(e->sequence);
	json_writer w = { .sink = report_json, .user = stdout };
	const char *name;
	bool supported;
	size_t i;

	json_open(&w, NULL, '{');
	print_json_model(&w, e->facts);
	json_put_unsigned(&w, "slots", sequence->slots);
	json_put_unsigned(&w, "kv_bytes", sequence->kv_bytes);
	json_put_unsigned(&w, "work_bytes", facts->work_bytes);
	json_put_string(&w, "arch", facts->arch);
	json_put_unsigned(&w, "threads", facts->threads);
	json_open(&w, "arches", '{');
	for (i = 0; (name = brise_get_arch(i, &supported)) != NULL; i++)
		json_put_bool(&w, name, supported);
	json_close(&w);
	json_put_bool(&w, "tokenizer", brise_get_tokenizer(e->model) != NULL);
	json_put_bool(&w, "verified", s->verify);
	print_json_plan(&w, e, s);
	json_put_string(&w, "origin", e->facts->origin);
	if (s->tensors)
		print_json_tensors(&w, e->model);
	json_close(&w);
	(void)putchar('\n');
}

static void draw_progress(void *user, uint64_t done, uint64_t total)
{
	info_settings *s = user;

	if (terminal_is_due(&s->line))
		terminal_draw_line(&s->line, "verifying: %3.0f %%",
		                   100.0 * (double)done / (double)total);
}

/* brise_verify_model hands one pointer to both callbacks. */
static bool was_interrupted(void *user)
{
	(void)user;
	return terminal_was_interrupted(NULL);
}

static int verify(engine *e, info_settings *s)
{
	brise_status status;
	brise_error err;

	terminal_open_line(&s->line);
	status = brise_verify_model(e->model, draw_progress, was_interrupted, s, &err);
	terminal_erase_line(&s->line);
	return status == BRISE_OK ? COMMANDS_READY : report_status("info", &err);
}

static void print_tokenizer(const brise_tokenizer *t)
{
	printf("tokenizer    %s%s\n", t ? "in the file" : "none",
	       t && t->kind->byte_level ? ", byte-level" : "");
}

int cli_info(int argc, char **argv)
{
	info_settings settings = { .verify = false };
	engine e = { .model = NULL };
	options_result result;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY ||
	    (status = engine_check_settings("info", &settings.engine)) != COMMANDS_READY)
		return status;
	/* Nothing is read: the plan alone is wanted. */
	settings.wants_plan = settings.engine.memory != NULL;
	(void)budget_read(settings.engine.memory, &settings.memory);
	settings.engine.memory = "all";
	terminal_catch_signals();
	if ((status = engine_open_model(&e, "info", result.operands[0])) != COMMANDS_READY ||
	    (settings.verify && (status = verify(&e, &settings)) != COMMANDS_READY) ||
	    (status = engine_open_sequence(&e, "info", &settings.engine)) != COMMANDS_READY)
		goto done;
	if ((status = make_plan(&e, &settings)) != COMMANDS_READY)
		goto done;
	status = 0;
	if (settings.json) {
		print_json(&e, &settings);
		goto done;
	}
	print_configuration(e.facts);
	print_ends(e.model, e.facts);
	print_chat(e.model, e.facts);
	print_sizes(&e);
	print_plan(&e, &settings);
	print_tokenizer(brise_get_tokenizer(e.model));
	print_kernels(&e, &settings);
	print_origin(e.facts->origin);
	if (settings.tensors)
		print_tensors(e.model);
	if (settings.verify)
		printf("verified     every checksum agrees\n");
done:
	engine_close(&e);
	return commands_end("info", status);
}
