/* contract.h - refuses compilers' modes in which floats do not follow IEEE 754
 *
 * The same file, ids and seed give the same bits everywhere only if floats are rounded where the
 * source says, infinities and NaN exist, and no sum is reordered. Included by the headers of all
 * code whose results must agree. (Contraction to fused multiply-adds, which no macro shows, is
 * switched off by the Makefile.)
 */
#ifndef QUANT_CONTRACT_H
#define QUANT_CONTRACT_H

#include <float.h>

/* Raised whenever the logits of a file change in any bit (test/digest.sha256): keys and values that
 * another version computed are not continued. */
#define CONTRACT_VERSION 1u

#if defined(__FAST_MATH__)
#error "brise cannot be built with -ffast-math: its results would depend on the compiler"
#endif
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0
#error "brise cannot be built with -ffinite-math-only: damaged models contain NaN"
#endif
#if defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "brise cannot be built with parts of -ffast-math: its results would depend on the compiler"
#endif

/* 0: floats are evaluated as floats; 16: so are halves. s390's compilers say 1, which is not
 * refused: big-endian machines refuse every file when it is opened. */
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#error "brise needs floats evaluated as floats: on 32-bit x86 build with -msse2 -mfpmath=sse"
#endif
#endif

#endif
