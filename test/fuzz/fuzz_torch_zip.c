/* fuzz_torch_zip.c - any bytes as a consolidated.00.pth: refused, or tensors that lie inside the
 * file
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_torch_zip.c SECONDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "convert/formats/torch_zip.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One file for all inputs. */
static int descriptor_of(const uint8_t *data, size_t size)
{
	static int descriptor = -1;

	if (descriptor < 0) {
		FILE *file = tmpfile();

		if (!file)
			abort();
		descriptor = fileno(file);
	}
	if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, data, size, 0) != (ssize_t)size)
		abort();
	return descriptor;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tensor_list list = { NULL, 0, 0 };
	size_t i;

	if (fuzz_succeeds(
	            torch_zip_read(descriptor_of(data, size), size, "fuzz", 0, &list, &fuzz_error)))
		for (i = 0; i < list.n; i++)
			if (!list.items[i].name || list.items[i].offset > size ||
			    list.items[i].bytes > size - list.items[i].offset)
				abort();
	tensors_free(&list);
	return 0;
}
