/* fuzz_gguf.c - any bytes as a GGUF file: container, architecture, tokenizer, blocks
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_gguf.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>

#include "convert/checkpoint/gguf_architecture.h"
#include "convert/formats/elements.h"
#include "convert/formats/gguf_parts.h"
#include "convert/tokenizer/gguf_tokenizer.h"
#include "runtime/model/model.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_metadata(const gguf_header *h, const tensor_list *list)
{
	notes decisions = { NULL, 0, false };
	text_settings settings;
	architecture a;
	brise_tokenizer *t;
	void *section;
	size_t bytes;

	if (fuzz_succeeds(gguf_read_architecture(&a, h, list, "fuzz", &decisions, &fuzz_error)) &&
	    !fuzz_succeeds(model_check_config(&a.config, "fuzz", &fuzz_error)))
		abort();
	if (fuzz_succeeds(
	            gguf_read_tokenizer(h, "fuzz", &decisions, &section, &bytes, &fuzz_error))) {
		if (!fuzz_succeeds(brise_open_tokenizer(&t, section, bytes, "fuzz", &fuzz_error)))
			abort(); /* what the converter writes, the runtime must accept */
		brise_close_tokenizer(t);
		free(section);
	}
	(void)fuzz_succeeds(gguf_read_settings(h, "fuzz", &settings, &decisions, &fuzz_error));
	text_settings_free(&settings);
	free(decisions.text);
	(void)fuzz_succeeds(gguf_check_part(h, 0, 1, "fuzz", &fuzz_error));
	(void)fuzz_succeeds(gguf_check_total(h, list->n, "fuzz", &fuzz_error));
}

/* The first block of each tensor, from a copy that is not a byte too long. */
static void decode_block(const named_tensor *t, const uint8_t *data, size_t size)
{
	uint32_t n = elements_block(t->dtype);
	uint64_t bytes, i;
	float out[256];
	uint8_t *copy;

	if (!elements_measure(t->dtype, n, &bytes) || t->offset > size || bytes > t->bytes ||
	    t->bytes > size - t->offset)
		abort();
	copy = malloc((size_t)bytes);
	for (i = 0; copy && i < bytes; i++)
		copy[i] = data[t->offset + i];
	if (copy)
		(void)elements_decode(out, copy, t->dtype, n);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tensor_list list = { NULL, 0, 0 };
	gguf_header h;
	size_t i;

	if (fuzz_succeeds(gguf_read_memory(&h, data, size, "fuzz", 0, &list, &fuzz_error)) &&
	    fuzz_succeeds(tensors_sort(&list, "fuzz", &fuzz_error))) {
		read_metadata(&h, &list);
		for (i = 0; i < list.n; i++)
			decode_block(&list.items[i], data, size);
	}
	gguf_free(&h);
	tensors_free(&list);
	return 0;
}
