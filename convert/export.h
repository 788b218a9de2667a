/* export.h - writes a .brise file as a GGUF file or a Hugging Face folder
 *
 * Every weight is decoded to a float and encoded again. F16 keeps those floats up to the rounding
 * of binary16; Q8_0 and Q4_0 add their own rounding to that of the file; the result says how much.
 */
#ifndef CONVERT_EXPORT_H
#define CONVERT_EXPORT_H

#include "convert/convert.h"
#include "convert/formats/gguf.h"

enum export_format {
	/* one file, version 3, architecture llama; all programs of ggml's family read it */
	EXPORT_GGUF,
	/* a folder with config.json, generation_config.json, model.safetensors and, if the file has
	 * one, tokenizer.model and tokenizer_config.json */
	EXPORT_SAFETENSORS
};

typedef struct export_options {
	enum export_format format;
	/* of all matrices: GGML_F16; a GGUF's may be GGML_Q8_0 or GGML_Q4_0 too. Norms keep every
	 * bit */
	enum ggml_type type;
	unsigned threads; /* 0: one per core this process may use */
	const char *name; /* general.name in a GGUF; NULL: not said */
	/* instead of the model's own; NULL: that one. At most as many pieces as the model has
	 * tokens */
	const brise_tokenizer *tokenizer;
	convert_progress_fn *progress; /* bytes written, and in all */
	/* remarks, one line each: what the other format cannot say, what the file lacks */
	convert_decision_fn *decision;
	brise_cancel_fn *cancel;
	void *user;
} export_options;

typedef struct export_result {
	uint64_t file_bytes; /* of the GGUF, or of model.safetensors */
	uint64_t weights;    /* of all matrices */
	double bits_per_weight;
	/* relative squared error that the .brise file states for itself, over all matrices */
	double source_error;
	/* squared, of this export against the file's floats, over all matrices */
	double relative_error;
	double worst_error;  /* the largest of a single matrix */
	char worst_name[48]; /* "layers.3.wq"; "" if none lost anything */
	double seconds;
} export_result;

/* GGUF, F16. */
void export_init_options(export_options *options);

/* Writes `model` to `out`: a file for a GGUF, else a folder, which must not exist or be empty.
 *
 * Either appears whole or not at all. The same model and options give the same bytes for any number
 * of threads. Memory beside the mapped file: a few dozen rows per thread. result may be NULL.
 * Errors: BRISE_EUNSUPPORTED a tensor that the type cannot hold (columns that are no multiple of
 * 32, weights too large), BRISE_EFORMAT a weight that is no number, BRISE_EINVAL a type the format
 * does not have, or a tokenizer too large; BRISE_EIO, BRISE_ENOMEM, BRISE_ECANCELED. */
brise_status export_model(const brise_model *model, const char *out, const export_options *options,
                          export_result *result, brise_error *err);

#endif
