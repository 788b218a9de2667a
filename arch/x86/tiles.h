/* tiles.h - configuring AMX's tile registers */
#ifndef ARCH_X86_TILES_H
#define ARCH_X86_TILES_H

#include <immintrin.h>

#include "arch/lanes.h"

/* Layout: Intel SDM volume 2, LDTILECFG. */
typedef struct tile_config {
	uint8_t palette, start_row, reserved[14];
	uint16_t row_bytes[16];
	uint8_t rows[16];
} tile_config;

_Static_assert(sizeof(tile_config) == 64, "LDTILECFG reads 64 bytes");

/* The compiler does not know which memory the intrinsics read: a barrier keeps all stores before
 * them. */
INLINE void tiles_configure(const tile_config *c)
{
	__asm__ volatile("" : : "r"(c) : "memory");
	_tile_loadconfig(c);
}

#endif
