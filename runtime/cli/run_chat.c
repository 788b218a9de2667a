/* run_chat.c - see run_chat.h */
#include "runtime/cli/run_chat.h"

#include <stdio.h>
#include <string.h>

#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/dialog.h"
#include "runtime/cli/terminal.h"
#include "runtime/error.h"

static brise_status encode(const run_chat *c, const char *system, const char *question,
                           size_t bytes, int32_t **ids, size_t *n, brise_error *err)
{
	dialog d = { .n = 0 };
	brise_status status;

	if ((system && !dialog_set_system(&d, system, strlen(system))) ||
	    !dialog_add(&d, BRISE_USER, question, bytes))
		status = error_set(err, BRISE_ENOMEM, "no memory for a question");
	else
		status = dialog_encode(&d, c->chat, ids, n, err);
	dialog_free(&d);
	return status;
}

int run_chat_open(run_chat *c, const engine *e, const char *format, const char *system,
                  const char *question, size_t bytes, int32_t **ids, size_t *n)
{
	const brise_tokenizer *tokenizer = brise_get_tokenizer(e->model);
	brise_error err;

	if (!tokenizer)
		return report_error("run", "--chat: the file holds no tokenizer");
	if (chat_format_open(&c->chat, tokenizer, e->facts, format, &err) != BRISE_OK ||
	    brise_new_answer(&c->reader, c->chat, &err) != BRISE_OK ||
	    encode(c, system, question, bytes, ids, n, &err) != BRISE_OK)
		return report_status("run", &err);
	c->facts = brise_get_chat_facts(c->chat);
	return COMMANDS_READY;
}

void run_chat_free(run_chat *c)
{
	brise_free_answer(c->reader);
	brise_free_chat(c->chat);
	memset(c, 0, sizeof *c);
}

void run_chat_suggest(const engine *e, const char *prompt)
{
	const brise_model_facts *f = e->facts;

	if (terminal_is_terminal(stderr) && (f->chat_format || f->chat_template) &&
	    !strstr(prompt, "[INST]") && !strstr(prompt, "<|"))
		report_note("run", "this model was trained on conversations: brise chat MODEL "
		                   "talks with it, --chat answers PROMPT as a question");
}
