/* crc32.h - CRC-32 as zlib, PNG and Ethernet compute it (ISO 3309, polynomial 0xedb88320 reflected)
 */
#ifndef RUNTIME_CRC32_H
#define RUNTIME_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `bytes` following data whose checksum is `crc`; start with 0. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t bytes);

/* The checksum of two pieces one after the other, from theirs and the second one's length. */
uint32_t crc32_combine(uint32_t first, uint32_t second, uint64_t second_bytes);

#endif
