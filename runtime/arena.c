/* arena.c - the memory that a program on a board needs, before it opens anything
 *
 * Each room counts what its objects take, beside the code that makes them; here it is added up.
 */
#include <inttypes.h>

#include "runtime/error.h"
#include "runtime/eval/engine.h"
#include "runtime/eval/sequence.h"
#include "runtime/model/model.h"
#include "runtime/os/memory.h"
#include "runtime/sample/sampler.h"
#include "runtime/sized.h"
#include "runtime/text/added.h"

#define SEQUENCES_MAX (1u << 16)

void brise_init_arena_options(brise_arena_options *options, size_t size)
{
	brise_arena_options defaults = { .size = sizeof defaults };

	sized_write(options, size, &defaults, sizeof defaults);
}

static brise_status check_options(const brise_arena_options *o, brise_error *err)
{
	if (o->sequences > SEQUENCES_MAX)
		return error_set(err, BRISE_EINVAL,
		                 "arena options: %" PRIu32 " sequences, expected at most %u",
		                 o->sequences, SEQUENCES_MAX);
	if (o->prompt_bytes > ENCODER_MOST)
		return error_set(err, BRISE_EINVAL,
		                 "arena options: texts of %zu bytes, expected at most %zu",
		                 o->prompt_bytes, ENCODER_MOST);
	return BRISE_OK;
}

/* What one text takes: its sequence, its sampler, its decoder. */
static brise_status count_text(const brise_model *m, const brise_tokenizer *t,
                               const brise_arena_options *o, uint64_t *needed, brise_error *err)
{
	brise_status status = sequence_count(m, o->sequence, needed, err);

	if (status == BRISE_OK)
		status = sampler_count(m->config.vocab, o->sampling, needed, err);
	if (status == BRISE_OK && t->vocab > 0)
		tokenizer_count_decoder(t, needed);
	return status;
}

brise_status brise_get_arena_bytes(const void *data, size_t size,
                                   const brise_arena_options *options, uint64_t *bytes,
                                   brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(data), ERROR_ARGUMENT(bytes) };
	brise_arena_options o = { .size = sizeof o };
	struct tokenizer_added added = { .nested = 0 };
	brise_tokenizer t;
	brise_model m;
	uint64_t sum = MEMORY_UNIT, text = 0; /* the range may begin between two units */
	brise_status status = error_check_pointers(err, "brise_get_arena_bytes", needed, 2);

	if (status != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "arena options", err)) != BRISE_OK ||
	    (status = check_options(&o, err)) != BRISE_OK)
		return status;
	if ((uintptr_t)data % 64 != 0)
		return error_set(err, BRISE_EINVAL, "the model is not aligned to 64 bytes");
	if ((status = model_count(&m, &t, &added, data, size, &sum, err)) != BRISE_OK ||
	    (status = engine_count(&m, o.engine, &sum, err)) != BRISE_OK ||
	    (status = count_text(&m, &t, &o, &text, err)) != BRISE_OK)
		return status;
	if (o.prompt_bytes > 0 && t.vocab > 0)
		tokenizer_count_encoder(&t, o.prompt_bytes, &sum);
	*bytes = sum + (o.sequences > 0 ? o.sequences : 1) * text;
	return BRISE_OK;
}
