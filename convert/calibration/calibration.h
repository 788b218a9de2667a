/* calibration.h - second moments of the inputs of all matrices, measured over a text
 * (convert/calibration/calibrate.h)
 *
 * Matrices with the same input share its moments: q, k and v; w1 and w3. The mean squares say how
 * much an error in each column matters; the correlations within groups of columns are what error
 * feedback needs: later columns compensate for the rounding of earlier ones
 * (quant/encode/book_feedback.h).
 *
 * The file, little-endian:  calibration_header, calibration_input[n_inputs], then each input's data
 * at a multiple of 64:
 *     float mean_square[cols]
 *     per span of columns:  int16 correlation[n * (n - 1) / 2]  rows of the lower triangle without
 *                           its diagonal, in units of 1 / 32767
 * and at the next multiple of 64 the text, int32 id[tokens], for conversions that run the model
 * themselves (convert/closed/closed.h). Files of version 1 end before it.
 * Correlations take half the room of floats, and their error of 2^-16 is far below the damping that
 * any use of them needs.
 */
#ifndef CONVERT_CALIBRATION_CALIBRATION_H
#define CONVERT_CALIBRATION_CALIBRATION_H

#include "runtime/brise.h"
#include "runtime/model/format.h"
#include "runtime/os/map.h"
#include "runtime/os/target_place.h"

#define CALIBRATION_MAGIC   "BRISECAL"
#define CALIBRATION_VERSION 2u

extern const target_kind calibration_kind;

typedef struct calibration_header {
	char magic[8];
	uint32_t version;
	uint32_t done;       /* layers measured; n_layers + 1: everything */
	uint64_t file_bytes; /* of the finished file */
	uint64_t tokens;
	uint32_t dim, n_layers, mixed_dim, hidden_dim; /* mixed: n_heads * head_dim */
	/* columns whose correlations are kept together, a multiple of 32; 0: none are kept */
	uint32_t span;
	uint32_t n_inputs;
	uint32_t inputs_crc;
	/* of model, text and options: an interrupted measurement is resumed only with the same */
	uint32_t fingerprint;
	/* of an unfinished measurement: of the states after `done` layers
	 * (convert/calibration/unfinished.h); 0: finished */
	uint32_t states_crc;
	uint32_t ids_crc; /* from version 2 on */
	uint32_t reserved[13];
	uint32_t header_crc; /* CRC-32 of the bytes before it */
} calibration_header;

typedef struct calibration_input {
	/* TENSOR_WQ, TENSOR_WO, TENSOR_W1, TENSOR_W2 for each layer, then TENSOR_OUTPUT: of the
	 * matrices that share it, the first */
	uint32_t kind;
	uint32_t layer, cols;
	uint32_t crc;
	uint64_t offset, bytes;
} calibration_input;

static_assert(sizeof(calibration_header) == 128, "header is 128 bytes in the file");
static_assert(sizeof(calibration_input) == 32, "input entry is 32 bytes in the file");

/* Inputs per layer. */
#define CALIBRATION_PER_LAYER 4u

typedef struct calibration {
	char *name;
	map_file map;
	calibration_header header;
	calibration_input *inputs; /* [n_inputs], a copy */
} calibration;

/* Index of the input of a matrix; UINT32_MAX: the embedding, which multiplies nothing. */
uint32_t calibration_index(const format_config *config, uint32_t kind, uint32_t layer);

#define CALIBRATION_TOKENS_MAX ((uint64_t)1 << 32)

/* Header and table for a model and a text of at most CALIBRATION_TOKENS_MAX tokens: n_inputs
 * entries, from memory_new, without checksums. Errors: BRISE_ENOMEM. */
brise_status calibration_plan(calibration_header *header, calibration_input **inputs,
                              const format_config *config, uint32_t span, uint64_t tokens,
                              brise_error *err);

/* Where a file of that header has the ids, if its version has them: behind the last input. */
static inline uint64_t calibration_ids_at(const calibration_header *header)
{
	return header->file_bytes - header->tokens * sizeof(int32_t);
}

/* Columns [first, *end) of the span that `first` begins. */
static inline uint32_t calibration_span_end(uint32_t first, uint32_t span, uint32_t cols)
{
	return span < cols - first ? first + span : cols;
}

/* Bytes of the data of an input of that many columns, and the correlations among them of the span
 * that begins at column `first`. */
uint64_t calibration_data_bytes(uint32_t cols, uint32_t span);
const int16_t *calibration_data_correlations(const void *data, uint32_t cols, uint32_t span,
                                             uint32_t first);

/* Maps and checks a finished file. Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_ENOMEM. */
brise_status calibration_open(calibration **out, const char *path, brise_error *err);
void calibration_close(calibration *c);

/* Refuses a calibration of a model of another shape. `model` is for the message. */
brise_status calibration_fits(const calibration *c, const format_config *config, const char *model,
                              brise_error *err);

/* To be called before the first use of an input's data, which opening does not read: checks its
 * checksum, and that its mean squares are finite and not negative.
 * Errors: BRISE_EFORMAT, BRISE_EIO. */
brise_status calibration_verify_input(const calibration *c, uint32_t index, brise_error *err);

/* The text, header.tokens ids in [0, vocab), checked; NULL and an error if the file has none.
 * Errors: BRISE_EUNSUPPORTED version 1, BRISE_EFORMAT, BRISE_EIO. */
brise_status calibration_take_ids(const calibration *c, uint32_t vocab, const int32_t **ids,
                                  brise_error *err);

/* If this fails, discard what was read through squares and correlations: the file became shorter
 * meanwhile, or its disk failed. Errors: BRISE_EIO. */
brise_status calibration_check_read(const calibration *c, brise_error *err);

/* Mean squares [cols] of an input. */
const float *calibration_squares(const calibration *c, uint32_t index);

/* The correlations of the span that begins at column `first`. The file must have spans. */
const int16_t *calibration_correlations(const calibration *c, uint32_t index, uint32_t first);

#endif
