/* thoughts.c - see thoughts.h */
#include "runtime/serve/thoughts.h"

bool thoughts_add(thoughts *to, joined_text *text, const char *thought, size_t bytes, bool is_open,
                  pool *p)
{
	brise_thought *slot;

	if (bytes == 0 && !is_open)
		return true;
	if (!(slot = pool_append(p, &to->list, to->n, sizeof *slot)))
		return false;
	*slot = (brise_thought){ text->bytes, thought, bytes, is_open };
	to->n++;
	text->parted = true;
	return true;
}
