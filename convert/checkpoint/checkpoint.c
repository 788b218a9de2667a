/* checkpoint.c - finds a checkpoint's files, checks its configuration, and gives every tensor its
 * place
 */
#include "convert/checkpoint/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/checkpoint/gguf_architecture.h"
#include "convert/checkpoint/gguf_folder.h"
#include "convert/checkpoint/images.h"
#include "convert/checkpoint/opened.h"
#include "convert/checkpoint/place.h"
#include "convert/checkpoint/prefix.h"
#include "convert/formats/files.h"
#include "convert/formats/gguf_parts.h"
#include "convert/formats/names.h"
#include "convert/formats/safetensors.h"
#include "convert/formats/shard_index.h"
#include "convert/formats/torch_zip.h"
#include "convert/tokenizer/gguf_tokenizer.h"
#include "runtime/error.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define OWN_INDEX "consolidated.safetensors.index.json"

#define CONFIG_MAX ((size_t)16 << 20)  /* configurations have some hundred bytes */
#define INDEX_MAX  ((size_t)256 << 20) /* and indices some ten thousand */

static brise_status no_memory(const opened *o)
{
	return error_set(o->err, BRISE_ENOMEM, "%s: no memory to open it", o->folder);
}

/* Of any kind: opening refuses what is not a regular file. */
static bool has_file(const opened *o, const char *name)
{
	os_facts facts;

	return files_examine(o->folder, name, false, &facts);
}

static bool has_entry(const opened *o, const char *name)
{
	os_facts facts;

	return files_examine(o->folder, name, true, &facts);
}

/* Opens a weight file as the last of cp.files; path is taken over, NULL: there was no memory for
 * it. */
static brise_status open_path(opened *o, char *path, contents expected)
{
	checkpoint_file *files = memory_resize(o->cp.files, o->cp.n_files + 1, sizeof *files),
	                *file;

	if (files)
		o->cp.files = files;
	if (!files || !path) {
		memory_free(path);
		return no_memory(o);
	}
	file = &files[o->cp.n_files];
	file->path = path;
	o->cp.n_files++; /* closed with the rest from here on, opened or not */
	return files_open(&file->descriptor, &file->bytes, file->path, expected, o->err);
}

typedef brise_status read_tensors_fn(int descriptor, uint64_t file_bytes, const char *name,
                                     uint32_t file, tensor_list *list, brise_error *err);

static brise_status add_file(opened *o, const char *name, read_tensors_fn *read)
{
	brise_status status =
	        open_path(o, files_join(o->folder, name),
	                  read == torch_zip_read ? CONTENTS_ZIP : CONTENTS_SAFETENSORS);
	const checkpoint_file *file;

	if (status != BRISE_OK)
		return status;
	file = &o->cp.files[o->cp.n_files - 1];
	return read(file->descriptor, file->bytes, file->path, (uint32_t)(o->cp.n_files - 1),
	            &o->list, o->err);
}

static brise_status read_text(const opened *o, const char *name, size_t most, char **path,
                              char **text, size_t *size)
{
	*text = NULL;
	if (!(*path = files_join(o->folder, name)))
		return no_memory(o);
	return files_read_whole(*path, CONTENTS_JSON, most, text, size, o->err);
}

/* ---- shards ---------------------------------------------------------------------------------- */

/* A tensor's copy in another shard than the index says; false: this is the one, or the index does
 * not list it. */
static bool is_other_copy(const shard_index *index, const named_tensor *t)
{
	shard_entry *entry = shard_index_find(index, t->name);

	if (!entry)
		return false;
	entry->found = entry->found || entry->shard == t->file;
	return entry->shard != t->file;
}

/* No name of a model's tensor, whatever prefix it has. */
static bool is_foreign(const opened *o, const char *name)
{
	return prefix_measure(o->names, name) < 0 && !names_end_with(name, "embed_tokens.weight") &&
	       !names_end_with(name, "norm.weight") && !names_end_with(name, "lm_head.weight");
}

/* A tensor that the index does not list is ignored unless it is part of a model. */
static bool is_stray(const opened *o, const shard_index *index, const named_tensor *t)
{
	return !shard_index_find(index, t->name) && is_foreign(o, t->name);
}

/* The same of an entry whose tensor is not there. */
static brise_status check_found(opened *o, const shard_index *index, const char *name)
{
	size_t i;

	for (i = 0; i < index->n_entries; i++) {
		const shard_entry *entry = &index->entries[i];

		if (entry->found)
			continue;
		if (!is_foreign(o, entry->name))
			return error_set(
			        o->err, BRISE_EFORMAT,
			        "%s: %s: tensor %.120s should be in %s, which does not hold it",
			        o->folder, name, entry->name, index->shards[entry->shard]);
		notes_add(&o->decisions, "tensor %.120s ignored: %s lists it, %.80s lacks it",
		          entry->name, name, index->shards[entry->shard]);
	}
	return BRISE_OK;
}

/* Keeps the tensors that the index lists where it lists them: overlays of changed tensors leave old
 * copies in their shards. */
static brise_status keep_listed(opened *o, const shard_index *index, const char *name)
{
	size_t i, kept = 0;

	for (i = 0; i < o->list.n; i++) {
		named_tensor *t = &o->list.items[i];
		bool copy = is_other_copy(index, t);

		if (!copy && !is_stray(o, index, t)) {
			o->list.items[kept++] = *t;
			continue;
		}
		notes_add(&o->decisions,
		          copy ? "tensor %.120s: the copy in %.80s is ignored (%s)"
		               : "tensor %.120s in %.80s ignored: not listed in %s",
		          t->name, index->shards[t->file], name);
		memory_free(t->name);
	}
	o->list.n = kept;
	return check_found(o, index, name);
}

static brise_status read_shards(opened *o, const shard_index *index, const char *name)
{
	brise_status status = BRISE_OK;
	size_t i;

	for (i = 0; i < index->n_shards && status == BRISE_OK; i++)
		status = !has_entry(o, index->shards[i])
		                 ? error_set(o->err, BRISE_EIO,
		                             "%s/%s: not there, but %s names it; is the download "
		                             "complete?",
		                             o->folder, index->shards[i], name)
		                 : add_file(o, index->shards[i], safetensors_read);
	if (status == BRISE_OK)
		notes_add(&o->decisions, "weights: %zu shards (%s)", index->n_shards, name);
	return status == BRISE_OK ? keep_listed(o, index, name) : status;
}

static brise_status add_shards(opened *o, const char *name)
{
	shard_index index = { .shards = NULL };
	char *path, *text;
	size_t size;
	brise_status status = read_text(o, name, INDEX_MAX, &path, &text, &size);

	if (status == BRISE_OK)
		status = shard_index_read(&index, text, size, path, o->err);
	if (status == BRISE_OK)
		status = read_shards(o, &index, name);
	shard_index_free(&index);
	memory_free(text);
	memory_free(path);
	return status;
}

static brise_status add_one(opened *o, const char *name, read_tensors_fn *read)
{
	notes_add(&o->decisions, "weights: %s", name);
	return add_file(o, name, read);
}

static brise_status read_configuration(opened *o, const char *name)
{
	char *path, *text;
	size_t size;
	brise_status status = read_text(o, name, CONFIG_MAX, &path, &text, &size);

	if (status == BRISE_OK)
		status = o->names == &naming_hugging_face
		                 ? architecture_read_config(&o->arch, text, size, path,
		                                            &o->decisions, o->err)
		                 : architecture_read_params(&o->arch, text, size, path,
		                                            &o->decisions, o->err);
	memory_free(text);
	memory_free(path);
	return status;
}

static const char *const hugging_face_tokenizers[] = { "tekken.json",
	                                               "tokenizer.model",
	                                               "tokenizer.model.v3",
	                                               "tokenizer.model.v2",
	                                               "tokenizer.model.v1",
	                                               "tokenizer.json",
	                                               NULL };
static const char *const mistral_tokenizers[] = { "tekken.json",
	                                          "tokenizer.model.v3",
	                                          "tokenizer.model.v2",
	                                          "tokenizer.model.v1",
	                                          "tokenizer.model",
	                                          "tokenizer.json",
	                                          NULL };

static brise_status find_tokenizer(opened *o, const char *const *names)
{
	for (; *names; names++)
		if (has_entry(o, *names)) { /* a link to nothing too: reading it says so */
			notes_add(&o->decisions, "tokenizer: %s", *names);
			o->cp.tokenizer_path = files_join(o->folder, *names);
			return o->cp.tokenizer_path ? BRISE_OK : no_memory(o);
		}
	return BRISE_OK;
}

static brise_status read_hugging_face(opened *o)
{
	brise_status status;

	o->names = &naming_hugging_face;
	o->cp.rope = CHECKPOINT_HALVES;
	notes_add(
	        &o->decisions,
	        "a Hugging Face checkpoint: rows of q and k are in halves (config.json is there)");
	if ((status = read_configuration(o, "config.json")) != BRISE_OK)
		return status;
	if (o->place.weights)
		status = add_one(o, o->place.weights, safetensors_read);
	else if (has_file(o, "model.safetensors.index.json"))
		status = add_shards(o, "model.safetensors.index.json");
	else
		status = add_one(o, "model.safetensors", safetensors_read);
	return status == BRISE_OK ? find_tokenizer(o, hugging_face_tokenizers) : status;
}

static brise_status read_mistral(opened *o)
{
	brise_status status;

	o->names = &naming_mistral;
	o->cp.rope = CHECKPOINT_INTERLEAVED;
	notes_add(&o->decisions, "a checkpoint in Mistral's own form: rows of q and k interleave "
	                         "their pairs, stored as halves (params.json is there)");
	if ((status = read_configuration(o, "params.json")) != BRISE_OK)
		return status;
	if (has_file(o, "consolidated.01.pth"))
		return error_set(o->err, BRISE_EUNSUPPORTED,
		                 "%s: consolidated.01.pth: checkpoints cut for several GPUs are "
		                 "not supported",
		                 o->folder);
	if (o->place.weights)
		status = add_one(o, o->place.weights, safetensors_read);
	else if (has_file(o, "consolidated.safetensors"))
		status = add_one(o, "consolidated.safetensors", safetensors_read);
	else if (has_file(o, OWN_INDEX))
		status = add_shards(o, OWN_INDEX);
	else
		status = add_one(o, "consolidated.00.pth", torch_zip_read);
	return status == BRISE_OK ? find_tokenizer(o, mistral_tokenizers) : status;
}

/* One part, and its header kept if it is the first. */
static brise_status add_gguf(opened *o, char **path, size_t part, size_t n)
{
	brise_status status = open_path(o, *path, CONTENTS_GGUF);
	const checkpoint_file *file;
	gguf_header h = { .bytes = NULL };

	*path = NULL;
	if (status != BRISE_OK)
		return status;
	file = &o->cp.files[part];
	status = gguf_read(&h, file->descriptor, file->bytes, file->path, (uint32_t)part, &o->list,
	                   o->err);
	if (status == BRISE_OK)
		status = gguf_check_part(&h, part, n, file->path, o->err);
	if (part == 0)
		o->gguf = h;
	else
		gguf_free(&h);
	return status;
}

static brise_status read_gguf(opened *o)
{
	char **paths;
	size_t n, i;
	brise_status status = gguf_list_parts(o->folder, &paths, &n, o->err);

	o->names = &naming_gguf;
	o->cp.rope = CHECKPOINT_INTERLEAVED;
	o->cp.gguf = &o->gguf;
	for (i = 0; i < n && status == BRISE_OK; i++)
		status = add_gguf(o, &paths[i], i, n);
	gguf_free_parts(paths, n);
	if (status != BRISE_OK ||
	    (status = gguf_check_total(&o->gguf, o->list.n, o->cp.files[0].path, o->err)) !=
	            BRISE_OK ||
	    (status = place_sort(o)) != BRISE_OK ||
	    (status = gguf_read_architecture(&o->arch, &o->gguf, &o->list, o->cp.files[0].path,
	                                     &o->decisions, o->err)) != BRISE_OK)
		return status;
	o->arch.tied = !tensors_find(&o->list, "output.weight");
	if (n > 1)
		notes_add(&o->decisions, "weights: %zu files", n);
	o->cp.tokenizer_path = memory_copy_text(o->cp.files[0].path);
	return o->cp.tokenizer_path ? BRISE_OK : no_memory(o);
}

static brise_status read_gguf_of_folder(opened *o)
{
	const char *name = strrchr(o->gguf_path, '/');

	notes_add(&o->decisions, "weights: %s, the folder's only GGUF model",
	          name ? name + 1 : o->gguf_path);
	o->folder = o->gguf_path;
	return read_gguf(o);
}

/* Folders as published hold both forms of one model; either does. */
static brise_status read_folder(opened *o)
{
	bool hf_weights = o->place.weights || has_file(o, "model.safetensors.index.json") ||
	                  has_file(o, "model.safetensors");
	bool own_weights = o->place.weights || has_file(o, "consolidated.safetensors") ||
	                   has_file(o, OWN_INDEX) || has_file(o, "consolidated.00.pth");
	bool config = o->place.form != LOCATION_OWN && has_file(o, "config.json"),
	     params = o->place.form != LOCATION_HUGGING_FACE && has_file(o, "params.json");
	brise_status status;

	if (config && hf_weights) {
		if (params && own_weights && !o->place.weights)
			notes_add(&o->decisions,
			          "both of a model's forms are here: Hugging Face's is taken; give "
			          "params.json for Mistral's own");
		return read_hugging_face(o);
	}
	if (params && own_weights)
		return read_mistral(o);
	if (!o->place.weights && o->place.form == LOCATION_ANY &&
	    (status = gguf_find_in_folder(&o->gguf_path, o->folder, o->err)) != BRISE_OK)
		return status;
	if (o->gguf_path)
		return read_gguf_of_folder(o);
	if ((status = locate_explain(o->folder, o->err)) != BRISE_OK)
		return status;
	if (config || params)
		return error_set(o->err, BRISE_EFORMAT, "%s: %s is there, but no %s", o->folder,
		                 config ? "config.json" : "params.json",
		                 config ? "model.safetensors or model.safetensors.index.json "
		                          "(other forms of weights are not read)"
		                        : "consolidated.safetensors or consolidated.00.pth");
	return error_set(
	        o->err, BRISE_EFORMAT,
	        "%s: no config.json, no params.json and no .gguf: not a checkpoint's folder",
	        o->folder);
}

/* Notes how many tensors have each type, and a warning about quantized ones. */
static void note_types(opened *o)
{
	unsigned counts[ELEMENTS_TYPES] = { 0 };
	char text[ELEMENTS_TYPES * 24] = "";
	size_t i, n = 0;
	uint32_t dtype;

	for (i = 0; i < o->list.n; i++)
		counts[o->list.items[i].dtype]++;
	for (dtype = 0; dtype < ELEMENTS_TYPES; dtype++)
		if (counts[dtype] > 0) {
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%u %s", n ? ", " : "",
			                      counts[dtype], elements_name(dtype));
			o->cp.quantized = o->cp.quantized || elements_are_quantized(dtype);
		}
	notes_add(&o->decisions, "weights: %s", text);
	if (o->cp.quantized)
		notes_add(&o->decisions,
		          "these weights are quantized already: quantizing again adds to their "
		          "error; an F16 checkpoint gives a better file");
}

static void note_precision(opened *o)
{
	if (o->cp.gguf) {
		note_types(o);
		return;
	}
	notes_add(&o->decisions, "weights are stored as %s (first layer's q matrix)",
	          elements_name(o->cp.tensors[0][TENSOR_WQ].dtype));
}

brise_status checkpoint_open(checkpoint **out, const char *path, brise_error *err)
{
	opened *o = memory_new(1, sizeof *o);
	brise_status status;

	*out = NULL;
	if (!o)
		return error_set(err, BRISE_ENOMEM, "%s: no memory to open it", path);
	o->folder = path;
	o->err = err;
	status = gguf_is_file(path) ? read_gguf(o) : locate_checkpoint(&o->place, path, err);
	if (status == BRISE_OK && o->place.folder) {
		o->folder = o->place.folder;
		status = read_folder(o);
	}
	if (status == BRISE_OK && o->arch.images)
		images_remove(&o->list, &o->decisions);
	if (status == BRISE_OK && !o->cp.gguf)
		status = prefix_remove(&o->list, o->names, o->folder, &o->decisions, err);
	if (status == BRISE_OK)
		status = place_sort(o);
	if (status == BRISE_OK)
		status = place_tensors(o);
	if (status == BRISE_OK)
		note_precision(o);
	if (status == BRISE_OK && o->decisions.failed)
		status = no_memory(o);
	o->cp.config = o->arch.config;
	o->cp.windows = o->arch.windows_differ ? o->arch.windows : NULL;
	o->cp.decisions = o->decisions.text;
	if (status != BRISE_OK) {
		checkpoint_close(&o->cp);
		return status;
	}
	*out = &o->cp;
	return BRISE_OK;
}

void checkpoint_close(checkpoint *cp)
{
	opened *o = (opened *)(void *)cp; /* cp is its first member */
	size_t i;

	if (!cp)
		return;
	for (i = 0; i < cp->n_files; i++) {
		if (cp->files[i].descriptor >= 0)
			(void)os_close(cp->files[i].descriptor);
		memory_free(cp->files[i].path);
	}
	memory_free(cp->files);
	memory_free(cp->tensors);
	memory_free(cp->tokenizer_path);
	memory_free(o->decisions.text);
	memory_free(o->gguf_path);
	locate_free(&o->place);
	gguf_free(&o->gguf);
	tensors_free(&o->list);
	memory_free(o);
}

brise_status checkpoint_read_rows(const checkpoint *cp, const checkpoint_tensor *tensor,
                                  uint32_t first, uint32_t n, void *out, brise_error *err)
{
	const checkpoint_file *file = &cp->files[tensor->file];
	uint64_t row_bytes = 0;

	if (first > tensor->rows || n > tensor->rows - first)
		return error_set(err, BRISE_EINVAL,
		                 "%s: tensor %s: rows %" PRIu32 "+%" PRIu32 " of %" PRIu32,
		                 file->path, tensor->name, first, n, tensor->rows);
	/* Offsets and sizes were found to lie inside the file, so nothing here wraps. */
	(void)elements_measure(tensor->dtype, tensor->cols, &row_bytes);
	return files_read_at(file->descriptor, out, (size_t)(n * row_bytes),
	                     tensor->offset + first * row_bytes, file->path, err);
}
