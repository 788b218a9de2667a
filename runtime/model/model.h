/* model.h - an open model: checked tables, and every weight's place in the mapped file */
#ifndef RUNTIME_MODEL_H
#define RUNTIME_MODEL_H

#include "runtime/brise.h"
#include "runtime/model/config.h"
#include "runtime/model/residency.h"
#include "runtime/model/tensor.h"
#include "runtime/os/map.h"

#define MODEL_KEPT 5

/* Entries of the tensor table by kind: a layer's own. Those outside the layers are with layer 0. */
typedef struct model_places {
	const format_tensor *kinds[TENSOR_KINDS];
} model_places;

struct brise_model {
	const uint8_t *bytes;
	size_t size;
	map_file map; /* bytes' own; closed if they are the caller's */
	char *name;
	format_config config;
	const uint32_t *windows;      /* [n_layers]; NULL: all have that of the configuration */
	const format_tensor *tensors; /* [n_tensors] */
	size_t n_tensors;
	model_places *places; /* [n_layers]; weights are read through runtime/model/weights.h */
	brise_tokenizer *tokenizer;
	const format_section *sections; /* [n_sections], entries section_stride apart */
	uint32_t n_sections, section_stride;
	char *origin, *chat_template, *chat_format;
	int32_t *ends; /* [facts.n_ends] */
	/* of a mapped file, copies of its tables and its tokenizer: another program may write to
	 * the file, and what was checked must stay as it was */
	void *kept[MODEL_KEPT];
	brise_model_facts facts;
	/* where weights are: without a limit on memory, all kept and none copied */
	residency_plan residency;
	uint8_t *kept_weights; /* [limit_kept_bytes()]; NULL: kept is what the map holds */
	bool direct, locked;   /* reads pass the system's cache; kept_weights stay in memory */
};

/* The window of a layer; 0: none. */
static inline uint32_t model_window(const brise_model *model, uint32_t layer)
{
	return model->windows ? model->windows[layer] : model->config.window;
}

struct tokenizer_added;

/* What opening a model in memory takes, without taking any: fills model->config and adds to
 * *needed. `t` and `added` are filled as by tokenizer_count; t->vocab is 0 if the file has no
 * tokenizer. The name that brise_open_memory is given later has at most MODEL_NAME_MOST bytes.
 * Errors: as brise_open_memory, as far as the file is looked at. */
#define MODEL_NAME_MOST 255u
brise_status model_count(brise_model *model, brise_tokenizer *t, struct tokenizer_added *added,
                         const void *data, size_t size, uint64_t *needed, brise_error *err);

#endif
