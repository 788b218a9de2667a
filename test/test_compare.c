/* test_compare.c - comparisons of weights: known perturbations are measured as they were made, in
 * every form of weights */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/compare.h"
#include "convert/model_source.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/small_model.h"
#include "test/tested_types.h"

/* ---- sources with a known difference --------------------------------------------------------- */

static convert_source make_source(const format_config *config)
{
	return (convert_source){ .config = *config,
		                 .read = small_read,
		                 .self = (void *)(uintptr_t)config };
}

/* 83 rows of 74: the weights of the last slice are no multiple of the lanes. */
static format_config make_ragged(void)
{
	format_config config = small_odd;

	config.dim = 74;
	return config;
}

/* One weight of layers.1.w2 is 0.25 larger, the very last of the model 0.5, and all of layers.0.wq
 * are larger by 2^-8 of themselves. */
static brise_status read_perturbed(void *self, uint32_t kind, uint32_t layer, uint32_t first,
                                   uint32_t n, float *rows, void *raw, brise_error *err)
{
	const format_config *config = self;
	uint32_t all, cols, row, col;
	brise_status status = small_read(self, kind, layer, first, n, rows, raw, err);

	model_tensor_shape(config, kind, &all, &cols);
	for (row = first; row < first + n; row++)
		for (col = 0; col < cols; col++) {
			float *weight = &rows[(row - first) * cols + col];

			if (kind == TENSOR_W2 && layer == 1 && row == 70 && col == 99)
				*weight += 0.25f;
			if (kind == TENSOR_OUTPUT && row == 82 && col == 73)
				*weight += 0.5f;
			if (kind == TENSOR_WQ && layer == 0)
				*weight *= 1 + 0x1p-8f;
		}
	return status;
}

static compare_tensor *compare(check_counts *counts, const convert_source *a,
                               const convert_source *b, unsigned threads, size_t *n)
{
	compare_options options = { .threads = threads };
	brise_error err = { BRISE_OK, "" };
	compare_tensor *list;

	CHECK(counts, compare_sources(a, "a", b, "b", &options, &list, n, &err) == BRISE_OK, "%s",
	      err.message);
	return list;
}

/* Catches rows and weights that are left out at a tensor's end, and a norm taken of the wrong
 * side. */
static void test_known_perturbations_come_out(check_counts *counts)
{
	const format_config config = make_ragged();
	convert_source a = make_source(&config), b = make_source(&config);
	double norm = 0;
	size_t n, i, row, col, found = 0;
	float weights[120 * 74];
	compare_tensor *list;

	a.read = read_perturbed;
	(void)small_read(b.self, TENSOR_WQ, 0, 0, 120, weights, NULL, NULL);
	for (row = 0; row < 120; row++)
		for (col = 0; col < 74; col++)
			norm += (double)weights[row * 74 + col] * (double)weights[row * 74 + col];
	list = compare(counts, &a, &b, 2, &n);
	CHECK(counts, n == 2 * 9 + 3, "%zu tensors", n);
	for (i = 0; i < n; i++) {
		const compare_sums *s = &list[i].sums;

		if (!strcmp(list[i].name, "layers.1.w2")) {
			CHECK(counts,
			      fabs(s->error - 0.0625) < 1e-7 && fabs(s->largest - 0.25) < 1e-7,
			      "%.9g, largest %.9g", s->error, s->largest);
			CHECK(counts, list[i].rows == 74 && list[i].cols == 100, "%u x %u",
			      list[i].rows, list[i].cols);
			found++;
		} else if (!strcmp(list[i].name, "output")) {
			CHECK(counts, fabs(s->error - 0.25) < 1e-6 && fabs(s->largest - 0.5) < 1e-6,
			      "%.9g, largest %.9g", s->error, s->largest);
			found++;
		} else if (!strcmp(list[i].name, "layers.0.wq")) {
			CHECK(counts, fabs(compare_relative_error(s) / 0x1p-16 - 1) < 1e-3, "%.9g",
			      compare_relative_error(s));
			CHECK(counts, fabs(s->norm / norm - 1) < 1e-12,
			      "norm %.12g, expected %.12g", s->norm, norm);
			found++;
		} else
			CHECK(counts, s->error == 0 && s->largest == 0 && s->norm > 0, "%s: %g",
			      list[i].name, s->error);
	}
	CHECK(counts, found == 3, "%zu", found);
	free(list);
}

static void test_threads_change_no_bit(check_counts *counts)
{
	convert_source a = make_source(&small_wide), b = make_source(&small_wide);
	compare_tensor *first, *other;
	size_t n, i;

	a.read = read_perturbed;
	first = compare(counts, &a, &b, 1, &n);
	other = compare(counts, &a, &b, 3, &n);
	for (i = 0; i < n; i++)
		CHECK(counts, !memcmp(&first[i].sums, &other[i].sums, sizeof first[i].sums), "%s",
		      first[i].name);
	free(first), free(other);
}

/* The encoder measures its own error while it encodes; decoding the file must give the same. In a
 * shape of whole blocks: the encoder counts the error of padding columns, which decoding omits. */
static void test_a_file_loses_what_its_table_says(check_counts *counts, const char *path)
{
	convert_source b = make_source(&small_wide), a;
	brise_tensor_facts facts;
	compare_tensor *list;
	brise_error err;
	uint32_t type = 0;
	size_t n, i;

	while ((type = next_matrix_type(type)) != 0) {
		small_write(&small_wide, type, path);
		CHECK(counts, model_source_open(&a, path, &err) == BRISE_OK, "%s", err.message);
		list = compare(counts, &a, &b, 2, &n);
		CHECK(counts, n == brise_get_tensor_count(a.self), "%zu tensors", n);
		for (i = 0; i < n; i++) {
			double error = compare_relative_error(&list[i].sums);

			(void)brise_get_tensor_facts(a.self, i, &facts, sizeof facts, NULL);
			CHECK(counts,
			      !strcmp(facts.name, list[i].name) && list[i].types[0] &&
			              !strcmp(facts.type, list[i].types[0]) && !list[i].types[1],
			      "%s, %s", facts.name, list[i].name);
			CHECK(counts, fabs(error - (double)facts.relative_error) <= 1e-5 * error,
			      "%s: %.9g, the table says %.9g", facts.name, error,
			      (double)facts.relative_error);
		}
		free(list);
		model_source_close(&a);
	}
	(void)unlink(path);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

/* Catches q and k compared in the order of the checkpoint instead of the file's. */
static void test_forms_of_one_model_are_equal(check_counts *counts, const char *folder,
                                              const char *path)
{
	convert_source sources[3];
	static const char *const dtypes[] = { "F16", "BF16" };
	char names[2][320];
	convert_options options;
	compare_tensor *list;
	brise_error err;
	size_t n, i, k;

	for (k = 0; k < 2; k++) {
		maker_model *m = maker_new(k == 1, dtypes[k]);

		(void)snprintf(names[k], sizeof names[k], "%s/%zu", folder, k);
		(void)mkdir(names[k], 0700);
		maker_config(names[k], k == 1, NULL);
		maker_safetensors(names[k],
		                  k == 1 ? "consolidated.safetensors" : "model.safetensors", m, 0,
		                  m->n, NULL);
		maker_close(m);
		CHECK(counts, convert_open_source(&sources[k], names[k], &err) == BRISE_OK, "%s",
		      err.message);
	}
	convert_init_options(&options);
	options.type = TYPE_F16;
	options.no_tokenizer = true;
	CHECK(counts,
	      convert_checkpoint(names[1], path, &options, NULL, &err) == BRISE_OK &&
	              model_source_open(&sources[2], path, &err) == BRISE_OK,
	      "%s", err.message);
	for (k = 0; k < 2; k++) {
		const char *reference = k == 0 ? "F16" : "BF16";

		list = compare(counts, &sources[2], &sources[k], 2, &n);
		for (i = 0; i < n; i++)
			CHECK(counts,
			      list[i].sums.error == 0 && list[i].sums.norm > 0 &&
			              !strcmp(list[i].types[1], reference),
			      "%s %s: %g", names[k], list[i].name, list[i].sums.error);
		free(list);
	}
	convert_close_source(&sources[0]), convert_close_source(&sources[1]),
	        model_source_close(&sources[2]);
	for (k = 0; k < 2; k++)
		(void)maker_clear(names[k]), (void)rmdir(names[k]);
	(void)unlink(path);
}

/* ---- what cannot be compared ----------------------------------------------------------------- */

static void expect_refusal(check_counts *counts, const format_config *config, const char *text)
{
	convert_source a = make_source(config), b = make_source(&small_odd);
	compare_options options = { .threads = 1 };
	brise_error err = { BRISE_OK, "" };
	compare_tensor *list;
	size_t n;

	CHECK(counts,
	      compare_sources(&a, "this", &b, "that", &options, &list, &n, &err) == BRISE_EINVAL &&
	              !list && n == 0,
	      "%s", err.message);
	CHECK(counts,
	      strstr(err.message, text) && strstr(err.message, "this: ") == err.message &&
	              strstr(err.message, " as in that"),
	      "%s", err.message);
}

static void test_other_shapes_are_refused_by_name(check_counts *counts)
{
	format_config other = small_odd;

	other.n_layers = 3;
	expect_refusal(counts, &other, "expected 2 layers");
	other = small_odd;
	other.hidden_dim = 101;
	expect_refusal(counts, &other, "tensor layers.0.w1: expected 100 x 72");
	other = small_odd;
	other.vocab = 84;
	expect_refusal(counts, &other, "tensor embedding: expected 83 x 72");
}

static bool cancel_always(void *user)
{
	(void)user;
	return true;
}

static void test_cancel_stops_it(check_counts *counts)
{
	convert_source a = make_source(&small_odd);
	compare_options options = { .threads = 2, .cancel = cancel_always };
	compare_tensor *list;
	brise_error err;
	size_t n;

	CHECK(counts,
	      compare_sources(&a, "a", &a, "b", &options, &list, &n, &err) == BRISE_ECANCELED &&
	              !list,
	      "%s", err.message);
}

static brise_status fail_late(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n,
                              float *rows, void *raw, brise_error *err)
{
	if (kind == TENSOR_W1 && first > 0) {
		(void)snprintf(err->message, sizeof err->message, "the disk is gone");
		return err->code = BRISE_EIO;
	}
	return small_read(self, kind, layer, first, n, rows, raw, err);
}

static void test_a_read_error_is_handed_on(check_counts *counts)
{
	convert_source a = make_source(&small_odd), b = a;
	compare_options options = { .threads = 3 };
	compare_tensor *list;
	brise_error err;
	size_t n;

	b.read = fail_late;
	CHECK(counts,
	      compare_sources(&a, "a", &b, "b", &options, &list, &n, &err) == BRISE_EIO &&
	              !strcmp(err.message, "the disk is gone"),
	      "%s", err.message);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	char folder[256], path[300];

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	RUN(test_known_perturbations_come_out(&counts));
	RUN(test_threads_change_no_bit(&counts));
	RUN(test_a_file_loses_what_its_table_says(&counts, path));
	RUN(test_forms_of_one_model_are_equal(&counts, folder, path));
	RUN(test_other_shapes_are_refused_by_name(&counts));
	RUN(test_cancel_stops_it(&counts));
	RUN(test_a_read_error_is_handed_on(&counts));
	(void)rmdir(folder);
	return check_report("compare", &counts);
}
