/* test_lora_mistral.c - mistral-finetune's adapters give the same model as weights into which they
 * were merged beforehand, for every form of the base
 *
 * Adapter and merged weights are written in Mistral's own order of q and k, in which
 * mistral-finetune trains and merges (utils/merge_lora.py: W + scaling * B A); independent of how
 * the converter permutes rows.
 */
#include <sys/stat.h>

#include "convert/convert.h"
#include "runtime/model/model.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/gguf_maker.h"
#include "test/small_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define RANK          3u

static char base[512], folder[600], adapter[600], out_folder[600], out[700];

static const struct {
	uint32_t kind;
	const char *module;
} kinds[] = {
	{ TENSOR_WQ, "attention.wq" },    { TENSOR_WK, "attention.wk" },
	{ TENSOR_WV, "attention.wv" },    { TENSOR_WO, "attention.wo" },
	{ TENSOR_W1, "feed_forward.w1" }, { TENSOR_W2, "feed_forward.w2" },
	{ TENSOR_W3, "feed_forward.w3" },
};

static const format_config small = { .dim = MAKER_DIM,
	                             .n_layers = MAKER_LAYERS,
	                             .n_heads = MAKER_HEADS,
	                             .n_kv_heads = 1,
	                             .head_dim = MAKER_HEAD,
	                             .hidden_dim = MAKER_HIDDEN,
	                             .vocab = MAKER_VOCAB };

/* ---- adapters and their bases ---------------------------------------------------------------- */

/* Element [i][j] of A (half 0) or B (half 1): a multiple of 1/4 up to 1, so that all sums are exact
 * in f16. */
static float element(uint32_t half, uint32_t kind, uint32_t layer, uint32_t i, uint32_t j)
{
	uint64_t seed = ((uint64_t)half << 60) + ((uint64_t)kind << 48) + ((uint64_t)layer << 40) +
	                ((uint64_t)i << 20) + j;

	return (float)((int)(random_next(&seed) % 9) - 4) / 4;
}

static void add_half(maker_model *m, uint32_t layer, size_t which, uint32_t half)
{
	maker_tensor *t = &m->tensors[m->n++];
	uint32_t rows, cols, i, j;

	memset(t, 0, sizeof *t);
	model_tensor_shape(&small, kinds[which].kind, &rows, &cols);
	(void)snprintf(t->name, sizeof t->name, "layers.%" PRIu32 ".%s.lora_%c.weight", layer,
	               kinds[which].module, half ? 'B' : 'A');
	t->n_dims = 2;
	t->shape[0] = half ? rows : RANK;
	t->shape[1] = half ? RANK : cols;
	for (i = 0; i < t->shape[0]; i++)
		for (j = 0; j < t->shape[1]; j++)
			maker_value(&t->data, m->dtype,
			            element(half, kinds[which].kind, layer, i, j));
}

static void make_adapter(const char *dtype, const maker_edit *edit)
{
	maker_model *m = calloc(1, sizeof *m);
	maker_bytes text = { NULL, 0, 0 };
	uint32_t layer, half;
	size_t i;

	if (!m)
		abort();
	m->dtype = dtype;
	for (layer = 0; layer < MAKER_LAYERS; layer++)
		for (i = 0; i < LENGTH(kinds); i++)
			for (half = 0; half < 2; half++)
				add_half(m, layer, i, half);
	(void)maker_clear(adapter);
	maker_text(&text,
	           "{\n    \"dim\": 32,\n    \"n_layers\": 2,\n    \"head_dim\": 16,\n    "
	           "\"hidden_dim\": 48,\n    \"n_heads\": 2,\n    \"n_kv_heads\": 1,\n"
	           "    \"norm_eps\": 1e-05,\n    \"vocab_size\": 40,\n    \"rope_theta\": "
	           "10000.0,\n    \"lora\": {\n        \"enable\": true,\n        \"rank\": 3,\n"
	           "        \"dropout\": 0.1,\n        \"scaling\": 2.0\n    },\n    \"moe\": "
	           "null\n}");
	maker_apply(&text, "params.json", edit);
	maker_save(adapter, "params.json", text.data, text.n);
	maker_free(&text);
	maker_safetensors(adapter, "lora.safetensors", m, 0, m->n, edit);
	maker_close(m);
}

/* Adds factor * B A to the matrices of a model in Mistral's own form. */
static void merge(maker_model *m, float factor)
{
	uint32_t layer, row, col, k;
	char name[80];
	size_t i, t;

	for (layer = 0; layer < MAKER_LAYERS; layer++)
		for (i = 0; i < LENGTH(kinds); i++) {
			(void)snprintf(name, sizeof name, "layers.%" PRIu32 ".%s.weight", layer,
			               kinds[i].module);
			for (t = 0; strcmp(m->tensors[t].name, name) != 0; t++)
				;
			m->tensors[t].data.n = 0;
			for (row = 0; row < m->tensors[t].shape[0]; row++)
				for (col = 0; col < m->tensors[t].shape[1]; col++) {
					float sum = 0;

					for (k = 0; k < RANK; k++)
						sum += element(1, kinds[i].kind, layer, row, k) *
						       element(0, kinds[i].kind, layer, k, col);
					maker_value(
					        &m->tensors[t].data, m->dtype,
					        maker_weight(kinds[i].kind, layer,
					                     maker_row_of(true, kinds[i].kind, row),
					                     col) +
					                factor * sum);
				}
		}
}

static void make_base(bool own_form, float factor)
{
	maker_model *m = maker_new(own_form, "F32");

	if (factor != 0)
		merge(m, factor);
	(void)maker_clear(folder);
	maker_config(folder, own_form, NULL);
	maker_safetensors(folder, own_form ? "consolidated.safetensors" : "model.safetensors", m, 0,
	                  m->n, NULL);
	maker_close(m);
}

static void make_gguf_base(void)
{
	maker_bytes file = gguf_make_whole("F16", NULL, true);

	(void)maker_clear(folder);
	maker_save(folder, "m.gguf", file.data, file.n);
	maker_free(&file);
}

/* ---- results --------------------------------------------------------------------------------- */

static brise_status convert(const char *spec, brise_error *err)
{
	convert_options options;

	convert_init_options(&options);
	options.type = TYPE_F16;
	options.threads = 2;
	options.no_tokenizer = true;
	options.loras = &spec;
	options.n_loras = spec != NULL;
	err->message[0] = 0;
	return convert_checkpoint(folder, out, &options, NULL, err);
}

/* Every row of every tensor. */
static maker_bytes read_rows(void)
{
	maker_bytes rows = { NULL, 0, 0 };
	brise_model *model;
	float row[64];
	uint32_t k;
	size_t i;

	if (brise_open_model(&model, out, NULL, NULL) != BRISE_OK)
		return rows;
	for (i = 0; i < brise_get_tensor_count(model); i++)
		for (k = 0; k < model->tensors[i].rows && model->tensors[i].cols <= LENGTH(row);
		     k++)
			if (brise_read_row(model, i, k, row, NULL) == BRISE_OK)
				maker_put(&rows, row, model->tensors[i].cols * sizeof *row);
	brise_close_model(model);
	return rows;
}

static void expect_rows(check_counts *counts, const char *what, const char *spec,
                        const maker_bytes *expected)
{
	brise_error err;
	maker_bytes rows;

	CHECK(counts, convert(spec, &err) == BRISE_OK, "%s: %s", what, err.message);
	rows = read_rows();
	CHECK(counts,
	      rows.n > 20000 && rows.n == expected->n && !memcmp(rows.data, expected->data, rows.n),
	      "%s: other weights", what);
	maker_free(&rows);
	(void)maker_clear(out_folder);
}

static maker_bytes merged_rows(check_counts *counts, float factor)
{
	brise_error err;

	make_base(true, factor);
	CHECK(counts, convert(NULL, &err) == BRISE_OK, "%s", err.message);
	return read_rows();
}

static void test_rows_are_those_of_merged_weights(check_counts *counts)
{
	static const char *const dtypes[] = { "F16", "BF16", "F32" };
	maker_bytes merged = merged_rows(counts, 2), plain = merged_rows(counts, 0);
	size_t i;

	CHECK(counts, merged.n == plain.n && memcmp(merged.data, plain.data, merged.n) != 0,
	      "the adapter changes nothing");
	for (i = 0; i < LENGTH(dtypes); i++) {
		make_adapter(dtypes[i], NULL);
		make_base(true, 0);
		expect_rows(counts, "a base in Mistral's own form", adapter, &merged);
		make_base(false, 0);
		expect_rows(counts, "a base in Hugging Face's form", adapter, &merged);
		make_gguf_base();
		expect_rows(counts, "a GGUF base", adapter, &merged);
	}
	maker_free(&merged);
	maker_free(&plain);
}

static void test_scales_multiply(check_counts *counts)
{
	static const maker_edit quarter =
	        MAKER_EDIT("params.json", "\"scaling\": 2.0", "\"scaling\": 0.25");
	maker_bytes merged = merged_rows(counts, 0.5f);
	char spec[700];

	make_adapter("F16", NULL);
	make_base(false, 0);
	(void)snprintf(spec, sizeof spec, "%s/lora.safetensors:0.25", adapter);
	expect_rows(counts, "a quarter of scaling 2", spec, &merged);
	make_adapter("F16", &quarter);
	(void)snprintf(spec, sizeof spec, "%s:2", adapter);
	expect_rows(counts, "twice scaling 0.25", spec, &merged);
	maker_free(&merged);
}

static void test_file_says_what_was_merged(check_counts *counts)
{
	static const maker_edit theta = MAKER_EDIT("params.json", "\"rope_theta\": 10000.0",
	                                           "\"rope_theta\": 1e6"),
	                        more = MAKER_EDIT("params.json", "\"dropout\"", "\"magic\"");
	static const struct {
		const maker_edit *edit;
		const char *line;
	} cases[] = {
		{ NULL,
		  "14 matrices of rank 3, times 2 (params.json: lora.scaling) and 1 (--lora)" },
		{ &theta, "adapter trained with rope theta 1e+06, but the model's is 10000" },
		{ &more, "params.json: field lora.magic ignored" },
	};
	brise_error err;
	size_t i;

	make_base(false, 0);
	for (i = 0; i < LENGTH(cases); i++) {
		brise_model *model = NULL;

		make_adapter("F16", cases[i].edit);
		CHECK(counts,
		      convert(adapter, &err) == BRISE_OK &&
		              brise_open_model(&model, out, NULL, &err) == BRISE_OK,
		      "%s", err.message);
		CHECK(counts, model && strstr(model->origin, cases[i].line), "%s: %s",
		      cases[i].line, model ? model->origin : "no file");
		CHECK(counts, i == 1 || (model && !strstr(model->origin, "rope theta 1e+06")),
		      "a difference of rope theta where there is none");
		brise_close_model(model);
	}
	(void)maker_clear(out_folder);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void expect_refusal(check_counts *counts, const char *what, brise_status expected,
                           const char *text)
{
	brise_error err;
	brise_status status = convert(adapter, &err);
	unsigned left = maker_clear(out_folder);

	CHECK(counts,
	      status == expected && strstr(err.message, text) && strstr(err.message, adapter) &&
	              !strchr(err.message, '\n'),
	      "%s: %d %s", what, status, err.message);
	CHECK(counts, left == 0, "%s: %u files left", what, left);
}

#define PARAMS(from, to, status, text)                                                             \
	{                                                                                          \
		MAKER_EDIT("params.json", from, to), BRISE_##status, text                          \
	}
#define HEADER(from, to, status, text)                                                             \
	{                                                                                          \
		MAKER_EDIT("lora.safetensors", from, to), BRISE_##status, text                     \
	}

static const struct {
	maker_edit edit;
	brise_status status;
	const char *text; /* of the message */
} refusals[] = {
	PARAMS("\"lora\"", "\"lora_\"", EFORMAT, "no field lora.rank"),
	PARAMS("\"rank\": 3", "\"r\": 3", EFORMAT, "no field lora.rank"),
	PARAMS("\"scaling\": 2.0", "\"alpha\": 2.0", EFORMAT, "no field lora.scaling"),
	PARAMS("\"lora\": {", "\"lora\": null, \"x\": {", EFORMAT, "no field lora.rank"),
	PARAMS("\"lora\": {", "\"lora\": [", EFORMAT, "an object expected"),
	PARAMS("\"enable\": true", "\"enable\": false", EFORMAT, "lora.enable is false"),
	PARAMS("\"rank\": 3", "\"rank\": 4", EFORMAT, "shape [4, 32] expected"),
	PARAMS("\"rank\": 3", "\"rank\": 0", EFORMAT, "shape [0, 32] expected"),
	PARAMS("\"rank\": 3", "\"rank\": 4294967299", EFORMAT, "shape [0, 32] expected"),
	PARAMS("\"rank\": 3", "\"rank\": \"3\"", EFORMAT, "number"),
	PARAMS("\"scaling\": 2.0", "\"scaling\": 1e400", EFORMAT, "number"),
	PARAMS("\"scaling\": 2.0", "\"scaling\": 1e35", EFORMAT, "too large to be weights"),
	PARAMS("\"moe\": null", "\"moe\": {\"num_experts\": 8}", EUNSUPPORTED,
	       "moe is not supported"),
	PARAMS("\"dim\": 32", "\"dim\": 64", EFORMAT,
	       "dim 64, but the model's is 32: an adapter of another model"),
	PARAMS("\"n_layers\": 2", "\"n_layers\": 3", EFORMAT, "n_layers 3, but the model's is 2"),
	PARAMS("\"head_dim\": 16", "\"head_dim\": 8", EFORMAT, "head_dim 8, but the model's is 16"),
	PARAMS("\"rope_theta\": 10000.0", "\"rope_theta\": true", EFORMAT, "number expected"),
	PARAMS("\n}", "\n", EFORMAT, "params.json: line"),
	HEADER("layers.1.attention.wq.lora_A.weight", "layers.2.attention.wq.lora_A.weight",
	       EFORMAT, "a model of 2 layers"),
	HEADER("layers.1.attention.wq.lora_A.weight", "layers.01.attention.wq.lora_A.weight",
	       EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight", "layers.1.attention.wqkv.lora_A.weight",
	       EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight",
	       "model.layers.1.self_attn.q_proj.lora_A.weight", EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight", "layers.1.attention_norm.lora_A.weight",
	       EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight", "layers.1.attention_norm.weight",
	       EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight",
	       "layers.1.feed_forward.experts.0.w1.lora_A.weight", EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight", "output.lora_A.weight", EUNSUPPORTED,
	       "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight", "tok_embeddings.lora_embedding_A",
	       EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.attention.wq.lora_A.weight", ".lora_A.weight", EUNSUPPORTED,
	       "names no matrix"),
	HEADER("layers.1.attention.wq.lora_B.weight", "layers.1.attention.wq.lora_A.weight",
	       EFORMAT, "appears twice"),
	HEADER("[3,32]", "[32,3]", EFORMAT, "shape [3, 32] expected"),
	HEADER("\"F16\"", "\"I16\"", EUNSUPPORTED, "neither F16"),
};

static void test_what_does_not_fit_is_refused_by_name(check_counts *counts)
{
	char what[200];
	size_t i;

	make_base(true, 0);
	for (i = 0; i < LENGTH(refusals); i++) {
		make_adapter("F16", &refusals[i].edit);
		(void)snprintf(what, sizeof what, "%.60s -> %.80s", refusals[i].edit.from,
		               refusals[i].edit.to);
		expect_refusal(counts, what, refusals[i].status, refusals[i].text);
	}
}

static void test_truncated_adapters_are_refused(check_counts *counts)
{
	static const char *const names[] = { "params.json", "lora.safetensors" };
	size_t i;

	make_base(false, 0);
	for (i = 0; i < LENGTH(names); i++) {
		unsigned accepted = 0, strange = 0;
		struct stat facts;
		char path[700];
		off_t size;

		make_adapter("F16", NULL);
		(void)snprintf(path, sizeof path, "%s/%s", adapter, names[i]);
		if (stat(path, &facts) != 0)
			exit(1);
		for (size = facts.st_size - 1; size >= 0; size -= i ? 37 : 1) {
			brise_error err;
			brise_status status;

			if (truncate(path, size) != 0)
				exit(1);
			status = convert(adapter, &err);
			accepted += status == BRISE_OK;
			strange += status != BRISE_OK &&
			           (status != BRISE_EFORMAT || !strstr(err.message, names[i]));
		}
		CHECK(counts, accepted == 0 && strange == 0,
		      "%s: %u accepted, %u without a fitting message", names[i], accepted, strange);
	}
	CHECK(counts, maker_clear(out_folder) == 0, "files left");
}

static void test_missing_configuration_is_named(check_counts *counts)
{
	char path[700];

	make_base(false, 0);
	make_adapter("F16", NULL);
	(void)snprintf(path, sizeof path, "%s/params.json", adapter);
	(void)unlink(path);
	expect_refusal(counts, "no params.json", BRISE_EIO, "params.json: cannot be opened");
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(base, sizeof base);
	(void)snprintf(folder, sizeof folder, "%s/checkpoint", base);
	(void)snprintf(adapter, sizeof adapter, "%s/adapter", base);
	(void)snprintf(out_folder, sizeof out_folder, "%s/out", base);
	(void)snprintf(out, sizeof out, "%s/model.brise", out_folder);
	if (mkdir(folder, 0777) != 0 || mkdir(adapter, 0777) != 0 || mkdir(out_folder, 0777) != 0)
		return 1;
	RUN(test_rows_are_those_of_merged_weights(&counts));
	RUN(test_scales_multiply(&counts));
	RUN(test_file_says_what_was_merged(&counts));
	RUN(test_what_does_not_fit_is_refused_by_name(&counts));
	RUN(test_truncated_adapters_are_refused(&counts));
	RUN(test_missing_configuration_is_named(&counts));
	(void)maker_clear(folder);
	(void)maker_clear(adapter);
	(void)rmdir(folder);
	(void)rmdir(adapter);
	(void)rmdir(out_folder);
	(void)rmdir(base);
	return check_report("lora_mistral", &counts);
}
