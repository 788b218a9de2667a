#!/bin/sh
# other_machines.sh BRISE - the same digest on every kind of processor, under qemu's user emulation; no illegal instruction on any model of one
# Cross compilers and qemu are Debian's; a target whose compiler or emulator is missing is skipped.
brise=${1:-build/brise}
passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export BRISE_MODEL="$work/m.brise"
"$brise" convert test/models/breeze "$BRISE_MODEL" --type q4 2>/dev/null || exit 1

must() { # what, command...
	what=$1
	shift
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $what" >&2; fi
}

skip() {
	echo "skipped: $1: $2" >&2
	skipped=$((skipped + 1))
}

# Builds into build/NAME; false, with a skip, if the compiler or emulator is not here.
build_for() { # name, compiler, emulator
	for tool in "$2" "$3"; do
		command -v "$tool" >/dev/null || { skip "$1" "$tool is not installed"; return 1; }
	done
	make -s -j2 CC="$2" OUT="build/$1" LDFLAGS=-static >/dev/null || { must "$1 does not build" false; return 1; }
}

kernel_test() { # name, compiler, emulator with options
	make -s CC="$2" OUT="build/$1" LDFLAGS=-static "build/$1/test/test_kernels" >/dev/null
	must "$1: test_kernels with $3" sh -c "$3 build/$1/test/test_kernels >'$work/out' 2>&1 || { cat '$work/out'; false; }"
}

# Runs a few words on a model of processor, and says which set it chose.
writes_with() { # emulator with options, program
	$1 "$2" info "$BRISE_MODEL" 2>/dev/null | sed -n "s|^kernels *\([a-z0-9]*\) .*|$1: \1|p" >&2
	[ "$($1 "$2" run "$BRISE_MODEL" "A file" -n 3 --greedy 2>/dev/null)" = "$written" ]
}
written=$("$brise" run "$BRISE_MODEL" "A file" -n 3 --greedy 2>/dev/null)

if build_for arm64 aarch64-linux-gnu-gcc qemu-aarch64; then
	for arch in i8mm dotprod neon scalar; do
		must "arm64 with $arch" sh test/same_digest.sh "qemu-aarch64 -cpu max build/arm64/brise" --arch $arch --threads 2
	done
	kernel_test arm64 aarch64-linux-gnu-gcc "qemu-aarch64 -cpu max"
	for cpu in cortex-a53 cortex-a72 cortex-a76 neoverse-n1 max; do
		must "arm64 on $cpu" writes_with "qemu-aarch64 -cpu $cpu" build/arm64/brise
	done
fi
build_for riscv64 riscv64-linux-gnu-gcc qemu-riscv64 && must riscv64 sh test/same_digest.sh "qemu-riscv64 build/riscv64/brise"
build_for armhf arm-linux-gnueabihf-gcc qemu-arm && must armhf sh test/same_digest.sh "qemu-arm build/armhf/brise"
build_for i386 i686-linux-gnu-gcc qemu-i386 && must i386 sh test/same_digest.sh "qemu-i386 build/i386/brise"
if build_for s390x s390x-linux-gnu-gcc qemu-s390x; then
	qemu-s390x build/s390x/brise run "$BRISE_MODEL" x -n 1 >"$work/out" 2>"$work/err"
	must "s390x refuses a model with status 1" test $? -eq 1
	must "s390x says why" grep -q "little-endian" "$work/err"
	qemu-s390x build/s390x/brise convert test/models/breeze "$work/big.brise" >"$work/out" 2>"$work/err"
	must "s390x refuses to convert with status 1" test $? -eq 1
	must "s390x writes nothing" test ! -e "$work/big.brise"
fi
if [ "$(uname -m)" = x86_64 ] && build_for x86 "${CC:-cc}" qemu-x86_64; then
	for cpu in core2duo Nehalem Haswell Skylake-Client Cascadelake-Server Opteron_G1 EPYC max; do
		must "x86-64 on $cpu" writes_with "qemu-x86_64 -cpu $cpu" build/x86/brise
	done
fi
echo "other_machines: $passed passed, $failed failed, $skipped skipped"
