/* test_export.c - exported files read back as the model: GGUF and safetensors by readers written
 * for the test, blocks by the format's definition, and folders by converting them again
 */
#include <sys/stat.h>

#include "convert/export.h"
#include "convert/formats/ggml_encode.h"
#include "convert/tokenizer/gguf_tokenizer.h"
#include "convert/tokenizer/sentencepiece.h"
#include "convert/tokenizer/sentencepiece_writer.h"
#include "runtime/model/crc32.h"
#include "test/check.h"
#include "test/checkpoint_maker.h"
#include "test/handmade_model.h"
#include "test/small_model.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char base[512];

static const char *place(const char *name)
{
	static char paths[8][700];
	static unsigned next;
	char *path = paths[next++ % LENGTH(paths)];

	(void)snprintf(path, sizeof paths[0], "%s/%s", base, name);
	return path;
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct content {
	uint8_t *bytes;
	size_t n, at;
	bool over; /* a read went beyond the end */
} content;

static content load(const char *path)
{
	content c = { NULL, 0, 0, false };
	FILE *f = fopen(path, "rb");
	size_t got;

	if (!f)
		return c;
	c.bytes = malloc(1 << 24);
	if (!c.bytes)
		abort();
	while ((got = fread(c.bytes + c.n, 1, (1 << 24) - c.n, f)) > 0)
		c.n += got;
	fclose(f);
	return c;
}

static uint64_t take(content *c, unsigned width)
{
	uint64_t value = 0;
	unsigned i;

	for (i = 0; i < width && c->at < c->n; i++)
		value |= (uint64_t)c->bytes[c->at++] << 8 * i;
	c->over = c->over || i < width;
	return value;
}

static float take_float(content *c)
{
	return half_from_bits((uint32_t)take(c, 4));
}

/* A GGUF string into a buffer. */
static void take_string(content *c, char *text, size_t room)
{
	uint64_t n = take(c, 8);

	if (n >= room || n > c->n - c->at) {
		c->over = true;
		n = 0;
	}
	memcpy(text, c->bytes + c->at, (size_t)n);
	text[n] = 0;
	c->at += (size_t)n;
}

static bool exists(const char *path)
{
	struct stat facts;

	return lstat(path, &facts) == 0;
}

static size_t entries_of_base(void)
{
	DIR *list = opendir(base);
	size_t n = 0;

	while (list && readdir(list))
		n++;
	if (list)
		closedir(list);
	return n;
}

static void clear_folder(const char *path)
{
	(void)maker_clear(path);
	(void)rmdir(path);
}

static brise_model *open_model(const char *path)
{
	brise_model *model;
	brise_error err;

	if (brise_open_model(&model, path, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return model;
}

static brise_status export_file(const char *model_path, const char *out, enum export_format format,
                                enum ggml_type type, export_result *result, brise_error *err)
{
	brise_model *model = open_model(model_path);
	export_options options;
	brise_status status;

	export_init_options(&options);
	options.format = format;
	options.type = type;
	options.threads = 2;
	err->message[0] = 0;
	status = export_model(model, out, &options, result, err);
	brise_close_model(model);
	return status;
}

/* ---- a reader of GGUF ------------------------------------------------------------------------ */

typedef struct gguf_pair {
	char key[80], text[80];
	uint32_t type, element;
	uint64_t n; /* of an array */
	double number;
	size_t at; /* of an array's first element */
} gguf_pair;

typedef struct gguf_info {
	char name[80];
	uint32_t n_dims, type;
	uint64_t ne[2], offset;
} gguf_info;

typedef struct gguf_file {
	content c;
	gguf_pair pairs[40];
	gguf_info infos[MAKER_TENSORS];
	uint64_t n_pairs, n_infos;
	size_t data;
} gguf_file;

static void take_value(content *c, uint32_t type, gguf_pair *p)
{
	static const unsigned widths[] = { 1, 1, 2, 2, 4, 4, 4, 1 };
	uint64_t i;

	if (type == GGUF_STRING) {
		take_string(c, p->text, sizeof p->text);
	} else if (type == GGUF_F32) {
		p->number = (double)take_float(c);
	} else if (type == GGUF_ARRAY) {
		p->element = (uint32_t)take(c, 4);
		p->n = take(c, 8);
		p->at = c->at;
		for (i = 0; i < p->n && !c->over; i++)
			take_value(c, p->element, p);
	} else {
		p->number = (double)take(c, type < LENGTH(widths) ? widths[type] : 8);
	}
}

static bool read_gguf(gguf_file *g, const char *path)
{
	uint64_t i, k;

	memset(g, 0, sizeof *g);
	g->c = load(path);
	if (g->c.n < 24 || memcmp(g->c.bytes, "GGUF\3\0\0\0", 8) != 0)
		return false;
	g->c.at = 8;
	g->n_infos = take(&g->c, 8);
	g->n_pairs = take(&g->c, 8);
	if (g->n_infos > LENGTH(g->infos) || g->n_pairs > LENGTH(g->pairs))
		return false;
	for (i = 0; i < g->n_pairs; i++) {
		take_string(&g->c, g->pairs[i].key, sizeof g->pairs[i].key);
		g->pairs[i].type = (uint32_t)take(&g->c, 4);
		take_value(&g->c, g->pairs[i].type, &g->pairs[i]);
	}
	for (i = 0; i < g->n_infos; i++) {
		gguf_info *t = &g->infos[i];

		take_string(&g->c, t->name, sizeof t->name);
		t->n_dims = (uint32_t)take(&g->c, 4);
		for (k = 0; k < t->n_dims && k < 2; k++)
			t->ne[k] = take(&g->c, 8);
		t->type = (uint32_t)take(&g->c, 4);
		t->offset = take(&g->c, 8);
	}
	g->data = (g->c.at + 31) / 32 * 32;
	return !g->c.over;
}

static gguf_pair *find_pair(gguf_file *g, const char *key)
{
	uint64_t i;

	for (i = 0; i < g->n_pairs; i++)
		if (!strcmp(g->pairs[i].key, key))
			return &g->pairs[i];
	return NULL;
}

static bool has_number(gguf_file *g, const char *key, uint32_t type, double number)
{
	const gguf_pair *p = find_pair(g, key);

	return p && p->type == type && p->number >= number && p->number <= number;
}

static bool has_text(gguf_file *g, const char *key, const char *text)
{
	const gguf_pair *p = find_pair(g, key);

	return p && p->type == GGUF_STRING && !strcmp(p->text, text);
}

static const gguf_info *find_info(const gguf_file *g, const char *name)
{
	uint64_t i;

	for (i = 0; i < g->n_infos; i++)
		if (!strcmp(g->infos[i].name, name))
			return &g->infos[i];
	return NULL;
}

/* "layers.3.x" of "layers.%d.x" for a layer below 10. */
static void fill_layer(char *name, const char *form, unsigned layer)
{
	const char *mark = strchr(form, '%');

	strcpy(name, form);
	if (mark) {
		name[mark - form] = (char)('0' + layer);
		strcpy(name + (mark - form) + 1, mark + 2);
	}
}

/* ---- F16: the checkpoint's own bytes --------------------------------------------------------- */

/* A checkpoint of Hugging Face's form, converted to f16 without a tokenizer. */
static void convert_maker(const char *out)
{
	maker_model *m = maker_new(false, "F16");
	convert_options options;
	brise_error err;

	if (mkdir(place("checkpoint"), 0777) != 0)
		exit(1);
	maker_config(place("checkpoint"), false, NULL);
	maker_safetensors(place("checkpoint"), "model.safetensors", m, 0, m->n, NULL);
	convert_init_options(&options);
	options.type = TYPE_F16;
	options.no_tokenizer = true;
	if (convert_checkpoint(place("checkpoint"), out, &options, NULL, &err) != BRISE_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	clear_folder(place("checkpoint"));
	maker_close(m);
}

static void check_gguf_tensor(check_counts *counts, gguf_file *g, const char *name,
                              const maker_tensor *t)
{
	const gguf_info *info = find_info(g, name);
	uint32_t col;
	size_t at;

	CHECK(counts,
	      info && info->n_dims == t->n_dims && info->ne[0] == t->shape[t->n_dims - 1] &&
	              (t->n_dims == 1 || info->ne[1] == t->shape[0]),
	      "%s", name);
	if (!info)
		return;
	at = g->data + (size_t)info->offset;
	CHECK(counts, at % 32 == 0 && info->type == (t->n_dims == 1 ? 0u : 1u),
	      "%s: offset or type", name);
	if (t->n_dims == 2) {
		CHECK(counts, memcmp(g->c.bytes + at, t->data.data, t->data.n) == 0,
		      "%s: not the checkpoint's weights", name);
		return;
	}
	g->c.at = at;
	for (col = 0; col < t->shape[0]; col++)
		if (half_encode(take_float(&g->c)) !=
		    (t->data.data[2 * col] | t->data.data[2 * col + 1] << 8))
			break;
	CHECK(counts, col == t->shape[0],
	      "%s: not the checkpoint's norm from column %" PRIu32 " on", name, col);
}

/* Catches: rows of q and k in the wrong order, swapped names, offsets that overlap, a transposed
 * shape. */
static void test_gguf_holds_the_interleaved_checkpoint(check_counts *counts)
{
	static const struct {
		const char *own, *theirs;
	} names[] = {
		{ "tok_embeddings.weight", "token_embd.weight" },
		{ "norm.weight", "output_norm.weight" },
		{ "output.weight", "output.weight" },
		{ "layers.%d.attention_norm.weight", "blk.%d.attn_norm.weight" },
		{ "layers.%d.attention.wq.weight", "blk.%d.attn_q.weight" },
		{ "layers.%d.attention.wk.weight", "blk.%d.attn_k.weight" },
		{ "layers.%d.attention.wv.weight", "blk.%d.attn_v.weight" },
		{ "layers.%d.attention.wo.weight", "blk.%d.attn_output.weight" },
		{ "layers.%d.ffn_norm.weight", "blk.%d.ffn_norm.weight" },
		{ "layers.%d.feed_forward.w1.weight", "blk.%d.ffn_gate.weight" },
		{ "layers.%d.feed_forward.w3.weight", "blk.%d.ffn_up.weight" },
		{ "layers.%d.feed_forward.w2.weight", "blk.%d.ffn_down.weight" },
	};
	maker_model *m = maker_new(true, "F16"); /* Mistral's own form interleaves, as GGUF does */
	gguf_file g;
	brise_error err;
	size_t i, k, found = 0;

	CHECK(counts,
	      export_file(place("m.brise"), place("m.gguf"), EXPORT_GGUF, GGML_F16, NULL, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	CHECK(counts, read_gguf(&g, place("m.gguf")), "the test's reader does not read it");
	CHECK(counts,
	      g.n_infos == MAKER_TENSORS &&
	              g.data + g.infos[g.n_infos - 1].offset + MAKER_VOCAB * MAKER_DIM * 2 == g.c.n,
	      "%zu bytes", g.c.n);
	for (k = 0; k < LENGTH(names) * MAKER_LAYERS; k++) {
		unsigned layer = (unsigned)(k / LENGTH(names));
		char own[80], theirs[80];

		if (layer > 0 && !strchr(names[k % LENGTH(names)].own, '%'))
			continue;
		fill_layer(own, names[k % LENGTH(names)].own, layer);
		fill_layer(theirs, names[k % LENGTH(names)].theirs, layer);
		for (i = 0; i < m->n; i++)
			if (!strcmp(m->tensors[i].name, own)) {
				check_gguf_tensor(counts, &g, theirs, &m->tensors[i]);
				found++;
			}
	}
	CHECK(counts, found == MAKER_TENSORS, "%zu tensors have a name", found);
	free(g.c.bytes);
	maker_close(m);
}

/* Catches: a key that the reader of GGUF needs and the writer does not write. */
static void test_gguf_converts_back(check_counts *counts)
{
	brise_model *before, *after;
	convert_options options;
	brise_error err;
	size_t i, different = 0;

	convert_init_options(&options);
	options.type = TYPE_F16;
	options.no_tokenizer = true;
	CHECK(counts,
	      convert_checkpoint(place("m.gguf"), place("back.brise"), &options, NULL, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	before = open_model(place("m.brise"));
	after = open_model(place("back.brise"));
	CHECK(counts, memcmp(&before->config, &after->config, sizeof before->config) == 0,
	      "the configuration differs");
	for (i = 0; i < before->n_tensors && i < after->n_tensors; i++)
		different += before->tensors[i].crc != after->tensors[i].crc;
	CHECK(counts, before->n_tensors == after->n_tensors && different == 0, "%zu tensors differ",
	      different);
	brise_close_model(before);
	brise_close_model(after);
}

/* Catches: a key that llama.cpp looks for under another name or type; lengths left out where heads
 * do not fill the width. */
static void test_gguf_states_the_configuration(check_counts *counts)
{
	gguf_file g;
	brise_error err;

	CHECK(counts, read_gguf(&g, place("m.gguf")), "the test's reader does not read it");
	CHECK(counts,
	      has_text(&g, "general.architecture", "llama") &&
	              has_number(&g, "general.file_type", GGUF_U32, 1),
	      "general");
	CHECK(counts,
	      has_number(&g, "llama.vocab_size", GGUF_U32, 40) &&
	              has_number(&g, "llama.context_length", GGUF_U32, 32768),
	      "sizes");
	CHECK(counts,
	      has_number(&g, "llama.embedding_length", GGUF_U32, 32) &&
	              has_number(&g, "llama.block_count", GGUF_U32, 2),
	      "sizes");
	CHECK(counts,
	      has_number(&g, "llama.feed_forward_length", GGUF_U32, 48) &&
	              has_number(&g, "llama.attention.head_count", GGUF_U32, 2),
	      "sizes");
	CHECK(counts,
	      has_number(&g, "llama.attention.head_count_kv", GGUF_U32, 1) &&
	              has_number(&g, "llama.rope.dimension_count", GGUF_U32, 16),
	      "heads");
	CHECK(counts,
	      has_number(&g, "llama.attention.layer_norm_rms_epsilon", GGUF_F32, (double)1e-5f),
	      "eps");
	CHECK(counts,
	      has_number(&g, "llama.rope.freq_base", GGUF_F32, 10000) &&
	              has_number(&g, "llama.attention.sliding_window", GGUF_U32, 7),
	      "theta, window");
	CHECK(counts, !find_pair(&g, "llama.attention.key_length"),
	      "two heads of 16 fill the width of 32");
	CHECK(counts,
	      has_text(&g, "tokenizer.ggml.model", "none") &&
	              !find_pair(&g, "tokenizer.ggml.tokens"),
	      "no tokenizer");
	free(g.c.bytes);
	small_write(&small_odd, TYPE_Q8, place("odd.brise"));
	CHECK(counts,
	      export_file(place("odd.brise"), place("odd.gguf"), EXPORT_GGUF, GGML_F16, NULL,
	                  &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, read_gguf(&g, place("odd.gguf")), "the test's reader does not read it");
	CHECK(counts,
	      has_number(&g, "llama.attention.key_length", GGUF_U32, 20) &&
	              has_number(&g, "llama.attention.value_length", GGUF_U32, 20),
	      "6 heads of 20, width 72");
	free(g.c.bytes);
}

/* Catches: a tensor under another's name, or a type that is not the checkpoint's; a configuration
 * that reads back differently. */
static void test_safetensors_hold_the_checkpoint(check_counts *counts)
{
	maker_model *m = maker_new(false, "F16");
	content before, after;
	convert_options options;
	brise_error err;
	size_t i, start;

	CHECK(counts,
	      export_file(place("m.brise"), place("folder"), EXPORT_SAFETENSORS, GGML_F16, NULL,
	                  &err) == BRISE_OK,
	      "%s", err.message);
	after = load(place("folder/model.safetensors"));
	start = 8 + (size_t)take(&after, 8);
	CHECK(counts, after.n > start && start % 8 == 0, "%zu bytes, header %zu", after.n, start);
	for (i = 0; i < m->n && after.n > start; i++) {
		const maker_tensor *t = &m->tensors[i];
		char entry[200], shape[40], *at;
		unsigned long begin = 0, end = 0;

		(void)snprintf(shape, sizeof shape,
		               t->n_dims == 2 ? "%" PRIu32 ",%" PRIu32 : "%" PRIu32, t->shape[0],
		               t->shape[1]);
		(void)snprintf(entry, sizeof entry,
		               "\"%s\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":[",
		               t->name, shape);
		/* ends the search below */
		after.bytes[start - 1] = after.bytes[start - 1] == ' ' ? 0 : after.bytes[start - 1];
		at = strstr((char *)after.bytes + 8, entry);
		CHECK(counts, at && sscanf(at + strlen(entry), "%lu,%lu", &begin, &end) == 2,
		      "no %s", entry);
		CHECK(counts,
		      end - begin == t->data.n && start + end <= after.n &&
		              memcmp(after.bytes + start + begin, t->data.data, t->data.n) == 0,
		      "%s differs", t->name);
	}
	free(after.bytes);
	CHECK(counts, !exists(place("folder/tokenizer.model")), "there is no tokenizer");
	convert_init_options(&options);
	options.type = TYPE_F16;
	options.no_tokenizer = true;
	CHECK(counts,
	      convert_checkpoint(place("folder"), place("again.brise"), &options, NULL, &err) ==
	              BRISE_OK,
	      "%s", err.message);
	before = load(place("m.brise"));
	after = load(place("again.brise"));
	CHECK(counts, before.n == after.n && memcmp(before.bytes, after.bytes, before.n) == 0,
	      "converted again, the file differs");
	free(before.bytes);
	free(after.bytes);
	clear_folder(place("folder"));
	maker_close(m);
}

/* Catches: a rounding other than binary16's, a weight decoded differently. */
static void check_exported_floats(check_counts *counts, uint32_t type, double least, double most)
{
	gguf_file g;
	brise_model *model;
	export_result result;
	brise_error err;
	double error = 0, norm = 0;
	float row[128];
	uint32_t i, col, bad = 0;

	small_write(&small_open, type, place("some.brise"));
	CHECK(counts,
	      export_file(place("some.brise"), place("some.gguf"), EXPORT_GGUF, GGML_F16, &result,
	                  &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, read_gguf(&g, place("some.gguf")), "the test's reader does not read it");
	model = open_model(place("some.brise"));
	for (i = 0; i < brise_get_tensor_count(model); i++) {
		brise_tensor_facts facts;
		uint32_t r, n;

		brise_get_tensor_facts(model, i, &facts, sizeof facts, NULL);
		if (!strcmp(facts.type, "f32") || !strcmp(facts.name + 9, "wq") ||
		    !strcmp(facts.name + 9, "wk"))
			continue; /* permuted rows are checked above */
		g.c.at = g.data +
		         (size_t)g.infos[i]
		                 .offset; /* both files have the order of the forward pass */
		for (r = 0, n = 0; r < facts.rows; r++) {
			brise_read_row(model, i, r, row, NULL);
			for (col = 0; col < facts.cols; col++, n++) {
				uint16_t half = (uint16_t)take(&g.c, 2);
				double rest = (double)row[col] - (double)half_decode(half);

				bad += half != half_encode(row[col]);
				error += rest * rest;
				norm += (double)row[col] * (double)row[col];
			}
		}
	}
	CHECK(counts, bad == 0, "%s: %" PRIu32 " weights differ", type_name(type), bad);
	CHECK(counts,
	      result.relative_error > 0 && fabs(result.relative_error / (error / norm) - 1) < 0.2,
	      "%g told, %g found", result.relative_error, error / norm);
	CHECK(counts, result.source_error > least && result.source_error < most,
	      "the model's own error: %g", result.source_error);
	brise_close_model(model);
	free(g.c.bytes);
}

static void test_quantized_files_export_their_decoded_floats(check_counts *counts)
{
	check_exported_floats(counts, TYPE_Q3, 0.012, 0.032);
	check_exported_floats(counts, TYPE_Q4, 0.003, 0.008);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* By the definition of ggml-common.h: f16 d, then int8 q[32]: d * q; or nibbles, low ones first: d
 * * (q - 8). */
static void decode_block(const uint8_t *block, enum ggml_type type, float out[32], float *scale)
{
	unsigned i;

	*scale = half_decode((uint16_t)(block[0] | block[1] << 8));
	for (i = 0; i < 32; i++)
		out[i] = *scale *
		         (type == GGML_Q8_0
		                  ? (float)(int8_t)block[2 + i]
		                  : (float)((i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4) -
		                            8));
}

/* Squared error of the format's plain rule: the largest by magnitude becomes -8. */
static double plain_q4_error(const float w[32])
{
	float largest = 0, scale;
	double error = 0;
	unsigned i;

	for (i = 0; i < 32; i++)
		largest = fabsf(w[i]) > fabsf(largest) ? w[i] : largest;
	scale = half_decode(half_encode(largest / -8));
	for (i = 0; i < 32; i++) {
		float code = scale < 0 || scale > 0 ? floorf(w[i] / scale + 8.5f) : 8;
		double rest = (double)w[i] - (double)(scale * ((code > 15 ? 15 : code) - 8));

		error += rest * rest;
	}
	return error;
}

static void check_blocks(check_counts *counts, const char *path, enum ggml_type type,
                         const export_result *result)
{
	unsigned block_bytes = type == GGML_Q8_0 ? 34 : 18;
	brise_model *model = open_model(place("f16.brise"));
	double error = 0, norm = 0, plain = 0;
	gguf_file g;
	uint32_t i, r, b, k, far = 0, worse = 0;
	float row[128], block[32], scale;

	CHECK(counts, read_gguf(&g, path), "the test's reader does not read %s", path);
	CHECK(counts,
	      has_number(&g, "general.quantization_version", GGUF_U32, 2) &&
	              has_number(&g, "general.file_type", GGUF_U32, type == GGML_Q8_0 ? 7 : 2),
	      "general");
	for (i = 0; i < brise_get_tensor_count(model); i++) {
		brise_tensor_facts facts;
		const uint8_t *at = g.c.bytes + g.data + g.infos[i].offset;
		bool turned;

		brise_get_tensor_facts(model, i, &facts, sizeof facts, NULL);
		turned = !strcmp(facts.name, "layers.0.wq") || !strcmp(facts.name, "layers.0.wk");
		CHECK(counts, g.infos[i].type == (strcmp(facts.type, "f32") ? (uint32_t)type : 0u),
		      "%s has type %" PRIu32, facts.name, g.infos[i].type);
		for (r = 0; r < facts.rows && strcmp(facts.type, "f32") != 0; r++) {
			/* A head of 32: rows 0, 16, 1, 17 and so on. */
			brise_read_row(model, i,
			               turned ? r / 32 * 32 + r % 32 / 2 + (r % 2) * 16 : r, row,
			               NULL);
			for (b = 0; b < facts.cols / 32; b++, at += block_bytes) {
				double block_error = 0, reference = plain_q4_error(row + b * 32);

				decode_block(at, type, block, &scale);
				for (k = 0; k < 32; k++) {
					double rest = (double)row[b * 32 + k] - (double)block[k];

					far += type == GGML_Q8_0 &&
					       fabs(rest) >
					               0.5001 * (double)scale +
					                       0.001 * (double)fabsf(
					                                       row[b * 32 + k]);
					block_error += rest * rest;
					norm += (double)row[b * 32 + k] * (double)row[b * 32 + k];
				}
				worse += type == GGML_Q4_0 && block_error > reference * 1.001;
				error += block_error;
				plain += reference;
			}
		}
	}
	CHECK(counts, far == 0, "%" PRIu32 " weights are farther than half a step from their code",
	      far);
	CHECK(counts, worse == 0, "%" PRIu32 " blocks lose more than by the plain rule", worse);
	if (type == GGML_Q8_0)
		CHECK(counts, error / norm < 4e-5, "relative squared error %g", error / norm);
	else
		CHECK(counts, error / norm < 0.0067 && error < 0.91 * plain,
		      "relative squared error %g, plain %g", error / norm, plain / norm);
	CHECK(counts, fabs(result->relative_error / (error / norm) - 1) < 1e-4, "%g told, %g found",
	      result->relative_error, error / norm);
	CHECK(counts, *result->worst_name && result->worst_error >= result->relative_error,
	      "worst %g in %s", result->worst_error, result->worst_name);
	brise_close_model(model);
	free(g.c.bytes);
}

static void test_blocks_hold_the_weights(check_counts *counts)
{
	static const enum ggml_type types[] = { GGML_Q8_0, GGML_Q4_0 };
	export_result result;
	brise_error err;
	size_t i;

	small_write(&small_open, TYPE_F16, place("f16.brise"));
	for (i = 0; i < LENGTH(types); i++) {
		CHECK(counts,
		      export_file(place("f16.brise"), place("blocks.gguf"), EXPORT_GGUF, types[i],
		                  &result, &err) == BRISE_OK,
		      "%s", err.message);
		check_blocks(counts, place("blocks.gguf"), types[i], &result);
	}
}

/* Catches: a scale that vanishes in binary16 and leaves codes behind, one that overflows unnoticed,
 * a wrong error figure. */
static void test_extreme_blocks(check_counts *counts)
{
	static const enum ggml_type types[] = { GGML_Q8_0, GGML_Q4_0 };
	static const float sizes[] = { 0,    1e-42f, 1e-20f, 1e-8f, 2e-7f, 3e-6f, 1,
		                       1e4f, 5e5f,   6e5f,   8e6f,  9e6f,  1e30f };
	uint64_t seed = 3;
	size_t i, k, n;

	for (i = 0; i < LENGTH(sizes) * LENGTH(types); i++) {
		enum ggml_type type = types[i % LENGTH(types)];
		float size = sizes[i / LENGTH(types)], w[32], back[32], scale;
		uint8_t block[GGML_Q8_0_BYTES];
		bool fits, expected = size / (type == GGML_Q8_0 ? 127 : 8) < 65520;
		tile_error sum = { 0, 0 };
		double error = 0;

		for (k = 0; k < 32; k++)
			w[k] = size * random_float(&seed);
		w[i % 32] = size; /* the largest */
		CHECK(counts,
		      ggml_encoded_bytes(type, 32, &n) && n == (type == GGML_Q8_0 ? 34 : 18),
		      "%zu bytes", n);
		fits = ggml_encode_row(type, block, w, 32, &sum);
		CHECK(counts, fits == expected, "%g in %s: %d", (double)size,
		      ggml_encoded_name(type), fits);
		if (!fits)
			continue;
		decode_block(block, type, back, &scale);
		for (k = 0; k < 32; k++)
			error +=
			        ((double)w[k] - (double)back[k]) * ((double)w[k] - (double)back[k]);
		CHECK(counts, isfinite(scale) && fabs(sum.error - error) <= 1e-5 * error + 1e-40,
		      "%g in %s: %g told, %g found", (double)size, ggml_encoded_name(type),
		      sum.error, error);
		CHECK(counts, error <= sum.norm * 1.00001 + 1e-40, "%g in %s: worse than zeros",
		      (double)size, ggml_encoded_name(type));
	}
	CHECK(counts,
	      !ggml_encoded_bytes(GGML_Q4_0, 33, &n) && !ggml_encoded_bytes(GGML_Q4_K, 256, &n),
	      "a type or length that is not written");
}

/* ---- tokenizers ------------------------------------------------------------------------------ */

static void check_tokenizer(check_counts *counts, const char *what, const void *section,
                            size_t bytes)
{
	brise_tokenizer *tokenizer;
	buffer written = { NULL, 0, 0, false };
	brise_error err;
	void *again = NULL;
	size_t n = 0;

	if (brise_open_tokenizer(&tokenizer, section, bytes, what, &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		return;
	}
	sentencepiece_make_model(tokenizer, &written);
	CHECK(counts,
	      !written.failed && sentencepiece_read_memory(written.data, written.n, what, &again,
	                                                   &n, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, again && n == bytes && memcmp(again, section, bytes) == 0,
	      "%s: read again, it differs", what);
	free(again);
	buffer_free(&written);
	brise_close_tokenizer(tokenizer);
}

/* Catches: a score, type, special piece or rule that does not come back. */
static void test_tokenizer_comes_back(check_counts *counts)
{
	static const char *const models[] = { "v1.model", "v2.model", "v3.model" };
	const char *gold = getenv("BRISE_GOLD");
	unsigned form, i;
	brise_error err;
	void *section;
	size_t bytes;
	char path[600];

	CHECK(counts,
	      sentencepiece_read_model("test/models/breeze/tokenizer.model", &section, &bytes,
	                               &err) == BRISE_OK,
	      "%s", err.message);
	check_tokenizer(counts, "breeze", section, bytes);
	free(section);
	for (form = 0; form < 8;
	     form++) { /* with or without byte fallback, dummy prefix, begin and end */
		handmade m = { .n = 0 };

		handmade_piece(&m, "<unk>", 0, 2);
		if (form & 4) {
			handmade_piece(&m, "<s>", 0, 3);
			handmade_piece(&m, "</s>", 0, 3);
		}
		if (form & 1)
			handmade_byte_pieces(&m);
		handmade_piece(&m, "[user]", -3.25f, 4);
		handmade_piece(&m, "unused", -1, 5);
		handmade_piece(&m, "\xe2\x96\x81", -0.5f, 1);
		handmade_piece(&m, "a", -2, 1);
		handmade_rules(&m, form & 1, form >> 1 & 1);
		CHECK(counts,
		      sentencepiece_read_memory(m.bytes, m.n, "handmade", &section, &bytes, &err) ==
		              BRISE_OK,
		      "%s", err.message);
		check_tokenizer(counts, "handmade", section, bytes);
		free(section);
	}
	for (i = 0; i < LENGTH(models); i++) {
		(void)snprintf(path, sizeof path, "%s/tokenizer/%s", gold ? gold : "", models[i]);
		if (!gold || sentencepiece_read_model(path, &section, &bytes, &err) != BRISE_OK) {
			check_skip(counts, "Mistral's published tokenizers come back",
			           "no ../shared/gold");
			break;
		}
		check_tokenizer(counts, models[i], section, bytes);
		free(section);
	}
}

/* A model of 83 tokens with breeze's rules: pieces for 7, padding for the rest. */
static void test_gguf_holds_the_tokenizer(check_counts *counts)
{
	handmade m = { .n = 0 };
	brise_model *model = open_model(place("odd.brise"));
	export_options options;
	brise_tokenizer *tokenizer;
	gguf_file g;
	gguf_pair *p;
	void *section;
	size_t bytes, i;
	brise_error err;
	char text[80];

	handmade_piece(&m, "<unk>", 0, 2);
	handmade_piece(&m, "<s>", 0, 3);
	handmade_piece(&m, "</s>", 0, 3);
	handmade_piece(&m, "[user]", -3.25f, 4);
	handmade_piece(&m, "unused", -1, 5);
	handmade_piece(&m, "\xe2\x96\x81", -0.5f, 1);
	handmade_piece(&m, "a", -2, 1);
	handmade_rules(&m, 0, 0);
	if (sentencepiece_read_memory(m.bytes, m.n, "handmade", &section, &bytes, &err) !=
	            BRISE_OK ||
	    brise_open_tokenizer(&tokenizer, section, bytes, "handmade", &err) != BRISE_OK) {
		CHECK(counts, false, "%s", err.message);
		exit(1);
	}
	export_init_options(&options);
	options.tokenizer = tokenizer;
	options.name = "a title";
	CHECK(counts, export_model(model, place("odd.gguf"), &options, NULL, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, read_gguf(&g, place("odd.gguf")), "the test's reader does not read it");
	CHECK(counts,
	      has_text(&g, "general.name", "a title") &&
	              has_text(&g, "tokenizer.ggml.model", "llama"),
	      "texts");
	CHECK(counts,
	      has_number(&g, "tokenizer.ggml.bos_token_id", GGUF_U32, 1) &&
	              has_number(&g, "tokenizer.ggml.eos_token_id", GGUF_U32, 2),
	      "ids");
	CHECK(counts,
	      has_number(&g, "tokenizer.ggml.unknown_token_id", GGUF_U32, 0) &&
	              has_number(&g, "tokenizer.ggml.add_bos_token", GGUF_BOOL, 1),
	      "ids");
	CHECK(counts, has_number(&g, "tokenizer.ggml.add_space_prefix", GGUF_BOOL, 0),
	      "no dummy prefix");
	p = find_pair(&g, "tokenizer.ggml.tokens");
	CHECK(counts, p && p->element == GGUF_STRING && p->n == 83, "83 pieces");
	for (i = 0, g.c.at = p->at; i < 8; i++) {
		static const char *const expected[] = {
			"<unk>", "<s>", "</s>", "[user]", "unused", "\xe2\x96\x81", "a", "[PAD7]"
		};

		take_string(&g.c, text, sizeof text);
		CHECK(counts, !strcmp(text, expected[i]), "piece %zu is %s", i, text);
	}
	p = find_pair(&g, "tokenizer.ggml.scores");
	g.c.at = p->at + 3 * 4;
	CHECK(counts,
	      p->element == GGUF_F32 && p->n == 83 &&
	              half_to_bits(take_float(&g.c)) == half_to_bits(-3.25f),
	      "scores");
	p = find_pair(&g, "tokenizer.ggml.token_type");
	g.c.at = p->at;
	CHECK(counts, p->element == GGUF_I32 && p->n == 83, "types");
	for (i = 0; i < 8; i++)
		CHECK(counts, take(&g.c, 4) == (uint64_t) "\2\3\3\4\5\1\1\5"[i],
		      "type of piece %zu", i);
	free(g.c.bytes);
	brise_close_tokenizer(tokenizer);
	free(section);
	brise_close_model(model);
}

/* Catches: metadata that the converter's own GGUF reader does not need, such as a missing rule. */
static void test_gguf_tokenizer_reads_back(check_counts *counts)
{
	format_config config = small_open;
	convert_source source = { .read = small_read, .self = &config };
	convert_options options;
	tensor_list list = { NULL, 0, 0 };
	gguf_header header;
	void *section = NULL, *again = NULL;
	size_t bytes, n = 0;
	content c;
	brise_error err;

	config.vocab = 4096;
	source.config = config;
	convert_init_options(&options);
	options.effort = EFFORT_FAST;
	if (sentencepiece_read_model("test/models/breeze/tokenizer.model", &section, &bytes,
	                             &err) != BRISE_OK)
		exit(1);
	source.tokenizer = section;
	source.tokenizer_bytes = bytes;
	CHECK(counts,
	      convert_write(&source, place("pieces.brise"), &options, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts,
	      export_file(place("pieces.brise"), place("pieces.gguf"), EXPORT_GGUF, GGML_Q8_0, NULL,
	                  &err) == BRISE_OK,
	      "%s", err.message);
	c = load(place("pieces.gguf"));
	CHECK(counts,
	      gguf_read_memory(&header, c.bytes, c.n, "pieces.gguf", 0, &list, &err) == BRISE_OK,
	      "%s", err.message);
	CHECK(counts, list.n == 12, "%zu tensors", list.n);
	CHECK(counts,
	      gguf_read_tokenizer(&header, "pieces.gguf", NULL, &again, &n, &err) == BRISE_OK, "%s",
	      err.message);
	CHECK(counts, again && n == bytes && memcmp(again, section, n) == 0, "the section differs");
	gguf_free(&header);
	tensors_free(&list);
	free(c.bytes);
	free(section);
	free(again);
}

/* ---- all or nothing -------------------------------------------------------------------------- */

/* Catches: sums or bytes that depend on which thread took a slice. */
static void test_threads_change_nothing(check_counts *counts)
{
	brise_model *model = open_model(place("some.brise"));
	export_options options;
	export_result one, three;
	content a, b;
	brise_error err;

	export_init_options(&options);
	options.type = GGML_Q4_0;
	options.threads = 1;
	CHECK(counts, export_model(model, place("one.gguf"), &options, &one, &err) == BRISE_OK,
	      "%s", err.message);
	options.threads = 3;
	CHECK(counts, export_model(model, place("three.gguf"), &options, &three, &err) == BRISE_OK,
	      "%s", err.message);
	a = load(place("one.gguf"));
	b = load(place("three.gguf"));
	CHECK(counts, a.n == b.n && memcmp(a.bytes, b.bytes, a.n) == 0, "files differ");
	CHECK(counts,
	      memcmp(&one.relative_error, &three.relative_error, sizeof one.relative_error) == 0,
	      "errors differ");
	free(a.bytes);
	free(b.bytes);
	brise_close_model(model);
}

static void expect_refusal(check_counts *counts, const char *what, const char *in, const char *out,
                           enum export_format format, enum ggml_type type, brise_status expected,
                           const char *text)
{
	size_t before = entries_of_base();
	brise_error err;
	brise_status status = export_file(in, out, format, type, NULL, &err);

	CHECK(counts, status == expected && strstr(err.message, text),
	      "%s: status %d, '%s' instead of '%s'", what, status,
	      status == BRISE_OK ? "" : err.message, text);
	CHECK(counts, entries_of_base() == before, "%s: something was left behind", what);
}

/* Weights of 1e6: within q8's range, beyond binary16's. */
static brise_status read_large(void *self, uint32_t kind, uint32_t layer, uint32_t first,
                               uint32_t n, float *rows, void *raw, brise_error *err)
{
	brise_status status = small_read(self, kind, layer, first, n, rows, raw, err);

	if (kind == TENSOR_W2 && first == 0)
		rows[0] = 1e6f;
	return status;
}

/* Turns the row scale of layers.0.wv, row 5, into an infinity, and makes every checksum fit. */
static void spoil_scale(const char *path)
{
	content c = load(path);
	format_header *h = (format_header *)(void *)c.bytes;
	format_section *sections = (format_section *)(void *)(c.bytes + sizeof *h), *s = sections;
	const float infinite = INFINITY;
	format_tensor *t;
	FILE *f;

	while (s->kind != SECTION_TENSORS)
		s++;
	for (t = (format_tensor *)(void *)(c.bytes + s->offset); t->kind != TENSOR_WV;)
		t++;
	memcpy(c.bytes + t->offset + 5 * sizeof(float), &infinite, sizeof infinite);
	t->crc = crc32_update(0, c.bytes + t->offset, (size_t)t->bytes);
	s->crc = crc32_update(0, c.bytes + s->offset, (size_t)s->bytes);
	h->sections_crc = crc32_update(0, sections, h->n_sections * sizeof *sections);
	h->header_crc = crc32_update(0, h, sizeof *h - sizeof h->header_crc);
	f = fopen(path, "wb");
	if (!f || fwrite(c.bytes, 1, c.n, f) != c.n || fclose(f) != 0)
		exit(1);
	free(c.bytes);
}

static void test_refusals_name_what_is_wrong(check_counts *counts)
{
	convert_source source = { .config = small_open,
		                  .read = read_large,
		                  .self = (void *)(uintptr_t)&small_open };
	convert_options options;
	brise_error err;
	FILE *f;

	expect_refusal(counts, "72 columns", place("odd.brise"), place("x.gguf"), EXPORT_GGUF,
	               GGML_Q4_0, BRISE_EUNSUPPORTED,
	               "tensor embedding: 72 columns are no multiple of 32, which Q4_0 needs; "
	               "export it as f16");
	expect_refusal(counts, "blocks in safetensors", place("f16.brise"), place("x"),
	               EXPORT_SAFETENSORS, GGML_Q8_0, BRISE_EINVAL,
	               "cannot be written as type Q8_0");
	expect_refusal(counts, "a file where a folder goes", place("f16.brise"), place("f16.brise"),
	               EXPORT_SAFETENSORS, GGML_F16, BRISE_EIO,
	               "expected a folder to make, found a file");
	expect_refusal(counts, "a full folder", place("f16.brise"), base, EXPORT_SAFETENSORS,
	               GGML_F16, BRISE_EIO, "is not empty");
	expect_refusal(counts, "a folder where a file goes", place("f16.brise"), base, EXPORT_GGUF,
	               GGML_F16, BRISE_EIO, "found a folder");
	expect_refusal(counts, "a missing folder", place("f16.brise"), place("missing/x"),
	               EXPORT_SAFETENSORS, GGML_F16, BRISE_EIO, "missing/x: ");

	convert_init_options(&options);
	options.type = TYPE_Q8;
	CHECK(counts,
	      convert_write(&source, place("large.brise"), &options, NULL, &err) == BRISE_OK, "%s",
	      err.message);
	expect_refusal(counts, "a weight of 1e6", place("large.brise"), place("x"),
	               EXPORT_SAFETENSORS, GGML_F16, BRISE_EUNSUPPORTED,
	               "tensor layers.0.w2: a weight in row 0 is too large for F16");
	CHECK(counts,
	      export_file(place("large.brise"), place("x.gguf"), EXPORT_GGUF, GGML_Q8_0, NULL,
	                  &err) == BRISE_OK,
	      "%s", err.message);
	(void)unlink(place("x.gguf"));

	small_write(&small_open, TYPE_Q8, place("spoilt.brise"));
	f = fopen(place("spoilt.brise"), "r+b");
	if (!f || fseek(f, -4000, SEEK_END) != 0 || fputc(0x55, f) == EOF || fclose(f) != 0)
		exit(1);
	expect_refusal(counts, "a damaged weight", place("spoilt.brise"), place("x.gguf"),
	               EXPORT_GGUF, GGML_F16, BRISE_EFORMAT, "output, bytes");
	expect_refusal(counts, "a damaged weight", place("spoilt.brise"), place("x"),
	               EXPORT_SAFETENSORS, GGML_F16, BRISE_EFORMAT, "output, bytes");
	small_write(&small_open, TYPE_Q8, place("spoilt.brise"));
	spoil_scale(place("spoilt.brise"));
	expect_refusal(counts, "an infinite scale", place("spoilt.brise"), place("x.gguf"),
	               EXPORT_GGUF, GGML_Q4_0, BRISE_EFORMAT,
	               "tensor layers.0.wv: a weight in row 5 is infinite or not a number");
	expect_refusal(counts, "an infinite scale", place("spoilt.brise"), place("x"),
	               EXPORT_SAFETENSORS, GGML_F16, BRISE_EFORMAT, "layers.0.wv");
}

/* Catches: options that are not checked; a tokenizer whose pieces outnumber the embedding's
 * rows. */
static void test_a_large_tokenizer_is_refused(check_counts *counts)
{
	brise_model *model = open_model(place("f16.brise"));
	export_options options;
	brise_tokenizer *tokenizer = NULL;
	brise_error err;
	void *section;
	size_t bytes;

	if (sentencepiece_read_model("test/models/breeze/tokenizer.model", &section, &bytes,
	                             &err) != BRISE_OK ||
	    brise_open_tokenizer(&tokenizer, section, bytes, "breeze", &err) != BRISE_OK)
		exit(1);
	export_init_options(&options);
	options.tokenizer = tokenizer;
	CHECK(counts,
	      export_model(model, place("x.gguf"), &options, NULL, &err) == BRISE_EINVAL &&
	              strstr(err.message, "4096 pieces for a model of 64"),
	      "%s", err.message);
	CHECK(counts, !exists(place("x.gguf")), "a file was written");
	brise_close_tokenizer(tokenizer);
	free(section);
	brise_close_model(model);
}

/* How often it returns false before it returns true. */
static bool cancel_later(void *user)
{
	return (*(unsigned *)user)-- == 0;
}

/* Catches: a cancellation that is ignored or leaves a part file, at any moment. */
static void test_cancellation_leaves_nothing(check_counts *counts)
{
	brise_model *model = open_model(place("f16.brise"));
	size_t before = entries_of_base();
	unsigned format, moment, left, cancelled = 0, odd = 0;
	export_options options;
	brise_error err;

	export_init_options(&options);
	options.threads = 2;
	options.cancel = cancel_later;
	options.user = &left;
	for (format = 0; format < 2; format++)
		for (moment = 0; moment < 20; moment++) {
			brise_status status;

			left = moment;
			options.format = format ? EXPORT_SAFETENSORS : EXPORT_GGUF;
			status = export_model(model, place("stopped"), &options, NULL, &err);
			cancelled += status == BRISE_ECANCELED;
			odd += status == BRISE_ECANCELED ? exists(place("stopped"))
			                                 : status != BRISE_OK;
			if (status == BRISE_OK)
				format ? clear_folder(place("stopped"))
				       : (void)unlink(place("stopped"));
		}
	CHECK(counts, cancelled >= 20 && odd == 0, "%u cancelled, %u odd", cancelled, odd);
	CHECK(counts, entries_of_base() == before, "something was left behind");
	brise_close_model(model);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };

	check_choose(argc, argv);
	small_folder(base, sizeof base);
	convert_maker(place("m.brise"));
	RUN(test_gguf_holds_the_interleaved_checkpoint(&counts));
	RUN(test_gguf_converts_back(&counts));
	RUN(test_gguf_states_the_configuration(&counts));
	RUN(test_safetensors_hold_the_checkpoint(&counts));
	RUN(test_quantized_files_export_their_decoded_floats(&counts));
	RUN(test_blocks_hold_the_weights(&counts));
	RUN(test_extreme_blocks(&counts));
	RUN(test_tokenizer_comes_back(&counts));
	RUN(test_gguf_holds_the_tokenizer(&counts));
	RUN(test_gguf_tokenizer_reads_back(&counts));
	RUN(test_threads_change_nothing(&counts));
	RUN(test_refusals_name_what_is_wrong(&counts));
	RUN(test_a_large_tokenizer_is_refused(&counts));
	RUN(test_cancellation_leaves_nothing(&counts));
	clear_folder(base);
	return check_report("export", &counts);
}
