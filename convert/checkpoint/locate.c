/* locate.c - what a path names
 *
 * Hugging Face's cache keeps a model in "models--org--name": files under blobs/, named by their
 * hashes, and for each revision a folder in snapshots/ of links to them; refs/main holds the name
 * of the newest one (huggingface_hub, "Understand caching"). A snapshot is a checkpoint's folder
 * like any other.
 */
#include "convert/checkpoint/locate.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "convert/formats/files.h"
#include "convert/formats/names.h"
#include "runtime/error.h"
#include "runtime/os/memory.h"
#include "runtime/os/os.h"

#define NAME_BYTES 256u /* longest file name and its end */

static brise_status no_memory(const char *path, brise_error *err)
{
	return error_set(err, BRISE_ENOMEM, "%s: no memory to open it", path);
}

/* Whether folder/name leads to something of this kind. */
static bool is_kind(const char *folder, const char *name, os_kind kind)
{
	os_facts facts;

	return files_examine(folder, name, false, &facts) && facts.kind == kind;
}

static bool is_file(const char *folder, const char *name)
{
	return is_kind(folder, name, OS_FILE);
}

static bool is_broken_link(const char *folder, const char *name)
{
	os_facts facts;

	return files_examine(folder, name, true, &facts) && facts.kind == OS_LINK &&
	       !files_examine(folder, name, false, &facts);
}

/* ---- the cache ------------------------------------------------------------------------------ */

typedef struct snapshot_names {
	char *last; /* [NAME_BYTES] */
	unsigned n;
} snapshot_names;

static bool add_snapshot(void *user, const char *name)
{
	snapshot_names *names = user;

	if (name[0] != '.' && strlen(name) < NAME_BYTES) {
		strcpy(names->last, name);
		names->n++;
	}
	return true;
}

/* The only entry of snapshots/; false: none, or several. */
static bool find_only_snapshot(const char *snapshots, char name[NAME_BYTES])
{
	snapshot_names names = { name, 0 };

	return os_list_folder(snapshots, add_snapshot, &names) && names.n == 1;
}

/* The name in refs/main; false: there is none that could be one. */
static bool read_reference(const char *folder, char name[NAME_BYTES])
{
	char *path = files_join(folder, "refs/main"), *text = NULL;
	size_t size = 0;
	bool good = path && files_read_whole(path, CONTENTS_ANY, NAME_BYTES - 1, &text, &size,
	                                     NULL) == BRISE_OK;

	while (good && size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		size--;
	good = good && size > 0 && !memchr(text, '/', size) && !memchr(text, 0, size) &&
	       text[0] != '.';
	if (good) {
		memcpy(name, text, size);
		name[size] = 0;
	}
	memory_free(text);
	memory_free(path);
	return good;
}

static brise_status find_snapshot(char **found, const char *folder, brise_error *err)
{
	char *snapshots = files_join(folder, "snapshots"), name[NAME_BYTES];
	brise_status status = BRISE_OK;

	if (!snapshots)
		return no_memory(folder, err);
	if (!read_reference(folder, name) && !find_only_snapshot(snapshots, name))
		status = error_set(err, BRISE_EFORMAT,
		                   "%s: no refs/main, and not exactly one snapshot: give a folder "
		                   "in snapshots/",
		                   folder);
	else if (!is_kind(snapshots, name, OS_FOLDER))
		status = error_set(err, BRISE_EIO,
		                   "%s: snapshot %s is not there; is the download complete?",
		                   folder, name);
	else if (!(*found = files_join(snapshots, name)))
		status = no_memory(folder, err);
	memory_free(snapshots);
	return status;
}

/* ---- folders -------------------------------------------------------------------------------- */

static char *copy_text(const char *text, size_t bytes)
{
	char *copy = memory_new(bytes + 1, 1);

	if (copy) {
		memcpy(copy, text, bytes);
		copy[bytes] = 0;
	}
	return copy;
}

/* Splits a file's path; *name points into it. */
static char *folder_of(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	return !slash ? copy_text(".", 1)
	              : copy_text(path, slash == path ? 1 : (size_t)(slash - path));
}

brise_status locate_folder(char **folder, const char *path, brise_error *err)
{
	os_facts facts;
	const char *name;

	*folder = NULL;
	if (!os_examine(path, &facts))
		return files_explain_open(path, err);
	if (facts.kind == OS_FOLDER && is_kind(path, "snapshots", OS_FOLDER) &&
	    !is_file(path, "config.json"))
		return find_snapshot(folder, path, err);
	*folder = facts.kind == OS_FOLDER ? copy_text(path, strlen(path)) : folder_of(path, &name);
	return *folder ? BRISE_OK : no_memory(path, err);
}

static brise_status refuse_adapter(const char *folder, brise_error *err)
{
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: this is a LoRA adapter; give the base checkpoint, and --lora %s",
	                 folder, folder);
}

/* Kinds of entries of the folder for messages, the most informative first. */
typedef enum finding {
	FOUND_BROKEN_LINK,
	FOUND_ADAPTER,
	FOUND_PICKLE,
	FOUND_CACHE,
	FINDINGS
} finding;

static finding examine_entry(const char *folder, const char *name)
{
	static const char *const configurations[] = { "config.json", "params.json",
		                                      "model.safetensors.index.json", NULL };

	if ((names_contain(configurations, name) || names_end_with(name, ".safetensors") ||
	     names_end_with(name, ".pth")) &&
	    is_broken_link(folder, name))
		return FOUND_BROKEN_LINK;
	if (!strcmp(name, "adapter_config.json") || !strcmp(name, "lora.safetensors"))
		return FOUND_ADAPTER;
	if (names_end_with(name, ".bin") || names_end_with(name, ".bin.index.json"))
		return FOUND_PICKLE;
	return strncmp(name, "models--", 8) == 0 ? FOUND_CACHE : FINDINGS;
}

typedef struct best_finding {
	const char *folder;
	finding kind;
	char name[NAME_BYTES];
} best_finding;

static bool keep_better(void *user, const char *name)
{
	best_finding *best = user;
	finding here = examine_entry(best->folder, name);

	if (here < FINDINGS &&
	    (here < best->kind || (here == best->kind && strcmp(name, best->name) < 0)) &&
	    strlen(name) < NAME_BYTES) {
		best->kind = here;
		strcpy(best->name, name);
	}
	return true;
}

brise_status locate_explain(const char *folder, brise_error *err)
{
	best_finding best = { folder, FINDINGS, "" };
	const char *name = best.name;

	(void)os_list_folder(folder, keep_better, &best);
	switch (best.kind) {
	case FOUND_BROKEN_LINK:
		return error_set(
		        err, BRISE_EIO,
		        "%s/%s: a link to a file that is not there; is the download complete?",
		        folder, name);
	case FOUND_ADAPTER:
		return refuse_adapter(folder, err);
	case FOUND_PICKLE:
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: no weights but %s, which may hold programs and is not read; "
		                 "get the model's .safetensors files",
		                 folder, name);
	case FOUND_CACHE:
		return error_set(err, BRISE_EFORMAT,
		                 "%s: a cache of models; give one of its folders, as %s", folder,
		                 name);
	default:
		return BRISE_OK;
	}
}

/* ---- files ---------------------------------------------------------------------------------- */

/* "name-00001-of-00003.safetensors" */
static bool is_shard(const char *name)
{
	const char *of = strstr(name, "-of-");

	return of && of - name >= 6 && strspn(of - 5, "0123456789") == 5 &&
	       strspn(of + 4, "0123456789") == 5 && !strcmp(of + 9, ".safetensors");
}

static brise_status locate_weights(location *out, const char *path, const char *name,
                                   brise_error *err)
{
	out->form = is_shard(name) ? LOCATION_HUGGING_FACE : LOCATION_ANY;
	if (is_shard(name) && !is_file(out->folder, "model.safetensors.index.json"))
		return error_set(
		        err, BRISE_EFORMAT,
		        "%s: a part of several, but model.safetensors.index.json is not beside it",
		        path);
	if (!is_shard(name) && !(out->weights = copy_text(name, strlen(name))))
		return no_memory(path, err);
	return BRISE_OK;
}

static brise_status refuse_brise(const char *path, brise_error *err)
{
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: a brise file already; give the checkpoint it was made from", path);
}

static brise_status refuse_file(const char *path, const char *name, brise_error *err)
{
	static const char *const pickles[] = { ".bin", ".pt", ".pth", ".ckpt", ".pkl", NULL },
	                         *const archives[] = { ".zip", ".tar", ".gz", ".tgz",
		                                       ".xz",  ".zst", ".7z", NULL };
	const char *end = strrchr(name, '.');

	if (end && names_contain(pickles, end))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: such files may hold programs and are not read, but for "
		                 "consolidated.00.pth; get the model's .safetensors files",
		                 path);
	if (end && names_contain(archives, end))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: an archive; unpack it and give the folder", path);
	if (!strncmp(name, "tokenizer", 9) || !strcmp(name, "tekken.json"))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: a tokenizer; give the folder that has the weights as well",
		                 path);
	return error_set(err, BRISE_EUNSUPPORTED,
	                 "%s: no file of a checkpoint; give its folder, or its config.json, "
	                 "params.json, .safetensors, .gguf or consolidated.00.pth",
	                 path);
}

/* Names the file that was given before any file beside it is missed. */
static brise_status check_contents(const char *path, const char *name, brise_error *err)
{
	bool is_weights = names_end_with(name, ".safetensors");
	contents found;
	uint64_t bytes;
	int file;
	brise_status status = files_look(&found, path, err);

	if (status != BRISE_OK)
		return status;
	if (found == CONTENTS_BRISE)
		return refuse_brise(path, err);
	if (found == CONTENTS_EMPTY) /* a part without an index says more */
		return BRISE_OK;
	if (!is_weights && found != CONTENTS_LFS_POINTER && found != CONTENTS_WEB_PAGE)
		return BRISE_OK;
	status = files_open(&file, &bytes, path, is_weights ? CONTENTS_SAFETENSORS : CONTENTS_JSON,
	                    err);
	if (status == BRISE_OK)
		(void)os_close(file);
	return status;
}

static brise_status locate_file(location *out, const char *path, brise_error *err)
{
	static const char *const hugging_face[] = { "config.json", "model.safetensors.index.json",
		                                    NULL };
	static const char *const own[] = { "params.json", "consolidated.safetensors",
		                           "consolidated.00.pth", "consolidated.01.pth", NULL };
	const char *name;
	brise_status status;

	if (!(out->folder = folder_of(path, &name)))
		return no_memory(path, err);
	if (!strncmp(name, "adapter_", 8) || !strcmp(name, "lora.safetensors"))
		return refuse_adapter(out->folder, err);
	if ((status = check_contents(path, name, err)) != BRISE_OK)
		return status;
	if (names_contain(hugging_face, name) || names_contain(own, name)) {
		out->form = names_contain(own, name) ? LOCATION_OWN : LOCATION_HUGGING_FACE;
		return BRISE_OK;
	}
	return names_end_with(name, ".safetensors") ? locate_weights(out, path, name, err)
	                                            : refuse_file(path, name, err);
}

brise_status locate_checkpoint(location *out, const char *path, brise_error *err)
{
	os_facts facts;

	*out = (location){ NULL, NULL, LOCATION_ANY };
	if (!os_examine(path, &facts))
		return files_explain_open(path, err);
	if (facts.kind == OS_FOLDER)
		return locate_folder(&out->folder, path, err);
	if (facts.kind == OS_FILE)
		return locate_file(out, path, err);
	return error_set(err, BRISE_EIO, "%s: is not a regular file and not a folder", path);
}

void locate_free(location *l)
{
	memory_free(l->folder);
	memory_free(l->weights);
	*l = (location){ NULL, NULL, LOCATION_ANY };
}
