/* sse.c - the set for SSSE3 and SSE4.1: Intel since Penryn (2008) and every Atom since Silvermont
 * (2013), AMD since Bulldozer and Jaguar
 *
 * build with: -mssse3 -msse4.1
 *
 * A vector is a quarter of a tile. The dot products are those of avx2.c.
 */
#include "arch/kernels.h"
#include "arch/x86/lanes128.h"

#define LANES_BIAS_VECTOR CODEBOOK_LOW
#define LANES_BIAS_PANEL  CODEBOOK_BIAS
#define LANES_BIAS_FULL   0

/* Four vectors by two tokens: 8 integer accumulators of the 16 registers; the float sums live in
 * L1. */
#define LANES_TILES   1
#define LANES_TOKENS  2
#define LANES_QUERIES 4

INLINE lanes_int lanes_dot(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_maddubs(sum, w, lanes_four(x, i));
}
INLINE lanes_int lanes_dot_weights(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_maddubs(sum, lanes_four(x, i), w);
}

INLINE lanes_int lanes_dot_full(lanes_int sum, lanes_int w, const int8_t *x, int i)
{
	return lanes_dot_maddubs(sum, _mm_abs_epi8(w), _mm_sign_epi8(lanes_four(x, i), w));
}

#include "arch/lanes_all.h"
#include "arch/lanes_one_stream.h"

static bool sse_supported(const arch_cpu *cpu) { return cpu->ssse3 && cpu->sse41; }

const arch_kernels arch_sse = {
	.name = "sse",
	.supported = sse_supported,
	LANES_ALL,
	LANES_ONE_STREAM_ALL,
};
