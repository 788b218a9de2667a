#!/bin/sh
# test_streams.sh - prompts, ids and texts from what is no regular file, and results into it: FIFOs
# at whose other end is nobody, devices without an end, pipes, readers that go away
. test/statements.sh
model=$dir/model.brise
requires "breeze can be converted" "$brise" convert test/models/breeze "$model" --type q8 --effort fast 2>"$dir/err"
echo "1 2 3" >"$dir/ids"
mkfifo "$dir/fifo"
mkdir "$dir/folder"

# Runs brise for at most 10 seconds: status 124 then.
limited() {
	timeout 10 "$brise" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
}

fails_with() { # text within the only line
	[ "$status" -eq 1 ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && grep -qF -e "$1" "$dir/err" && return
	echo "status $status: $(head -n 2 "$dir/err")" >&2
	return 1
}

# Options that name a text to read, each as brise takes it with the name behind it.
readers() {
	cat <<-END
		run $model -n 1 --file
		run $model -n 1 --prompt-ids
		tokenize $model --file
		tokenize $model --jsonl --file
		logits $model --out - --ids
		perplexity $model --text
		perplexity $model --ids
		calibrate $model -o $dir/c.cal --text
		calibrate $model -o $dir/c.cal --ids
	END
}

# ---- no other end, no end -------------------------------------------------------------------------------------------

readers >"$dir/readers"
while read -r arguments; do
	what="${arguments%% *} ${arguments##* }"
	limited $arguments "$dir/fifo"
	holds "$what does not wait for a FIFO that nobody writes to" fails_with "$dir/fifo: is a FIFO that no program writes to"
	limited $arguments /dev/zero
	holds "$what does not read a device without an end" fails_with "/dev/zero: is a device"
	limited $arguments "$dir/folder"
	holds "$what does not read a folder" fails_with "$dir/folder: is a folder"
	limited $arguments ""
	holds "$what asks for a name where there is none" [ "$status" -eq 2 -a "$(grep -c "expected FILE, found an empty word" "$dir/err")" -eq 1 ]
done <"$dir/readers"
timeout 10 "$brise" tokenize "$model" </dev/zero >"$dir/out" 2>"$dir/err"
status=$?
holds "nor is such a device read as standard input" fails_with "standard input: is a device"
limited run "$model" --file /dev/null -n 1
holds "/dev/null has an end" [ "$status" -eq 0 ]
limited logits "$model" --ids "$dir/ids" --out "$dir/fifo"
holds "results do not wait for a FIFO that nobody reads" fails_with "$dir/fifo: no program reads from it"
limited bench --kernels --svg "$dir/nowhere/picture.svg"
holds "a picture that cannot be written is told before the measuring" fails_with "$dir/nowhere/picture.svg"
limited bench --kernels --svg "$dir/folder"
holds "nor can one that is a folder" fails_with "$dir/folder: expected a file to write, found a folder"

# ---- the other end --------------------------------------------------------------------------------------------------

"$brise" tokenize "$model" "a text" >"$dir/expected"
echo '"a text"' >"$dir/lines"
"$brise" tokenize "$model" --jsonl --file "$dir/lines" >"$dir/expected.jsonl"
same_ids() { # suffix
	[ "$status" -eq 0 ] && cmp -s "$dir/out" "$dir/expected$1"
}
{ sleep 0.3 && printf 'a text' >"$dir/fifo"; } &
limited tokenize "$model" --file "$dir/fifo"
holds "a writer that comes a little later is waited for" same_ids
wait
{ sleep 1.5 && printf 'a text'; } >"$dir/fifo" &
limited tokenize "$model" --file "$dir/fifo"
holds "one that writes later still, too" same_ids
wait
{ sleep 1.5 && cat "$dir/lines"; } >"$dir/fifo" &
limited tokenize "$model" --jsonl --file "$dir/fifo"
holds "also where lines are read" same_ids .jsonl
wait
{ printf a && sleep 0.3 && printf ' text'; } | timeout 10 "$brise" tokenize "$model" --file /dev/stdin >"$dir/out" 2>"$dir/err"
status=$?
holds "/dev/stdin is read to its end, with pauses" same_ids
printf 'a text' >"$dir/text"
timeout 10 "$brise" tokenize "$model" --file /dev/stdin >"$dir/out" 2>"$dir/err" <"$dir/text"
status=$?
holds "also where it is a file" same_ids
if bash -c : 2>/dev/null; then
	timeout 10 bash -c '"$1" tokenize "$2" --file <(sleep 0.2; printf "a text")' bash "$brise" "$model" >"$dir/out" 2>"$dir/err"
	status=$?
	holds "a shell's <(...) is read" same_ids
	timeout 10 bash -c '"$1" tokenize "$2" --file <(:)' bash "$brise" "$model" >"$dir/out" 2>"$dir/err"
	holds "an empty one is an empty text" [ $? -eq 0 -a "$(wc -w <"$dir/out")" -eq 0 -a ! -s "$dir/err" ]
else
	skip "a shell's <(...) is read" "there is no bash"
fi
"$brise" logits "$model" --ids "$dir/ids" --out "$dir/logits"
{ sleep 0.3 && cat "$dir/fifo" >"$dir/copy"; } &
limited logits "$model" --ids "$dir/ids" --out "$dir/fifo"
wait
holds "a reader that comes a little later gets the results whole" [ "$status" -eq 0 -a "$(cksum <"$dir/copy")" = "$(cksum <"$dir/logits")" ]

report streams
