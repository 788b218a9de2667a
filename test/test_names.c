/* test_names.c - tensors under other names, in other shapes, in two places, or without effect
 *
 * Each variant of a small checkpoint must give the model that the plain one gives.
 */
#include <sys/stat.h>

#include "convert/convert.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/small_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char base[512], folder[600], out[700];

static brise_status convert(brise_error *err)
{
	convert_options options;

	convert_init_options(&options);
	options.type = TYPE_F16;
	options.threads = 2;
	options.no_tokenizer = true;
	err->message[0] = 0;
	return convert_checkpoint(folder, out, &options, NULL, err);
}

/* Configuration and weights of the file just converted, without the notes of where they are
 * from. */
static maker_bytes take_model(void)
{
	maker_bytes file = maker_read(out), model = { NULL, 0, 0 };
	format_header header;
	format_section section;
	uint32_t i;

	(void)unlink(out);
	if (file.n > FORMAT_PAGE) {
		memcpy(&header, file.data, sizeof header);
		for (i = 0; i < header.n_sections; i++) {
			memcpy(&section, file.data + sizeof header + i * header.section_bytes,
			       sizeof section);
			if (section.kind == SECTION_CONFIG)
				maker_put(&model, file.data + section.offset,
				          (size_t)section.bytes);
		}
		/* the first tensor lies on a page of its own, and the last ends the file */
		i = (uint32_t)(file.n / FORMAT_PAGE > 1 ? FORMAT_PAGE : 0);
		while (i + FORMAT_PAGE < file.n && section.offset + section.bytes > i)
			i += FORMAT_PAGE;
		maker_put(&model, file.data + i, file.n - i);
	}
	maker_free(&file);
	return model;
}

static maker_bytes plain;

static void expect_same(check_counts *counts, const char *what)
{
	brise_error err;
	brise_status status = convert(&err);
	maker_bytes model = take_model();

	CHECK(counts, status == BRISE_OK, "%s: %s", what, err.message);
	CHECK(counts, model.n == plain.n && plain.n > 0 && !memcmp(model.data, plain.data, plain.n),
	      "%s: another model", what);
	maker_free(&model);
}

static void expect_refusal(check_counts *counts, const char *what, const char *text)
{
	brise_error err;
	brise_status status = convert(&err);

	(void)unlink(out);
	CHECK(counts, status != BRISE_OK && strstr(err.message, text), "%s: %d %s", what, status,
	      err.message);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* "model." of all names but the output's, which begins as `output`. */
static void rename_all(maker_model *m, const char *body, const char *output)
{
	char rest[80];
	size_t i;

	for (i = 0; i < m->n; i++) {
		maker_tensor *t = &m->tensors[i];
		bool head = !strncmp(t->name, "lm_head", 7) || !strncmp(t->name, "output", 6);

		strcpy(rest, t->name + (!strncmp(t->name, "model.", 6) ? 6 : 0));
		(void)snprintf(t->name, sizeof t->name, "%s%s", head ? output : body, rest);
	}
}

typedef enum form { ONE_FILE, SHARDS, OWN_FILE, OWN_TORCH } form;

static void make(form f, const maker_model *m)
{
	(void)maker_clear(folder);
	maker_config(folder, m->own_form, NULL);
	if (f == SHARDS)
		maker_shards(folder, m, NULL);
	else if (f == OWN_TORCH)
		maker_torch(folder, m, MAKER_ZIP_TORCH, 0, 0, NULL);
	else
		maker_safetensors(folder,
		                  f == OWN_FILE ? "consolidated.safetensors" : "model.safetensors",
		                  m, 0, m->n, NULL);
}

static void test_one_common_prefix_is_taken_off(check_counts *counts)
{
	static const struct {
		const char *body, *output;
	} prefixes[] = {
		{ "", "" },
		{ "module.model.", "module." },
		{ "_orig_mod.model.", "_orig_mod." },
		{ "module._orig_mod.model.", "module._orig_mod." },
		{ "_orig_mod.module.model.", "_orig_mod.module." },
		{ "language_model.model.", "language_model." },
		{ "model.language_model.", "" },
		{ "base_model.model.model.", "base_model.model." },
		{ "model._orig_mod.", "" },
		{ "_fsdp_wrapped_module.model.", "_fsdp_wrapped_module." },
		{ "llm.backbone.", "llm." },
		{ "model.model.", "model." },
	};
	size_t i;
	int f;

	for (i = 0; i < LENGTH(prefixes); i++)
		for (f = ONE_FILE; f <= SHARDS; f++) {
			maker_model *m = maker_new(false, "F16");

			rename_all(m, prefixes[i].body, prefixes[i].output);
			make((form)f, m);
			expect_same(counts, prefixes[i].body);
			maker_close(m);
		}
}

static void test_prefixes_of_mistrals_own_names_are_taken_off(check_counts *counts)
{
	static const char *const prefixes[] = { "module.", "_orig_mod.", "module._orig_mod." };
	maker_bytes before = plain;
	brise_error err;
	size_t i;
	int f;

	for (f = OWN_FILE; f <= OWN_TORCH; f++) {
		maker_model *m = maker_new(true, "F16");

		make((form)f, m);
		CHECK(counts, convert(&err) == BRISE_OK, "%s", err.message);
		plain = take_model();
		for (i = 0; i < LENGTH(prefixes); i++) {
			maker_model *other = maker_new(true, "F16");

			rename_all(other, prefixes[i], prefixes[i]);
			make((form)f, other);
			expect_same(counts, prefixes[i]);
			maker_close(other);
		}
		maker_free(&plain);
		maker_close(m);
	}
	plain = before;
}

static void test_wrappers_of_single_layers_are_left_out(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");
	char name[80];
	size_t i;

	for (i = 0; i < m->n; i++) {
		char *layer = strstr(m->tensors[i].name, "layers.1.");

		if (!layer)
			continue;
		(void)snprintf(name, sizeof name, "%.*slayers.1._checkpoint_wrapped_module.%.40s",
		               (int)(layer - m->tensors[i].name), m->tensors[i].name, layer + 9);
		strcpy(m->tensors[i].name, name);
	}
	make(ONE_FILE, m);
	expect_same(counts, "one layer wrapped");
	maker_close(m);
}

static void test_two_prefixes_are_refused_with_names(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");

	strcpy(m->tensors[1].name, "draft.layers.0.input_layernorm.weight");
	make(ONE_FILE, m);
	expect_refusal(counts, "two prefixes", "draft.layers.0.input_layernorm.weight");
	expect_refusal(counts, "two prefixes", "have different prefixes");
	maker_close(m);
	m = maker_new(false, "F16");
	strcpy(m->tensors[m->n - 1].name, "other.lm_head.weight");
	make(ONE_FILE, m);
	expect_refusal(counts, "an output of another prefix", "other.lm_head.weight");
	maker_close(m);
}

/* ---- what has no effect --------------------------------------------------------------------- */

/* A tensor of n elements, all `value`. */
static void add_constant(maker_model *m, const char *name, uint32_t n, float value)
{
	maker_tensor *t = &m->tensors[m->n++];
	uint32_t i;

	memset(t, 0, sizeof *t);
	(void)snprintf(t->name, sizeof t->name, "%s", name);
	t->n_dims = 1;
	t->shape[0] = n;
	for (i = 0; i < n; i++)
		maker_value(&t->data, m->dtype, value);
}

static void test_zero_biases_add_nothing(check_counts *counts)
{
	static const char *const names[] = {
		"model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.k_proj.bias",
		"model.layers.1.self_attn.v_proj.bias", "model.layers.0.self_attn.o_proj.bias",
		"model.layers.1.mlp.gate_proj.bias",    "model.layers.1.mlp.down_proj.bias",
		"model.layers.1.input_layernorm.bias",  "lm_head.bias"
	};
	static const char *const own[] = { "layers.0.attention.wq.bias",
		                           "layers.1.feed_forward.w2.bias" };
	maker_model *m = maker_new(false, "BF16"), *torch = maker_new(true, "F16");
	maker_bytes before = plain;
	brise_error err;
	size_t i;

	for (i = 0; i < LENGTH(names); i++)
		add_constant(m, names[i], 700, i % 2 ? 0.0f : -0.0f);
	make(ONE_FILE, m);
	expect_same(counts, "zero biases");
	make(SHARDS, m);
	expect_same(counts, "zero biases in shards");
	for (i = 0; i < LENGTH(names); i++) {
		maker_free(&m->tensors[--m->n].data);
		add_constant(m, names[i], 1, 1);
		make(ONE_FILE, m);
		expect_refusal(counts, names[i], names[i]);
	}
	make(OWN_TORCH, torch);
	CHECK(counts, convert(&err) == BRISE_OK, "%s", err.message);
	plain = take_model();
	for (i = 0; i < LENGTH(own); i++)
		add_constant(torch, own[i], 32, 0);
	make(OWN_TORCH, torch);
	expect_same(counts, "zero biases in a .pth");
	maker_free(&plain);
	plain = before;
	maker_close(m);
	maker_close(torch);
}

static void test_buffers_are_passed_over(check_counts *counts)
{
	static const char *const names[] = { "model.layers.0.self_attn.rotary_emb.inv_freq",
		                             "model.rotary_emb.inv_freq",
		                             "model.layers.1.self_attn.rotary_emb.cos_cached",
		                             "model.layers.1.self_attn.masked_bias",
		                             "model.layers.0.self_attn.bias",
		                             "model.embeddings.position_ids",
		                             "model.layers.0.self_attn.k_scale" };
	maker_model *m = maker_new(false, "F16");
	size_t i;

	for (i = 0; i < LENGTH(names); i++)
		add_constant(m, names[i], 8, 3);
	make(ONE_FILE, m);
	expect_same(counts, "buffers");
	rename_all(m, "module.model.", "module.");
	make(SHARDS, m);
	expect_same(counts, "buffers after a prefix");
	add_constant(m, "module.v_head.weight", 8, 3);
	make(ONE_FILE, m);
	expect_refusal(counts, "a value head", "v_head.weight is not part of a Mistral model");
	maker_close(m);
}

static void test_dimensions_of_one_are_left_out(check_counts *counts)
{
	static const maker_edit edits[] = {
		MAKER_EDIT("model.safetensors", "[40,32]", "[40,32,1]"),
		MAKER_EDIT("model.safetensors", "[40,32]", "[1,40,32]"),
		MAKER_EDIT("model.safetensors", "[40,32]", "[40,32,1,1,1,1]"),
		MAKER_EDIT("model.safetensors", "[32]", "[32,1]"),
		MAKER_EDIT("model.safetensors", "[32]", "[1,1,32]"),
	};
	maker_model *m = maker_new(false, "F16");
	size_t i;

	for (i = 0; i < LENGTH(edits); i++) {
		(void)maker_clear(folder);
		maker_config(folder, false, NULL);
		maker_safetensors(folder, "model.safetensors", m, 0, m->n, &edits[i]);
		expect_same(counts, edits[i].to);
	}
	maker_close(m);
}

/* ---- shards --------------------------------------------------------------------------------- */

static const char *const shard_names[] = { "model-00001-of-00002.safetensors",
	                                   "model-00002-of-00002.safetensors" };

/* An index by the plain model's names: the first half in the first shard. */
static void write_index(const maker_model *m, size_t n, size_t half)
{
	maker_bytes index = { NULL, 0, 0 };
	char line[200];
	size_t i;

	maker_text(&index, "\xef\xbb\xbf{\"weight_map\": {");
	for (i = 0; i < n; i++) {
		(void)snprintf(line, sizeof line, "%s\"%s\": \"%s\"", i ? ", " : "",
		               m->tensors[i].name, shard_names[i >= half]);
		maker_text(&index, line);
	}
	maker_text(&index, "}, \"metadata\": {\"loss\": NaN}}");
	maker_save(folder, "model.safetensors.index.json", index.data, index.n);
	maker_free(&index);
}

/* Two shards; the second also holds copies of the tensors from `again` on of the first, spoilt. */
static void write_copies(const maker_model *m, size_t half, size_t again)
{
	maker_model *second = maker_new(false, "F16");
	size_t i, n = 0;

	for (i = again; i < m->n; i++, n++) {
		maker_tensor *t = &second->tensors[n];

		maker_free(&t->data);
		*t = m->tensors[i];
		t->data = (maker_bytes){ NULL, 0, 0 };
		maker_put(&t->data, m->tensors[i].data.data, m->tensors[i].data.n);
		if (i < half)
			t->data.data[0] ^= 1;
	}
	maker_safetensors(folder, shard_names[0], m, 0, half, NULL);
	maker_safetensors(folder, shard_names[1], second, 0, n, NULL);
	maker_close(second);
}

static void test_index_decides_which_copy_counts(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");
	size_t n = m->n, again;

	for (again = 0; again < 6; again++) {
		(void)maker_clear(folder);
		maker_config(folder, false, NULL);
		write_copies(m, 6, again);
		write_index(m, n, 6);
		expect_same(counts, "old copies");
	}
	(void)maker_clear(folder);
	maker_config(folder, false, NULL);
	write_copies(m, 6, 5);
	maker_free(&m->tensors[5].data);
	m->tensors[5] = m->tensors[6]; /* the index does not list the one that appears twice */
	write_index(m, n, 6);
	m->tensors[5].data = (maker_bytes){ NULL, 0, 0 };
	expect_refusal(counts, "twice and not listed", shard_names[0]);
	expect_refusal(counts, "twice and not listed", shard_names[1]);
	maker_close(m);
}

static void test_tensors_that_the_index_does_not_list_are_passed_over(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");
	size_t n = m->n;

	add_constant(m, "v_head.summary.weight", 8, 1);
	add_constant(m, "score.weight", 8, 1);
	(void)maker_clear(folder);
	maker_config(folder, false, NULL);
	maker_safetensors(folder, shard_names[0], m, 0, 6, NULL);
	maker_safetensors(folder, shard_names[1], m, 6, m->n - 6, NULL);
	write_index(m, n, 6);
	expect_same(counts, "an old value head");
	write_index(m, m->n, 6);
	expect_refusal(counts, "which is listed", "score.weight is not part of");
	maker_safetensors(folder, shard_names[1], m, 6, n - 6, NULL);
	expect_same(counts, "listed, but in no file");
	maker_safetensors(folder, shard_names[1], m, 6, n - 7, NULL);
	expect_refusal(counts, "a weight in no file", "lm_head.weight should be in");
	maker_close(m);
}

static void test_index_that_does_not_fit_its_shards_is_refused(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");

	(void)maker_clear(folder);
	maker_config(folder, false, NULL);
	maker_safetensors(folder, shard_names[0], m, 0, 6, NULL);
	maker_safetensors(folder, shard_names[1], m, 6, m->n - 6, NULL);
	write_index(m, m->n, 7); /* tensor 6 is in the second */
	expect_refusal(counts, "a shard that lacks a tensor",
	               "should be in model-00001-of-00002.safetensors, which does not hold it");
	write_index(m, m->n, 6);
	(void)snprintf(out, sizeof out, "%s/%s", folder, shard_names[1]);
	(void)unlink(out);
	(void)snprintf(out, sizeof out, "%s/model.brise", base);
	expect_refusal(counts, "a shard that is missing",
	               "not there, but model.safetensors.index.json names it");
	maker_close(m);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	maker_model *m = maker_new(false, "F16");
	brise_error err;

	check_choose(argc, argv);
	small_folder(base, sizeof base);
	(void)snprintf(folder, sizeof folder, "%s/checkpoint", base);
	(void)snprintf(out, sizeof out, "%s/model.brise", base);
	if (mkdir(folder, 0777) != 0)
		return 1;
	make(ONE_FILE, m);
	CHECK(&counts, convert(&err) == BRISE_OK, "%s", err.message);
	plain = take_model();
	RUN(test_one_common_prefix_is_taken_off(&counts));
	RUN(test_prefixes_of_mistrals_own_names_are_taken_off(&counts));
	RUN(test_wrappers_of_single_layers_are_left_out(&counts));
	RUN(test_two_prefixes_are_refused_with_names(&counts));
	RUN(test_zero_biases_add_nothing(&counts));
	RUN(test_buffers_are_passed_over(&counts));
	RUN(test_dimensions_of_one_are_left_out(&counts));
	RUN(test_index_decides_which_copy_counts(&counts));
	RUN(test_tensors_that_the_index_does_not_list_are_passed_over(&counts));
	RUN(test_index_that_does_not_fit_its_shards_is_refused(&counts));
	maker_free(&plain);
	maker_close(m);
	(void)maker_clear(folder);
	(void)rmdir(folder);
	(void)unlink(out);
	(void)rmdir(base);
	return check_report("names", &counts);
}
