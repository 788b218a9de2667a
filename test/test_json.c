/* test_json.c - the JSON reader accepts what RFC 8259 accepts, refuses the rest with line and byte,
 * and reads no byte after its text */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text/json.h"
#include "test/check.h"
#include "test/guarded.h"
#include "test/random.h"

#define ROOM      8192u
#define MUTATIONS 40000u

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* The text under test ends where the guard page begins. */
static guarded page;

static const char *place(const char *text, size_t size)
{
	char *at = (char *)page.data + ROOM - size;

	if (size > ROOM)
		abort();
	memcpy(at, text, size);
	return at;
}

static brise_status skip_text(const char *text, size_t size, brise_error *err)
{
	json_reader r;

	json_begin(&r, place(text, size), size, "some.json", err);
	json_skip(&r);
	return json_end(&r);
}

/* A reader at the start of a NUL-terminated text. */
static json_reader begin(const char *text, brise_error *err)
{
	json_reader r;

	err->message[0] = 0;
	json_begin(&r, place(text, strlen(text)), strlen(text), "some.json", err);
	return r;
}

static void test_valid_texts_are_accepted(check_counts *counts)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"7",
		"-12",
		"1.5",
		"0.0",
		"1e5",
		"1E5",
		"1e+5",
		"1e-5",
		"-0.0E-0",
		"10",
		"1e400",
		"123456789012345678901234567890",
		"true",
		"false",
		"null",
		"\"\"",
		"\"a\"",
		"[]",
		"{}",
		"[ ]",
		"{ }",
		" [1] ",
		"\t[\n1\r,\n2 ]\n",
		"[[],[[]]]",
		"[{}]",
		"{\"a\":[]}",
		"{\"a\":{}}",
		"{\"\":0}",
		"{\"a\":1,\"b\":2}",
		"{\"a\":1,\"a\":2}",
		"[null,true,false,\"x\",1,{\"y\":[0]}]",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\\u0000\"",
		"{\"\\u0000\":1}",
		"\"\\uD834\\uDD1E\"",
		"\"\\ud834\\udd1e\"",
		"\"\\uFFFF\"",
		"\"\x7f\"",
		"\"\xc2\x80\"",
		"\"\xe2\x82\xac\"",
		"\"\xed\x9f\xbf\"",
		"\"\xee\x80\x80\"",
		"\"\xf0\x90\x80\x80\"",
		"\"\xf4\x8f\xbf\xbf\"",
		"\"\xef\xbb\xbf\"",
		"\"[{,:\"",
	};
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(texts); i++) {
		err.message[0] = 0;
		CHECK(counts, skip_text(texts[i], strlen(texts[i]), &err) == BRISE_OK, "%s: %s",
		      texts[i], err.message);
	}
}

static void test_what_python_writes_is_passed_over(check_counts *counts)
{
	static const char *const texts[] = { "NaN",
		                             "Infinity",
		                             "-Infinity",
		                             "[NaN,-Infinity , Infinity]",
		                             "{\"a\":NaN,\"b\":{\"c\":[-Infinity]}}",
		                             "\xef\xbb\xbf{}",
		                             "\xef\xbb\xbf [1]" };
	static const char *const numbers[] = { "NaN", "Infinity", "-Infinity", "[NaN]" };
	brise_error err;
	json_reader r;
	double value;
	size_t i;

	for (i = 0; i < LENGTH(texts); i++) {
		brise_status status = skip_text(texts[i], strlen(texts[i]), &err);

		CHECK(counts, status == BRISE_OK, "%s: %s", texts[i], err.message);
	}
	for (i = 0; i < LENGTH(numbers); i++) {
		json_begin(&r, numbers[i], strlen(numbers[i]), "some.json", &err);
		CHECK(counts, !json_read_double(&r, &value) && r.status == BRISE_EFORMAT,
		      "%s read as a number", numbers[i]);
	}
}

static void test_invalid_texts_are_refused(check_counts *counts)
{
	static const char *const texts[] = {
		/* nothing, or more than one value */
		"",
		" ",
		"\n",
		"1 2",
		"1,",
		"[]]",
		"{}}",
		"[] x",
		"null null",
		"\"a\"\"b\"",
		"\v1",
		"\f1",
		"\xa0[]",
		"/**/1",
		"1//x",
		"#1",
		/* numbers */
		"01",
		"-01",
		"00",
		"1.",
		"-1.",
		".5",
		"-.5",
		"+1",
		"-",
		"--1",
		"1e",
		"1e+",
		"1E-",
		"1.e5",
		"1.5e",
		"1e1.5",
		"0x10",
		"1_000",
		"nan",
		"-NaN",
		"inf",
		"1a",
		"1.2.3",
		"[1 000]",
		"[0.1.2]",
		"[012]",
		"[-]",
		"[1+2]",
		"1f",
		/* words */
		"tru",
		"True",
		"TRUE",
		"truee",
		"nul",
		"nulll",
		"fals",
		"falsey",
		"undefined",
		"[true1]",
		"[nul]",
		"t",
		"n",
		"f",
		/* strings */
		"\"",
		"\"a",
		"a\"",
		"'a'",
		"\"\\\"",
		"\"\\",
		"\"\\a\"",
		"\"\\x41\"",
		"\"\\0\"",
		"\"\\U0041\"",
		"\"\\'\"",
		"\"\\u\"",
		"\"\\u0\"",
		"\"\\u004\"",
		"\"\\u00g0\"",
		"\"\\u+041\"",
		"\"\\u 041\"",
		"\"\t\"",
		"\"\n\"",
		"\"\r\"",
		"\"\x01\"",
		"\"\x1f\"",
		"[\"a\nb\"]",
		"{\"\t\":1}",
		/* surrogates */
		"\"\\ud800\"",
		"\"\\udbff\"",
		"\"\\udc00\"",
		"\"\\udfff\"",
		"\"\\ud800x\"",
		"\"\\ud800\\n\"",
		"\"\\ud800\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\\udc00\\ud800\"",
		"\"\\ud800\\\"",
		"\"\\ud800\\u\"",
		"\"\\ud800\\udc0\"",
		"{\"\\ud800\":1}",
		/* UTF-8 */
		"\"\x80\"",
		"\"\xbf\"",
		"\"\xc0\x80\"",
		"\"\xc1\xbf\"",
		"\"\xc3\"",
		"\"\xc3(\"",
		"\"\xe0\x80\x80\"",
		"\"\xe0\x9f\xbf\"",
		"\"\xe2\x82\"",
		"\"\xed\xa0\x80\"",
		"\"\xed\xbf\xbf\"",
		"\"\xf0\x80\x80\x80\"",
		"\"\xf0\x8f\xbf\xbf\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"",
		"\"\xf8\x88\x80\x80\x80\"",
		"\"\xfe\"",
		"\"\xff\"",
		"\"\xf0\x9f\x98\"",
		"\"\xf0\x9f\x98",
		/* containers */
		"[",
		"]",
		"{",
		"}",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[,]",
		"[1,,2]",
		"[1 2]",
		"[1;2]",
		"[}",
		"{]",
		"[1}",
		"{\"a\":1]",
		"[[1]",
		"[\"a\"",
		"[\"a\",\n4\n,1,",
		"[:1]",
		"[\"a\":1]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,\"a\":1}",
		"{\"a\":1,,\"b\":2}",
		"{\"a\":1 \"b\":2}",
		"{\"a\" 1}",
		"{\"a\"::1}",
		"{\"a\",1}",
		"{a:1}",
		"{1:1}",
		"{'a':1}",
		"{null:1}",
		"{[]:1}",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,\"b",
		"{\"a\":",
		"{\"a\"",
		"{\"",
		"{\"a\":1}}",
		"{\"a\":1},",
		"{\"a\":1}{",
		"{:1}",
		"{\"a\":[}",
		"[{]",
		"*",
	};
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(texts); i++) {
		brise_status status;

		err.message[0] = 0;
		status = skip_text(texts[i], strlen(texts[i]), &err);
		CHECK(counts,
		      status == BRISE_EFORMAT && !strncmp(err.message, "some.json: line ", 16),
		      "%s: %d %s", texts[i], status, err.message);
	}
}

static void test_zero_characters_end_nothing(check_counts *counts)
{
	static const struct {
		const char *text;
		size_t size;
	} texts[] = { { "\0", 1 },     { "1\0", 2 },      { "[1]\0", 4 },
		      { "[\0]", 3 },   { "\"a\0b\"", 5 }, { "{\"a\0\":1}", 8 },
		      { "1\0002", 3 }, { "\"\\\0\"", 4 }, { "tru\0", 4 } };
	size_t i;

	for (i = 0; i < LENGTH(texts); i++)
		CHECK(counts, skip_text(texts[i].text, texts[i].size, NULL) == BRISE_EFORMAT,
		      "text %zu", i);
}

static const char document[] =
        "{\"a\": [1, -2.5e-3, true, false, null, \"x\\u20ac\\ud834\\udd1e\\n\xe2\x82\xac\", {}, "
        "[]],\n \"b\": {\"c\": {\"d\": [[[0]]]}, \"\": \"\"}}";

static void test_truncated_text_is_refused_at_every_byte(check_counts *counts)
{
	size_t size;

	for (size = 0; size < sizeof document - 1; size++)
		CHECK(counts, skip_text(document, size, NULL) == BRISE_EFORMAT, "cut to %zu", size);
	CHECK(counts, skip_text(document, size, NULL) == BRISE_OK, "uncut");
}

static void test_depth_is_bounded(check_counts *counts)
{
	char text[2 * JSON_DEPTH + 200];
	brise_error err;
	unsigned depth;

	for (depth = JSON_DEPTH - 1; depth <= JSON_DEPTH + 2; depth++) {
		brise_status status;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		status = skip_text(text, 2 * (size_t)depth, &err);
		CHECK(counts, status == (depth <= JSON_DEPTH ? BRISE_OK : BRISE_EFORMAT), "%u: %d",
		      depth, status);
	}
	CHECK(counts, strstr(err.message, "nested too deeply"), "%s", err.message);
	memset(text, '[', sizeof text);
	CHECK(counts, skip_text(text, sizeof text, NULL) == BRISE_EFORMAT, "brackets without end");
}

/* Depth is that of the whole walk, not of json_skip alone. */
static void test_depth_counts_what_the_caller_entered(check_counts *counts)
{
	char text[2 * JSON_DEPTH + 8];
	brise_error err;
	json_reader r;
	unsigned i;

	memset(text, '[', JSON_DEPTH + 1);
	memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	json_begin(&r, place(text, 2 * JSON_DEPTH + 2), 2 * JSON_DEPTH + 2, "some.json", &err);
	for (i = 0; i < JSON_DEPTH; i++)
		CHECK(counts, json_enter_array(&r) && json_next_element(&r), "%u", i);
	CHECK(counts, !json_skip(&r) && json_end(&r) == BRISE_EFORMAT, "one more");
}

static void test_escapes_become_utf8(check_counts *counts)
{
	static const struct {
		const char *text, *bytes;
		size_t n;
	} strings[] = {
		{ "\"\"", "", 0 },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8 },
		{ "\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", 6 },
		{ "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
		  "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11 },
		{ "\"\\ud800\\udc00\"", "\xf0\x90\x80\x80", 4 },
		{ "\"\\uD834\\udD1e\"", "\xf0\x9d\x84\x9e", 4 },
		{ "\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", 4 },
		{ "\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80", 6 },
		{ "\"a\\u0000b\"", "a\0b", 3 },
		{ "\"\xe2\x82\xac\xf0\x9f\x98\x80\"", "\xe2\x82\xac\xf0\x9f\x98\x80", 7 },
	};
	size_t i;

	for (i = 0; i < LENGTH(strings); i++) {
		brise_error err;
		json_reader r = begin(strings[i].text, &err);
		size_t n = 99;
		char *text;

		CHECK(counts, json_read_string(&r, &text, &n) && json_end(&r) == BRISE_OK, "%s: %s",
		      strings[i].text, err.message);
		CHECK(counts,
		      text && n == strings[i].n && !memcmp(text, strings[i].bytes, n) &&
		              text[n] == 0,
		      "%s: %zu bytes", strings[i].text, n);
		free(text);
	}
}

static void test_refused_string_allocates_nothing(check_counts *counts)
{
	brise_error err;
	json_reader r = begin("\"abc\\x\"", &err);
	char *text = (char *)&r;
	size_t n = 9;

	CHECK(counts, !json_read_string(&r, &text, &n) && !text && n == 0, "%s", err.message);
}

static void test_long_keys_come_out_cut(check_counts *counts)
{
	static const char text[] = "{\"dim\":1,\"dimension\":2,\"dim\xe2\x82\xac\":3,"
	                           "\"di\xf0\x9f\x98\x80m\":4,\"dime\":5}";
	static const int64_t expected[] = { 1, 2, 3, 4, 5 };
	guarded buffer = guarded_new(5, 1);
	char *key = (char *)buffer.data;
	brise_error err;
	json_reader r = begin(text, &err);
	size_t n = 0;

	json_enter_object(&r);
	while (json_next_key(&r, key, 5)) {
		int64_t value = 0;

		CHECK(counts,
		      json_read_integer(&r, &value) && n < LENGTH(expected) && value == expected[n],
		      "key %zu: %d", n, (int)value);
		CHECK(counts, strlen(key) <= 4 && !strcmp(key, "dim") == (n == 0), "key %zu: %s", n,
		      key);
		CHECK(counts, n == 0 || n == 3 || !strncmp(key, "dim", 3), "key %zu: %s", n, key);
		n++;
		strcpy(key, "dim"); /* no earlier contents of the buffer may remain in a cut key */
	}
	CHECK(counts, n == LENGTH(expected) && json_end(&r) == BRISE_OK, "%zu keys: %s", n,
	      err.message);
	guarded_free(&buffer);
}

/* A key is compared as a C string: one that only begins like a known one must not be taken for
 * it. */
static void test_key_with_a_zero_character_matches_nothing(check_counts *counts)
{
	brise_error err;
	json_reader r = begin("{\"dim\\u0000x\":1}", &err);
	char key[16];

	json_enter_object(&r);
	CHECK(counts, json_next_key(&r, key, sizeof key) && strcmp(key, "dim") != 0, "%s",
	      err.message);
}

static void test_names_that_do_not_fit_are_refused(check_counts *counts)
{
	guarded buffer = guarded_new(4, 1);
	char *name = (char *)buffer.data;
	brise_error err;
	json_reader r = begin("\"abc\"", &err);

	CHECK(counts, json_read_name(&r, name, 4) && !strcmp(name, "abc"), "%s", err.message);
	r = begin("\"abcd\"", &err);
	CHECK(counts, !json_read_name(&r, name, 4) && strstr(err.message, "longer"), "%s",
	      err.message);
	r = begin("\"a\xe2\x82\xac\"", &err);
	CHECK(counts, !json_read_name(&r, name, 4) && strstr(err.message, "longer"), "%s",
	      err.message);
	r = begin("\"a\\u0000\"", &err);
	CHECK(counts, !json_read_name(&r, name, 4) && strstr(err.message, "zero"), "%s",
	      err.message);
	guarded_free(&buffer);
}

static void test_integers_end_at_64_bits(check_counts *counts)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = { { "0", 0 },
		     { "-0", 0 },
		     { "-1", -1 },
		     { "42", 42 },
		     { "9223372036854775807", INT64_MAX },
		     { "-9223372036854775808", INT64_MIN },
		     { "-9223372036854775807", -INT64_MAX },
		     { " 7 ", 7 } };
	static const char *const bad[] = { "9223372036854775808",
		                           "-9223372036854775809",
		                           "18446744073709551616",
		                           "18446744073709551617",
		                           "92233720368547758070",
		                           "1.0",
		                           "1e2",
		                           "-0.0",
		                           "\"1\"",
		                           "true",
		                           "[1]",
		                           "99999999999999999999999999999999",
		                           "-",
		                           "1.",
		                           "01x" };
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(good); i++) {
		json_reader r = begin(good[i].text, &err);
		int64_t value = 99;

		CHECK(counts,
		      json_read_integer(&r, &value) && json_end(&r) == BRISE_OK &&
		              value == good[i].value,
		      "%s: %s", good[i].text, err.message);
	}
	for (i = 0; i < LENGTH(bad); i++) {
		json_reader r = begin(bad[i], &err);
		int64_t value = 99;

		CHECK(counts,
		      (!json_read_integer(&r, &value) || json_end(&r)) &&
		              json_end(&r) == BRISE_EFORMAT &&
		              strstr(err.message, "some.json: line 1"),
		      "%s: %s", bad[i], err.message);
	}
}

static void test_doubles_are_correctly_rounded(check_counts *counts)
{
	static const struct {
		const char *text;
		double value;
	} good[] = {
		{ "0", 0 },
		{ "1e-05", 0x1.4f8b588e368f1p-17 },
		{ "0.1", 0x1.999999999999ap-4 },
		{ "1000000.0", 1000000 },
		{ "1E6", 1000000 },
		{ "1e23", 0x1.52d02c7e14af6p+76 },
		{ "8.5e-7", 8.5e-7 },
		{ "9007199254740993", 0x1p53 }, /* half way: to even */
		{ "9007199254740993.00000000000000000000000001",
		  0x1.0000000000001p53 }, /* a little above */
		{ "9007199254740995", 0x1.0000000000002p53 },
		{ "1.00000000000000011102230246251565404236316680908203125", 1.0 },
		{ "1.00000000000000011102230246251565404236316680908203126", 0x1.0000000000001p0 },
		/* once an endless loop in several parsers */
		{ "2.2250738585072011e-308", 0x0.fffffffffffffp-1022 },
		{ "2.2250738585072012e-308", 0x1p-1022 },
		{ "5e-324", 0x1p-1074 },
		{ "2.4703282292062327e-324", 0 },
		{ "2.4703282292062328e-324", 0x1p-1074 },
		{ "1e-400", 0 },
		{ "1.7976931348623157e308", 0x1.fffffffffffffp1023 },
		{ "1.7976931348623158e308", 0x1.fffffffffffffp1023 },
		{ "-1.7976931348623157e308", -0x1.fffffffffffffp1023 },
	};
	static const char *const bad[] = { "1e400",
		                           "-1e400",
		                           "1.7976931348623159e308",
		                           "1e999999999999999999999",
		                           "\"1\"",
		                           "null",
		                           "1.",
		                           ".5",
		                           "+1",
		                           "1e" };
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(good); i++) {
		json_reader r = begin(good[i].text, &err);
		double value = 99;

		CHECK(counts,
		      json_read_double(&r, &value) && json_end(&r) == BRISE_OK &&
		              value == good[i].value,
		      "%s: %a", good[i].text, value);
	}
	for (i = 0; i < LENGTH(bad); i++) {
		json_reader r = begin(bad[i], &err);
		double value = 99;

		CHECK(counts,
		      !json_read_double(&r, &value) && json_end(&r) == BRISE_EFORMAT &&
		              strstr(err.message, "number"),
		      "%s: %s", bad[i], err.message);
	}
}

static void test_minus_zero_keeps_its_sign(check_counts *counts)
{
	brise_error err;
	json_reader r = begin("-0.0", &err);
	double value = 1;

	CHECK(counts, json_read_double(&r, &value) && value == 0 && signbit(value), "%g", value);
}

static void test_endless_numbers_are_refused_where_they_are_read(check_counts *counts)
{
	char digits[2000];
	brise_error err;
	json_reader r;
	double value;

	memset(digits, '1', sizeof digits);
	CHECK(counts, skip_text(digits, sizeof digits, &err) == BRISE_OK, "%s", err.message);
	json_begin(&r, place(digits, sizeof digits), sizeof digits, "some.json", &err);
	CHECK(counts, !json_read_double(&r, &value) && strstr(err.message, "digits"), "%s",
	      err.message);
	/* The longest accepted. */
	digits[1] = '.';
	json_begin(&r, place(digits, 400), 400, "some.json", &err);
	CHECK(counts, json_read_double(&r, &value) && value == 10.0 / 9, "%s", err.message);
}

static void test_messages_name_line_and_byte(check_counts *counts)
{
	brise_error err;

	(void)skip_text("{\n  \"a\": 1,\n  \"b\": x\n}", 23, &err);
	CHECK(counts,
	      err.code == BRISE_EFORMAT &&
	              !strncmp(err.message, "some.json: line 3, byte 19: ", 28),
	      "%s", err.message);
	(void)skip_text("", 0, &err);
	CHECK(counts, !strncmp(err.message, "some.json: line 1, byte 0: ", 27), "%s", err.message);
	(void)skip_text("[1\n\n", 4, &err);
	CHECK(counts, !strncmp(err.message, "some.json: line 3, byte 4: ", 27), "%s", err.message);
}

static void test_first_error_stays(check_counts *counts)
{
	brise_error err;
	json_reader r = begin("[1, x, {\"k\": 2}]", &err);
	char first[sizeof err.message], key[8], *text;
	int64_t number;
	double real;
	size_t n;
	bool flag;

	CHECK(counts,
	      json_enter_array(&r) && json_next_element(&r) && json_read_integer(&r, &number) &&
	              json_next_element(&r),
	      "%s", err.message);
	CHECK(counts, !json_read_integer(&r, &number), "x");
	memcpy(first, err.message, sizeof first);
	CHECK(counts,
	      !json_next_element(&r) && !json_enter_object(&r) && !json_enter_array(&r) &&
	              !json_next_key(&r, key, sizeof key),
	      "containers");
	CHECK(counts,
	      !json_read_integer(&r, &number) && !json_read_double(&r, &real) &&
	              !json_read_bool(&r, &flag) && !json_read_null(&r),
	      "scalars");
	CHECK(counts,
	      !json_read_string(&r, &text, &n) && !json_read_name(&r, key, sizeof key) &&
	              !json_skip(&r),
	      "strings");
	CHECK(counts,
	      !json_refuse(&r, BRISE_EUNSUPPORTED, "another") && json_end(&r) == BRISE_EFORMAT &&
	              !strcmp(first, err.message),
	      "%s", err.message);
	CHECK(counts, json_peek(&r) == JSON_NOTHING, "a value ahead");
}

static void test_wrong_types_are_refused(check_counts *counts)
{
	brise_error err;
	json_reader r;
	char name[8];
	bool flag;

	r = begin("[]", &err);
	CHECK(counts, !json_enter_object(&r) && strstr(err.message, "object expected"), "%s",
	      err.message);
	r = begin("{}", &err);
	CHECK(counts, !json_enter_array(&r) && strstr(err.message, "array expected"), "%s",
	      err.message);
	r = begin("1", &err);
	CHECK(counts,
	      !json_read_name(&r, name, sizeof name) && strstr(err.message, "string expected"),
	      "%s", err.message);
	r = begin("null", &err);
	CHECK(counts, !json_read_bool(&r, &flag) && strstr(err.message, "true or false"), "%s",
	      err.message);
	r = begin("false", &err);
	CHECK(counts, !json_read_null(&r) && strstr(err.message, "null expected"), "%s",
	      err.message);
	r = begin("false", &err);
	CHECK(counts, json_read_bool(&r, &flag) && !flag && json_end(&r) == BRISE_OK, "%s",
	      err.message);
	r = begin("true", &err);
	CHECK(counts, json_read_bool(&r, &flag) && flag && json_end(&r) == BRISE_OK, "%s",
	      err.message);
}

static void test_peek_tells_types(check_counts *counts)
{
	static const char *const texts[] = { "",  " {", "[", "\n\"", "-", "7",
		                             "t", "f",  "n", "x",    "," };
	static const json_type types[] = { JSON_NOTHING, JSON_OBJECT,  JSON_ARRAY,  JSON_STRING,
		                           JSON_NUMBER,  JSON_NUMBER,  JSON_BOOL,   JSON_BOOL,
		                           JSON_NULL,    JSON_NOTHING, JSON_NOTHING };
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(texts); i++) {
		json_reader r = begin(texts[i], &err);

		CHECK(counts, json_peek(&r) == types[i], "%s", texts[i]);
	}
}

/* Random damage: skipping ends with one of two statuses, and the guard page stays untouched. */
static void test_damaged_texts_do_no_harm(check_counts *counts)
{
	static const char evil[] = "{}[]\",:\\u0eE+-.tfn\n \x00\xff\xc3\xed";
	unsigned i, k, accepted = 0, strange = 0;
	uint64_t seed = 8;

	for (i = 0; i < MUTATIONS; i++) {
		char text[sizeof document];
		size_t size = 1 + random_next(&seed) % (sizeof document - 1);
		brise_status status;

		memcpy(text, document, sizeof text);
		for (k = 0; k <= random_next(&seed) % 4; k++)
			text[random_next(&seed) % (sizeof document - 1)] =
			        evil[random_next(&seed) % (sizeof evil - 1)];
		status = skip_text(text, random_next(&seed) % 2 ? size : sizeof document - 1, NULL);
		accepted += status == BRISE_OK;
		strange += status != BRISE_OK && status != BRISE_EFORMAT;
	}
	CHECK(counts, strange == 0 && accepted > 0 && accepted < MUTATIONS / 2,
	      "%u accepted, %u strange", accepted, strange);
}

/* A value of another type is named by its key, if that is a plain name that the value belongs to.
 */
static void test_values_of_other_types_are_named_by_their_keys(check_counts *counts)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "{\"size\": \"4096\"}", "byte 9: size: a number expected" },
		{ "{\"a\": 1, \"size\": [true]}", "size: a number expected" },
		{ "{\"o\": {\"x\": 1}, \"size\": null}", "size: a number expected" },
		{ "{\"size\": [{\"x\": 1}, 2, null]}", "byte 23: a number expected" },
		{ "{\"a b\": null}", "byte 8: a number expected" },
		{ "{\"\\u0000\": null}", ": a number expected" },
		{ "{\"a\": 1, 5: 1}", "byte 9: a string expected" },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		brise_error err = { BRISE_OK, "" };
		char key[16], inner[16];
		json_reader r;
		int64_t value;

		json_begin(&r, cases[i].json, strlen(cases[i].json), "a.json", &err);
		json_enter_object(&r);
		while (json_next_key(&r, key, sizeof key))
			if (json_peek(&r) == JSON_OBJECT) {
				json_enter_object(&r);
				while (json_next_key(&r, inner, sizeof inner))
					json_read_integer(&r, &value);
			} else if (json_peek(&r) == JSON_ARRAY) {
				json_enter_array(&r);
				while (json_next_element(&r))
					if (json_peek(&r) == JSON_OBJECT)
						json_skip(&r);
					else
						json_read_integer(&r, &value);
			} else {
				json_read_integer(&r, &value);
			}
		CHECK(counts,
		      json_end(&r) == BRISE_EFORMAT &&
		              strlen(err.message) > strlen(cases[i].text) &&
		              !strcmp(err.message + strlen(err.message) - strlen(cases[i].text),
		                      cases[i].text),
		      "%s: %s", cases[i].json, err.message);
	}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	page = guarded_new(ROOM, 1);
	RUN(test_valid_texts_are_accepted(&counts));
	RUN(test_what_python_writes_is_passed_over(&counts));
	RUN(test_invalid_texts_are_refused(&counts));
	RUN(test_zero_characters_end_nothing(&counts));
	RUN(test_truncated_text_is_refused_at_every_byte(&counts));
	RUN(test_depth_is_bounded(&counts));
	RUN(test_depth_counts_what_the_caller_entered(&counts));
	RUN(test_escapes_become_utf8(&counts));
	RUN(test_refused_string_allocates_nothing(&counts));
	RUN(test_long_keys_come_out_cut(&counts));
	RUN(test_key_with_a_zero_character_matches_nothing(&counts));
	RUN(test_names_that_do_not_fit_are_refused(&counts));
	RUN(test_integers_end_at_64_bits(&counts));
	RUN(test_doubles_are_correctly_rounded(&counts));
	RUN(test_minus_zero_keeps_its_sign(&counts));
	RUN(test_endless_numbers_are_refused_where_they_are_read(&counts));
	RUN(test_messages_name_line_and_byte(&counts));
	RUN(test_first_error_stays(&counts));
	RUN(test_wrong_types_are_refused(&counts));
	RUN(test_peek_tells_types(&counts));
	RUN(test_damaged_texts_do_no_harm(&counts));
	guarded_free(&page);
	RUN(test_values_of_other_types_are_named_by_their_keys(&counts));
	return check_report("json", &counts);
}
