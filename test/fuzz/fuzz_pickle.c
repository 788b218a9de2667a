/* fuzz_pickle.c - any bytes as a checkpoint's data.pkl: refused, or tensors that lie inside their
 * storages
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_pickle.c SECONDS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/pickle.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const pickle_tensor *t)
{
	uint64_t left = t->storage_elements, elements = 1;
	uint32_t i;

	if (!t->name || !*t->name || t->first > left || t->n_dims > 4 || t->dtype < ELEMENTS_F16 ||
	    t->dtype > ELEMENTS_F32)
		abort();
	for (i = 0; i < t->n_dims; i++)
		elements *= t->shape[i];
	if (elements > left - t->first)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size); /* not a byte too long */
	pickle_tensor *tensors;
	size_t n, i;

	if (!bytes)
		return 0;
	if (size)
		memcpy(bytes, data, size);
	if (fuzz_succeeds(pickle_read(&tensors, &n, bytes, size, "fuzz", &fuzz_error))) {
		for (i = 0; i < n; i++)
			check_tensor(&tensors[i]);
		pickle_free(tensors, n);
	}
	free(bytes);
	return 0;
}
