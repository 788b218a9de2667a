/* architecture.h - a checkpoint's configuration, checked to be Mistral's mathematics */
#ifndef CONVERT_CHECKPOINT_ARCHITECTURE_H
#define CONVERT_CHECKPOINT_ARCHITECTURE_H

#include "convert/formats/notes.h"
#include "runtime/brise.h"
#include "runtime/model/config.h"

typedef struct architecture {
	format_config config;
	bool tied; /* the output matrix is the embedding */
	/* [n_layers] the window of each layer, 0: none, where they differ: config.window is the
	 * largest then, or 0 if one of them is */
	uint32_t windows[CONFIG_LAYERS_MAX];
	bool windows_differ;
	bool images;       /* the model reads images as well */
	char assumed[160]; /* sizes that the file does not say and that have a default; "": none */
} architecture;

/* Hugging Face's config.json. Refused by the field's name: whatever changes the mathematics. Each
 * decision becomes a line of *decisions. */
brise_status architecture_read_config(architecture *a, const char *json, size_t size,
                                      const char *name, notes *decisions, brise_error *err);

/* Mistral's own params.json. */
brise_status architecture_read_params(architecture *a, const char *json, size_t size,
                                      const char *name, notes *decisions, brise_error *err);

#endif
