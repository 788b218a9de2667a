/* byte_level_json.c - see byte_level_json.h
 *
 * Mistral's tokenizers have ranks and no list of merges: any two neighbours that together are a
 * token are merged, the lowest rank first. Hugging Face's converter (transformers,
 * convert_slow_tokenizer.py, TikTokenConverter) lists for every token, in the order of their ranks,
 * each pair of tokens that makes it. A list that is complete and in the order of the ids is
 * therefore the same as the ranks, but for one thing: of two pairs that make the same token,
 * Hugging Face's merges the one listed first, Mistral's the one further left. Mistral's is what is
 * done.
 */
#include "convert/tokenizer/byte_level_json.h"

#include <inttypes.h>
#include <string.h>

#include "convert/tokenizer/byte_alphabet.h"
#include "convert/tokenizer/byte_level.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/tokenizer.h"

#define SHOWN(bytes) ((bytes) > 100 ? 100 : (int)(bytes))

/* Added tokens, whose texts are as they are. */
static brise_status place_added(const json_tokenizer *j, const char *name, tokenizer_piece *pieces,
                                uint32_t *vocab, brise_error *err)
{
	uint32_t i;

	for (i = 0; i < j->n_tokens; i++) {
		const json_token *t = &j->tokens[i];

		if (t->origin == FROM_VOCABULARY)
			continue;
		if (t->id >= j->n_tokens || pieces[t->id].bytes)
			return error_set(err, BRISE_EFORMAT, "%s: added token id %" PRIu32 " %s",
			                 name, t->id,
			                 t->id >= j->n_tokens ? "leaves a gap" : "appears twice");
		pieces[t->id] = (tokenizer_piece){ (const uint8_t *)j->pool + t->at,
			                           t->bytes,
			                           0,
			                           t->origin == FROM_SPECIAL ? PIECE_CONTROL
			                                                     : PIECE_USER_DEFINED,
			                           t->flags,
			                           true };
		++*vocab;
	}
	return BRISE_OK;
}

/* The vocabulary, whose texts are bytes; an added token may be there again. pool: where bytes go.
 */
static brise_status place_vocabulary(const json_tokenizer *j, const char *name,
                                     tokenizer_piece *pieces, uint32_t *vocab, uint8_t *pool,
                                     brise_error *err)
{
	uint32_t i;
	size_t n;

	for (i = 0; i < j->n_tokens; i++) {
		const json_token *t = &j->tokens[i];
		const char *text = j->pool + t->at;
		tokenizer_piece *piece;

		if (t->origin != FROM_VOCABULARY)
			continue;
		if (t->id >= j->n_tokens)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: token id %" PRIu32 " leaves a gap", name, t->id);
		piece = &pieces[t->id];
		if (piece->listed && piece->bytes == t->bytes &&
		    !memcmp(piece->text, text, t->bytes))
			continue;
		if (piece->bytes)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: token id %" PRIu32 " appears twice", name, t->id);
		if (!byte_alphabet_decode(text, t->bytes, pool, &n))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: token %" PRIu32
			                 " \"%.*s\" has a character that stands for no byte",
			                 name, t->id, SHOWN(t->bytes), text);
		*piece = (tokenizer_piece){ pool, (uint32_t)n, 0, PIECE_NORMAL, 0, false };
		pool += n;
		++*vocab;
	}
	for (i = 0; i < *vocab; i++)
		if (pieces[i].bytes == 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: %" PRIu32 " tokens, but none has id %" PRIu32, name,
			                 *vocab, i);
	return BRISE_OK;
}

static bool is_piece(const brise_tokenizer *t, const uint8_t *text, size_t bytes)
{
	int32_t id = tokenizer_find_piece(t, text, bytes);

	return id >= 0 && t->types[id] == PIECE_NORMAL;
}

/* Marks each merge in `seen`, a flag for every byte of the pieces' text: there its right part
 * begins. */
static brise_status mark_merges(const json_tokenizer *j, const char *name, const brise_tokenizer *t,
                                uint8_t *seen, brise_error *err)
{
	uint8_t text[TOKENIZER_PIECE_MAX];
	int32_t id, before = -1;
	size_t left, right;
	uint32_t i;

	for (i = 0; i < j->n_merges; i++, before = id) {
		const json_merge *m = &j->merges[i];
		const char *shown = j->pool + m->at;
		const char *what = NULL;

		if (!byte_alphabet_decode(shown, m->left_bytes, text, &left) ||
		    !byte_alphabet_decode(shown + m->left_bytes, m->right_bytes, text + left,
		                          &right) ||
		    !is_piece(t, text, left) || !is_piece(t, text + left, right) ||
		    !is_piece(t, text, left + right))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: model.merges %" PRIu32
			                 " \"%.*s\": a part or what it makes is no token",
			                 name, i, SHOWN(m->left_bytes + m->right_bytes), shown);
		id = tokenizer_find_piece(t, text, left + right);
		if (id < before)
			what = "is not in the order of the ids of what merges make";
		else if (seen[t->offsets[id] + left]++)
			what = "appears twice";
		if (what)
			return error_set(err, BRISE_EUNSUPPORTED,
			                 "%s: model.merges %" PRIu32
			                 " \"%.*s\" %s; no tokenizer of Mistral's does that",
			                 name, i, SHOWN(m->left_bytes + m->right_bytes), shown,
			                 what);
	}
	return BRISE_OK;
}

static brise_status check_merges(const json_tokenizer *j, const char *name,
                                 const brise_tokenizer *t, brise_error *err)
{
	uint8_t *seen = memory_new((size_t)t->offsets[t->vocab] + 1, 1);
	brise_status status = seen ? mark_merges(j, name, t, seen, err)
	                           : error_set(err, BRISE_ENOMEM, "%s: no memory for merges", name);
	uint32_t id, left;

	for (id = 0; id < t->vocab && status == BRISE_OK; id++) {
		const uint8_t *text = t->text + t->offsets[id];
		uint32_t bytes = tokenizer_piece_bytes(t, id);

		for (left = 1; t->types[id] == PIECE_NORMAL && left < bytes; left++)
			if (!seen[t->offsets[id] + left] && is_piece(t, text, left) &&
			    is_piece(t, text + left, bytes - left)) {
				status = error_set(
				        err, BRISE_EUNSUPPORTED,
				        "%s: model.merges has no merge of %" PRIu32 " and %" PRIu32
				        " bytes into token %" PRIu32
				        "; all pairs of tokens that make one are merged in "
				        "Mistral's tokenizers",
				        name, left, bytes - left, id);
				break;
			}
	}
	memory_free(seen);
	return status;
}

brise_status byte_level_read_json(const json_tokenizer *j, const char *name, void **section,
                                  size_t *bytes, brise_error *err)
{
	tokenizer_pieces p = { .pieces = memory_new((size_t)j->n_tokens + 1, sizeof *p.pieces) };
	uint8_t *pool = memory_new(j->pool_bytes + 1, 1);
	brise_tokenizer *t = NULL;
	brise_status status = BRISE_OK;

	*section = NULL;
	*bytes = 0;
	if (!p.pieces || !pool)
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " tokens", name,
		                   j->n_tokens);
	if (status == BRISE_OK)
		status = place_added(j, name, p.pieces, &p.vocab, err);
	if (status == BRISE_OK)
		status = place_vocabulary(j, name, p.pieces, &p.vocab, pool, err);
	if (status == BRISE_OK)
		status = byte_level_write_section(&p, name, section, bytes, err);
	if (status == BRISE_OK)
		status = brise_open_tokenizer(&t, *section, *bytes, name, err);
	if (status == BRISE_OK)
		status = check_merges(j, name, t, err);
	brise_close_tokenizer(t);
	if (status != BRISE_OK) {
		memory_free(*section);
		*section = NULL;
	}
	memory_free(pool);
	memory_free(p.pieces);
	return status;
}
