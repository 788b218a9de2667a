#!/bin/sh
# memory_limit.sh [BRISE] - a model larger than the memory it may take, under a limit that the kernel
# enforces: no kill, the planned bytes read, the same tokens, and faster than the mapped file
#
# Needs a control group of memory that this process may make one in (version 1 or 2), and 1.6 GB of
# disk. The model is of 7B's shape with 12 layers, in q4 or BRISE_TYPE.
. test/statements.sh
brise=${1:-$brise}
layers=12
slack=60000000 # program, page tables, rows of the embedding in the cache

# Makes a control group below this process's own; sets $group and $limit_file.
make_group() {
	v1=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup 2>/dev/null)
	v2=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup 2>/dev/null)
	for try_group in "$v1" "$v2"; do
		group=$try_group/brise-$$
		mkdir "$group" 2>/dev/null || continue
		for limit_file in memory.limit_in_bytes memory.max; do
			[ -w "$group/$limit_file" ] && return 0
		done
		rmdir "$group"
	done
	return 1
}

# Runs brise in the group; leaves $status, $dir/out, $dir/err.
try_within() { # limit in bytes, arguments...
	echo "$1" >"$group/$limit_file"
	shift
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$brise" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
}

# Bytes that a process read from the disk, from its own account, at its end: the shell's children
# are counted when they have been waited for.
read_bytes() { sed -n 's/^read_bytes: //p' /proc/$$/io; }

rate() { sed -n 's/.*generated [0-9]* in [0-9.]* s (\([0-9.]*\) tokens.*/\1/p' "$dir/err"; }

within() { # name, value, expected, percent
	holds "$1: $2, expected $3 to $4 %" awk -v a="$2" -v b="$3" -v p="$4" 'BEGIN { exit !(a <= b * (1 + p / 100) && a >= b * (1 - p / 100)) }'
}

type=${BRISE_TYPE:-q4}
model=$dir/mistral-7b-$type.brise
if ! make_group; then
	skip "a model larger than memory" "no control group of memory can be made here"
	# The same without the kernel's help.
	group=
fi
trap 'rm -rf "$dir"; [ -z "$group" ] || rmdir "$group"' EXIT
requires "a model is written" "$brise" bench --synthetic mistral-7b --type $type --layers $layers --dir "$dir" 2>"$dir/err"
size=$(wc -c <"$model")
echo 1 >"$dir/ids"
run="run $model --prompt-ids $dir/ids --print-ids --greedy --chunk 64 --stats --ignore-eos --no-drafts"
"$brise" $run -n 8 --memory all >"$dir/expected" 2>"$dir/err"
requires "the mapped model writes" [ -s "$dir/expected" ]
for percent in 25 50 75 100; do
	budget=$((size / 100 * percent))
	plan=$("$brise" info "$model" --chunk 64 --memory $budget --json)
	streamed=$(printf '%s' "$plan" | sed -n 's/.*"streamed_bytes":\([0-9]*\).*/\1/p')
	kept=$(printf '%s' "$plan" | sed -n 's/.*"kept_bytes":\([0-9]*\).*/\1/p')
	for arguments in "$run --memory $budget -n 8" "$run --memory $budget -n 28"; do
		before=$(read_bytes)
		if [ -n "$group" ]; then try_within $((budget + slack)) $arguments; else try $arguments; fi
		holds "$percent %: status $status" [ $status -eq 0 ]
		after=$(read_bytes)
		[ "$arguments" = "$run --memory $budget -n 8" ] || break
		short=$((after - before))
		holds "$percent %: the same tokens" cmp -s "$dir/out" "$dir/expected"
	done
	rate=$(rate)
	long=$((after - before))
	# Twenty passes more read what is streamed twenty times; the reads ahead cancel out.
	[ "$streamed" -eq 0 ] || within "$percent %: bytes read in 20 passes" $((long - short)) $((streamed * 20)) 3
	printf '%s %%: %s MB kept, %s MB streamed, %s tokens/s' $percent $((kept / 1000000)) $((streamed / 1000000)) "$rate"
	if [ -n "$group" ]; then
		try_within $((budget + slack)) $run --memory all -n 8
		printf '; mapped %s tokens/s' "$(rate)"
	fi
	echo
done
report memory_limit
