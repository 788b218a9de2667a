/* tokenizer.c - opening a tokenizer section and looking pieces up
 *
 * The section comes from a file, so whatever encoding and decoding rely on is checked here once, in
 * one pass over the tables (about 0.2 ms for 32,768 pieces): afterwards every offset lies inside
 * the text, every id inside the vocabulary, and every search of the hash table ends. The text
 * itself is not read but for byte tokens and user-defined symbols.
 */
#include "runtime/text/tokenizer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/sized.h"
#include "runtime/text/added.h"
#include "runtime/text/utf8.h"

static brise_status check_header(const tokenizer_header *h, const char *name, size_t size,
                                 brise_error *err)
{
	if (memcmp(h->magic, TOKENIZER_MAGIC, sizeof h->magic) != 0)
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: tokenizer: bytes 0..7 are not the mark of a tokenizer section", name);
	if (h->version == 0 || h->version > TOKENIZER_VERSION)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: tokenizer: version %" PRIu32 ", this program reads up to %u",
		                 name, h->version, TOKENIZER_VERSION);
	if (h->flags & ~TOKENIZER_FLAGS)
		return error_set(err, BRISE_EUNSUPPORTED, "%s: tokenizer: unknown flags 0x%" PRIx32,
		                 name, h->flags & ~TOKENIZER_FLAGS);
	if ((h->flags & TOKENIZER_BYTE_LEVEL) != 0
	            ? h->version < 2 || h->flags != TOKENIZER_BYTE_LEVEL
	            : h->version != 1)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: version %" PRIu32
		                 " does not go with flags 0x%" PRIx32,
		                 name, h->version, h->flags);
	if (h->vocab == 0 || h->vocab > TOKENIZER_VOCAB_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: vocabulary of %" PRIu32 ", expected 1..%u", name,
		                 h->vocab, TOKENIZER_VOCAB_MAX);
	if (h->longest == 0 || h->longest > TOKENIZER_PIECE_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: longest piece of %" PRIu32
		                 " bytes, expected 1..%u",
		                 name, h->longest, TOKENIZER_PIECE_MAX);
	if (h->slots < 2 || h->slots > TOKENIZER_SLOTS_MAX || (h->slots & (h->slots - 1)) != 0)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: hash table of %" PRIu32
		                 " entries, expected a power of two, 2..%u",
		                 name, h->slots, TOKENIZER_SLOTS_MAX);
	if (h->bytes > size || tokenizer_find_places(h).bytes != h->bytes)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: %zu bytes, the header says %" PRIu64
		                 " and its counts make %" PRIu64,
		                 name, size, h->bytes, tokenizer_find_places(h).bytes);
	return BRISE_OK;
}

static void set_tables(brise_tokenizer *t, const tokenizer_header *h, const uint8_t *section)
{
	tokenizer_places p = tokenizer_find_places(h);

	t->kind =
	        h->flags & TOKENIZER_BYTE_LEVEL ? &tokenizer_byte_level : &tokenizer_sentencepiece;
	t->vocab = t->rows = h->vocab;
	t->longest = h->longest;
	t->slots = h->slots;
	t->n_user = h->n_user;
	while (1u << t->slot_bits < h->slots)
		t->slot_bits++;
	t->dialect = h->dialect;
	t->unk = h->unk;
	t->bos = h->bos;
	t->eos = h->eos;
	t->dummy_prefix = h->flags & TOKENIZER_DUMMY_PREFIX;
	t->byte_fallback = h->flags & TOKENIZER_BYTE_FALLBACK;
	t->cuts_words = h->flags & TOKENIZER_CUTS_WORDS;
	/* The section is aligned to 8 bytes and so is every table. */
	t->offsets = (const uint32_t *)(const void *)(section + p.offsets);
	t->scores = t->kind->byte_level ? NULL : (const float *)(const void *)(section + p.scores);
	t->types = section + p.types;
	t->byte_ids = t->byte_fallback || t->kind->byte_level
	                      ? (const uint32_t *)(const void *)(section + p.byte_ids)
	                      : NULL;
	t->hash = (const uint32_t *)(const void *)(section + p.hash);
	t->user = (const uint32_t *)(const void *)(section + p.user);
	t->text = section + p.text;
}

static brise_status check_offsets(const brise_tokenizer *t, uint32_t text_bytes, const char *name,
                                  brise_error *err)
{
	uint32_t id;

	if (t->offsets[0] != 0 || t->offsets[t->vocab] != text_bytes)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: pieces cover bytes %" PRIu32 "..%" PRIu32
		                 " of a text of %" PRIu32,
		                 name, t->offsets[0], t->offsets[t->vocab], text_bytes);
	/* Every step is 1..longest and the last offset is right, so all of them are inside: a wrap
	 * would need a step down. */
	for (id = 0; id < t->vocab; id++)
		if (t->offsets[id + 1] <= t->offsets[id] ||
		    t->offsets[id + 1] - t->offsets[id] > t->longest)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tokenizer: piece %" PRIu32 " is text bytes %" PRIu32
			                 "..%" PRIu32 ", expected 1..%" PRIu32 " of them",
			                 name, id, t->offsets[id], t->offsets[id + 1], t->longest);
	return BRISE_OK;
}

static bool is_control(const brise_tokenizer *t, int32_t id)
{
	return id == -1 || (id >= 0 && (uint32_t)id < t->vocab && t->types[id] == PIECE_CONTROL);
}

/* Types and scores, and counts[type]. */
static brise_status check_pieces(brise_tokenizer *t, uint32_t counts[PIECE_BYTE + 1],
                                 const char *name, brise_error *err)
{
	uint32_t id;

	for (id = 0; id < t->vocab; id++) {
		if (t->types[id] < PIECE_NORMAL || t->types[id] > PIECE_BYTE)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tokenizer: piece %" PRIu32
			                 " has type %u, expected 1..6",
			                 name, id, t->types[id]);
		if (t->scores && !isfinite(t->scores[id]))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tokenizer: the score of piece %" PRIu32
			                 " is not a finite number",
			                 name, id);
		counts[t->types[id]]++;
	}
	if (t->kind->byte_level) {
		if (t->unk != -1 ||
		    counts[PIECE_UNKNOWN] + counts[PIECE_UNUSED] + counts[PIECE_BYTE] > 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tokenizer: byte-level with unk %" PRId32
			                 ", or with pieces of types 2, 5 or 6",
			                 name, t->unk);
	} else if (t->unk < 0 || (uint32_t)t->unk >= t->vocab ||
	           t->types[t->unk] != PIECE_UNKNOWN || counts[PIECE_UNKNOWN] != 1) {
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: %" PRIu32
		                 " pieces of type unknown and unk %" PRId32
		                 ", expected exactly that one",
		                 name, counts[PIECE_UNKNOWN], t->unk);
	}
	if (!is_control(t, t->bos) || !is_control(t, t->eos))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: bos %" PRId32 " or eos %" PRId32
		                 " is neither -1 nor a control token",
		                 name, t->bos, t->eos);
	t->has_unused = counts[PIECE_UNUSED] != 0;
	return BRISE_OK;
}

int tokenizer_parse_byte(const uint8_t *piece, size_t bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *high, *low;

	if (bytes != 6 || memcmp(piece, "<0x", 3) != 0 || piece[5] != '>' || piece[3] == 0 ||
	    piece[4] == 0)
		return -1;
	high = strchr(digits, piece[3]);
	low = strchr(digits, piece[4]);
	return high && low ? (int)(high - digits) * 16 + (int)(low - digits) : -1;
}

static bool is_token_of_byte(const brise_tokenizer *t, uint32_t id, uint32_t value)
{
	const uint8_t *piece;
	uint32_t bytes;

	if (id >= t->vocab)
		return false;
	piece = t->text + t->offsets[id];
	bytes = tokenizer_piece_bytes(t, id);
	return t->kind->byte_level ? t->types[id] == PIECE_NORMAL && bytes == 1 && *piece == value
	                           : t->types[id] == PIECE_BYTE &&
	                                     tokenizer_parse_byte(piece, bytes) == (int)value;
}

/* There is one byte token for each value and no other, so all byte tokens have the right form. */
static brise_status check_byte_ids(const brise_tokenizer *t, uint32_t n_bytes, const char *name,
                                   brise_error *err)
{
	uint32_t expected = t->byte_fallback ? 256 : 0, value, id;

	if (n_bytes != expected)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: %" PRIu32 " byte tokens, expected %" PRIu32, name,
		                 n_bytes, expected);
	for (value = 0; t->byte_ids && value < 256; value++) {
		id = t->byte_ids[value];
		if (!is_token_of_byte(t, id, value))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tokenizer: id %" PRIu32
			                 " is not the token of byte %" PRIu32,
			                 name, id, value);
	}
	return BRISE_OK;
}

/* 1 for an empty entry and for one that leads to a piece of text; types are known to be 1..6.
 * Without branches: they would be unpredictable. */
static uint32_t hash_entry_fits(const brise_tokenizer *t, uint32_t entry)
{
	const uint32_t text_types =
	        1u << PIECE_NORMAL | 1u << PIECE_USER_DEFINED | 1u << PIECE_UNUSED;
	/* wraps to a large number for an empty entry, or one of tag bits alone */
	uint32_t id = tokenizer_entry_id(entry);
	uint32_t inside = id < t->vocab, type = t->types[id * inside];

	return (entry == 0) | (inside & text_types >> type);
}

/* Ids inside the vocabulary and of text, so that no text ever gives a control token; runs short, so
 * that searches end. */
static brise_status check_hash(const brise_tokenizer *t, const char *name, brise_error *err)
{
	uint32_t slot, taken = 0, run = 0, longest = 0, fits = 1;

	for (slot = 0; slot < t->slots; slot++) {
		uint32_t one = t->hash[slot] != 0;

		fits &= hash_entry_fits(t, t->hash[slot]);
		taken += one;
		run = (run + one) * one;
		longest = run > longest ? run : longest;
	}
	for (slot = 0; !fits; slot++)
		if (!hash_entry_fits(t, t->hash[slot]))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tokenizer: hash entry %" PRIu32 ", 0x%08" PRIx32
			                 ", leads to no piece of text",
			                 name, slot, t->hash[slot]);
	if (longest > TOKENIZER_RUN_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: %" PRIu32
		                 " hash entries in a row are taken, expected at most %u",
		                 name, longest, TOKENIZER_RUN_MAX);
	if (taken > t->slots / 2)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: %" PRIu32 " of %" PRIu32
		                 " hash entries are taken, expected at most half",
		                 name, taken, t->slots);
	return BRISE_OK;
}

static bool is_utf8(const uint8_t *text, size_t bytes)
{
	int step;

	for (; bytes; text += step, bytes -= (size_t)step) {
		step = utf8_measure(text, bytes);
		if (step <= 0)
			return false;
	}
	return true;
}

/* True if piece a comes before piece b. */
static bool comes_before(const brise_tokenizer *t, uint32_t a, uint32_t b)
{
	uint32_t bytes_a = tokenizer_piece_bytes(t, a), bytes_b = tokenizer_piece_bytes(t, b);
	int order = memcmp(t->text + t->offsets[a], t->text + t->offsets[b],
	                   bytes_a < bytes_b ? bytes_a : bytes_b);

	return order < 0 || (order == 0 && bytes_a < bytes_b);
}

static brise_status check_user(brise_tokenizer *t, uint32_t n_expected, const char *name,
                               brise_error *err)
{
	uint32_t i, id;

	if (t->n_user != n_expected)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: a list of %" PRIu32
		                 " user-defined symbols, but %" PRIu32 " pieces of that type",
		                 name, t->n_user, n_expected);
	for (i = 0; i < t->n_user; i++) {
		id = t->user[i];
		if (id >= t->vocab || t->types[id] != PIECE_USER_DEFINED ||
		    !is_utf8(t->text + t->offsets[id], tokenizer_piece_bytes(t, id)) ||
		    (i > 0 && !comes_before(t, t->user[i - 1], id)))
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tokenizer: entry %" PRIu32
			                 " of the user-defined symbols, id %" PRIu32
			                 ", is out of order or not one",
			                 name, i, id);
		t->begins_user[t->text[t->offsets[id]]] = true;
	}
	return BRISE_OK;
}

/* Fills *t, which is zero, and checks all but the added tokens. */
static brise_status read_section(brise_tokenizer *t, tokenizer_header *h, const void *data,
                                 size_t size, const char *name, brise_error *err)
{
	uint32_t counts[PIECE_BYTE + 1] = { 0 };
	brise_status status;

	if (size < sizeof *h)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer: %zu bytes are too few for its header (%zu)", name,
		                 size, sizeof *h);
	if ((uintptr_t)data % TOKENIZER_ALIGN != 0)
		return error_set(err, BRISE_EFORMAT, "%s: tokenizer: not aligned to %u bytes", name,
		                 TOKENIZER_ALIGN);
	memcpy(h, data, sizeof *h);
	if ((status = check_header(h, name, size, err)) != BRISE_OK)
		return status;
	set_tables(t, h, data);
	if ((status = check_offsets(t, h->text_bytes, name, err)) != BRISE_OK ||
	    (status = check_pieces(t, counts, name, err)) != BRISE_OK ||
	    (status = check_byte_ids(t, counts[PIECE_BYTE], name, err)) != BRISE_OK ||
	    (status = check_hash(t, name, err)) != BRISE_OK)
		return status;
	return check_user(t, counts[PIECE_USER_DEFINED], name, err);
}

/* The section of added tokens that follows directly; NULL: none. */
static const void *find_added(const tokenizer_header *h, const void *data, size_t size)
{
	return h->bytes < size ? (const uint8_t *)data + h->bytes : NULL;
}

brise_status brise_open_tokenizer(brise_tokenizer **out, const void *data, size_t size,
                                  const char *name, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(data),
		                          ERROR_ARGUMENT(name) };
	brise_status status = error_check_pointers(err, "brise_open_tokenizer", needed, 3);
	brise_tokenizer *t;
	tokenizer_header h;

	if (out)
		*out = NULL;
	if (status != BRISE_OK)
		return status;
	if (!(t = memory_new(1, sizeof *t)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the tokenizer", name);
	t->kept = &t->own_kept;
	status = read_section(t, &h, data, size, name, err);
	if (status == BRISE_OK)
		status = added_attach(t, find_added(&h, data, size), size - (size_t)h.bytes, name,
		                      err);
	if (status != BRISE_OK) {
		brise_close_tokenizer(t);
		return status;
	}
	*out = t;
	return BRISE_OK;
}

brise_status tokenizer_count(brise_tokenizer *t, struct tokenizer_added *added, const void *data,
                             size_t size, const void *added_section, size_t added_bytes,
                             const char *name, uint64_t *needed, brise_error *err)
{
	tokenizer_header h;
	brise_status status;

	memset(t, 0, sizeof *t);
	if ((status = read_section(t, &h, data, size, name, err)) != BRISE_OK)
		return status;
	t->added = added;
	memory_count(needed, 1, sizeof *t);
	/* A model's section takes the place of what was attached before, whose memory may be too
	 * small for it. */
	status = added_count(t, find_added(&h, data, size), size - (size_t)h.bytes, name, added,
	                     needed, err);
	if (status == BRISE_OK && added_section)
		status = added_count(t, added_section, added_bytes, name, added, needed, err);
	return status;
}

void brise_close_tokenizer(brise_tokenizer *tokenizer)
{
	tokenizer_kept *kept = tokenizer ? atomic_load(&tokenizer->own_kept) : NULL;

	if (tokenizer)
		added_free(tokenizer->added);
	if (kept)
		kept->free(kept);
	memory_free(tokenizer);
}

void brise_get_tokenizer_facts(const brise_tokenizer *tokenizer, brise_tokenizer_facts *facts,
                               size_t size)
{
	brise_tokenizer_facts known = { .vocab = 0 };

	if (tokenizer)
		known = (brise_tokenizer_facts){ tokenizer->vocab, tokenizer->unk, tokenizer->bos,
			                         tokenizer->eos };
	sized_fill(facts, size, &known, sizeof known);
}

brise_status brise_get_piece(const brise_tokenizer *tokenizer, int32_t id, const char **piece,
                             size_t *bytes, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(tokenizer), ERROR_ARGUMENT(piece),
		                          ERROR_ARGUMENT(bytes) };
	brise_status status = error_check_pointers(err, "brise_get_piece", needed, 3);
	bool has_piece;

	if (status != BRISE_OK)
		return status;
	has_piece = id >= 0 && (uint32_t)id < tokenizer->vocab;
	if (id < 0 || (uint32_t)id >= tokenizer->rows)
		return error_set(err, BRISE_EINVAL,
		                 "token id %" PRId32 " outside the vocabulary of %" PRIu32, id,
		                 tokenizer->rows);
	*piece = has_piece ? (const char *)tokenizer->text + tokenizer->offsets[id] : "";
	*bytes = has_piece ? tokenizer_piece_bytes(tokenizer, (uint32_t)id) : 0;
	return BRISE_OK;
}

/* A walk over all pieces: no table holds control and byte tokens by their text. */
brise_status brise_find_token(const brise_tokenizer *tokenizer, const char *piece, size_t bytes,
                              int32_t *id, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(tokenizer), ERROR_ARGUMENT(piece),
		                          ERROR_ARGUMENT(id) };
	brise_status status = error_check_pointers(err, "brise_find_token", needed, 3);
	const brise_tokenizer *t = tokenizer;
	uint32_t i;

	if (status != BRISE_OK)
		return status;
	for (i = 0; i < t->vocab; i++)
		if (tokenizer_piece_bytes(t, i) == bytes &&
		    memcmp(t->text + t->offsets[i], piece, bytes) == 0) {
			*id = (int32_t)i;
			return BRISE_OK;
		}
	*id = -1;
	return error_set(err, BRISE_EINVAL, "no token is \"%.*s\"", bytes > 100 ? 100 : (int)bytes,
	                 piece);
}

int32_t tokenizer_find_piece(const brise_tokenizer *t, const uint8_t *text, size_t bytes)
{
	uint32_t hash, slot, entry, id;

	if (bytes > t->longest)
		return -1;
	hash = tokenizer_hash(text, bytes);
	for (slot = tokenizer_hash_home(hash, t->slot_bits); (entry = t->hash[slot]) != 0;
	     slot = (slot + 1) & (t->slots - 1)) {
		if (!tokenizer_entry_matches(entry, hash))
			continue;
		id = tokenizer_entry_id(entry);
		if (tokenizer_piece_bytes(t, id) == bytes &&
		    memcmp(t->text + t->offsets[id], text, bytes) == 0)
			return (int32_t)id;
	}
	return -1;
}

/* Byte `depth` of user-defined symbol i, -1 past its end. */
static int user_byte(const brise_tokenizer *t, uint32_t i, uint32_t depth)
{
	uint32_t id = t->user[i];

	return depth < tokenizer_piece_bytes(t, id) ? t->text[t->offsets[id] + depth] : -1;
}

/* First of the symbols [from, to), alike up to `depth`, whose byte there is at least `least`. */
static uint32_t user_bound(const brise_tokenizer *t, uint32_t from, uint32_t to, uint32_t depth,
                           int least)
{
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (user_byte(t, middle, depth) < least)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* The symbols are sorted: those that share the text's first bytes are a range, which every further
 * byte narrows. */
size_t tokenizer_match_user(const brise_tokenizer *t, const uint8_t *text, size_t bytes)
{
	uint32_t from = 0, to = t->n_user, depth;
	size_t longest = 0;

	if (bytes == 0 || !t->begins_user[text[0]])
		return 0;
	for (depth = 0; depth < bytes && from < to; depth++) {
		from = user_bound(t, from, to, depth, text[depth]);
		to = user_bound(t, from, to, depth, text[depth] + 1);
		if (from < to && tokenizer_piece_bytes(t, t->user[from]) == depth + 1)
			longest = depth + 1;
	}
	return longest;
}
