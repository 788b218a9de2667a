/* test_gguf.c - GGUF files give the model that the same weights give in other forms; damaged, hostile and foreign ones are refused by name */
#include <sys/stat.h>

#include "convert/checkpoint.h"
#include "convert/convert.h"
#include "convert/elements.h"
#include "convert/gguf_reader.h"
#include "convert/gguf_tokenizer.h"
#include "convert/sentencepiece.h"
#include "runtime/tokenizer.h"
#include "test/check.h"
#include "test/gguf_maker.h"
#include "test/small_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define BREEZE        "test/models/breeze/tokenizer.model"

static char base[512], folder[600], out[700];

/* ---- files --------------------------------------------------------------------------------------------------------- */

static maker_bytes read_file(const char *path)
{
	maker_bytes bytes = { NULL, 0, 0 };
	FILE *file = fopen(path, "rb");
	uint8_t piece[4096];
	size_t n;

	while (file && (n = fread(piece, 1, sizeof piece, file)) > 0)
		maker_put(&bytes, piece, n);
	if (file)
		fclose(file);
	return bytes;
}

static const char *path_of(const char *name)
{
	static char path[700];

	(void)snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
	return path;
}

/* Converts folder/name to `out`. */
static brise_status convert(const char *name, uint32_t type, bool tokenizer, brise_error *err)
{
	convert_options options;

	convert_init_options(&options);
	options.type = type;
	options.threads = 2;
	options.no_tokenizer = !tokenizer;
	err->message[0] = 0;
	return convert_checkpoint(path_of(name), out, &options, NULL, err);
}

/* Configuration and tensors of a .brise file: all but the notes of where it came from, which lie between. */
static maker_bytes model_of(const char *path)
{
	maker_bytes file = read_file(path), model = { NULL, 0, 0 };
	format_section sections[2];
	format_tensor first;

	if (file.n > FORMAT_PAGE) {
		memcpy(sections, file.data + sizeof(format_header), sizeof sections);
		memcpy(&first, file.data + sections[1].offset, sizeof first);
		maker_put(&model, file.data + sections[0].offset, (size_t)sections[0].bytes);
		maker_put(&model, file.data + first.offset, file.n - (size_t)first.offset);
	}
	maker_free(&file);
	return model;
}

static bool same_bytes(const maker_bytes *a, const maker_bytes *b)
{
	return a->n == b->n && a->n > 0 && !memcmp(a->data, b->data, a->n);
}

static void save_and_free(const char *name, maker_bytes file)
{
	maker_save(folder, name, file.data, file.n);
	maker_free(&file);
}

static maker_bytes make_whole(const char *dtype, const char *without, bool output)
{
	maker_model *m = maker_new(true, dtype);
	gguf_maker g = { .version = 0 };

	gguf_put_config(&g, without);
	gguf_put_model(&g, m, 0, output ? m->n : m->n - 1);
	maker_close(m);
	return gguf_finish(&g);
}

/* ---- the model ----------------------------------------------------------------------------------------------------- */

static void test_model_equals_that_of_safetensors_bit_for_bit(check_counts *counts)
{
	static const char *const dtypes[] = { "F16", "BF16", "F32" };
	static const uint32_t types[] = { TYPE_F16, TYPE_Q8, TYPE_Q4 };
	maker_bytes expected, model;
	brise_error err;
	size_t i, k;

	for (i = 0; i < LENGTH(types); i++) {
		maker_model *m = maker_new(false, "F16");

		(void)maker_clear(folder);
		maker_config(folder, false, NULL);
		maker_safetensors(folder, "model.safetensors", m, 0, m->n, NULL);
		maker_close(m);
		CHECK(counts, convert("", types[i], false, &err) == BRISE_OK, "%s", err.message);
		expected = model_of(out);
		for (k = 0; k < LENGTH(dtypes); k++) {
			save_and_free("m.gguf", make_whole(dtypes[k], NULL, true));
			CHECK(counts, convert("m.gguf", types[i], false, &err) == BRISE_OK, "%s: %s", dtypes[k], err.message);
			model = model_of(out);
			CHECK(counts, same_bytes(&model, &expected), "%s: another model of type %u", dtypes[k], (unsigned)types[i]);
			maker_free(&model);
		}
		maker_free(&expected);
	}
}

static void test_file_is_known_by_its_first_bytes(check_counts *counts)
{
	brise_error err;

	save_and_free("sha256-abc", make_whole("F16", NULL, true));
	CHECK(counts, convert("sha256-abc", TYPE_F16, false, &err) == BRISE_OK, "%s", err.message);
}

static void test_version_2_is_read(check_counts *counts)
{
	maker_bytes file = make_whole("F16", NULL, true);
	brise_error err;

	file.data[4] = 2;
	save_and_free("m.gguf", file);
	CHECK(counts, convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK, "%s", err.message);
}

static bool decisions_hold(const char *name, const char *text, char *message, size_t bytes)
{
	brise_error err = { BRISE_OK, "" };
	checkpoint *cp;
	bool found = checkpoint_open(&cp, path_of(name), &err) == BRISE_OK && strstr(cp->decisions, text);

	(void)snprintf(message, bytes, "%s", cp ? cp->decisions : err.message);
	checkpoint_close(cp);
	return found;
}

static void test_missing_output_is_the_embedding(check_counts *counts)
{
	char message[2000];

	save_and_free("m.gguf", make_whole("F16", NULL, false));
	CHECK(counts, decisions_hold("m.gguf", "output matrix: the embedding (no output.weight)", message, sizeof message), "%s", message);
}

static void test_decisions_name_their_keys(check_counts *counts)
{
	static const struct {
		const char *without, *text;
	} cases[] = {
		{ NULL, "weights: 21 F16" },
		{ NULL, "window 7 (llama.attention.sliding_window)" },
		{ "llama.attention.sliding_window", "no window" },
		{ "llama.rope.freq_base", "rope theta 10000: llama.cpp's default" },
		{ "llama.attention.key_length", "head size 16 = width / heads" },
		{ "llama.vocab_size", "vocabulary 40, the rows of token_embd.weight" },
		{ NULL, "chat template: none" },
	};
	char message[2000];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		save_and_free("m.gguf", make_whole("F16", cases[i].without, true));
		CHECK(counts, decisions_hold("m.gguf", cases[i].text, message, sizeof message), "without %s: %s", cases[i].without ? cases[i].without : "nothing", message);
	}
}

static void test_quantized_weights_are_counted_and_warned_of(check_counts *counts)
{
	static const uint64_t ne[2] = { MAKER_DIM, MAKER_VOCAB };
	uint8_t blocks[MAKER_VOCAB * GGML_Q8_0_BYTES] = { 0 };
	maker_model *m = maker_new(true, "F16");
	gguf_maker g = { .version = 0 };
	char message[2000];
	convert_options options;
	convert_result result;
	brise_error err;

	gguf_put_config(&g, NULL);
	gguf_put_model(&g, m, 0, m->n - 1);
	gguf_put_tensor(&g, "output.weight", 2, ne, GGML_Q8_0, blocks, sizeof blocks);
	maker_close(m);
	save_and_free("m.gguf", gguf_finish(&g));
	CHECK(counts, decisions_hold("m.gguf", "weights: 20 F16, 1 Q8_0\nthese weights were rounded before", message, sizeof message), "%s", message);
	convert_init_options(&options);
	options.no_tokenizer = true;
	CHECK(counts, convert_checkpoint(path_of("m.gguf"), out, &options, &result, &err) == BRISE_OK && result.requantized, "%s", err.message);
}

/* ---- parts --------------------------------------------------------------------------------------------------------- */

static const char *const part_names[] = { "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf" };

static void put_split(gguf_maker *g, unsigned no, unsigned count, unsigned tensors)
{
	maker_number(gguf_put_key(g, "split.no", GGUF_U16), no, 2);
	maker_number(gguf_put_key(g, "split.count", GGUF_U16), count, 2);
	maker_number(gguf_put_key(g, "split.tensors.count", GGUF_I32), tensors, 4);
}

static void make_parts(unsigned number_of_last, unsigned tensors)
{
	maker_model *m = maker_new(true, "F16");
	gguf_maker g = { .version = 0 };
	size_t i;

	(void)maker_clear(folder);
	for (i = 0; i < 3; i++) {
		if (i == 0)
			gguf_put_config(&g, NULL);
		put_split(&g, i == 2 ? number_of_last : (unsigned)i, 3, tensors);
		gguf_put_model(&g, m, i * 7, 7);
		save_and_free(part_names[i], gguf_finish(&g));
	}
	maker_close(m);
}

static void refuse(check_counts *counts, const char *name, brise_status expected, const char *text)
{
	brise_error err;
	brise_status status;

	(void)unlink(out);
	status = convert(name, TYPE_F16, false, &err);
	CHECK(counts, status == expected && strstr(err.message, text) && !strchr(err.message, '\n'), "%s expected: %d %s", text, status, err.message);
	CHECK(counts, access(out, F_OK) != 0, "%s: something was written", text);
}

static void test_parts_give_the_whole_from_any_of_them(check_counts *counts)
{
	maker_bytes expected, model;
	brise_error err;
	size_t i;

	save_and_free("m.gguf", make_whole("F16", NULL, true));
	CHECK(counts, convert("m.gguf", TYPE_Q4, false, &err) == BRISE_OK, "%s", err.message);
	expected = model_of(out);
	make_parts(2, 21);
	for (i = 0; i < 3; i++) {
		CHECK(counts, convert(part_names[i], TYPE_Q4, false, &err) == BRISE_OK, "%s: %s", part_names[i], err.message);
		model = model_of(out);
		CHECK(counts, same_bytes(&model, &expected), "%s: another model", part_names[i]);
		maker_free(&model);
	}
	maker_free(&expected);
}

static void test_parts_that_do_not_fit_together_are_refused(check_counts *counts)
{
	char from[700];

	make_parts(2, 21);
	(void)unlink(path_of(part_names[1]));
	refuse(counts, part_names[0], BRISE_EIO, "m-00002-of-00003.gguf: part 2 of 3 is missing");
	make_parts(1, 21);
	refuse(counts, part_names[0], BRISE_EFORMAT, "named part 3 of 3, but split.no and split.count say part 2 of 3");
	make_parts(2, 22);
	refuse(counts, part_names[2], BRISE_EFORMAT, "split.tensors.count is 22, all parts hold 21 tensors");
	make_parts(2, 21);
	(void)snprintf(from, sizeof from, "%s", path_of(part_names[0]));
	(void)rename(from, path_of("renamed.gguf"));
	refuse(counts, "renamed.gguf", BRISE_EFORMAT, "its name does not end with -00001-of-00003.gguf");
	save_and_free("m-00001-of-00001.gguf", make_whole("F16", "general.architecture", true));
	refuse(counts, "m-00001-of-00001.gguf", BRISE_EFORMAT, "no general.architecture");
	(void)maker_clear(folder);
}

/* ---- what is refused ----------------------------------------------------------------------------------------------- */

static void put_neutral(gguf_maker *g, int which)
{
	static const char *const numbers[] = { "llama.expert_count", "llama.logit_scale", "llama.attention.temperature_scale", "llama.final_logit_softcapping",
		                               "llama.rope.scaling.factor", "llama.rope.scaling.attn_factor", "llama.attention.sliding_window_pattern" };

	if (which < (int)LENGTH(numbers)) {
		gguf_put_f32(g, numbers[which], 8);
	} else if (which == (int)LENGTH(numbers)) {
		gguf_put_string(g, "llama.rope.scaling.type", "longrope");
	} else if (which == (int)LENGTH(numbers) + 1) {
		gguf_put_bool(g, "llama.attention.causal", false);
	} else {
		gguf_put_string(g, "llama.tensor_data_layout", "permuted");
	}
}

static void test_other_mathematics_is_refused_by_name(check_counts *counts)
{
	static const char *const names[] = { "llama.expert_count", "llama.logit_scale", "temperature_scale", "softcapping", "rope.scaling", "attn_factor", "window_pattern",
		                             "longrope", "llama.attention.causal", "tensor_data_layout" };
	size_t i;

	for (i = 0; i < LENGTH(names); i++) {
		maker_model *m = maker_new(true, "F16");
		gguf_maker g = { .version = 0 };

		gguf_put_config(&g, NULL);
		put_neutral(&g, (int)i);
		gguf_put_model(&g, m, 0, m->n);
		maker_close(m);
		save_and_free("m.gguf", gguf_finish(&g));
		refuse(counts, "m.gguf", BRISE_EUNSUPPORTED, names[i]);
	}
}

static void test_values_that_change_nothing_are_accepted(check_counts *counts)
{
	maker_model *m = maker_new(true, "F16");
	gguf_maker g = { .version = 0 };
	float ones[MAKER_HEAD / 2];
	uint64_t ne = LENGTH(ones), i;
	brise_error err;

	gguf_put_config(&g, NULL);
	gguf_put_u32(&g, "llama.expert_count", 0);
	gguf_put_f32(&g, "llama.logit_scale", 1);
	gguf_put_f32(&g, "llama.rope.scaling.factor", 1);
	gguf_put_bool(&g, "llama.attention.causal", true);
	gguf_put_string(&g, "llama.tensor_data_layout", "Meta AI original pth");
	gguf_put_string(&g, "general.name", "anything");
	gguf_put_model(&g, m, 0, m->n);
	for (i = 0; i < ne; i++)
		ones[i] = 1;
	gguf_put_tensor(&g, "rope_freqs.weight", 1, &ne, GGML_F32, ones, sizeof ones);
	maker_close(m);
	save_and_free("m.gguf", gguf_finish(&g));
	CHECK(counts, convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK, "%s", err.message);
}

static void test_missing_keys_are_named(check_counts *counts)
{
	static const char *const keys[] = { "general.architecture", "llama.embedding_length", "llama.block_count", "llama.attention.head_count", "llama.feed_forward_length",
		                            "llama.attention.layer_norm_rms_epsilon" };
	size_t i;

	for (i = 0; i < LENGTH(keys); i++) {
		save_and_free("m.gguf", make_whole("F16", keys[i], true));
		refuse(counts, "m.gguf", BRISE_EFORMAT, keys[i]);
	}
}

typedef struct refusal {
	const char *from;
	size_t from_bytes;
	const char *to;
	size_t to_bytes;
	brise_status status;
	const char *text;
} refusal;

#define EDIT(from, to, status, text) { from, sizeof(from) - 1, to, sizeof(to) - 1, BRISE_##status, text }

static const refusal refusals[] = {
	EDIT("GGUF", "GGUP", EFORMAT, "not a GGUF file"),
	EDIT("GGUF", "tjgg", EUNSUPPORTED, "before GGUF"),
	EDIT("GGUF\3", "GGUF\1", EUNSUPPORTED, "GGUF version 1 "),
	EDIT("GGUF\3", "GGUF\4", EUNSUPPORTED, "GGUF version 4 "),
	EDIT("GGUF\3\0\0\0", "GGUF\0\0\0\3", EUNSUPPORTED, "big-endian"),
	EDIT("\5\0\0\0\0\0\0\0llama", "\5\0\0\0\0\0\0\0gemma", EUNSUPPORTED, "general.architecture gemma"),
	EDIT("llama.block_count", "llama.vocab_size\0", EFORMAT, "not printable"),
	EDIT("llama.attention.value_length", "llama.attention.key_length\1\1", EFORMAT, "not printable"),
	EDIT("llama.block_count\4", "llama.block_count\15", EFORMAT, "no type 13"),
	EDIT("llama.block_count\4", "llama.block_count\6", EFORMAT, "llama.block_count is not an integer"),
	EDIT("llama.embedding_length\4\0\0\0\x20", "llama.embedding_length\4\0\0\0\x40", EFORMAT, "shape"),
	EDIT("llama.rope.dimension_count\4\0\0\0\x10", "llama.rope.dimension_count\4\0\0\0\x08", EUNSUPPORTED, "rope.dimension_count 8 of 16"),
	EDIT("llama.attention.value_length\4\0\0\0\x10", "llama.attention.value_length\4\0\0\0\x08", EUNSUPPORTED, "value_length 8"),
	EDIT("output_norm.weight\1\0\0\0", "output_norm.weight\0\0\0\0", EFORMAT, "output_norm.weight: 0 dimensions"),
	EDIT("output_norm.weight\1\0\0\0", "output_norm.weight\5\0\0\0", EFORMAT, "output_norm.weight: 5 dimensions"),
	EDIT("output_norm.weight\1\0\0\0\x20", "output_norm.weight\1\0\0\0\0", EFORMAT, "output_norm.weight: dimension 0 is 0"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0", "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\xff", EFORMAT, "output_norm.weight"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1", "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\x10", EUNSUPPORTED, "element type IQ2_XXS is not supported"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1", "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\x1f", EUNSUPPORTED, "Q4_0_4_4 (retired)"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1", "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\xff", EUNSUPPORTED, "element type 255 is not known"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1", "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\x0c", EFORMAT, "no whole number of Q4_K blocks of 256"),
	EDIT("blk.0.attn_q.weight", "blk.0.attn_k.weight", EFORMAT, "blk.0.attn_k.weight stands twice"),
	EDIT("blk.0.attn_q.weight", "blk.0.attn_q.biased", EUNSUPPORTED, "blk.0.attn_q.biased is not part of a Mistral model"),
	EDIT("blk.1.attn_q.weight", "blk.2.attn_q.weight", EUNSUPPORTED, "blk.2.attn_q.weight"),
	EDIT("\15\0\0\0\0\0\0\0output.weight\2\0\0\0\x20", "\15\0\0\0\0\0\0\0output.weight\2\0\0\0\x10", EFORMAT, "output.weight: shape [40, 32] expected"),
};

static void test_foreign_and_damaged_files_are_refused(check_counts *counts)
{
	size_t i;

	for (i = 0; i < LENGTH(refusals); i++) {
		const refusal *r = &refusals[i];
		maker_edit edit = { "m.gguf", r->from, r->from_bytes, r->to, r->to_bytes };
		maker_bytes file = make_whole("F16", NULL, true);

		maker_apply(&file, "m.gguf", &edit);
		save_and_free("m.gguf", file);
		refuse(counts, "m.gguf", r->status, r->text);
	}
}

static void test_rotary_factors_other_than_one_are_refused(check_counts *counts)
{
	static const float factors[MAKER_HEAD / 2] = { 1, 1, 1, 1, 1, 1, 1, 8 };
	static const uint64_t ne = LENGTH(factors);
	maker_model *m = maker_new(true, "F16");
	gguf_maker g = { .version = 0 };

	gguf_put_config(&g, NULL);
	gguf_put_model(&g, m, 0, m->n);
	gguf_put_tensor(&g, "rope_freqs.weight", 1, &ne, GGML_F32, factors, sizeof factors);
	maker_close(m);
	save_and_free("m.gguf", gguf_finish(&g));
	refuse(counts, "m.gguf", BRISE_EUNSUPPORTED, "rope_freqs.weight");
}

static void test_scale_that_is_no_number_is_refused(check_counts *counts)
{
	static const uint64_t ne[2] = { MAKER_DIM, MAKER_VOCAB };
	uint8_t blocks[MAKER_VOCAB * GGML_Q8_0_BYTES];
	maker_model *m = maker_new(true, "F16");
	gguf_maker g = { .version = 0 };
	size_t i;

	for (i = 0; i < sizeof blocks; i++)
		blocks[i] = 1;
	blocks[7 * GGML_Q8_0_BYTES + 1] = 0x7c; /* infinite */
	gguf_put_config(&g, NULL);
	gguf_put_model(&g, m, 0, m->n - 1);
	gguf_put_tensor(&g, "output.weight", 2, ne, GGML_Q8_0, blocks, sizeof blocks);
	maker_close(m);
	save_and_free("m.gguf", gguf_finish(&g));
	refuse(counts, "m.gguf", BRISE_EFORMAT, "output.weight: a weight in rows");
}

/* ---- the container ------------------------------------------------------------------------------------------------- */

static brise_status read_bytes(const void *bytes, size_t n, brise_error *err)
{
	tensor_list list = { NULL, 0, 0 };
	gguf_header h;
	brise_status status = gguf_read_memory(&h, bytes, n, "memory", 0, &list, err);
	size_t i;

	for (i = 0; status == BRISE_OK && i < list.n; i++)
		if (list.items[i].offset > n || list.items[i].bytes > n - list.items[i].offset)
			status = BRISE_EINVAL; /* what no reader may do */
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
			unsigned width = type == GGUF_U16 || type == GGUF_I16 ? 2 : type < GGUF_U16 || type == GGUF_BOOL ? 1 : type >= GGUF_U64 ? 8 : 4;
			uint64_t value = type == GGUF_F32 ? half_to_bits(-2.5f) : type == GGUF_F64 ? 0xc004000000000000u : type == GGUF_BOOL ? 1 : UINT64_MAX - 1;
			maker_bytes *b;
			int k;

			if (type == GGUF_ARRAY)
				continue;
			(void)snprintf(key, sizeof key, "%s.%u", array ? "array" : "value", (unsigned)type);
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
	static const int64_t integers[GGUF_VALUE_TYPES] = { [GGUF_U8] = 0xfe, [GGUF_I8] = -2, [GGUF_U16] = 0xfffe, [GGUF_I16] = -2, [GGUF_U32] = 0xfffffffe, [GGUF_I32] = -2, [GGUF_I64] = -2 };
	maker_bytes file = make_values();
	tensor_list list = { NULL, 0, 0 };
	gguf_header h;
	brise_error err;
	char key[24];
	uint32_t type, array;

	CHECK(counts, gguf_read_memory(&h, file.data, file.n, "memory", 0, &list, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, h.n_values == 25 && !gguf_find(&h, "value") && gguf_find(&h, "array.empty")->n == 0, "%zu values", h.n_values);
	for (type = 0; type < GGUF_VALUE_TYPES; type++)
		for (array = 0; array <= 1 && type != GGUF_ARRAY; array++) {
			const gguf_value *v;
			int64_t integer = 0;
			double number = 0;
			bool flag = false, is_integer, is_number, is_flag;

			(void)snprintf(key, sizeof key, "%s.%u", array ? "array" : "value", (unsigned)type);
			v = gguf_find(&h, key);
			CHECK(counts, v && v->type == type && v->is_array == (array == 1) && v->n == 1 + array, "%s", key);
			is_integer = gguf_get_integer(&h, v, array, &integer);
			is_number = gguf_get_number(&h, v, array, &number);
			is_flag = gguf_get_bool(&h, v, array, &flag);
			CHECK(counts, is_integer == (integers[type] != 0) && integer == integers[type], "%s", key);
			CHECK(counts, is_number == (is_integer || type == GGUF_F32 || type == GGUF_F64) && (is_integer || !is_number || number == -2.5), "%s: %g", key, number);
			CHECK(counts, is_flag == (type == GGUF_BOOL) && flag == is_flag, "%s", key);
			CHECK(counts, !gguf_get_number(&h, v, 1 + array, &number), "%s: beyond its end", key);
			if (type == GGUF_STRING) {
				size_t at = v->at;
				gguf_text text = gguf_next_text(&h, &at);

				CHECK(counts, text.n == 4 && !memcmp(text.bytes, "text", 4), "%s", key);
				CHECK(counts, !array || (gguf_next_text(&h, &at).n == 6), "%s", key);
			}
		}
	gguf_free(&h);
	tensors_free(&list);
	maker_free(&file);
}

static void test_truncation_at_every_byte_is_refused(check_counts *counts)
{
	maker_bytes files[] = { make_whole("F16", NULL, true), make_values() };
	size_t i, n, strange = 0;

	for (i = 0; i < LENGTH(files); i++) {
		brise_error err = { BRISE_OK, "" };

		CHECK(counts, read_bytes(files[i].data, files[i].n, &err) == BRISE_OK, "%s", err.message);
		for (n = 0; n < files[i].n; n++)
			strange += read_bytes(files[i].data, n, &err) != BRISE_EFORMAT || !strstr(err.message, "memory: ");
		CHECK(counts, strange == 0, "%zu accepted or without a fitting message; the last: %s", strange, err.message);
		maker_free(&files[i]);
	}
}

static void test_flipped_bytes_do_no_harm(check_counts *counts)
{
	maker_bytes file = make_whole("F16", NULL, true);
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
			strange += status != BRISE_OK && status != BRISE_EFORMAT && status != BRISE_EUNSUPPORTED;
			file.data[at] ^= (uint8_t)(1u << bit);
		}
	CHECK(counts, strange == 0 && refused > header, "%zu strange, %zu refused of %zu bytes", strange, refused, header);
	maker_free(&file);
}

static void test_hostile_counts_are_refused_at_once(check_counts *counts)
{
	static const struct {
		uint64_t tensors, pairs;
		const char *tail; /* behind the counts */
		size_t bytes;
		const char *text;
	} cases[] = {
		{ UINT64_MAX, 0, "", 0, "tensors and" },
		{ (uint64_t)1 << 59, 0, "", 0, "tensors and" },
		{ 0, UINT64_MAX, "", 0, "metadata pairs do not fit" },
		{ 0, 1, "\xff\xff\xff\xff\xff\xff\xff\xff" "aaaaaaaaaaaa", 20, "runs past the end" },
		{ 0, 1, "\0\0\0\0\0\0\0\0" "aaaaaaaaaaaa", 20, "of 0 characters" },
		{ 0, 1, "\1\0\0\0\0\0\0\0" "a" "\x08\0\0\0" "\xf0\xff\xff\xff\xff\xff\xff\xff", 21, "a runs past the end" },
		{ 0, 1, "\1\0\0\0\0\0\0\0" "a" "\x09\0\0\0" "\x0a\0\0\0" "\1\0\0\0\0\0\0\x20", 25, "do not fit" },
		{ 0, 1, "\1\0\0\0\0\0\0\0" "a" "\x09\0\0\0" "\x08\0\0\0" "\xff\xff\xff\xff\0\0\0\0", 25, "4294967295 strings do not fit" },
		{ 0, 1, "\1\0\0\0\0\0\0\0" "a" "\x09\0\0\0" "\0\0\0\0" "\xff\xff\xff\xff\xff\xff\xff\xff", 25, "a runs past the end" },
		{ 0, 1, "\1\0\0\0\0\0\0\0" "a" "\x09\0\0\0" "\x09\0\0\0" "\0\0\0\0\0\0\0\0", 25, "arrays of arrays" },
		{ 0, 1, "\1\0\0\0\0\0\0\0" "a" "\x07\0\0\0" "\2", 14, "a boolean of value 2" },
		{ 0, 2, "\1\0\0\0\0\0\0\0" "a" "\0\0\0\0" "\2" "\1\0\0\0\0\0\0\0" "a" "\0\0\0\0" "\2", 28, "metadata key a stands twice" },
		{ 1, 0, "\x41\0\0\0\0\0\0\0" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 73, "of 65 characters" },
		{ 1, 0, "\1\0\0\0\0\0\0\0" "a" "\1\0\0\0" "\1\0\0\0\0\0\0\0" "\0\0\0\0" "\xe0\xff\xff\xff\xff\xff\xff\xff" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 70, "lie outside the file" },
		{ 1, 0, "\1\0\0\0\0\0\0\0" "a" "\1\0\0\0" "\1\0\0\0\0\0\0\0" "\0\0\0\0" "\1\0\0\0\0\0\0\0" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 70, "not a multiple of 32" },
		{ 1, 0, "\1\0\0\0\0\0\0\0" "a" "\2\0\0\0" "\0\0\0\0\1\0\0\0" "\0\0\0\0\1\0\0\0" "\0\0\0\0" "\0\0\0\0\0\0\0\0", 41, "more elements than any file" },
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
		CHECK(counts, status != BRISE_OK && strstr(err.message, cases[i].text), "%s expected: %d %s", cases[i].text, status, err.message);
		maker_free(&file);
	}
}

static void test_alignment_is_obeyed_and_checked(check_counts *counts)
{
	static const struct {
		uint32_t value;
		bool fine;
	} cases[] = { { 64, false }, { 16, true }, { 0, false }, { 24, false }, { 0x80000000, false } };
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
		CHECK(counts, (read_bytes(file.data, file.n, &err) == BRISE_OK) == cases[i].fine, "%u: %s", (unsigned)cases[i].value, err.message);
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
	CHECK(counts, read_bytes(file.data, file.n, &err) == BRISE_EFORMAT && strstr(err.message, "tensors a and b overlap"), "%s", err.message);
	maker_free(&file);
}

/* ---- blocks -------------------------------------------------------------------------------------------------------- */

/* Bytes set in a block of zeros, and an element computed by hand. Halves: 0x3c00 is 1, 0x3800 0.5, 0x4000 2. */
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
		{ CHECKPOINT_Q4_0, { { 1, 0x3c }, { 2, 0x9f } }, 0, 15 - 8 },
		{ CHECKPOINT_Q4_0, { { 1, 0x3c }, { 2, 0x9f } }, 16, 9 - 8 },
		{ CHECKPOINT_Q4_1, { { 1, 0x3c }, { 3, 0x38 }, { 19, 0x07 } }, 15, 7 * 1 + 0.5f },
		{ CHECKPOINT_Q5_0, { { 1, 0x40 }, { 3, 0x01 }, { 7, 0x03 } }, 8, ((0 | 16) - 16) * 2 },
		{ CHECKPOINT_Q5_0, { { 1, 0x40 }, { 2, 0x02 }, { 7, 0x03 } }, 1, ((3 | 16) - 16) * 2 },
		{ CHECKPOINT_Q5_1, { { 1, 0x40 }, { 3, 0x3c }, { 7, 0x80 }, { 23, 0x30 } }, 31, (3 | 16) * 2 + 1 },
		{ CHECKPOINT_Q8_0, { { 1, 0x38 }, { 33, 0x80 } }, 31, -128 * 0.5f },
		{ CHECKPOINT_Q2_K, { { 9, 0x37 }, { 68, 0x02 }, { 81, 0x3c }, { 83, 0x34 } }, 32 * 4 + 20, 7 * 2 - 3 * 0.25f },
		{ CHECKPOINT_Q3_K, { { 81, 0x30 }, { 17, 0x40 }, { 101, 0xb0 }, { 105, 0x80 }, { 109, 0x38 } }, 32 * 6 + 17, 0.5f * (43 - 32) * (7 - 4) },
		{ CHECKPOINT_Q4_K, { { 1, 0x3c }, { 3, 0x38 }, { 4, 5 }, { 8, 3 }, { 16, 0x0a } }, 0, 5 * 10 - 0.5f * 3 },
		{ CHECKPOINT_Q4_K, { { 1, 0x3c }, { 3, 0x38 }, { 5, 0xc0 }, { 9, 0x40 }, { 13, 0x27 }, { 80, 0xc0 } }, 32 * 5, (7 | 48) * 12 - 0.5f * (2 | 16) },
		{ CHECKPOINT_Q5_K, { { 1, 0x3c }, { 3, 0x3c }, { 15, 0x12 }, { 47, 0x80 }, { 175, 0xf0 } }, 255, 2 * (15 | 16) - 1 },
		{ CHECKPOINT_Q6_K, { { 32, 0x50 }, { 128, 0x80 }, { 198, 0xfd }, { 209, 0x40 } }, 32 * 3, 2 * -3 * ((5 | 32) - 32) },
		{ CHECKPOINT_IQ4_NL, { { 1, 0x3c }, { 5, 0x70 } }, 16 + 3, -10 },
		{ CHECKPOINT_IQ4_XS, { { 1, 0x3c }, { 2, 0xc0 }, { 5, 0x90 }, { 58, 0xf0 } }, 32 * 3 + 18, ((9 | 48) - 32) * 113 },
	};
	float out_floats[256];
	size_t i, k;

	for (i = 0; i < LENGTH(cases); i++) {
		uint8_t block[256] = { 0 };
		bool finite;

		for (k = 0; k < LENGTH(cases[i].set); k++)
			if (cases[i].set[k].value)
				block[cases[i].set[k].at] = cases[i].set[k].value;
		finite = elements_decode(out_floats, block, cases[i].dtype, elements_block(cases[i].dtype));
		CHECK(counts, finite && out_floats[cases[i].index] == cases[i].expected, "%s: element %u is %g, expected %g", elements_name(cases[i].dtype), cases[i].index,
		      (double)out_floats[cases[i].index], (double)cases[i].expected);
	}
}

static void test_elements_measure_whole_blocks_only(check_counts *counts)
{
	uint64_t bytes = 0;

	CHECK(counts, elements_measure(CHECKPOINT_Q6_K, 512, &bytes) && bytes == 420, "%" PRIu64, bytes);
	CHECK(counts, !elements_measure(CHECKPOINT_Q6_K, 128, &bytes) && !elements_measure(0, 32, &bytes) && !elements_measure(CHECKPOINT_DTYPES, 32, &bytes), "no refusal");
	CHECK(counts, !elements_measure(CHECKPOINT_F32, UINT64_MAX / 2, &bytes), "overflow");
}

/* ---- the tokenizer ------------------------------------------------------------------------------------------------- */

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

	gguf_put_string(&g, "tokenizer.ggml.model", fault == FAULT_MODEL ? "gpt2" : "llama");
	b = gguf_put_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, padded);
	for (i = 0; i < padded; i++) {
		if (i < t->vocab)
			(void)snprintf(text, sizeof text, "%.*s", (int)tokenizer_piece_bytes(t, i), (const char *)t->text + t->offsets[i]);
		else
			(void)snprintf(text, sizeof text, "[PAD%u]", (unsigned)i);
		gguf_put_text(b, fault == FAULT_EMPTY && i == 300 ? "" : text);
	}
	b = gguf_put_array(&g, fault == FAULT_NO_SCORES ? "tokenizer.ggml.other" : "tokenizer.ggml.scores", GGUF_F32, padded);
	for (i = 0; i < padded; i++)
		gguf_put_float(b, fault == FAULT_SAME_SCORES || i >= t->vocab ? -1000 : t->scores[i]);
	b = gguf_put_array(&g, "tokenizer.ggml.token_type", GGUF_I32, padded - (fault == FAULT_FEW_TYPES));
	for (i = 0; i < padded - (fault == FAULT_FEW_TYPES); i++)
		maker_number(b, fault == FAULT_TYPE && i == 9 ? 7 : i >= t->vocab ? GGUF_TOKEN_UNUSED : fault == FAULT_CONTROL_UNKNOWN && i == 0 ? GGUF_TOKEN_CONTROL : t->types[i], 4);
	gguf_put_u32(&g, "tokenizer.ggml.bos_token_id", 1);
	gguf_put_u32(&g, "tokenizer.ggml.eos_token_id", fault == FAULT_ID ? t->vocab : 2);
	gguf_put_u32(&g, "tokenizer.ggml.unknown_token_id", 0);
	return gguf_finish(&g);
}

static void test_tokenizer_equals_that_of_its_model(check_counts *counts)
{
	static const char *const texts[FAULTS] = { NULL, NULL, NULL, "\"gpt2\" is not supported", "no array tokenizer.ggml.scores", "4095 entries for 4096 tokens", "are all the same",
		                                   "eos_token_id is not the id", "token 9 has none of the types", "piece 300 is empty" };
	void *expected = NULL, *section;
	size_t expected_bytes = 0, bytes;
	brise_tokenizer *t;
	brise_error err;
	int fault;

	CHECK(counts, sentencepiece_read_model(BREEZE, &expected, &expected_bytes, &err) == BRISE_OK, "%s", err.message);
	if (!expected || brise_open_tokenizer(&t, expected, expected_bytes, BREEZE, &err) != BRISE_OK)
		return;
	for (fault = 0; fault < FAULTS; fault++) {
		maker_bytes file = make_tokenizer(t, (tokenizer_fault)fault);
		tensor_list list = { NULL, 0, 0 };
		brise_status status;
		gguf_header h;

		CHECK(counts, gguf_read_memory(&h, file.data, file.n, "memory", 0, &list, &err) == BRISE_OK, "%s", err.message);
		err.message[0] = 0;
		status = gguf_read_tokenizer(&h, "memory", &section, &bytes, &err);
		if (!texts[fault])
			CHECK(counts, status == BRISE_OK && bytes == expected_bytes && !memcmp(section, expected, bytes), "%d: %zu bytes, %zu expected, %s", fault, bytes, expected_bytes,
			      err.message);
		else
			CHECK(counts, status != BRISE_OK && !section && strstr(err.message, texts[fault]), "%d: %s", fault, err.message);
		free(section);
		gguf_free(&h);
		tensors_free(&list);
		maker_free(&file);
	}
	brise_close_tokenizer(t);
	free(expected);
}

/* Parts of the templates as published. */
static void test_chat_templates_are_recognised(check_counts *counts)
{
	static const struct {
		const char *text, *form;
	} cases[] = {
		{ "{{ '[INST] ' + message['content'] + ' [/INST]' }}", "Mistral's v1" },
		{ "{{ '[AVAILABLE_TOOLS] [' }}{{ '[INST] ' }}{{ '[TOOL_CALLS] [' }}", "Mistral's v2 or v3" },
		{ "{{ '[SYSTEM_PROMPT] ' }}{{ '[INST] ' }}{{ '[TOOL_CALLS] ' }}", "Mistral's v7" },
		{ "{{ '[SYSTEM_PROMPT]' }}{{ '[TOOL_CALLS]' + name + '[ARGS]' }}", "Mistral's v11 or v13" },
		{ "{{ '[INST] <<SYS>>' }}", "Llama 2's" },
		{ "{{ '<|im_start|>' + role }}", "ChatML" },
		{ "{{ 'User: ' }}", "unknown form" },
	};
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		gguf_maker g = { .version = 0 };
		tensor_list list = { NULL, 0, 0 };
		notes decisions = { NULL, 0, false };
		maker_bytes file;
		gguf_header h;

		gguf_put_string(&g, "tokenizer.chat_template", cases[i].text);
		file = gguf_finish(&g);
		CHECK(counts, gguf_read_memory(&h, file.data, file.n, "memory", 0, &list, NULL) == BRISE_OK, "not read");
		gguf_note_template(&h, &decisions);
		CHECK(counts, decisions.text && strstr(decisions.text, cases[i].form), "%s: %s", cases[i].text, decisions.text);
		free(decisions.text);
		gguf_free(&h);
		maker_free(&file);
	}
}

int main(void)
{
	check_counts counts = { 0, 0, 0 };

	small_folder(base, sizeof base);
	(void)snprintf(folder, sizeof folder, "%s/gguf", base);
	(void)snprintf(out, sizeof out, "%s/model.brise", base);
	if (mkdir(folder, 0777) != 0)
		return 1;
	test_model_equals_that_of_safetensors_bit_for_bit(&counts);
	test_file_is_known_by_its_first_bytes(&counts);
	test_version_2_is_read(&counts);
	test_missing_output_is_the_embedding(&counts);
	test_decisions_name_their_keys(&counts);
	test_quantized_weights_are_counted_and_warned_of(&counts);
	test_parts_give_the_whole_from_any_of_them(&counts);
	test_parts_that_do_not_fit_together_are_refused(&counts);
	test_other_mathematics_is_refused_by_name(&counts);
	test_values_that_change_nothing_are_accepted(&counts);
	test_missing_keys_are_named(&counts);
	test_foreign_and_damaged_files_are_refused(&counts);
	test_rotary_factors_other_than_one_are_refused(&counts);
	test_scale_that_is_no_number_is_refused(&counts);
	test_every_value_type_is_read(&counts);
	test_truncation_at_every_byte_is_refused(&counts);
	test_flipped_bytes_do_no_harm(&counts);
	test_hostile_counts_are_refused_at_once(&counts);
	test_alignment_is_obeyed_and_checked(&counts);
	test_overlapping_tensors_are_refused(&counts);
	test_elements_computed_by_hand(&counts);
	test_elements_measure_whole_blocks_only(&counts);
	test_tokenizer_equals_that_of_its_model(&counts);
	test_chat_templates_are_recognised(&counts);
	(void)unlink(out);
	(void)maker_clear(folder);
	(void)rmdir(folder);
	(void)rmdir(base);
	return check_report("gguf", &counts);
}
