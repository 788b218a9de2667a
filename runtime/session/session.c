/* session.c - a text as it stands, in a file: tokens, keys and values, position, sampler
 *
 * A ring that is filled by half or more is not read but mapped: its file's pages are the sequence's
 * memory, copied one by one as they are written to. So loading takes the time of a checksum.
 */
#include <inttypes.h>
#include <string.h>

#include "quant/checked.h"
#include "quant/contract.h"
#include "quant/rounding.h"
#include "runtime/error.h"
#include "runtime/eval/kv_image.h"
#include "runtime/eval/sequence.h"
#include "runtime/model/contents.h"
#include "runtime/model/crc32.h"
#include "runtime/os/memory.h"
#include "runtime/os/target.h"
#include "runtime/sample/sampler.h"
#include "runtime/session/cache_entry.h"
#include "runtime/session/session.h"
#include "runtime/session/file.h"
#include "runtime/session/sum.h"
#include "runtime/sized.h"

#define PART_ALIGN 64u

/* What a file holds, and where. */
typedef struct layout {
	uint64_t sampler_at, sampler_bytes, tokens_at, tokens_bytes;
	uint64_t image_at, image_bytes, file_bytes;
	kv_image image;
} layout;

/* Bytes of the page that begins with the first positions of layers. */
static uint64_t layers_bytes(const kv_ring *shape)
{
	return shape->slots.windows ? SESSION_PAGE : 0;
}

/* What the file holds of a ring of that shape. */
static kv_image image_of(const session_header *h, const kv_ring *shape, const uint64_t *oldest_of)
{
	return (kv_image){ { (uint32_t)h->ring_slots, shape->slots.windows, h->window, h->slack },
		           h->oldest,
		           h->position,
		           oldest_of };
}

/* From header fields that may be anything. oldest_of: NULL unless windows differ. False: they are
 * not those of a file. */
static bool lay_out(layout *l, const session_header *h, const kv_ring *shape,
                    const uint64_t *oldest_of)
{
	uint64_t end;
	uint32_t layer;

	if (h->oldest < h->start || h->oldest > h->position || h->ring_slots > UINT32_MAX ||
	    h->ring_slots < SPAN_POSITIONS || h->ring_slots % SPAN_POSITIONS != 0)
		return false;
	for (layer = 0; oldest_of && layer < shape->n_layers; layer++)
		if (oldest_of[layer] < h->oldest || oldest_of[layer] > h->position)
			return false;
	l->image = image_of(h, shape, oldest_of);
	l->sampler_at = round_up(sizeof *h, PART_ALIGN);
	return checked_mul(h->n_sampler, sizeof(uint32_t), &l->sampler_bytes) &&
	       checked_mul(h->n_tokens, sizeof(int32_t), &l->tokens_bytes) &&
	       checked_add(l->sampler_at, l->sampler_bytes, &end) &&
	       checked_round_up(end, PART_ALIGN, &l->tokens_at) &&
	       checked_add(l->tokens_at, l->tokens_bytes, &end) &&
	       checked_round_up(end, SESSION_PAGE, &end) && end == h->ring_at &&
	       checked_add(h->ring_at, layers_bytes(shape), &l->image_at) &&
	       kv_image_bytes(&l->image, shape, &l->image_bytes) &&
	       checked_add(l->image_at, l->image_bytes, &l->file_bytes) &&
	       l->file_bytes == h->file_bytes;
}

/* ---- saving --------------------------------------------------------------------------------- */

static void describe_model(session_header *h, const brise_model *m)
{
	format_header header;

	memcpy(&header, m->bytes, sizeof header);
	h->model_bytes = header.file_bytes;
	h->model_header_crc = header.header_crc;
	h->model_sections_crc = header.sections_crc;
}

static session_header describe(const brise_sequence *s, uint64_t n_tokens, uint64_t n_sampler)
{
	const brise_sequence_facts *f = &s->facts;
	session_header h = { .version = SESSION_VERSION,
		             .contract = CONTRACT_VERSION,
		             .kv = (uint32_t)s->ring.type,
		             .window = (uint32_t)f->window,
		             .sinks = f->sinks,
		             .slack = f->slack,
		             .slots = f->slots,
		             .ring_slots = s->ring.slots.most,
		             .start = f->start,
		             .position = f->position,
		             .oldest = s->oldest < f->position ? s->oldest : f->position,
		             .n_tokens = n_tokens,
		             .n_sampler = n_sampler };

	memcpy(h.magic, FORMAT_SESSION_MAGIC, sizeof h.magic);
	describe_model(&h, s->model);
	return h;
}

typedef struct saving {
	target_file target;
	uint64_t at;
	uint32_t n_layers;
	session_sum sum;
	const session_watch *watch; /* NULL: none */
	uint64_t asks_at;           /* of the file, where it is asked next */
} saving;

/* Bytes between two questions: a few milliseconds of writing to memory. */
#define ASK_BYTES ((uint64_t)4 << 20)

static brise_status ask(saving *s, brise_error *err)
{
	const session_watch *w = s->watch;

	if (!w || !w->is_cancelled || s->at < s->asks_at)
		return BRISE_OK;
	s->asks_at = s->at + ASK_BYTES;
	return w->is_cancelled(w->user)
	               ? error_set(err, BRISE_ECANCELED, "%s: saving was cancelled", s->target.name)
	               : BRISE_OK;
}

static brise_status write_image(void *user, const uint8_t *bytes, size_t n, brise_error *err)
{
	saving *s = user;
	brise_status status = ask(s, err);

	if (status == BRISE_OK)
		status = target_write_at(&s->target, bytes, n, s->at, err);
	session_sum_add(&s->sum, bytes, n);
	s->at += n;
	return status;
}

/* The page before the image: what has been overwritten ahead of the position counts as held from
 * the position on. */
static brise_status write_layers(saving *s, const layout *l, uint64_t bytes, brise_error *err)
{
	uint8_t *page = bytes > 0 ? memory_new((size_t)bytes, 1) : NULL;
	brise_status status = BRISE_OK;

	if (bytes > 0 && !page)
		return error_set(err, BRISE_ENOMEM, "no memory to save layers");
	if (page)
		memcpy(page, l->image.oldest, s->n_layers * sizeof *l->image.oldest);
	if (page)
		status = write_image(s, page, (size_t)bytes, err);
	memory_free(page);
	return status;
}

static brise_status write_all(saving *s, session_header *h, const layout *l,
                              const brise_sequence *sequence, const uint32_t *words,
                              const int32_t *tokens, brise_error *err)
{
	brise_status status = target_check_space(&s->target, l->file_bytes, err);

	s->at = h->ring_at;
	h->sampler_crc = crc32_update(0, words, (size_t)l->sampler_bytes);
	h->tokens_crc = crc32_update(0, tokens, (size_t)l->tokens_bytes);
	if (status == BRISE_OK)
		status = write_layers(s, l, l->image_at - h->ring_at, err);
	if (status == BRISE_OK)
		status = kv_image_write(&l->image, &sequence->ring, write_image, s, err);
	if (status == BRISE_OK && l->sampler_bytes > 0)
		status = target_write_at(&s->target, words, (size_t)l->sampler_bytes, l->sampler_at,
		                         err);
	if (status == BRISE_OK && l->tokens_bytes > 0)
		status = target_write_at(&s->target, tokens, (size_t)l->tokens_bytes, l->tokens_at,
		                         err);
	if (status == BRISE_OK && l->image_bytes == 0) /* a file of its full length */
		status = target_write_at(&s->target, "", 1, l->file_bytes - 1, err);
	h->ring_sum = session_sum_end(&s->sum);
	h->header_crc = crc32_update(0, h, sizeof *h - sizeof h->header_crc);
	if (status == BRISE_OK)
		status = target_write_at(&s->target, h, sizeof *h, 0, err);
	return status == BRISE_OK ? sequence_check_memory(sequence, err) : status;
}

/* Fills header and layout, and of layers that differ the first positions: oldest [n_layers]. */
static brise_status plan_file(const char *path, const brise_sequence *sequence, session_header *h,
                              layout *l, uint64_t *oldest, brise_error *err)
{
	uint32_t layer;

	for (layer = 0; oldest && layer < sequence->ring.n_layers; layer++) {
		uint64_t held = sequence_held_from(sequence, layer);

		oldest[layer] = held < h->position ? held : h->position;
	}
	h->ring_at =
	        round_up(round_up(round_up(sizeof *h, PART_ALIGN) + h->n_sampler * sizeof(uint32_t),
	                          PART_ALIGN) +
	                         h->n_tokens * sizeof(int32_t),
	                 SESSION_PAGE);
	l->image = image_of(h, &sequence->ring, oldest);
	if (!kv_image_bytes(&l->image, &sequence->ring, &l->image_bytes) ||
	    !checked_add(h->ring_at + layers_bytes(&sequence->ring), l->image_bytes,
	                 &h->file_bytes) ||
	    !lay_out(l, h, &sequence->ring, oldest))
		return error_set(err, BRISE_EINVAL, "%s: too much to save", path);
	return BRISE_OK;
}

/* Room for the first positions of layers; *oldest is NULL where they do not differ. */
static brise_status new_oldest(uint64_t **oldest, const kv_ring *shape, brise_error *err)
{
	*oldest = NULL;
	if (!shape->slots.windows)
		return BRISE_OK;
	*oldest = memory_new(shape->n_layers, sizeof **oldest);
	return *oldest ? BRISE_OK : error_set(err, BRISE_ENOMEM, "no memory for layers");
}

static brise_status save(const char *path, const brise_sequence *sequence, const int32_t *tokens,
                         size_t n, const uint32_t *words, size_t n_words,
                         const session_watch *watch, brise_error *err)
{
	static const target_kind kind = { FORMAT_SESSION_MAGIC, FORMAT_SESSION_MAGIC_BYTES,
		                          "a session of brise", true };
	session_header h = describe(sequence, n, n_words);
	saving s = { .watch = watch, .n_layers = sequence->ring.n_layers };
	uint64_t *oldest;
	layout l;
	brise_status status = new_oldest(&oldest, &sequence->ring, err);

	if (status == BRISE_OK)
		status = plan_file(path, sequence, &h, &l, oldest, err);
	if (status != BRISE_OK || (status = target_open(&s.target, path, &kind, err)) != BRISE_OK) {
		memory_free(oldest);
		return status;
	}
	status = write_all(&s, &h, &l, sequence, words, tokens, err);
	if (status == BRISE_OK && watch && watch->was_read)
		watch->was_read(watch->user);
	if (status == BRISE_OK)
		status = target_commit(&s.target, err);
	target_discard(&s.target);
	memory_free(oldest);
	return status;
}

brise_status brise_save_session(const char *path, const brise_sequence *sequence,
                                const int32_t *tokens, size_t n, const brise_sampler *sampler,
                                brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(path), ERROR_ARGUMENT(sequence) };
	size_t n_words = sampler ? sampler_count_state(sampler) : 0;
	uint32_t *words = NULL;
	brise_status status = error_check_pointers(err, "brise_save_session", needed, 2);

	if (status != BRISE_OK)
		return status;
	if (!tokens && n > 0)
		return error_set(err, BRISE_EINVAL, "brise_save_session: tokens is NULL");
	if (sampler && !(words = memory_new(n_words, sizeof *words)))
		return error_set(err, BRISE_ENOMEM, "no memory to save a sampler");
	if (sampler)
		sampler_save_state(sampler, words);
	status = save(path, sequence, tokens, n, words, n_words, NULL, err);
	memory_free(words);
	return status;
}

brise_status session_write(const char *path, const brise_sequence *sequence, const int32_t *tokens,
                           size_t n, const session_watch *watch, brise_error *err)
{
	return save(path, sequence, tokens, n, NULL, 0, watch, err);
}

/* ---- loading -------------------------------------------------------------------------------- */

static brise_status refuse_versions(const session_header *h, const char *path, brise_error *err)
{
	if (h->version != SESSION_VERSION)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: is a session of version %" PRIu32
		                 ", this program takes version %u",
		                 path, h->version, SESSION_VERSION);
	if (h->header_crc != crc32_update(0, h, sizeof *h - sizeof h->header_crc))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: the checksum of the session's header differs: it is damaged",
		                 path);
	if (h->contract != CONTRACT_VERSION)
		return error_set(err, BRISE_EUNSUPPORTED,
		                 "%s: was saved by a program that computes other bits (version "
		                 "%" PRIu32 " of its numbers, this one has %u)",
		                 path, h->contract, CONTRACT_VERSION);
	return BRISE_OK;
}

static brise_status refuse_model(const session_header *h, const brise_model *m, const char *path,
                                 brise_error *err)
{
	session_header ours = { .version = 0 };

	describe_model(&ours, m);
	if (h->model_bytes == ours.model_bytes && h->model_header_crc == ours.model_header_crc &&
	    h->model_sections_crc == ours.model_sections_crc)
		return BRISE_OK;
	return error_set(err, BRISE_EINVAL,
	                 "%s: is a session of another model file (%" PRIu64
	                 " bytes, checksum %08" PRIx32 "; %s has %" PRIu64 ", %08" PRIx32 ")",
	                 path, h->model_bytes, h->model_sections_crc, m->name, ours.model_bytes,
	                 ours.model_sections_crc);
}

/* Copies the header, so that what is checked stays as it was. */
static brise_status read_header(const map_file *map, const brise_model *m, const char *path,
                                session_header *h, brise_error *err)
{
	size_t head = map->size < CONTENTS_HEAD ? map->size : CONTENTS_HEAD;
	brise_status status =
	        contents_check(map->bytes, head, map->size, CONTENTS_SESSION, path, err);

	if (status != BRISE_OK)
		return status;
	if (map->size < sizeof *h ||
	    memcmp(map->bytes, FORMAT_SESSION_MAGIC, FORMAT_SESSION_MAGIC_BYTES) != 0)
		return error_set(err, BRISE_EFORMAT, "%s: is no session, or cut off", path);
	memcpy(h, map->bytes, sizeof *h);
	if ((status = refuse_versions(h, path, err)) != BRISE_OK)
		return status;
	if (h->file_bytes != map->size)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: has %zu bytes, its header says %" PRIu64
		                 ": it is cut off or appended to",
		                 path, map->size, h->file_bytes);
	return refuse_model(h, m, path, err);
}

static brise_status refuse_option(const char *path, const char *what, uint64_t saved,
                                  uint64_t asked, brise_error *err)
{
	return error_set(err, BRISE_EINVAL,
	                 "%s: was saved with %s %" PRIu64 ", %" PRIu64 " is asked for", path, what,
	                 saved, asked);
}

static const char *name_kv(uint32_t kv)
{
	return kv == BRISE_KV_INT8 ? "int8" : kv == BRISE_KV_F32 ? "f32" : "an unknown type";
}

/* The options of a sequence that can go on with the file's: those asked for, or as it was. */
static brise_status choose_options(const session_header *h, const brise_model *m,
                                   const brise_sequence_options *asked, const char *path,
                                   brise_sequence_options *o, brise_error *err)
{
	uint64_t window = asked->window ? asked->window : m->config.window;

	if (asked->size > 0 && (uint32_t)asked->kv != h->kv)
		return error_set(err, BRISE_EINVAL,
		                 "%s: was saved with keys and values as %s, %s is asked for", path,
		                 name_kv(h->kv), name_kv((uint32_t)asked->kv));
	if (asked->size > 0 && window != h->window)
		return refuse_option(path, "a window of", h->window, window, err);
	if (asked->size > 0 && asked->sinks != h->sinks)
		return refuse_option(path, "sinks:", h->sinks, asked->sinks, err);
	*o = *asked;
	o->size = sizeof *o;
	o->kv = (brise_kv_type)h->kv;
	o->window = h->window;
	o->sinks = h->sinks;
	o->position = h->start;
	if (asked->size == 0 && h->window == 0)
		o->context = h->slots <= UINT32_MAX ? (uint32_t)h->slots : UINT32_MAX;
	if (asked->size == 0 && h->slack > 0)
		o->slack = h->slack;
	else if (asked->size == 0 && h->window > 0 && h->ring_slots > h->window)
		o->slack = h->ring_slots - h->window < PASS_ROWS_MAX
		                   ? (uint32_t)(h->ring_slots - h->window)
		                   : PASS_ROWS_MAX;
	return BRISE_OK;
}

/* An open file with what is being made of it. */
typedef struct loading {
	const char *path;
	map_file map;
	uint8_t *bytes; /* the map's */
	session_header h;
	layout l;
	uint64_t *oldest; /* [n_layers]; NULL: layers do not differ */
	brise_sequence *sequence;
	int32_t *tokens;
} loading;

static brise_status refuse_part(const loading *x, const char *part, brise_error *err)
{
	return error_set(err, BRISE_EFORMAT,
	                 "%s: the checksum of the session's %s differs: it is damaged", x->path,
	                 part);
}

static brise_status read_tokens(loading *x, uint32_t vocab, brise_error *err)
{
	uint64_t i;

	x->tokens = memory_new((size_t)x->h.n_tokens, sizeof *x->tokens);
	if (!x->tokens)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for its %" PRIu64 " tokens",
		                 x->path, x->h.n_tokens);
	memcpy(x->tokens, x->bytes + x->l.tokens_at, (size_t)x->l.tokens_bytes);
	if (crc32_update(0, x->tokens, (size_t)x->l.tokens_bytes) != x->h.tokens_crc)
		return refuse_part(x, "tokens", err);
	for (i = 0; i < x->h.n_tokens; i++)
		if (x->tokens[i] < 0 || (uint32_t)x->tokens[i] >= vocab)
			return error_set(err, BRISE_EFORMAT,
			                 "%s: token %" PRIu64 " is %" PRId32
			                 ", outside the vocabulary of %" PRIu32,
			                 x->path, i, x->tokens[i], vocab);
	return BRISE_OK;
}

static brise_status read_sampler(const loading *x, brise_sampler *sampler, brise_error *err)
{
	const size_t bytes = (size_t)x->l.sampler_bytes;
	brise_status status = BRISE_OK;
	uint32_t *words;

	if (!sampler || bytes == 0)
		return BRISE_OK;
	if (!(words = memory_copy(x->bytes + x->l.sampler_at, bytes)))
		return error_set(err, BRISE_ENOMEM, "%s: no memory for its sampler", x->path);
	if (crc32_update(0, words, bytes) != x->h.sampler_crc)
		status = refuse_part(x, "sampler", err);
	else
		status = sampler_load_state(sampler, words, bytes / sizeof *words, err);
	memory_free(words);
	return status;
}

/* What each layer of the ring holds of the image: all, or whole spans, of which two that share a
 * place cannot both be kept. */
static void choose_oldest(const loading *x, uint64_t *oldest)
{
	const kv_ring *ring = &x->sequence->ring;
	uint64_t spans = (x->h.position + SPAN_POSITIONS - 1) / SPAN_POSITIONS;
	uint32_t layer;

	for (layer = 0; layer < ring->n_layers; layer++) {
		uint64_t places = kv_slots_of(&ring->slots, layer) / SPAN_POSITIONS;

		oldest[layer] = x->oldest ? x->oldest[layer] : x->h.oldest;
		if (!kv_image_layer_fits(&x->l.image, ring, layer) && spans > places &&
		    oldest[layer] < (spans - places) * SPAN_POSITIONS)
			oldest[layer] = (spans - places) * SPAN_POSITIONS;
	}
}

static brise_status copy_ring(loading *x, const uint8_t *image, brise_error *err)
{
	kv_ring *ring = &x->sequence->ring;
	uint64_t *oldest = memory_new(ring->n_layers, sizeof *oldest);
	brise_status status;

	if (!oldest)
		return error_set(err, BRISE_ENOMEM, "%s: no memory for layers", x->path);
	choose_oldest(x, oldest);
	status = sequence_restore(x->sequence, x->h.position, oldest, err);
	if (status == BRISE_OK)
		kv_image_copy(&x->l.image, image, ring, oldest);
	memory_free(oldest);
	return status;
}

/* The ring's memory becomes the map, or a copy of what it holds. */
static brise_status take_ring(loading *x, brise_error *err)
{
	const session_header *h = &x->h;
	const uint8_t *image = x->bytes + x->l.image_at;
	kv_ring *ring = &x->sequence->ring;
	session_sum sum = { { 0 } };

	session_sum_add(&sum, x->bytes + h->ring_at,
	                (size_t)(x->l.image_at - h->ring_at + x->l.image_bytes));
	if (session_sum_end(&sum) != h->ring_sum)
		return refuse_part(x, "keys and values", err);
	if (!kv_image_check(&x->l.image, ring, image))
		return error_set(err, BRISE_EFORMAT,
		                 "%s: the session's keys and values have scales that are negative "
		                 "or not finite",
		                 x->path);
	if (!kv_image_fits(&x->l.image, ring))
		return copy_ring(x, image, err);
	kv_ring_adopt(ring, &x->map, x->bytes + x->l.image_at);
	x->map = MAP_CLOSED;
	return sequence_restore(x->sequence, h->position, x->oldest ? x->oldest : &h->oldest, err);
}

/* Where everything is, in a file for a ring of that shape. Copies what layers hold, so that what is
 * checked stays as it was. */
static brise_status find_parts(loading *x, const kv_ring *shape, brise_error *err)
{
	const uint64_t bytes = shape->n_layers * sizeof *x->oldest;
	brise_status status = new_oldest(&x->oldest, shape, err);

	if (status != BRISE_OK)
		return status;
	if ((!x->oldest || checked_inside(x->h.ring_at, bytes, x->map.size)) &&
	    (!x->oldest || memcpy(x->oldest, x->bytes + x->h.ring_at, (size_t)bytes)) &&
	    lay_out(&x->l, &x->h, shape, x->oldest))
		return BRISE_OK;
	return error_set(err, BRISE_EFORMAT,
	                 "%s: the fields of the session's header contradict each other", x->path);
}

static brise_status load(loading *x, const brise_model *model, const brise_sequence_options *asked,
                         brise_sampler *sampler, brise_error *err)
{
	brise_sequence_options o;
	brise_status status;

	if ((status = map_open_private(&x->map, &x->bytes, x->path, err)) != BRISE_OK ||
	    (status = read_header(&x->map, model, x->path, &x->h, err)) != BRISE_OK ||
	    (status = choose_options(&x->h, model, asked, x->path, &o, err)) != BRISE_OK ||
	    (status = brise_new_sequence(&x->sequence, model, &o, err)) != BRISE_OK)
		return status;
	if ((status = find_parts(x, &x->sequence->ring, err)) != BRISE_OK ||
	    (status = read_tokens(x, model->config.vocab, err)) != BRISE_OK ||
	    (status = take_ring(x, err)) != BRISE_OK ||
	    (status = read_sampler(x, sampler, err)) != BRISE_OK)
		return status;
	/* One of them is closed: the ring has taken the map, or a copy. */
	status = map_check(&x->map, x->path, err);
	return status == BRISE_OK ? map_check(&x->sequence->ring.map, x->path, err) : status;
}

/* A ring of the header's shape, without memory. */
static brise_status plan_shape(const session_header *h, const brise_model *m, kv_ring *shape,
                               const char *path, brise_error *err)
{
	const kv_slots layers = { .windows = h->slack > 0 ? m->windows : NULL,
		                  .limit = h->window,
		                  .slack = h->slack };

	if ((h->kv != BRISE_KV_INT8 && h->kv != BRISE_KV_F32) || h->ring_slots == 0 ||
	    h->ring_slots > UINT32_MAX)
		return error_set(err, BRISE_EFORMAT,
		                 "%s: the fields of the session's header contradict each other",
		                 path);
	return kv_ring_plan(shape, (brise_kv_type)h->kv, &m->config, h->ring_slots, &layers,
	                    h->sinks > 0, err);
}

brise_status session_read_tokens(const char *path, const brise_model *model, int32_t **tokens,
                                 size_t *n, brise_error *err)
{
	loading x = { .path = path, .map = MAP_CLOSED };
	brise_status status;
	kv_ring shape;

	*tokens = NULL;
	*n = 0;
	if ((status = map_open_private(&x.map, &x.bytes, path, err)) == BRISE_OK &&
	    (status = read_header(&x.map, model, path, &x.h, err)) == BRISE_OK &&
	    (status = plan_shape(&x.h, model, &shape, path, err)) == BRISE_OK &&
	    (status = find_parts(&x, &shape, err)) == BRISE_OK)
		status = read_tokens(&x, model->config.vocab, err);
	memory_free(x.oldest);
	if (status == BRISE_OK)
		status = map_check(&x.map, path, err);
	map_close(&x.map);
	if (status != BRISE_OK) {
		memory_free(x.tokens);
		return status;
	}
	*tokens = x.tokens;
	*n = (size_t)x.h.n_tokens;
	return BRISE_OK;
}

uint64_t session_bytes(const brise_sequence *sequence, size_t n)
{
	session_header h = describe(sequence, n, 0);
	kv_image image = image_of(&h, &sequence->ring, sequence->oldest_of);
	uint64_t bytes;

	return kv_image_bytes(&image, &sequence->ring, &bytes)
	               ? bytes + layers_bytes(&sequence->ring) + n * sizeof(int32_t)
	               : UINT64_MAX / 2;
}

uint64_t session_identity(const brise_sequence *sequence)
{
	session_header h = describe(sequence, 0, 0);
	const uint64_t parts[] = { h.version,
		                   h.contract,
		                   h.model_bytes,
		                   h.model_header_crc,
		                   h.model_sections_crc,
		                   h.kv,
		                   h.window,
		                   h.sinks,
		                   h.start };
	uint64_t identity = 0;
	size_t i;

	for (i = 0; i < sizeof parts / sizeof *parts; i++)
		identity = entry_mix(identity, parts[i]);
	return identity;
}

brise_status brise_load_session(brise_sequence **out, int32_t **tokens, size_t *n, const char *path,
                                const brise_model *model, const brise_sequence_options *options,
                                brise_sampler *sampler, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(out), ERROR_ARGUMENT(path),
		                          ERROR_ARGUMENT(model) };
	brise_sequence_options asked = { .size = 0 };
	loading x = { .path = path, .map = MAP_CLOSED };
	brise_status status = error_check_pointers(err, "brise_load_session", needed, 3);

	if (out)
		*out = NULL;
	if (tokens)
		*tokens = NULL;
	if (n)
		*n = 0;
	if (status == BRISE_OK && options)
		status = sized_read(&asked, sizeof asked, options, "sequence options", err);
	if (status == BRISE_OK)
		status = load(&x, model, &asked, sampler, err);
	map_close(&x.map);
	memory_free(x.oldest);
	if (status != BRISE_OK) {
		brise_free_sequence(x.sequence);
		memory_free(x.tokens);
		return status;
	}
	*out = x.sequence;
	if (n)
		*n = (size_t)x.h.n_tokens;
	if (tokens)
		*tokens = x.tokens;
	else
		memory_free(x.tokens);
	return BRISE_OK;
}

/* ---- using what is there -------------------------------------------------------------------- */

brise_status brise_keep_prefix(brise_sequence *sequence, const int32_t *held, size_t n_held,
                               const int32_t *tokens, size_t n, size_t *kept, brise_error *err)
{
	const error_argument needed[] = { ERROR_ARGUMENT(sequence), ERROR_ARGUMENT(kept) };
	brise_status status = error_check_pointers(err, "brise_keep_prefix", needed, 2);
	const brise_sequence_facts *f;
	size_t common = 0;

	if (status != BRISE_OK)
		return status;
	*kept = 0;
	if ((!held && n_held > 0) || (!tokens && n > 0))
		return error_set(err, BRISE_EINVAL, "brise_keep_prefix: %s is NULL",
		                 tokens ? "held" : "tokens");
	f = brise_get_sequence_facts(sequence);
	if (n_held > f->position - f->start)
		n_held = (size_t)(f->position - f->start);
	while (common < n_held && common < n && held[common] == tokens[common])
		common++;
	/* Logits come with a token that is evaluated. */
	if (common == n && n > 0)
		common--;
	if (f->start + common < f->rewind_from)
		common = 0;
	*kept = common;
	return brise_rewind_sequence(sequence, f->start + common, err);
}
