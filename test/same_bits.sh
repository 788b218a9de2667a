#!/bin/sh
# same_bits.sh [BUILD...] - one model and one list of ids give the same logits from every compiler,
# optimization level, kernel set, thread count and chunk size
. test/statements.sh
awk 'BEGIN { x = 7; for (i = 0; i < 150; i++) { x = (x * 1103 + 12345) % 65536; print i ? x % 4096 : 1 } }' >"$dir/ids"

# Writes a program's logits and prints their digest; without logits it prints only the reason, on
# standard error.
digest() { # brise, model, options...
	program=$1 model=$2
	shift 2
	"$program" logits "$model" --ids "$dir/ids" --out "$dir/logits" "$@" >"$dir/out" 2>"$dir/err" && [ -s "$dir/logits" ] && sha256sum <"$dir/logits"
	[ -s "$dir/logits" ] || cat "$dir/err" >&2
	rm -f "$dir/logits"
}

gives() { # the digest expected, then digest's arguments
	expected=$1
	shift
	[ -n "$expected" ] && [ "$(digest "$@")" = "$expected" ]
}

# A build is "build", the one that is there, or COMPILER-FLAGS, _ between flags and ~ for =, which no
# target's name in make may have. The last one would relax arithmetic, if the Makefile let it.
relaxed=gcc-O2_-ffast-math_-ffp-contract~fast
[ "$(uname -m)" = x86_64 ] && relaxed=${relaxed}_-mfma
builds="build gcc-O0 clang-O3 clang-O0 $relaxed"
[ $# -eq 0 ] || builds="$*"
program_of() { # build
	[ "$1" = build ] && printf '%s' "$brise" || printf 'build/bits/%s/brise' "$1"
}
for build in $builds; do
	[ "$build" = build ] || make -s -j2 CC="${build%%-*}" CFLAGS="$(printf '%s' "-${build#*-}" | tr '_~' ' =')" OUT="build/bits/$build" "build/bits/$build/brise" >"$dir/out" 2>&1 || cat "$dir/out" >&2
	requires "$build builds" [ -x "$(program_of "$build")" ]
done
for type in $book_types q8; do
	reference=$(program_of "${builds%% *}")
	requires "$reference converts to $type" "$reference" convert test/models/breeze "$dir/$type.brise" --type $type 2>"$dir/err"
	first=$(digest "$reference" "$dir/$type.brise" --arch scalar --threads 1 --chunk 64)
	requires "$reference evaluates $type" [ -n "$first" ]
	for build in $builds; do
		program=$(program_of "$build")
		arches=$(list_arches "$program" "$dir/$type.brise")
		requires "$program info lists the kernel sets, scalar among them" has_word scalar:true "$arches"
		# Threads and chunks are one build's matter, and slow builds need not repeat everything.
		case $build in
		"${builds%% *}") cuts="1/1 2/7 3/64 5/512" ;;
		*-O0*) cuts=2/7 ;;
		*) cuts="1/1 3/64" ;;
		esac
		for arch in $(printf '%s\n' $arches | sed -n 's/:true$//p'); do
			for cut in $cuts; do
				options="--threads ${cut%/*} --chunk ${cut#*/}"
				holds "$program $type $arch $options" gives "$first" "$program" "$dir/$type.brise" --arch "$arch" $options
			done
		done
		"$program" convert test/models/breeze "$dir/again.brise" --type $type 2>/dev/null
		holds "$program converts to the same $type file" cmp -s "$dir/again.brise" "$dir/$type.brise"
		rm -f "$dir/again.brise"
	done
done
report same_bits
