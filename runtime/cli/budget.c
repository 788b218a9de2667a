/* budget.c - from a size on the command line, or this machine's memory, to a limit for weights */
#include "runtime/cli/budget.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/cli/number.h"
#include "runtime/cli/terminal.h"
#include "runtime/model/model.h"
#include "runtime/os/ram.h"

/* Rows of the embedding that a text uses again and again come from the cache of files, which needs
 * room for them beside what is limited. */
#define EMBEDDING_ROOM ((uint64_t)16 << 20)

/* What auto leaves to the rest of the system: a tenth, within these bounds. */
#define SYSTEM_LEAST ((uint64_t)128 << 20)
#define SYSTEM_MOST  ((uint64_t)1 << 30)

/* What takes long enough to read from a slow disk that a log should say why nothing happens. */
#define NOTED_BYTES ((uint64_t)256 << 20)

static const struct {
	const char *name;
	double factor;
} units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "K", 1e3 },
	{ "KB", 1e3 },
	{ "M", 1e6 },
	{ "MB", 1e6 },
	{ "G", 1e9 },
	{ "GB", 1e9 },
	{ "T", 1e12 },
	{ "TB", 1e12 },
	{ "Ki", 1024 },
	{ "KiB", 1024 },
	{ "Mi", 1048576 },
	{ "MiB", 1048576 },
	{ "Gi", 1073741824 },
	{ "GiB", 1073741824 },
	{ "Ti", 1099511627776 },
	{ "TiB", 1099511627776 },
};

/* As strcasecmp, which is not in C11. */
static bool same_letters(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a | 32) != (*b | 32))
			return false;
	return *a == *b;
}

bool budget_read(const char *text, budget *out)
{
	char digits[32];
	size_t n, i;
	double value;

	*out = (budget){ .kind = BUDGET_AUTO };
	if (!text || !strcmp(text, "auto"))
		return true;
	out->kind = !strcmp(text, "all")   ? BUDGET_ALL
	            : !strcmp(text, "min") ? BUDGET_MIN
	                                   : BUDGET_BYTES;
	if (out->kind != BUDGET_BYTES)
		return true;
	n = strspn(text, "0123456789.");
	if (n == 0 || n >= sizeof digits)
		return false;
	memcpy(digits, text, n);
	digits[n] = 0;
	if (!number_read_real(digits, &value))
		return false;
	for (i = 0; i < sizeof units / sizeof *units; i++)
		if (same_letters(text + n, units[i].name)) {
			value *= units[i].factor;
			out->bytes = value < 1e18 ? (uint64_t)value : (uint64_t)1e18;
			return value > 0;
		}
	return false;
}

static uint64_t embedding_room(const brise_model *model)
{
	uint64_t bytes = model->places[0].kinds[TENSOR_EMBEDDING]->bytes;

	return bytes < EMBEDDING_ROOM ? bytes : EMBEDDING_ROOM;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t part(const budget *b, uint64_t bytes)
{
	return b->share > 0 ? (uint64_t)(b->share * (double)bytes) : bytes;
}

uint64_t budget_read_available(void)
{
	ram_facts ram;

	ram_read(&ram, "");
	return ram.available;
}

static uint64_t auto_bytes(const brise_model *model, uint64_t own_bytes, uint64_t available)
{
	uint64_t left = available / 10;

	left = left < SYSTEM_LEAST ? SYSTEM_LEAST : left > SYSTEM_MOST ? SYSTEM_MOST : left;
	if (available == 0 || model->facts.file_bytes + own_bytes <= less(available, left))
		return UINT64_MAX;
	return less(available, left + own_bytes + embedding_room(model));
}

uint64_t budget_for_weights(const budget *b, const brise_model *model, uint64_t own_bytes,
                            uint64_t available)
{
	uint64_t least = model->residency.least, bytes = part(b, b->bytes);

	switch (b->kind) {
	case BUDGET_ALL:
		return UINT64_MAX;
	case BUDGET_MIN:
		return least;
	case BUDGET_AUTO:
		bytes = auto_bytes(model, own_bytes, part(b, available));
		return bytes > least ? bytes : least; /* it is the user's machine: try */
	default:
		if (bytes >= own_bytes && bytes - own_bytes >= model->facts.file_bytes)
			return UINT64_MAX; /* the mapped file takes no more */
		return less(bytes, own_bytes + embedding_room(model));
	}
}

static void draw_progress(void *user, uint64_t done, uint64_t total)
{
	terminal_line *line = user;

	if (terminal_is_due(line))
		terminal_draw_line(line, "reading weights: %3.0f %%",
		                   100.0 * (double)done / (double)(total > 0 ? total : 1));
}

static bool was_interrupted(void *user)
{
	(void)user;
	return terminal_was_interrupted(NULL);
}

static void note_limit(const char *command, const brise_model *model)
{
	char kept[32], streamed[32];
	brise_memory_facts facts;

	(void)brise_get_memory_facts(model, &facts, sizeof facts, NULL);
	terminal_format_bytes((double)facts.kept_bytes, kept, sizeof kept);
	terminal_format_bytes((double)facts.streamed_bytes, streamed, sizeof streamed);
	if (facts.streamed_bytes > 0)
		report_note(command,
		            "%s of weights are kept in memory, %s are read from the disk in each "
		            "pass (--memory SIZE allows another amount)",
		            kept, streamed);
	if (!facts.locked)
		report_note(command,
		            "the weights kept are not locked in memory: ulimit -l %" PRIu64
		            " allows it",
		            facts.kept_bytes / 1024 + 1);
}

int budget_choose(const budget *b, const char *command, const brise_model *model,
                  uint64_t own_bytes, uint64_t *bytes)
{
	uint64_t needed, step;
	char least[32];

	*bytes = budget_for_weights(b, model, own_bytes,
	                            b->available ? b->available : budget_read_available());
	if (*bytes >= model->residency.least)
		return COMMANDS_READY;
	needed = model->residency.least + own_bytes + embedding_room(model);
	needed = b->share > 0 ? (uint64_t)((double)needed / b->share) + 1 : needed;
	/* Rounded up at the first of three digits that is not printed, so that the size named is
	 * enough. */
	for (step = 1; needed / step >= 1000; step *= 10)
		;
	needed = (needed + step - 1) / step * step;
	terminal_format_bytes((double)needed, least, sizeof least);
	return report_error(command,
	                    "--memory is too small: buffers, cache and activations "
	                    "take %s",
	                    least);
}

int budget_apply(const budget *b, const char *command, brise_model *model, uint64_t own_bytes)
{
	terminal_line line;
	brise_status status;
	uint64_t bytes;
	brise_error err;
	int result = budget_choose(b, command, model, own_bytes, &bytes);

	if (result != COMMANDS_READY || bytes == UINT64_MAX)
		return result;
	if (!terminal_is_terminal(stderr) && bytes >= NOTED_BYTES)
		report_note(command,
		            "reading the weights that are kept in memory, up to %" PRIu64 " MB",
		            (bytes < model->facts.file_bytes ? bytes : model->facts.file_bytes) /
		                    1000000);
	terminal_open_line(&line);
	status = brise_limit_memory(model, bytes, draw_progress, was_interrupted, &line, &err);
	terminal_erase_line(&line);
	if (status == BRISE_ECANCELED)
		return report_interruption(command, "interrupted");
	if (status != BRISE_OK)
		return report_status(command, &err);
	note_limit(command, model);
	return COMMANDS_READY;
}
