/* file.h - the bytes of a session's file
 *
 * Little-endian, as a model's. After the header come, each at the next multiple of 64 bytes:
 *
 *     sampler       u32 [n_sampler]   see runtime/sample/sampler.h; may be absent
 *     tokens        i32 [n_tokens]
 *
 * and at `ring_at`, to the file's end, the image of the ring (runtime/eval/kv_image.h). Where the
 * windows of layers differ, it follows a page of SESSION_PAGE bytes that begins with
 *
 *     oldest        u64 [n_layers]    the first position of each layer that is held
 */
#ifndef RUNTIME_SESSION_FILE_H
#define RUNTIME_SESSION_FILE_H

#include <assert.h>
#include <stdint.h>

#include "runtime/model/format.h"

#define SESSION_VERSION 1u

/* Where a ring begins: a multiple of every system's pages, so that it can be mapped. */
#define SESSION_PAGE 65536u

typedef struct session_header {
	char magic[FORMAT_SESSION_MAGIC_BYTES];
	uint32_t version;
	uint32_t contract; /* quant/contract.h */
	uint64_t file_bytes;
	/* the model: its file's size and two checksums that depend on all of its bytes */
	uint64_t model_bytes;
	uint32_t model_header_crc, model_sections_crc;
	/* the sequence; see brise_sequence_facts */
	uint32_t kv, window, sinks;
	uint32_t slack; /* where the windows of layers differ; 0: they do not */
	uint64_t slots, ring_slots;
	uint64_t start, position;
	uint64_t oldest; /* the first position whose keys and values are held, of all layers */
	uint64_t n_tokens, n_sampler;
	uint64_t ring_at;
	uint32_t sampler_crc, tokens_crc;
	uint32_t ring_sum;   /* runtime/session/sum.h */
	uint32_t header_crc; /* CRC-32 of the bytes before */
} session_header;

static_assert(sizeof(session_header) == 144, "the header is 144 bytes in the file");

#endif
