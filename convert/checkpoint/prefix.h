/* prefix.h - the names that wrappers give to tensors, brought back to the model's own
 *
 * A training program that wraps a model saves it under longer names: torch.compile puts
 * "_orig_mod." before them, DistributedDataParallel and DeepSpeed "module.", multimodal models
 * "language_model.", PEFT "base_model.model.", and a model saved without its head has no "model.".
 *
 * The rule: what FSDP, torch.compile and activation checkpointing insert ("_orig_mod.",
 * "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.") is removed wherever it occurs; then all
 * tensors in layers have one prefix before "layers.", whatever it is, and so have the embedding and
 * the last norm; the output matrix has that prefix or a beginning of it.
 */
#ifndef CONVERT_CHECKPOINT_PREFIX_H
#define CONVERT_CHECKPOINT_PREFIX_H

#include "convert/checkpoint/naming.h"
#include "convert/formats/notes.h"
#include "convert/formats/tensors.h"
#include "runtime/brise.h"

/* Renames the tensors of *list as `names` has them, and says so in a line of *decisions. where: for
 * messages. Errors: BRISE_EFORMAT two prefixes, BRISE_ENOMEM. */
brise_status prefix_remove(tensor_list *list, const naming *names, const char *where,
                           notes *decisions, brise_error *err);

/* Removes what wrappers insert from the name, in place. */
void prefix_drop_wrappers(char *name);

/* How many bytes stand before "layers." in the name of a tensor in a layer, without wrappers; -1:
 * not one. */
int prefix_measure(const naming *names, const char *name);

#endif
