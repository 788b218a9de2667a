/* print_angles.c - the angles of rotary embeddings, for test/compare_angles.py to check
 *
 * Reads lines of THETA HEAD_DIM POSITION; prints for each the cosines, then the sines, as
 * hexadecimal floats.
 */
#include <inttypes.h>
#include <stdio.h>

#include "arch/kernels.h"
#include "runtime/eval/rope.h"

int main(void)
{
	static rope_frequency frequencies[ARCH_HEAD_DIM_MAX / 2];
	static float angles[ARCH_HEAD_DIM_MAX];
	uint32_t head_dim, i;
	uint64_t position;
	double theta;

	while (scanf("%lf %" SCNu32 " %" SCNu64, &theta, &head_dim, &position) == 3) {
		if (head_dim < 2 || head_dim > ARCH_HEAD_DIM_MAX)
			return 1;
		rope_fill_frequencies(frequencies, head_dim, theta, NULL);
		rope_fill_angles(angles, angles + head_dim / 2, frequencies, head_dim, position, 1);
		for (i = 0; i < head_dim / 2 * 2; i++)
			printf("%a ", (double)angles[i]);
		printf("\n");
	}
	return 0;
}
