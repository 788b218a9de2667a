/* test_mixed.c - measured losses against a second forward pass in doubles, and conversions that
 * choose types: for any number of threads, cancelled, and with calibrations that do not serve */
#include <dirent.h>
#include <math.h>

#include "arch/tools/tools.h"
#include "convert/mixed/losses.h"
#include "runtime/model/crc32.h"
#include "runtime/model/order.h"
#include "runtime/os/memory.h"
#include "test/conversion.h"
#include "test/reference.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define TOKENS        150u

static arch_tools best;
static enum book_effort effort = EFFORT_HIGH;

/* ---- conversions ---------------------------------------------------------------------------- */

/* Files in the tests' folder. */
static unsigned folder_entries(void)
{
	struct dirent *entry;
	unsigned n = 0;
	DIR *d = opendir(files.folder);

	while (d && (entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n;
}

/* Divergence grows with the square of errors while states and predictions change little, as those
 * of models that were trained do: a layer adds little to the states, and logits are small. An
 * embedding that is the output as well is made smaller for that. */
static brise_status read_rows(void *self, uint32_t kind, uint32_t layer, uint32_t first, uint32_t n,
                              float *rows, void *raw, brise_error *err)
{
	const format_config *config = self;
	uint32_t all, cols, i;
	brise_status status = small_read(self, kind, layer, first, n, rows, raw, err);

	model_tensor_shape(config, kind, &all, &cols);
	for (i = 0; i < n * cols; i++)
		if (kind == TENSOR_OUTPUT || kind == TENSOR_WO || kind == TENSOR_W2)
			rows[i] *= config->flags & FORMAT_TIED ? 0.02f : 0.2f;
		else if (kind == TENSOR_EMBEDDING && config->flags & FORMAT_TIED)
			rows[i] *= 0.1f;
	return status;
}

static convert_source make_source(const format_config *config)
{
	static const uint32_t windows[] = { 75, 2 };

	return (convert_source){ .config = *config,
		                 .windows = config == &small_wide ? windows : NULL,
		                 .origin = "made for a test\n",
		                 .read = read_rows,
		                 .self = (void *)(uintptr_t)config };
}

/* Opens a model of that shape as f16, with one matrix as q3; NULL: none. */
static brise_model *open_replaced(const format_config *config, const char *matrix)
{
	convert_source source = make_source(config);
	char rule[64];
	const char *rules[] = { rule };
	convert_options options;
	brise_model *model;
	brise_error err;

	convert_init_options(&options);
	options.type = TYPE_F16;
	options.effort = EFFORT_FAST;
	options.calibration = matrix ? files.cal : NULL;
	options.tensor_types = rules;
	options.n_tensor_types = matrix != NULL;
	(void)snprintf(rule, sizeof rule, "%s=q3", matrix ? matrix : "");
	if (convert_write(&source, files.model, &options, NULL, &err) != BRISE_OK ||
	    brise_open_model(&model, files.model, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return model;
}

/* A calibration with the text, of correlations in spans of 32. */
static void make_calibration(const format_config *config, const int32_t *ids, size_t n)
{
	brise_close_model(open_replaced(config, NULL));
	conversion_calibrate(ids, n, 32);
	(void)unlink(files.model);
}

static void make_random_calibration(const format_config *config, uint64_t seed)
{
	int32_t ids[TOKENS];

	small_tokens(ids, TOKENS, config->vocab, seed);
	make_calibration(config, ids, TOKENS);
}

static convert_options make_options(void)
{
	convert_options options;

	convert_init_options(&options);
	options.effort = effort;
	options.threads = 2;
	return options;
}

/* Tables take much of files of small_odd's size. */
static double bits_of(const format_config *config)
{
	return config == &small_odd ? 12 : 5;
}

static brise_status convert(const format_config *config, unsigned n_threads, const char *arch,
                            watcher *w, brise_error *err)
{
	convert_source source = make_source(config);
	convert_options options = make_options();

	options.bits = bits_of(config);
	options.threads = n_threads;
	options.arch = arch;
	return conversion_write(&source, options, w, err);
}

/* ---- losses --------------------------------------------------------------------------------- */

/* Mean over tokens of the divergence of q's predictions from p's, both logits [TOKENS][vocab]. */
static double divergence(const double *p, const double *q, size_t vocab)
{
	double sum = 0;
	size_t t, i;

	for (t = 0; t < TOKENS; t++, p += vocab, q += vocab) {
		double all_p = 0, all_q = 0;

		for (i = 0; i < vocab; i++) {
			all_p += exp(p[i]);
			all_q += exp(q[i]);
		}
		for (i = 0; i < vocab; i++)
			sum += exp(p[i]) / all_p * (p[i] - log(all_p) - q[i] + log(all_q));
	}
	return sum / TOKENS;
}

/* What losses_measure says of the matrices of a model, all but one layer's (no layer: all); guesses
 * before are 1, 2, 3, 1 and so on. NULL: it fails. */
static double *measure(const format_config *config, enum book_effort with, uint32_t but,
                       file_plan *plan, brise_error *err)
{
	convert_source source = make_source(config);
	convert_options options;
	encode_job job = { plan, &options, NULL, &best, 2, files.out };
	double *losses = NULL;
	brise_status status;
	losses_how how = { 0, false };
	uint32_t i;

	convert_init_options(&options);
	options.effort = with;
	status = plan_make(plan, &source, &job, err);
	for (i = 0; i < plan->n_tensors; i++) {
		format_tensor *t = &plan->tensors[i];

		t->type = order_is_vector(t->kind)                        ? TYPE_F32
		          : order_is_in_layer(t->kind) && t->layer == but ? TYPE_Q4
		                                                          : 0;
	}
	if (status == BRISE_OK &&
	    (status = calibration_open(&job.calibration, files.cal, err)) == BRISE_OK) {
		losses = calloc(plan->n_tensors, sizeof *losses);
		for (i = 0; i < plan->n_tensors; i++)
			losses[i] = 1 + i % 3;
		status = losses_measure(&job, losses, &how, err);
	}
	calibration_close(job.calibration);
	if (status == BRISE_OK && how.tokens == TOKENS && how.by_layer == (with == EFFORT_FAST))
		return losses;
	free(losses);
	return NULL;
}

/* Each matrix in its turn as q3 in a file, everything else as f16, and predictions in doubles. The
 * measured one rounds activations to int8, and its errors are three times as large, where
 * divergence is not quite their square. */
static void test_losses_are_the_divergence_of_single_matrices(check_counts *counts,
                                                              const format_config *config)
{
	brise_model *model;
	double *whole, *one, *losses, ratio, log_ratio = 0;
	int32_t ids[TOKENS];
	brise_error err = { BRISE_OK, "" };
	file_plan plan;
	uint32_t i, n = 0;

	small_tokens(ids, TOKENS, config->vocab, 4);
	make_calibration(config, ids, TOKENS);
	losses = measure(config, EFFORT_NORMAL, UINT32_MAX, &plan, &err);
	CHECK(counts, losses, "%s", err.message);
	if (!losses)
		return;
	model = open_replaced(config, NULL);
	whole = reference_logits(model, ids, TOKENS);
	brise_close_model(model);
	for (i = 0; i < plan.n_tensors; i++) {
		char name[48];

		if (order_is_vector(plan.tensors[i].kind)) {
			CHECK(counts, losses[i] == 0, "a vector is not measured");
			continue;
		}
		model_tensor_name(name, plan.tensors[i].kind, plan.tensors[i].layer);
		model = open_replaced(config, name);
		one = reference_logits(model, ids, TOKENS);
		ratio = losses[i] / divergence(whole, one, config->vocab);
		CHECK(counts, ratio > 0.6 && ratio < 1.3, "%s: %g, %.2f times what it is", name,
		      losses[i], ratio);
		log_ratio += log(ratio);
		n++;
		brise_close_model(model);
		free(one);
	}
	CHECK(counts, fabs(log_ratio / n) < log(1.2), "%.2f times what they are on average",
	      exp(log_ratio / n));
	free(whole), free(losses);
	plan_free(&plan);
	(void)unlink(files.model), (void)unlink(files.cal);
}

/* Sums of the layers, and shares of the guesses within each; embedding and output to the bit. The
 * last layer and what follows it are where streams would go beyond their room. */
static void test_layers_lose_what_their_matrices_do(check_counts *counts,
                                                    const format_config *config, uint32_t but)
{
	double *single, *whole, sums[2][2] = { { 0 } }, guesses[2] = { 0 };
	brise_error err = { BRISE_OK, "" };
	file_plan plan, again;
	uint32_t i, layer;

	make_random_calibration(config, 4);
	single = measure(config, EFFORT_NORMAL, but, &plan, &err);
	whole = measure(config, EFFORT_FAST, but, &again, &err);
	CHECK(counts, single && whole, "%s", err.message);
	if (!single || !whole)
		return;
	for (i = 0; i < plan.n_tensors; i++) {
		const format_tensor *t = &plan.tensors[i];

		if (!order_is_in_layer(t->kind) || t->type != 0) {
			CHECK(counts, single[i] == whole[i] && (single[i] > 0) == (t->type == 0),
			      "tensor %u: %g, %g", (unsigned)i, single[i], whole[i]);
			continue;
		}
		sums[0][t->layer] += single[i];
		sums[1][t->layer] += whole[i];
		guesses[t->layer] += 1 + i % 3;
	}
	for (layer = 0; layer < 2; layer++)
		CHECK(counts,
		      layer == but ? sums[1][layer] == 0
		                   : fabs(log(sums[1][layer] / sums[0][layer])) < log(1.3),
		      "layer %u: %g, its matrices %g", (unsigned)layer, sums[1][layer],
		      sums[0][layer]);
	for (i = 0; i < plan.n_tensors; i++) {
		const format_tensor *t = &plan.tensors[i];
		double share = (1 + i % 3) / guesses[t->layer < 2 ? t->layer : 0];

		CHECK(counts,
		      !order_is_in_layer(t->kind) || t->type != 0 ||
		              fabs(whole[i] / (share * sums[1][t->layer]) - 1) < 1e-9,
		      "tensor %u: %g is not its share", (unsigned)i, whole[i]);
	}
	free(single), free(whole);
	plan_free(&plan), plan_free(&again);
	(void)unlink(files.cal);
}

/* ---- files ---------------------------------------------------------------------------------- */

static file converted(check_counts *counts, const format_config *config, unsigned n_threads,
                      const char *arch)
{
	watcher w = { UINT32_MAX, "" };
	brise_error err;
	file f;

	CHECK(counts, convert(config, n_threads, arch, &w, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, strstr(w.notes, "measured on 150 tokens") && strstr(w.notes, "q3 loses"),
	      "notes: %s", w.notes);
	CHECK(counts,
	      strstr(w.notes, ": q3") && strstr(w.notes, " q4") && !strstr(w.notes, "asked for"),
	      "several types: %s", w.notes);
	f = read_file(files.out);
	(void)unlink(files.out);
	return f;
}

static void test_any_threads_and_kernels_give_the_same_file(check_counts *counts,
                                                            const format_config *config)
{
	file f;

	make_random_calibration(config, 10);
	f = conversion_compare(counts, config, converted);
	free(f.bytes);
	(void)unlink(files.cal);
}

/* At many calls of cancel, with one message whichever part of the work was cancelled. */
static void test_cancelled_conversions_leave_nothing(check_counts *counts)
{
	unsigned asked, n = 0, wrong = 0, left = 0;
	brise_status status = BRISE_ECANCELED;
	brise_error err;
	watcher w;

	make_random_calibration(&small_odd, 11);
	for (asked = 0; status == BRISE_ECANCELED && asked < 20000; asked += 1 + asked / 16, n++) {
		w.left = asked;
		status = convert(&small_odd, 2, NULL, &w, &err);
		if (status != BRISE_ECANCELED)
			break;
		wrong += !strstr(err.message, "nothing was written") ||
		         !strstr(err.message, files.out);
		left += folder_entries() != 1; /* the calibration */
	}
	CHECK(counts, status == BRISE_OK && n > 30, "status %d after %u runs", (int)status, n);
	CHECK(counts, wrong == 0 && left == 0, "%u messages, %u folders are not as they should be",
	      wrong, left);
	(void)unlink(files.out), (void)unlink(files.cal);
}

/* ---- budgets -------------------------------------------------------------------------------- */

/* Memory that brise info says the file at files.out takes, with four threads. */
static uint64_t count_memory(void)
{
	const brise_engine_options engine = { .size = sizeof engine, .threads = 4 };
	brise_sequence *sequence;
	brise_model *model;
	uint64_t bytes;
	brise_error err;

	if (brise_open_model(&model, files.out, NULL, &err) != BRISE_OK ||
	    brise_get_engine_bytes(model, &engine, &bytes, &err) != BRISE_OK ||
	    brise_new_sequence(&sequence, model, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	bytes += brise_get_sequence_facts(sequence)->kv_bytes +
	         brise_get_model_facts(model)->file_bytes;
	brise_free_sequence(sequence);
	brise_close_model(model);
	return bytes;
}

/* More memory makes a larger file, and leaves less than the smallest step that was possible. */
static void test_files_fill_the_memory_they_may_take(check_counts *counts)
{
	convert_source source = make_source(&small_wide);
	convert_options options = make_options();
	watcher w = { UINT32_MAX, "" };
	uint64_t least, most, memory, taken, before = 0;
	brise_error err;

	make_random_calibration(&small_wide, 15);
	options.bits = 3.25;
	CHECK(counts, conversion_write(&source, options, &w, &err) == BRISE_OK, "%s", err.message);
	least = count_memory() + FORMAT_PAGE;
	options.bits = 64;
	CHECK(counts, conversion_write(&source, options, &w, &err) == BRISE_OK, "%s", err.message);
	most = count_memory();
	CHECK(counts, !strstr(w.notes, "measur") || strstr(w.notes, "losses are measured where"),
	      "without a choice nothing is measured: %s", w.notes);
	options.bits = 0;
	for (memory = least; memory < most; memory += (most - least) / 5) {
		options.memory = memory;
		(void)unlink(files.out);
		CHECK(counts, conversion_write(&source, options, &w, &err) == BRISE_OK, "%s",
		      err.message);
		taken = count_memory();
		CHECK(counts, taken <= memory && taken + (most - least) / 5 > memory,
		      "%.0f bytes of %.0f are taken", (double)taken, (double)memory);
		CHECK(counts, taken >= before, "%.0f bytes, with less memory %.0f", (double)taken,
		      (double)before);
		before = taken;
	}
	(void)unlink(files.out), (void)unlink(files.cal);
}

/* What can be refused is refused before the losses are measured, which takes long. */
static void test_refusals_come_before_measuring(check_counts *counts)
{
	convert_source source = make_source(&small_odd);
	convert_options options = make_options();
	watcher w = { UINT32_MAX, "" };
	brise_error err;
	file f;

	make_random_calibration(&small_odd, 16);
	options.memory = 10000;
	CHECK(counts,
	      conversion_write(&source, options, &w, &err) == BRISE_EINVAL &&
	              strstr(err.message, "too few") && w.notes[0] == 0 && !exists(files.out),
	      "too little memory: '%s', %s", err.message, w.notes);
	write_file(files.out, "a letter", 8);
	options.memory = 0;
	options.bits = bits_of(&small_odd);
	for (options.effort = EFFORT_HIGH; options.effort <= EFFORT_BEST; options.effort++) {
		CHECK(counts,
		      conversion_write(&source, options, &w, &err) == BRISE_EIO &&
		              strstr(err.message, files.out) && w.notes[0] == 0,
		      "a file of another kind: '%s', %s", err.message, w.notes);
		f = read_file(files.out);
		CHECK(counts, f.size == 8, "it stays");
		free(f.bytes);
	}
	CHECK(counts, folder_entries() == 2, "nothing else is left");
	(void)unlink(files.out), (void)unlink(files.cal);
}

/* ---- calibrations that do not serve --------------------------------------------------------- */

/* What a calibration of small_odd's shape becomes: its header's checksums are made right again. */
static void seal(uint8_t *bytes)
{
	calibration_header h;

	memcpy(&h, bytes, sizeof h);
	h.inputs_crc = crc32_update(0, bytes + sizeof h, h.n_inputs * sizeof(calibration_input));
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	memcpy(bytes, &h, sizeof h);
}

/* Of version 1, or of a few tokens: types are chosen without measuring, and a line says so. */
static void test_without_a_text_losses_are_guessed(check_counts *counts)
{
	watcher w = { UINT32_MAX, "" };
	calibration_header h;
	calibration_input last;
	int32_t ids[20];
	brise_error err;
	file f;

	make_random_calibration(&small_odd, 12);
	f = read_file(files.cal);
	memcpy(&h, f.bytes, sizeof h);
	memcpy(&last, f.bytes + sizeof h + (h.n_inputs - 1) * sizeof last, sizeof last);
	h.version = 1;
	h.ids_crc = 0;
	h.file_bytes = last.offset + last.bytes;
	memcpy(f.bytes, &h, sizeof h);
	seal(f.bytes);
	write_file(files.cal, f.bytes, (size_t)h.file_bytes);
	free(f.bytes);
	CHECK(counts, convert(&small_odd, 2, NULL, &w, &err) == BRISE_OK, "version 1: %s",
	      err.message);
	CHECK(counts, strstr(w.notes, "by kind of matrix and error"), "version 1: %s", w.notes);
	small_tokens(ids, LENGTH(ids), small_odd.vocab, 13);
	make_calibration(&small_odd, ids, LENGTH(ids));
	CHECK(counts, convert(&small_odd, 2, NULL, &w, &err) == BRISE_OK, "20 tokens: %s",
	      err.message);
	CHECK(counts, strstr(w.notes, "by kind of matrix and error"), "20 tokens: %s", w.notes);
	(void)unlink(files.out), (void)unlink(files.cal);
}

/* Checksums are right, the data they cover are not. */
static void test_lying_calibrations_are_refused(check_counts *counts)
{
	const int16_t least = -32767;
	const int32_t beyond = (int32_t)small_odd.vocab;
	watcher w = { UINT32_MAX, "" };
	calibration_header h;
	calibration_input in;
	brise_error err;
	uint8_t *bytes;
	file good;
	size_t i;

	make_random_calibration(&small_odd, 14);
	good = read_file(files.cal);
	bytes = malloc(good.size);
	memcpy(bytes, good.bytes, good.size);
	memcpy(&h, bytes, sizeof h);
	memcpy(bytes + calibration_ids_at(&h) + 40 * sizeof beyond, &beyond, sizeof beyond);
	h.ids_crc =
	        crc32_update(0, bytes + calibration_ids_at(&h), (size_t)h.tokens * sizeof beyond);
	memcpy(bytes, &h, sizeof h);
	seal(bytes);
	write_file(files.cal, bytes, good.size);
	CHECK(counts,
	      convert(&small_odd, 2, NULL, &w, &err) == BRISE_EFORMAT &&
	              strstr(err.message, files.cal) && !exists(files.out),
	      "an id beyond the vocabulary: '%s'", err.message);
	/* No inputs have correlations of -1 everywhere. */
	memcpy(bytes, good.bytes, good.size);
	memcpy(&in, bytes + sizeof h + 5 * sizeof in, sizeof in);
	for (i = in.cols * sizeof(float); i < in.bytes; i += sizeof least)
		memcpy(bytes + in.offset + i, &least, sizeof least);
	in.crc = crc32_update(0, bytes + in.offset, (size_t)in.bytes);
	memcpy(bytes + sizeof h + 5 * sizeof in, &in, sizeof in);
	seal(bytes);
	write_file(files.cal, bytes, good.size);
	CHECK(counts,
	      convert(&small_odd, 2, NULL, &w, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "input 5") && !exists(files.out),
	      "correlations of -1: '%s'", err.message);
	/* Inputs that are all zero weigh nothing. */
	memcpy(bytes, good.bytes, good.size);
	memcpy(&in, bytes + sizeof h + 5 * sizeof in, sizeof in);
	memset(bytes + in.offset, 0, in.cols * sizeof(float));
	in.crc = crc32_update(0, bytes + in.offset, (size_t)in.bytes);
	memcpy(bytes + sizeof h + 5 * sizeof in, &in, sizeof in);
	seal(bytes);
	write_file(files.cal, bytes, good.size);
	CHECK(counts,
	      (convert(&small_odd, 2, NULL, &w, &err) == BRISE_OK) == (bool)exists(files.out) &&
	              (exists(files.out) || err.code == BRISE_EFORMAT),
	      "squares of zero: '%s'", err.message);
	free(bytes), free(good.bytes);
	(void)unlink(files.out), (void)unlink(files.cal);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	arch_kernels kernels;
	arch_cpu cpu;

	check_choose(argc, argv);
	arch_detect(&cpu);
	if (!arch_choose(&kernels, getenv("BRISE_TEST_ARCH"), &cpu))
		return 1;
	arch_find_tools(&best, kernels.name);
	conversion_folder();
	RUN(test_losses_are_the_divergence_of_single_matrices(&counts, &small_odd));
	RUN(test_losses_are_the_divergence_of_single_matrices(&counts, &small_wide));
	RUN(test_losses_are_the_divergence_of_single_matrices(&counts, &small_scaled));
	RUN(test_layers_lose_what_their_matrices_do(&counts, &small_odd, UINT32_MAX));
	RUN(test_layers_lose_what_their_matrices_do(&counts, &small_wide, 0));
	RUN(test_layers_lose_what_their_matrices_do(&counts, &small_scaled, 1));
	effort = EFFORT_FAST;
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_wide));
	effort = EFFORT_HIGH;
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_odd));
	RUN(test_any_threads_and_kernels_give_the_same_file(&counts, &small_wide));
	RUN(test_cancelled_conversions_leave_nothing(&counts));
	RUN(test_files_fill_the_memory_they_may_take(&counts));
	RUN(test_refusals_come_before_measuring(&counts));
	RUN(test_without_a_text_losses_are_guessed(&counts));
	RUN(test_lying_calibrations_are_refused(&counts));
	return check_report("mixed", &counts);
}
