/* test_grammar_branches.c - keywords that hold in one of several ways: not, if, dependents, oneOf
 * whose branches overlap */
#include <time.h>

#include "test/grammar_maker.h"

#define LENGTH(list) (sizeof(list) / sizeof *(list))

/* Would catch a keyword that fails in more ways than the branches have, or in fewer. */
static void test_negation(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"properties\":{\"a\":{\"not\":{}}}}", NULL, 0 },
		{ NULL, "{\"b\":1}", 'v' },
		{ NULL, "{\"a\"", 'x' },
		{ "{\"not\":{\"type\":[\"object\",\"array\",\"string\",\"null\"]}}", NULL, 0 },
		{ NULL, "true", 'v' },
		{ NULL, "-1.5", 'v' },
		{ NULL, "null", 'x' },
		{ NULL, "\"", 'x' },
		{ "{\"type\":\"number\",\"not\":{\"type\":\"integer\"}}", NULL, 0 },
		{ NULL, "1.5", 'v' },
		{ NULL, "-0.01", 'v' },
		{ NULL, "1", 'b' },
		{ NULL, "1.0", 'b' },
		{ "{\"type\":\"integer\",\"not\":{\"enum\":[0,5,\"x\",17]},\"minimum\":-1,"
		  "\"maximum\":20}",
		  NULL, 0 },
		{ NULL, "0", 'x' },
		{ NULL, "-1", 'v' },
		{ NULL, "5", 'x' },
		{ NULL, "6", 'v' },
		{ NULL, "17", 'x' },
		{ NULL, "1", 'v' },
		{ NULL, "20", 'v' },
		{ "{\"type\":[\"string\",\"boolean\"],\"not\":{\"enum\":[\"ab\",\"\","
		  "\"\303\251\\n\","
		  "true]}}",
		  NULL, 0 },
		{ NULL, "true", 'x' },
		{ NULL, "false", 'v' },
		{ NULL, "\"\"", 'x' },
		{ NULL, "\"ab\"", 'x' },
		{ NULL, "\"abc\"", 'v' },
		{ NULL, "\"a\"", 'v' },
		{ NULL, "\"\303\251\\n\"", 'x' },
		{ NULL, "\"\303\251\"", 'v' },
		{ "{\"enum\":[1,2,\"a\",null,[1]],\"not\":{\"enum\":[2,null,[1.0]]}}", NULL, 0 },
		{ NULL, "1", 'v' },
		{ NULL, "2", 'x' },
		{ NULL, "n", 'x' },
		{ NULL, "[", 'x' },
		{ "{\"type\":\"object\",\"not\":{\"required\":[\"a\",\"b\"]},"
		  "\"additionalProperties\":{\"type\":\"null\"}}",
		  NULL, 0 },
		{ NULL, "{\"a\":null}", 'v' },
		{ NULL, "{\"b\":null,\"c\":null}", 'v' },
		{ NULL, "{\"a\":null,\"b\":", 'x' },
		{ NULL, "{}", 'v' },
		{ "{\"type\":\"object\",\"not\":{\"properties\":{\"a\":{\"minimum\":3,"
		  "\"type\":\"integer\"}}}}",
		  NULL, 0 },
		{ NULL, "{}", 'x' },
		{ NULL, "{\"a\":2}", 'v' },
		{ NULL, "{\"a\":\"\"}", 'v' },
		{ NULL, "{\"a\":30}", 'x' },
		{ "{\"type\":\"string\",\"not\":{\"anyOf\":[{\"minLength\":4},{\"pattern\":\"^a\"},"
		  "{\"maxLength\":1}]}}",
		  NULL, 0 },
		{ NULL, "\"ba\"", 'v' },
		{ NULL, "\"b\"", 'x' },
		{ NULL, "\"ab", 'x' },
		{ NULL, "\"bbbb\"", 'x' },
		{ "{\"type\":\"string\",\"not\":{\"format\":\"date\"},\"maxLength\":10}", NULL, 0 },
		{ NULL, "\"2024-02-29\"", 'x' },
		{ NULL, "\"2023-02-29\"", 'v' },
		{ "{\"not\":{\"not\":{\"type\":\"boolean\"}}}", NULL, 0 },
		{ NULL, "true", 'v' },
		{ NULL, "1", 'x' },
		{ "{\"type\":\"number\",\"not\":{\"exclusiveMaximum\":7.5,\"maximum\":9}}", NULL,
		  0 },
		{ NULL, "7.5", 'v' },
		{ NULL, "9.1", 'v' },
		{ NULL, "7.4", 'x' },
		{ "{\"type\":\"array\",\"not\":{\"minItems\":2,\"maxItems\":3}}", NULL, 0 },
		{ NULL, "[1]", 'v' },
		{ NULL, "[1,2]", 'x' },
		{ NULL, "[1,2,3,4]", 'v' },
		{ "{\"type\":\"object\",\"not\":{\"maxProperties\":1},\"additionalProperties\":"
		  "{\"type\":\"null\"}}",
		  NULL, 0 },
		{ NULL, "{\"a\":null}", 'x' },
		{ NULL, "{\"a\":null,\"b\":null}", 'v' },
		{ "{\"type\":\"string\",\"not\":{\"$ref\":\"#/$defs/long\"},\"$defs\":{\"long\":"
		  "{\"allOf\":[{\"minLength\":3},{\"pattern\":\"a\"}]}}}",
		  NULL, 0 },
		{ NULL, "\"aa\"", 'v' },
		{ NULL, "\"bbb\"", 'v' },
		{ NULL, "\"bab\"", 'x' },
	};

	maker_try_cases(counts, m, cases, LENGTH(cases));
}

static void test_conditions(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"type\":\"object\",\"properties\":{\"kind\":{\"enum\":[\"a\",\"b\"]},\"n\":{"
		  "\"type\":\"integer\"}},\"additionalProperties\":false,\"if\":{\"properties\":{"
		  "\"kind\":{\"const\":\"a\"}},\"required\":[\"kind\"]},\"then\":{\"required\":["
		  "\"n\"]},\"else\":{\"properties\":{\"n\":false}}}",
		  NULL, 0 },
		{ NULL, "{\"kind\":\"a\",\"n\":1}", 'v' },
		{ NULL, "{\"kind\":\"a\"}", 'x' },
		{ NULL, "{\"kind\":\"b\"}", 'v' },
		{ NULL, "{\"kind\":\"b\",", 'x' },
		{ NULL, "{}", 'v' },
		{ NULL, "{\"n\":", 'x' },
		{ "{\"if\":{\"type\":\"string\"},\"then\":{\"maxLength\":1}}", NULL, 0 },
		{ NULL, "\"a\"", 'v' },
		{ NULL, "\"ab", 'x' },
		{ NULL, "[\"ab\"]", 'v' },
		{ "{\"then\":false}", NULL, 0 },
		{ NULL, "1", 'v' },
		{ "{\"if\":true,\"then\":{\"type\":\"null\"},\"else\":false}", NULL, 0 },
		{ NULL, "null", 'v' },
		{ NULL, "1", 'x' },
		{ "{\"type\":\"object\",\"dependentRequired\":{\"a\":[\"b\",\"c\"],\"b\":[\"c\"]},"
		  "\"additionalProperties\":{\"type\":\"null\"}}",
		  NULL, 0 },
		{ NULL, "{}", 'v' },
		{ NULL, "{\"a\":null,\"b\":null,\"c\":null}", 'v' },
		{ NULL, "{\"a\":null,\"c\":null}", 'x' },
		{ NULL, "{\"b\":null}", 'x' },
		{ NULL, "{\"c\":null,\"x\":null}", 'v' },
		{ "{\"dependentSchemas\":{\"a\":{\"maxProperties\":1},\"b\":false},\"type\":"
		  "\"object\"}",
		  NULL, 0 },
		{ NULL, "{\"a\":1}", 'v' },
		{ NULL, "{\"a\":1,", 'x' },
		{ NULL, "{\"c\":1,\"d\":2}", 'v' },
		{ NULL, "{\"b\"", 'x' },
		{ "{\"dependencies\":{\"a\":[\"b\"],\"c\":{\"required\":[\"d\"]}},\"type\":["
		  "\"object\","
		  "\"null\"]}",
		  NULL, 0 },
		{ NULL, "null", 'v' },
		{ NULL, "{\"a\":1}", 'x' },
		{ NULL, "{\"a\":1,\"b\":2}", 'v' },
		{ NULL, "{\"c\":1,\"d\":2}", 'v' },
	};

	maker_try_cases(counts, m, cases, LENGTH(cases));
}

/* Exactly one of the branches holds. */
static void test_branches_that_overlap(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2,\"type\":\"number\"}]}", NULL,
		  0 },
		{ NULL, "1", 'v' },
		{ NULL, "2.5", 'v' },
		{ NULL, "2", 'b' },
		{ NULL, "1.5", 'x' },
		{ "{\"type\":\"object\",\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]},"
		  "{\"required\":[\"c\"]}],\"additionalProperties\":{\"type\":\"null\"}}",
		  NULL, 0 },
		{ NULL, "{}", 'x' },
		{ NULL, "{\"a\":null}", 'v' },
		{ NULL, "{\"b\":null,\"d\":null}", 'v' },
		{ NULL, "{\"a\":null,\"b\"", 'x' },
		{ NULL, "{\"b\":null,\"c\"", 'x' },
	};

	maker_try_cases(counts, m, cases, LENGTH(cases));
}

static void test_what_cannot_be_negated_is_named(check_counts *counts, maker *m)
{
	static const char *const cases[][2] = {
		{ "{\"not\":{\"items\":{\"type\":\"null\"}}}",
		  "#/not/items: a keyword that cannot" },
		{ "{\"not\":{\"multipleOf\":3}}", "#/not/multipleOf: a keyword that cannot" },
		{ "{\"not\":{\"pattern\":\"^(?!a)\"}}", "look-ahead" },
		{ "{\"not\":{\"const\":{}}}", "#/not/const: an array or object" },
		{ "{\"not\":{\"const\":1e50}}", "#/not/const: an excluded number" },
		{ "{\"if\":{\"oneOf\":[{},{}]},\"then\":{}}", "#/if/oneOf: a keyword that cannot" },
		{ "{\"not\":{\"unknown\":3}}", "#/not/unknown: a keyword that is not" },
		{ "{\"not\":1}", "#/not: a schema" },
		{ "{\"not\":{\"$ref\":\"#\"}}", "no text can be valid" },
		{ "{\"not\":true}", "no text can be valid" },
		{ "{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"null\"}]}", "no text can be valid" },
		{ "{\"dependentRequired\":{\"a\":{}}}", "#/dependentRequired/a: a list" },
		{ "{\"dependentSchemas\":{\"a\":[]}}", "#/dependentSchemas/a: a schema" },
		{ "{\"dependencies\":{\"a\":[1]}}", "#/dependencies/a/0: a name" },
	};

	maker_try_refused(counts, m, cases, LENGTH(cases));
}

/* Branches of branches: refused, or compiled, in bounded time. */
static void test_hostile_branches_end(check_counts *counts, maker *m)
{
	char *text = malloc(4000000);
	clock_t start = clock();
	size_t i, n;

	if (!text)
		return;
	n = (size_t)sprintf(text, "{\"not\":{\"enum\":[");
	for (i = 0; i < 100000; i++)
		n += (size_t)sprintf(text + n, "%s%zu", i ? "," : "", i * 7919 % 100000);
	strcpy(text + n, "]}}");
	CHECK(counts, !maker_compile(m, BRISE_GRAMMAR_SCHEMA, text), "numbers");
	n = (size_t)sprintf(text, "{\"type\":\"integer\",\"not\":{\"enum\":[");
	for (i = 0; i < 900; i++)
		n += (size_t)sprintf(text + n, "%s%zu", i ? "," : "", i * 7919 % 1000);
	strcpy(text + n, "]}}");
	brise_free_grammar(maker_compile(m, BRISE_GRAMMAR_SCHEMA, text));
	n = (size_t)sprintf(text, "{\"type\":\"object\",\"dependentRequired\":{");
	for (i = 0; i < 90; i++)
		n += (size_t)sprintf(text + n, "%s\"a%zu\":[\"b%zu\"]", i ? "," : "", i, i);
	strcpy(text + n, "}}");
	CHECK(counts, !maker_compile(m, BRISE_GRAMMAR_SCHEMA, text), "dependents");
	n = (size_t)sprintf(text, "{\"oneOf\":[");
	for (i = 0; i < 2000; i++)
		n += (size_t)sprintf(text + n, "%s{\"required\":[\"a%zu\"]}", i ? "," : "", i);
	strcpy(text + n, "]}");
	CHECK(counts, !maker_compile(m, BRISE_GRAMMAR_SCHEMA, text), "branches");
	n = (size_t)sprintf(text, "{");
	for (i = 0; i < 100000; i++)
		n += (size_t)sprintf(text + n, "%s\"x-%zu\":1", i ? "," : "", i);
	strcpy(text + n, "}");
	brise_free_grammar(maker_compile(m, BRISE_GRAMMAR_SCHEMA, text));
	for (i = n = 0; i < 400; i++)
		n += (size_t)sprintf(text + n, "{\"not\":{\"allOf\":[{\"maximum\":%zu},", i);
	n += (size_t)sprintf(text + n, "{}");
	for (i = 0; i < 400; i++)
		n += (size_t)sprintf(text + n, "]}}");
	brise_free_grammar(maker_compile(m, BRISE_GRAMMAR_SCHEMA, text));
	CHECK(counts, (clock() - start) / CLOCKS_PER_SEC < 60, "more than a minute");
	free(text);
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
	RUN(test_negation(&counts, &m));
	RUN(test_conditions(&counts, &m));
	RUN(test_branches_that_overlap(&counts, &m));
	RUN(test_what_cannot_be_negated_is_named(&counts, &m));
	RUN(test_hostile_branches_end(&counts, &m));
	maker_end(&m);
	return check_report("grammar_branches", &counts);
}
