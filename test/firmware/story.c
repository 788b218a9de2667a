/* story.c - see story.h */
#include "test/firmware/story.h"

#include "test/firmware/sha256.h"

#define PROMPT       "A file"
#define TOKENS       20 /* drawn */
#define IDS          40 /* of test/same_digest.sh */
#define PROMPT_BYTES 64

#ifndef STORY_THREADS
#define STORY_THREADS 1
#endif

typedef struct story {
	const void *data;
	size_t size;
	story_print_fn *print;
	brise_error err;
	brise_model *model;
	brise_engine *engine;
	brise_sequence *sequence;
	brise_sampler *sampler;
	brise_encoder *encoder;
	brise_decoder *decoder;
	sha256 digest;
} story;

static const brise_engine_options engine_options = { .size = sizeof engine_options,
	                                             .rows = 32,
	                                             .threads = STORY_THREADS };
static const brise_sequence_options sequence_options = { .size = sizeof sequence_options,
	                                                 .slack = 32 };

static void print_text(const story *s, const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	s->print(text, n);
}

static void print_number(const story *s, uint64_t value)
{
	char digits[20];
	size_t n = sizeof digits;

	do
		digits[--n] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	s->print(digits + n, sizeof digits - n);
}

/* Every object, in memory that is exactly as large as told. */
static brise_status make(story *s, void *memory, size_t bytes)
{
	brise_sampling sampling;
	brise_arena_options arena = { .size = sizeof arena,
		                      .engine = &engine_options,
		                      .sequence = &sequence_options,
		                      .sampling = &sampling,
		                      .prompt_bytes = PROMPT_BYTES };
	uint64_t told;
	brise_status status;

	brise_init_sampling(&sampling, sizeof sampling);
	sampling.temperature = 0;
	status = brise_get_arena_bytes(s->data, s->size, &arena, &told, &s->err);
	if (status == BRISE_OK && told > bytes) {
		print_text(s, "too little memory for the model on this board\n");
		return BRISE_ENOMEM;
	}
	if (status != BRISE_OK ||
	    (status = brise_give_memory(memory, (size_t)told, &s->err)) != BRISE_OK ||
	    (status = brise_open_memory(&s->model, s->data, s->size, "image", NULL, &s->err)) !=
	            BRISE_OK ||
	    (status = brise_new_engine(&s->engine, s->model, &engine_options, &s->err)) !=
	            BRISE_OK ||
	    (status = brise_new_sequence(&s->sequence, s->model, &sequence_options, &s->err)) !=
	            BRISE_OK ||
	    (status = brise_new_sampler(&s->sampler, brise_get_model_facts(s->model)->vocab,
	                                &sampling, &s->err)) != BRISE_OK ||
	    (status = brise_new_encoder(&s->encoder, brise_get_tokenizer(s->model), PROMPT_BYTES,
	                                &s->err)) != BRISE_OK ||
	    (status = brise_new_decoder(&s->decoder, brise_get_tokenizer(s->model), &s->err)) !=
	            BRISE_OK)
		return status;
	print_text(s, "kernels ");
	print_text(s, brise_get_engine_facts(s->engine)->arch);
	print_text(s, "\nthreads ");
	print_number(s, brise_get_engine_facts(s->engine)->threads);
	print_text(s, "\nmemory ");
	print_number(s, told);
	print_text(s, " ");
	print_number(s, brise_get_memory_used());
	print_text(s, "\n");
	return BRISE_OK;
}

static bool add_logits(void *user, size_t index, const float *logits)
{
	story *s = user;

	(void)index;
	sha256_add(&s->digest, logits, brise_get_model_facts(s->model)->vocab * sizeof *logits);
	return false;
}

static brise_status print_digest(story *s)
{
	int32_t ids[IDS];
	uint32_t x = 7, i;
	char text[65];
	brise_status status;

	for (i = 0; i < IDS; i++) {
		x = (x * 1103 + 12345) % 65536;
		ids[i] = i ? (int32_t)(x % 4096) : 1;
	}
	s->digest = sha256_begin();
	status = brise_eval_all(s->engine, s->sequence, ids, IDS, add_logits, NULL, s, &s->err);
	if (status != BRISE_OK)
		return status;
	sha256_end(&s->digest, text);
	print_text(s, "digest ");
	print_text(s, text);
	print_text(s, "\n");
	return brise_rewind_sequence(s->sequence, 0, &s->err);
}

/* Evaluates ids [n] and draws what follows. */
static brise_status draw(story *s, const int32_t *ids, size_t n, int32_t *id)
{
	const float *logits;
	brise_status status =
	        brise_eval_tokens(s->engine, s->sequence, ids, n, &logits, NULL, NULL, &s->err);

	if (status == BRISE_OK)
		status = brise_sample_token(s->sampler, logits, id, &s->err);
	return status == BRISE_OK ? brise_accept_token(s->sampler, *id, &s->err) : status;
}

static brise_status print_story(story *s)
{
	const brise_model_facts *facts = brise_get_model_facts(s->model);
	const int32_t *ids;
	const char *text;
	size_t n, i, bytes;
	int32_t id = facts->bos;
	brise_status status =
	        brise_eval_tokens(s->engine, s->sequence, &id, 1, NULL, NULL, NULL, &s->err);

	if (status == BRISE_OK)
		status = brise_encode_next(s->encoder, PROMPT, sizeof PROMPT - 1, false, &ids, &n,
		                           &s->err);
	for (i = 0; status == BRISE_OK && i < n; i++)
		status = brise_decode_token(s->decoder, ids[i], &text, &bytes, &s->err);
	if (status == BRISE_OK)
		status = draw(s, ids, n, &id);
	print_text(s, "text ");
	for (i = 0; status == BRISE_OK && id != facts->eos && i < TOKENS; i++) {
		status = brise_decode_token(s->decoder, id, &text, &bytes, &s->err);
		if (status == BRISE_OK) {
			s->print(text, bytes);
			status = draw(s, &id, 1, &id);
		}
	}
	print_text(s, "\n");
	return status;
}

int story_run(const void *data, size_t size, void *memory, size_t bytes, story_print_fn *print)
{
	story s = { .data = data, .size = size, .print = print };
	brise_status status = make(&s, memory, bytes);
	size_t used = brise_get_memory_used();

	if (status == BRISE_OK && (status = print_digest(&s)) == BRISE_OK)
		status = print_story(&s);
	if (status == BRISE_OK && brise_get_memory_used() != used) {
		print_text(&s, "evaluation took memory\n");
		status = BRISE_ENOMEM;
	}
	if (status != BRISE_OK) {
		print_text(&s, s.err.message);
		print_text(&s, "\n");
	}
	brise_free_decoder(s.decoder);
	brise_free_encoder(s.encoder);
	brise_free_sampler(s.sampler);
	brise_free_sequence(s.sequence);
	brise_free_engine(s.engine);
	brise_close_model(s.model);
	return status != BRISE_OK;
}
