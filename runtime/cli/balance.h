/* balance.h - how many tokens of a prompt a pass takes where weights are read from the disk
 *
 * A pass reads the streamed weights once, whatever number of tokens it takes, while it reads ahead
 * of the arithmetic. With few tokens it waits for the disk; with more it waits less, until reading
 * is hidden behind the arithmetic, and more tokens than that gain nothing. Activations of more
 * tokens take memory from weights, so that more of those are streamed.
 */
#ifndef CLI_BALANCE_H
#define CLI_BALANCE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

typedef struct balance {
	size_t tokens;         /* of the prompt */
	uint64_t weight_bytes; /* memory for weights, with passes of the usual size */
	uint64_t least_bytes;  /* of it, that must stay */
	uint64_t row_bytes;    /* memory that another token of a pass takes from them */
	double read_seconds;   /* of the weights streamed in a pass; 0: unknown */
	double token_seconds;  /* of the arithmetic of one token of a pass */
} balance;

/* Tokens of a pass: as few passes as reading is hidden in, of equal size, with at most an eighth of
 * the memory for more rows than `usual`; at least `usual`, at most `most`. */
uint32_t balance_choose(const balance *b, uint32_t usual, uint32_t most);

#endif
