/* images.c - what stands for images in the names of tensors
 *
 * A name counts by its first parts, whole:
 * "vision_encoder.transformer.layers.0.attention.wq.weight" ends as a tensor of the language model
 * does. Sources: transformers' Mistral3Model (vision_tower, multi_modal_projector, both also behind
 * "model."), mistral-inference's and vLLM's names of Pixtral (vision_encoder,
 * vision_language_adapter, patch_merger, pre_mm_projector_norm).
 */
#include "convert/checkpoint/images.h"

#include <stdbool.h>
#include <string.h>

#include "convert/checkpoint/prefix.h"
#include "runtime/os/memory.h"

static bool reads_images(const char *name)
{
	static const char *const roots[] = { "vision_tower.",   "multi_modal_projector.",
		                             "vision_encoder.", "vision_language_adapter.",
		                             "patch_merger.",   "pre_mm_projector_norm." };
	const char *body = "model.";
	size_t i;

	if (!strncmp(name, body, strlen(body)))
		name += strlen(body);
	for (i = 0; i < sizeof roots / sizeof *roots; i++)
		if (!strncmp(name, roots[i], strlen(roots[i])))
			return true;
	return false;
}

void images_remove(tensor_list *list, notes *decisions)
{
	size_t i, kept = 0, n = list->n;

	for (i = 0; i < n; i++) {
		prefix_drop_wrappers(list->items[i].name);
		if (reads_images(list->items[i].name))
			memory_free(list->items[i].name);
		else
			list->items[kept++] = list->items[i];
	}
	list->n = kept;
	if (kept < n)
		notes_add(decisions, "%zu tensors left out: they read images", n - kept);
}
