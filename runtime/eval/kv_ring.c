/* kv_ring.c - the rolling key/value cache (arXiv 2310.06825, section 2, "Rolling Buffer Cache")
 *
 * Position p is stored in slot p mod slots, so the cache of a window of W positions never grows.
 * Keys and values are int8 with one scale per head vector; they are quantized once, when produced,
 * so that prefill and decode read the same numbers.
 *
 * Spans are aligned to absolute positions: span s covers positions 32 s .. 32 s + 31 and lies in
 * place s mod (slots / 32) of its head's window, laid out for integer dot products (quant/span.h).
 * A head's window is contiguous. Layers with shorter windows than others have fewer slots.
 *
 * A ring has more slots than W. A pass of n rows writes positions p .. p + n - 1 straight into it,
 * and as long as W - 1 + n <= slots nothing that the first of them attends to, p - W + 1 at the
 * earliest, is overwritten. What is written counts only when the sequence's position moves past
 * it, so a cancelled pass needs no repair. Two positions may share a place: bytes of a span that
 * belong to positions outside those attended are never part of a result.
 *
 * Sinks, the first few positions that stay in view when the window has left them behind
 * (sequence.h), are written twice: into the ring, and into a span that nothing overwrites.
 *
 * The f32 ring, for reference, has spans of plain floats: keys [32][dim], then values [32][dim].
 */
#include "runtime/eval/kv_ring.h"

#include <inttypes.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"

/* Spans of a head in a layer. */
static uint64_t places_of(const kv_ring *ring, uint32_t layer)
{
	return kv_slots_of(&ring->slots, layer) / SPAN_POSITIONS;
}

static uint8_t *find_span(const kv_ring *ring, uint32_t layer, uint32_t head, uint64_t span)
{
	uint64_t places = places_of(ring, layer),
	         first = ring->first ? ring->first[layer] : layer * ring->n_heads * places;

	return ring->spans + (size_t)(first + head * places + span % places) * ring->span_bytes;
}

static uint8_t *find_sinks(const kv_ring *ring, uint32_t layer, uint32_t head)
{
	return ring->sinks + ((size_t)layer * ring->n_heads + head) * ring->span_bytes;
}

/* Spans of all layers, sinks apart: at most 2^10 * 2^12 * 2^27. */
static uint64_t count_spans(const kv_ring *ring)
{
	uint64_t spans = 0;
	uint32_t layer;

	if (!ring->slots.windows)
		return ring->n_layers * ring->n_heads * places_of(ring, 0);
	for (layer = 0; layer < ring->n_layers; layer++)
		spans += ring->n_heads * places_of(ring, layer);
	return spans;
}

static uint64_t count_sinks(const kv_ring *ring)
{
	return ring->keeps_sinks ? (uint64_t)ring->n_layers * ring->n_heads : 0;
}

static bool fits(const kv_ring *ring)
{
	uint64_t bytes;
	size_t size;

	return checked_mul(count_spans(ring) + count_sinks(ring), ring->span_bytes, &bytes) &&
	       checked_size(bytes, &size);
}

brise_status kv_ring_plan(kv_ring *ring, brise_kv_type type, const format_config *config,
                          uint64_t positions, const kv_slots *layers, bool sinks, brise_error *err)
{
	uint64_t slots;
	bool fit;

	memset(ring, 0, sizeof *ring);
	ring->map = MAP_CLOSED;
	ring->type = type;
	ring->n_layers = config->n_layers;
	ring->n_heads = config->n_kv_heads;
	ring->head_dim = config->head_dim;
	ring->dim = (uint32_t)span_dim(config->head_dim);
	ring->span_bytes = type == BRISE_KV_F32 ? 2 * SPAN_POSITIONS * ring->dim * sizeof(float)
	                                        : span_bytes(ring->dim);
	ring->keeps_sinks = sinks;
	ring->slots = *layers;
	fit = checked_round_up(positions, SPAN_POSITIONS, &slots) && slots <= UINT32_MAX;
	ring->slots.most = fit ? (uint32_t)slots : 0;
	if (fit && fits(ring))
		return BRISE_OK;
	return error_set(err, BRISE_EINVAL, "a cache of %" PRIu64 " positions is too large",
	                 positions);
}

static void set_memory(kv_ring *ring, uint8_t *bytes)
{
	ring->spans = bytes;
	if (ring->keeps_sinks && bytes)
		ring->sinks = bytes + (size_t)(count_spans(ring) * ring->span_bytes);
}

/* Where each layer begins; false: no memory. */
static bool place_layers(kv_ring *ring)
{
	uint64_t at = 0;
	uint32_t layer;

	if (!ring->slots.windows)
		return true;
	ring->first = memory_new(ring->n_layers, sizeof *ring->first);
	for (layer = 0; ring->first && layer < ring->n_layers; layer++) {
		ring->first[layer] = at;
		at += ring->n_heads * places_of(ring, layer);
	}
	return ring->first != NULL;
}

brise_status kv_ring_allocate(kv_ring *ring, brise_error *err)
{
	/* Fresh pages are zero and take no memory until they are touched. */
	set_memory(ring, memory_new((size_t)kv_ring_bytes(ring), 1));
	if (!ring->spans || !place_layers(ring))
		return error_set(err, BRISE_ENOMEM,
		                 "no memory for a key/value cache of %" PRIu32 " positions",
		                 ring->slots.most);
	return BRISE_OK;
}

static void free_memory(kv_ring *ring)
{
	if (ring->map.bytes)
		map_close(&ring->map);
	else
		memory_free(ring->spans);
	ring->spans = ring->sinks = NULL;
}

void kv_ring_free(kv_ring *ring)
{
	free_memory(ring);
	memory_free(ring->first);
	ring->first = NULL;
}

void kv_ring_adopt(kv_ring *ring, const map_file *map, uint8_t *bytes)
{
	free_memory(ring);
	ring->map = *map;
	set_memory(ring, bytes);
}

uint64_t kv_ring_bytes(const kv_ring *ring)
{
	return (count_spans(ring) + count_sinks(ring)) * ring->span_bytes;
}

void kv_ring_count(const kv_ring *ring, uint64_t *needed)
{
	memory_count(needed, kv_ring_bytes(ring), 1);
	if (ring->slots.windows)
		memory_count(needed, ring->n_layers, sizeof *ring->first);
}

static void copy_head(kv_ring *to, const kv_ring *from, uint32_t layer, uint32_t head,
                      uint64_t first, uint64_t n)
{
	uint64_t places = places_of(from, layer), done, step;

	n = n < places ? n : places;
	for (done = 0; done < n; done += step) {
		uint64_t left = places - (first + done) % places;

		step = n - done < left ? n - done : left;
		memcpy(find_span(to, layer, head, first + done),
		       find_span(from, layer, head, first + done), (size_t)step * from->span_bytes);
	}
}

void kv_ring_copy(kv_ring *to, const kv_ring *from, uint64_t first, uint64_t n)
{
	uint32_t layer, head;

	for (layer = 0; layer < from->n_layers; layer++)
		for (head = 0; head < from->n_heads; head++)
			copy_head(to, from, layer, head, first, n);
	if (from->keeps_sinks)
		memcpy(to->sinks, from->sinks,
		       (size_t)from->n_layers * from->n_heads * from->span_bytes);
}

static void put_int8(const kv_ring *ring, kv_ring_quantize_fn *quantize, uint8_t *span, unsigned at,
                     const float *key, const float *value)
{
	int8_t codes[ARCH_HEAD_DIM_MAX + SPAN_LANES];
	float *scales = (float *)(void *)(span + span_key_scales(ring->dim));
	uint32_t d;

	scales[at] = quantize(codes, key, ring->head_dim, ring->dim);
	for (d = 0; d < ring->dim; d += 4)
		memcpy(span + span_key(ring->dim, at, d), codes + d, 4);
	scales[SPAN_POSITIONS + at] = quantize(codes, value, ring->head_dim, ring->dim);
	for (d = 0; d < ring->dim; d++)
		span[span_value(ring->dim, at, d)] = (uint8_t)codes[d];
}

static void put(const kv_ring *ring, kv_ring_quantize_fn *quantize, uint8_t *span, unsigned at,
                const float *key, const float *value)
{
	if (ring->type == BRISE_KV_INT8) {
		put_int8(ring, quantize, span, at, key, value);
	} else {
		float *floats = (float *)(void *)span;

		memcpy(floats + (size_t)at * ring->dim, key, ring->head_dim * sizeof *key);
		memcpy(floats + ((size_t)SPAN_POSITIONS + at) * ring->dim, value,
		       ring->head_dim * sizeof *value);
	}
}

void kv_ring_put(kv_ring *ring, kv_ring_quantize_fn *quantize, uint32_t layer, uint32_t head,
                 uint64_t position, const float *key, const float *value)
{
	put(ring, quantize, find_span(ring, layer, head, position / SPAN_POSITIONS),
	    (unsigned)(position % SPAN_POSITIONS), key, value);
}

void kv_ring_put_sink(kv_ring *ring, kv_ring_quantize_fn *quantize, uint32_t layer, uint32_t head,
                      uint32_t index, const float *key, const float *value)
{
	put(ring, quantize, find_sinks(ring, layer, head), index, key, value);
}

const uint8_t *kv_ring_span(const kv_ring *ring, uint32_t layer, uint32_t head, uint64_t span)
{
	return find_span(ring, layer, head, span);
}

const uint8_t *kv_ring_sinks(const kv_ring *ring, uint32_t layer, uint32_t head)
{
	return find_sinks(ring, layer, head);
}
