/* blocks.c - incomplete blocks, by number, in a list: a handful at any time */
#include "convert/blocks.h"

#include <string.h>

#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

typedef struct block {
	struct block *next;
	uint64_t number;
	size_t missing; /* bytes of tensors not added yet */
	uint8_t bytes[BLOCKS_BYTES];
} block;

struct blocks {
	const format_tensor *tensors;
	uint32_t n_tensors;
	blocks_write_fn *write;
	void *user;
	os_monitor *monitor;
	block *open, *spare; /* under the monitor */
};

brise_status blocks_new(blocks **out, const format_tensor *tensors, uint32_t n_tensors,
                        blocks_write_fn *write, void *user, brise_error *err)
{
	blocks *b = *out = memory_new(1, sizeof *b);

	if (!b || !(b->monitor = os_new_monitor())) {
		memory_free(b);
		*out = NULL;
		return error_set(err, BRISE_ENOMEM, "no memory to collect what is written");
	}
	b->tensors = tensors;
	b->n_tensors = n_tensors;
	b->write = write;
	b->user = user;
	return BRISE_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes that the tensors have in a block, and where in the block the last of them ends. */
static size_t tensor_bytes(const blocks *b, uint64_t number, size_t *end)
{
	uint64_t first = number * BLOCKS_BYTES, last = first + BLOCKS_BYTES, sum = 0;
	uint32_t i;

	*end = 0;
	for (i = 0; i < b->n_tensors; i++) {
		const format_tensor *t = &b->tensors[i];
		uint64_t from = t->offset > first ? t->offset : first,
		         to = least(t->offset + t->bytes, last);

		if (from < to) {
			sum += to - from;
			*end = (size_t)(to - first);
		}
	}
	return (size_t)sum;
}

/* The block of that number, made if it is not there; NULL: no memory. Under the monitor. */
static block *find_block(blocks *b, uint64_t number)
{
	block *found = b->open;
	size_t end;

	while (found && found->number != number)
		found = found->next;
	if (found)
		return found;
	if (b->spare) {
		found = b->spare;
		b->spare = found->next;
		memset(found->bytes, 0, sizeof found->bytes);
	} else if (!(found = memory_new(1, sizeof *found))) {
		return NULL;
	}
	found->number = number;
	found->missing = tensor_bytes(b, number, &end);
	found->next = b->open;
	b->open = found;
	return found;
}

static void take_out(block **list, const block *which)
{
	while (*list != which)
		list = &(*list)->next;
	*list = which->next;
}

/* Writes a complete block, which is in no list, to its end or that of the file. */
static brise_status write_block(blocks *b, block *complete, brise_error *err)
{
	size_t end;
	brise_status status;

	(void)tensor_bytes(b, complete->number, &end);
	/* What follows in the block belongs to the next tensor's gap, if there is one. */
	if (complete->number <
	    (b->tensors[b->n_tensors - 1].offset + b->tensors[b->n_tensors - 1].bytes - 1) /
	            BLOCKS_BYTES)
		end = BLOCKS_BYTES;
	status = b->write(b->user, complete->bytes, end, complete->number * BLOCKS_BYTES, err);
	os_lock(b->monitor);
	complete->next = b->spare;
	b->spare = complete;
	os_unlock(b->monitor);
	return status;
}

brise_status blocks_add(blocks *b, const void *bytes, size_t n, uint64_t offset, brise_error *err)
{
	const uint8_t *from = bytes;
	brise_status status = BRISE_OK;

	while (n > 0 && status == BRISE_OK) {
		size_t at = (size_t)(offset % BLOCKS_BYTES), part = BLOCKS_BYTES - at;
		bool complete = false;
		block *into;

		part = n < part ? n : part;
		os_lock(b->monitor);
		if ((into = find_block(b, offset / BLOCKS_BYTES)) != NULL) {
			memcpy(into->bytes + at, from, part);
			into->missing -= part;
			if ((complete = into->missing == 0))
				take_out(&b->open, into);
		}
		os_unlock(b->monitor);
		if (!into)
			return error_set(err, BRISE_ENOMEM, "no memory for a block to write");
		if (complete)
			status = write_block(b, into, err);
		from += part;
		offset += part;
		n -= part;
	}
	return status;
}

static void free_list(block *list)
{
	while (list) {
		block *next = list->next;

		memory_free(list);
		list = next;
	}
}

void blocks_free(blocks *b)
{
	if (!b)
		return;
	free_list(b->open);
	free_list(b->spare);
	os_free_monitor(b->monitor);
	memory_free(b);
}
