/* grammar.c - grammars and matchers as brise.h has them */
#include "runtime/brise.h"
#include "runtime/error.h"
#include "runtime/sized.h"

static const brise_grammar_options default_options = { .size = sizeof default_options };

void brise_init_grammar_options(brise_grammar_options *options, size_t size)
{
	sized_write(options, size, &default_options, sizeof default_options);
}

brise_status brise_new_grammar(brise_grammar **out, const brise_tokenizer *tokenizer,
                               const brise_grammar_options *options, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(tokenizer),
		                          ERROR_ARGUMENT(options) };
	brise_status status = error_check_pointers(err, "brise_new_grammar", needed, 3);

	if (out)
		*out = NULL;
	if (status != BRISE_OK)
		return status;
	return error_set(err, BRISE_EUNSUPPORTED, "grammars are not compiled yet");
}

void brise_free_grammar(brise_grammar *grammar)
{
	(void)grammar;
}

brise_status brise_new_matcher(brise_matcher **out, const brise_grammar *grammar,
                               const int32_t *ends, size_t n_ends, bool answer, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(grammar) };

	(void)ends;
	(void)n_ends;
	(void)answer;
	if (out)
		*out = NULL;
	return error_check_pointers(err, "brise_new_matcher", needed, 2);
}

void brise_free_matcher(brise_matcher *matcher)
{
	(void)matcher;
}

brise_status brise_get_allowed(brise_matcher *matcher, brise_allowed *allowed, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(matcher), ERROR_ARGUMENT(allowed) };

	return error_check_pointers(err, "brise_get_allowed", needed, 2);
}

brise_status brise_match_token(brise_matcher *matcher, int32_t id, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(matcher) };

	(void)id;
	return error_check_pointers(err, "brise_match_token", needed, 1);
}

void brise_reset_matcher(brise_matcher *matcher)
{
	(void)matcher;
}
