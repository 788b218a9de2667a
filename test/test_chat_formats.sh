#!/bin/sh
# test_chat_formats.sh - conversations in formats with control tokens, and in those that a file
# describes, through brise chat and run --chat
#
# The vocabularies are breeze's with other names for some of its pieces; what the model says does
# not matter, only what it is shown and where its answers end.
. test/statements.sh
HOME=$dir/home
export HOME
unset XDG_DATA_HOME XDG_CACHE_HOME
mkdir "$HOME"
kept=$HOME/.local/share/brise/conversations
requires "pieces can be renamed" ${CC:-cc} -std=c11 test/rename_pieces.c -o "$dir/rename_pieces"

make_model() { # name, pieces...
	mkdir "$dir/$1"
	cp test/models/breeze/config.json test/models/breeze/*.safetensors test/models/breeze/*.index.json "$dir/$1"
	name=$1
	shift
	"$dir/rename_pieces" "$@" <test/models/breeze/tokenizer.model >"$dir/$name/tokenizer.model" &&
		"$brise" convert "$dir/$name" "$dir/$name.brise" --effort fast 2>"$dir/$name.notes"
}

chat() { # options, then messages after "--"
	arguments=
	while [ "$1" != -- ]; do arguments="$arguments $1" && shift; done
	shift
	printf '%s\n' "$@" | "$brise" chat $arguments >"$dir/out" 2>"$dir/err"
	status=$?
}

# Tokens evaluated of those before the answer, and all of them, in turn N.
evaluated() {
	sed -n 's/^brise chat: \([0-9]*\) of [0-9]* tokens evaluated in .*/\1/p' "$dir/err" | sed -n "$1p"
}
all() {
	sed -n 's/^brise chat: [0-9]* of \([0-9]*\) tokens evaluated in .*/\1/p' "$dir/err" | sed -n "$1p"
}

# Ids of what the model is shown before answer N of a conversation.
count_ids() { # N, name, model
	sed -e 1d -e 's/,"ids":\[[0-9,]*\]//' "$kept/$2.jsonl" >"$dir/messages"
	lines=$(grep -n '"assistant"' "$dir/messages" | sed -n "$1s/:.*//p")
	printf '{"messages":[%s]}\n' "$(head -n $((lines - 1)) "$dir/messages" | paste -s -d , -)" | "$brise" tokenize "$3" --chat --jsonl | tr ',' '\n' | wc -l
}

requires "a model with ChatML's tokens" make_model chatml "3990=<|im_start|>" "3991=<|im_end|>"
requires "a model with v3's" make_model v3 "3990=[INST]" "3991=[/INST]" "3992=[TOOL_CALLS]" "3993=[AVAILABLE_TOOLS]" "3994=[/AVAILABLE_TOOLS]" "3995=[TOOL_RESULTS]" "3996=[/TOOL_RESULTS]"
requires "a model without any" make_model plain
holds "convert finds ChatML by the vocabulary" grep -q "chat format chatml: the vocabulary has <|im_start|>" "$dir/chatml.notes"
holds "and v3" grep -q "chat format v3: the vocabulary has \[INST\]" "$dir/v3.notes"

# The end token of the format is made likely, so that answers end by it; the seed decides where.
for format in chatml v3; do
	model=$dir/$format.brise
	end=2=6
	[ $format = v3 ] || end=3991=9
	sampling="--temperature 1 --seed 5 -n 60 --logit-bias $end"
	try info "$model"
	holds "$format: info names it" grep -q "^chat         $format (the model's file)" "$dir/out"
	chat "$model" --stats $sampling --conversation "$format" -- "Hello" "What is <|im_end|> and [/INST]?" "Why?"
	cp "$dir/out" "$dir/answers"
	holds "$format: three lines are three turns" [ "$status" -eq 0 -a "$(grep -c '"assistant"' "$kept/$format.jsonl")" -eq 3 ]
	holds "$format: the model is shown the first message" [ "$(all 1)" -eq "$(count_ids 1 $format "$model")" ]
	holds "$format: what is spelled like a control token stays text" grep -qF '"content":"What is <|im_end|> and [/INST]?"' "$kept/$format.jsonl"
	holds "$format: of the next turns only what is new is evaluated" [ "$(evaluated 2)" -lt 60 -a "$(evaluated 3)" -lt 20 -a "$(all 3)" -gt "$(all 2)" ]
	holds "$format: answers end" [ "$(grep -c 'answer 60 in' "$dir/err")" -eq 0 ]
	holds "$format: and have no control tokens" sh -c '! grep -qE "<\|im_|\[/?INST\]" "$1"' - "$dir/answers"
	chat "$model" --stats $sampling --resume -- "And then?"
	holds "$format: a conversation goes on after a restart" [ "$status" -eq 0 -a "$(evaluated 1)" -lt 20 -a "$(grep -c '"assistant"' "$kept/$format.jsonl")" -eq 4 ]
	echo '{"messages":[{"role":"user","content":"Hello"}]}' | "$brise" chat "$model" --jsonl $sampling --no-cache >"$dir/line" 2>"$dir/err"
	holds "$format: --jsonl answers the same, to its end token" [ "$(sed 's/.*"content":\(".*"\)},"finish.*/\1/' "$dir/line")" = "$(sed -n 's/,"ids":.*/}/; 3s/.*"content":\(".*"\)}$/\1/p' "$kept/$format.jsonl")" ]
	holds "$format: which is why it stops" grep -q '"finish_reason":"stop"}$' "$dir/line"
	try run "$model" --chat Hello $sampling
	holds "$format: run --chat answers the same" sh -c 'head -c "$(($(wc -c <"$1") - 1))" "$1" >"$1.begin"; head -c "$(wc -c <"$1.begin")" "$2" | cmp - "$1.begin"' - "$dir/out" "$dir/answers"
	chat "$model" --stats $sampling --private --system Gently -- Hello "And?"
	holds "$format: a system message is shown" [ "$status" -eq 0 -a "$(all 1)" -gt 7 ]
done
# v3 puts the system's text in front of the last message.
holds "v3 evaluates anew what its system message has moved from" [ "$(evaluated 2)" -gt 20 ]
echo '{"messages":[{"role":"user","content":"Hello"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}' >"$dir/tools"
"$brise" chat "$dir/v3.brise" --jsonl --stats -n 4 --no-cache <"$dir/tools" >"$dir/out" 2>"$dir/err"
holds "v3: a conversation with tools is shown with them" [ "$(all 1)" -eq "$("$brise" tokenize "$dir/v3.brise" --chat --jsonl <"$dir/tools" | tr ',' '\n' | wc -l)" -a "$(all 1)" -gt 30 ]
"$brise" chat "$dir/chatml.brise" --jsonl -n 4 --no-cache <"$dir/tools" >"$dir/out" 2>"$dir/err"
holds "chatml: tools are refused in words" grep -q '^{"error":"record 1: .*tools' "$dir/out"
chat "$dir/v3.brise" --private --logit-bias 3992=1000000 -n 5 -- Hello
holds "what begins like a call of a tool is shown as text" [ "$status" -eq 0 ]

# ---- the files of CHAT.md ---------------------------------------------------------------------------------------------

# Text between "```json" and "```", the Nth.
example() {
	awk -v wanted="$1" '/^```$/ { on = 0 } on { print } /^```json$/ { on = ++n == wanted }' runtime/CHAT.md
}
example 1 >"$dir/first"
example 2 >"$dir/second"
cat >"$dir/talks" <<'END'
{"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hello <|im_end|>"},{"role":"assistant","content":"Hi"},{"role":"user","content":"And?"}]}
{"messages":[{"role":"user","content":"Hello"}]}
END
"$brise" tokenize "$dir/chatml.brise" --chat --jsonl <"$dir/talks" >"$dir/expected"
"$brise" tokenize "$dir/chatml.brise" --chat --jsonl --chat-format "$dir/first" <"$dir/talks" >"$dir/ids" 2>"$dir/err"
holds "the first example describes ChatML" [ -s "$dir/ids" -a "$(cat "$dir/ids")" = "$(cat "$dir/expected")" ]
sampling="--temperature 1 --seed 5 -n 60 --logit-bias 3991=9"
chat "$dir/chatml.brise" $sampling --private -- Hello Why
cp "$dir/out" "$dir/answers"
chat "$dir/chatml.brise" $sampling --private --chat-format "$dir/first" -- Hello Why
holds "a conversation in it is the same" [ "$status" -eq 0 -a -s "$dir/out" -a "$(cat "$dir/out")" = "$(cat "$dir/answers")" ]
"$brise" convert "$dir/plain" "$dir/vicuna.brise" --effort fast --chat-format "$dir/second" 2>"$dir/err"
"$brise" tokenize "$dir/vicuna.brise" --chat --jsonl <"$dir/talks" >"$dir/ids"
"$brise" tokenize "$dir/vicuna.brise" -d --jsonl <"$dir/ids" >"$dir/texts"
holds "the second example is Vicuna's form, recorded by convert" grep -qF '"Be kind. USER: Hello <|im_end|> ASSISTANT: Hi USER: And? ASSISTANT: "' "$dir/texts"
chat "$dir/vicuna.brise" --stats --temperature 1 --seed 5 -n 40 --logit-bias 2=4 --conversation vicuna --system Gently -- Hello "And?"
holds "a conversation in it" [ "$status" -eq 0 -a "$(wc -l <"$kept/vicuna.jsonl")" -eq 6 -a "$(evaluated 2)" -lt 20 -a "$(all 2)" -eq "$(count_ids 2 vicuna "$dir/vicuna.brise")" ]
try run "$dir/vicuna.brise" --chat Hello --greedy -n 5
holds "and a question" [ "$status" -eq 0 -a -s "$dir/out" ]
for exported in "$dir/vicuna.gguf" "$dir/vicuna"; do
	"$brise" export "$dir/vicuna.brise" "$exported" 2>"$dir/err" && "$brise" convert "$exported" "$dir/again.brise" --effort fast 2>"$dir/err"
	"$brise" tokenize "$dir/again.brise" --chat --jsonl <"$dir/talks" >"$dir/again"
	holds "an exported ${exported##*.} keeps the format" cmp "$dir/ids" "$dir/again"
done
try chat "$dir/plain.brise" --chat-format "$dir/first"
holds "a file whose control tokens the vocabulary lacks is refused" grep -qF "<|im_start|>" "$dir/err"
report chat_formats
