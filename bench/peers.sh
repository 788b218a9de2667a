#!/bin/sh
# peers.sh - brise against llama.cpp on this machine: the same synthetic weights, the same threads,
# one table
#
# Installs llama.cpp from npm into a scratch folder, makes a model of random weights in q4 and q8
# (brise bench --synthetic) and its GGUF in Q4_0 and Q8_0 (brise export), and lets bench/peers.mjs
# run both programs alternately. 7B needs 16 GB of disk and memory and about 30 minutes, on cores
# that are otherwise idle. Everything it made is removed at the end.
set -u
usage() {
	cat <<'TXT'
usage: sh bench/peers.sh [options]

  --dir DIR       where files go (default build/peers); SHAPE-q4.brise and -q8.brise found there are used, and stay
  --shape SHAPE   mistral-7b (default) or breeze, to try it out
  --types LIST    q4,q8 (default), q4 or q8
  --threads N     of both (default: as many as brise chooses)
  --rounds N      default 3
  --keep          keep the files it made
TXT
}
fail() {
	echo "peers: $*" >&2
	exit 1
}

brise=${BRISE_BUILD:-build}/brise dir=build/peers shape=mistral-7b types=q4,q8 threads= rounds=3 keep= made=
while [ $# -gt 0 ]; do
	case $1 in
	--dir | --shape | --types | --threads | --rounds)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		eval "${1#--}=\$2"
		shift
		;;
	--keep) keep=yes ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
case $types in q4,q8 | q4 | q8) ;; *) usage >&2; exit 2 ;; esac
[ -x "$brise" ] || fail "$brise is not there; make builds it"
mkdir -p "$dir" || exit 1

clean() {
	rm -rf "$scratch"
	[ -n "$keep" ] || rm -f $made
	rmdir "$dir" 2>/dev/null
	:
}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/brise-peers-XXXXXX") || exit 1
trap clean EXIT
trap 'exit 1' HUP INT TERM

modules=$(sh bench/install_llama.sh "$scratch") || exit 1
pairs=
for type in $(echo $types | tr , ' '); do
	model=$dir/$shape-$type.brise gguf=$dir/$shape-${type}_0.gguf
	[ -e "$gguf" ] && fail "$gguf is there already; remove it"
	if [ ! -e "$model" ]; then
		made="$made $model"
		"$brise" bench --synthetic "$shape" --type "$type" --dir "$dir" >/dev/null || exit 1
	fi
	made="$made $gguf"
	"$brise" export "$model" "$gguf" --type "${type}_0" || exit 1
	pairs="$pairs $model=$gguf"
done
[ -n "$threads" ] || threads=$("$brise" info "$model" --json | sed -n 's/.*"threads":\([0-9]*\).*/\1/p')
node bench/peers.mjs "$brise" "$modules" "$threads" "$rounds" $pairs
