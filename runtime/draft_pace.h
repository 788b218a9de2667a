/* draft_pace.h - how many drafts a pass should take, from what drafts and passes have shown so far
 *
 * Decisions depend on measured time; what is drawn does not depend on decisions.
 */
#ifndef RUNTIME_DRAFT_PACE_H
#define RUNTIME_DRAFT_PACE_H

#include <stdbool.h>
#include <stddef.h>

/* Most drafts of a pass. Code that is edited repeats hundreds of tokens in succession; where passes
 * wait for a disk, 63 drafts are worth twice as much there as 15 (bench/RESULTS.md). */
#define DRAFT_MOST 63u

/* Longest match told apart. */
#define DRAFT_MATCH_MAX 64u

#define DRAFT_PACE_CLASSES 8

typedef struct draft_pace {
	/* Share of drafts that were right, by how many tokens before them matched: 2, 3, 4, 5..7,
	 * 8..15, 16..31, 32..63, 64 and more. */
	double right[DRAFT_PACE_CLASSES];
	/* Of a pass with that many rows; 0: not measured. In any unit. */
	double seconds[DRAFT_MOST + 2];
	/* Seconds that drafts have saved, less what they lost; see draft_pace.c. */
	double balance;
	unsigned declined; /* tokens that cheap passes would have got drafts for */
} draft_pace;

void draft_pace_begin(draft_pace *pace);

/* Notes whether the token that followed `match` matching tokens, 2 or more, was drawn. */
void draft_pace_note_token(draft_pace *pace, unsigned match, bool right);

/* Notes a pass of `rows` rows, 1 to DRAFT_MOST + 1, from which `drawn` tokens came. seconds 0:
 * there is no clock, and passes are taken to cost what their kernels are meant to. */
void draft_pace_note_pass(draft_pace *pace, size_t rows, size_t drawn, double seconds);

/* How many drafts, at most `most`, to take after `match` matching tokens. */
size_t draft_pace_choose(draft_pace *pace, unsigned match, size_t most);

#endif
