// start.S - from reset to board_main: floating point on, a page table, a stack, zeroed variables
//
// The page table is needed because without one all memory is device memory, where unaligned access
// faults. Three blocks of 1 GB at level 1 (Arm Architecture Reference Manual, D8.3): devices; memory,
// whose part with the model is read-only, as flash would be; nothing else.
	.section .start, "ax"
	.global _start
_start:
	mrs	x0, CurrentEL
	cmp	x0, #8
	b.ne	1f
	mov	x0, #(1 << 31)		// EL2: continue in EL1, which is AArch64
	msr	hcr_el2, x0
	mov	x0, #0x33ff		// no traps of floating point
	msr	cptr_el2, x0
	mov	x0, #0x3c5
	msr	spsr_el2, x0
	adr	x0, 1f
	msr	elr_el2, x0
	eret
1:	mov	x0, #(3 << 20)		// FPEN
	msr	cpacr_el1, x0
	isb
	adr	x0, vectors
	msr	vbar_el1, x0
	ldr	x0, =stack_top
	mov	sp, x0

	ldr	x0, =bss_start
	ldr	x1, =bss_end
2:	cmp	x0, x1
	b.hs	3f
	str	xzr, [x0], #8
	b	2b

	// Level 1: entry 0 devices, entry 1 leads to level 2, where each entry is 2 MB.
3:	ldr	x0, =level1
	mov	x1, #0x405		// block, memory of kind 1 (devices), accessed
	str	x1, [x0]
	ldr	x1, =level2
	orr	x2, x1, #3		// table
	str	x2, [x0, #8]
	mov	x2, #0x40000000
	mov	x3, #0
4:	mov	x4, #0x701		// block, memory of kind 0, shared inside, accessed
	orr	x4, x4, x2
	sub	x5, x3, #64		// 0x48000000..0x60000000: the model, read-only
	cmp	x5, #192
	b.hs	5f
	orr	x4, x4, #(2 << 6)
5:	str	x4, [x1, x3, lsl #3]
	add	x2, x2, #0x200000
	add	x3, x3, #1
	cmp	x3, #512
	b.lo	4b
	msr	ttbr0_el1, x0
	mov	x0, #0x00ff		// kind 0: write-back; kind 1: devices
	msr	mair_el1, x0
	ldr	x0, =0x803519		// 39 bits, 4 KB pages, inner shareable, write-back; no TTBR1
	msr	tcr_el1, x0
	isb
	tlbi	vmalle1
	dsb	ish
	isb
	mrs	x0, sctlr_el1
	ldr	x1, =0x1005		// M, C, I
	orr	x0, x0, x1
	bic	x0, x0, #2		// no checks of alignment
	msr	sctlr_el1, x0
	isb
	bl	board_main
6:	wfi
	b	6b

	.balign 2048
vectors:
	.rept 16
	.balign 128
	b	fault
	.endr
fault:	ldr	x0, =stack_top
	mov	sp, x0
	bl	board_fault
	b	6b

	.section .bss
	.balign 4096
level1:	.skip 4096
level2:	.skip 4096
