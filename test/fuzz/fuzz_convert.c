/* fuzz_convert.c - a small checkpoint with changed fields: refused, or a model that opens,
 * evaluates, and is exported as something that converts again
 *
 * Input: one byte, the forms; then changes, four bytes each: how and of which file, where
 * (little-endian), and with what. Changes are of values and keys more often than of bytes, since
 * most changed bytes are no JSON.
 *
 *     sh test/fuzz/run.sh test/fuzz/fuzz_convert.c SECONDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/convert.h"
#include "convert/export.h"
#include "convert/formats/gguf.h"
#include "test/checkpoint_maker.h"
#include "test/evaluator.h"
#include "test/tested_types.h"
#include "test/fuzz/fuzz_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONFIG, HEADER, TOKENIZER, GENERATION, SETTINGS, WEIGHTS, FILES };

static const char *const values[] = {
	"null",
	"0",
	"1",
	"-1",
	"2",
	"16",
	"40",
	"1e300",
	"4294967296",
	"18446744073709551615",
	"0.5",
	"NaN",
	"-Infinity",
	"true",
	"false",
	"\"\"",
	"\"F8_E4M3\"",
	"\"mistral3\"",
	"\"ministral3\"",
	"\"fp8\"",
	"\"F32\"",
	"\"BF16\"",
	"\"I8\"",
	"\"mistral\"",
	"\"llama\"",
	"\"\\u0000\"",
	"\"\xff\"",
	"\"\xc2\x85\"",
	"[]",
	"[1]",
	"[2,3]",
	"[0,64]",
	"[[1,2],[3]]",
	"[\"a b\"]",
	"{}",
	"{\"rope_type\":\"linear\",\"factor\":1}",
	"{\"rope_type\":\"linear\",\"factor\":4.5,\"rope_theta\":1e6}",
	"{\"type\":\"yarn\",\"factor\":8,\"original_max_position_"
	"embeddings\":16,\"llama_4_scaling_beta\":0.1,\"mscale\":1}",
	"{\"factor\":8,\"original_max_position_embeddings\":16,"
	"\"beta\":4,\"alpha\":1}",
	"{\"beta\":0.1,\"original_max_position_embeddings\":16}",
	"{\"quant_method\":\"fp8\",\"weight_block_size\":null}",
	"{\"qformat_weight\":\"fp8_e4m3\"}",
	"[null,3]",
	"{\"content\":\"<x>\",\"special\":true}",
	"{\"a\":{\"b\":[null]}}"
};

static const char *const keys[] = { "attention_bias",
	                            "rope_scaling",
	                            "rope_parameters",
	                            "sliding_window",
	                            "head_dim",
	                            "layer_types",
	                            "quantization_config",
	                            "num_local_experts",
	                            "moe",
	                            "lora",
	                            "text_config",
	                            "vision_config",
	                            "vision_encoder",
	                            "yarn",
	                            "llama_4_scaling",
	                            "quantization",
	                            "model_type",
	                            "tied_embeddings",
	                            "model.layers.0.self_attn.q_proj.weight_scale_inv",
	                            "vision_tower.a.weight",
	                            "eos_token_id",
	                            "tie_word_embeddings",
	                            "lm_head.weight",
	                            "model.layers.0.self_attn.q_proj.bias",
	                            "extra.weight",
	                            "legacy",
	                            "chat_template",
	                            "added_tokens",
	                            "added_tokens_decoder",
	                            "bos_token",
	                            "eos_token",
	                            "\xc2\x9b",
	                            "" };

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const tokenizer_json =
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},{\"id\":1,"
        "\"content\":\"<s>\",\"special\":true},{\"id\":2,\"content\":\"</s>\",\"special\":true},"
        "{\"id\":7,\"content\":\"<|x|>\",\"special\":false,\"lstrip\":false}],\"normalizer\":{"
        "\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}"
        ",{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}]},"
        "\"pre_tokenizer\":null,\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":"
        "\"Replace\",\"pattern\":{\"String\":\"\xe2\x96\x81\"},\"content\":\" \"},{\"type\":"
        "\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{"
        "\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":false,"
        "\"vocab\":{\"<unk>\":0,\"<s>\":1,\"</s>\":2,\"\xe2\x96\x81\":3,\"a\":4,\"b\":5,\"ab\":6},"
        "\"merges\":[\"a b\"]}}";

static char place[64], folder[80], file[80], again[80], gguf[80], exported[80];

static void empty_place(void)
{
	(void)maker_clear(exported);
	(void)rmdir(exported);
	(void)maker_clear(folder);
	(void)maker_clear(place);
}

static void remove_place(void)
{
	empty_place();
	(void)rmdir(folder);
	(void)rmdir(place);
}

static void make_place(void)
{
	strcpy(place, "/dev/shm/fuzz-convert-XXXXXX");
	if (!mkdtemp(place))
		abort();
	(void)snprintf(folder, sizeof folder, "%s/checkpoint", place);
	(void)snprintf(file, sizeof file, "%s/m.brise", place);
	(void)snprintf(again, sizeof again, "%s/again.brise", place);
	(void)snprintf(gguf, sizeof gguf, "%s/m.gguf", place);
	(void)snprintf(exported, sizeof exported, "%s/exported", place);
	if (mkdir(folder, 0700) != 0)
		abort();
	(void)atexit(remove_place);
}

/* ---- changes -------------------------------------------------------------------------------- */

static void replace(maker_bytes *b, size_t at, size_t n, const char *with)
{
	maker_bytes changed = { NULL, 0, 0 };

	maker_put(&changed, b->data, at);
	maker_text(&changed, with);
	maker_put(&changed, b->data + at + n, b->n - at - n);
	maker_free(b);
	*b = changed;
}

/* Bytes of the value at b[at]: up to the comma or bracket behind it. */
static size_t measure_value(const maker_bytes *b, size_t at)
{
	unsigned depth = 0;
	bool quoted = false;
	size_t i;

	for (i = at; i < b->n; i++) {
		uint8_t c = b->data[i];

		if (c == '"' && b->data[i - 1] != '\\')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			break;
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
	}
	return i - at;
}

/* The value behind colon number `which`, counted round and round. */
static void change_value(maker_bytes *b, size_t which, const char *with)
{
	size_t colons = 0, i;

	for (i = 0; i < b->n; i++)
		colons += b->data[i] == ':';
	if (colons == 0)
		return;
	which %= colons;
	for (i = 0; b->data[i] != ':' || which-- > 0; i++)
		;
	replace(b, i + 1, measure_value(b, i + 1), with);
}

static void add_key(maker_bytes *b, const char *key, const char *value)
{
	char text[160];

	(void)snprintf(text, sizeof text, "\"%s\":%s,", key, value);
	if (b->n > 0 && b->data[0] == '{')
		replace(b, 1, 0, text);
}

static void change(maker_bytes files[FILES], const uint8_t c[4])
{
	maker_bytes *b = &files[c[0] % FILES];
	size_t where = c[1] | (size_t)c[2] << 8;

	if (b->n == 0)
		return;
	if (b == &files[WEIGHTS] || c[0] / FILES % 8 == 0)
		b->data[where % b->n] = c[3];
	else if (c[0] / FILES % 8 == 1)
		replace(b, where % b->n, c[3] % (b->n - where % b->n), "");
	else if (c[0] / FILES % 8 <= 3)
		add_key(b, keys[where % COUNT(keys)], values[c[3] % COUNT(values)]);
	else
		change_value(b, where, values[c[3] % COUNT(values)]);
}

/* ---- the checkpoint ------------------------------------------------------------------------- */

static void make_files(maker_bytes files[FILES], bool own_form)
{
	maker_model *m = maker_new(own_form, "F16");
	char path[120];
	size_t i;

	maker_config(folder, own_form, NULL);
	(void)snprintf(path, sizeof path, "%s/%s", folder,
	               own_form ? "params.json" : "config.json");
	files[CONFIG] = maker_read(path);
	maker_header(&files[HEADER], m, 0, m->n);
	for (i = 0; i < m->n; i++)
		maker_put(&files[WEIGHTS], m->tensors[i].data.data, m->tensors[i].data.n);
	maker_text(&files[TOKENIZER], tokenizer_json);
	maker_text(&files[GENERATION], "{\"bos_token_id\": 1, \"eos_token_id\": [2, 5]}");
	maker_text(&files[SETTINGS],
	           "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"legacy\": "
	           "true, \"chat_template\": \"[INST]\", "
	           "\"added_tokens_decoder\": {\"7\": {\"content\": \"<|x|>\", "
	           "\"special\": false}}}");
	maker_close(m);
}

static void save_files(maker_bytes files[FILES], bool own_form)
{
	static const char *const names[] = { "config.json", NULL, "tokenizer.json",
		                             "generation_config.json", "tokenizer_config.json" };
	maker_bytes tensors = { NULL, 0, 0 };
	unsigned i;

	for (i = 0; i < COUNT(names); i++)
		if (names[i])
			maker_save(folder, i == CONFIG && own_form ? "params.json" : names[i],
			           files[i].data, files[i].n);
	maker_number(&tensors, files[HEADER].n, 8);
	maker_put(&tensors, files[HEADER].data, files[HEADER].n);
	maker_put(&tensors, files[WEIGHTS].data, files[WEIGHTS].n);
	maker_save(folder, own_form ? "consolidated.safetensors" : "model.safetensors",
	           tensors.data, tensors.n);
	maker_free(&tensors);
	for (i = 0; i < FILES; i++)
		maker_free(&files[i]);
}

/* ---- what is made of it --------------------------------------------------------------------- */

/* Of what was checked before: says why it fails. */
static void must(brise_status status, const char *what)
{
	if (status != BRISE_OK)
		fprintf(stderr, "%s: %s\n", what, fuzz_error.message);
	if (!fuzz_succeeds(status))
		abort();
}

static bool convert(const char *from, const char *to, uint32_t type, bool no_tokenizer)
{
	convert_options options;
	brise_status status;

	convert_init_options(&options);
	options.type = type;
	options.effort = EFFORT_FAST;
	options.threads = 1;
	options.no_tokenizer = no_tokenizer;
	status = convert_checkpoint(from, to, &options, NULL, &fuzz_error);
	if (status != BRISE_OK && from != folder)
		fprintf(stderr, "%s\n", fuzz_error.message);
	return fuzz_succeeds(status);
}

static void evaluate(const brise_model *model)
{
	const evaluator_options options = { .threads = 1, .chunk = 4 };
	const float *logits;
	evaluator e;

	must(evaluator_open(&e, model, options, &fuzz_error), "an engine");
	(void)fuzz_succeeds(evaluator_eval(&e, (int32_t[]){ 1, 3 }, 2, &logits, &fuzz_error));
	evaluator_close(&e);
}

static void export(const brise_model *model, bool to_gguf, uint32_t type, bool no_tokenizer)
{
	export_options options;
	const char *to = to_gguf ? gguf : exported;

	export_init_options(&options);
	options.format = to_gguf ? EXPORT_GGUF : EXPORT_SAFETENSORS;
	options.threads = 1;
	if (fuzz_succeeds(export_model(model, to, &options, NULL, &fuzz_error)) &&
	    !convert(to, again, type, no_tokenizer))
		abort(); /* what was exported must convert */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t types[TYPE_KINDS];
	maker_bytes files[FILES];
	brise_model *model;
	bool own_form, no_tokenizer;
	uint32_t type;
	size_t i;

	if (size == 0)
		return 0;
	if (!*place)
		make_place();
	empty_place();
	memset(files, 0, sizeof files);
	own_form = data[0] & 1;
	no_tokenizer = data[0] & 2;
	type = types[(data[0] >> 2) % list_matrix_types(types)];
	make_files(files, own_form);
	for (i = 1; i + 4 <= size; i += 4)
		change(files, data + i);
	save_files(files, own_form);
	if (!convert(folder, file, type, no_tokenizer))
		return 0;
	must(brise_open_model(&model, file, NULL, &fuzz_error), "what was converted");
	evaluate(model);
	export(model, data[0] & 16, type, no_tokenizer);
	brise_close_model(model);
	return 0;
}
