/* kv_image.h - what a file holds of a ring: the spans of a range of positions
 *
 * For each layer and head the spans in order of position; or, if they fill half of the ring or
 * more, all places of the ring, so that the file's bytes can be a ring's memory. Sinks follow.
 */
#ifndef RUNTIME_KV_IMAGE_H
#define RUNTIME_KV_IMAGE_H

#include "runtime/eval/kv_ring.h"

typedef struct kv_image {
	uint64_t first; /* span; the first of each head unless the image is whole */
	uint32_t n;     /* spans of each head */
	bool whole;     /* n are all places of a ring, each span s at s mod n */
} kv_image;

/* The image of positions [from, end) of a ring with that many slots; whole if they touch
 * half of the places. */
kv_image kv_image_of(uint32_t slots, uint64_t from, uint64_t end);

/* Its bytes for a ring of that shape. False: more than fit into 64 bits. */
bool kv_image_bytes(const kv_image *image, const kv_ring *ring, uint64_t *bytes);

/* Whether `bytes` are what kernels take, for a ring of that shape: any codes, but scales that are
 * finite and not negative (quant/span.h). */
bool kv_image_check(const kv_image *image, const kv_ring *ring, const uint8_t *bytes);

/* Hands out its bytes in order, from the ring that it is of. Returns the first status that is not
 * BRISE_OK. */
typedef brise_status kv_image_write_fn(void *user, const uint8_t *bytes, size_t n,
                                       brise_error *err);
brise_status kv_image_write(const kv_image *image, const kv_ring *ring, kv_image_write_fn *write,
                            void *user, brise_error *err);

/* Whether the image's bytes can be the ring's memory as they are. */
static inline bool kv_image_fits(const kv_image *image, const kv_ring *ring)
{
	return image->whole && image->n == ring->slots / SPAN_POSITIONS;
}

/* Copies what [from, end) needs of the image's bytes into a ring of any number of slots that holds
 * those positions. */
void kv_image_copy(const kv_image *image, const uint8_t *bytes, kv_ring *ring, uint64_t from,
                   uint64_t end);

#endif
