/* test_checkpoint.c - every form of a checkpoint gives the same model; damaged, hostile and foreign
 * ones are refused by name and leave nothing behind */
#include <fcntl.h>
#include <sys/stat.h>

#include "convert/checkpoint/checkpoint.h"
#include "convert/convert.h"
#include "convert/formats/pickle.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char base[512], folder[600], out_folder[600], out[700];

/* ---- checkpoints ----------------------------------------------------------------------------- */

typedef enum form { ONE_FILE, TWO_SHARDS, OWN_FILE, TORCH, TORCH_PLAIN, TORCH_64 } form;

static const char *const form_names[] = { "one file", "two shards",       "own file",
	                                  "torch",    "torch, plain zip", "torch, zip64" };

static void make_from(const maker_model *m, form f, const maker_edit *edit)
{
	(void)maker_clear(folder);
	maker_config(folder, m->own_form, edit);
	switch (f) {
	case ONE_FILE:
	case OWN_FILE:
		maker_safetensors(folder,
		                  f == OWN_FILE ? "consolidated.safetensors" : "model.safetensors",
		                  m, 0, m->n, edit);
		break;
	case TWO_SHARDS:
		maker_shards(folder, m, edit);
		break;
	default:
		maker_torch(folder, m,
		            f == TORCH      ? MAKER_ZIP_TORCH
		            : f == TORCH_64 ? MAKER_ZIP_64
		                            : MAKER_ZIP_PLAIN,
		            0, 0, edit);
	}
}

static void make(form f, const char *dtype, const maker_edit *edit)
{
	maker_model *m = maker_new(f >= OWN_FILE, dtype);

	make_from(m, f, edit);
	maker_close(m);
}

static brise_status convert(uint32_t type, unsigned threads, brise_error *err)
{
	convert_options options;

	convert_init_options(&options);
	options.type = type;
	options.threads = threads;
	options.no_tokenizer = true;
	err->message[0] = 0;
	return convert_checkpoint(folder, out, &options, NULL, err);
}

/* A refusal with that status and text, and an empty target folder. */
static void expect_refusal(check_counts *counts, const char *what, brise_status expected,
                           const char *text)
{
	brise_error err;
	brise_status status = convert(TYPE_F16, 2, &err);
	unsigned left = maker_clear(out_folder);

	CHECK(counts, status == expected && strstr(err.message, text), "%s: %d %s", what, status,
	      err.message);
	CHECK(counts, left == 0, "%s: %u files left", what, left);
}

/* Every row of every tensor, decoded. */
static maker_bytes read_rows(check_counts *counts)
{
	maker_bytes rows = { NULL, 0, 0 };
	brise_tensor_facts facts;
	brise_model *model;
	brise_error err;
	float row[128];
	unsigned failed = 0;
	uint32_t k;
	size_t i;

	CHECK(counts, brise_open_model(&model, out, NULL, &err) == BRISE_OK, "%s", err.message);
	for (i = 0; model && i < brise_get_tensor_count(model); i++) {
		(void)brise_get_tensor_facts(model, i, &facts, sizeof facts, NULL);
		for (k = 0; k < facts.rows && facts.cols <= LENGTH(row); k++) {
			failed += brise_read_row(model, i, k, row, &err) != BRISE_OK;
			maker_put(&rows, row, facts.cols * sizeof *row);
		}
	}
	CHECK(counts, failed == 0, "%u rows: %s", failed, err.message);
	brise_close_model(model);
	return rows;
}

/* The same from the formula, in the file's order. */
static maker_bytes expected_rows(bool tied)
{
	static const format_config config = { .dim = MAKER_DIM,
		                              .n_layers = MAKER_LAYERS,
		                              .n_heads = MAKER_HEADS,
		                              .n_kv_heads = 1,
		                              .head_dim = MAKER_HEAD,
		                              .hidden_dim = MAKER_HIDDEN,
		                              .vocab = MAKER_VOCAB };
	maker_bytes all = { NULL, 0, 0 };
	uint32_t layer, kind, rows, cols, row, col, i;

	for (i = 0; i < MAKER_TENSORS; i++) {
		layer = i == 0 || i > MAKER_LAYERS * 9 ? 0 : (i - 1) / 9;
		kind = i == 0                 ? TENSOR_EMBEDDING
		       : i > MAKER_LAYERS * 9 ? TENSOR_FINAL_NORM + (i - MAKER_LAYERS * 9 - 1)
		                              : TENSOR_ATTENTION_NORM + (i - 1) % 9;
		model_tensor_shape(&config, kind, &rows, &cols);
		if (tied && kind == TENSOR_OUTPUT)
			break; /* the embedding is stored once */
		for (row = 0; row < rows; row++)
			for (col = 0; col < cols; col++) {
				float value = maker_weight(kind, layer, row, col);

				maker_put(&all, &value, sizeof value);
			}
	}
	return all;
}

static bool same_bytes(const maker_bytes *a, const maker_bytes *b)
{
	return a->n == b->n && a->n > 0 && !memcmp(a->data, b->data, a->n);
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void test_every_form_gives_the_same_model(check_counts *counts)
{
	static const char *const dtypes[] = { "F16", "BF16", "F32" };
	maker_bytes expected[TYPE_KINDS] = { { NULL, 0, 0 } };
	uint32_t type = 0;
	brise_error err;
	size_t i;
	int f;

	expected[TYPE_F16] = expected_rows(false);
	for (f = ONE_FILE; f <= TORCH_64; f++)
		for (i = 0; i < LENGTH(dtypes); i++) {
			maker_bytes rows;

			make((form)f, dtypes[i], NULL);
			while ((type = next_matrix_type(type)) != 0) {
				CHECK(counts, convert(type, 2, &err) == BRISE_OK, "%s, %s: %s",
				      form_names[f], dtypes[i], err.message);
				rows = read_rows(counts);
				if (!expected[type].data) {
					expected[type] = rows;
					continue;
				}
				CHECK(counts, same_bytes(&rows, &expected[type]),
				      "%s, %s: other weights in %s", form_names[f], dtypes[i],
				      type_name(type));
				maker_free(&rows);
			}
		}
	while ((type = next_matrix_type(type)) != 0)
		maker_free(&expected[type]);
	(void)maker_clear(out_folder);
}

static void test_configurations_of_both_forms_agree(check_counts *counts)
{
	checkpoint *one, *other;
	brise_error err;

	make(ONE_FILE, "F16", NULL);
	CHECK(counts, checkpoint_open(&one, folder, &err) == BRISE_OK, "%s", err.message);
	make(TORCH, "F16", NULL);
	CHECK(counts, checkpoint_open(&other, folder, &err) == BRISE_OK, "%s", err.message);
	if (one && other) {
		CHECK(counts, !memcmp(&one->config, &other->config, sizeof one->config),
		      "configurations differ");
		CHECK(counts,
		      one->config.window == 7 && one->config.rope_theta == 10000 &&
		              one->config.head_dim == 16,
		      "window %u", (unsigned)one->config.window);
		CHECK(counts,
		      one->rope == CHECKPOINT_HALVES && other->rope == CHECKPOINT_INTERLEAVED,
		      "rope %d %d", one->rope, other->rope);
		CHECK(counts,
		      strstr(one->decisions, "weights are stored as F16") &&
		              strstr(other->decisions, "consolidated.00.pth"),
		      "%s", other->decisions);
	}
	checkpoint_close(one);
	checkpoint_close(other);
	checkpoint_close(NULL);
}

static void test_tied_embeddings_are_the_output(check_counts *counts)
{
	static const maker_edit tie = MAKER_EDIT("config.json", "\"tie_word_embeddings\": false",
	                                         "\"tie_word_embeddings\": true");
	maker_bytes expected = expected_rows(true);
	int with_output;
	brise_error err;

	for (with_output = 0; with_output <= 1; with_output++) {
		maker_model *m = maker_new(false, "F16");
		maker_bytes rows;

		if (!with_output)
			maker_free(&m->tensors[--m->n].data);
		make_from(m, ONE_FILE, &tie);
		CHECK(counts, convert(TYPE_F16, 1, &err) == BRISE_OK, "%s", err.message);
		rows = read_rows(counts);
		CHECK(counts, same_bytes(&rows, &expected), "with its own output matrix: %d",
		      with_output);
		maker_free(&rows);
		maker_close(m);
	}
	maker_free(&expected);
	(void)maker_clear(out_folder);
}

static void test_frequency_tables_are_passed_over(check_counts *counts)
{
	static const char *const names[] = { "model.layers.1.self_attn.rotary_emb.inv_freq",
		                             "rope.freqs" };
	maker_bytes expected = expected_rows(false), rows;
	brise_error err;
	int own;

	for (own = 0; own <= 1; own++) {
		maker_model *m = maker_new(own, "F32");

		maker_add(m, names[own], 99, 0, 0, MAKER_HEAD / 2);
		make_from(m, own ? TORCH : TWO_SHARDS, NULL);
		CHECK(counts, convert(TYPE_F16, 2, &err) == BRISE_OK, "%s", err.message);
		rows = read_rows(counts);
		CHECK(counts, same_bytes(&rows, &expected), "%s", names[own]);
		maker_free(&rows);
		maker_close(m);
	}
	maker_free(&expected);
	(void)maker_clear(out_folder);
}

static void test_threads_do_not_change_a_byte(check_counts *counts)
{
	brise_error err;
	unsigned threads;
	uint32_t type = 0;

	make(TORCH, "BF16", NULL);
	while ((type = next_matrix_type(type)) != 0) {
		maker_bytes first = { NULL, 0, 0 };

		for (threads = 1; threads <= 3; threads++) {
			maker_bytes bytes;

			CHECK(counts, convert(type, threads, &err) == BRISE_OK, "%s", err.message);
			bytes = maker_read(out);
			if (threads == 1) {
				first = bytes;
				continue;
			}
			CHECK(counts, same_bytes(&bytes, &first), "%s, %u threads", type_name(type),
			      threads);
			maker_free(&bytes);
		}
		maker_free(&first);
	}
	(void)maker_clear(out_folder);
}

/* mistral-finetune writes its settings into the configuration of weights it has merged. */
static void test_settings_of_a_merged_adapter_are_passed_over(check_counts *counts)
{
	static const maker_edit merged = MAKER_EDIT("params.json", "\"moe\": null",
	                                            "\"lora\": {\"enable\": true, \"rank\": 64, "
	                                            "\"scaling\": 2.0}, \"moe\": null"),
	                        apart = MAKER_EDIT("consolidated.safetensors",
	                                           "layers.1.attention.wq.weight",
	                                           "layers.1.attention.wq.lora_A.weight");
	maker_bytes expected = expected_rows(false), rows;
	brise_error err;

	make(OWN_FILE, "F32", &merged);
	CHECK(counts, convert(TYPE_F16, 1, &err) == BRISE_OK, "%s", err.message);
	rows = read_rows(counts);
	CHECK(counts, same_bytes(&rows, &expected), "other weights");
	(void)maker_clear(out_folder);
	make(OWN_FILE, "F32", &apart);
	expect_refusal(counts, "an adapter beside the weights", BRISE_EUNSUPPORTED,
	               "layers.1.attention.wq.lora_A.weight is not part of");
	maker_free(&rows);
	maker_free(&expected);
}

/* Whatever the configuration says: the window alone changes, and the file says why. */
static void test_window_may_be_given(check_counts *counts)
{
	static const maker_edit none =
	        MAKER_EDIT("config.json", "\"sliding_window\": 7", "\"sliding_window\": null");
	static const struct {
		form f;
		const maker_edit *edit;
		uint32_t window, expected;
		const char *line;
	} cases[] = {
		{ ONE_FILE, NULL, CONVERT_WINDOW_AS_FOUND, 7,
		  "window 7 (config.json: sliding_window)" },
		{ ONE_FILE, NULL, 12, 12, "window 12 (--window; the checkpoint's is 7)" },
		{ ONE_FILE, &none, 12, 12, "window 12 (--window; the checkpoint's is none)" },
		{ TORCH, NULL, 0, 0,
		  "no window: every token attends to all before it (--window 0; the checkpoint's "
		  "is 7)" },
	};
	format_config config = { .window = 0 };
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		convert_options options;
		brise_model *model = NULL;
		brise_error err = { BRISE_OK, "" };

		make(cases[i].f, "F16", cases[i].edit);
		convert_init_options(&options);
		options.no_tokenizer = true;
		options.window = cases[i].window;
		CHECK(counts,
		      convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_OK &&
		              brise_open_model(&model, out, NULL, &err) == BRISE_OK,
		      "%s", err.message);
		if (!model)
			continue;
		CHECK(counts,
		      model->config.window == cases[i].expected &&
		              strstr(model->origin, cases[i].line),
		      "window %u: %s", (unsigned)model->config.window, model->origin);
		model->config.window = 0;
		if (i == 0)
			config = model->config;
		CHECK(counts, !memcmp(&config, &model->config, sizeof config),
		      "more changed than the window");
		brise_close_model(model);
	}
	(void)maker_clear(out_folder);
}

/* ---- what is refused ------------------------------------------------------------------------- */

typedef struct refusal {
	form f;
	maker_edit edit;
	brise_status status;
	const char *text; /* of the message */
} refusal;

#define CONFIG(from, to, status, text)                                                             \
	{                                                                                          \
		ONE_FILE, MAKER_EDIT("config.json", from, to), BRISE_##status, text                \
	}
#define PARAMS(from, to, status, text)                                                             \
	{                                                                                          \
		OWN_FILE, MAKER_EDIT("params.json", from, to), BRISE_##status, text                \
	}
#define HEADER(from, to, status, text)                                                             \
	{                                                                                          \
		ONE_FILE, MAKER_EDIT("model.safetensors", from, to), BRISE_##status, text          \
	}
#define INDEX(from, to, status, text)                                                              \
	{                                                                                          \
		TWO_SHARDS, MAKER_EDIT("model.safetensors.index.json", from, to), BRISE_##status,  \
		        text                                                                       \
	}
#define PICKLE(from, to, status, text)                                                             \
	{                                                                                          \
		TORCH, MAKER_EDIT("data.pkl", from, to), BRISE_##status, text                      \
	}

static const refusal refusals[] = {
	CONFIG("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", EUNSUPPORTED, "hidden_act"),
	CONFIG("\"rope_scaling\": null",
	       "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}", EUNSUPPORTED,
	       "rope scaling"),
	CONFIG("\"rope_scaling\": null", "\"rope_scaling\": {\"factor\": 2.0}", EUNSUPPORTED,
	       "rope scaling"),
	CONFIG("\"num_local_experts\": null", "\"num_local_experts\": 8", EUNSUPPORTED,
	       "num_local_experts"),
	CONFIG("\"model_type\": \"mistral\"", "\"model_type\": \"gemma\"", EUNSUPPORTED,
	       "model_type"),
	CONFIG("\"torch_dtype\": \"float16\"", "\"quantization_config\": {\"bits\": 4}",
	       EUNSUPPORTED, "quantization_config"),
	CONFIG("\"torch_dtype\": \"float16\"",
	       "\"layer_types\": [\"full_attention\", \"sliding_attention\"]", EUNSUPPORTED,
	       "layer_types"),
	CONFIG("\"hidden_size\"", "\"hidden_sizes\"", EFORMAT, "hidden_size"),
	CONFIG("\"vocab_size\": 40", "\"vocab_size\": 41", EFORMAT,
	       "lm_head.weight: shape [41, 32] expected"),
	CONFIG("\"vocab_size\": 40", "\"vocab_size\": 4294967336", EFORMAT,
	       "vocab_size: a size out of range"),
	CONFIG("\"vocab_size\": 40", "\"vocab_size\": -40", EFORMAT, "size out of range"),
	CONFIG("\"vocab_size\": 40", "\"vocab_size\": 40.0", EFORMAT,
	       "vocab_size: an integer expected"),
	CONFIG("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", EUNSUPPORTED,
	       "model.layers.1."),
	CONFIG("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", EFORMAT,
	       "model.layers.2.input_layernorm.weight is missing"),
	CONFIG("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4000000000", EFORMAT, "layers"),
	CONFIG("\"num_attention_heads\": 2", "\"num_attention_heads\": 0", EFORMAT, "heads"),
	CONFIG("\"rope_theta\": 10000.0", "\"rope_theta\": -1", EFORMAT, "rope_theta"),
	CONFIG("\"bos_token_id\": 1", "\"bos_token_id\": \"1\"", EFORMAT,
	       "bos_token_id: a number expected"),
	CONFIG("\"model_type\": \"mistral\"", "\"model_type\": \"mixtral\"", EUNSUPPORTED,
	       "model_type mixtral is not supported"),
	CONFIG("\"num_local_experts\": null", "\"text_config\": {\"hidden_size\": 32}",
	       EUNSUPPORTED, "text_config is not supported but in"),
	CONFIG("\"num_hidden_layers\": 2", "\"num_hidden_layers\": true", EFORMAT,
	       "num_hidden_layers: a number expected"),
	CONFIG("\"num_key_value_heads\"", "\"key_value_heads\"", EFORMAT,
	       "(it does not say num_key_value_heads)"),
	CONFIG("\n}\n", "\n", EFORMAT, "config.json: line"),
	PARAMS("\"moe\": null", "\"moe\": {\"num_experts\": 8}", EUNSUPPORTED, "moe"),
	PARAMS("\"norm_eps\"", "\"eps\"", EFORMAT, "norm_eps"),
	PARAMS("\"dim\"", "\"width\"", EFORMAT, "no field dim"),

	HEADER("\"lm_head.weight\"", "\"lm_head.bias\"", EUNSUPPORTED, "lm_head.bias"),
	HEADER("\"lm_head.weight\"", "\"lm_head.rotary_emb.inv_freq\"", EFORMAT,
	       "lm_head.weight is missing"),
	HEADER("\"lm_head.weight\"", "\"model.embed_tokens.weight\"", EFORMAT,
	       "model.embed_tokens.weight appears twice"),
	HEADER("\"lm_head.weight\"", "\"lm_head.weight\\u0000\"", EUNSUPPORTED, "lm_head.weight"),
	HEADER("layers.1.self_attn.q_proj.weight", "layers.1.self_attn.q_proj.bias", EUNSUPPORTED,
	       "q_proj.bias"),
	HEADER("layers.1.self_attn", "layers.01.self_attn", EUNSUPPORTED, "layers.01."),
	HEADER("layers.1.self_attn", "layers.2.self_attn", EUNSUPPORTED, "layers.2."),
	HEADER("layers.1.self_attn", "layers..self_attn", EUNSUPPORTED, "layers.."),
	HEADER("layers.1.self_attn", "layers.4294967297.self_attn", EUNSUPPORTED,
	       "layers.4294967297."),
	HEADER("\"F16\"", "\"I8\"", EUNSUPPORTED, "model.embed_tokens.weight"),
	HEADER("\"F16\"", "\"F32\"", EFORMAT, "data_offsets do not fit"),
	HEADER("\"F16\"", "16", EFORMAT, "string expected"),
	HEADER("[40,32]", "[32,40]", EFORMAT, "model.embed_tokens.weight: shape [40, 32] expected"),
	HEADER("[40,32]", "[1280]", EFORMAT, "model.embed_tokens.weight: shape"),
	HEADER("[40,32]", "[4,10,32]", EFORMAT,
	       "shape [40, 32] expected from the configuration, found [4, 10, 32]"),
	HEADER("[40,32]", "[40,1,32]", EFORMAT, "found [40, 1, 32]"),
	HEADER("[40,32]", "[-40,-32]", EFORMAT, "negative dimension"),
	HEADER("[40,32]", "[4611686018427387904,1284]", EFORMAT, "data_offsets do not fit"),
	HEADER("[40,32]", "[]", EFORMAT, "data_offsets do not fit"),
	HEADER("[0,2560]", "[2560,5120]", EFORMAT, "overlap"),
	HEADER("[0,2560]", "[-1,2559]", EFORMAT, "outside the file"),
	HEADER("[0,2560]", "[2560,0]", EFORMAT, "outside the file"),
	HEADER("[0,2560]", "[99999999,100002559]", EFORMAT, "outside the file"),
	HEADER("[0,2560]", "[9223372036854773247,9223372036854775807]", EFORMAT,
	       "outside the file"),
	HEADER("[0,2560]", "[0]", EFORMAT, "outside the file"),
	HEADER("[0,2560]", "[0,2560,1]", EFORMAT, "two offsets"),
	HEADER("[0,2560]", "[0,1e99]", EFORMAT, "integer"),
	HEADER(",\"data_offsets\":[0,2560]", "", EFORMAT, "dtype, shape and data_offsets"),
	HEADER(",\"data_offsets\":[0,2560]", ",\"data_offsets\":[0,2560],\"data_offsets\":[0,2560]",
	       EFORMAT, "once each"),
	HEADER(",\"data_offsets\":[0,2560]", ",\"data_offsets\":[0,2560],\"more\":1", EFORMAT,
	       "dtype, shape and data_offsets"),
	{ TWO_SHARDS,
	  MAKER_EDIT("model-00002-of-00002.safetensors", "\"lm_head.weight\"",
	             "\"model.embed_tokens.weight\""),
	  BRISE_EFORMAT, "tensor lm_head.weight should be in model-00002-of-00002.safetensors" },

	INDEX("model-00002-of-00002.safetensors", "model-00003-of-00003.safetensors", EIO,
	      "model-00003-of-00003.safetensors"),
	INDEX("model-00002-of-00002.safetensors", "../model.safetensors", EFORMAT,
	      "plain file name"),
	INDEX("model-00002-of-00002.safetensors", "/etc/passwd", EFORMAT, "plain file name"),
	INDEX("model-00002-of-00002.safetensors", "..", EFORMAT, "plain file name"),
	INDEX("model-00002-of-00002.safetensors", "", EFORMAT, "plain file name"),
	INDEX("model-00002-of-00002.safetensors", "model-00002-of-00002.safetensors\\u0000",
	      EFORMAT, "plain file name"),
	INDEX("model-00002-of-00002.safetensors", "config.json", EFORMAT, "config.json"),
	INDEX("weight_map", "weights", EFORMAT, "no weight_map"),
	INDEX("\"weight_map\": {", "\"weight_map\": {}, \"other\": {", EFORMAT, "names no files"),
	INDEX("}}", "}", EFORMAT, "index.json: line 1"),

	PICKLE("ccollections\nOrderedDict\n", "cos\nsystem\n", EUNSUPPORTED, "os.system"),
	PICKLE("ctorch._utils\n_rebuild_tensor_v2\n", "cbuiltins\neval\n", EUNSUPPORTED,
	       "builtins.eval"),
	PICKLE("ctorch\nHalfStorage\n", "ctorch\nLongStorage\n", EUNSUPPORTED, "torch.LongStorage"),
	PICKLE("ctorch\nHalfStorage\n", "ctorch\n\x1b[2JStorage\n", EUNSUPPORTED,
	       "torch.?[2JStorage"),
	PICKLE("\x80\x02}", "\x80\x01}", EUNSUPPORTED, "protocol"),
	PICKLE("\x80\x02}", "\x80\x02]", EUNSUPPORTED, "opcode 0x5d"),
	PICKLE("K\x28K\x20\x86", "K\x20K\x28\x86", EUNSUPPORTED, "strided"),
	PICKLE("K\x28K\x20\x86", "M\x00\x05K\x01\x86", EUNSUPPORTED, "strided"),
	PICKLE("K\x28K\x20\x86", "K\x27K\x20\x86", EFORMAT,
	       "tok_embeddings.weight: shape [40, 32] expected"),
	PICKLE("K\x20K\x01\x86", "K\x01K\x28\x86", EUNSUPPORTED, "strided"),
	PICKLE("QK\x00", "QK\x01", EFORMAT, "out of its storage"),
	PICKLE("QK\x00", "QJ\xff\xff\xff\xff", EFORMAT, "storage, offset"),
	PICKLE("QK\x00", "Q\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", EFORMAT,
	       "out of its storage"),
	PICKLE("M\x00\x05t", "J\xff\xff\xff\xfft", EFORMAT, "storage"),
	PICKLE("h\x02((", "h\xfe((", EFORMAT, "memo"),
	PICKLE("q\x01", "q\x09", EFORMAT, "memo"),
	PICKLE("X\x01\x00\x00\x00"
	       "1",
	       "X\x02\x00\x00\x00"
	       "77",
	       EFORMAT, "data/77"),
	/* that of a norm */
	PICKLE("X\x01\x00\x00\x00"
	       "0",
	       "X\x01\x00\x00\x00"
	       "1",
	       EFORMAT, "reaches out of its member"),
	PICKLE("X\x0b\x00\x00\x00norm.weight", "X\x0d\x00\x00\x00output.weight", EFORMAT,
	       "output.weight"),
	PICKLE("u.", ".", EFORMAT, "missing"),
	PICKLE("u.", "u", EFORMAT, "ends too early"),
	{ TORCH, MAKER_EDIT("byteorder", "little", "bigger"), BRISE_EUNSUPPORTED, "byteorder" },
	{ TORCH, MAKER_EDIT("byteorder", "little", "big"), BRISE_EUNSUPPORTED, "byteorder" },
};

static void test_foreign_and_damaged_checkpoints_are_refused(check_counts *counts)
{
	char what[200];
	size_t i;

	for (i = 0; i < LENGTH(refusals); i++) {
		const refusal *r = &refusals[i];

		make(r->f, "F16", &r->edit);
		(void)snprintf(what, sizeof what, "%s, %.60s -> %.80s", r->edit.file, r->edit.from,
		               r->edit.to);
		expect_refusal(counts, what, r->status, r->text);
	}
}

/* A few bytes of pickle name a tensor again: what that takes must not grow without bound. */
static void test_tensor_named_over_and_over_is_refused(check_counts *counts)
{
	/* a name, and the memo entry of the first tensor */
	static const char again[] = "X\x01\x00\x00\x00nh\x0d";
	maker_bytes pickle = { NULL, 0, 0 };
	maker_model *m = maker_new(true, "F16");
	pickle_tensor *tensors;
	brise_error err = { BRISE_OK, "" };
	size_t most = TENSORS_MAX, n, i;
	maker_model one = *m;
	brise_status status;

	one.n = 1;
	maker_pickle_model(&pickle, &one);
	pickle.n -= 2; /* followed by SETITEMS and STOP */
	for (i = 1; i < most; i++)
		maker_put(&pickle, again, sizeof again - 1);
	maker_text(&pickle, "u.");
	status = pickle_read(&tensors, &n, pickle.data, pickle.n, "some.pth", &err);
	CHECK(counts, status == BRISE_OK && n == most, "%zu tensors: %s", n, err.message);
	pickle_free(tensors, n);
	pickle.n -= 2;
	maker_put(&pickle, again, sizeof again - 1);
	maker_text(&pickle, "u.");
	status = pickle_read(&tensors, &n, pickle.data, pickle.n, "some.pth", &err);
	CHECK(counts,
	      status == BRISE_EFORMAT && n == 0 && !tensors && strstr(err.message, "some.pth") &&
	              strstr(err.message, "more tensors"),
	      "%zu tensors: %s", n, err.message);
	maker_free(&pickle);
	maker_close(m);
}

static void test_compressed_and_encrypted_members_are_refused(check_counts *counts)
{
	maker_model *m = maker_new(true, "F16");

	make_from(m, TORCH, NULL);
	maker_torch(folder, m, MAKER_ZIP_TORCH, 8, 0, NULL);
	expect_refusal(counts, "deflated", BRISE_EUNSUPPORTED, "data/0 is compressed");
	maker_torch(folder, m, MAKER_ZIP_64, 8, 0, NULL);
	expect_refusal(counts, "deflated, zip64", BRISE_EUNSUPPORTED, "data/0 is compressed");
	maker_torch(folder, m, MAKER_ZIP_TORCH, 0, 1, NULL);
	expect_refusal(counts, "encrypted", BRISE_EUNSUPPORTED, "encrypted");
	maker_close(m);
}

static void test_missing_files_are_named(check_counts *counts)
{
	static const maker_edit none = MAKER_EDIT("", "", "");
	maker_model *m = maker_new(false, "F16");
	brise_error err;
	checkpoint *cp;
	char path[700];

	(void)maker_clear(folder);
	expect_refusal(counts, "nothing", BRISE_EFORMAT, "config.json");
	maker_config(folder, false, &none);
	expect_refusal(counts, "no weights", BRISE_EFORMAT, "no model.safetensors");
	maker_save(folder, "model.safetensors", "\x02\0\0\0\0\0\0\0{}", 10);
	expect_refusal(counts, "a file without tensors", BRISE_EFORMAT,
	               "model.embed_tokens.weight is missing");
	(void)maker_clear(folder);
	maker_config(folder, false, &none);
	maker_safetensors(folder, "pytorch_model.safetensors", m, 0, m->n, NULL);
	expect_refusal(counts, "another name", BRISE_EFORMAT, "no model.safetensors");
	(void)maker_clear(folder);
	maker_safetensors(folder, "model.safetensors", m, 0, m->n, NULL);
	expect_refusal(counts, "no configuration", BRISE_EFORMAT, "no config.json");
	(void)maker_clear(folder);
	maker_config(folder, true, NULL);
	expect_refusal(counts, "no own weights", BRISE_EFORMAT, "consolidated.safetensors");
	maker_save(folder, "consolidated.00.pth", "", 0);
	expect_refusal(counts, "an empty file", BRISE_EFORMAT, "consolidated.00.pth");
	maker_save(folder, "consolidated.01.pth", "", 0);
	expect_refusal(counts, "two parts", BRISE_EUNSUPPORTED, "consolidated.01.pth");
	(void)snprintf(path, sizeof path, "%s/absent", folder);
	CHECK(counts,
	      checkpoint_open(&cp, path, &err) == BRISE_EIO && !cp && strstr(err.message, "absent"),
	      "%s", err.message);
	(void)snprintf(path, sizeof path, "%s/vocab.txt", folder);
	maker_save(folder, "vocab.txt", "", 0);
	CHECK(counts,
	      checkpoint_open(&cp, path, &err) == BRISE_EUNSUPPORTED && !cp &&
	              strstr(err.message, "give its folder"),
	      "%s", err.message);
	maker_close(m);
}

static void test_missing_tokenizer_is_refused_unless_it_is_not_wanted(check_counts *counts)
{
	convert_options options;
	brise_error err;

	make(ONE_FILE, "F16", NULL);
	convert_init_options(&options);
	CHECK(counts,
	      convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "tokenizer.model"),
	      "%s", err.message);
	maker_save(folder, "tokenizer.model", "not one", 7);
	CHECK(counts,
	      convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_EFORMAT &&
	              strstr(err.message, "tokenizer.model"),
	      "%s", err.message);
	CHECK(counts, maker_clear(out_folder) == 0, "files left");
	options.no_tokenizer = true;
	CHECK(counts, convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, maker_clear(out_folder) == 1, "no file, or more than one");
}

static void test_weight_that_is_no_number_is_refused(check_counts *counts)
{
	static const struct {
		const char *dtype;
		uint8_t bytes[4]; /* the last two or four are one weight */
	} bad[] = { { "F16", { 0, 0, 0x00, 0x7e } },       { "F16", { 0, 0, 0x00, 0xfc } },
		    { "BF16", { 0, 0, 0xc0, 0x7f } },      { "BF16", { 0, 0, 0x80, 0xff } },
		    { "F32", { 0x01, 0x00, 0x80, 0x7f } }, { "F32", { 0x00, 0x00, 0x80, 0xff } } };
	size_t i;
	int f;

	for (i = 0; i < LENGTH(bad); i++)
		for (f = ONE_FILE; f <= TORCH; f += TORCH - ONE_FILE) {
			maker_model *m = maker_new(f == TORCH, bad[i].dtype);
			maker_tensor *t = &m->tensors[MAKER_TENSORS - 3]; /* w2 of the last layer */

			memcpy(t->data.data + t->data.n - 4, bad[i].bytes, 4);
			make_from(m, (form)f, NULL);
			expect_refusal(counts, bad[i].dtype, BRISE_EFORMAT,
			               f == TORCH ? "layers.1.feed_forward.w2.weight"
			                          : "model.layers.1.mlp.down_proj.weight");
			maker_close(m);
		}
}

static bool cancel_always(void *user)
{
	(void)user;
	return true;
}

static void test_cancelled_conversion_leaves_nothing(check_counts *counts)
{
	convert_options options;
	brise_error err;
	struct stat facts;

	make(ONE_FILE, "F16", NULL);
	convert_init_options(&options);
	options.no_tokenizer = true;
	options.threads = 1;
	options.cancel = cancel_always;
	CHECK(counts,
	      convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_ECANCELED &&
	              strstr(err.message, "cancelled"),
	      "%s", err.message);
	CHECK(counts, maker_clear(out_folder) == 0, "files left");
	maker_save(out_folder, "model.brise", FORMAT_MAGIC, 8);
	CHECK(counts, convert_checkpoint(folder, out, &options, NULL, &err) == BRISE_ECANCELED,
	      "%s", err.message);
	CHECK(counts, stat(out, &facts) == 0 && facts.st_size == 8, "the target changed");
	CHECK(counts, maker_clear(out_folder) == 1, "files left");
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* Opens, and if that works reads the first and the last row of every tensor. */
static brise_status try_open(bool *unreadable, brise_error *err)
{
	float rows[128];
	checkpoint *cp;
	brise_status status = checkpoint_open(&cp, folder, err);
	uint32_t layer, kind;

	if (status != BRISE_OK)
		return status;
	for (layer = 0; layer < cp->config.n_layers; layer++)
		for (kind = 1; kind < TENSOR_KINDS; kind++) {
			const checkpoint_tensor *t = &cp->tensors[layer][kind];

			if (t->name &&
			    (t->cols > LENGTH(rows) ||
			     checkpoint_read_rows(cp, t, 0, 1, rows, err) != BRISE_OK ||
			     checkpoint_read_rows(cp, t, t->rows - 1, 1, rows, err) != BRISE_OK))
				*unreadable = true;
		}
	checkpoint_close(cp);
	return BRISE_OK;
}

/* Changes each byte of [first, first + n) in place: opening refuses with the folder's name and a
 * fitting status, or gives tensors that can be read. */
static void flip_every_byte(check_counts *counts, const char *name, size_t first, size_t n)
{
	static const uint8_t masks[] = { 0x01, 0xa0 };
	unsigned refused = 0, opened = 0, strange = 0;
	bool unreadable = false;
	char path[700];
	size_t at, i;
	int file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = open(path, O_RDWR);
	for (at = first; at < first + n; at++)
		for (i = 0; i < LENGTH(masks); i++) {
			brise_error err = { BRISE_OK, "" };
			brise_status status;
			uint8_t byte, other;

			if (pread(file, &byte, 1, (off_t)at) != 1)
				exit(1);
			other = byte ^ masks[i];
			if (pwrite(file, &other, 1, (off_t)at) != 1)
				exit(1);
			status = try_open(&unreadable, &err);
			if (status == BRISE_OK)
				opened++;
			else if ((status == BRISE_EFORMAT || status == BRISE_EUNSUPPORTED) &&
			         strstr(err.message, folder))
				refused++;
			else
				strange++;
			if (pwrite(file, &byte, 1, (off_t)at) != 1)
				exit(1);
		}
	close(file);
	CHECK(counts, strange == 0 && !unreadable && refused > opened,
	      "%s: %u refused, %u opened, %u strange, unreadable: %d", name, refused, opened,
	      strange, unreadable);
	CHECK(counts, try_open(&unreadable, NULL) == BRISE_OK, "%s: not restored", name);
}

static void test_flipped_bytes_of_the_pickle_do_no_harm(check_counts *counts)
{
	maker_bytes pickle = { NULL, 0, 0 };
	maker_model *m = maker_new(true, "F16");

	make_from(m, TORCH, NULL);
	maker_pickle_model(&pickle, m);
	/* the writer aligns members as torch does */
	flip_every_byte(counts, "consolidated.00.pth", 64, pickle.n);
	maker_free(&pickle);
	maker_close(m);
}

static void test_flipped_bytes_of_the_header_do_no_harm(check_counts *counts)
{
	maker_bytes header = { NULL, 0, 0 };
	maker_model *m = maker_new(false, "F16");

	make_from(m, ONE_FILE, NULL);
	maker_header(&header, m, 0, m->n);
	flip_every_byte(counts, "model.safetensors", 0, 8 + header.n);
	maker_free(&header);
	maker_close(m);
}

/* The directory and its ends: the last bytes of the archive. Flags, dates and checksums that the
 * converter ignores may change. */
static void test_flipped_bytes_of_the_directory_do_no_harm(check_counts *counts)
{
	static const form forms[] = { TORCH, TORCH_PLAIN, TORCH_64 };
	bool unreadable = false;
	char path[700];
	size_t i, at, k;

	for (i = 0; i < LENGTH(forms); i++) {
		unsigned strange = 0, refused = 0;
		struct stat facts;
		int file;

		make(forms[i], "F16", NULL);
		(void)snprintf(path, sizeof path, "%s/consolidated.00.pth", folder);
		file = open(path, O_RDWR);
		if (file < 0 || fstat(file, &facts) != 0)
			exit(1);
		for (k = 1; k <= 1500; k++) {
			brise_error err = { BRISE_OK, "" };
			brise_status status;
			uint8_t byte, other;

			at = (size_t)facts.st_size - k;
			if (pread(file, &byte, 1, (off_t)at) != 1)
				exit(1);
			other = byte ^ (uint8_t)(k % 2 ? 0xff : 0x01);
			if (pwrite(file, &other, 1, (off_t)at) != 1)
				exit(1);
			status = try_open(&unreadable, &err);
			refused += status != BRISE_OK;
			strange += status != BRISE_OK && status != BRISE_EFORMAT &&
			           status != BRISE_EUNSUPPORTED;
			if (pwrite(file, &byte, 1, (off_t)at) != 1)
				exit(1);
		}
		close(file);
		CHECK(counts, strange == 0 && !unreadable && refused > 300,
		      "%s: %u refused, %u strange, unreadable: %d", form_names[forms[i]], refused,
		      strange, unreadable);
	}
}

static void truncate_at_every(check_counts *counts, form f, const char *name, off_t step)
{
	unsigned accepted = 0, strange = 0;
	bool unreadable = false;
	struct stat facts;
	char path[700];
	off_t size;

	make(f, "F16", NULL);
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	if (stat(path, &facts) != 0)
		exit(1);
	for (size = facts.st_size - 1; size >= 0; size -= step) {
		brise_error err = { BRISE_OK, "" };
		brise_status status;

		if (truncate(path, size) != 0)
			exit(1);
		status = try_open(&unreadable, &err);
		accepted += status == BRISE_OK;
		strange += status != BRISE_OK &&
		           (status != BRISE_EFORMAT || !strstr(err.message, name));
	}
	CHECK(counts, accepted == 0 && strange == 0,
	      "%s: %u accepted, %u without a fitting message", form_names[f], accepted, strange);
}

static void test_truncated_zip_is_refused(check_counts *counts)
{
	truncate_at_every(counts, TORCH, "consolidated.00.pth", 7);
	truncate_at_every(counts, TORCH_PLAIN, "consolidated.00.pth", 63);
	truncate_at_every(counts, TORCH_64, "consolidated.00.pth", 63);
}

static void test_truncated_safetensors_is_refused(check_counts *counts)
{
	truncate_at_every(counts, ONE_FILE, "model.safetensors", 7);
	truncate_at_every(counts, TWO_SHARDS, "model-00002-of-00002.safetensors", 7);
}

/* Files may shrink after they were opened. */
static void test_file_that_shrinks_while_open_is_an_error(check_counts *counts)
{
	brise_error err;
	checkpoint *cp;
	char path[700];
	float row[64];

	make(ONE_FILE, "F16", NULL);
	CHECK(counts, checkpoint_open(&cp, folder, &err) == BRISE_OK, "%s", err.message);
	(void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
	if (truncate(path, 4000) != 0)
		exit(1);
	CHECK(counts,
	      checkpoint_read_rows(cp, &cp->tensors[0][TENSOR_OUTPUT], 0, 1, row, &err) ==
	                      BRISE_EIO &&
	              strstr(err.message, "model.safetensors"),
	      "%s", err.message);
	CHECK(counts,
	      checkpoint_read_rows(cp, &cp->tensors[0][TENSOR_OUTPUT], MAKER_VOCAB, 1, row, &err) ==
	              BRISE_EINVAL,
	      "%s", err.message);
	CHECK(counts,
	      checkpoint_read_rows(cp, &cp->tensors[0][TENSOR_OUTPUT], 1, UINT32_MAX, row, &err) ==
	              BRISE_EINVAL,
	      "%s", err.message);
	checkpoint_close(cp);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(base, sizeof base);
	(void)snprintf(folder, sizeof folder, "%s/checkpoint", base);
	(void)snprintf(out_folder, sizeof out_folder, "%s/out", base);
	(void)snprintf(out, sizeof out, "%s/model.brise", out_folder);
	if (mkdir(folder, 0777) != 0 || mkdir(out_folder, 0777) != 0)
		return 1;
	RUN(test_every_form_gives_the_same_model(&counts));
	RUN(test_configurations_of_both_forms_agree(&counts));
	RUN(test_tied_embeddings_are_the_output(&counts));
	RUN(test_frequency_tables_are_passed_over(&counts));
	RUN(test_threads_do_not_change_a_byte(&counts));
	RUN(test_window_may_be_given(&counts));
	RUN(test_settings_of_a_merged_adapter_are_passed_over(&counts));
	RUN(test_foreign_and_damaged_checkpoints_are_refused(&counts));
	RUN(test_tensor_named_over_and_over_is_refused(&counts));
	RUN(test_compressed_and_encrypted_members_are_refused(&counts));
	RUN(test_missing_files_are_named(&counts));
	RUN(test_missing_tokenizer_is_refused_unless_it_is_not_wanted(&counts));
	RUN(test_weight_that_is_no_number_is_refused(&counts));
	RUN(test_cancelled_conversion_leaves_nothing(&counts));
	RUN(test_flipped_bytes_of_the_pickle_do_no_harm(&counts));
	RUN(test_flipped_bytes_of_the_header_do_no_harm(&counts));
	RUN(test_flipped_bytes_of_the_directory_do_no_harm(&counts));
	RUN(test_truncated_zip_is_refused(&counts));
	RUN(test_truncated_safetensors_is_refused(&counts));
	RUN(test_file_that_shrinks_while_open_is_an_error(&counts));
	(void)maker_clear(folder);
	(void)rmdir(folder);
	(void)rmdir(out_folder);
	(void)rmdir(base);
	return check_report("checkpoint", &counts);
}
