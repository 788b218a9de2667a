/* lora_config.h - an adapter's adapter_config.json or params.json, checked to be plain LoRA */
#ifndef CONVERT_CHECKPOINT_LORA_CONFIG_H
#define CONVERT_CHECKPOINT_LORA_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/checkpoint/pattern.h"
#include "convert/formats/notes.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"

/* Modules whose names fit have a value of their own. */
typedef struct lora_pattern {
	pattern *key;
	double value;
} lora_pattern;

typedef struct lora_patterns {
	lora_pattern *items;
	size_t n;
} lora_patterns;

/* What alpha is divided by: the rank, its square root (rsLoRA, arXiv 2312.03732), or nothing. */
typedef enum lora_scaling { LORA_BY_RANK, LORA_BY_ROOT, LORA_UNDIVIDED } lora_scaling;

typedef struct lora_config {
	int64_t rank;
	double alpha;
	lora_scaling scaling;
	lora_patterns ranks, alphas;
	bool saves_modules; /* modules_to_save names some */
	bool ranks_unread;  /* a key of rank_pattern could not be read: tensors' shapes decide */
} lora_config;

/* json [size] of PEFT's file `name`. Whatever changes the mathematics is refused by the field's
 * name; unknown fields become lines of *decisions. *config must be freed with lora_free_config,
 * also after an error. */
brise_status lora_read_config(lora_config *config, const char *json, size_t size, const char *name,
                              notes *decisions, brise_error *err);

/* The same of mistral-finetune's params.json, whose sizes must be the model's. */
brise_status lora_read_params(lora_config *config, const format_config *model, const char *json,
                              size_t size, const char *name, notes *decisions, brise_error *err);
void lora_free_config(lora_config *config);

/* Rank and factor of B A for the module of that name ("model.layers.0.self_attn.q_proj"). */
int64_t lora_rank_of(const lora_config *config, const char *module);
double lora_factor_of(const lora_config *config, const char *module, uint32_t rank);

#endif
