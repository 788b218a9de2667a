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

# No name but those of libbrise.a itself and of what every compiler expects of its environment.
asks_for_nothing() {
	sh test/firmware/measure.sh "$library" "memcpy memmove memset memcmp sqrt sqrtf" nm >"$dir/out" 2>&1 && return
	cat "$dir/out" >&2
	return 1
}

tells_the_same_story() {
	${CC:-cc} -std=c11 -I. -o "$dir/program" test/firmware/none_main.c test/firmware/story.c "$library" -lm && "$dir/program" "$dir/breeze.brise" >"$dir/none" || return 1
	[ "$(sed -n 's/^digest //p' "$dir/none")" = "$(cut -d' ' -f1 test/digest.sha256)" ] && [ -n "$(sed -n 's/^text //p' "$dir/none")" ] &&
		[ "$(sed -n 's/^text //p' "$dir/none")" = "$("$brise" run "$dir/breeze.brise" "A file" -n 20 --greedy 2>/dev/null)" ]
}

holds "the library for no system builds" make_library
holds "it asks a system for nothing" asks_for_nothing
requires "breeze is converted" "$brise" convert test/models/breeze "$dir/breeze.brise" 2>/dev/null
holds "it gives the same digest and the same text" tells_the_same_story
report none
