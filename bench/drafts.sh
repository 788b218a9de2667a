#!/bin/sh
# drafts.sh BUILD_DIR [MODEL [RUN OPTIONS]] - what drafts are worth on the prompts of drafts.txt,
# whose continuations repeat what stands before; MODEL is breeze of `make demo` unless given. Texts
# with and without drafts are compared, too.
set -e
build=$1 model=${2:-$1/breeze-q4.brise}
shift
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- -n 300 --greedy --ignore-eos
rate() { sed -n 's/.*generated.*(\([0-9.]*\) tokens.*/\1/p' "$1"; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
printf '%-22s %12s %22s\n' '' 'tokens/pass' 'tokens/s, and without'
while IFS="|" read -r name prompt; do
	printf '%b' "$prompt" >"$dir/prompt"
	"$build/brise" run "$model" -f "$dir/prompt" --seed 1 --stats "$@" >"$dir/with" 2>"$dir/stats"
	"$build/brise" run "$model" -f "$dir/prompt" --seed 1 --stats --no-drafts "$@" >"$dir/without" 2>"$dir/none"
	cmp "$dir/with" "$dir/without"
	printf '%-22s %12s %11s %10s\n' "$name" "$(sed -n 's/.*passes, \([0-9.]*\) tokens per pass.*/\1/p' "$dir/stats")" "$(rate "$dir/stats")" "$(rate "$dir/none")"
done <bench/drafts.txt
