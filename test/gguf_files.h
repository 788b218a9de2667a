/* gguf_files.h - GGUF files in a folder of the test's own, converted and exported */
#ifndef TEST_GGUF_FILES_H
#define TEST_GGUF_FILES_H

#include <inttypes.h>
#include <sys/stat.h>

#include "convert/convert.h"
#include "convert/export.h"
#include "test/check.h"
#include "test/gguf_maker.h"
#include "test/small_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char base[512], folder[600], out[700];

/* ---- files ----------------------------------------------------------------------------------- */

static inline const char *path_of(const char *name)
{
	static char path[700];

	(void)snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
	return path;
}

/* Converts folder/name to `out`. */
static inline brise_status convert(const char *name, uint32_t type, bool tokenizer,
                                   brise_error *err)
{
	convert_options options;

	convert_init_options(&options);
	options.type = type;
	options.threads = 2;
	options.no_tokenizer = !tokenizer;
	err->message[0] = 0;
	return convert_checkpoint(path_of(name), out, &options, NULL, err);
}

/* Configuration and tensors of a .brise file: all but the notes of where it came from, which lie
 * between. */
static inline maker_bytes model_of(const char *path)
{
	maker_bytes file = maker_read(path), model = { NULL, 0, 0 };
	format_section sections[2];
	format_tensor first;

	if (file.n > FORMAT_PAGE) {
		memcpy(sections, file.data + sizeof(format_header), sizeof sections);
		memcpy(&first, file.data + sections[1].offset, sizeof first);
		maker_put(&model, file.data + sections[0].offset, (size_t)sections[0].bytes);
		maker_put(&model, file.data + first.offset, file.n - (size_t)first.offset);
	}
	maker_free(&file);
	return model;
}

static inline bool same_bytes(const maker_bytes *a, const maker_bytes *b)
{
	return a->n == b->n && a->n > 0 && !memcmp(a->data, b->data, a->n);
}

static inline void save_and_free(const char *name, maker_bytes file)
{
	maker_save(folder, name, file.data, file.n);
	maker_free(&file);
}

static inline void refuse(check_counts *counts, const char *name, brise_status expected,
                          const char *text)
{
	brise_error err;
	brise_status status;

	(void)unlink(out);
	status = convert(name, TYPE_F16, false, &err);
	CHECK(counts, status == expected && strstr(err.message, text) && !strchr(err.message, '\n'),
	      "%s expected: %d %s", text, status, err.message);
	CHECK(counts, access(out, F_OK) != 0, "%s: something was written", text);
}

static inline brise_status export_to(const char *name, enum export_format format, brise_error *err)
{
	export_options options;
	brise_model *model = NULL;
	brise_status status = brise_open_model(&model, out, NULL, err);

	export_init_options(&options);
	options.format = format;
	if (status == BRISE_OK)
		status = export_model(model, path_of(name), &options, NULL, err);
	brise_close_model(model);
	return status;
}

static inline bool make_folder(void)
{
	small_folder(base, sizeof base);
	(void)snprintf(folder, sizeof folder, "%s/gguf", base);
	(void)snprintf(out, sizeof out, "%s/model.brise", base);
	return mkdir(folder, 0777) == 0;
}

static inline void remove_folder(void)
{
	(void)unlink(out);
	(void)maker_clear(folder);
	(void)rmdir(folder);
	(void)rmdir(base);
}

#endif
