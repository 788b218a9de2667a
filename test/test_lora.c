/* test_lora.c - adapters merged at conversion give W + factor * B A, computed here in double; what
 * is not plain LoRA is refused by name */
#include <math.h>
#include <sys/stat.h>

#include "convert/convert.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/small_model.h"
#include "test/tested_types.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

#define RANK     6u        /* no multiple of the width of a summation */
#define LEFT_OUT TENSOR_WV /* of layer 0: no adapter there */
#define BREEZE   "test/models/breeze"

static char base[512], folder[600], adapter[600], other[600], out_folder[600], out[700];

/* ---- adapters -------------------------------------------------------------------------------- */

static const struct {
	uint32_t kind;
	const char *module;
} kinds[] = {
	{ TENSOR_WQ, "self_attn.q_proj" }, { TENSOR_WK, "self_attn.k_proj" },
	{ TENSOR_WV, "self_attn.v_proj" }, { TENSOR_WO, "self_attn.o_proj" },
	{ TENSOR_W1, "mlp.gate_proj" },    { TENSOR_W3, "mlp.up_proj" },
	{ TENSOR_W2, "mlp.down_proj" },
};

static const format_config small = { .dim = MAKER_DIM,
	                             .n_layers = MAKER_LAYERS,
	                             .n_heads = MAKER_HEADS,
	                             .n_kv_heads = 1,
	                             .head_dim = MAKER_HEAD,
	                             .hidden_dim = MAKER_HIDDEN,
	                             .vocab = MAKER_VOCAB };

/* Element [i][j] of A (half 0) or B (half 1): a multiple of 1/4 up to 1, so that all sums are exact
 * in f16. */
static float element(uint32_t half, uint32_t kind, uint32_t layer, uint32_t i, uint32_t j)
{
	uint64_t seed = ((uint64_t)half << 60) + ((uint64_t)kind << 48) + ((uint64_t)layer << 40) +
	                ((uint64_t)i << 20) + j;

	return (float)((int)(random_next(&seed) % 9) - 4) / 4;
}

static void add_half(maker_model *m, const char *name, uint32_t half, uint32_t kind, uint32_t layer,
                     uint32_t rows, uint32_t cols)
{
	maker_tensor *t = &m->tensors[m->n++];
	uint32_t i, j;

	memset(t, 0, sizeof *t);
	(void)snprintf(t->name, sizeof t->name, "base_model.model.%.62s", name);
	t->n_dims = 2;
	t->shape[0] = rows;
	t->shape[1] = cols;
	for (i = 0; i < rows; i++)
		for (j = 0; j < cols; j++)
			maker_value(&t->data, m->dtype, element(half, kind, layer, i, j));
}

static void add_pair(maker_model *m, const char *module, uint32_t kind, uint32_t layer,
                     uint32_t rank)
{
	uint32_t rows, cols;
	char name[80];

	model_tensor_shape(&small, kind, &rows, &cols);
	(void)snprintf(name, sizeof name, "%.48s.lora_A.weight", module);
	add_half(m, name, 0, kind, layer, rank, cols);
	(void)snprintf(name, sizeof name, "%.48s.lora_B.weight", module);
	add_half(m, name, 1, kind, layer, rows, rank);
}

static maker_model *new_adapter(const char *dtype, uint32_t rank)
{
	maker_model *m = calloc(1, sizeof *m);
	uint32_t layer;
	char module[80];
	size_t i;

	if (!m)
		abort();
	m->dtype = dtype;
	for (layer = 0; layer < MAKER_LAYERS; layer++)
		for (i = 0; i < LENGTH(kinds); i++) {
			(void)snprintf(module, sizeof module, "model.layers.%" PRIu32 ".%s", layer,
			               kinds[i].module);
			if (layer > 0 || kinds[i].kind != LEFT_OUT)
				add_pair(m, module, kinds[i].kind, layer, rank);
		}
	add_pair(m, "lm_head", TENSOR_OUTPUT, 0, rank);
	add_half(m, "model.embed_tokens.lora_embedding_A", 0, TENSOR_EMBEDDING, 0, rank,
	         MAKER_VOCAB);
	add_half(m, "model.embed_tokens.lora_embedding_B", 1, TENSOR_EMBEDDING, 0, MAKER_DIM, rank);
	/* ignored */
	add_half(m, "model.embed_tokens.base_layer.weight", 0, TENSOR_EMBEDDING, 0, MAKER_VOCAB,
	         MAKER_DIM);
	return m;
}

/* The rank is that of the adapter's first tensor. */
static void save_adapter(const char *place, const maker_model *m, const maker_edit *edit)
{
	maker_bytes text = { NULL, 0, 0 };
	char rank[40];

	(void)maker_clear(place);
	(void)snprintf(rank, sizeof rank, "  \"r\": %" PRIu32 ",\n", m->tensors[0].shape[0]);
	maker_text(&text,
	           "{\n  \"alpha_pattern\": {},\n  \"auto_mapping\": null,\n  "
	           "\"base_model_name_or_path\": \"some/model\",\n  \"bias\": \"none\",\n"
	           "  \"fan_in_fan_out\": false,\n  \"inference_mode\": true,\n  "
	           "\"init_lora_weights\": true,\n  \"layers_pattern\": null,\n"
	           "  \"layers_to_transform\": null,\n  \"loftq_config\": {},\n  \"lora_alpha\": "
	           "12,\n  \"lora_dropout\": 0.05,\n  \"megatron_config\": null,\n"
	           "  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n");
	maker_text(&text, rank);
	maker_text(&text, "  \"rank_pattern\": {},\n  \"revision\": null,\n"
	                  "  \"target_modules\": [\"q_proj\", \"lm_head\"],\n  \"task_type\": "
	                  "\"CAUSAL_LM\",\n  \"use_dora\": false,\n  \"use_rslora\": false\n}\n");
	maker_apply(&text, "adapter_config.json", edit);
	maker_save(place, "adapter_config.json", text.data, text.n);
	maker_free(&text);
	maker_safetensors(place, "adapter_model.safetensors", m, 0, m->n, edit);
}

static void make_adapter(const char *place, const char *dtype, const maker_edit *edit)
{
	maker_model *m = new_adapter(dtype, RANK);

	save_adapter(place, m, edit);
	maker_close(m);
}

static void make_checkpoint(bool own_form, const char *dtype, const maker_edit *edit)
{
	maker_model *m = maker_new(own_form, dtype);

	(void)maker_clear(folder);
	maker_config(folder, own_form, edit);
	maker_safetensors(folder, own_form ? "consolidated.safetensors" : "model.safetensors", m, 0,
	                  m->n, edit);
	maker_close(m);
}

/* ---- results --------------------------------------------------------------------------------- */

static brise_status convert(const char *checkpoint, const char *const *loras, size_t n,
                            uint32_t type, unsigned threads, brise_error *err)
{
	convert_options options;

	convert_init_options(&options);
	options.type = type;
	options.effort = EFFORT_FAST;
	options.threads = threads;
	options.no_tokenizer = true;
	options.loras = loras;
	options.n_loras = n;
	err->message[0] = 0;
	return convert_checkpoint(checkpoint, out, &options, NULL, err);
}

/* W + factor * B A, or the embedding's W + factor * (B A)^T. */
static double expected(uint32_t kind, uint32_t layer, uint32_t row, uint32_t col, double factor,
                       uint32_t rank)
{
	bool embedding = kind == TENSOR_EMBEDDING,
	     adapted = kind != TENSOR_ATTENTION_NORM && kind != TENSOR_FFN_NORM &&
	               kind != TENSOR_FINAL_NORM && (layer > 0 || kind != LEFT_OUT);
	double sum = 0;
	uint32_t k;

	for (k = 0; k < rank && adapted; k++)
		sum += (double)element(1, kind, layer, embedding ? col : row, k) *
		       (double)element(0, kind, layer, k, embedding ? row : col);
	return (double)maker_weight(kind, layer, row, col) + factor * sum;
}

/* Elements of the file that are others, or cannot be read; w1 of layer 1 with a factor of its
 * own. */
static unsigned count_wrong_but(double factor, double odd_factor, uint32_t rank)
{
	brise_tensor_facts facts;
	brise_model *model;
	brise_error err;
	float row[64];
	unsigned wrong = 0;
	uint32_t r, c;
	size_t i;

	if (brise_open_model(&model, out, NULL, &err) != BRISE_OK)
		return UINT32_MAX;
	for (i = 0; i < brise_get_tensor_count(model); i++) {
		const format_tensor *t = &model->tensors[i];
		bool odd = t->kind == TENSOR_W1 && t->layer == 1;

		(void)brise_get_tensor_facts(model, i, &facts, sizeof facts, NULL);
		for (r = 0; r < facts.rows; r++) {
			if (facts.cols > LENGTH(row) ||
			    brise_read_row(model, i, r, row, &err) != BRISE_OK)
				wrong++;
			for (c = 0; c < facts.cols && c < LENGTH(row); c++)
				wrong +=
				        (double)row[c] != expected(t->kind, t->layer, r, c,
				                                   odd ? odd_factor : factor, rank);
		}
	}
	brise_close_model(model);
	return wrong;
}

static unsigned count_wrong(double factor, uint32_t rank)
{
	return count_wrong_but(factor, factor, rank);
}

static void test_rows_are_the_matrix_and_its_adapter(check_counts *counts)
{
	static const char *const dtypes[] = { "F16", "BF16", "F32" };
	brise_error err;
	size_t i;
	int own;

	for (own = 0; own <= 1; own++)
		for (i = 0; i < LENGTH(dtypes); i++) {
			const char *loras[] = { adapter };
			unsigned wrong;

			make_checkpoint(own, dtypes[2 - i], NULL);
			make_adapter(adapter, dtypes[i], NULL);
			CHECK(counts, convert(folder, loras, 1, TYPE_F16, 2, &err) == BRISE_OK,
			      "%s", err.message);
			wrong = count_wrong(12.0 / 6, RANK);
			CHECK(counts, wrong == 0,
			      "own form %d, adapter in %s: %u weights are others", own, dtypes[i],
			      wrong);
			wrong = count_wrong(0, RANK);
			CHECK(counts, wrong > 1000, "the adapter changes only %u weights", wrong);
		}
	(void)maker_clear(out_folder);
}

static void test_scales_multiply_and_adapters_add_up(check_counts *counts)
{
	char half[700], minus[700];
	const char *const one[] = { half }, *const two[] = { half, adapter },
	                  *const none[] = { adapter, minus };
	brise_error err;

	(void)snprintf(half, sizeof half, "%s:0.5", adapter);
	(void)snprintf(minus, sizeof minus, "%s:-1", adapter);
	make_checkpoint(false, "F16", NULL);
	make_adapter(adapter, "F16", NULL);
	CHECK(counts,
	      convert(folder, one, 1, TYPE_F16, 1, &err) == BRISE_OK && count_wrong(1, RANK) == 0,
	      "half: %s", err.message);
	CHECK(counts,
	      convert(folder, two, 2, TYPE_F16, 1, &err) == BRISE_OK && count_wrong(3, RANK) == 0,
	      "half and whole: %s", err.message);
	CHECK(counts,
	      convert(folder, none, 2, TYPE_F16, 1, &err) == BRISE_OK && count_wrong(0, RANK) == 0,
	      "added and taken away: %s", err.message);
	(void)maker_clear(out_folder);
}

static void test_factors_follow_the_configuration(check_counts *counts)
{
	static const maker_edit
	        root = MAKER_EDIT("adapter_config.json", "\"use_rslora\": false",
	                          "\"use_rslora\": true"),
	        fraction = MAKER_EDIT("adapter_config.json", "\"lora_alpha\": 12",
	                              "\"lora_alpha\": 1.5e0"),
	        ranks = MAKER_EDIT("adapter_config.json", "\"r\": 6,\n  \"rank_pattern\": {}",
	                           "\"r\": 3, \"rank_pattern\": {\"roj\": 7, \"q_proj\": 6, "
	                           "\"layers.1.mlp.up_proj\": 6, \"model.layers.0.mlp.up_proj\": "
	                           "6, \"self_attn.o_proj\": 6, \"k_proj\": 6, \"v_proj\": 6, "
	                           "\"mlp.gate_proj\": 6, \"down_proj\": 6, \"lm_head\": 6, "
	                           "\"embed_tokens\": 6, \"model.embed_tokens\": 5}"),
	        alphas = MAKER_EDIT("adapter_config.json", "\"alpha_pattern\": {}",
	                            "\"alpha_pattern\": {\"proj\": 60, \"1.mlp.gate_proj\": 24, "
	                            "\"gate_proj\": 12}");
	const char *loras[] = { adapter };
	maker_model *m = new_adapter("F16", 4);
	brise_error err;

	make_checkpoint(false, "F16", NULL);
	save_adapter(adapter, m, &root);
	CHECK(counts,
	      convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK &&
	              count_wrong(12 / 2, 4) == 0,
	      "use_rslora: %s", err.message);
	maker_close(m);
	make_adapter(adapter, "F16", &fraction);
	CHECK(counts,
	      convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK &&
	              count_wrong(0.25, RANK) == 0,
	      "alpha 1.5: %s", err.message);
	make_adapter(adapter, "F16", &ranks);
	CHECK(counts,
	      convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK && count_wrong(2, RANK) == 0,
	      "rank_pattern: %s", err.message);
	make_adapter(adapter, "F16", &alphas);
	CHECK(counts,
	      convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK &&
	              count_wrong_but(2, 4, RANK) == 0,
	      "alpha_pattern: %s", err.message);
	(void)maker_clear(out_folder);
}

/* PEFT's defaults for fields that are absent; fields that change nothing for Mistral's matrices. */
static void test_absent_and_idle_fields_are_taken(check_counts *counts)
{
	static const maker_edit edits[] = {
		MAKER_EDIT("adapter_config.json", "\"lora_alpha\": 12", "\"alpha\": null"),
		MAKER_EDIT("adapter_config.json", "\"fan_in_fan_out\": false",
		           "\"fan_in_fan_out\": true"),
		MAKER_EDIT("adapter_config.json", "\"bias\": \"none\"", "\"bias\": \"all\""),
		MAKER_EDIT("adapter_config.json", "\"bias\": \"none\"", "\"bias\": null"),
	};
	const char *loras[] = { adapter };
	brise_error err;
	size_t i;

	make_checkpoint(false, "F16", NULL);
	for (i = 0; i < LENGTH(edits); i++) {
		maker_model *m = new_adapter("F16", 4);

		save_adapter(adapter, m, &edits[i]);
		maker_close(m);
		CHECK(counts,
		      convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK &&
		              count_wrong(i == 0 ? 8.0 / 4 : 12.0 / 4, 4) == 0,
		      "%s: %s", edits[i].to, err.message);
	}
	(void)maker_clear(out_folder);
}

/* ---- names and whole matrices --------------------------------------------------------------- */

/* "base_model.model." becomes `prefix`, and ".lora_A" ".lora_A.default" with that name between. */
static void rename_tensors(maker_model *m, const char *prefix, const char *between)
{
	char rest[80];
	size_t i;

	for (i = 0; i < m->n; i++) {
		maker_tensor *t = &m->tensors[i];
		char *end = strstr(t->name, ".weight");
		bool half = strstr(t->name, ".lora_") != NULL;

		strcpy(rest, t->name + strlen("base_model.model."));
		if (half && end)
			rest[strlen(rest) - strlen(".weight")] = 0;
		(void)snprintf(t->name, sizeof t->name, "%s%.60s%s%s", prefix, rest,
		               half ? between : "", half && end ? ".weight" : "");
	}
}

static void test_names_in_between_and_prefixes_are_taken(check_counts *counts)
{
	static const char *const betweens[] = { "", ".default", ".my_adapter" },
	                         *const prefixes[] = { "base_model.model.", "", "module.",
		                                       "_orig_mod." };
	const char *loras[] = { adapter };
	brise_error err;
	size_t i, k;

	make_checkpoint(false, "F16", NULL);
	for (i = 0; i < LENGTH(betweens); i++)
		for (k = 0; k < LENGTH(prefixes); k++) {
			maker_model *m = new_adapter("F16", RANK);

			rename_tensors(m, prefixes[k], betweens[i]);
			save_adapter(adapter, m, NULL);
			CHECK(counts,
			      convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK &&
			              count_wrong(2, RANK) == 0,
			      "%s %s: %s", prefixes[k], betweens[i], err.message);
			maker_close(m);
		}
	(void)maker_clear(out_folder);
}

/* The tensors of the module named in `part` become one: what the pair would have made of the
 * matrix. */
static void make_whole(maker_model *m, const char *part, const char *end, uint32_t kind,
                       uint32_t layer, uint32_t rows)
{
	size_t i, kept = 0;
	maker_tensor *t;
	char module[80] = "";
	uint32_t row, col;

	for (i = 0; i < m->n; i++) {
		char *lora = strstr(m->tensors[i].name, ".lora_");

		if (!strstr(m->tensors[i].name, part)) {
			m->tensors[kept++] = m->tensors[i];
			continue;
		}
		if (lora)
			(void)snprintf(module, sizeof module, "%.*s",
			               (int)(lora - m->tensors[i].name), m->tensors[i].name);
		maker_free(&m->tensors[i].data);
	}
	m->n = kept;
	t = &m->tensors[m->n++];
	memset(t, 0, sizeof *t);
	(void)snprintf(t->name, sizeof t->name, "%.50s%s", module, end);
	t->n_dims = 2;
	t->shape[0] = rows;
	t->shape[1] = MAKER_DIM;
	for (row = 0; row < rows; row++)
		for (col = 0; col < MAKER_DIM; col++)
			maker_value(&t->data, m->dtype,
			            (float)expected(kind, layer, row, col, 2, RANK));
}

static void test_whole_matrices_replace_the_models(check_counts *counts)
{
	static const char *const ends[] = { ".weight", ".modules_to_save.default.weight",
		                            ".modules_to_save.weight" };
	static const maker_edit saved =
	        MAKER_EDIT("adapter_config.json", "\"modules_to_save\": null",
	                   "\"modules_to_save\": [\"lm_head\"]");
	char scaled[700];
	const char *loras[] = { adapter }, *half[] = { scaled };
	brise_error err;
	size_t i;

	(void)snprintf(scaled, sizeof scaled, "%s:0.5", adapter);
	make_checkpoint(false, "F16", NULL);
	for (i = 0; i < LENGTH(ends); i++) {
		maker_model *m = new_adapter(i ? "F32" : "F16", RANK);

		make_whole(m, "lm_head", ends[i], TENSOR_OUTPUT, 0, MAKER_VOCAB);
		make_whole(m, "embed_tokens", ends[i], TENSOR_EMBEDDING, 0, MAKER_VOCAB);
		make_whole(m, "layers.1.self_attn.q_proj", ends[i], TENSOR_WQ, 1, MAKER_DIM);
		save_adapter(adapter, m, &saved);
		CHECK(counts,
		      convert(folder, loras, 1, TYPE_F16, 2, &err) == BRISE_OK &&
		              count_wrong(2, RANK) == 0,
		      "%s: %s", ends[i], err.message);
		CHECK(counts,
		      convert(folder, half, 1, TYPE_F16, 2, &err) == BRISE_EUNSUPPORTED &&
		              strstr(err.message, "takes no scale"),
		      "%s: %s", ends[i], err.message);
		maker_close(m);
	}
	(void)maker_clear(out_folder);
}

static void test_patterns_are_regular_expressions(check_counts *counts)
{
	static const char *const alphas[] = {
		"{\".*\\\\.(0|1)\\\\.self_attn\\\\..*\": 12, \"1\\\\.mlp\\\\.gate_proj\": 24}",
		"{\"layers\\\\.1\\\\.mlp\\\\.g.+\": 24}",
		"{\"^model\\\\.layers\\\\.[1-9]\\\\.mlp\\\\.gate_proj$\": 24, \".*gate_proj\": 12}",
		("{\"gate\": 3, \"l\": 5, \"layers.\\\\d{1,2}.mlp.(?:gate|none)_proj\": 24, "
		 "\".*q_proj\": 12}"),
	};
	static const char rank_text[] = "\"rank_pattern\": {\"(?!x).*\": 6}";
	const char *loras[] = { adapter };
	char to[300];
	maker_edit edit = { "adapter_config.json", "\"alpha_pattern\": {}", 19, to, 0 };
	const maker_edit unread = { "adapter_config.json", "\"rank_pattern\": {}", 18, rank_text,
		                    sizeof rank_text - 1 };
	brise_error err;
	size_t i;

	make_checkpoint(false, "F16", NULL);
	for (i = 0; i < LENGTH(alphas); i++) {
		edit.to_bytes = (size_t)snprintf(to, sizeof to, "\"alpha_pattern\": %s", alphas[i]);
		make_adapter(adapter, "F16", &edit);
		CHECK(counts, convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK, "%s: %s",
		      alphas[i], err.message);
		/* the last pattern takes layer 0 as well */
		CHECK(counts, i == 3 || count_wrong_but(2, 4, RANK) == 0, "%s", alphas[i]);
	}
	make_adapter(adapter, "F16", &unread);
	CHECK(counts,
	      convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK && count_wrong(2, RANK) == 0,
	      "ranks read off the tensors: %s", err.message);
	(void)maker_clear(out_folder);
}

static void test_threads_do_not_change_a_byte(check_counts *counts)
{
	const char *loras[] = { adapter };
	maker_bytes first = { NULL, 0, 0 };
	brise_error err;
	uint32_t type = 0;
	unsigned threads;

	make_checkpoint(true, "BF16", NULL);
	make_adapter(adapter, "F32", NULL);
	while ((type = next_book_type(type)) != 0) {
		for (threads = 1; threads <= 3; threads++) {
			maker_bytes bytes;

			CHECK(counts, convert(folder, loras, 1, type, threads, &err) == BRISE_OK,
			      "%s", err.message);
			bytes = maker_read(out);
			if (threads == 1)
				first = bytes;
			CHECK(counts,
			      bytes.n > 0 && bytes.n == first.n &&
			              !memcmp(bytes.data, first.data, bytes.n),
			      "%s, %u threads", type_name(type), threads);
			if (threads > 1)
				maker_free(&bytes);
		}
		maker_free(&first);
	}
	(void)maker_clear(out_folder);
}

static void test_file_says_what_was_merged(check_counts *counts)
{
	static const maker_edit unknown =
	        MAKER_EDIT("adapter_config.json", "\"use_dora\": false", "\"use_magic\": 3");
	const char *loras[] = { adapter };
	brise_error err;
	maker_bytes bytes;

	make_checkpoint(false, "F16", NULL);
	make_adapter(adapter, "F16", &unknown);
	CHECK(counts, convert(folder, loras, 1, TYPE_F16, 1, &err) == BRISE_OK, "%s", err.message);
	bytes = maker_read(out);
	maker_put(&bytes, "", 1);
	CHECK(counts, memmem(bytes.data, bytes.n, "15 matrices of rank 6, times 2 ", 31) != NULL,
	      "no line about the adapter");
	CHECK(counts, memmem(bytes.data, bytes.n, "field use_magic ignored", 23) != NULL,
	      "no line about the unknown field");
	maker_free(&bytes);
	(void)maker_clear(out_folder);
}

/* ---- a larger model: sums of many terms, rounded --------------------------------------------- */

#define BIG_RANK 8u

static float big_element(uint32_t half, uint32_t kind, uint32_t layer, uint32_t i, uint32_t j)
{
	uint64_t seed = ((uint64_t)half << 60) + ((uint64_t)kind << 52) + ((uint64_t)layer << 44) +
	                ((uint64_t)i << 20) + j;

	return random_gauss(&seed) * 0.05f;
}

static void save_big_adapter(const format_config *c)
{
	static const char config[] =
	        "{\"peft_type\": \"LORA\", \"r\": 8, \"lora_alpha\": 20, \"bias\": \"none\"}";
	maker_bytes header = { NULL, 0, 0 }, data = { NULL, 0, 0 }, file = { NULL, 0, 0 };
	uint32_t layer, half, rows, cols, i, j;
	char entry[300];
	size_t k;

	(void)maker_clear(adapter);
	maker_save(adapter, "adapter_config.json", config, sizeof config - 1);
	maker_text(&header, "{");
	for (layer = 0; layer < c->n_layers; layer++)
		for (k = 0; k < LENGTH(kinds); k++)
			for (half = 0; half < 2; half++) {
				size_t from = data.n;
				uint32_t n_rows, n_cols;

				model_tensor_shape(c, kinds[k].kind, &rows, &cols);
				n_rows = half ? rows : BIG_RANK;
				n_cols = half ? BIG_RANK : cols;
				for (i = 0; i < n_rows; i++)
					for (j = 0; j < n_cols; j++)
						maker_value(&data, "F32",
						            big_element(half, kinds[k].kind, layer,
						                        i, j));
				(void)snprintf(entry, sizeof entry,
				               "%s\"base_model.model.model.layers.%" PRIu32
				               ".%s.lora_%c.weight\":{\"dtype\":\"F32\",\"shape\":["
				               "%" PRIu32 ",%" PRIu32
				               "],\"data_offsets\":[%zu,%zu]}",
				               from ? "," : "", layer, kinds[k].module,
				               half ? 'B' : 'A', n_rows, n_cols, from, data.n);
				maker_text(&header, entry);
			}
	maker_text(&header, "}");
	maker_number(&file, header.n, 8);
	maker_put(&file, header.data, header.n);
	maker_put(&file, data.data, data.n);
	maker_save(adapter, "adapter_model.safetensors", file.data, file.n);
	maker_free(&header);
	maker_free(&data);
	maker_free(&file);
}

/* Every 31st row: the merged one against the plain one and the product in double; within half a
 * unit of f16 and the rounding of float sums. */
static double compare_rows(brise_model *plain, brise_model *merged, size_t index, unsigned *changed)
{
	const format_tensor *t = &plain->tensors[index];
	float *w = malloc(t->cols * sizeof *w), *found = malloc(t->cols * sizeof *found);
	bool adapted =
	        t->kind != TENSOR_EMBEDDING && t->kind != TENSOR_OUTPUT && t->type == TYPE_F16;
	double worst = 0;
	uint32_t r, c, k;

	for (r = 0; r < t->rows && w && found; r += 31) {
		if (brise_read_row(plain, index, r, w, NULL) != BRISE_OK ||
		    brise_read_row(merged, index, r, found, NULL) != BRISE_OK)
			worst = INFINITY;
		for (c = 0; c < t->cols; c++) {
			double sum = 0, allowed;

			for (k = 0; k < BIG_RANK && adapted; k++)
				sum += (double)big_element(1, t->kind, t->layer, r, k) *
				       (double)big_element(0, t->kind, t->layer, k, c);
			sum = (double)w[c] + 20.0 / 8 * sum;
			allowed = adapted ? fabs(sum) / 2048 + 1e-7 : 0;
			*changed += found[c] != w[c];
			worst = fmax(worst, fabs((double)found[c] - sum) <= allowed
			                            ? 0
			                            : fabs((double)found[c] - sum));
		}
	}
	free(w);
	free(found);
	return worst;
}

static void test_breeze_is_merged_within_rounding(check_counts *counts)
{
	const char *loras[] = { adapter };
	brise_model *plain = NULL, *merged = NULL;
	double worst = 0;
	unsigned changed = 0;
	char aside[700];
	brise_error err;
	size_t i;

	if (access(BREEZE "/config.json", R_OK) != 0) {
		check_skip(counts, "an adapter of breeze", "no " BREEZE);
		return;
	}
	(void)snprintf(aside, sizeof aside, "%s/plain.brise", out_folder);
	CHECK(counts,
	      convert(BREEZE, NULL, 0, TYPE_F16, 2, &err) == BRISE_OK && rename(out, aside) == 0 &&
	              brise_open_model(&plain, aside, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	if (!plain)
		return;
	save_big_adapter(&plain->config);
	CHECK(counts,
	      convert(BREEZE, loras, 1, TYPE_F16, 2, &err) == BRISE_OK &&
	              brise_open_model(&merged, out, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	for (i = 0; merged && i < brise_get_tensor_count(plain); i++)
		worst = fmax(worst, compare_rows(plain, merged, i, &changed));
	CHECK(counts, worst == 0 && changed > 100000, "off by %g, %u weights changed", worst,
	      changed);
	brise_close_model(plain);
	brise_close_model(merged);
	(void)maker_clear(out_folder);
}

/* ---- what is refused ------------------------------------------------------------------------- */

/* A refusal with that status and text, and an empty target folder. */
static void expect_refusal(check_counts *counts, const char *what, brise_status status_expected,
                           const char *text)
{
	const char *loras[] = { adapter };
	brise_error err;
	brise_status status = convert(folder, loras, 1, TYPE_F16, 2, &err);
	unsigned left = maker_clear(out_folder);

	CHECK(counts,
	      status == status_expected && strstr(err.message, text) &&
	              strstr(err.message, adapter),
	      "%s: %d %s", what, status, err.message);
	CHECK(counts, left == 0, "%s: %u files left", what, left);
}

typedef struct refusal {
	maker_edit edit;
	brise_status status;
	const char *text; /* of the message */
} refusal;

#define CONFIG(from, to, status, text)                                                             \
	{                                                                                          \
		MAKER_EDIT("adapter_config.json", from, to), BRISE_##status, text                  \
	}
#define HEADER(from, to, status, text)                                                             \
	{                                                                                          \
		MAKER_EDIT("adapter_model.safetensors", from, to), BRISE_##status, text            \
	}

static const refusal refusals[] = {
	CONFIG("\"use_dora\": false", "\"use_dora\": true", EUNSUPPORTED,
	       "use_dora is not supported"),
	CONFIG("\"use_dora\": false", "\"lora_bias\": true", EUNSUPPORTED, "lora_bias"),
	CONFIG("\"use_dora\": false", "\"use_qalora\": true", EUNSUPPORTED, "use_qalora"),
	CONFIG("\"use_dora\": false", "\"target_parameters\": [\"x\"]", EUNSUPPORTED,
	       "target_parameters"),
	CONFIG("\"use_dora\": false", "\"trainable_token_indices\": [1]", EUNSUPPORTED,
	       "trainable_token_indices"),
	CONFIG("\"use_dora\": false", "\"alora_invocation_tokens\": [1, 2]", EUNSUPPORTED,
	       "alora_invocation_tokens"),
	CONFIG("\"use_dora\": false", "\"layer_replication\": [[0, 1]]", EUNSUPPORTED,
	       "layer_replication"),
	CONFIG("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", EFORMAT,
	       "modules_to_save names modules, but no whole matrix is here"),
	CONFIG("\"megatron_config\": null", "\"megatron_config\": {\"a\": 1}", EUNSUPPORTED,
	       "megatron_config"),
	CONFIG("\"peft_type\": \"LORA\"", "\"peft_type\": \"LOHA\"", EUNSUPPORTED,
	       "peft_type LOHA"),
	CONFIG("\"peft_type\": \"LORA\"", "\"x\": null", EFORMAT, "no field peft_type"),
	CONFIG("\"r\": 6", "\"rr\": 6", EFORMAT, "shape [8, 32] expected"),
	CONFIG("\"use_dora\": false", "\"use_dora\": true", EUNSUPPORTED,
	       "use_dora is not supported; merge_and_unload"),
	CONFIG("\"r\": 6", "\"r\": 5", EFORMAT, "shape [5, 32] expected"),
	CONFIG("\"r\": 6", "\"r\": 0", EFORMAT, "shape [0, 32] expected"),
	CONFIG("\"r\": 6", "\"r\": -6", EFORMAT, "shape [0, 32] expected"),
	CONFIG("\"r\": 6", "\"r\": 4294967302", EFORMAT, "shape [0, 32] expected"),
	CONFIG("\"r\": 6", "\"r\": 6.0", EFORMAT, "integer"),
	CONFIG("\"lora_alpha\": 12", "\"lora_alpha\": \"12\"", EFORMAT, "number expected"),
	CONFIG("\"lora_alpha\": 12", "\"lora_alpha\": 1e308", EFORMAT, "infinite"),
	CONFIG("\"lora_alpha\": 12", "\"lora_alpha\": 1e35", EFORMAT, "too large to be weights"),
	CONFIG("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", EUNSUPPORTED,
	       "init_lora_weights pissa"),
	CONFIG("\"init_lora_weights\": true", "\"init_lora_weights\": \"loftq\"", EUNSUPPORTED,
	       "init_lora_weights loftq"),
	CONFIG("\"rank_pattern\": {}", "\"rank_pattern\": {\".*q_proj\": 3}", EFORMAT,
	       "q_proj.lora_A.weight: shape [3, 32] expected"),
	CONFIG("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 3}", EFORMAT,
	       "q_proj.lora_A.weight: shape [3, 32] expected"),
	CONFIG("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"(?=q)_proj\": 3}", EUNSUPPORTED,
	       "alpha_pattern: (?=q)_proj: a group (?...) other than (?:...) is not supported"),
	CONFIG("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": \"3\"}", EFORMAT,
	       "number expected"),
	CONFIG("\n}\n", "\n", EFORMAT, "adapter_config.json: line"),

	HEADER("layers.1.self_attn.q_proj.lora_A.weight", "layers.2.self_attn.q_proj.lora_A.weight",
	       EFORMAT, "a model of 2 layers"),
	HEADER("layers.1.self_attn.q_proj.lora_A.weight",
	       "layers.4294967297.self_attn.q_proj.lora_A.weight", EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.self_attn.q_proj.lora_A.weight",
	       "layers.01.self_attn.q_proj.lora_A.weight", EUNSUPPORTED, "names no matrix"),
	HEADER("layers.1.self_attn.q_proj.lora_A.weight",
	       "layers.1.self_attn.qkv_proj.lora_A.weight", EUNSUPPORTED,
	       "qkv_proj.lora_A.weight: names no matrix"),
	HEADER("layers.1.self_attn.q_proj.lora_A.weight",
	       "layers.1.self_attn.q_proj.lora_magnitude_vector", EUNSUPPORTED, "DoRA"),
	HEADER("layers.1.self_attn.q_proj.lora_A.weight", "layers.1.self_attn.q_proj.lora_B.bias",
	       EUNSUPPORTED, "biases"),
	HEADER("layers.1.self_attn.q_proj.lora_A.weight", "layers.1.self_attn.q_proj.weight",
	       EFORMAT, "shape [32, 32] expected"),
	HEADER("base_model.model.lm_head.lora_A.weight", "base_model.model.lm_head.weight", EFORMAT,
	       "shape [40, 32] expected"),
	HEADER("base_model.model.lm_head.lora_A.weight", "other.lm_head.lora_A.weight",
	       EUNSUPPORTED, "different prefixes"),
	HEADER("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight",
	       "model.layers.1.self_attn.q_proj.lora_A.weight", EUNSUPPORTED, "different prefixes"),
	HEADER("self_attn.q_proj.lora_A.weight", "self_attn.q_proj.lora_A.default.weight",
	       EUNSUPPORTED, "different adapters"),
	HEADER("self_attn.q_proj.lora_A.weight", "self_attn.q_proj.lora_A.a.b.weight", EUNSUPPORTED,
	       "no half of a low-rank pair"),
	HEADER("base_model.model.lm_head.lora_A.weight", ".lora_A.weight", EUNSUPPORTED,
	       "names no matrix"),
	HEADER("base_model.model.lm_head.lora_A.weight", "base_model.model.lora_A.weight",
	       EUNSUPPORTED, "names no matrix"),
	HEADER("embed_tokens.lora_embedding_A", "embed_tokens.lora_A.weight", EUNSUPPORTED,
	       "names no matrix"),
	HEADER("lm_head.lora_A.weight", "lm_head.lora_embedding_A", EUNSUPPORTED,
	       "names no matrix"),
	HEADER("layers.1.self_attn.q_proj.lora_A.weight", "layers.0.self_attn.v_proj.lora_A.weight",
	       EFORMAT, "is missing"),
	HEADER("layers.1.self_attn.q_proj.lora_B.weight", "layers.1.self_attn.q_proj.lora_A.weight",
	       EFORMAT, "appears twice"),
	HEADER("[40,32]", "[32,40]", EFORMAT,
	       "embed_tokens.base_layer.weight: shape [40, 32] expected"),
	HEADER("[6,32]", "[32,6]", EFORMAT, "shape [6, 32] expected"),
	HEADER("[6,32]", "[192]", EFORMAT, "shape [6, 32] expected"),
	HEADER("[6,32]", "[6,1,32]", EFORMAT, "shape [6, 32] expected"),
	HEADER("\"F16\"", "\"I16\"", EUNSUPPORTED, "neither F16"),
	HEADER("\"F16\"", "\"F32\"", EFORMAT, "data_offsets do not fit"),
};

static void test_what_is_not_plain_lora_is_refused_by_name(check_counts *counts)
{
	char what[200];
	size_t i;

	make_checkpoint(false, "F16", NULL);
	for (i = 0; i < LENGTH(refusals); i++) {
		const refusal *r = &refusals[i];

		make_adapter(adapter, "F16", &r->edit);
		(void)snprintf(what, sizeof what, "%.60s -> %.80s", r->edit.from, r->edit.to);
		expect_refusal(counts, what, r->status, r->text);
	}
}

static void test_tied_embeddings_take_no_adapter(check_counts *counts)
{
	static const maker_edit tie = MAKER_EDIT("config.json", "\"tie_word_embeddings\": false",
	                                         "\"tie_word_embeddings\": true");

	make_checkpoint(false, "F16", &tie);
	make_adapter(adapter, "F16", NULL);
	expect_refusal(counts, "tied", BRISE_EUNSUPPORTED, "the model's output is its embedding");
}

static void test_missing_and_empty_files_are_named(check_counts *counts)
{
	maker_model *m = new_adapter("F16", RANK);
	const char *loras[] = { adapter, other };
	char scaled[700];
	const char *spec[] = { scaled };
	brise_error err;

	make_checkpoint(false, "F16", NULL);
	(void)maker_clear(adapter);
	expect_refusal(counts, "nothing", BRISE_EIO, "adapter_config.json");
	save_adapter(adapter, m, NULL);
	(void)snprintf(scaled, sizeof scaled, "%s/adapter_model.safetensors", adapter);
	(void)unlink(scaled);
	expect_refusal(counts, "no tensors", BRISE_EIO,
	               "adapters in other forms than safetensors are not read");
	maker_save(adapter, "adapter_model.safetensors", "\x02\0\0\0\0\0\0\0{}", 10);
	expect_refusal(counts, "no tensors", BRISE_EFORMAT, "holds no low-rank pairs");
	m->n -= 2;
	save_adapter(adapter, m, NULL);
	expect_refusal(counts, "half of the last pair", BRISE_EFORMAT, "is missing");
	m->n += 2;
	save_adapter(adapter, m, NULL);
	(void)maker_clear(other);
	CHECK(counts,
	      convert(folder, loras, 2, TYPE_F16, 2, &err) == BRISE_EIO &&
	              strstr(err.message, other),
	      "%s", err.message);
	(void)snprintf(scaled, sizeof scaled, "%s:much", adapter);
	CHECK(counts,
	      convert(folder, spec, 1, TYPE_F16, 2, &err) == BRISE_EINVAL &&
	              strstr(err.message, "scale"),
	      "%s", err.message);
	(void)snprintf(scaled, sizeof scaled, "%s:", adapter);
	CHECK(counts,
	      convert(folder, spec, 1, TYPE_F16, 2, &err) == BRISE_EINVAL &&
	              strstr(err.message, "scale"),
	      "%s", err.message);
	(void)snprintf(scaled, sizeof scaled, "%s:inf", adapter);
	CHECK(counts,
	      convert(folder, spec, 1, TYPE_F16, 2, &err) == BRISE_EINVAL &&
	              strstr(err.message, "scale"),
	      "%s", err.message);
	CHECK(counts, maker_clear(out_folder) == 0, "files left");
	maker_close(m);
}

static void test_element_that_is_no_number_is_refused(check_counts *counts)
{
	maker_model *m = new_adapter("F16", RANK);

	make_checkpoint(false, "F16", NULL);
	memcpy(m->tensors[5].data.data + 20, "\x00\x7c", 2);
	save_adapter(adapter, m, NULL);
	expect_refusal(counts, "infinity", BRISE_EFORMAT, m->tensors[5].name);
	maker_close(m);
}

static void truncate_at_every(check_counts *counts, const char *name, off_t step)
{
	const char *loras[] = { adapter };
	unsigned accepted = 0, strange = 0;
	struct stat facts;
	char path[700];
	off_t size;

	make_adapter(adapter, "F16", NULL);
	(void)snprintf(path, sizeof path, "%s/%s", adapter, name);
	if (stat(path, &facts) != 0)
		exit(1);
	/* the configuration ends with an optional line feed */
	for (size = facts.st_size - 2; size >= 0; size -= step) {
		brise_error err;
		brise_status status;

		if (truncate(path, size) != 0)
			exit(1);
		status = convert(folder, loras, 1, TYPE_F16, 1, &err);
		accepted += status == BRISE_OK;
		strange += status != BRISE_OK &&
		           (status != BRISE_EFORMAT || !strstr(err.message, name));
	}
	CHECK(counts, accepted == 0 && strange == 0,
	      "%s: %u accepted, %u without a fitting message", name, accepted, strange);
	CHECK(counts, maker_clear(out_folder) == 0, "files left");
}

static void test_truncated_adapters_are_refused(check_counts *counts)
{
	make_checkpoint(false, "F16", NULL);
	truncate_at_every(counts, "adapter_config.json", 1);
	truncate_at_every(counts, "adapter_model.safetensors", 7);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(base, sizeof base);
	(void)snprintf(folder, sizeof folder, "%s/checkpoint", base);
	(void)snprintf(adapter, sizeof adapter, "%s/adapter", base);
	(void)snprintf(other, sizeof other, "%s/other", base);
	(void)snprintf(out_folder, sizeof out_folder, "%s/out", base);
	(void)snprintf(out, sizeof out, "%s/model.brise", out_folder);
	if (mkdir(folder, 0777) != 0 || mkdir(adapter, 0777) != 0 || mkdir(other, 0777) != 0 ||
	    mkdir(out_folder, 0777) != 0)
		return 1;
	RUN(test_rows_are_the_matrix_and_its_adapter(&counts));
	RUN(test_scales_multiply_and_adapters_add_up(&counts));
	RUN(test_factors_follow_the_configuration(&counts));
	RUN(test_absent_and_idle_fields_are_taken(&counts));
	RUN(test_names_in_between_and_prefixes_are_taken(&counts));
	RUN(test_whole_matrices_replace_the_models(&counts));
	RUN(test_patterns_are_regular_expressions(&counts));
	RUN(test_threads_do_not_change_a_byte(&counts));
	RUN(test_file_says_what_was_merged(&counts));
	RUN(test_breeze_is_merged_within_rounding(&counts));
	RUN(test_what_is_not_plain_lora_is_refused_by_name(&counts));
	RUN(test_tied_embeddings_take_no_adapter(&counts));
	RUN(test_missing_and_empty_files_are_named(&counts));
	RUN(test_element_that_is_no_number_is_refused(&counts));
	RUN(test_truncated_adapters_are_refused(&counts));
	(void)maker_clear(folder);
	(void)maker_clear(adapter);
	(void)maker_clear(other);
	(void)rmdir(folder);
	(void)rmdir(adapter);
	(void)rmdir(other);
	(void)rmdir(out_folder);
	(void)rmdir(base);
	return check_report("lora", &counts);
}
