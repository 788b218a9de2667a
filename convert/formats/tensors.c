/* tensors.c - a growing list of named tensors */
#include "convert/formats/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/formats/elements.h"
#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

brise_status tensors_add(tensor_list *list, named_tensor *tensor, const char *file,
                         brise_error *err)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		named_tensor *items = capacity <= TENSORS_MAX
		                              ? memory_resize(list->items, capacity, sizeof *items)
		                              : NULL;

		if (!items) {
			memory_free(tensor->name);
			return capacity > TENSORS_MAX
			               ? error_set(err, BRISE_EFORMAT, "%s: more than %u tensors",
			                           file, TENSORS_MAX)
			               : error_set(err, BRISE_ENOMEM,
			                           "%s: no memory for %zu tensors", file, capacity);
		}
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->n++] = *tensor;
	return BRISE_OK;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const named_tensor *)a)->name, ((const named_tensor *)b)->name);
}

void tensors_order(tensor_list *list)
{
	if (list->n > 1)
		qsort(list->items, list->n, sizeof *list->items, compare_names);
}

brise_status tensors_sort(tensor_list *list, const char *where, brise_error *err)
{
	size_t i;

	tensors_order(list);
	for (i = 1; i < list->n; i++)
		if (!strcmp(list->items[i - 1].name, list->items[i].name))
			return error_set(err, BRISE_EFORMAT, "%s: tensor %s appears twice", where,
			                 list->items[i].name);
	return BRISE_OK;
}

static int compare_offsets(const void *a, const void *b)
{
	const named_tensor *x = a, *y = b;

	return x->offset < y->offset   ? -1
	       : x->offset > y->offset ? 1
	       : x->bytes < y->bytes   ? -1
	                               : x->bytes > y->bytes;
}

brise_status tensors_check_overlaps(named_tensor *items, size_t n, const char *file,
                                    brise_error *err)
{
	size_t i;

	if (n > 1)
		qsort(items, n, sizeof *items, compare_offsets);
	for (i = 1; i < n; i++)
		if (items[i].offset < items[i - 1].offset + items[i - 1].bytes)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: tensors %s and %s overlap at byte %" PRIu64, file,
			                 items[i - 1].name, items[i].name, items[i].offset);
	return BRISE_OK;
}

const named_tensor *tensors_find(const tensor_list *list, const char *name)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, list->items[middle].name);

		if (order == 0)
			return &list->items[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

void tensors_free(tensor_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		memory_free(list->items[i].name);
	memory_free(list->items);
	*list = (tensor_list){ NULL, 0, 0 };
}

void tensors_squeeze(named_tensor *tensor, uint32_t n_dims)
{
	uint64_t *shape = tensor->shape;

	while (tensor->n_dims > n_dims && tensor->n_dims <= 4 && shape[tensor->n_dims - 1] == 1)
		tensor->n_dims--;
	while (tensor->n_dims > n_dims && tensor->n_dims <= 4 && shape[0] == 1)
		memmove(shape, shape + 1, --tensor->n_dims * sizeof *shape);
}

const char *tensors_shape_text(char text[TENSORS_SHAPE_MAX], const named_tensor *tensor)
{
	uint32_t i, n = tensor->n_dims < 4 ? tensor->n_dims : 4;
	size_t at = 1;

	(void)snprintf(text, TENSORS_SHAPE_MAX, "[");
	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, TENSORS_SHAPE_MAX - at, "%s%" PRIu64,
		                       i ? ", " : "", tensor->shape[i]);
	(void)snprintf(text + at, TENSORS_SHAPE_MAX - at, tensor->n_dims > 4 ? ", ...]" : "]");
	return text;
}

bool tensors_size(const named_tensor *tensor, uint64_t *bytes)
{
	uint64_t elements = 1;
	uint32_t i;

	if (tensor->n_dims > 4)
		return false;
	for (i = 0; i < tensor->n_dims; i++)
		if (!checked_mul(elements, tensor->shape[i], &elements))
			return false;
	return elements_measure(tensor->dtype, elements, bytes);
}
