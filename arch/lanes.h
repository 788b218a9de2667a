/* lanes.h - kernels written once for vectors of any width
 *
 * A kernel set is one file. It says in its opening comment with which compiler flags it is built,
 * defines the vector types and primitives below with its instructions (sets of one width share a
 * header for most of them), includes the templates it wants and lists their functions in its table.
 * What it leaves out is taken from the set below it.
 *
 *     lanes_matmul.h   lanes_matmul_q3, lanes_matmul_q4, lanes_matmul_q8
 *     lanes_f16.h      lanes_matmul_f16
 *     lanes_attend.h   lanes_attend
 *     lanes_vector.h   everything that goes element by element
 *     lanes_all.h      all of these, and their entries in the table
 *
 * Templates of tools (arch/tools/tools.h) are built of the same primitives.
 *
 * What a set provides:
 *
 *     LANES                   rows of a vector: 4, 8 or 16; a tile is LANES_PARTS vectors wide
 *     lanes_int, lanes_float  LANES int32, or 4 * LANES bytes; LANES floats
 *
 *     lanes_load, lanes_store, lanes_load_float, lanes_store_float   any alignment
 *     lanes_fill(i), lanes_fill_float(f), lanes_fill_bytes(b)        the same in all lanes, or
 *                                                                    bytes
 *     lanes_widen(p), lanes_widen_unsigned(p)   LANES bytes, signed or not, as int32
 *     lanes_spread(p)                           LANES bytes, each four times
 *     lanes_load_half(p)                        LANES binary16 as floats
 *     lanes_table(values)                       16 bytes
 *     lanes_lookup(table, indices)              each byte of indices, 0..15, picks one
 *     lanes_low4(bytes), lanes_high4(bytes)     the nibbles of each byte
 *     lanes_collect(so_far, v, j)               in each byte bits 0x88 of v for j = 0, which
 * begins, 0x44 for j = 1, 0x22 for j = 2, a constant; after the last, bits 4 and 0 may be anything
 *     lanes_add_bytes, lanes_sub_bytes, lanes_and, lanes_xor, lanes_add_int, lanes_max_int
 *     lanes_times(a, b)                         int32 a, scalar b, both within 16 bits
 *     lanes_sum_int(v), lanes_largest_int(v)    across lanes
 *     lanes_narrow(codes, v)                    32 / LANES vectors of int32 in -128..127 as 32
 *                                               bytes
 *     lanes_add, lanes_sub, lanes_mul, lanes_div
 *     lanes_min(a, b), lanes_max(a, b)          b if a is not a number
 *     lanes_to_float(i), lanes_round(f)         conversions, to nearest even
 *     lanes_as_int(f)                           the bits as they are
 *     lanes_power(n)                            2^n, n an int32 in -126..127
 *     lanes_where_at_least(value, x, low)       value in lanes where x >= low, 0 elsewhere
 *     lanes_product(dots, magnitude, offset)    (float)(magnitude * dot), rounded once; LANES_START
 *     lanes_barrier(v)                          v must be in its register here; keeps a compiler
 *                                               from interleaving too much
 *     lanes_prefetch(p)                         the cache line of p, into L2
 *     lanes_cut(f), lanes_gather(table, i)      to int32, towards zero; LANES floats by index: for
 *                                               tools alone
 *
 * Dot products add to each lane the products of its four bytes of w with the i-th four of the
 * sixteen bytes at x, i a constant:
 *
 *     lanes_dot(sum, w, x, i)          w: codes of q3 or q4 plus a bias that the set chooses
 *     lanes_dot_full(sum, w, x, i)     w: any int8, plus LANES_BIAS_FULL; x: -127..127
 *     lanes_dot_weights(sum, w, x, i)  w: any int8; x: 0..127
 *
 *     LANES_BIAS_VECTOR  added to a codebook when one token is multiplied
 *     LANES_BIAS_PANEL   added to a shifted codebook when several are
 *     LANES_BIAS_FULL    added to q8 codes and keys
 *     LANES_START        where sums of dot products begin. With a fused multiply-add, the bits of
 *                        1.5 * 2^23: an integer added to them leaves the float 1.5 * 2^23 + dot,
 *                        and fused(that, magnitude, offset), offset = -1.5 * 2^23 * magnitude, is
 *                        magnitude * dot rounded once: the conversion costs nothing. Exact, because
 *                        |dot| <= 32 * 128 * 127 < 2^22 and offset has ten significant bits.
 *     LANES_OWN_WIDENING defined by a set that has a shorter way for lanes_starts and
 *                        lanes_magnitudes of lanes_matvec.h
 *     LANES_OWN_DOTS     defined by a set that has one for a whole block of LANES rows:
 *                        lanes_columns, lanes_columns_at, lanes_dot_codes of lanes_matvec.h, and
 *                        lanes_dot_block(sum, w, columns), w as LANES rows of a panel. It needs
 *                        lanes_reload(p), which makes the compiler forget what it read at p
 *     LANES_ONE_DOT      defined by a set whose lanes_dot is its lanes_dot_full, with one bias: a
 *                        panel of q8 is multiplied by the function of q3's and q4's
 *     LANES_OWN_FEW      defined by a set that has a few_group of its own for lanes_few.h
 *     LANES_KEEP_ORDER(v)
 *                        lanes_barrier(v) where a compiler needs that between the dot products of a
 *                        pass; nothing by default
 *     LANES_TILES, LANES_TOKENS, LANES_QUERIES, LANES_FEW_TILES, LANES_FEW
 *                        multiplied together in one pass, as many as fit in the registers; the
 *                        last two in a pass over a few tokens, of which there are LANES_FEW_MOST
 *                        at most, of q8 LANES_FEW_MOST_Q8
 */
#ifndef ARCH_LANES_H
#define ARCH_LANES_H

#include <stdint.h>
#include <string.h>

#include "arch/kernels.h"
#include "arch/math.h"

#define INLINE   static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

/* Loops over accumulators must be unrolled, or these would not be registers. (clang takes a plain
 * "unroll" as advice only, which gives a half to two thirds of the speed.) */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLL   _Pragma("nounroll")
#else
#define UNROLL _Pragma("GCC unroll 64")
#define ROLL   _Pragma("GCC unroll 1")
#endif

/* UNROLL_OUTER: around a body that is unrolled already: worth some percent of speed, and four times
 * the code. ONCE: of a large function that is called from two places. */
#ifdef __OPTIMIZE_SIZE__
#define LANES_SMALL  1
#define ONCE         __attribute__((noinline))
#define UNROLL_OUTER ROLL
#else
#define LANES_SMALL 0
#define ONCE
#define UNROLL_OUTER UNROLL
#endif

/* The cache line of p, into L1. */
INLINE void lanes_prefetch_near(const void *p) { __builtin_prefetch(p, 0, 3); }

#define LANES_PARTS ((int)TILE_ROWS / LANES)

#define LANES_START_FUSED 0x4b400000 /* the bits of MATH_ROUND */

#endif
