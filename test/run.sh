#!/bin/sh
# run.sh BUILD_DIR - runs every test program and script there, as many at once as there are cores, and adds up their counts.
# BRISE_TESTS="threads forward" runs those alone.
# Reference vectors of others' making are not part of the project: tests that need them find them through BRISE_GOLD, or skip.

# Runs one test and prints what it says at once, so that tests side by side do not mix lines: what went wrong, then its counts.
run_one() { # BUILD_DIR, test
	errors="$1/test.results/${2##*/test_}"
	case $2 in
	*.sh) line=$(sh "$2" 2>"$errors") ;;
	*) line=$("$2" 2>"$errors") ;;
	esac
	status=$?
	line=$(printf '%s\n' "$line" | tail -n 1)
	case "$status $line" in
	"0 "*": "*" passed, 0 failed, "*" skipped" | [1-9]*": "*" passed, "[1-9]*" failed, "*" skipped") ;;
	*) line="$2: ended with status $status: $line" ;; # before its report, or behind it, where leaks are found
	esac
	printf '%s\n%s\n' "$(cat "$errors")" "$line" | sed '/^$/d'
}

[ "$1" = --one ] && run_one "$2" "$3" && exit 0

out=$1
[ -z "$BRISE_GOLD" ] && [ -d ../shared/gold ] && BRISE_GOLD=../shared/gold && export BRISE_GOLD
export BRISE_BUILD="$out"
rm -rf "$out/test.results"
mkdir -p "$out/test.results"
for t in test/test_*.sh "$out"/test/test_*; do
	name=${t##*/test_}
	case $t in *.d | *.o) continue ;; esac
	case " ${BRISE_TESTS:-${name%.sh}} " in *" ${name%.sh} "*) [ -f "$t" ] && echo "$t" ;; esac
done | xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" sh "$0" --one "$out" | tee "$out/test.results/all"
awk '/: ended with status / { failed++ }
	/^[^ ]*: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $2; failed += $4; skipped += $6 }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed == 0 }' "$out/test.results/all"
