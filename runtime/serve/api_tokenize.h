/* api_tokenize.h - POST /tokenize and /detokenize: text to ids and back, as llama.cpp's server has
 * them, and conversations to ids
 *
 *     {"content": "Hello", "add_special": true, "with_pieces": true}
 *         {"tokens": [{"id": 1, "piece": "<s>"}, ...], "count": 2}
 *     {"messages": [...], "tools": [...]}     {"tokens": [1, ...], "count": 12}
 *     {"tokens": [1, 22557]}                  {"content": "Hello"}
 *
 * "prompt" may stand for "content". add_special: with the begin token in front. parse_special:
 * names of control tokens in the text become such.
 */
#ifndef SERVE_API_TOKENIZE_H
#define SERVE_API_TOKENIZE_H

#include "runtime/serve/exchange.h"

/* The handlers. */
void api_tokenize(exchange *x);
void api_detokenize(exchange *x);

#endif
