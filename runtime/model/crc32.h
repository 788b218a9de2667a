/* crc32.h - CRC-32 as zlib, PNG and Ethernet compute it (ISO 3309, polynomial 0xedb88320 reflected)
 */
#ifndef RUNTIME_CRC32_H
#define RUNTIME_CRC32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/brise.h"

/* The checksum of `bytes` following data whose checksum is `crc`; start with 0. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t bytes);

typedef struct crc32_watch {
	brise_progress_fn *progress; /* NULL: no observer */
	brise_cancel_fn *cancel;     /* NULL: never cancelled */
	void *user;
	uint64_t done, total; /* bytes, over all calls with this watch */
} crc32_watch;

/* crc32_update of a long range, 8 MB at a time, calling the watch's functions behind each: all
 * ranges of mapped files that may take long are checked by it. False: cancelled. */
bool crc32_watched(uint32_t *crc, const void *data, uint64_t bytes, crc32_watch *watch);

/* The checksum of two pieces one after the other, from theirs and the second one's length. */
uint32_t crc32_combine(uint32_t first, uint32_t second, uint64_t second_bytes);

#endif
