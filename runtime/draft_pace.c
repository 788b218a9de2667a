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

/* Weight of a new observation: about the last 16 and 8 count. */
#define LEARN_SHARE 0.0625
#define LEARN_TIME  0.125

/* What a row more costs, of a pass with one row, until it is measured. Kernels for few rows read
 * each weight once for all of them and aim at 1.7 for 8 rows. */
#define ROW_COST 0.1

/* How many times the rows of the largest pass measured may be tried next. */
#define TRY_FACTOR 4

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
static const double right_at_first[DRAFT_PACE_CLASSES] = { 0.3, 0.45, 0.6, 0.7, 0.8, 0.9 };

static unsigned class_of(unsigned match)
{
	return match < 5 ? (match > 2 ? match : 2) - 2 : match < 8 ? 3 : match < 16 ? 4 : 5;
}

void draft_pace_begin(draft_pace *pace)
{
	*pace = (draft_pace){ .balance = 0 };
	memcpy(pace->right, right_at_first, sizeof pace->right);
}

void draft_pace_note_token(draft_pace *pace, unsigned match, bool right)
{
	double *share = &pace->right[class_of(match)];

	*share += LEARN_SHARE * ((right ? 1 : 0) - *share);
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

/* Of each row more than the `rows` of the largest pass measured: half of what its rows took on
 * average, because the first ones are the most expensive where kernels change. */
static double row_seconds(const draft_pace *pace, size_t rows)
{
	const double *s = pace->seconds;

	if (rows == 1)
		return ROW_COST * s[1];
	return s[rows] > s[1] ? 0.5 * (s[rows] - s[1]) / (double)(rows - 1) : 0;
}

/* Of a pass, once one with one row has been measured. */
static double expected_seconds(const draft_pace *pace, size_t rows)
{
	const double *s = pace->seconds;
	size_t below = rows, above = rows;

	while (s[below] == 0)
		below--;
	while (above <= DRAFT_MOST + 1 && s[above] == 0)
		above++;
	if (above == below)
		return s[rows];
	if (above > DRAFT_MOST + 1)
		return s[below] + row_seconds(pace, below) * (double)(rows - below);
	return s[below] + (s[above] - s[below]) * (double)(rows - below) / (double)(above - below);
}

/* Most rows that may be tried: a first measurement is of few. */
static size_t most_rows(const draft_pace *pace)
{
	size_t rows = DRAFT_MOST + 1;

	while (pace->seconds[rows] == 0)
		rows--;
	return TRY_FACTOR * rows;
}

/* The number of drafts that yields most; `assumed`: at the costs assumed before measuring. */
static size_t choose(const draft_pace *pace, unsigned match, size_t most, bool assumed)
{
	double reached = 1, tokens = 1, best = LEAST_GAIN / (assumed ? 1 : pace->seconds[1]);
	size_t chosen = 0, rows = most_rows(pace), k;

	if (most > rows - 1)
		most = rows - 1;
	for (k = 1; k <= most; k++) {
		double rate;

		reached *= pace->right[class_of(match + (unsigned)k - 1)];
		tokens += reached;
		rate = tokens / (assumed ? assumed_cost(k + 1) : expected_seconds(pace, k + 1));
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
