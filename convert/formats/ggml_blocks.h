/* ggml_blocks.h - ggml's quantized blocks turned into floats (element types of GGUF,
 * convert/formats/gguf.h) */
#ifndef CONVERT_FORMATS_GGML_BLOCKS_H
#define CONVERT_FORMATS_GGML_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* Decodes n blocks as stored in the file, without alignment, to `out` [n][elements of a block]. The
 * floats are those of ggml's own dequantize_row_* bit for bit. Any bytes decode; a scale that is
 * infinite or not a number gives elements that are. */
typedef void ggml_decode_fn(float *out, const uint8_t *blocks, size_t n);

ggml_decode_fn ggml_decode_q4_0, ggml_decode_q4_1, ggml_decode_q5_0, ggml_decode_q5_1,
        ggml_decode_q8_0;
ggml_decode_fn ggml_decode_q2_k, ggml_decode_q3_k, ggml_decode_q4_k, ggml_decode_q5_k,
        ggml_decode_q6_k;
ggml_decode_fn ggml_decode_iq4_nl, ggml_decode_iq4_xs;

#endif
