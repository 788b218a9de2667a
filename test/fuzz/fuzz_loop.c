/* fuzz_loop.c - any bytes as the unfinished file of a conversion in a closed loop: resumed, begun
 * anew or refused; what comes of it is a model that opens and verifies
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_loop.c SECONDS
 *
 * Input: one byte; if it is even, a file follows, otherwise changes of a valid one, three bytes
 * each: where (little-endian, of half the file's length where the byte's second bit is set, from
 * the end) and what. Checksums are corrected first unless its third bit is set, since otherwise
 * nothing behind them would be reached: states and tensors are then any bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/calibration/calibrate.h"
#include "convert/closed/loop_file.h"
#include "convert/convert.h"
#include "runtime/model/crc32.h"
#include "test/small_model.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IMAGE_MAX ((size_t)1 << 20)

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

static char folder[64], model_path[80], cal[80], out[80], unfinished[96];
static uint8_t *valid;
static size_t valid_size;

static void remove_folder(void)
{
	(void)unlink(model_path), (void)unlink(cal), (void)unlink(out), (void)unlink(unfinished);
	(void)rmdir(folder);
}

static size_t load(uint8_t **bytes)
{
	FILE *file = fopen(unfinished, "rb");
	size_t size;

	*bytes = malloc(IMAGE_MAX);
	size = file && *bytes ? fread(*bytes, 1, IMAGE_MAX, file) : 0;
	if (size <= sizeof(loop_header) || size == IMAGE_MAX || fclose(file) != 0)
		abort();
	return size;
}

static void save(const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(unfinished, "wb");

	if (!file || (size && fwrite(bytes, 1, size, file) != size) || fclose(file) != 0)
		abort();
}

/* Behind the embedding and the layer. */
static bool stop_at_output(void *user)
{
	FILE *file = fopen(unfinished, "rb");
	loop_header h = { .done = 0 };

	(void)user;
	if (!file)
		return false;
	if (fseek(file, -(long)sizeof h, SEEK_END) != 0 || fread(&h, sizeof h, 1, file) != 1)
		h.done = 0;
	(void)fclose(file);
	return h.done == 2;
}

static brise_status convert(brise_cancel_fn *cancel)
{
	const convert_source source = { .config = tiny,
		                        .read = small_read,
		                        .self = (void *)(uintptr_t)&tiny };
	convert_options options;

	convert_init_options(&options);
	options.effort = EFFORT_BEST;
	options.calibration = cal;
	options.threads = 1;
	options.cancel = cancel;
	return convert_write(&source, out, &options, NULL, &fuzz_error);
}

static void prepare(void)
{
	const calibrate_options options = { .span = 0, .threads = 1 };
	brise_model *model;

	strcpy(folder, "/dev/shm/fuzz-loop-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	(void)snprintf(model_path, sizeof model_path, "%s/model", folder);
	(void)snprintf(cal, sizeof cal, "%s/cal", folder);
	(void)snprintf(out, sizeof out, "%s/out", folder);
	(void)snprintf(unfinished, sizeof unfinished, "%s/out.unfinished", folder);
	(void)atexit(remove_folder);
	small_write(&tiny, TYPE_F16, model_path);
	if (!fuzz_succeeds(brise_open_model(&model, model_path, NULL, &fuzz_error)) ||
	    !fuzz_succeeds(calibrate_model(model, ids, 9, cal, &options, NULL, &fuzz_error)))
		abort();
	brise_close_model(model);
	if (convert(stop_at_output) != BRISE_ECANCELED)
		abort();
	valid_size = load(&valid);
}

/* Of a file as long as the valid one: its parts are where the valid one has them. */
static void mend(uint8_t *bytes)
{
	loop_header h;
	format_tensor t;
	size_t table, states, i;

	memcpy(&h, valid + valid_size - sizeof h, sizeof h);
	table = valid_size - sizeof h - h.n_tensors * (sizeof t + sizeof(uint32_t));
	if (!streams_state_floats(&tiny, h.tokens, &states))
		abort();
	states *= STREAMS * sizeof(float);
	memcpy(&h, bytes + valid_size - sizeof h, sizeof h);
	for (i = table; i + sizeof t <= valid_size - sizeof h; i += sizeof t) {
		memcpy(&t, bytes + i, sizeof t);
		if (t.crc != 0 && t.offset <= table && t.bytes <= table - t.offset)
			t.crc = crc32_update(0, bytes + t.offset, (size_t)t.bytes);
		memcpy(bytes + i, &t, sizeof t);
	}
	h.states_crc = crc32_update(0, bytes + table - (h.done % 2 ? 1 : 2) * states, states);
	h.table_crc = crc32_update(0, bytes + table, valid_size - sizeof h - table);
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	memcpy(bytes + valid_size - sizeof h, &h, sizeof h);
}

static void use(void)
{
	brise_model *model;

	if (fuzz_succeeds(convert(NULL))) {
		if (!fuzz_succeeds(brise_open_model(&model, out, NULL, &fuzz_error)) ||
		    !fuzz_succeeds(brise_verify_model(model, NULL, NULL, NULL, &fuzz_error)))
			abort();
		brise_close_model(model);
	}
	(void)unlink(out), (void)unlink(unfinished);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;
	size_t used, i;

	if (!valid)
		prepare();
	if (size == 0)
		return 0;
	used = data[0] & 1 ? valid_size : size - 1;
	if (!(bytes = malloc(used + 1)))
		return 0;
	if (data[0] & 1) {
		memcpy(bytes, valid, used);
		for (i = 1; i + 3 <= size; i += 3) {
			size_t at = (data[i] | (size_t)data[i + 1] << 8) % used;

			bytes[data[0] & 2 ? used - 1 - at % 2048 : at] = data[i + 2];
		}
		if (!(data[0] & 4))
			mend(bytes);
	} else {
		memcpy(bytes, data + 1, used);
	}
	save(bytes, used);
	free(bytes);
	use();
	return 0;
}
