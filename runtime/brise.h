/* brise.h - the whole public interface of libbrise: Mistral models on the CPU
 *
 *     brise_model *model;  brise_engine *engine;  brise_sequence *sequence;  brise_error err;
 *     if (brise_open_model(&model, "mistral.brise", NULL, &err) != BRISE_OK) ... err.message
 *     brise_new_engine(&engine, model, NULL, &err);
 *     brise_new_sequence(&sequence, model, NULL, &err);
 *     brise_eval_tokens(engine, sequence, ids, n, &logits, NULL, NULL, &err);
 *
 * A model is read-only and may be shared by any number of engines, sequences and threads. An engine
 * evaluates; a sequence is one text's keys, values and position. Engines, sequences, samplers and
 * decoders belong to one caller at a time. Nothing here prints, exits, reads the environment, or
 * keeps state outside the objects it returns, except one signal handler (see brise_open_model).
 *
 * Sizes: [n] after a pointer is the number of its elements. Arrays are contiguous, matrices row by
 * row. Functions copy what they need of their arguments before they return, except where a comment
 * says that memory must outlive an object.
 *
 * Ownership: objects from brise_open_* and brise_new_* are freed by the function named alike
 * (brise_close_*, brise_free_*), which takes NULL; arrays from brise_encode_text by brise_free.
 * Everything else that a function returns belongs to an object and is valid as long as stated.
 *
 * Options begin with their size, so that a program built with an older header works with a newer
 * library: fields that the program does not know have their defaults. Options larger than the
 * library knows are accepted if all bytes it does not know are zero. Set the size, or call the
 * brise_init_* function: a size of 0 is BRISE_EINVAL.
 *
 * Errors: every function that can fail returns a brise_status and, after an error and if err is not
 * NULL, fills *err with the same code and a one-line message that names the file, the place, what
 * was expected and what was found. NULL where an object or a result is expected is BRISE_EINVAL, as
 * is any option out of range. Results are undefined after an error unless stated.
 *
 * Floating point: functions that compute with floats set the default environment (rounding to
 * nearest, subnormals kept, no traps) and restore the caller's before they return. Callbacks of
 * brise_eval_* therefore run in the default environment, whatever the program has set.
 *
 * Callbacks are called on the thread that called the function, never on a worker.
 */
#ifndef BRISE_H
#define BRISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRISE_VERSION "0.2.0"

typedef enum brise_status {
	BRISE_OK = 0,
	BRISE_EINVAL,  /* an argument out of range, such as a token id outside the vocabulary */
	BRISE_ENOMEM,  /* memory could not be had */
	BRISE_EIO,     /* the operating system refused: missing file, full disk, read error */
	BRISE_EFORMAT, /* the file is damaged or not what it claims to be */
	BRISE_EUNSUPPORTED, /* well-formed, but not something this version runs */
	BRISE_EFULL,        /* the sequence has no room for another position */
	BRISE_ECANCELED     /* the cancel callback asked to stop */
} brise_status;

typedef struct brise_error {
	brise_status code;
	char message[512]; /* one line of UTF-8 without control characters */
} brise_error;

typedef struct brise_model brise_model;
typedef struct brise_engine brise_engine;
typedef struct brise_sequence brise_sequence;
typedef struct brise_tokenizer brise_tokenizer;
typedef struct brise_encoder brise_encoder;
typedef struct brise_decoder brise_decoder;
typedef struct brise_sampler brise_sampler;
typedef struct brise_chat brise_chat;
typedef struct brise_answer brise_answer;
typedef struct brise_grammar brise_grammar;
typedef struct brise_matcher brise_matcher;

/* Called repeatedly during long work, with the `user` of the call; returning true cancels the work,
 * which then returns BRISE_ECANCELED.
 *
 * All callbacks run in the floating-point environment in which the library computes, which is the
 * one that programs start with (rounding to nearest, subnormal numbers kept, no traps), and must
 * leave it so. The caller's own is back when the function returns. */
typedef bool brise_cancel_fn(void *user);

/* Called repeatedly during long work: `done` of `total` bytes are done. */
typedef void brise_progress_fn(void *user, uint64_t done, uint64_t total);

/* A short name for a status, such as "out of memory". Static storage. */
const char *brise_get_status_name(brise_status status);

/* The library's version, BRISE_VERSION when it was built. Static storage. */
const char *brise_version(void);

/* Frees memory that the library allocated for the caller; NULL is allowed. */
void brise_free(void *memory);

/* ---- model ---------------------------------------------------------------------------------- */

typedef struct brise_open_options {
	size_t size; /* sizeof(brise_open_options) */
	/* true: the library installs no handler for SIGBUS (see below) */
	bool leave_faults;
	/* most bytes of memory for weights. 0: no limit, they are paged in when used and belong to
	 * the system's cache of files. A file that is not larger is mapped likewise; of a larger
	 * one, opening reads what fits (see brise_limit_memory, which also shows progress) */
	uint64_t memory;
} brise_open_options;

/* Maps the file at `path` and checks its header, configuration and tables; weights are paged in
 * when used. Cost: milliseconds, whatever the file's size, unless options limit the memory. options
 * NULL: all zero. *out: closed by the caller with brise_close_model; NULL after an error. Format:
 * quant/FORMAT.md.
 * Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED (newer format, big-endian machine),
 * BRISE_ENOMEM, BRISE_EINVAL (also less memory than this file needs; the message has the least).
 *
 * Reading a mapped page fails with the signal SIGBUS if another program has made the file shorter,
 * or a network file system or a card has failed. Therefore the library has a handler for SIGBUS
 * while a model is open. It handles faults inside the library's mappings only and passes all others
 * to the handler that was installed before, which is restored when the last model is closed. After
 * such a fault the function that was reading returns BRISE_EIO, and so do those after it until the
 * file can be read again with its length of before: then evaluation goes on, from the position
 * where it was. A program must not block SIGBUS in threads that call the library; and if it
 * installs a handler of its own while a model is open, that must pass unknown faults to the
 * previous one. A program that wants no handler of the library sets leave_faults, and ends with
 * SIGBUS unless it handles that. At most 256 mappings are guarded at the same time. */
brise_status brise_open_model(brise_model **out, const char *path,
                              const brise_open_options *options, brise_error *err);

/* The same from `size` bytes at `data` (64-byte aligned; flash, an embedded section), which stay
 * the caller's, must not change, and must outlive the model. name: of the file in messages.
 * Errors: as brise_open_model, without BRISE_EIO; BRISE_EINVAL also for misaligned data, and for a
 * limit on memory, because weights are read where they are. */
brise_status brise_open_memory(brise_model **out, const void *data, size_t size, const char *name,
                               const brise_open_options *options, brise_error *err);

/* Frees the model; NULL is allowed. All its engines and sequences must have been freed. */
void brise_close_model(brise_model *model);

typedef struct brise_model_facts {
	uint32_t dim, n_layers, n_heads, n_kv_heads, head_dim, hidden_dim, vocab;
	/* W: a token attends to itself and the W-1 before it; 0: to everything before it. Layers
	 * may differ: windows, below */
	uint32_t window;
	uint32_t max_context; /* positions the model was trained for; 0: not stated */
	float norm_eps;
	double rope_theta;
	int32_t bos, eos; /* begin and end token; bos -1: texts begin without one; eos -1: none */
	uint64_t file_bytes;     /* the whole file */
	uint64_t matrix_weights; /* weights of all matrices, embedding included, padding not */
	uint64_t matrix_bytes;   /* bytes these take in the file */
	uint64_t token_weights;  /* matrix weights multiplied for one token */
	uint64_t token_bytes;    /* bytes of the file read for one token */
	const char *type;        /* "q4", "q3", "q8", "f16", or "mixed" */
	/* the converter's decisions: lines of text from the file, "" if there are none */
	const char *origin;
	/* [n_ends] ids that end a generation, each once; eos is one of them */
	const int32_t *ends;
	size_t n_ends;
	/* the checkpoint's chat template (Jinja), unchanged and never executed; NULL: none */
	const char *chat_template;
	/* how conversations are written, as the converter recorded it: "v3", ..., "unknown", or the
	 * text of a file of affixes (runtime/CHAT.md), which begins with "{"; NULL: nothing */
	const char *chat_format;
	/* [n_layers] W of each layer where they differ, 0: none; `window` is the largest then, or 0
	 * if one of them is. NULL: all have `window` */
	const uint32_t *windows;
	bool tied; /* the embedding is the output matrix as well, stored once */
	/* how rotary frequencies are scaled, by rope_factor: "linear", or "yarn", which was trained
	 * for rope_original positions before; NULL: they are not */
	const char *rope_scaling;
	double rope_factor;
	uint32_t rope_original;
	/* queries are multiplied by 1 + query_beta ln(1 + floor(position / query_original)); beta
	 * 0: they are not */
	uint32_t query_original;
	double query_beta;
} brise_model_facts;

/* Facts of an open model; they and all they point to are valid until it is closed. NULL for
 * NULL. */
const brise_model_facts *brise_get_model_facts(const brise_model *model);

typedef struct brise_tensor_facts {
	char name[48];          /* "layers.3.wq" */
	const char *type;       /* "f32", "f16", "q8", "q4", "q3" */
	uint32_t rows, cols;    /* a vector has one row */
	uint64_t offset, bytes; /* in the file */
	float relative_error; /* squared error of the conversion over the squared norm; 0 for f32 */
} brise_tensor_facts;

size_t brise_get_tensor_count(const brise_model *model); /* 0 for NULL */

/* Fills facts, of `size` = sizeof *facts bytes, for tensor `index` in file order.
 * Errors: BRISE_EINVAL index out of range. */
brise_status brise_get_tensor_facts(const brise_model *model, size_t index,
                                    brise_tensor_facts *facts, size_t size, brise_error *err);

/* Decodes row row_index of tensor `index` into `row`, [cols] floats. For tools and tests:
 * evaluation uses the encoded weights directly.
 * Errors: BRISE_EINVAL index or row_index out of range; BRISE_EUNSUPPORTED a tensor of a kind or
 * type that this version does not know; BRISE_EIO. */
brise_status brise_read_row(const brise_model *model, size_t index, uint32_t row_index, float *row,
                            brise_error *err);

/* Compares every section and tensor with its checksum; reads the whole file. progress, cancel:
 * called every 8 MB with `user`; NULL: not called.
 * Errors: BRISE_EFORMAT names the first that differs; BRISE_EIO; BRISE_ECANCELED. */
brise_status brise_verify_model(const brise_model *model, brise_progress_fn *progress,
                                brise_cancel_fn *cancel, void *user, brise_error *err);

/* ---- memory --------------------------------------------------------------------------------- */

typedef struct brise_memory_facts {
	uint64_t budget;         /* the limit, in bytes */
	uint64_t least;          /* the smallest limit for this file */
	uint64_t kept_bytes;     /* weights that are read once and kept in memory */
	uint64_t streamed_bytes; /* weights that every pass reads from the file */
	uint64_t buffer_bytes;   /* memory through which an engine streams them */
	bool limited;            /* false: no limit, weights are mapped; all else is zero */
	bool locked;             /* the system has promised not to swap what is kept out */
	bool direct;             /* the file is read past the system's cache of files */
} brise_memory_facts;

/* What brise_limit_memory would do, in facts of `size` = sizeof *facts bytes; nothing is read.
 * Errors: BRISE_EINVAL too little memory for this file, BRISE_ENOMEM. */
brise_status brise_plan_memory(const brise_model *model, uint64_t bytes, brise_memory_facts *facts,
                               size_t size, brise_error *err);

/* Limits what the model's matrices take, its embedding aside, to `bytes` of memory, that of one
 * engine's buffer included: instead of the mapped file, as many as fit are read now and kept, and
 * engines stream the rest anew in each pass. For files larger than memory, which the system's cache
 * would read as a whole for every token. Any limit gives the same bits. Rows of the embedding still
 * come from the mapping. Call it once, after opening and before engines are made; each further
 * engine takes a buffer of its own. A limit that everything fits in has a use, too: what is kept is
 * in huge pages where the system has them, which some machines read faster than those of a file.
 * progress and cancel may be NULL; progress counts bytes. After an error the model is as it was. A
 * failure of the disk in a later pass is BRISE_EIO of that pass alone: the next reads again.
 * Errors: BRISE_EINVAL too little memory for this file (the message has the least), not a mapped
 * file, a second limit; BRISE_ENOMEM, BRISE_EIO, BRISE_ECANCELED. */
brise_status brise_limit_memory(brise_model *model, uint64_t bytes, brise_progress_fn *progress,
                                brise_cancel_fn *cancel, void *user, brise_error *err);

/* Fills facts, of `size` = sizeof *facts bytes. Errors: BRISE_EINVAL. */
brise_status brise_get_memory_facts(const brise_model *model, brise_memory_facts *facts,
                                    size_t size, brise_error *err);

/* ---- engine --------------------------------------------------------------------------------- */

/* Positions lie in [0, BRISE_POSITION_END). Sines and cosines of rotary embeddings are right to the
 * rounding of float at each of them (runtime/eval/rope.c). */
#define BRISE_POSITION_END (UINT64_C(1) << 48)

typedef struct brise_engine_options {
	size_t size; /* sizeof(brise_engine_options) */
	/* most rows of one pass over the weights, 1..4096; 0: 256. Any value gives the same bits.
	 * Where a limit on memory streams weights, each pass reads them once: more rows make long
	 * prompts faster on a slow disk, and take memory (brise_get_engine_bytes) */
	uint32_t rows;
	/* 1..256; 0: one per core this process may use. Any value gives the same bits */
	uint32_t threads;
	/* kernel set, as brise_get_arch lists them; NULL: the best supported */
	const char *arch;
} brise_engine_options;

/* Fills options, of `size` = sizeof *options bytes, with the defaults above. */
void brise_init_engine_options(brise_engine_options *options, size_t size);

/* Makes an engine: worker threads, and memory for the activations of `rows` rows. It evaluates any
 * number of sequences of the model, one pass at a time. The model must outlive it. options NULL:
 * defaults. *out: freed by the caller with brise_free_engine; NULL after an error. If the system
 * starts fewer threads than requested, the engine works with those: its facts say how many.
 * Errors: BRISE_EINVAL, BRISE_EUNSUPPORTED (kernel set not available here), BRISE_ENOMEM.
 *
 * After fork the child has none of the threads: its copy of an engine evaluates on the calling
 * thread alone, with the same bits, and freeing it does not wait. No thread may be evaluating with
 * the engine at the moment of the fork. */
brise_status brise_new_engine(brise_engine **out, const brise_model *model,
                              const brise_engine_options *options, brise_error *err);

/* Bytes that the activations of such an engine will take (work_bytes of its facts, if all threads
 * start), before it is made. options NULL: defaults. Errors: BRISE_EINVAL. */
brise_status brise_get_engine_bytes(const brise_model *model, const brise_engine_options *options,
                                    uint64_t *bytes, brise_error *err);

/* Stops the threads and frees the engine; NULL is allowed. Sequences are not affected. */
void brise_free_engine(brise_engine *engine);

typedef struct brise_engine_facts {
	uint32_t rows, threads;
	uint64_t work_bytes; /* bytes of activations and scratch */
	const char *arch;    /* kernel set in use */
} brise_engine_facts;

/* Bytes of weights that an engine has read from its model's file, of those that a limit on memory
 * does not keep; 0 without a limit and for NULL. */
uint64_t brise_get_engine_bytes_read(const brise_engine *engine);

/* Facts of an engine, valid until it is freed; NULL for NULL. */
const brise_engine_facts *brise_get_engine_facts(const brise_engine *engine);

/* Name of kernel set `index`, best first; NULL past the end. *supported (may be NULL): whether this
 * machine runs it. Static storage. */
const char *brise_get_arch(size_t index, bool *supported);

/* ---- sequence ------------------------------------------------------------------------------- */

typedef enum brise_kv_type { BRISE_KV_INT8 = 0, BRISE_KV_F32 = 1 } brise_kv_type;

typedef struct brise_sequence_options {
	size_t size;      /* sizeof(brise_sequence_options) */
	brise_kv_type kv; /* int8 unless reference values are wanted */
	/* positions a token attends to, itself included; 0: as the model was trained. A smaller
	 * window takes less memory and changes the output. Layers whose own is smaller keep it */
	uint32_t window;
	/* positions kept where there is no window; 0: the trained length, at most 4096. Ignored
	 * with a window */
	uint32_t context;
	/* with a window: positions kept beyond it, 1..4096; 0: 256. The most rows of the sequence
	 * that fit in one pass, and the distance that brise_rewind_sequence can always go back.
	 * Ignored without a window */
	uint32_t slack;
	uint64_t position; /* of the first token; nothing is attended to before it */
	/* with a window: the first `sinks` tokens, at most 32 and fewer than the window, stay
	 * attended to in place of as many of the window's oldest (attention sinks, arXiv
	 * 2309.17453: 4 of them let a model that was trained without a window continue far beyond
	 * the one it is given); 0: none */
	uint32_t sinks;
} brise_sequence_options;

/* Fills options, of `size` = sizeof *options bytes, with the defaults above. */
void brise_init_sequence_options(brise_sequence_options *options, size_t size);

/* Makes an empty sequence: the rolling cache of keys and values, and a position. It belongs to the
 * model, which must outlive it, not to an engine: any engine of that model can evaluate it. options
 * NULL: defaults. *out: freed by the caller with brise_free_sequence; NULL after an error.
 * Errors: BRISE_EINVAL, BRISE_ENOMEM. */
brise_status brise_new_sequence(brise_sequence **out, const brise_model *model,
                                const brise_sequence_options *options, brise_error *err);

void brise_free_sequence(brise_sequence *sequence); /* NULL is allowed */

typedef struct brise_sequence_facts {
	uint64_t position; /* of the next token */
	uint64_t start;    /* of the first */
	uint64_t end;      /* the first position that no token can have */
	/* the earliest position but `start` that brise_rewind_sequence takes now */
	uint64_t rewind_from;
	/* positions a token attends to; 0: all before it. Where layers differ: the largest */
	uint64_t window;
	uint64_t slots;     /* positions the cache holds: window or context, and slack */
	uint64_t kv_bytes;  /* memory of the cache */
	uint32_t pass_rows; /* most rows of this sequence in one pass */
	uint32_t sinks;     /* first tokens that stay attended to */
	uint32_t slack;     /* where layers' windows differ: positions kept beyond them */
} brise_sequence_facts;

/* Facts of a sequence, valid until it is freed and always current; NULL for NULL. */
const brise_sequence_facts *brise_get_sequence_facts(const brise_sequence *sequence);

/* Goes back to an earlier position: the next token gets that position, and all later logits have
 * the bits of a sequence that was never longer. Going back to the start is always possible. To
 * another position it is possible while the cache still holds that position's window: for the last
 * `slack` positions before the furthest ever evaluated, cancelled passes included; without a window
 * for all.
 * Errors: BRISE_EINVAL the position is before the start or after the current one, or its window is
 * no longer held; the sequence is unchanged then. */
brise_status brise_rewind_sequence(brise_sequence *sequence, uint64_t position, brise_error *err);

/* ---- evaluation ----------------------------------------------------------------------------- */

/* A token to evaluate at its sequence's next position. */
typedef struct brise_row {
	brise_sequence *sequence;
	int32_t token; /* in [0, vocab) */
	bool logits;   /* whether the logits that follow it are wanted */
} brise_row;

/* Receives the logits [vocab] that follow row (or token) `index`, natural-log scale, not
 * normalised, valid during the call, with the `user` of the call. Returning true cancels. Must not
 * use the engine, nor change its sequences. */
typedef bool brise_logits_fn(void *user, size_t index, const float *logits);

/* Evaluates n rows in one pass over the weights, n at most the engine's `rows`. Rows of different
 * sequences may be mixed in any order; those of one sequence are successive positions of it. A
 * row's bits depend on its own sequence alone.
 *
 * rows     [n]
 * each     called in order for the rows whose `logits` is true; may be NULL if there are none
 * cancel   called before each layer; NULL: never
 * user     passed to both
 *
 * To keep only the first m of a sequence's rows, rewind it to its old position + m afterwards.
 * Errors: BRISE_EINVAL (an id out of range, another model's sequence, more rows than the engine or
 * a sequence takes), BRISE_EFULL (a sequence without room): nothing is evaluated.
 * BRISE_ECANCELED by `cancel`: no position has moved. The same call again then continues with the
 * layer that was to come, where `cancel` is called again first: so a pass can be cut into slices,
 * for a watchdog or more urgent work. If engine or sequences have been used otherwise meanwhile, or
 * a limit on memory streams weights, it begins anew, with the same result. By `each`: all positions
 * have moved.
 * BRISE_EIO: the model's file could not be read (see brise_open_model). No position has moved,
 * though `each` may have been called for some of the rows; when the file can be read again, the
 * same call evaluates the same. Engine and sequences stay usable after every error. */
brise_status brise_eval_rows(brise_engine *engine, const brise_row *rows, size_t n,
                             brise_logits_fn *each, brise_cancel_fn *cancel, void *user,
                             brise_error *err);

/* The last hidden state of row `index` of the brise_eval_rows with this engine that has just
 * returned BRISE_OK: what its output matrix multiplies, behind the final norm.
 *
 * state   [dim]
 *
 * Errors: BRISE_EINVAL no such row. */
brise_status brise_get_state(brise_engine *engine, size_t index, float *state, brise_error *err);

/* Evaluates n tokens of one sequence, in as many passes as they take.
 *
 * tokens   [n] ids in [0, vocab)
 * logits   *logits: [vocab] after the last token, natural-log scale, not normalised; valid until
 *          the engine is used again or freed. NULL: not wanted
 * cancel   called before each layer with `user`; NULL: never
 *
 * Any n gives the same bits as n calls with one token. n may be 0 if logits is NULL.
 * Errors: as brise_eval_rows; room for all n is checked before the first is evaluated.
 * BRISE_ECANCELED, BRISE_EIO: the position is that of the last whole pass; evaluation may continue
 * from there, in the middle of a pass that was cut (see brise_eval_rows) if the call has exactly
 * the tokens that are left. */
brise_status brise_eval_tokens(brise_engine *engine, brise_sequence *sequence,
                               const int32_t *tokens, size_t n, const float **logits,
                               brise_cancel_fn *cancel, void *user, brise_error *err);

/* As brise_eval_tokens, but calls `each` with the logits after every token, in order, when the pass
 * with the token has ended.
 * Errors: as brise_eval_tokens; BRISE_ECANCELED also when `each` returned true, after which the
 * position is that of the end of the pass. */
brise_status brise_eval_all(brise_engine *engine, brise_sequence *sequence, const int32_t *tokens,
                            size_t n, brise_logits_fn *each, brise_cancel_fn *cancel, void *user,
                            brise_error *err);

/* ---- tokenizer ------------------------------------------------------------------------------ */

/* The model's tokenizer, valid until the model is closed; NULL for NULL, and if the file has
 * none. */
const brise_tokenizer *brise_get_tokenizer(const brise_model *model);

/* Opens a tokenizer section without a model (quant/FORMAT.md); the section of added tokens may
 * follow it directly. data [size], 8-byte aligned, stays the caller's and must outlive the
 * tokenizer. name: of the file in messages. *out: closed by the caller with brise_close_tokenizer;
 * NULL after an error.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status brise_open_tokenizer(brise_tokenizer **out, const void *data, size_t size,
                                  const char *name, brise_error *err);

/* Frees a tokenizer from brise_open_tokenizer; NULL is allowed. A model's own is freed with the
 * model. */
void brise_close_tokenizer(brise_tokenizer *tokenizer);

typedef struct brise_tokenizer_facts {
	uint32_t vocab;        /* pieces; the model may have more rows */
	int32_t unk, bos, eos; /* ids; -1: none. Byte-level tokenizers have no unk */
} brise_tokenizer_facts;

/* Fills facts, of `size` = sizeof *facts bytes; with zeros if tokenizer is NULL. */
void brise_get_tokenizer_facts(const brise_tokenizer *tokenizer, brise_tokenizer_facts *facts,
                               size_t size);

/* Text to ids, without the begin token, as SentencePiece's BPE with byte fallback, or as Mistral's
 * tekken, whichever the file holds; added tokens are cut out of the text first where it says so.
 * Each byte that is not UTF-8 becomes U+FFFD; with tekken, each longest beginning of a character.
 * Time is O(n log n). Threads may encode with one tokenizer at the same time.
 *
 * text     [bytes], NUL bytes allowed
 * control  whether control tokens are recognised in the text, as templates of conversations need
 *          it; false for text from users, which then never becomes a control token
 * ids      *ids: [*n], freed by the caller with brise_free; NULL when *n is 0, and after an error
 *
 * Errors: BRISE_EINVAL a text too long to encode at once (about 1 GB), BRISE_ENOMEM. */
brise_status brise_encode_text(const brise_tokenizer *tokenizer, const char *text, size_t bytes,
                               bool control, int32_t **ids, size_t *n, brise_error *err);

/* Makes an encoder, which does the same for texts of at most `most` bytes, one after another,
 * without taking memory again. It takes about 100 bytes for each byte of a text (150 with a
 * byte-level tokenizer), more where added tokens have many different lengths. The tokenizer must
 * outlive it. *out: freed by the caller with brise_free_encoder; NULL after an error. Errors:
 * BRISE_EINVAL `most` is more than 16 MB, BRISE_ENOMEM. */
brise_status brise_new_encoder(brise_encoder **out, const brise_tokenizer *tokenizer, size_t most,
                               brise_error *err);
void brise_free_encoder(brise_encoder *encoder); /* NULL is allowed */

/* As brise_encode_text. *ids: [*n], the encoder's, valid until its next text.
 * Errors: BRISE_EINVAL the text is longer than the encoder was made for. */
brise_status brise_encode_next(brise_encoder *encoder, const char *text, size_t bytes, bool control,
                               const int32_t **ids, size_t *n, brise_error *err);

/* Makes a decoder, which turns ids into text as they come. It drops the space that encoding put
 * before the first word, if any, holds back bytes until a character is complete, and writes U+FFFD
 * for each byte that cannot become one (with a byte-level tokenizer, for as many as begin a
 * character); control tokens give no text. The tokenizer must outlive it. *out:
 * freed by the caller with brise_free_decoder; NULL after an error.
 * Errors: BRISE_ENOMEM. */
brise_status brise_new_decoder(brise_decoder **out, const brise_tokenizer *tokenizer,
                               brise_error *err);
void brise_free_decoder(brise_decoder *decoder); /* NULL is allowed */

/* Decodes the next id. *text: UTF-8, [*bytes], not NUL-terminated, valid until the next call with
 * this decoder; often empty, and always for control tokens and rows of the model without a piece.
 * Errors: BRISE_EINVAL id outside the model's vocabulary; the decoder is unchanged. */
brise_status brise_decode_token(brise_decoder *decoder, int32_t id, const char **text,
                                size_t *bytes, brise_error *err);

/* Ends a text: bytes held back become U+FFFD in *text [*bytes], valid as above, and the decoder is
 * ready for a new text. Errors: BRISE_EINVAL only (NULL arguments). */
brise_status brise_finish_decoder(brise_decoder *decoder, const char **text, size_t *bytes,
                                  brise_error *err);

/* A token's piece as stored, with U+2581 for a space: *piece [*bytes], not NUL-terminated, valid as
 * long as the tokenizer; empty for a row of the model without a piece. With a byte-level tokenizer
 * spaces are spaces, and a piece may be a part of a character.
 * Errors: BRISE_EINVAL id outside the model's vocabulary. */
brise_status brise_get_piece(const brise_tokenizer *tokenizer, int32_t id, const char **piece,
                             size_t *bytes, brise_error *err);

/* The id of the token whose piece, as stored, is exactly piece [bytes]; control tokens are found as
 * well. *id is -1 if there is none. Takes time in proportion to the vocabulary.
 * Errors: BRISE_EINVAL no such piece. */
brise_status brise_find_token(const brise_tokenizer *tokenizer, const char *piece, size_t bytes,
                              int32_t *id, brise_error *err);

/* ---- conversations -------------------------------------------------------------------------- */

typedef enum brise_role {
	BRISE_SYSTEM = 1,
	BRISE_USER,
	BRISE_ASSISTANT,
	BRISE_TOOL /* a tool's result */
} brise_role;

/* Texts are UTF-8 and NUL-terminated. */
typedef struct brise_tool_call {
	const char *id;        /* any text of the client's; NULL: none */
	const char *name;      /* of the tool */
	const char *arguments; /* JSON; NULL or "": {} */
} brise_tool_call;

/* Reasoning within a message of the assistant or the system. */
typedef struct brise_thought {
	size_t at;        /* in the content: what it stands in front of; `bytes`: at its end */
	const char *text; /* UTF-8 [bytes] */
	size_t bytes;
	bool is_open; /* it has not ended: the answer goes on with it */
} brise_thought;

typedef struct brise_message {
	brise_role role;
	const char *content; /* UTF-8 [bytes], NUL bytes allowed; NULL: none */
	size_t bytes;
	const brise_tool_call *calls; /* [n_calls] of the assistant */
	size_t n_calls;
	const char *call_id; /* of a result: the call that it answers; NULL: not said */
	const char *name;    /* of a result: the tool; NULL: that of the call */
	bool continued;      /* of the assistant's last message: the answer is to continue it */
	const brise_thought *thoughts; /* [n_thoughts] in the order of their places */
	size_t n_thoughts;
} brise_message;

typedef struct brise_conversation {
	size_t size;                   /* sizeof(brise_conversation) */
	const brise_message *messages; /* [n] */
	size_t n;
	const char
	        *tools; /* JSON, a list of functions as OpenAI's interface has them; NULL: none */
	size_t tools_bytes;
} brise_conversation;

typedef struct brise_chat_options {
	size_t size; /* sizeof(brise_chat_options) */
	/* "v1", "v2", "v3", "v3-tekken", "v7", "v11", "v13" (Mistral's), "chatml", "zephyr"; NULL:
	 * what the model's file says, or its template and its vocabulary show */
	const char *format;
	/* a file of affixes instead, as runtime/CHAT.md describes it: its text [affixes_bytes], and
	 * what messages call it; NULL: none */
	const char *affixes;
	size_t affixes_bytes;
	const char *affixes_name;
} brise_chat_options;

/* Makes the format of a model's conversations.
 *
 * tokenizer   as of brise_get_tokenizer; must outlive the chat
 * facts       of the model; NULL: of a tokenizer alone, then the options name a format
 * options     NULL: all zero
 * out         freed by the caller with brise_free_chat; NULL after an error
 *
 * Errors: BRISE_EUNSUPPORTED nothing says which format it is, or what is said is not known: the
 * message says what was seen; BRISE_EFORMAT a file of affixes; BRISE_EINVAL an unknown name, or a
 * vocabulary without the format's control tokens; BRISE_ENOMEM. */
brise_status brise_new_chat(brise_chat **out, const brise_tokenizer *tokenizer,
                            const brise_model_facts *facts, const brise_chat_options *options,
                            brise_error *err);
void brise_free_chat(brise_chat *chat); /* NULL is allowed */

typedef struct brise_chat_facts {
	const char *format;  /* "v3", ...; "custom": a file of affixes */
	const char *reason;  /* why this one: "the model's file", "its chat template", ... */
	const int32_t *ends; /* [n_ends] tokens that end an answer, the model's included */
	size_t n_ends;
	bool system, tools;  /* whether it has system messages, and tools */
	bool thoughts;       /* and a form for reasoning */
	bool text_and_calls; /* whether one answer may have text and tool calls */
} brise_chat_facts;

/* Facts of a chat, valid until it is freed; NULL for NULL. */
const brise_chat_facts *brise_get_chat_facts(const brise_chat *chat);

/* The ids of a conversation, begin token included, up to where the assistant's answer begins; of
 * one that ends with an answer that is not to be continued, up to that answer's end. Control tokens
 * are those that the format places: no text of a message becomes one.
 *
 * ids   *ids: [*n], freed by the caller with brise_free; NULL after an error
 *
 * Errors: BRISE_EINVAL messages in an order that the format does not have, or what it has no form
 * for, each with the number of the message, the first being 1; BRISE_EFORMAT tools that are no
 * JSON; BRISE_ENOMEM. */
brise_status brise_encode_chat(const brise_chat *chat, const brise_conversation *conversation,
                               int32_t **ids, size_t *n, brise_error *err);

/* The id of a tool call as Mistral's v3 writes it, nine letters and digits: id itself if it is of
 * that form, else nine that follow from it, always the same. `id` of the model's own are of that
 * form. */
void brise_map_call_id(const char *id, char nine[10]);

/* The way back: the id of a call in the conversation that brise_map_call_id turns into `nine`;
 * NULL: none, as for calls that the model makes anew. */
const char *brise_find_call_id(const brise_conversation *conversation, const char *nine);

typedef enum brise_answer_kind {
	BRISE_ANSWER_TEXT = 1,  /* a part of the answer's text */
	BRISE_ANSWER_CALL,      /* a tool call begins: the tool's name */
	BRISE_ANSWER_ARGUMENTS, /* a part of its arguments, as the model wrote them: JSON, unchecked
	                         */
	BRISE_ANSWER_CALL_END,  /* it ends: the id that the model gave it, "" for none */
	BRISE_ANSWER_THOUGHT    /* a part of the reasoning, where the format has it apart */
} brise_answer_kind;

typedef struct brise_answer_piece {
	brise_answer_kind kind;
	size_t call;      /* number of the call, from 0 */
	const char *text; /* UTF-8 [bytes], not NUL-terminated, valid during the call */
	size_t bytes;
} brise_answer_piece;

/* Receives the pieces of an answer, in order. */
typedef void brise_answer_fn(void *user, const brise_answer_piece *piece);

/* Makes a reader of answers, which turns ids into text and tool calls as they come: what follows
 * [TOOL_CALLS] as a token, a list of objects or name[ARGS]{...}. What looks like a call and is none
 * becomes text. The chat must outlive it. *out: freed by the caller with brise_free_answer; NULL
 * after an error. Errors: BRISE_ENOMEM. */
brise_status brise_new_answer(brise_answer **out, const brise_chat *chat, brise_error *err);
void brise_free_answer(brise_answer *answer); /* NULL is allowed */

/* Begins an answer to a prompt [n] of brise_encode_chat: if that ends within reasoning, the answer
 * begins so. Not needed where prompts never do. */
void brise_begin_answer(brise_answer *answer, const int32_t *prompt, size_t n);

/* How many ids since then were reasoning, its marks [THINK] and [/THINK] included. */
size_t brise_count_thought(const brise_answer *answer);

/* Reads the next id, and calls `each` with `user` for every piece that it completes. End tokens
 * give none. Errors: BRISE_EINVAL id outside the vocabulary, BRISE_ENOMEM. */
brise_status brise_read_answer(brise_answer *answer, int32_t id, brise_answer_fn *each, void *user,
                               brise_error *err);

/* Ends an answer: what was held back comes as pieces, and the reader is ready for another.
 * Errors: BRISE_EFORMAT it has a tool call that is cut off or is none; BRISE_ENOMEM. */
brise_status brise_finish_answer(brise_answer *answer, brise_answer_fn *each, void *user,
                                 brise_error *err);

/* ---- sampler -------------------------------------------------------------------------------- */

typedef struct brise_logit_bias {
	int32_t token;
	float bias; /* added to the logit; -INFINITY bans the token */
} brise_logit_bias;

typedef struct brise_sampling {
	size_t size;       /* sizeof(brise_sampling) */
	float temperature; /* 0: greedy, the first of the largest logits */
	uint32_t top_k;    /* keep the k most likely; 0: all */
	float top_p;       /* keep the smallest set whose probability reaches p; 1: all */
	float min_p;       /* keep tokens at least min_p times as likely as the likeliest; 0: all */
	/* divides positive, multiplies negative logits of recent tokens (arXiv 1909.05858, 4.1);
	 * 1: off */
	float repetition_penalty;
	float presence_penalty;       /* subtracted once from recent tokens; 0: off */
	float frequency_penalty;      /* subtracted per occurrence; 0: off */
	uint32_t penalty_last;        /* how many of the last accepted tokens are recent; 0: none */
	const brise_logit_bias *bias; /* [n_bias], copied */
	size_t n_bias;
	uint64_t seed;
	/* the tokenizer's vocabulary where the model's is larger: rows from there on have no piece
	 * and are never drawn; 0: every row may be */
	uint32_t n_pieces;
} brise_sampling;

/* Fills sampling, of `size` = sizeof *sampling bytes, with the defaults: temperature 0.7, top_k 0,
 * top_p 0.95, min_p 0, penalties off with penalty_last 64, no bias, seed 0, n_pieces 0. */
void brise_init_sampling(brise_sampling *sampling, size_t size);

/* Makes a sampler for logits of `vocab` elements, the model's vocabulary. sampling NULL: the
 * defaults; it is copied. *out: freed by the caller with brise_free_sampler; NULL after an error.
 * The other functions of a sampler allocate nothing.
 * Errors: BRISE_EINVAL names the value out of range; BRISE_ENOMEM. */
brise_status brise_new_sampler(brise_sampler **out, uint32_t vocab, const brise_sampling *sampling,
                               brise_error *err);
void brise_free_sampler(brise_sampler *sampler); /* NULL is allowed */

/* Adds a token to the text so far (prompt or drawn), for the penalties.
 * Errors: BRISE_EINVAL token outside the vocabulary. */
brise_status brise_accept_token(brise_sampler *sampler, int32_t token, brise_error *err);

/* Restricts the tokens that can be drawn from now on, before all other steps: token id is allowed
 * if bit id % 32 of allowed[id / 32] is set, [(vocab + 31) / 32]. The mask stays the caller's and
 * must live as long as it is set; it is read in each brise_sample_token, so it may change between
 * calls. NULL: no mask. Errors: BRISE_EINVAL sampler is NULL. */
brise_status brise_set_mask(brise_sampler *sampler, const uint32_t *allowed, brise_error *err);

/* Draws the next token from logits [vocab], which are not changed. Order: mask, penalties, bias,
 * top-k, temperature, top-p, min-p, draw. Penalties and finite biases, however large, leave a
 * finite logit finite. Does not accept the token. The same seed and logits give the same choice on
 * every machine. Errors: BRISE_EINVAL no token that may be drawn has a finite logit. */
brise_status brise_sample_token(brise_sampler *sampler, const float *logits, int32_t *token,
                                brise_error *err);

/* ---- grammars ------------------------------------------------------------------------------- */

typedef enum brise_grammar_kind {
	BRISE_GRAMMAR_JSON = 1, /* any JSON object */
	BRISE_GRAMMAR_SCHEMA,   /* JSON that a schema describes (runtime/GRAMMARS.md) */
	BRISE_GRAMMAR_GBNF,     /* a grammar as llama.cpp writes them; it begins with `root` */
	/* what stands behind [TOOL_CALLS]: calls as brise_encode_chat writes them, each with
	 * arguments by its tool's parameters */
	BRISE_GRAMMAR_TOOLS
} brise_grammar_kind;

typedef struct brise_grammar_options {
	size_t size; /* sizeof(brise_grammar_options) */
	brise_grammar_kind kind;
	/* the schema, the grammar, or the tools as of brise_conversation: UTF-8 [bytes]. Not used
	 * for BRISE_GRAMMAR_JSON */
	const char *text;
	size_t bytes;
	const char *name; /* of the text in messages; NULL: "schema", "grammar" or "tools" */
	const char *tool; /* of tools: the only one that may be called; NULL: any */
	bool one_call;    /* of tools: one call, where otherwise several may follow each other */
	/* memory that the states of its texts may take before they are made anew; 0: 64 MB */
	size_t memory;
	/* of tools: where parameters are not supported, the arguments are any object
	 * (brise_get_loose_tools); otherwise that is an error */
	bool loose_tools;
	/* of tools: the format whose form calls have, of the same tokenizer; NULL: a list, as in v3
	 */
	const brise_chat *chat;
} brise_grammar_options;

/* Fills options, of `size` = sizeof *options bytes, with the defaults above and no kind. */
void brise_init_grammar_options(brise_grammar_options *options, size_t size);

/* Compiles a grammar for the tokens of a vocabulary. Text by it is UTF-8, always the beginning of a
 * text that the grammar describes, and ends only where such a text ends. JSON has the properties of
 * an object in the order of the schema, each key once, and white space within limits: at most one
 * space, or one line feed and an indentation, between its parts.
 *
 * A grammar is not changed but for a cache of states, which its matchers fill. So it may be made on
 * one thread and used on another, but all its matchers must be made, used and freed by one thread
 * at a time.
 *
 * tokenizer   must outlive the grammar
 * out         freed by the caller with brise_free_grammar, after its matchers; NULL after an error
 *
 * Time and memory are bounded, whatever the text. Errors: BRISE_EFORMAT the text is no JSON, no
 * schema or no grammar; BRISE_EUNSUPPORTED a keyword or a form that is not known, or too large:
 * the message names it and its place; BRISE_EINVAL no such tool, or a chat of another tokenizer;
 * BRISE_ENOMEM. */
brise_status brise_new_grammar(brise_grammar **out, const brise_tokenizer *tokenizer,
                               const brise_grammar_options *options, brise_error *err);
void brise_free_grammar(brise_grammar *grammar); /* NULL is allowed */

/* Which tools have any object as arguments, and why: their names and what is not supported, one
 * line without control characters. NULL: none. Valid as long as the grammar. */
const char *brise_get_loose_tools(const brise_grammar *grammar);

/* Makes a matcher, which holds the place of one text in a grammar; at first its beginning.
 *
 * ends    [n_ends] tokens that end the text: allowed exactly where it may end
 * answer  whether the text is read with a decoder of its own (brise_new_answer), which drops the
 *         space that the first token begins with: that space is then allowed in addition, and no
 *         part of the text. false: it continues a prompt
 * out     freed by the caller with brise_free_matcher; NULL after an error
 *
 * Errors: BRISE_EINVAL an id outside the vocabulary, BRISE_ENOMEM. */
brise_status brise_new_matcher(brise_matcher **out, const brise_grammar *grammar,
                               const int32_t *ends, size_t n_ends, bool answer, brise_error *err);
void brise_free_matcher(brise_matcher *matcher); /* NULL is allowed */

typedef struct brise_allowed {
	/* tokens that may be next, as brise_set_mask takes them, valid until the next call with the
	 * matcher */
	const uint32_t *mask;
	bool may_end;  /* the text so far is whole; `ends` are in the mask */
	bool must_end; /* nothing else is: the text may be ended without evaluating its last token
	                */
} brise_allowed;

/* What may be next, in *allowed. The mask is exact: a token is in it if and only if the text with
 * it is the beginning of a text of the grammar. Takes next to nothing in a state that has been met
 * before, about a millisecond in a new one.
 * Errors: BRISE_EUNSUPPORTED no token of the vocabulary continues the text, or the grammar is too
 * ambiguous at this place; BRISE_ENOMEM. */
brise_status brise_get_allowed(brise_matcher *matcher, brise_allowed *allowed, brise_error *err);

/* Adds a token to the text. Errors: BRISE_EINVAL it is not allowed, as nothing is behind an end
 * token; BRISE_EUNSUPPORTED as above, BRISE_ENOMEM. The matcher is unchanged then. */
brise_status brise_match_token(brise_matcher *matcher, int32_t id, brise_error *err);

/* Goes back to the beginning of a text. */
void brise_reset_matcher(brise_matcher *matcher);

/* ---- sessions ------------------------------------------------------------------------------- */

/* Saves a text as it stands: the sequence's keys and values and position, the text's tokens [n], of
 * which the first position - start have been evaluated (0: not kept), and what the sampler (NULL:
 * none) remembers. The file appears when it is complete, replaces a session and nothing else, and
 * has checksums. Loading goes on with the same bits as if nothing had been interrupted.
 * Errors: BRISE_EIO, BRISE_ENOMEM, BRISE_EINVAL. */
brise_status brise_save_session(const char *path, const brise_sequence *sequence,
                                const int32_t *tokens, size_t n, const brise_sampler *sampler,
                                brise_error *err);

/* Makes a sequence that goes on where a saved one stood, on the same model file, with any number of
 * threads and any kernel set. A cache that is filled by half is not read but mapped: until its
 * pages are written to they are the file's, which must not be changed then. (Saving another session
 * under its name does not change it. If the file becomes shorter or cannot be read, evaluating
 * returns BRISE_EIO.)
 *
 * out      the sequence, freed by the caller with brise_free_sequence; NULL after an error
 * tokens   *tokens: the text's tokens [*n], freed with brise_free; tokens or n NULL: not wanted
 * options  NULL: as it was saved. Otherwise type, window and sinks must be the saved ones; context
 *          and slack may differ, as long as what the next token needs has room; position is ignored
 * sampler  gets the state of the one that was saved, if one was; its settings are the caller's.
 *          NULL: not wanted
 *
 * Errors: BRISE_EINVAL the session of another model file, or options that differ;
 * BRISE_EUNSUPPORTED it was saved by a version with another format or other bits; BRISE_EFORMAT no
 * session, cut off or damaged; BRISE_EIO, BRISE_ENOMEM. */
brise_status brise_load_session(brise_sequence **out, int32_t **tokens, size_t *n, const char *path,
                                const brise_model *model, const brise_sequence_options *options,
                                brise_sampler *sampler, brise_error *err);

/* Prepares a sequence that has evaluated held [n_held] for the text tokens [n]: rewinds it to the
 * end of what both begin with, at most n - 1 tokens, as logits come with a token that is evaluated.
 * *kept: how many tokens need no evaluation; 0 where the window of that place is no longer held.
 * tokens + *kept is what to evaluate next. Errors: BRISE_EINVAL. */
brise_status brise_keep_prefix(brise_sequence *sequence, const int32_t *held, size_t n_held,
                               const int32_t *tokens, size_t n, size_t *kept, brise_error *err);

/* ---- without an operating system ------------------------------------------------------------- */

typedef struct brise_arena_options {
	size_t size;                            /* sizeof(brise_arena_options) */
	const brise_engine_options *engine;     /* NULL: defaults, here and in the next two */
	const brise_sequence_options *sequence; /* of each sequence */
	const brise_sampling *sampling;         /* of each sequence's sampler */
	uint32_t sequences;  /* texts at the same time, each with a decoder too; 0: one */
	size_t prompt_bytes; /* longest text for one brise_encoder; 0: there is none */
} brise_arena_options;

/* Fills options, of `size` = sizeof *options bytes, with the defaults above. */
void brise_init_arena_options(brise_arena_options *options, size_t size);

/* Bytes of memory for a model from brise_open_memory, one engine, and what the options say, made
 * once: what brise_give_memory needs. It reads the model's tables and takes no memory itself, so it
 * can be called on the board, and also where the program is built if pointers have the same size
 * there and options.engine says how many threads. data [size]: the model, 64-byte aligned; its name
 * when it is opened has at most 255 bytes.
 * Errors: BRISE_EINVAL, and as brise_open_memory where the tables are damaged. */
brise_status brise_get_arena_bytes(const void *data, size_t size,
                                   const brise_arena_options *options, uint64_t *bytes,
                                   brise_error *err);

/* All memory of the library for firmware (make firmware; runtime/FIRMWARE.md) comes from one range
 * that the program gives it before it calls anything else: memory [bytes], which stays the
 * library's. These two functions are in that library alone.
 * Errors: BRISE_EINVAL NULL, or too little for anything. */
brise_status brise_give_memory(void *memory, size_t bytes, brise_error *err);

/* Bytes from the start of that range to the furthest byte ever used. */
size_t brise_get_memory_used(void);

#ifdef __cplusplus
}
#endif

#endif
