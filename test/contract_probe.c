/* contract_probe.c - ends with status 0 if its compiler flags keep the numeric contract
 *
 * test_build.sh compiles it with flags that a user may give. Operands are volatile, so that the
 * program computes and not the compiler.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||           \
        defined(__NO_SIGNED_ZEROS__) || defined(__ASSOCIATIVE_MATH__) ||                           \
        defined(__RECIPROCAL_MATH__)
#error "floating-point arithmetic was relaxed"
#endif
#if FLT_EVAL_METHOD != 0
#error "float expressions are not evaluated as floats"
#endif

static volatile float up = 1 + FLT_EPSILON, tiny = FLT_MIN, half = 0.5f, three = 3, seven = 7,
                      large = 1e8f, one = 1, not_a_number = NAN, minus_zero = -0.0f, zero = 0;

/* (1 + e)^2 is 1 + 2e + e^2: rounded before the subtraction it leaves nothing, fused e^2. */
static int is_fused(void)
{
	float square = up * up;

	return up * up - square != 0 || -(up * up) + square != 0;
}

int main(void)
{
	const struct {
		int is_wrong;
		const char *what;
	} faults[] = {
		{ is_fused(), "multiplication and addition are fused" },
		{ tiny * half == 0, "subnormal numbers become zero" },
		{ (one + large) - large != 0, "sums are reordered" },
		{ three / seven != 0x1.b6db6ep-2f, "divisions are multiplications" },
		{ not_a_number == not_a_number, "NaN equals itself" },
		{ 1 / (minus_zero + minus_zero) > 0 || 1 / (minus_zero + zero) < 0,
		  "zeros lose their signs" },
		{ one * 1e-46 == 0, "constants of double are of float" },
	};
	unsigned i, wrong = 0;

	for (i = 0; i < sizeof faults / sizeof *faults; i++)
		if (faults[i].is_wrong) {
			puts(faults[i].what);
			wrong++;
		}
	return wrong != 0;
}
