/* test_grammar_keys.c - keys that patternProperties and propertyNames select */
#include <time.h>

#include "test/grammar_maker.h"

#define LENGTH(list) (sizeof(list) / sizeof *(list))

static void test_patterns_of_keys(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},"
		  "\"patternProperties\":"
		  "{\"^x-\":{\"type\":\"null\"},\"y$\":{\"type\":[\"null\",\"boolean\"]}},"
		  "\"additionalProperties\":{\"type\":\"string\"}}",
		  NULL, 0 },
		{ NULL, "{\"a\":1,\"x-a\":null,\"ay\":true,\"b\":\"\"}", 'v' },
		{ NULL, "{\"x-y\":null}", 'v' },
		{ NULL, "{\"x-y\":t", 'x' }, /* both patterns hold */
		{ NULL, "{\"x-a\":\"", 'x' },
		{ NULL, "{\"x\":\"\",\"x-\":null}", 'v' },
		{ NULL, "{\"x-a\":null,\"x-a\"", 'x' },
		{ NULL, "{\"b\":\"\",\"a\"", 'x' }, /* named ones come first, and are no others */
		{ NULL, "{\"\303\251\\\"y\":false}", 'v' },
		{ NULL, "{\"\\u0078-\"", 'x' }, /* each key is written in one way */
		{ "{\"patternProperties\":{\"b\":{\"type\":\"integer\"}},\"properties\":{\"ab\":{"
		  "\"minimum\":3},\"c\":true},\"additionalProperties\":false,\"type\":\"object\"}",
		  NULL, 0 },
		{ NULL, "{\"ab\":3}", 'v' },
		{ NULL, "{\"ab\":2}", 'x' },
		{ NULL, "{\"ab\":\"", 'x' },
		{ NULL, "{\"c\":\"\"}", 'v' },
		{ NULL, "{\"d", 'b' },
		{ NULL, "{\"d\"", 'x' },
		{ "{\"type\":\"object\",\"patternProperties\":{\"^(?!_)[a-z]+$\":true,\"^_\":false}"
		  "}",
		  NULL, 0 },
		{ NULL, "{\"a\":1}", 'v' },
		{ NULL, "{\"_\"", 'x' },
		{ NULL, "{\"A\":1}", 'v' },
		{ "{\"type\":\"object\",\"patternProperties\":{}}", NULL, 0 },
		{ NULL, "{\"\\u0061\"", 'x' },
		{ NULL, "{\"a\":1}", 'v' },
		/* exclude each other by what a pattern asks of a required property */
		{ "{\"oneOf\":[{\"type\":\"object\",\"patternProperties\":{\"^k\":{\"const\":1}},"
		  "\"required\":[\"ka\"]},{\"type\":\"object\",\"properties\":{\"ka\":{\"const\":2}"
		  "},"
		  "\"required\":[\"ka\"]}]}",
		  NULL, 0 },
		{ NULL, "{\"ka\":1,\"kb\":1}", 'v' },
		{ NULL, "{\"ka\":2,\"kb\":7}", 'v' },
		{ NULL, "{\"ka\":1,\"kb\":7", 'x' },
	};

	maker_try_cases(counts, m, cases, LENGTH(cases));
}

static void test_names_of_properties(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[a-z]+$\",\"maxLength\":"
		  "3}}",
		  NULL, 0 },
		{ NULL, "{\"abc\":1,\"a\":2}", 'v' },
		{ NULL, "{\"abcd", 'x' },
		{ NULL, "{\"\"", 'x' },
		{ "{\"type\":\"object\",\"propertyNames\":{\"maxLength\":2},\"properties\":{"
		  "\"abc\":{},"
		  "\"ab\":{}},\"minProperties\":1}",
		  NULL, 0 },
		{ NULL, "{\"ab\":1}", 'v' },
		{ NULL, "{\"abc", 'x' },
		{ NULL, "{\"c\\n\":1}", 'v' },
		{ NULL, "{}", 'x' },
		{ "{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"de\",\"us\",\"uk\",1]},"
		  "\"additionalProperties\":{\"type\":\"integer\"},\"required\":[\"us\"]}",
		  NULL, 0 },
		{ NULL, "{\"us\":1,\"uk\":2,\"de\":3}", 'v' },
		{ NULL, "{\"us\":1,\"uk\":2,\"de\":3,", 'x' }, /* none is left */
		{ NULL, "{\"us\":1,\"uk\":2,", 'b' },
		{ NULL, "{\"us\":1,\"uk\":2,\"u", 'x' },
		{ NULL, "{\"us\":1,\"d", 'b' },
		{ NULL, "{\"us\":1,\"f", 'x' },
		{ "{\"type\":\"object\",\"propertyNames\":{\"format\":\"date\"},\"minProperties\":"
		  "2}",
		  NULL, 0 },
		{ NULL, "{\"2024-02-29\":1,\"2024-03-01\":2}", 'v' },
		{ NULL, "{\"2023-02-29", 'x' },
		{ "{\"propertyNames\":false}", NULL, 0 },
		{ NULL, "{}", 'v' },
		{ NULL, "{\"", 'x' },
		{ NULL, "[]", 'v' },
		{ "{\"propertyNames\":{\"type\":\"integer\"},\"properties\":{\"a\":{}}}", NULL, 0 },
		{ NULL, "{}", 'v' },
		{ NULL, "{\"", 'x' },
		{ "{\"type\":\"object\",\"propertyNames\":{\"enum\":[1]}}", NULL, 0 },
		{ NULL, "{}", 'v' },
		{ NULL, "{\"", 'x' },
		{ "{\"type\":\"object\",\"allOf\":[{\"propertyNames\":{\"minLength\":2}},{"
		  "\"propertyNames\":"
		  "{\"maxLength\":3}}]}",
		  NULL, 0 },
		{ NULL, "{\"abc\":1}", 'v' },
		{ NULL, "{\"a\"", 'x' },
		{ NULL, "{\"abcd", 'x' },
	};

	maker_try_cases(counts, m, cases, LENGTH(cases));
}

static void test_wrong_patterns_of_keys_are_named(check_counts *counts, maker *m)
{
	static const char *const cases[][2] = {
		{ "{\"patternProperties\":[]}", "#/patternProperties: an object" },
		{ "{\"patternProperties\":{\"(\":{}}}",
		  "#/patternProperties/(: a regular expression" },
		{ "{\"patternProperties\":{\"a\":1}}", "#/patternProperties/a: a schema" },
		{ "{\"patternProperties\":{\"(a)\\\\1\":{}}}", "references to groups" },
		{ "{\"patternProperties\":{\"a\":{},\"a\":{}}}", "a pattern that comes twice" },
		{ "{\"propertyNames\":1}", "#/propertyNames: a schema" },
		{ "{\"propertyNames\":{\"anyOf\":[{\"minLength\":2},{\"const\":\"\"}]}}",
		  "#/propertyNames: propertyNames that hold in one of" },
		{ "{\"type\":\"object\",\"patternProperties\":{\"^[ab]$\":{}},"
		  "\"additionalProperties\":"
		  "false,\"minProperties\":3}",
		  "minProperties above" },
		{ "{\"not\":{\"propertyNames\":{\"maxLength\":2}}}", "cannot be negated" },
	};

	maker_try_refused(counts, m, cases, LENGTH(cases));
}

/* Refused, or compiled and used, in bounded time. */
static void test_hostile_patterns_of_keys_end(check_counts *counts, maker *m)
{
	static const char *const cases[] = {
		"{\"type\":\"object\",\"patternProperties\":{\"(a|b)*a(a|b){9}\":{},\"(a|c)*c(a|b){"
		"9}\":{},"
		"\"(c|b)*b(a|b){9}\":{},\"x{1,900}y\":{},\"(xy?){1,500}\":false}}",
		"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^(a?){1000}$\"},"
		"\"minProperties\":900}",
		"{\"type\":\"object\",\"propertyNames\":{\"minLength\":29000,\"pattern\":\"a\"},"
		"\"minProperties\":30000}",
		"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^.{1,2000}$\"},"
		"\"minProperties\":"
		"4000000000}",
	};
	char *text = malloc(1000000), key[64];
	clock_t start = clock();
	brise_status status = BRISE_OK;
	brise_matcher *x;
	brise_allowed a;
	brise_grammar *g;
	size_t i, n;

	for (i = 0; i < LENGTH(cases); i++) {
		g = maker_compile(m, BRISE_GRAMMAR_SCHEMA, cases[i]);
		if (g && brise_new_matcher(&x, g, NULL, 0, false, NULL) == BRISE_OK) {
			(void)brise_get_allowed(x, &a, &m->err);
			brise_free_matcher(x);
		}
		brise_free_grammar(g);
	}
	/* Names beside a pattern: an automaton of all of them. */
	n = (size_t)sprintf(
	        text, "{\"type\":\"object\",\"patternProperties\":{\"a\":{}},\"properties\":{");
	for (i = 0; i < 1900; i++)
		n += (size_t)sprintf(text + n, "%s\"property%zu\":{}", i ? "," : "", i * 7919);
	strcpy(text + n, "}}");
	brise_free_grammar(maker_compile(m, BRISE_GRAMMAR_SCHEMA, text));
	/* Thousands of keys, of which each next one must differ. */
	g = maker_compile(m, BRISE_GRAMMAR_SCHEMA,
	                  "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[0-9]{4}$\"}}");
	CHECK(counts, g && brise_new_matcher(&x, g, NULL, 0, false, NULL) == BRISE_OK, "%s",
	      m->err.message);
	if (!g || !text)
		return;
	CHECK(counts, grammar_match_bytes(x, "{", 1, &status), "a brace");
	for (i = 0; i < 3000 && status == BRISE_OK; i++) {
		n = (size_t)sprintf(key, "%s\"%04zu\":1", i ? "," : "", i);
		if (!grammar_match_bytes(x, key, n, &status))
			break;
		if (i % 500 == 0 && brise_get_allowed(x, &a, &m->err) != BRISE_OK)
			break;
	}
	CHECK(counts, i == 3000, "%zu keys: %s", i, m->err.message);
	brise_free_matcher(x);
	brise_free_grammar(g);
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
	RUN(test_patterns_of_keys(&counts, &m));
	RUN(test_names_of_properties(&counts, &m));
	RUN(test_wrong_patterns_of_keys_are_named(&counts, &m));
	RUN(test_hostile_patterns_of_keys_end(&counts, &m));
	maker_end(&m);
	return check_report("grammar_keys", &counts);
}
