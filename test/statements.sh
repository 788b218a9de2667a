# statements.sh - what the tests in shell share; they source it first
#
#   $brise                       the program
#   $dir                         a folder of this run, removed at its end
#   $passed, $failed, $skipped   the counts
#   $book_types                  the types with a codebook: q4 and its siblings
#   $sanitized                   not empty: a sanitizer watches, and all takes ten times as long
# A test ends with "report NAME", which prints the counts and is its status.
brise=$(cd "${BRISE_BUILD:-build}" && pwd)/brise
passed=0 failed=0 skipped=0 mounted=
dir=$(mktemp -d "${TMPDIR:-/tmp}/brise-XXXXXX") || exit 1
trap '[ -z "$mounted" ] || umount "$dir/small"; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
unset BRISE_ARCH
sanitized=
case ${BRISE_BUILD:-build} in */asan | */tsan) sanitized=yes ;; esac
# A digest stands there for each of them, which test_types.c holds against the table of types.
book_types=$(sed -n 's/.* breeze \(.*\): .*/\1/p' test/digest.sha256)

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

# What a test needs before it can test anything: failing it fails the test, but it is not counted as
# passed.
requires() { # statement, command...
	before=$passed
	holds "$@"
	passed=$before
}

skip() { # statement, reason
	skipped=$((skipped + 1))
	printf 'skipped: %s: %s\n' "$1" "$2" >&2
}

# The last line of a test, and its status: it fails if a statement failed, or if none was tested.
report() { # name
	[ "$passed" -gt 0 ] || [ "$failed" -gt 0 ] || printf 'FAILED: %s tested nothing\n' "$1" >&2
	printf '%s: %d passed, %d failed, %d skipped\n' "$1" "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# Prints the kernel sets that a program knows, as NAME:true or NAME:false:
# "arches":{"NAME":true,...}
list_arches() { # brise (may be several words), model
	$1 info "$2" --json | sed -n 's/.*"arches":{\([^}]*\)}.*/\1/p' | tr ',' '\n' | tr -d '"'
}

has_word() { # word, list
	case " $(printf '%s' "$2" | tr '\n' ' ') " in *" $1 "*) return 0 ;; esac
	return 1
}

# The digest of the logits of breeze in that type.
digest_of() { # type
	sed -n "s/ .* $1: .*//p" test/digest.sha256
}

# Runs brise without input; leaves $status, $dir/out and $dir/err.
try() {
	"$brise" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
}

# Runs brise in the foreground, since shells start background jobs with SIGINT ignored, and
# interrupts it once a condition holds, with $signal or INT.
interrupt() { # condition, arguments...
	condition=$1
	shift
	rm -f "$dir/pid"
	(
		i=0
		until [ -s "$dir/pid" ] || [ $i -ge 600 ]; do
			sleep 0.02
			i=$((i + 1))
		done
		until eval "$condition" || ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; do
			sleep 0.02
		done
		kill -s "${signal:-INT}" "$(cat "$dir/pid")" 2>/dev/null
	) &
	watcher=$!
	sh -c 'echo $$ >"$0"; exec "$@"' "$dir/pid" "$brise" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	wait "$watcher"
}
