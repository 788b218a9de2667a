/* cpu.h - what the processor has and the system allows: instructions whose registers are not saved
 * count as absent */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>

typedef struct arch_cpu {
	/* x86; avx512: F, BW, DQ and VL */
	bool ssse3, sse41, avx2, fma, f16c, avxvnni, avx512, avx512vnni, amx_int8;
	/* Memory is read fastest as one stream per thread, prefetched into L1 across the ends of
	 * pages. Measured on Zen 5 only, so this is set for AMD from family 1Ah on. */
	bool one_stream;
	bool neon, dotprod, i8mm; /* arm64 */
} arch_cpu;

void arch_detect(arch_cpu *cpu);

#endif
