#!/bin/sh
# run.sh - breeze on an emulated board without an operating system: the same text as the command line
# and the same digest, with every kernel set of arm64, from a model that cannot be written to, in as
# much memory as was told
#
# Needs Debian's gcc-aarch64-linux-gnu and qemu-system-arm; skips without them. The library is built
# with clang, too, where there is one.
. test/statements.sh
cross=${CROSS:-aarch64-linux-gnu-}
emulator=qemu-system-aarch64
for tool in "${cross}gcc" "$emulator"; do
	command -v "$tool" >/dev/null && continue
	skip "breeze on a board" "$tool is not installed"
	report firmware
	exit 0
done
out=${BRISE_BUILD:-build}/board
library=$out/firmware/libbrise.a

build_library() { # compiler, where to
	make -s -j2 CC="$1" AR="${cross}ar" OUT="$2" WERROR=-Werror firmware >"$dir/built" 2>"$dir/err" && return
	cat "$dir/err" >&2
	return 1
}

# The library's text, from what `make firmware` prints.
is_small() {
	text=$(sed -n 's/^\([0-9]*\) bytes of text.*/\1/p' "$dir/built")
	printf '%s bytes of text\n' "$text" >&2
	[ -n "$text" ] && [ "$text" -lt 150000 ]
}

link_board() {
	"${cross}gcc" -std=c11 -Wall -Wextra -Werror -Os -ffreestanding -fno-pic -mno-outline-atomics -fno-stack-protector -fno-tree-loop-distribute-patterns -I. -nostdlib -static -no-pie \
		-Wl,-T,test/firmware/board.ld -Wl,--build-id=none -Wl,--no-warn-rwx-segments -o "$dir/board.elf" test/firmware/start.S test/firmware/main.c test/firmware/story.c "$library"
}

# A page with the model's size, and the model.
make_image() { # model
	size=$(wc -c <"$1")
	for shift in 0 8 16 24 32 40 48 56; do
		printf "\\$(printf '%03o' $((size >> shift & 255)))"
	done >"$dir/image"
	head -c 4088 /dev/zero >>"$dir/image"
	cat "$1" >>"$dir/image"
}

run_on() { # processor
	timeout 300 "$emulator" -M virt -cpu "$1" -m 1024 -nic none -nographic -monitor none -serial "file:$dir/uart" -kernel "$dir/board.elf" \
		-device loader,file="$dir/image",addr=0x48000000,force-raw=on </dev/null >"$dir/out" 2>&1
	cat "$dir/out" >&2
	[ "$(tail -n 1 "$dir/uart")" = end ] && return
	cat "$dir/uart" >&2
	return 1
}

said() { # word
	sed -n "s/^$1 //p" "$dir/uart"
}

is_told_well() {
	set -- $(said memory)
	[ $# -eq 2 ] && [ "$2" -le "$1" ] && [ $(($1 - $2)) -le $(($1 / 20)) ]
}

takes_little_stack() {
	stack=$(said stack)
	printf '%s bytes of stack\n' "$stack" >&2
	[ -n "$stack" ] && [ "$stack" -gt 0 ] && [ "$stack" -le 65536 ]
}

if command -v clang >/dev/null; then
	holds "clang builds the library for firmware" build_library "clang --target=${cross%-}" "$out/clang"
	holds "clang's has less than 150,000 bytes of text with all kernel sets" is_small
else
	skip "the library for firmware, from clang" "clang is not installed"
fi
requires "the library for firmware builds" build_library "${cross}gcc" "$out"
holds "it has less than 150,000 bytes of text with all kernel sets" is_small
requires "a program for the board links with the library alone" link_board
for type in $book_types; do
	requires "breeze is converted to $type" "$brise" convert test/models/breeze "$dir/$type.brise" --type $type 2>"$dir/err"
	requires "there is an image of $type" make_image "$dir/$type.brise"
	wanted=$("$brise" run "$dir/$type.brise" "A file" -n 20 --greedy 2>/dev/null)
	digest=$(digest_of $type)
	for processor in cortex-a53:neon cortex-a76:dotprod max:i8mm; do
		name="${processor%:*}, $type"
		holds "the board with $name runs to its end" run_on "${processor%:*}"
		holds "$name: chooses the set for it" [ "$(said kernels)" = "${processor#*:}" ]
		holds "$name: the text is the command line's" [ -n "$wanted" -a "$(said text)" = "$wanted" ]
		holds "$name: the digest is every machine's" [ -n "$digest" -a "$(said digest)" = "$digest" ]
		holds "$name: memory is enough, and not 5 % too much" is_told_well
		holds "$name: 64 KB of stack are enough" takes_little_stack
	done
done
report firmware
