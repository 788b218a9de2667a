/* lora.c - finds and reads the files of adapters
 *
 * Whole matrices of modules_to_save are trained and replace the checkpoint's; they stay in their
 * file and are read row by row.
 *
 * mistral-finetune's are named as in Mistral's own checkpoints,
 * "layers.0.attention.wq.lora_A.weight", and are of matrices in layers alone
 * (github.com/mistralai/mistral-finetune, finetune/checkpointing.py and model/lora.py). They were
 * trained beside such checkpoints, so the rows of B for q and k interleave RoPE's pairs; they are
 * put in the file's order, for every form of the base.
 */
#include "convert/checkpoint/lora.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint/checkpoint.h"
#include "convert/checkpoint/locate.h"
#include "convert/checkpoint/lora_reading.h"
#include "convert/checkpoint/naming.h"
#include "convert/formats/files.h"
#include "convert/formats/safetensors.h"
#include "convert/formats/tensors.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define CONFIG_MAX ((size_t)16 << 20)

static const lora_form peft = { "adapter_config.json", "adapter_model.safetensors",
	                        &naming_hugging_face, CHECKPOINT_HALVES, false };
static const lora_form mistral_finetune = { "params.json", "lora.safetensors", &naming_mistral,
	                                    CHECKPOINT_INTERLEAVED, true };

/* ---- adapters ------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
	os_facts facts;

	return os_examine(path, &facts);
}

/* "path" or "path:scale"; a path that holds a colon itself is recognised by being there. */
static brise_status split_spec(lora_reading *in, const char *spec)
{
	const char *colon = exists(spec) ? NULL : strrchr(spec, ':');
	size_t length = colon ? (size_t)(colon - spec) : strlen(spec);
	char *end;

	in->scale = 1;
	if (!(in->given = memory_new(length + 1, 1)))
		return error_set(in->err, BRISE_ENOMEM, "%s: no memory to open it", spec);
	memcpy(in->given, spec, length);
	in->given[length] = 0;
	if (colon) {
		in->scale = strtod(colon + 1, &end);
		if (end == colon + 1 || *end || !isfinite(in->scale))
			return error_set(in->err, BRISE_EINVAL,
			                 "%s: neither an adapter's folder nor one with a scale "
			                 "after the colon, as in adapter:0.5",
			                 spec);
	}
	return BRISE_OK;
}

static brise_status read_configuration(lora_reading *in, notes *decisions)
{
	char *path = files_join(in->folder, in->form->config), *text = NULL;
	brise_status status;
	size_t size;

	if (!path)
		return error_set(in->err, BRISE_ENOMEM, "%s: no memory to open it", in->folder);
	status = files_read_whole(path, CONTENTS_JSON, CONFIG_MAX, &text, &size, in->err);
	if (status == BRISE_OK)
		status = in->form == &peft ? lora_read_config(&in->config, text, size, path,
		                                              decisions, in->err)
		                           : lora_read_params(&in->config, in->model, text, size,
		                                              path, decisions, in->err);
	memory_free(text);
	memory_free(path);
	return status;
}

/* Links to nothing count: reading them says so. */
static bool holds(const char *folder, const char *name)
{
	os_facts facts;

	return files_examine(folder, name, true, &facts);
}

static brise_status read_tensors(lora_reading *in)
{
	uint64_t bytes;
	brise_status status;
	size_t i;

	if (!(in->path = files_join(in->folder, in->form->tensors)))
		return error_set(in->err, BRISE_ENOMEM, "%s: no memory to open it", in->folder);
	if (!holds(in->folder, in->form->tensors))
		return error_set(
		        in->err, BRISE_EIO,
		        "%s: not there; adapters in other forms than safetensors are not read",
		        in->path);
	if ((status = files_open(&in->descriptor, &bytes, in->path, CONTENTS_SAFETENSORS,
	                         in->err)) != BRISE_OK ||
	    (status = safetensors_read(in->descriptor, bytes, in->path, 0, &in->list, in->err)) !=
	            BRISE_OK ||
	    (status = tensors_sort(&in->list, in->path, in->err)) != BRISE_OK)
		return status;
	for (i = 0; i < in->list.n && status == BRISE_OK; i++)
		status = lora_take_tensor(in, &in->list.items[i]);
	if (status == BRISE_OK && in->high_rank == 0 && in->n_whole == 0)
		return error_set(in->err, BRISE_EFORMAT, "%s: holds no low-rank pairs", in->path);
	if (status == BRISE_OK && in->config.saves_modules && in->n_whole == 0)
		return error_set(in->err, BRISE_EFORMAT,
		                 "%s: modules_to_save names modules, but no whole matrix is here",
		                 in->path);
	return status == BRISE_OK ? lora_check_pairs(in) : status;
}

static void note_adapter(const lora_reading *in, notes *decisions)
{
	char rank[40], factor[80];

	if (in->n_whole > 0)
		notes_add(decisions,
		          "adapter %.200s: %" PRIu32 " whole matrices replace the checkpoint's",
		          in->folder, in->n_whole);
	if (in->high_rank == 0)
		return;
	if (in->low_rank == in->high_rank)
		(void)snprintf(rank, sizeof rank, "%" PRIu32, in->low_rank);
	else
		(void)snprintf(rank, sizeof rank, "%" PRIu32 " to %" PRIu32, in->low_rank,
		               in->high_rank);
	if (in->low_factor < in->high_factor)
		(void)snprintf(factor, sizeof factor, "%g to %g", in->low_factor, in->high_factor);
	else
		(void)snprintf(factor, sizeof factor, "%g", in->low_factor);
	notes_add(decisions,
	          "adapter %.200s: %" PRIu32 " matrices of rank %s, times %s (%s) and %g (--lora)",
	          in->folder, in->n_pairs, rank, factor,
	          in->form == &mistral_finetune ? "params.json: lora.scaling"
	          : in->config.scaling == LORA_BY_ROOT
	                  ? "adapter_config.json: lora_alpha, use_rslora"
	                  : "adapter_config.json: lora_alpha",
	          in->scale);
}

/* PEFT's, unless there is only the other's file. */
static brise_status find_form(lora_reading *in)
{
	bool is_peft = holds(in->folder, peft.config) || holds(in->folder, peft.tensors);

	if (!is_peft && !holds(in->folder, mistral_finetune.tensors))
		return error_set(in->err, BRISE_EIO, "%s: no %s and no %s: not an adapter's folder",
		                 in->folder, peft.config, mistral_finetune.tensors);
	in->form = is_peft ? &peft : &mistral_finetune;
	return BRISE_OK;
}

static void close_file(lora_file *file)
{
	if (file->descriptor >= 0)
		(void)os_close(file->descriptor);
	memory_free(file->path);
	*file = (lora_file){ NULL, -1 };
}

static brise_status read_adapter(lora_pair *pairs, lora_file *file, const char *spec,
                                 const format_config *config, bool tied, notes *decisions,
                                 brise_error *err)
{
	lora_reading in = {
		.model = config, .tied = tied, .descriptor = -1, .pairs = pairs, .err = err
	};
	brise_status status = split_spec(&in, spec);

	if (status == BRISE_OK)
		status = locate_folder(&in.folder, in.given, err);
	if (status == BRISE_OK)
		status = find_form(&in);
	if (status == BRISE_OK)
		status = read_configuration(&in, decisions);
	if (status == BRISE_OK)
		status = read_tensors(&in);
	if (status == BRISE_OK)
		note_adapter(&in, decisions);
	*file = (lora_file){ in.path, in.descriptor };
	if (in.n_whole == 0)
		close_file(file);
	tensors_free(&in.list);
	lora_free_config(&in.config);
	memory_free(in.first);
	memory_free(in.folder);
	memory_free(in.given);
	return status;
}

brise_status lora_open(lora **out, const char *const *specs, size_t n, const format_config *config,
                       bool tied, notes *decisions, brise_error *err)
{
	size_t each = (size_t)config->n_layers * TENSOR_KINDS, i;
	brise_status status = BRISE_OK;
	lora *l;

	*out = NULL;
	if (n == 0)
		return BRISE_OK;
	l = memory_new(1, sizeof *l);
	if (l) {
		l->pairs = memory_new(n, each * sizeof *l->pairs);
		l->files = memory_new(n, sizeof *l->files);
	}
	if (!l || !l->pairs || !l->files) {
		lora_close(l);
		l = NULL;
	}
	if (!l)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu adapters", specs[0], n);
	l->n = n;
	l->n_layers = config->n_layers;
	for (i = 0; i < n; i++)
		l->files[i].descriptor = -1;
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = read_adapter(l->pairs + i * each, &l->files[i], specs[i], config, tied,
		                      decisions, err);
	if (status != BRISE_OK) {
		lora_close(l);
		return status;
	}
	*out = l;
	return BRISE_OK;
}

void lora_close(lora *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->n * l->n_layers * TENSOR_KINDS; i++) {
		memory_free(l->pairs[i].a);
		memory_free(l->pairs[i].b);
	}
	for (i = 0; i < l->n; i++)
		close_file(&l->files[i]);
	memory_free(l->files);
	memory_free(l->pairs);
	memory_free(l);
}
