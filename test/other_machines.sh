#!/bin/sh
# other_machines.sh BRISE [NAME...] - the same digest on every kind of processor, or on those named,
# under qemu's user emulation; no illegal instruction on any model of one
#
# Cross compilers and qemu are Debian's; a target whose compiler or emulator is missing is skipped.
. test/statements.sh
brise=${1:-$brise}
[ $# -eq 0 ] || shift
known="arm64 riscv64 armhf i386 s390x x86"
machines=${*:-$known}
for machine in $machines; do requires "$machine is a machine of this test" has_word "$machine" "$known"; done
export BRISE_MODEL="$dir/q4.brise"
for type in $book_types; do
	requires "breeze is converted to $type" "$brise" convert test/models/breeze "$dir/$type.brise" --type $type 2>"$dir/err"
done

# Builds into build/NAME; false if it is not asked for, and with a skip if the compiler or emulator
# is not here.
build_for() { # name, compiler, emulator, CFLAGS
	has_word "$1" "$machines" || return 1
	for tool in "$2" "$3"; do
		command -v "$tool" >/dev/null || { skip "$1" "$tool is not installed"; return 1; }
	done
	make -s -j2 CC="$2" CFLAGS="$4" OUT="build/$1" LDFLAGS=-static "build/$1/brise" >/dev/null || { holds "$1 does not build" false; return 1; }
}

emulated_test() { # test, name, compiler, emulator with options
	make -s CC="$3" OUT="build/$2" LDFLAGS=-static "build/$2/test/$1" >/dev/null
	holds "$2: $1 with $4" sh -c "$4 build/$2/test/$1 >'$dir/out' 2>&1 || { cat '$dir/out'; false; }"
}

same_digests() { # machine, emulator and program, options...
	machine=$1 emulated=$2
	shift 2
	for type in $book_types; do
		holds "$machine, $type" env BRISE_TYPE=$type BRISE_MODEL="$dir/$type.brise" sh test/same_digest.sh "$emulated" "$@"
	done
}

# Generates a few tokens on an emulated processor model, and prints the set that it chose.
writes_with() { # emulator with options, program
	$1 "$2" info "$BRISE_MODEL" 2>/dev/null | sed -n "s|^kernels *\([a-z0-9]*\) .*|$1: \1|p" >&2
	[ -n "$written" ] && [ "$($1 "$2" run "$BRISE_MODEL" "A file" -n 3 --greedy 2>/dev/null)" = "$written" ]
}
written=$("$brise" run "$BRISE_MODEL" "A file" -n 3 --greedy 2>/dev/null)
requires "the program of this machine writes" [ -n "$written" ]

if build_for arm64 aarch64-linux-gnu-gcc qemu-aarch64; then
	for arch in i8mm dotprod neon scalar; do
		same_digests "arm64 with $arch" "qemu-aarch64 -cpu max build/arm64/brise" --arch $arch --threads 2
	done
	emulated_test test_kernels arm64 aarch64-linux-gnu-gcc "qemu-aarch64 -cpu max"
	for cpu in cortex-a53 cortex-a72 cortex-a76 neoverse-n1 max; do
		holds "arm64 on $cpu" writes_with "qemu-aarch64 -cpu $cpu" build/arm64/brise
	done
fi
build_for riscv64 riscv64-linux-gnu-gcc qemu-riscv64 && same_digests riscv64 "qemu-riscv64 build/riscv64/brise"
if build_for armhf arm-linux-gnueabihf-gcc qemu-arm; then
	same_digests armhf "qemu-arm build/armhf/brise"
	emulated_test test_rope armhf arm-linux-gnueabihf-gcc qemu-arm
fi
if build_for i386 i686-linux-gnu-gcc qemu-i386; then
	same_digests i386 "qemu-i386 build/i386/brise"
	emulated_test test_rope i386 i686-linux-gnu-gcc qemu-i386
fi
# It only refuses, which need not be fast.
if build_for s390x s390x-linux-gnu-gcc qemu-s390x -O0; then
	qemu-s390x build/s390x/brise run "$BRISE_MODEL" x -n 1 >"$dir/out" 2>"$dir/err"
	holds "s390x refuses a model with status 1" test $? -eq 1
	holds "s390x says why" grep -q "little-endian" "$dir/err"
	qemu-s390x build/s390x/brise convert test/models/breeze "$dir/big.brise" >"$dir/out" 2>"$dir/err"
	holds "s390x refuses to convert with status 1" test $? -eq 1
	holds "s390x writes nothing" test ! -e "$dir/big.brise"
fi
if ! has_word x86 "$machines"; then
	:
elif [ "$(uname -m)" != x86_64 ] || ! command -v qemu-x86_64 >/dev/null; then
	skip x86 "qemu-x86_64 is not installed, or this is no x86-64"
else
	for cpu in core2duo Nehalem Haswell Skylake-Client Cascadelake-Server Opteron_G1 EPYC max; do
		holds "x86-64 on $cpu" writes_with "qemu-x86_64 -cpu $cpu" "$brise"
	done
fi
report other_machines
