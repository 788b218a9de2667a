/* openai_routes.c - see openai_routes.h; some clients leave out /v1 */
#include "runtime/serve/openai_routes.h"

#include "runtime/serve/api_chat.h"
#include "runtime/serve/api_completions.h"
#include "runtime/serve/api_embeddings.h"
#include "runtime/serve/api_messages.h"
#include "runtime/serve/api_responses.h"
#include "runtime/serve/api_tokenize.h"

const exchange_route openai_routes[] = {
	{ "POST", "/v1/chat/completions", api_chat },
	{ "POST", "/chat/completions", api_chat },
	{ "POST", "/v1/completions", api_completions },
	{ "POST", "/completions", api_completions },
	{ "POST", "/v1/embeddings", api_embeddings },
	{ "POST", "/embeddings", api_embeddings },
	{ "POST", "/v1/responses", api_responses },
	{ "POST", "/responses", api_responses },
	{ "POST", "/v1/responses/input_tokens", api_responses_count },
	{ "POST", "/v1/messages", api_messages },
	{ "POST", "/v1/messages/count_tokens", api_messages_count },
	{ "POST", "/tokenize", api_tokenize },
	{ "POST", "/detokenize", api_detokenize },
};
const size_t openai_n_routes = sizeof openai_routes / sizeof *openai_routes;
