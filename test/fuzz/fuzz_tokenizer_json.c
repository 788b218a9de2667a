/* fuzz_tokenizer_json.c - any bytes as a tokenizer.json: refused, or a section that opens and
 * encodes
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_tokenizer_json.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer/tokenizer_json.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *json = malloc(size + !size); /* not a byte too long */
	void *section;
	size_t bytes, n;
	int32_t *ids;
	brise_tokenizer *t;

	if (!json)
		return 0;
	if (size)
		memcpy(json, data, size);
	if (fuzz_succeeds(tokenizer_json_read_memory(json, size, "fuzz", TOKENIZER_JSON_ALL, NULL,
	                                             &section, &bytes, &fuzz_error))) {
		if (!fuzz_succeeds(brise_open_tokenizer(&t, section, bytes, "fuzz", &fuzz_error)))
			abort(); /* what the converter writes, the runtime must accept */
		if (!fuzz_succeeds(brise_encode_text(t, json, size < 1000 ? size : 1000, false,
		                                     &ids, &n, &fuzz_error)))
			abort();
		free(ids);
		brise_close_tokenizer(t);
	}
	free(section);
	free(json);
	return 0;
}
