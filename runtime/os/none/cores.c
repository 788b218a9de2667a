/* cores.c - one processor, the caller's */
#include "runtime/os/cores.h"

void cores_read(cores_facts *facts, const char *root)
{
	(void)root;
	*facts = (cores_facts){ .allowed = 1, .physical = 1, .fast = 1, .chosen = 1 };
}
