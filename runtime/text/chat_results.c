/* chat_results.c - results of tools in the order of their calls
 *
 * Clients may send them in the order in which tools have finished. A conversation may have a
 * hundred thousand of them, so calls are found by a sorted list of their ids.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/os/memory.h"
#include "runtime/text/chat_tools.h"

typedef struct place {
	const char *id; /* of a call */
	size_t number;  /* of the call; of a result: of its call */
	size_t message; /* of a result */
} place;

/* Of calls with the same id the last one counts, as it does in mistral-common. */
static int compare_ids(const void *a, const void *b)
{
	const place *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	return order ? order : (x->number < y->number) - (x->number > y->number);
}

static int compare_places(const void *a, const void *b)
{
	const place *x = a, *y = b;
	int order = (x->number > y->number) - (x->number < y->number);

	return order ? order : (x->message > y->message) - (x->message < y->message);
}

/* The number of the call of an id among calls [n] sorted by compare_ids; SIZE_MAX: none. */
static size_t find(const place *calls, size_t n, const char *id)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(calls[middle].id, id) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from < n && !strcmp(calls[from].id, id) ? calls[from].number : SIZE_MAX;
}

static size_t list_calls(const brise_message *m, place *calls)
{
	size_t n = 0, i;

	for (i = 0; i < m->n_calls; i++)
		if (m->calls[i].id)
			calls[n++] = (place){ .id = m->calls[i].id, .number = i };
	qsort(calls, n, sizeof *calls, compare_ids);
	return n;
}

/* Whether every result is that of the call at its place, or says of none that it is. */
static bool is_in_order(const brise_conversation *c, size_t from, size_t to)
{
	const brise_message *m = &c->messages[from - 1];
	size_t i;

	for (i = from; i < to; i++) {
		const char *id = c->messages[i].call_id,
		           *call = i - from < m->n_calls ? m->calls[i - from].id : NULL;

		if (id && (!call || strcmp(id, call) != 0))
			return false;
	}
	return true;
}

bool chat_order_results(const brise_conversation *c, size_t from, size_t to, size_t **order)
{
	const brise_message *m = from > 0 ? &c->messages[from - 1] : NULL;
	size_t n = to - from, n_calls, i;
	place *calls, *results;

	*order = NULL;
	if (!m || m->n_calls == 0 || is_in_order(c, from, to))
		return true;
	calls = memory_new(m->n_calls, sizeof *calls);
	results = memory_new(n, sizeof *results);
	*order = calls && results ? memory_new(n, sizeof **order) : NULL;
	if (*order) {
		n_calls = list_calls(m, calls);
		for (i = 0; i < n; i++) {
			const char *id = c->messages[from + i].call_id;

			results[i].number = id ? find(calls, n_calls, id) : i;
			results[i].message = from + i;
		}
		qsort(results, n, sizeof *results, compare_places);
		for (i = 0; i < n; i++)
			(*order)[i] = results[i].message;
	}
	memory_free(calls);
	memory_free(results);
	return *order != NULL;
}
