/* tokenizer_json.c - turns a tokenizer.json into pieces, types and scores
 *
 * Added tokens are control tokens if special, which text spells only on request; the others are
 * user-defined symbols, cut out of the text first. What happens beside them is Hugging Face's way,
 * which differs with the spelling (runtime/text/added_section.h). Merges become scores in
 * convert/tokenizer/merges.c.
 */
#include "convert/tokenizer/tokenizer_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/tokenizer/byte_level_json.h"
#include "convert/tokenizer/json_tokenizer.h"
#include "convert/tokenizer/merges.h"
#include "convert/tokenizer/tekken.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/tokenizer.h"

/* Mistral's have 2 MB, and 4 MB with merges as lists over several lines; their tekken.json 20 MB */
#define FILE_MAX ((size_t)64 << 20)
#define SPACE    TOKENIZER_SPACE

/* qsort has no argument for the pool: texts are compared as pieces. */
typedef struct indexed {
	tokenizer_piece piece; /* its text and bytes */
	token_origin origin;
	uint32_t id, flags;
} indexed;

static int compare_indexed(const void *a, const void *b)
{
	const indexed *x = a, *y = b;
	int order = tokenizer_compare_pieces(&x->piece, &y->piece);

	return order != 0 ? order : x->origin < y->origin ? -1 : x->origin > y->origin;
}

static tokenizer_type type_of(const json_tokenizer *j, const indexed *t)
{
	if (t->piece.bytes == strlen(j->unk) && !memcmp(t->piece.text, j->unk, t->piece.bytes))
		return PIECE_UNKNOWN;
	if (j->byte_fallback && tokenizer_parse_byte(t->piece.text, t->piece.bytes) >= 0)
		return PIECE_BYTE;
	return t->origin == FROM_SPECIAL ? PIECE_CONTROL
	       : t->origin == FROM_ADDED ? PIECE_USER_DEFINED
	                                 : PIECE_NORMAL;
}

/* Sorts tokens by text, and makes one of each that is both in the vocabulary and among the
 * added ones. Returns their number, 0 after an error. */
static uint32_t index_tokens(const json_tokenizer *j, const char *name, indexed *all,
                             brise_error *err)
{
	uint32_t i, n = 0;

	for (i = 0; i < j->n_tokens; i++)
		all[i] = (indexed){ { (const uint8_t *)j->pool + j->tokens[i].at,
			              j->tokens[i].bytes, 0, PIECE_NORMAL, 0, false },
			            j->tokens[i].origin,
			            j->tokens[i].id,
			            j->tokens[i].flags };
	qsort(all, j->n_tokens, sizeof *all, compare_indexed);
	for (i = 0; i < j->n_tokens; i++) {
		indexed *before =
		        n > 0 && tokenizer_compare_pieces(&all[n - 1].piece, &all[i].piece) == 0
		                ? &all[n - 1]
		                : NULL;

		if (before && (before->origin != FROM_VOCABULARY ||
		               all[i].origin == FROM_VOCABULARY || before->id != all[i].id)) {
			error_set(err, BRISE_EFORMAT,
			          "%s: token \"%.*s\" appears twice, as %" PRIu32 " and %" PRIu32,
			          name, all[i].piece.bytes > 100 ? 100 : (int)all[i].piece.bytes,
			          (const char *)all[i].piece.text, before->id, all[i].id);
			return 0;
		}
		if (before)
			*before = all[i];
		else
			all[n++] = all[i];
	}
	for (i = 0; i < n; i++)
		all[i].piece.type = type_of(j, &all[i]);
	return n;
}

static int32_t find_text(const indexed *all, uint32_t n, const void *text, uint32_t bytes)
{
	tokenizer_piece wanted = { text, bytes, 0, PIECE_NORMAL, 0, false };
	uint32_t from = 0, to = n;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		int order = tokenizer_compare_pieces(&all[middle].piece, &wanted);

		if (order == 0)
			return (int32_t)middle;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return -1;
}

static int32_t find_control(const indexed *all, uint32_t n, const char *text)
{
	int32_t found = find_text(all, n, text, (uint32_t)strlen(text));

	return found >= 0 && all[found].piece.type == PIECE_CONTROL ? (int32_t)all[found].id : -1;
}

/* Every id from 0 on has one token; one is unknown; byte fallback has all bytes. */
static brise_status place_pieces(const json_tokenizer *j, const char *name, const indexed *all,
                                 tokenizer_pieces *p, brise_error *err)
{
	bool found[256] = { false };
	uint32_t i, n_bytes = 0;

	p->unk = -1;
	for (i = 0; i < p->vocab; i++) {
		uint32_t id = all[i].id;

		if (id >= p->vocab || p->pieces[id].bytes)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: %" PRIu32 " tokens, but id %" PRIu32 " %s", name,
			                 p->vocab, id,
			                 id >= p->vocab ? "leaves a gap" : "appears twice");
		p->pieces[id] = all[i].piece;
		p->pieces[id].listed = all[i].origin != FROM_VOCABULARY;
		p->pieces[id].flags = all[i].flags;
		if (all[i].piece.type == PIECE_UNKNOWN)
			p->unk = (int32_t)id;
		if (all[i].piece.type == PIECE_BYTE &&
		    !found[tokenizer_parse_byte(all[i].piece.text, all[i].piece.bytes)]) {
			found[tokenizer_parse_byte(all[i].piece.text, all[i].piece.bytes)] = true;
			n_bytes++;
		}
	}
	if (p->unk < 0)
		return error_set(err, BRISE_EFORMAT, "%s: model.unk_token \"%s\" is no token", name,
		                 j->unk);
	if (j->byte_fallback && n_bytes != 256)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: model.byte_fallback is set, but only %" PRIu32
		                 " bytes have a token",
		                 name, n_bytes);
	p->rule = j->rule;
	p->bos = find_control(all, p->vocab, "<s>");
	p->eos = find_control(all, p->vocab, "</s>");
	p->flags = (j->prefix ? TOKENIZER_DUMMY_PREFIX : 0) |
	           (j->byte_fallback ? TOKENIZER_BYTE_FALLBACK : 0);
	return BRISE_OK;
}

static bool spans_words(const uint8_t *text, uint32_t bytes)
{
	uint32_t i;

	for (i = 1; i + TOKENIZER_SPACE_BYTES <= bytes; i++)
		if (!memcmp(text + i, SPACE, TOKENIZER_SPACE_BYTES))
			return true;
	return false;
}

/* The merges as ids. Those with a part or a result that is cut out of the text beforehand, or never
 * looked for in it, are never done: left out. */
static brise_status resolve_merges(const json_tokenizer *j, const char *name, const indexed *all,
                                   const tokenizer_pieces *p, merges_pair *pairs, uint32_t *n,
                                   brise_error *err)
{
	uint32_t i;

	*n = 0;
	for (i = 0; i < j->n_merges; i++) {
		const json_merge *m = &j->merges[i];
		const char *text = j->pool + m->at;
		int32_t left = find_text(all, p->vocab, text, m->left_bytes),
		        right = find_text(all, p->vocab, text + m->left_bytes, m->right_bytes),
		        made = find_text(all, p->vocab, text, m->left_bytes + m->right_bytes);
		int shown = m->left_bytes + m->right_bytes > 100
		                    ? 100
		                    : (int)(m->left_bytes + m->right_bytes);

		if (left < 0 || right < 0 || made < 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: model.merges %" PRIu32 " \"%.*s\": %s is no token",
			                 name, i, shown, text,
			                 made < 0 ? "what it makes" : "a part of it");
		if (all[left].piece.type == PIECE_BYTE || all[right].piece.type == PIECE_BYTE ||
		    all[made].piece.type == PIECE_BYTE)
			return error_set(err, BRISE_EUNSUPPORTED,
			                 "%s: model.merges %" PRIu32
			                 " \"%.*s\": merges of byte tokens are not supported",
			                 name, i, shown, text);
		if (all[left].piece.type != PIECE_NORMAL || all[right].piece.type != PIECE_NORMAL ||
		    all[made].piece.type != PIECE_NORMAL)
			continue;
		if (j->splits && spans_words((const uint8_t *)text, m->left_bytes + m->right_bytes))
			return error_set(err, BRISE_EUNSUPPORTED,
			                 "%s: pre_tokenizer Metaspace that splits words is not "
			                 "supported where a token spans them (\"%.*s\")",
			                 name, shown, text);
		pairs[(*n)++] = (merges_pair){ all[left].id, all[right].id, all[made].id };
	}
	return BRISE_OK;
}

static brise_status write_section(const json_tokenizer *j, const char *name, void **section,
                                  size_t *bytes, brise_error *err)
{
	indexed *all = memory_new((size_t)j->n_tokens + 1, sizeof *all);
	merges_pair *pairs = memory_new((size_t)j->n_merges + 1, sizeof *pairs);
	tokenizer_pieces p = { .pieces = memory_new((size_t)j->n_tokens + 1, sizeof *p.pieces) };
	brise_status status = BRISE_OK;
	uint32_t n;

	if (!all || !pairs || !p.pieces) {
		status = error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " tokens", name,
		                   j->n_tokens);
		goto done;
	}
	p.vocab = index_tokens(j, name, all, err);
	if (p.vocab == 0)
		status = BRISE_EFORMAT;
	if (status == BRISE_OK)
		status = place_pieces(j, name, all, &p, err);
	if (status == BRISE_OK)
		status = resolve_merges(j, name, all, &p, pairs, &n, err);
	if (status == BRISE_OK)
		status = merges_find_scores(&p, pairs, n, name, err);
	if (status == BRISE_OK)
		status = tokenizer_write_section(&p, name, section, bytes, err);
done:
	memory_free(p.pieces);
	memory_free(pairs);
	memory_free(all);
	return status;
}

/* Leaves out added tokens without a row in the embedding. */
static void drop_rowless(json_tokenizer *j, uint32_t rows, notes *decisions)
{
	uint32_t i, n = 0;

	for (i = 0; i < j->n_tokens; i++)
		if (j->tokens[i].origin == FROM_VOCABULARY || j->tokens[i].id < rows)
			j->tokens[n++] = j->tokens[i];
	if (n < j->n_tokens)
		notes_add(decisions,
		          "added tokens without a row in the embedding ignored: %" PRIu32
		          ", of %" PRIu32 " and more (tokenizer.json)",
		          j->n_tokens - n, rows);
	j->n_tokens = n;
}

brise_status tokenizer_json_read_memory(const char *json, size_t size, const char *name,
                                        uint32_t rows, notes *decisions, void **section,
                                        size_t *bytes, brise_error *err)
{
	json_tokenizer j;
	brise_status status;

	if (tekken_recognise(json, size))
		return tekken_read_memory(json, size, name, decisions, section, bytes, err);
	status = json_read_tokenizer(&j, json, size, name, err);
	*section = NULL;
	*bytes = 0;
	if (status == BRISE_OK) {
		drop_rowless(&j, rows, decisions);
		status = j.byte_level ? byte_level_read_json(&j, name, section, bytes, err)
		                      : write_section(&j, name, section, bytes, err);
	}
	json_free_tokenizer(&j);
	return status;
}

brise_status tokenizer_json_read_model(const char *path, uint32_t rows, notes *decisions,
                                       void **section, size_t *bytes, brise_error *err)
{
	size_t size;
	char *json;
	brise_status status = files_read_whole(path, CONTENTS_JSON, FILE_MAX, &json, &size, err);

	*section = NULL;
	*bytes = 0;
	if (status == BRISE_OK)
		status = tokenizer_json_read_memory(json, size, path, rows, decisions, section,
		                                    bytes, err);
	memory_free(json);
	return status;
}
