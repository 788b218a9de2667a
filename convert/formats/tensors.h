/* tensors.h - the named tensors of weight files, as the formats' readers return them
 */
#ifndef CONVERT_FORMATS_TENSORS_H
#define CONVERT_FORMATS_TENSORS_H

#include "convert/formats/elements.h"
#include "runtime/brise.h"

#define TENSORS_MAX (1u << 17) /* more than 1024 layers of everything need */

typedef struct named_tensor {
	char *name;
	uint32_t dtype; /* elements_type, 0: a type that is not converted */
	uint32_t file;  /* index given by the caller */
	uint32_t n_dims;
	uint64_t shape[4]; /* dimensions beyond the fourth make n_dims 5 and are not kept */
	uint64_t offset, bytes;
} named_tensor;

typedef struct tensor_list {
	named_tensor *items;
	size_t n, capacity;
} tensor_list;

/* Appends a copy of *tensor, whose name it takes over (also after an error).
 * Errors: BRISE_ENOMEM, BRISE_EFORMAT too many. */
brise_status tensors_add(tensor_list *list, named_tensor *tensor, const char *file,
                         brise_error *err);

/* Sorts by name. */
void tensors_order(tensor_list *list);

/* Sorts by name and refuses names that appear twice. */
brise_status tensors_sort(tensor_list *list, const char *where, brise_error *err);

/* Sorts tensors of one file by where they lie and refuses those that share bytes. */
brise_status tensors_check_overlaps(named_tensor *items, size_t n, const char *file,
                                    brise_error *err);

/* NULL if there is none of that name; the list must be sorted. */
const named_tensor *tensors_find(const tensor_list *list, const char *name);
void tensors_free(tensor_list *list);

/* Takes dimensions of one off both ends of the shape until n_dims are left: they change neither
 * size nor order. */
void tensors_squeeze(named_tensor *tensor, uint32_t n_dims);

/* "[400, 16]" in `text`, which is returned. */
#define TENSORS_SHAPE_MAX 100u
const char *tensors_shape_text(char text[TENSORS_SHAPE_MAX], const named_tensor *tensor);

/* Bytes of shape and dtype; false: overflow or unknown dtype. */
bool tensors_size(const named_tensor *tensor, uint64_t *bytes);

#endif
