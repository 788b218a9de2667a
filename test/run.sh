#!/bin/sh
# run.sh BUILD_DIR - runs every test program and script there, and adds up their counts.
# BRISE_TESTS="threads forward" runs those alone.
# Reference vectors of others' making are not part of the project: tests that need them find them through BRISE_GOLD, or skip.
out=$1
[ -z "$BRISE_GOLD" ] && [ -d ../shared/gold ] && BRISE_GOLD=../shared/gold && export BRISE_GOLD
export BRISE_BUILD="$out"
passed=0 failed=0 skipped=0
for t in "$out"/test/test_* test/test_*.sh; do
	[ -f "$t" ] || continue
	name=${t##*/test_}
	case " ${BRISE_TESTS:-${name%.sh}} " in *" ${name%.sh} "*) ;; *) continue ;; esac
	case $t in
	*.sh) line=$(sh "$t" 2>"$out/test.err" | tail -n 1) ;;
	*.d | *.o) continue ;;
	*) line=$("$t" 2>"$out/test.err" | tail -n 1) ;;
	esac
	cat "$out/test.err" >&2
	counts=$(printf '%s\n' "$line" | sed -n 's/^[^ ]*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
	if [ -z "$counts" ]; then
		echo "$t: died without a report: $line"
		failed=$((failed + 1))
		continue
	fi
	echo "$line"
	set -- $counts
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
done
rm -f "$out/test.err"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
