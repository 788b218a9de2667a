/* run.c - brise run: continues a prompt, streaming the output
 *
 * Standard output gets the continuation only, so that a pipe can use it; progress and statistics go
 * to standard error.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/cli/chat_format.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/engine.h"
#include "runtime/cli/fit.h"
#include "runtime/cli/grammar_file.h"
#include "runtime/cli/input.h"
#include "runtime/cli/prompt_progress.h"
#include "runtime/cli/run_chat.h"
#include "runtime/cli/sampling.h"
#include "runtime/cli/session.h"
#include "runtime/cli/terminal.h"
#include "runtime/generate.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"
#include "runtime/os/ram.h"
#include "runtime/text/chat_thought.h"

#define NO_LIMIT FIT_NO_LIMIT

typedef struct run_settings {
	sampling_settings sampling; /* first: see sampling.h */
	engine_settings engine;
	grammar_files grammars;
	const char *file, *prompt_ids, *session, *system, *format;
	uint32_t tokens;
	bool print_ids, ignore_eos, stats, no_drafts, go_on, is_chat, reasoning;
} run_settings;

typedef struct run {
	const run_settings *settings;
	engine engine;
	prompt_progress progress;
	drafter drafter;
	generation generation; /* without a decoder ids are printed */
	session session;
	brise_grammar *grammar; /* NULL: none */
	run_chat chat;          /* without a reader the prompt is a text */
	chat_thought thought;   /* in front of what a grammar restricts */
	int32_t *prompt;
	size_t n_prompt;
	bool no_memory;              /* for an answer */
	bool thinks;                 /* what came last of an answer is reasoning */
	bool has_thoughts, has_text; /* of an answer, up to now */
	bool to_terminal, line_open; /* the last character printed was no line feed */
	int write_error;             /* errno of the write that failed, or 0 */
} run;

#define AT(member) offsetof(run_settings, member)

static const options_entry entries[] = {
	STRING('f', "file", file, "FILE", "prompt from FILE (default: standard input)"),
	NUMBER('n', "tokens", tokens, "N", 0, 4e9, "-1",
	       "stop after N tokens (default: at the end token)"),
	FLAG(0, "ignore-eos", ignore_eos, "continue past the end token"),
	GRAMMAR_OPTIONS,
	SAMPLING_OPTIONS,
	FLAG(0, "no-drafts", no_drafts, NULL),
	FLAG(0, "stats", stats, "one token a pass; speed and memory at the end"),
	STRING(0, "session", session, "FILE", NULL),
	FLAG(0, "continue", go_on, "keep the text in FILE; go on with it"),
	FLAG(0, "chat", is_chat, NULL),
	STRING(0, "system", system, "TEXT", NULL),
	STRING(0, "chat-format", format, CHAT_FORMAT_VALUE, "answer PROMPT as a question"),
	FLAG(0, "reasoning", reasoning, "with --chat: show the model's reasoning"),
	STRING(0, "prompt-ids", prompt_ids, "FILE", NULL),
	FLAG(0, "print-ids", print_ids, "token ids in, token ids out"),
	ENGINE_OPTIONS,
};

static const options_command command = {
	.name = "run",
	.operands = "MODEL [PROMPT]",
	.summary =
	        "Continues PROMPT; prints the continuation. -m MODEL and -p PROMPT name them too.",
	.entries = entries,
	.n_entries = sizeof entries / sizeof *entries,
	.min_operands = 1,
	.max_operands = 2,
	.surplus = "quote a text with spaces",
};

/* The text that the session holds. */
static int take_prompt(run *r)
{
	r->n_prompt = r->session.n;
	r->prompt = memory_copy(r->session.tokens, r->n_prompt * sizeof *r->prompt);
	if (!r->prompt)
		return report_error("run", "no memory for a text of %zu tokens", r->n_prompt);
	if (r->n_prompt == 0)
		return report_error("run", "%s: holds no text to go on with", r->session.path);
	return COMMANDS_READY;
}

/* Text from the argument, the file or standard input. A file's final line feed is not part of the
 * prompt. */
static int read_prompt(run *r, const char *argument)
{
	const run_settings *s = r->settings;
	char *text = NULL;
	brise_error err;
	size_t bytes;
	int status;

	if (s->prompt_ids)
		return input_read_ids(s->prompt_ids, r->engine.facts->vocab, &r->prompt,
		                      &r->n_prompt, &err) == BRISE_OK
		               ? COMMANDS_READY
		               : report_status("run", &err);
	if (!argument && !s->file && isatty(STDIN_FILENO))
		report_note("run", "reading the prompt; end it with ctrl-D");
	if (!argument && input_read_text(s->file ? s->file : "-", &text, &bytes, &err) != BRISE_OK)
		return report_status("run", &err);
	bytes = argument ? strlen(argument) : input_drop_line_end(text, bytes);
	if (!argument)
		argument = text;
	if (s->is_chat)
		status = run_chat_open(&r->chat, &r->engine, s->format, s->system, argument, bytes,
		                       &r->prompt, &r->n_prompt);
	else
		status = engine_encode_text(&r->engine, "run", argument, bytes, &r->prompt,
		                            &r->n_prompt);
	if (!s->is_chat)
		run_chat_suggest(&r->engine, argument);
	memory_free(text);
	return status;
}

static void print_text(run *r, const char *text, size_t bytes)
{
	if (bytes == 0)
		return;
	terminal_write_text(stdout, r->to_terminal, text, bytes);
	r->line_open = text[bytes - 1] != '\n';
}

/* Reasoning is shown between two lines, as in `brise chat`, if at all. */
static void print_thought(run *r, const brise_answer_piece *piece)
{
	static const char begin[] = "(reasoning)\n";

	if (r->settings->reasoning) {
		if (!r->thinks)
			print_text(r, begin, sizeof begin - 1);
		print_text(r, piece->text, piece->bytes);
	} else if (!r->has_thoughts && terminal_is_terminal(stderr)) {
		report_note("run", "the model is reasoning (--reasoning shows it)");
	}
	r->has_thoughts = r->thinks = true;
}

/* A brise_answer_fn. Nobody has offered the model tools: a call is text. */
static void print_piece(void *user, const brise_answer_piece *piece)
{
	static const char end[] = "\n(answer)\n";
	run *r = user;

	if (piece->kind == BRISE_ANSWER_THOUGHT) {
		print_thought(r, piece);
		return;
	}
	if (r->thinks && r->settings->reasoning)
		print_text(r, end, sizeof end - 1);
	r->thinks = false;
	if (piece->kind == BRISE_ANSWER_CALL_END)
		return;
	r->has_text |= piece->bytes > 0;
	print_text(r, piece->text, piece->bytes);
}

/* A generate_token_fn: stops where standard output fails. */
static bool print_token(void *user, const generate_token *token)
{
	run *r = user;

	prompt_progress_end(&r->progress);
	if (r->chat.reader && !r->settings->print_ids)
		r->no_memory = brise_read_answer(r->chat.reader, token->id, print_piece, r, NULL) !=
		               BRISE_OK;
	else if (r->generation.decoder)
		print_text(r, token->text, token->bytes);
	else
		printf("%" PRId32 "\n", token->id);
	errno = 0;
	if (fflush(stdout) != 0)
		r->write_error = errno;
	return !session_add(&r->session, token->id) || ferror(stdout) || r->no_memory;
}

/* A brise_cancel_fn, for the progress line and ctrl-C. */
static bool was_interrupted(void *user)
{
	run *r = user;

	return prompt_progress_layer(&r->progress);
}

static brise_status generate(run *r, brise_error *err)
{
	const run_settings *s = r->settings;
	const brise_model_facts *f = r->engine.facts;
	brise_status status;

	r->generation.limit = s->tokens == NO_LIMIT ? UINT64_MAX : s->tokens;
	r->generation.ends = r->chat.facts ? r->chat.facts->ends : f->ends;
	r->generation.n_ends = s->ignore_eos   ? 0
	                       : r->chat.facts ? r->chat.facts->n_ends
	                                       : f->n_ends;
	prompt_progress_begin(&r->progress, "prompt: ", r->n_prompt - r->generation.kept,
	                      &r->engine);
	status = generate_run(&r->generation, r->engine.engine, r->engine.sequence, r->prompt,
	                      r->n_prompt, print_token, was_interrupted, r, err);
	prompt_progress_end(&r->progress);
	return status;
}

static void finish_text(run *r)
{
	const char *text;
	size_t bytes;

	if (r->chat.reader && !r->settings->print_ids) {
		(void)brise_finish_answer(r->chat.reader, print_piece, r, NULL);
	} else if (r->generation.decoder) {
		(void)brise_finish_decoder(r->generation.decoder, &text, &bytes, NULL);
		print_text(r, text, bytes);
	}
	if (r->line_open && r->to_terminal)
		(void)putchar('\n');
	(void)fflush(stdout);
}

/* Where both streams lead to one file or pipe, notes begin on a line of their own. The line feed
 * goes to standard error: it is no part of the text. */
static void begin_notes(const run *r)
{
	os_facts out, notes;

	if (r->line_open && !r->to_terminal && os_examine_open(STDOUT_FILENO, &out) &&
	    os_examine_open(STDERR_FILENO, &notes) && out.device == notes.device &&
	    out.serial == notes.serial)
		(void)fputc('\n', stderr);
}

static double rate(double tokens, double seconds)
{
	return seconds > 0 ? tokens / seconds : 0;
}

static void print_stats(const run *r)
{
	const generation *g = &r->generation;
	size_t n = r->n_prompt - g->kept;
	const brise_engine_facts *facts = brise_get_engine_facts(r->engine.engine);
	const brise_sequence_facts *sequence = brise_get_sequence_facts(r->engine.sequence);
	char kv[32], anonymous[32];
	uint64_t memory = ram_read_process(0, "RssAnon");

	terminal_format_bytes((double)sequence->kv_bytes, kv, sizeof kv);
	terminal_format_bytes((double)memory, anonymous, sizeof anonymous);
	report_note("run",
	            "prompt %zu tokens in %.2f s (%.1f tokens/s); generated %" PRIu64
	            " in %.2f s (%.1f tokens/s)",
	            n, g->prompt_s, rate((double)n, g->prompt_s), g->n_tokens, g->generate_s,
	            rate((double)g->n_tokens, g->generate_s));
	if (g->kept > 0)
		report_note("run", "%zu more tokens of the prompt were in the session", g->kept);
	report_note("run",
	            "%" PRIu64 " passes, %.2f tokens per pass; %" PRIu64 " of %" PRIu64
	            " drafts accepted%s",
	            g->n_passes, rate((double)(g->n_passes + g->n_accepted), (double)g->n_passes),
	            g->n_accepted, g->n_drafts, g->drafter ? "" : " (--no-drafts)");
	report_note("run",
	            "%s kernels, %" PRIu32 " threads, seed %" PRIu64 "; cache of %" PRIu64
	            " positions %s, anonymous memory %s",
	            facts->arch, facts->threads, r->settings->sampling.values.seed, sequence->slots,
	            kv, memory ? anonymous : "unknown");
}

/* A full context of a model without a window ends the text normally, with a note; so does a limit
 * that falls within reasoning. */
static int end_of_text(run *r, brise_status status, const brise_error *err)
{
	bool is_cut;
	int saved = 0;

	finish_text(r);
	if (status == BRISE_OK || status == BRISE_ECANCELED)
		saved = session_save(&r->session, "run", &r->engine, r->generation.sampler);
	is_cut = status == BRISE_OK && r->generation.reason == GENERATE_LIMIT && r->chat.reader &&
	         !r->settings->print_ids && !r->has_text && r->generation.n_tokens > 0;
	if (r->generation.reason == GENERATE_FULL || r->settings->stats || status != BRISE_OK ||
	    is_cut)
		begin_notes(r);
	if (is_cut)
		report_note("run",
		            "%" PRIu64 " tokens were reasoning, without an answer: a larger -n "
		            "has room for both",
		            r->generation.n_tokens);
	if (r->generation.reason == GENERATE_FULL)
		report_note("run",
		            "the context of %" PRIu64
		            " positions is full (--context N keeps more, --window N the last N)",
		            brise_get_sequence_facts(r->engine.sequence)->slots);
	if (r->settings->stats && (status == BRISE_OK || status == BRISE_ECANCELED))
		print_stats(r);
	if (status == BRISE_ECANCELED)
		return report_interruption("run", "interrupted");
	if (r->no_memory)
		return report_error("run", "no memory for the answer");
	return status == BRISE_OK ? saved : report_status("run", err);
}

/* Sampler, decoder and drafter. */
static int make_generation(run *r)
{
	const run_settings *s = r->settings;
	brise_error err;

	if (sampling_new(&r->generation.sampler, &s->sampling, &r->engine, &err) != BRISE_OK ||
	    (!s->print_ids &&
	     brise_new_decoder(&r->generation.decoder, brise_get_tokenizer(r->engine.model),
	                       &err) != BRISE_OK))
		return report_status("run", &err);
	if (r->grammar &&
	    brise_new_matcher(&r->generation.matcher, r->grammar,
	                      r->chat.facts ? r->chat.facts->ends : r->engine.facts->ends,
	                      r->chat.facts ? r->chat.facts->n_ends : r->engine.facts->n_ends,
	                      r->chat.facts != NULL, &err) != BRISE_OK)
		return report_status("run", &err);
	if (r->grammar && r->chat.facts &&
	    chat_thought_open(&r->thought, r->chat.chat, r->prompt, r->n_prompt,
	                      r->engine.facts->vocab, r->chat.facts->ends, r->chat.facts->n_ends,
	                      -1, &err) != BRISE_OK)
		return report_status("run", &err);
	r->generation.thought = &r->thought;
	if (!s->no_drafts) {
		if (!drafter_new(&r->drafter))
			return report_error("run", "no memory for drafts (--no-drafts needs none)");
		r->generation.drafter = &r->drafter;
	}
	return COMMANDS_READY;
}

/* The session, and the prompt's place in it. */
static int begin_text(run *r)
{
	const run_settings *s = r->settings;
	brise_sampler *sampler = s->go_on && !s->sampling.has_seed ? r->generation.sampler : NULL;
	int result = session_load(&r->session, "run", &r->engine, &s->engine, sampler);

	if (result == COMMANDS_READY && s->go_on)
		result = take_prompt(r);
	if (result != COMMANDS_READY)
		return result;
	if (r->n_prompt == 0)
		return report_error("run", "the prompt has no tokens");
	if ((result = fit_check_prompt("run", brise_get_sequence_facts(r->engine.sequence),
	                               r->n_prompt, s->tokens)) != COMMANDS_READY)
		return result;
	return session_begin(&r->session, "run", &r->engine, r->prompt, r->n_prompt,
	                     &r->generation.kept);
}

/* Ids in and out need none; run_chat_open says what --chat needs. */
static int check_tokenizer(const run *r, const char *path)
{
	const run_settings *s = r->settings;

	if (brise_get_tokenizer(r->engine.model) || s->is_chat ||
	    (s->print_ids && (s->prompt_ids || s->go_on)))
		return COMMANDS_READY;
	return report_error(
	        "run", "%s: no tokenizer in the file; --prompt-ids and --print-ids work without",
	        path);
}

static int run_model(run *r, const char *path, const char *prompt)
{
	engine_settings settings = r->settings->engine;
	brise_error err;
	int result;

	r->session.path = r->settings->session;
	if ((result = engine_open_model(&r->engine, "run", path)) != COMMANDS_READY ||
	    (result = check_tokenizer(r, path)) != COMMANDS_READY ||
	    (result = grammar_files_open(&r->grammar, "run", &r->settings->grammars,
	                                 brise_get_tokenizer(r->engine.model))) != COMMANDS_READY ||
	    (!r->settings->go_on && (result = read_prompt(r, prompt)) != COMMANDS_READY))
		return result;
	settings.prompt = r->n_prompt;
	if ((result = engine_open_sequence(&r->engine, "run", &settings)) != COMMANDS_READY ||
	    (result = make_generation(r)) != COMMANDS_READY ||
	    (result = begin_text(r)) != COMMANDS_READY)
		return result;
	return end_of_text(r, generate(r, &err), &err);
}

int cli_run(int argc, char **argv)
{
	run_settings settings = { .tokens = NO_LIMIT };
	run r = { .settings = &settings };
	options_result result;
	int status;

	sampling_begin(&settings.sampling);
	if ((status = commands_begin(&command, argc, argv, &settings, &result)) != COMMANDS_READY)
		return status;
	if ((status = engine_check_settings("run", &settings.engine)) != COMMANDS_READY ||
	    (status = grammar_files_check("run", &settings.grammars, settings.ignore_eos)) !=
	            COMMANDS_READY)
		return status;
	if ((settings.file != NULL) + (settings.prompt_ids != NULL) + (result.n_operands > 1) +
	            settings.go_on >
	    1)
		return report_usage("run", "one prompt expected: an argument, --file, --prompt-ids "
		                           "or --continue");
	if ((settings.system || settings.format || settings.reasoning) && !settings.is_chat)
		return report_usage("run", "--system, --chat-format, --reasoning: expected "
		                           "together with --chat");
	if (settings.is_chat && (settings.prompt_ids || settings.go_on))
		return report_usage("run", "--chat: expected with a question, not with "
		                           "--prompt-ids or --continue");
	if (settings.go_on && !settings.session)
		return report_usage("run", "--continue: expected together with --session FILE");
	sampling_finish(&settings.sampling);
	r.to_terminal = terminal_is_terminal(stdout);
	terminal_catch_signals();
	status = run_model(&r, result.operands[0],
	                   result.n_operands > 1 ? result.operands[1] : NULL);
	drafter_free(&r.drafter);
	brise_free_matcher(r.generation.matcher);
	chat_thought_close(&r.thought);
	brise_free_grammar(r.grammar);
	brise_free_decoder(r.generation.decoder);
	brise_free_sampler(r.generation.sampler);
	memory_free(r.prompt);
	run_chat_free(&r.chat);
	session_free(&r.session);
	engine_close(&r.engine);
	return commands_end_after("run", status, r.write_error);
}
