/* amx.c - tools with AMX tiles
 *
 * build with: -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mamx-tile -mamx-int8
 */
#include "arch/tools/tools.h"

#if defined(__AMX_INT8__) || defined(__AMXINT8__) /* gcc, clang */

#include "arch/x86/tiles.h"

/* Multiplies full registers of 64 columns: a limit that blocks of 32 cannot reach. */
static uint64_t amx_dot_peak(uint64_t rounds)
{
	tile_config c = { .palette = 1 };
	uint64_t round;
	int i;

	for (i = 0; i < 8; i++) {
		c.rows[i] = 16;
		c.row_bytes[i] = 64;
	}
	tiles_configure(&c);
	_tile_zero(4);
	_tile_zero(5);
	for (round = 0; round < rounds; round++) {
		_tile_dpbssd(0, 4, 5);
		_tile_dpbssd(1, 4, 5);
		_tile_dpbssd(2, 4, 5);
		_tile_dpbssd(3, 4, 5);
	}
	_tile_release();
	return rounds * 4 * 2 * 16 * 16 * 64;
}

const arch_tools arch_tools_amx = {
	.name = "amx",
	.below = &arch_tools_avx512vnni,
	.dot_peak = amx_dot_peak,
};

#else
ARCH_TOOLS_ABSENT(amx)
#endif
