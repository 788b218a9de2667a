#!/bin/sh
# test_closed_cli.sh - the command line of brise convert --effort best: disks without room, ctrl-C
# behind each layer, what it says beforehand
. test/statements.sh
checkpoint=test/models/breeze
small=$dir/small
model=$small/x.brise

# Steps that are done and kept: u32 at 12 of the header, the last 128 bytes of the file.
steps_done() {
	tail -c 128 "$model.unfinished" 2>/dev/null | od -An -tu4 -j 12 -N 4 2>/dev/null | tr -d ' '
}

layers=$(sed -n 's/.*"num_hidden_layers": \([0-9]*\).*/\1/p' $checkpoint/config.json)
tokens=600
[ -z "$sanitized" ] || tokens=200
requires "breeze is converted" "$brise" convert "$checkpoint" "$dir/model.brise" --type q8 2>/dev/null
requires "and writes a text" "$brise" calibrate "$dir/model.brise" --self $tokens --span 0 -o "$dir/x.cal" 2>/dev/null
best="--calibration $dir/x.cal --effort best"
try convert "$checkpoint" "$dir/whole.brise" $best -t 1
holds "a conversion in a closed loop succeeds" [ "$status" -eq 0 -a -s "$dir/whole.brise" ]
mkdir "$small"

# ---- disks without room ---------------------------------------------------------------------------------------------

if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=9m tmpfs "$small" 2>/dev/null; then
	mounted=yes
	# The file would have room, the states of the text beside it have none.
	try convert "$checkpoint" "$model" $best
	holds "a disk without room is noticed before anything is encoded" [ "$status" -eq 1 -a "$(tail -n 1 "$dir/err" | grep -cF "$model.unfinished: no room for")" -eq 1 ]
	holds "and nothing is left there" [ -z "$(ls -A "$small")" ]
	mount -o remount,size=20m "$small"
else
	skip "a disk without room" "no small file system can be mounted here"
fi

# ---- interruptions --------------------------------------------------------------------------------------------------

if [ -n "$sanitized" ]; then
	skip "interruptions" "test_loop.c has them on models that take less"
elif sh -c 'kill -s INT $$; exit 0' 2>/dev/null; then
	skip "ctrl-C" "this shell was started with SIGINT ignored"
else
	step=1
	while [ $step -le "$layers" ]; do
		signal=INT
		[ $step -ne 2 ] || signal=KILL
		interrupt '[ "$(steps_done)0" -ge '$step'0 ]' convert "$checkpoint" "$model" $best -t $((step % 3 + 1))
		holds "$signal stops it after step $step" [ "$status" -eq $([ $signal = INT ] && echo 130 || echo 137) -a "$(steps_done)" -ge $step ]
		[ $signal = KILL ] || holds "and it says how to go on" grep -qF "the same command resumes there" "$dir/err"
		holds "only what is done stays: $(ls -A "$small")" [ "$(ls -A "$small")" = x.brise.unfinished ]
		# All its room is taken: other files that fill the disk do no harm.
		[ -z "$mounted" ] || dd if=/dev/zero of="$small/other" bs=64k 2>/dev/null
		[ -z "$mounted" ] || holds "the disk is full" [ "$(df -k --output=avail "$small" | tail -n 1)" -eq 0 ]
		[ $step -eq "$layers" ] || rm -f "$small/other"
		step=$(($(steps_done) + 1))
	done
	try convert "$checkpoint" "$model" $best -t 2
	holds "the same command goes on" [ "$status" -eq 0 -a "$(grep -c "resumed after layer [0-9]* of an interrupted run" "$dir/err")" -eq 1 ]
	rm -f "$small/other"
	holds "and makes the same file on a full disk, with other threads" cmp -s "$dir/whole.brise" "$model"
	holds "of which nothing unfinished is left: $(ls -A "$small")" [ "$(ls -A "$small")" = x.brise ]
fi
[ -z "$mounted" ] || { umount "$small" && mounted=; }
report closed_cli
