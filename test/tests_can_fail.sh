#!/bin/sh
# tests_can_fail.sh - the tests fail when what they test is wrong, or when there is nothing to test
#
# Each script runs in a copy of the tests with a make that does nothing and a brise that is a
# script, in which FAULT breaks one thing. Without a fault all of them pass: what fails afterwards
# fails because of the fault.
. test/statements.sh
unset BRISE_TESTS
build=$(cd "${BRISE_BUILD:-build}" && pwd)
house=$dir/house
mkdir -p "$house/bin" "$house/build/test" "$house/test" "$dir/tmp"
cp test/*.sh test/*.py test/digest.sha256 "$house/test"
rm -f "$house"/test/test_*
cp test/test_digest.sh "$house/test"

# ---- the program of the copy ----------------------------------------------------------------------------------------

cat >"$house/brise" <<'EOF'
#!/bin/sh
# convert IN OUT, info MODEL --json, logits ... --out FILE, run, tokenize: what the tests call, and
# no more
command=$1
[ "$FAULT" = "$command-fails" ] && exit 2
[ "$FAULT $command" != "logits-is-silent logits" ] || { while [ "$1" != --out ]; do shift; done && : >"$2" && exit; }
[ "$FAULT" = "$command-is-silent" ] && exit 0
case $command in
convert) case "$FAULT $0" in "convert-differs "*O0*) echo "$0" >"$3" ;; *) echo "$2" >"$3" ;; esac ;;
info) case $* in *--json*) echo '{"arches":{"scalar":true,"avx2":true,"amx":false},"bos":1}' ;; *) echo "kernels      scalar (all)" ;; esac ;;
logits)
	while [ "$1" != --out ]; do shift; done
	case "$FAULT $*" in
	"logits-differ-by-chunk "*"--chunk 7"*) echo 7 >"$2" ;;
	"logits-differ "*) echo "$0 $*" >"$2" ;;
	*) echo bits >"$2" ;;
	esac
	;;
run) [ "$FAULT" = run-differs ] && echo "$0 $QEMU" || echo words ;;
esac
EOF
printf '#!/bin/sh\nexit 0\n' >"$house/bin/make"
# Emulators of other processors run their program as it is.
for cpu in aarch64 riscv64 arm i386 s390x x86_64; do
	printf '#!/bin/sh\nQEMU=%s\nexport QEMU\nwhile [ "$1" = -cpu ]; do shift 2; done\nexec "$@"\n' $cpu >"$house/bin/qemu-$cpu"
done
for compiler in gcc clang aarch64-linux-gnu-gcc riscv64-linux-gnu-gcc arm-linux-gnueabihf-gcc i686-linux-gnu-gcc s390x-linux-gnu-gcc; do cp "$house/bin/make" "$house/bin/$compiler"; done
for test in kernels rope; do printf '#!/bin/sh\n[ "$FAULT" != %s-fail ]\n' $test >"$house/test_$test"; done
chmod +x "$house"/bin/* "$house/brise" "$house"/test_*
for place in build build/bits/gcc-O0 build/arm64 build/riscv64 build/armhf build/i386; do
	mkdir -p "$house/$place/test"
	cp "$house/brise" "$house/$place/brise"
	cp "$house"/test_* "$house/$place/test"
done
rm -f "$house"/build/test/test_*
# One that is for a big-endian processor refuses.
mkdir -p "$house/build/s390x"
printf '#!/bin/sh\necho "little-endian processors only" >&2\nexit 1\n' >"$house/build/s390x/brise"
chmod +x "$house/build/s390x/brise"
put_digests() {
	for type in $book_types; do echo "$(echo bits | sha256sum | cut -d' ' -f1)  logits, breeze $type: bits"; done >"$house/test/digest.sha256"
}
put_digests

# Runs a script of the copy; leaves $status and its last line in $line.
run_script() { # fault, script, arguments...
	FAULT=$1
	shift
	export FAULT
	(cd "$house" && BRISE_BUILD=build TMPDIR="$dir/tmp" PATH="$house/bin:$PATH" "$@" >"$dir/out" 2>"$dir/err" </dev/null)
	status=$?
	line=$(tail -n 1 "$dir/out")
}

passes() { # script, arguments...
	run_script none "$@"
	case "$status $line" in "0 "*" 0 failed, "*) return 0 ;; esac
	cat "$dir/err" >&2
	return 1
}

# Both the status and the last line must report failure, and the line must count a failure or
# nothing passed.
fails() { # fault, script, arguments...
	run_script "$@"
	case "$status $line" in [1-9]*" 0 passed, "* | [1-9]*" passed, "[1-9]*" failed, "*) return 0 ;; esac
	echo "status $status, last line: $line" >&2
	return 1
}

# ---- digests and bits -----------------------------------------------------------------------------------------------

holds "same_bits.sh passes" passes sh test/same_bits.sh build gcc-O0
for fault in logits-fails logits-is-silent logits-differ logits-differ-by-chunk info-fails info-is-silent convert-fails convert-is-silent convert-differs; do
	holds "same_bits.sh fails when brise has the fault $fault" fails $fault sh test/same_bits.sh build gcc-O0
done
holds "test_digest.sh passes" passes sh test/test_digest.sh
for fault in logits-fails logits-is-silent logits-differ info-fails info-is-silent convert-fails; do
	holds "test_digest.sh fails when brise has the fault $fault" fails $fault sh test/test_digest.sh
done
: >"$house/test/digest.sha256"
holds "test_digest.sh fails without a digest to compare with" fails none sh test/test_digest.sh
put_digests
holds "other_machines.sh passes" passes sh test/other_machines.sh build/brise
for fault in logits-fails logits-is-silent logits-differ run-fails run-is-silent run-differs convert-fails kernels-fail rope-fail; do
	holds "other_machines.sh fails when brise has the fault $fault" fails $fault sh test/other_machines.sh build/brise
done
mkdir "$dir/few"
for tool in sh awk cat cut grep mktemp rm sed sha256sum tail tr uname; do ln -s "$(command -v $tool)" "$dir/few/$tool"; done
holds "other_machines.sh fails without any emulator" fails none env PATH="$dir/few" sh test/other_machines.sh build/brise

# ---- run.sh ---------------------------------------------------------------------------------------------------------

rm -f "$house"/test/test_*
with_test() { # text of a test, which stands alone beside one that passes
	echo 'echo "good: 1 passed, 0 failed, 0 skipped"' >"$house/test/test_good.sh"
	printf '%s\n' "$1" >"$house/test/test_odd.sh"
}

with_test 'echo "odd: 2 passed, 0 failed, 1 skipped"'
holds "run.sh passes with tests that pass" passes sh test/run.sh build
holds "and adds up their counts" [ "$line" = "3 passed, 0 failed, 1 skipped" ]
for text in 'echo "odd: 0 passed, 0 failed, 0 skipped"' 'echo "odd: 0 passed, 0 failed, 5 skipped"' 'exit 0' 'exit 1' 'echo "odd: 1 passed, 1 failed, 0 skipped"' \
	'echo "odd: 1 passed, 1 failed, 0 skipped"; exit 1' 'echo "odd: 1 passed, 0 failed, 0 skipped"; exit 1' 'kill -9 $$' 'echo "odd: 1 passed, 0 failed, 0 skipped" >&2' \
	'echo "odd: 1 passed, 0 failed, 0 skipped"; : >"$TMPDIR/left"' 'echo "odd: 1 passed, 0 failed, 0 skipped"; echo "and then trouble"'; do
	with_test "$text"
	holds "run.sh fails with a test that does: $text" fails none sh test/run.sh build
done
with_test 'mktemp; exit 1'
run_script none sh test/run.sh build
holds "run.sh removes what tests leave: $(ls -A "$dir/tmp")" [ -z "$(ls -A "$dir/tmp")" ]
with_test 'exit 1'
holds "BRISE_TESTS chooses tests" passes env BRISE_TESTS=good sh test/run.sh build
holds "a test of a name that none has fails" fails none env BRISE_TESTS="good absent" sh test/run.sh build
rm -f "$house"/test/test_*.sh
holds "run.sh fails without tests" fails none sh test/run.sh build

# ---- rooms ----------------------------------------------------------------------------------------------------------

# The script alone, in a copy of the sources with the objects of this build.
rooms=$dir/rooms
mkdir -p "$rooms/test" "$rooms/build"
cp -R quant arch runtime convert bench "$rooms"
cp test/statements.sh test/test_rooms.sh "$rooms/test"
cp -R "$build/obj" "$rooms/build"
ln -s "$build/libbrise.a" "$build/brise" "$rooms/build"
run_rooms() {
	(cd "$rooms" && BRISE_BUILD=build TMPDIR="$dir/tmp" sh test/test_rooms.sh >"$dir/out" 2>"$dir/err")
}
rooms_fail() { ! run_rooms; }
holds "test_rooms.sh passes" run_rooms
# The first two headers may include what is added to them, but not everything that includes them may.
for fault in 'runtime/error.h runtime/eval/engine.h runtime/text/json.c' 'runtime/model/format.h runtime/text/tokenizer.h runtime/eval/engine.c' 'quant/tile.h runtime/error.h arch/scalar.c'; do
	set -- $fault
	echo "#include \"$2\"" >>"$rooms/$1"
	holds "test_rooms.sh fails when $1 includes $2" rooms_fail
	holds "and names $3" grep -q "^$3: \"$2\" through $1" "$dir/err"
	cp "$1" "$rooms/$1"
done

for fault in 'convert/plan malloc' 'convert/formats/files stat' 'runtime/cli/fit calloc' 'bench/chart open' 'runtime/eval/rope free' 'runtime/eval/rope expf' 'quant/types getenv'; do
	set -- $fault
	echo "void $2(void); void fault(void); void fault(void) { $2(); }" >"$rooms/fault.c"
	${CC:-cc} -w -fno-builtin -c -o "$rooms/build/obj/$1.o" "$rooms/fault.c"
	holds "test_rooms.sh fails when $1.c calls $2" rooms_fail
	holds "and names it" grep -qx "$1.c: $2" "$dir/err"
	cp "$build/obj/$1.o" "$rooms/build/obj/$1.o"
done

echo 'int fault; int fault = 1;' >"$rooms/fault.c"
${CC:-cc} -c -o "$rooms/build/obj/quant/types.o" "$rooms/fault.c"
holds "test_rooms.sh fails when quant/types.c has a variable" rooms_fail
holds "and names it" grep -q "quant/types[.]o:fault " "$dir/err"
rm -rf "$rooms/build/obj/convert"
holds "test_rooms.sh fails when a room has no objects" rooms_fail

# ---- test programs --------------------------------------------------------------------------------------------------

ln -s "$build/test/test_json" "$house/build/test/test_json"
holds "a test program's tests are chosen by name" passes env BRISE_TESTS="json:test_depth_is_bounded json:test_integers_end_at_64_bits" sh test/run.sh build
chosen=${line%% *}
holds "and those alone run" [ "$chosen" -gt 0 -a "$chosen" -lt 50 ]
holds "a name that none has fails" fails none env BRISE_TESTS="json:test_depth_is_bounded json:test_absent" sh test/run.sh build
holds "a program whose name is chosen runs whole" passes env BRISE_TESTS="json json:test_depth_is_bounded" sh test/run.sh build
holds "which is more" [ "${line%% *}" -gt "$chosen" ]

# A program that is ended by a signal in the middle leaves nothing.
TMPDIR=$dir/tmp "$build/test/test_forward" >"$dir/out" 2>"$dir/err" &
running=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ -z "$(ls -A "$dir/tmp")" ] || break
	sleep 0.1
done
holds "test_forward works in a temporary folder" [ -n "$(ls -A "$dir/tmp")" ]
kill -s TERM $running
wait $running 2>/dev/null
holds "which is gone when a signal has ended it: $(ls -A "$dir/tmp")" [ -z "$(ls -A "$dir/tmp")" ]

# ---- comparisons in Python ------------------------------------------------------------------------------------------

if command -v python3 >/dev/null; then
	holds "a comparison of nothing fails" sh -c 'cd "$0/test" && ! python3 -c "import sys, counts; sys.exit(counts.report(\"x\", 0, 0))" >"$1" 2>&1' "$house" "$dir/out"
	holds "one that passed passes" sh -c 'cd "$0/test" && python3 -c "import sys, counts; sys.exit(counts.report(\"x\", 1, 0))" >"$1" 2>&1' "$house" "$dir/out"
	for script in "$house"/test/compare_*.py "$house/test/gold.py" "$house/test/quality_numpy.py" "$house/test/read_format.py"; do
		for fault in convert-fails tokenize-is-silent; do
			FAULT=$fault python3 "$script" "$house/brise" "$dir/absent.model" "$dir/absent" >"$dir/out" 2>"$dir/err" </dev/null
			holds "${script##*/} does not pass with the fault $fault" [ $? -ne 0 ]
		done
	done
else
	skip "comparisons in Python" "python3 is not installed"
fi
report tests
