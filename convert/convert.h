/* convert.h - converts weights to a .brise file */
#ifndef CONVERT_CONVERT_H
#define CONVERT_CONVERT_H

#include "quant/encode/book_encode.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"

/* Where weights come from: a checkpoint, or a generator. */
typedef struct convert_source {
	format_config config;
	const uint32_t *windows; /* [n_layers]; NULL: all layers have the configuration's */
	const char *origin;      /* lines of UTF-8 for the file's notes; NULL: none */
	const void *tokenizer;   /* section bytes; NULL: none */
	size_t tokenizer_bytes;
	const void *added; /* section of added tokens (runtime/text/added_section.h); NULL: none */
	size_t added_bytes;
	const int32_t *ends; /* [n_ends] ids that end a generation, where config.eos is not all */
	size_t n_ends;
	const char *chat_template; /* UTF-8; NULL: none */
	const char *chat_format;   /* "v3", or text of affixes (runtime/CHAT.md); NULL: none */

	/* Writes rows [first, first + n) of a tensor, [n][cols] floats in the file's order, to
	 * `rows`. `raw` is scratch of the same size. Called from several threads. */
	brise_status (*read)(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n,
	                     float *rows, void *raw, brise_error *err);
	/* "bf16": how a tensor is stored, static storage; NULL: unknown */
	const char *(*name_type)(void *self, uint32_t kind, uint32_t layer);
	void *self;
} convert_source;

/* Opens the checkpoint at `path` (convert/checkpoint/checkpoint.h) as a source without its
 * tokenizer. Its configuration and notes live until convert_close_source, which also takes a source
 * that failed to open. Errors: those of checkpoint_open. */
brise_status convert_open_source(convert_source *source, const char *path, brise_error *err);
void convert_close_source(convert_source *source);

/* Called from the calling thread: the current tensor, and source bytes done and in all, counted
 * as 2 per weight. */
typedef void convert_progress_fn(void *user, const char *tensor, uint64_t done, uint64_t total);

/* Receives one line for each decision, with the field that it comes from. */
typedef void convert_decision_fn(void *user, const char *line);

/* Receives the relative squared error of each tensor, in the order of the file, when the file is
 * complete. */
typedef void convert_loss_fn(void *user, uint32_t kind, uint32_t layer, double relative_error);

#define CONVERT_WINDOW_AS_FOUND UINT32_MAX

typedef struct convert_options {
	uint32_t type; /* of all matrices: TYPE_Q4, TYPE_Q3, TYPE_Q8, TYPE_F16 */
	/* [n_tensor_types] "PATTERN=TYPE": other types for some of them (convert/types.h) */
	const char *const *tensor_types;
	size_t n_tensor_types;
	/* Instead of one type, q3, q4 or q8 for each matrix that no rule names, where they lose
	 * least (convert/mixed/choice.h): at most so many bits per weight of the whole file; 0:
	 * one type */
	double bits;
	/* the same: at most so many bytes of memory for the file, and for cache and scratch with
	 * the default options and CHOICE_THREADS threads; 0: one type */
	uint64_t memory;
	enum book_effort effort; /* of the search for q4 and q3 */
	/* file of brise calibrate: errors of q4 and q3 are weighed by it, and with EFFORT_HIGH fed
	 * back along the columns; NULL: none */
	const char *calibration;
	const char *arch;  /* kernel set that searches; NULL: the best. Any gives the same file */
	unsigned threads;  /* 0: one per core this process may use */
	bool no_tokenizer; /* convert a checkpoint that has none */
	/* [n_loras] adapters to merge, "FOLDER" or "FOLDER:SCALE" (convert/checkpoint/lora.h) */
	const char *const *loras;
	size_t n_loras;
	/* a format's name or the text of a file of affixes (runtime/CHAT.md), instead of what the
	 * template and the vocabulary show; NULL: those */
	const char *chat_format;
	/* instead of what the checkpoint says; 0: none, CONVERT_WINDOW_AS_FOUND: what it says */
	uint32_t window;
	convert_progress_fn *progress;
	convert_decision_fn *decision;
	convert_loss_fn *loss;
	brise_cancel_fn *cancel;
	void *user;
} convert_options;

typedef struct convert_result {
	uint64_t file_bytes, source_bytes; /* source counted as 2 bytes per weight */
	uint64_t weights;                  /* of all matrices */
	double bits_per_weight;            /* 8 * file_bytes / weights, of the whole file */
	double relative_error;             /* squared, over all matrices */
	/* the source's weights had been quantized before: their loss comes on top */
	bool requantized;
	double seconds;
} convert_result;

/* Type Q4, normal effort, the checkpoint's own window. */
void convert_init_options(convert_options *options);

/* Converts the checkpoint at `checkpoint`, a folder, a GGUF file or what
 * convert/checkpoint/locate.h knows, to the file `out`.
 *
 * The file is written beside its place and renamed when complete: after an error or a cancel the
 * target is as before and nothing is left. The same input gives the same bytes for any number of
 * threads. result may be NULL.
 * Errors: those of checkpoint_open, lora_open, added_tokens_read, sentencepiece_read_extended and
 * tokenizer_json_read_model; BRISE_EIO (no space, not writable), BRISE_ECANCELED. */
brise_status convert_checkpoint(const char *checkpoint, const char *out,
                                const convert_options *options, convert_result *result,
                                brise_error *err);

/* The same from any source. */
brise_status convert_write(const convert_source *source, const char *out,
                           const convert_options *options, convert_result *result,
                           brise_error *err);

#endif
