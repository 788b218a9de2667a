/* lanes_all.h - all templates the runtime uses, for a set that takes nothing from the set below it
 */
#ifndef ARCH_LANES_ALL_H
#define ARCH_LANES_ALL_H

#include "arch/lanes_attend.h"
#include "arch/lanes_f16.h"
#include "arch/lanes_matmul.h"
#include "arch/lanes_vector.h"

/* Its entries in the table. */
#define LANES_ALL                                                                                  \
	LANES_MATMUL, .matmul_f16 = lanes_matmul_f16, .quantize = lanes_quantize,                  \
	              .quantize_head = lanes_quantize_head, .turn = lanes_turn,                    \
	              .norm = lanes_norm, .silu = lanes_silu, .add = lanes_add_vector,             \
	              .attend = lanes_attend

#endif
