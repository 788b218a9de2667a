/* test_kernels.c - every function of every kernel set gives the bits of arch/scalar.c, and accesses
 * nothing past its buffers */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/kernels.h"
#include "arch/math.h"
#include "arch/tools/tools.h"
#include "quant/encode/book_search.h"
#include "quant/encode/encoders.h"
#include "quant/half.h"
#include "quant/types.h"
#include "test/check.h"
#include "test/guarded.h"
#include "test/random.h"

/* Kinds of data that occur in valid and in damaged files. */
enum { DATA_GAUSS, DATA_EXTREME, DATA_WILD, DATA_ZERO, DATA_KINDS };

static const char *const data_names[DATA_KINDS] = { "gauss", "extreme", "wild", "zero" };

typedef struct matmul_case {
	uint32_t rows, cols;
	size_t n;
	int data;
	uint64_t seed;
} matmul_case;

static void fill_floats(uint64_t *seed, float *x, size_t n, int data)
{
	size_t i;

	for (i = 0; i < n; i++) {
		float sign = random_next(seed) & 1 ? 1 : -1;

		switch (data) {
		case DATA_GAUSS:
			x[i] = random_gauss(seed);
			break;
		case DATA_EXTREME:
			x[i] = sign * 3;
			break;
		case DATA_WILD: /* from subnormal to large, and exact zeros */
			x[i] = random_next(seed) % 5 == 0
			               ? 0
			               : sign * ldexpf(1 + random_float(seed) / 3,
			                               (int)(random_next(seed) % 60) - 40);
			break;
		default:
			x[i] = 0;
		}
	}
}

/* Tiles with random bytes are as legal as any: all scales, signs, shifts and codes occur. Row
 * scales stay finite. */
static void fill_tiles(uint64_t *seed, uint8_t *tiles, size_t bytes, size_t tile_bytes, size_t head,
                       int data)
{
	/* As scales: the highest shift, and the lowest with the smallest and the largest
	 * magnitude. */
	static const uint8_t extreme[4] = { 0xff, 0xff, 0x80, 0x8f };
	size_t i;
	unsigned row;

	for (i = 0; i < bytes; i++)
		tiles[i] = data == DATA_ZERO      ? 0
		           : data == DATA_EXTREME ? extreme[random_next(seed) % 4]
		                                  : (uint8_t)random_next(seed);
	for (i = 0; head && i < bytes; i += tile_bytes)
		for (row = 0; row < TILE_ROWS; row++) {
			float scale = data == DATA_ZERO ? 0 : random_float(seed);

			memcpy(tiles + i + 4 * row, &scale, sizeof scale);
		}
}

/* Codes of activations and queries are never -128: they are quantized by kernels. Those of q8, keys
 * and values come from files. */
static void forbid_lowest(uint8_t *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (bytes[i] == 0x80)
			bytes[i] = 0x81;
}

/* Where any may come, every second negative code is -128: beside codes of 127 on the other side
 * those are the largest products. */
static void add_lowest(uint8_t *bytes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (bytes[i] > 0xc0)
			bytes[i] = 0x80;
}

static void finite_halves(uint8_t *tiles, size_t bytes)
{
	size_t i;

	for (i = 1; i < bytes; i += 2)
		tiles[i] &= 0xbf; /* exponent below 16: |w| < 2 */
}

/* All types that have products. */
#define TYPE_ENTRY(type, id) id,
static const uint32_t types[] = { ARCH_PRODUCTS(TYPE_ENTRY) };
#define N_TYPES (sizeof types / sizeof *types)

static void check_matmul(check_counts *counts, const arch_kernels *set, uint32_t type,
                         const matmul_case *c)
{
	const size_t tile_bytes = type_find(type)->tile_bytes(c->cols);
	size_t tiles = tile_count(c->rows), blocks = tile_blocks(c->cols),
	       padded = tile_padded(c->cols), ldy = tiles * TILE_ROWS;
	uint64_t seed = c->seed;
	size_t slabs = c->n * vectors_slabs(blocks) * SLAB_BLOCKS, t;
	guarded w = guarded_new(tiles * tile_bytes, 64),
	        codes = guarded_new(slabs * TILE_BLOCK, 64), scales = guarded_new(slabs * 4, 4);
	guarded sums = guarded_new(slabs * 4, 4), floats = guarded_new(c->n * padded * 4, 4),
	        a = guarded_new(c->n * ldy * 4, 4);
	guarded b = guarded_new(c->n * ldy * 4, 4), scratch = guarded_new(ARCH_SCRATCH * 4, 64);
	arch_matrix matrix = { w.data, tile_bytes, blocks };
	arch_vectors x = { (int8_t *)codes.data,
		           (float *)(void *)scales.data,
		           (int32_t *)(void *)sums.data,
		           (float *)(void *)floats.data,
		           blocks,
		           c->n };

	fill_tiles(&seed, w.data, tiles * tile_bytes, tile_bytes, type != TYPE_F16, c->data);
	for (t = 0; type == TYPE_Q8 && t < tiles; t++)
		add_lowest(w.data + t * tile_bytes + TILE_HEAD, tile_bytes - TILE_HEAD);
	if (type == TYPE_F16)
		finite_halves(w.data, tiles * tile_bytes);
	fill_floats(&seed, x.floats, c->n * padded, c->data);
	for (t = 0; t < c->n; t++)
		arch_quantize(&arch_scalar, &x, t);
	arch_matmul_for(&arch_scalar, type, false)((float *)(void *)a.data, ldy, &matrix, &x, 0,
	                                           tiles, NULL);
	arch_matmul_for(set, type, false)((float *)(void *)b.data, ldy, &matrix, &x, 0, tiles,
	                                  c->n > 1 ? (float *)(void *)scratch.data : NULL);
	CHECK(counts, !memcmp(a.data, b.data, c->n * ldy * 4), "%s %s %ux%u n=%zu %s", set->name,
	      type_name(type), c->rows, c->cols, c->n, data_names[c->data]);
	guarded_free(&w), guarded_free(&codes), guarded_free(&scales), guarded_free(&sums),
	        guarded_free(&floats), guarded_free(&a), guarded_free(&b);
	guarded_free(&scratch);
}

static void test_matrix_products(check_counts *counts, const arch_kernels *set)
{
	matmul_case c = { .seed = 1 };
	unsigned type;

	for (type = 0; type < N_TYPES; type++)
		for (c.data = 0; c.data < DATA_KINDS; c.data++)
			for (c.n = 1; c.n <= 9; c.n++) {
				c.rows = 16 * (1 + (uint32_t)c.n % 3);
				c.cols = c.n % 2 ? 128 * (uint32_t)c.n : 40;
				c.seed++;
				check_matmul(counts, set, types[type], &c);
			}
	/* A few tokens, which are multiplied without a panel: an odd tile, a slab that is not
	 * full. */
	for (type = 0; type < N_TYPES; type++)
		for (c.n = 2; c.n <= 34 && type_find(types[type])->takes_int8; c.n++) {
			c = (matmul_case){ 16 * 3, 128 * 9, c.n, DATA_GAUSS, c.seed + 1 };
			check_matmul(counts, set, types[type], &c);
		}
	/* More tokens than fit in one pass, in one batch, in one group; more tiles than in a group,
	 * and an odd one. */
	for (type = 0; type < N_TYPES; type++) {
		static const size_t many[] = { 10,  11,  12,  13,  15,  16,  17,  31,  32, 37,
			                       127, 128, 129, 131, 150, 256, 257, 261, 520 };
		unsigned i;

		for (i = 0; i < sizeof many / sizeof *many; i++) {
			c = (matmul_case){ i % 4 == 3 ? 16 * 11 : 16, i % 2 ? 128 : 128 * 5,
				           many[i], DATA_GAUSS, c.seed + 1 };
			check_matmul(counts, set, types[type], &c);
		}
	}
}

/* The one-stream functions, which some processors prefer, give the same bits. */
static void test_one_stream(check_counts *counts, const char *name, const arch_cpu *cpu)
{
	arch_cpu other = *cpu;
	arch_kernels set;
	unsigned i;

	other.one_stream = false;
	CHECK(counts, arch_choose(&set, name, &other), "%s: no set", name);
	for (i = 0; i < N_TYPES; i++)
		CHECK(counts,
		      arch_matmul_for(&set, types[i], true) ==
		              arch_matmul_for(&set, types[i], false),
		      "%s: one stream of %s where it is not wanted", name, type_name(types[i]));
	other.one_stream = true;
	CHECK(counts, arch_choose(&set, name, &other), "%s: no set", name);
#define PREFERRED(type, id)                                                                        \
	CHECK(counts,                                                                              \
	      !set.one_stream_##type ||                                                            \
	              (arch_matmul_for(&set, id, true) == set.one_stream_##type &&                 \
	               arch_matmul_for(&set, id, false) == set.matmul_##type),                     \
	      "%s: not the way of reading " #type " that the processor prefers", name);            \
	set.matmul_##type = arch_matmul_for(&set, id, true);
	ARCH_PRODUCTS(PREFERRED)
#undef PREFERRED
	if (set.one_stream_q4)
		test_matrix_products(counts, &set);
}

static void test_quantize(check_counts *counts, const arch_kernels *set)
{
	enum { BLOCKS = 7, N = BLOCKS * TILE_BLOCK };
	int data;

	for (data = 0; data < DATA_KINDS + 2; data++) {
		guarded x = guarded_new(N * 4, 4), codes[2], scales[2], sums[2];
		float *floats = (float *)(void *)x.data;
		uint64_t seed = (uint64_t)data + 77;
		unsigned i;

		fill_floats(&seed, floats, N, data < DATA_KINDS ? data : DATA_GAUSS);
		if (data == DATA_KINDS)
			floats[40] = INFINITY, floats[70] = -NAN, floats[100] = 1e-38f,
			floats[150] = 3e38f;
		if (data == DATA_KINDS + 1)
			for (i = 0; i < N; i++) /* ties: codes of k + 1/2 */
				floats[i] = i % 32 == 0 ? 127 : (float)((int)(i % 32) - 16) + 0.5f;
		for (i = 0; i < 2; i++) {
			codes[i] = guarded_new(N, 1);
			scales[i] = guarded_new(BLOCKS * 4, 4);
			sums[i] = guarded_new(BLOCKS * 4, 4);
			(i ? set : &arch_scalar)
			        ->quantize((int8_t *)codes[i].data, (float *)(void *)scales[i].data,
			                   (int32_t *)(void *)sums[i].data, floats, BLOCKS);
		}
		CHECK(counts,
		      !memcmp(codes[0].data, codes[1].data, N) &&
		              !memcmp(scales[0].data, scales[1].data, BLOCKS * 4) &&
		              !memcmp(sums[0].data, sums[1].data, BLOCKS * 4),
		      "%s quantize, data %d", set->name, data);
		for (i = 0; i < 2; i++)
			guarded_free(&codes[i]), guarded_free(&scales[i]), guarded_free(&sums[i]);
		guarded_free(&x);
	}
}

static void test_heads(check_counts *counts, const arch_kernels *set)
{
	static const size_t sizes[] = { 2, 16, 18, 64, 80, 100, 128, 256, 500, 512 };
	unsigned i;
	int data;

	for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (data = 0; data < DATA_KINDS + 1; data++) {
			size_t n = sizes[i], dim = (n + 15) / 16 * 16;
			guarded head = guarded_new(n * 4, 4), angles = guarded_new(n * 4, 4),
			        codes[2] = { guarded_new(dim, 1), guarded_new(dim, 1) },
			        turned = guarded_new(n * 4, 4);
			float *x = (float *)(void *)head.data, *by = (float *)(void *)angles.data,
			      *y = (float *)(void *)turned.data, scales[2];
			uint64_t seed = i * 10 + (unsigned)data;

			fill_floats(&seed, x, n, data < DATA_KINDS ? data : DATA_GAUSS);
			fill_floats(&seed, by, n, DATA_GAUSS);
			if (data == DATA_KINDS)
				x[n / 2] = INFINITY;
			scales[0] = arch_scalar.quantize_head((int8_t *)codes[0].data, x, n, dim);
			scales[1] = set->quantize_head((int8_t *)codes[1].data, x, n, dim);
			CHECK(counts,
			      !memcmp(&scales[0], &scales[1], sizeof(float)) &&
			              !memcmp(codes[0].data, codes[1].data, dim),
			      "%s head of %zu, data %d", set->name, n, data);
			if (data < DATA_KINDS) {
				memcpy(y, x, n * 4);
				arch_scalar.turn(x, by, by + n / 2, n / 2);
				set->turn(y, by, by + n / 2, n / 2);
				CHECK(counts, !memcmp(x, y, n * 4), "%s turn of %zu, data %d",
				      set->name, n, data);
			}
			guarded_free(&head), guarded_free(&angles), guarded_free(&codes[0]),
			        guarded_free(&codes[1]), guarded_free(&turned);
		}
}

static void test_vectors(check_counts *counts, const arch_kernels *set)
{
	static const size_t sizes[] = { 16, 64, 80, 4096, 1, 7, 120, 333 };
	unsigned i, k;

	for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (k = 0; k < DATA_KINDS; k++) {
			size_t n = sizes[i], bytes = n * 4;
			guarded x = guarded_new(bytes, 4), w = guarded_new(bytes, 4),
			        a = guarded_new(bytes, 4), b = guarded_new(bytes, 4);
			float *fx = (float *)(void *)x.data, *fw = (float *)(void *)w.data,
			      *fa = (float *)(void *)a.data, *fb = (float *)(void *)b.data;
			uint64_t seed = i * 10 + k;

			fill_floats(&seed, fx, n, (int)k);
			fill_floats(&seed, fw, n, DATA_GAUSS);
			arch_scalar.norm(fa, fx, fw, n, 1e-5f);
			set->norm(fb, fx, fw, n, 1e-5f);
			CHECK(counts, !memcmp(fa, fb, bytes), "%s norm of %zu, %s", set->name, n,
			      data_names[k]);
			if (n % 16 == 0) {
				memcpy(fa, fx, bytes), memcpy(fb, fx, bytes);
				arch_scalar.silu(fa, fw, n);
				set->silu(fb, fw, n);
				CHECK(counts, !memcmp(fa, fb, bytes), "%s silu of %zu, %s",
				      set->name, n, data_names[k]);
				memcpy(fa, fx, bytes), memcpy(fb, fx, bytes);
				arch_scalar.add(fa, fw, n);
				set->add(fb, fw, n);
				CHECK(counts, !memcmp(fa, fb, bytes), "%s add of %zu, %s",
				      set->name, n, data_names[k]);
			}
			guarded_free(&x), guarded_free(&w), guarded_free(&a), guarded_free(&b);
		}
}

typedef struct attend_case {
	size_t dim;
	unsigned n_queries, n_spans;
	float spread; /* of scores */
} attend_case;

static void check_attend(check_counts *counts, const arch_kernels *set, const attend_case *c,
                         uint64_t seed)
{
	guarded spans = guarded_new(c->n_spans * span_bytes(c->dim), 64),
	        queries = guarded_new(c->n_queries * c->dim, 4);
	const uint8_t *pointers[SEGMENT_SPANS];
	float scales[ATTEND_QUERIES],
	        *scores = calloc(ATTEND_QUERIES * SEGMENT_POSITIONS, sizeof(float));
	float *sums[2] = { calloc(ATTEND_QUERIES * c->dim, sizeof(float)),
		           calloc(ATTEND_QUERIES * c->dim, sizeof(float)) };
	arch_attended attended[2][ATTEND_QUERIES];
	uint16_t first[ATTEND_QUERIES], end[ATTEND_QUERIES];
	unsigned i, q, round;
	size_t k;

	memset(attended, 0, sizeof attended);
	for (k = 0; k < c->n_queries * c->dim; k++)
		queries.data[k] = (uint8_t)random_next(&seed);
	forbid_lowest(queries.data, c->n_queries * c->dim);
	for (round = 0; round < 3; round++) { /* three segments, merged */
		for (i = 0; i < c->n_spans; i++) {
			uint8_t *span = spans.data + i * span_bytes(c->dim);
			float *span_scale = (float *)(void *)(span + span_key_scales(c->dim));

			for (k = 0; k < 2 * SPAN_POSITIONS * c->dim; k++)
				span[k] = (uint8_t)random_next(&seed);
			add_lowest(span, span_key_scales(c->dim));
			for (k = 0; k < SPAN_SCALES; k++)
				span_scale[k] =
				        fabsf(random_float(&seed)) * (k % 9 == 0 ? 0 : 0.01f);
			pointers[i] = span;
		}
		for (q = 0; q < c->n_queries; q++) {
			first[q] = (uint16_t)(random_next(&seed) % (c->n_spans * SPAN_POSITIONS));
			end[q] = (uint16_t)(first[q] + 1 +
			                    random_next(&seed) %
			                            (c->n_spans * SPAN_POSITIONS - first[q]));
			scales[q] = c->spread * random_float(&seed);
		}
		for (i = 0; i < 2; i++) {
			arch_attention job = { (int8_t *)queries.data,
				               scales,
				               pointers,
				               i ? pointers[0] : NULL,
				               first,
				               end,
				               c->n_queries,
				               c->dim,
				               scores,
				               sums[i],
				               attended[i] };

			(i ? set : &arch_scalar)->attend(&job);
		}
		/* The largest score may be a zero of either sign; it acts the same. */
		for (q = 0; q < c->n_queries; q++)
			CHECK(counts,
			      attended[0][q].largest == attended[1][q].largest &&
			              !memcmp(&attended[0][q].weight, &attended[1][q].weight,
			                      sizeof(float)),
			      "%s attend query %u", set->name, q);
		CHECK(counts, !memcmp(sums[0], sums[1], c->n_queries * c->dim * 4),
		      "%s attend dim %zu queries %u spans %u round %u", set->name, c->dim,
		      c->n_queries, c->n_spans, round);
	}
	free(scores), free(sums[0]), free(sums[1]);
	guarded_free(&spans), guarded_free(&queries);
}

static void test_attention(check_counts *counts, const arch_kernels *set)
{
	static const attend_case cases[] = { { 128, 16, 16, 0.01f }, { 128, 4, 16, 1 },
		                             { 80, 2, 3, 0.1f },     { 16, 1, 1, 0.1f },
		                             { 64, 7, 5, 0 },        { 512, 5, 2, 0.1f },
		                             { 128, 16, 1, 100 } };
	unsigned i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		check_attend(counts, set, &cases[i], i + 5);
}

/* The definition itself against double arithmetic, to find faults that scalar.c and its copies
 * share. */
static void test_scalar_multiplies_what_the_decoder_says(check_counts *counts)
{
	enum { ROWS = 20, COLS = 200 };
	float w[ROWS * COLS], x[256] = { 0 }, y[32], decoded[COLS],
	                      scratch[2 * 256 + 8 * sizeof(book_needs) / sizeof(float)];
	const book_encoding how = { .effort = EFFORT_NORMAL, .errors = book_errors };
	uint64_t seed = 3;
	size_t index;

	random_fill(&seed, w, ROWS * COLS, 0.02f);
	random_fill(&seed, x, COLS, 1);
	for (index = 0; index < N_TYPES; index++) {
		const type_row *type = type_find(types[index]);
		size_t tile_bytes = type->tile_bytes(COLS);
		guarded tiles = guarded_new(2 * tile_bytes, 64);
		int8_t codes[256];
		float scales[8];
		int32_t sums[8];
		arch_vectors vectors = { codes, scales, sums, x, 8, 1 };
		arch_matrix matrix = { tiles.data, tile_bytes, 8 };
		tile_error error = { 0, 0 };
		unsigned row, col;

		arch_scalar.quantize(codes, scales, sums, x, 8);
		for (row = 0; row < ROWS; row += 16)
			CHECK(counts,
			      encoder_find(types[index])(tiles.data + row / 16 * tile_bytes,
			                                 w + row * COLS,
			                                 ROWS - row < 16 ? ROWS - row : 16, COLS,
			                                 &how, scratch, &error),
			      "%s: not encoded", type->name);
		arch_matmul_for(&arch_scalar, types[index], false)(y, 32, &matrix, &vectors, 0, 2,
		                                                   NULL);
		for (row = 0; row < ROWS; row++) {
			const uint8_t *tile = tiles.data + row / 16 * tile_bytes;
			double expected = 0, size = 0;

			type->decode_row(decoded, tile, row % 16, COLS);
			for (col = 0; col < COLS; col++) {
				double input = !type->takes_int8 ? (double)x[col]
				                                 : (double)codes[col] *
				                                           (double)scales[col / 32];

				expected += (double)decoded[col] * input;
				size += fabs((double)decoded[col] * input);
			}
			CHECK(counts, fabs((double)y[row] - expected) <= 1e-6 * size,
			      "%s row %u: %g, expected %g", type->name, row, (double)y[row],
			      expected);
		}
		CHECK(counts,
		      error.error / error.norm < (types[index] == TYPE_Q3   ? 0.022
		                                  : types[index] == TYPE_Q4 ? 0.0055
		                                  : types[index] == TYPE_Q8 ? 0.0001
		                                                            : 1e-6),
		      "%s loses %g", type->name, error.error / error.norm);
		guarded_free(&tiles);
	}
}

static void test_half_conversions_are_exact(check_counts *counts)
{
	unsigned wrong = 0, h;

	for (h = 0; h < 65536; h++) {
		int exponent = h >> 10 & 31;
		double mantissa = h & 1023, value = exponent ? ldexp(1024 + mantissa, exponent - 25)
		                                             : ldexp(mantissa, -24);
		float decoded = half_decode((uint16_t)h);

		if (exponent == 31)
			wrong += (h & 1023 ? isnan(decoded) : isinf(decoded)) ? 0 : 1;
		else
			wrong += (double)decoded == (h & 0x8000 ? -value : value) ? 0 : 1;
		if (exponent < 31)
			wrong += half_encode(decoded) != h;
	}
	CHECK(counts,
	      half_encode(65519.996f) == 0x7bff && half_encode(65520.0f) == 0x7c00 &&
	              half_encode(0x1p-25f) == 0 && half_encode(0x1.8p-25f) == 1,
	      "rounding at the ends");
	CHECK(counts,
	      half_encode(1.00048828125f) == 0x3c00 && half_encode(1.00146484375f) == 0x3c02,
	      "ties to even");
	CHECK(counts, wrong == 0, "%u halves differ", wrong);
}

static void test_math_is_accurate(check_counts *counts)
{
	double worst = 0, worst_double = 0;
	int i;

	for (i = 0; i < 200000; i++) {
		float x = -86.9f + 174.0f * (float)i / 200000;
		double e = exp((double)x), off = fabs((double)math_exp(x) / e - 1),
		       y = (double)x * 3, sine, cosine;

		worst = off > worst ? off : worst;
		math_sincos((double)i * 0.731, &sine, &cosine);
		off = fabs(sine - sin((double)i * 0.731)) + fabs(cosine - cos((double)i * 0.731)) +
		      fabs(math_exp_double(y) / exp(y) - 1);
		off += i ? fabs(math_log_double(i) - log(i)) / 10 : 0;
		worst_double = off > worst_double ? off : worst_double;
	}
	CHECK(counts, worst < 1.3e-7, "math_exp is off by %g", worst);
	CHECK(counts, worst_double < 1e-14, "double functions are off by %g", worst_double);
	CHECK(counts, math_exp(-INFINITY) == 0 && math_exp(NAN) == 0 && math_exp(0) == 1,
	      "math_exp at its ends");
}

/* Candidates of all sizes: weights far outside the table's cells, at its ends and on whole
 * cells. */
static void test_search_errors(check_counts *counts, const arch_tools *set)
{
	static const float spreads[] = { 0, 1, 60, 1000 };
	float w[TILE_BLOCK], importance[TILE_BLOCK], table[BOOK_CELLS], by[37], plus[37], a[37],
	        b[37];
	uint64_t seed = 3;
	unsigned s, n, i;

	for (s = 0; s < sizeof spreads / sizeof *spreads; s++)
		for (n = 1; n <= 37; n += 6) {
			random_fill(&seed, w, TILE_BLOCK, spreads[s]);
			for (i = 0; i < TILE_BLOCK; i++)
				importance[i] = i % 7 ? fabsf(random_float(&seed)) : 0;
			for (i = 0; i < BOOK_CELLS; i++)
				table[i] = (float)(random_next(&seed) % 256);
			for (i = 0; i < n; i++)
				by[i] = random_float(&seed),
				plus[i] = i % 3   ? 128 + 16 * random_float(&seed)
				          : i % 2 ? 0
				                  : 255;
			arch_tools_scalar.book_errors(a, w, importance, table, by, plus, n);
			set->book_errors(b, w, importance, table, by, plus, n);
			CHECK(counts, !memcmp(a, b, n * sizeof *a),
			      "%s errors of %u candidates, spread %g", set->name, n,
			      (double)spreads[s]);
		}
}

/* Also without tokens; sums that are there already; products out of range. */
static void test_products(check_counts *counts, const arch_tools *set)
{
	static const size_t tokens[] = { 0, 1, 2, 7, 64, 255, 256 };
	unsigned i;
	int data;

	for (data = 0; data < DATA_KINDS + 1; data++)
		for (i = 0; i < sizeof tokens / sizeof *tokens; i++) {
			size_t n = tokens[i], bytes = n * TILE_ROWS * sizeof(float), k;
			guarded a = guarded_new(bytes, 64), b = guarded_new(bytes, 64),
			        sums[2] = { guarded_new(1024, 64), guarded_new(1024, 64) };
			float *fa = (float *)(void *)a.data, *fb = (float *)(void *)b.data,
			      *mine = (float *)(void *)sums[0].data;
			uint64_t seed = i * 10 + (unsigned)data;

			fill_floats(&seed, fa, n * TILE_ROWS, data % DATA_KINDS);
			fill_floats(&seed, fb, n * TILE_ROWS, DATA_GAUSS);
			fill_floats(&seed, mine, TILE_ROWS * TILE_ROWS, DATA_GAUSS);
			for (k = 0; data == DATA_KINDS && k < n * TILE_ROWS; k += 5)
				fa[k] = fb[k] = k % 3 ? 3e38f : -3e38f;
			memcpy(sums[1].data, sums[0].data, 1024);
			set->add_products(mine, fa, fb, n);
			arch_tools_scalar.add_products((float *)(void *)sums[1].data, fa, fb, n);
			for (k = 0; data == DATA_KINDS && k < TILE_ROWS * TILE_ROWS;
			     k++) /* which NaN a difference of infinities gives is unspecified */
				if (isnan(mine[k]) && isnan(((float *)(void *)sums[1].data)[k]))
					mine[k] = ((float *)(void *)sums[1].data)[k] = 0;
			CHECK(counts, !memcmp(sums[0].data, sums[1].data, 1024),
			      "%s products of %zu tokens, data %d", set->name, n, data);
			guarded_free(&a), guarded_free(&b), guarded_free(&sums[0]),
			        guarded_free(&sums[1]);
		}
}

/* Against doubles, element by element: finds tokens in the wrong panel, rows and columns exchanged,
 * sums that were reset. */
static void test_products_are_those_of_doubles(check_counts *counts)
{
	enum { N = 100 };
	_Alignas(64) float a[N * TILE_ROWS], b[N * TILE_ROWS], sums[TILE_ROWS * TILE_ROWS];
	double begun[TILE_ROWS * TILE_ROWS], worst = 0;
	uint64_t seed = 8;
	unsigned i, t;

	random_fill(&seed, a, N * TILE_ROWS, 1);
	random_fill(&seed, b, N * TILE_ROWS, 1);
	random_fill(&seed, sums, TILE_ROWS * TILE_ROWS, 10);
	for (i = 0; i < TILE_ROWS * TILE_ROWS; i++)
		begun[i] = (double)sums[i];
	arch_tools_scalar.add_products(sums, a, b, N);
	for (i = 0; i < TILE_ROWS * TILE_ROWS; i++) {
		double expected = begun[i], off;

		for (t = 0; t < N; t++)
			expected += (double)a[t * TILE_ROWS + i / TILE_ROWS] *
			            (double)b[t * TILE_ROWS + i % TILE_ROWS];
		off = fabs((double)sums[i] - expected);
		worst = off > worst ? off : worst;
	}
	CHECK(counts, worst < 1e-4, "products are off by %g", worst);
}

int main(int argc, char **argv)
{
	check_counts counts = { 0, 0, 0 };
	arch_cpu cpu;
	size_t i;

	check_choose(argc, argv);
	arch_detect(&cpu);
	RUN(test_half_conversions_are_exact(&counts));
	RUN(test_math_is_accurate(&counts));
	RUN(test_scalar_multiplies_what_the_decoder_says(&counts));
	RUN(test_products_are_those_of_doubles(&counts));
	for (i = 0; arch_list(i); i++) {
		arch_kernels set;
		arch_tools tools;

		if (!arch_choose(&set, arch_list(i)->name, &cpu)) {
			check_skip(&counts, arch_list(i)->name,
			           arch_list(i)->supported ? "this processor lacks it"
			                                   : "this compiler cannot make it");
			continue;
		}
		RUN(test_matrix_products(&counts, &set));
		RUN(test_one_stream(&counts, set.name, &cpu));
		RUN(test_quantize(&counts, &set));
		RUN(test_heads(&counts, &set));
		RUN(test_vectors(&counts, &set));
		RUN(test_attention(&counts, &set));
		arch_find_tools(&tools, set.name);
		RUN(test_search_errors(&counts, &tools));
		RUN(test_products(&counts, &tools));
	}
	return check_report("kernels", &counts);
}
