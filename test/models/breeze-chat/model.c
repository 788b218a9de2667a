/* model.c - breeze's tensors, from and to safetensors
 *
 * The reader is for files of this project: it finds a tensor's entry by its name in the header's
 * text and checks type, size and place, no more.
 */
#include "test/models/breeze-chat/model.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tensor *add(tensor *t, size_t at, size_t rows, size_t columns)
{
	t->at = at;
	t->rows = rows;
	t->columns = columns;
	return t + 1;
}

void model_list_tensors(tensor list[N_TENSORS])
{
	static const struct {
		const char *name;
		size_t at, rows, columns;
	} of_layer[9] = {
		{ "input_layernorm", AT_ATTENTION_NORM, DIM, 0 },
		{ "self_attn.q_proj", AT_QKV, Q_DIM, DIM },
		{ "self_attn.k_proj", AT_QKV + Q_DIM * DIM, KV_DIM, DIM },
		{ "self_attn.v_proj", AT_QKV + (Q_DIM + KV_DIM) * DIM, KV_DIM, DIM },
		{ "self_attn.o_proj", AT_OUT, DIM, Q_DIM },
		{ "post_attention_layernorm", AT_FFN_NORM, DIM, 0 },
		{ "mlp.gate_proj", AT_GATE_UP, HIDDEN_DIM, DIM },
		{ "mlp.up_proj", AT_GATE_UP + HIDDEN_DIM * DIM, HIDDEN_DIM, DIM },
		{ "mlp.down_proj", AT_DOWN, DIM, HIDDEN_DIM },
	};
	size_t layer, i;

	snprintf(list->name, sizeof list->name, "model.embed_tokens.weight");
	list = add(list, AT_EMBEDDING, VOCAB, DIM);
	for (layer = 0; layer < N_LAYERS; layer++)
		for (i = 0; i < 9; i++) {
			snprintf(list->name, sizeof list->name, "model.layers.%zu.%s.weight", layer,
			         of_layer[i].name);
			list = add(list, AT_LAYERS + layer * LAYER_SIZE + of_layer[i].at,
			           of_layer[i].rows, of_layer[i].columns);
		}
	snprintf(list->name, sizeof list->name, "model.norm.weight");
	list = add(list, AT_NORM, DIM, 0);
	snprintf(list->name, sizeof list->name, "lm_head.weight");
	add(list, AT_HEAD, VOCAB, DIM);
}

size_t model_tensor_size(const tensor *t)
{
	return t->columns ? t->rows * t->columns : t->rows;
}

static float from_f16(uint16_t bits)
{
	int exponent = bits >> 10 & 31;
	float fraction = (float)(bits & 1023), sign = bits >> 15 ? -1.0f : 1.0f;

	return sign *
	       (exponent ? ldexpf(1024.0f + fraction, exponent - 25) : ldexpf(fraction, -24));
}

/* Rounded to nearest, ties to even; 65,504 is the largest. */
static uint16_t to_f16(float value)
{
	int exponent;
	float size = fabsf(value);
	uint32_t bits, sign = value < 0.0f ? 0x8000u : 0u;

	if (size > 65504.0f)
		size = 65504.0f;
	frexpf(size, &exponent);
	exponent = size == 0.0f || exponent < -13 ? -13 : exponent;
	/* multiples of 2^(exponent - 11); a carry into the next exponent is right as it is */
	bits = (uint32_t)lrintf(ldexpf(size, 11 - exponent));
	return (uint16_t)(sign | (bits + (uint32_t)(exponent + 13) * 1024u));
}

static char *read_whole(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	char *data = NULL;
	long size;

	if (file && !fseek(file, 0, SEEK_END) && (size = ftell(file)) > 8 &&
	    !fseek(file, 0, SEEK_SET)) {
		data = malloc((size_t)size);
		*bytes = (size_t)size;
		if (data && fread(data, 1, *bytes, file) != *bytes) {
			free(data);
			data = NULL;
		}
	}
	if (file)
		fclose(file);
	if (!data)
		fprintf(stderr, "%s: cannot be read\n", path);
	return data;
}

static bool read_tensor(const char *path, const char *header, const char *data, size_t bytes,
                        const tensor *t, float *parameters, bool *found)
{
	char key[sizeof t->name + 3];
	const char *entry, *place;
	unsigned long begin, end;
	uint16_t half;
	size_t i;

	snprintf(key, sizeof key, "\"%.63s\"", t->name);
	entry = strstr(header, key);
	if (!entry)
		return true;
	place = strstr(entry, "\"data_offsets\"");
	if (!strstr(entry, "\"F16\"") || !place ||
	    sscanf(place, "\"data_offsets\" : [ %lu , %lu", &begin, &end) != 2 || begin > end ||
	    end > bytes || end - begin != 2 * model_tensor_size(t)) {
		fprintf(stderr, "%s: %s: expected %zu numbers of F16\n", path, t->name,
		        model_tensor_size(t));
		return false;
	}
	for (i = 0; i < model_tensor_size(t); i++) {
		memcpy(&half, data + begin + 2 * i, 2);
		parameters[t->at + i] = from_f16(half);
	}
	*found = true;
	return true;
}

/* Reads what the file has of the tensors, and sets found[i] of those. */
static bool read_file(const char *path, float *parameters, bool found[N_TENSORS])
{
	tensor list[N_TENSORS];
	size_t bytes, i;
	uint64_t length;
	char *file = read_whole(path, &bytes), *header = NULL;
	bool ok = false;

	if (!file)
		return false;
	memcpy(&length, file, 8);
	if (length > bytes - 8 || !(header = calloc(1, (size_t)length + 1))) {
		fprintf(stderr, "%s: no safetensors file\n", path);
		goto done;
	}
	memcpy(header, file + 8, (size_t)length);
	model_list_tensors(list);
	ok = true;
	for (i = 0; i < N_TENSORS && ok; i++)
		ok = read_tensor(path, header, file + 8 + length, bytes - 8 - (size_t)length,
		                 &list[i], parameters, &found[i]);
done:
	free(header);
	free(file);
	return ok;
}

bool model_read_folder(const char *folder, float *parameters)
{
	static const char *const files[] = { "model.safetensors",
		                             "model-00001-of-00002.safetensors",
		                             "model-00002-of-00002.safetensors" };
	bool found[N_TENSORS] = { false };
	char path[4096];
	size_t i, missing = 0;

	for (i = 0; i < 3; i++) {
		FILE *file;
		snprintf(path, sizeof path, "%s/%s", folder, files[i]);
		file = fopen(path, "rb");
		if (!file)
			continue;
		fclose(file);
		if (!read_file(path, parameters, found))
			return false;
	}
	for (i = 0; i < N_TENSORS; i++)
		missing += !found[i];
	if (missing)
		fprintf(stderr, "%s: %zu tensors are missing\n", folder, missing);
	return !missing;
}

/* The header's text, padded with spaces to a multiple of 8 bytes. */
static size_t write_header(char *text, size_t size, const tensor list[N_TENSORS])
{
	size_t i, at = 0,
	          used = (size_t)snprintf(text, size, "{\"__metadata__\":{\"format\":\"pt\"}");

	for (i = 0; i < N_TENSORS; at += 2 * model_tensor_size(&list[i]), i++) {
		used += (size_t)snprintf(text + used, size - used,
		                         ",\"%s\":{\"dtype\":\"F16\",\"shape\":[%zu", list[i].name,
		                         list[i].rows);
		if (list[i].columns)
			used += (size_t)snprintf(text + used, size - used, ",%zu", list[i].columns);
		used += (size_t)snprintf(text + used, size - used, "],\"data_offsets\":[%zu,%zu]}",
		                         at, at + 2 * model_tensor_size(&list[i]));
	}
	text[used++] = '}';
	while (used % 8)
		text[used++] = ' ';
	return used;
}

bool model_write(const char *path, const float *parameters)
{
	tensor list[N_TENSORS];
	char header[16384], part[4096];
	uint64_t length;
	uint16_t half;
	size_t i, j;
	FILE *file;
	bool ok;

	model_list_tensors(list);
	length = write_header(header, sizeof header, list);
	snprintf(part, sizeof part, "%s.part", path);
	file = fopen(part, "wb");
	ok = file && fwrite(&length, 8, 1, file) == 1 && fwrite(header, length, 1, file) == 1;
	for (i = 0; i < N_TENSORS && ok; i++)
		for (j = 0; j < model_tensor_size(&list[i]) && ok; j++) {
			half = to_f16(parameters[list[i].at + j]);
			ok = fwrite(&half, 2, 1, file) == 1;
		}
	if (file && fclose(file))
		ok = false;
	if (ok && !rename(part, path))
		return true;
	fprintf(stderr, "%s: cannot be written\n", path);
	return false;
}
