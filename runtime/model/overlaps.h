/* overlaps.h - checks that no two sections or tensors overlap */
#ifndef RUNTIME_OVERLAPS_H
#define RUNTIME_OVERLAPS_H

#include "runtime/model/model.h"

/* Refuses sections and tensors that overlap each other or the header and section table: work on all
 * of them, such as checksums, is then bounded by the file's size. All lie inside the file.
 * Errors: BRISE_EFORMAT, BRISE_ENOMEM. */
brise_status overlaps_check(const brise_model *model, brise_error *err);

/* Adds what that takes meanwhile to *needed. */
void overlaps_count(uint64_t n_sections, uint64_t n_tensors, uint64_t *needed);

#endif
