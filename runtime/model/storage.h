/* storage.h - reading a model's tensors past the system's cache of files */
#ifndef RUNTIME_STORAGE_H
#define RUNTIME_STORAGE_H

#include "runtime/model/model.h"

/* Bytes of one read of those that go through whole tensors. */
#define STORAGE_CHUNK ((size_t)2 << 20)

/* Reads under way at once: enough that a fast disk has another to do while a reader waits for a
 * processor that multiplies. With 2, one of 3.5 GB/s gives 3 % less. */
#define STORAGE_READERS 3u

/* Reads bytes [offset, offset + n) of a tensor to `out`, which has room for whole pages of
 * FORMAT_PAGE and begins at a multiple of it, as offset does. What a file system cannot read
 * directly is dropped from the cache behind the read. Any number of threads at once.
 * Errors: BRISE_EIO. */
brise_status storage_read(const brise_model *model, const format_tensor *tensor, uint64_t offset,
                          uint64_t n, uint8_t *out, brise_error *err);

static inline uint64_t storage_chunks(const format_tensor *tensor)
{
	return (tensor->bytes + STORAGE_CHUNK - 1) / STORAGE_CHUNK;
}

/* Bytes of the chunk at `offset`. */
static inline uint64_t storage_chunk_bytes(const format_tensor *tensor, uint64_t offset)
{
	return tensor->bytes - offset < STORAGE_CHUNK ? tensor->bytes - offset : STORAGE_CHUNK;
}

#endif
