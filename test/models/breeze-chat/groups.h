/* groups.h - training data: groups of whole sequences that are evaluated together */
#ifndef BREEZE_CHAT_GROUPS_H
#define BREEZE_CHAT_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_TOKENS 320                /* a group is full before it has more */
#define GROUP_MOST   (2 * GROUP_TOKENS) /* a longer sequence is a group of its own */

typedef struct group {
	int32_t tokens[GROUP_MOST], targets[GROUP_MOST]; /* as transformer_loss takes them */
	bool begins[GROUP_MOST];
	size_t n, n_targets;
} group;

/* 16-bit words: for every sequence its length and its tokens; bit 15 marks tokens to be learnt. */
typedef struct group_data {
	uint16_t *words;
	size_t n;
} group_data;

bool group_read_data(const char *path, group_data *d);

/* The sequences from word *at on that fill a group, again from the first one behind the last; moves
 * *at behind them. Both print what is wrong and return false. */
bool group_fill(group *g, const group_data *d, uint64_t *at);

#endif
