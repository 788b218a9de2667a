/* test_config.c - what a configuration's fields mean when they are given, null or absent
 *
 * The defaults expected here are those that transformers documents for each type of model.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/checkpoint/architecture.h"
#include "test/check.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static brise_status read_config(architecture *a, const char *json, brise_error *err)
{
	notes decisions = { NULL, 0, false };
	brise_status status;

	err->message[0] = 0;
	status = architecture_read_config(a, json, strlen(json), "config.json", &decisions, err);
	free(decisions.text);
	return status;
}

static brise_status read_params(architecture *a, const char *json, brise_error *err)
{
	notes decisions = { NULL, 0, false };
	brise_status status;

	err->message[0] = 0;
	status = architecture_read_params(a, json, strlen(json), "params.json", &decisions, err);
	free(decisions.text);
	return status;
}

/* ---- absent --------------------------------------------------------------------------------- */

static void test_absent_fields_have_the_defaults_of_mistral(check_counts *counts)
{
	static const char *const configs[] = { "{\"model_type\": \"mistral\"}",
		                               "{\"architectures\": [\"MistralForCausalLM\"]}",
		                               "{\"hidden_size\": 4096}" };
	architecture a;
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(configs); i++) {
		CHECK(counts, read_config(&a, configs[i], &err) == BRISE_OK, "%s", err.message);
		CHECK(counts,
		      a.config.dim == 4096 && a.config.hidden_dim == 14336 &&
		              a.config.n_layers == 32 && a.config.n_heads == 32 &&
		              a.config.n_kv_heads == 8 && a.config.head_dim == 128 &&
		              a.config.vocab == 32000,
		      "sizes of %s", configs[i]);
		CHECK(counts,
		      a.config.window == 4096 && a.config.max_context == 131072 &&
		              a.config.norm_eps == 1e-6f && a.config.rope_theta == 10000 &&
		              a.config.bos == 1 && a.config.eos == 2 && !a.tied,
		      "the rest of %s", configs[i]);
	}
}

static void test_absent_fields_have_the_defaults_of_llama(check_counts *counts)
{
	static const char *const configs[] = {
		"{\"model_type\": \"llama\"}", "{\"architectures\": [\"LlamaForCausalLM\"]}",
		"{\"model_type\": \"llama\", \"sliding_window\": 4096}"
	};
	architecture a;
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(configs); i++) {
		CHECK(counts, read_config(&a, configs[i], &err) == BRISE_OK, "%s", err.message);
		CHECK(counts,
		      a.config.hidden_dim == 11008 && a.config.n_kv_heads == 32 &&
		              a.config.window == 0 && a.config.max_context == 2048 &&
		              a.config.norm_eps == 1e-6f && a.config.rope_theta == 10000,
		      "%s", configs[i]);
	}
}

#define MISTRAL(more) "{\"model_type\": \"mistral\", " more "}"

static void test_null_differs_from_absent(check_counts *counts)
{
	architecture a;
	brise_error err;

	CHECK(counts, read_config(&a, MISTRAL("\"sliding_window\": null"), &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, a.config.window == 0, "window %" PRIu32, a.config.window);
	CHECK(counts, read_config(&a, MISTRAL("\"num_key_value_heads\": null"), &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, a.config.n_kv_heads == 32, "%" PRIu32 " heads", a.config.n_kv_heads);
	CHECK(counts, read_config(&a, MISTRAL("\"head_dim\": null"), &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, a.config.head_dim == 128, "head size %" PRIu32, a.config.head_dim);
	CHECK(counts,
	      read_config(&a, MISTRAL("\"bos_token_id\": null, \"eos_token_id\": null"), &err) ==
	              BRISE_OK,
	      "%s", err.message);
	CHECK(counts, a.config.bos == -1 && a.config.eos == -1, "%" PRId32 " %" PRId32,
	      a.config.bos, a.config.eos);
	CHECK(counts,
	      read_config(&a,
	                  MISTRAL("\"rope_theta\": null, \"rope_scaling\": null, "
	                          "\"tie_word_embeddings\": null, \"hidden_act\": null, "
	                          "\"rms_norm_eps\": null, \"layer_types\": null, "
	                          "\"quantization_config\": null"),
	                  &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, a.config.rope_theta == 10000 && a.config.norm_eps == 1e-6f, "theta %g",
	      a.config.rope_theta);
	CHECK(counts,
	      read_config(&a, MISTRAL("\"hidden_size\": null"), &err) == BRISE_EFORMAT &&
	              strstr(err.message, "hidden_size is null"),
	      "%s", err.message);
}

/* Texts begin without such a token, and generations end with others. */
static void test_tokens_that_the_model_lacks_are_passed_over(check_counts *counts)
{
	static const struct {
		const char *fields;
		int32_t bos, eos;
	} cases[] = {
		{ "\"bos_token_id\": 32000", 1, 2 },
		{ "\"eos_token_id\": 32000", 1, -1 },
		{ "\"eos_token_id\": 1099511627776", 1, -1 },
		{ "\"eos_token_id\": -7", 1, -1 },
		{ "\"eos_token_id\": [32000, 2]", 1, -1 },
		{ "\"eos_token_id\": [null, 7]", 1, 7 },
		{ "\"eos_token_id\": [null]", 1, -1 },
		{ "\"eos_token_id\": 31999, \"bos_token_id\": 31998", 31998, 31999 },
	};
	char text[200];
	architecture a;
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		(void)snprintf(text, sizeof text, "{\"model_type\": \"mistral\", %s}",
		               cases[i].fields);
		CHECK(counts, read_config(&a, text, &err) == BRISE_OK, "%s: %s", text, err.message);
		CHECK(counts, a.config.bos == cases[i].bos && a.config.eos == cases[i].eos,
		      "%s: %" PRId32 " %" PRId32, text, a.config.bos, a.config.eos);
	}
}

static void test_what_is_no_configuration_is_refused(check_counts *counts)
{
	static const char *const texts[] = { "{}", "{\"bos_token_id\": 1, \"eos_token_id\": 2}" };
	architecture a;
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(texts); i++)
		CHECK(counts,
		      read_config(&a, texts[i], &err) == BRISE_EFORMAT &&
		              strstr(err.message, "not a model's configuration"),
		      "%s: %s", texts[i], err.message);
}

/* ---- what changes nothing ------------------------------------------------------------------- */

/* Fields with which a config.json describes the same model as without; theta is 5000. */
static const char *const same[] = {
	"\"rope_theta\": 5000",
	"\"rope_theta\": 5000.0, \"rope_scaling\": {}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"type\": \"default\"}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"rope_type\": \"default\", \"factor\": 1}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 1.0}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 1}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 1.0, "
	"\"beta_fast\": 32, \"beta_slow\": 1, \"original_max_position_embeddings\": 32768, "
	"\"mscale\": 1.0, \"mscale_all_dim\": 0.707, \"attention_factor\": null}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 1.0, "
	"\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
	"\"original_max_position_embeddings\": 8192}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"rope_type\": null, \"factor\": null}",
	"\"rope_theta\": 5000, \"rope_scaling\": {\"original_max_position_embeddings\": 32768}",
	"\"rope_theta\": 5000, \"partial_rotary_factor\": 1",
	"\"rope_theta\": 5000, \"partial_rotary_factor\": 1.0, \"rotary_pct\": 1.0",
	"\"rope_theta\": 5000, \"partial_rotary_factor\": null, \"rotary_dim\": 128",
	"\"rope_parameters\": {\"rope_theta\": 5000, \"rope_type\": \"default\"}",
	"\"rope_parameters\": {\"rope_theta\": 5000.0, \"rope_type\": null}",
	"\"rope_parameters\": {\"rope_theta\": 5000, \"partial_rotary_factor\": 1.0}",
	"\"rope_parameters\": {\"rope_theta\": 5000, \"type\": \"linear\", \"factor\": 1}",
	"\"rope_theta\": 77, \"rope_parameters\": {\"rope_theta\": 5000}",
	"\"rope_theta\": 5000, \"rope_parameters\": {\"rope_type\": \"default\"}",
	"\"rope_theta\": 5000, \"rope_parameters\": null",
	"\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 5000, \"rope_type\": "
	"\"default\"}}",
	"\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 5000}, "
	"\"sliding_attention\": {\"rope_theta\": 5000.0, \"rope_type\": \"default\"}}",
	"\"rope_theta\": 5000, \"attention_bias\": true, \"mlp_bias\": true",
	"\"rope_theta\": 5000, \"attention_dropout\": 0.1, \"initializer_range\": 0.02",
	"\"rope_theta\": 5000, \"quantization_config\": {}, \"pruned_heads\": {}",
	"\"rope_theta\": 5000, \"num_local_experts\": 0, \"use_qk_norm\": false",
	"\"rope_theta\": 5000, \"logit_scale\": 1, \"logits_scaling\": 1.0, "
	"\"embedding_multiplier\": 1.0, \"residual_multiplier\": 1.0",
	"\"rope_theta\": 5000, \"query_pre_attn_scalar\": 128, \"final_logit_softcapping\": null",
	"\"rope_theta\": 5000, \"attention_multiplier\": 0.08838834764831845",
	"\"rope_theta\": 5000, \"layer_types\": [\"full_attention\", \"full_attention\"]",
	"\"rope_theta\": 5000, \"max_window_layers\": 28, \"made_up\": [1, {\"x\": NaN}]",
	"\"rope_theta\": 5000, \"router_z_loss\": Infinity, \"other\": -Infinity",
};

static void test_values_that_change_nothing_are_taken(check_counts *counts)
{
	architecture plain, a;
	char json[700];
	brise_error err;
	size_t i;

	CHECK(counts, read_config(&plain, MISTRAL("\"rope_theta\": 5000"), &err) == BRISE_OK, "%s",
	      err.message);
	for (i = 0; i < LENGTH(same); i++) {
		(void)snprintf(json, sizeof json, "{\"model_type\": \"mistral\", %s}", same[i]);
		CHECK(counts, read_config(&a, json, &err) == BRISE_OK, "%s: %s", same[i],
		      err.message);
		CHECK(counts, !memcmp(&a.config, &plain.config, sizeof a.config), "%s: theta %g",
		      same[i], a.config.rope_theta);
	}
}

static const struct {
	const char *fields, *named;
} refused[] = {
	{ "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0.5}",
	  "rope_scaling.factor 0.5 of type linear" },
	{ "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8}",
	  "rope_scaling.factor 8 of type llama3" },
	{ "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, \"truncate\": false}",
	  "rope_scaling.truncate false" },
	{ "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, "
	  "\"original_max_position_embeddings\": 0.5}",
	  "original_max_position_embeddings 0.5" },
	{ "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, \"beta_fast\": 1, "
	  "\"beta_slow\": 4}",
	  "yarn from 4 to 1 turns" },
	{ "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, "
	  "\"rope_parameters\": {\"type\": \"linear\", \"factor\": 2}",
	  "scaled twice" },
	{ "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 1e9}", "rope factor 1e+09" },
	{ "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"attention_factor\": 2}",
	  "rope_scaling.attention_factor 2" },
	{ "\"llama_4_scaling\": {\"beta\": 0.1}", "original_max_position_embeddings 0" },
	{ "\"llama_4_scaling\": {\"beta\": -0.1, \"original_max_position_embeddings\": 8}",
	  "llama_4_scaling with beta -0.1" },
	{ "\"rope_scaling\": {\"type\": \"default\", \"factor\": 4}", "rope_scaling.factor 4" },
	{ "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 8.0}", "rope_scaling.factor 8" },
	{ "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 0.5}",
	  "rope_scaling.factor 0.5" },
	{ "\"rope_scaling\": {\"rope_type\": \"yarn\"}", "yarn without a factor" },
	{ "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 1, \"attention_factor\": 1.2}",
	  "rope_scaling.attention_factor 1.2" },
	{ "\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 1}",
	  "rope_scaling.type longrope" },
	{ "\"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [16, 24, 24]}", "mrope" },
	{ "\"rope_scaling\": {\"mrope_section\": [16, 24, 24]}", "rope_scaling.mrope_section" },
	{ "\"rope_parameters\": {\"rope_theta\": 1e4, \"partial_rotary_factor\": 0.5}",
	  "rope_parameters.partial_rotary_factor 0.5" },
	{ "\"rope_parameters\": {\"llama_4_scaling_beta\": 0.1}",
	  "llama_4_scaling: original_max_position_embeddings 0" },
	{ "\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1e4}, "
	  "\"sliding_attention\": {\"rope_theta\": 1e6}}",
	  "rope_theta differs between layers" },
	{ "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 2}}",
	  "rope_parameters.factor 2" },
	{ "\"partial_rotary_factor\": 0.5", "partial_rotary_factor is not supported" },
	{ "\"rotary_dim\": 64", "rotary_dim 64" },
	{ "\"logit_scale\": 0.5", "logit_scale is not supported" },
	{ "\"query_pre_attn_scalar\": 256", "query_pre_attn_scalar 256" },
	{ "\"attention_multiplier\": 0.1", "attention_multiplier 0.1" },
	{ "\"num_local_experts\": 8", "num_local_experts is not supported" },
	{ "\"use_qk_norm\": true", "use_qk_norm is not supported" },
	{ "\"hidden_act\": \"gelu\"", "hidden_act" },
	{ "\"quantization_config\": {\"bits\": 4, \"quant_method\": \"gptq\"}",
	  "quantization_config: gptq is not supported; convert the model it was made from" },
	{ "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}",
	  "quantization_config: fp8 with weight_block_size is not supported" },
	{ "\"text_config\": {\"hidden_size\": 64}", "text_config is not supported but in" },
	{ "\"vision_config\": {\"hidden_size\": 64}", "vision_config is not supported but in" },
	{ "\"rms_norm_eps\": NaN", "finite" },
	{ "\"rope_theta\": Infinity", "finite" },
};

static void test_values_that_change_something_are_refused_by_name(check_counts *counts)
{
	architecture a;
	char json[400];
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(refused); i++) {
		brise_status status;

		(void)snprintf(json, sizeof json, "{\"model_type\": \"mistral\", %s}",
		               refused[i].fields);
		status = read_config(&a, json, &err);
		CHECK(counts,
		      (status == BRISE_EUNSUPPORTED || status == BRISE_EFORMAT) &&
		              strstr(err.message, refused[i].named),
		      "%s: %d %s", refused[i].fields, status, err.message);
	}
}

/* ---- scaled positions ----------------------------------------------------------------------- */

static const struct {
	const char *fields;
	uint32_t scaling, original, query_original;
	double factor, fast, slow, magnitude, beta;
} scaled[] = {
	{ "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}", ROPE_LINEAR, 0, 0, 2.5, 0, 0,
	  0, 0 },
	/* the magnitude is 0.1 ln 4 + 1 */
	{ "\"max_position_embeddings\": 512, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": "
	  "4}",
	  ROPE_YARN, 512, 0, 4, 32, 1, 1.138629436111989, 0 },
	{ "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"beta_fast\": 8, "
	  "\"beta_slow\": 2, \"original_max_position_embeddings\": 128.0, \"attention_factor\": 3, "
	  "\"mscale\": 2}",
	  ROPE_YARN, 128, 0, 4, 8, 2, 3, 0 },
	/* (0.2 ln 4 + 1) / (0.05 ln 4 + 1) */
	{ "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4, \"mscale\": 2, "
	  "\"mscale_all_dim\": 0.5, \"original_max_position_embeddings\": 128, \"truncate\": true, "
	  "\"llama_4_scaling_beta\": 0.25}",
	  ROPE_YARN, 128, 128, 4, 32, 1, 1.1944648761087142, 0.25 },
	{ "\"llama_4_scaling\": {\"beta\": 0.1, \"original_max_position_embeddings\": 64}",
	  ROPE_UNSCALED, 0, 64, 0, 0, 0, 0, 0.1 },
};

/* Would catch a default, a magnitude, or a length that is taken from the wrong field. */
static void test_scaled_positions(check_counts *counts)
{
	architecture a;
	char json[500];
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(scaled); i++) {
		const format_config *c = &a.config;

		(void)snprintf(json, sizeof json, "{\"model_type\": \"mistral\", %s}",
		               scaled[i].fields);
		CHECK(counts, read_config(&a, json, &err) == BRISE_OK, "%s: %s", scaled[i].fields,
		      err.message);
		CHECK(counts,
		      c->rope_scaling == scaled[i].scaling &&
		              c->rope_original == scaled[i].original &&
		              c->query_original == scaled[i].query_original &&
		              c->rope_factor == scaled[i].factor &&
		              c->rope_beta_fast == scaled[i].fast &&
		              c->rope_beta_slow == scaled[i].slow &&
		              fabs(c->rope_magnitude - scaled[i].magnitude) < 1e-14 &&
		              c->query_beta == scaled[i].beta,
		      "%s: original %" PRIu32 ", %" PRIu32 ", magnitude %.17g", scaled[i].fields,
		      c->rope_original, c->query_original, c->rope_magnitude);
	}
}

/* A wrapper's fields are those of its text_config, wherever they stand. */
static void test_wrapped_configurations(check_counts *counts)
{
	static const char inner[] =
	        "\"text_config\": {\"model_type\": \"ministral3\", \"hidden_size\": 64, "
	        "\"rope_parameters\": {\"rope_theta\": 1e6, \"rope_type\": \"default\"}}",
	                  images[] = "\"vision_config\": {\"hidden_size\": 8, \"rms_norm_eps\": 1}";
	architecture a;
	char json[500];
	brise_error err;
	int order;

	for (order = 0; order <= 1; order++) {
		(void)snprintf(json, sizeof json, "{%s, %s, \"model_type\": \"mistral3\"%s%s}",
		               order ? images : inner, order ? inner : images,
		               order ? ", \"tie_word_embeddings\": true" : "", "");
		CHECK(counts, read_config(&a, json, &err) == BRISE_OK, "%s", err.message);
		CHECK(counts,
		      a.config.dim == 64 && a.config.n_layers == 34 && a.config.vocab == 131072 &&
		              a.config.window == 0 && a.config.rope_theta == 1e6 &&
		              a.config.norm_eps < 1 && a.images && a.tied == (order == 1),
		      "order %d: width %" PRIu32 ", layers %" PRIu32, order, a.config.dim,
		      a.config.n_layers);
	}
	CHECK(counts,
	      read_config(&a, "{\"model_type\": \"mistral3\", \"hidden_size\": 64}", &err) ==
	                      BRISE_EFORMAT &&
	              strstr(err.message, "no text_config"),
	      "%s", err.message);
	CHECK(counts,
	      read_config(&a, "{\"model_type\": \"ministral3\", \"hidden_size\": 64}", &err) ==
	                      BRISE_EFORMAT &&
	              strstr(err.message, "without rope_parameters"),
	      "%s", err.message);
}

/* ---- Mistral's own form --------------------------------------------------------------------- */

#define PARAMS(more)                                                                               \
	"{\"dim\": 64, \"n_layers\": 1, \"n_heads\": 2, \"hidden_dim\": 64, \"vocab_size\": 64, "  \
	"\"norm_eps\": 1e-5" more "}"

static void test_params_without_effect_are_taken(check_counts *counts)
{
	static const char *const texts[] = {
		PARAMS(", \"rope_theta\": null, \"sliding_window\": null, \"moe\": null"),
		PARAMS(", \"yarn\": {\"factor\": 1, \"original_max_position_embeddings\": 32768, "
		       "\"beta\": 32, \"alpha\": 1, \"apply_scale\": false}"),
		PARAMS(", \"llama_4_scaling\": {\"original_max_position_embeddings\": 8, "
		       "\"beta\": 0}"),
		PARAMS(", \"causal\": true, \"use_biases\": false, \"quantization\": null"),
		PARAMS(", \"sliding_window\": [null, null]"),
		PARAMS(", \"max_seq_len\": null, \"n_kv_heads\": null, \"head_dim\": null"),
	};
	architecture plain, a;
	brise_error err;
	size_t i;

	CHECK(counts, read_params(&plain, PARAMS(""), &err) == BRISE_OK, "%s", err.message);
	CHECK(counts, plain.config.rope_theta == 1e6 && plain.config.n_kv_heads == 2, "theta %g",
	      plain.config.rope_theta);
	for (i = 0; i < LENGTH(texts); i++) {
		CHECK(counts, read_params(&a, texts[i], &err) == BRISE_OK, "%s: %s", texts[i],
		      err.message);
		CHECK(counts, !memcmp(&a.config, &plain.config, sizeof a.config), "%s", texts[i]);
	}
}

static void test_scaled_params(check_counts *counts)
{
	architecture a;
	brise_error err;

	CHECK(counts,
	      read_params(
	              &a,
	              PARAMS(", \"yarn\": {\"factor\": 16, \"beta\": 8, \"alpha\": 2, "
	                     "\"original_max_position_embeddings\": 64, \"apply_scale\": "
	                     "false}, \"llama_4_scaling\": {\"beta\": 0.1, "
	                     "\"original_max_position_embeddings\": 32}, \"quantization\": "
	                     "{\"qformat_weight\": \"fp8_e4m3\"}, \"vision_encoder\": {\"a\": 1}"),
	              &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts,
	      a.config.rope_scaling == ROPE_YARN && a.config.rope_factor == 16 &&
	              a.config.rope_beta_fast == 8 && a.config.rope_beta_slow == 2 &&
	              a.config.rope_magnitude == 1 && a.config.rope_original == 64 &&
	              a.config.query_beta == 0.1 && a.config.query_original == 32 && a.images,
	      "magnitude %g", a.config.rope_magnitude);
	CHECK(counts,
	      read_params(&a,
	                  PARAMS(", \"yarn\": {\"factor\": 16, "
	                         "\"original_max_position_embeddings\": 64}"),
	                  &err) == BRISE_OK &&
	              fabs(a.config.rope_magnitude - 1.2772588722239782) < 1e-14,
	      "%s: magnitude %.17g", err.message, a.config.rope_magnitude);
	CHECK(counts,
	      read_params(&a, PARAMS(", \"quantization\": {\"qformat_weight\": \"int4\"}"), &err) ==
	                      BRISE_EUNSUPPORTED &&
	              strstr(err.message, "qformat_weight int4"),
	      "%s", err.message);
}

/* Both forms of a checkpoint say how long its texts may be. */
static void test_positions_of_params_are_said(check_counts *counts)
{
	static const char json[] = PARAMS(", \"max_position_embeddings\": 4096");
	notes decisions = { NULL, 0, false };
	architecture a;
	brise_error err;

	CHECK(counts,
	      architecture_read_params(&a, json, sizeof json - 1, "params.json", &decisions,
	                               &err) == BRISE_OK &&
	              strstr(decisions.text, "trained for 4096 positions (params.json"),
	      "%s", decisions.text);
	free(decisions.text);
}

static void test_windows_of_params_may_be_text_or_lists(check_counts *counts)
{
	architecture a;
	brise_error err;

	CHECK(counts, read_params(&a, PARAMS(", \"sliding_window\": \"4096\""), &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, a.config.window == 4096 && a.config.rope_theta == 1e4, "%" PRIu32,
	      a.config.window);
	CHECK(counts, read_params(&a, PARAMS(", \"sliding_window\": [16, 16]"), &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, a.config.window == 16, "%" PRIu32, a.config.window);
	CHECK(counts,
	      read_params(&a,
	                  "{\"sliding_window\": [null, 16, 32], \"dim\": 64, \"n_layers\": 5, "
	                  "\"n_heads\": 2, \"hidden_dim\": 64, \"vocab_size\": 64, \"norm_eps\": "
	                  "1e-5}",
	                  &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts,
	      a.windows_differ && a.config.window == 0 &&
	              !memcmp(a.windows, (uint32_t[]){ 0, 16, 32, 0, 16 }, 5 * sizeof(uint32_t)),
	      "%" PRIu32 " %" PRIu32, a.windows[1], a.windows[4]);
	CHECK(counts,
	      read_params(&a, PARAMS(", \"sliding_window\": [8, 999999999]"), &err) ==
	                      BRISE_EFORMAT &&
	              strstr(err.message, "a window out of range"),
	      "%s", err.message);
	CHECK(counts,
	      read_params(&a, PARAMS(", \"causal\": false"), &err) == BRISE_EUNSUPPORTED &&
	              strstr(err.message, "causal"),
	      "%s", err.message);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	RUN(test_absent_fields_have_the_defaults_of_mistral(&counts));
	RUN(test_absent_fields_have_the_defaults_of_llama(&counts));
	RUN(test_null_differs_from_absent(&counts));
	RUN(test_tokens_that_the_model_lacks_are_passed_over(&counts));
	RUN(test_what_is_no_configuration_is_refused(&counts));
	RUN(test_values_that_change_nothing_are_taken(&counts));
	RUN(test_values_that_change_something_are_refused_by_name(&counts));
	RUN(test_params_without_effect_are_taken(&counts));
	RUN(test_positions_of_params_are_said(&counts));
	RUN(test_windows_of_params_may_be_text_or_lists(&counts));
	RUN(test_scaled_positions(&counts));
	RUN(test_wrapped_configurations(&counts));
	RUN(test_scaled_params(&counts));
	return check_report("config", &counts);
}
