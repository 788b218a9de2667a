/* tokenizer_section.h - the file's tokenizer section, used in place when mapped
 *
 * One little-endian block without pointers, aligned to 8 bytes, so that opening a model builds
 * nothing: what SentencePiece makes at every start (maps from text to id, a trie of user-defined
 * symbols) is stored here ready for use. The same SentencePiece model always gives the same bytes.
 *
 * Header, 64 bytes:
 *
 *   0  magic       8 bytes "brisetok"
 *   8  version     u32, 1; 2 with bit 3 of the flags; a reader refuses versions above its own
 *  12  flags       u32; bit 0: text gets a space in front before it is cut (dummy prefix);
 *                  bit 1: characters without a piece become byte tokens (byte fallback) instead of
 *                  the unknown token;
 *                  bit 2: in no normal or unused piece a U+2581 follows another character, so that
 *                  words can be cut one by one;
 *                  bit 3: byte-level, see below, and bits 0 to 2 are 0; other bits 0
 *  16  bytes       u64, the whole section, a multiple of 8
 *  24  vocab       u32, pieces, 1..1048576
 *  28  unk         i32, id of the unknown token, of which every tokenizer has one; -1 if byte-level
 *  32  bos         i32, id of the control token that begins a text, -1: none
 *  36  eos         i32, the same for its end
 *  40  text_bytes  u32, sum of the lengths of all pieces
 *  44  longest     u32, bytes of the longest piece, 1..1024
 *  48  slots       u32, entries of the hash table, a power of two from 2 on
 *  52  n_user      u32, user-defined symbols
 *  56  dialect     u32, of the conversations that a byte-level tokenizer was made for: the version
 *                  of its tekken.json (3, 7, 11, 13); 0: not known. Not checked
 *  60  reserved    4 bytes, 0; readers ignore them
 *
 * Tables, in this order, each beginning at the next multiple of 8 (the gaps are 0):
 *
 *  offsets   u32 [vocab + 1]   piece i is text[offsets[i] .. offsets[i + 1]); offsets[0] = 0,
 *                              ascending (no piece is empty), the last is text_bytes
 *  scores    f32 [vocab]       finite; of two possible merges the one with the higher score comes
 *                              first; absent if byte-level
 *  types     u8  [vocab]       1 normal, 2 unknown (exactly one), 3 control, 4 user-defined,
 *                              5 unused, 6 byte
 *  byte_ids  u32 [256]         id of the piece "<0x00>" .. "<0xFF>" of type byte; the table is
 *                              absent without byte fallback; of the pieces of one byte if
 *                              byte-level
 *  hash      u32 [slots]       finds pieces of type normal, user-defined and unused, and no others:
 *                              0 is an empty entry, else bits 0..20 hold id + 1 and bits 21..31 the
 *                              low 11 bits of the piece's hash
 *  user      u32 [n_user]      ids of all user-defined pieces, in ascending order of their bytes
 *                              (memcmp, a prefix first); valid UTF-8
 *  text      u8  [text_bytes]  the pieces one after another, U+2581 for space
 *
 * The hash of a piece is 32-bit FNV-1a of its bytes (tokenizer_hash). Its home is the top
 * log2(slots) bits of hash * 0x9e3779b1; if that entry is taken, the next free one after it, the
 * first following the last. Pieces were entered in order of id. At most half of the entries are
 * taken, and no run of taken ones is longer than 1024, so that a search ends soon whatever it looks
 * for.
 *
 * Byte-level tokenizers are Mistral's tekken. Pieces are bytes as they are, parts of characters
 * among them and spaces not marked; types are 1, 3 and 4, and every byte is a piece of type 1. Text
 * is cut by the pattern of runtime/text/split.h and each part is merged on its own, beginning with
 * its bytes; of two possible merges the one that makes the lower id comes first, so there are no
 * scores. A part that is a piece is taken whole.
 */
#ifndef RUNTIME_TOKENIZER_SECTION_H
#define RUNTIME_TOKENIZER_SECTION_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define TOKENIZER_MAGIC   "brisetok" /* 8 bytes, no terminator in the file */
#define TOKENIZER_VERSION 2u         /* 1 without TOKENIZER_BYTE_LEVEL */
#define TOKENIZER_ALIGN   8u

#define TOKENIZER_DUMMY_PREFIX  1u
#define TOKENIZER_BYTE_FALLBACK 2u
#define TOKENIZER_CUTS_WORDS    4u
#define TOKENIZER_BYTE_LEVEL    8u
#define TOKENIZER_FLAGS         15u

#define TOKENIZER_VOCAB_MAX (1u << 20) /* Mistral's have 32,000 to 131,072 */
/* Mistral's longest has 48 bytes, SentencePiece trains up to 512 characters */
#define TOKENIZER_PIECE_MAX 1024u
#define TOKENIZER_SLOTS_MAX (1u << 22)
/* longest run of taken entries; a half-full table of 2^21 expects about 100 */
#define TOKENIZER_RUN_MAX 1024u
#define TOKENIZER_ID_BITS 21 /* of a hash entry: id + 1 <= 2^20 */

typedef enum tokenizer_type {
	PIECE_NORMAL = 1, /* the numbers of SentencePiece's own format */
	PIECE_UNKNOWN = 2,
	PIECE_CONTROL = 3,
	PIECE_USER_DEFINED = 4,
	PIECE_UNUSED = 5,
	PIECE_BYTE = 6
} tokenizer_type;

typedef struct tokenizer_header {
	char magic[8];
	uint32_t version, flags;
	uint64_t bytes;
	uint32_t vocab;
	int32_t unk, bos, eos;
	uint32_t text_bytes, longest, slots, n_user;
	uint32_t dialect, reserved;
} tokenizer_header;

static_assert(sizeof(tokenizer_header) == 64, "tokenizer header is 64 bytes in the file");

/* Where the tables begin, in bytes from the header. */
typedef struct tokenizer_places {
	uint64_t offsets, scores, types, byte_ids, hash, user, text, bytes;
} tokenizer_places;

static inline uint64_t tokenizer_align(uint64_t place)
{
	return (place + TOKENIZER_ALIGN - 1) / TOKENIZER_ALIGN * TOKENIZER_ALIGN;
}

/* Follows from the counts alone. Every term is below 2^35, so nothing wraps whatever the header
 * holds. */
static inline tokenizer_places tokenizer_find_places(const tokenizer_header *h)
{
	tokenizer_places p;

	p.offsets = sizeof *h;
	p.scores = tokenizer_align(p.offsets + ((uint64_t)h->vocab + 1) * sizeof(uint32_t));
	p.types = tokenizer_align(p.scores + (h->flags & TOKENIZER_BYTE_LEVEL
	                                              ? 0
	                                              : (uint64_t)h->vocab * sizeof(float)));
	p.byte_ids = tokenizer_align(p.types + h->vocab);
	p.hash = tokenizer_align(p.byte_ids +
	                         (h->flags & (TOKENIZER_BYTE_FALLBACK | TOKENIZER_BYTE_LEVEL)
	                                  ? 256 * sizeof(uint32_t)
	                                  : 0));
	p.user = tokenizer_align(p.hash + (uint64_t)h->slots * sizeof(uint32_t));
	p.text = tokenizer_align(p.user + (uint64_t)h->n_user * sizeof(uint32_t));
	p.bytes = tokenizer_align(p.text + h->text_bytes);
	return p;
}

/* FNV-1a, 32 bits (Fowler, Noll, Vo; RFC 9923): pieces are short, so a byte at a time is fast
 * enough. */
static inline uint32_t tokenizer_hash(const uint8_t *bytes, size_t n)
{
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

/* FNV leaves the high bits of one- and two-byte texts alike; the multiplication (2^32 / golden
 * ratio; Knuth, volume 3, 6.4) spreads them. */
static inline uint32_t tokenizer_hash_home(uint32_t hash, unsigned slot_bits)
{
	return hash * 0x9e3779b1u >> (32 - slot_bits);
}

static inline uint32_t tokenizer_hash_entry(uint32_t hash, uint32_t id)
{
	return hash << TOKENIZER_ID_BITS | (id + 1);
}

/* True if the entry may be for that hash; its id is tokenizer_entry_id. */
static inline int tokenizer_entry_matches(uint32_t entry, uint32_t hash)
{
	return entry >> TOKENIZER_ID_BITS == (hash << TOKENIZER_ID_BITS) >> TOKENIZER_ID_BITS;
}

static inline uint32_t tokenizer_entry_id(uint32_t entry)
{
	return (entry & ((1u << TOKENIZER_ID_BITS) - 1)) - 1;
}

#endif
