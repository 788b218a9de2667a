#!/bin/sh
# same_bits.sh - one model and one list of ids give the same logits from every compiler, optimization level, kernel set, thread count and chunk size
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk 'BEGIN { x = 7; for (i = 0; i < 150; i++) { x = (x * 1103 + 12345) % 65536; print i ? x % 4096 : 1 } }' >"$work/ids"

digest() { # brise, model, options...
	program=$1 model=$2
	shift 2
	"$program" logits "$model" --ids "$work/ids" --out - "$@" | sha256sum
}

for build in "gcc -O3" "gcc -O0" "clang -O3" "clang -O0"; do
	set -- $build
	out=build/bits/$1$2
	make -s -j2 CC="$1" CFLAGS="$2" OUT="$out" >/dev/null || exit 1
done
for type in q4 q8; do
	build/bits/gcc-O3/brise convert test/models/breeze "$work/$type.brise" --type $type 2>/dev/null
	first=$(digest build/bits/gcc-O3/brise "$work/$type.brise" --arch scalar --threads 1 --chunk 64)
	for program in build/bits/*/brise; do
		case $program in *O0*) slow=yes ;; *) slow= ;; esac
		# Every set that this machine runs, from what info says: "arches":{"NAME":true,...}
		arches=$("$program" info "$work/$type.brise" --json | sed 's/.*"arches":{\([^}]*\)}.*/\1/' | tr ',' '\n' | sed -n 's/"\(.*\)":true/\1/p')
		for arch in $arches; do
			for options in "--threads 1 --chunk 1" "--threads 2 --chunk 7" "--threads 3 --chunk 64" "--threads 5 --chunk 512"; do
				# The slow builds need not repeat everything: one token at a time with all sets but the definition, chunks with a few.
				[ -n "$slow" ] && [ "$options" = "--threads 1 --chunk 1" ] && [ "$arch" = scalar ] && continue
				if [ "$(digest "$program" "$work/$type.brise" --arch $arch $options)" = "$first" ]; then
					passed=$((passed + 1))
				else
					failed=$((failed + 1))
					echo "FAILED: $program $type $arch $options" >&2
				fi
			done
		done
		# The converter's file is the same too.
		"$program" convert test/models/breeze "$work/again.brise" --type $type 2>/dev/null
		if cmp -s "$work/again.brise" "$work/$type.brise"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $program converts $type differently" >&2; fi
	done
done
echo "same_bits: $passed passed, $failed failed, 0 skipped"
