/* test_gguf_model.c - GGUF files give the model that the same weights give in other forms; what is
 * no Mistral model is refused by name */
#include <inttypes.h>

#include "convert/checkpoint/checkpoint.h"
#include "test/gguf_files.h"
#include "test/tested_types.h"

/* ---- the model ------------------------------------------------------------------------------- */

static void test_model_equals_that_of_safetensors_bit_for_bit(check_counts *counts)
{
	static const char *const dtypes[] = { "F16", "BF16", "F32" };
	maker_bytes expected, model;
	brise_error err;
	uint32_t type = 0;
	size_t k;

	while ((type = next_matrix_type(type)) != 0) {
		maker_model *m = maker_new(false, "F16");

		(void)maker_clear(folder);
		maker_config(folder, false, NULL);
		maker_safetensors(folder, "model.safetensors", m, 0, m->n, NULL);
		maker_close(m);
		CHECK(counts, convert("", type, false, &err) == BRISE_OK, "%s", err.message);
		expected = model_of(out);
		for (k = 0; k < LENGTH(dtypes); k++) {
			save_and_free("m.gguf", gguf_make_whole(dtypes[k], NULL, true));
			CHECK(counts, convert("m.gguf", type, false, &err) == BRISE_OK, "%s: %s",
			      dtypes[k], err.message);
			model = model_of(out);
			CHECK(counts, same_bytes(&model, &expected), "%s: another model of type %s",
			      dtypes[k], type_name(type));
			maker_free(&model);
		}
		maker_free(&expected);
	}
}

static void test_file_is_known_by_its_first_bytes(check_counts *counts)
{
	brise_error err;

	save_and_free("sha256-abc", gguf_make_whole("F16", NULL, true));
	CHECK(counts, convert("sha256-abc", TYPE_F16, false, &err) == BRISE_OK, "%s", err.message);
}

static void test_version_2_is_read(check_counts *counts)
{
	maker_bytes file = gguf_make_whole("F16", NULL, true);
	brise_error err;

	file.data[4] = 2;
	save_and_free("m.gguf", file);
	CHECK(counts, convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK, "%s", err.message);
}

static bool decisions_hold(const char *name, const char *text, char *message, size_t bytes)
{
	brise_error err = { BRISE_OK, "" };
	checkpoint *cp;
	bool found = checkpoint_open(&cp, path_of(name), &err) == BRISE_OK &&
	             strstr(cp->decisions, text);

	(void)snprintf(message, bytes, "%s", cp ? cp->decisions : err.message);
	checkpoint_close(cp);
	return found;
}

static void test_missing_output_is_the_embedding(check_counts *counts)
{
	char message[2000];

	save_and_free("m.gguf", gguf_make_whole("F16", NULL, false));
	CHECK(counts,
	      decisions_hold("m.gguf", "output matrix: the embedding (no output.weight)", message,
	                     sizeof message),
	      "%s", message);
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
	};
	char message[2000];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		save_and_free("m.gguf", gguf_make_whole("F16", cases[i].without, true));
		CHECK(counts, decisions_hold("m.gguf", cases[i].text, message, sizeof message),
		      "without %s: %s", cases[i].without ? cases[i].without : "nothing", message);
	}
}

/* A field that the file lacks can be given as an option. */
static void test_window_may_be_given(check_counts *counts)
{
	static const struct {
		const char *without;
		uint32_t window;
		const char *line;
	} cases[] = { { "llama.attention.sliding_window", 9,
		        "window 9 (--window; the checkpoint's is none)" },
		      { NULL, 0, "(--window 0; the checkpoint's is 7)" } };
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		convert_options options;
		brise_model *model = NULL;
		brise_error err = { BRISE_OK, "" };

		save_and_free("m.gguf", gguf_make_whole("F16", cases[i].without, true));
		convert_init_options(&options);
		options.no_tokenizer = true;
		options.window = cases[i].window;
		CHECK(counts,
		      convert_checkpoint(path_of("m.gguf"), out, &options, NULL, &err) ==
		                      BRISE_OK &&
		              brise_open_model(&model, out, NULL, &err) == BRISE_OK,
		      "%s", err.message);
		CHECK(counts,
		      model && model->config.window == cases[i].window &&
		              strstr(model->origin, cases[i].line),
		      "%s", model ? model->origin : err.message);
		brise_close_model(model);
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
	CHECK(counts,
	      decisions_hold("m.gguf",
	                     "weights: 20 F16, 1 Q8_0\nthese weights are quantized already",
	                     message, sizeof message),
	      "%s", message);
	convert_init_options(&options);
	options.no_tokenizer = true;
	CHECK(counts,
	      convert_checkpoint(path_of("m.gguf"), out, &options, &result, &err) == BRISE_OK &&
	              result.requantized,
	      "%s", err.message);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static const char *const part_names[] = { "m-00001-of-00003.gguf", "m-00002-of-00003.gguf",
	                                  "m-00003-of-00003.gguf" };

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

static void test_parts_give_the_whole_from_any_of_them(check_counts *counts)
{
	maker_bytes expected, model;
	brise_error err;
	uint32_t type = 0;
	size_t i;

	while ((type = next_book_type(type)) != 0) {
		save_and_free("m.gguf", gguf_make_whole("F16", NULL, true));
		CHECK(counts, convert("m.gguf", type, false, &err) == BRISE_OK, "%s", err.message);
		expected = model_of(out);
		make_parts(2, 21);
		for (i = 0; i < 3; i++) {
			CHECK(counts, convert(part_names[i], type, false, &err) == BRISE_OK,
			      "%s: %s", part_names[i], err.message);
			model = model_of(out);
			CHECK(counts, same_bytes(&model, &expected), "%s: another model",
			      part_names[i]);
			maker_free(&model);
		}
		maker_free(&expected);
	}
}

static void test_parts_that_do_not_fit_together_are_refused(check_counts *counts)
{
	char from[700];

	make_parts(2, 21);
	(void)unlink(path_of(part_names[1]));
	refuse(counts, part_names[0], BRISE_EIO, "m-00002-of-00003.gguf: part 2 of 3 is missing");
	make_parts(1, 21);
	refuse(counts, part_names[0], BRISE_EFORMAT,
	       "named part 3 of 3, but split.no and split.count say part 2 of 3");
	make_parts(2, 22);
	refuse(counts, part_names[2], BRISE_EFORMAT,
	       "split.tensors.count is 22, all parts hold 21 tensors");
	make_parts(2, 21);
	(void)snprintf(from, sizeof from, "%s", path_of(part_names[0]));
	(void)rename(from, path_of("renamed.gguf"));
	refuse(counts, "renamed.gguf", BRISE_EFORMAT,
	       "its name does not end with -00001-of-00003.gguf");
	save_and_free("m-00001-of-00001.gguf",
	              gguf_make_whole("F16", "general.architecture", true));
	refuse(counts, "m-00001-of-00001.gguf", BRISE_EFORMAT, "no general.architecture");
	(void)maker_clear(folder);
}

/* ---- folders --------------------------------------------------------------------------------- */

static void expect_folder(check_counts *counts, const char *what, const maker_bytes *expected)
{
	brise_error err;
	maker_bytes model;

	(void)unlink(out);
	CHECK(counts, convert("", TYPE_Q8, false, &err) == BRISE_OK, "%s: %s", what, err.message);
	model = model_of(out);
	CHECK(counts, same_bytes(&model, expected), "%s: another model", what);
	maker_free(&model);
}

static void test_only_model_of_a_folder_is_taken(check_counts *counts)
{
	maker_bytes expected;
	brise_error err;
	char message[2000];

	(void)maker_clear(folder);
	save_and_free("m-Q8_0.gguf", gguf_make_whole("F16", NULL, true));
	CHECK(counts, convert("m-Q8_0.gguf", TYPE_Q8, false, &err) == BRISE_OK, "%s", err.message);
	expected = model_of(out);
	expect_folder(counts, "one file", &expected);
	CHECK(counts,
	      decisions_hold("", "weights: m-Q8_0.gguf, the folder's only GGUF model", message,
	                     sizeof message),
	      "%s", message);
	maker_config(folder, false, NULL);
	expect_folder(counts, "a configuration beside it", &expected);
	maker_save(folder, "mmproj-model-f16.gguf", "GGUF", 4);
	maker_save(folder, "._m-Q8_0.gguf", "", 0);
	maker_save(folder, "pytorch_model.bin", "", 0);
	expect_folder(counts, "files that are no models", &expected);
	make_parts(2, 21);
	expect_folder(counts, "a model in parts", &expected);
	maker_free(&expected);
	(void)maker_clear(folder);
}

/* Weights in other forms are preferred to a GGUF file beside them. */
static void test_safetensors_come_before_models_beside_them(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");
	char message[2000];

	(void)maker_clear(folder);
	maker_config(folder, false, NULL);
	maker_safetensors(folder, "model.safetensors", m, 0, m->n, NULL);
	maker_save(folder, "a.gguf", "", 0);
	maker_save(folder, "b.gguf", "", 0);
	CHECK(counts, decisions_hold("", "weights: model.safetensors", message, sizeof message),
	      "%s", message);
	maker_close(m);
	(void)maker_clear(folder);
}

static void test_several_models_of_a_folder_are_named(check_counts *counts)
{
	char name[300];

	make_parts(2, 21);
	(void)unlink(path_of(part_names[0]));
	refuse(counts, "", BRISE_EIO, "m-00001-of-00003.gguf: part 1 of 3 is missing");
	maker_save(folder, "b.gguf", "", 0);
	refuse(counts, "", BRISE_EFORMAT,
	       ": 2 GGUF models, give one of them: b.gguf, m-00001-of-00003.gguf");
	maker_save(folder, "m-00001-of-00004.gguf", "", 0);
	maker_save(folder, "a.gguf", "", 0);
	maker_save(folder, "c.gguf", "", 0);
	refuse(counts, "", BRISE_EFORMAT,
	       ": 5 GGUF models, give one of them: a.gguf, b.gguf, c.gguf and 2 more");
	refuse(counts, "a.gguf", BRISE_EFORMAT, "a.gguf");
	(void)maker_clear(folder);
	memset(name, 'x', sizeof name);
	(void)snprintf(name + 250, 6, ".gguf");
	maker_save(folder, name, "", 0);
	refuse(counts, "", BRISE_EFORMAT, "xxxx.gguf"); /* the longest name there is */
	(void)maker_clear(folder);
	maker_config(folder, false, NULL);
	maker_save(folder, "m.gguf", "", 0);
	refuse(counts, "config.json", BRISE_EFORMAT,
	       "config.json is there, but no model.safetensors");
	if (symlink("nowhere", path_of("link.gguf")) == 0) {
		(void)unlink(path_of("m.gguf"));
		refuse(counts, "", BRISE_EIO, "link.gguf: a link to a file that is not there");
	}
	(void)maker_clear(folder);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void put_neutral(gguf_maker *g, int which)
{
	static const char *const numbers[] = { "llama.expert_count",
		                               "llama.logit_scale",
		                               "llama.attention.temperature_scale",
		                               "llama.final_logit_softcapping",
		                               "llama.rope.scaling.alpha",
		                               "llama.rope.scaling.attn_factor",
		                               "llama.rope.scaling.yarn_attn_factor",
		                               "llama.rope.scaling.yarn_ext_factor",
		                               "llama.attention.sliding_window_pattern" };

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
	static const char *const names[] = { "llama.expert_count",     "llama.logit_scale",
		                             "temperature_scale",      "softcapping",
		                             "rope.scaling.alpha",     "attn_factor 8",
		                             "yarn_attn_factor 8",     "yarn_ext_factor 8",
		                             "window_pattern",         "longrope",
		                             "llama.attention.causal", "tensor_data_layout" };
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

static void test_biases_are_taken_where_all_are_zero(check_counts *counts)
{
	static const struct {
		const char *name;
		float last;
		const char *refusal; /* NULL: taken */
	} cases[] = { { "blk.0.attn_q.bias", 0, NULL },
		      { "blk.1.ffn_down.bias", -0.0f, NULL },
		      { "output.bias", 0, NULL },
		      { "blk.0.attn_q.bias", 1, "tensor blk.0.attn_q.bias: biases are not" },
		      { "output_norm.bias", 1, "tensor output_norm.bias: biases are not" },
		      { "blk.0.other.bias", 0, "tensor blk.0.other.bias is not part of" } };
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		float bias[MAKER_DIM] = { 0 };
		uint64_t ne = MAKER_DIM;
		maker_model *m = maker_new(true, "F16");
		gguf_maker g = { .version = 0 };

		bias[MAKER_DIM - 1] = cases[i].last;
		gguf_put_config(&g, NULL);
		gguf_put_model(&g, m, 0, m->n);
		gguf_put_tensor(&g, cases[i].name, 1, &ne, GGML_F32, bias, sizeof bias);
		maker_close(m);
		save_and_free("m.gguf", gguf_finish(&g));
		if (cases[i].refusal)
			refuse(counts, "m.gguf", BRISE_EUNSUPPORTED, cases[i].refusal);
		else
			CHECK(counts, convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK, "%s",
			      err.message);
	}
}

/* [32, 40, 1, 1] is [32, 40]; [32, 40, 2] and [32, 1, 40] are not. */
static void test_dimensions_of_one_behind_a_shape_are_none(check_counts *counts)
{
	static const struct {
		uint32_t n_dims;
		uint64_t ne[4];
		bool taken;
	} shapes[] = { { 3, { MAKER_DIM, MAKER_VOCAB, 1, 0 }, true },
		       { 4, { MAKER_DIM, MAKER_VOCAB, 1, 1 }, true },
		       { 3, { MAKER_DIM, MAKER_VOCAB / 2, 2, 0 }, false },
		       { 1, { MAKER_DIM * MAKER_VOCAB, 0, 0, 0 }, false } };
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(shapes); i++) {
		maker_model *m = maker_new(true, "F16");
		const maker_tensor *last = &m->tensors[m->n - 1];
		gguf_maker g = { .version = 0 };

		gguf_put_config(&g, NULL);
		gguf_put_model(&g, m, 0, m->n - 1);
		gguf_put_tensor(&g, "output.weight", shapes[i].n_dims, shapes[i].ne, GGML_F16,
		                last->data.data, last->data.n);
		maker_close(m);
		save_and_free("m.gguf", gguf_finish(&g));
		if (shapes[i].taken)
			CHECK(counts, convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK, "%s",
			      err.message);
		else
			refuse(counts, "m.gguf", BRISE_EFORMAT, "tensor output.weight: shape");
	}
}

/* The rows of the embedding count, as in llama.cpp. */
static void test_vocabulary_key_that_says_another_number_is_passed_over(check_counts *counts)
{
	static const uint32_t numbers[] = { MAKER_VOCAB + 24, 1, 0 };
	char message[2000];
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(numbers); i++) {
		maker_model *m = maker_new(true, "F16");
		gguf_maker g = { .version = 0 };

		gguf_put_config(&g, "llama.vocab_size");
		gguf_put_u32(&g, "llama.vocab_size", numbers[i]);
		gguf_put_model(&g, m, 0, m->n);
		maker_close(m);
		save_and_free("m.gguf", gguf_finish(&g));
		CHECK(counts, convert("m.gguf", TYPE_F16, false, &err) == BRISE_OK, "%s",
		      err.message);
		CHECK(counts,
		      decisions_hold("m.gguf", "vocab_size says another number", message,
		                     sizeof message),
		      "%s", message);
	}
}

/* What llama.cpp assumes for vocabularies "llama", and for no others. */
static void test_begin_and_end_tokens_have_defaults(check_counts *counts)
{
	static const char bos[] = "tokenizer.ggml.bos_token_id",
	                  eos[] = "tokenizer.ggml.eos_token_id";
	static const struct {
		const char *without, *tokenizer;
		uint32_t given; /* instead, 0: nothing */
		const char *text;
	} cases[] = { { bos, "llama", 0, "begin token 1, end token 2" },
		      { eos, "llama", 0, "begin token 1, end token 2" },
		      { bos, "llama", 5, "begin token 5, end token 2" },
		      { eos, "llama", MAKER_VOCAB, "begin token 1, end token 2" },
		      { eos, "llama", UINT32_MAX, "eos_token_id 4294967295 passed over" },
		      { bos, "llama", UINT32_MAX, "begin token 1, end token 2" },
		      { bos, "gpt2", 0, "begin token -1, end token 2" },
		      { eos, NULL, MAKER_VOCAB, "begin token 1, end token -1" } };
	char message[2000];
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		maker_model *m = maker_new(true, "F16");
		gguf_maker g = { .version = 0 };

		gguf_put_config(&g, cases[i].without);
		if (cases[i].tokenizer)
			gguf_put_string(&g, "tokenizer.ggml.model", cases[i].tokenizer);
		if (cases[i].given)
			gguf_put_u32(&g, cases[i].without, cases[i].given);
		gguf_put_model(&g, m, 0, m->n);
		maker_close(m);
		save_and_free("m.gguf", gguf_finish(&g));
		CHECK(counts, decisions_hold("m.gguf", cases[i].text, message, sizeof message),
		      "%s expected: %s", cases[i].text, message);
	}
}

static void test_missing_keys_are_named(check_counts *counts)
{
	static const char *const keys[] = {
		"general.architecture",      "llama.embedding_length",
		"llama.block_count",         "llama.attention.head_count",
		"llama.feed_forward_length", "llama.attention.layer_norm_rms_epsilon"
	};
	size_t i;

	for (i = 0; i < LENGTH(keys); i++) {
		save_and_free("m.gguf", gguf_make_whole("F16", keys[i], true));
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

#define EDIT(from, to, status, text)                                                               \
	{                                                                                          \
		from, sizeof(from) - 1, to, sizeof(to) - 1, BRISE_##status, text                   \
	}

static const refusal refusals[] = {
	EDIT("GGUF", "GGUP", EFORMAT, "not a GGUF file"),
	EDIT("GGUF", "tjgg", EUNSUPPORTED, "before GGUF"),
	EDIT("GGUF\3", "GGUF\1", EUNSUPPORTED, "GGUF version 1 "),
	EDIT("GGUF\3", "GGUF\4", EUNSUPPORTED, "GGUF version 4 "),
	EDIT("GGUF\3\0\0\0", "GGUF\0\0\0\3", EUNSUPPORTED, "big-endian"),
	EDIT("\5\0\0\0\0\0\0\0llama", "\5\0\0\0\0\0\0\0gemma", EUNSUPPORTED,
	     "general.architecture gemma"),
	EDIT("llama.block_count", "llama.vocab_size\0", EFORMAT, "not printable"),
	EDIT("llama.attention.value_length", "llama.attention.key_length\1\1", EFORMAT,
	     "not printable"),
	EDIT("llama.block_count\4", "llama.block_count\15", EFORMAT, "no type 13"),
	EDIT("llama.block_count\4", "llama.block_count\6", EFORMAT,
	     "llama.block_count is not an integer"),
	EDIT("llama.embedding_length\4\0\0\0\x20", "llama.embedding_length\4\0\0\0\x40", EFORMAT,
	     "shape"),
	EDIT("llama.rope.dimension_count\4\0\0\0\x10", "llama.rope.dimension_count\4\0\0\0\x08",
	     EUNSUPPORTED, "rope.dimension_count 8 of 16"),
	EDIT("llama.attention.value_length\4\0\0\0\x10", "llama.attention.value_length\4\0\0\0\x08",
	     EUNSUPPORTED, "value_length 8"),
	EDIT("output_norm.weight\1\0\0\0", "output_norm.weight\0\0\0\0", EFORMAT,
	     "output_norm.weight: 0 dimensions"),
	EDIT("output_norm.weight\1\0\0\0", "output_norm.weight\5\0\0\0", EFORMAT,
	     "output_norm.weight: 5 dimensions"),
	EDIT("output_norm.weight\1\0\0\0\x20", "output_norm.weight\1\0\0\0\0", EFORMAT,
	     "output_norm.weight: dimension 0 is 0"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0",
	     "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\xff", EFORMAT, "output_norm.weight"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1",
	     "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\x10", EUNSUPPORTED,
	     "element type IQ2_XXS is not supported"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1",
	     "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\x1f", EUNSUPPORTED,
	     "Q4_0_4_4 (retired)"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1",
	     "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\xff", EUNSUPPORTED,
	     "element type 255 is not known"),
	EDIT("output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\1",
	     "output_norm.weight\1\0\0\0\x20\0\0\0\0\0\0\0\x0c", EFORMAT,
	     "no whole number of Q4_K blocks of 256"),
	EDIT("blk.0.attn_q.weight", "blk.0.attn_k.weight", EFORMAT,
	     "blk.0.attn_k.weight appears twice"),
	EDIT("blk.0.attn_q.weight", "blk.0.attn_q.biased", EUNSUPPORTED,
	     "blk.0.attn_q.biased is not part of a Mistral model"),
	EDIT("blk.1.attn_q.weight", "blk.2.attn_q.weight", EUNSUPPORTED, "blk.2.attn_q.weight"),
	EDIT("\15\0\0\0\0\0\0\0output.weight\2\0\0\0\x20",
	     "\15\0\0\0\0\0\0\0output.weight\2\0\0\0\x10", EFORMAT,
	     "output.weight: shape [40, 32] expected")
};

static void test_foreign_and_damaged_files_are_refused(check_counts *counts)
{
	size_t i;

	for (i = 0; i < LENGTH(refusals); i++) {
		const refusal *r = &refusals[i];
		maker_edit edit = { "m.gguf", r->from, r->from_bytes, r->to, r->to_bytes };
		maker_bytes file = gguf_make_whole("F16", NULL, true);

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

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	if (!make_folder())
		return 1;
	RUN(test_model_equals_that_of_safetensors_bit_for_bit(&counts));
	RUN(test_file_is_known_by_its_first_bytes(&counts));
	RUN(test_version_2_is_read(&counts));
	RUN(test_missing_output_is_the_embedding(&counts));
	RUN(test_decisions_name_their_keys(&counts));
	RUN(test_window_may_be_given(&counts));
	RUN(test_quantized_weights_are_counted_and_warned_of(&counts));
	RUN(test_parts_give_the_whole_from_any_of_them(&counts));
	RUN(test_parts_that_do_not_fit_together_are_refused(&counts));
	RUN(test_only_model_of_a_folder_is_taken(&counts));
	RUN(test_safetensors_come_before_models_beside_them(&counts));
	RUN(test_several_models_of_a_folder_are_named(&counts));
	RUN(test_other_mathematics_is_refused_by_name(&counts));
	RUN(test_values_that_change_nothing_are_accepted(&counts));
	RUN(test_biases_are_taken_where_all_are_zero(&counts));
	RUN(test_dimensions_of_one_behind_a_shape_are_none(&counts));
	RUN(test_vocabulary_key_that_says_another_number_is_passed_over(&counts));
	RUN(test_begin_and_end_tokens_have_defaults(&counts));
	RUN(test_missing_keys_are_named(&counts));
	RUN(test_foreign_and_damaged_files_are_refused(&counts));
	RUN(test_rotary_factors_other_than_one_are_refused(&counts));
	RUN(test_scale_that_is_no_number_is_refused(&counts));
	remove_folder();
	return check_report("gguf_model", &counts);
}
