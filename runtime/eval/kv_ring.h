/* kv_ring.h - the rolling key/value cache (arXiv 2310.06825, section 2, "Rolling Buffer Cache") */
#ifndef RUNTIME_KV_RING_H
#define RUNTIME_KV_RING_H

#include "arch/kernels.h"
#include "quant/rounding.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"
#include "runtime/os/map.h"

/* How many positions each layer holds, multiples of 32: `most`, or what its window needs where that
 * is less. */
typedef struct kv_slots {
	uint32_t most;
	const uint32_t *windows; /* [n_layers], 0: none; NULL: all layers have `most` */
	uint32_t limit;          /* no window is longer; 0: no limit */
	uint32_t slack;          /* positions beyond a window */
} kv_slots;

/* Where windows differ: that of a layer; 0: none. */
static inline uint32_t kv_slots_window(const kv_slots *s, uint32_t layer)
{
	uint32_t window = s->windows[layer];

	return s->limit > 0 && (window == 0 || window > s->limit) ? s->limit : window;
}

static inline uint32_t kv_slots_of(const kv_slots *s, uint32_t layer)
{
	uint32_t window = s->windows ? kv_slots_window(s, layer) : 0;
	uint64_t needed = round_up((uint64_t)window + s->slack, SPAN_POSITIONS);

	return window > 0 && needed < s->most ? (uint32_t)needed : s->most;
}

typedef struct kv_ring {
	brise_kv_type type;
	uint32_t n_layers, n_heads; /* key/value heads */
	uint32_t head_dim, dim;     /* dim: padded to 16 */
	kv_slots slots;
	size_t span_bytes;
	uint8_t *spans; /* [n_layers][n_heads][slots of the layer / 32] */
	/* [n_layers] spans of the layers before, where they differ; NULL: all have as many */
	uint64_t *first;
	bool keeps_sinks;
	uint8_t *sinks; /* [n_layers][n_heads] one span each, behind the others; NULL: none */
	map_file map;   /* the file whose pages are its memory; closed: memory of its own */
} kv_ring;

/* What turns a head vector into codes: arch_kernels.quantize_head. */
typedef float kv_ring_quantize_fn(int8_t *codes, const float *head, size_t head_dim, size_t dim);

/* An empty ring of at least `positions` slots, without memory yet: its size is known then. layers:
 * whose windows need fewer (`most` is not looked at); the list lives as long. sinks: with a span
 * for them. Errors: BRISE_EINVAL too large for this machine's addresses. */
brise_status kv_ring_plan(kv_ring *ring, brise_kv_type type, const format_config *config,
                          uint64_t positions, const kv_slots *layers, bool sinks, brise_error *err);

/* Its memory. Errors: BRISE_ENOMEM. */
brise_status kv_ring_allocate(kv_ring *ring, brise_error *err);
void kv_ring_free(kv_ring *ring);

/* Takes a private, writable map as memory, in place of what it has: `bytes` [kv_ring_bytes()] of it
 * are the spans. The map is closed with the ring. */
void kv_ring_adopt(kv_ring *ring, const map_file *map, uint8_t *bytes);
uint64_t kv_ring_bytes(const kv_ring *ring);

/* Adds what kv_ring_allocate will take to *needed. */
void kv_ring_count(const kv_ring *ring, uint64_t *needed);

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
