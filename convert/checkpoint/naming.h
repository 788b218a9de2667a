/* naming.h - what the matrices of a model are called in each family of files */
#ifndef CONVERT_CHECKPOINT_NAMING_H
#define CONVERT_CHECKPOINT_NAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/model/format.h"

typedef struct naming {
	const char *body;                  /* what all names but the output's begin with */
	const char *outside[TENSOR_KINDS]; /* of tensors outside layers */
	const char *layer;                 /* prefix of a layer's number */
	const char *inside[TENSOR_KINDS];  /* after the number and a dot */
} naming;

extern const naming naming_hugging_face, naming_mistral, naming_gguf;

/* The name's kind, and its layer of n_layers; 0: none of a model's. */
uint32_t naming_find_kind(const naming *names, const char *name, uint32_t n_layers,
                          uint32_t *layer);

/* Buffers that checkpoints carry beside the weights: tables of rotary frequencies, which follow
 * from rope theta, masks, positions, scales of a cache in 8 bits. They hold nothing that was
 * trained. */
bool naming_is_buffer(const char *name);

#endif
