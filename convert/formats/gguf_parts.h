/* gguf_parts.h - GGUF models cut into several files: NAME-00001-of-00003.gguf and so on */
#ifndef CONVERT_FORMATS_GGUF_PARTS_H
#define CONVERT_FORMATS_GGUF_PARTS_H

#include "convert/formats/gguf_reader.h"

/* True for a regular file that is called *.gguf or begins like one. */
bool gguf_is_file(const char *path);

/* Paths of all parts that belong to `path`, which may be any of them, in order: *paths from
 * memory_new
 * [*n] of strings from memory_new, to be freed with gguf_free_parts; one path where the name is not
 * that of a part. Errors: BRISE_EIO a part is missing, BRISE_EFORMAT, BRISE_ENOMEM. */
brise_status gguf_list_parts(const char *path, char ***paths, size_t *n, brise_error *err);
void gguf_free_parts(char **paths, size_t n);

/* Makes the name of a part that of the first part of its model, in place; other names stay. */
void gguf_name_first_part(char *name);

/* Compares a file's split.no and split.count with its place `part` of n. */
brise_status gguf_check_part(const gguf_header *h, size_t part, size_t n, const char *name,
                             brise_error *err);

/* Compares split.tensors.count, if it is there, with the number of tensors in all parts. */
brise_status gguf_check_total(const gguf_header *h, size_t n_tensors, const char *name,
                              brise_error *err);

#endif
