/* map.c - maps a regular file that is not empty */
#include "runtime/os/map.h"

#include <errno.h>
#include <inttypes.h>

#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/os.h"

static brise_status no_addresses(const char *path, uint64_t bytes, brise_error *err)
{
	if (sizeof(void *) < 8)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: %" PRIu64 " MB cannot be mapped into 32-bit addresses: it "
		                 "needs a 64-bit system",
		                 path, bytes / 1000000 + 1);
	return error_set(err, BRISE_ENOMEM,
	                 "%s: no addresses to map its %" PRIu64 " MB: ulimit -v, or another limit "
	                 "on this process, is too small",
	                 path, bytes / 1000000 + 1);
}

static brise_status check_regular(int file, const char *path, size_t *size, brise_error *err)
{
	os_facts facts;

	if (!os_examine_open(file, &facts))
		return error_errno(err, "%s: cannot be examined", path);
	if (facts.kind == OS_FOLDER)
		return error_set(err, BRISE_EIO, "%s: is a folder, expected a file", path);
	if (facts.kind != OS_FILE)
		return error_set(err, BRISE_EIO, "%s: is not a regular file", path);
	if (facts.bytes == 0)
		return error_set(err, BRISE_EFORMAT, "%s: is empty", path);
	if (!checked_size(facts.bytes, size))
		return no_addresses(path, facts.bytes, err);
	return BRISE_OK;
}

/* The file open, of which `size` bytes are to be mapped. */
static brise_status open_regular(map_file *map, const char *path, brise_error *err)
{
	brise_status status;

	*map = MAP_CLOSED;
	map->file = os_open(path);
	if (map->file < 0)
		return error_errno(err, "%s: cannot be opened", path);
	status = check_regular(map->file, path, &map->size, err);
	if (status != BRISE_OK)
		map_close(map);
	return status;
}

/* errno says why it is not mapped. */
static brise_status give_up(map_file *map, const char *path, brise_error *err)
{
	brise_status status = errno == ENOMEM ? no_addresses(path, map->size, err)
	                                      : error_errno(err, "%s: cannot be mapped", path);

	map_close(map);
	return status;
}

brise_status map_open(map_file *map, const char *path, bool guarded, brise_error *err)
{
	brise_status status = open_regular(map, path, err);

	if (status != BRISE_OK)
		return status;
	map->bytes = os_map(map->file, map->size);
	if (!map->bytes)
		return give_up(map, path, err);
	/* File systems with large folios may then read what is not in memory yet into huge pages.
	 */
	os_advise_huge(map->bytes, map->size);
	if (guarded)
		map->guard = os_guard(map->bytes, map->size, false);
	return BRISE_OK;
}

brise_status map_open_private(map_file *map, uint8_t **bytes, const char *path, brise_error *err)
{
	brise_status status = open_regular(map, path, err);

	*bytes = NULL;
	if (status != BRISE_OK)
		return status;
	map->bytes = *bytes = os_map_private(map->file, map->size);
	if (!map->bytes)
		return give_up(map, path, err);
	map->guard = os_guard(map->bytes, map->size, true);
	return BRISE_OK;
}

void map_close(map_file *map)
{
	os_unguard(map->guard);
	os_unmap(map->bytes, map->size);
	if (map->file >= 0)
		(void)os_close(map->file);
	*map = MAP_CLOSED;
}

bool map_failed(const map_file *map)
{
	return os_guard_hit(map->guard);
}

static brise_status say_failed(const char *path, brise_error *err)
{
	return error_set(
	        err, BRISE_EIO,
	        "%s: cannot be read any more: the file has become shorter or its disk failed",
	        path);
}

brise_status map_check(const map_file *map, const char *path, brise_error *err)
{
	return map_failed(map) ? say_failed(path, err) : BRISE_OK;
}

brise_status map_enter(const map_file *map, const char *path, unsigned *since, brise_error *err)
{
	os_facts facts;

	*since = os_guard_count(map->guard);
	if (!map_failed(map))
		return BRISE_OK;
	if (!os_examine_open(map->file, &facts) || facts.bytes < map->size ||
	    !os_guard_restore(map->guard, map->file))
		return say_failed(path, err);
	return BRISE_OK;
}

brise_status map_leave(const map_file *map, const char *path, unsigned since, brise_error *err)
{
	return os_guard_count(map->guard) == since ? BRISE_OK : say_failed(path, err);
}
