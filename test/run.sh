#!/bin/sh
# run.sh BUILD_DIR - runs every test program and script there, as many at once as there are cores,
# and adds up their counts. BRISE_TESTS="threads forward" runs those alone,
# "json:test_doubles_are_correctly_rounded" one test of a program. A test fails if it tests nothing,
# if its exit status contradicts its last line, or if it leaves something in its temporary folder.
# Reference vectors of others' making are not part of the project: tests that need them find them
# through BRISE_GOLD, or skip. BUILD_DIR/test.results/times says how many seconds of processor time
# each took, the longest first.

# Runs one test and prints its output in one piece, so that parallel tests do not mix lines:
# failures first, then its counts.
run_one() { # BUILD_DIR, path of the test or PATH:NAME:NAME..., which are tests in it
	test=${2%%:*}
	names=$(printf '%s' "${2#"$test"}" | tr ':' ' ')
	errors="$1/test.results/${test##*/test_}"
	TMPDIR=$scratch/${test##*/test_}
	export TMPDIR
	mkdir "$TMPDIR"
	case $test in
	*.sh) line=$(sh "$test" 2>"$errors") ;;
	*) line=$("$test" $names 2>"$errors") ;;
	esac
	status=$?
	# What it took of the processor; a pipe would be asked for its own.
	times >"$scratch/${test##*/}.times"
	awk -v test="${test##*/test_}" 'NR == 2 { split($1, user, /[ms]/); split($2, sys, /[ms]/)
		printf "%.1f %s\n", 60 * (user[1] + sys[1]) + user[2] + sys[2], test }' "$scratch/${test##*/}.times" >>"$1/test.results/times"
	line=$(printf '%s\n' "$line" | tail -n 1)
	case "$status $line" in
	"0 "*": "[1-9]*" passed, 0 failed, "*" skipped" | [1-9]*": "*" passed, "[1-9]*" failed, "*" skipped") ;;
	*" 0 passed, 0 failed, "*" skipped") line="$test: ended with status $status, having tested nothing" ;;
	*) line="$test: ended with status $status: $line" ;; # before its report, or after it, where leaks are found
	esac
	left=$(ls -A "$TMPDIR" | tr '\n' ' ')
	[ -z "$left" ] || line="$line
$test: ended with status $status, leaving in its temporary folder: $left"
	printf '%s\n%s\n' "$(cat "$errors")" "$line" | sed '/^$/d'
}

[ "$1" = --one ] && run_one "$2" "$3" && exit 0

out=$1
[ -z "$BRISE_GOLD" ] && [ -d ../shared/gold ] && BRISE_GOLD=../shared/gold && export BRISE_GOLD
export BRISE_BUILD="$out"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/brise-XXXXXX") || exit 1
export scratch
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$out/test.results"
mkdir -p "$out/test.results"

# Those that take long come first, so that no core waits at the end for one that began late.
long_first() {
	awk -v long="cli sequences forward calibrate contract replacing rooms none contents convert_paths digest calibrate_cli" 'BEGIN { n = split(long, names, " ") }
		{ name = $0; sub(/:.*/, "", name); sub(/.*test_/, "", name); sub(/\.sh$/, "", name); rank = n + 1; for (i = 1; i <= n; i++) if (names[i] == name) rank = i; print rank, $0 }' |
		sort -s -n -k 1,1 | cut -d ' ' -f 2-
}

# Prints the chosen tests, each as run_one takes it; names without a test are printed too, and fail
# there.
list_tests() {
	for t in test/test_*.sh "$out"/test/test_*; do
		case $t in *.d | *.o) continue ;; esac
		[ -f "$t" ] && echo "$t"
	done >"$scratch/all"
	[ -n "$BRISE_TESTS" ] || { cat "$scratch/all" && return; }
	for wanted in $BRISE_TESTS; do
		found=$(grep -e "/test_${wanted%%:*}\$" -e "/test_${wanted%%:*}\.sh\$" "$scratch/all")
		names=${wanted#"${wanted%%:*}"}
		echo "${found:-test/test_${wanted%%:*}}$names"
	done | sort | awk -F: '{ names = substr($0, length($1) + 1) } $1 == last { line = line names; whole = whole || names == ""; next }
		last != "" { print whole ? last : line } { last = $1; line = $0; whole = names == "" } END { if (last != "") print whole ? last : line }'
}

list_tests | long_first >"$scratch/list"
xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" sh "$0" --one "$out" <"$scratch/list" | tee "$out/test.results/all"
[ ! -f "$out/test.results/times" ] || sort -rn -o "$out/test.results/times" "$out/test.results/times"
awk '/: ended with status / { failed++ }
	/^[^ ]*: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $2; failed += $4; skipped += $6 }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed == 0 }' "$out/test.results/all"
