/* file.h - what a .brise file holds besides its tensors */
#ifndef CONVERT_FILE_H
#define CONVERT_FILE_H

#include "convert/plan.h"
#include "runtime/os/target.h"

/* Writes sections, their table and the header, with checksums: when all tensors are written and the
 * plan has theirs. Errors: BRISE_EIO. */
brise_status file_write_tables(const target_file *target, file_plan *plan, brise_error *err);

#endif
