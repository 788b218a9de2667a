/* main.c - the board: qemu's `virt` machine for arm64, without an operating system
 *
 * The model lies in memory where the emulator's loader device has put it; the library gets what is
 * behind it. Output goes to the PL011 UART (Arm DDI 0183), the end to PSCI (Arm DEN 0022), which
 * switches the machine off. What the compiler expects of its environment is here too: the library
 * needs memcpy, memmove, memset, memcmp and sqrtf, and nothing else.
 */
#include <stdint.h>

#include "test/firmware/story.h"

#define UART       0x09000000u /* data register; flags 0x18 further */
#define UART_FULL  0x20u
#define SYSTEM_OFF 0x84000008u

/* Where start.S and run.sh put things; the size of the model is in the first 8 bytes there. */
#define MODEL  ((const uint8_t *)0x48000000u)
#define HEAD   4096u
#define MEMORY ((void *)0x60000000u)
#define ROOM   ((size_t)256 << 20)

extern const uint64_t stack_bottom[], stack_top[]; /* of board.ld */

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
float sqrtf(float x);
void board_main(void);
void board_fault(void);

void *memcpy(void *to, const void *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	size_t i;

	if ((uintptr_t)to <= (uintptr_t)from)
		return memcpy(to, from, n);
	for (i = n; i > 0; i--)
		((uint8_t *)to)[i - 1] = ((const uint8_t *)from)[i - 1];
	return to;
}

void *memset(void *to, int value, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)value;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	size_t i;

	for (i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

float sqrtf(float x)
{
	__asm__("fsqrt %s0, %s0" : "+w"(x));
	return x;
}

static void print(const char *text, size_t bytes)
{
	volatile uint32_t *uart = (volatile uint32_t *)UART;
	size_t i;

	for (i = 0; i < bytes; i++) {
		while (uart[0x18 / 4] & UART_FULL)
			;
		uart[0] = (uint8_t)text[i];
	}
}

/* Memory is zero when the emulator starts, so what is not has been used. */
static void print_stack(void)
{
	const uint64_t *p = stack_bottom;
	char digits[20];
	size_t n = sizeof digits;
	uint64_t used;

	while (p < stack_top && *p == 0)
		p++;
	used = (uint64_t)((uintptr_t)stack_top - (uintptr_t)p);
	do
		digits[--n] = (char)('0' + used % 10);
	while ((used /= 10) > 0);
	print("stack ", 6);
	print(digits + n, sizeof digits - n);
	print("\n", 1);
}

static void switch_off(void)
{
	register uint64_t call __asm__("x0") = SYSTEM_OFF;

	__asm__ volatile("hvc #0" : "+r"(call) : : "memory");
	for (;;)
		;
}

void board_main(void)
{
	uint64_t size;

	memcpy(&size, MODEL, sizeof size);
	if (story_run(MODEL + HEAD, (size_t)size, MEMORY, ROOM, print) == 0) {
		print_stack();
		print("end\n", 4);
	}
	switch_off();
}

void board_fault(void)
{
	print("fault\n", 6);
	switch_off();
}
