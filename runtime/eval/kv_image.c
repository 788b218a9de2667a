/* kv_image.c - moving spans between a ring and the bytes of a file */
#include "runtime/eval/kv_image.h"

#include <string.h>

#include "quant/checked.h"

/* Spans that [from, end) touches. */
static uint64_t spans_touched(uint64_t from, uint64_t end)
{
	return from == end ? 0 : (end - 1) / SPAN_POSITIONS - from / SPAN_POSITIONS + 1;
}

/* What the image has of each head of a layer. */
typedef struct image_part {
	uint64_t from, first; /* position, and span: the first unless the part is whole */
	uint32_t n;           /* spans */
	bool whole;           /* n are all places of a ring, each span s at s mod n */
} image_part;

static image_part part_of(const kv_image *image, uint32_t layer)
{
	uint64_t from = image->oldest ? image->oldest[layer] : image->from,
	         n = spans_touched(from, image->end),
	         places = kv_slots_of(&image->slots, layer) / SPAN_POSITIONS;

	/* All of them can be mapped, which is worth more than the room of those that hold nothing.
	 * n may be one more than there are places: the first and the last share one. */
	if (2 * n >= places)
		return (image_part){ from, from / SPAN_POSITIONS, (uint32_t)places, true };
	return (image_part){ from, from / SPAN_POSITIONS, (uint32_t)n, false };
}

/* Spans of all layers and heads, sinks included: at most 2^10 * 2^12 * 2^27. */
static uint64_t count_spans(const kv_image *image, const kv_ring *ring)
{
	uint64_t spans = 0;
	uint32_t layer;

	if (!image->slots.windows)
		spans = (uint64_t)ring->n_layers * part_of(image, 0).n;
	for (layer = 0; image->slots.windows && layer < ring->n_layers; layer++)
		spans += part_of(image, layer).n;
	return ring->n_heads * (spans + (ring->keeps_sinks ? ring->n_layers : 0));
}

bool kv_image_bytes(const kv_image *image, const kv_ring *ring, uint64_t *bytes)
{
	return checked_mul(count_spans(image, ring), ring->span_bytes, bytes);
}

bool kv_image_layer_fits(const kv_image *image, const kv_ring *ring, uint32_t layer)
{
	image_part part = part_of(image, layer);

	return part.whole && part.n == kv_slots_of(&ring->slots, layer) / SPAN_POSITIONS;
}

bool kv_image_fits(const kv_image *image, const kv_ring *ring)
{
	uint32_t layer;

	for (layer = 0; layer < ring->n_layers; layer++)
		if (!kv_image_layer_fits(image, ring, layer))
			return false;
	return true;
}

bool kv_image_check(const kv_image *image, const kv_ring *ring, const uint8_t *bytes)
{
	const uint32_t infinity = 0x7f800000; /* above it NaNs, then what is negative */
	uint32_t scales[SPAN_SCALES], largest = 0;
	uint64_t n;
	size_t i;

	if (ring->type != BRISE_KV_INT8 || !kv_image_bytes(image, ring, &n))
		return true;
	for (n /= ring->span_bytes; n > 0; n--, bytes += ring->span_bytes) {
		memcpy(scales, bytes + span_key_scales(ring->dim), sizeof scales);
		for (i = 0; i < SPAN_SCALES; i++)
			largest = scales[i] > largest ? scales[i] : largest;
	}
	return largest < infinity;
}

/* Successive spans from `span` on, at most n, that follow each other in memory where span s has
 * place s mod places. */
static uint64_t run_of(uint64_t span, uint64_t n, uint64_t places)
{
	uint64_t left = places - span % places;

	return n < left ? n : left;
}

static brise_status write_head(const image_part *part, const kv_ring *ring, uint32_t layer,
                               uint32_t head, kv_image_write_fn *write, void *user,
                               brise_error *err)
{
	uint64_t places = kv_slots_of(&ring->slots, layer) / SPAN_POSITIONS, done, n,
	         first = part->whole ? 0 : part->first;
	brise_status status = BRISE_OK;

	for (done = 0; done < part->n && status == BRISE_OK; done += n) {
		n = run_of(first + done, part->n - done, places);
		status = write(user, kv_ring_span(ring, layer, head, first + done),
		               (size_t)n * ring->span_bytes, err);
	}
	return status;
}

brise_status kv_image_write(const kv_image *image, const kv_ring *ring, kv_image_write_fn *write,
                            void *user, brise_error *err)
{
	brise_status status = BRISE_OK;
	uint32_t layer, head;

	for (layer = 0; layer < ring->n_layers; layer++) {
		image_part part = part_of(image, layer);

		for (head = 0; head < ring->n_heads && status == BRISE_OK; head++)
			status = write_head(&part, ring, layer, head, write, user, err);
	}
	if (status == BRISE_OK && ring->keeps_sinks)
		status = write(user, ring->sinks,
		               (size_t)ring->n_layers * ring->n_heads * ring->span_bytes, err);
	return status;
}

/* Where the image has a span among those of a head. */
static uint64_t index_of(const image_part *part, uint64_t span)
{
	return part->whole ? span % part->n : span - part->first;
}

static void copy_head(const image_part *part, const uint8_t *bytes, kv_ring *ring, uint32_t layer,
                      uint32_t head, uint64_t from, uint64_t end)
{
	uint64_t span = from / SPAN_POSITIONS, left = spans_touched(from, end), n,
	         places = kv_slots_of(&ring->slots, layer) / SPAN_POSITIONS;

	for (; left > 0; left -= n, span += n) {
		n = run_of(span, left, places);
		n = part->whole ? run_of(span, n, part->n) : n;
		memcpy((uint8_t *)(uintptr_t)kv_ring_span(ring, layer, head, span),
		       bytes + index_of(part, span) * ring->span_bytes,
		       (size_t)n * ring->span_bytes);
	}
}

void kv_image_copy(const kv_image *image, const uint8_t *bytes, kv_ring *ring,
                   const uint64_t *oldest)
{
	uint32_t layer, head;

	for (layer = 0; layer < ring->n_layers; layer++) {
		image_part part = part_of(image, layer);
		size_t head_bytes = (size_t)part.n * ring->span_bytes;
		bool fits = kv_image_layer_fits(image, ring, layer);

		for (head = 0; head < ring->n_heads; head++, bytes += head_bytes)
			if (fits)
				memcpy((uint8_t *)(uintptr_t)kv_ring_span(ring, layer, head, 0),
				       bytes, head_bytes);
			else
				copy_head(&part, bytes, ring, layer, head, oldest[layer],
				          image->end);
	}
	if (ring->keeps_sinks)
		memcpy(ring->sinks, bytes,
		       (size_t)ring->n_layers * ring->n_heads * ring->span_bytes);
}
