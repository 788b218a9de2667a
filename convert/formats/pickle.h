/* pickle.h - the tensors named in a torch checkpoint's data.pkl, without running it */
#ifndef CONVERT_FORMATS_PICKLE_H
#define CONVERT_FORMATS_PICKLE_H

#include "convert/formats/tensors.h"

/* A tensor as the pickle describes it: a view of a storage, which is a member of the zip archive
 * named by its key. */
typedef struct pickle_tensor {
	char *name;
	char key[64];                     /* of the storage: archive member "<prefix>/data/<key>" */
	elements_type dtype;              /* of the storage */
	uint64_t storage_elements, first; /* the view starts at element `first` */
	uint32_t n_dims;
	uint64_t shape[4];
} pickle_tensor;

/* Reads pickle bytes (protocol 2 as torch.save writes it). *tensors: from memory_new [*n], freed
 * with pickle_free.
 *
 * Only the opcodes and names that a dictionary of tensors needs are interpreted; nothing is
 * executed. Refused by name: every other opcode and global, strided (non-contiguous) tensors,
 * storages on the way out of range. name is what messages call the file.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status pickle_read(pickle_tensor **tensors, size_t *n, const uint8_t *bytes, size_t size,
                         const char *name, brise_error *err);
void pickle_free(pickle_tensor *tensors, size_t n);

#endif
