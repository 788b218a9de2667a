/* test_ministral.c - checkpoints of models that read images as well, in both spellings of Hugging
 * Face's form and in Mistral's own, and matrices of 8-bit floats */
#include <math.h>

#include "convert/checkpoint/checkpoint.h"
#include "convert/convert.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/small_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char folder[600];

/* ---- models ---------------------------------------------------------------------------------- */

/* How names are spelled. */
typedef enum spelling { OUTER, INNER, OWN, SPELLINGS } spelling;

static const char *const spelling_names[] = { "language_model.model.", "model.language_model.",
	                                      "Mistral's own" };

/* A code for each weight of the maker; never one of the two that are no numbers. */
static uint8_t code_of(float weight)
{
	int code = (int)(weight * 64) + 127;

	return code == 0x7f ? 0x3f : (uint8_t)code;
}

/* E4M3 in the words of the paper (arXiv 2209.05433): bias 7, subnormals at exponent 0. */
static double value_of(uint8_t code)
{
	int exponent = code >> 3 & 15, fraction = code & 7;
	double value = exponent > 0 ? ldexp(8 + fraction, exponent - 10) : ldexp(fraction, -9);

	return code & 0x80 ? -value : value;
}

/* BF16 with all eight bits in use, another for each matrix. */
static uint16_t scale_of(uint32_t kind, uint32_t layer)
{
	return (uint16_t)(0x3c01 + 74 * kind + 1022 * layer);
}

static float scale_value(uint16_t scale)
{
	return half_from_bits((uint32_t)scale << 16);
}

static maker_tensor *find_tensor(maker_model *m, const char *end)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		size_t length = strlen(m->tensors[i].name);

		if (length >= strlen(end) &&
		    !strcmp(m->tensors[i].name + length - strlen(end), end))
			return &m->tensors[i];
	}
	fprintf(stderr, "no tensor %s\n", end);
	exit(1);
}

static maker_tensor *add(maker_model *m, const char *name, const char *dtype, uint32_t n_dims,
                         uint32_t rows, uint32_t cols, const void *data, size_t bytes)
{
	maker_tensor *t = &m->tensors[m->n++];

	*t = (maker_tensor){ .n_dims = n_dims, .shape = { rows, cols }, .dtype = dtype };
	(void)snprintf(t->name, sizeof t->name, "%s", name);
	maker_put(&t->data, data, bytes);
	return t;
}

static void add_beside(maker_model *m, const char *weight, const char *end, uint16_t value)
{
	char name[80];

	(void)snprintf(name, sizeof name, "%.*s%s", (int)(strrchr(weight, '.') + 1 - weight),
	               weight, end);
	add(m, name, "BF16", 0, 0, 0, &value, sizeof value);
}

/* The matrices of layers as codes and scales. */
static void make_8_bits(maker_model *m, bool own)
{
	size_t i, k, n = m->n;

	for (i = 1; i + 2 < n; i++) {
		maker_tensor *t = &m->tensors[i];
		uint32_t at = (uint32_t)i - 1, layer = at / 9,
		         kind = TENSOR_ATTENTION_NORM + at % 9;
		maker_bytes codes = { NULL, 0, 0 };

		if (t->n_dims < 2)
			continue;
		for (k = 0; k < t->data.n; k += sizeof(float)) {
			float weight;
			uint8_t code;

			memcpy(&weight, t->data.data + k, sizeof weight);
			code = code_of(weight);
			maker_put(&codes, &code, 1);
		}
		maker_free(&t->data);
		t->data = codes;
		t->dtype = "F8_E4M3";
		add_beside(m, t->name, own ? "qscale_weight" : "weight_scale_inv",
		           scale_of(kind, layer));
		add_beside(m, t->name, own ? "qscale_act" : "activation_scale", 0x3f80);
	}
	if (own)
		add_beside(m, "layers.1.attention.kv_fake_quantizer.x", "qscale_act", 0x3f80);
}

/* Names as wrappers have them. */
static void wrap(maker_model *m, spelling s)
{
	static const char *const outside[] = { "language_model.", "" };
	char name[80];
	size_t i;

	for (i = 0; i < m->n && s != OWN; i++) {
		char *old = m->tensors[i].name;

		if (!strncmp(old, "model.", 6))
			(void)snprintf(name, sizeof name, "%s%s", spelling_names[s], old + 6);
		else
			(void)snprintf(name, sizeof name, "%s%s", outside[s], old);
		strcpy(old, name);
	}
}

/* Tensors that end as those of the language model do. */
static void add_images(maker_model *m, spelling s)
{
	static const char *const names[SPELLINGS][4] = {
		{ "vision_tower.transformer.layers.0.attention.q_proj.weight",
		  "vision_tower.transformer.layers.0.attention_norm.weight",
		  "multi_modal_projector.norm.weight", "vision_tower.ln_pre.weight" },
		{ "model.vision_tower.transformer.layers.0.self_attn.q_proj.weight",
		  "model.vision_tower.transformer.layers.0.input_layernorm.weight",
		  "model.multi_modal_projector.patch_merger.merging_layer.weight",
		  "model.vision_tower.patch_conv.weight" },
		{ "vision_encoder.transformer.layers.0.attention.wq.weight",
		  "vision_encoder.transformer.layers.0.attention_norm.weight",
		  "pre_mm_projector_norm.weight", "patch_merger.merging_layer.weight" },
	};
	static const uint16_t numbers[4] = { 0x3f80, 0x4000, 0x4040, 0x4080 };
	size_t i;

	for (i = 0; i < 4; i++)
		add(m, names[s][i], "BF16", 1, 4, 0, numbers, sizeof numbers);
}

static maker_model *make(spelling s, bool in_8_bits)
{
	maker_model *m = maker_new(s == OWN, "F32");

	if (in_8_bits)
		make_8_bits(m, s == OWN);
	wrap(m, s);
	add_images(m, s);
	return m;
}

#define SIZES                                                                                      \
	"\"hidden_size\": 32, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, "              \
	"\"num_key_value_heads\": 1, \"head_dim\": 16, \"intermediate_size\": 48, "                \
	"\"vocab_size\": 40, \"rms_norm_eps\": 1e-05, \"sliding_window\": null, "                  \
	"\"max_position_embeddings\": 512, \"rope_parameters\": {\"rope_theta\": 1e6, "            \
	"\"rope_type\": \"yarn\", \"factor\": 4, \"mscale\": 1, \"mscale_all_dim\": 1, "           \
	"\"original_max_position_embeddings\": 64, \"llama_4_scaling_beta\": 0.1}"
#define CONFIG                                                                                     \
	"{\"model_type\": \"mistral3\", \"quantization_config\": {\"quant_method\": \"fp8\", "     \
	"\"weight_block_size\": null}, \"text_config\": {\"model_type\": \"ministral3\", " SIZES   \
	"}, \"vision_config\": {\"hidden_size\": 8}}"
#define PARAMS                                                                                     \
	"{\"dim\": 32, \"n_layers\": 2, \"head_dim\": 16, \"hidden_dim\": 48, \"n_heads\": 2, "    \
	"\"n_kv_heads\": 1, \"norm_eps\": 1e-05, \"vocab_size\": 40, \"rope_theta\": 1e6, "        \
	"\"max_position_embeddings\": 512, \"sliding_window\": [null, 16], \"yarn\": "             \
	"{\"factor\": 4, "                                                                         \
	"\"original_max_position_embeddings\": 64, \"beta\": 32, \"alpha\": 1, \"apply_scale\": "  \
	"false}, \"llama_4_scaling\": {\"beta\": 0.1, \"original_max_position_embeddings\": 64}, " \
	"\"vision_encoder\": {\"hidden_size\": 8}}"

static void save(const maker_model *m, spelling s)
{
	const char *config = s == OWN ? PARAMS : CONFIG;

	(void)maker_clear(folder);
	maker_save(folder, s == OWN ? "params.json" : "config.json", config, strlen(config));
	maker_safetensors(folder, s == OWN ? "consolidated.safetensors" : "model.safetensors", m, 0,
	                  m->n, NULL);
}

/* ---- what is read ---------------------------------------------------------------------------- */

/* Would catch a scale that divides, another matrix's scale, a wrong bias, subnormals that are lost,
 * and a product that is rounded on its way to the encoder: scales have eight bits, so that a
 * product may need twelve. */
static void check_weights(check_counts *counts, const convert_source *source, bool in_8_bits,
                          const char *what)
{
	float rows[MAKER_VOCAB * MAKER_HIDDEN], raw[MAKER_VOCAB * MAKER_HIDDEN];
	uint32_t layer, kind, n, cols, i, wrong = 0;
	brise_error err;

	for (layer = 0; layer < MAKER_LAYERS; layer++)
		for (kind = 1; kind < TENSOR_KINDS; kind++) {
			bool inside = kind >= TENSOR_ATTENTION_NORM && kind <= TENSOR_W2,
			     codes = inside && in_8_bits && kind != TENSOR_ATTENTION_NORM &&
			             kind != TENSOR_FFN_NORM;

			if (!inside && layer > 0)
				continue;
			model_tensor_shape(&source->config, kind, &n, &cols);
			if (source->read(source->self, kind, layer, 0, n, rows, raw, &err) !=
			    BRISE_OK) {
				CHECK(counts, false, "%s: %s", what, err.message);
				return;
			}
			for (i = 0; i < n * cols; i++) {
				float weight = maker_weight(kind, layer, i / cols, i % cols);
				double expected =
				        codes ? value_of(code_of(weight)) *
				                        (double)scale_value(scale_of(kind, layer))
				              : (double)weight;

				wrong += (double)rows[i] != expected;
			}
		}
	CHECK(counts, wrong == 0, "%s: %u wrong weights", what, wrong);
}

static void test_both_spellings_and_mistrals_own(check_counts *counts)
{
	int s, in_8_bits;

	for (s = OUTER; s < SPELLINGS; s++)
		for (in_8_bits = 0; in_8_bits <= 1; in_8_bits++) {
			maker_model *m = make((spelling)s, in_8_bits);
			convert_source source;
			brise_error err = { BRISE_OK, "" };

			save(m, (spelling)s);
			CHECK(counts, convert_open_source(&source, folder, &err) == BRISE_OK,
			      "%s: %s", spelling_names[s], err.message);
			if (source.self) {
				check_weights(counts, &source, in_8_bits, spelling_names[s]);
				CHECK(counts,
				      source.config.rope_scaling == ROPE_YARN &&
				              source.config.rope_magnitude == 1 &&
				              source.config.query_original == 64 &&
				              source.config.window == 0,
				      "%s: magnitude %g", spelling_names[s],
				      source.config.rope_magnitude);
				CHECK(counts,
				      (s == OWN) == (source.windows && source.windows[0] == 0 &&
				                     source.windows[1] == 16),
				      "%s: windows", spelling_names[s]);
				CHECK(counts,
				      strstr(source.origin,
				             "4 tensors left out: they read images") &&
				              (!in_8_bits ||
				               strstr(source.origin, "stored as F8_E4M3")),
				      "%s", source.origin);
			}
			convert_close_source(&source);
			maker_close(m);
		}
}

/* Every code, decoded. */
static void test_every_code(check_counts *counts)
{
	uint32_t code, wrong = 0;
	uint8_t byte;
	float value;

	for (code = 0; code < 256; code++) {
		bool number = (code & 0x7f) != 0x7f;

		byte = (uint8_t)code;
		if (elements_decode(&value, &byte, ELEMENTS_F8_E4M3, 1) != number ||
		    (number && (double)value != value_of(byte)) ||
		    (number && (signbit(value) != 0) != (code >= 0x80)))
			wrong++;
	}
	CHECK(counts, wrong == 0, "%u wrong", wrong);
	CHECK(counts, value_of(0x7e) == 448 && value_of(1) == ldexp(1, -9), "%g", value_of(0x7e));
}

static void test_a_folder_with_both_forms(check_counts *counts)
{
	maker_model *theirs = make(OUTER, false), *own = make(OWN, false);
	convert_source source;
	brise_error err;
	char path[700];

	save(theirs, OUTER);
	maker_save(folder, "params.json", PARAMS, strlen(PARAMS));
	maker_safetensors(folder, "consolidated.safetensors", own, 0, own->n, NULL);
	CHECK(counts, convert_open_source(&source, folder, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts,
	      source.self && !source.windows &&
	              strstr(source.origin, "both of a model's forms are here: Hugging Face's"),
	      "%s", source.origin);
	convert_close_source(&source);
	(void)snprintf(path, sizeof path, "%s/params.json", folder);
	CHECK(counts, convert_open_source(&source, path, &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, source.self && source.windows && !strstr(source.origin, "both of a model"),
	      "%s", source.origin);
	convert_close_source(&source);
	maker_close(theirs);
	maker_close(own);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void expect(check_counts *counts, const maker_model *m, spelling s, brise_status status,
                   const char *text)
{
	convert_options options;
	brise_error err = { BRISE_OK, "" };
	char out[700];

	save(m, s);
	(void)snprintf(out, sizeof out, "%s/out.brise", folder);
	convert_init_options(&options);
	options.no_tokenizer = true;
	CHECK(counts,
	      convert_checkpoint(folder, out, &options, NULL, &err) == status &&
	              strstr(err.message, text),
	      "%s expected: %s", text, err.message);
}

/* What a model of 8-bit floats may not have, each by itself. */
static void test_wrong_scales_are_refused(check_counts *counts)
{
	static const struct {
		uint16_t scale;
		const char *text;
	} wrong[] = { { 0, "a scale that is not a positive number" },
		      { 0xbf80, "a scale that is not a positive number" },
		      { 0x7f80, "a scale that is not a positive number" },
		      { 0x7fc0, "a scale that is not a positive number" } };
	static const uint8_t codes[] = { 0x7f, 0xff };
	const char *matrix = "layers.1.mlp.gate_proj.";
	char name[100];
	maker_model *m = make(OUTER, true);
	maker_tensor *scale, *weight;
	const uint16_t largest = 0x7f7f; /* finite, its products are not */
	uint16_t before;
	size_t i;

	(void)snprintf(name, sizeof name, "%sweight_scale_inv", matrix);
	scale = find_tensor(m, name);
	(void)snprintf(name, sizeof name, "%sweight", matrix);
	weight = find_tensor(m, name);
	memcpy(&before, scale->data.data, sizeof before);
	for (i = 0; i < LENGTH(wrong); i++) {
		memcpy(scale->data.data, &wrong[i].scale, sizeof wrong[i].scale);
		expect(counts, m, OUTER, BRISE_EFORMAT, wrong[i].text);
	}
	memcpy(scale->data.data, &before, sizeof before);
	for (i = 0; i < LENGTH(codes); i++) {
		uint8_t old = weight->data.data[100];

		weight->data.data[100] = codes[i];
		expect(counts, m, OUTER, BRISE_EFORMAT, "is infinite or not a number");
		weight->data.data[100] = old;
	}
	memcpy(scale->data.data, &largest, sizeof largest);
	expect(counts, m, OUTER, BRISE_EFORMAT, "is infinite or not a number");
	memcpy(scale->data.data, &before, sizeof before);
	maker_put(&scale->data, &before, sizeof before);
	scale->n_dims = 1;
	scale->shape[0] = 2;
	expect(counts, m, OUTER, BRISE_EUNSUPPORTED, "scales for parts of a matrix");
	scale->n_dims = 0;
	scale->data.n = sizeof before;
	strcpy(scale->name, "language_model.model.layers.1.mlp.gate_proj.weight_scale");
	expect(counts, m, OUTER, BRISE_EFORMAT, "F8_E4M3, but no scale beside it");
	maker_close(m);
}

static void test_foreign_tensors_are_refused(check_counts *counts)
{
	static const uint16_t one = 0x3f80;
	static const struct {
		spelling s;
		const char *name;
		brise_status status;
		const char *text;
	} foreign[] = {
		/* a scale beside a matrix that needs none */
		{ OUTER, "language_model.model.layers.0.mlp.up_proj.weight_scale_inv",
		  BRISE_EUNSUPPORTED, "is not part of a Mistral model" },
		/* ends as a fake quantizer does, in a layer that is not there */
		{ OWN, "layers.2.attention.kv_fake_quantizer.qscale_act", BRISE_EUNSUPPORTED,
		  "is not part of a Mistral model" },
		{ OWN, "layers.0.attention.wx.qscale_act", BRISE_EUNSUPPORTED,
		  "is not part of a Mistral model" },
		/* begins as an image tensor does, but for the dot */
		{ OWN, "vision_encoder2.layers.0.attention.wq.weight", BRISE_EFORMAT,
		  "different prefixes" },
		{ OUTER, "language_model.vision_tower.ln_pre.weight", BRISE_EUNSUPPORTED,
		  "is not part of a Mistral model" },
	};
	size_t i;

	for (i = 0; i < LENGTH(foreign); i++) {
		maker_model *m = make(foreign[i].s, false);

		add(m, foreign[i].name, "BF16", 1, 1, 0, &one, sizeof one);
		expect(counts, m, foreign[i].s, foreign[i].status, foreign[i].text);
		maker_close(m);
	}
}

static void test_norms_of_8_bits_are_refused(check_counts *counts)
{
	maker_model *m = make(OUTER, true);
	maker_tensor *norm = find_tensor(m, "layers.0.input_layernorm.weight");

	norm->dtype = "F8_E4M3";
	norm->data.n /= 4;
	expect(counts, m, OUTER, BRISE_EUNSUPPORTED, "is neither F16, BF16 nor F32");
	maker_close(m);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(folder, sizeof folder);
	RUN(test_both_spellings_and_mistrals_own(&counts));
	RUN(test_every_code(&counts));
	RUN(test_a_folder_with_both_forms(&counts));
	RUN(test_wrong_scales_are_refused(&counts));
	RUN(test_foreign_tensors_are_refused(&counts));
	RUN(test_norms_of_8_bits_are_refused(&counts));
	(void)maker_clear(folder);
	return check_report("ministral", &counts);
}
