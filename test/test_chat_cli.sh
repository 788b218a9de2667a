#!/bin/sh
# test_chat_cli.sh - brise chat through pipes: turns, what is evaluated of them, files, kill -9
#
# The model has never seen a conversation; what it says does not matter here.
. test/statements.sh
HOME=$dir/home XDG_DATA_HOME=$dir/data XDG_CACHE_HOME=$dir/caches
export HOME XDG_DATA_HOME XDG_CACHE_HOME
mkdir "$HOME"
kept=$dir/data/brise/conversations
model=$dir/model.brise
plain=$dir/plain.brise
unlimited=$dir/unlimited.brise
checkpoint=$dir/checkpoint
mkdir "$checkpoint"
cp test/models/breeze/*.model test/models/breeze/*.safetensors test/models/breeze/*.index.json "$checkpoint"
sed 's/"sliding_window": 256/"sliding_window": null/' test/models/breeze/config.json >"$checkpoint/config.json"
requires "breeze can be converted, with a format" "$brise" convert test/models/breeze "$model" --effort fast --chat-format v1 2>"$dir/err"
requires "without one" "$brise" convert test/models/breeze "$plain" --effort fast 2>"$dir/err"
requires "without a window" "$brise" convert "$checkpoint" "$unlimited" --effort fast --chat-format v1 2>"$dir/err"

# Holds a conversation: options, then a line of input for each further word after "--".
chat() {
	arguments=
	while [ "$1" != -- ]; do arguments="$arguments $1" && shift; done
	shift
	printf '%s\n' "$@" >"$dir/input"
	"$brise" chat $arguments <"$dir/input" >"$dir/out" 2>"$dir/err"
	status=$?
}

says() { # text
	grep -qF -e "$1" "$dir/err" && return
	head -n 5 "$dir/err" >&2
	return 1
}

fails_with() { # status, text
	[ "$status" -eq "$1" ] && says "$2"
}

# Tokens evaluated of those before the answer, and all of them, in turn N.
evaluated() {
	sed -n 's/^brise chat: \([0-9]*\) of [0-9]* tokens evaluated in .*/\1/p' "$dir/err" | sed -n "$1p"
}
all() {
	sed -n 's/^brise chat: [0-9]* of \([0-9]*\) tokens evaluated in .*/\1/p' "$dir/err" | sed -n "$1p"
}

# Ids of messages, which are lines of a conversation's file, as the format has them.
count_ids() { # file of messages
	printf '{"messages":[%s]}\n' "$(paste -s -d , "$1")" | "$brise" tokenize "$model" --chat --jsonl | tr ',' '\n' | wc -l
}

message() { # number of a message, from 1; name
	sed -n "$(($1 + 1))p" "$kept/$2.jsonl"
}

# ---- turns ----------------------------------------------------------------------------------------------------------

greedy="--greedy --stats -n 30"
chat "$model" $greedy --conversation one -- "What is a file?" "And a folder?" "Why?"
cp "$dir/out" "$dir/answers"
holds "three lines are three turns" [ "$status" -eq 0 -a "$(wc -l <"$kept/one.jsonl")" -eq 7 -a "$(grep -c '"role":"assistant"' "$kept/one.jsonl")" -eq 3 ]
holds "all answers go to standard output, and nothing else" [ "$(wc -l <"$dir/out")" -ge 3 ]
sed -n '2,6p' "$kept/one.jsonl" | sed 's/,"ids":\[[0-9,]*\]//' >"$dir/messages"
holds "the model is shown the conversation in its format" [ "$(count_ids "$dir/messages")" -eq "$(all 3)" ]
holds "of the second turn only what is new is evaluated" [ "$(evaluated 1)" -eq "$(all 1)" -a "$(evaluated 2)" -lt 20 -a "$(evaluated 3)" -lt 20 -a "$(all 3)" -gt 60 ]
echo '{"messages":[{"role":"user","content":"What is a file?"}]}' | "$brise" chat "$model" --greedy -n 30 --jsonl --no-cache >"$dir/line" 2>"$dir/err"
message 2 one | sed 's/.*"content":\(".*"\),"ids".*/\1/; s/.*"content":\(".*"\)}$/\1/' >"$dir/content"
holds "--jsonl answers the same" [ "$(cat "$dir/line")" = "{\"message\":{\"role\":\"assistant\",\"content\":$(cat "$dir/content")},\"finish_reason\":\"length\"}" ]
try run "$model" --chat "What is a file?" --greedy -n 30
holds "run --chat answers the same" sh -c 'printf "%s\n" "$(cat "$1")" >"$1.line"; head -n "$(wc -l <"$1.line")" "$2" | cmp - "$1.line"' - "$dir/out" "$dir/answers"
try run "$model" "x" -n 1
holds "run without --chat says nothing in a pipe" [ ! -s "$dir/err" ]
chat "$model" --temperature 1 --seed 3 -n 20 --private -- Hello
cp "$dir/out" "$dir/first"
chat "$model" --temperature 1 --seed 3 -n 20 --private --threads 1 --arch scalar --no-drafts -- Hello
holds "the same seed gives the same answer" cmp "$dir/out" "$dir/first"
chat "$model" --temperature 1 --seed 3 -n 20 --private --commands -- Hello /retry
holds "/retry draws another" sh -c '[ "$(head -c 30 "$1")" = "$(head -c 30 "$2")" ] && [ "$(tail -c 30 "$1")" != "$(tail -c 30 "$2")" ]' - "$dir/out" "$dir/first"
"$brise" tokenize "$model" --chat --jsonl >"$dir/ids" <<'END'
{"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"A text.\nWith two lines.\n\nHello"}]}
END
printf 'A text.\nWith two lines.\n' >"$dir/text"
printf 'Hello\nagain\n' | "$brise" chat "$model" $greedy --private --system "Be kind." -f "$dir/text" >"$dir/out" 2>"$dir/err"
holds "system message and document stand before the first message" [ "$(all 1)" -eq "$(tr ',' '\n' <"$dir/ids" | wc -l)" ]
chat "$model" $greedy --commands --conversation x -- /clear "/file $dir/text" "Hello you"
holds "a conversation is called by what is typed, not by its document" [ -s "$kept/hello-you.jsonl" ]
rm "$kept/hello-you.jsonl"
chat "$model" $greedy --private -- "" "   " "Hello"
holds "empty lines are no messages" [ "$(grep -c evaluated "$dir/err")" -eq 1 ]

# ---- going on with it later -----------------------------------------------------------------------------------------

chat "$model" $greedy --resume -- "Once more?"
holds "after a restart only what is new is evaluated" [ "$status" -eq 0 -a "$(evaluated 1)" -lt 20 -a "$(all 1)" -gt 100 ]
cp "$dir/out" "$dir/with"
holds "the conversation has become longer" [ "$(wc -l <"$kept/one.jsonl")" -eq 9 ]
head -n 7 "$kept/one.jsonl" >"$kept/copy.jsonl"
chat "$model" $greedy --conversation copy --no-cache -- "Once more?"
holds "without the cache everything is" [ "$(evaluated 1)" -eq "$(all 1)" ]
holds "and the answer is the same" cmp "$dir/out" "$dir/with"
for i in 1 2 3 4; do printf 'Tell me about %s.\n' "$i"; done | "$brise" chat "$model" --temperature 1.3 --seed 5 -n 25 --stats --conversation wild >"$dir/out" 2>"$dir/err"
n=$(all 4)
holds "ids that are not those of the text are kept" grep -q '"ids":\[[0-9,]*\]}$' "$kept/wild.jsonl"
chat "$model" --stats -n 5 --resume -- "And?"
holds "so that nothing drawn is evaluated again" [ "$(evaluated 1)" -lt 20 -a "$(all 1)" -gt "$n" ]
sed -i 's/"ids":\[[0-9]*,/"ids":[5,/' "$kept/wild.jsonl"
chat "$model" --stats -n 5 --resume -- "And?"
holds "wrong ids are not believed" [ "$status" -eq 0 ]
holds "but forgotten" sh -c '! grep -q "\"ids\":\[5," "$1"' - "$kept/wild.jsonl"
chat "$model" --stats -n 5 --conversation fresh --cache "$dir/cache" --cache-size 300k -- "$(seq 1 100 | tr '\n' ' ')"
holds "the folder of the cache can be chosen" [ "$(find "$dir/cache" -type f | wc -l)" -eq 0 -a -d "$dir/cache" ]
holds "files and folders are the user's alone" [ "$(stat -c %a "$kept/one.jsonl" "$kept" "$dir/data/brise" "$dir/caches/brise/prompts" "$dir/cache" | tr '\n' ' ')" = "600 700 700 700 700 " ]
before=$(find "$dir/data" "$dir/caches" "$HOME" -type f | wc -l)
chat "$model" -n 5 --private -- "$(seq 1 100 | tr '\n' ' ')"
holds "--private leaves nothing" [ "$status" -eq 0 -a "$(find "$dir/data" "$dir/caches" "$HOME" -type f | wc -l)" -eq "$before" ]
chat "$model" -n 5 --no-cache -- "Hello"
holds "a pipe keeps no conversation that is not named" [ "$(find "$kept" -type f | wc -l)" -eq 4 -a "$status" -eq 0 ]

# ---- commands -------------------------------------------------------------------------------------------------------

chat "$model" $greedy --conversation talk --commands -- "Hello" "/retry" "/undo" "Bye" "/edit Good night" "/system Be kind." "/retry" /stats
holds "retry, undo, edit and system change the conversation" [ "$(sed 's/,"content":"[^B/]*".*//' "$kept/talk.jsonl" | wc -l)" -eq 4 ]
holds "as they say" [ "$(message 1 talk)" = '{"role":"system","content":"Be kind."}' -a "$(message 2 talk)" = '{"role":"user","content":"Good night"}' ]
holds "retry evaluates one token" [ "$(evaluated 2)" -eq 1 ]
holds "stats has the figures of the turn" says "keys and values of the window take"
chat "$model" $greedy --conversation edited --commands -- Hello /edit "" "And?" /edit "And then?" /edit /list "Why?"
holds "an edited message takes the place of the last, unless another line comes between" [ "$(sed -n '/"user"/s/.*"content":"\([^"]*\)".*/\1/p' "$kept/edited.jsonl" | tr '\n' ' ')" = "Hello And then? Why? " ]
holds "it is shown before" [ "$(grep -c '^And?$' "$dir/err")" -eq 1 ]
chat "$unlimited" $greedy --context 64 --conversation edited --commands -- /clear Hello "/edit $(seq 1 100 | tr '\n' ' ')" "And?"
holds "one that cannot be answered leaves the last" [ "$status" -eq 1 -a "$(grep -c '"user"' "$kept/hello.jsonl")" -eq 2 -a "$(message 1 hello)" = '{"role":"user","content":"Hello"}' ]
rm "$kept/edited.jsonl" "$kept/hello.jsonl"
i=2
echo "{}" >"$kept/greeting.jsonl"
seq -f "$kept/greeting-%.0f.jsonl" 2 9999 | xargs touch
chat "$model" -n 3 --commands --conversation other -- "/clear" "Greeting" "/clear" "Greeting" "/list"
holds "10,000 conversations can begin alike" [ -s "$kept/greeting-10000.jsonl" ]
holds "another is not kept, which is said" fails_with 1 "all names of its first message are taken; /save NAME"
holds "and has no name" sh -c '! grep -q "^\*" "$1"' - "$dir/err"
find "$kept" -name 'greeting*' -exec rm {} +
chat "$model" $greedy --conversation undone --commands -- "My secret" /undo
holds "what was taken back is not kept" [ "$status" -eq 0 -a "$(wc -l <"$kept/undone.jsonl")" -eq 1 ]
chat "$model" $greedy --resume -- "Hello"
holds "and the conversation goes on without it" [ "$status" -eq 0 -a "$(message 1 undone)" = '{"role":"user","content":"Hello"}' ]
rm "$kept/undone.jsonl"
printf '%s\n' Hello "/save new" >"$dir/input"
XDG_DATA_HOME=$model "$brise" chat "$model" -n 3 --commands --no-cache --conversation x <"$dir/input" >"$dir/out" 2>"$dir/err"
status=$?
holds "what could not be saved is not said to be" sh -c '! grep -q "kept as" "$1"' - "$dir/err"
holds "but why" fails_with 1 "the folder cannot be made"
chat "$model" $greedy --commands --conversation talk -- "/rename other" "/save third" "/list" "/delete talk" "/delete othr" "/load other" "/load nothing" "/clear" "/list" "/delete other" "/list"
holds "names are given, taken and looked for" says "this conversation is called other"
holds "the nearest is suggested" says "there is no conversation othr; did you mean other?"
holds "what was deleted is gone" [ ! -e "$kept/other.jsonl" -a -e "$kept/third.jsonl" -a ! -e "$kept/talk.jsonl" ]
chat "$model" $greedy --commands --conversation gone -- "Hello" "/save third" "/rename third" "/delete gone" "Good night"
holds "a name that is taken is not given again" [ "$(grep -c 'there is a conversation third already' "$dir/err")" -eq 2 ]
holds "a conversation that is deleted while it is held is not continued" [ ! -e "$kept/gone.jsonl" -a "$(message 1 good-night)" = '{"role":"user","content":"Good night"}' ]
rm "$kept/good-night.jsonl"
chat "$model" $greedy --commands --private -- "/hlep" "/zzz" "/temp 0.5" "/temp" "/temp x" "/save x" "/file $dir/nothing" "/load ../x" "/undo" "/system" "//slash" "/bye" "Hello"
holds "an unknown command names the nearest" says "unknown command /hlep; did you mean /help?"
holds "there may be no system message" says "there is no system message"
holds "or the list" says "unknown command /zzz; /help lists them"
holds "a temperature is checked" says "expected a number from 0 to 100, found 'x'"
holds "and set" says "temperature 0.5"
holds "nothing is kept in private" says "--private: no conversation is kept"
holds "a missing document is named" says "$dir/nothing"
holds "there is nothing to undo" says "there is no message yet"
holds "// begins a message, and other programs' words for /quit end" [ "$(grep -c evaluated "$dir/err")" -eq 1 ]
printf "a\\0b" >"$dir/binary"
chat "$model" $greedy --private -f "$dir/binary" -- Hello
holds "a document that is no text is refused" fails_with 1 "binary: is no text"
chat "$model" $greedy --private -- "/help"
holds "without --commands a slash is text" [ "$(grep -c evaluated "$dir/err")" -eq 1 -a "$(wc -l <"$dir/err")" -eq 1 ]

# ---- a context that becomes full ------------------------------------------------------------------------------------

for i in 1 2 3 4 5 6 7 8; do printf 'Tell me about %s files.\n' "$i"; done >"$dir/input"
echo /stats >>"$dir/input"
"$brise" chat "$unlimited" --greedy --stats -n 20 --context 96 --system "Be kind." --commands --conversation full <"$dir/input" >"$dir/out" 2>"$dir/err"
status=$?
dropped=$(sed -n '1s/.*"dropped":\([0-9]*\)}/\1/p' "$kept/full.jsonl")
holds "a full context ends no conversation" [ "$status" -eq 0 -a "$(grep -c "^brise chat: .* evaluated" "$dir/err")" -eq 8 -a "$(wc -l <"$kept/full.jsonl")" -eq 18 ]
holds "whole turns are dropped" [ "$dropped" -gt 4 -a $((dropped % 2)) -eq 0 ]
holds "and the status says so" says "the oldest $dropped messages dropped"
sed -n '2,17p' "$kept/full.jsonl" | sed -e "2,$((dropped + 1))d" -e 's/,"ids":\[[0-9,]*\]//' >"$dir/messages"
holds "the system's message and the last turns are shown" [ "$(count_ids "$dir/messages")" -eq "$(all 8)" -a "$(all 8)" -le 84 ]
i=0
while [ $i -lt 24 ]; do i=$((i + 1)) && echo "Tell me $i."; done | "$brise" chat "$unlimited" --greedy --stats -n 4 --context 256 --private >"$dir/out" 2>"$dir/err"
holds "several at once, so that most turns evaluate only what is new" [ "$(grep -c '^brise chat: 1[0-9] of' "$dir/err")" -ge 17 ]
chat "$unlimited" $greedy --context 400 --conversation full -- "And?"
holds "what was dropped stays so after a restart" [ "$(evaluated 1)" -lt 20 -a "$(all 1)" -lt 120 ]
chat "$unlimited" --greedy --stats --ignore-eos --context 64 --private -n 100 -- "Hello" "And now?"
holds "an answer that fills the context alone ends there" says "(the context of 64 positions is full: --context N keeps more)"
chat "$unlimited" --greedy --stats --ignore-eos --context 64 --private -n 45 -- "Hello" "And now?"
holds "one that fills it with others goes on without them" [ "$status" -eq 0 -a "$(grep -c 'answer 45 in' "$dir/err")" -eq 2 -a "$(grep -c full "$dir/err")" -eq 0 ]
chat "$unlimited" $greedy --context 64 --private -- "Hello" "$(seq 1 100 | tr '\n' ' ')" "Hello"
holds "a message longer than the context is refused" fails_with 1 "the message is longer than the context"
holds "and the next answered" [ "$(grep -c evaluated "$dir/err")" -eq 2 ]
chat "$unlimited" --greedy --stats -n 8 --context 64 --private -- "Hello" "$(seq 1 100 | tr '\n' ' ')" "Hello"
holds "with the turns before, which are not dropped for it" [ "$(all 2)" -gt $(($(all 1) + 8)) ]
chat "$model" $greedy --private -- "$(seq 1 200 | tr '\n' ' ')"
holds "a window takes it" [ "$status" -eq 0 -a "$(all 1)" -gt 256 ]

# ---- lines of JSON --------------------------------------------------------------------------------------------------

cat >"$dir/input" <<'END'
{"messages":[{"role":"user","content":"Hello"}]}
{"messages":[{"role":"tool","content":"Hello"}]}

no JSON
{"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi."},{"role":"user","content":"What?"}]}
END
"$brise" chat "$model" --jsonl --greedy -n 12 --stats --no-cache <"$dir/input" >"$dir/out" 2>"$dir/err"
status=$?
holds "a line out for each in" [ "$(wc -l <"$dir/out")" -eq 4 -a "$(grep -c '^{"message":{"role":"assistant","content":".*"},"finish_reason":"length"}$' "$dir/out")" -eq 2 ]
holds "errors are lines too, and the status" [ "$status" -eq 1 -a "$(sed -n 2p "$dir/out")" = '{"error":"record 2: message 1 is a tool'"'"'s result: the format v1 has no form for tools"}' ]
holds "they are numbered, with empty lines" says "record 4: JSON: line 1, byte "
holds "what two lines begin with is evaluated once" [ "$(evaluated 2)" -lt "$(all 2)" ]

"$brise" chat "$model" --jsonl --logit-bias 2=1000000 --no-cache <"$dir/input" >"$dir/out" 2>"$dir/err"
holds "an end token ends an answer" [ "$(sed -n 1p "$dir/out")" = '{"message":{"role":"assistant","content":""},"finish_reason":"stop"}' ]
chat "$model" --stats --logit-bias 2=1000000 --conversation silent -- Hello "And?"
holds "an empty answer is none, and the next message is answered" [ "$status" -eq 0 -a ! -e "$kept/silent.jsonl" -a "$(evaluated 2)" -lt "$(all 2)" ]
holds "as is said" says "the model had no answer"

# ---- other formats --------------------------------------------------------------------------------------------------

echo '{"user": {"before": "USER: ", "after": " "}, "assistant": {"before": "ASSISTANT: ", "after": "</s>"}, "ends": ["</s>"]}' >"$dir/affixes"
chat "$plain" $greedy --private --chat-format "$dir/affixes" -- Hello "And?"
"$brise" tokenize "$model" --chat --jsonl --chat-format "$dir/affixes" >"$dir/ids" <<'END'
{"messages":[{"role":"user","content":"Hello"}]}
END
holds "a file of affixes is a format" [ "$status" -eq 0 -a "$(all 1)" -eq "$(tr ',' '\n' <"$dir/ids" | wc -l)" -a "$(evaluated 2)" -lt 25 ]
chat "$plain" $greedy --private --chat-format "$dir/affixes" --system Gently -- Hello
holds "a format without system messages refuses one" fails_with 1 "--system: the format custom has no system messages"

# ---- what is refused ------------------------------------------------------------------------------------------------

chat "$plain" -- Hello
holds "a model without a known format is refused" fails_with 1 "choose one of v1, v2, v3, v3-tekken, v7, v11, v13, chatml, zephyr, or a file"
chat "$plain" $greedy --private --chat-format v1 -- Hello
holds "unless it is named" [ "$status" -eq 0 -a -s "$dir/out" ]
for words in "--conversation ../x" "--conversation .x" "--conversation x --resume" "--private --resume" "--cache x --no-cache" "--cache-size 2X" "--jsonl --resume" "--tokens 0" "--file -"; do
	chat "$model" $words -- Hello
	holds "$words is wrong usage" [ "$status" -eq 2 -a "$(wc -l <"$dir/err")" -eq 1 -a ! -s "$dir/out" ]
done
try run "$model" --chat --continue --session x
holds "run --chat needs a question" fails_with 2 "--chat: expected with a question"
try run "$model" x --system y
holds "run --system needs --chat" fails_with 2 "expected together with --chat"
echo "my notes" >"$kept/notes.jsonl"
chat "$model" -n 3 --conversation notes -- Hello
holds "a file that is no conversation is refused" fails_with 1 "record 1"
holds "and stays" [ "$(cat "$kept/notes.jsonl")" = "my notes" ]
{ head -n 1 "$kept/one.jsonl" && echo '{"role":"robot","content":"x"}'; } >"$kept/notes.jsonl"
chat "$model" -n 3 --conversation notes -- Hello
holds "so is a damaged one, by its record" fails_with 1 "record 2"
rm "$kept/notes.jsonl"
if [ "$(id -u)" -ne 0 ]; then
	chmod 500 "$kept"
	chat "$model" -n 3 --conversation notes -- Hello
	holds "a conversation that cannot be kept is answered, with status 1" [ "$status" -eq 1 -a -s "$dir/out" ]
	chmod 700 "$kept"
fi
env -u HOME -u XDG_DATA_HOME -u XDG_CACHE_HOME "$brise" chat "$model" -n 3 <"$dir/text" >"$dir/out" 2>"$dir/err"
holds "without a home nothing is kept, and it works" [ "$?" -eq 0 -a ! -s "$dir/err" ]
env -u XDG_DATA_HOME -u XDG_CACHE_HOME HOME="$dir/nobody" "$brise" chat "$model" -n 3 <"$dir/text" >"$dir/out" 2>"$dir/err"
holds "a home that is not there is not made" [ "$?" -eq 0 -a ! -s "$dir/err" -a ! -e "$dir/nobody" ]
"$brise" chat "$model" -n 3 --private <"$dir/text" 2>"$dir/err" >/dev/full
holds "a full disk is an error" [ "$?" -eq 1 -a "$(wc -l <"$dir/err")" -eq 1 ]

# ---- signals --------------------------------------------------------------------------------------------------------

mkfifo "$dir/lines"
"$brise" chat "$model" --ignore-eos --conversation long <"$dir/lines" >"$dir/out" 2>"$dir/err" &
pid=$!
exec 3>"$dir/lines"
echo Hello >&3
while [ "$(wc -c <"$dir/out")" -lt 400 ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -TERM $pid
wait $pid
status=$?
exec 3>&-
holds "SIGTERM ends an answer, which is kept as far as it came" [ "$status" -eq 143 -a "$(grep -c '"role":"assistant"' "$kept/long.jsonl")" -eq 1 ]

# A long text is in the cache before the next turn, so that it is not lost with the process.
"$brise" chat "$model" -n 3 --conversation document <"$dir/lines" >"$dir/out" 2>"$dir/err" &
pid=$!
exec 3>"$dir/lines"
seq 1 900 | tr '\n' ' ' >&3
echo >&3
while [ ! -e "$kept/document.jsonl" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -KILL $pid
wait $pid 2>"$dir/pipe"
exec 3>&-
chat "$model" --stats -n 3 --conversation document -- "And?"
holds "a long text is not evaluated again after kill -9" [ "$(all 1)" -gt 1024 -a "$(evaluated 1)" -lt 40 ]

# What another process adds to the same conversation is not replaced.
"$brise" chat "$model" -n 3 --no-cache --conversation shared <"$dir/lines" >"$dir/out" 2>"$dir/err" &
pid=$!
exec 3>"$dir/lines"
echo First >&3
while [ ! -e "$kept/shared.jsonl" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
echo Other | "$brise" chat "$model" -n 3 --no-cache --conversation shared >"$dir/other" 2>"$dir/other.err"
printf '%s\n' Second Third >&3
exec 3>&-
wait $pid
holds "turns of another process are kept" [ "$(message 3 shared)" = '{"role":"user","content":"Other"}' -a "$(wc -l <"$kept/shared.jsonl")" -eq 5 ]
holds "and those of this one, under another name" [ "$(message 5 first)" = '{"role":"user","content":"Third"}' -a "$(wc -l <"$kept/first.jsonl")" -eq 7 ]
holds "which it says" says "here it is first now"

# Killed at any moment of saving, the conversation is that of a turn that was whole.
i=1 bad=
while [ $i -le 25 ]; do
	rm -f "$kept/killed.jsonl"
	"$brise" chat "$model" -n 1 --no-cache --conversation killed <"$dir/lines" >"$dir/out" 2>"$dir/err" &
	pid=$!
	exec 3>"$dir/lines"
	seq 1 400 >&3 2>"$dir/pipe" &
	writer=$!
	sleep "0.0$((i * 37 % 90 + 10))"
	kill -KILL $pid
	wait $pid 2>"$dir/pipe"
	exec 3>&-
	wait $writer
	if [ -e "$kept/killed.jsonl" ]; then
		n=$(wc -l <"$kept/killed.jsonl")
		answers=$(wc -l <"$dir/out")
		# Every answer that was written but the last is in the file.
		[ $((n % 2)) -eq 1 ] && [ $((n / 2)) -ge $((answers - 1)) ] || bad="$bad $i: $n lines, $answers answers;"
		echo /stats | "$brise" chat "$model" --commands --no-cache --conversation killed >"$dir/load" 2>"$dir/err" && grep -qF "$((n - 1)) messages" "$dir/err" || bad="$bad $i: not loaded;"
	else
		[ "$(wc -l <"$dir/out")" -le 1 ] || bad="$bad $i: no file;"
	fi
	i=$((i + 1))
done
[ -z "$bad" ] || echo "$bad" >&2
holds "kill -9 leaves the conversation of one turn or of the next" [ -z "$bad" ]
chat "$model" -n 1 --no-cache --conversation killed -- Hello
holds "and what it left beside it is removed" [ "$(ls "$kept" | grep -c killed)" -eq 1 ]
report chat_cli
