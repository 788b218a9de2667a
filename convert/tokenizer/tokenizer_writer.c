/* tokenizer_writer.c - see tokenizer_writer.h
 *
 * The block starts as zeros and is filled table by table, so that gaps and reserved fields are the
 * same every time.
 */
#include "convert/tokenizer/tokenizer_writer.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/text/tokenizer.h"

int tokenizer_compare_pieces(const tokenizer_piece *a, const tokenizer_piece *b)
{
	int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);

	if (order != 0)
		return order < 0 ? -1 : 1;
	return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static bool comes_from_text(const tokenizer_piece *piece)
{
	return piece->type == PIECE_NORMAL || piece->type == PIECE_USER_DEFINED ||
	       piece->type == PIECE_UNUSED;
}

/* True if merging may make a piece with a space after another character. Models trained word by
 * word have none. */
static bool spans_words(const tokenizer_piece *piece)
{
	uint32_t i;

	if (piece->type != PIECE_NORMAL && piece->type != PIECE_UNUSED)
		return false;
	for (i = 1; i + TOKENIZER_SPACE_BYTES <= piece->bytes; i++)
		if (tokenizer_begins_word(piece->text, i, piece->bytes))
			return true;
	return false;
}

static brise_status fill_header(const tokenizer_pieces *p, const char *name, tokenizer_header *h,
                                brise_error *err)
{
	uint64_t text_bytes = 0;
	uint32_t i, searchable = 0;
	bool spans = false;

	memset(h, 0, sizeof *h);
	memcpy(h->magic, TOKENIZER_MAGIC, sizeof h->magic);
	h->version = p->flags & TOKENIZER_BYTE_LEVEL ? TOKENIZER_VERSION : 1;
	h->dialect = p->dialect;
	h->vocab = p->vocab;
	h->unk = p->unk;
	h->bos = p->bos;
	h->eos = p->eos;
	for (i = 0; i < p->vocab; i++) {
		text_bytes += p->pieces[i].bytes;
		if (p->pieces[i].bytes > h->longest)
			h->longest = p->pieces[i].bytes;
		searchable += comes_from_text(&p->pieces[i]);
		h->n_user += p->pieces[i].type == PIECE_USER_DEFINED;
		spans = spans || spans_words(&p->pieces[i]);
	}
	h->flags = p->flags | (spans || p->flags & TOKENIZER_BYTE_LEVEL ? 0 : TOKENIZER_CUTS_WORDS);
	if (text_bytes > UINT32_MAX)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: pieces of %" PRIu64 " bytes together, at most %" PRIu32
		                 " are supported",
		                 name, text_bytes, UINT32_MAX);
	h->text_bytes = (uint32_t)text_bytes;
	for (h->slots = 2; h->slots < 2 * searchable; h->slots *= 2)
		;
	h->bytes = tokenizer_find_places(h).bytes;
	return BRISE_OK;
}

static void fill_pieces(const tokenizer_pieces *p, uint8_t *section, const tokenizer_places *places)
{
	uint32_t *offsets = (uint32_t *)(void *)(section + places->offsets),
	         *byte_ids = (uint32_t *)(void *)(section + places->byte_ids);
	float *scores = (float *)(void *)(section + places->scores);
	bool byte_level = p->flags & TOKENIZER_BYTE_LEVEL;
	uint32_t i, at = 0;

	for (i = 0; i < p->vocab; i++) {
		const tokenizer_piece *piece = &p->pieces[i];

		offsets[i] = at;
		memcpy(section + places->text + at, piece->text, piece->bytes);
		at += piece->bytes;
		if (!byte_level)
			scores[i] = piece->score;
		section[places->types + i] = (uint8_t)piece->type;
		if (piece->type == PIECE_BYTE)
			byte_ids[tokenizer_parse_byte(piece->text, piece->bytes)] = i;
		if (byte_level && piece->type == PIECE_NORMAL && piece->bytes == 1)
			byte_ids[*piece->text] = i;
	}
	offsets[p->vocab] = at;
}

static void enter_hash(uint32_t *slots, uint32_t n_slots, const tokenizer_piece *piece, uint32_t id)
{
	uint32_t hash = tokenizer_hash(piece->text, piece->bytes), slot;
	unsigned bits = 0;

	while (1u << bits < n_slots)
		bits++;
	slot = tokenizer_hash_home(hash, bits);
	while (slots[slot] != 0)
		slot = (slot + 1) & (n_slots - 1);
	slots[slot] = tokenizer_hash_entry(hash, id);
}

static brise_status fill_hash(const tokenizer_pieces *p, const char *name, uint32_t *slots,
                              uint32_t n_slots, brise_error *err)
{
	uint32_t i, run = 0;

	for (i = 0; i < p->vocab; i++)
		if (comes_from_text(&p->pieces[i]))
			enter_hash(slots, n_slots, &p->pieces[i], i);
	for (i = 0; i < n_slots; i++) {
		run = slots[i] ? run + 1 : 0;
		if (run > TOKENIZER_RUN_MAX)
			return error_set(err, BRISE_EUNSUPPORTED,
			                 "%s: more than %u pieces collide in the hash table, as "
			                 "only pieces made for it do",
			                 name, TOKENIZER_RUN_MAX);
	}
	return BRISE_OK;
}

static int compare_pointers(const void *a, const void *b)
{
	return tokenizer_compare_pieces(*(const tokenizer_piece *const *)a,
	                                *(const tokenizer_piece *const *)b);
}

static brise_status fill_user(const tokenizer_pieces *p, const char *name, uint32_t *user,
                              uint32_t n_user, brise_error *err)
{
	const tokenizer_piece **sorted;
	uint32_t i, n = 0;

	if (n_user == 0)
		return BRISE_OK;
	sorted = memory_new(n_user, sizeof *sorted);
	if (!sorted)
		return error_set(err, BRISE_ENOMEM,
		                 "%s: no memory to sort %" PRIu32 " user-defined symbols", name,
		                 n_user);
	for (i = 0; i < p->vocab; i++)
		if (p->pieces[i].type == PIECE_USER_DEFINED)
			sorted[n++] = &p->pieces[i];
	qsort(sorted, n, sizeof *sorted, compare_pointers);
	for (i = 0; i < n; i++)
		user[i] = (uint32_t)(sorted[i] - p->pieces);
	memory_free(sorted);
	return BRISE_OK;
}

static bool is_cut_out(const tokenizer_piece *piece)
{
	return piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN ||
	       piece->type == PIECE_USER_DEFINED;
}

/* Bytes of the section of added tokens. */
static size_t measure_added(const tokenizer_pieces *p)
{
	uint32_t i, n = 0;

	for (i = 0; p->rule != 0 && i < p->vocab; i++)
		n += is_cut_out(&p->pieces[i]);
	return p->rule != 0 ? sizeof(added_header) + n * sizeof(added_entry) : 0;
}

static void fill_added(const tokenizer_pieces *p, uint8_t *section)
{
	added_header h = { p->rule, 0 };
	uint8_t *entries = section + sizeof h;
	uint32_t i;

	for (i = 0; i < p->vocab; i++) {
		const tokenizer_piece *piece = &p->pieces[i];
		added_entry entry = { i, piece->listed                       ? piece->flags
			                 : piece->type == PIECE_USER_DEFINED ? 0
			                                                     : ADDED_SPECIAL };

		if (is_cut_out(piece))
			memcpy(entries + h.n++ * sizeof entry, &entry, sizeof entry);
	}
	memcpy(section, &h, sizeof h);
}

brise_status tokenizer_write_section(const tokenizer_pieces *p, const char *name, void **section,
                                     size_t *bytes, brise_error *err)
{
	tokenizer_header h;
	tokenizer_places places;
	uint8_t *block;
	size_t size, added = measure_added(p);
	brise_status status = fill_header(p, name, &h, err);

	*section = NULL;
	*bytes = 0;
	if (status != BRISE_OK)
		return status;
	places = tokenizer_find_places(&h);
	block = checked_size(h.bytes + added, &size) ? memory_new(size, 1) : NULL;
	if (!block)
		return error_set(err, BRISE_ENOMEM,
		                 "%s: no memory for a tokenizer section of %" PRIu64 " bytes", name,
		                 h.bytes);
	memcpy(block, &h, sizeof h);
	fill_pieces(p, block, &places);
	if (added > 0)
		fill_added(p, block + h.bytes);
	status = fill_hash(p, name, (uint32_t *)(void *)(block + places.hash), h.slots, err);
	if (status == BRISE_OK)
		status = fill_user(p, name, (uint32_t *)(void *)(block + places.user), h.n_user,
		                   err);
	if (status != BRISE_OK) {
		memory_free(block);
		return status;
	}
	*section = block;
	*bytes = size;
	return BRISE_OK;
}
