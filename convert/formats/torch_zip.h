/* torch_zip.h - torch.save's files: a zip archive of a pickle and the tensors' bytes */
#ifndef CONVERT_FORMATS_TORCH_ZIP_H
#define CONVERT_FORMATS_TORCH_ZIP_H

#include "convert/formats/tensors.h"

/* Reads the archive's directory and its pickle (convert/formats/pickle.h), and appends the tensors
 * to *list with file index `file`. name is for messages. Weights are not read. Refused: compressed
 * or encrypted members, members outside the file, tensors outside their member, big-endian
 * checkpoints.
 * Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status torch_zip_read(int descriptor, uint64_t file_bytes, const char *name, uint32_t file,
                            tensor_list *list, brise_error *err);

#endif
