#!/bin/sh
# test_storage.sh - weights on a disk that fails for a while, or is slow: an error value or a message,
# never a crash; what goes on afterwards goes on with the same bits
#
# The disk is test/storage/slow_disk.c, a library that is loaded before the program's own. Pages of a
# mapped file are read by the kernel: test/failing_disk.sh.
. test/statements.sh
build=${BRISE_BUILD:-build}
cc=${CC:-cc}
for type in $book_types; do
	mkdir "$dir/$type"
	requires "breeze is converted to $type" "$brise" convert test/models/breeze "$dir/$type/breeze.brise" --type $type 2>/dev/null
done
model=$dir/q4/breeze.brise

# ---- a disk to load before the program -------------------------------------------------------------------------------

cannot=
nm "$build/libbrise.a" 2>/dev/null | grep -q -e __asan_ -e __tsan_ && cannot="sanitizers come first themselves"
[ -n "$cannot" ] || $cc -std=c11 -D_GNU_SOURCE -shared -fPIC -o "$dir/disk.so" test/storage/slow_disk.c -ldl -lpthread 2>"$dir/err" || cannot="no shared library can be made"
# Whether it takes hold: a read that fails must be noticed.
[ -n "$cannot" ] || ! LD_PRELOAD=$dir/disk.so BRISE_DISK_AFTER=0 "$brise" run "$model" x -n 1 --memory min >/dev/null 2>&1 || cannot="the program loads no libraries"
if [ -n "$cannot" ]; then
	skip "a disk that fails" "$cannot"
	holds "a disk that does not fail" "$brise" run "$model" x -n 1 --memory min >/dev/null 2>&1
	report storage
	exit
fi

on_disk() { # settings of the disk, program, arguments...; leaves $status, $dir/out, $dir/err
	settings=$1
	shift
	env LD_PRELOAD="$dir/disk.so" $settings "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
}

# ---- a program with the library --------------------------------------------------------------------------------------

requires "a program is built" $cc -std=c11 -Iruntime test/storage/persist.c "$build/libbrise.a" -lm -lpthread -o "$dir/persist"
for type in $book_types; do
	model=$dir/$type/breeze.brise
	"$dir/persist" "$model" 0 >"$dir/mapped"
	expected=$(sed -n 's/^errors 0 //p' "$dir/mapped")
	holds "$type: a mapped model has logits" [ -n "$expected" ]
	least=$("$dir/persist" "$model" 1 2>&1 | sed -n 's/.*at least \([0-9]*\)$/\1/p')
	# Where about half of what does not have to be streamed is kept.
	half=$(((least + $("$brise" info "$model" --memory min --json | sed "s/.*\"kept_bytes\":\([0-9]*\),\"streamed_bytes\":\([0-9]*\).*/\1 + \2/")) / 2))
	holds "$type: too little memory is an error when opening" [ -n "$least" ]

	# Opening reads what is kept; the first read only finds out how.
	on_disk "BRISE_DISK_AFTER=1" "$dir/persist" "$model" $half
	holds "$type: a failure while opening is an error that names tensor and file" eval '[ $status -eq 1 ] && grep -q "breeze.brise: tensor .* cannot be read: Input/output error" "$dir/err"'
	for memory in $least $half; do
		on_disk "BRISE_DISK_AFTER=60 BRISE_DISK_COUNT=1" "$dir/persist" "$model" $memory
		holds "$type: $memory bytes: a read ahead that fails once is tried again" [ "$status $(cat "$dir/out")" = "0 errors 0 $expected" ]
		# Wherever in a pass it is, the output at its end included. How many of nine failures are
		# absorbed, because what was read ahead is read again, is a matter of timing; a disk that
		# fails until the program has seen three errors absorbs nothing.
		for after in 61 65 69 73 77 81 85 89; do
			on_disk "BRISE_DISK_AFTER=$after BRISE_DISK_COUNT=9" "$dir/persist" "$model" $memory
			holds "$type: $memory bytes, nine failures after $after reads: it goes on with the same logits" [ "$status $(sed 's/^errors [0-9]* //' "$dir/out")" = "0 $expected" ]
			on_disk "BRISE_DISK_AFTER=$after BRISE_DISK_FAILS=$dir/fails" "$dir/persist" "$model" $memory "$dir/fails"
			holds "$type: $memory bytes, failures after $after reads: after three errors it goes on with the same logits" [ "$status $(cat "$dir/out")" = "0 errors 3 $expected" ]
			holds "$type: $memory bytes, failures after $after reads: the errors name tensor and file" grep -q "breeze.brise: tensor .* cannot be read: Input/output error" "$dir/err"
		done
		on_disk "BRISE_DISK_RATE=900000000" "$dir/persist" "$model" $memory
		holds "$type: $memory bytes, a slow disk: the same logits" [ "$status $(cat "$dir/out")" = "0 errors 0 $expected" ]
	done
	# All reads fail once the model is open, until the program has seen three errors.
	on_disk "BRISE_DISK_FAILS=$dir/fails" "$dir/persist" "$model" $least "$dir/fails"
	holds "$type: a disk that is away for a while: the same logits after three errors" [ "$status $(cat "$dir/out")" = "0 errors 3 $expected" ]
done

# ---- the program of this project -------------------------------------------------------------------------------------

prompt="The old captain said"
for type in $book_types; do
	model=$dir/$type/breeze.brise
	"$brise" run "$model" "$prompt" -n 60 --greedy --memory all >"$dir/text" 2>/dev/null
	on_disk "BRISE_DISK_RATE=900000000" "$brise" run "$model" "$prompt" -n 60 --greedy --memory min
	holds "$type: run from a slow disk writes the same text" eval '[ $status -eq 0 ] && cmp -s "$dir/out" "$dir/text"'
	on_disk "BRISE_DISK_AFTER=200" "$brise" run "$model" "$prompt" -n 60 --greedy --memory min
	holds "$type: run ends with status 1 when the disk fails" [ "$status" -eq 1 ]
	holds "$type: and says which tensor of which file" grep -q "^brise run: .*breeze.brise: tensor .* cannot be read: Input/output error" "$dir/err"
	holds "$type: and has written the beginning of the text" eval '[ -s "$dir/out" ] && head -c "$(wc -c <"$dir/out")" "$dir/text" | cmp -s - "$dir/out" && [ "$(wc -c <"$dir/out")" -lt "$(wc -c <"$dir/text")" ]'
	"$brise" tokenize "$model" --bos "$prompt" >"$dir/ids"
	on_disk "BRISE_DISK_AFTER=30" "$brise" logits "$model" --ids "$dir/ids" --out "$dir/logits" --memory min --chunk 1
	holds "$type: logits ends with status 1 and leaves no file" [ "$status" -eq 1 -a ! -e "$dir/logits" ]
done
report storage
