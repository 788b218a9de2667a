/* cpu.h - what the processor and the system allow */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>

typedef struct arch_cpu {
	bool avx2, f16c; /* with the registers saved by the system */
} arch_cpu;

void arch_detect(arch_cpu *cpu);

#endif
