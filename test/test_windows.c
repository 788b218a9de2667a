/* test_windows.c - layers with windows of their own: what they attend to, what they hold, what is
 * saved of them */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/eval/sequence.h"
#include "runtime/model/crc32.h"
#include "test/check.h"
#include "test/reference.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define TOKENS        300u
#define N_LAYERS      3u
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char path[600], session_path[600];
static int32_t tokens[TOKENS];

/* Some layers without a window, as Ministral 8B is said to have; and windows for all, which makes
 * texts of any length possible. */
static const uint32_t lists[][N_LAYERS] = { { 0, 11, 40 }, { 33, 0, 33 }, { 64, 5, 100 } };

static format_config shape_of(const uint32_t *windows)
{
	format_config c = small_odd;

	c.n_layers = N_LAYERS;
	c.window = config_join_windows(windows, N_LAYERS);
	c.max_context = 640;
	return c;
}

static brise_model *make_model(check_counts *counts, const uint32_t *windows, uint32_t type)
{
	format_config c = shape_of(windows);
	brise_model *model = NULL;
	brise_error err = { BRISE_OK, "" };

	small_write_windows(&c, windows, type, path);
	CHECK(counts, brise_open_model(&model, path, NULL, &err) == BRISE_OK, "%s", err.message);
	if (!model)
		exit(1);
	return model;
}

typedef struct way {
	brise_kv_type kv;
	uint32_t chunk, threads, window, sinks;
	const char *arch;
} way;

static brise_sequence *make_sequence(check_counts *counts, const brise_model *model, way w)
{
	brise_sequence_options o = { .size = sizeof o,
		                     .kv = w.kv,
		                     .window = w.window,
		                     .sinks = w.sinks,
		                     .slack = w.chunk,
		                     .context = TOKENS };
	brise_sequence *s = NULL;
	brise_error err = { BRISE_OK, "" };

	CHECK(counts, brise_new_sequence(&s, model, &o, &err) == BRISE_OK, "%s", err.message);
	if (!s)
		exit(1);
	return s;
}

static brise_engine *make_engine(check_counts *counts, const brise_model *model, way w)
{
	brise_engine_options o = { .size = sizeof o,
		                   .rows = w.chunk,
		                   .threads = w.threads ? w.threads : 2,
		                   .arch = w.arch };
	brise_engine *e = NULL;
	brise_error err = { BRISE_OK, "" };

	CHECK(counts, brise_new_engine(&e, model, &o, &err) == BRISE_OK, "%s", err.message);
	if (!e)
		exit(1);
	return e;
}

typedef struct collected {
	float *logits; /* [n][vocab] */
	uint32_t vocab;
} collected;

static bool collect(void *user, size_t index, const float *logits)
{
	collected *c = user;

	memcpy(c->logits + index * c->vocab, logits, c->vocab * sizeof *logits);
	return false;
}

/* The logits [n][vocab] of tokens [first, first + n); freed by the caller. */
static float *eval(check_counts *counts, brise_engine *e, brise_sequence *s, uint32_t first,
                   uint32_t n)
{
	collected all = { calloc((size_t)n * small_odd.vocab, sizeof(float)), small_odd.vocab };
	brise_error err = { BRISE_OK, "" };

	CHECK(counts,
	      brise_eval_all(e, s, tokens + first, n, collect, NULL, &all, &err) == BRISE_OK, "%s",
	      err.message);
	return all.logits;
}

static float *run(check_counts *counts, const brise_model *model, way w)
{
	brise_sequence *s = make_sequence(counts, model, w);
	brise_engine *e = make_engine(counts, model, w);
	float *logits = eval(counts, e, s, 0, TOKENS);

	brise_free_sequence(s);
	brise_free_engine(e);
	return logits;
}

static double difference(const float *a, const double *b, size_t n)
{
	double error = 0, size = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
		size += b[i] * b[i];
	}
	return sqrt(error / size);
}

/* ---- what layers attend to ------------------------------------------------------------------- */

/* Would catch one window for all layers, a ring that is too short, and a limit that lengthens a
 * window. limit 50 is between the windows, 4 below all of them. */
static void test_equals_the_reference(check_counts *counts)
{
	static const uint32_t limits[] = { 0, 50, 4 }, chunks[] = { 1, 7, 64, TOKENS };
	size_t l, k, c;

	for (l = 0; l < LENGTH(lists); l++) {
		brise_model *model = make_model(counts, lists[l], TYPE_F16);

		for (k = 0; k < LENGTH(limits); k++) {
			double *expected =
			        reference_sink_logits(model, tokens, TOKENS, limits[k], 0);

			for (c = 0; c < LENGTH(chunks); c++) {
				float *logits = run(counts, model,
				                    (way){ .kv = BRISE_KV_F32,
				                           .chunk = chunks[c],
				                           .window = limits[k] });
				double off = difference(logits, expected, TOKENS * small_odd.vocab);

				CHECK(counts, off < 2e-6, "list %zu, limit %u, chunk %u: %g", l,
				      limits[k], chunks[c], off);
				free(logits);
			}
			free(expected);
		}
		brise_close_model(model);
	}
}

static void test_same_bits_however_run(check_counts *counts)
{
	static const uint32_t chunks[] = { 1, 7, 64, 256 }, threads[] = { 1, 2, 3, 5 };
	size_t bytes = TOKENS * small_odd.vocab * sizeof(float), l, i, set;
	const char *arch;
	bool supported;

	for (l = 0; l < LENGTH(lists); l++) {
		brise_model *model = make_model(counts, lists[l], turn_book_type(l));
		float *first = run(counts, model,
		                   (way){ .chunk = TOKENS, .threads = 1, .arch = "scalar" });

		for (set = 0; (arch = brise_get_arch(set, &supported)) != NULL; set++)
			for (i = 0; supported && i < 4; i++) {
				float *other = run(counts, model,
				                   (way){ .chunk = chunks[i],
				                          .threads = threads[(i + set) % 4],
				                          .arch = arch });

				CHECK(counts, !memcmp(first, other, bytes),
				      "list %zu, %s, chunk %u", l, arch, chunks[i]);
				free(other);
			}
		free(first);
		brise_close_model(model);
	}
}

/* ---- what layers hold ------------------------------------------------------------------------ */

/* A layer takes the spans of its window and the slack, no more than the context. */
static void test_memory_is_counted_by_layer(check_counts *counts)
{
	const uint64_t span = 2 * span_bytes(span_dim(small_odd.head_dim)); /* two heads */
	/* spans of 32: 0 is 300 positions, 11 + 20 are 31, 40 + 20 are 60 */
	static const uint32_t spans[] = { 10 + 1 + 2, 2 + 10 + 2, 3 + 1 + 4 };
	size_t l;

	for (l = 0; l < LENGTH(lists); l++) {
		brise_model *model = make_model(counts, lists[l], turn_book_type(l));
		brise_sequence *s = make_sequence(counts, model, (way){ .chunk = 20 });
		const brise_sequence_facts *f = brise_get_sequence_facts(s);
		const brise_sequence_options o = { .size = sizeof o, .slack = 20, .context = 300 };
		uint64_t needed = 0;

		CHECK(counts, f->kv_bytes == spans[l] * span, "list %zu: %" PRIu64 " bytes", l,
		      f->kv_bytes);
		CHECK(counts, f->slack == 20 && f->pass_rows >= 20 && f->pass_rows < 20 + 32,
		      "list %zu: %" PRIu32 " rows", l, f->pass_rows);
		CHECK(counts,
		      f->window == (l == 2 ? 100 : 0) &&
		              f->end == (l == 2 ? BRISE_POSITION_END : TOKENS),
		      "list %zu: window %" PRIu64 ", end %" PRIu64, l, f->window, f->end);
		CHECK(counts,
		      sequence_count(model, &o, &needed, NULL) == BRISE_OK &&
		              needed > f->kv_bytes && needed < f->kv_bytes + 1024,
		      "list %zu: counted %" PRIu64, l, needed);
		brise_free_sequence(s);
		brise_close_model(model);
	}
}

/* Goes back as far as the facts say, and gets the logits of before; one position further is
 * refused. */
static void test_rewinding(check_counts *counts)
{
	size_t l;

	for (l = 0; l < LENGTH(lists); l++) {
		brise_model *model = make_model(counts, lists[l], turn_book_type(l));
		brise_sequence *s = make_sequence(counts, model, (way){ .chunk = 20 });
		brise_engine *e = make_engine(counts, model, (way){ .chunk = 20 });
		float *all = eval(counts, e, s, 0, TOKENS), *again;
		uint64_t from = brise_get_sequence_facts(s)->rewind_from;
		brise_error err;

		CHECK(counts, from <= TOKENS - 20 && from > TOKENS - 20 - 32, "list %zu: %" PRIu64,
		      l, from);
		CHECK(counts, brise_rewind_sequence(s, from - 1, &err) == BRISE_EINVAL, "list %zu",
		      l);
		CHECK(counts, brise_rewind_sequence(s, from, &err) == BRISE_OK, "%s", err.message);
		again = eval(counts, e, s, (uint32_t)from, TOKENS - (uint32_t)from);
		CHECK(counts,
		      !memcmp(again, all + from * small_odd.vocab,
		              (TOKENS - from) * small_odd.vocab * sizeof *all),
		      "list %zu: other logits", l);
		free(again);
		CHECK(counts, brise_rewind_sequence(s, 0, &err) == BRISE_OK, "%s", err.message);
		again = eval(counts, e, s, 0, 30);
		CHECK(counts, !memcmp(again, all, 30 * small_odd.vocab * sizeof *all),
		      "list %zu: other logits from the start", l);
		free(again), free(all);
		brise_free_sequence(s);
		brise_free_engine(e);
		brise_close_model(model);
	}
}

static void test_copies(check_counts *counts)
{
	size_t l;

	for (l = 0; l < LENGTH(lists); l++) {
		brise_model *model = make_model(counts, lists[l], turn_book_type(l));
		brise_sequence *s = make_sequence(counts, model, (way){ .chunk = 20 }),
		               *copy = make_sequence(counts, model, (way){ .chunk = 20 }),
		               *other = make_sequence(counts, model, (way){ .chunk = 60 });
		brise_engine *e = make_engine(counts, model, (way){ .chunk = 20 });
		float *first = eval(counts, e, s, 0, 210), *a, *b;
		brise_error err;

		CHECK(counts, sequence_copy(other, s, 205, &err) == BRISE_EINVAL, "list %zu", l);
		CHECK(counts, sequence_copy(copy, s, 205, &err) == BRISE_OK, "%s", err.message);
		a = eval(counts, e, s, 210, 60);
		b = eval(counts, e, copy, 205, 65);
		CHECK(counts,
		      !memcmp(a, b + 5 * small_odd.vocab, 60 * small_odd.vocab * sizeof *a) &&
		              brise_get_sequence_facts(s)->rewind_from ==
		                      brise_get_sequence_facts(copy)->rewind_from,
		      "list %zu: the copy goes on otherwise", l);
		free(first), free(a), free(b);
		brise_free_sequence(s);
		brise_free_sequence(copy);
		brise_free_sequence(other);
		brise_free_engine(e);
		brise_close_model(model);
	}
}

static void test_sinks_need_one_window(check_counts *counts)
{
	brise_model *model = make_model(counts, lists[0], TYPE_Q4);
	brise_sequence_options o = { .size = sizeof o, .sinks = 2, .window = 30 };
	brise_sequence *s;
	brise_error err;

	CHECK(counts,
	      brise_new_sequence(&s, model, &o, &err) == BRISE_EINVAL &&
	              strstr(err.message, "one window for all layers"),
	      "%s", err.message);
	o.window = 9;
	CHECK(counts, brise_new_sequence(&s, model, &o, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, brise_get_sequence_facts(s)->window == 9 && !s->ring.slots.windows,
	      "window %" PRIu64, brise_get_sequence_facts(s)->window);
	brise_free_sequence(s);
	brise_close_model(model);
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* Saves after `at` tokens and one step back and forth, loads with that slack (0: as it was), and
 * goes on. */
static void check_session(check_counts *counts, const brise_model *model, brise_engine *e,
                          const float *all, uint32_t at, uint32_t slack, size_t l)
{
	brise_sequence *s = make_sequence(counts, model, (way){ .chunk = 20 }), *loaded = NULL;
	const brise_sequence_options o = { .size = sizeof o, .slack = slack, .context = TOKENS };
	float *before = eval(counts, e, s, 0, at), *after;
	uint32_t step = TOKENS - at < 19 ? TOKENS - at : 19, back;
	brise_error err = { BRISE_OK, "" };

	free(before);
	free(eval(counts, e, s, at, step));
	CHECK(counts, brise_rewind_sequence(s, at, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, brise_save_session(session_path, s, tokens, at, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts,
	      brise_load_session(&loaded, NULL, NULL, session_path, model, slack ? &o : NULL, NULL,
	                         &err) == BRISE_OK,
	      "list %zu, at %u, slack %u: %s", l, at, slack, err.message);
	if (loaded) {
		/* one position back, as the server does for the last token's logits */
		back = at > 0 && brise_get_sequence_facts(loaded)->rewind_from < at;
		CHECK(counts, brise_rewind_sequence(loaded, at - back, &err) == BRISE_OK, "%s",
		      err.message);
		after = eval(counts, e, loaded, at - back, step + back);
		CHECK(counts,
		      !memcmp(after, all + (size_t)(at - back) * small_odd.vocab,
		              (size_t)(step + back) * small_odd.vocab * sizeof *all),
		      "list %zu, at %u, slack %u: other logits", l, at, slack);
		free(after);
	}
	brise_free_sequence(loaded);
	brise_free_sequence(s);
	(void)unlink(session_path);
}

/* Would catch positions of one layer taken for another's, and what was overwritten taken for what
 * is held. */
static void test_sessions_go_on(check_counts *counts)
{
	static const uint32_t places[] = { 1, 12, 31, 32, 33, 60, 64, 97, 128, 200, 250, 281 },
	                      slacks[] = { 0, 20, 21, 60, 128 };
	size_t l, k, i;

	for (l = 0; l < LENGTH(lists); l++) {
		brise_model *model = make_model(counts, lists[l], turn_book_type(l));
		brise_engine *e = make_engine(counts, model, (way){ .chunk = 20 });
		float *all = run(counts, model, (way){ .chunk = 20 });

		for (k = 0; k < LENGTH(places); k++)
			for (i = 0; i < LENGTH(slacks); i++)
				check_session(counts, model, e, all, places[k], slacks[i], l);
		free(all);
		brise_free_engine(e);
		brise_close_model(model);
	}
}

/* Every byte of header and layers' page, changed: refused, or harmless. */
static void test_damaged_sessions(check_counts *counts)
{
	brise_model *model = make_model(counts, lists[0], TYPE_Q4);
	brise_engine *e = make_engine(counts, model, (way){ .chunk = 20 });
	brise_sequence *s = make_sequence(counts, model, (way){ .chunk = 20 }), *loaded;
	uint64_t ring_at = 0;
	brise_error err;
	FILE *f;
	long at;

	free(eval(counts, e, s, 0, 150));
	CHECK(counts, brise_save_session(session_path, s, tokens, 150, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	ring_at = 65536; /* header and 150 tokens take less */
	f = fopen(session_path, "r+b");
	for (at = (long)ring_at; at < (long)ring_at + 24; at++) {
		int byte;

		(void)fseek(f, at, SEEK_SET);
		byte = fgetc(f);
		(void)fseek(f, at, SEEK_SET);
		(void)fputc(byte ^ 0x21, f);
		(void)fflush(f);
		CHECK(counts,
		      brise_load_session(&loaded, NULL, NULL, session_path, model, NULL, NULL,
		                         &err) == BRISE_EFORMAT,
		      "byte %ld: %s", at, err.message);
		(void)fseek(f, at, SEEK_SET);
		(void)fputc(byte, f);
		(void)fflush(f);
	}
	(void)fclose(f);
	CHECK(counts,
	      brise_load_session(&loaded, NULL, NULL, session_path, model, NULL, NULL, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	brise_free_sequence(loaded);
	brise_free_sequence(s);
	brise_free_engine(e);
	brise_close_model(model);
	(void)unlink(session_path);
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct file_bytes {
	uint8_t *bytes; /* aligned */
	size_t n;
} file_bytes;

static file_bytes read_file(const char *name)
{
	file_bytes b = { NULL, 0 };
	FILE *f = fopen(name, "rb");

	(void)fseek(f, 0, SEEK_END);
	b.n = (size_t)ftell(f);
	rewind(f);
	b.bytes = aligned_alloc(64, (b.n + 63) / 64 * 64);
	b.n = fread(b.bytes, 1, b.n, f);
	(void)fclose(f);
	return b;
}

/* The section of that kind; its checksums are made again by seal. */
static format_section *find_section(const file_bytes *b, uint32_t kind)
{
	const format_header *h = (const format_header *)(const void *)b->bytes;
	format_section *s = (format_section *)(void *)(b->bytes + sizeof *h);
	uint32_t i;

	for (i = 0; i < h->n_sections; i++)
		if (s[i].kind == kind)
			return &s[i];
	return NULL;
}

static void seal(const file_bytes *b)
{
	format_header *h = (format_header *)(void *)b->bytes;
	format_section *s = (format_section *)(void *)(b->bytes + sizeof *h);
	uint32_t i;

	for (i = 0; i < h->n_sections; i++)
		s[i].crc = crc32_update(0, b->bytes + s[i].offset, (size_t)s[i].bytes);
	h->sections_crc = crc32_update(0, s, h->n_sections * sizeof *s);
	h->header_crc = crc32_update(0, h, sizeof *h - sizeof h->header_crc);
}

static void expect(check_counts *counts, const file_bytes *b, brise_status expected,
                   const char *text)
{
	brise_model *model = NULL;
	brise_error err = { BRISE_OK, "" };

	seal(b);
	CHECK(counts,
	      brise_open_memory(&model, b->bytes, b->n, "model", NULL, &err) == expected &&
	              strstr(err.message, text),
	      "%s expected: %s", text, err.message);
	brise_close_model(model);
}

/* Each wrong value of what version 2 added has a line of its own. */
static void test_wrong_files_are_refused(check_counts *counts)
{
	static const struct {
		size_t offset, bytes;
		double number;
		uint32_t value;
		brise_status status;
		const char *text;
	} wrong[] = {
#define NUMBER(field, value, status, text)                                                         \
	{ offsetof(format_config, field), 8, value, 0, status, text }
#define VALUE(field, value, status, text)                                                          \
	{                                                                                          \
		offsetof(format_config, field), 4, 0, value, status, text                          \
	}
		VALUE(flags, 2, BRISE_EUNSUPPORTED, "flags 00000002 are unknown"),
		VALUE(flags, 1, BRISE_EFORMAT, "an output tensor, but"),
		VALUE(rope_scaling, 3, BRISE_EUNSUPPORTED, "rope scaling of kind 3"),
		NUMBER(rope_factor, 0.5, BRISE_EFORMAT, "rope factor 0.5"),
		NUMBER(rope_factor, (double)NAN, BRISE_EFORMAT, "rope factor"),
		NUMBER(rope_factor, 1e300, BRISE_EFORMAT, "rope factor"),
		NUMBER(rope_beta_slow, 0, BRISE_EFORMAT, "yarn from 0 to"),
		NUMBER(rope_beta_slow, 100, BRISE_EFORMAT, "yarn from 100 to"),
		NUMBER(rope_beta_fast, (double)INFINITY, BRISE_EFORMAT, "yarn from"),
		NUMBER(rope_magnitude, -1, BRISE_EFORMAT, "rope magnitude -1"),
		NUMBER(rope_magnitude, (double)NAN, BRISE_EFORMAT, "rope magnitude"),
		VALUE(rope_original, 0, BRISE_EFORMAT, "yarn for 0 positions"),
		VALUE(rope_original, UINT32_MAX, BRISE_EFORMAT, "yarn for 4294967295"),
		VALUE(query_original, 0, BRISE_EFORMAT, "every 0 positions"),
		NUMBER(query_beta, -1, BRISE_EFORMAT, "beta -1"),
		NUMBER(query_beta, (double)NAN, BRISE_EFORMAT, "factor of queries"),
		NUMBER(rope_theta, 1, BRISE_EFORMAT, "rope_theta 1"),
		VALUE(window, 7, BRISE_EFORMAT, "the largest is 40, the configuration has 7"),
	};
	format_config c = small_scaled;
	uint32_t windows[] = { 12, 40 };
	file_bytes b;
	size_t i;

	c.window = 40;
	c.flags = 0;
	small_write_windows(&c, windows, TYPE_Q4, path);
	b = read_file(path);
	expect(counts, &b, BRISE_OK, "");
	for (i = 0; i < LENGTH(wrong); i++) {
		uint8_t *place = b.bytes + find_section(&b, SECTION_CONFIG)->offset +
		                 wrong[i].offset,
		        before[8];

		memcpy(before, place, wrong[i].bytes);
		memcpy(place,
		       wrong[i].bytes == 8 ? (const void *)&wrong[i].number : &wrong[i].value,
		       wrong[i].bytes);
		expect(counts, &b, wrong[i].status, wrong[i].text);
		memcpy(place, before, wrong[i].bytes);
	}
	memcpy(b.bytes + find_section(&b, SECTION_WINDOWS)->offset, &(uint32_t){ 1u << 25 }, 4);
	expect(counts, &b, BRISE_EFORMAT, "33554432 positions in layer 0");
	memcpy(b.bytes + find_section(&b, SECTION_WINDOWS)->offset, windows, 4);
	find_section(&b, SECTION_WINDOWS)->bytes = 4;
	expect(counts, &b, BRISE_EFORMAT, "windows: 4 bytes");
	find_section(&b, SECTION_WINDOWS)->bytes = sizeof windows;
	find_section(&b, SECTION_CONFIG)->bytes = 64;
	expect(counts, &b, BRISE_EFORMAT, "configuration of 64 bytes, expected 128");
	free(b.bytes);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	char folder[512];

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	(void)snprintf(session_path, sizeof session_path, "%s/text.session", folder);
	small_tokens(tokens, TOKENS, small_odd.vocab, 9);
	RUN(test_equals_the_reference(&counts));
	RUN(test_same_bits_however_run(&counts));
	RUN(test_memory_is_counted_by_layer(&counts));
	RUN(test_rewinding(&counts));
	RUN(test_copies(&counts));
	RUN(test_sinks_need_one_window(&counts));
	RUN(test_sessions_go_on(&counts));
	RUN(test_damaged_sessions(&counts));
	RUN(test_wrong_files_are_refused(&counts));
	return check_report("windows", &counts);
}
