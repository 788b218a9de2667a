/* test_contract.c - the same bits whatever a file holds, and whatever floating-point environment
 * the host program has chosen */
#include <fenv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/float_env.h"
#include "arch/kernels.h"
#include "convert/calibration/calibrate.h"
#include "convert/export.h"
#include "test/check.h"
#include "test/evaluator.h"
#include "test/guarded.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define TOKENS 24u

static char folder[256];

static const char *path_of(const char *name)
{
	static char paths[4][320];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

/* The file's bytes, freed by the caller. */
static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;

	*size = 0;
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	bytes = malloc(*size);
	if (fread(bytes, 1, *size, f) != *size)
		*size = 0;
	fclose(f);
	return bytes;
}

static bool same_files(const char *a, const char *b)
{
	size_t n, m;
	uint8_t *x = read_file(a, &n), *y = read_file(b, &m);
	bool same = x && y && n > 0 && n == m && memcmp(x, y, n) == 0;

	free(x), free(y);
	return same;
}

/* ---- any bits -------------------------------------------------------------------------------- */

enum damage { CODES, SOME_SCALES, ALL_BITS, DAMAGES };

static uint32_t any_bits(uint64_t *seed)
{
	static const uint32_t special[] = { 0x7fc00000, 0xffc00000, 0x7f800001, 0xff812345,
		                            0x7f800000, 0xff800000, 0x80000000, 0,
		                            1,          0x807fffff, 0x00800000, 0x7f7fffff };
	uint64_t r = random_next(seed);

	return r % 3 == 0 ? special[r / 3 % 12] : (uint32_t)(r >> 32);
}

/* Row scales come first in tiles of q8 and q4. */
static void damage_matrix(uint8_t *bytes, const format_tensor *t, enum damage damage,
                          uint64_t *seed)
{
	size_t tile_bytes = t->bytes / tile_count(t->rows), i,
	       head = t->type == TYPE_F16 ? 0 : TILE_ROWS * sizeof(float);

	for (i = 0; i < t->bytes; i++) {
		size_t at = i % tile_bytes;

		if (at >= head && (t->type != TYPE_F16 || damage == ALL_BITS))
			bytes[i] = random_next(seed) % 16 ? (uint8_t)random_next(seed) : 0x80;
	}
	for (i = 0; i + 4 <= t->bytes; i += 4) {
		uint32_t bits = any_bits(seed);
		bool scale = i % tile_bytes < head;

		if (scale ? damage == ALL_BITS || (damage == SOME_SCALES && bits % 16 == 0)
		          : t->type == TYPE_F16 && damage == SOME_SCALES && bits % 512 == 0)
			memcpy(bytes + i, &bits, sizeof bits);
	}
}

static void damage_model(uint8_t *bytes, size_t size, enum damage damage, uint64_t seed)
{
	brise_model *model;
	brise_error err;
	size_t i, k;

	if (brise_open_memory(&model, bytes, size, "damaged", NULL, &err) != BRISE_OK)
		return;
	for (i = 0; i < model->n_tensors; i++) {
		const format_tensor *t = &model->tensors[i];

		if (t->type != TYPE_F32)
			damage_matrix(bytes + t->offset, t, damage, &seed);
		for (k = 0; t->type == TYPE_F32 && k < t->cols; k++) {
			uint32_t value = any_bits(&seed);

			if (damage == ALL_BITS ? value % 2 == 0
			                       : damage == SOME_SCALES && value % 64 == 0)
				memcpy(bytes + t->offset + 4 * k, &value, sizeof value);
		}
	}
	brise_close_model(model);
}

typedef struct collected {
	float *logits;
	size_t vocab;
} collected;

static bool collect(void *user, size_t index, const float *logits)
{
	collected *c = user;

	memcpy(c->logits + index * c->vocab, logits, c->vocab * sizeof *logits);
	return false;
}

/* Logits of all tokens [TOKENS][vocab]; freed by the caller. */
static float *evaluate(check_counts *counts, const brise_model *model, const int32_t *tokens,
                       evaluator_options options)
{
	size_t vocab = model->config.vocab;
	collected all = { calloc(TOKENS * vocab, sizeof(float)), vocab };
	evaluator e;
	brise_error err = { BRISE_OK, "" };
	brise_status status;

	options.context = TOKENS;
	status = evaluator_open(&e, model, options, &err);
	if (status == BRISE_OK)
		status = brise_eval_all(e.engine, e.sequence, tokens, TOKENS, collect, NULL, &all,
		                        &err);
	CHECK(counts, status == BRISE_OK, "%s", err.message);
	evaluator_close(&e);
	return all.logits;
}

static void check_damaged(check_counts *counts, const uint8_t *whole, size_t size,
                          enum damage damage, uint64_t seed, size_t *numbers)
{
	guarded copy = guarded_new(size, 4096);
	int32_t tokens[TOKENS];
	brise_model *model;
	brise_error err;
	float *defined;
	size_t i, n;

	memcpy(copy.data, whole, size);
	damage_model(copy.data, size, damage, seed);
	if (brise_open_memory(&model, copy.data, size, "damaged", NULL, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	n = TOKENS * (size_t)model->config.vocab;
	small_tokens(tokens, TOKENS, model->config.vocab, seed);
	defined = evaluate(counts, model, tokens,
	                   (evaluator_options){ .arch = "scalar", .threads = 1, .chunk = 5 });
	for (i = 0; i < n; i++)
		*numbers += isfinite(defined[i]) && defined[i] != 0;
	for (i = 0; arch_list(i); i++) {
		const char *name = arch_list(i)->name;
		unsigned chunk;
		bool here;

		(void)brise_get_arch(i, &here);
		for (chunk = 1; here && chunk <= 32; chunk += 31) {
			float *mine = evaluate(
			        counts, model, tokens,
			        (evaluator_options){ .arch = name, .threads = 2, .chunk = chunk });

			CHECK(counts, memcmp(mine, defined, n * sizeof *mine) == 0,
			      "%s, passes of %u, %s, damage %d, seed %d: other logits", name, chunk,
			      model->facts.type, (int)damage, (int)seed);
			free(mine);
		}
	}
	free(defined);
	brise_close_model(model);
	guarded_free(&copy);
}

/* Codes of -128, scales of any bits, NaN with payloads, infinities: whatever opens. */
static void test_any_bits_give_the_same_logits_on_every_set(check_counts *counts)
{
	static const format_config *const configs[] = { &small_odd, &small_wide, &small_open };
	unsigned c, seed;
	uint32_t type = 0;
	int damage;

	for (c = 0; c < 3; c++)
		while ((type = next_matrix_type(type)) != 0) {
			const char *path = path_of("whole.brise");
			size_t size, numbers[DAMAGES] = { 0 };
			uint8_t *whole;

			small_write(configs[c], type, path);
			whole = read_file(path, &size);
			for (damage = 0; damage < DAMAGES; damage++)
				for (seed = 1; seed <= 3; seed++)
					check_damaged(counts, whole, size, (enum damage)damage,
					              seed, &numbers[damage]);
			CHECK(counts, numbers[CODES] > 0,
			      "no logit of a file with random codes is a number");
			free(whole);
			(void)remove(path);
		}
}

/* ---- the host's environment ------------------------------------------------------------------ */

#if defined(__SSE__)
#define FLUSH_TO_ZERO 0x8040u /* and subnormals are zeros */
#elif defined(__aarch64__) || defined(__arm__)
#define FLUSH_TO_ZERO (1u << 24)
#else
#define FLUSH_TO_ZERO 0u
#endif

typedef struct host_mode {
	const char *name;
	int rounding;
	unsigned control;
} host_mode;

static const host_mode modes[] = { { "default", FE_TONEAREST, 0 },
	                           { "upward", FE_UPWARD, 0 },
	                           { "towards zero", FE_TOWARDZERO, 0 },
	                           { "flush to zero", FE_TONEAREST, FLUSH_TO_ZERO },
	                           { "all", FE_DOWNWARD, FLUSH_TO_ZERO } };

static void enter_mode(const host_mode *mode)
{
	(void)fesetround(mode->rounding);
#ifdef FLOAT_ENV_CONTROL
	float_env_write(float_env_read() | mode->control);
#endif
}

static bool is_in_mode(const host_mode *mode)
{
#ifdef FLOAT_ENV_CONTROL
	if ((float_env_read() & FLUSH_TO_ZERO) != mode->control)
		return false;
#if defined(__SSE__)
	if ((float_env_read() >> 42 & 3) != (uint64_t)mode->rounding >> 10)
		return false; /* the 387's */
#endif
#endif
	return fegetround() == mode->rounding;
}

static void leave_modes(void)
{
	(void)fesetenv(FE_DFL_ENV);
#ifdef FLOAT_ENV_CONTROL
	float_env_write(FLOAT_ENV_DEFAULT);
#endif
}

/* libc rounds what it reads and prints as fegetround says: configurations are read, and those of
 * exported models written, between the two. */
static void test_entering_is_seen_by_libc_and_undone(check_counts *counts)
{
	static volatile double third = 1.0 / 3;
	size_t m;

	for (m = 0; m < sizeof modes / sizeof *modes; m++) {
		float_env host;
		char text[16];
		bool kept;
		double read;
		int rounding;

		enter_mode(&modes[m]);
		host = float_env_enter();
		rounding = fegetround();
		(void)snprintf(text, sizeof text, "%.3f", third * 2);
		read = strtod("0.1", NULL);
		float_env_leave(host);
		kept = is_in_mode(&modes[m]);
		leave_modes();
		CHECK(counts, rounding == FE_TONEAREST, "mode \"%s\" is still on", modes[m].name);
		CHECK(counts, kept, "mode \"%s\" is not restored", modes[m].name);
		CHECK(counts, !strcmp(text, "0.667") && !(read < 0.1) && !(read > 0.1),
		      "mode \"%s\": 2/3 is printed as %s, 0.1 read as %.20g", modes[m].name, text,
		      read);
	}
}

/* Everything that a host program may ask for, as bytes. */
typedef struct results {
	float logits[TOKENS * 160], row[256];
	int32_t drawn[64];
} results;

static void draw(check_counts *counts, const brise_model *model, results *r)
{
	brise_sampling sampling;
	brise_sampler *sampler;
	brise_error err;
	unsigned i;

	brise_init_sampling(&sampling, sizeof sampling);
	sampling.seed = 5;
	sampling.temperature = 0.9f;
	sampling.top_p = 0.95f;
	if (brise_new_sampler(&sampler, model->config.vocab, &sampling, &err) != BRISE_OK)
		return;
	for (i = 0; i < 64; i++) {
		brise_status status = brise_sample_token(
		        sampler, r->logits + i % TOKENS * model->config.vocab, &r->drawn[i], &err);

		CHECK(counts, status == BRISE_OK, "%s", err.message);
	}
	brise_free_sampler(sampler);
}

static bool run_all(check_counts *counts, const host_mode *mode, const brise_model *model,
                    const int32_t *tokens, results *r)
{
	float *logits;
	brise_error err;

	memset(r, 0, sizeof *r);
	enter_mode(mode);
	logits = evaluate(counts, model, tokens, (evaluator_options){ .threads = 3, .chunk = 7 });
	memcpy(r->logits, logits, TOKENS * model->config.vocab * sizeof(float));
	free(logits);
	draw(counts, model, r);
	CHECK(counts, brise_read_row(model, 0, 3, r->row, &err) == BRISE_OK, "%s", err.message);
	return is_in_mode(mode);
}

/* Subnormal halves and activations, ties and long sums: all of them show in some result. */
static void test_host_environment_changes_no_logit_or_draw(check_counts *counts)
{
	static results defined, mine;
	const char *path = path_of("host.brise");
	int32_t tokens[TOKENS];
	brise_model *model;
	brise_error err;
	uint32_t type = 0;
	unsigned m;

	small_tokens(tokens, TOKENS, small_wide.vocab, 9);
	while ((type = next_matrix_type(type)) != 0) {
		small_write(&small_wide, type, path);
		if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
			CHECK(counts, false, "%s", err.message);
			return;
		}
		for (m = 0; m < sizeof modes / sizeof *modes; m++) {
			bool kept = run_all(counts, &modes[m], model, tokens, m ? &mine : &defined);

			leave_modes();
			CHECK(counts, kept, "host's mode \"%s\" is not restored", modes[m].name);
			CHECK(counts, m == 0 || memcmp(&mine, &defined, sizeof mine) == 0,
			      "%s: other results where the host is in mode \"%s\"",
			      model->facts.type, modes[m].name);
		}
		brise_close_model(model);
		(void)remove(path);
	}
}

static void check_conversion(check_counts *counts, const host_mode *mode, uint32_t type)
{
	const char *plain = path_of("plain.brise"), *other = path_of("other.brise");
	bool kept;

	small_write(&small_wide, type, plain);
	enter_mode(mode);
	small_write(&small_wide, type, other);
	kept = is_in_mode(mode);
	leave_modes();
	CHECK(counts, kept, "convert: host's mode \"%s\" is not restored", mode->name);
	CHECK(counts, same_files(plain, other), "type %u, mode \"%s\": another file",
	      (unsigned)type, mode->name);
	(void)remove(plain), (void)remove(other);
}

static brise_status write_both(const brise_model *model, const int32_t *ids, const char *exported,
                               const char *calibrated)
{
	export_options options;
	calibrate_options calibrate;
	brise_error err;
	brise_status status;

	export_init_options(&options);
	options.type = GGML_Q4_0;
	options.threads = 2;
	calibrate_init_options(&calibrate);
	calibrate.threads = 2;
	status = export_model(model, exported, &options, NULL, &err);
	if (status == BRISE_OK)
		status = calibrate_model(model, ids, TOKENS, calibrated, &calibrate, NULL, &err);
	if (status != BRISE_OK)
		fprintf(stderr, "%s\n", err.message);
	return status;
}

static void check_derived(check_counts *counts, const host_mode *mode)
{
	const char *path = path_of("host.brise");
	char names[4][320];
	int32_t ids[TOKENS];
	brise_status status;
	brise_model *model;
	brise_error err;
	unsigned i;
	bool kept;

	for (i = 0; i < 4; i++)
		(void)snprintf(names[i], sizeof names[i], "%s/%u", folder, i);
	small_tokens(ids, TOKENS, small_wide.vocab, 4);
	small_write(&small_wide, TYPE_F16, path);
	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK)
		return;
	status = write_both(model, ids, names[0], names[1]);
	enter_mode(mode);
	status = status == BRISE_OK ? write_both(model, ids, names[2], names[3]) : status;
	kept = is_in_mode(mode);
	leave_modes();
	CHECK(counts, kept && status == BRISE_OK, "mode \"%s\": status %d", mode->name, status);
	CHECK(counts, same_files(names[0], names[2]), "mode \"%s\": another export", mode->name);
	CHECK(counts, same_files(names[1], names[3]), "mode \"%s\": another calibration",
	      mode->name);
	brise_close_model(model);
	for (i = 0; i < 4; i++)
		(void)remove(names[i]);
	(void)remove(path);
}

static void test_host_environment_changes_no_file(check_counts *counts)
{
	uint32_t type = 0;
	unsigned m;

	for (m = 1; m < sizeof modes / sizeof *modes; m++) {
		while ((type = next_matrix_type(type)) != 0)
			check_conversion(counts, &modes[m], type);
		check_derived(counts, &modes[m]);
	}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	RUN(test_any_bits_give_the_same_logits_on_every_set(&counts));
	RUN(test_entering_is_seen_by_libc_and_undone(&counts));
	RUN(test_host_environment_changes_no_logit_or_draw(&counts));
	RUN(test_host_environment_changes_no_file(&counts));
	(void)rmdir(folder);
	return check_report("contract", &counts);
}
