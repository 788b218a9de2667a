/* inputs.c - see inputs.h */
#include "runtime/serve/inputs.h"

#include <string.h>

static bool read_ids(fields *f, input *one)
{
	void *list = NULL;
	int64_t id = 0;
	int32_t *slot;

	/* The array has been entered, and its first element is ahead. */
	do {
		if (!fields_read_integer(f, 0, INT32_MAX, &id) ||
		    !(slot = pool_append(f->pool, &list, one->n_ids, sizeof *slot)))
			return false;
		*slot = (int32_t)id;
		one->n_ids++;
	} while (fields_next_element(f));
	one->ids = list;
	return f->why->status == 0;
}

static bool refuse_empty(fields *f)
{
	return fields_refuse(f, "empty_array",
	                     "Invalid '%s': empty array. Expected an array with minimum length 1, "
	                     "but got an empty array instead.",
	                     f->path);
}

/* A text or a list of ids, one of several. */
static bool read_one(fields *f, input *one)
{
	if (fields_peek(f) == JSON_STRING)
		return fields_read_string(f, &one->text, &one->bytes);
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "a string or an array of token ids");
	if (!fields_enter_array(f))
		return false;
	if (!fields_next_element(f))
		return f->why->status == 0 ? refuse_empty(f) : false;
	return read_ids(f, one);
}

static input *append(inputs *in, fields *f)
{
	input *one;

	if (in->n == INPUTS_MOST) {
		fields_refuse(f, "array_above_max_length",
		              "Invalid '%s': array too long. Expected an array with maximum length "
		              "%d.",
		              f->path, INPUTS_MOST);
		return NULL;
	}
	one = pool_append(f->pool, &in->list, in->n, sizeof *one);
	if (one) {
		*one = (input){ .text = NULL };
		in->n++;
	}
	return one;
}

bool inputs_read(inputs *in, fields *f)
{
	input *one;

	*in = (inputs){ .n = 0 };
	if (fields_peek(f) == JSON_STRING)
		return (one = append(in, f)) && read_one(f, one);
	if (fields_peek(f) != JSON_ARRAY)
		return fields_refuse_type(f, "one of a string or array");
	if (!fields_enter_array(f))
		return false;
	if (!fields_next_element(f))
		return f->why->status == 0 ? refuse_empty(f) : false;
	if (fields_peek(f) == JSON_NUMBER)
		return (one = append(in, f)) && read_ids(f, one);
	do {
		if (!(one = append(in, f)) || !read_one(f, one))
			return false;
	} while (fields_next_element(f));
	return f->why->status == 0;
}

void inputs_make_request(const inputs *in, size_t i, const request *shared, request *r)
{
	const input *one = (const input *)in->list + i;

	*r = *shared;
	r->pool = (pool){ .blocks = NULL };
	r->text = one->text;
	r->text_bytes = one->bytes;
	r->ids = one->ids;
	r->n_ids = one->n_ids;
}

bool inputs_encode(inputs *in, pool *p, const request *shared, const service *s, refusal *why)
{
	size_t i;

	for (i = 0; i < in->n && why->status == 0; i++) {
		input *one = (input *)in->list + i;
		int32_t *ids = NULL;
		request r;

		inputs_make_request(in, i, shared, &r);
		if (!r.ids && request_encode(&r, s, why) &&
		    !(ids = pool_take(p, r.n_ids, sizeof *ids)))
			(void)refusal_set(why, 500, NULL, NULL, "out of memory");
		if (ids) {
			memcpy(ids, r.ids, r.n_ids * sizeof *ids);
			one->ids = ids;
			one->n_ids = r.n_ids;
		}
		pool_clear(&r.pool);
	}
	return why->status == 0;
}
