/* test_session.c - sessions go on with the bits of a text that was never interrupted; others and
 * damaged ones are refused by the name of what differs */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "quant/contract.h"
#include "runtime/eval/sequence.h"
#include "runtime/model/crc32.h"
#include "runtime/session/file.h"
#include "runtime/session/sum.h"
#include "test/check.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define REST      40u  /* tokens after a session */
#define LONGEST   400u /* tokens of a text */
#define DAMAGES   500u /* of a file of each type */
#define TOKENS_AT 192u /* of a file without a sampler */

static char folder[400], model_path[512], path[512];
static uint32_t file_type; /* of the models */

typedef struct text {
	brise_model *model;
	brise_engine *one, *other; /* scalar, one row a pass, one thread; the best, three threads */
	int32_t tokens[LONGEST + REST];
} text;

static brise_engine *new_engine(check_counts *counts, const brise_model *model, const char *arch,
                                uint32_t rows, uint32_t threads)
{
	brise_engine_options o = {
		.size = sizeof o, .rows = rows, .threads = threads, .arch = arch
	};
	brise_error err = { BRISE_OK, "" };
	brise_engine *engine;

	CHECK(counts, brise_new_engine(&engine, model, &o, &err) == BRISE_OK, "%s", err.message);
	return engine;
}

static void open_text(text *t, check_counts *counts, const format_config *config, uint32_t type)
{
	brise_error err = { BRISE_OK, "" };

	small_write(config, type, model_path);
	CHECK(counts, brise_open_model(&t->model, model_path, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	t->one = new_engine(counts, t->model, "scalar", 1, 1);
	t->other = new_engine(counts, t->model, NULL, 7, 3);
	small_tokens(t->tokens, LONGEST + REST, config->vocab, 5);
}

static void close_text(text *t)
{
	brise_free_engine(t->one);
	brise_free_engine(t->other);
	brise_close_model(t->model);
}

static brise_sequence *new_sequence(check_counts *counts, const text *t,
                                    const brise_sequence_options *o)
{
	brise_error err = { BRISE_OK, "" };
	brise_sequence *s;

	CHECK(counts, brise_new_sequence(&s, t->model, o, &err) == BRISE_OK, "%s", err.message);
	return s;
}

static void eval(check_counts *counts, brise_engine *engine, brise_sequence *s,
                 const int32_t *tokens, size_t n)
{
	brise_error err = { BRISE_OK, "" };

	CHECK(counts, brise_eval_tokens(engine, s, tokens, n, NULL, NULL, NULL, &err) == BRISE_OK,
	      "%s", err.message);
}

static void save(check_counts *counts, const brise_sequence *s, const int32_t *tokens, size_t n)
{
	brise_error err = { BRISE_OK, "" };

	CHECK(counts, brise_save_session(path, s, tokens, n, NULL, &err) == BRISE_OK, "%s",
	      err.message);
}

static brise_sequence *load(check_counts *counts, const text *t, const brise_sequence_options *o)
{
	brise_error err = { BRISE_OK, "" };
	brise_sequence *s;

	CHECK(counts, brise_load_session(&s, NULL, NULL, path, t->model, o, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	return s;
}

/* Both go on with the same tokens: one alone, one row a pass; the other by the other engine. */
static bool agree(const text *t, brise_sequence *expected, brise_sequence *s, unsigned at)
{
	const float *a, *b;
	unsigned i, step;

	for (i = 0; i < REST; i += step) {
		step = 1 + i % 5;
		step = step < REST - i ? step : REST - i;
		if (brise_eval_tokens(t->one, expected, t->tokens + at + i, step, &a, NULL, NULL,
		                      NULL) != BRISE_OK ||
		    brise_eval_tokens(t->other, s, t->tokens + at + i, step, &b, NULL, NULL,
		                      NULL) != BRISE_OK ||
		    memcmp(a, b, t->model->config.vocab * sizeof *a) != 0)
			return false;
	}
	return true;
}

/* ---- round trips ---------------------------------------------------------------------------- */

static bool is_mapped(const brise_sequence *s)
{
	return s->ring.map.bytes != NULL;
}

/* A text of `at` tokens is saved, and goes on from the file and without it. */
static void check_round_trip(check_counts *counts, const text *t, const brise_sequence_options *o,
                             unsigned at, bool full)
{
	brise_sequence *expected = new_sequence(counts, t, o), *loaded;
	int32_t *tokens = NULL;
	brise_error err = { BRISE_OK, "" };
	size_t n = 0;

	eval(counts, t->other, expected, t->tokens, at);
	save(counts, expected, t->tokens, at);
	CHECK(counts,
	      brise_load_session(&loaded, &tokens, &n, path, t->model, NULL, NULL, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	if (loaded) {
		CHECK(counts,
		      !memcmp(brise_get_sequence_facts(loaded), brise_get_sequence_facts(expected),
		              sizeof(brise_sequence_facts)),
		      "facts after %u tokens", at);
		CHECK(counts, n == at && !memcmp(tokens, t->tokens, at * sizeof *tokens),
		      "tokens after %u", at);
		CHECK(counts, is_mapped(loaded) == full, "%u tokens: mapped %d", at,
		      is_mapped(loaded));
		CHECK(counts, agree(t, expected, loaded, at), "logits after %u tokens", at);
	}
	brise_free(tokens);
	brise_free_sequence(loaded);
	brise_free_sequence(expected);
}

/* Whether the last `at` positions, as far as there are slots, touch half of a ring's spans. */
static bool fills_half(uint64_t start, uint64_t at, uint64_t slots)
{
	uint64_t oldest = at > slots ? start + at - slots : start;

	return at > 0 && 2 * ((start + at - 1) / 32 - oldest / 32 + 1) >= slots / 32;
}

/* Around the window, twice the window, and where the ring turns. */
static void check_turns(check_counts *counts, const format_config *config, uint32_t type,
                        brise_sequence_options o)
{
	text t;
	brise_sequence *s;
	unsigned window = o.window ? o.window : config->window, slots, at, i;

	open_text(&t, counts, config, type);
	s = new_sequence(counts, &t, &o);
	slots = (unsigned)brise_get_sequence_facts(s)->slots;
	brise_free_sequence(s);
	for (i = 0; i < 5; i++) {
		const unsigned places[] = { i, window - 2 + i, slots - 2 + i, 2 * window - 2 + i,
			                    2 * slots - 2 + i };

		for (at = 0; at < 5; at++)
			check_round_trip(counts, &t, &o, places[at],
			                 fills_half(o.position, places[at], slots));
	}
	close_text(&t);
}

static void test_a_session_goes_on_at_every_turn_of_the_ring(check_counts *counts)
{
	brise_sequence_options o = { .size = sizeof o };
	uint32_t type = 0;

	o.slack = 1; /* 32 slots for 11, 96 for 75 */
	o.kv = BRISE_KV_INT8;
	while ((type = next_matrix_type(type)) != 0)
		check_turns(counts, &small_odd, type, o);
	/* The ring's turns are those of its shape and its numbers. */
	check_turns(counts, &small_wide, file_type, o);
	o.kv = BRISE_KV_F32;
	check_turns(counts, &small_odd, file_type, o);
}

static void test_a_session_keeps_sinks_window_and_start(check_counts *counts)
{
	brise_sequence_options o = {
		.size = sizeof o, .window = 40, .slack = 20, .sinks = 4, .position = 1000003
	};

	check_turns(counts, &small_wide, file_type, o);
	o.position = UINT64_C(1) << 40;
	check_turns(counts, &small_wide, file_type, o);
}

static void test_a_text_without_a_window_goes_on(check_counts *counts)
{
	static const unsigned places[] = { 0, 1, 31, 32, 33, 100, 260, 300 };
	brise_sequence_options o = { .size = sizeof o, .context = 300 + REST };
	unsigned i;
	text t;

	open_text(&t, counts, &small_open, file_type);
	for (i = 0; i < sizeof places / sizeof *places; i++)
		check_round_trip(counts, &t, &o, places[i], fills_half(0, places[i], 352));
	close_text(&t);
}

/* Both are rewound as far as the one that was loaded can be. */
static bool agree_rewound(const text *t, brise_sequence *expected, brise_sequence *s)
{
	uint64_t position = brise_get_sequence_facts(s)->rewind_from;

	if (position > brise_get_sequence_facts(s)->position)
		return true;
	return brise_rewind_sequence(s, position, NULL) == BRISE_OK &&
	       brise_rewind_sequence(expected, position, NULL) == BRISE_OK &&
	       agree(t, expected, s, (unsigned)position);
}

/* A ring of another size than the one that was saved, larger or smaller. */
static void check_other_slots(check_counts *counts, const text *t, unsigned at, uint32_t before,
                              uint32_t after)
{
	brise_sequence_options o = { .size = sizeof o, .slack = before };
	brise_sequence *expected = new_sequence(counts, t, &o), *loaded;

	eval(counts, t->other, expected, t->tokens, at);
	save(counts, expected, NULL, 0);
	o.slack = after;
	loaded = load(counts, t, &o);
	CHECK(counts, loaded && agree(t, expected, loaded, at), "%u tokens, slack %u, then %u", at,
	      before, after);
	brise_free_sequence(loaded);
	brise_free_sequence(expected);
	o.slack = 400; /* holds everything */
	expected = new_sequence(counts, t, &o);
	eval(counts, t->other, expected, t->tokens, at);
	o.slack = after;
	loaded = load(counts, t, &o);
	CHECK(counts, loaded && agree_rewound(t, expected, loaded),
	      "%u tokens rewound, slack %u, then %u", at, before, after);
	brise_free_sequence(loaded);
	brise_free_sequence(expected);
}

static void test_a_session_goes_on_with_more_or_fewer_slots(check_counts *counts)
{
	static const unsigned places[] = { 1, 74, 76, 95, 96, 97, 130, 161, 300 };
	static const uint32_t slacks[] = { 1, 40, 300 };
	unsigned i, a, b;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	for (i = 0; i < sizeof places / sizeof *places; i++)
		for (a = 0; a < 3; a++)
			for (b = 0; b < 3; b++)
				check_other_slots(counts, &t, places[i], slacks[a],
				                  slacks[b] < 32 ? 32 : slacks[b]);
	close_text(&t);
}

/* What was written behind the position it was rewound to is not part of it. */
static void test_a_rewound_text_goes_on(check_counts *counts)
{
	brise_sequence_options o = { .size = sizeof o, .slack = 50 };
	brise_sequence *expected, *s, *loaded;
	int32_t others[30];
	text t;

	open_text(&t, counts, &small_wide, file_type);
	small_tokens(others, 30, small_wide.vocab, 77);
	expected = new_sequence(counts, &t, &o);
	eval(counts, t.one, expected, t.tokens, 200);
	s = new_sequence(counts, &t, &o);
	eval(counts, t.other, s, t.tokens, 200);
	eval(counts, t.other, s, others, 30);
	CHECK(counts, brise_rewind_sequence(s, 200, NULL) == BRISE_OK, "rewind");
	save(counts, s, t.tokens, 200);
	loaded = load(counts, &t, NULL);
	CHECK(counts,
	      loaded && brise_get_sequence_facts(loaded)->rewind_from ==
	                        brise_get_sequence_facts(s)->rewind_from,
	      "what can be rewound");
	CHECK(counts, loaded && agree(&t, expected, loaded, 200), "logits");
	brise_free_sequence(loaded);
	brise_free_sequence(s);
	brise_free_sequence(expected);
	close_text(&t);
}

/* ---- the sampler ---------------------------------------------------------------------------- */

static brise_sampler *new_sampler(check_counts *counts, uint32_t vocab, uint32_t last,
                                  uint64_t seed)
{
	brise_sampling s;
	brise_sampler *sampler;
	brise_error err = { BRISE_OK, "" };

	brise_init_sampling(&s, sizeof s);
	s.temperature = 1.5f;
	s.repetition_penalty = 1.3f;
	s.penalty_last = last;
	s.seed = seed;
	CHECK(counts, brise_new_sampler(&sampler, vocab, &s, &err) == BRISE_OK, "%s", err.message);
	return sampler;
}

static void draw(brise_sampler *sampler, uint32_t vocab, unsigned n, int32_t *drawn)
{
	uint64_t seed = 9;
	float logits[256];
	unsigned i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < vocab; k++)
			logits[k] = 2 * random_float(&seed);
		if (brise_sample_token(sampler, logits, &drawn[i], NULL) != BRISE_OK ||
		    brise_accept_token(sampler, drawn[i], NULL) != BRISE_OK)
			drawn[i] = -1;
	}
}

static void test_the_sampler_goes_on(check_counts *counts)
{
	const uint32_t vocab = small_wide.vocab;
	static const unsigned before[] = { 0, 1, 19, 20, 21, 55 };
	int32_t expected[60], drawn[60];
	brise_error err = { BRISE_OK, "" };
	unsigned i;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	for (i = 0; i < sizeof before / sizeof *before; i++) {
		brise_sampler *a = new_sampler(counts, vocab, 20, 3),
		              *b = new_sampler(counts, vocab, 20, 4);
		brise_sequence *s = new_sequence(counts, &t, NULL), *loaded;

		draw(a, vocab, before[i], expected);
		draw(b, vocab, 7, drawn); /* what it remembers of that is replaced */
		CHECK(counts, brise_save_session(path, s, NULL, 0, a, &err) == BRISE_OK, "%s",
		      err.message);
		CHECK(counts,
		      brise_load_session(&loaded, NULL, NULL, path, t.model, NULL, b, &err) ==
		              BRISE_OK,
		      "%s", err.message);
		draw(a, vocab, 60, expected);
		draw(b, vocab, 60, drawn);
		CHECK(counts, !memcmp(expected, drawn, sizeof drawn), "after %u tokens", before[i]);
		brise_free_sequence(loaded);
		brise_free_sequence(s);
		brise_free_sampler(a);
		brise_free_sampler(b);
	}
	close_text(&t);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void check_refused(check_counts *counts, const text *t, const brise_sequence_options *o,
                          brise_status code, const char *names)
{
	brise_error err = { BRISE_OK, "" };
	brise_sequence *s;
	brise_status status = brise_load_session(&s, NULL, NULL, path, t->model, o, NULL, &err);

	CHECK(counts, status == code && strstr(err.message, names) && strstr(err.message, path),
	      "%d \"%s\", expected %d \"%s\"", status, err.message, code, names);
	CHECK(counts, !s, "a sequence after an error");
	brise_free_sequence(s);
}

static void change_file(long at, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "r+b");

	if (!f || fseek(f, at, SEEK_SET) != 0 || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		perror(path);
}

/* With a header that is right otherwise. */
static void change_header(size_t at, uint32_t value)
{
	session_header h;
	FILE *f = fopen(path, "rb");

	if (!f || fread(&h, sizeof h, 1, f) != 1 || fclose(f) != 0)
		perror(path);
	memcpy((uint8_t *)&h + at, &value, sizeof value);
	h.header_crc = crc32_update(0, &h, sizeof h - sizeof h.header_crc);
	change_file(0, &h, sizeof h);
}

static void test_a_foreign_session_is_refused_by_name(check_counts *counts)
{
	brise_sequence_options o = { .size = sizeof o };
	brise_sequence *s;
	struct stat facts;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	s = new_sequence(counts, &t, NULL);
	eval(counts, t.other, s, t.tokens, 100);
	save(counts, s, t.tokens, 100);
	change_header(offsetof(session_header, version), SESSION_VERSION + 1);
	check_refused(counts, &t, NULL, BRISE_EUNSUPPORTED, "version 2");
	save(counts, s, t.tokens, 100);
	change_header(offsetof(session_header, contract), CONTRACT_VERSION + 1);
	check_refused(counts, &t, NULL, BRISE_EUNSUPPORTED, "other bits");
	save(counts, s, t.tokens, 100);
	change_header(offsetof(session_header, position), 5000);
	check_refused(counts, &t, NULL, BRISE_EFORMAT, "contradict");
	save(counts, s, t.tokens, 100);
	o.window = 40;
	check_refused(counts, &t, &o, BRISE_EINVAL, "window of 75, 40");
	o.window = 0;
	o.sinks = 4;
	check_refused(counts, &t, &o, BRISE_EINVAL, "sinks: 0, 4");
	o.sinks = 0;
	o.kv = BRISE_KV_F32;
	check_refused(counts, &t, &o, BRISE_EINVAL, "keys and values as int8, f32 is");
	CHECK(counts, stat(path, &facts) == 0 && truncate(path, facts.st_size - 1) == 0, "stat");
	check_refused(counts, &t, NULL, BRISE_EFORMAT, "cut off or appended to");
	CHECK(counts, truncate(path, facts.st_size + 1) == 0, "truncate");
	check_refused(counts, &t, NULL, BRISE_EFORMAT, "cut off or appended to");
	CHECK(counts, truncate(path, 100) == 0, "truncate");
	check_refused(counts, &t, NULL, BRISE_EFORMAT, "no session, or cut off");
	change_file(0, "GGUF", 4);
	check_refused(counts, &t, NULL, BRISE_EFORMAT, "a GGUF file, not a session");
	CHECK(counts, truncate(path, 0) == 0, "truncate");
	check_refused(counts, &t, NULL, BRISE_EFORMAT, "empty");
	(void)unlink(path);
	check_refused(counts, &t, NULL, BRISE_EIO, "cannot be opened");
	brise_free_sequence(s);
	close_text(&t);
}

static void test_a_session_of_another_model_is_refused(check_counts *counts)
{
	brise_sequence *s;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	s = new_sequence(counts, &t, NULL);
	eval(counts, t.other, s, t.tokens, 100);
	save(counts, s, t.tokens, 100);
	brise_free_sequence(s);
	close_text(&t);
	open_text(&t, counts, &small_wide, TYPE_Q8);
	check_refused(counts, &t, NULL, BRISE_EINVAL, "another model file");
	close_text(&t);
	open_text(&t, counts, &small_open, file_type);
	check_refused(counts, &t, NULL, BRISE_EINVAL, "another model file");
	close_text(&t);
}

/* Bytes between the parts mean nothing; a change anywhere else is refused. */
static void test_damaged_sessions_are_refused_or_harmless(check_counts *counts)
{
	brise_sequence_options o = { .size = sizeof o, .slack = 21 };
	brise_sequence *s, *loaded;
	uint64_t seed = 31;
	unsigned i, refused = 0, wrong = 0;
	uint8_t *bytes;
	size_t size;
	FILE *f;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	s = new_sequence(counts, &t, &o);
	eval(counts, t.other, s, t.tokens, 150);
	save(counts, s, t.tokens, 150);
	f = fopen(path, "rb");
	bytes = malloc(4 << 20);
	size = f && bytes ? fread(bytes, 1, 4 << 20, f) : 0;
	CHECK(counts, size > SESSION_PAGE && size < 4 << 20 && fclose(f) == 0, "%zu bytes", size);
	for (i = 0; i < DAMAGES; i++) {
		/* half of them in the first 1,000 bytes, where fields and tokens are */
		size_t at = random_next(&seed) % (i % 2 ? 1000 : size);
		uint8_t flip = (uint8_t)(1u << random_next(&seed) % 8), now = bytes[at] ^ flip;
		bool means_nothing = (at >= sizeof(session_header) && at < TOKENS_AT) ||
		                     (at >= TOKENS_AT + 150 * 4 && at < SESSION_PAGE);

		change_file((long)at, &now, 1);
		loaded = NULL;
		refused += brise_load_session(&loaded, NULL, NULL, path, t.model, NULL, NULL,
		                              NULL) != BRISE_OK;
		wrong += (loaded != NULL) != means_nothing;
		brise_free_sequence(loaded);
		change_file((long)at, &bytes[at], 1);
	}
	CHECK(counts, wrong == 0 && refused > DAMAGES / 2, "%u refused, %u wrong", refused, wrong);
	loaded = load(counts, &t, NULL);
	CHECK(counts, loaded && agree(&t, s, loaded, 150), "the file is whole again");
	brise_free_sequence(loaded);
	brise_free_sequence(s);
	free(bytes);
	close_text(&t);
}

/* Fields that contradict each other under a right checksum: no read outside the file. */
static void test_headers_made_on_purpose_are_harmless(check_counts *counts)
{
	static const uint32_t values[] = { 0, 1, 31, 33, 4096, 0x7fffffff, 0xffffffff };
	brise_sequence_options o = { .size = sizeof o, .slack = 21 };
	brise_sequence *s, *loaded;
	const float *logits;
	unsigned i, taken = 0;
	size_t at;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	s = new_sequence(counts, &t, &o);
	eval(counts, t.other, s, t.tokens, 150);
	for (at = offsetof(session_header, kv); at < offsetof(session_header, ring_sum); at += 4)
		for (i = 0; i < sizeof values / sizeof *values; i++) {
			save(counts, s, t.tokens, 150);
			change_header(at, values[i]);
			if (brise_load_session(&loaded, NULL, NULL, path, t.model, NULL, NULL,
			                       NULL) != BRISE_OK)
				continue;
			taken++;
			(void)brise_eval_tokens(t.other, loaded, t.tokens, 20, &logits, NULL, NULL,
			                        NULL);
			brise_free_sequence(loaded);
		}
	/* Those that say what was true, or another window or position that the bytes could be of.
	 */
	CHECK(counts, taken > 0 && taken < 70, "%u were taken", taken);
	brise_free_sequence(s);
	close_text(&t);
}

/* What the image's 32-bit words are made of, from random ones. */
static uint32_t make_word(unsigned kind, uint32_t word)
{
	static const uint32_t same[] = { 0x80808080, 0x7f7f7f7f, 0x7f7fffff, 0x00000001 };

	return kind == 0 ? word : kind == 1 ? word & 0x7f7fffff : same[kind - 2];
}

#define KINDS 6u

/* Replaces the keys and values, under right checksums. */
static void change_image(check_counts *counts, unsigned kind)
{
	uint64_t seed = 77;
	session_sum sum = { { 0 } };
	session_header h;
	struct stat facts = { .st_size = 0 };
	uint32_t *image;
	size_t n, i;
	FILE *f = fopen(path, "rb");

	CHECK(counts,
	      f && fread(&h, sizeof h, 1, f) == 1 && fstat(fileno(f), &facts) == 0 &&
	              fclose(f) == 0 && (uint64_t)facts.st_size > h.ring_at,
	      "%s cannot be read", path);
	n = ((size_t)facts.st_size - (size_t)h.ring_at) / sizeof *image;
	if (!(image = malloc(n * sizeof *image)))
		return;
	for (i = 0; i < n; i++)
		image[i] = make_word(kind, (uint32_t)random_next(&seed));
	session_sum_add(&sum, image, n * sizeof *image);
	change_file((long)h.ring_at, image, n * sizeof *image);
	change_header(offsetof(session_header, ring_sum), session_sum_end(&sum));
	free(image);
}

/* Keys and values made on purpose: whatever the logits are, kernels get what they are made for. */
static void test_keys_and_values_made_on_purpose_are_harmless(check_counts *counts)
{
	brise_sequence_options o = { .size = sizeof o, .sinks = 4 };
	brise_sequence *s, *loaded;
	brise_error err = { BRISE_OK, "" };
	const float *logits;
	unsigned i;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	for (i = 0; i < 2 * KINDS; i++) {
		/* Random scales and 0x80808080 are negative, some of the random ones no numbers. */
		bool is_right = i >= KINDS || (i != 0 && i != 2);

		o.kv = i < KINDS ? BRISE_KV_INT8 : BRISE_KV_F32;
		s = new_sequence(counts, &t, &o);
		eval(counts, t.other, s, t.tokens, 150);
		save(counts, s, t.tokens, 150);
		change_image(counts, i % KINDS);
		CHECK(counts,
		      brise_load_session(&loaded, NULL, NULL, path, t.model, NULL, NULL, &err) ==
		              (is_right ? BRISE_OK : BRISE_EFORMAT),
		      "image %u: \"%s\"", i, err.message);
		CHECK(counts, is_right || strstr(err.message, "scales"), "\"%s\"", err.message);
		if (loaded) {
			(void)brise_eval_tokens(t.other, loaded, t.tokens, 20, &logits, NULL, NULL,
			                        NULL);
			(void)brise_eval_tokens(t.one, loaded, t.tokens, 2, &logits, NULL, NULL,
			                        NULL);
		}
		brise_free_sequence(loaded);
		brise_free_sequence(s);
	}
	close_text(&t);
}

/* ---- the file while it is used, and while it is written ---------------------------------------
 */

static void test_a_session_file_that_shrinks_is_an_error(check_counts *counts)
{
	brise_sequence_options o = { .size = sizeof o, .slack = 21 };
	brise_error err = { BRISE_OK, "" };
	brise_sequence *s, *loaded;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	s = new_sequence(counts, &t, &o);
	eval(counts, t.other, s, t.tokens, 150);
	save(counts, s, NULL, 0);
	loaded = load(counts, &t, NULL);
	CHECK(counts, loaded && is_mapped(loaded), "mapped");
	CHECK(counts, truncate(path, SESSION_PAGE) == 0, "truncate");
	CHECK(counts,
	      brise_eval_tokens(t.other, loaded, t.tokens, 5, NULL, NULL, NULL, &err) == BRISE_EIO,
	      "%s", err.message);
	CHECK(counts, brise_get_sequence_facts(loaded)->position == 150, "the position moved");
	CHECK(counts,
	      brise_save_session(path, loaded, NULL, 0, NULL, &err) == BRISE_EIO &&
	              strstr(err.message, "load it again"),
	      "%s", err.message);
	brise_free_sequence(loaded);
	/* Another session of that name is another file. */
	save(counts, s, NULL, 0);
	loaded = load(counts, &t, NULL);
	save(counts, s, t.tokens, 150);
	CHECK(counts, loaded && agree(&t, s, loaded, 150), "logits");
	brise_free_sequence(loaded);
	brise_free_sequence(s);
	close_text(&t);
}

/* The model, the session, and what is left of others. */
static unsigned count_files(void)
{
	DIR *names = opendir(folder);
	struct dirent *entry;
	unsigned n = 0;

	while (names && (entry = readdir(names)) != NULL)
		n += entry->d_name[0] != '.';
	if (names)
		(void)closedir(names);
	return n;
}

static void test_killed_while_saving_leaves_the_old_or_the_new(check_counts *counts)
{
	brise_sequence *s;
	unsigned i, wrong = 0, ended = 0;
	uint64_t seed = 12;
	int32_t *tokens;
	size_t n;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	s = new_sequence(counts, &t, NULL);
	eval(counts, t.other, s, t.tokens, 150);
	save(counts, s, t.tokens, 1);
	for (i = 0; i < 100; i++) {
		struct timespec pause = { 0, (long)(random_next(&seed) % 3000000) };
		brise_sequence *loaded = NULL;
		pid_t child = fork();
		int status;

		if (child == 0) {
			for (n = 1;; n = n % 150 + 1)
				if (brise_save_session(path, s, t.tokens, n, NULL, NULL) !=
				    BRISE_OK)
					_exit(1);
		}
		(void)nanosleep(&pause, NULL);
		(void)kill(child, SIGKILL);
		(void)waitpid(child, &status, 0);
		ended += WIFEXITED(status);
		tokens = NULL;
		n = 0;
		wrong += brise_load_session(&loaded, &tokens, &n, path, t.model, NULL, NULL,
		                            NULL) != BRISE_OK ||
		         n == 0 || memcmp(tokens, t.tokens, n * sizeof *tokens) != 0;
		brise_free(tokens);
		brise_free_sequence(loaded);
	}
	CHECK(counts, wrong == 0 && ended == 0, "%u wrong, %u could not save", wrong, ended);
	save(counts, s, t.tokens, 1); /* removes what was left beside it */
	CHECK(counts, count_files() == 2, "%u files", count_files());
	brise_free_sequence(s);
	close_text(&t);
}

/* ---- prefixes ------------------------------------------------------------------------------- */

static void test_what_two_texts_share_is_kept(check_counts *counts)
{
	brise_sequence_options o = { .size = sizeof o, .slack = 40 };
	const float *a, *b;
	brise_sequence *s, *fresh;
	int32_t tokens[LONGEST];
	unsigned i, at;
	size_t kept;
	text t;

	open_text(&t, counts, &small_wide, file_type);
	for (i = 0; i < 20; i++) {
		const unsigned held = 10 + 18 * i, n = 20 + 16 * i;

		for (at = 0; at < 5; at++) {
			unsigned common = at == 0 ? 0 : held * at / 4;

			common = common < n ? common : n;
			s = new_sequence(counts, &t, &o);
			fresh = new_sequence(counts, &t, &o);
			eval(counts, t.other, s, t.tokens, held);
			small_tokens(tokens, LONGEST, small_wide.vocab, 1000 + i);
			memcpy(tokens, t.tokens, common * sizeof *tokens);
			if (common < n && common < held)
				tokens[common] = (t.tokens[common] + 1) % (int32_t)small_wide.vocab;
			CHECK(counts,
			      brise_keep_prefix(s, t.tokens, held, tokens, n, &kept, NULL) ==
			              BRISE_OK,
			      "keep");
			common = common == n ? n - 1 : common;
			CHECK(counts,
			      kept == common || (kept == 0 && common < held && held > 75 + 20),
			      "%u held, %u wanted, %u common: %zu kept", held, n, common, kept);
			CHECK(counts,
			      brise_eval_tokens(t.other, s, tokens + kept, n - kept, &a, NULL, NULL,
			                        NULL) == BRISE_OK &&
			              brise_eval_tokens(t.other, fresh, tokens, n, &b, NULL, NULL,
			                                NULL) == BRISE_OK &&
			              !memcmp(a, b, small_wide.vocab * sizeof *a),
			      "%u held, %u wanted, %u common, %zu kept", held, n, common, kept);
			brise_free_sequence(s);
			brise_free_sequence(fresh);
		}
	}
	close_text(&t);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(model_path, sizeof model_path, "%s/model.brise", folder);
	(void)snprintf(path, sizeof path, "%s/session", folder);
	file_type = next_book_type(0);
	RUN(test_a_session_goes_on_at_every_turn_of_the_ring(&counts));
	RUN(test_a_session_keeps_sinks_window_and_start(&counts));
	RUN(test_a_text_without_a_window_goes_on(&counts));
	RUN(test_a_session_goes_on_with_more_or_fewer_slots(&counts));
	RUN(test_a_rewound_text_goes_on(&counts));
	RUN(test_the_sampler_goes_on(&counts));
	RUN(test_what_two_texts_share_is_kept(&counts));
	for (; file_type; file_type = next_book_type(file_type)) {
		RUN(test_a_foreign_session_is_refused_by_name(&counts));
		RUN(test_a_session_of_another_model_is_refused(&counts));
		RUN(test_damaged_sessions_are_refused_or_harmless(&counts));
		RUN(test_headers_made_on_purpose_are_harmless(&counts));
		RUN(test_keys_and_values_made_on_purpose_are_harmless(&counts));
		RUN(test_a_session_file_that_shrinks_is_an_error(&counts));
		RUN(test_killed_while_saving_leaves_the_old_or_the_new(&counts));
	}
	return check_report("session", &counts);
}
