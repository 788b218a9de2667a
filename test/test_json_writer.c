/* test_json_writer.c - what JSON text comes of values: numbers, strings that are not UTF-8, layout
 */
#include <math.h>
#include <string.h>

#include "runtime/text/json_writer.h"
#include "test/check.h"

static check_counts counts;

typedef struct collected {
	char text[4096];
	size_t n;
} collected;

static void collect(void *user, const char *bytes, size_t n)
{
	collected *c = user;

	if (n < sizeof c->text - c->n) {
		memcpy(c->text + c->n, bytes, n);
		c->n += n;
		c->text[c->n] = 0;
	}
}

static void check_string(const char *text, size_t bytes, const char *expected)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c };

	json_put_text(&w, NULL, text, bytes);
	CHECK(&counts, c.n == strlen(expected) && memcmp(c.text, expected, c.n) == 0,
	      "%s is written, not %s", expected, c.text);
}

static void check_json_values(void)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c };

	json_open(&w, NULL, '{');
	json_put_number(&w, "a", 0.1, 17);
	json_put_number(&w, "nan", NAN, 9);
	json_put_number(&w, "inf", -INFINITY, 9);
	json_open(&w, "list", '[');
	json_put_integer(&w, NULL, INT64_MIN);
	json_put_unsigned(&w, NULL, UINT64_MAX);
	json_open(&w, NULL, '{');
	json_close(&w);
	json_put_bool(&w, NULL, true);
	json_close(&w);
	json_put_string(&w, "s", NULL);
	json_put_number(&w, "b", 1e300, 3);
	json_close(&w);
	CHECK(&counts,
	      !strcmp(c.text, "{\"a\":0.10000000000000001,\"nan\":null,\"inf\":null,\"list\":["
	                      "-9223372036854775808,18446744073709551615,{},true],\"s\":null,"
	                      "\"b\":1e+300}"),
	      "written: %s", c.text);
}

static void check_json_decimals(void)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c };

	json_open(&w, NULL, '[');
	json_put_fixed(&w, NULL, 2.0 / 3, 2);
	json_put_fixed(&w, NULL, 0, 4);
	json_put_fixed(&w, NULL, INFINITY, 1);
	json_put_exactly(&w, NULL, 0, false);
	json_put_exactly(&w, NULL, -10000, false);
	json_put_exactly(&w, NULL, 1e300, false);
	json_put_exactly(&w, NULL, 0.02, false);
	json_put_exactly(&w, NULL, (double)1e-5f, true);
	json_put_exactly(&w, NULL, (double)1e-5f, false);
	json_put_exactly(&w, NULL, NAN, true);
	json_close(&w);
	CHECK(&counts,
	      !strcmp(c.text, "[0.67,0.0000,null,0.0,-10000.0,1e+300,0.02,1e-05,"
	                      "9.999999747378752e-06,null]"),
	      "written: %s", c.text);
}

/* What Python's json.dumps(value, indent=2) prints. */
static void check_json_lines(void)
{
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c, .indent = 2 };

	json_open(&w, NULL, '{');
	json_put_string(&w, "a", "b");
	json_open(&w, "list", '[');
	json_put_integer(&w, NULL, 1);
	json_open(&w, NULL, '{');
	json_close(&w);
	json_close(&w);
	json_close(&w);
	CHECK(&counts, !strcmp(c.text, "{\n  \"a\": \"b\",\n  \"list\": [\n    1,\n    {}\n  ]\n}"),
	      "written: %s", c.text);
}

static void check_json_of_others(void)
{
	static const char text[] = "{ \"a b\" :\n\t[1, \"\\\" \\\\\" ,\r\n true ] }";
	collected c = { "", 0 };
	json_writer w = { .sink = collect, .user = &c };

	json_open(&w, NULL, '[');
	json_put_integer(&w, NULL, 1);
	json_put_json(&w, NULL, text, strlen(text));
	json_close(&w);
	CHECK(&counts, !strcmp(c.text, "[1,{\"a b\":[1,\"\\\" \\\\\",true]}]"), "written: %s",
	      c.text);
}

#define BAD "\xef\xbf\xbd"

static void check_json_strings(void)
{
	check_string("", 0, "\"\"");
	check_string("a \"b\" \\c/", 9, "\"a \\\"b\\\" \\\\c/\"");
	check_string("\n\t\r\b\f\0\x1f\x7f", 8,
	             "\"\\n\\t\\u000d\\u0008\\u000c\\u0000\\u001f\\u007f\"");
	check_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	             "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check_string("a\xff"
	             "b",
	             3, "\"a" BAD "b\"");
	check_string("\xc3", 1, "\"" BAD "\"");                         /* cut short */
	check_string("\xe2\x82", 2, "\"" BAD BAD "\"");                 /* cut short, each byte */
	check_string("\xc0\xaf", 2, "\"" BAD BAD "\"");                 /* overlong */
	check_string("\xed\xa0\x80", 3, "\"" BAD BAD BAD "\"");         /* a surrogate */
	check_string("\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""); /* above U+10FFFF */
	check_string("\xe2\x82\xac\"", 3, "\"\xe2\x82\xac\"");          /* the length ends it */
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(check_json_strings());
	RUN(check_json_values());
	RUN(check_json_decimals());
	RUN(check_json_lines());
	RUN(check_json_of_others());
	return check_report("json_writer", &counts);
}
