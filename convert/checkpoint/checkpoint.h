/* checkpoint.h - an open checkpoint: its configuration, and named matrices to read rows from
 *
 * checkpoint_open recognises Hugging Face folders (config.json, *.safetensors) and Mistral's own
 * (params.json, consolidated.safetensors or consolidated.00.pth), and GGUF files, checks that the
 * mathematics is Mistral's, and maps every tensor to its place in the model. It reads headers only;
 * weights are read row by row, from any thread.
 */
#ifndef CONVERT_CHECKPOINT_CHECKPOINT_H
#define CONVERT_CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/formats/elements.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"

/* The order of RoPE's pairs in the rows of q and k. The file stores halves. */
typedef enum checkpoint_rope { CHECKPOINT_HALVES, CHECKPOINT_INTERLEAVED } checkpoint_rope;

/* Where row `row` of the file's q or k lies with interleaved pairs: halves (i, i + head_dim / 2) of
 * a head are there at (2i, 2i + 1). */
static inline uint32_t checkpoint_interleaved_row(uint32_t row, uint32_t head_dim)
{
	uint32_t in_head = row % head_dim, half = head_dim / 2;

	return row - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
}

typedef struct checkpoint_tensor {
	const char *name; /* as in the checkpoint, for messages */
	elements_type dtype;
	uint32_t file;       /* index into checkpoint.files */
	uint64_t offset;     /* of the first element; row-major, contiguous */
	uint32_t rows, cols; /* a vector has rows 1 */
	float scale;         /* by which all elements are multiplied; 1 but for F8_E4M3 */
} checkpoint_tensor;

typedef struct checkpoint_file {
	char *path;
	int descriptor;
	uint64_t bytes;
} checkpoint_file;

typedef struct checkpoint {
	format_config config;
	const uint32_t *windows; /* [n_layers]; NULL: all layers have the configuration's */
	checkpoint_rope rope;
	checkpoint_file *files;
	size_t n_files;
	/* tensors[layer][kind] for the kinds of a layer; those outside the layers are in layer 0.
	 * Unused places have name NULL. */
	checkpoint_tensor (*tensors)[TENSOR_KINDS];
	bool quantized; /* weights were rounded to few bits before */
	/* of a GGUF file, whose metadata hold the tokenizer; NULL: another form */
	const struct gguf_header *gguf;
	/* the tekken.json or tokenizer.model found beside the weights, or tokenizer.json, or
	 * the GGUF file; NULL: none */
	char *tokenizer_path;
	/* what was decided and from which field, one per line: "window 4096 (params.json:
	 * sliding_window)" */
	char *decisions;
} checkpoint;

/* path: a GGUF file, a folder (one without other weights: its only GGUF model), or what
 * convert/checkpoint/locate.h makes one of. *out is NULL after an error.
 * Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status checkpoint_open(checkpoint **out, const char *path, brise_error *err);

/* Closes files and frees; NULL is allowed. */
void checkpoint_close(checkpoint *cp);

/* Reads rows [first, first + n) as stored in the file, n * cols elements of the tensor's dtype
 * (elements_measure tells their bytes), into `out`. Thread-safe (pread).
 * Errors: BRISE_EIO (a short file is one), BRISE_EINVAL rows out of range. */
brise_status checkpoint_read_rows(const checkpoint *cp, const checkpoint_tensor *tensor,
                                  uint32_t first, uint32_t n, void *out, brise_error *err);

#endif
