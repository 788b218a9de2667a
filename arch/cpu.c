/* cpu.c - detection of instruction sets
 *
 * x86: CPUID says what the processor has, XGETBV whether the system saves the registers (Intel SDM volume 1, 14.3: a program
 * must check OSXSAVE and XCR0 before using AVX; the processor's word alone is not enough under old kernels and some hypervisors).
 */
#include "arch/cpu.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdint.h>

#define XCR0_SSE_AVX 0x6u

static uint32_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

void arch_detect(arch_cpu *cpu)
{
	unsigned a, b, c, d;

	memset(cpu, 0, sizeof *cpu);
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || (read_xcr0() & XCR0_SSE_AVX) != XCR0_SSE_AVX)
		return;
	cpu->f16c = (c & bit_F16C) != 0;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		cpu->avx2 = (b & bit_AVX2) != 0;
}

#else

void arch_detect(arch_cpu *cpu)
{
	memset(cpu, 0, sizeof *cpu);
}

#endif
