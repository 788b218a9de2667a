#!/bin/sh
# test_tekken_cli.sh - a model with a byte-level tokenizer: breeze's weights, which never saw it, so
# what is said means nothing, but every command must work
. test/statements.sh
small=test/models/tekken/tekken.json
model=$dir/tekken.brise
mkdir "$dir/checkpoint"
cp test/models/breeze/config.json test/models/breeze/*.safetensors test/models/breeze/*.index.json "$small" "$dir/checkpoint"
cp test/models/breeze/tokenizer.model "$dir/checkpoint"
requires "it is converted" sh -c '"$1" convert "$2" "$3" --effort fast 2>"$4"' sh "$brise" "$dir/checkpoint" "$model" "$dir/notes"
holds "tekken.json comes before tokenizer.model" grep -q "tokenizer: tekken.json" "$dir/notes"
holds "its version and size are said" grep -q "tekken version v13: 2048 tokens, 100 of them control" "$dir/notes"
holds "and so is the format of its conversations" grep -q "chat format v13: the tokenizer is of tekken's version 13" "$dir/notes"
try info "$model"
holds "info says that it is byte-level" grep -q "^tokenizer    in the file, byte-level" "$dir/out"
holds "info shows the begin token" grep -q "begin 1 <s>, end 2 </s>" "$dir/out"

text='The tokenizer’s naïve café, 北京 2024 </s>[INST]'
printf '%s\n' "$text" >"$dir/text"
printf '"%s"\n' "$text" >"$dir/lines"
same_ids() { # options...
	"$brise" tokenize "$small" "$@" >"$dir/a" 2>"$dir/err" && "$brise" tokenize "$model" "$@" >"$dir/b" 2>"$dir/err" &&
		[ -s "$dir/a" ] && cmp -s "$dir/a" "$dir/b"
}
holds "the model's tokenizer is the file's" same_ids -f "$dir/text"
holds "text comes back" sh -c '"$1" tokenize "$2" -d -f "$3" | cmp -s - "$4"' sh "$brise" "$model" "$dir/a" "$dir/text"
holds "with control tokens" same_ids "$text" --control
holds "which are 2 and 3" grep -q ' 2 3$' "$dir/a"
holds "they are none of text" sh -c '"$1" tokenize "$2" "[INST]" | grep -qv "^3$"' sh "$brise" "$model"
holds "as lines of JSON" same_ids --jsonl -f "$dir/lines"
holds "and back" sh -c '"$1" tokenize "$2" --jsonl -d -f "$3" | cmp -s - "$4"' sh "$brise" "$model" "$dir/a" "$dir/lines"

printf '%s\n' '{"messages": [{"role": "system", "content": "[INST]"}, {"role": "user", "content": "Größe"}]}' >"$dir/lines"
holds "conversations, in the format of its version" same_ids --chat --jsonl -f "$dir/lines"
holds "with control tokens around texts" grep -qE '^\[1,17,.*,18,3,.*,4\]$' "$dir/a"

is_utf8() { iconv -f UTF-8 -t UTF-8 "$1" >/dev/null 2>&1; }
try run "$model" "Hello, naïve 京" -n 200 --temperature 2 --seed 4
cp "$dir/out" "$dir/streamed"
holds "run continues a text" [ "$status" -eq 0 -a -s "$dir/out" ]
holds "in whole characters" is_utf8 "$dir/streamed"
try run "$model" "Hello, naïve 京" -n 200 --temperature 2 --seed 4 --no-drafts --chunk 1
holds "the same from one token at a time" cmp -s "$dir/out" "$dir/streamed"

printf '%s' '{"type": "object", "properties": {"name": {"type": "string", "maxLength": 30}, "age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["name", "age"], "additionalProperties": false}' >"$dir/schema"
for seed in 1 2 3 4 5 6; do
	try run "$model" "The captain:" -n 160 --temperature 1.5 --seed $seed --schema "$dir/schema"
	holds "JSON by a schema, seed $seed" sh -c 'tr -d "\n" <"$1" | grep -qE "^[[:space:]]*\{.*\"name\":.*\"age\":[[:space:]]*[0-9]{1,3}[[:space:]]*\}[[:space:]]*$"' sh "$dir/out"
	holds "of whole characters, seed $seed" is_utf8 "$dir/out"
done

printf 'root ::= "naïve café" | "北京" | " москва 😀"\n' >"$dir/words.gbnf"
try run "$model" "Say:" -n 60 --temperature 1 --seed 2 --grammar "$dir/words.gbnf"
holds "characters that tokens cut into bytes, by a grammar" grep -qxE 'naïve café|北京| москва 😀' "$dir/out"

printf 'Hello\nAgain\n' | "$brise" chat "$model" -n 20 --seed 1 >"$dir/out" 2>"$dir/err"
holds "chat answers" [ $? -eq 0 -a -s "$dir/out" ]
holds "in whole characters, too" is_utf8 "$dir/out"

# Reasoning. The weights never saw its marks: a bias on them, 34 and 35, makes it come and go.
thinking="--private -n 40 --temperature 1 --ignore-eos --seed 2 --logit-bias 34=15 --logit-bias 35=15"
holds "the marks of reasoning are these" sh -c '[ "$("$1" tokenize "$2" --control "[THINK][/THINK]")" = "34 35" ]' sh "$brise" "$small"
printf 'Hello\n' >"$dir/lines"
"$brise" chat "$model" $thinking <"$dir/lines" >"$dir/hidden" 2>"$dir/err"
"$brise" chat "$model" $thinking --reasoning <"$dir/lines" >"$dir/shown" 2>"$dir/err"
holds "chat hides reasoning" [ -s "$dir/hidden" -a "$(grep -c '(reasoning)' "$dir/hidden")" -eq 0 ]
holds "--reasoning shows it" [ "$(grep -c '(reasoning)$' "$dir/shown")" -eq 3 ]
holds "apart from the answer" [ "$(sed -n '/(reasoning)$/{s///p;n;d};/^(answer)$/d;p' "$dir/shown" | tr -d '\n')" = "$(tr -d '\n' <"$dir/hidden")" ]
printf '/reasoning on\nHello\n' >"$dir/lines"
"$brise" chat "$model" $thinking --commands <"$dir/lines" >"$dir/out" 2>"$dir/err"
holds "/reasoning on shows it, too" cmp -s "$dir/out" "$dir/shown"
printf '/reasoning off\nHello\n/reasoning\n' >"$dir/lines"
"$brise" chat "$model" $thinking --commands --reasoning <"$dir/lines" >"$dir/out" 2>"$dir/err"
holds "/reasoning off hides it" cmp -s "$dir/out" "$dir/hidden"
holds "/reasoning says how it is" grep -q "reasoning is hidden; /reasoning on shows it" "$dir/err"
try run "$model" --chat Hello $(echo "$thinking" | sed 's/--private//')
holds "run --chat leaves it out" [ "$(cat "$dir/out")" = "$(cat "$dir/hidden")" ]
try run "$model" --chat Hello --reasoning $(echo "$thinking" | sed 's/--private//')
holds "and shows it with --reasoning" [ "$(cat "$dir/out")" = "$(cat "$dir/shown")" ]
try run "$model" Hello --reasoning
holds "which is for conversations" [ "$status" -eq 2 ]
holds "a format without it says so" sh -c 'echo /reasoning | "$1" chat "$2" --private --commands --chat-format v7 2>&1 | grep -q "the format v7 has no reasoning apart"' sh "$brise" "$model"
printf '{"messages": [{"role": "user", "content": "Hello"}]}\n' >"$dir/lines"
"$brise" chat "$model" $thinking --jsonl <"$dir/lines" >"$dir/out" 2>"$dir/err"
holds "chat --jsonl has it in a field of its own" grep -q '"content":".*","reasoning_content":"' "$dir/out"

printf 'Hello\n' >"$dir/lines"
"$brise" chat "$model" --private -n 9 --seed 1 --logit-bias 34=50 <"$dir/lines" >"$dir/out" 2>"$dir/err"
holds "chat says that a limit fell within reasoning" grep -q "(9 tokens were reasoning, without an answer; the message is taken back)" "$dir/err"
try run "$model" --chat Hello -n 9 --seed 1 --logit-bias 34=50
holds "so does run --chat" sh -c '[ ! -s "$1/out" ] && grep -q "9 tokens were reasoning, without an answer: a larger -n" "$1/err"' sh "$dir"
open='[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": [{"type": "thinking", "thinking": "So", "closed": false}], "prefix": true}]'
printf '{"messages": %s}\n' "$open" >"$dir/lines"
"$brise" chat "$model" --private -n 9 --seed 1 --logit-bias 35=-inf --jsonl <"$dir/lines" >"$dir/out" 2>"$dir/err"
holds "reasoning that is open goes on; without an end the limit cuts it, and there is no answer" \
	grep -qE '^\{"message":\{"role":"assistant","content":"","reasoning_content":".+"\},"finish_reason":"length"\}$' "$dir/out"
printf '{"const": [1]}' >"$dir/one"
within="--private -n 400 --seed 1 --temperature 1 --logit-bias 35=13 --schema $dir/one --jsonl"
"$brise" chat "$model" $within <"$dir/lines" >"$dir/out" 2>"$dir/err"
holds "a schema holds from behind open reasoning on, in chat too" \
	grep -qE '^\{"message":\{"role":"assistant","content":"[^"1]*\[[^"1]*1[^"1]*\]","reasoning_content":"..........+"\},"finish_reason":"stop"\}$' "$dir/out"
"$brise" chat "$model" $within --no-drafts <"$dir/lines" >"$dir/plain" 2>"$dir/err"
holds "the same without drafts" cmp -s "$dir/out" "$dir/plain"
ask() { # name, seed, bias on the end of reasoning, most tokens, further fields
	printf '{"custom_id": "%s", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": %s, "temperature": 1, "seed": %s, "logit_bias": {"35": %s}, "max_tokens": %s%s}}\n' "$1" "$open" "$2" "$3" "$4" "$5"
}
ask json 1 13 400 ', "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": [1]}}}' >"$dir/in.jsonl"
ask call 4 12 400 ', "tools": [{"type": "function", "function": {"name": "now"}}], "tool_choice": "required", "parallel_tool_calls": false' >>"$dir/in.jsonl"
ask endless 1 -100 5 >>"$dir/in.jsonl"
try batch "$model" "$dir/in.jsonl" "$dir/out.jsonl"
holds "a schema holds from behind reasoning on" grep -qE '"json".*"content":" ?\[[^"]*1[^"]*\]","reasoning_content":".+"' "$dir/out.jsonl"
holds "so does the form of a call that must be" grep -qE '"call".*"content":null,"reasoning_content":".+".*"function":\{"name":"now","arguments":"\{\}"\}.*"finish_reason":"tool_calls"' "$dir/out.jsonl"
holds "a limit within reasoning leaves no answer" grep -qE '"endless".*"content":"","reasoning_content":".+".*"finish_reason":"length"' "$dir/out.jsonl"

cp -r "$dir/checkpoint" "$dir/later"
sed '1s/"version": "v13"/"version": "v15"/' "$small" >"$dir/later/tekken.json"
requires "a later version is converted" sh -c '"$1" convert "$2" "$3" --effort fast 2>"$4"' sh "$brise" "$dir/later" "$dir/later.brise" "$dir/notes"
holds "whose format of conversations convert says it does not know" grep -q "chat format unknown: no chat template; the form of tekken's version 15 is not known; --chat-format can say which" "$dir/notes"
try run "$dir/later.brise" --chat Hello
holds "nor does run" [ "$status" -eq 1 -a "$(grep -c "the form of tekken's version 15 is not known" "$dir/err")" -eq 1 ]
rm "$dir/later.brise" "$dir/later/tekken.json"
mv "$dir/later/tokenizer.model" "$dir/later.model"
try calibrate "$dir/later" --self 100 -o "$dir/later.cal"
holds "calibrate says where no tokenizer is, and what does without" [ "$status" -eq 1 -a "$(grep -cF "$dir/later/model-00001-of-00002.safetensors: no tekken.json" "$dir/err")" -eq 1 -a "$(grep -c "brise calibrate --ids" "$dir/err")" -eq 1 ]

said='"role": "assistant", "content": "c", "reasoning_content": "b"}, {"role": "user", "content": "d"'
printf '{"messages": [{"role": "user", "content": "a"}, {%s}]}\n' "$said" >"$dir/lines"
marks() { "$brise" tokenize "$model" --chat --jsonl "$@" <"$dir/lines" | tr -d '[]' | tr ',' '\n' | awk '$1 < 100' | tr '\n' ' '; }
holds "reasoning that chat --jsonl gave is taken back" [ "$(marks)" = "1 3 4 34 35 2 3 4 " ]
holds "and passed over where the format has no form for it" [ "$(marks --chat-format v11)" = "1 3 4 2 3 4 " ]
many() { awk 'BEGIN { printf "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": ["; for (i = 0; i < 9000; i++) printf "%s{\"type\": \"thinking\", \"thinking\": \"b\"}", i ? ", " : ""; print "]}]}" }'; }
if (ulimit -v 600000 && "$brise" --version) >"$dir/out" 2>&1; then
	many >"$dir/lines"
	holds "many parts of one answer take no memory of their square" sh -c 'ulimit -v 600000; "$1" tokenize "$2" --chat --jsonl -f "$3" >/dev/null' sh "$brise" "$model" "$dir/lines"
fi

cat README.md >"$dir/readme"
head -c 2000 README.md >"$dir/few"
try perplexity "$model" --text "$dir/few" --context 128
holds "perplexity encodes a text" [ "$status" -eq 0 ]
try calibrate "$dir/checkpoint" --text "$dir/readme" -o "$dir/tekken.cal" --tokens 512
holds "so does calibrate" [ "$status" -eq 0 -a -s "$dir/tekken.cal" ]
try calibrate "$dir/checkpoint" --self 200 -o "$dir/self.cal"
holds "which may write its text itself" [ "$status" -eq 0 -a -s "$dir/self.cal" ]

printf '%s\n' '{"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"model": "m", "prompt": "Größe: 京", "max_tokens": 12, "temperature": 2, "seed": 3, "logprobs": 2}}' >"$dir/in.jsonl"
try batch "$model" "$dir/in.jsonl" "$dir/out.jsonl"
holds "batch answers" grep -q '"text_offset"' "$dir/out.jsonl"
holds "in UTF-8" is_utf8 "$dir/out.jsonl"
try export "$model" "$dir/exported.gguf"
holds "export writes a GGUF file" [ "$status" -eq 0 -a -s "$dir/exported.gguf" ]
requires "which is converted" sh -c '"$1" convert "$2" "$3" --effort fast 2>"$4"' sh "$brise" "$dir/exported.gguf" "$dir/gguf.brise" "$dir/notes"
holds "of the same version and size" grep -q "tekken version v13: 2048 tokens, 100 of them control (brise.tekken_version)" "$dir/notes"
holds "and format of conversations" grep -q "chat format v13 (brise.chat_format)" "$dir/notes"
try export "$model" "$dir/other.gguf" --tokenizer "$small"
holds "with another tokenizer, too" cmp -s "$dir/exported.gguf" "$dir/other.gguf"
try export "$model" "$dir/exported"
holds "export writes a folder with a tekken.json" [ "$status" -eq 0 -a -s "$dir/exported/tekken.json" ]
requires "which is converted" sh -c '"$1" convert "$2" "$3" --effort fast 2>"$4"' sh "$brise" "$dir/exported" "$dir/again.brise" "$dir/notes"
holds "of the same version and size" grep -q "tekken version v13: 2048 tokens, 100 of them control" "$dir/notes"
for file in "$model" "$dir/gguf.brise" "$dir/again.brise"; do "$brise" tokenize "$file" --control "$text"; done >"$dir/out"
holds "with the same ids" [ "$(uniq "$dir/out" | wc -l)" -eq 1 ]
report tekken_cli
