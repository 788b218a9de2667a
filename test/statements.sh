# statements.sh - what the tests in shell share; they source it first
#
#   $brise   the program      $dir   a folder of this run, removed at its end      $passed, $failed, $skipped   the counts
brise=$(cd "${BRISE_BUILD:-build}" && pwd)/brise
passed=0 failed=0 skipped=0 mounted=
dir=$(mktemp -d "${TMPDIR:-/tmp}/brise-test-XXXXXX") || exit 1
trap '[ -z "$mounted" ] || umount "$dir/small"; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
unset BRISE_ARCH

holds() { # statement, command...: passes when the command succeeds
	statement=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED: %s\n' "$statement" >&2
	fi
}

skip() { # statement, reason
	skipped=$((skipped + 1))
	printf 'skipped: %s: %s\n' "$1" "$2" >&2
}

# Runs brise without input; leaves $status, $dir/out and $dir/err.
try() {
	"$brise" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
}
