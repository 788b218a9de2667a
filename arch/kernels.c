/* kernels.c - choosing a kernel set */
#include "arch/kernels.h"

#include <string.h>

#include "quant/types.h"

#define ADDRESS(set) &arch_##set,

static const arch_kernels *const sets[] = { ARCH_SETS(ADDRESS) };

const arch_kernels *arch_list(size_t index)
{
	return index < sizeof sets / sizeof *sets ? sets[index] : NULL;
}

/* Takes from a set below what the set itself has not. */
static void inherit(arch_kernels *kernels, const arch_kernels *below)
{
#define INHERIT_STREAM(type)                                                                       \
	if (!kernels->matmul_##type)                                                               \
		kernels->one_stream_##type = below->one_stream_##type;
#define INHERIT(function)                                                                          \
	kernels->function = kernels->function ? kernels->function : below->function;

	INHERIT_STREAM(q4)
	INHERIT_STREAM(q8)
	INHERIT_STREAM(f16)
	ARCH_FUNCTIONS(INHERIT)
}

bool arch_choose(arch_kernels *kernels, const char *name, const arch_cpu *cpu)
{
	const arch_kernels *below;
	size_t i;

	for (i = 0; i < sizeof sets / sizeof *sets; i++)
		if ((!name || !strcmp(name, sets[i]->name)) && sets[i]->supported &&
		    sets[i]->supported(cpu))
			break;
	if (i == sizeof sets / sizeof *sets)
		return false;
	*kernels = *sets[i];
	for (below = kernels->below; below; below = below->below)
		inherit(kernels, below);
	if (!cpu->one_stream)
		kernels->one_stream_q4 = kernels->one_stream_q8 = kernels->one_stream_f16 = NULL;
	return true;
}

arch_matmul *arch_matmul_for(const arch_kernels *kernels, uint32_t type, bool met)
{
	arch_matmul *const products[TYPE_KINDS][2] = {
		[TYPE_F16] = { kernels->matmul_f16, kernels->one_stream_f16 },
		[TYPE_Q8] = { kernels->matmul_q8, kernels->one_stream_q8 },
		[TYPE_Q4] = { kernels->matmul_q4, kernels->one_stream_q4 },
	};

	return type < TYPE_KINDS ? products[type][met && products[type][1]] : NULL;
}
