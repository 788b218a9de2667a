/* test_interface.c - NULL in every position of every public function: BRISE_EINVAL and a message
 * that names the function, or nothing at all, but never a crash */
#include <string.h>

#include "runtime/error.h"
#include "test/check.h"
#include "test/small_model.h"

typedef struct objects {
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	brise_sampler *sampler;
} objects;

static void check_refused(check_counts *counts, brise_status status, const brise_error *err,
                          const char *call)
{
	CHECK(counts, status == BRISE_EINVAL, "%s: status %d", call, (int)status);
	CHECK(counts, strstr(err->message, "NULL") && !strchr(err->message, '\n'), "%s: %s", call,
	      err->message);
}

#define REFUSED(call)                                                                              \
	do {                                                                                       \
		brise_error err = { BRISE_OK, "" };                                                \
		brise_status status = call;                                                        \
                                                                                                   \
		check_refused(counts, status, &err, #call);                                        \
	} while (0)

static void test_null_results_and_objects(check_counts *counts, const objects *o)
{
	static const uint64_t bytes[8] = { 0 };
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	brise_tokenizer *tokenizer;
	brise_decoder *decoder;
	brise_tensor_facts facts;
	brise_memory_facts memory;
	const char *text;
	int32_t *ids, id;
	size_t n;

	REFUSED(brise_open_model(NULL, "x", NULL, &err));
	REFUSED(brise_open_model(&model, NULL, NULL, &err));
	REFUSED(brise_open_memory(NULL, bytes, 64, "x", NULL, &err));
	REFUSED(brise_open_memory(&model, NULL, 64, "x", NULL, &err));
	REFUSED(brise_open_memory(&model, bytes, 64, NULL, NULL, &err));
	REFUSED(brise_get_tensor_facts(NULL, 0, &facts, sizeof facts, &err));
	REFUSED(brise_get_tensor_facts(o->model, 0, NULL, sizeof facts, &err));
	REFUSED(brise_read_row(NULL, 0, 0, &(float){ 0 }, &err));
	REFUSED(brise_read_row(o->model, 0, 0, NULL, &err));
	REFUSED(brise_verify_model(NULL, NULL, NULL, NULL, &err));
	REFUSED(brise_plan_memory(NULL, 1, &memory, sizeof memory, &err));
	REFUSED(brise_plan_memory(o->model, 1, NULL, sizeof memory, &err));
	REFUSED(brise_limit_memory(NULL, 1, NULL, NULL, NULL, &err));
	REFUSED(brise_get_memory_facts(NULL, &memory, sizeof memory, &err));
	REFUSED(brise_get_memory_facts(o->model, NULL, sizeof memory, &err));
	REFUSED(brise_new_engine(NULL, o->model, NULL, &err));
	REFUSED(brise_new_engine(&engine, NULL, NULL, &err));
	REFUSED(brise_new_sequence(NULL, o->model, NULL, &err));
	REFUSED(brise_new_sequence(&sequence, NULL, NULL, &err));
	REFUSED(brise_rewind_sequence(NULL, 0, &err));
	REFUSED(brise_open_tokenizer(NULL, bytes, 64, "x", &err));
	REFUSED(brise_open_tokenizer(&tokenizer, NULL, 64, "x", &err));
	REFUSED(brise_open_tokenizer(&tokenizer, bytes, 64, NULL, &err));
	REFUSED(brise_encode_text(NULL, "x", 1, false, &ids, &n, &err));
	REFUSED(brise_new_decoder(NULL, NULL, &err));
	REFUSED(brise_new_decoder(&decoder, NULL, &err));
	REFUSED(brise_decode_token(NULL, 0, &text, &n, &err));
	REFUSED(brise_finish_decoder(NULL, &text, &n, &err));
	REFUSED(brise_get_piece(NULL, 0, &text, &n, &err));
	REFUSED(brise_find_token(NULL, "x", 1, &id, &err));
}

static void test_null_in_evaluation(check_counts *counts, const objects *o)
{
	const int32_t token = 1;
	const brise_row nobody = { NULL, 1, false };
	const float *logits;

	REFUSED(brise_eval_rows(NULL, &nobody, 1, NULL, NULL, NULL, &err));
	REFUSED(brise_eval_rows(o->engine, NULL, 1, NULL, NULL, NULL, &err));
	REFUSED(brise_eval_rows(o->engine, &nobody, 1, NULL, NULL, NULL, &err));
	REFUSED(brise_eval_tokens(NULL, o->sequence, &token, 1, &logits, NULL, NULL, &err));
	REFUSED(brise_eval_tokens(o->engine, NULL, &token, 1, &logits, NULL, NULL, &err));
	REFUSED(brise_eval_tokens(o->engine, o->sequence, NULL, 1, &logits, NULL, NULL, &err));
	REFUSED(brise_eval_all(NULL, o->sequence, &token, 1, NULL, NULL, NULL, &err));
	REFUSED(brise_eval_all(o->engine, NULL, &token, 1, NULL, NULL, NULL, &err));
	REFUSED(brise_eval_all(o->engine, o->sequence, NULL, 1, NULL, NULL, NULL, &err));
	REFUSED(brise_eval_all(o->engine, o->sequence, &token, 1, NULL, NULL, NULL, &err));
	CHECK(counts, brise_get_sequence_facts(o->sequence)->position == 0, "evaluated");
}

static void test_null_in_sampling(check_counts *counts, const objects *o)
{
	float logits[64] = { 0 };
	int32_t token;

	REFUSED(brise_new_sampler(NULL, 64, NULL, &err));
	REFUSED(brise_accept_token(NULL, 1, &err));
	REFUSED(brise_set_mask(NULL, NULL, &err));
	REFUSED(brise_sample_token(NULL, logits, &token, &err));
	REFUSED(brise_sample_token(o->sampler, NULL, &token, &err));
	REFUSED(brise_sample_token(o->sampler, logits, NULL, &err));
}

/* Functions without a status: nothing happens, and what they give is nothing. */
static void test_null_without_status(check_counts *counts)
{
	brise_tokenizer_facts facts = { 1, 1, 1, 1 };

	brise_close_model(NULL);
	brise_close_tokenizer(NULL);
	brise_free_engine(NULL);
	brise_free_sequence(NULL);
	brise_free_decoder(NULL);
	brise_free_sampler(NULL);
	brise_free(NULL);
	brise_init_engine_options(NULL, 8);
	brise_init_sequence_options(NULL, 8);
	brise_init_sampling(NULL, 8);
	brise_get_tokenizer_facts(NULL, &facts, sizeof facts);
	brise_get_tokenizer_facts(NULL, NULL, sizeof facts);
	CHECK(counts, facts.vocab == 0, "facts of no tokenizer");
	CHECK(counts, !brise_get_model_facts(NULL), "facts of no model");
	CHECK(counts, !brise_get_engine_facts(NULL), "facts of no engine");
	CHECK(counts, !brise_get_sequence_facts(NULL), "facts of no sequence");
	CHECK(counts, !brise_get_tokenizer(NULL), "tokenizer of no model");
	CHECK(counts, brise_get_tensor_count(NULL) == 0, "tensors of no model");
	CHECK(counts, brise_get_arch(0, NULL) != NULL, "sets");
	CHECK(counts, !strcmp(brise_version(), BRISE_VERSION), "version %s", brise_version());
	CHECK(counts, brise_new_engine(NULL, NULL, NULL, NULL) == BRISE_EINVAL, "no error wanted");
}

/* A program built with a shorter header: its facts and options are filled as far as they reach. */
static void test_shorter_structures(check_counts *counts, const objects *o)
{
	brise_tensor_facts facts;
	brise_sampling sampling;

	memset(&facts, 0x55, sizeof facts);
	CHECK(counts,
	      brise_get_tensor_facts(o->model, 0, &facts, sizeof facts.name, NULL) == BRISE_OK &&
	              facts.name[0] != 0 && facts.rows == 0x55555555,
	      "facts past the caller's end");
	memset(&sampling, 0x55, sizeof sampling);
	brise_init_sampling(&sampling, offsetof(brise_sampling, top_k));
	CHECK(counts, sampling.size == offsetof(brise_sampling, top_k), "size");
	CHECK(counts, sampling.temperature > 0.69f && sampling.top_k == 0x55555555,
	      "options past the caller's end");
}

/* A message can be shown as it is, whatever the name in it is: would catch control characters,
 * bytes that are no UTF-8, and characters that the message's end cuts. */
static void test_messages_are_printable(check_counts *counts)
{
	static const char *const names[][2] = {
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x83",
		  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x83" },
		{ "a\nb\x1b[2J\x7f", "a?b?[2J?" },
		{ "a\xc2\x85\xc2\x9b\xc2\xa0", "a????\xc2\xa0" },
		{ "caf\xe9 \xff\xc0\x80", "caf? ???" },
		{ "\xe2\x82", "??" },
	};
	char longest[600];
	brise_error err;
	unsigned i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		(void)error_set(&err, BRISE_EFORMAT, "%s", names[i][0]);
		CHECK(counts, !strcmp(err.message, names[i][1]), "%u: %s", i, err.message);
	}
	for (i = 0; i < 4; i++) {
		size_t at = sizeof err.message - 1 - i;

		memset(longest, 'x', at);
		strcpy(longest + at, "\xf0\x9f\x8d\x83");
		(void)error_set(&err, BRISE_EFORMAT, "%s", longest);
		CHECK(counts,
		      strlen(err.message) == sizeof err.message - 1 &&
		              strspn(err.message + at, "?") == i,
		      "cut behind %u bytes: %s", i, err.message + at);
	}
}

int main(void)
{
	check_counts counts = { 0, 0, 0 };
	objects o = { NULL, NULL, NULL, NULL };
	char folder[512], path[600];
	brise_error err = { BRISE_OK, "" };

	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	small_write(&small_open, TYPE_Q4, path);
	CHECK(&counts,
	      brise_open_model(&o.model, path, NULL, &err) == BRISE_OK &&
	              brise_new_engine(&o.engine, o.model, NULL, &err) == BRISE_OK &&
	              brise_new_sequence(&o.sequence, o.model, NULL, &err) == BRISE_OK &&
	              brise_new_sampler(&o.sampler, 64, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	(void)unlink(path);
	(void)rmdir(folder);
	test_null_results_and_objects(&counts, &o);
	test_null_in_evaluation(&counts, &o);
	test_null_in_sampling(&counts, &o);
	test_null_without_status(&counts);
	test_shorter_structures(&counts, &o);
	test_messages_are_printable(&counts);
	brise_free_sampler(o.sampler);
	brise_free_sequence(o.sequence);
	brise_free_engine(o.engine);
	brise_close_model(o.model);
	return check_report("interface", &counts);
}
