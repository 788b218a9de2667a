#!/bin/sh
# test_session_cli.sh - run --session: what is kept of a text, between runs and after ctrl-C
. test/statements.sh
file=$dir/session
for type in $book_types; do
	requires "breeze can be converted to $type" "$brise" convert test/models/breeze "$dir/$type.brise" --type $type --effort fast 2>"$dir/err"
done

says() { # text within the only line
	[ "$(wc -l <"$dir/err")" -eq 1 ] && grep -qF -e "$1" "$dir/err" && return
	head -n 3 "$dir/err" >&2
	return 1
}

fails_with() { # status, text
	[ "$status" -eq "$1" ] && says "$2"
}

# How many tokens of the prompt were not evaluated, and how many were, by --stats.
kept() {
	sed -n 's/^brise run: \([0-9]*\) more tokens of the prompt were in the session$/\1/p' "$dir/err"
}
evaluated() {
	sed -n 's/^brise run: prompt \([0-9]*\) tokens in .*/\1/p' "$dir/err"
}

# ---- going on -------------------------------------------------------------------------------------------------------

# The types take turns.
set -- $book_types
for options in "" "--repetition-penalty 1.2 --temperature 1.1" "--greedy --no-drafts" "--window 100 --sinks 4 --kv f32"; do
	type=$1 model=$dir/$1.brise
	set -- "$@" "$type"
	shift
	"$brise" run "$model" "A file" -n 180 --seed 3 --ignore-eos $options >"$dir/whole"
	rm -f "$file"
	try run "$model" "A file" -n 60 --seed 3 --ignore-eos $options --session "$file"
	cp "$dir/out" "$dir/parts"
	holds "a new session says nothing ($type $options)" [ "$status" -eq 0 -a ! -s "$dir/err" -a -s "$file" ]
	for n in 1 119; do
		try run "$model" --continue -n $n --ignore-eos $options --session "$file" --threads 1 --arch scalar
		cat "$dir/out" >>"$dir/parts"
	done
	holds "a text that is continued twice is the text in one piece ($type $options)" cmp "$dir/whole" "$dir/parts"
done
model=$dir/q4.brise
try run "$model" "A file" -n 5 --seed 3 --session "$dir/short"
try run "$model" --continue -n 5 --seed 4 --session "$dir/short" --stats
holds "continuing evaluates one token" [ "$status" -eq 0 -a "$(evaluated)" -eq 1 ]

# ---- a longer prompt ------------------------------------------------------------------------------------------------

prompt="The module that reads files returns"
more="$prompt a list of all names, and then the"
n=$("$brise" tokenize "$model" "$prompt" | wc -w)
n_more=$("$brise" tokenize "$model" "$more" | wc -w)
rm -f "$file"
try run "$model" "$prompt" -n 0 --session "$file"
holds "-n 0 keeps the prompt" [ "$status" -eq 0 -a -s "$file" ]
"$brise" run "$model" "$more" -n 30 --seed 1 >"$dir/whole"
try run "$model" "$more" -n 30 --seed 1 --session "$file" --stats
holds "of a longer prompt only the rest is evaluated" [ "$status" -eq 0 -a "$(kept)" -gt $((n - 2)) -a $(($(kept) + $(evaluated))) -eq $((n_more + 1)) ]
holds "and the text is the same as without" cmp "$dir/whole" "$dir/out"
try run "$model" "$more" -n 30 --seed 1 --session "$file" --stats
holds "of the same prompt one token is evaluated" [ "$(evaluated)" -eq 1 ]
holds "and the text is the same again" cmp "$dir/whole" "$dir/out"
try run "$model" "Something else" -n 30 --seed 1 --session "$file" --stats
holds "another prompt keeps the begin token" [ "$(kept)" -eq 1 ]
"$brise" run "$model" "Something else" -n 30 --seed 1 >"$dir/whole"
holds "and has its own text" cmp "$dir/whole" "$dir/out"

# ---- what is refused ------------------------------------------------------------------------------------------------

cp "$file" "$dir/before"
for type in $book_types; do
	[ "$dir/$type.brise" != "$model" ] || continue
	try run "$dir/$type.brise" x -n 1 --session "$file"
	holds "a session of another model is refused ($type)" fails_with 1 "is a session of another model file"
done
try run "$model" x -n 1 --session "$file" --window 100
holds "another window is refused" fails_with 1 "a window of 256, 100 is asked for"
holds "and stays as it was" cmp "$dir/before" "$file"
try run "$model" x -n 1 --session "$model"
holds "a model is no session" fails_with 1 "is a brise file, not a session"
try run "$file" x -n 1
holds "a session is no model" fails_with 1 "is a session of brise, not a brise file"
head -c 1000 "$file" >"$dir/cut"
try run "$model" x -n 1 --session "$dir/cut"
holds "a session that is cut off is refused" fails_with 1 "cut off"
try run "$model" --continue --session "$dir/nothing"
holds "--continue needs a text" fails_with 1 "holds no text to go on with"
try run "$model" --continue
holds "--continue needs a session" fails_with 2 "expected together with --session"
try run "$model" x --continue --session "$file"
holds "--continue takes no prompt" fails_with 2 "one prompt expected"
try run "$model" x -n 1 --session "$dir/no/where"
holds "a session that cannot be saved fails" fails_with 1 "$dir/no/where"
holds "before anything is evaluated" [ ! -s "$dir/out" ]
ln -s no/where "$dir/link"
try run "$model" x -n 1 --session "$dir/link"
holds "nor can one behind a link" fails_with 1 "$dir/link: cannot be saved there"
mkfifo "$dir/fifo"
try run "$model" x -n 1 --session "$dir/fifo"
holds "a FIFO is no session" fails_with 1 "is not a regular file"

# ---- ctrl-C ---------------------------------------------------------------------------------------------------------

# This shell may have been started with SIGINT ignored, which its children inherit; SIGTERM does not
# differ.
rm -f "$file"
"$brise" run "$model" "A file" --ignore-eos --seed 3 --session "$file" >"$dir/out" 2>"$dir/err" </dev/null &
pid=$!
while [ "$(wc -c <"$dir/out")" -lt 400 ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -TERM $pid
wait $pid
status=$?
holds "an interrupted run keeps its text" [ "$status" -eq 143 -a -s "$file" ]
cp "$dir/out" "$dir/parts"
try run "$model" --continue -n 20 --ignore-eos --session "$file"
holds "and can be continued" [ "$status" -eq 0 -a -s "$dir/out" ]
cat "$dir/out" >>"$dir/parts"
"$brise" run "$model" "A file" --ignore-eos --seed 3 -n 20000 2>"$dir/err" | head -c "$(wc -c <"$dir/parts")" | cmp - "$dir/parts" >"$dir/cmp" 2>&1
holds "with the text that it would have had" [ ! -s "$dir/cmp" ]
report session_cli
