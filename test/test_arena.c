/* test_arena.c - memory from one range: the size told beforehand is enough and not 5 % too much,
 * and what has been made works without any more
 *
 * The heap of this program is that of the library for no system.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/os/none/heap.c"

#include "quant/types.h"
#include "test/check.h"
#include "test/small_model.h"
#include "test/tested_types.h"

/* Everything that a program makes, for one model. */
typedef struct objects {
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequences[2];
	brise_sampler *sampler[2];
	brise_encoder *encoder;
	size_t prompt_bytes;
	brise_decoder *decoder[2];
} objects;

typedef struct image {
	void *bytes;
	size_t size;
} image;

static image read_image(const char *path)
{
	FILE *f = fopen(path, "rb");
	image i = { NULL, 0 };

	if (!f || fseek(f, 0, SEEK_END) != 0)
		exit(1);
	i.size = (size_t)ftell(f);
	i.bytes = aligned_alloc(64, (i.size + 63) / 64 * 64);
	rewind(f);
	if (!i.bytes || fread(i.bytes, 1, i.size, f) != i.size)
		exit(1);
	(void)fclose(f);
	return i;
}

static brise_status make(objects *o, image file, const brise_arena_options *a, brise_error *err)
{
	brise_status status =
	        brise_open_memory(&o->model, file.bytes, file.size, "image", NULL, err);
	const brise_tokenizer *t = brise_get_tokenizer(o->model);
	uint32_t i;

	if (status == BRISE_OK)
		status = brise_new_engine(&o->engine, o->model, a->engine, err);
	for (i = 0; i < a->sequences && status == BRISE_OK; i++) {
		status = brise_new_sequence(&o->sequences[i], o->model, a->sequence, err);
		if (status == BRISE_OK)
			status = brise_new_sampler(&o->sampler[i],
			                           brise_get_model_facts(o->model)->vocab,
			                           a->sampling, err);
		if (status == BRISE_OK && t)
			status = brise_new_decoder(&o->decoder[i], t, err);
	}
	if (status == BRISE_OK && t && a->prompt_bytes > 0)
		status = brise_new_encoder(&o->encoder, t, a->prompt_bytes, err);
	o->prompt_bytes = a->prompt_bytes;
	return status;
}

static void free_all(objects *o)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		brise_free_decoder(o->decoder[i]);
		brise_free_sampler(o->sampler[i]);
		brise_free_sequence(o->sequences[i]);
	}
	brise_free_encoder(o->encoder);
	brise_free_engine(o->engine);
	brise_close_model(o->model);
}

/* Takes all memory that is left. */
static void refuse_from_now_on(void)
{
	size_t bytes;

	for (bytes = (size_t)1 << 40; bytes > 0; bytes /= 2)
		while (heap_get(bytes))
			;
}

/* Evaluates, draws, decodes, encodes; *ids are what was drawn. */
static brise_status work(objects *o, uint32_t n, int32_t ids[], brise_error *err)
{
	const uint32_t vocab = brise_get_model_facts(o->model)->vocab;
	const brise_tokenizer *t = brise_get_tokenizer(o->model);
	const float *logits;
	const int32_t *encoded;
	const char *text;
	int32_t prompt[50];
	char broken[1000];
	size_t bytes;
	uint32_t i;
	brise_status status;

	small_tokens(prompt, 50, vocab, 3);
	status =
	        brise_eval_tokens(o->engine, o->sequences[0], prompt, 50, &logits, NULL, NULL, err);
	if (status == BRISE_OK && o->encoder)
		status = brise_encode_next(o->encoder, "A \xff breeze <s> and\n ", 20, true,
		                           &encoded, &bytes, err);
	/* the most that can become of so many bytes, in one part for byte-level tokenizers */
	if (status == BRISE_OK && o->encoder && o->prompt_bytes <= sizeof broken) {
		memset(broken, 0xff, sizeof broken);
		status = brise_encode_next(o->encoder, broken, o->prompt_bytes, false, &encoded,
		                           &bytes, err);
	}
	for (i = 0; status == BRISE_OK && i < n; i++) {
		if ((status = brise_sample_token(o->sampler[0], logits, &ids[i], err)) !=
		            BRISE_OK ||
		    (status = brise_accept_token(o->sampler[0], ids[i], err)) != BRISE_OK)
			break;
		if (t && (status = brise_decode_token(o->decoder[0], ids[i], &text, &bytes, err)) !=
		                 BRISE_OK)
			break;
		status = brise_eval_tokens(o->engine, o->sequences[0], &ids[i], 1, &logits, NULL,
		                           NULL, err);
	}
	return status;
}

static void check_range(check_counts *counts, image file, const brise_arena_options *a,
                        const char *what)
{
	objects o = { .model = NULL };
	brise_error err = { BRISE_OK, "" };
	int32_t ids[2][30];
	uint64_t told = 0;
	size_t used;
	char *memory;

	CHECK(counts, brise_get_arena_bytes(file.bytes, file.size, a, &told, &err) == BRISE_OK,
	      "%s: %s", what, err.message);
	memory = malloc((size_t)told + 1);
	/* At an odd address, and of exactly that size. */
	CHECK(counts,
	      memory && brise_give_memory(memory + 1, (size_t)told, &err) == BRISE_OK &&
	              make(&o, file, a, &err) == BRISE_OK,
	      "%s: %s", what, err.message);
	used = brise_get_memory_used();
	CHECK(counts, used <= told && (told - used) * 20 <= told,
	      "%s: %" PRIu64 " bytes told, %zu used", what, told, used);
	refuse_from_now_on();
	CHECK(counts, work(&o, 30, ids[0], &err) == BRISE_OK, "%s: %s", what, err.message);
	free_all(&o);
	/* What was freed can be taken again, in the same range. */
	o = (objects){ .model = NULL };
	CHECK(counts,
	      brise_give_memory(memory + 1, (size_t)told, &err) == BRISE_OK &&
	              make(&o, file, a, &err) == BRISE_OK,
	      "%s, again: %s", what, err.message);
	free_all(&o);
	o = (objects){ .model = NULL };
	CHECK(counts,
	      make(&o, file, a, &err) == BRISE_OK && work(&o, 30, ids[1], &err) == BRISE_OK &&
	              !memcmp(ids[0], ids[1], sizeof ids[0]),
	      "%s, after freeing: %s", what, err.message);
	free_all(&o);
	free(memory);
}

static void test_size_told_is_enough_and_close(check_counts *counts, image file, const char *name)
{
	static const uint32_t rows[] = { 1, 7, 64, 256 };
	brise_engine_options engine = { .size = sizeof engine, .threads = 1 };
	brise_sequence_options sequence = { .size = sizeof sequence };
	brise_sampling sampling;
	const brise_logit_bias bias = { 1, 0.5f };
	brise_arena_options a = {
		.size = sizeof a, .engine = &engine, .sequence = &sequence, .sampling = &sampling
	};
	size_t i;
	int variant;
	char what[80];

	brise_init_sampling(&sampling, sizeof sampling);
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		for (variant = 0; variant < 4; variant++) {
			engine.rows = rows[i];
			sequence.kv = variant % 2 ? BRISE_KV_F32 : BRISE_KV_INT8;
			sequence.slack = variant < 2 ? rows[i] : 0;
			sequence.sinks = variant == 2 && strcmp(name, "open") != 0 ? 4 : 0;
			a.sequences = variant < 2 ? 1 : 2;
			a.prompt_bytes = variant == 0 ? 0 : (size_t)100 * (unsigned)variant;
			sampling.presence_penalty = variant < 2 ? 0 : 0.5f;
			sampling.bias = &bias;
			sampling.n_bias = variant == 3;
			(void)snprintf(what, sizeof what, "%s, %u rows, variant %d", name, rows[i],
			               variant);
			check_range(counts, file, &a, what);
		}
}

static void test_less_memory_than_told_is_an_error(check_counts *counts, image file)
{
	brise_engine_options engine = { .size = sizeof engine, .rows = 4, .threads = 1 };
	brise_arena_options a = { .size = sizeof a, .engine = &engine, .sequences = 1 };
	brise_error err;
	uint64_t told = 0;
	size_t bytes;
	char *memory;

	CHECK(counts, brise_get_arena_bytes(file.bytes, file.size, &a, &told, &err) == BRISE_OK,
	      "%s", err.message);
	memory = malloc((size_t)told);
	for (bytes = 100; bytes < told * 94 / 100; bytes += (size_t)told / 37) {
		objects o = { .model = NULL };

		CHECK(counts,
		      brise_give_memory(memory, bytes, &err) == BRISE_OK &&
		              make(&o, file, &a, &err) == BRISE_ENOMEM,
		      "%zu bytes: %d", bytes, (int)err.code);
		free_all(&o);
	}
	free(memory);
}

static void test_ranges_and_options_that_cannot_be_are_refused(check_counts *counts, image file)
{
	brise_arena_options a = { .size = sizeof a, .sequences = 1u << 20 };
	brise_error err;
	uint64_t told;
	char memory[40];

	CHECK(counts, brise_give_memory(NULL, 1000, &err) == BRISE_EINVAL, "NULL");
	CHECK(counts, brise_give_memory(memory + 1, 20, &err) == BRISE_EINVAL, "20 bytes");
	CHECK(counts, brise_get_arena_bytes(file.bytes, file.size, &a, &told, &err) == BRISE_EINVAL,
	      "sequences");
	a = (brise_arena_options){ .size = sizeof a, .prompt_bytes = SIZE_MAX };
	CHECK(counts, brise_get_arena_bytes(file.bytes, file.size, &a, &told, &err) == BRISE_EINVAL,
	      "prompt");
	CHECK(counts,
	      brise_get_arena_bytes((const char *)file.bytes + 8, file.size - 8, NULL, &told,
	                            &err) == BRISE_EINVAL,
	      "alignment");
	CHECK(counts,
	      brise_get_arena_bytes(file.bytes, file.size - 1, NULL, &told, &err) == BRISE_EFORMAT,
	      "a model that is cut");
	CHECK(counts, brise_get_arena_bytes(file.bytes, 10, NULL, &told, &err) == BRISE_EFORMAT,
	      "10 bytes");
}

static image convert(const char *checkpoint, const char *path)
{
	const char *build = getenv("BRISE_BUILD");
	char command[800];
	image made;

	(void)snprintf(command, sizeof command, "%s/brise convert '%s' '%s' 2>/dev/null",
	               build ? build : "build", checkpoint, path);
	if (system(command) != 0)
		exit(1);
	made = read_image(path);
	(void)unlink(path);
	return made;
}

int main(int argc, char **argv)
{
	char command[800];
	check_counts counts = { 0, 0, 0 };
	char folder[256], path[300];
	image breeze, tekken, open, wide[TYPE_KINDS] = { { NULL, 0 } };
	uint32_t type = 0;

	check_choose(argc, argv);
	/* Conversion takes memory too, from a range that is large enough. */
	{
		const size_t room = (size_t)64 << 20;
		void *memory = malloc(room);
		brise_error err;

		if (brise_give_memory(memory, room, &err) != BRISE_OK)
			return 1;
		small_folder(folder, sizeof folder);
		(void)snprintf(path, sizeof path, "%s/m.brise", folder);
		while ((type = next_book_type(type)) != 0) {
			small_write(&small_wide, type, path);
			wide[type] = read_image(path);
			(void)unlink(path);
		}
		small_write(&small_open, TYPE_Q8, path);
		open = read_image(path);
		(void)unlink(path);
		free(memory);
	}
	breeze = convert("test/models/breeze", path);
	(void)snprintf(command, sizeof command,
	               "cd test/models && cp breeze/config.json breeze/*.safetensors "
	               "breeze/*.index.json tekken/tekken.json '%s'",
	               folder);
	if (system(command) != 0)
		return 1;
	tekken = convert(folder, path);
	(void)snprintf(command, sizeof command, "rm -r '%s'", folder);
	(void)system(command);
	RUN(test_size_told_is_enough_and_close(&counts, breeze, "breeze"));
	RUN(test_size_told_is_enough_and_close(&counts, tekken, "tekken"));
	while ((type = next_book_type(type)) != 0) {
		RUN(test_size_told_is_enough_and_close(&counts, wide[type], type_name(type)));
		RUN(test_less_memory_than_told_is_an_error(&counts, wide[type]));
		free(wide[type].bytes);
	}
	RUN(test_size_told_is_enough_and_close(&counts, open, "open"));
	RUN(test_less_memory_than_told_is_an_error(&counts, breeze));
	RUN(test_ranges_and_options_that_cannot_be_are_refused(&counts, breeze));
	free(breeze.bytes);
	free(tekken.bytes);
	free(open.bytes);
	return check_report("arena", &counts);
}
