/* model.c - opening a file: every count, product, offset and alignment is checked before it is used
 *
 * Only the header, the configuration and the tables are read, so opening costs the same for 16 MB
 * and 14 GB.
 */
#include "runtime/model/model.h"

#include <inttypes.h>
#include <string.h>

#include "arch/kernels.h"
#include "quant/checked.h"
#include "runtime/model/contents.h"
#include "runtime/model/crc32.h"
#include "runtime/model/limit.h"
#include "runtime/model/overlaps.h"
#include "runtime/error.h"
#include "runtime/model/order.h"
#include "runtime/os/map.h"
#include "runtime/text/added.h"
#include "runtime/sized.h"
#include "runtime/text/tokenizer.h"
#include "runtime/os/memory.h"

#define SECTIONS_MAX 1024u
#define ORIGIN_MAX   (1u << 20)

static brise_status check_header(brise_model *m, format_header *header, brise_error *err)
{
	uint64_t table;
	brise_status status;

	if (!format_is_native())
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: brise files are little-endian and so must the processor be",
		                 m->name);
	status = contents_check(m->bytes, m->size < CONTENTS_HEAD ? m->size : CONTENTS_HEAD,
	                        m->size, CONTENTS_BRISE, m->name, err);
	if (status != BRISE_OK)
		return status;
	if (m->size < sizeof *header)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: %zu bytes are too few for a brise header (%zu)", m->name,
		                 m->size, sizeof *header);
	memcpy(header, m->bytes, sizeof *header);
	if (memcmp(header->magic, FORMAT_MAGIC, sizeof header->magic) != 0)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: not a brise file (bytes 0..7 are not its mark); make one "
		                 "with brise convert",
		                 m->name);
	if (crc32_update(0, header, sizeof *header - sizeof header->header_crc) !=
	    header->header_crc)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: header, bytes 0..63: checksum differs, the file is damaged",
		                 m->name);
	if (header->version == 0 || header->version > FORMAT_VERSION)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: format version %" PRIu32 ", this program reads up to %u",
		                 m->name, header->version, FORMAT_VERSION);
	if (header->file_bytes != m->size)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: %zu bytes, but the header says %" PRIu64
		                 ": cut off or appended to",
		                 m->name, m->size, header->file_bytes);
	if (header->n_sections > SECTIONS_MAX || header->section_bytes < sizeof(format_section) ||
	    header->section_bytes % 8 != 0 || header->section_bytes > 4096)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: section table of %" PRIu32 " entries of %" PRIu32 " bytes",
		                 m->name, header->n_sections, header->section_bytes);
	table = (uint64_t)header->n_sections * header->section_bytes;
	if (!checked_inside(sizeof *header, table, m->size))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: section table, bytes 64..+%" PRIu64 ", lies outside the file",
		                 m->name, table);
	if (crc32_update(0, m->bytes + sizeof *header, (size_t)table) != header->sections_crc)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: section table, bytes 64..+%" PRIu64
		                 ": checksum differs, the file is damaged",
		                 m->name, table);
	return BRISE_OK;
}

/* Small sections are worth their checksum at every start; the tokenizer is checked by its own rules
 * when opened. */
static brise_status check_section(const brise_model *m, const format_section *s, brise_error *err)
{
	bool known = s->kind >= SECTION_CONFIG && s->kind < SECTION_KINDS;

	if (s->offset % 64 != 0 || !checked_inside(s->offset, s->bytes, m->size))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: section kind %" PRIu32 ": bytes %" PRIu64 "..+%" PRIu64
		                 " lie outside the file (%zu bytes) or unaligned",
		                 m->name, s->kind, s->offset, s->bytes, m->size);
	if (!known && s->flags & SECTION_REQUIRED)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: section kind %" PRIu32
		                 " is required and unknown to this version",
		                 m->name, s->kind);
	if ((s->kind == SECTION_CONFIG || s->kind == SECTION_TENSORS ||
	     s->kind == SECTION_WINDOWS) &&
	    crc32_update(0, m->bytes + s->offset, (size_t)s->bytes) != s->crc)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: section kind %" PRIu32 ", bytes %" PRIu64 "..+%" PRIu64
		                 ": checksum differs, the file is damaged",
		                 m->name, s->kind, s->offset, s->bytes);
	return BRISE_OK;
}

/* Bytes that lie inside the file, in memory that cannot change: of a mapped file a copy, kept as
 * number `slot`. NULL: no memory. */
static const void *keep(brise_model *m, uint64_t offset, uint64_t bytes, size_t slot)
{
	if (!m->map.bytes)
		return m->bytes + offset;
	return m->kept[slot] = memory_copy(m->bytes + offset, (size_t)bytes);
}

static brise_status find_sections(brise_model *m, const format_header *header,
                                  format_section found[SECTION_KINDS], brise_error *err)
{
	uint32_t i;

	memset(found, 0, SECTION_KINDS * sizeof *found);
	m->sections =
	        keep(m, sizeof *header, (uint64_t)header->n_sections * header->section_bytes, 0);
	if (!m->sections)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the section table", m->name);
	m->n_sections = header->n_sections;
	m->section_stride = header->section_bytes;
	for (i = 0; i < header->n_sections; i++) {
		format_section s;
		brise_status status;

		memcpy(&s, (const uint8_t *)m->sections + (size_t)i * header->section_bytes,
		       sizeof s);
		if ((status = check_section(m, &s, err)) != BRISE_OK)
			return status;
		if (s.kind == 0 || s.kind >= SECTION_KINDS)
			continue;
		if (found[s.kind].kind != 0)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: section kind %" PRIu32 " appears twice", m->name,
			                 s.kind);
		found[s.kind] = s;
	}
	if (found[SECTION_CONFIG].kind == 0 || found[SECTION_TENSORS].kind == 0)
		return error_set(err, BRISE_EFORMAT, "%s: no %s section", m->name,
		                 found[SECTION_CONFIG].kind ? "tensor" : "configuration");
	return BRISE_OK;
}

static brise_status read_config(brise_model *m, const format_header *header,
                                const format_section *sections, brise_error *err)
{
	const format_section *s = &sections[SECTION_CONFIG], *w = &sections[SECTION_WINDOWS];
	brise_status status = config_read(&m->config, m->bytes + s->offset, s->bytes,
	                                  header->version, m->name, err);

	if (status != BRISE_OK || w->kind == 0)
		return status;
	if (w->bytes != m->config.n_layers * sizeof *m->windows)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: windows: %" PRIu64 " bytes, expected 4 for each of %" PRIu32
		                 " layers",
		                 m->name, w->bytes, m->config.n_layers);
	if (!(m->windows = keep(m, w->offset, w->bytes, 4)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the windows", m->name);
	return config_check_windows(&m->config, m->windows, m->name, err);
}

static brise_status place_tensor(brise_model *m, const format_tensor *t, brise_error *err)
{
	const format_tensor **place;
	uint32_t rows, cols;
	uint64_t bytes;
	char name[48];

	model_tensor_name(name, t->kind, t->layer);
	if (t->offset % FORMAT_PAGE != 0 || !checked_inside(t->offset, t->bytes, m->size))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor %s: bytes %" PRIu64 "..+%" PRIu64
		                 " lie off the page grid or outside the file (%zu bytes)",
		                 m->name, name, t->offset, t->bytes, m->size);
	if (!model_tensor_shape(&m->config, t->kind, &rows, &cols))
		return BRISE_OK; /* of a later version; unknown kinds do no harm */
	if (t->layer >= (order_is_in_layer(t->kind) ? m->config.n_layers : 1))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor %s: the model has %" PRIu32 " layers", m->name, name,
		                 m->config.n_layers);
	place = &m->places[t->layer].kinds[t->kind];
	if (t->rows != rows || t->cols != cols)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor %s: %" PRIu32 " x %" PRIu32 ", expected %" PRIu32
		                 " x %" PRIu32,
		                 m->name, name, t->rows, t->cols, rows, cols);
	if (!type_find(t->type) || type_find(t->type)->is_matrix == order_is_vector(t->kind))
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: tensor %s: type %" PRIu32
		                 " is not one this version runs there",
		                 m->name, name, t->type);
	if (!type_tensor_bytes(t->type, rows, cols, &bytes) || bytes != t->bytes)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor %s: %" PRIu64 " bytes do not fit its shape and type",
		                 m->name, name, t->bytes);
	if (*place)
		return error_set(err, BRISE_EFORMAT, "%s: tensor %s appears twice", m->name, name);
	*place = t;
	return BRISE_OK;
}

/* Bits from 1 for each type in use, and the sums that info and bench need. */
static void count_tensor(brise_model *m, const format_tensor *t, unsigned *types)
{
	uint64_t weights = (uint64_t)t->rows * t->cols;

	if (!model_kind_known(t->kind))
		return;
	if (!order_is_vector(t->kind)) {
		*types |= 1u << t->type;
		m->facts.matrix_weights += weights;
		m->facts.matrix_bytes += t->bytes;
	}
	if (t->kind != TENSOR_EMBEDDING || m->config.flags & FORMAT_TIED) {
		m->facts.token_weights += !order_is_vector(t->kind) ? weights : 0;
		m->facts.token_bytes += t->bytes;
	}
}

static void fill_facts(brise_model *m, unsigned types)
{
	const format_config *c = &m->config;
	uint32_t type;

	m->facts.dim = c->dim;
	m->facts.n_layers = c->n_layers;
	m->facts.n_heads = c->n_heads;
	m->facts.n_kv_heads = c->n_kv_heads;
	m->facts.head_dim = c->head_dim;
	m->facts.hidden_dim = c->hidden_dim;
	m->facts.vocab = c->vocab;
	m->facts.window = c->window;
	m->facts.max_context = c->max_context;
	m->facts.norm_eps = c->norm_eps;
	m->facts.rope_theta = c->rope_theta;
	m->facts.bos = c->bos;
	m->facts.eos = c->eos;
	m->facts.file_bytes = m->size;
	m->facts.windows = m->windows;
	m->facts.tied = c->flags & FORMAT_TIED;
	m->facts.rope_scaling = config_rope_scaling(c);
	m->facts.rope_factor = c->rope_factor;
	m->facts.rope_original = c->rope_original;
	m->facts.query_beta = c->query_beta;
	m->facts.query_original = c->query_original;
	m->facts.origin = m->origin;
	m->facts.type = "mixed";
	for (type = 0; type < TYPE_KINDS; type++)
		if (types == 1u << type)
			m->facts.type = type_name(type);
}

/* Of tied matrices the embedding is the output's place as well. */
static brise_status tie_output(brise_model *m, brise_error *err)
{
	const format_tensor **outside = m->places[0].kinds;

	if (!(m->config.flags & FORMAT_TIED))
		return BRISE_OK;
	if (outside[TENSOR_OUTPUT])
		return error_set(err, BRISE_EFORMAT,
		                 "%s: an output tensor, but the configuration says that the "
		                 "embedding is the output matrix",
		                 m->name);
	outside[TENSOR_OUTPUT] = outside[TENSOR_EMBEDDING];
	return BRISE_OK;
}

static brise_status check_complete(const brise_model *m, brise_error *err)
{
	uint32_t layer, kind;
	char name[48];

	for (layer = 0; layer < m->config.n_layers; layer++)
		for (kind = 1; kind < TENSOR_KINDS; kind++) {
			if (m->places[layer].kinds[kind] || (layer > 0 && !order_is_in_layer(kind)))
				continue;
			model_tensor_name(name, kind, layer);
			return error_set(err, BRISE_EFORMAT, "%s: tensor table: no tensor %s",
			                 m->name, name);
		}
	return BRISE_OK;
}

static brise_status read_tensors(brise_model *m, const format_section *section, brise_error *err)
{
	unsigned types = 0;
	brise_status status;
	size_t i;

	if (section->bytes % sizeof(format_tensor) != 0)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor table of %" PRIu64 " bytes is no multiple of %zu",
		                 m->name, section->bytes, sizeof(format_tensor));
	if (!(m->tensors = keep(m, section->offset, section->bytes, 1)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the tensor table", m->name);
	m->n_tensors = (size_t)(section->bytes / sizeof(format_tensor));
	/* Nine entries a layer are in the file, so the allocation is smaller than the table. */
	if (m->n_tensors / 9 < m->config.n_layers)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tensor table: %zu tensors are too few for %" PRIu32 " layers",
		                 m->name, m->n_tensors, m->config.n_layers);
	m->places = memory_new(m->config.n_layers, sizeof *m->places);
	if (!m->places)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %" PRIu32 " layers", m->name,
		                 m->config.n_layers);
	for (i = 0; i < m->n_tensors; i++) {
		if ((status = place_tensor(m, &m->tensors[i], err)) != BRISE_OK)
			return status;
		count_tensor(m, &m->tensors[i], &types);
	}
	fill_facts(m, types);
	status = tie_output(m, err);
	return status == BRISE_OK ? check_complete(m, err) : status;
}

static brise_status read_origin(brise_model *m, const format_section *section, brise_error *err)
{
	size_t bytes = section->bytes < ORIGIN_MAX ? (size_t)section->bytes : ORIGIN_MAX;

	m->origin = memory_new(bytes + 1, 1);
	if (!m->origin)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the converter's notes",
		                 m->name);
	memcpy(m->origin, m->bytes + section->offset, bytes);
	m->origin[bytes] = 0;
	m->facts.origin = m->origin;
	return BRISE_OK;
}

/* The list of the file, and the configuration's end token where that is not in it. */
static brise_status read_ends(brise_model *m, const format_section *section, brise_error *err)
{
	size_t n = (size_t)section->bytes / sizeof *m->ends, i;
	bool listed = m->config.eos < 0;

	if (section->bytes % sizeof *m->ends != 0 || n > FORMAT_ENDS_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: end tokens: %" PRIu64
		                 " bytes, expected 4 for each of at most %u",
		                 m->name, section->bytes, FORMAT_ENDS_MAX);
	if (!(m->ends = memory_new(n + 1, sizeof *m->ends)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for %zu end tokens", m->name, n);
	if (n > 0)
		memcpy(m->ends, m->bytes + section->offset, n * sizeof *m->ends);
	for (i = 0; i < n; i++) {
		if (m->ends[i] < 0 || (uint32_t)m->ends[i] >= m->config.vocab)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: end tokens: id %" PRId32
			                 " outside the vocabulary of %" PRIu32,
			                 m->name, m->ends[i], m->config.vocab);
		listed = listed || m->ends[i] == m->config.eos;
	}
	if (!listed)
		m->ends[n++] = m->config.eos;
	m->facts.ends = m->ends;
	m->facts.n_ends = n;
	return BRISE_OK;
}

/* A section of text as *text, from memory_new; an absent one leaves NULL. */
static brise_status read_text(const brise_model *m, const format_section *section, uint32_t most,
                              const char *what, char **text, brise_error *err)
{
	if (section->kind == 0)
		return BRISE_OK;
	if (section->bytes > most)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: a %s of %" PRIu64 " bytes, at most %u expected", m->name,
		                 what, section->bytes, (unsigned)most);
	if (!(*text = memory_new((size_t)section->bytes + 1, 1)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the %s", m->name, what);
	memcpy(*text, m->bytes + section->offset, (size_t)section->bytes);
	(*text)[section->bytes] = 0;
	return BRISE_OK;
}

static brise_status read_chat(brise_model *m, const format_section *sections, brise_error *err)
{
	brise_status status = read_text(m, &sections[SECTION_TEMPLATE], FORMAT_TEMPLATE_MAX,
	                                "chat template", &m->chat_template, err);

	if (status == BRISE_OK)
		status = read_text(m, &sections[SECTION_CHAT], FORMAT_CHAT_MAX, "chat format",
		                   &m->chat_format, err);
	m->facts.chat_template = m->chat_template;
	m->facts.chat_format = m->chat_format;
	return status;
}

static brise_status read_tokenizer(brise_model *m, const format_section *section,
                                   const format_section *added, brise_error *err)
{
	brise_tokenizer_facts facts;
	const void *bytes;
	brise_status status;

	if (section->kind == 0)
		return BRISE_OK;
	if (!(bytes = keep(m, section->offset, section->bytes, 2)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the tokenizer", m->name);
	status = brise_open_tokenizer(&m->tokenizer, bytes, (size_t)section->bytes, m->name, err);
	if (status != BRISE_OK)
		return status;
	brise_get_tokenizer_facts(m->tokenizer, &facts, sizeof facts);
	if (facts.vocab > m->config.vocab)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: tokenizer of %" PRIu32 " tokens for a model of %" PRIu32,
		                 m->name, facts.vocab, m->config.vocab);
	m->tokenizer->rows = m->config.vocab;
	if (added->kind == 0)
		return BRISE_OK;
	if (!(bytes = keep(m, added->offset, added->bytes, 3)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for the added tokens", m->name);
	return added_attach(m->tokenizer, bytes, (size_t)added->bytes, m->name, err);
}

static brise_status read_model(brise_model *m, brise_error *err)
{
	format_section sections[SECTION_KINDS];
	format_header header = { .version = 0 };
	brise_status status;

	if ((status = check_header(m, &header, err)) != BRISE_OK ||
	    (status = find_sections(m, &header, sections, err)) != BRISE_OK ||
	    (status = read_config(m, &header, sections, err)) != BRISE_OK ||
	    (status = read_origin(m, &sections[SECTION_ORIGIN], err)) != BRISE_OK ||
	    (status = read_tensors(m, &sections[SECTION_TENSORS], err)) != BRISE_OK ||
	    (status = overlaps_check(m, err)) != BRISE_OK ||
	    (status = residency_make(&m->residency, m, UINT64_MAX, err)) != BRISE_OK ||
	    (status = read_ends(m, &sections[SECTION_ENDS], err)) != BRISE_OK ||
	    (status = read_chat(m, sections, err)) != BRISE_OK)
		return status;
	return read_tokenizer(m, &sections[SECTION_TOKENIZER], &sections[SECTION_ADDED], err);
}

static void count_section(const format_section *s, uint64_t most, uint64_t more, uint64_t *needed)
{
	memory_count(needed, (s->bytes < most ? s->bytes : most) + more, 1);
}

/* What read_model takes, by the sections. */
static void count_tables(const brise_model *m, const format_section *s, uint64_t *needed)
{
	uint64_t n_tensors = s[SECTION_TENSORS].bytes / sizeof(format_tensor);

	memory_count(needed, 1, sizeof *m);
	memory_count(needed, MODEL_NAME_MOST + 1, 1);
	memory_count(needed, m->config.n_layers, sizeof *m->places);
	overlaps_count(m->n_sections, n_tensors, needed);
	memory_count(needed, (uint64_t)residency_index(m->config.n_layers, 0) + 1,
	             sizeof *m->residency.units);
	count_section(&s[SECTION_ORIGIN], ORIGIN_MAX, 1, needed);
	count_section(&s[SECTION_ENDS], FORMAT_ENDS_MAX * sizeof *m->ends, sizeof *m->ends, needed);
	if (s[SECTION_TEMPLATE].kind != 0)
		count_section(&s[SECTION_TEMPLATE], FORMAT_TEMPLATE_MAX, 1, needed);
	if (s[SECTION_CHAT].kind != 0)
		count_section(&s[SECTION_CHAT], FORMAT_CHAT_MAX, 1, needed);
}

brise_status model_count(brise_model *m, brise_tokenizer *t, struct tokenizer_added *added,
                         const void *data, size_t size, uint64_t *needed, brise_error *err)
{
	char name[] = "model";
	format_section s[SECTION_KINDS];
	format_header header = { .version = 0 };
	const uint8_t *bytes = data;
	brise_status status;

	*m = (brise_model){ .bytes = data, .size = size, .map = MAP_CLOSED, .name = name };
	t->vocab = 0;
	if ((status = check_header(m, &header, err)) == BRISE_OK &&
	    (status = find_sections(m, &header, s, err)) == BRISE_OK)
		status = read_config(m, &header, s, err);
	m->name = NULL; /* `name` ends with this function */
	if (status != BRISE_OK)
		return status;
	count_tables(m, s, needed);
	if (s[SECTION_TOKENIZER].kind == 0)
		return BRISE_OK;
	return tokenizer_count(t, added, bytes + s[SECTION_TOKENIZER].offset,
	                       (size_t)s[SECTION_TOKENIZER].bytes,
	                       s[SECTION_ADDED].kind ? bytes + s[SECTION_ADDED].offset : NULL,
	                       (size_t)s[SECTION_ADDED].bytes, name, needed, err);
}

/* Takes over an open mapping: closed with the model or, after an error, here. */
static brise_status open_bytes(brise_model **out, const uint8_t *bytes, size_t size, map_file *map,
                               const char *name, brise_error *err)
{
	brise_model *m = memory_new(1, sizeof *m);
	brise_status status;

	*out = NULL;
	if (m)
		m->name = memory_copy_text(name);
	if (!m || !m->name) {
		memory_free(m);
		map_close(map);
		return error_set(err, BRISE_ENOMEM, "%s: no memory to open it", name);
	}
	m->bytes = bytes;
	m->size = size;
	m->map = *map;
	status = read_model(m, err);
	if (map_failed(map))
		status = map_check(map, name, err);
	if (status != BRISE_OK)
		brise_close_model(m);
	else
		*out = m;
	return status;
}

brise_status brise_open_model(brise_model **out, const char *path,
                              const brise_open_options *options, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(path) };
	brise_open_options o = { .size = sizeof o };
	brise_status status;
	map_file map;

	if (out)
		*out = NULL;
	if ((status = error_check_pointers(err, "brise_open_model", needed, 2)) != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "open options", err)) != BRISE_OK)
		return status;
	if ((status = map_open(&map, path, !o.leave_faults, err)) != BRISE_OK ||
	    (status = open_bytes(out, map.bytes, map.size, &map, path, err)) != BRISE_OK ||
	    o.memory == 0 || o.memory >= map.size)
		return status;
	if ((status = brise_limit_memory(*out, o.memory, NULL, NULL, NULL, err)) != BRISE_OK) {
		brise_close_model(*out);
		*out = NULL;
	}
	return status;
}

brise_status brise_open_memory(brise_model **out, const void *data, size_t size, const char *name,
                               const brise_open_options *options, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(data),
		                          ERROR_ARGUMENT(name) };
	brise_open_options o = { .size = sizeof o };
	map_file none = MAP_CLOSED;
	brise_status status;

	if (out)
		*out = NULL;
	if ((status = error_check_pointers(err, "brise_open_memory", needed, 3)) != BRISE_OK ||
	    (status = sized_read(&o, sizeof o, options, "open options", err)) != BRISE_OK)
		return status;
	if ((uintptr_t)data % 64 != 0)
		return error_set(err, BRISE_EINVAL,
		                 "%s: the memory range is not aligned to 64 bytes", name);
	if (o.memory != 0)
		return error_set(err, BRISE_EINVAL,
		                 "%s: open options: a limit of %" PRIu64
		                 " bytes, but weights in the caller's memory cannot be limited",
		                 name, o.memory);
	return open_bytes(out, data, size, &none, name, err);
}

void brise_close_model(brise_model *m)
{
	size_t i;

	if (!m)
		return;
	brise_close_tokenizer(m->tokenizer);
	limit_free(m);
	residency_free(&m->residency);
	map_close(&m->map);
	memory_free(m->places);
	for (i = 0; i < MODEL_KEPT; i++)
		memory_free(m->kept[i]);
	memory_free(m->origin);
	memory_free(m->chat_template);
	memory_free(m->chat_format);
	memory_free(m->ends);
	memory_free(m->name);
	memory_free(m);
}

const brise_model_facts *brise_get_model_facts(const brise_model *model)
{
	return model ? &model->facts : NULL;
}

const brise_tokenizer *brise_get_tokenizer(const brise_model *model)
{
	return model ? model->tokenizer : NULL;
}
