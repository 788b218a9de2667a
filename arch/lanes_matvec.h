/* lanes_matvec.h - template of the products with one token; arch/lanes.h says what it is made of
 *
 * Codes are looked up and multiplied as they are read; memory is the limit. Four tiles side by
 * side, each from its own part of the rows, or one after another: arch/lanes_prefetch.h says why.
 */
#ifndef ARCH_LANES_MATVEC_H
#define ARCH_LANES_MATVEC_H

#include "arch/lanes_prefetch.h"
#include "arch/lanes_scales.h"

#define LANES_STREAMS 4 /* tiles side by side */

/* Prefetches the beginnings of the streams, since no earlier group did. */
INLINE void prefetch_starts(const arch_matrix *w, size_t first, size_t each)
{
	size_t s, i;

	for (s = 0; s < LANES_STREAMS && each > 0; s++)
		for (i = 0; i < LANES_PREFETCH; i += 64)
			lanes_prefetch(w->tiles + (first + s * each) * w->tile_bytes + i);
}

#ifndef LANES_OWN_WIDENING
/* LANES_START + shift * sum for the 16 rows. */
INLINE void lanes_starts(lanes_int starts[], const int8_t *shift, int32_t sum)
{
	int part;

	UNROLL
	for (part = 0; part < LANES_PARTS; part++)
		starts[part] = lanes_add_int(lanes_times(lanes_widen(shift + LANES * part), sum),
		                             lanes_fill(LANES_START));
}

/* The magnitudes of 16 rows as floats. */
INLINE void lanes_magnitudes(lanes_float out[], const int8_t *magnitude)
{
	int part;

	UNROLL
	for (part = 0; part < LANES_PARTS; part++)
		out[part] = lanes_to_float(lanes_widen(magnitude + LANES * part));
}
#endif

#ifndef LANES_OWN_DOTS
/* The 32 activations of a block, as the products want them. */
typedef const int8_t *lanes_columns;

INLINE lanes_columns lanes_columns_at(const int8_t *x) { return x; }

/* Adds the products of LANES rows of a block, whose codes are looked up. */
INLINE lanes_int lanes_dot_codes(lanes_int dots, const uint8_t *codes, lanes_columns x,
                                 const lanes_tables *tables, const enum lanes_type type)
{
	lanes_int fourth;
	int j;

	UNROLL
	for (j = 0; j < 4; j++) {
		lanes_int bytes = load_nibbles(&fourth, codes, j, type),
		          table = table_of(tables, j, type);

		dots = lanes_dot(dots, lanes_lookup(table, lanes_low4(bytes)), x, j);
		dots = lanes_dot(dots, lanes_lookup(table, lanes_high4(bytes)), x + 16, j);
	}
	return dots;
}
#endif

/* Adds one block of q3 or q4 to sums[LANES_PARTS]. */
INLINE void add_block_book(lanes_float sums[], const uint8_t *codes, const int8_t *shift,
                           const int8_t *magnitude, const arch_vectors *x, size_t b,
                           const lanes_tables *tables, const enum lanes_type type)
{
	const lanes_columns columns = lanes_columns_at(x->codes + b * TILE_BLOCK);
	lanes_int starts[LANES_PARTS];
	lanes_float magnitudes[LANES_PARTS];
	int part;

	lanes_starts(starts, shift, x->sums[b]);
	lanes_magnitudes(magnitudes, magnitude);
	UNROLL
	for (part = 0; part < LANES_PARTS; part++) {
		lanes_int dots = lanes_dot_codes(starts[part], codes + 4 * LANES * part, columns,
		                                 tables, type);
		lanes_float m = magnitudes[part];

		sums[part] = lanes_add(sums[part], lanes_mul(lanes_product(dots, m, offset_of(m)),
		                                             lanes_fill_float(x->scales[b])));
		lanes_barrier(sums[part]);
	}
}

/* Tiles tile, tile + apart and so on, `streams` of them. */
INLINE void multiply_streams_book(float *y, const arch_matrix *w, const arch_vectors *x,
                                  size_t tile, size_t apart, const lanes_tables *tables,
                                  const enum lanes_type type, const int streams,
                                  const bool one_stream)
{
	const uint8_t *bytes = w->tiles + tile * w->tile_bytes;
	const size_t stride = apart * w->tile_bytes;
	lanes_float sums[LANES_STREAMS][LANES_PARTS];
	size_t b, at = TILE_HEAD;
	unsigned i;
	int s, part;

	for (s = 0; s < streams; s++)
		for (part = 0; part < LANES_PARTS; part++)
			sums[s][part] = lanes_fill_float(0);
	for (b = 0; b < w->blocks; b += TILE_BLOCKS, at += group_bytes(type)) {
		UNROLL_OUTER
		for (s = 0; s < streams; s++) {
			const uint8_t *group = bytes + (size_t)s * stride + at;
			lanes_scales scales;

			read_scales(&scales, group, tables);
			prefetch_first(group, one_stream);
			for (i = 0; i < TILE_BLOCKS; i++) {
				const uint8_t *codes = group + TILE_SCALES + i * block_bytes(type);

				prefetch_lines(codes, (unsigned)block_bytes(type) / 64, one_stream);
				add_block_book(sums[s], codes, scales.shift + i * TILE_ROWS,
				               scales.magnitude + i * TILE_ROWS, x, b + i, tables,
				               type);
			}
		}
	}
	for (s = 0; s < streams; s++)
		store_rows(y + (tile + (size_t)s * apart) * TILE_ROWS, sums[s],
		           bytes + (size_t)s * stride);
}

INLINE void matvec_book(float *y, const arch_matrix *w, const arch_vectors *x, size_t first,
                        size_t end, const enum lanes_type type)
{
	const lanes_tables tables = make_tables(type, LANES_BIAS_VECTOR, -LANES_BIAS_VECTOR);
	size_t each = (end - first) / LANES_STREAMS, i;

	prefetch_starts(w, first, each);
	for (i = 0; i < each; i++)
		multiply_streams_book(y, w, x, first + i, each, &tables, type, LANES_STREAMS,
		                      false);
	for (first += each * LANES_STREAMS; first < end; first++)
		multiply_streams_book(y, w, x, first, 0, &tables, type, 1, false);
}

INLINE void add_block_q8(lanes_float sums[], const uint8_t *codes, const uint8_t *magnitude,
                         const arch_vectors *x, size_t b)
{
	const lanes_int bias = lanes_fill_bytes(LANES_BIAS_FULL);
	lanes_int dots[LANES_PARTS];
	int part, g;

	UNROLL
	for (part = 0; part < LANES_PARTS; part++)
		dots[part] = lanes_fill(LANES_START - LANES_BIAS_FULL * x->sums[b]);
	UNROLL
	for (g = 0; g < 8; g++)
		UNROLL
	for (part = 0; part < LANES_PARTS; part++) {
		lanes_int bytes = lanes_load(codes + 64 * g + 4 * LANES * part);

		dots[part] = lanes_dot_full(dots[part],
		                            LANES_BIAS_FULL ? lanes_add_bytes(bytes, bias) : bytes,
		                            x->codes + b * TILE_BLOCK + g / 4 * 16, g % 4);
	}
	UNROLL
	for (part = 0; part < LANES_PARTS; part++) {
		lanes_float m = lanes_to_float(lanes_widen_unsigned(magnitude + LANES * part));

		sums[part] =
		        lanes_add(sums[part], lanes_mul(lanes_product(dots[part], m, offset_of(m)),
		                                        lanes_fill_float(x->scales[b])));
	}
}

INLINE void multiply_streams_q8(float *y, const arch_matrix *w, const arch_vectors *x, size_t tile,
                                size_t apart, const int streams, const bool one_stream)
{
	const uint8_t *bytes = w->tiles + tile * w->tile_bytes;
	const size_t stride = apart * w->tile_bytes;
	lanes_float sums[LANES_STREAMS][LANES_PARTS];
	size_t b, at = TILE_HEAD;
	unsigned i;
	int s, part;

	for (s = 0; s < streams; s++)
		for (part = 0; part < LANES_PARTS; part++)
			sums[s][part] = lanes_fill_float(0);
	for (b = 0; b < w->blocks; b += TILE_BLOCKS, at += Q8_GROUP_BYTES) {
		UNROLL_OUTER
		for (s = 0; s < streams; s++) {
			const uint8_t *group = bytes + (size_t)s * stride + at;

			prefetch_first(group, one_stream);
			for (i = 0; i < TILE_BLOCKS; i++) {
				const uint8_t *codes = group + TILE_SCALES + i * Q8_BLOCK_BYTES;

				prefetch_lines(codes, 8, one_stream);
				add_block_q8(sums[s], codes, group + i * TILE_ROWS, x, b + i);
			}
		}
	}
	for (s = 0; s < streams; s++)
		store_rows(y + (tile + (size_t)s * apart) * TILE_ROWS, sums[s],
		           bytes + (size_t)s * stride);
}

INLINE void matvec_q8(float *y, const arch_matrix *w, const arch_vectors *x, size_t first,
                      size_t end)
{
	size_t each = (end - first) / LANES_STREAMS, i;

	prefetch_starts(w, first, each);
	for (i = 0; i < each; i++)
		multiply_streams_q8(y, w, x, first + i, each, LANES_STREAMS, false);
	for (first += each * LANES_STREAMS; first < end; first++)
		multiply_streams_q8(y, w, x, first, 0, 1, false);
}

INLINE void lanes_matvec(float *y, const arch_matrix *w, const arch_vectors *x, size_t first,
                         size_t end, const enum lanes_type type)
{
	if (type == LANES_Q8)
		matvec_q8(y, w, x, first, end);
	else
		matvec_book(y, w, x, first, end, type);
}

#endif
