/* gguf_reader.h - the header of a GGUF file: metadata (gguf_values.h), tensors for
 * a list */
#ifndef CONVERT_FORMATS_GGUF_READER_H
#define CONVERT_FORMATS_GGUF_READER_H

#include "convert/formats/gguf_values.h"
#include "convert/formats/tensors.h"

/* Reads the header of an open file of file_bytes, appending its tensors to *list with file index
 * `file`. name is for messages. Memory follows what was read. *h is to be freed with gguf_free,
 * after an error too.
 *
 * Refused: other versions than 2 and 3, big-endian files; whatever runs past the file's end;
 * element types that are not decoded, by name; rows that are no whole blocks; tensors that overlap;
 * keys and (by tensors_sort) names that appear twice.
 * Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status gguf_read(gguf_header *h, int descriptor, uint64_t file_bytes, const char *name,
                       uint32_t file, tensor_list *list, brise_error *err);

/* The same from a whole file in memory, of which h keeps a copy. */
brise_status gguf_read_memory(gguf_header *h, const void *bytes, size_t n, const char *name,
                              uint32_t file, tensor_list *list, brise_error *err);

void gguf_free(gguf_header *h);

#endif
