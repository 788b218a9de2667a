/* tools.c - finding the tools of a kernel set */
#include "arch/tools/tools.h"

#include <string.h>

#define ADDRESS(set) &arch_tools_##set,

static const arch_tools *const sets[] = { ARCH_SETS(ADDRESS) };

void arch_find_tools(arch_tools *tools, const char *name)
{
	const arch_tools *below;
	size_t i;

	*tools = arch_tools_scalar;
	for (i = 0; i < sizeof sets / sizeof *sets; i++)
		if (!strcmp(name, sets[i]->name))
			*tools = *sets[i];
	for (below = tools->below; below; below = below->below) {
#define INHERIT(function) tools->function = tools->function ? tools->function : below->function;
		ARCH_TOOLS_FUNCTIONS(INHERIT)
	}
}
