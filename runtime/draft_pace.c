/* draft_pace.c - expected tokens over expected seconds, and a bound on what may be lost
 *
 * With shares r of right drafts, a pass with k drafts yields 1 + r1 + r1 r2 + ... tokens on
 * average; the number of drafts that yields the most per second is taken. A draft that is right
 * makes the match before the next one longer, so each has its own r. Shares are learned from every
 * token that could have been a draft, whether it was one or not, so nothing has to be tried to
 * notice that a text has begun to repeat itself.
 *
 * What a pass costs can only be learned by running it. A number of rows without a measurement is
 * taken to lie between its neighbours, or to cost little more than the largest measured, so it is
 * tried as soon as it could pay; and what seems too expensive is measured again after a while.
 *
 * The bound: passes with drafts have a balance. It grows by what they save, by a small share of the
 * time of all tokens, and shrinks by what they lose; none is run while it is negative. So drafts
 * cost at most that share of a text's time, and the loss of a single pass.
 */
#include "runtime/draft_pace.h"

#include <string.h>

/* Weight of a new observation: about the last 16 count, of long matches the last 64, because they
 * decide on passes of as many rows, and of times the last 8. */
#define LEARN_SHARE      0.0625
#define LEARN_SHARE_LONG 0.015625
#define LEARN_TIME       0.125

/* What a row more costs, of a pass with one row, until it is measured. Kernels for few rows read
 * each weight once for all of them and aim at 1.7 for 8 rows. */
#define ROW_COST 0.1

/* How many times the rows of the largest pass measured may be tried next. Below FEW_ROWS further
 * rows may cost half of what those before did, because the first ones are the most expensive where
 * kernels change; from there on as much, so that where rows do not become cheaper no pass is
 * larger.
 */
#define TRY_FACTOR 4
#define FEW_ROWS   16

/* Passes must be expected to yield this much more per second. */
#define LEAST_GAIN 1.02

/* A pass costs at most this many times its rows one by one; what it takes longer is another
 * program's. */
#define COST_MAX 1.25

/* Share of the time that may be lost; and bounds of the balance, in passes with one row. What a
 * repetition saved long ago is no reason to lose it now; and a loss is forgotten after 200 tokens
 * at most. */
#define LOSS_SHARE  0.02
#define BALANCE_MAX 8
#define BALANCE_MIN (-4)

/* Tokens declined until costs are measured again. */
#define DECLINED_MAX 256u

/* Before anything is known: text of test/models/breeze, see draft_pace.h for the classes. */
static const double right_at_first[DRAFT_PACE_CLASSES] = {
	0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98
};

#define CLASS_LONG 5u /* the first that LEARN_SHARE_LONG is for */

static unsigned class_of(unsigned match)
{
	unsigned index = 3, end = 8;

	if (match < 5)
		return (match > 2 ? match : 2) - 2;
	while (match >= end && index + 1 < DRAFT_PACE_CLASSES) {
		end *= 2;
		index++;
	}
	return index;
}

void draft_pace_begin(draft_pace *pace)
{
	*pace = (draft_pace){ .balance = 0 };
	memcpy(pace->right, right_at_first, sizeof pace->right);
}

void draft_pace_note_token(draft_pace *pace, unsigned match, bool right)
{
	unsigned index = class_of(match);
	double *share = &pace->right[index];

	*share +=
	        (index < CLASS_LONG ? LEARN_SHARE : LEARN_SHARE_LONG) * ((right ? 1 : 0) - *share);
}

/* Of a pass with one row. */
static double assumed_cost(size_t rows)
{
	return 1 + ROW_COST * (double)(rows - 1);
}

/* Other programs make passes slower, nothing makes them faster: downwards is believed at once. */
static void learn_time(double *known, double seconds)
{
	if (*known == 0 || seconds < *known)
		*known = seconds;
	else
		*known += LEARN_TIME * (seconds - *known);
}

void draft_pace_note_pass(draft_pace *pace, size_t rows, size_t drawn, double seconds)
{
	double one = pace->seconds[1], most = COST_MAX * one * (double)rows;

	if (!(seconds > 0))
		seconds = assumed_cost(rows);
	learn_time(&pace->seconds[rows], rows > 1 && seconds > most ? most : seconds);
	one = pace->seconds[1];
	pace->balance += LOSS_SHARE * one * (double)drawn;
	if (rows > 1)
		pace->balance += one * (double)drawn - pace->seconds[rows];
	if (pace->balance > BALANCE_MAX * one)
		pace->balance = BALANCE_MAX * one;
	if (pace->balance < BALANCE_MIN * one)
		pace->balance = BALANCE_MIN * one;
}

/* Of each row more than the `rows` of the largest pass measured. */
static double row_seconds(const draft_pace *pace, size_t rows)
{
	const double *s = pace->seconds, share = rows < FEW_ROWS ? 0.5 : 1;

	if (rows == 1)
		return ROW_COST * s[1];
	return s[rows] > s[1] ? share * (s[rows] - s[1]) / (double)(rows - 1) : 0;
}

/* The measured numbers of rows around one that has none; `above` is too large if there is none. */
typedef struct neighbours {
	size_t below, above;
} neighbours;

/* Of a pass, once one with one row has been measured. n: { 1, 1 } at first, then as left by the
 * call for one row less. */
static double expected_seconds(const draft_pace *pace, size_t rows, neighbours *n)
{
	const double *s = pace->seconds;

	if (n->above < rows)
		for (n->above = rows; n->above <= DRAFT_MOST + 1 && s[n->above] == 0;)
			n->above++;
	if (n->above == rows) {
		n->below = rows;
		return s[rows];
	}
	if (n->above > DRAFT_MOST + 1)
		return s[n->below] + row_seconds(pace, n->below) * (double)(rows - n->below);
	return s[n->below] + (s[n->above] - s[n->below]) * (double)(rows - n->below) /
	                             (double)(n->above - n->below);
}

/* Most rows that may be tried: a first measurement is of few. */
static size_t most_rows(const draft_pace *pace)
{
	size_t rows = DRAFT_MOST + 1;

	while (pace->seconds[rows] == 0)
		rows--;
	return rows < FEW_ROWS && TRY_FACTOR * rows > FEW_ROWS ? FEW_ROWS : TRY_FACTOR * rows;
}

/* The number of drafts that yields most; `assumed`: at the costs assumed before measuring. */
static size_t choose(const draft_pace *pace, unsigned match, size_t most, bool assumed)
{
	double reached = 1, tokens = 1, best = LEAST_GAIN / (assumed ? 1 : pace->seconds[1]);
	size_t chosen = 0, rows = most_rows(pace), k;
	neighbours n = { 1, 1 };

	if (most > rows - 1)
		most = rows - 1;
	for (k = 1; k <= most; k++) {
		double rate;

		reached *= pace->right[class_of(match + (unsigned)k - 1)];
		tokens += reached;
		rate = tokens / (assumed ? assumed_cost(k + 1) : expected_seconds(pace, k + 1, &n));
		if (rate > best) {
			best = rate;
			chosen = k;
		}
	}
	return chosen;
}

size_t draft_pace_choose(draft_pace *pace, unsigned match, size_t most)
{
	size_t chosen = 0;

	if (most > DRAFT_MOST)
		most = DRAFT_MOST;
	if (pace->seconds[1] == 0)
		return 0;
	if (pace->balance >= 0)
		chosen = choose(pace, match, most, false);
	if (chosen == 0 && choose(pace, match, most, true) > 0 &&
	    ++pace->declined >= DECLINED_MAX) {
		memset(pace->seconds + 2, 0, sizeof pace->seconds - 2 * sizeof *pace->seconds);
		pace->declined = 0;
	}
	return chosen;
}
