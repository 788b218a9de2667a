/* map.h - a file's bytes in memory, read-only; wishes about pages */
#ifndef RUNTIME_MAP_H
#define RUNTIME_MAP_H

#include "runtime/brise.h"

/* Maps a whole regular file. *bytes: page-aligned [*size]; unmapped by map_close.
 * Errors: BRISE_EIO (missing, a folder, not readable), BRISE_EFORMAT (empty). */
brise_status map_open(const uint8_t **bytes, size_t *size, const char *path, brise_error *err);
void map_close(const uint8_t *bytes, size_t size);

/* Asks the system to use huge pages for what of [bytes, bytes + size) they would cover whole. A
 * wish: nothing tells whether it came true. */
void map_wish_huge(const void *bytes, size_t size);

#endif
