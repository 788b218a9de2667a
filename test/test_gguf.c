/* test_gguf.c - GGUF's container, element types and tokenizer; damaged and hostile files are
 * refused */
#include <stdlib.h>
#include <unistd.h>

#include "convert/checkpoint/gguf_architecture.h"
#include "convert/formats/elements.h"
#include "convert/formats/gguf_reader.h"
#include "convert/tokenizer/gguf_tokenizer.h"
#include "convert/tokenizer/sentencepiece.h"
#include "runtime/text/tokenizer.h"
#include "test/check.h"
#include "test/gguf_maker.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define BREEZE        "test/models/breeze/tokenizer.model"

/* ---- the container --------------------------------------------------------------------------- */

static brise_status read_bytes(const void *bytes, size_t n, brise_error *err)
{
	tensor_list list = { NULL, 0, 0 };
	gguf_header h;
	brise_status status = gguf_read_memory(&h, bytes, n, "memory", 0, &list, err);
	size_t i;

	for (i = 0; status == BRISE_OK && i < list.n; i++)
		if (list.items[i].offset > n || list.items[i].bytes > n - list.items[i].offset)
			status = BRISE_EINVAL; /* no reader may accept it */
	gguf_free(&h);
	tensors_free(&list);
	return status;
}

/* One value of every type, then an array of every type. */
static maker_bytes make_values(void)
{
	gguf_maker g = { .version = 0 };
	char key[24];
	uint32_t type;
	int array;

	for (array = 0; array <= 1; array++)
		for (type = 0; type < GGUF_VALUE_TYPES; type++) {
			unsigned width = type == GGUF_U16 || type == GGUF_I16   ? 2
			                 : type < GGUF_U16 || type == GGUF_BOOL ? 1
			                 : type >= GGUF_U64                     ? 8
			                                                        : 4;
			uint64_t value = type == GGUF_F32    ? half_to_bits(-2.5f)
			                 : type == GGUF_F64  ? 0xc004000000000000u
			                 : type == GGUF_BOOL ? 1
			                                     : UINT64_MAX - 1;
			maker_bytes *b;
			int k;

			if (type == GGUF_ARRAY)
				continue;
			(void)snprintf(key, sizeof key, "%s.%u", array ? "array" : "value",
			               (unsigned)type);
			b = array ? gguf_put_array(&g, key, type, 2) : gguf_put_key(&g, key, type);
			for (k = 0; k <= array; k++) {
				if (type == GGUF_STRING)
					gguf_put_text(b, k ? "second" : "text");
				else
					maker_number(b, value, width);
			}
		}
	(void)gguf_put_array(&g, "array.empty", GGUF_STRING, 0);
	return gguf_finish(&g);
}

static void test_every_value_type_is_read(check_counts *counts)
{
	static const int64_t integers[GGUF_VALUE_TYPES] = {
		[GGUF_U8] = 0xfe,        [GGUF_I8] = -2,  [GGUF_U16] = 0xfffe, [GGUF_I16] = -2,
		[GGUF_U32] = 0xfffffffe, [GGUF_I32] = -2, [GGUF_I64] = -2
	};
	maker_bytes file = make_values();
	tensor_list list = { NULL, 0, 0 };
	gguf_header h;
	brise_error err;
	char key[24];
	uint32_t type, array;

	CHECK(counts, gguf_read_memory(&h, file.data, file.n, "memory", 0, &list, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts,
	      h.n_values == 25 && !gguf_find(&h, "value") && gguf_find(&h, "array.empty")->n == 0,
	      "%zu values", h.n_values);
	for (type = 0; type < GGUF_VALUE_TYPES; type++)
		for (array = 0; array <= 1 && type != GGUF_ARRAY; array++) {
			const gguf_value *v;
			int64_t integer = 0;
			double number = 0;
			bool flag = false, is_integer, is_number, is_flag;

			(void)snprintf(key, sizeof key, "%s.%u", array ? "array" : "value",
			               (unsigned)type);
			v = gguf_find(&h, key);
			CHECK(counts,
			      v && v->type == type && v->is_array == (array == 1) &&
			              v->n == 1 + array,
			      "%s", key);
			is_integer = gguf_get_integer(&h, v, array, &integer);
			is_number = gguf_get_number(&h, v, array, &number);
			is_flag = gguf_get_bool(&h, v, array, &flag);
			CHECK(counts,
			      is_integer == (integers[type] != 0) && integer == integers[type],
			      "%s", key);
			CHECK(counts,
			      is_number == (is_integer || type == GGUF_F32 || type == GGUF_F64) &&
			              (is_integer || !is_number || number == -2.5),
			      "%s: %g", key, number);
			CHECK(counts, is_flag == (type == GGUF_BOOL) && flag == is_flag, "%s", key);
			CHECK(counts, !gguf_get_number(&h, v, 1 + array, &number),
			      "%s: beyond its end", key);
			if (type == GGUF_STRING) {
				size_t at = v->at;
				gguf_text text = gguf_next_text(&h, &at);

				CHECK(counts, text.n == 4 && !memcmp(text.bytes, "text", 4), "%s",
				      key);
				CHECK(counts, !array || (gguf_next_text(&h, &at).n == 6), "%s",
				      key);
			}
		}
	gguf_free(&h);
	tensors_free(&list);
	maker_free(&file);
}

static void test_truncation_at_every_byte_is_refused(check_counts *counts)
{
	maker_bytes files[] = { gguf_make_whole("F16", NULL, true), make_values() };
	size_t i, n, strange = 0;

	for (i = 0; i < LENGTH(files); i++) {
		brise_error err = { BRISE_OK, "" };

		CHECK(counts, read_bytes(files[i].data, files[i].n, &err) == BRISE_OK, "%s",
		      err.message);
		for (n = 0; n < files[i].n; n++)
			strange += read_bytes(files[i].data, n, &err) != BRISE_EFORMAT ||
			           !strstr(err.message, "memory: ");
		CHECK(counts, strange == 0,
		      "%zu accepted or without a fitting message; the last: %s", strange,
		      err.message);
		maker_free(&files[i]);
	}
}

static void test_flipped_bytes_do_no_harm(check_counts *counts)
{
	maker_bytes file = gguf_make_whole("F16", NULL, true);
	size_t at, header = 0, refused = 0, strange = 0;
	tensor_list list = { NULL, 0, 0 };
	gguf_header h;
	unsigned bit;

	if (gguf_read_memory(&h, file.data, file.n, "memory", 0, &list, NULL) == BRISE_OK)
		header = (size_t)list.items[0].offset; /* in the order of their places */
	gguf_free(&h);
	tensors_free(&list);

	for (at = 0; at < header; at++)
		for (bit = 0; bit < 8; bit += 3) {
			brise_status status;

			file.data[at] ^= (uint8_t)(1u << bit);
			status = read_bytes(file.data, file.n, NULL);
			refused += status != BRISE_OK;
			strange += status != BRISE_OK && status != BRISE_EFORMAT &&
			           status != BRISE_EUNSUPPORTED;
			file.data[at] ^= (uint8_t)(1u << bit);
		}
	CHECK(counts, strange == 0 && refused > header, "%zu strange, %zu refused of %zu bytes",
	      strange, refused, header);
	maker_free(&file);
}

static void test_hostile_counts_are_refused_at_once(check_counts *counts)
{
	static const struct {
		uint64_t tensors, pairs;
		const char *tail; /* after the counts */
		size_t bytes;
		const char *text;
	} cases[] = {
		{ UINT64_MAX, 0, "", 0, "tensors and" },
		{ (uint64_t)1 << 59, 0, "", 0, "tensors and" },
		{ 0, UINT64_MAX, "", 0, "metadata pairs do not fit" },
		{ 0, 1,
		  "\xff\xff\xff\xff\xff\xff\xff\xff"
		  "aaaaaaaaaaaa",
		  20, "runs past the end" },
		{ 0, 1,
		  "\0\0\0\0\0\0\0\0"
		  "aaaaaaaaaaaa",
		  20, "of 0 characters" },
		{ 0, 1,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\x08\0\0\0"
		  "\xf0\xff\xff\xff\xff\xff\xff\xff",
		  21, "a runs past the end" },
		{ 0, 1,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\x09\0\0\0"
		  "\x0a\0\0\0"
		  "\1\0\0\0\0\0\0\x20",
		  25, "do not fit" },
		{ 0, 1,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\x09\0\0\0"
		  "\x08\0\0\0"
		  "\xff\xff\xff\xff\0\0\0\0",
		  25, "4294967295 strings do not fit" },
		{ 0, 1,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\x09\0\0\0"
		  "\0\0\0\0"
		  "\xff\xff\xff\xff\xff\xff\xff\xff",
		  25, "a runs past the end" },
		{ 0, 1,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\x09\0\0\0"
		  "\x09\0\0\0"
		  "\0\0\0\0\0\0\0\0",
		  25, "arrays of arrays" },
		{ 0, 1,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\x07\0\0\0"
		  "\2",
		  14, "a boolean of value 2" },
		{ 0, 2,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\0\0\0\0"
		  "\2"
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\0\0\0\0"
		  "\2",
		  28, "metadata key a appears twice" },
		{ 1, 0,
		  "\x41\0\0\0\0\0\0\0"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  73, "of 65 characters" },
		{ 1, 0,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\1\0\0\0"
		  "\1\0\0\0\0\0\0\0"
		  "\0\0\0\0"
		  "\xe0\xff\xff\xff\xff\xff\xff\xff"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  70, "lie outside the file" },
		{ 1, 0,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\1\0\0\0"
		  "\1\0\0\0\0\0\0\0"
		  "\0\0\0\0"
		  "\1\0\0\0\0\0\0\0"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  70, "not a multiple of 32" },
		{ 1, 0,
		  "\1\0\0\0\0\0\0\0"
		  "a"
		  "\2\0\0\0"
		  "\0\0\0\0\1\0\0\0"
		  "\0\0\0\0\1\0\0\0"
		  "\0\0\0\0"
		  "\0\0\0\0\0\0\0\0",
		  41, "more elements than any file" },
	};
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		maker_bytes file = { NULL, 0, 0 };
		brise_error err = { BRISE_OK, "" };
		brise_status status;

		maker_text(&file, "GGUF");
		maker_number(&file, 3, 4);
		maker_number(&file, cases[i].tensors, 8);
		maker_number(&file, cases[i].pairs, 8);
		maker_put(&file, cases[i].tail, cases[i].bytes);
		status = read_bytes(file.data, file.n, &err);
		CHECK(counts, status != BRISE_OK && strstr(err.message, cases[i].text),
		      "%s expected: %d %s", cases[i].text, status, err.message);
		maker_free(&file);
	}
}

static void test_alignment_is_obeyed_and_checked(check_counts *counts)
{
	static const struct {
		uint32_t value;
		bool fine;
	} cases[] = {
		{ 64, false }, { 16, true }, { 0, false }, { 24, false }, { 0x80000000, false }
	};
	static const float row[8] = { 0 };
	static const uint64_t ne = 8;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) { /* two tensors at 0 and 32 */
		gguf_maker g = { .version = 0 };
		maker_bytes file;
		brise_error err = { BRISE_OK, "" };

		gguf_put_u32(&g, "general.alignment", cases[i].value);
		gguf_put_tensor(&g, "a", 1, &ne, GGML_F32, row, sizeof row);
		gguf_put_tensor(&g, "b", 1, &ne, GGML_F32, row, sizeof row);
		file = gguf_finish(&g);
		CHECK(counts, (read_bytes(file.data, file.n, &err) == BRISE_OK) == cases[i].fine,
		      "%u: %s", (unsigned)cases[i].value, err.message);
		maker_free(&file);
	}
}

static void test_overlapping_tensors_are_refused(check_counts *counts)
{
	static const float row[32] = { 0 };
	static const uint64_t half = 8, whole = 16;
	gguf_maker g = { .version = 0 };
	maker_bytes file;
	brise_error err = { BRISE_OK, "" };

	gguf_put_tensor(&g, "a", 1, &whole, GGML_F32, row, 32);
	gguf_put_tensor(&g, "b", 1, &half, GGML_F32, row, 64);
	file = gguf_finish(&g);
	CHECK(counts,
	      read_bytes(file.data, file.n, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "tensors a and b overlap"),
	      "%s", err.message);
	maker_free(&file);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Bytes set in a block of zeros, and an element computed by hand. Halves: 0x3c00 is 1, 0x3800 0.5,
 * 0x4000 2. */
static void test_elements_computed_by_hand(check_counts *counts)
{
	static const struct {
		uint32_t dtype;
		struct {
			uint8_t at, value;
		} set[7];
		unsigned index;
		float expected;
	} cases[] = {
		{ ELEMENTS_Q4_0, { { 1, 0x3c }, { 2, 0x9f } }, 0, 15 - 8 },
		{ ELEMENTS_Q4_0, { { 1, 0x3c }, { 2, 0x9f } }, 16, 9 - 8 },
		{ ELEMENTS_Q4_1, { { 1, 0x3c }, { 3, 0x38 }, { 19, 0x07 } }, 15, 7 * 1 + 0.5f },
		{ ELEMENTS_Q5_0,
		  { { 1, 0x40 }, { 3, 0x01 }, { 7, 0x03 } },
		  8,
		  ((0 | 16) - 16) * 2 },
		{ ELEMENTS_Q5_0,
		  { { 1, 0x40 }, { 2, 0x02 }, { 7, 0x03 } },
		  1,
		  ((3 | 16) - 16) * 2 },
		{ ELEMENTS_Q5_1,
		  { { 1, 0x40 }, { 3, 0x3c }, { 7, 0x80 }, { 23, 0x30 } },
		  31,
		  (3 | 16) * 2 + 1 },
		{ ELEMENTS_Q8_0, { { 1, 0x38 }, { 33, 0x80 } }, 31, -128 * 0.5f },
		{ ELEMENTS_Q2_K,
		  { { 9, 0x37 }, { 68, 0x02 }, { 81, 0x3c }, { 83, 0x34 } },
		  32 * 4 + 20,
		  7 * 2 - 3 * 0.25f },
		{ ELEMENTS_Q3_K,
		  { { 81, 0x30 }, { 17, 0x40 }, { 101, 0xb0 }, { 105, 0x80 }, { 109, 0x38 } },
		  32 * 6 + 17,
		  0.5f * (43 - 32) * (7 - 4) },
		{ ELEMENTS_Q4_K,
		  { { 1, 0x3c }, { 3, 0x38 }, { 4, 5 }, { 8, 3 }, { 16, 0x0a } },
		  0,
		  5 * 10 - 0.5f * 3 },
		{ ELEMENTS_Q4_K,
		  { { 1, 0x3c },
		    { 3, 0x38 },
		    { 5, 0xc0 },
		    { 9, 0x40 },
		    { 13, 0x27 },
		    { 80, 0xc0 } },
		  32 * 5,
		  (7 | 48) * 12 - 0.5f * (2 | 16) },
		{ ELEMENTS_Q5_K,
		  { { 1, 0x3c }, { 3, 0x3c }, { 15, 0x12 }, { 47, 0x80 }, { 175, 0xf0 } },
		  255,
		  2 * (15 | 16) - 1 },
		{ ELEMENTS_Q6_K,
		  { { 32, 0x50 }, { 128, 0x80 }, { 198, 0xfd }, { 209, 0x40 } },
		  32 * 3,
		  2 * -3 * ((5 | 32) - 32) },
		{ ELEMENTS_IQ4_NL, { { 1, 0x3c }, { 5, 0x70 } }, 16 + 3, -10 },
		{ ELEMENTS_IQ4_XS,
		  { { 1, 0x3c }, { 2, 0xc0 }, { 5, 0x90 }, { 58, 0xf0 } },
		  32 * 3 + 18,
		  ((9 | 48) - 32) * 113 },
	};
	float out_floats[256];
	size_t i, k;

	for (i = 0; i < LENGTH(cases); i++) {
		uint8_t block[256] = { 0 };
		bool finite;

		for (k = 0; k < LENGTH(cases[i].set); k++)
			if (cases[i].set[k].value)
				block[cases[i].set[k].at] = cases[i].set[k].value;
		finite = elements_decode(out_floats, block, cases[i].dtype,
		                         elements_block(cases[i].dtype));
		CHECK(counts, finite && out_floats[cases[i].index] == cases[i].expected,
		      "%s: element %u is %g, expected %g", elements_name(cases[i].dtype),
		      cases[i].index, (double)out_floats[cases[i].index],
		      (double)cases[i].expected);
	}
}

static void test_elements_measure_whole_blocks_only(check_counts *counts)
{
	uint64_t bytes = 0;

	CHECK(counts, elements_measure(ELEMENTS_Q6_K, 512, &bytes) && bytes == 420, "%" PRIu64,
	      bytes);
	CHECK(counts,
	      !elements_measure(ELEMENTS_Q6_K, 128, &bytes) && !elements_measure(0, 32, &bytes) &&
	              !elements_measure(ELEMENTS_TYPES, 32, &bytes),
	      "no refusal");
	CHECK(counts, !elements_measure(ELEMENTS_F32, UINT64_MAX / 2, &bytes), "overflow");
}

/* ---- the tokenizer --------------------------------------------------------------------------- */

typedef enum tokenizer_fault {
	FAULT_NONE,
	FAULT_PADDING,
	FAULT_CONTROL_UNKNOWN,
	FAULT_MODEL,
	FAULT_NO_SCORES,
	FAULT_FEW_TYPES,
	FAULT_SAME_SCORES,
	FAULT_ID,
	FAULT_TYPE,
	FAULT_EMPTY,
	FAULTS
} tokenizer_fault;

/* The pieces of an open tokenizer as llama.cpp's converter lays them out. */
static maker_bytes make_tokenizer(const brise_tokenizer *t, tokenizer_fault fault)
{
	uint32_t padded = t->vocab + (fault == FAULT_PADDING ? 7 : 0), i;
	gguf_maker g = { .version = 0 };
	char text[TOKENIZER_PIECE_MAX + 1];
	maker_bytes *b;

	gguf_put_string(&g, "tokenizer.ggml.model", fault == FAULT_MODEL ? "t5" : "llama");
	b = gguf_put_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, padded);
	for (i = 0; i < padded; i++) {
		if (i < t->vocab)
			(void)snprintf(text, sizeof text, "%.*s", (int)tokenizer_piece_bytes(t, i),
			               (const char *)t->text + t->offsets[i]);
		else
			(void)snprintf(text, sizeof text, "[PAD%u]", (unsigned)i);
		gguf_put_text(b, fault == FAULT_EMPTY && i == 300 ? "" : text);
	}
	b = gguf_put_array(
	        &g, fault == FAULT_NO_SCORES ? "tokenizer.ggml.other" : "tokenizer.ggml.scores",
	        GGUF_F32, padded);
	for (i = 0; i < padded; i++)
		gguf_put_float(b,
		               fault == FAULT_SAME_SCORES || i >= t->vocab ? -1000 : t->scores[i]);
	b = gguf_put_array(&g, "tokenizer.ggml.token_type", GGUF_I32,
	                   padded - (fault == FAULT_FEW_TYPES));
	for (i = 0; i < padded - (fault == FAULT_FEW_TYPES); i++)
		maker_number(b,
		             fault == FAULT_TYPE && i == 9              ? 7
		             : i >= t->vocab                            ? GGUF_TOKEN_UNUSED
		             : fault == FAULT_CONTROL_UNKNOWN && i == 0 ? GGUF_TOKEN_CONTROL
		                                                        : t->types[i],
		             4);
	gguf_put_u32(&g, "tokenizer.ggml.bos_token_id", 1);
	if (fault == FAULT_ID)
		gguf_put_f32(&g, "tokenizer.ggml.eos_token_id", 2);
	else
		gguf_put_u32(&g, "tokenizer.ggml.eos_token_id", 2);
	gguf_put_u32(&g, "tokenizer.ggml.unknown_token_id", 0);
	return gguf_finish(&g);
}

static void test_tokenizer_equals_that_of_its_model(check_counts *counts)
{
	static const char *const texts[FAULTS] = { NULL,
		                                   NULL,
		                                   NULL,
		                                   "\"t5\" is not supported",
		                                   "no array tokenizer.ggml.scores",
		                                   "4095 entries for 4096 tokens",
		                                   "are all the same",
		                                   "eos_token_id is not a token id",
		                                   "token 9 has none of the types",
		                                   "piece 300 is empty" };
	void *expected = NULL, *section;
	size_t expected_bytes = 0, bytes;
	brise_tokenizer *t;
	brise_error err;
	int fault;

	CHECK(counts,
	      sentencepiece_read_model(BREEZE, &expected, &expected_bytes, &err) == BRISE_OK, "%s",
	      err.message);
	if (!expected ||
	    brise_open_tokenizer(&t, expected, expected_bytes, BREEZE, &err) != BRISE_OK)
		return;
	for (fault = 0; fault < FAULTS; fault++) {
		maker_bytes file = make_tokenizer(t, (tokenizer_fault)fault);
		tensor_list list = { NULL, 0, 0 };
		brise_status status;
		gguf_header h;

		CHECK(counts,
		      gguf_read_memory(&h, file.data, file.n, "memory", 0, &list, &err) == BRISE_OK,
		      "%s", err.message);
		err.message[0] = 0;
		status = gguf_read_tokenizer(&h, "memory", NULL, &section, &bytes, &err);
		if (!texts[fault])
			CHECK(counts,
			      status == BRISE_OK && bytes == expected_bytes &&
			              !memcmp(section, expected, bytes),
			      "%d: %zu bytes, %zu expected, %s", fault, bytes, expected_bytes,
			      err.message);
		else
			CHECK(counts,
			      status != BRISE_OK && !section && strstr(err.message, texts[fault]),
			      "%d: %s", fault, err.message);
		free(section);
		gguf_free(&h);
		tensors_free(&list);
		maker_free(&file);
	}
	brise_close_tokenizer(t);
	free(expected);
}

/* Mistral's own: v2 and v3 have control pieces for tools, v3 a larger vocabulary. */
static void test_tokenizers_of_mistral_equal_those_of_their_models(check_counts *counts)
{
	static const char *const names[] = { "v1", "v2", "v3" };
	const char *gold = getenv("BRISE_GOLD");
	char path[700];
	size_t i;

	for (i = 0; i < LENGTH(names); i++) {
		void *expected = NULL, *section = NULL;
		size_t expected_bytes = 0, bytes = 0;
		tensor_list list = { NULL, 0, 0 };
		brise_tokenizer *t;
		maker_bytes file;
		brise_error err;
		gguf_header h;

		(void)snprintf(path, sizeof path, "%s/tokenizer/%s.model", gold ? gold : "",
		               names[i]);
		if (!gold || access(path, R_OK) != 0) {
			check_skip(counts, names[i], "no ../shared/gold");
			continue;
		}
		if (sentencepiece_read_model(path, &expected, &expected_bytes, &err) != BRISE_OK ||
		    brise_open_tokenizer(&t, expected, expected_bytes, path, &err) != BRISE_OK) {
			CHECK(counts, false, "%s", err.message);
			free(expected);
			continue;
		}
		file = make_tokenizer(t, FAULT_NONE);
		CHECK(counts,
		      gguf_read_memory(&h, file.data, file.n, path, 0, &list, &err) == BRISE_OK,
		      "%s", err.message);
		/* v3 has user-defined pieces, so ggml's rule for them follows. */
		CHECK(counts,
		      gguf_read_tokenizer(&h, path, NULL, &section, &bytes, &err) == BRISE_OK &&
		              bytes >= expected_bytes && !memcmp(section, expected, expected_bytes),
		      "%zu bytes, %zu expected: %s", bytes, expected_bytes, err.message);
		free(section);
		gguf_free(&h);
		maker_free(&file);
		brise_close_tokenizer(t);
		free(expected);
	}
}

/* As llama.cpp's converter writes Mistral 7B: v0.1 has a window and theta 10000, v0.2 and v0.3 none
 * and 1000000. */
static void test_first_mistral_has_its_window_though_no_key_says_so(check_counts *counts)
{
	static const struct {
		const char *name;
		uint32_t hidden;
		float theta;
		uint32_t window;
	} cases[] = { { "llama", 14336, 1e4f, 4096 },
		      { "llama", 14336, 1e6f, 0 },
		      { "llama", 11008, 1e4f, 0 },
		      { "mistral3", 14336, 1e4f, 4096 } };
	static const char *const keys[] = { "embedding_length",     "block_count",
		                            "attention.head_count", "attention.head_count_kv",
		                            "context_length",       "vocab_size",
		                            "feed_forward_length" };
	uint32_t values[] = { 4096, 32, 32, 8, 32768, 32000, 0 };
	size_t i, k;

	for (i = 0; i < LENGTH(cases); i++) {
		tensor_list list = { NULL, 0, 0 };
		notes decisions = { NULL, 0, false };
		gguf_maker g = { .version = 0 };
		brise_error err = { BRISE_OK, "" };
		architecture a;
		maker_bytes file;
		gguf_header h;
		char key[80];

		values[6] = cases[i].hidden;
		gguf_put_string(&g, "general.architecture", cases[i].name);
		for (k = 0; k < LENGTH(keys); k++) {
			(void)snprintf(key, sizeof key, "%s.%s", cases[i].name, keys[k]);
			gguf_put_u32(&g, key, values[k]);
		}
		(void)snprintf(key, sizeof key, "%s.rope.freq_base", cases[i].name);
		gguf_put_f32(&g, key, cases[i].theta);
		(void)snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon",
		               cases[i].name);
		gguf_put_f32(&g, key, 1e-5f);
		file = gguf_finish(&g);
		CHECK(counts,
		      gguf_read_memory(&h, file.data, file.n, "memory", 0, &list, &err) == BRISE_OK,
		      "%s", err.message);
		CHECK(counts,
		      gguf_read_architecture(&a, &h, &list, "memory", &decisions, &err) ==
		                      BRISE_OK &&
		              a.config.window == cases[i].window,
		      "%zu: window %u, %s", i, (unsigned)a.config.window, err.message);
		free(decisions.text);
		gguf_free(&h);
		maker_free(&file);
	}
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_every_value_type_is_read(&counts));
	RUN(test_truncation_at_every_byte_is_refused(&counts));
	RUN(test_flipped_bytes_do_no_harm(&counts));
	RUN(test_hostile_counts_are_refused_at_once(&counts));
	RUN(test_alignment_is_obeyed_and_checked(&counts));
	RUN(test_overlapping_tensors_are_refused(&counts));
	RUN(test_elements_computed_by_hand(&counts));
	RUN(test_elements_measure_whole_blocks_only(&counts));
	RUN(test_tokenizer_equals_that_of_its_model(&counts));
	RUN(test_tokenizers_of_mistral_equal_those_of_their_models(&counts));
	RUN(test_first_mistral_has_its_window_though_no_key_says_so(&counts));
	return check_report("gguf", &counts);
}
