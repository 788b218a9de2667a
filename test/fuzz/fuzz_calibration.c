/* fuzz_calibration.c - any bytes as a calibration: refused, or one whose moments and factors encode
 * a tile of finite weights, and whose text a closed loop makes a model from
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_calibration.c SECONDS
 *
 * Input: one byte; if it is even, a file follows, otherwise changes of a valid one, three bytes
 * each: where (little-endian; from the end, where the text is, if the byte's fourth bit is set) and
 * what. Its fifth bit makes the valid file one of version 1, which has no text. Checksums are
 * corrected first, since otherwise nothing behind them would be reached. One time in four the bytes
 * are an unfinished file instead, which a measurement resumes or refuses.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/tools/tools.h"
#include "convert/calibration/calibrate.h"
#include "convert/calibration/calibration.h"
#include "convert/calibration/factor.h"
#include "convert/convert.h"
#include "quant/q3.h"
#include "quant/q4.h"
#include "runtime/model/crc32.h"
#include "test/small_model.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IMAGE_MAX ((size_t)1 << 18)
#define SPAN      32u

static const format_config tiny = { .dim = 40,
	                            .n_layers = 1,
	                            .n_heads = 2,
	                            .n_kv_heads = 1,
	                            .head_dim = 8,
	                            .hidden_dim = 24,
	                            .vocab = 20,
	                            .window = 5,
	                            .max_context = 16,
	                            .bos = 1,
	                            .eos = 2,
	                            .norm_eps = 1e-5f,
	                            .rope_theta = 1e4 };
static const int32_t ids[] = { 1, 5, 7, 3, 19, 0, 4, 4, 9 };

static char folder[64], model_path[80], cal[80], unfinished[96], out[80];
static brise_model *model;
static uint8_t *finished_bytes, *unfinished_bytes;
static size_t finished_size, unfinished_size;

static size_t load(const char *path, uint8_t **bytes)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	*bytes = malloc(IMAGE_MAX);
	size = file && *bytes ? fread(*bytes, 1, IMAGE_MAX, file) : 0;
	if (size == 0 || fclose(file) != 0)
		abort();
	return size;
}

static void save(const char *path, const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (!file || (size && fwrite(bytes, 1, size, file) != size) || fclose(file) != 0)
		abort();
}

static void remove_folder(void)
{
	brise_close_model(model);
	(void)unlink(model_path), (void)unlink(cal), (void)unlink(unfinished), (void)unlink(out);
	(void)rmdir(folder);
}

static bool stop_at_output(void *user)
{
	return ++*(int *)user > 2;
}

static void prepare(void)
{
	calibrate_options options = { .span = SPAN, .threads = 1, .cancel = stop_at_output };
	int asked = 0;

	strcpy(folder, "/dev/shm/fuzz-calibration-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	(void)snprintf(model_path, sizeof model_path, "%s/model", folder);
	(void)snprintf(cal, sizeof cal, "%s/cal", folder);
	(void)snprintf(unfinished, sizeof unfinished, "%s/cal.unfinished", folder);
	(void)snprintf(out, sizeof out, "%s/out", folder);
	(void)atexit(remove_folder);
	small_write(&tiny, TYPE_F16, model_path);
	options.user = &asked;
	if (!fuzz_succeeds(brise_open_model(&model, model_path, NULL, &fuzz_error)) ||
	    calibrate_model(model, ids, 9, cal, &options, NULL, NULL) != BRISE_ECANCELED)
		abort();
	unfinished_size = load(unfinished, &unfinished_bytes);
	options.cancel = NULL;
	if (!fuzz_succeeds(calibrate_model(model, ids, 9, cal, &options, NULL, &fuzz_error)))
		abort();
	finished_size = load(cal, &finished_bytes);
}

static void mend(uint8_t *bytes, size_t size, bool whole)
{
	calibration_header h;
	calibration_input in;
	uint32_t i;

	if (size < sizeof h)
		return;
	memcpy(&h, bytes, sizeof h);
	memcpy(h.magic, CALIBRATION_MAGIC, sizeof h.magic);
	if (whole)
		h.file_bytes = size;
	for (i = 0; i < h.n_inputs && i < 64 && sizeof h + (i + 1) * sizeof in <= size; i++) {
		memcpy(&in, bytes + sizeof h + i * sizeof in, sizeof in);
		if (in.offset <= size && in.bytes <= size - in.offset)
			in.crc = crc32_update(0, bytes + in.offset, (size_t)in.bytes);
		memcpy(bytes + sizeof h + i * sizeof in, &in, sizeof in);
	}
	if (i == h.n_inputs)
		h.inputs_crc = crc32_update(0, bytes + sizeof h, i * sizeof in);
	if (whole && h.version >= 2 && h.tokens <= size / sizeof *ids)
		h.ids_crc = crc32_update(0, bytes + size - h.tokens * sizeof *ids,
		                         (size_t)h.tokens * sizeof *ids);
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	memcpy(bytes, &h, sizeof h);
}

static void encode(const calibration *c, uint32_t index, pool *threads)
{
	const uint32_t cols = c->inputs[index].cols;
	book_encoding how = { .effort = index == 0 ? EFFORT_NORMAL : EFFORT_FAST,
		              .importance = calibration_squares(c, index),
		              .errors = book_errors };
	float *w = malloc(cols * sizeof *w),
	      *scratch = malloc(book_scratch(cols, true) * sizeof *scratch);
	const codebook *book = index % 2 ? &q3_book : &q4_book;
	uint8_t *tile = malloc(codebook_tile_bytes(book, cols));
	book_feedback factors = { .cols = 0 };
	tile_error sum = { 0, 0 };
	uint64_t seed = index;
	uint32_t i, way;

	if (!w || !scratch || !tile)
		abort();
	for (way = 0; way < 2; way++) {
		random_fill(&seed, w, cols, 1);
		book_encode_tile(book, tile, w, 1, cols, &how, scratch, &sum);
		codebook_decode_row(book, w, tile, 0, cols);
		for (i = 0; i < cols; i++)
			if (!isfinite(w[i]))
				abort();
		if (way == 1 || c->header.span == 0 ||
		    !fuzz_succeeds(factor_new(&factors, cols, c->header.span, false,
		                              arch_tools_scalar.add_products, &fuzz_error)) ||
		    !fuzz_succeeds(
		            factor_input(&factors, c, index, threads, NULL, NULL, &fuzz_error)))
			break;
		how.feedback = &factors;
	}
	factor_free(&factors);
	free(w), free(scratch), free(tile);
}

/* A text that was taken has ids of the vocabulary alone. */
static void check_ids(const calibration *c)
{
	const int32_t *found;
	uint64_t i;

	if (!fuzz_succeeds(calibration_take_ids(c, tiny.vocab, &found, &fuzz_error)))
		return;
	for (i = 0; i < c->header.tokens; i++)
		if (found[i] < 0 || (uint32_t)found[i] >= tiny.vocab)
			abort();
}

/* The closed loop runs the text. */
static void convert(uint32_t type)
{
	const convert_source source = { .config = tiny,
		                        .read = small_read,
		                        .self = (void *)(uintptr_t)&tiny };
	convert_options options;
	brise_model *made;

	convert_init_options(&options);
	options.type = type;
	options.effort = EFFORT_BEST;
	options.calibration = cal;
	options.threads = 1;
	if (!fuzz_succeeds(convert_write(&source, out, &options, NULL, &fuzz_error)))
		return;
	if (!fuzz_succeeds(brise_open_model(&made, out, NULL, &fuzz_error)) ||
	    !fuzz_succeeds(brise_verify_model(made, NULL, NULL, NULL, &fuzz_error)))
		abort();
	brise_close_model(made);
}

static void use(uint32_t type)
{
	calibration *c;
	pool *threads;
	uint32_t i;

	if (!fuzz_succeeds(calibration_open(&c, cal, &fuzz_error)))
		return;
	if (!fuzz_succeeds(pool_new(&threads, 1, &fuzz_error)))
		abort();
	for (i = 0; i < c->header.n_inputs && i < 6; i++)
		if (c->inputs[i].cols <= 512 &&
		    fuzz_succeeds(calibration_verify_input(c, i, &fuzz_error)))
			encode(c, i, threads);
	pool_free(threads);
	check_ids(c);
	calibration_close(c);
	convert(type);
}

static void go_on(void)
{
	calibrate_options options = { .span = SPAN, .threads = 1 };

	(void)fuzz_succeeds(calibrate_model(model, ids, 9, cal, &options, NULL, &fuzz_error));
}

/* The file as version 1 had it; its size. */
static size_t cut_ids(uint8_t *bytes)
{
	calibration_header h;
	calibration_input last;

	memcpy(&h, bytes, sizeof h);
	h.version = 1;
	memcpy(bytes, &h, sizeof h);
	memcpy(&last, bytes + sizeof h + (h.n_inputs - 1) * sizeof last, sizeof last);
	return (size_t)(last.offset + last.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes, *base;
	bool resume;
	size_t used, i;

	if (!model)
		prepare();
	if (size == 0)
		return 0;
	resume = (data[0] & 6) == 6;
	base = resume ? unfinished_bytes : finished_bytes;
	used = data[0] & 1 ? (resume ? unfinished_size : finished_size) : size - 1;
	if (!(bytes = malloc(used + 1)))
		return 0;
	if (data[0] & 1) {
		memcpy(bytes, base, used);
		if (data[0] & 16 && !resume)
			used = cut_ids(bytes);
		for (i = 1; i + 3 <= size; i += 3) {
			size_t at = (data[i] | (size_t)data[i + 1] << 8) % used;

			bytes[data[0] & 8 ? used - 1 - at : at] = data[i + 2];
		}
	} else {
		memcpy(bytes, data + 1, used);
	}
	mend(bytes, used, !resume);
	save(resume ? unfinished : cal, bytes, used);
	free(bytes);
	if (resume)
		go_on();
	else
		use(data[0] & 32 ? TYPE_Q3 : TYPE_Q4);
	return 0;
}
