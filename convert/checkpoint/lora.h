/* lora.h - low-rank adapters (LoRA, arXiv 2106.09685) added to a checkpoint's matrices while these
 * are converted
 *
 * An adapter is a folder as PEFT saves it, adapter_config.json and adapter_model.safetensors, or
 * mistral-finetune, params.json and lora.safetensors. To a matrix W [rows][cols] it adds factor * B
 * A, with A [rank][cols] and B [rows][rank].
 */
#ifndef CONVERT_CHECKPOINT_LORA_H
#define CONVERT_CHECKPOINT_LORA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/formats/notes.h"
#include "runtime/brise.h"
#include "runtime/model/format.h"

typedef struct lora lora;

/* Opens n adapters for a model of that configuration, and reads them into memory as floats. Each
 * becomes a line of *decisions.
 *
 * specs  [n] folders, files in them or folders of Hugging Face's cache, each optionally followed by
 *        ":scale", a number that multiplies what the adapter adds
 * tied   the model's output matrix is its embedding; adapters of either are refused then
 *
 * *out is NULL if n is 0 or after an error.
 * Errors: BRISE_EINVAL a scale that is no number; BRISE_EIO, BRISE_EFORMAT (tensors that do not fit
 * the model, half of a pair, nothing for this model), BRISE_EUNSUPPORTED (whatever is not plain
 * LoRA, by its name), BRISE_ENOMEM. */
brise_status lora_open(lora **out, const char *const *specs, size_t n, const format_config *config,
                       bool tied, notes *decisions, brise_error *err);

/* NULL is allowed. */
void lora_close(lora *l);

/* Applies all adapters, in the order given, to rows [first, first + n) of a matrix, rows [n][cols]
 * in the file's order (q and k in halves). A whole matrix replaces the rows; a pair adds to them:
 * one element is w + s, with s = ((b0 a0 + b1 a1) + b2 a2) + ... over the rank, each operation
 * rounded to float, and the factor rounded into b: the same for any number of rows and threads.
 * NULL changes nothing. Errors, of whole matrices only: BRISE_EIO, BRISE_EFORMAT a weight that is
 * no number, BRISE_ENOMEM. */
brise_status lora_apply_rows(const lora *l, uint32_t kind, uint32_t layer, uint32_t first,
                             uint32_t n, uint32_t cols, float *rows, brise_error *err);

#endif
