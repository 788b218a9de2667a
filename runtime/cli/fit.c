/* fit.c - compares a prompt with the context, the context with the trained length, and the model
 * with this machine's memory */
#include "runtime/cli/fit.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/terminal.h"
#include "runtime/os/ram.h"

#include <inttypes.h>
#include <stdio.h>

/* What a suggested context leaves for the text when no number of tokens was asked for. */
#define USUAL_TOKENS 512u

int fit_check_prompt(const char *command, const brise_sequence_facts *sequence, size_t n_prompt,
                     uint32_t tokens)
{
	/* The last token generated takes no position: nothing follows it. */
	uint32_t wanted = tokens == FIT_NO_LIMIT ? USUAL_TOKENS : tokens;
	uint64_t needed = (uint64_t)n_prompt + (wanted > 0 ? wanted - 1 : 0),
	         slots = sequence->slots;

	if (sequence->window > 0 || needed <= slots)
		return COMMANDS_READY;
	if (n_prompt > slots && tokens == 0)
		return report_error(command,
		                    "%zu tokens are more than the %" PRIu64
		                    " positions of the context; --context %zu is enough",
		                    n_prompt, slots, n_prompt);
	if (n_prompt > slots)
		return report_error(command,
		                    "the prompt has %zu tokens, the context %" PRIu64
		                    " positions; --context %" PRIu64 " is enough for %" PRIu32
		                    " more tokens",
		                    n_prompt, slots, needed, wanted);
	if (tokens != FIT_NO_LIMIT)
		report_note(command,
		            "the context of %" PRIu64 " positions ends the text after %" PRIu64
		            " of %" PRIu32 " tokens; --context %" PRIu64 " is enough for all",
		            slots, slots - n_prompt + 1, tokens, needed);
	return COMMANDS_READY;
}

bool fit_describe_memory(const brise_model_facts *facts, uint64_t own_bytes, uint64_t memory,
                         char *text, size_t size)
{
	char weights[32], own[32], whole[32];

	if (memory == 0 || (own_bytes < memory && facts->file_bytes <= memory - own_bytes))
		return false;
	terminal_format_bytes((double)facts->file_bytes, weights, sizeof weights);
	terminal_format_bytes((double)own_bytes, own, sizeof own);
	terminal_format_bytes((double)memory, whole, sizeof whole);
	(void)snprintf(text, size,
	               "%s of weights and %s of cache and activations exceed the memory that "
	               "this process may use, %s: %s",
	               weights, own, whole,
	               own_bytes < memory ? "every token reads weights from the disk again"
	                                  : "a smaller --context, --window or --chunk takes less");
	return true;
}

void fit_note_limits(const char *command, const brise_model *model,
                     const brise_sequence_facts *sequence, uint64_t own_bytes)
{
	const brise_model_facts *facts = brise_get_model_facts(model);
	uint64_t context = sequence->window > 0 ? sequence->window : sequence->slots;
	brise_memory_facts memory;
	char text[256];
	ram_facts ram;

	if (facts->window == 0 && facts->max_context > 0 && context > facts->max_context)
		report_note(command,
		            "a context of %" PRIu64 " positions exceeds the %" PRIu32
		            " that the model was trained for: text beyond them gets poor",
		            context, facts->max_context);
	ram_read(&ram, "");
	(void)brise_get_memory_facts(model, &memory, sizeof memory, NULL);
	if (!memory.limited && fit_describe_memory(facts, own_bytes, ram.most, text, sizeof text))
		report_note(command, "%s", text);
}
