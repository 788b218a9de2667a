/* end_tokens.c - see end_tokens.h */
#include "convert/tokenizer/end_tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 8u /* tokens in a line */

void end_tokens_add(end_tokens *list, int64_t id, const char *source)
{
	size_t i;

	if (id < 0 || id > INT32_MAX)
		return;
	for (i = 0; i < list->n; i++)
		if (list->ids[i] == id)
			return;
	if (list->n == FORMAT_ENDS_MAX) {
		list->n_dropped++;
		return;
	}
	list->ids[list->n] = (int32_t)id;
	list->sources[list->n++] = source;
}

static int32_t find(const brise_tokenizer *tokenizer, const char *text)
{
	int32_t id;

	(void)brise_find_token(tokenizer, text, strlen(text), &id, NULL);
	return id;
}

/* llama.cpp's list (src/llama-vocab.cpp, special_eog_ids): end of text, of a turn, of a message,
 * and of a file when code is filled in. Where <|return|> and <|call|> end a turn, <|end|> does not.
 */
void end_tokens_add_known(end_tokens *list, const brise_tokenizer *tokenizer)
{
	static const char *const texts[] = {
		"</s>",
		"<|im_end|>",
		"<|eot_id|>",
		"<|eom_id|>",
		"<end_of_turn>",
		"<|end_of_turn|>",
		"<|endoftext|>",
		"<|end_of_text|>",
		"<|return|>",
		"<|call|>",
		"<|calls|>",
		"<|flush|>",
		"<turn|>",
		"<EOT>",
		"_<EOT>",
		"[EOT]",
		"[EOS]",
		"<eos>",
		"<end_of_utterance>",
		/* with U+FF5C and U+2581; in two parts, since e is a hexadecimal digit */
		("<\xef\xbd\x9c"
		 "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>"),
		"<|fim_pad|>",
		"<fim-pad>",
		"<fim_pad>",
		"<PAD>",
		"[PAD]",
		"<|fim_repo|>",
		"<|repo_name|>",
		"<fim-repo>",
		"<REPO>",
		"<reponame>",
		"<|file_sep|>",
	};
	bool calls = find(tokenizer, "<|call|>") >= 0 || find(tokenizer, "<|calls|>") >= 0,
	     returns = find(tokenizer, "<|return|>") >= 0 || find(tokenizer, "<|flush|>") >= 0;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof *texts; i++)
		end_tokens_add(list, find(tokenizer, texts[i]), "by its name");
	if (!(calls && returns))
		end_tokens_add(list, find(tokenizer, "<|end|>"), "by its name");
}

/* "400 <|im_end|> (by its name)" */
static size_t print_one(const end_tokens *list, size_t i, const brise_tokenizer *tokenizer,
                        char *out, size_t room)
{
	const char *piece = "";
	size_t bytes = 0;
	int n;

	if (tokenizer)
		(void)brise_get_piece(tokenizer, list->ids[i], &piece, &bytes, NULL);
	n = snprintf(out, room, "%s%" PRId32 "%s%.*s (%s)", i ? ", " : "", list->ids[i],
	             bytes > 0 ? " " : "", bytes > 40 ? 40 : (int)bytes, piece, list->sources[i]);
	return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

void end_tokens_settle(end_tokens *list, const brise_tokenizer *tokenizer, uint32_t vocab,
                       notes *decisions)
{
	char line[480] = "";
	size_t i, n = 0, at = 0;

	for (i = 0; i < list->n; i++)
		if ((uint32_t)list->ids[i] >= vocab) {
			notes_add(decisions,
			          "end token %" PRId32 " ignored: the model has %" PRIu32
			          " tokens (%s)",
			          list->ids[i], vocab, list->sources[i]);
		} else {
			list->ids[n] = list->ids[i];
			list->sources[n++] = list->sources[i];
		}
	list->n = n;
	for (i = 0; i < n && i < SHOWN_MAX; i++)
		at += print_one(list, i, tokenizer, line + at, sizeof line - 40 - at);
	if (n > SHOWN_MAX)
		(void)snprintf(line + at, sizeof line - at, " and %zu more", n - SHOWN_MAX);
	if (n > 0)
		notes_add(decisions, "end %s %s", n > 1 ? "tokens" : "token", line);
	else
		notes_add(decisions, "no end token is known; --tokens ends a generation");
	if (list->n_dropped > 0)
		notes_add(decisions, "end tokens beyond the first %u ignored: %zu", FORMAT_ENDS_MAX,
		          list->n_dropped);
}
