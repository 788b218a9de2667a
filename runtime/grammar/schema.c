/* schema.c - JSON schemas and tools */
#include "runtime/error.h"
#include "runtime/grammar/grammar.h"

brise_status grammar_compile_schema(network *n, const char *text, size_t bytes, const char *name,
                                    uint32_t *root, bool *has_free_keys, brise_error *err)
{
	(void)n;
	(void)text;
	(void)bytes;
	(void)root;
	(void)has_free_keys;
	return error_set(err, BRISE_EUNSUPPORTED, "%s: schemas are not compiled yet", name);
}

brise_status grammar_compile_tools(network *n, const brise_grammar_options *options,
                                   const char *name, uint32_t *root, bool *has_free_keys,
                                   brise_error *err)
{
	(void)n;
	(void)options;
	(void)root;
	(void)has_free_keys;
	return error_set(err, BRISE_EUNSUPPORTED, "%s: tools are not compiled yet", name);
}
