/* groups.c - see groups.h */
#include "test/models/breeze-chat/groups.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/models/breeze-chat/model.h"

bool group_read_data(const char *path, group_data *d)
{
	FILE *file = fopen(path, "rb");
	long size = -1;
	bool ok = false;

	d->words = NULL;
	if (file && !fseek(file, 0, SEEK_END) && (size = ftell(file)) > 0 &&
	    !fseek(file, 0, SEEK_SET)) {
		d->n = (size_t)size / 2;
		d->words = malloc(d->n * 2);
		ok = d->words && fread(d->words, 2, d->n, file) == d->n;
	}
	if (file)
		fclose(file);
	if (!ok)
		fprintf(stderr, "%s: cannot be read\n", path);
	return ok;
}

/* A token is read where the next one is its target: the last of a sequence is only a target. */
static void append(group *g, const uint16_t *words, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		bool learnt = words[i + 1] >> 15;
		g->tokens[g->n] = words[i] & (VOCAB - 1);
		g->targets[g->n] = learnt ? words[i + 1] & (VOCAB - 1) : -1;
		g->begins[g->n] = i == 0;
		g->n_targets += learnt;
		g->n++;
	}
}

bool group_fill(group *g, const group_data *d, uint64_t *at)
{
	size_t n;

	for (g->n = g->n_targets = 0;; *at += n + 1) {
		if (*at >= d->n)
			*at = 0;
		n = d->words[*at];
		if (n < 2 || n > GROUP_MOST || n > d->n - *at - 1) {
			fprintf(stderr, "word %llu of the data: a sequence of %zu tokens\n",
			        (unsigned long long)*at, n);
			return false;
		}
		if (g->n && g->n + n > GROUP_TOKENS)
			return true;
		append(g, d->words + *at + 1, n);
	}
}
