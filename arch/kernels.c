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

/* The set's own way with one stream stands in for its matmul where the processor prefers it. */
static void prefer_one_stream(arch_kernels *set)
{
	set->matmul_q4 = set->one_stream_q4 ? set->one_stream_q4 : set->matmul_q4;
	set->matmul_q8 = set->one_stream_q8 ? set->one_stream_q8 : set->matmul_q8;
	set->matmul_f16 = set->one_stream_f16 ? set->one_stream_f16 : set->matmul_f16;
}

bool arch_choose(arch_kernels *kernels, const char *name, const arch_cpu *cpu)
{
	const arch_kernels *below;
	arch_kernels set;
	size_t i;

	for (i = 0; i < sizeof sets / sizeof *sets; i++)
		if ((!name || !strcmp(name, sets[i]->name)) && sets[i]->supported &&
		    sets[i]->supported(cpu))
			break;
	if (i == sizeof sets / sizeof *sets)
		return false;
	*kernels = *sets[i];
	if (cpu->one_stream)
		prefer_one_stream(kernels);
	for (below = kernels->below; below; below = below->below) {
		set = *below;
		if (cpu->one_stream)
			prefer_one_stream(&set);
#define INHERIT(function) kernels->function = kernels->function ? kernels->function : set.function;
		ARCH_FUNCTIONS(INHERIT)
	}
	return true;
}

arch_matmul *arch_matmul_for(const arch_kernels *kernels, uint32_t type)
{
	arch_matmul *const products[TYPE_KINDS] = {
		[TYPE_F16] = kernels->matmul_f16,
		[TYPE_Q8] = kernels->matmul_q8,
		[TYPE_Q4] = kernels->matmul_q4,
	};

	return type < TYPE_KINDS ? products[type] : NULL;
}
