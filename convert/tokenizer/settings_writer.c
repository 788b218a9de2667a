/* settings_writer.c - see settings_writer.h
 *
 * Fields are those of transformers' LlamaTokenizer, whose converter makes of "legacy" what
 * text_settings.c and added_tokens.c read from it. The control tokens of a byte-level tokenizer are
 * in its tekken.json.
 */
#include "convert/tokenizer/settings_writer.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/added.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/json_writer.h"
#include "runtime/text/tokenizer.h"

#define LISTED 0x80000000u /* beside the flags of a listed token */

/* No token: nothing. */
static void put_token(json_writer *w, const char *key, const brise_tokenizer *t, int32_t id)
{
	const char *piece = "";
	size_t bytes = 0;

	if (id < 0)
		return;
	(void)brise_get_piece(t, id, &piece, &bytes, NULL);
	json_put_text(w, key, piece, bytes);
}

static void put_added(json_writer *w, const brise_tokenizer *t, uint32_t id, uint32_t flags)
{
	char key[16];

	(void)snprintf(key, sizeof key, "%" PRIu32, id);
	json_open(w, key, '{');
	put_token(w, "content", t, (int32_t)id);
	json_put_bool(w, "lstrip", flags & ADDED_LSTRIP);
	json_put_bool(w, "normalized", flags & ADDED_NORMALIZED);
	json_put_bool(w, "rstrip", flags & ADDED_RSTRIP);
	json_put_bool(w, "single_word", flags & ADDED_SINGLE_WORD);
	json_put_bool(w, "special", flags & ADDED_SPECIAL);
	json_close(w);
}

static void take_flags(const added_set *set, uint32_t *flags)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		flags[set->items[i].id] = set->items[i].flags | LISTED;
}

/* False: no memory. */
static bool put_added_tokens(json_writer *w, const brise_tokenizer *t)
{
	const struct tokenizer_added *a = t->added;
	uint32_t *flags = memory_new(t->vocab, sizeof *flags), id;

	if (!flags)
		return false;
	take_flags(&a->plain, flags);
	take_flags(&a->normalized, flags);
	json_open(w, "added_tokens_decoder", '{');
	for (id = 0; id < t->vocab; id++)
		if (flags[id] & LISTED)
			put_added(w, t, id, flags[id]);
	json_close(w);
	json_put_bool(w, "legacy", a->rule != ADDED_FIRST);
	memory_free(flags);
	return true;
}

void settings_make_tokenizer(const brise_model *model, const brise_tokenizer *t, buffer *out)
{
	json_writer w = { .sink = buffer_take_json, .user = out, .indent = 2 };
	const brise_model_facts *f = brise_get_model_facts(model);

	json_open(&w, NULL, '{');
	json_put_bool(&w, "add_bos_token", f->bos >= 0);
	json_put_bool(&w, "add_eos_token", false);
	json_put_bool(&w, "add_prefix_space", t->dummy_prefix);
	json_put_bool(&w, "clean_up_tokenization_spaces", false);
	put_token(&w, "bos_token", t, f->bos >= 0 ? f->bos : t->bos);
	put_token(&w, "eos_token", t, f->eos);
	put_token(&w, "unk_token", t, t->unk);
	if (t->added->symbols && !t->kind->byte_level && !put_added_tokens(&w, t))
		out->failed = true;
	if (f->chat_template)
		json_put_string(&w, "chat_template", f->chat_template);
	if (f->chat_format && strcmp(f->chat_format, CHAT_UNKNOWN) != 0)
		json_put_string(&w, CHAT_KEY_JSON, f->chat_format);
	json_put_string(&w, "tokenizer_class",
	                t->kind->byte_level ? "PreTrainedTokenizerFast" : "LlamaTokenizer");
	json_close(&w);
	buffer_print(out, "\n");
}

void settings_make_generation(const brise_model *model, buffer *out)
{
	json_writer w = { .sink = buffer_take_json, .user = out, .indent = 2 };
	const brise_model_facts *f = brise_get_model_facts(model);
	size_t i;

	json_open(&w, NULL, '{');
	if (f->bos >= 0)
		json_put_integer(&w, "bos_token_id", f->bos);
	if (f->n_ends == 1)
		json_put_integer(&w, "eos_token_id", f->ends[0]);
	if (f->n_ends != 1) {
		json_open(&w, "eos_token_id", '[');
		for (i = 0; i < f->n_ends; i++)
			json_put_integer(&w, NULL, f->ends[i]);
		json_close(&w);
	}
	json_close(&w);
	buffer_print(out, "\n");
}
