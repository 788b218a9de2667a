/* openai_routes.h - the paths of OpenAI's APIs, of Anthropic's Messages, and those of tokens */
#ifndef SERVE_OPENAI_ROUTES_H
#define SERVE_OPENAI_ROUTES_H

#include "runtime/serve/exchange.h"

extern const exchange_route openai_routes[];
extern const size_t openai_n_routes;

#endif
