/* fuzz_sentencepiece.c - any bytes as a tokenizer.model: refused, or a section that opens
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_sentencepiece.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>

#include "convert/tokenizer/sentencepiece.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *section;
	size_t bytes;
	brise_tokenizer *t;

	if (!fuzz_succeeds(
	            sentencepiece_read_memory(data, size, "fuzz", &section, &bytes, &fuzz_error)))
		return 0;
	if (!fuzz_succeeds(brise_open_tokenizer(&t, section, bytes, "fuzz", &fuzz_error)))
		abort(); /* what the converter writes, the runtime must accept */
	brise_close_tokenizer(t);
	free(section);
	return 0;
}
