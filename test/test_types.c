/* test_types.c - which type each matrix gets: patterns, and a budget of bits for the matrices that
 * need them most */
#include "convert/types.h"

#include <string.h>

#include "runtime/model/model.h"
#include "test/check.h"

#define LAYERS  3u
#define TENSORS (LAYERS * 9 + 3)

static const format_config config = { .dim = 256,
	                              .n_layers = LAYERS,
	                              .n_heads = 2,
	                              .n_kv_heads = 1,
	                              .head_dim = 128,
	                              .hidden_dim = 512,
	                              .vocab = 1024 };

static void add(format_tensor *tensors, uint32_t *n, uint32_t kind, uint32_t layer)
{
	format_tensor *t = &tensors[(*n)++];

	*t = (format_tensor){ .kind = kind, .layer = layer };
	model_tensor_shape(&config, kind, &t->rows, &t->cols);
	t->type = t->rows == 1 ? TYPE_F32 : TYPE_Q4;
	(void)type_tensor_bytes(t->type, t->rows, t->cols, &t->bytes);
}

static uint64_t make_tensors(format_tensor tensors[TENSORS])
{
	uint32_t n = 0, layer, kind, i;
	uint64_t bytes = 0;

	add(tensors, &n, TENSOR_EMBEDDING, 0);
	for (layer = 0; layer < LAYERS; layer++)
		for (kind = TENSOR_ATTENTION_NORM; kind <= TENSOR_W2; kind++)
			add(tensors, &n, kind, layer);
	add(tensors, &n, TENSOR_FINAL_NORM, 0);
	add(tensors, &n, TENSOR_OUTPUT, 0);
	for (i = 0; i < n; i++)
		bytes += (tensors[i].bytes + FORMAT_PAGE - 1) / FORMAT_PAGE * FORMAT_PAGE;
	return bytes;
}

static uint32_t type_of(const format_tensor *tensors, uint32_t kind, uint32_t layer)
{
	uint32_t i;

	for (i = 0; i < TENSORS; i++)
		if (tensors[i].kind == kind && tensors[i].layer == layer)
			return tensors[i].type;
	return 0;
}

static unsigned count(const format_tensor *tensors, uint32_t type)
{
	unsigned n = 0;
	uint32_t i;

	for (i = 0; i < TENSORS; i++)
		n += tensors[i].type == type;
	return n;
}

static void test_patterns_name_whole_names_and_last_parts(check_counts *counts)
{
	static const char *const specs[] = { "w*=q8", "layers.1.*=f16", "wo=q4", "output=f16" };
	format_tensor tensors[TENSORS];
	brise_error err;

	make_tensors(tensors);
	CHECK(counts, types_apply(tensors, TENSORS, specs, 4, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts,
	      type_of(tensors, TENSOR_WQ, 0) == TYPE_Q8 &&
	              type_of(tensors, TENSOR_W2, 2) == TYPE_Q8,
	      "last parts match");
	CHECK(counts, type_of(tensors, TENSOR_WQ, 1) == TYPE_F16,
	      "of several patterns that match the last counts");
	CHECK(counts,
	      type_of(tensors, TENSOR_WO, 0) == TYPE_Q4 &&
	              type_of(tensors, TENSOR_WO, 1) == TYPE_Q4,
	      "a pattern of a last part has every layer's");
	CHECK(counts,
	      type_of(tensors, TENSOR_ATTENTION_NORM, 1) == TYPE_F32 &&
	              count(tensors, TYPE_F32) == 2 * LAYERS + 1,
	      "vectors stay as they are");
	CHECK(counts,
	      type_of(tensors, TENSOR_OUTPUT, 0) == TYPE_F16 &&
	              type_of(tensors, TENSOR_EMBEDDING, 0) == TYPE_Q4,
	      "names outside layers match whole");
}

static void test_patterns_that_mean_nothing_are_refused(check_counts *counts)
{
	static const char *const wrong[] = {
		"wq",    "wq=", "=q8", "wq=q5", "wz=q8", "attention_norm=q8", "layers.7.wq=q8",
		"wq=f32"
	};
	unsigned i;

	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		format_tensor tensors[TENSORS];
		brise_error err;

		make_tensors(tensors);
		CHECK(counts,
		      types_apply(tensors, TENSORS, &wrong[i], 1, &err) == BRISE_EINVAL &&
		              strstr(err.message, wrong[i]),
		      "%s is refused by name", wrong[i]);
	}
}

/* Layer 1 errs twice as much as the others. */
static brise_status measure(void *user, const format_tensor *t, double *relative_error,
                            brise_error *err)
{
	(void)err;
	++*(unsigned *)user;
	*relative_error = t->layer == 1 ? 0.010 : 0.005;
	return BRISE_OK;
}

static brise_status fail_to_measure(void *user, const format_tensor *t, double *relative_error,
                                    brise_error *err)
{
	(void)user, (void)t, (void)relative_error, (void)err;
	return BRISE_EIO;
}

static void test_bits_go_where_they_help_and_stay_within_their_room(check_counts *counts)
{
	static const double bits[] = { 4, 4.5, 5, 5.5, 6, 7, 8.2, 9 };
	unsigned i, before = 0;

	for (i = 0; i < sizeof bits / sizeof *bits; i++) {
		format_tensor tensors[TENSORS];
		uint64_t bytes = make_tensors(tensors), after = 0;
		unsigned measured = 0, n_q8;
		double weights = 0;
		brise_error err;
		uint32_t k;

		CHECK(counts,
		      types_spend(tensors, TENSORS, LAYERS, bytes, bits[i], measure, &measured,
		                  &err) == BRISE_OK,
		      "%s", err.message);
		CHECK(counts, measured == 7 * LAYERS + 2, "every matrix is measured once");
		for (k = 0; k < TENSORS; k++) {
			(void)type_tensor_bytes(tensors[k].type, tensors[k].rows, tensors[k].cols,
			                        &tensors[k].bytes);
			after += (tensors[k].bytes + FORMAT_PAGE - 1) / FORMAT_PAGE * FORMAT_PAGE;
			weights += tensors[k].type != TYPE_F32
			                   ? (double)tensors[k].rows * tensors[k].cols
			                   : 0;
		}
		n_q8 = count(tensors, TYPE_Q8);
		CHECK(counts, after == bytes || (double)after * 8 <= bits[i] * weights,
		      "%g bits: %g are used", bits[i], (double)after * 8 / weights);
		CHECK(counts, n_q8 >= before, "more room never makes fewer of them q8");
		CHECK(counts,
		      type_of(tensors, TENSOR_W2, 0) != TYPE_Q8 ||
		              type_of(tensors, TENSOR_W2, 1) == TYPE_Q8,
		      "%g bits: the layer that errs more comes first", bits[i]);
		CHECK(counts, bits[i] > 4 || n_q8 == 0, "no room, no change");
		CHECK(counts, bits[i] < 9 || n_q8 == 7 * LAYERS + 2, "room for all makes all q8");
		before = n_q8;
	}
}

static void test_a_failed_measurement_is_passed_on(check_counts *counts)
{
	format_tensor tensors[TENSORS];
	uint64_t bytes = make_tensors(tensors);

	CHECK(counts,
	      types_spend(tensors, TENSORS, LAYERS, bytes, 6, fail_to_measure, NULL, NULL) ==
	                      BRISE_EIO &&
	              count(tensors, TYPE_Q8) == 0,
	      "nothing changes then");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_patterns_name_whole_names_and_last_parts(&counts));
	RUN(test_patterns_that_mean_nothing_are_refused(&counts));
	RUN(test_bits_go_where_they_help_and_stay_within_their_room(&counts));
	RUN(test_a_failed_measurement_is_passed_on(&counts));
	return check_report("types", &counts);
}
