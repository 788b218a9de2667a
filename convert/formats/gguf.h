/* gguf.h - GGUF, the file format of ggml's models: its constants, as stored in the file
 *
 * Source: ggml's docs/gguf.md (github.com/ggml-org/ggml) for the container, ggml.h and
 * ggml-common.h for the element types. All integers are little-endian. A file of version 2 or 3:
 *
 *   "GGUF", u32 version, u64 tensors, u64 metadata pairs        (version 1 had 32-bit counts)
 *   pairs:    string key, u32 type, value
 *             array: u32 type of elements, u64 n, the elements
 *             string: u64 bytes, bytes without NUL
 *   tensors:  string name, u32 dimensions, u64 ne[dimensions], u32 element type, u64 offset from
 *             the data's start
 *   zeros up to a multiple of general.alignment (32 if absent): the data starts there; every offset
 *   is a multiple of it, too
 *
 * ne[0] is the contiguous dimension: a matrix of ne {cols, rows} is stored row by row, every row a
 * whole number of blocks.
 */
#ifndef CONVERT_FORMATS_GGUF_H
#define CONVERT_FORMATS_GGUF_H

#include <stdint.h>

#define GGUF_MAGIC "GGUF" /* 4 bytes, no NUL */
/* differs from 2 by allowing big-endian files, which are not read here */
#define GGUF_VERSION      3u
#define GGUF_ALIGNMENT    32u /* of data where general.alignment is absent */
#define GGUF_DIMS_MAX     4u
#define GGUF_NAME_MAX     63u /* bytes of a tensor's name: ggml keeps 64 with the NUL */
#define GGUF_HEADER_BYTES 24u /* magic, version and both counts */

/* Of brise's own, an array of u32: the window of each layer, 0: none, where they differ. llama.cpp
 * has no windows in Mistral's architectures. */
#define GGUF_WINDOWS "brise.windows"

/* Types of metadata values. Booleans are one byte, 0 or 1. */
enum gguf_value_type {
	GGUF_U8 = 0,
	GGUF_I8 = 1,
	GGUF_U16 = 2,
	GGUF_I16 = 3,
	GGUF_U32 = 4,
	GGUF_I32 = 5,
	GGUF_F32 = 6,
	GGUF_BOOL = 7,
	GGUF_STRING = 8,
	GGUF_ARRAY = 9,
	GGUF_U64 = 10,
	GGUF_I64 = 11,
	GGUF_F64 = 12,
	GGUF_VALUE_TYPES = 13
};

/* Element types of tensors that are read here; gguf_reader.c has the names of the others. */
enum ggml_type {
	GGML_F32 = 0,
	GGML_F16 = 1,
	GGML_Q4_0 = 2,
	GGML_Q4_1 = 3,
	GGML_Q5_0 = 6,
	GGML_Q5_1 = 7,
	GGML_Q8_0 = 8,
	GGML_Q2_K = 10,
	GGML_Q3_K = 11,
	GGML_Q4_K = 12,
	GGML_Q5_K = 13,
	GGML_Q6_K = 14,
	GGML_IQ4_NL = 20,
	GGML_IQ4_XS = 23,
	GGML_BF16 = 30
};

/* Elements and bytes of one block: f16 scale (and minimum or offset), then codes; "K" are
 * superblocks with scales of their parts. */
enum ggml_block {
	GGML_Q4_0_BLOCK = 32,
	GGML_Q4_0_BYTES = 18,
	GGML_Q4_1_BLOCK = 32,
	GGML_Q4_1_BYTES = 20,
	GGML_Q5_0_BLOCK = 32,
	GGML_Q5_0_BYTES = 22,
	GGML_Q5_1_BLOCK = 32,
	GGML_Q5_1_BYTES = 24,
	GGML_Q8_0_BLOCK = 32,
	GGML_Q8_0_BYTES = 34,
	GGML_Q2_K_BLOCK = 256,
	GGML_Q2_K_BYTES = 84,
	GGML_Q3_K_BLOCK = 256,
	GGML_Q3_K_BYTES = 110,
	GGML_Q4_K_BLOCK = 256,
	GGML_Q4_K_BYTES = 144,
	GGML_Q5_K_BLOCK = 256,
	GGML_Q5_K_BYTES = 176,
	GGML_Q6_K_BLOCK = 256,
	GGML_Q6_K_BYTES = 210,
	GGML_IQ4_NL_BLOCK = 32,
	GGML_IQ4_NL_BYTES = 18,
	GGML_IQ4_XS_BLOCK = 256,
	GGML_IQ4_XS_BYTES = 136
};

/* general.file_type, which names the type of most tensors. */
enum gguf_file_type {
	GGUF_FILE_F32 = 0,
	GGUF_FILE_F16 = 1,
	GGUF_FILE_Q4_0 = 2,
	GGUF_FILE_Q8_0 = 7
};

/* tokenizer.ggml.token_type, llama.cpp's numbers, which are SentencePiece's. */
enum gguf_token_type {
	GGUF_TOKEN_NORMAL = 1,
	GGUF_TOKEN_UNKNOWN = 2,
	GGUF_TOKEN_CONTROL = 3,
	GGUF_TOKEN_USER_DEFINED = 4,
	GGUF_TOKEN_UNUSED = 5,
	GGUF_TOKEN_BYTE = 6
};

#endif
