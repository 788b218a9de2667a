/* loop_file.h - the unfinished file of a conversion in a closed loop: what it has made so far, and
 * the states of both streams, so that the next run resumes where it stopped
 *
 * OUT.unfinished:  the .brise file that it becomes, tensors at their places, head and tables empty
 *                  states of both streams twice: a layer reads one generation and writes the other
 *                  format_tensor[n_tensors], with checksums and errors of those that are done
 *                  uint32 source[n_tensors], checksums of the weights that these were made of
 *                  loop_header, the last bytes of the file
 * The end is written before anything else, so that the file is known for what it is. When all is
 * done, head and tables are written, then the file is cut where the states begin, and renamed. A
 * run that was killed in between leaves a file that the next one only completes.
 */
#ifndef CONVERT_CLOSED_LOOP_FILE_H
#define CONVERT_CLOSED_LOOP_FILE_H

#include "convert/closed/streams.h"
#include "convert/plan.h"
#include "convert/working.h"
#include "quant/encode/tile_error.h"

typedef struct loop_header {
	char magic[8];
	uint32_t version;
	uint32_t done; /* steps: the embedding, each layer, the output */
	uint64_t file_bytes, tokens;
	uint32_t n_tensors, n_layers;
	uint32_t fingerprint; /* of configuration, text and plan: only the same run is resumed */
	uint32_t states_crc;  /* of both streams' states after `done` steps */
	uint32_t table_crc;
	uint32_t reserved[13];
	double error, norm; /* of all tensors so far */
	uint32_t unused;
	uint32_t header_crc; /* CRC-32 of the bytes before it */
} loop_header;

static_assert(sizeof(loop_header) == 128, "header is 128 bytes in the file");

typedef struct loop_file {
	working_file file;
	file_plan *plan;   /* its tensors get checksums and errors */
	uint32_t *sources; /* [n_tensors]; for the user to fill in and to check */
	loop_header header;
	size_t size, states_at, state_floats, table_at;
} loop_file;

/* Sizes for a plan and a text; runs with another fingerprint are not resumed.
 * Errors: BRISE_EINVAL, BRISE_ENOMEM. Call loop_close in the end and after an error. */
brise_status loop_plan(loop_file *s, const char *out, file_plan *plan, size_t tokens,
                       uint32_t fingerprint, brise_error *err);

/* Refuses at once what loop_open and loop_finish would: a target that may not be replaced, and a
 * disk without room, unless an earlier run may have taken it. Errors: BRISE_EIO, BRISE_ENOMEM. */
brise_status loop_check(const loop_file *s, brise_error *err);

/* Opens and locks the file; header.done says how far an earlier run came, whose checksums and
 * errors are then in the plan. Otherwise all space on the disk is taken. What cannot be resumed is
 * replaced with a note; what is no unfinished conversion is refused.
 * Errors: BRISE_EIO, BRISE_ECANCELED (while data are checked; the file stays). */
brise_status loop_open(loop_file *s, working_note_fn *note, brise_cancel_fn *cancel, void *user,
                       brise_error *err);

/* Begins again with an opened file that is of no use after all, with a note why. Errors:
 * BRISE_EIO. */
brise_status loop_restart(loop_file *s, const char *why, working_note_fn *note, void *user,
                          brise_error *err);

/* Room for a tensor's bytes at its offset. */
uint8_t *loop_bytes(const loop_file *s);

/* States of a stream after that many steps; of the next step while it runs. */
float *loop_states(const loop_file *s, unsigned stream, uint32_t done);

/* Brings what is done to disk: data first, then the header that says so. Errors: BRISE_EIO. */
brise_status loop_save(loop_file *s, uint32_t done, const tile_error *sum, brise_error *err);

/* Everything is done: writes head and tables, and gives the file its name. Errors: BRISE_EIO. */
brise_status loop_finish(loop_file *s, brise_error *err);

/* Removes the file if it is this run's and nothing in it is done. */
void loop_close(loop_file *s);

#endif
