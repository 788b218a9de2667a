/* blocks.h - writes that come in pieces from several threads, made in large aligned blocks
 *
 * Where the file system supports it, the page cache keeps a written file in pages as large as the
 * writes were (ext4 since Linux 6.16, XFS, tmpfs with huge=): a file written in pieces of 300 KB is
 * mapped in pages of 4 KB until it is read from disk again, one written in aligned blocks of 2 MB
 * in pages of 2 MB, which processors read faster. Large writes are faster too.
 */
#ifndef CONVERT_BLOCKS_H
#define CONVERT_BLOCKS_H

#include "runtime/brise.h"
#include "runtime/model/format.h"

#define BLOCKS_BYTES ((size_t)2 << 20) /* a huge page of x86-64, arm64 and riscv64 */

typedef struct blocks blocks;

/* Writes n bytes at `offset`; called by any thread, never twice for a byte. */
typedef brise_status blocks_write_fn(void *user, const void *bytes, size_t n, uint64_t offset,
                                     brise_error *err);

/* For a file whose contents are the `tensors`, in order of their offsets, which must outlive it;
 * what lies between them in a block becomes zeros. Errors: BRISE_ENOMEM. */
brise_status blocks_new(blocks **out, const format_tensor *tensors, uint32_t n_tensors,
                        blocks_write_fn *write, void *user, brise_error *err);

/* Adds n bytes of a tensor, which go to `offset` of the file; from any thread, every byte once. A
 * block is written by the call that completes it: when all bytes of all tensors have been added,
 * all is written. Holds a block's memory for every block begun: two or three for each thread that
 * adds from a place of its own. Errors: BRISE_ENOMEM, those of write. */
brise_status blocks_add(blocks *b, const void *bytes, size_t n, uint64_t offset, brise_error *err);

/* Blocks that are not complete are lost. NULL is allowed. */
void blocks_free(blocks *b);

#endif
