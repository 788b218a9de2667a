#!/bin/sh
# test_none.sh - the runtime for no operating system: it builds, asks a system for nothing, and runs
# a model from memory with the same bits
. test/statements.sh

out=${BRISE_BUILD:-build}
library=$out/none/libbrise.a

make_library() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CFLAGS -u CPPFLAGS \
		make -s SYSTEM=none BUILD=debug OUT="$out/none" "$library" >"$dir/out" 2>&1 && return
	cat "$dir/out" >&2
	return 1
}

# arch/cpu.c asks Linux for AMX's registers where it is compiled for Linux; json_text.c writes to a
# stream of the caller's.
asks_for_nothing() {
	nm -u "$library" | awk '{ print $2 }' | sort -u |
		grep -xE 'f?open(at)?|f(read|close|gets|seek)|p?(read|write)|close|mmap|munmap|madvise|l?stat|fstat(at)?|pthread_.*|sched_.*|clock_gettime|nanosleep|getenv|sysconf|getpid|sigaction|signal|raise' >"$dir/asked"
	[ -s "$library" ] && [ ! -s "$dir/asked" ] && return
	cat "$dir/asked" >&2
	return 1
}

run_with() { # library, where its output goes
	${CC:-cc} -std=c11 -I. -o "$dir/program" test/none_main.c "$1" -lm -lpthread && "$dir/program" "$dir/breeze.brise" >"$2"
}

gives_the_same_bits() {
	run_with "$library" "$dir/none" && run_with "$out/libbrise.a" "$dir/here" &&
		grep -q ' 1 threads, [0-9a-f]\{16\}$' "$dir/none" && [ "$(sed 's/.*, //' "$dir/none")" = "$(sed 's/.*, //' "$dir/here")" ]
}

holds "the library for no system builds" make_library
holds "it asks a system for nothing" asks_for_nothing
"$out/brise" convert test/models/breeze "$dir/breeze.brise" 2>/dev/null
if grep -q fsanitize "$out/obj/settings"; then
	skip "it gives the same bits" "the other library needs its sanitizer"
else
	holds "it gives the same bits" gives_the_same_bits
fi
report none
