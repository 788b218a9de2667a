#!/bin/sh
# test_none.sh - the runtime for no operating system: it builds, asks a system for nothing, and runs
# a model from memory with the same bits, on one thread and on two of a board's own
. test/statements.sh

out=${BRISE_BUILD:-build}
library=$out/none/libbrise.a
cores=test/firmware/two_cores.c

make_library() { # its folder, further words for make
	folder=$1
	shift
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CFLAGS -u CPPFLAGS \
		make -s SYSTEM=none BUILD=debug OUT="$folder" "$@" "$folder/libbrise.a" >"$dir/out" 2>&1 && return
	cat "$dir/out" >&2
	return 1
}

# No name but those of libbrise.a itself and of what every compiler expects of its environment.
asks_for_nothing() {
	sh test/firmware/measure.sh "$library" "memcpy memmove memset memcmp sqrt sqrtf" nm >"$dir/out" 2>&1 && return
	cat "$dir/out" >&2
	return 1
}

tells_the_same_story() { # library, threads, type
	model=$dir/$3.brise
	${CC:-cc} -std=c11 -I. -DSTORY_THREADS="$2" -o "$dir/program" test/firmware/none_main.c test/firmware/story.c "$1" -lm -lpthread && "$dir/program" "$model" >"$dir/none" || return 1
	[ "$(sed -n 's/^threads //p' "$dir/none")" = "$2" ] && [ "$(sed -n 's/^digest //p' "$dir/none")" = "$(digest_of "$3")" ] &&
		[ -n "$(sed -n 's/^text //p' "$dir/none")" ] && [ "$(sed -n 's/^text //p' "$dir/none")" = "$("$brise" run "$model" "A file" -n 20 --greedy 2>/dev/null)" ]
}

holds "the library for no system builds" make_library "$out/none"
holds "it asks a system for nothing" asks_for_nothing
for type in $book_types; do
	requires "breeze is converted to $type" "$brise" convert test/models/breeze "$dir/$type.brise" --type $type 2>/dev/null
	holds "$type: it gives the same digest and the same text" tells_the_same_story "$library" 1 $type
done
holds "the library for a board of two cores builds" make_library "$out/none2" BOARD="$cores"
for type in $book_types; do
	holds "$type: it gives the same on two threads" tells_the_same_story "$out/none2/libbrise.a" 2 $type
done
report none
