/* safetensors.h - Hugging Face's weight files: 8 bytes of length, a JSON header, then the tensors'
 * bytes */
#ifndef CONVERT_FORMATS_SAFETENSORS_H
#define CONVERT_FORMATS_SAFETENSORS_H

#include "convert/formats/tensors.h"

/* Reads a header of `size` bytes (the JSON alone) of a file of file_bytes in all, appending to
 * *list with file index `file`. name is for messages. Refused: ranges outside the file, overlapping
 * or of another size than shape and type make, names that appear twice. */
brise_status safetensors_parse(const char *json, size_t size, uint64_t file_bytes, const char *name,
                               uint32_t file, tensor_list *list, brise_error *err);

/* The same from an open file. */
brise_status safetensors_read(int descriptor, uint64_t file_bytes, const char *name, uint32_t file,
                              tensor_list *list, brise_error *err);

#endif
