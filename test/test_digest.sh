#!/bin/sh
# test_digest.sh - every kernel set that this machine runs gives the digest that every other machine gives
brise=${BRISE_BUILD:-build}/brise
passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$brise" convert test/models/breeze "$work/m.brise" --type q4 2>/dev/null || exit 1
BRISE_MODEL=$work/m.brise
export BRISE_MODEL
# "arches":{"NAME":true,...}
for entry in $("$brise" info "$BRISE_MODEL" --json | sed 's/.*"arches":{\([^}]*\)}.*/\1/' | tr ',' ' '); do
	arch=$(echo "$entry" | cut -d'"' -f2)
	case $entry in
	*:true)
		for threads in 1 3; do
			if sh test/same_digest.sh "$brise" --arch "$arch" --threads $threads; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
		done
		;;
	*)
		echo "skipped: digest with $arch: not on this machine" >&2
		skipped=$((skipped + 1))
		;;
	esac
done
echo "digest: $passed passed, $failed failed, $skipped skipped"
