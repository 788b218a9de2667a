/* added_section.h - the file's section of added tokens: how text beside them is cut
 *
 * Programs for Hugging Face's and ggml's files first cut added tokens out of the text and then
 * encode each text between them separately. What happens to its spaces differs from SentencePiece,
 * and from one spelling of tokenizer.json to another. A file without this section is cut as
 * SentencePiece does. quant/FORMAT.md has the layout byte by byte.
 */
#ifndef RUNTIME_ADDED_SECTION_H
#define RUNTIME_ADDED_SECTION_H

#include <assert.h>
#include <stdint.h>

typedef enum added_rule {
	/* normalizers Prepend and Replace: a space in front of every text between tokens, before
	 * tokens with ADDED_NORMALIZED are looked for */
	ADDED_EVERY = 1,
	/* Metaspace, "first": a space in front where the whole text begins, unless it begins with
	 * one */
	ADDED_FIRST = 2,
	/* Metaspace, "always": a space in front of every text that does not begin with one */
	ADDED_ALWAYS = 3,
	/* llama.cpp: as ADDED_EVERY, but longer tokens come before shorter ones over the whole
	 * text, and control tokens that are not asked for do not hide others */
	ADDED_GGML = 4,
	ADDED_RULES = 5
} added_rule;

#define ADDED_SPECIAL     1u  /* found in text only on request */
#define ADDED_LSTRIP      2u  /* takes the white space before it */
#define ADDED_RSTRIP      4u  /* takes the white space after it */
#define ADDED_SINGLE_WORD 8u  /* not found beside word characters */
#define ADDED_NORMALIZED  16u /* looked for in what the others leave, as that is normalised */
#define ADDED_FLAGS       31u

typedef struct added_header {
	uint32_t rule, n;
} added_header;

/* In ascending order of ids. The token's type is unknown, control or user-defined. */
typedef struct added_entry {
	uint32_t id, flags;
} added_entry;

static_assert(sizeof(added_header) == 8 && sizeof(added_entry) == 8, "as they lie in the file");

#endif
