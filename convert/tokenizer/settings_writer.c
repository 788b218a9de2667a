/* settings_writer.c - see settings_writer.h
 *
 * Fields are those of transformers' LlamaTokenizer, whose converter makes of "legacy" what
 * text_settings.c and added_tokens.c read from it.
 */
#include "convert/tokenizer/settings_writer.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/added.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/utf8.h"

#define LISTED 0x80000000u /* beside the flags of a listed token */

/* A text as JSON has it; bytes that are not UTF-8 become U+FFFD. */
static void put_string(buffer *out, const char *text, size_t n)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t at;
	int step;

	buffer_put(out, "\"", 1);
	for (at = 0; at < n; at += (size_t)step) {
		step = utf8_measure(bytes + at, n - at);
		if (step <= 0) {
			buffer_put(out, UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES);
			step = 1;
		} else if (bytes[at] < 0x20 || bytes[at] == 0x7f) {
			buffer_print(out, "\\u%04x", bytes[at]);
		} else {
			if (text[at] == '"' || text[at] == '\\')
				buffer_put(out, "\\", 1);
			buffer_put(out, text + at, (size_t)step);
		}
	}
	buffer_put(out, "\"", 1);
}

static void put_piece(buffer *out, const brise_tokenizer *t, int32_t id)
{
	const char *piece = "";
	size_t bytes = 0;

	(void)brise_get_piece(t, id, &piece, &bytes, NULL);
	put_string(out, piece, bytes);
}

static void put_token(buffer *out, const char *name, const brise_tokenizer *t, int32_t id)
{
	if (id < 0)
		return;
	buffer_print(out, ",\n  \"%s\": ", name);
	put_piece(out, t, id);
}

static void put_added(buffer *out, const brise_tokenizer *t, uint32_t id, uint32_t flags,
                      bool first)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} names[] = { { "lstrip", ADDED_LSTRIP },
		      { "normalized", ADDED_NORMALIZED },
		      { "rstrip", ADDED_RSTRIP },
		      { "single_word", ADDED_SINGLE_WORD },
		      { "special", ADDED_SPECIAL } };
	size_t i;

	buffer_print(out, "%s\n    \"%" PRIu32 "\": { \"content\": ", first ? "" : ",", id);
	put_piece(out, t, (int32_t)id);
	for (i = 0; i < sizeof names / sizeof *names; i++)
		buffer_print(out, ", \"%s\": %s", names[i].name,
		             flags & names[i].flag ? "true" : "false");
	buffer_print(out, " }");
}

static void take_flags(const added_set *set, uint32_t *flags)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		flags[set->items[i].id] = set->items[i].flags | LISTED;
}

static void put_added_tokens(buffer *out, const brise_tokenizer *t)
{
	const struct tokenizer_added *a = t->added;
	uint32_t *flags = memory_new(t->vocab, sizeof *flags), id;
	bool first = true;

	if (!flags) {
		out->failed = true;
		return;
	}
	take_flags(&a->plain, flags);
	take_flags(&a->normalized, flags);
	buffer_print(out, ",\n  \"added_tokens_decoder\": {");
	for (id = 0; id < t->vocab; id++)
		if (flags[id] & LISTED) {
			put_added(out, t, id, flags[id], first);
			first = false;
		}
	buffer_print(out, "\n  },\n  \"legacy\": %s", a->rule == ADDED_FIRST ? "false" : "true");
	memory_free(flags);
}

void settings_make_tokenizer(const brise_model *model, const brise_tokenizer *t, buffer *out)
{
	const brise_model_facts *f = brise_get_model_facts(model);

	buffer_print(out,
	             "{\n  \"add_bos_token\": %s,\n  \"add_eos_token\": false,\n  "
	             "\"add_prefix_space\": %s,\n  \"clean_up_tokenization_spaces\": false",
	             f->bos >= 0 ? "true" : "false", t->dummy_prefix ? "true" : "false");
	put_token(out, "bos_token", t, f->bos >= 0 ? f->bos : t->bos);
	put_token(out, "eos_token", t, f->eos);
	put_token(out, "unk_token", t, t->unk);
	if (t->added->symbols)
		put_added_tokens(out, t);
	if (f->chat_template) {
		buffer_print(out, ",\n  \"chat_template\": ");
		put_string(out, f->chat_template, strlen(f->chat_template));
	}
	buffer_print(out, ",\n  \"tokenizer_class\": \"LlamaTokenizer\"\n}\n");
}

void settings_make_generation(const brise_model *model, buffer *out)
{
	const brise_model_facts *f = brise_get_model_facts(model);
	size_t i;

	buffer_print(out, "{\n");
	if (f->bos >= 0)
		buffer_print(out, "  \"bos_token_id\": %" PRId32 ",\n", f->bos);
	if (f->n_ends == 1)
		buffer_print(out, "  \"eos_token_id\": %" PRId32 "\n}\n", f->ends[0]);
	if (f->n_ends == 1)
		return;
	buffer_print(out, "  \"eos_token_id\": [");
	for (i = 0; i < f->n_ends; i++)
		buffer_print(out, "%s%" PRId32, i ? ", " : "", f->ends[i]);
	buffer_print(out, "]\n}\n");
}
