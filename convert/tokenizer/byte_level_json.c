/* byte_level_json.c - see byte_level_json.h */
#include "convert/tokenizer/byte_level_json.h"

#include <inttypes.h>
#include <string.h>

#include "convert/tokenizer/byte_alphabet.h"
#include "convert/tokenizer/byte_level_merges.h"
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

/* Where a list of merges is. */
typedef struct place {
	const json_tokenizer *j;
	uint32_t next;
} place;

static bool next_merge(void *user, merge_texts *out)
{
	place *at = user;
	const json_merge *m = &at->j->merges[at->next++];
	const char *text = at->j->pool + m->at;

	*out = (merge_texts){ text, text + m->left_bytes, m->left_bytes, m->right_bytes };
	return true;
}

brise_status byte_level_read_json(const json_tokenizer *j, const char *name, void **section,
                                  size_t *bytes, brise_error *err)
{
	tokenizer_pieces p = { .pieces = memory_new((size_t)j->n_tokens + 1, sizeof *p.pieces) };
	uint8_t *pool = memory_new(j->pool_bytes + 1, 1);
	place at = { j, 0 };
	const merge_list merges = { "model.merges", j->n_merges, next_merge, &at };
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
		status = byte_level_write_merged(&p, &merges, name, section, bytes, err);
	memory_free(pool);
	memory_free(p.pieces);
	return status;
}
