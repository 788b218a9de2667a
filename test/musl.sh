#!/bin/sh
# musl.sh - a program linked with musl and nothing else: it runs alone in an empty folder as its root,
# without /proc, /sys and /dev, gives the same bits, and says what it cannot know
#
# Needs Debian's musl-tools, and root for chroot; skips without them.
. test/statements.sh
if ! command -v musl-gcc >/dev/null; then
	skip "a static program" "musl-gcc is not installed"
	report musl
	exit 0
elif ! mkdir "$dir/root" || ! chroot / true 2>/dev/null; then
	skip "a static program" "chroot is for root alone"
	report musl
	exit 0
fi
out=${BRISE_BUILD:-build}/musl
root=$dir/root

builds() {
	make -s -j2 CC=musl-gcc LDFLAGS=-static OUT="$out" WERROR=-Werror "$out/brise" >"$dir/out" 2>&1 && return
	cat "$dir/out" >&2
	return 1
}

# Leaves $status, $dir/out and $dir/err.
alone() {
	chroot "$root" /brise "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	[ "$status" -eq 0 ] || cat "$dir/err" >&2
	return "$status"
}

says() { # pattern, file
	grep -qE "$1" "$2" && return
	cat "$2" >&2
	return 1
}

digest() { # type, options...
	expected=$(digest_of "$1")
	shift
	alone logits /m.brise --ids /ids --out /logits "$@" && [ "$(sha256sum <"$root/logits" | cut -d' ' -f1)" = "$expected" ]
}

requires "it builds" builds
holds "it needs no other file" eval '! ldd "$out/brise" >/dev/null 2>&1'
cp "$out/brise" "$root/brise"
cp -r test/models/breeze "$root/breeze"
awk 'BEGIN { x = 7; for (i = 0; i < 40; i++) { x = (x * 1103 + 12345) % 65536; print i ? x % 4096 : 1 } }' >"$root/ids"
holds "convert works alone" alone convert /breeze /m.brise --type q4
wanted=$("$brise" run "$root/m.brise" "A file" -n 20 --greedy 2>/dev/null)
alone run /m.brise "A file" -n 20 --greedy --stats
holds "run writes the same text" [ -n "$wanted" -a "$(cat "$dir/out")" = "$wanted" ]
holds "run says which memory it cannot know" says 'anonymous memory unknown' "$dir/err"
holds "logits have every machine's digest" digest q4
holds "with one thread too" digest q4 --threads 1
holds "info works alone" alone info /m.brise
holds "info says that cores are unknown" says 'processors allowed, cores unknown: /sys' "$dir/out"
holds "a limit on memory works alone" alone run /m.brise "A file" -n 20 --greedy --memory 20M
holds "and gives the same text" [ "$(cat "$dir/out")" = "$wanted" ]
holds "tokenize works alone" alone tokenize /m.brise "A file"
holds "bench works alone" alone bench /m.brise
holds "bench says that the start is not timed" says 'first token  not timed: there is no /proc' "$dir/out"
holds "bench says that pages are unknown" says 'pages  unknown' "$dir/out"
for type in $book_types; do
	[ $type = q4 ] && continue
	holds "convert to $type works alone" alone convert /breeze /m.brise --type $type
	holds "logits of $type have every machine's digest" digest $type
	holds "and with a limit on memory" digest $type --memory 20M
done
report musl
