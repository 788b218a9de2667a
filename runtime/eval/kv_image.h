/* kv_image.h - what a file holds of a ring: the spans of a range of positions
 *
 * For each layer and head the spans in order of position; or, if they fill half of the layer's
 * places or more, all its places, so that the file's bytes can be a ring's memory. Sinks follow.
 */
#ifndef RUNTIME_KV_IMAGE_H
#define RUNTIME_KV_IMAGE_H

#include "runtime/eval/kv_ring.h"

typedef struct kv_image {
	kv_slots slots;         /* of the ring that it is of */
	uint64_t from, end;     /* positions [from, end) */
	const uint64_t *oldest; /* [n_layers] the first of each layer; NULL: all have `from` */
} kv_image;

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

/* Whether the image's bytes of a layer can be the ring's memory as they are; of all layers. */
bool kv_image_layer_fits(const kv_image *image, const kv_ring *ring, uint32_t layer);
bool kv_image_fits(const kv_image *image, const kv_ring *ring);

/* Copies what positions [oldest[layer], end) need of the image's bytes into a ring of any number of
 * slots that holds those positions; layers that fit, whole. */
void kv_image_copy(const kv_image *image, const uint8_t *bytes, kv_ring *ring,
                   const uint64_t *oldest);

#endif
