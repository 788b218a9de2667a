/* grammar.c - compiled grammars as brise.h has them */
#include "runtime/grammar/grammar.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/sized.h"
#include "runtime/text/chat.h"
#include "runtime/text/tokenizer_section.h"

/* Some 10,000 states with their masks, of a vocabulary of 32,768. */
#define DEFAULT_MEMORY ((size_t)64 << 20)
#define LEAST_MEMORY   ((size_t)1 << 20)

static const brise_grammar_options default_options = { .size = sizeof default_options };

void brise_init_grammar_options(brise_grammar_options *options, size_t size)
{
	sized_write(options, size, &default_options, sizeof default_options);
}

static brise_status compile(brise_grammar *g, const brise_grammar_options *o, brise_error *err)
{
	static const char *const names[] = { [BRISE_GRAMMAR_JSON] = "JSON",
		                             [BRISE_GRAMMAR_SCHEMA] = "schema",
		                             [BRISE_GRAMMAR_GBNF] = "grammar",
		                             [BRISE_GRAMMAR_TOOLS] = "tools" };
	const char *name = o->name ? o->name : names[o->kind];
	brise_status status = BRISE_OK;
	uint32_t root = 0;

	switch (o->kind) {
	case BRISE_GRAMMAR_JSON:
		g->keys.are_free = true;
		status = grammar_compile_json(&g->network, &root, err);
		break;
	case BRISE_GRAMMAR_SCHEMA:
		status = grammar_compile_schema(&g->network, o->text, o->bytes, name, &root,
		                                &g->keys, err);
		break;
	case BRISE_GRAMMAR_GBNF:
		status = grammar_compile_gbnf(&g->network, o->text, o->bytes, name, &root, err);
		break;
	case BRISE_GRAMMAR_TOOLS:
		status = grammar_compile_tools(&g->network, o, name, &root, &g->keys, &g->loose,
		                               err);
		break;
	}
	return status != BRISE_OK ? status : network_finish(&g->network, root, name, err);
}

static bool make_cache(brise_grammar *g)
{
	grammar_cache *c = g->cache = memory_new(1, sizeof *c);

	if (!c || !machine_begin(&c->machine, &g->network))
		return false;
	c->path = memory_new((size_t)g->vocabulary->deepest + 1, sizeof *c->path);
	c->spelled = memory_new(TOKENIZER_PIECE_MAX, 1);
	c->start = machine_start(&c->machine);
	return c->path && c->spelled && c->machine.status != BRISE_ENOMEM;
}

static brise_status make_grammar(brise_grammar *g, const brise_tokenizer *tokenizer,
                                 const brise_grammar_options *o, brise_error *err)
{
	brise_status status = BRISE_ENOMEM;

	g->memory = o->memory ? o->memory : DEFAULT_MEMORY;
	if (g->memory < LEAST_MEMORY)
		g->memory = LEAST_MEMORY;
	if (network_begin(&g->network) && (status = compile(g, o, err)) != BRISE_OK)
		return status;
	if (status != BRISE_OK || !(g->vocabulary = vocabulary_of(tokenizer)) || !make_cache(g))
		return error_set(err, BRISE_ENOMEM, "no memory for a grammar");
	if (g->cache->machine.status != BRISE_OK)
		return error_set(err, BRISE_EUNSUPPORTED, "%s: too ambiguous at its beginning",
		                 o->name ? o->name : "grammar");
	return BRISE_OK;
}

brise_status brise_new_grammar(brise_grammar **out, const brise_tokenizer *tokenizer,
                               const brise_grammar_options *options, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(tokenizer),
		                          ERROR_ARGUMENT(options) };
	brise_status status = error_check_pointers(err, "brise_new_grammar", needed, 3);
	brise_grammar_options o = default_options;
	brise_grammar *g;

	if (out)
		*out = NULL;
	if (status != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "grammar options", err)) != BRISE_OK)
		return status;
	if (o.kind < BRISE_GRAMMAR_JSON || o.kind > BRISE_GRAMMAR_TOOLS)
		return error_set(err, BRISE_EINVAL, "grammar options: kind %d, expected 1..%d",
		                 (int)o.kind, (int)BRISE_GRAMMAR_TOOLS);
	if (o.chat && o.chat->tokenizer != tokenizer)
		return error_set(err, BRISE_EINVAL,
		                 "grammar options: chat is of another tokenizer");
	if (o.kind != BRISE_GRAMMAR_JSON && !o.text)
		return error_set(err, BRISE_EINVAL, "grammar options: text is NULL");
	g = memory_new(1, sizeof *g);
	status = g ? make_grammar(g, tokenizer, &o, err)
	           : error_set(err, BRISE_ENOMEM, "no memory for a grammar");
	if (status != BRISE_OK) {
		brise_free_grammar(g);
		return status;
	}
	*out = g;
	return BRISE_OK;
}

void brise_free_grammar(brise_grammar *grammar)
{
	brise_grammar *g = grammar;

	if (!g)
		return;
	if (g->cache) {
		machine_free(&g->cache->machine);
		members_free(&g->cache->scratch);
		unused_keys_free(&g->cache->unused);
		memory_free(g->cache->answer_mask);
		memory_free(g->cache->path);
		memory_free(g->cache->spelled);
		memory_free(g->cache);
	}
	network_free(&g->network);
	memory_free(g->loose);
	memory_free(g);
}

const char *brise_get_loose_tools(const brise_grammar *grammar)
{
	return grammar ? grammar->loose : NULL;
}
