/* unfinished.h - the unfinished calibration file: the state that a run leaves, so that the next
 * resumes where it stopped
 *
 * OUT.unfinished is the calibration file with the states of all tokens after it, twice: a layer
 * reads one and writes the other, so that the states it began with survive until it is complete. At
 * the end the states are cut off and the file is renamed. A run that was killed leaves one of
 * these:
 *     done 0                no layer is complete: started again
 *     done 1..n_layers      inputs of that many layers, and the states after them; checksums of
 *                           both tell whether the disk has what the header says
 *     done n_layers + 1     everything, with the states or without: finished by the next run
 * The header is written before anything else, so that the file is known for what it is.
 */
#ifndef CONVERT_CALIBRATION_UNFINISHED_H
#define CONVERT_CALIBRATION_UNFINISHED_H

#include "convert/calibration/calibration.h"
#include "convert/working.h"

typedef struct unfinished {
	working_file file;
	/* of the whole file; where states begin, and how many floats they are */
	size_t size, states_at, state_floats;
	calibration_header header; /* as in the finished file */
	calibration_input *inputs;
} unfinished;

/* Sizes and tables of the file for a model and `tokens` tokens; runs with another fingerprint are
 * not resumed. Errors: BRISE_EINVAL, BRISE_ENOMEM. Call unfinished_close in the end and after an
 * error. */
brise_status unfinished_plan(unfinished *u, const char *out, const format_config *config,
                             uint32_t span, size_t tokens, uint32_t fingerprint, brise_error *err);

/* Opens the file and locks it. header.done says how far an earlier run of the same fingerprint
 * came, 0 if there is none to resume: then all space on the disk is allocated. An unfinished file
 * that cannot be resumed is replaced, and `note` (may be NULL) is called. A file that is no
 * unfinished calibration is refused, except an empty one, which a run that was killed at once
 * leaves.
 * Errors: BRISE_EIO (no room, not writable, something else of that name, in use), BRISE_ECANCELED
 * (while the data of an earlier run are checked; the file stays). */
brise_status unfinished_open(unfinished *u, working_note_fn *note, brise_cancel_fn *cancel,
                             void *user, brise_error *err);

/* States after `layer` layers, [tokens][engine_stride(dim)]. There are none where everything is
 * done. */
float *unfinished_states(const unfinished *u, uint32_t layer);

/* Writes what is done to disk: data first, then the header that says so. states_crc: of the states
 * behind that many layers. Errors: BRISE_EIO. */
brise_status unfinished_save(unfinished *u, uint32_t done, uint32_t states_crc, brise_error *err);

/* Everything is done: renames the file. Errors: BRISE_EIO. */
brise_status unfinished_finish(unfinished *u, brise_error *err);

/* Removes the file if it is this run's and holds no layer, and frees its memory. */
void unfinished_close(unfinished *u);

#endif
