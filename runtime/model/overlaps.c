/* overlaps.c - sort by offset, compare neighbours */
#include "runtime/model/overlaps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"

typedef struct byte_range {
	uint64_t offset, bytes;
	size_t owner; /* 0: header and section table; sections from 1; then tensors */
} byte_range;

static int compare_ranges(const void *a, const void *b)
{
	const byte_range *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static void add_range(byte_range *ranges, size_t *n, uint64_t offset, uint64_t bytes, size_t owner)
{
	if (bytes > 0)
		ranges[(*n)++] = (byte_range){ offset, bytes, owner };
}

static size_t collect(byte_range *ranges, const brise_model *m)
{
	size_t n = 0, i;

	add_range(ranges, &n, 0,
	          sizeof(format_header) + (uint64_t)m->n_sections * m->section_stride, 0);
	for (i = 0; i < m->n_sections; i++) {
		format_section s;

		memcpy(&s, (const uint8_t *)m->sections + i * m->section_stride, sizeof s);
		add_range(ranges, &n, s.offset, s.bytes, 1 + i);
	}
	for (i = 0; i < m->n_tensors; i++)
		add_range(ranges, &n, m->tensors[i].offset, m->tensors[i].bytes,
		          1 + m->n_sections + i);
	return n;
}

static void name_owner(char name[96], const brise_model *m, size_t owner)
{
	char tensor[48];

	if (owner == 0) {
		(void)snprintf(name, 96, "the section table");
	} else if (owner <= m->n_sections) {
		(void)snprintf(name, 96, "section %zu", owner - 1);
	} else {
		const format_tensor *t = &m->tensors[owner - 1 - m->n_sections];

		model_tensor_name(tensor, t->kind, t->layer);
		(void)snprintf(name, 96, "tensor %zu (%s)", owner - 1 - m->n_sections, tensor);
	}
}

brise_status overlaps_check(const brise_model *model, brise_error *err)
{
	byte_range *ranges = memory_new(1 + model->n_sections + model->n_tensors, sizeof *ranges);
	brise_status status = BRISE_OK;
	char first[96], second[96];
	size_t n, i;

	if (!ranges)
		return error_set(err, BRISE_ENOMEM, "%s: no memory to check its tables",
		                 model->name);
	n = collect(ranges, model);
	qsort(ranges, n, sizeof *ranges, compare_ranges);
	for (i = 1; i < n && status == BRISE_OK; i++)
		if (ranges[i].offset - ranges[i - 1].offset < ranges[i - 1].bytes) {
			name_owner(first, model, ranges[i - 1].owner);
			name_owner(second, model, ranges[i].owner);
			status = error_set(err, BRISE_EFORMAT,
			                   "%s: %s and %s overlap at byte %" PRIu64, model->name,
			                   first, second, ranges[i].offset);
		}
	memory_free(ranges);
	return status;
}

void overlaps_count(uint64_t n_sections, uint64_t n_tensors, uint64_t *needed)
{
	memory_count(needed, 1 + n_sections + n_tensors, sizeof(byte_range));
}
