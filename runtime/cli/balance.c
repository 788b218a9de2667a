/* balance.c - the size of a pass from the speed of disk and arithmetic */
#include "runtime/cli/balance.h"

/* Of the memory for weights, what rows beyond the usual may take of it: decode, which gains nothing
 * from them, reads so much more. */
#define MEMORY_SHARE 8u

static uint64_t passes_of(uint64_t tokens, uint64_t rows)
{
	return (tokens + rows - 1) / rows;
}

/* Tokens of a pass that there is memory for. */
static uint64_t fitting(const balance *b, uint32_t usual, uint32_t most)
{
	uint64_t room = b->weight_bytes / MEMORY_SHARE,
	         spare = b->weight_bytes > b->least_bytes ? b->weight_bytes - b->least_bytes : 0,
	         rows;

	room = room < spare ? room : spare;
	rows = usual + (b->row_bytes > 0 ? room / b->row_bytes : 0);
	return rows < most ? rows : most;
}

uint32_t balance_choose(const balance *b, uint32_t usual, uint32_t most)
{
	double enough = b->token_seconds > 0 ? b->read_seconds / b->token_seconds : 0;
	uint64_t passes = 1, least = passes_of(b->tokens, fitting(b, usual, most)), rows;

	if (b->tokens <= usual || enough <= usual)
		return usual;
	/* Every pass takes `enough` or more, unless there is no room for so many. */
	if (enough < (double)b->tokens)
		passes = (uint64_t)((double)b->tokens / enough);
	rows = passes_of(b->tokens, passes > least ? passes : least);
	return rows > usual ? (uint32_t)rows : usual;
}
