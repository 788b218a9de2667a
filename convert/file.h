/* file.h - what a .brise file holds besides its tensors */
#ifndef CONVERT_FILE_H
#define CONVERT_FILE_H

#include "convert/plan.h"
#include "runtime/os/target.h"

typedef brise_status file_write_fn(void *user, const void *bytes, size_t n, uint64_t offset,
                                   brise_error *err);

/* Writes sections, their table and the header, with checksums: when all tensors are written and the
 * plan has theirs. Errors: those of write. */
brise_status file_write_tables(file_plan *plan, file_write_fn *write, void *user, brise_error *err);

#endif
