/* map.h - a file's bytes in memory, read-only */
#ifndef RUNTIME_MAP_H
#define RUNTIME_MAP_H

#include "runtime/brise.h"

typedef struct map_file {
	const uint8_t *bytes; /* page-aligned; NULL: not open */
	size_t size;
	int file;  /* open as long as the map; -1: none */
	int guard; /* runtime/os/os.h; -1: none */
} map_file;

#define MAP_CLOSED ((map_file){ NULL, 0, -1, -1 })

/* Maps a whole regular file. guarded: a page that cannot be read, because the file has become
 * shorter or its disk fails, reads as zeros and map_failed returns true, instead of a signal that
 * ends the process.
 * Errors: BRISE_EIO (missing, a folder, not readable), BRISE_EFORMAT (empty), BRISE_EUNSUPPORTED
 * (too large for an address space); *map is closed then. */
brise_status map_open(map_file *map, const char *path, bool guarded, brise_error *err);

/* The same, guarded, for a file whose bytes the caller changes in memory alone: *bytes is the
 * map's, writable. map_enter cannot bring back what was lost of it. */
brise_status map_open_private(map_file *map, uint8_t **bytes, const char *path, brise_error *err);

/* A closed map is allowed. */
void map_close(map_file *map);

/* A page could not be read since the file was mapped; what was read since may be zeros. */
bool map_failed(const map_file *map);

/* BRISE_EIO if map_failed; `path` is for the message. */
brise_status map_check(const map_file *map, const char *path, brise_error *err);

/* For those that try again: what is read between the two is whole if both return BRISE_OK. Enter
 * maps the file anew if something of it could not be read before and it has its length again.
 * *since: for map_leave. Any threads at once. Errors: BRISE_EIO. */
brise_status map_enter(const map_file *map, const char *path, unsigned *since, brise_error *err);
brise_status map_leave(const map_file *map, const char *path, unsigned since, brise_error *err);

#endif
