/* test_types.c - which type each matrix gets: patterns, and a budget of bytes for the matrices
 * whose errors cost most */
#include "convert/types.h"

#include <string.h>

#include "runtime/model/model.h"
#include "test/check.h"
#include "test/tested_types.h"

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

/* Without an output matrix the embedding is it: a rule that names one, and what it loses. */
static void test_a_tied_embedding_is_the_output(check_counts *counts)
{
	static const char *const spec[] = { "output=f16" };
	const format_config plain = { .n_layers = LAYERS },
	                    tied = { .n_layers = LAYERS, .flags = FORMAT_TIED };
	format_tensor tensors[TENSORS];
	double both = types_guess_loss(&plain, TENSOR_EMBEDDING, 0.01) +
	              types_guess_loss(&plain, TENSOR_OUTPUT, 0.01),
	       one = types_guess_loss(&tied, TENSOR_EMBEDDING, 0.01);
	brise_error err;

	make_tensors(tensors);
	CHECK(counts, types_apply(tensors, TENSORS - 1, spec, 1, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts,
	      type_of(tensors, TENSOR_EMBEDDING, 0) == TYPE_F16 && count(tensors, TYPE_F16) == 1,
	      "%u matrices changed", count(tensors, TYPE_F16));
	CHECK(counts, one > both * 0.999 && one < both * 1.001, "%g, expected %g", one, both);
	CHECK(counts,
	      types_guess_loss(&tied, TENSOR_W2, 0.01) == types_guess_loss(&plain, TENSOR_W2, 0.01),
	      "%g", types_guess_loss(&tied, TENSOR_W2, 0.01));
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

/* Every matrix loses as much as its kind's number, twice as much in layer 1, and q4 a quarter of
 * q3. */
static void make_losses(const format_tensor *tensors, types_loss *losses)
{
	uint32_t i;

	for (i = 0; i < TENSORS; i++) {
		losses[i].open = tensors[i].type != TYPE_F32;
		losses[i].q3 = 0.001 * tensors[i].kind * (tensors[i].layer == 1 ? 2 : 1);
		losses[i].q4 = losses[i].q3 / 4;
	}
}

static uint64_t count_bytes(format_tensor *tensors)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < TENSORS; i++) {
		(void)type_tensor_bytes(tensors[i].type, tensors[i].rows, tensors[i].cols,
		                        &tensors[i].bytes);
		bytes += (tensors[i].bytes + FORMAT_PAGE - 1) / FORMAT_PAGE * FORMAT_PAGE;
	}
	return bytes;
}

static double sum_losses(const format_tensor *tensors, const types_loss *losses)
{
	double sum = 0;
	uint32_t i;

	for (i = 0; i < TENSORS; i++)
		sum += tensors[i].type == TYPE_Q3   ? losses[i].q3
		       : tensors[i].type == TYPE_Q4 ? losses[i].q4
		                                    : 0;
	return sum;
}

static void test_bytes_go_where_they_help_and_stay_within_their_room(check_counts *counts)
{
	const unsigned matrices = 7 * LAYERS + 2;
	format_tensor tensors[TENSORS];
	types_loss losses[TENSORS];
	double before = 1e9;
	uint64_t least, room;
	brise_error err;

	make_tensors(tensors);
	make_losses(tensors, losses);
	CHECK(counts,
	      types_spend(tensors, TENSORS, losses, 0, &err) == BRISE_OK &&
	              count(tensors, TYPE_Q3) == matrices,
	      "without room all are q3");
	least = count_bytes(tensors);
	for (room = 1024; room < 8 * least; room = room * 5 / 4) {
		CHECK(counts, types_spend(tensors, TENSORS, losses, room, &err) == BRISE_OK, "%s",
		      err.message);
		CHECK(counts, count_bytes(tensors) <= least + room, "%.0f bytes of %.0f are used",
		      (double)(count_bytes(tensors) - least), (double)room);
		CHECK(counts, sum_losses(tensors, losses) <= before * 1.02,
		      "more room does not lose more");
		CHECK(counts,
		      type_of(tensors, TENSOR_W2, 0) == TYPE_Q3 ||
		              type_of(tensors, TENSOR_W2, 1) != TYPE_Q3,
		      "the layer that loses more comes first");
		before = sum_losses(tensors, losses);
	}
	CHECK(counts, count(tensors, TYPE_Q8) == matrices, "room for all makes all q8");
}

/* Two small matrices that are worth more per byte must not keep out a large one that is worth more
 * than both. */
static void test_a_large_matrix_is_not_kept_out_by_small_ones(check_counts *counts)
{
	format_tensor tensors[TENSORS];
	types_loss losses[TENSORS] = { { false, 0, 0 } };
	uint64_t q3 = 0, q4 = 0;
	uint32_t i;

	make_tensors(tensors);
	for (i = 0; i < TENSORS; i++) {
		losses[i].open = tensors[i].type != TYPE_F32;
		if (tensors[i].kind == TENSOR_OUTPUT) {
			losses[i].q3 = 1;
			(void)type_tensor_bytes(TYPE_Q3, tensors[i].rows, tensors[i].cols, &q3);
			(void)type_tensor_bytes(TYPE_Q4, tensors[i].rows, tensors[i].cols, &q4);
		} else if (tensors[i].kind == TENSOR_WK) {
			losses[i].q3 = 0.3;
		}
	}
	CHECK(counts,
	      types_spend(tensors, TENSORS, losses, q4 - q3 + 2 * FORMAT_PAGE, NULL) == BRISE_OK &&
	              type_of(tensors, TENSOR_OUTPUT, 0) == TYPE_Q4,
	      "output is %s", type_name(type_of(tensors, TENSOR_OUTPUT, 0)));
}

static void test_types_that_rules_gave_stay(check_counts *counts)
{
	format_tensor tensors[TENSORS];
	types_loss losses[TENSORS];
	uint32_t i;

	make_tensors(tensors);
	make_losses(tensors, losses);
	for (i = 0; i < TENSORS; i++)
		losses[i].open = losses[i].open && tensors[i].kind != TENSOR_W2;
	CHECK(counts,
	      types_spend(tensors, TENSORS, losses, UINT64_MAX, NULL) == BRISE_OK &&
	              type_of(tensors, TENSOR_W2, 1) == TYPE_Q4 &&
	              count(tensors, TYPE_Q4) == LAYERS,
	      "only open ones change");
}

/* Scripts and other machines take their types from the list of digests. */
static void test_every_codebook_has_a_digest(check_counts *counts)
{
	FILE *f = fopen("test/digest.sha256", "r");
	char text[1000] = "", name[40];
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	uint32_t type = 0;

	CHECK(counts, f && n > 0 && fclose(f) == 0, "test/digest.sha256 cannot be read");
	while ((type = next_book_type(type)) != 0) {
		(void)snprintf(name, sizeof name, " breeze %s: ", type_name(type));
		CHECK(counts, strstr(text, name), "none of%s", name);
	}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_patterns_name_whole_names_and_last_parts(&counts));
	RUN(test_a_tied_embedding_is_the_output(&counts));
	RUN(test_patterns_that_mean_nothing_are_refused(&counts));
	RUN(test_bytes_go_where_they_help_and_stay_within_their_room(&counts));
	RUN(test_a_large_matrix_is_not_kept_out_by_small_ones(&counts));
	RUN(test_types_that_rules_gave_stay(&counts));
	RUN(test_every_codebook_has_a_digest(&counts));
	return check_report("types", &counts);
}
