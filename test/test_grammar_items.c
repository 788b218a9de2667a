/* test_grammar_items.c - arrays whose elements are counted by contains, or told apart by
 * uniqueItems */
#include <time.h>

#include "test/grammar_maker.h"

#define LENGTH(list) (sizeof(list) / sizeof *(list))

static void test_contains(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"null\"]},\"contains\":{"
		  "\"type\":"
		  "\"null\"}}",
		  NULL, 0 },
		{ NULL, "[]", 'x' },
		{ NULL, "[1,null]", 'v' },
		{ NULL, "[null,1]", 'v' },
		{ NULL, "[1,2", 'b' },
		{ NULL, "[1,2]", 'x' },
		{ NULL, "[null,null]", 'v' },
		{ "{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"null\"]},\"contains\":{"
		  "\"type\":"
		  "\"null\"},\"minContains\":2,\"maxContains\":3,\"maxItems\":4}",
		  NULL, 0 },
		{ NULL, "[null,1,null]", 'v' },
		{ NULL, "[null,null,null]", 'v' },
		{ NULL, "[null,null,null,n", 'x' },
		{ NULL, "[null,null,null,1]", 'v' },
		{ NULL, "[1,2,3,", 'x' },
		{ NULL, "[1,2,3", 'x' },
		{ NULL, "[1,2,null", 'b' },
		{ "{\"type\":\"array\",\"contains\":{\"const\":1},\"minContains\":0}", NULL, 0 },
		{ NULL, "[]", 'v' },
		{ NULL, "[\"\"]", 'v' },
		{ "{\"contains\":{\"const\":1},\"minContains\":0,\"maxContains\":0}", NULL, 0 },
		{ NULL, "[2]", 'v' },
		{ NULL, "[1]", 'x' },
		{ NULL, "{\"contains\":1}", 'v' }, /* arrays alone */
		{ "{\"minContains\":2,\"type\":\"array\"}", NULL, 0 },
		{ NULL, "[]", 'v' },
		{ "{\"type\":\"array\",\"prefixItems\":[{\"const\":\"a\"}],\"items\":{\"type\":"
		  "\"integer\"},"
		  "\"contains\":{\"minimum\":5},\"minItems\":3}",
		  NULL, 0 },
		{ NULL, "[\"a\",1,2,7]", 'v' },
		{ NULL, "[\"a\",7]", 'x' },
		{ NULL, "[\"a\",1,2]", 'v' }, /* a minimum is of numbers alone */
	};

	maker_try_cases(counts, m, cases, LENGTH(cases));
}

static void test_unique_items(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"b\",1,1.0,[1],null]},"
		  "\"uniqueItems\":"
		  "true,\"minItems\":1}",
		  NULL, 0 },
		{ NULL, "[]", 'x' },
		{ NULL, "[\"b\",\"a\"]", 'v' },
		{ NULL, "[\"b\",\"a\",1,[1],null]", 'v' },
		{ NULL, "[\"b\",\"a\",1,[1],null,", 'x' },
		{ NULL, "[\"b\",\"b", 'x' },
		{ NULL, "[1,1", 'x' },
		{ "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"prefixItems\":[{"
		  "\"const\":true}],"
		  "\"uniqueItems\":true}",
		  NULL, 0 },
		{ NULL, "[true,false]", 'v' },
		{ NULL, "[true,t", 'x' },
		{ NULL, "[f", 'x' },
		{ "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"const\":\"x\"},{\"enum\":[\"y\","
		  "\"x\"]},{"
		  "\"type\":\"null\"}],\"not\":{\"const\":\"y\"}},\"uniqueItems\":true}",
		  NULL, 0 },
		{ NULL, "[null,\"x\"]", 'v' },
		{ NULL, "[\"x\",\"x", 'x' },
		{ NULL, "[\"y", 'x' },
		{ "{\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":1}", NULL, 0 },
		{ NULL, "[{}]", 'v' },
		{ "{\"uniqueItems\":false}", NULL, 0 },
		{ NULL, "[1,1]", 'v' },
	};

	maker_try_cases(counts, m, cases, LENGTH(cases));
}

static void test_what_cannot_be_counted_is_named(check_counts *counts, maker *m)
{
	static const char *const cases[][2] = {
		{ "{\"uniqueItems\":1}", "#/uniqueItems: true or false" },
		{ "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true}",
		  "#/uniqueItems: uniqueItems, unless" },
		{ "{\"type\":\"array\",\"items\":{\"enum\":[0,1,2,3,4,5,6,7,8,9,10]},"
		  "\"uniqueItems\":true}",
		  "#/uniqueItems: uniqueItems, unless" },
		{ "{\"type\":\"array\",\"items\":{\"enum\":[1]},\"contains\":{},\"uniqueItems\":"
		  "true}",
		  "#/uniqueItems: uniqueItems, unless" },
		{ "{\"type\":\"array\",\"contains\":{},\"minContains\":100000}",
		  "too large beside" },
		{ "{\"type\":\"array\",\"contains\":{},\"maxItems\":4000000000}",
		  "too large beside" },
		{ "{\"contains\":{\"items\":{\"const\":1}},\"maxContains\":1}",
		  "cannot be negated" },
		{ "{\"contains\":{},\"minContains\":-1}", "#/minContains: a count" },
		{ "{\"type\":\"array\",\"contains\":false}", "no text can be valid" },
		{ "{\"type\":\"array\",\"items\":{\"enum\":[1,2]},\"uniqueItems\":true,"
		  "\"minItems\":3}",
		  "no text can be valid" },
	};

	maker_try_refused(counts, m, cases, LENGTH(cases));
}

/* Refused, or compiled and used, in bounded time. */
static void test_hostile_arrays_end(check_counts *counts, maker *m)
{
	static const char *const cases[] = {
		"{\"type\":\"array\",\"contains\":{\"minimum\":3},\"minContains\":130,"
		"\"maxContains\":140,"
		"\"maxItems\":140}",
		"{\"type\":\"array\",\"allOf\":[{\"contains\":{\"minimum\":3},\"maxContains\":20},{"
		"\"contains\":"
		"{\"maximum\":3},\"maxContains\":20}],\"maxItems\":40}",
		"{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"contains\":{\"$ref\":\"#\"},"
		"\"minContains\":"
		"0,\"maxContains\":3}",
		"{\"type\":\"array\",\"items\":{\"enum\":[[0],[1],[2],[3],[4],[5],[6],[7],[8],[9]]}"
		","
		"\"uniqueItems\":true}",
	};
	clock_t start = clock();
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_SCHEMA, cases[i]);
		brise_matcher *x;
		brise_allowed a;

		if (g && brise_new_matcher(&x, g, NULL, 0, false, NULL) == BRISE_OK) {
			brise_status status = brise_get_allowed(x, &a, &m->err);

			CHECK(counts, status == BRISE_OK || status == BRISE_EUNSUPPORTED, "%s: %s",
			      cases[i], m->err.message);
			brise_free_matcher(x);
		}
		brise_free_grammar(g);
	}
	CHECK(counts, (clock() - start) / CLOCKS_PER_SEC < 60, "more than a minute");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	maker m;

	check_choose(argc, argv);
	if (!maker_begin(&m)) {
		fprintf(stderr, "%s\n", m.err.message);
		return 1;
	}
	RUN(test_contains(&counts, &m));
	RUN(test_unique_items(&counts, &m));
	RUN(test_what_cannot_be_counted_is_named(&counts, &m));
	RUN(test_hostile_arrays_end(&counts, &m));
	maker_end(&m);
	return check_report("grammar_items", &counts);
}
