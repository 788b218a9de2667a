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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_metadata(const gguf_header *h, const tensor_list *list)
{
	notes decisions = { NULL, 0, false };
	architecture a;
	brise_tokenizer *t;
	void *section;
	size_t bytes;

	if (gguf_read_architecture(&a, h, list, "fuzz", &decisions, NULL) == BRISE_OK &&
	    model_check_config(&a.config, "fuzz", NULL) != BRISE_OK)
		abort();
	gguf_note_template(h, &decisions);
	free(decisions.text);
	if (gguf_read_tokenizer(h, "fuzz", &section, &bytes, NULL) == BRISE_OK) {
		if (brise_open_tokenizer(&t, section, bytes, "fuzz", NULL) != BRISE_OK)
			abort(); /* what the converter writes, the runtime must accept */
		brise_close_tokenizer(t);
		free(section);
	}
	(void)gguf_check_part(h, 0, 1, "fuzz", NULL);
	(void)gguf_check_total(h, list->n, "fuzz", NULL);
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

	if (gguf_read_memory(&h, data, size, "fuzz", 0, &list, NULL) == BRISE_OK &&
	    tensors_sort(&list, "fuzz", NULL) == BRISE_OK) {
		read_metadata(&h, &list);
		for (i = 0; i < list.n; i++)
			decode_block(&list.items[i], data, size);
	}
	gguf_free(&h);
	tensors_free(&list);
	return 0;
}
