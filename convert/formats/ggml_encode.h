/* ggml_encode.h - rows of floats as the element types of GGUF that brise writes: F32, F16, Q8_0,
 * Q4_0
 *
 * A block of 32 columns is a binary16 scale d and its codes:
 *
 *   Q8_0  weight = d * code, int8 code[32]: 8.5 bits
 *   Q4_0  weight = d * (code - 8), code 0..15; byte j of 16 holds column j in its low four bits and
 *         column j + 16 in its high ones: 4.5 bits
 *
 * F32 and F16 have no blocks and any number of columns. Source: ggml-common.h
 * (github.com/ggml-org/ggml).
 */
#ifndef CONVERT_FORMATS_GGML_ENCODE_H
#define CONVERT_FORMATS_GGML_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/formats/gguf.h"
#include "quant/encode/tile_error.h"

/* "F16" and so on, for messages; "?" for a type that is not written here. */
const char *ggml_encoded_name(enum ggml_type type);

/* Bytes of a row of `cols`, at most 2^21. False: not a whole number of blocks, or a type that is
 * not written here. */
bool ggml_encoded_bytes(enum ggml_type type, size_t cols, size_t *bytes);

/* Encodes row [cols], finite, into `out` of ggml_encoded_bytes. The same row gives the same bytes
 * on every machine. Adds to *sum. False if a weight (F16) or a scale (Q8_0, Q4_0) is too large for
 * binary16. */
bool ggml_encode_row(enum ggml_type type, uint8_t *out, const float *row, size_t cols,
                     tile_error *sum);

#endif
