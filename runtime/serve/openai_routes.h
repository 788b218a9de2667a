/* openai_routes.h - the paths of OpenAI's API, and those of tokens */
#ifndef SERVE_OPENAI_ROUTES_H
#define SERVE_OPENAI_ROUTES_H

#include "runtime/serve/exchange.h"

/* [*n], static storage. */
const exchange_route *openai_get_routes(size_t *n);

#endif
