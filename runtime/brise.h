/* brise.h - the whole public interface of libbrise: Mistral models on the CPU
 *
 *     brise_model *model;  brise_context *ctx;  brise_error err;  const float *logits;
 *     if (brise_open_model(&model, "mistral.brise", &err) != BRISE_OK) ... err.message
 *     brise_new_context(&ctx, model, NULL, &err);
 *     brise_eval(ctx, ids, n, &logits, &err);
 *
 * A model is read-only and may be shared by any number of contexts and threads. A context, a
 * sampler and a decoder belong to one caller at a time. Nothing here prints, exits, or keeps state
 * outside the objects it returns.
 *
 * Every function that can fail returns a brise_status and, when err is not NULL, fills *err with
 * the same code and a one-line message that names the file, the place, what was expected and what
 * was found.
 */
#ifndef BRISE_H
#define BRISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRISE_VERSION "0.1.0"

typedef enum brise_status {
	BRISE_OK = 0,
	BRISE_EINVAL,  /* an argument out of range, such as a token id outside the vocabulary */
	BRISE_ENOMEM,  /* memory could not be had */
	BRISE_EIO,     /* the operating system refused: missing file, full disk, read error */
	BRISE_EFORMAT, /* the file is damaged or not what it claims to be */
	BRISE_EUNSUPPORTED, /* well-formed, but not something this version runs */
	BRISE_EFULL, /* the context has no room for another position and the model has no window */
	BRISE_ECANCELED /* the cancel callback asked to stop */
} brise_status;

typedef struct brise_error {
	brise_status code;
	char message[512]; /* one line, no newline, UTF-8 as far as the names in it are */
} brise_error;

typedef struct brise_model brise_model;
typedef struct brise_context brise_context;
typedef struct brise_tokenizer brise_tokenizer;
typedef struct brise_decoder brise_decoder;
typedef struct brise_sampler brise_sampler;

/* Called now and then during long work; returning true cancels it with BRISE_ECANCELED. */
typedef bool brise_cancel_fn(void *user);

/* done and total count the same unit (bytes or tokens) of the work at hand. */
typedef void brise_progress_fn(void *user, uint64_t done, uint64_t total);

/* A short name for a status, such as "out of memory". Static storage. */
const char *brise_name_status(brise_status status);

/* ---- model ---------------------------------------------------------------------------------- */

/* Maps a file and checks its header, configuration and tensor table. Reads a few kilobytes,
 * whatever the file's size; weights are paged in when used. *out is NULL after an error. Format:
 * quant/FORMAT.md. Errors: BRISE_EIO, BRISE_EFORMAT, BRISE_EUNSUPPORTED (newer format, big-endian
 * machine), BRISE_ENOMEM. */
brise_status brise_open_model(brise_model **out, const char *path, brise_error *err);

/* The same from `size` bytes at `data` (64-byte aligned; flash, an embedded section), which stay
 * the caller's and must outlive the model. `name` stands for the file in messages. */
brise_status brise_open_memory(brise_model **out, const void *data, size_t size, const char *name,
                               brise_error *err);

/* Frees the model; NULL is allowed. All its contexts must have been freed. */
void brise_close_model(brise_model *model);

typedef struct brise_model_facts {
	uint32_t dim, n_layers, n_heads, n_kv_heads, head_dim, hidden_dim, vocab;
	/* W: a token attends to itself and the W-1 before it; 0: to everything before it */
	uint32_t window;
	uint32_t max_context; /* positions the model was trained for; 0: not stated */
	float norm_eps;
	double rope_theta;
	int32_t bos, eos;        /* token ids, -1: none */
	uint64_t file_bytes;     /* the whole file */
	uint64_t matrix_weights; /* weights of all matrices, embedding included, padding not */
	uint64_t matrix_bytes;   /* bytes these take in the file */
	uint64_t token_weights; /* matrix weights multiplied for one token: all but the embedding */
	uint64_t token_bytes;   /* bytes of the file read for one token */
	const char *type;       /* "q4", "q8", "f16", or "mixed" */
	/* the converter's decisions, lines of UTF-8, "" if none; not NUL-free input: always
	 * terminated */
	const char *origin;
} brise_model_facts;

/* Facts of an open model, valid as long as it. */
const brise_model_facts *brise_get_facts(const brise_model *model);

typedef struct brise_tensor_facts {
	char name[48];       /* "layers.3.wq" */
	const char *type;    /* "f32", "f16", "q8", "q4" */
	uint32_t rows, cols; /* a vector has one row */
	uint64_t offset, bytes;
	float relative_error; /* squared error of the conversion over the squared norm; 0 for f32 */
} brise_tensor_facts;

size_t brise_count_tensors(const brise_model *model);

/* Fills *facts for tensor `index` in file order. Errors: BRISE_EINVAL index out of range. */
brise_status brise_get_tensor(const brise_model *model, size_t index, brise_tensor_facts *facts,
                              brise_error *err);

/* Decodes one row of a tensor into `row`, [cols] floats. For tools and tests; the forward pass uses
 * the tiles as they lie. */
brise_status brise_read_row(const brise_model *model, size_t index, uint32_t row_index, float *row,
                            brise_error *err);

/* Compares every section and tensor with its checksum; reads the whole file. Errors: BRISE_EFORMAT
 * names the first that differs. */
brise_status brise_verify_model(const brise_model *model, brise_progress_fn *progress,
                                brise_cancel_fn *cancel, void *user, brise_error *err);

/* ---- context -------------------------------------------------------------------------------- */

typedef enum brise_kv_type { BRISE_KV_INT8 = 0, BRISE_KV_F32 = 1 } brise_kv_type;

typedef struct brise_options {
	/* positions to keep for a model without a window; 0: its trained length, at most 4096.
	 * Ignored with a window */
	uint32_t context;
	/* tokens per pass over the weights, 1..4096; 0: 256. Any value gives the same bits */
	uint32_t chunk;
	uint32_t threads; /* 1..256; 0: one per core this process may use. Any value gives the same
	                     bits */
	brise_kv_type kv; /* int8 unless reference values are wanted */
	/* kernel set, as brise_get_arch lists them; NULL: BRISE_ARCH from the environment, else the
	 * best supported */
	const char *arch;
	brise_cancel_fn *cancel; /* asked once per layer and chunk; NULL: never */
	void *user;              /* handed to cancel */
} brise_options;

/* Fills *options with the defaults above. */
void brise_init_options(brise_options *options);

/* Makes an evaluation context: rolling key/value cache, activations, worker threads. options NULL:
 * defaults. Errors: BRISE_EINVAL, BRISE_EUNSUPPORTED (kernel set not available here), BRISE_ENOMEM.
 */
brise_status brise_new_context(brise_context **out, const brise_model *model,
                               const brise_options *options, brise_error *err);

/* Stops the threads and frees the context; NULL is allowed. */
void brise_free_context(brise_context *ctx);

/* Evaluates n tokens that follow those already in the context.
 *
 * tokens   [n] ids in [0, vocab)
 * logits   [vocab] of the last token, natural-log scale, not normalised; valid until the next call.
 * NULL: not wanted
 *
 * Any n gives the same bits as n calls with one token. Cost: one pass over the weights per chunk of
 * options.chunk tokens. Errors: BRISE_EINVAL an id out of range, BRISE_EFULL no window and no room:
 * nothing is evaluated. BRISE_ECANCELED: the position is that of the last whole chunk; evaluation
 * may go on from there. */
brise_status brise_eval(brise_context *ctx, const int32_t *tokens, size_t n, const float **logits,
                        brise_error *err);

/* Receives the logits [vocab] that follow tokens[index]; they are valid during the call. Returning
 * true cancels. */
typedef bool brise_logits_fn(void *user, size_t index, const float *logits);

/* As brise_eval, but hands out the logits of every token, in order. Errors also: BRISE_ECANCELED
 * when `each` asked for it. */
brise_status brise_eval_all(brise_context *ctx, const int32_t *tokens, size_t n,
                            brise_logits_fn *each, void *user, brise_error *err);

/* Forgets all positions; the next token is at position 0. */
void brise_reset_context(brise_context *ctx);

typedef struct brise_context_facts {
	uint64_t position; /* tokens evaluated since the last reset */
	uint64_t slots;    /* positions the cache holds: W, or the chosen context */
	uint32_t chunk, threads;
	uint64_t kv_bytes, work_bytes; /* anonymous memory: cache, activations */
	const char *arch;              /* kernel set in use */
} brise_context_facts;

void brise_get_context(const brise_context *ctx, brise_context_facts *facts);

/* Name of kernel set `index`, best first, and through *supported (may be NULL) whether this machine
 * runs it; NULL past the end. */
const char *brise_get_arch(size_t index, bool *supported);

/* ---- tokenizer ------------------------------------------------------------------------------ */

/* The model's tokenizer, or NULL if the file has none. It lives as long as the model. */
const brise_tokenizer *brise_get_tokenizer(const brise_model *model);

/* Opens a tokenizer section by itself (convert/ makes one from a SentencePiece model). `data`,
 * 8-byte aligned, stays the caller's and must outlive the tokenizer. Errors: BRISE_EFORMAT,
 * BRISE_EUNSUPPORTED, BRISE_ENOMEM. */
brise_status brise_open_tokenizer(brise_tokenizer **out, const void *data, size_t size,
                                  const char *name, brise_error *err);

/* Frees a tokenizer from brise_open_tokenizer; NULL is allowed. A model's own is freed with the
 * model. */
void brise_close_tokenizer(brise_tokenizer *tokenizer);

typedef struct brise_tokenizer_facts {
	uint32_t vocab;
	int32_t unk, bos, eos; /* -1: none */
} brise_tokenizer_facts;

void brise_get_tokenizer_facts(const brise_tokenizer *tokenizer, brise_tokenizer_facts *facts);

/* Text to ids, without BOS, as SentencePiece BPE with byte fallback. Control tokens never come out
 * of text; bytes that are not UTF-8 become U+FFFD each. Time is O(n log n).
 *
 * text [bytes], NUL bytes allowed.  *ids: malloc'ed [*n], freed by the caller with free(); NULL
 * when *n is 0. */
brise_status brise_encode_text(const brise_tokenizer *tokenizer, const char *text, size_t bytes,
                               int32_t **ids, size_t *n, brise_error *err);

/* Streaming ids to text. The decoder drops the space that encoding put before the first word, holds
 * back bytes until a character is whole, and writes U+FFFD for each byte that cannot become one;
 * control tokens give nothing. */
brise_status brise_new_decoder(brise_decoder **out, const brise_tokenizer *tokenizer,
                               brise_error *err);
void brise_free_decoder(brise_decoder *decoder);

/* *text: UTF-8, [*bytes], not NUL-terminated, valid until the next call on this decoder; often
 * empty, and always for control tokens and rows of the model without a piece. Errors: BRISE_EINVAL
 * id outside the model's vocabulary. */
brise_status brise_decode_token(brise_decoder *decoder, int32_t id, const char **text,
                                size_t *bytes, brise_error *err);

/* Ends a stream: what is held back comes out as U+FFFD, and the decoder is ready for a new text.
 * Never fails. */
void brise_finish_decoder(brise_decoder *decoder, const char **text, size_t *bytes);

/* A token's piece as stored, U+2581 for space: [*bytes], valid as long as the tokenizer; empty for
 * a row of the model without a piece. Errors: BRISE_EINVAL id outside the model's vocabulary. */
brise_status brise_get_piece(const brise_tokenizer *tokenizer, int32_t id, const char **piece,
                             size_t *bytes, brise_error *err);

/* The id of the token whose piece, as stored, is exactly piece [bytes]; control tokens are found as
 * well. *id is -1 if there is none. Takes time in proportion to the vocabulary. Errors:
 * BRISE_EINVAL no such piece. */
brise_status brise_find_token(const brise_tokenizer *tokenizer, const char *piece, size_t bytes,
                              int32_t *id, brise_error *err);

/* ---- sampler -------------------------------------------------------------------------------- */

typedef struct brise_logit_bias {
	int32_t token;
	float bias; /* added to the logit; -INFINITY bans the token */
} brise_logit_bias;

typedef struct brise_sampling {
	float temperature; /* 0: greedy, the first of the largest logits */
	uint32_t top_k;    /* keep the k most likely; 0: all */
	float top_p;       /* keep the smallest set whose probability reaches p; 1: all */
	float min_p;       /* keep tokens at least min_p times as likely as the likeliest; 0: all */
	/* divides positive, multiplies negative logits of recent tokens (arXiv 1909.05858, 4.1); 1:
	 * off */
	float repetition_penalty;
	float presence_penalty;       /* subtracted once from recent tokens; 0: off */
	float frequency_penalty;      /* subtracted per occurrence; 0: off */
	uint32_t penalty_last;        /* recent means the last so many accepted tokens; 0: none */
	const brise_logit_bias *bias; /* [n_bias], copied */
	size_t n_bias;
	uint64_t seed;
	/* the tokenizer's vocabulary where the model's is larger: rows from there on have no piece
	 * and are never drawn; 0: every row may be */
	uint32_t n_pieces;
} brise_sampling;

/* temperature 0.7, top_k 0, top_p 0.95, min_p 0, penalties off with penalty_last 64, seed 0,
 * n_pieces 0. */
void brise_init_sampling(brise_sampling *sampling);

/* Errors: BRISE_EINVAL names the value that makes no sense; BRISE_ENOMEM. No allocation happens
 * after this. */
brise_status brise_new_sampler(brise_sampler **out, uint32_t vocab, const brise_sampling *sampling,
                               brise_error *err);
void brise_free_sampler(brise_sampler *sampler);

/* Tells the sampler a token of the text so far (prompt or chosen), for the penalties. Errors:
 * BRISE_EINVAL. */
brise_status brise_accept_token(brise_sampler *sampler, int32_t token, brise_error *err);

/* Restricts what is drawn from now on, before everything else: token id may be drawn if bit id % 32
 * of allowed[id / 32] is set, [(vocab + 31) / 32]. The mask is read at each brise_sample_token, so
 * it may change between calls, and stays the caller's; it must live as long as it is set. NULL: no
 * mask.
 */
void brise_set_mask(brise_sampler *sampler, const uint32_t *allowed);

/* Chooses the next token from logits [vocab]; order: mask, penalties, bias, top-k, temperature,
 * top-p, min-p, draw. Penalties and finite biases, however large, leave a finite logit finite. Does
 * not accept the token. The same seed and logits give the same choice on every machine. Errors:
 * BRISE_EINVAL no logit that may be drawn is finite. */
brise_status brise_sample_token(brise_sampler *sampler, const float *logits, int32_t *token,
                                brise_error *err);

#ifdef __cplusplus
}
#endif

#endif
