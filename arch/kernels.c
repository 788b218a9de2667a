/* kernels.c - the one place that lists the kernel sets, best first */
#include "arch/kernels.h"

#include <string.h>

static const arch_kernels *const sets[] = {
#if defined(__x86_64__)
	&arch_avx2,
#endif
	&arch_scalar,
};

const arch_kernels *arch_list(size_t index)
{
	return index < sizeof sets / sizeof *sets ? sets[index] : NULL;
}

const arch_kernels *arch_choose(const char *name, const arch_cpu *cpu)
{
	size_t i;

	for (i = 0; i < sizeof sets / sizeof *sets; i++)
		if ((!name || !strcmp(name, sets[i]->name)) && sets[i]->supported(cpu))
			return sets[i];
	return NULL;
}
