/* logprobs.h - how likely the model finds tokens: logarithms of the softmax of its logits */
#ifndef SERVE_LOGPROBS_H
#define SERVE_LOGPROBS_H

#include "runtime/brise.h"

typedef struct logprobs_entry {
	int32_t id;
	float logprob;
} logprobs_entry;

/* The logarithm of the sum of exp(logits[i]) over [vocab]: what logprobs are below logits. Logits
 * that are not finite have no part. */
double logprobs_normalize(const float *logits, uint32_t vocab);

/* The n likeliest, best first, of equal ones the lower id; fewer where the vocabulary is smaller.
 * top: [n]. Returns how many. */
size_t logprobs_choose(const float *logits, uint32_t vocab, double norm, logprobs_entry *top,
                       size_t n);

/* Longest text of a token (TOKENIZER_PIECE_MAX, or the mark of an unknown one). */
#define LOGPROBS_TEXT 1040u

/* The text that a token stands for, alone, into text [LOGPROBS_TEXT]; returns its bytes. A byte
 * token gives its byte, which may be no UTF-8; control tokens and rows without a piece give none.
 */
size_t logprobs_write_text(const brise_tokenizer *tokenizer, int32_t id, char *text);

#endif
