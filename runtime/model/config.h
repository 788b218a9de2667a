/* config.h - the configuration of a model: which numbers it may have, and what of it a file holds
 */
#ifndef RUNTIME_CONFIG_H
#define RUNTIME_CONFIG_H

#include "runtime/brise.h"
#include "runtime/model/format.h"

#define CONFIG_LAYERS_MAX 1024u

/* Most positions of a window. */
#define CONFIG_WINDOW_MAX (1u << 24)

/* Refuses numbers no Mistral model has: zero or absurd dimensions, heads that do not divide, eps or
 * theta not positive, a scaling of frequencies that is none. `name` is for the message. */
brise_status model_check_config(const format_config *config, const char *name, brise_error *err);

/* The configuration in a section's bytes, of a file of that version.
 * Errors: BRISE_EFORMAT, BRISE_EUNSUPPORTED. */
brise_status config_read(format_config *config, const uint8_t *bytes, uint64_t n, uint32_t version,
                         const char *name, brise_error *err);

/* Bytes that a file holds of it: those of version 1 if the others say nothing. What identifies a
 * configuration is computed from them. */
size_t config_bytes(const format_config *config);

/* Checks the windows [n_layers] of a file, each of which may be 0, against the configuration: its
 * own is the largest, or 0 if one of them is. Errors: BRISE_EFORMAT. */
brise_status config_check_windows(const format_config *config, const uint32_t *windows,
                                  const char *name, brise_error *err);

/* The largest of windows [n]; 0 if one of them is. */
uint32_t config_join_windows(const uint32_t *windows, uint32_t n);

/* "linear", "yarn"; NULL: frequencies are not scaled. */
const char *config_rope_scaling(const format_config *config);

#endif
