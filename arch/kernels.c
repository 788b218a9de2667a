/* kernels.c - choosing a kernel set */
#include "arch/kernels.h"

#include <string.h>

#define ADDRESS(set) &arch_##set,

static const arch_kernels *const sets[] = { ARCH_SETS(ADDRESS) };

const arch_kernels *arch_list(size_t index)
{
	return index < sizeof sets / sizeof *sets ? sets[index] : NULL;
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
	for (below = kernels->below; below; below = below->below) {
#define INHERIT(function)                                                                          \
	kernels->function = kernels->function ? kernels->function : below->function;
		ARCH_FUNCTIONS(INHERIT)
	}
	return true;
}
