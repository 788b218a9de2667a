#!/bin/sh
# same_digest.sh BRISE [OPTIONS...] - breeze in q4, or BRISE_TYPE, and one list of ids: the logits have
# the digest that is in test/digest.sha256, on every machine
#
# BRISE may be several words, such as "qemu-aarch64 build/arm64/brise". BRISE_MODEL names a file
# converted before: emulated converters are slow.
program=$1
shift
type=${BRISE_TYPE:-q4}
work=$(mktemp -d "${TMPDIR:-/tmp}/brise-digest-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
awk 'BEGIN { x = 7; for (i = 0; i < 40; i++) { x = (x * 1103 + 12345) % 65536; print i ? x % 4096 : 1 } }' >"$work/ids"
model=${BRISE_MODEL:-$work/m.brise}
[ -n "$BRISE_MODEL" ] || $program convert test/models/breeze "$model" --type "$type" 2>/dev/null || exit 1
$program logits "$model" --ids "$work/ids" --out "$work/logits" "$@" || exit 1
found=$(sha256sum <"$work/logits" | cut -d' ' -f1)
expected=$(sed -n "s/ .* $type: .*//p" test/digest.sha256)
[ -s "$work/logits" ] && [ -n "$expected" ] && [ "$found" = "$expected" ] && exit 0
echo "$program $*: $type: digest $found, expected $expected" >&2
exit 1
