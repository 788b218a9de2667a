/* float_env.h - the floating-point environment that results are defined in
 *
 * Rounding to nearest, subnormal numbers kept, no traps: what a C program starts with. A host
 * program may have changed it for its own purposes: programs linked with -ffast-math flush
 * subnormals to zero from their start, audio hosts switch to that, interval arithmetic changes the
 * rounding. So every public function that computes with floats runs between float_env_enter and
 * float_env_leave. Threads inherit the environment of the thread that creates them (POSIX,
 * pthread_create), so pools that are made between the two compute in the same one.
 *
 * Cost: one read of the control register each, and a write where the host has changed it.
 */
#ifndef ARCH_FLOAT_ENV_H
#define ARCH_FLOAT_ENV_H

#include <stdint.h>

#if defined(__SSE__)

/* MXCSR in the low half (Intel SDM volume 1, 10.2.3: bits 0..5 are flags, the rest is control), the
 * 387's control word above it (8.1.5). brise computes nothing on the 387, but libc asks its control
 * word how to round when it reads and prints numbers. */
#define FLOAT_ENV_CONTROL 0x0f3fffffffc0u
#define FLOAT_ENV_DEFAULT 0x037f00001f80u

typedef uint64_t float_env;

static inline float_env float_env_read(void)
{
	uint32_t value;
	uint16_t word;

	__asm__ volatile("stmxcsr %0" : "=m"(value) : : "memory");
	__asm__ volatile("fnstcw %0" : "=m"(word) : : "memory");
	return (uint64_t)word << 32 | value;
}

/* Flags that the 387 has raised meanwhile would trap once the new word lets them. */
static inline void float_env_write(uint64_t both)
{
	uint32_t value = (uint32_t)both;
	uint16_t word = (uint16_t)(both >> 32);

	__asm__ volatile("ldmxcsr %0" : : "m"(value) : "memory");
	__asm__ volatile("fnclex\n\tfldcw %0" : : "m"(word) : "memory");
}

#elif defined(__aarch64__)

/* FPCR: Arm Architecture Reference Manual, C5.2.8. All of it is control: rounding, flushing,
 * default NaN, alternative binary16, traps. */
#define FLOAT_ENV_CONTROL UINT64_MAX
#define FLOAT_ENV_DEFAULT 0u

typedef uint64_t float_env;

static inline float_env float_env_read(void)
{
	uint64_t value;

	__asm__ volatile("mrs %0, fpcr" : "=r"(value) : : "memory");
	return value;
}

static inline void float_env_write(uint64_t value)
{
	__asm__ volatile("msr fpcr, %0" : : "r"(value) : "memory");
}

#elif defined(__arm__) && defined(__ARM_FP)

/* FPSCR: Arm Architecture Reference Manual, G8.2.57. Bits 8..26 are control. */
#define FLOAT_ENV_CONTROL 0x07ffff00u
#define FLOAT_ENV_DEFAULT 0u

typedef uint32_t float_env;

static inline float_env float_env_read(void)
{
	uint32_t value;

	__asm__ volatile("vmrs %0, fpscr" : "=r"(value) : : "memory");
	return value;
}

static inline void float_env_write(uint32_t value)
{
	__asm__ volatile("vmsr fpscr, %0" : : "r"(value) : "memory");
}

#else

#include <fenv.h>

typedef fenv_t float_env;

#endif

#if defined(FLOAT_ENV_CONTROL)

/* Sets the environment; returns the host's. */
static inline float_env float_env_enter(void)
{
	float_env host = float_env_read();

	if ((host & FLOAT_ENV_CONTROL) != (FLOAT_ENV_DEFAULT & FLOAT_ENV_CONTROL))
		float_env_write(FLOAT_ENV_DEFAULT);
	return host;
}

/* Restores the host's. */
static inline void float_env_leave(float_env host)
{
	if ((host & FLOAT_ENV_CONTROL) != (FLOAT_ENV_DEFAULT & FLOAT_ENV_CONTROL))
		float_env_write(host);
}

#else

static inline float_env float_env_enter(void)
{
	float_env host;

	(void)fegetenv(&host);
	(void)fesetenv(FE_DFL_ENV);
	return host;
}

static inline void float_env_leave(float_env host) { (void)fesetenv(&host); }

#endif

#endif
