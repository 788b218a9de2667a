/* kv_image.c - moving spans between a ring and the bytes of a file */
#include "runtime/eval/kv_image.h"

#include <string.h>

#include "quant/checked.h"

/* Spans that [from, end) touches. */
static uint64_t spans_touched(uint64_t from, uint64_t end)
{
	return from == end ? 0 : (end - 1) / SPAN_POSITIONS - from / SPAN_POSITIONS + 1;
}

kv_image kv_image_of(uint32_t slots, uint64_t from, uint64_t end)
{
	uint64_t n = spans_touched(from, end), places = slots / SPAN_POSITIONS;

	/* All of them can be mapped, which is worth more than the room of those that hold nothing.
	 * n may be one more than there are places: the first and the last share one. */
	if (2 * n >= places)
		return (kv_image){ from / SPAN_POSITIONS, (uint32_t)places, true };
	return (kv_image){ from / SPAN_POSITIONS, (uint32_t)n, false };
}

bool kv_image_bytes(const kv_image *image, const kv_ring *ring, uint64_t *bytes)
{
	return checked_mul((uint64_t)ring->n_layers * ring->n_heads,
	                   (uint64_t)image->n + (ring->keeps_sinks ? 1 : 0), bytes) &&
	       checked_mul(*bytes, ring->span_bytes, bytes);
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

static brise_status write_head(const kv_image *image, const kv_ring *ring, uint32_t layer,
                               uint32_t head, kv_image_write_fn *write, void *user,
                               brise_error *err)
{
	uint64_t places = ring->slots / SPAN_POSITIONS, done, n,
	         first = image->whole ? 0 : image->first;
	brise_status status = BRISE_OK;

	for (done = 0; done < image->n && status == BRISE_OK; done += n) {
		n = run_of(first + done, image->n - done, places);
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

	for (layer = 0; layer < ring->n_layers && image->n > 0; layer++)
		for (head = 0; head < ring->n_heads && status == BRISE_OK; head++)
			status = write_head(image, ring, layer, head, write, user, err);
	if (status == BRISE_OK && ring->keeps_sinks)
		status = write(user, ring->sinks,
		               (size_t)ring->n_layers * ring->n_heads * ring->span_bytes, err);
	return status;
}

/* Where the image has a span among those of a head. */
static uint64_t index_of(const kv_image *image, uint64_t span)
{
	return image->whole ? span % image->n : span - image->first;
}

static void copy_head(const kv_image *image, const uint8_t *bytes, kv_ring *ring, uint32_t layer,
                      uint32_t head, uint64_t from, uint64_t end)
{
	uint64_t span = from / SPAN_POSITIONS, left = spans_touched(from, end), n;

	for (; left > 0; left -= n, span += n) {
		n = run_of(span, left, ring->slots / SPAN_POSITIONS);
		n = image->whole ? run_of(span, n, image->n) : n;
		memcpy((uint8_t *)(uintptr_t)kv_ring_span(ring, layer, head, span),
		       bytes + index_of(image, span) * ring->span_bytes,
		       (size_t)n * ring->span_bytes);
	}
}

void kv_image_copy(const kv_image *image, const uint8_t *bytes, kv_ring *ring, uint64_t from,
                   uint64_t end)
{
	const size_t head_bytes = (size_t)image->n * ring->span_bytes;
	uint32_t layer, head;

	for (layer = 0; layer < ring->n_layers; layer++)
		for (head = 0; head < ring->n_heads; head++, bytes += head_bytes)
			copy_head(image, bytes, ring, layer, head, from, end);
	if (ring->keeps_sinks)
		memcpy(ring->sinks, bytes,
		       (size_t)ring->n_layers * ring->n_heads * ring->span_bytes);
}
