/* storage.c - reads of whole pages */
#include "runtime/model/storage.h"

#include <inttypes.h>

#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/os/os.h"

_Static_assert(FORMAT_PAGE % OS_DIRECT_ALIGN == 0, "tensors begin where direct reads may");
_Static_assert(STORAGE_CHUNK % OS_DIRECT_ALIGN == 0, "chunks begin where direct reads may");

brise_status storage_read(const brise_model *model, const format_tensor *tensor, uint64_t offset,
                          uint64_t n, uint8_t *out, brise_error *err)
{
	/* Up to the end of the last page, unless the file ends before it. */
	int64_t got = os_read_at(model->map.file, out, (size_t)round_up(n, FORMAT_PAGE),
	                         tensor->offset + offset);
	char name[48];

	if (got >= 0 && (uint64_t)got >= n) {
		if (!model->direct)
			os_drop_cached(model->map.file, tensor->offset + offset, n);
		return BRISE_OK;
	}
	model_tensor_name(name, tensor->kind, tensor->layer);
	if (got < 0)
		return error_errno(err, "%s: tensor %s cannot be read", model->name, name);
	return error_set(err, BRISE_EIO,
	                 "%s: tensor %s, bytes %" PRIu64 "..+%" PRIu64 ": only %" PRId64
	                 " are there; the file has become shorter",
	                 model->name, name, tensor->offset + offset, n, got);
}
