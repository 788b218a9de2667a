/* working.h - the file that a long run works in, OUT.unfinished: mapped, locked, and kept when the
 * run is interrupted, so that the next one resumes
 *
 * What it holds and how a run recognises its own is its user's: convert/calibration/unfinished.h,
 * convert/closed/loop_file.h.
 */
#ifndef CONVERT_WORKING_H
#define CONVERT_WORKING_H

#include "runtime/os/target_place.h"

/* One line for the user. */
typedef void working_note_fn(void *user, const char *line);

typedef struct working_file {
	const char *out;         /* where the finished file goes, as the user said it; not a copy */
	const target_kind *kind; /* of the finished file */
	const char *what;        /* for messages: "calibration" */
	char *target;            /* out, links followed */
	target_seen seen;        /* what was there at the start */
	char *path;
	int descriptor; /* -1: closed */
	uint8_t *bytes; /* the file, mapped and shared; NULL: not yet */
	size_t mapped;
	int guard; /* of the mapping, while there is one */
} working_file;

/* Names alone. Errors: BRISE_ENOMEM, BRISE_EIO. Call working_close in the end and after an
 * error. */
brise_status working_plan(working_file *w, const char *out, const target_kind *kind,
                          const char *what, brise_error *err);

/* Creates the file or opens what is there, and locks it; *size: how long it is. Refuses what is no
 * regular file, what another run has locked, and a target that may not be replaced.
 * Errors: BRISE_EIO. */
brise_status working_open(working_file *w, uint64_t *size, brise_error *err);

/* Reads n bytes at `offset`; *got: how many there were. Errors: BRISE_EIO. */
brise_status working_read(const working_file *w, void *bytes, size_t n, uint64_t offset,
                          size_t *got, brise_error *err);

/* Empties the file, writes mark [n] at `offset`, which later runs recognise it by, and maps `size`
 * bytes, all of which it takes on the disk now: a full disk is an error here, not a signal from the
 * mapping. The file is removed after an error. Errors: BRISE_EIO. */
brise_status working_begin(working_file *w, const void *mark, size_t n, uint64_t offset,
                           size_t size, brise_error *err);

/* Maps what an earlier run left, after taking room for holes that a copy may have. take_room:
 * whether more will be written. Errors: BRISE_EIO. */
brise_status working_resume(working_file *w, size_t size, bool take_room, brise_error *err);
void working_unmap(working_file *w);

/* Brings the first n bytes of the mapping to disk. Errors: BRISE_EIO, also if something of it could
 * not be read or written before. */
brise_status working_sync(const working_file *w, size_t n, brise_error *err);

/* Cuts the file to `size`, and renames it. Errors: BRISE_EIO. */
brise_status working_finish(working_file *w, uint64_t size, brise_error *err);

/* Tells the user that what an earlier run left is of no use. */
void working_tell(const working_file *w, working_note_fn *note, void *user, const char *what);

/* remove: the file, which this run has mapped, is of no use to another. */
void working_close(working_file *w, bool remove);

#endif
