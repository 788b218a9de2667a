#!/bin/sh
# same_digest.sh BRISE "OTHER BRISE" - two programs, perhaps for different processors, give the same logits
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk 'BEGIN { x = 7; for (i = 0; i < 40; i++) { x = (x * 1103 + 12345) % 65536; print i ? x % 4096 : 1 } }' >"$work/ids"
"$1" convert test/models/breeze "$work/m.brise" --type q4 2>/dev/null || exit 1
a=$("$1" logits "$work/m.brise" --ids "$work/ids" --out - | sha256sum)
b=$($2 logits "$work/m.brise" --ids "$work/ids" --out - | sha256sum)
echo "$a"
[ "$a" = "$b" ]
