/* info.c - brise info: what a file holds, what it needs in memory, and which kernels will run it */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/text/json_text.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/cores.h"

typedef struct info_settings {
	engine_settings engine;
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

/* What begins a text, and all that ends a generation. */
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

static void print_configuration(const brise_model_facts *f)
{
	printf("layers       %" PRIu32 ", width %" PRIu32 ", hidden %" PRIu32
	       ", vocabulary %" PRIu32 "\n",
	       f->n_layers, f->dim, f->hidden_dim, f->vocab);
	printf("heads        %" PRIu32 " of %" PRIu32 ", on %" PRIu32 " for keys and values\n",
	       f->n_heads, f->head_dim, f->n_kv_heads);
	if (f->window)
		printf("window       %" PRIu32 " positions, text of any length\n", f->window);
	else
		printf("window       none\n");
	printf("rope theta   %g, norm eps %g\n", f->rope_theta, (double)f->norm_eps);
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
	printf("threads      %" PRIu32 " (%s); %u processors allowed, %u cores, %u of them fast",
	       facts->threads, s->engine.threads ? "--threads" : "the fast cores", cores.allowed,
	       cores.physical, cores.fast);
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
	return 8.0 * (double)t->bytes / ((double)t->rows * t->cols);
}

static void print_tensors(const brise_model *model)
{
	brise_tensor_facts t;
	size_t i;

	for (i = 0; i < brise_count_tensors(model); i++)
		if (brise_get_tensor(model, i, &t, NULL) == BRISE_OK)
			printf("  %-26s %-4s %6" PRIu32 " x %-6" PRIu32 " %12" PRIu64
			       " bytes, %6.3f bits per weight, relative squared error %.6f\n",
			       t.name, t.type, t.rows, t.cols, t.bytes, tensor_bits(&t),
			       (double)t.relative_error);
}

static void print_json_tensors(const brise_model *model)
{
	brise_tensor_facts t;
	char error[32];
	size_t i;

	printf(",\"tensors\":[");
	for (i = 0; i < brise_count_tensors(model); i++)
		if (brise_get_tensor(model, i, &t, NULL) == BRISE_OK) {
			/* JSON has no NaN */
			(void)snprintf(error, sizeof error,
			               isfinite(t.relative_error) ? "%.8g" : "null",
			               (double)t.relative_error);
			printf("%s{\"name\":\"%s\",\"type\":\"%s\",\"rows\":%" PRIu32
			       ",\"cols\":%" PRIu32 ",\"bytes\":%" PRIu64
			       ",\"bits\":%.6g,\"relative_error\":%s}",
			       i ? "," : "", t.name, t.type, t.rows, t.cols, t.bytes,
			       tensor_bits(&t), error);
		}
	printf("]");
}

static void print_json(const engine *e, const info_settings *s)
{
	const brise_model_facts *f = e->facts;
	const brise_engine_facts *facts = brise_get_engine_facts(e->engine);
	const brise_sequence_facts *sequence = brise_get_sequence_facts(e->sequence);
	const char *name;
	bool supported;
	size_t i;

	printf("{\"type\":\"%s\",\"n_layers\":%" PRIu32 ",\"dim\":%" PRIu32
	       ",\"hidden_dim\":%" PRIu32 ",\"vocab\":%" PRIu32 ",\"n_heads\":%" PRIu32
	       ",\"n_kv_heads\":%" PRIu32 ",\"head_dim\":%" PRIu32,
	       f->type, f->n_layers, f->dim, f->hidden_dim, f->vocab, f->n_heads, f->n_kv_heads,
	       f->head_dim);
	printf(",\"window\":%" PRIu32 ",\"max_context\":%" PRIu32
	       ",\"rope_theta\":%.17g,\"norm_eps\":%.9g,\"bos\":%" PRId32 ",\"eos\":%" PRId32,
	       f->window, f->max_context, f->rope_theta, (double)f->norm_eps, f->bos, f->eos);
	printf(",\"ends\":[");
	for (i = 0; i < f->n_ends; i++)
		printf("%s%" PRId32, i ? "," : "", f->ends[i]);
	printf("],\"chat_template\":");
	if (f->chat_template)
		json_write_string(stdout, f->chat_template, strlen(f->chat_template));
	else
		printf("null");
	printf(",\"file_bytes\":%" PRIu64 ",\"matrix_bytes\":%" PRIu64 ",\"weights\":%" PRIu64
	       ",\"bits_per_weight\":%.6f,\"token_bytes\":%" PRIu64,
	       f->file_bytes, f->matrix_bytes, f->matrix_weights, bits_per_weight(f),
	       f->token_bytes);
	printf(",\"slots\":%" PRIu64 ",\"kv_bytes\":%" PRIu64 ",\"work_bytes\":%" PRIu64
	       ",\"arch\":\"%s\",\"threads\":%" PRIu32 ",\"arches\":{",
	       sequence->slots, sequence->kv_bytes, facts->work_bytes, facts->arch, facts->threads);
	for (i = 0; (name = brise_get_arch(i, &supported)) != NULL; i++)
		printf("%s\"%s\":%s", i ? "," : "", name, supported ? "true" : "false");
	printf("},\"tokenizer\":%s,\"verified\":%s,\"origin\":",
	       brise_get_tokenizer(e->model) ? "true" : "false", s->verify ? "true" : "false");
	json_write_string(stdout, f->origin, strlen(f->origin));
	if (s->tensors)
		print_json_tensors(e->model);
	printf("}\n");
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

int cli_info(int argc, char **argv)
{
	info_settings settings = { .verify = false };
	engine e = { .model = NULL };
	options_result result;
	int status = commands_begin(&command, argc, argv, &settings, &result);

	if (status != COMMANDS_READY ||
	    (status = engine_check_settings("info", &settings.engine)) != COMMANDS_READY)
		return status;
	terminal_catch_signals();
	if ((status = engine_open_model(&e, "info", result.operands[0])) != COMMANDS_READY ||
	    (settings.verify && (status = verify(&e, &settings)) != COMMANDS_READY) ||
	    (status = engine_open_sequence(&e, "info", &settings.engine)) != COMMANDS_READY)
		goto done;
	status = 0;
	if (settings.json) {
		print_json(&e, &settings);
		goto done;
	}
	print_configuration(e.facts);
	print_ends(e.model, e.facts);
	print_sizes(&e);
	printf("tokenizer    %s\n", brise_get_tokenizer(e.model) ? "in the file" : "none");
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
