/* test_budget.c - how much memory weights get, and how many tokens a pass, from sizes alone */
#include <string.h>

#include "runtime/cli/balance.h"
#include "runtime/cli/budget.h"
#include "runtime/model/model.h"
#include "test/check.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define MAPPED UINT64_MAX
#define OWN    ((uint64_t)1 << 20) /* cache and activations */

static void test_sizes_are_read_as_people_write_them(check_counts *counts)
{
	static const struct {
		const char *text;
		budget_kind kind;
		uint64_t bytes;
	} right[] = {
		{ NULL, BUDGET_AUTO, 0 },
		{ "auto", BUDGET_AUTO, 0 },
		{ "all", BUDGET_ALL, 0 },
		{ "min", BUDGET_MIN, 0 },
		{ "123456789", BUDGET_BYTES, 123456789 },
		{ "3G", BUDGET_BYTES, 3000000000 },
		{ "1.5gb", BUDGET_BYTES, 1500000000 },
		{ "512MiB", BUDGET_BYTES, 536870912 },
		{ "1Ti", BUDGET_BYTES, (uint64_t)1 << 40 },
		{ "9999999999T", BUDGET_BYTES, 1000000000000000000 },
	};
	static const char *const wrong[] = { "",    "G",   "-1G", "0",    "3X",    "3 G",
		                             "0x3", "1e9", "3GG", "Auto", "1.2.3G" };
	budget b;
	unsigned i;

	for (i = 0; i < sizeof right / sizeof *right; i++)
		CHECK(counts,
		      budget_read(right[i].text, &b) && b.kind == right[i].kind &&
		              b.bytes == right[i].bytes,
		      "%s: %zu", right[i].text ? right[i].text : "nothing", (size_t)b.bytes);
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(counts, !budget_read(wrong[i], &b), "%s is a size", wrong[i]);
}

static uint64_t weights_for(const brise_model *model, const char *text, uint64_t available)
{
	budget b;

	(void)budget_read(text, &b);
	return budget_for_weights(&b, model, OWN, available);
}

static uint64_t weights_of(const brise_model *model, uint64_t bytes)
{
	budget b = { .kind = BUDGET_BYTES, .bytes = bytes };

	return budget_for_weights(&b, model, OWN, 0);
}

static void test_what_the_mapped_file_fits_in_is_no_limit(check_counts *counts,
                                                          const brise_model *model)
{
	const uint64_t file = model->facts.file_bytes;

	CHECK(counts, weights_for(model, "all", 1) == MAPPED, "all");
	CHECK(counts, weights_of(model, file + OWN) == MAPPED, "as much as the mapping takes");
	CHECK(counts, weights_of(model, file + OWN - 1) < file, "a byte less");
	CHECK(counts, weights_of(model, UINT64_MAX) == MAPPED, "more than there is");
	CHECK(counts, weights_of(model, OWN) == 0 && weights_of(model, 1) == 0,
	      "no more than cache and activations");
	CHECK(counts, weights_for(model, "min", 0) == model->residency.least, "min");
}

/* A tenth is left to the system, at least 128 MiB and at most 1 GiB. */
static void test_auto_maps_what_fits(check_counts *counts, const brise_model *model)
{
	const uint64_t file = model->facts.file_bytes, left = (uint64_t)128 << 20;

	CHECK(counts, weights_for(model, "auto", 0) == MAPPED, "nothing is known");
	CHECK(counts, weights_for(model, "auto", left + file + OWN) == MAPPED, "it just fits");
	CHECK(counts, weights_for(model, "auto", left + file + OWN - 1) < file, "just not");
	CHECK(counts, weights_for(model, "auto", 1) == model->residency.least,
	      "nothing to spare: the least is tried");
	CHECK(counts, weights_for(model, "auto", (uint64_t)64 << 30) == MAPPED, "64 GiB");
}

static void test_models_of_one_process_share(check_counts *counts, const brise_model *model)
{
	const uint64_t file = model->facts.file_bytes;
	budget b = { .kind = BUDGET_BYTES, .bytes = 4 * (file + OWN), .share = 0.25 };

	CHECK(counts, budget_for_weights(&b, model, OWN, 0) == MAPPED, "a quarter is enough");
	b.share = 0.2;
	CHECK(counts, budget_for_weights(&b, model, OWN, 0) < file, "a fifth is not");
	b.kind = BUDGET_AUTO;
	CHECK(counts, budget_for_weights(&b, model, OWN, file) < file, "nor of what there is");
}

static uint32_t choose_beside(uint64_t least, size_t tokens, double read_seconds,
                              uint64_t weight_bytes)
{
	const balance b = { .tokens = tokens,
		            .least_bytes = least,
		            .weight_bytes = weight_bytes,
		            .row_bytes = 300000,
		            .read_seconds = read_seconds,
		            .token_seconds = 0.02 };

	return balance_choose(&b, 256, 4096);
}

static uint32_t choose(size_t tokens, double read_seconds, uint64_t weight_bytes)
{
	return choose_beside(0, tokens, read_seconds, weight_bytes);
}

static void test_passes_are_as_long_as_reading_is_hidden(check_counts *counts)
{
	const uint64_t plenty = (uint64_t)100 << 30;

	CHECK(counts, choose(1000, 256 * 0.02, plenty) == 256, "the usual pass is enough");
	CHECK(counts, choose(200, 1000, plenty) == 256, "a prompt of one pass");
	CHECK(counts, choose(1000, 400 * 0.02 + 0.001, plenty) == 500, "two equal passes");
	CHECK(counts, choose(1000, 600 * 0.02, plenty) == 1000,
	      "one pass rather than one and a rest");
	CHECK(counts, choose(10000, 1e9, plenty) == 3334, "three of at most 4096");
	CHECK(counts, choose(4096, 1e9, plenty) == 4096, "the longest");
	CHECK(counts, choose(1000, 0, plenty) == 256, "an unknown disk");
}

/* An eighth of the memory, 300,000 bytes a token. */
static void test_longer_passes_leave_memory_to_weights(check_counts *counts)
{
	CHECK(counts, choose(1000, 1e9, 8 * 244 * (uint64_t)300000) == 500, "500 tokens fit");
	CHECK(counts, choose(1000, 1e9, 8 * 243 * (uint64_t)300000) == 334, "499 do");
	CHECK(counts, choose(1000, 1e9, 0) == 256, "no memory");
	CHECK(counts, choose_beside(300000000, 1000, 1e9, 300000000 + 78 * 300000) == 334,
	      "beside the least of a model");
	CHECK(counts, choose_beside(300000000, 1000, 1e9, 300000000) == 256, "the least itself");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	brise_model *model = NULL;
	char folder[256], path[300];
	uint32_t type = 0;

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	(void)snprintf(path, sizeof path, "%s/model.brise", folder);
	RUN(test_sizes_are_read_as_people_write_them(&counts));
	while ((type = next_book_type(type)) != 0) {
		small_write(&small_wide, type, path);
		if (brise_open_model(&model, path, NULL, NULL) != BRISE_OK)
			return 1;
		RUN(test_what_the_mapped_file_fits_in_is_no_limit(&counts, model));
		RUN(test_auto_maps_what_fits(&counts, model));
		RUN(test_models_of_one_process_share(&counts, model));
		brise_close_model(model);
	}
	RUN(test_passes_are_as_long_as_reading_is_hidden(&counts));
	RUN(test_longer_passes_leave_memory_to_weights(&counts));
	return check_report("budget", &counts);
}
