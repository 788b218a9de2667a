/* unlimited.c - memory without limits, where there are no files: what limit.c and stream.c are with
 *
 * Weights are in the caller's memory, so there is nothing to keep beside them, and a plan never
 * streams (residency.h): the functions of a stream are for the linker alone.
 */
#include "runtime/error.h"
#include "runtime/model/limit.h"
#include "runtime/model/stream.h"
#include "runtime/sized.h"

static brise_status refuse(const char *function, brise_error *err)
{
	return error_set(err, BRISE_EINVAL, "%s: weights in the caller's memory cannot be limited",
	                 function);
}

brise_status brise_plan_memory(const brise_model *model, uint64_t bytes, brise_memory_facts *facts,
                               size_t size, brise_error *err)
{
	(void)model, (void)bytes, (void)facts, (void)size;
	return refuse("brise_plan_memory", err);
}

brise_status brise_limit_memory(brise_model *model, uint64_t bytes, brise_progress_fn *progress,
                                brise_cancel_fn *cancel, void *user, brise_error *err)
{
	(void)model, (void)bytes, (void)progress, (void)cancel, (void)user;
	return refuse("brise_limit_memory", err);
}

brise_status brise_get_memory_facts(const brise_model *model, brise_memory_facts *facts,
                                    size_t size, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(model), ERROR_ARGUMENT(facts) };
	const brise_memory_facts all = { 0 };
	brise_status status = error_check_pointers(err, "brise_get_memory_facts", needed, 2);

	if (status == BRISE_OK)
		sized_fill(facts, size, &all, sizeof all);
	return status;
}

uint64_t limit_vector_at(const brise_model *model, uint32_t kind, uint32_t layer)
{
	(void)model, (void)kind, (void)layer;
	return 0;
}

void limit_free(brise_model *model)
{
	(void)model;
}

brise_status stream_new(stream **out, const brise_model *model, brise_error *err)
{
	(void)model;
	*out = NULL;
	return refuse("stream", err);
}

void stream_free(stream *s)
{
	(void)s;
}

void stream_begin_pass(stream *s, bool output)
{
	(void)s, (void)output;
}

brise_status stream_acquire(stream *s, uint32_t unit, uint32_t matrix, size_t first,
                            stream_piece *piece, brise_error *err)
{
	(void)s, (void)unit, (void)matrix, (void)first, (void)piece;
	return refuse("stream", err);
}

void stream_release(stream *s)
{
	(void)s;
}

uint64_t stream_bytes_read(stream *s)
{
	(void)s;
	return 0;
}
