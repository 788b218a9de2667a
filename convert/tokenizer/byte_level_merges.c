/* byte_level_merges.c - see byte_level_merges.h
 *
 * Mistral's tokenizers have ranks and no list of merges: any two neighbours that together are a
 * token are merged, the lowest rank first. Converters (transformers, convert_slow_tokenizer.py,
 * TikTokenConverter; llama.cpp's for GGUF) list for every token, in the order of their ranks, each
 * pair of tokens that makes it, pairs in the order of the ranks of their left, then right parts. A
 * list that is complete and in the order of the ids is therefore the same as the ranks, but for one
 * thing: of two pairs that make the same token, a list merges the one listed first, Mistral's the
 * one further left. Mistral's is what is done.
 */
#include "convert/tokenizer/byte_level_merges.h"

#include <inttypes.h>
#include <string.h>

#include "convert/tokenizer/byte_alphabet.h"
#include "convert/tokenizer/byte_level.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/tokenizer.h"

#define SHOWN(bytes) ((bytes) > 50 ? 50 : (int)(bytes))

/* The piece of ordinary text with these bytes, or -1. */
static int32_t find_piece(const brise_tokenizer *t, const uint8_t *text, size_t bytes)
{
	int32_t id = tokenizer_find_piece(t, text, bytes);

	return id >= 0 && t->types[id] == PIECE_NORMAL ? id : -1;
}

/* Bytes of both texts; false: too many, or a character that stands for none. */
static bool decode_merge(const merge_texts *m, uint8_t *text, size_t *left, size_t *right)
{
	/* a character has two bytes at most */
	return m->left_bytes <= 2 * (size_t)TOKENIZER_PIECE_MAX &&
	       m->right_bytes <= 2 * (size_t)TOKENIZER_PIECE_MAX &&
	       byte_alphabet_decode(m->left, m->left_bytes, text, left) &&
	       byte_alphabet_decode(m->right, m->right_bytes, text + *left, right);
}

static brise_status refuse(const merge_list *list, const char *name, uint64_t i,
                           const merge_texts *m, const char *what, brise_error *err)
{
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: %s %" PRIu64 " \"%.*s %.*s\" %s; no tokenizer of Mistral's does that",
	                 name, list->what, i, SHOWN(m->left_bytes), m->left, SHOWN(m->right_bytes),
	                 m->right, what);
}

/* Marks each merge in `seen`, a flag for every byte of the pieces' text: there its right part
 * begins. */
static brise_status mark_merges(const merge_list *list, const char *name, const brise_tokenizer *t,
                                uint8_t *seen, brise_error *err)
{
	uint8_t text[4 * TOKENIZER_PIECE_MAX];
	int32_t id, before = -1;
	size_t left, right;
	merge_texts m;
	uint64_t i;

	for (i = 0; i < list->n; i++, before = id) {
		if (!list->next(list->user, &m))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: %s %" PRIu64 " is not two texts with a space between",
			                 name, list->what, i);
		if (!decode_merge(&m, text, &left, &right) || find_piece(t, text, left) < 0 ||
		    find_piece(t, text + left, right) < 0 ||
		    (id = find_piece(t, text, left + right)) < 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: %s %" PRIu64
			                 " \"%.*s %.*s\": a part or what it makes is no token",
			                 name, list->what, i, SHOWN(m.left_bytes), m.left,
			                 SHOWN(m.right_bytes), m.right);
		if (id < before)
			return refuse(list, name, i, &m,
			              "is not in the order of the ids of what merges make", err);
		if (seen[t->offsets[id] + left]++)
			return refuse(list, name, i, &m, "appears twice", err);
	}
	return BRISE_OK;
}

static brise_status check_merges(const merge_list *list, const char *name, const brise_tokenizer *t,
                                 brise_error *err)
{
	uint8_t *seen = memory_new((size_t)t->offsets[t->vocab] + 1, 1);
	brise_status status = seen ? mark_merges(list, name, t, seen, err)
	                           : error_set(err, BRISE_ENOMEM, "%s: no memory for merges", name);
	uint32_t id, left;

	for (id = 0; id < t->vocab && status == BRISE_OK; id++) {
		const uint8_t *text = t->text + t->offsets[id];
		uint32_t bytes = tokenizer_piece_bytes(t, id);

		for (left = 1; t->types[id] == PIECE_NORMAL && left < bytes; left++)
			if (!seen[t->offsets[id] + left] && find_piece(t, text, left) >= 0 &&
			    find_piece(t, text + left, bytes - left) >= 0) {
				status = error_set(err, BRISE_EUNSUPPORTED,
				                   "%s: %s has no merge of %" PRIu32 " and %" PRIu32
				                   " bytes into token %" PRIu32
				                   "; all pairs of tokens that make one are merged "
				                   "in Mistral's tokenizers",
				                   name, list->what, left, bytes - left, id);
				break;
			}
	}
	memory_free(seen);
	return status;
}

brise_status byte_level_write_merged(tokenizer_pieces *p, const merge_list *merges,
                                     const char *name, void **section, size_t *bytes,
                                     brise_error *err)
{
	brise_tokenizer *t = NULL;
	brise_status status = byte_level_write_section(p, name, section, bytes, err);

	if (status == BRISE_OK)
		status = brise_open_tokenizer(&t, *section, *bytes, name, err);
	if (status == BRISE_OK)
		status = check_merges(merges, name, t, err);
	brise_close_tokenizer(t);
	if (status != BRISE_OK) {
		memory_free(*section);
		*section = NULL;
	}
	return status;
}

uint32_t byte_level_list_cuts(const brise_tokenizer *t, uint32_t id, uint32_t *cuts)
{
	const uint8_t *text = t->text + t->offsets[id];
	uint32_t bytes = tokenizer_piece_bytes(t, id), left, n = 0, at;
	int32_t ids[TOKENIZER_PIECE_MAX], found;

	for (left = 1; t->types[id] == PIECE_NORMAL && left < bytes; left++) {
		found = find_piece(t, text, left);
		if (found < 0 || find_piece(t, text + left, bytes - left) < 0)
			continue;
		/* Left parts are of different lengths: no two are the same token. */
		for (at = n; at > 0 && ids[at - 1] > found; at--) {
			ids[at] = ids[at - 1];
			cuts[at] = cuts[at - 1];
		}
		ids[at] = found;
		cuts[at] = left;
		n++;
	}
	return n;
}
