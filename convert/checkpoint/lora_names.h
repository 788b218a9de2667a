/* lora_names.h - the parts of an adapter's tensor name */
#ifndef CONVERT_CHECKPOINT_LORA_NAMES_H
#define CONVERT_CHECKPOINT_LORA_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "convert/checkpoint/naming.h"
#include "runtime/brise.h"

/* A half of a pair; a matrix that PEFT saves beside pairs of the same matrix and that is not
 * trained; or a matrix that replaces the model's. */
typedef enum lora_role { LORA_HALF_A, LORA_HALF_B, LORA_BASE, LORA_WHOLE } lora_role;

/* A tensor's name taken apart. */
typedef struct lora_place {
	char module[256];     /* as in the trained model, which PEFT's patterns are matched with */
	char adapter[64];     /* the name between, as in lora_A.default.weight; "": none */
	char prefix[128];     /* what comes before the model's own name */
	uint32_t kind, layer; /* the layer may be beyond the model's */
	lora_role role;
	bool embedding; /* halves of the embedding's kind, for the matrix's transpose */
} lora_place;

/* Errors: BRISE_EUNSUPPORTED; path is for messages. */
brise_status lora_find_place(lora_place *found, const naming *names, const char *name,
                             const char *path, brise_error *err);

#endif
