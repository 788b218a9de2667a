/* fuzz_tokenizer.c - any bytes as a tokenizer section; what opens must encode any text and decode
 * any id
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_tokenizer.c SECONDS
 *
 * Input: one byte, the length of the text; the text; the section. A section's length is in its
 * header, so most changes of length would be refused at once: the header is corrected first, so
 * that the fuzzer reaches the tables.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/brise.h"
#include "runtime/text/tokenizer_section.h"
#include "runtime/text/utf8.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *section, size_t bytes)
{
	tokenizer_header h;

	memcpy(&h, section, sizeof h);
	memcpy(h.magic, TOKENIZER_MAGIC, sizeof h.magic);
	h.version = h.flags & TOKENIZER_BYTE_LEVEL ? TOKENIZER_VERSION : 1;
	h.bytes = bytes;
	memcpy(section, &h, sizeof h);
}

static void decode_all(const brise_tokenizer *t, const int32_t *ids, size_t n)
{
	brise_tokenizer_facts facts;
	brise_decoder *d;
	const char *text;
	size_t bytes, i, at;
	int step;

	brise_get_tokenizer_facts(t, &facts, sizeof facts);
	if (!fuzz_succeeds(brise_new_decoder(&d, t, &fuzz_error)))
		return;
	for (i = 0; i < n + facts.vocab; i++) {
		if (!fuzz_succeeds(brise_decode_token(d, i < n ? ids[i] : (int32_t)(i - n), &text,
		                                      &bytes, &fuzz_error)))
			abort(); /* an id that encoding gave, or one of the vocabulary */
		for (at = 0; at < bytes; at += (size_t)step) {
			step = utf8_measure((const uint8_t *)text + at, bytes - at);
			if (step <= 0)
				abort();
		}
	}
	(void)fuzz_succeeds(brise_finish_decoder(d, &text, &bytes, &fuzz_error));
	brise_free_decoder(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t text_bytes, bytes, n;
	const char *text = (const char *)data + 1;
	uint8_t *section;
	int32_t *ids;
	brise_tokenizer *t;

	if (size == 0 || size - 1 < data[0])
		return 0;
	text_bytes = data[0];
	bytes = size - 1 - text_bytes;
	section = malloc(bytes); /* aligned, and not a byte too long */
	if (!section)
		return 0;
	memcpy(section, data + 1 + text_bytes, bytes);
	if (bytes >= sizeof(tokenizer_header))
		mend(section, bytes);
	if (fuzz_succeeds(brise_open_tokenizer(&t, section, bytes, "fuzz", &fuzz_error))) {
		if (fuzz_succeeds(
		            brise_encode_text(t, text, text_bytes, false, &ids, &n, &fuzz_error))) {
			decode_all(t, ids, n);
			free(ids);
		}
		brise_close_tokenizer(t);
	}
	free(section);
	return 0;
}
