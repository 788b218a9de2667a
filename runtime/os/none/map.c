/* map.c - there are no files to map */
#include "runtime/os/map.h"

#include "runtime/error.h"

brise_status map_open(map_file *map, const char *path, bool guarded, brise_error *err)
{
	(void)guarded;
	*map = MAP_CLOSED;
	return error_set(err, BRISE_EIO,
	                 "%s: this library has no files; brise_open_memory opens a model", path);
}

void map_close(map_file *map)
{
	*map = MAP_CLOSED;
}

bool map_failed(const map_file *map)
{
	(void)map;
	return false;
}

brise_status map_check(const map_file *map, const char *path, brise_error *err)
{
	(void)map, (void)path, (void)err;
	return BRISE_OK;
}

brise_status map_enter(const map_file *map, const char *path, unsigned *since, brise_error *err)
{
	*since = 0;
	return map_check(map, path, err);
}

brise_status map_leave(const map_file *map, const char *path, unsigned since, brise_error *err)
{
	(void)since;
	return map_check(map, path, err);
}
