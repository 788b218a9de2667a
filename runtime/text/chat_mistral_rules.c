/* chat_mistral_rules.c - what Mistral's formats are called, and the tokens that each needs
 *
 * Tokens are found by their names, since their ids differ from file to file.
 */
#include <string.h>

#include "runtime/error.h"
#include "runtime/text/chat_mistral.h"

static const mistral_rules all_rules[] = {
	{ .name = "v1", .system_first = true },
	{ .name = "v2", .controls = true, .tools = true },
	{ .name = "v3",
	  .controls = true,
	  .tools = true,
	  .keeps_calls = true,
	  .results = MISTRAL_OF_ID },
	{ .name = "v3-tekken",
	  .dialect = 3,
	  .controls = true,
	  .tools = true,
	  .keeps_calls = true,
	  .results = MISTRAL_OF_ID },
	{ .name = "v7",
	  .dialect = 7,
	  .controls = true,
	  .tools = true,
	  .system_apart = true,
	  .keeps_calls = true,
	  .text_and_calls = true,
	  .results = MISTRAL_ID_TEXT },
	{ .name = "v11",
	  .dialect = 11,
	  .controls = true,
	  .tools = true,
	  .system_apart = true,
	  .keeps_calls = true,
	  .text_and_calls = true,
	  .orders_results = true,
	  .calls = MISTRAL_NAMES_IDS,
	  .results = MISTRAL_ID_TEXT },
	{ .name = "v13",
	  .dialect = 13,
	  .controls = true,
	  .tools = true,
	  .system_apart = true,
	  .tools_first = true,
	  .keeps_calls = true,
	  .text_and_calls = true,
	  .orders_results = true,
	  .thoughts = true,
	  .calls = MISTRAL_NAMES,
	  .results = MISTRAL_TEXT },
};

#define N_RULES (sizeof all_rules / sizeof *all_rules)

const mistral_rules *mistral_find(const char *name)
{
	size_t i;

	for (i = 0; i < N_RULES; i++)
		if (!strcmp(all_rules[i].name, name))
			return &all_rules[i];
	return NULL;
}

const mistral_rules *mistral_find_dialect(uint32_t dialect)
{
	size_t i;

	for (i = 0; i < N_RULES; i++)
		if (dialect > 0 && all_rules[i].dialect == dialect)
			return &all_rules[i];
	return NULL;
}

/* Whether a format cannot be written without a token. Those of calls that it does not write are
 * known all the same: a model may. */
static bool needs(const mistral_rules *rules, enum chat_control control)
{
	switch (control) {
	case CHAT_BEGIN_INSTRUCTION:
	case CHAT_END_INSTRUCTION:
		return rules->controls;
	case CHAT_BEGIN_TOOLS:
	case CHAT_END_TOOLS:
	case CHAT_CALLS:
	case CHAT_BEGIN_RESULTS:
	case CHAT_END_RESULTS:
		return rules->tools;
	case CHAT_CALL_ID:
		return rules->calls == MISTRAL_NAMES_IDS;
	case CHAT_ARGUMENTS:
		return rules->calls != MISTRAL_LIST;
	case CHAT_BEGIN_SYSTEM:
	case CHAT_END_SYSTEM:
		return rules->system_apart;
	case CHAT_RESULT_TEXT:
		return rules->results == MISTRAL_ID_TEXT;
	case CHAT_BEGIN_THOUGHT: /* models without reasoning have none */
	case CHAT_END_THOUGHT:
	case CHAT_CONTROLS:
		break;
	}
	return false;
}

static brise_status find_controls(brise_chat *chat, brise_error *err)
{
	static const char *const texts[CHAT_CONTROLS] = {
		[CHAT_BEGIN_INSTRUCTION] = "[INST]",
		[CHAT_END_INSTRUCTION] = "[/INST]",
		[CHAT_BEGIN_TOOLS] = "[AVAILABLE_TOOLS]",
		[CHAT_END_TOOLS] = "[/AVAILABLE_TOOLS]",
		[CHAT_CALLS] = "[TOOL_CALLS]",
		[CHAT_BEGIN_RESULTS] = "[TOOL_RESULTS]",
		[CHAT_END_RESULTS] = "[/TOOL_RESULTS]",
		[CHAT_CALL_ID] = "[CALL_ID]",
		[CHAT_ARGUMENTS] = "[ARGS]",
		[CHAT_BEGIN_SYSTEM] = "[SYSTEM_PROMPT]",
		[CHAT_END_SYSTEM] = "[/SYSTEM_PROMPT]",
		[CHAT_RESULT_TEXT] = "[TOOL_CONTENT]",
		[CHAT_BEGIN_THOUGHT] = "[THINK]",
		[CHAT_END_THOUGHT] = "[/THINK]",
	};
	const brise_tokenizer *t = chat->tokenizer;
	int i;

	for (i = 0; i < CHAT_CONTROLS; i++) {
		int32_t *id = &chat->controls[i];

		(void)brise_find_token(t, texts[i], strlen(texts[i]), id, NULL);
		/* A piece of ordinary text would be one for users as well. */
		if (*id >= 0 && t->types[*id] != PIECE_CONTROL &&
		    t->types[*id] != PIECE_USER_DEFINED)
			*id = -1;
		if (*id < 0 && needs(chat->rules, (enum chat_control)i))
			return error_set(err, BRISE_EINVAL,
			                 "the format %s needs the control token %s, which the "
			                 "vocabulary lacks",
			                 chat->rules->name, texts[i]);
	}
	return BRISE_OK;
}

brise_status mistral_open(brise_chat *chat, brise_error *err)
{
	const mistral_rules *rules = chat->rules;
	brise_status status;

	if (rules->dialect > 0 && !chat->tokenizer->kind->byte_level)
		return error_set(err, BRISE_EINVAL,
		                 "the format %s is of byte-level tokenizers (tekken), which this "
		                 "one is not",
		                 rules->name);
	if ((status = find_controls(chat, err)) != BRISE_OK)
		return status;
	if (chat->begin < 0 || chat->end < 0)
		return error_set(err, BRISE_EINVAL,
		                 "the format %s needs begin and end tokens, which the vocabulary "
		                 "lacks",
		                 rules->name);
	chat->facts.system = true;
	chat->facts.tools = rules->tools;
	chat->facts.text_and_calls = rules->text_and_calls;
	chat->facts.thoughts = rules->thoughts && chat->controls[CHAT_BEGIN_THOUGHT] >= 0 &&
	                       chat->controls[CHAT_END_THOUGHT] >= 0;
	return BRISE_OK;
}
