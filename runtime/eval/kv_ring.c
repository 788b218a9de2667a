/* kv_ring.c - the rolling key/value cache (arXiv 2310.06825, section 2, "Rolling Buffer Cache")
 *
 * Position p lives in slot p mod W (W rounded up to whole spans of 32), so the cache of a window of
 * W positions never grows. Keys and values are int8 with one scale per head vector; they are
 * quantized once, when produced, so that prefill and decode read the same numbers.
 *
 * Spans are aligned to absolute positions: span s covers positions 32 s .. 32 s + 31 and lies in
 * place s mod (W / 32) of its head's window, laid out for integer dot products (quant/span.h). A
 * head's window is contiguous.
 *
 * A chunk of tokens is first kept beside the ring: its queries may still need the positions that it
 * will overwrite, and a chunk that is cancelled must leave no trace. kv_ring_commit copies it into
 * the slots at the end.
 *
 * The f32 ring, for reference, has spans of plain floats: keys [32][dim], then values [32][dim].
 */
#include "runtime/eval/kv_ring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "quant/checked.h"
#include "runtime/error.h"

static uint8_t *span_in(uint8_t *spans, const kv_ring *ring, uint32_t spans_of_head, uint32_t layer,
                        uint32_t head, uint64_t index)
{
	return spans + (((size_t)layer * ring->n_heads + head) * spans_of_head + (size_t)index) *
	                       ring->span_bytes;
}

static uint8_t *ring_span(const kv_ring *ring, uint32_t layer, uint32_t head, uint64_t span)
{
	uint32_t spans = ring->slots / SPAN_POSITIONS;

	return span_in(ring->ring, ring, spans, layer, head, span % spans);
}

static uint8_t *chunk_span(const kv_ring *ring, uint32_t layer, uint32_t head, uint64_t span)
{
	return span_in(ring->chunk, ring, ring->chunk_spans, layer, head,
	               span - ring->base / SPAN_POSITIONS);
}

static uint8_t *allocate_spans(const kv_ring *ring, uint64_t spans_of_head)
{
	uint64_t bytes;
	size_t size;

	if (!checked_mul((uint64_t)ring->n_layers * ring->n_heads, spans_of_head, &bytes) ||
	    !checked_mul(bytes, ring->span_bytes, &bytes) ||
	    !checked_round_up(bytes, TILE_ALIGN, &bytes) || !checked_size(bytes, &size))
		return NULL;
	/* Pages from a fresh mapping are zero and cost nothing until touched. */
	return calloc(1, size);
}

brise_status kv_ring_new(kv_ring *ring, const arch_kernels *kernels, brise_kv_type type,
                         uint32_t n_layers, uint32_t n_heads, uint32_t head_dim, uint64_t window,
                         uint32_t chunk, brise_error *err)
{
	uint64_t slots;

	memset(ring, 0, sizeof *ring);
	ring->quantize = kernels->quantize_head;
	ring->type = type;
	ring->n_layers = n_layers;
	ring->n_heads = n_heads;
	ring->head_dim = head_dim;
	ring->dim = (uint32_t)span_dim(head_dim);
	if (!checked_round_up(window, SPAN_POSITIONS, &slots) || slots > UINT32_MAX)
		return error_set(err, BRISE_EINVAL, "a cache of %" PRIu64 " positions is too large",
		                 window);
	ring->slots = (uint32_t)slots;
	ring->span_bytes = type == BRISE_KV_F32 ? 2 * SPAN_POSITIONS * ring->dim * sizeof(float)
	                                        : span_bytes(ring->dim);
	/* A chunk that starts anywhere touches one span more than it fills. */
	ring->chunk_spans = chunk / SPAN_POSITIONS + 2;
	ring->ring = allocate_spans(ring, slots / SPAN_POSITIONS);
	ring->chunk = allocate_spans(ring, ring->chunk_spans);
	if (ring->ring && ring->chunk)
		return BRISE_OK;
	kv_ring_free(ring);
	return error_set(err, BRISE_ENOMEM,
	                 "no memory for a key/value cache of %" PRIu64 " positions", window);
}

void kv_ring_free(kv_ring *ring)
{
	free(ring->ring);
	free(ring->chunk);
	ring->ring = ring->chunk = NULL;
}

uint64_t kv_ring_bytes(const kv_ring *ring)
{
	return (uint64_t)ring->n_layers * ring->n_heads *
	       (ring->slots / SPAN_POSITIONS + ring->chunk_spans) * ring->span_bytes;
}

void kv_ring_begin(kv_ring *ring, uint64_t base)
{
	ring->base = base;
}

void kv_ring_share(kv_ring *ring, uint32_t layer, uint32_t head)
{
	if (ring->base % SPAN_POSITIONS != 0)
		memcpy(chunk_span(ring, layer, head, ring->base / SPAN_POSITIONS),
		       ring_span(ring, layer, head, ring->base / SPAN_POSITIONS), ring->span_bytes);
}

static void put_int8(const kv_ring *ring, uint8_t *span, unsigned at, const float *key,
                     const float *value)
{
	int8_t codes[ARCH_HEAD_DIM_MAX + SPAN_LANES];
	float *scales = (float *)(void *)(span + span_key_scales(ring->dim));
	uint32_t d;

	scales[at] = ring->quantize(codes, key, ring->head_dim, ring->dim);
	for (d = 0; d < ring->dim; d += 4)
		memcpy(span + span_key(ring->dim, at, d), codes + d, 4);
	scales[SPAN_POSITIONS + at] = ring->quantize(codes, value, ring->head_dim, ring->dim);
	for (d = 0; d < ring->dim; d++)
		span[span_value(ring->dim, at, d)] = (uint8_t)codes[d];
}

void kv_ring_put(kv_ring *ring, uint32_t layer, uint32_t head, uint64_t position, const float *key,
                 const float *value)
{
	uint8_t *span = chunk_span(ring, layer, head, position / SPAN_POSITIONS);
	unsigned at = (unsigned)(position % SPAN_POSITIONS);

	if (ring->type == BRISE_KV_INT8) {
		put_int8(ring, span, at, key, value);
	} else {
		float *floats = (float *)(void *)span;

		memcpy(floats + (size_t)at * ring->dim, key, ring->head_dim * sizeof *key);
		memcpy(floats + ((size_t)SPAN_POSITIONS + at) * ring->dim, value,
		       ring->head_dim * sizeof *value);
	}
}

const uint8_t *kv_ring_span(const kv_ring *ring, uint32_t layer, uint32_t head, uint64_t span)
{
	return span >= ring->base / SPAN_POSITIONS ? chunk_span(ring, layer, head, span)
	                                           : ring_span(ring, layer, head, span);
}

/* A position's share of an int8 span: scattered dwords of keys, bytes of values. */
static void copy_int8(const kv_ring *ring, uint8_t *to, const uint8_t *from, unsigned at)
{
	size_t key_scale = span_key_scales(ring->dim) + at * sizeof(float),
	       value_scale = span_value_scales(ring->dim) + at * sizeof(float);
	uint32_t d;

	for (d = 0; d < ring->dim; d += 4)
		memcpy(to + span_key(ring->dim, at, d), from + span_key(ring->dim, at, d), 4);
	for (d = 0; d < ring->dim; d++)
		to[span_value(ring->dim, at, d)] = from[span_value(ring->dim, at, d)];
	memcpy(to + key_scale, from + key_scale, sizeof(float));
	memcpy(to + value_scale, from + value_scale, sizeof(float));
}

static void copy_f32(const kv_ring *ring, uint8_t *to, const uint8_t *from, unsigned at)
{
	size_t row = ring->dim * sizeof(float);

	memcpy(to + at * row, from + at * row, row);
	memcpy(to + (SPAN_POSITIONS + at) * row, from + (SPAN_POSITIONS + at) * row, row);
}

static void commit_head(kv_ring *ring, uint32_t layer, uint32_t head, uint64_t end)
{
	uint64_t position = ring->base;

	while (position < end) {
		uint64_t span = position / SPAN_POSITIONS;
		uint8_t *to = ring_span(ring, layer, head, span);
		const uint8_t *from = chunk_span(ring, layer, head, span);

		if (position % SPAN_POSITIONS == 0 && end - position >= SPAN_POSITIONS) {
			memcpy(to, from, ring->span_bytes);
			position += SPAN_POSITIONS;
		} else if (ring->type == BRISE_KV_INT8) {
			copy_int8(ring, to, from, (unsigned)(position++ % SPAN_POSITIONS));
		} else {
			copy_f32(ring, to, from, (unsigned)(position++ % SPAN_POSITIONS));
		}
	}
}

void kv_ring_commit(kv_ring *ring, uint32_t n)
{
	uint32_t layer, head;

	for (layer = 0; layer < ring->n_layers; layer++)
		for (head = 0; head < ring->n_heads; head++)
			commit_head(ring, layer, head, ring->base + n);
}
