/* split.h - cuts a text into the pieces that byte-level byte pair encoding merges each on its own,
 * as Mistral's tokenizers do
 */
#ifndef RUNTIME_SPLIT_H
#define RUNTIME_SPLIT_H

#include <stddef.h>
#include <stdint.h>

/* The pattern, as tekken.json and tokenizer.json write it: the only one there is. */
#define SPLIT_BEFORE "[^\\r\\n\\p{L}\\p{N}]?"
#define SPLIT_UPPERS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SPLIT_LOWERS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
/* clang-format off */
#define SPLIT_PATTERN                                   \
	SPLIT_BEFORE SPLIT_UPPERS "*" SPLIT_LOWERS "+|" \
	SPLIT_BEFORE SPLIT_UPPERS "+" SPLIT_LOWERS "*|" \
	"\\p{N}|"                                       \
	" ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|"              \
	"\\s*[\\r\\n]+|"                                \
	"\\s+(?!\\S)|"                                  \
	"\\s+"
/* clang-format on */

/* What the pattern tells apart. */
typedef enum split_class {
	SPLIT_OTHER,
	SPLIT_UPPER,  /* Lu, Lt */
	SPLIT_LOWER,  /* Ll */
	SPLIT_LETTER, /* Lm, Lo */
	SPLIT_MARK,   /* M */
	SPLIT_NUMBER, /* N */
	SPLIT_SPACE,  /* \s but CR and LF */
	SPLIT_NEWLINE /* CR, LF */
} split_class;

split_class split_classify(uint32_t character);

/* Bytes of the first piece of text [bytes], bytes > 0. A byte that is not UTF-8 is a character of
 * class SPLIT_OTHER. The pieces of a text take time in proportion to its length. */
size_t split_next(const uint8_t *text, size_t bytes);

#endif
