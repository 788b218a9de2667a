/* kv_ring.h - the rolling key/value cache (arXiv 2310.06825, section 2, "Rolling Buffer Cache") */
#ifndef RUNTIME_KV_RING_H
#define RUNTIME_KV_RING_H

#include "arch/kernels.h"
#include "runtime/brise.h"

typedef struct kv_ring {
	brise_kv_type type;
	uint32_t n_layers, n_heads; /* key/value heads */
	uint32_t head_dim, dim;     /* dim: padded to 16 */
	uint32_t slots;             /* W rounded up to whole spans of 32 positions */
	uint32_t chunk_spans;       /* spans that a chunk of tokens may touch */
	size_t span_bytes;
	uint8_t *ring;  /* [n_layers][n_heads][slots / 32] spans */
	uint8_t *chunk; /* [n_layers][n_heads][chunk_spans] spans: what the chunk under way has
	                   produced */
	/* of the kernel set */
	float (*quantize)(int8_t *codes, const float *head, size_t head_dim, size_t dim);
	uint64_t base; /* position of the first token of that chunk */
} kv_ring;

/* window: positions to keep; kernels quantize what enters. Errors: BRISE_ENOMEM, BRISE_EINVAL too
 * large for this machine's addresses. */
brise_status kv_ring_new(kv_ring *ring, const arch_kernels *kernels, brise_kv_type type,
                         uint32_t n_layers, uint32_t n_heads, uint32_t head_dim, uint64_t window,
                         uint32_t chunk, brise_error *err);
void kv_ring_free(kv_ring *ring);
uint64_t kv_ring_bytes(const kv_ring *ring);

/* Begins a chunk of tokens at position `base`. Nothing of it enters the ring before kv_ring_commit.
 */
void kv_ring_begin(kv_ring *ring, uint64_t base);

/* Brings the earlier positions that share a span with the chunk's first token into the chunk: once
 * per layer and head, before its first kv_ring_put. */
void kv_ring_share(kv_ring *ring, uint32_t layer, uint32_t head);

/* Stores key and value [head_dim] of a position of the chunk; int8 rings quantize here, once and
 * for all. */
void kv_ring_put(kv_ring *ring, uint32_t layer, uint32_t head, uint64_t position, const float *key,
                 const float *value);

/* The span that holds positions [32 * span, 32 * span + 32), from the chunk if it reaches that far,
 * else from the ring. */
const uint8_t *kv_ring_span(const kv_ring *ring, uint32_t layer, uint32_t head, uint64_t span);

/* Writes positions [base, base + n) into their slots. */
void kv_ring_commit(kv_ring *ring, uint32_t n);

#endif
