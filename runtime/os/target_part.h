/* target_part.h - names beside a target for what is being written
 *
 * OUT.part, or OUT.part-2 and so on where that is taken. A part is locked while it is written, so
 * that other runs do not take it for a leftover: what a killed run left has no lock. Nothing
 * depends on process numbers, which are the same in every container.
 */
#ifndef RUNTIME_TARGET_PART_H
#define RUNTIME_TARGET_PART_H

#include "runtime/brise.h"

/* A part file begins with these bytes until it is complete: only such a file, or an empty one, is
 * taken for a leftover. */
#define PART_MARK       "brise part file\n"
#define PART_MARK_BYTES 16u

/* The file that marks a part folder, and is locked for it. */
#define PART_FOLDER_MARK ".brise-part"

/* The n-th name, from 1: memory_free'd by the caller; NULL: no memory. */
char *part_name(const char *path, unsigned n);

/* Makes and locks an empty file beside `path` with these permission bits, less the process's mask.
 * magic: files that begin with these PART_MARK_BYTES are leftovers too; NULL: none.
 * *part: its path, memory_free'd by the caller; *file: open for writing, closed by the caller.
 * `name` is what messages call the target if there is no part yet. Errors: BRISE_EIO, BRISE_ENOMEM.
 */
brise_status part_open_file(const char *path, const char *name, uint32_t mode, const char *magic,
                            char **part, int *file, brise_error *err);

/* The same for a folder: *lock is its locked PART_FOLDER_MARK. */
brise_status part_open_folder(const char *path, const char *name, char **part, int *lock,
                              brise_error *err);

/* Removes a folder and the files in it. */
void part_remove_folder(const char *path);

#endif
