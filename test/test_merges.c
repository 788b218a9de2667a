/* test_merges.c - lists of merges become scores exactly where scores give the same encoding: small
 * vocabularies against the definitions
 *
 * All texts up to a length are merged by the list, straight from the definition, and by what brise
 * made of it; where it refused, all orders of the pieces are tried, to show that none is
 * equivalent.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/merges.h"
#include "test/check.h"
#include "test/random.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

#define LETTERS    3
#define PIECES_MAX 6 /* of several letters */
#define TEXT_MAX   7 /* all texts up to this length are tried */

/* Texts are numbers in base 4 without zeros, 1 to 3 a letter; a piece's number of letters is its
 * digits. */
typedef struct little {
	uint32_t pieces[LETTERS + PIECES_MAX]; /* first the letters */
	unsigned n_pieces;
	struct {
		uint32_t left, right;
	} merges[64];
	unsigned n_merges;
} little;

static unsigned digits_of(uint32_t text)
{
	unsigned n = 0;

	for (; text; text >>= 2)
		n++;
	return n;
}

static uint32_t join(uint32_t left, uint32_t right)
{
	return left << 2 * digits_of(right) | right;
}

static bool is_piece(const little *v, uint32_t text)
{
	unsigned i;

	for (i = 0; i < v->n_pieces; i++)
		if (v->pieces[i] == text)
			return true;
	return false;
}

/* Hugging Face's rule: of the pairs listed the first on the list. */
static unsigned rank_of_pair(const little *v, const unsigned *order, uint32_t left, uint32_t right)
{
	unsigned i;

	(void)order;
	for (i = 0; i < v->n_merges; i++)
		if (v->merges[i].left == left && v->merges[i].right == right)
			return i;
	return UINT32_MAX;
}

/* SentencePiece's: of the pairs that make a piece the one whose piece comes first in `order`. */
static unsigned rank_of_text(const little *v, const unsigned *order, uint32_t left, uint32_t right)
{
	unsigned i;

	for (i = LETTERS; i < v->n_pieces; i++)
		if (v->pieces[i] == join(left, right))
			return order[i];
	return UINT32_MAX;
}

/* Merges the best pair, leftmost among equals, until there is none: straight from the
 * definition. */
static unsigned merge_all(const little *v, uint32_t text,
                          unsigned (*rank)(const little *, const unsigned *, uint32_t, uint32_t),
                          const unsigned *order, uint32_t out[TEXT_MAX])
{
	unsigned n = digits_of(text), i, best;

	for (i = 0; i < n; i++)
		out[i] = text >> 2 * (n - 1 - i) & 3;
	for (;;) {
		unsigned lowest = UINT32_MAX;

		for (i = 0, best = n; i + 1 < n; i++)
			if (rank(v, order, out[i], out[i + 1]) < lowest) {
				lowest = rank(v, order, out[i], out[i + 1]);
				best = i;
			}
		if (best == n)
			return n;
		out[best] = join(out[best], out[best + 1]);
		n--;
		memmove(out + best + 1, out + best + 2, (n - best - 1) * sizeof *out);
	}
}

/* The text after this one, in order of numbers: without zeros. 0: all up to TEXT_MAX letters have
 * been. */
static uint32_t next_text(uint32_t text)
{
	unsigned i;

	text++;
	for (i = 0; i < TEXT_MAX && text >> 2 * i; i++)
		if ((text >> 2 * i & 3) == 0)
			text += 1u << 2 * i;
	return text < 1u << 2 * TEXT_MAX ? text : 0;
}

static void draw_little(little *v, uint64_t *seed, bool complete)
{
	unsigned i, k, wanted = 3 + (unsigned)(random_next(seed) % (PIECES_MAX - 2)), tries;

	v->n_merges = 0;
	for (v->n_pieces = 0; v->n_pieces < LETTERS; v->n_pieces++)
		v->pieces[v->n_pieces] = v->n_pieces + 1;
	for (tries = 0; v->n_pieces < LETTERS + wanted && tries < 200; tries++) {
		uint32_t left = v->pieces[random_next(seed) % v->n_pieces],
		         right = v->pieces[random_next(seed) % v->n_pieces];

		if (digits_of(left) + digits_of(right) <= 4 && !is_piece(v, join(left, right)))
			v->pieces[v->n_pieces++] = join(left, right);
	}
	for (i = LETTERS; i < v->n_pieces; i++)
		for (k = 1; k < digits_of(v->pieces[i]); k++) {
			uint32_t left = v->pieces[i] >> 2 * k,
			         right = v->pieces[i] & ((1u << 2 * k) - 1);

			if (is_piece(v, left) && is_piece(v, right) &&
			    (complete || random_next(seed) % 4 != 0)) {
				v->merges[v->n_merges].left = left;
				v->merges[v->n_merges++].right = right;
			}
		}
	for (i = v->n_merges; i > 1; i--) {
		unsigned other = (unsigned)(random_next(seed) % i);
		uint32_t left = v->merges[i - 1].left, right = v->merges[i - 1].right;

		v->merges[i - 1] = v->merges[other];
		v->merges[other].left = left;
		v->merges[other].right = right;
	}
}

/* A piece's text, and how many letters it has. */
static uint32_t spell(uint32_t text, char out[TEXT_MAX])
{
	unsigned n = digits_of(text), i;

	for (i = 0; i < n; i++)
		out[i] = (char)('a' - 1 + (text >> 2 * (n - 1 - i) & 3));
	return n;
}

static uint32_t id_of(const little *v, uint32_t text)
{
	unsigned i;

	for (i = 0; i < v->n_pieces && v->pieces[i] != text; i++)
		;
	return i + 1;
}

/* Token 0 is unknown, piece i is token i + 1. */
static brise_status open_little(const little *v, brise_tokenizer **t, void **section,
                                brise_error *err)
{
	char texts[LETTERS + PIECES_MAX][TEXT_MAX];
	tokenizer_piece pieces[1 + LETTERS + PIECES_MAX] = { { (const uint8_t *)"?", 1, 0,
		                                               PIECE_UNKNOWN, 0, false } };
	tokenizer_pieces all = {
		.pieces = pieces, .vocab = v->n_pieces + 1, .unk = 0, .bos = -1, .eos = -1
	};
	merges_pair pairs[LENGTH(v->merges)];
	brise_status status;
	size_t bytes;
	unsigned i;

	*t = NULL;
	*section = NULL;
	for (i = 0; i < v->n_pieces; i++)
		pieces[i + 1] = (tokenizer_piece){ (const uint8_t *)texts[i],
			                           spell(v->pieces[i], texts[i]),
			                           0,
			                           PIECE_NORMAL,
			                           0,
			                           false };
	for (i = 0; i < v->n_merges; i++)
		pairs[i] = (merges_pair){ id_of(v, v->merges[i].left), id_of(v, v->merges[i].right),
			                  id_of(v, join(v->merges[i].left, v->merges[i].right)) };
	if ((status = merges_find_scores(&all, pairs, v->n_merges, "little", err)) != BRISE_OK ||
	    (status = tokenizer_write_section(&all, "little", section, &bytes, err)) != BRISE_OK)
		return status;
	return brise_open_tokenizer(t, *section, bytes, "little", err);
}

/* Texts that brise encodes differently from the list of merges. */
static unsigned count_other_texts(const little *v, const brise_tokenizer *t)
{
	uint32_t text, parts[TEXT_MAX];
	unsigned wrong = 0, n, i;

	for (text = 1; text; text = next_text(text)) {
		char spelled[TEXT_MAX];
		int32_t *ids = NULL;
		size_t n_ids = 0;
		bool same;

		n = merge_all(v, text, rank_of_pair, NULL, parts);
		same = brise_encode_text(t, spelled, spell(text, spelled), false, &ids, &n_ids,
		                         NULL) == BRISE_OK &&
		       n_ids == n;
		for (i = 0; same && i < n; i++)
			same = v->pieces[ids[i] - 1] == parts[i];
		wrong += !same;
		free(ids);
	}
	return wrong;
}

static bool order_does_the_same(const little *v, const unsigned *order)
{
	uint32_t text, by_list[TEXT_MAX], by_order[TEXT_MAX];

	for (text = 1; text; text = next_text(text)) {
		unsigned n = merge_all(v, text, rank_of_pair, NULL, by_list);

		if (merge_all(v, text, rank_of_text, order, by_order) != n ||
		    memcmp(by_list, by_order, n * sizeof *by_list) != 0)
			return false;
	}
	return true;
}

/* True if some order of the pieces merges all texts as the list does; tries all of them. */
static bool some_order_does(const little *v, unsigned *order, unsigned placed, unsigned used)
{
	unsigned i, n = v->n_pieces - LETTERS;

	if (placed == n)
		return order_does_the_same(v, order);
	for (i = 0; i < n; i++)
		if (!(used >> i & 1)) {
			order[LETTERS + i] = placed;
			if (some_order_does(v, order, placed + 1, used | 1u << i))
				return true;
		}
	return false;
}

/* What is accepted encodes every text as the list says; what is refused, no order of the pieces
 * would have encoded so. */
static void test_merges_become_scores_exactly_where_they_can(check_counts *counts)
{
	unsigned accepted = 0, refused = 0, wrong = 0, needless = 0, strange = 0, round;
	uint64_t seed = 909;

	for (round = 0; round < 600; round++) {
		unsigned order[LETTERS + PIECES_MAX] = { 0 };
		brise_error err = { BRISE_OK, "" };
		brise_tokenizer *t;
		brise_status status;
		void *section;
		little v;

		draw_little(&v, &seed, round % 2);
		status = open_little(&v, &t, &section, &err);
		if (status == BRISE_OK) {
			accepted++;
			wrong += count_other_texts(&v, t) > 0;
		} else {
			refused++;
			strange += status != BRISE_EUNSUPPORTED ||
			           !strstr(err.message, "cannot be expressed by scores");
			needless += v.n_pieces <= LETTERS + 4 && some_order_does(&v, order, 0, 0);
		}
		brise_close_tokenizer(t);
		free(section);
	}
	CHECK(counts, accepted > 50 && refused > 50, "%u accepted, %u refused", accepted, refused);
	CHECK(counts, wrong == 0,
	      "%u of %u accepted vocabularies encode otherwise than their merges say", wrong,
	      accepted);
	CHECK(counts, needless == 0 && strange == 0,
	      "%u of %u were refused though an order does the same, %u strangely", needless,
	      refused, strange);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_merges_become_scores_exactly_where_they_can(&counts));
	return check_report("merges", &counts);
}
