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
