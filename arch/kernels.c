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
#define INHERIT_STREAM(type, id)                                                                   \
	if (!kernels->matmul_##type)                                                               \
		kernels->one_stream_##type = below->one_stream_##type;
#define INHERIT(function)                                                                          \
	kernels->function = kernels->function ? kernels->function : below->function;

	ARCH_PRODUCTS(INHERIT_STREAM)
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
#define NO_STREAM(type, id) kernels->one_stream_##type = NULL;
	if (!cpu->one_stream) {
		ARCH_PRODUCTS(NO_STREAM)
	}
	return true;
}

arch_matmul *arch_matmul_for(const arch_kernels *kernels, uint32_t type, bool met)
{
#define PRODUCTS(type, id) [id] = { kernels->matmul_##type, kernels->one_stream_##type },
	arch_matmul *const products[TYPE_KINDS][2] = { ARCH_PRODUCTS(PRODUCTS) };

	return type < TYPE_KINDS ? products[type][met && products[type][1]] : NULL;
}
