/* chat_template.c - see chat_template.h
 *
 * Mistral's v1, and v2 and v3 without tools, have templates that differ in spaces only, and spaces
 * differ between publications of one version as well: whether [INST] is a control token decides.
 * With a byte-level tokenizer its version decides, which a tekken.json has; where there is none, as
 * in a tokenizer.json and in others' GGUF files, the tokens that the template writes do, and
 * without a template those that the vocabulary has. mistral-common (integrations/chat_templates)
 * and the tokenizer_config.json of the published models are what the marks are taken from.
 */
#include "runtime/text/chat_template.h"

#include <stdio.h>
#include <string.h>

#include "runtime/text/chat_mistral.h"
#include "runtime/text/tokenizer.h"

/* Texts that one form alone has, newest first: forms that are known by name only. */
static const struct {
	const char *mark, *form;
} foreign[] = {
	{ "<<SYS>>", "Llama 2's form" },
	{ "<|start_header_id|>", "Llama 3's form" },
	{ "<start_of_turn>", "Gemma's form" },
	{ "GPT4 Correct", "OpenChat's form" },
	{ "### Instruction", "Alpaca's form" },
	{ "[MODEL_SETTINGS]", "a form later than Mistral's v13" },
};

/* Tokens that templates of Mistral's byte-level formats write, newest first. */
static const struct {
	const char *mark, *without, *form;
} byte_level[] = {
	{ "[THINK]", NULL, "v13" },      { "[ARGS]", "[CALL_ID]", "v13" },
	{ "[ARGS]", NULL, "v11" },       { "[SYSTEM_PROMPT]", NULL, "v7" },
	{ "[INST]", NULL, "v3-tekken" },
};

#define N_BYTE_LEVEL (sizeof byte_level / sizeof *byte_level)
#define N_DECISIVE   3 /* of them, from v11 on */

/* What llama.cpp's converter (conversion/mistral.py) writes instead of a template, from the version
 * of the tokenizer; v7 of SentencePiece's is not known here, and refused for its tokenizer. */
static const struct {
	const char *name, *format;
} named[] = {
	{ "mistral-v1", "v1" }, { "mistral-v3", "v3" },        { "mistral-v3-tekken", "v3-tekken" },
	{ "mistral-v7", "v7" }, { "mistral-v7-tekken", "v7" },
};

/* v1 to v3 are of SentencePiece's tokenizers. */
#define BYTE_LEVEL ", of a byte-level tokenizer"

static bool holds(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

/* Whether a template has the marks of byte_level[i]. */
static bool holds_form(const char *text, size_t i)
{
	return holds(text, byte_level[i].mark) &&
	       !(byte_level[i].without && holds(text, byte_level[i].without));
}

/* Whether the vocabulary has the text as a token that ordinary text is not cut into. */
static bool has_token(const brise_tokenizer *t, const char *text)
{
	int32_t id = -1;

	if (t)
		(void)brise_find_token(t, text, strlen(text), &id, NULL);
	return id >= 0 && (t->types[id] == PIECE_CONTROL || t->types[id] == PIECE_USER_DEFINED);
}

static void say(chat_guess *g, const char *format, const char *before, const char *mark,
                const char *after)
{
	g->format = format;
	(void)snprintf(g->seen, sizeof g->seen, "%s%s%s", before, mark, after);
}

/* Says the format of a byte-level tokenizer's version. False: it has none that is known. */
static bool guess_dialect(chat_guess *g, const brise_tokenizer *t)
{
	const mistral_rules *rules = t ? mistral_find_dialect(t->dialect) : NULL;

	if (!rules)
		return false;
	g->format = rules->name;
	(void)snprintf(g->seen, sizeof g->seen, "the tokenizer is of tekken's version %u",
	               (unsigned)t->dialect);
	return true;
}

/* The newest of byte_level whose marks the vocabulary has; N_BYTE_LEVEL: none. */
static size_t find_form(const brise_tokenizer *t)
{
	size_t i = 0;

	while (i < N_BYTE_LEVEL &&
	       !(has_token(t, byte_level[i].mark) &&
	         !(byte_level[i].without && has_token(t, byte_level[i].without))))
		i++;
	return i;
}

/* One of Mistral's with a byte-level tokenizer. False: the template has no mark of them. */
static bool guess_byte_level(chat_guess *g, const char *text, const brise_tokenizer *t)
{
	size_t newest = t->dialect == 0 ? find_form(t) : N_BYTE_LEVEL, i = 0;
	bool decides;

	while (i < N_BYTE_LEVEL && !holds_form(text, i))
		i++;
	if (i == N_BYTE_LEVEL)
		return false;
	if (guess_dialect(g, t))
		return true;
	decides = newest < N_DECISIVE && newest < i;
	g->format = byte_level[decides ? newest : i].form;
	if (decides)
		(void)snprintf(g->seen, sizeof g->seen,
		               "the vocabulary has %s, as that of %s, though the chat template "
		               "writes %s as the newest",
		               byte_level[newest].mark, g->format, byte_level[i].mark);
	else
		say(g, g->format, "the chat template writes ", byte_level[i].mark, BYTE_LEVEL);
	return true;
}

/* One of Mistral's with [INST]: as a token from v2 on. */
static void guess_mistral(chat_guess *g, const char *text, const brise_tokenizer *t)
{
	bool results = holds(text, "[TOOL_RESULTS]"), ids = holds(text, "call_id");

	if (has_token(t, "[INST]") && has_token(t, "[TOOL_RESULTS]"))
		say(g, results && !ids ? "v2" : "v3", "the chat template writes [INST]",
		    results ? ids ? ", results with call_id" : ", results without call_id" : "",
		    " and the vocabulary has it as a token");
	else if (results || holds(text, "[AVAILABLE_TOOLS]"))
		say(g, NULL, "the chat template writes [AVAILABLE_TOOLS] or [TOOL_RESULTS]", "",
		    ", which the vocabulary lacks");
	else
		say(g, "v1", "the chat template writes [INST]", "",
		    ", and the vocabulary has no such token");
}

/* "<|user|>" and a line end, as the character or as Jinja spells it. */
static bool is_zephyr(const char *text)
{
	bool breaks = holds(text, "<|user|>\n") || holds(text, "<|user|>\\n");

	return breaks && holds(text, "<|assistant|>") && !holds(text, "<|end|>") &&
	       (holds(text, "eos_token") || holds(text, "</s>"));
}

/* False: the template is not a name. */
static bool guess_named(chat_guess *g, const char *text, const brise_tokenizer *t)
{
	size_t i;

	for (i = 0; i < sizeof named / sizeof *named; i++) {
		if (strcmp(text, named[i].name) != 0)
			continue;
		if (!guess_dialect(g, t))
			say(g, named[i].format, "the chat template is llama.cpp's name ",
			    named[i].name, "");
		return true;
	}
	return false;
}

static void guess_template(chat_guess *g, const char *text, const brise_tokenizer *t)
{
	size_t i;

	if (guess_named(g, text, t))
		return;
	if (holds(text, "<|im_start|>")) {
		bool fits = !t || (has_token(t, "<|im_start|>") && has_token(t, "<|im_end|>"));

		say(g, fits ? "chatml" : NULL, "the chat template writes <|im_start|>", "",
		    fits ? "" : ", but the vocabulary lacks it or <|im_end|>");
		return;
	}
	for (i = 0; i < sizeof foreign / sizeof *foreign; i++)
		if (holds(text, foreign[i].mark)) {
			(void)snprintf(g->seen, sizeof g->seen,
			               "the chat template writes %s, as %s does", foreign[i].mark,
			               foreign[i].form);
			return;
		}
	if (t && t->kind->byte_level && guess_byte_level(g, text, t))
		return;
	for (i = 0; i + 1 < N_BYTE_LEVEL; i++)
		if (holds_form(text, i)) {
			(void)snprintf(g->seen, sizeof g->seen,
			               "the chat template writes %s, as Mistral's %s does, of "
			               "byte-level tokenizers",
			               byte_level[i].mark, byte_level[i].form);
			return;
		}
	if (holds(text, "[INST]"))
		guess_mistral(g, text, t);
	else if (is_zephyr(text))
		say(g, "zephyr", "the chat template writes <|user|>", "", "");
	else
		say(g, NULL, "the chat template is of no known form", "", "");
}

/* By the vocabulary of a byte-level tokenizer that has no version. False: it has no mark. */
static bool guess_byte_level_tokens(chat_guess *g, const brise_tokenizer *t)
{
	size_t i = find_form(t);

	if (i == N_BYTE_LEVEL)
		return false;
	g->format = byte_level[i].form;
	/* a tekken.json of version 3 that lists no control tokens has v7's */
	(void)snprintf(g->seen, sizeof g->seen,
	               "no chat template; the vocabulary has %s, as that of %s%s",
	               byte_level[i].mark, g->format,
	               strcmp(g->format, "v7") ? "" : " and sometimes v3-tekken");
	return true;
}

/* Mistral's own folders have no template. */
static void guess_tokens(chat_guess *g, const brise_tokenizer *t)
{
	if (has_token(t, "<|im_start|>") && has_token(t, "<|im_end|>"))
		say(g, "chatml", "the vocabulary has <|im_start|> and <|im_end|>", "", "");
	else if (guess_dialect(g, t))
		return;
	else if (t && t->dialect > 0)
		(void)snprintf(g->seen, sizeof g->seen,
		               "no chat template; the form of tekken's version %u is not known",
		               (unsigned)t->dialect);
	else if (t && t->kind->byte_level && t->dialect == 0 && guess_byte_level_tokens(g, t))
		return;
	else if (has_token(t, "[SYSTEM_PROMPT]"))
		say(g, NULL, "no chat template; the vocabulary has [SYSTEM_PROMPT]", "",
		    ", as Mistral's from v7 on");
	else if (t && t->kind->byte_level && has_token(t, "[INST]"))
		say(g, NULL, "no chat template; the vocabulary has [INST]", "", BYTE_LEVEL);
	else if (has_token(t, "[INST]") && has_token(t, "[TOOL_RESULTS]"))
		say(g, "v3", "the vocabulary has [INST] and [TOOL_RESULTS]", "", "");
	else
		say(g, NULL, "no chat template", "",
		    ", and the vocabulary has no known control tokens");
}

void chat_guess_format(chat_guess *g, const char *text, const brise_tokenizer *t)
{
	*g = (chat_guess){ .format = NULL };
	if (text) {
		guess_template(g, text, t);
		g->begins = holds(text, "bos_token");
	} else {
		guess_tokens(g, t);
	}
}
