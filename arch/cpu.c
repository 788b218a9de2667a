/* cpu.c - detection of instruction sets
 *
 * x86: CPUID says what the processor has, XGETBV whether the system saves the registers (Intel SDM
 * volume 1, 14.3: a program must check OSXSAVE and XCR0 before using AVX; CPUID alone is not enough
 * under old kernels and some hypervisors). AMX's registers are 8 KB a thread: Linux saves them only
 * for processes that ask (Documentation/arch/x86/xstate.rst).
 *
 * arm64: Linux and Android report features in HWCAP (Documentation/arch/arm64/elf_hwcaps.rst),
 * Apple by sysctl. Without a system (NO_SYSTEM) the processor's own registers are read, which are
 * open from EL1 on (Arm Architecture Reference Manual, D19.2).
 */
#include "arch/cpu.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#if defined(__linux__) && !defined(NO_SYSTEM)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define XCR0_SSE_AVX 0x6u
#define XCR0_AVX512  0xe6u
#define XCR0_AMX     0x60000u

#define ZEN5_FAMILY 0x1au

#define ARCH_REQ_XCOMP_PERM 0x1023 /* arch_prctl */
#define XFEATURE_XTILEDATA  18

static uint32_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

static bool ask_for_tiles(void)
{
#if defined(__linux__) && !defined(NO_SYSTEM) && defined(SYS_arch_prctl)
	return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
	return false;
#endif
}

static bool has_bit(unsigned word, unsigned bit) { return (word >> bit & 1) != 0; }

/* AMD's processor families: 0Fh plus the extended family, bits 20 to 27 of CPUID 1's EAX (AMD64
 * Architecture Programmer's Manual volume 3, E.3.2). */
static bool is_amd_since_zen5(unsigned signature)
{
	unsigned a, b, c, d;

	return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx &&
	       d == signature_AMD_edx && (signature >> 8 & 15) == 15 &&
	       (signature >> 20 & 255) + 15 >= ZEN5_FAMILY;
}

/* Bits by number: Intel SDM volume 2A, CPUID, tables 3-8 and following. */
void arch_detect(arch_cpu *cpu)
{
	unsigned a, b, c, d, leaves, xcr0;

	memset(cpu, 0, sizeof *cpu);
	if (!__get_cpuid(1, &a, &b, &c, &d))
		return;
	cpu->one_stream = is_amd_since_zen5(a);
	cpu->ssse3 = has_bit(c, 9);
	cpu->sse41 = has_bit(c, 19);
	xcr0 = has_bit(c, 27) ? read_xcr0() : 0;
	if (!has_bit(c, 28) || (xcr0 & XCR0_SSE_AVX) != XCR0_SSE_AVX)
		return;
	cpu->fma = has_bit(c, 12);
	cpu->f16c = has_bit(c, 29);
	if (!__get_cpuid_count(7, 0, &leaves, &b, &c, &d))
		return;
	cpu->avx2 = has_bit(b, 5);
	if ((xcr0 & XCR0_AVX512) == XCR0_AVX512) {
		cpu->avx512 = has_bit(b, 16) && has_bit(b, 17) && has_bit(b, 30) && has_bit(b, 31);
		cpu->avx512vnni = has_bit(c, 11);
	}
	cpu->amx_int8 = has_bit(d, 24) && has_bit(d, 25) && (xcr0 & XCR0_AMX) == XCR0_AMX &&
	                ask_for_tiles();
	if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
		cpu->avxvnni = has_bit(a, 4);
}

#elif defined(__aarch64__) && defined(NO_SYSTEM)

/* A field of four bits. */
static unsigned field(uint64_t value, unsigned from) { return (unsigned)(value >> from & 15); }

/* By number, since compilers may not know the names of registers for the architecture that they
 * build for. */
void arch_detect(arch_cpu *cpu)
{
	uint64_t pfr0, isar0, isar1;

	__asm__("mrs %0, S3_0_C0_C4_0" : "=r"(pfr0));  /* ID_AA64PFR0_EL1 */
	__asm__("mrs %0, S3_0_C0_C6_0" : "=r"(isar0)); /* ID_AA64ISAR0_EL1 */
	__asm__("mrs %0, S3_0_C0_C6_1" : "=r"(isar1)); /* ID_AA64ISAR1_EL1 */
	memset(cpu, 0, sizeof *cpu);
	cpu->neon = field(pfr0, 20) != 15;    /* AdvSIMD */
	cpu->dotprod = field(isar0, 44) != 0; /* DP */
	cpu->i8mm = field(isar1, 52) != 0;    /* I8MM */
}

#elif defined(__aarch64__) && defined(__linux__)

#include <sys/auxv.h>

#define HWCAP_ASIMD_BIT   1
#define HWCAP_ASIMDDP_BIT 20
#define HWCAP2_I8MM_BIT   13

void arch_detect(arch_cpu *cpu)
{
	unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);

	memset(cpu, 0, sizeof *cpu);
	cpu->neon = (first >> HWCAP_ASIMD_BIT & 1) != 0;
	cpu->dotprod = (first >> HWCAP_ASIMDDP_BIT & 1) != 0;
	cpu->i8mm = (second >> HWCAP2_I8MM_BIT & 1) != 0;
}

#elif defined(__aarch64__) && defined(__APPLE__)

#include <sys/sysctl.h>

static bool sysctl_says(const char *name)
{
	int value = 0;
	size_t size = sizeof value;

	return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value != 0;
}

void arch_detect(arch_cpu *cpu)
{
	memset(cpu, 0, sizeof *cpu);
	cpu->neon = true;
	cpu->dotprod = sysctl_says("hw.optional.arm.FEAT_DotProd");
	cpu->i8mm = sysctl_says("hw.optional.arm.FEAT_I8MM");
}

#else

void arch_detect(arch_cpu *cpu) { memset(cpu, 0, sizeof *cpu); }

#endif
