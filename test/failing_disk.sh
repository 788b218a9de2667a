#!/bin/sh
# failing_disk.sh [BRISE] - a disk that fails for a while under the kernel, for mapped, kept and
# streamed weights of q4 or BRISE_TYPE: an error value, and afterwards the same logits
#
# The disk is a file system in user space, test/storage/failing_disk.py, which takes root and
# /dev/fuse.
. test/statements.sh
brise=${1:-$brise}
build=$(dirname "$brise")
model=$dir/breeze.brise
mkdir "$dir/disk"
trap 'umount "$dir/disk" 2>/dev/null; rm -rf "$dir"' EXIT
requires "breeze is converted" "$brise" convert test/models/breeze "$model" --type "${BRISE_TYPE:-q4}" 2>/dev/null
requires "a program is built" ${CC:-cc} -std=c11 -Iruntime test/storage/persist.c "$build/libbrise.a" -lm -lpthread -o "$dir/persist"
"$dir/persist" "$model" 0 >"$dir/expected"
expected=$(sed -n 's/^errors 0 //p' "$dir/expected")
holds "a program has logits" [ -n "$expected" ]
least=$("$dir/persist" "$model" 1 2>&1 | sed -n 's/.*at least \([0-9]*\)$/\1/p')
# Where about half of what does not have to be streamed is kept.
half=$(((least + $("$brise" info "$model" --memory min --json | sed "s/.*\"kept_bytes\":\([0-9]*\),\"streamed_bytes\":\([0-9]*\).*/\1 + \2/")) / 2))

# Each time anew, so that the kernel has nothing cached.
mount_disk() {
	umount "$dir/disk" 2>/dev/null
	rm -f "$dir/fails"
	python3 test/storage/failing_disk.py "$model" "$dir/disk" "$dir/fails" 2>"$dir/mounted" &
	disk=$!
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ ! -e "$dir/disk/breeze.brise" ] || return 0
		kill -0 $disk 2>/dev/null || return 1
		sleep 0.2
	done
	return 1
}

if ! command -v python3 >/dev/null || ! [ -w /dev/fuse ] || ! mount_disk; then
	skip "a disk that fails" "no file system in user space can be mounted here: $(head -n 1 "$dir/mounted" 2>/dev/null)"
	report failing_disk
	exit
fi
for memory in 0 "$least" $half; do
	mount_disk
	timeout 60 "$dir/persist" "$dir/disk/breeze.brise" "$memory" "$dir/fails" >"$dir/out" 2>"$dir/err"
	status=$?
	holds "$memory bytes for weights: three errors, then the same logits" [ "$status $(cat "$dir/out")" = "0 errors 3 $expected" ]
	holds "$memory bytes for weights: the error names the file" grep -qE "disk/breeze.brise: .*(disk failed|Input/output error)" "$dir/err"
done
mount_disk
"$brise" run "$model" "A file" -n 20 --greedy >"$dir/text" 2>/dev/null
: >"$dir/fails"
try run "$dir/disk/breeze.brise" "A file" -n 20 --greedy
holds "run says that the disk failed" eval '[ $status -eq 1 ] && grep -q "breeze.brise: cannot be read any more: .*disk failed" "$dir/err"'
rm "$dir/fails"
try run "$dir/disk/breeze.brise" "A file" -n 20 --greedy
holds "and writes its text when it can be read again" cmp -s "$dir/out" "$dir/text"
report failing_disk
