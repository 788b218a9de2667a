/* kv_ring.h - the rolling key/value cache (arXiv 2310.06825, section 2, "Rolling Buffer Cache") */
#ifndef RUNTIME_KV_RING_H
#define RUNTIME_KV_RING_H

#include "arch/kernels.h"
#include "runtime/brise.h"
#include "runtime/os/map.h"

typedef struct kv_ring {
	brise_kv_type type;
	uint32_t n_layers, n_heads; /* key/value heads */
	uint32_t head_dim, dim;     /* dim: padded to 16 */
	uint32_t slots;             /* positions it holds, a multiple of 32 */
	size_t span_bytes;
	uint8_t *spans; /* [n_layers][n_heads][slots / 32] */
	bool keeps_sinks;
	uint8_t *sinks; /* [n_layers][n_heads] one span each, behind the others; NULL: none */
	map_file map;   /* the file whose pages are its memory; closed: memory of its own */
} kv_ring;

/* What turns a head vector into codes: arch_kernels.quantize_head. */
typedef float kv_ring_quantize_fn(int8_t *codes, const float *head, size_t head_dim, size_t dim);

/* An empty ring of at least `positions` slots, without memory yet: its size is known then. sinks:
 * with a span for them. Errors: BRISE_EINVAL too large for this machine's addresses. */
brise_status kv_ring_plan(kv_ring *ring, brise_kv_type type, uint32_t n_layers, uint32_t n_heads,
                          uint32_t head_dim, uint64_t positions, bool sinks, brise_error *err);

/* Its memory. Errors: BRISE_ENOMEM. */
brise_status kv_ring_allocate(kv_ring *ring, brise_error *err);
void kv_ring_free(kv_ring *ring);

/* Takes a private, writable map as memory, in place of what it has: `bytes` [kv_ring_bytes()] of it
 * are the spans. The map is closed with the ring. */
void kv_ring_adopt(kv_ring *ring, const map_file *map, uint8_t *bytes);
uint64_t kv_ring_bytes(const kv_ring *ring);

/* Copies successive spans, and the sinks, to a ring of the same shape. */
void kv_ring_copy(kv_ring *to, const kv_ring *from, uint64_t first, uint64_t n);

/* Writes key and value [head_dim] into the slot of a position; int8 rings quantize here, once and
 * for all. */
void kv_ring_put(kv_ring *ring, kv_ring_quantize_fn *quantize, uint32_t layer, uint32_t head,
                 uint64_t position, const float *key, const float *value);

/* The same into place `index` of the sinks, below SPAN_POSITIONS. */
void kv_ring_put_sink(kv_ring *ring, kv_ring_quantize_fn *quantize, uint32_t layer, uint32_t head,
                      uint32_t index, const float *key, const float *value);

/* The span that holds positions [32 * span, 32 * span + 32). */
const uint8_t *kv_ring_span(const kv_ring *ring, uint32_t layer, uint32_t head, uint64_t span);

/* The span of the sinks; their places are in order from 0 on. */
const uint8_t *kv_ring_sinks(const kv_ring *ring, uint32_t layer, uint32_t head);

#endif
