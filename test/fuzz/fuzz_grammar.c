/* fuzz_grammar.c - any text as a schema, a grammar, tools or a pattern: refused, or compiled and
 * used in bounded time; and every token of a mask is taken
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_grammar.c SECONDS
 *
 * Input: a byte that chooses the kind, and the form of calls; then the text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/grammar.h"
#include "test/chat_maker.h"
#include "test/fuzz/fuzz_error.h"
#include "test/grammar_maker.h"
#include "test/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A schema whose pattern is the text. */
static char *wrap_pattern(const uint8_t *text, size_t bytes, size_t *n)
{
	char *schema = malloc(6 * bytes + 64);
	size_t i;

	if (!schema)
		abort();
	*n = (size_t)sprintf(schema, "{\"type\":\"string\",\"pattern\":\"");
	for (i = 0; i < bytes; i++)
		if (text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
			*n += (size_t)sprintf(schema + *n, "\\u%04x", text[i]);
		else
			schema[(*n)++] = (char)text[i];
	*n += (size_t)sprintf(schema + *n, "\"}");
	return schema;
}

static bool has(const brise_allowed *a, uint32_t id)
{
	return a->mask[id / 32] >> id % 32 & 1;
}

static void use(brise_grammar *g)
{
	uint64_t seed = 1;
	brise_matcher *m;
	brise_allowed a;
	unsigned i;

	if (brise_new_matcher(&m, g, NULL, 0, false, NULL) != BRISE_OK)
		return;
	for (i = 0; i < 6 && fuzz_succeeds(brise_get_allowed(m, &a, &fuzz_error)); i++) {
		uint32_t id, n = 0, chosen = 0;

		for (id = 0; id < g->vocabulary->rows; id++)
			if (has(&a, id) && random_next(&seed) % ++n == 0)
				chosen = id;
		if (n == 0)
			break;
		if (!fuzz_succeeds(brise_match_token(m, (int32_t)chosen, &fuzz_error)))
			abort();
	}
	brise_free_matcher(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const brise_grammar_kind kinds[] = { BRISE_GRAMMAR_SCHEMA, BRISE_GRAMMAR_GBNF,
		                                    BRISE_GRAMMAR_TOOLS, BRISE_GRAMMAR_SCHEMA };
	static const brise_chat_options v13 = { .size = sizeof v13, .format = "v13" };
	static maker m;
	static chat_maker later;
	static brise_chat *chat;
	static bool is_ready;
	bool is_later;
	brise_grammar_options o;
	brise_grammar *g;
	char *text;

	if (!is_ready && (!maker_begin(&m) || !chat_maker_open_tekken(&later, NULL, NULL) ||
	                  brise_new_chat(&chat, later.t, NULL, &v13, &fuzz_error) != BRISE_OK))
		abort();
	is_ready = true;
	if (size == 0)
		return 0;
	brise_init_grammar_options(&o, sizeof o);
	o.kind = kinds[data[0] % 4];
	is_later = data[0] / 4 % 2 > 0;
	o.chat = is_later ? chat : NULL;
	o.bytes = size - 1;
	if (data[0] % 4 == 3) {
		text = wrap_pattern(data + 1, size - 1, &o.bytes);
	} else {
		text = malloc(size); /* not a byte too long */
		if (!text)
			abort();
		memcpy(text, data + 1, size - 1);
	}
	o.text = text;
	if (fuzz_succeeds(
	            brise_new_grammar(&g, is_later ? later.t : m.tokenizer, &o, &fuzz_error))) {
		use(g);
		brise_free_grammar(g);
	}
	free(text);
	return 0;
}
