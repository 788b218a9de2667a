/* format.h - the file's fixed structures; quant/FORMAT.md explains them byte by byte
 *
 * All integers are little-endian and naturally aligned, so the structures below are the bytes of
 * the file. Machines of the other byte order refuse at open.
 */
#ifndef RUNTIME_FORMAT_H
#define RUNTIME_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "quant/types.h"

/* 8 bytes; a transfer that rewrites line ends spoils it visibly */
#define FORMAT_MAGIC   "BRISE\r\n\x1a"
#define FORMAT_VERSION 2u
/* of a session (runtime/session/file.h), 16 bytes */
#define FORMAT_SESSION_MAGIC       "BRISE SESSION\r\n\x1a"
#define FORMAT_SESSION_MAGIC_BYTES 16u
#define FORMAT_PAGE                4096u /* alignment of every tensor */

typedef struct format_header {
	char magic[8];
	uint32_t version; /* a reader refuses versions above its own */
	/* size of one entry of the section table, >= 32: newer files may append fields */
	uint32_t section_bytes;
	uint64_t file_bytes;
	uint32_t n_sections;
	uint32_t sections_crc; /* CRC-32 of the section table, which follows the header */
	uint32_t reserved[7];
	uint32_t header_crc; /* CRC-32 of the 60 bytes before */
} format_header;

enum format_section_kind {
	SECTION_CONFIG = 1,
	SECTION_TENSORS = 2,
	SECTION_TOKENIZER = 3,
	SECTION_ORIGIN = 4, /* what the converter decided, UTF-8 lines */
	SECTION_ENDS = 5,   /* ids that end a generation, i32 each */
	SECTION_ADDED = 6,  /* how text is cut beside added tokens, runtime/text/added_section.h */
	SECTION_TEMPLATE = 7, /* the template of conversations, UTF-8; kept as text, not executed */
	SECTION_CHAT = 8, /* the format of conversations: a name, or affixes (runtime/CHAT.md) */
	SECTION_WINDOWS =
	        9, /* the window of each layer, u32; absent: all have the configuration's */
	SECTION_KINDS = 10
};

#define FORMAT_ENDS_MAX     256u       /* entries of SECTION_ENDS */
#define FORMAT_CHAT_MAX     (1u << 16) /* bytes of SECTION_CHAT */
#define FORMAT_TEMPLATE_MAX (1u << 20) /* bytes of SECTION_TEMPLATE; published ones have 10,000 */

#define SECTION_REQUIRED 1u /* a reader that does not know the kind must refuse the file */

typedef struct format_section {
	uint32_t kind;
	uint32_t flags;
	uint64_t offset; /* multiple of 64 */
	uint64_t bytes;
	uint32_t crc;
	uint32_t reserved;
} format_section;

typedef struct format_config {
	uint32_t dim, n_layers, n_heads, n_kv_heads;
	uint32_t head_dim, hidden_dim, vocab, window; /* window 0: none */
	uint32_t max_context;                         /* 0: not stated */
	int32_t bos, eos;                             /* -1: none */
	float norm_eps;
	double rope_theta;
	uint32_t reserved[2];
	/* from version 2 on; in files of version 1 all of it is 0 (runtime/model/config.h) */
	uint32_t flags;        /* FORMAT_TIED */
	uint32_t rope_scaling; /* ROPE_UNSCALED, ... */
	double rope_factor, rope_beta_fast, rope_beta_slow;
	double rope_magnitude;   /* of cosines and sines; 0: 1 */
	uint32_t rope_original;  /* positions that frequencies were trained for */
	uint32_t query_original; /* positions from one step of the factor of queries to the next */
	double query_beta;       /* 0: queries have no factor */
	uint32_t reserved_2[2];
} format_config;

#define FORMAT_CONFIG_1 64u /* bytes of a configuration of version 1 */

#define FORMAT_TIED 1u /* no output tensor: the embedding is the output matrix as well */

enum format_rope_scaling {
	ROPE_UNSCALED = 0,
	ROPE_LINEAR = 1, /* all frequencies over rope_factor */
	ROPE_YARN = 2,   /* arXiv 2309.00071: runtime/eval/rope_scaling.h */
	ROPE_SCALINGS = 3
};

/* Kinds of tensors, in the order of use within a layer; "layer" is 0 for those outside. */
enum format_tensor_kind {
	TENSOR_EMBEDDING = 1, /* [vocab][dim] */
	TENSOR_ATTENTION_NORM = 2,
	/* rows of q and k: within a head the first halves of the rotated pairs, then the second
	   halves */
	TENSOR_WQ = 3,
	TENSOR_WK = 4,
	TENSOR_WV = 5,
	TENSOR_WO = 6,
	TENSOR_FFN_NORM = 7,
	TENSOR_W1 = 8,  /* gate */
	TENSOR_W3 = 9,  /* up */
	TENSOR_W2 = 10, /* down */
	TENSOR_FINAL_NORM = 11,
	TENSOR_OUTPUT = 12,
	TENSOR_KINDS = 13
};

typedef struct format_tensor {
	uint32_t kind, layer, type; /* type: quant/types.h */
	uint32_t rows, cols;
	uint32_t crc;
	uint64_t offset; /* multiple of FORMAT_PAGE */
	uint64_t bytes;
	float relative_error; /* squared error of the conversion over the squared norm */
	uint32_t reserved[5];
} format_tensor;

static_assert(sizeof(format_header) == 64, "header is 64 bytes in the file");
static_assert(sizeof(format_section) == 32, "section entry is 32 bytes in the file");
static_assert(sizeof(format_config) == 128, "configuration is 128 bytes in the file");
static_assert(offsetof(format_config, flags) == FORMAT_CONFIG_1, "version 1 has 64 bytes of it");
static_assert(sizeof(format_tensor) == 64, "tensor entry is 64 bytes in the file");

/* The structures are the bytes of the file only where integers are little-endian. */
static inline bool format_is_native(void)
{
	const uint16_t probe = 1;
	uint8_t first;

	memcpy(&first, &probe, 1);
	return first == 1;
}

#endif
