/* test_grammar_schema.c - which texts JSON schemas and tools take, and which schemas are refused */
#include <time.h>

#include "test/grammar_maker.h"

static void test_schemas(check_counts *counts, maker *m)
{
	static const maker_case cases[] = {
		{ "{\"type\": \"string\"}", NULL, 0 },
		{ NULL, "\"a\\u00e9\\ud83d\\ude00\\/\"", 'v' },
		{ NULL, "\"\\ud83d\"", 'x' },
		{ NULL, "\"\\udc00\"", 'x' },
		{ NULL, "\"\t\"", 'x' },
		{ NULL, "\"a", 'b' },
		{ NULL, " \"\"", 'v' },
		{ NULL, "  \"\"", 'x' },
		{ "{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 3}", NULL, 0 },
		{ NULL, "\"\303\251\"", 'x' },
		{ NULL, "\"\303\251\\n\"", 'v' },
		{ NULL, "\"\\ud83d\\ude00ab\"", 'v' },
		{ NULL, "\"abcd\"", 'x' },
		{ "{\"maxLength\": 1000000000, \"type\": \"string\"}", NULL, 0 },
		{ NULL, "\"abc\"", 'v' },
		{ "{\"type\": \"string\", \"pattern\": \"^a.*z$\"}", NULL, 0 },
		{ NULL, "\"az\"", 'v' },
		{ NULL, "\"abz\"", 'v' },
		{ NULL, "\"ab\\\"z\"", 'v' },
		{ NULL, "\"ba\"", 'x' },
		{ NULL, "\"a\\u0041z\"", 'x' },
		{ "{\"type\": \"string\", \"pattern\": \"b|^$\"}", NULL, 0 },
		{ NULL, "\"\"", 'v' },
		{ NULL, "\"abc\"", 'v' },
		{ NULL, "\"ac\"", 'x' },
		{ "{\"type\": \"string\", \"pattern\": \"^[a-z]+$\", \"maxLength\": 2, "
		  "\"minLength\": 2}",
		  NULL, 0 },
		{ NULL, "\"ab\"", 'v' },
		{ NULL, "\"a\"", 'x' },
		{ NULL, "\"abc\"", 'x' },
		{ "{\"allOf\": [{\"pattern\": \"a\"}, {\"pattern\": \"b\"}], \"type\": \"string\"}",
		  NULL, 0 },
		{ NULL, "\"xbya\"", 'v' },
		{ NULL, "\"xa\"", 'x' },
		{ "{\"type\": \"integer\"}", NULL, 0 },
		{ NULL, "0", 'v' },
		{ NULL, "-12", 'v' },
		{ NULL, "01", 'x' },
		{ NULL, "1.0", 'x' },
		{ NULL, "1e3", 'x' },
		{ NULL, "-", 'b' },
		{ "{\"type\": \"integer\", \"minimum\": -15, \"exclusiveMaximum\": 120}", NULL, 0 },
		{ NULL, "-15", 'v' },
		{ NULL, "-16", 'x' },
		{ NULL, "119", 'v' },
		{ NULL, "120", 'x' },
		{ NULL, "7", 'v' },
		{ NULL, "-0", 'x' },
		{ "{\"type\": \"number\", \"minimum\": 0.25, \"maximum\": 10}", NULL, 0 },
		{ NULL, "0.25", 'v' },
		{ NULL, "0.249", 'x' },
		{ NULL, "10", 'v' },
		{ NULL, "10.0", 'v' },
		{ NULL, "10.1", 'x' },
		{ NULL, "9.99999", 'v' },
		{ NULL, "1e0", 'x' },
		{ "{\"type\": \"number\", \"exclusiveMinimum\": -1.5, \"maximum\": -0.5}", NULL,
		  0 },
		{ NULL, "-1.5", 'x' },
		{ NULL, "-1.49", 'v' },
		{ NULL, "-0.5", 'v' },
		{ NULL, "-0.4", 'x' },
		{ NULL, "0", 'x' },
		{ "{\"type\": \"integer\", \"multipleOf\": 7, \"minimum\": 10}", NULL, 0 },
		{ NULL, "14", 'v' },
		{ NULL, "7", 'b' },
		{ NULL, "15", 'b' },
		{ NULL, "700", 'v' },
		{ "{\"type\": \"number\", \"multipleOf\": 0.01}", NULL, 0 },
		{ NULL, "3.14", 'v' },
		{ NULL, "3.141", 'x' },
		{ NULL, "3", 'v' },
		{ "{\"type\": \"number\"}", NULL, 0 },
		{ NULL, "-1.5e-7", 'v' },
		{ NULL, "1E+20", 'v' },
		{ NULL, ".5", 'x' },
		{ NULL, "123456789012345678901", 'x' },
		{ "{\"enum\": [1.0, \"a\\\"\", null, true, [1, {\"b\": 2}]]}", NULL, 0 },
		{ NULL, "1", 'v' },
		{ NULL, "1.0", 'x' },
		{ NULL, "\"a\\\"\"", 'v' },
		{ NULL, "null", 'v' },
		{ NULL, "true", 'v' },
		{ NULL, "false", 'x' },
		{ NULL, "[1, {\"b\": 2}]", 'v' },
		{ NULL, "[1,{\"b\":3}]", 'x' },
		{ "{\"enum\": [\"a\", \"bb\", 3], \"type\": \"string\", \"maxLength\": 1}", NULL,
		  0 },
		{ NULL, "\"a\"", 'v' },
		{ NULL, "\"bb\"", 'x' },
		{ NULL, "3", 'x' },
		{ "{\"const\": {\"x\": []}}", NULL, 0 },
		{ NULL, "{\"x\":[]}", 'v' },
		{ NULL, "{\"x\":[0]}", 'x' },
		{ "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": "
		  "{\"type\": \"boolean\"}, \"c\": {}}, \"required\": [\"b\"], "
		  "\"additionalProperties\": false}",
		  NULL, 0 },
		{ NULL, "{\"a\":1,\"b\":true}", 'v' },
		{ NULL, "{\"b\":true}", 'v' },
		{ NULL, "{\"a\":1}", 'x' },
		{ NULL, "{\"b\":true,\"a\":1}", 'x' },
		{ NULL, "{\"b\":true,\"c\":[{}]}", 'v' },
		{ NULL, "{\"b\":true,\"b\":false}", 'x' },
		{ NULL, "{\"b\":true,}", 'x' },
		{ NULL, "{\n  \"a\": 1,\n  \"b\": true\n}", 'v' },
		{ NULL, "{\"b\"  :true}", 'x' },
		{ NULL, "{ \"b\": true }", 'v' },
		{ NULL, "{\"b\":true,\"d\":1}", 'x' },
		{ NULL, "{}", 'x' },
		{ NULL, "{\"a\":1,\"b\":tr", 'b' },
		{ "{\"properties\": {\"a\": {\"type\": \"integer\"}}, \"type\": \"object\", "
		  "\"additionalProperties\": {\"type\": \"string\"}}",
		  NULL, 0 },
		{ NULL, "{\"a\":1,\"x\":\"y\"}", 'v' },
		{ NULL, "{\"x\":\"y\",\"z\":\"y\"}", 'v' },
		{ NULL, "{\"x\":\"y\",\"x\":\"z\"}", 'x' },
		{ NULL, "{\"a\":\"s\"}", 'x' },
		{ NULL, "{\"x\":\"y\",\"a\":1}", 'x' },
		{ NULL, "{\"ab\":\"s\",\"\":\"t\"}", 'v' },
		{ NULL, "{\"\\u0061\":\"s\"}", 'x' },
		{ NULL, "{\"x\\n\":\"y\",\"x\\u000a\":\"z\"}", 'x' },
		{ "{\"type\": \"object\", \"minProperties\": 2, \"maxProperties\": 3, "
		  "\"properties\": {\"a\": {}, \"b\": {}}}",
		  NULL, 0 },
		{ NULL, "{\"a\":1}", 'x' },
		{ NULL, "{\"a\":1,\"c\":2}", 'v' },
		{ NULL, "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", 'x' },
		{ NULL, "{\"c\":1,\"d\":2,\"e\":3}", 'v' },
		{ "{\"type\": \"object\", \"required\": [\"z\"], \"properties\": {\"a\": {}}}",
		  NULL, 0 },
		{ NULL, "{\"a\":1}", 'x' },
		{ NULL, "{\"a\":1,\"z\":2}", 'v' },
		{ NULL, "{\"z\":2,\"y\":3}", 'v' },
		{ "{\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"minItems\": 1, "
		  "\"maxItems\": 3}",
		  NULL, 0 },
		{ NULL, "[]", 'x' },
		{ NULL, "[1]", 'v' },
		{ NULL, "[1,2,3]", 'v' },
		{ NULL, "[1,2,3,4]", 'x' },
		{ NULL, "[1, 2]", 'v' },
		{ NULL, "[1,\"a\"]", 'x' },
		{ "{\"type\": \"array\", \"prefixItems\": [{\"type\": \"integer\"}, {\"type\": "
		  "\"string\"}], \"items\": false}",
		  NULL, 0 },
		{ NULL, "[1,\"a\"]", 'v' },
		{ NULL, "[1]", 'v' },
		{ NULL, "[]", 'v' },
		{ NULL, "[\"a\"]", 'x' },
		{ NULL, "[1,\"a\",2]", 'x' },
		{ "{\"type\": \"array\", \"items\": [{\"type\": \"integer\"}], "
		  "\"additionalItems\": {\"type\": \"null\"}, \"minItems\": 2}",
		  NULL, 0 },
		{ NULL, "[1,null]", 'v' },
		{ NULL, "[1]", 'x' },
		{ NULL, "[1,null,null]", 'v' },
		{ NULL, "[1,2]", 'x' },
		{ "{\"type\": \"array\", \"maxItems\": 1000000000, \"minItems\": 3}", NULL, 0 },
		{ NULL, "[1,2,3]", 'v' },
		{ NULL, "[1,2]", 'x' },
		{ "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 5}, {\"type\": \"string\"}]}",
		  NULL, 0 },
		{ NULL, "5", 'v' },
		{ NULL, "4", 'b' },
		{ NULL, "\"a\"", 'v' },
		{ "{\"type\": \"string\", \"anyOf\": [{\"maxLength\": 1}, {\"minLength\": 3}]}",
		  NULL, 0 },
		{ NULL, "\"a\"", 'v' },
		{ NULL, "\"ab\"", 'x' },
		{ NULL, "\"abc\"", 'v' },
		{ NULL, "1", 'x' },
		{ "{\"oneOf\": [{\"type\": \"object\", \"properties\": {\"k\": {\"const\": \"a\"}, "
		  "\"v\": {\"type\": \"integer\"}}, \"required\": [\"k\", \"v\"]}, {\"type\": "
		  "\"object\", \"properties\": {\"k\": {\"const\": \"b\"}, \"w\": {\"type\": "
		  "\"string\"}}, \"required\": [\"k\"]}, {\"type\": \"null\"}]}",
		  NULL, 0 },
		{ NULL, "{\"k\":\"a\",\"v\":1}", 'v' },
		{ NULL, "{\"k\":\"b\",\"v\":1}", 'v' },
		{ NULL, "{\"k\":\"a\"}", 'x' },
		{ NULL, "{\"k\":\"c\"}", 'x' },
		{ NULL, "null", 'v' },
		{ "{\"allOf\": [{\"type\": \"object\", \"properties\": {\"a\": {\"minimum\": 3}}}, "
		  "{\"properties\": {\"a\": {\"type\": \"integer\", \"maximum\": 5}, \"b\": {}}, "
		  "\"required\": [\"a\"]}]}",
		  NULL, 0 },
		{ NULL, "{\"a\":4}", 'v' },
		{ NULL, "{\"a\":6}", 'x' },
		{ NULL, "{\"a\":4,\"b\":1}", 'v' },
		{ NULL, "{}", 'x' },
		{ "{\"$ref\": \"#/$defs/t~1~0%25\", \"$defs\": {\"t/~%\": {\"type\": \"object\", "
		  "\"properties\": {\"v\": {\"type\": \"integer\"}, \"n\": {\"$ref\": "
		  "\"#/$defs/t~1~0%25\"}}, \"required\": [\"v\"], \"additionalProperties\": "
		  "false}}}",
		  NULL, 0 },
		{ NULL, "{\"v\":1,\"n\":{\"v\":2,\"n\":{\"v\":3}}}", 'v' },
		{ NULL, "{\"v\":1,\"n\":{\"n\":{\"v\":3}}}", 'x' },
		{ "{\"$ref\": \"#/$defs/s\", \"maxLength\": 2, \"$defs\": {\"s\": {\"$id\": "
		  "\"text\", \"type\": \"string\"}, \"u\": {\"$ref\": \"text\"}}}",
		  NULL, 0 },
		{ NULL, "\"ab\"", 'v' },
		{ NULL, "\"abc\"", 'x' },
		{ "{\"type\": [\"integer\", \"null\"]}", NULL, 0 },
		{ NULL, "1", 'v' },
		{ NULL, "null", 'v' },
		{ NULL, "\"a\"", 'x' },
		{ "true", NULL, 0 },
		{ NULL, "{\"a\":[1,{\"a\":null}]}", 'v' },
		{ NULL, "[[[", 'b' },
		{ NULL, "{\"a\":1,\"a\":2}", 'x' },
		{ "{\"type\": \"string\", \"format\": \"date\"}", NULL, 0 },
		{ NULL, "\"2024-02-29\"", 'v' },
		{ NULL, "\"2023-02-29\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"time\"}", NULL, 0 },
		{ NULL, "\"23:59:60Z\"", 'v' },
		{ NULL, "\"24:00:00Z\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"date-time\"}", NULL, 0 },
		{ NULL, "\"2024-12-31T00:00:00.5+01:00\"", 'v' },
		{ NULL, "\"2024-13-01T00:00:00Z\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"email\"}", NULL, 0 },
		{ NULL, "\"a.b@c.de\"", 'v' },
		{ NULL, "\"a@@c\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"uuid\"}", NULL, 0 },
		{ NULL, "\"123e4567-e89b-12d3-a456-426614174000\"", 'v' },
		{ NULL, "\"123e4567\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"ipv4\"}", NULL, 0 },
		{ NULL, "\"1.2.3.255\"", 'v' },
		{ NULL, "\"1.2.3.256\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"ipv6\"}", NULL, 0 },
		{ NULL, "\"::ffff:1.2.3.4\"", 'v' },
		{ NULL, "\"1:::2\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"hostname\"}", NULL, 0 },
		{ NULL, "\"a-b.c\"", 'v' },
		{ NULL, "\"-a\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"uri\"}", NULL, 0 },
		{ NULL, "\"http://u@h:8/p\?q#f\"", 'v' },
		{ NULL, "\"no\"", 'x' },
		{ "{\"type\": \"string\", \"format\": \"duration\"}", NULL, 0 },
		{ NULL, "\"P1Y2M3DT4H\"", 'v' },
		{ NULL, "\"P\"", 'x' },
		{ "{\"type\":\"string\",\"pattern\":\"^(?!\\\\.)(?!.*\\\\.\\\\.)(?=.{2,4}$)[a-z.]+$"
		  "\"}",
		  NULL, 0 },
		{ NULL, "\"a.b\"", 'v' },
		{ NULL, "\".ab\"", 'x' },
		{ NULL, "\"a..b\"", 'x' },
		{ NULL, "\"a\"", 'x' },
		{ NULL, "\"abcde\"", 'x' },
		{ "{\"type\":\"object\",\"propertyNames\":{\"type\":\"string\"},"
		  "\"additionalProperties\":"
		  "{\"type\":\"null\"}}",
		  NULL, 0 },
		{ NULL, "{\"a\":null}", 'v' },
	};

	maker_try_cases(counts, m, cases, sizeof cases / sizeof *cases);
}

/* Nothing that restricts is ignored, and the message says what and where. */
static void test_what_is_not_supported_is_named(check_counts *counts, maker *m)
{
	static const char *const cases[][2] = {
		{ "{\n\"properties\": {\"a\": {\"maxlength\": 1}}}",
		  "line 2: #/properties/a/maxlength: a keyword" },
		{ "{\"uniqueItems\":true}", "#/uniqueItems: uniqueItems, unless" },
		{ "{\"unevaluatedProperties\":false}", "#/unevaluatedProperties: a keyword" },
		{ "{\"items\":{\"contains\":1}}", "#/items/contains: a schema" },
		{ "{\"maxlength\":1}", "#/maxlength: a keyword" },
		{ "{\"$ref\":\"http://x/y\"}", "#/$ref: a reference to nothing" },
		{ "{\"$ref\":\"#/$defs/x\"}", "#/$ref: a reference to nothing" },
		{ "{\"pattern\":\"(?=a)\"}", "look-ahead" },
		{ "{\"pattern\":\"^(?!a)b|c\"}", "look-ahead" },
		{ "{\"pattern\":\"(a)\\\\1\"}", "references to groups" },
		{ "{\"pattern\":\"(a\"}", "a group without end" },
		{ "{\"type\":\"text\"}", "#/type: a type is" },
		{ "{\"minLength\":-1}", "#/minLength: a count" },
		{ "{\"maximum\":\"3\"}", "#/maximum: a number" },
		{ "{\"exclusiveMinimum\":true}", "#/exclusiveMinimum: a number" },
		{ "{\"properties\":[]}", "#/properties: an object" },
		{ "{\"anyOf\":[]}", "#/anyOf: a list" },
		{ "{\"type\":\"string\",\"type\":\"null\"}", "#/type: a keyword that comes twice" },
		{ "{\"enum\":[]}", "no text can be valid" },
		{ "{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}", "no text can be valid" },
		{ "{\"required\":[\"a\"],\"properties\":{\"a\":false},\"type\":\"object\"}",
		  "no text can be valid" },
		{ "{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}", "begins with itself" },
		{ "{\"$ref\":\"#/$defs/"
		  "a\",\"$defs\":{\"a\":{\"type\":\"array\",\"items\":{\"$ref\":"
		  "\"#/$defs/a\"},\"minItems\":1}}}",
		  "no text can be valid" },
		{ "{\"type\":\"object\"", "line 1" },
		{ "[]", "a schema expected" },
	};

	maker_try_refused(counts, m, cases, sizeof cases / sizeof *cases);
}

static void test_annotations_are_passed_over(check_counts *counts, maker *m)
{
	brise_grammar *g = maker_compile(
	        m, BRISE_GRAMMAR_SCHEMA,
	        "{\"$schema\":\"x\",\"$id\":\"y\",\"title\":\"t\",\"description\":\"d\","
	        "\"default\":1,\"examples\":[2],\"$comment\":\"c\",\"x-order\":3,\"type\":\"null\","
	        "\"readOnly\":true,\"format\":\"iri\",\"markdownDescription\":\"m\","
	        "\"definitions\":{\"unused\":{\"not\":{}}}}");

	CHECK(counts, g && maker_try(g, "null") == 'v', "%s", m->err.message);
	brise_free_grammar(g);
	/* OpenAPI 3.0: beside a type, and not beside a list without null. */
	g = maker_compile(
	        m, BRISE_GRAMMAR_SCHEMA,
	        "{\"type\":\"array\",\"items\":[{\"type\":\"string\",\"nullable\":true},"
	        "{\"enum\":[1],\"type\":\"integer\",\"nullable\":true}],\"nullable\":false}");
	CHECK(counts, g && maker_try(g, "[null,1]") == 'v', "%s", m->err.message);
	CHECK(counts, g && maker_try(g, "[\"a\",n") == 'x', "%s", m->err.message);
	CHECK(counts, g && maker_try(g, "n") == 'x', "%s", m->err.message);
	brise_free_grammar(g);
}

/* Deep, exponential or huge: refused, or compiled and used, in bounded time. */
static void test_hostile_schemas_end(check_counts *counts, maker *m)
{
	static const char *const cases[] = {
		"{\"pattern\":\"(a|b)*a(a|b){40}\",\"type\":\"string\"}",
		"{\"pattern\":\"((a{1,1000}){1,1000}){1,1000}\",\"type\":\"string\"}",
		"{\"pattern\":\"(x+x+)+y\",\"type\":\"string\",\"minLength\":29999}",
		"{\"type\":\"string\",\"minLength\":4294967295}",
		"{\"type\":\"string\",\"pattern\":\"a\",\"maxLength\":1000000000}",
		"{\"type\":\"array\",\"minItems\":1e30}",
		"{\"type\":\"object\",\"minProperties\":1000000000}",
		"{\"type\":\"integer\",\"minimum\":1e400}",
		"{\"type\":\"number\",\"multipleOf\":1e-300}",
		"{\"allOf\":[{\"$ref\":\"#\"},{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}]}",
	};
	char *deep = malloc(200000), *wide = malloc(2000000);
	clock_t start = clock();
	size_t i, n = 0, w = 0;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
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
	if (!deep || !wide)
		return;
	for (i = 0; i < 9000; i++)
		n += (size_t)sprintf(deep + n, "{\"items\":");
	strcpy(deep + n, "{}");
	CHECK(counts, !maker_compile(m, BRISE_GRAMMAR_SCHEMA, deep), "nesting");
	/* Each of 12 anyOf of 3 branches doubles what there is. */
	w += (size_t)sprintf(wide, "{\"allOf\":[");
	for (i = 0; i < 12; i++)
		w += (size_t)sprintf(wide + w,
		                     "%s{\"anyOf\":[{\"minimum\":%zu},{\"maximum\":-%zu},"
		                     "{\"multipleOf\":%zu}]}",
		                     i ? "," : "", i, i + 1, i + 2);
	strcpy(wide + w, "]}");
	brise_free_grammar(maker_compile(m, BRISE_GRAMMAR_SCHEMA, wide));
	w = (size_t)sprintf(wide, "{\"type\":\"object\",\"properties\":{");
	for (i = 0; i < 5000; i++)
		w += (size_t)sprintf(wide + w, "%s\"property%zu\":{}", i ? "," : "", i);
	strcpy(wide + w, "}}");
	CHECK(counts, !maker_compile(m, BRISE_GRAMMAR_SCHEMA, wide), "properties");
	CHECK(counts, (clock() - start) / CLOCKS_PER_SEC < 60, "more than a minute");
	free(deep);
	free(wide);
}

static brise_grammar *compile_tools(maker *m, const char *tool, bool one_call)
{
	static const char tools[] =
	        "[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":"
	        "\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/n\"}},\"required\":[\"a\"],"
	        "\"additionalProperties\":false,\"$defs\":{\"n\":{\"type\":\"integer\"}}}}},"
	        "{\"type\":\"function\",\"function\":{\"name\":\"now\"}}]";
	brise_grammar_options o;
	brise_grammar *g;

	brise_init_grammar_options(&o, sizeof o);
	o.kind = BRISE_GRAMMAR_TOOLS;
	o.text = tools;
	o.bytes = sizeof tools - 1;
	o.tool = tool;
	o.one_call = one_call;
	return brise_new_grammar(&g, m->tokenizer, &o, &m->err) == BRISE_OK ? g : NULL;
}

/* A schema of less than a megabyte must not ask for the square of its size. Each of these took
 * from two seconds to minutes. */
static void test_comparing_is_bounded(check_counts *counts, maker *m)
{
	static const struct {
		const char *head, *each, *tail, *expected;
		unsigned n;
	} cases[] = {
		{ "{\"const\":{", "\"%u\":0,", "\"z\":0}}", "too much to compare", 60000 },
		{ "{\"enum\":[", "%u,", "null]}", "more than 15,000 listed", 90000 },
		{ "{\"allOf\":[{\"type\":\"integer\"},{\"enum\":[-1]},{\"enum\":[", "%u,", "-1]}]}",
		  "", 90000 },
		{ "{\"oneOf\":[{\"enum\":[-1,-2]},{\"enum\":[", "%u,", "-3]}]}",
		  "more than 15,000 listed", 90000 },
		{ "{\"properties\":{\"\":true",
		  ",\"%u\":{\"type\":\"string\",\"maxLength\":1,\"pattern\":\"(a|b)*%u.{9}\"}",
		  "}}", "too much to compare", 1900 },
		{ "{\"enum\":[", "\"%u\",", "\"\"],\"pattern\":\"(0|1)*0(0|1){10}\"}",
		  "no text can be valid", 14000 },
		{ "{\"type\":\"object\",\"properties\":{\"a\":{\"$id\":\"b\"}",
		  ",\"%u\":{\"$ref\":\"b\"}", ",\"\":{}}}", "2,000 properties", 40000 },
		{ "{\"anyOf\":[{\"$id\":\"a\"}", ",{\"$ref\":\"a\",\"minLength\":%u}", "]}",
		  "too much to compare", 19000 },
		{ "{\"pattern\":\"", "|%u", "\"}", "too large", 90000 },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = maker_repeat(cases[i].head, cases[i].each, cases[i].n, cases[i].tail);
		brise_grammar *g = maker_compile(m, BRISE_GRAMMAR_SCHEMA, text);

		CHECK(counts,
		      cases[i].expected[0] ? !g && strstr(m->err.message, cases[i].expected) : !!g,
		      "%s%s: %s", cases[i].head, cases[i].each, g ? "taken" : m->err.message);
		brise_free_grammar(g);
		free(text);
	}
}

/* Would fail if the line were counted, or elements numbered, anew for each place. */
static void test_places_are_named(check_counts *counts, maker *m)
{
	char *text = maker_repeat("{\"anyOf\":[", "\n{\"minLength\":%u},", 3000,
	                          "\n\n{\"minLength\":true}]}");

	CHECK(counts,
	      !maker_compile(m, BRISE_GRAMMAR_SCHEMA, text) &&
	              strstr(m->err.message, "line 3003: #/anyOf/3000/minLength: a count"),
	      "%s", m->err.message);
	free(text);
}

static void test_tools(check_counts *counts, maker *m)
{
	static const struct {
		const char *tool;
		bool one;
		const char *text;
		char expected;
	} cases[] = {
		{ NULL, false,
		  "[{\"name\": \"add\", \"arguments\": {\"a\": 1}, \"id\": \"call00001\"}]", 'v' },
		{ NULL, false, " [{\"name\": \"add\", \"arguments\": {\"a\": 1}}]", 'v' },
		{ NULL, false,
		  "[{\"name\":\"now\",\"arguments\":{}}, {\"name\":\"now\",\"arguments\":{}}]",
		  'v' },
		{ NULL, true, "[{\"name\":\"now\",\"arguments\":{}},", 'x' },
		{ NULL, false, "[{\"name\": \"now\", \"arguments\": {\"a\"", 'x' },
		{ NULL, false, "[{\"name\": \"add\", \"arguments\": {}", 'x' },
		{ NULL, false, "[{\"name\": \"add\", \"arguments\": {\"a\": \"", 'x' },
		{ NULL, false, "[{\"name\": \"sub\"", 'x' },
		{ "now", false, "[{\"name\": \"add\"", 'x' },
		{ "now", false, "[{\"name\": \"now\", \"arguments\": {}}]", 'v' },
		{ NULL, false, "[]", 'x' },
		{ NULL, false, "[{\"name\": \"now\", \"arguments\": {}, \"id\": \"short\"", 'x' },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		brise_grammar *g = compile_tools(m, cases[i].tool, cases[i].one);
		char result = g ? maker_try(g, cases[i].text) : '?';

		CHECK(counts, result == cases[i].expected, "%s is %c: %s", cases[i].text, result,
		      m->err.message);
		brise_free_grammar(g);
	}
	CHECK(counts, !compile_tools(m, "none", false) && m->err.code == BRISE_EINVAL, "%s",
	      m->err.message);
}

/* Only the tool whose parameters are not supported takes any object, and the text names it. */
static void test_loose_tools(check_counts *counts, maker *m)
{
	static const char tools[] =
	        "[{\"type\":\"function\",\"function\":{\"name\":\"a\\n\",\"parameters\":{\"type\":"
	        "\"object\",\"properties\":{\"x\":{\"maxlength\":1}}}}},"
	        "{\"type\":\"function\",\"function\":{\"name\":\"b\",\"parameters\":{"
	        "\"additionalProperties\":"
	        "false}}},{\"type\":\"function\",\"function\":{\"name\":\"c\",\"parameters\":{"
	        "\"anyOf\":["
	        "{\"$ref\":\"#\"}]}}}]";
	brise_grammar_options o;
	brise_grammar *g;
	const char *loose;

	brise_init_grammar_options(&o, sizeof o);
	o.kind = BRISE_GRAMMAR_TOOLS;
	o.text = tools;
	o.bytes = sizeof tools - 1;
	CHECK(counts, brise_new_grammar(&g, m->tokenizer, &o, &m->err) == BRISE_EUNSUPPORTED,
	      "taken");
	CHECK(counts, strstr(m->err.message, "parameters: #/properties/x/maxlength: a keyword"),
	      "%s", m->err.message);
	o.loose_tools = true;
	if (brise_new_grammar(&g, m->tokenizer, &o, &m->err) != BRISE_OK) {
		CHECK(counts, false, "%s", m->err.message);
		return;
	}
	loose = brise_get_loose_tools(g);
	CHECK(counts,
	      loose && !strncmp(loose, "a?: parameters: #/properties/x/maxlength: ", 41) &&
	              strstr(loose, "; c: ") && !strstr(loose, "; b: "),
	      "%s", loose ? loose : "none");
	CHECK(counts,
	      maker_try(g, "[{\"name\":\"a\\n\",\"arguments\":{\"x\":[1],\"y\":\"\"}}]") == 'v',
	      "a");
	CHECK(counts, maker_try(g, "[{\"name\":\"a\\n\",\"arguments\":[") == 'x', "no object");
	CHECK(counts, maker_try(g, "[{\"name\":\"b\",\"arguments\":{}}]") == 'v', "b");
	CHECK(counts, maker_try(g, "[{\"name\":\"b\",\"arguments\":{\"") == 'x', "b as it likes");
	brise_free_grammar(g);
	CHECK(counts, !brise_get_loose_tools(NULL), "of none");
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
	RUN(test_schemas(&counts, &m));
	RUN(test_what_is_not_supported_is_named(&counts, &m));
	RUN(test_annotations_are_passed_over(&counts, &m));
	RUN(test_hostile_schemas_end(&counts, &m));
	RUN(test_comparing_is_bounded(&counts, &m));
	RUN(test_places_are_named(&counts, &m));
	RUN(test_tools(&counts, &m));
	RUN(test_loose_tools(&counts, &m));
	maker_end(&m);
	return check_report("grammar_schema", &counts);
}
