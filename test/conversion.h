/* conversion.h - conversions with a calibration that a test watches and cancels; all files lie in
 * one folder, which is gone at the program's end */
#ifndef TEST_CONVERSION_H
#define TEST_CONVERSION_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch/kernels.h"
#include "convert/calibration/calibrate.h"
#include "convert/convert.h"
#include "test/check.h"
#include "test/small_model.h"
#include "test/whole_file.h"

static struct {
	char folder[256], cal[300], out[300], model[300];
} files;

static inline void conversion_folder(void)
{
	small_folder(files.folder, sizeof files.folder);
	(void)snprintf(files.cal, sizeof files.cal, "%s/x.cal", files.folder);
	(void)snprintf(files.out, sizeof files.out, "%s/x.brise", files.folder);
	(void)snprintf(files.model, sizeof files.model, "%s/model.brise", files.folder);
}

typedef struct watcher {
	unsigned left; /* calls of cancel that do not cancel */
	char notes[4096];
} watcher;

static inline bool conversion_count_down(void *user)
{
	watcher *w = user;

	return w->left == 0 || w->left-- == 0;
}

static inline void conversion_note(void *user, const char *line)
{
	watcher *w = user;

	(void)snprintf(w->notes + strlen(w->notes), sizeof w->notes - strlen(w->notes), "%s\n",
	               line);
}

/* Writes files.out with the calibration files.cal, and with the options given. */
static inline brise_status conversion_write(const convert_source *source, convert_options options,
                                            watcher *w, brise_error *err)
{
	options.calibration = files.cal;
	options.cancel = conversion_count_down;
	options.decision = conversion_note;
	options.user = w;
	w->notes[0] = err->message[0] = 0;
	return convert_write(source, files.out, &options, NULL, err);
}

/* Writes files.cal from the model files.model; what goes wrong ends the test. */
static inline void conversion_calibrate(const int32_t *ids, size_t n, uint32_t span)
{
	calibrate_options options = { .span = span, .threads = 2 };
	brise_model *model;
	brise_error err;

	(void)unlink(files.cal);
	if (brise_open_model(&model, files.model, NULL, &err) != BRISE_OK ||
	    calibrate_model(model, ids, n, files.cal, &options, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	brise_close_model(model);
}

/* Converts with so many threads and a kernel set (NULL: the best), and returns the file. */
typedef file conversion_fn(check_counts *counts, const format_config *config, unsigned n_threads,
                           const char *arch);

/* The file, which is the same for any number of threads and every kernel set that this machine and
 * BRISE_TEST_ARCH allow. */
static inline file conversion_compare(check_counts *counts, const format_config *config,
                                      conversion_fn *convert)
{
	const char *only = getenv("BRISE_TEST_ARCH");
	file first = convert(counts, config, 1, NULL), f = convert(counts, config, 3, NULL);
	arch_cpu cpu;
	size_t i;

	arch_detect(&cpu);
	CHECK(counts, is_same(&first, &f), "three threads");
	free(f.bytes);
	for (i = 0; arch_list(i); i++) {
		arch_kernels set;

		if (!arch_choose(&set, arch_list(i)->name, &cpu) ||
		    (only && *only && strcmp(only, arch_list(i)->name) != 0))
			continue;
		f = convert(counts, config, 2, arch_list(i)->name);
		CHECK(counts, is_same(&first, &f), "%s", arch_list(i)->name);
		free(f.bytes);
	}
	return first;
}

#endif
