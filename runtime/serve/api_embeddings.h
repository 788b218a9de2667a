/* api_embeddings.h - OpenAI's embeddings: POST /v1/embeddings
 *
 * An embedding is the mean of the last hidden states of all tokens, behind the final norm, as it
 * is: its length is not 1. The model was not trained for it, so that it serves to compare texts
 * roughly.
 */
#ifndef SERVE_API_EMBEDDINGS_H
#define SERVE_API_EMBEDDINGS_H

#include "runtime/serve/exchange.h"

/* The handler. */
void api_embeddings(exchange *x);

#endif
