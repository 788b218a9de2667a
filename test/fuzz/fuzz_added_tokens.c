/* fuzz_added_tokens.c - any bytes as a file of added tokens: refused, or pieces behind a small base
 * whose section opens and encodes
 *
 * The first byte is the form, the rest the file.
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_added_tokens.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/added_tokens.h"
#include "convert/tokenizer/tokenizer_checks.h"
#include "runtime/brise.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const tokenizer_piece pieces[] = {
	{ (const uint8_t *)"<unk>", 5, 0, PIECE_UNKNOWN },
	{ (const uint8_t *)"<s>", 3, 0, PIECE_CONTROL },
	{ (const uint8_t *)"a", 1, -2, PIECE_NORMAL },
	{ (const uint8_t *)"b", 1, -3, PIECE_NORMAL },
	{ (const uint8_t *)"ab", 2, -1, PIECE_NORMAL },
};

static void encode_all(const tokenizer_pieces *p, const char *json, size_t size)
{
	brise_tokenizer *t;
	size_t bytes, n;
	void *section;
	int32_t *ids;

	if (!fuzz_succeeds(tokenizer_write_section(p, "fuzz", &section, &bytes, &fuzz_error)))
		return;
	if (!fuzz_succeeds(brise_open_tokenizer(&t, section, bytes, "fuzz", &fuzz_error)))
		abort(); /* what the converter writes, the runtime must accept */
	if (!fuzz_succeeds(brise_encode_text(t, json, size < 1000 ? size : 1000, false, &ids, &n,
	                                     &fuzz_error)))
		abort();
	free(ids);
	brise_close_tokenizer(t);
	free(section);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	added_tokens added = { .path = strdup("fuzz") };
	tokenizer_pieces p = { .pieces = malloc(sizeof pieces),
		               .vocab = sizeof pieces / sizeof *pieces,
		               .bos = 1,
		               .eos = -1 };
	char *json = malloc(size + !size); /* not a byte too long */
	notes lines = { NULL, 0, false };
	bool any;

	if (added.path && p.pieces && json && size > 0) {
		memcpy(p.pieces, pieces, sizeof pieces);
		memcpy(json, data + 1, size - 1);
		if (fuzz_succeeds(added_tokens_read_memory(&added, (added_form)(data[0] % 3), json,
		                                           size - 1, 40, &any, &lines,
		                                           &fuzz_error)) &&
		    fuzz_succeeds(
		            added_tokens_append(&added, &p, "fuzz.model", &lines, &fuzz_error)) &&
		    fuzz_succeeds(tokenizer_check_pieces(&p, "fuzz", &fuzz_error)))
			encode_all(&p, json, size - 1);
	}
	added_tokens_free(&added);
	free(lines.text);
	free(json);
	free(p.pieces);
	return 0;
}
