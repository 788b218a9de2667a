#!/bin/sh
# test_cli.sh - the command line: exit statuses, messages, streams, damaged files,
# signals, and results that must agree
#
# Works on a 4-bit conversion of test/models/breeze in a temporary folder. Statements about many
# cases name the cases that fail.
. test/statements.sh
checkpoint=test/models/breeze
model=$dir/model.brise

# ---- statements -----------------------------------------------------------------------------------------------------

none() { # statement, cases that fail
	holds "$1${2:+: $2}" [ -z "$2" ]
}

lines() {
	wc -l <"$1" | tr -d ' '
}

# What is wrong with the last try as a refusal with this status: nothing printed, one line on
# standard error.
refusal() { # status, text within the line
	[ "$status" -eq "$1" ] || printf 'status %s, ' "$status"
	[ "$(lines "$dir/err")" -eq 1 ] || printf '%s lines on standard error, ' "$(lines "$dir/err")"
	[ ! -s "$dir/out" ] || printf 'standard output is not empty, '
	grep -qF -e "$2" "$dir/err" || printf "'%s' instead of '%s'" "$(head -n 3 "$dir/err")" "$2"
}

refuses() { # statement, status, text within the line, arguments...
	refuses_what=$1 refuses_status=$2 refuses_text=$3
	shift 3
	try "$@"
	none "$refuses_what" "$(refusal "$refuses_status" "$refuses_text")"
}

succeeds() { # statement, arguments...: status 0, nothing on standard error, something on standard output
	succeeds_what=$1
	shift
	try "$@"
	none "$succeeds_what" "$([ "$status" -eq 0 ] || printf 'status %s, ' "$status"
		[ ! -s "$dir/err" ] || printf 'standard error says %s, ' "$(head -n 1 "$dir/err")"
		[ -s "$dir/out" ] || printf 'nothing printed')"
}

same() { # statement, files
	holds "$1" cmp -s "$2" "$3"
}

flip_byte() { # file, offset: all bits of that byte, in place
	old=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\$(printf %o $((old ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

part_files() {
	find "$dir" -name '*.part*' | tr '\n' ' '
}

# ---- conversion -----------------------------------------------------------------------------------------------------

# Without the search for scales, which takes long in builds that check themselves.
try convert "$checkpoint" "$model" --effort fast
holds "convert succeeds" [ "$status" -eq 0 ]
holds "convert prints nothing on standard output" [ ! -s "$dir/out" ]
holds "convert ends with one line about the file" [ "$(grep -cF "$model: " "$dir/err")" -eq 1 ]
if [ ! -s "$model" ]; then
	cat "$dir/err" >&2
	echo "cli: $passed passed, $((failed + 1)) failed, $skipped skipped"
	exit 1
fi
try convert "$checkpoint" "$dir/again.brise" --effort fast -t 1
same "converting twice, with other threads, gives the same bytes" "$model" "$dir/again.brise"
ln -s again.brise "$dir/link.brise"
: >"$dir/again.brise"
try convert "$checkpoint" "$dir/link.brise" --effort fast
same "a link as the target gets its file replaced" "$model" "$dir/again.brise"
holds "and stays a link" [ -L "$dir/link.brise" ]
rm -f "$dir/link.brise"

mkdir "$dir/wrong" "$dir/empty"
cp "$checkpoint/config.json" "$dir/wrong"
for name in "$checkpoint"/model-*; do
	head -c 5000 "$name" >"$dir/wrong/${name##*/}"
done
cp "$checkpoint/model.safetensors.index.json" "$checkpoint/tokenizer.model" "$dir/wrong"
try convert "$checkpoint" "$dir/again.brise" --effort fast --bits 3.3
holds "bits that even q3 exceeds are told" grep -q 'are more than the 3.3 asked for' "$dir/err"
try convert "$checkpoint" "$dir/again.brise" --effort fast --bits 4.7
holds "bits that have room are not" [ "$status" -eq 0 -a "$(grep -c 'asked for' "$dir/err")" -eq 0 ]
awk 'BEGIN { for (i = 0; i < 300; i++) print i + 300 }' >"$dir/flat.ids"
for span in 0 128; do
	"$brise" calibrate "$model" --ids "$dir/flat.ids" --tokens 40 --span $span -o "$dir/flat.cal" 2>/dev/null
	try convert "$checkpoint" "$dir/again.brise" --effort high --calibration "$dir/flat.cal" --tensor-type '*=f16'
	holds "errors are fed back by a calibration with correlations alone: span $span" [ "$(grep -c 'fed back' "$dir/err")" -eq $((span / 128)) ]
done
try convert "$checkpoint" "$dir/again.brise" --effort fast
refuses "a folder without a checkpoint is refused" 1 "$dir/empty" convert "$dir/empty" "$dir/again.brise"
refuses "a missing checkpoint is refused" 1 "$dir/missing" convert "$dir/missing" "$dir/again.brise"
printf 'GGUF\001\000\000\000' >"$dir/old.gguf"
printf 'GGUF\003\000\000\000\377\377\377\377\377\377\377\377\000\000\000\000\000\000\000\000' >"$dir/hostile-00001-of-00001.gguf"
printf 'GGUF\003\000\000\000' >"$dir/part-00002-of-00003.gguf"
refuses "a GGUF file of version 1 is refused by name" 1 "$dir/old.gguf: GGUF version 1" convert "$dir/old.gguf" "$dir/again.brise"
refuses "a GGUF file that promises more than it holds is refused" 1 "18446744073709551615 tensors" convert "$dir/hostile-00001-of-00001.gguf" "$dir/again.brise"
refuses "a missing part of a GGUF model is named" 1 "$dir/part-00001-of-00003.gguf: part 1 of 3 is missing" convert "$dir/part-00002-of-00003.gguf" "$dir/again.brise"
refuses "a checkpoint cut short is refused" 1 "safetensors" convert "$dir/wrong" "$dir/again.brise"
same "a failed conversion leaves the target as it was" "$model" "$dir/again.brise"
rm -f "$dir/again.brise"
mkdir "$dir/own"
cp "$checkpoint"/* "$dir/own"
refuses "a converter's target that is a file of the checkpoint is refused" 1 "remove it first" convert "$dir/own" "$dir/own/model-00002-of-00002.safetensors"
same "and stays" "$checkpoint/model-00002-of-00002.safetensors" "$dir/own/model-00002-of-00002.safetensors"
rm -rf "$dir/own"
try convert "$checkpoint" "$dir/empty"
holds "a folder as the converter's target is refused by name" [ "$status" -eq 1 -a "$(tail -n 1 "$dir/err" | grep -cF "$dir/empty: ")" -eq 1 ]
try convert "$checkpoint" "$dir/missing/out.brise"
holds "a target in a missing folder is refused by name" [ "$status" -eq 1 -a "$(tail -n 1 "$dir/err" | grep -cF "$dir/missing/out.brise")" -eq 1 ]
if [ -c /dev/full ]; then
	try convert "$checkpoint" /dev/full
	holds "a device as the converter's target is refused and stays" [ "$status" -eq 1 -a -c /dev/full -a "$(tail -n 1 "$dir/err" | grep -cF /dev/full)" -eq 1 ]
fi
none "failed conversions leave no parts" "$(part_files)"

# ---- prompts from files ---------------------------------------------------------------------------------------------

printf 'This file is' >"$dir/none.txt"
printf 'This file is\n' >"$dir/lf.txt"
printf 'This file is\r\n' >"$dir/crlf.txt"
printf '\357\273\277This file is\n' >"$dir/mark.txt"
printf '\357\273\277This file is\r\n' >"$dir/mark-crlf.txt"
continue_file() { "$brise" run "$model" -f "$dir/$1.txt" -n 6 --greedy 2>/dev/null; }
continue_stdin() { "$brise" run "$model" -n 6 --greedy <"$dir/$1.txt" 2>/dev/null; }
continue_file none >"$dir/wanted"
holds "a prompt is continued" [ -s "$dir/wanted" ]
wrong=
for name in lf crlf mark mark-crlf; do
	continue_file $name >"$dir/found"
	cmp -s "$dir/wanted" "$dir/found" || wrong="$wrong $name"
	continue_stdin $name >"$dir/found"
	cmp -s "$dir/wanted" "$dir/found" || wrong="$wrong $name-stdin"
done
none "the end of the last line and a byte order mark are no part of a prompt" "$wrong"
printf 'This file is\r\n\r\n' >"$dir/empty-line.txt"
holds "an empty line before the end stays" [ "$(continue_file empty-line)" != "$(cat "$dir/wanted")" ]
printf '\377\376T\000h\000' >"$dir/utf16.txt"
refuses "UTF-16 is named" 1 "utf16.txt: is text in UTF-16" run "$model" -f "$dir/utf16.txt" -n 1
printf 'T\000h\000i\000s\000' >"$dir/utf16.txt"
refuses "UTF-16 without a mark is named" 1 "utf16.txt: is text in UTF-16" run "$model" -f "$dir/utf16.txt" -n 1
printf '\376\377\000T\000h' >"$dir/utf16.txt"
refuses "UTF-16 of the other byte order is named" 1 "utf16.txt: is text in UTF-16" tokenize "$model" -f "$dir/utf16.txt"
printf '\357\273\2771 2 3\r\n' >"$dir/mark-ids.txt"
succeeds "ids may follow a byte order mark" run "$model" --prompt-ids "$dir/mark-ids.txt" --print-ids -n 1 --greedy
printf '"a"\r\n"b"\r\n' >"$dir/lines.jsonl"
try tokenize "$model" --jsonl -f "$dir/lines.jsonl"
holds "JSON lines may end with CR LF" [ "$status" -eq 0 ]

# ---- control tokens in text -----------------------------------------------------------------------------------------

try tokenize "$model" "a</s>b"
cp "$dir/out" "$dir/wanted"
holds "text does not become a control token" [ "$(tr ' ' '\n' <"$dir/wanted" | grep -cx 2)" -eq 0 ]
try tokenize "$model" --control "a</s>b"
holds "unless it is asked for" [ "$(tr ' ' '\n' <"$dir/out" | grep -cx 2)" -eq 1 ]

# ---- export ---------------------------------------------------------------------------------------------------------

try export "$model" "$dir/out.gguf" --type q8_0
holds "export succeeds and prints nothing on standard output" [ "$status" -eq 0 -a ! -s "$dir/out" ]
holds "a name in .gguf makes a GGUF file" [ "$(head -c 4 "$dir/out.gguf")" = GGUF ]
try export "$model" "$dir/folder/"
holds "another makes a folder of a checkpoint" [ "$status" -eq 0 -a -s "$dir/folder/config.json" -a -s "$dir/folder/model.safetensors" -a -s "$dir/folder/tokenizer.model" ]
cp "$model" "$dir/own.brise"
refuses "a model as the target of its export is refused" 1 "remove it first" export "$dir/own.brise" "$dir/own.brise" --to gguf
same "and stays" "$model" "$dir/own.brise"
rm -f "$dir/own.brise"
refuses "a folder that holds something is refused" 1 "not empty" export "$model" "$dir/folder"
"$brise" tokenize "$model" "the same tokens, \"quoted\"" >"$dir/text.ids"
"$brise" tokenize "$dir/folder/tokenizer.model" "the same tokens, \"quoted\"" >"$dir/out"
same "an exported tokenizer gives the same tokens" "$dir/out" "$dir/text.ids"
rm -rf "$dir/folder" "$dir/out.gguf" "$dir/text.ids"
none "exports leave no parts" "$(part_files)"

# ---- helps and usage ------------------------------------------------------------------------------------------------

"$brise" --help >"$dir/help"
commands=$(sed -n 's/^  \([a-z]*\) .*/\1/p' "$dir/help")
holds "brise --help lists the commands" [ "$(printf '%s\n' $commands | wc -l)" -ge 7 ]

fits_screen() { # file
	[ "$(lines "$1")" -le 30 ] && awk 'length($0) > 80 { bad = 1 } END { exit bad }' "$1"
}

bad=
for c in "" $commands; do
	try $c --help
	[ "$status" -eq 0 ] && [ ! -s "$dir/err" ] && [ -s "$dir/out" ] && fits_screen "$dir/out" || bad="$bad '$c --help'"
	mv "$dir/out" "$dir/help"
	try $c -h
	cmp -s "$dir/out" "$dir/help" || bad="$bad '$c -h'"
	[ -z "$c" ] && continue
	try help $c
	cmp -s "$dir/out" "$dir/help" || bad="$bad 'help $c'"
done
none "every help fits 30 lines of 80 columns, succeeds, and is the same by --help, -h and brise help" "$bad"

bad= seen=0
for c in $commands; do
	for option in $("$brise" $c --help | sed -n '/^  /p' | grep -oE -e '(^| )-(-[a-z-]+|[a-zA-Z],)' | tr -d ' ,'); do
		case $option in
		--*) try $c "$option=x" --zzzzzz ;;
		*) try $c "${option}x" --zzzzzz ;;
		esac
		seen=$((seen + 1))
		case $option in -h) continue ;; esac
		grep -qF -e "unknown option $option" "$dir/err" && bad="$bad $c $option"
		[ "$status" -eq 2 ] || bad="$bad $c $option (status $status)"
	done
done
none "every option of every help is known to its parser" "$bad"
holds "options were found in the helps" [ "$seen" -gt 60 ]

try
holds "no arguments print the help on standard error, status 2" [ "$status" -eq 2 -a ! -s "$dir/out" -a -s "$dir/err" ]
succeeds "brise --version succeeds" --version
refuses "an unknown command names the nearest" 2 "did you mean run?" rnu "$model"
refuses "an unknown command is refused" 2 "unknown command 'zzz'" zzz
refuses "help on an unknown command names the nearest" 2 "did you mean convert?" help convrt
# Other programs' commands, one with what must be in the answer.
bad=$(while IFS='|' read -r arguments text; do
	try $arguments
	wrong=$(refusal 2 "$text")
	[ -z "$wrong" ] || printf '(%s: %s) ' "$arguments" "$wrong"
done <<'END'
chat|expected MODEL, found nothing
serve|expected MODEL, found nothing
llama-server|expected MODEL, found nothing
quantize in.gguf out.gguf|brise convert CHECKPOINT OUT.brise
llama-quantize|brise convert CHECKPOINT OUT.brise
help quantize|brise convert CHECKPOINT OUT.brise
pull mistral|downloads nothing
list|keeps no list
imatrix|brise calibrate
-z x|unknown option '-z'
-p x|expected MODEL [PROMPT], found no MODEL
embed|/v1/embeddings
run x -cnv|brise chat MODEL holds a conversation
run x --jinja|templates are not executed
chat x y|brise run MODEL --chat TEXT answers one question
run x y z|quote a text with spaces
chat x --chat-template-file y|runtime/CHAT.md
END
)
none "other programs' commands are answered with ours" "$bad"
"$brise" help run >"$dir/help"
for c in generate main llama-cli; do
	"$brise" $c --help >"$dir/out"
	same "$c is run" "$dir/out" "$dir/help"
done
refuses "an unknown option before the command names the nearest" 2 "did you mean --help?" --hepl
refuses "an unknown option names the nearest" 2 "did you mean --tokens?" run "$model" x --tokns 3
refuses "an unknown choice names the nearest" 2 "did you mean int8?" run "$model" x --kv in8
refuses "an unknown type names the choices" 2 "expected q4, q3, q8 or f16, found 'q5'" convert "$checkpoint" "$dir/x" --type q5
refuses "an unknown kernel set names the nearest" 2 "did you mean scalar?" run "$model" x --arch sclar
BRISE_ARCH=sclar
export BRISE_ARCH
refuses "so does one from the environment" 2 "BRISE_ARCH: expected one of" info "$model"
unset BRISE_ARCH
refuses "a value out of range names the range" 2 "from 1 to 256 or auto, found '0'" run "$model" x -t 0
refuses "a missing value is refused" 2 "--tokens: expected a value" run "$model" x -n
refuses "a bias that is none is refused" 2 "--logit-bias: expected ID=X" run "$model" x --logit-bias 3
refuses "a bias for a token beyond the vocabulary is refused" 1 "99999" run "$model" x --logit-bias 99999=1
refuses "one prompt too many is refused" 2 "one prompt expected" run "$model" x -f y
refuses "run without a model is refused" 2 "MODEL" run
refuses "a model's name that is no file is answered" 1 "MODEL is a path" run mistral x
for name in mistral mistral:7b mistral-7b-v0.1 mistralai/Mistral-7B-v0.1; do
	for c in "run $name x" "info $name" "convert $name $dir/x.brise" "export $name $dir/x.gguf" "compare $name $model" "compare $model $name" "calibrate $name --text $model -o $dir/x.cal" \
		"tokenize $name x" "bench $name"; do
		refuses "'$c' is told that nothing is downloaded" 1 "$name: no such file or folder; " $c
		holds "and why" grep -q "brise downloads nothing" "$dir/err"
	done
done
try convert mistral
holds "so is convert without a target" eval '[ "$status" -eq 2 ] && grep -q "brise downloads nothing" "$dir/err"'
refuses "a path that leads nowhere is only that" 1 "./mistral: cannot be opened" run ./mistral x
refuses "run alone leads to its help" 2 "brise run --help" run
refuses "a quantization of ggml's leads to the nearest" 2 "did you mean q4?" convert "$checkpoint" "$dir/x.brise" --type q4_K_M
cp "$model" "$dir/renamed"
refuses "a brise file of another name is known to convert" 1 "$dir/renamed: a brise file already" convert "$dir/renamed" "$dir/x.brise"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n' >"$dir/lone.safetensors"
refuses "so is a pointer without a folder" 1 "$dir/lone.safetensors: is a Git LFS pointer" convert "$dir/lone.safetensors" "$dir/x.brise"
mkdir "$dir/cut"
cp "$checkpoint"/* "$dir/cut"
head -c 2000000 "$checkpoint/model-00001-of-00002.safetensors" >"$dir/cut/model-00001-of-00002.safetensors"
try convert "$dir/cut" "$dir/x.brise"
holds "weights that end early are called cut off" grep -q "model-00001-of-00002.safetensors: .*(cut off?)" "$dir/err"
head -c 300 "$checkpoint/config.json" >"$dir/cut/config.json"
refuses "so is a configuration" 1 "config.json: line 14, byte 300: the text ends too early (cut off?)" convert "$dir/cut" "$dir/x.brise"
rm -rf "$dir/cut" "$dir/renamed" "$dir/lone.safetensors"
for option in -o --output --out --outfile; do
	try convert "$checkpoint" --effort fast --type Q4 "$option" "$dir/named.brise"
	holds "convert takes $option, and a type in capitals" [ "$status" -eq 0 -a -s "$dir/named.brise" ]
	rm -f "$dir/named.brise"
done
try run "$model" -n 2 x -ngl 99 -fa on --color --no-mmap --seed 1
holds "options that change nothing are named in one line" eval '[ "$status" -eq 0 -a "$(lines "$dir/err")" -eq 1 ] && grep -q "ignored: -ngl, -fa, --color, --no-mmap" "$dir/err"'
try run "$model" -n 2 x --seed 1 --context 99
holds "a context for a model with a window is said to have no effect" grep -q "context has no effect" "$dir/err"
try run "$model" -n 3 --greedy --stats hello
head -c 20 "$dir/out" >"$dir/apart"
"$brise" run "$model" -n 3 --greedy --stats hello >"$dir/both" 2>&1 </dev/null
holds "notes in the text's own file begin on a new line" eval 'grep -q "^brise run: prompt" "$dir/both" && [ "$(head -n 1 "$dir/both")" = "$(cat "$dir/apart")" ]'
"$brise" run "$model" -n 3 --greedy --stats hello 2>&1 </dev/null | cat >"$dir/both"
holds "and in its pipe" grep -q "^brise run: prompt" "$dir/both"
if (ulimit -v 10000 && "$brise" --version) >"$dir/out" 2>&1; then
	(ulimit -v 10000 && "$brise" info "$model") >"$dir/out" 2>"$dir/err"
	holds "a limit on addresses is named" grep -q "ulimit -v" "$dir/err"
else
	skip "a limit on addresses is named" "the program itself needs more"
fi
refuses "an empty text calibrates nothing" 1 "$dir/none: is empty" calibrate "$model" --text "$(: >"$dir/none"; echo "$dir/none")" -o "$dir/x.cal"
try calibrate "$model" --text "$checkpoint/config.json" --tokens 40 --span 32 -o "$dir/few.cal"
holds "a few tokens do, with a note" eval '[ "$status" -eq 0 ] && grep -q "40 tokens (few: it may be worse than none" "$dir/err"'
try convert "$checkpoint" "$dir/x.brise" --calibration "$dir/few.cal" --effort fast
holds "and the larger error of a calibrated model is explained" grep -q "larger than without calibration" "$dir/err"
rm -f "$dir/x.brise" "$dir/few.cal"
try info "$model" --memory 99T
holds "terabytes are a unit" [ "$status" -eq 0 ]
try run "$model" x -n 1 --memory 1M
try run "$model" x -n 1 --memory "$(sed -n 's/.* take \([0-9.]*\) MB$/\1M/p' "$dir/err")"
holds "the least memory that a message names is enough" [ "$status" -eq 0 ]
refuses "an empty model name is refused" 2 "found an empty name" info ""
refuses "a folder is no model, and the message says what makes one" 1 "brise convert" run "$checkpoint" x
refuses "an operand too many is refused" 2 "'words'" run "$model" two words
printf '1 5 9\n' >"$dir/ids"
refuses "logits in place of the model are refused" 1 "$model: is also read" logits "$model" --ids "$dir/ids" --out "$model"
refuses "logits in place of the ids are refused" 1 "$dir/ids: is also read" logits "$model" --ids "$dir/ids" --out "$dir/ids"
holds "and both stay" [ "$(cat "$dir/ids")" = "1 5 9" -a "$(head -c 5 "$model")" = "BRISE" ]
refuses "logits without --out is refused" 2 "--out" logits "$model" --ids x
refuses "perplexity without a text is refused" 2 "--text" perplexity "$model"
refuses "a stride without chunks is refused" 2 "together with --context" perplexity "$model" --ids x --stride 5
refuses "compare needs two" 2 "found only '$model'" compare "$model"
refuses "export of blocks to safetensors is refused" 2 "--type q8_0 works with GGUF only" export "$model" "$dir/x" --type q8_0
refuses "export of safetensors to a name of a file is refused" 2 "OUT is a folder" export "$model" "$dir/x.safetensors"
refuses "a window that is no number is refused" 2 "--window: expected a whole number from 0" convert "$checkpoint" "$dir/x.brise" --window -1
refuses "bits choose the types" 2 "--bits" convert "$checkpoint" "$dir/x.brise" --type q8 --bits 5
refuses "bits and a size" 2 "--size" convert "$checkpoint" "$dir/x.brise" --bits 5 --size 1G
refuses "a size that is none" 2 "--size" convert "$checkpoint" "$dir/x.brise" --size all
refuses "a size below the smallest file" 1 "too few" convert "$checkpoint" "$dir/x.brise" --size 1M
least=$(sed -n 's/.* scratch take \([0-9]*\.[0-9][0-9]\) MB$/\1/p' "$dir/err")
less=$(awk "BEGIN { printf \"%.2f\", $least - 0.02 }")
try convert "$checkpoint" "$dir/x.brise" --size "${least}M" --effort fast
holds "the size that the message says is enough: $least MB" [ "$status" -eq 0 -a -s "$dir/x.brise" ]
rm -f "$dir/x.brise"
try convert "$checkpoint" "$dir/x.brise" --bits 4 --effort fast
types=$(sed -n 's/^brise convert: w[qkvo123]: \(.*\); q3 loses .*/\1/p' "$dir/err" | sort -u)
holds "the layers of each type are listed: $types" [ -n "$types" -a -z "$(echo "$types" | grep -vE '^(, )?(q[348] in layer( [0-9]+|s [0-9]+([-,][0-9]+)+)(, |$))+$')" ]
rm -f "$dir/x.brise"
refuses "a little less is not" 1 "$less MB of memory are too few" convert "$checkpoint" "$dir/x.brise" --size "${less}M"
refuses "a pattern of names without a type is refused" 2 "PATTERN=TYPE" convert "$checkpoint" "$dir/x.brise" --tensor-type wv
refuses "a pattern that no matrix has is refused" 1 "wz=q8" convert "$checkpoint" "$dir/x.brise" --tensor-type wz=q8
refuses "convert without a target is refused" 2 "found only '$checkpoint'" convert "$checkpoint"
refuses "a range of threads that ends before it begins is refused" 2 "1..4" bench --threads 5..2
refuses "a word that is no number of threads is refused" 2 "or auto" run "$model" x --threads many

# ---- threads --------------------------------------------------------------------------------------------------------

succeeds "threads are measured and chosen on request" info "$model" --threads auto
try bench --threads 1..8 --json
allowed=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 8)
holds "no more threads are chosen than there are processors" [ "$(sed 's/.*"threads":\([0-9]*\)}$/\1/' "$dir/out")" -le "$allowed" ]
try bench --threads 1..2 --json
holds "a range of threads gives a row for each, and the number to choose" grep -q '"scaling":\[{"threads":1,.*{"threads":2,.*\],"threads":[12]}' "$dir/out"

try bench "$model" --no-start -p 8 -n 8 --drafts --json
holds "bench replays a text that repeats its prompt" grep -q '"drafts_tokens_per_s":[1-9][0-9.]*,"drafts_tokens_per_pass":[1-9]' "$dir/out"

# ---- files that are no models ---------------------------------------------------------------------------------------

: >"$dir/nothing"
echo "only text" >"$dir/text"
head -c 100000 "$model" >"$dir/cut.brise"
echo "1 2 3" >"$dir/ids"
model_users() { # model: every command that opens one
	printf '%s\n' "run $1 x -n 1" "info $1" "tokenize $1 x" "logits $1 --ids $dir/ids --out $dir/logits" "perplexity $1 --ids $dir/ids" "bench $1 --no-start" \
		"perplexity $model --ids $dir/ids --against $1" "compare $model $1" "compare $1 $model" "export $1 $dir/x.gguf" "export $1 $dir/x"
}

for kind in missing empty nothing text cut.brise; do
	bad=$(model_users "$dir/$kind" | while read -r arguments; do
		try $arguments
		wrong=$(refusal 1 "$dir/$kind")
		[ -z "$wrong" ] || printf '(%s: %s) ' "${arguments%% *}" "$wrong"
	done)
	none "every command refuses a model that is '$kind' in one line" "$bad"
done
holds "nothing was written from what is no model" [ ! -e "$dir/logits" -a ! -e "$dir/x" -a ! -e "$dir/x.gguf" ]

bad= size=$(wc -c <"$model" | tr -d ' ')
i=0
while [ $i -lt 48 ]; do
	bytes=$((i < 40 ? i * 4096 : size * (i - 39) / 9 / 4096 * 4096))
	head -c "$bytes" "$model" >"$dir/cut.brise"
	try info "$dir/cut.brise"
	[ -z "$(refusal 1 "$dir/cut.brise")" ] || bad="$bad $bytes ($status)"
	i=$((i + 1))
done
head -c $((size - 1)) "$model" >"$dir/cut.brise"
try info "$dir/cut.brise"
[ -z "$(refusal 1 "$dir/cut.brise")" ] || bad="$bad $((size - 1)) ($status)"
none "a model cut at any page is refused in one line" "$bad"

cp "$model" "$dir/flip.brise"
bad= i=0
while [ $i -lt 64 ]; do
	flip_byte "$dir/flip.brise" $i
	try info "$dir/flip.brise"
	[ -z "$(refusal 1 "$dir/flip.brise")" ] || bad="$bad $i ($status)"
	flip_byte "$dir/flip.brise" $i
	i=$((i + 1))
done
none "a changed byte of the header is refused in one line" "$bad"
same "bytes flip back" "$model" "$dir/flip.brise"

last=$("$brise" info "$model" --tensors | tail -n 1 | awk '{ print $1 }')
flip_byte "$dir/flip.brise" $((size - 5000))
refuses "info --verify finds a changed weight and names its tensor" 1 "$last" info "$dir/flip.brise" --verify
succeeds "info --verify accepts the file as it was" info "$model" --verify

# ---- inputs and outputs that fail -----------------------------------------------------------------------------------

for wrong in x -1 4096 1,2 99999999999999999999; do
	printf '1\n %s\n' "$wrong" >"$dir/bad"
	bad=$(printf '%s\n' "logits $model --out $dir/logits --ids" "perplexity $model --ids" "run $model --prompt-ids" "tokenize $model -d -f" |
		while read -r arguments; do
			try $arguments "$dir/bad"
			wrong_message=$(refusal 1 "$dir/bad: line 2: expected a token id from 0 to 4095, found '$wrong'")
			[ -z "$wrong_message" ] || printf '(%s: %s) ' "${arguments%% *}" "$wrong_message"
		done)
	none "every reader of ids refuses '$wrong' with its line" "$bad"
done
refuses "a missing prompt file is refused" 1 "$dir/missing: " run "$model" -f "$dir/missing"
refuses "a folder as prompt file is refused" 1 "$dir: " run "$model" -f "$dir"
refuses "missing ids are refused" 1 "$dir/missing: " logits "$model" --ids "$dir/missing" --out "$dir/logits"
refuses "no ids have no perplexity" 1 "two tokens" perplexity "$model" --ids /dev/null
refuses "a text shorter than a chunk has no perplexity" 1 "at least one chunk of 4 tokens expected, found 3" perplexity "$model" --ids "$dir/ids" --context 4
refuses "a folder as target is refused" 1 "$dir: " logits "$model" --ids "$dir/ids" --out "$dir"
refuses "a target in a missing folder is refused" 1 "$dir/missing/x: " logits "$model" --ids "$dir/ids" --out "$dir/missing/x"
holds "nothing was written for wrong ids" [ ! -e "$dir/logits" ]

if [ "$(id -u)" -eq 0 ]; then
	skip "an unreadable model, and a target in a folder one may not write to, are refused" "root may read and write everything"
else
	cp "$model" "$dir/secret.brise"
	chmod 000 "$dir/secret.brise"
	mkdir "$dir/closed"
	chmod 555 "$dir/closed"
	refuses "an unreadable model is refused" 1 "$dir/secret.brise: " info "$dir/secret.brise"
	refuses "a target in a read-only folder is refused" 1 "$dir/closed/x: " logits "$model" --ids "$dir/ids" --out "$dir/closed/x"
	try convert "$checkpoint" "$dir/closed/x"
	holds "so it is by the converter" [ "$status" -eq 1 -a "$(tail -n 1 "$dir/err" | grep -cF "$dir/closed/x")" -eq 1 ]
	chmod 755 "$dir/closed"
fi

# Commands that print, one a line.
printers() {
	printf '%s\n' --help --version "help run" "run $model x -n 3" "run $model x -n 3 --print-ids" "info $model" "info $model --json" "info $model --verify" \
		"info $model --tensors" "tokenize $model x" "tokenize $model -d 300" "perplexity $model --ids $dir/ids" "perplexity $model --ids $dir/ids --json" \
		"logits $model --ids $dir/ids --out -"
	for c in $commands; do
		echo "$c --help"
	done
}

if [ -c /dev/full ]; then
	bad=$(printers | while read -r arguments; do
		: >"$dir/out"
		"$brise" $arguments >/dev/full 2>"$dir/err" </dev/null
		status=$?
		wrong=$(refusal 1 "standard output: ")
		[ -z "$wrong" ] || printf '(%s: %s) ' "$arguments" "$wrong"
	done)
	none "every command that prints notices a full standard output, in one line" "$bad"
	refuses "logits notices a full --out" 1 "/dev/full: cannot be written" logits "$model" --ids "$dir/ids" --out /dev/full
	holds "and leaves the device" [ -c /dev/full ]
else
	skip "full devices are noticed" "no /dev/full here"
fi

bad=$(printers | while read -r arguments; do
	: >"$dir/out"
	"$brise" $arguments >&- 2>"$dir/err" </dev/null
	status=$?
	wrong=$(refusal 1 "standard output: ")
	[ -z "$wrong" ] || printf '(%s: %s) ' "$arguments" "$wrong"
done)
none "every command that prints notices a closed standard output, in one line" "$bad"
try run "$model" "The file" -n 5 --greedy
cp "$dir/out" "$dir/text"
"$brise" run "$model" "The file" -n 5 --greedy >"$dir/out" 2>&- <&-
holds "closed standard input and error do no harm" [ $? -eq 0 ]
same "and change no text" "$dir/out" "$dir/text"

# A reader that goes away, at the latest while the writer waits: the status of the writer comes
# through a file.
bad=
for arguments in "run $model x -n 100000 --ignore-eos" "logits $model --ids $dir/many --out -" "info $model --tensors" "tokenize $model -f $dir/long"; do
	[ -e "$dir/many" ] || awk 'BEGIN { for (i = 0; i < 300; i++) print i + 300 }' >"$dir/many"
	[ -e "$dir/long" ] || awk 'BEGIN { for (i = 0; i < 30000; i++) print "many lines" }' >"$dir/long"
	{ sleep 0.2; "$brise" $arguments 2>"$dir/err" </dev/null; echo $? >"$dir/status"; } | :
	[ ! -s "$dir/err" ] || bad="$bad ($arguments: $(head -n 1 "$dir/err"))"
	[ "$(cat "$dir/status")" -eq 141 ] || bad="$bad ($arguments: status $(cat "$dir/status"))"
done
none "a reader that goes away ends the writer in silence, with the status of SIGPIPE" "$bad"

# A small file system of its own: something only root can have, and not everywhere.
mkdir "$dir/small"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=512k tmpfs "$dir/small" 2>/dev/null; then
	mounted=yes
	printf 'BRISE\r\n\032 as it was' >"$dir/was"
	cp "$dir/was" "$dir/small/target"
	"$brise" logits "$model" --ids "$dir/ids" --out "$dir/small/logits"
	cp "$dir/small/logits" "$dir/logits_was"
	refuses "a disk that fills up is noticed" 1 "$dir/small/logits: cannot be written" logits "$model" --ids "$dir/many" --out "$dir/small/logits"
	same "and leaves the target as it was" "$dir/logits_was" "$dir/small/logits"
	rm "$dir/small/logits"
	try export "$model" "$dir/small/folder"
	holds "a disk too small for an export is noticed" [ "$status" -eq 1 -a "$(tail -n 1 "$dir/err" | grep -cF "$dir/small/folder: ")" -eq 1 ]
	holds "and leaves nothing of a folder" [ ! -e "$dir/small/folder" -a -z "$(part_files)" ]
	try convert "$checkpoint" "$dir/small/target"
	holds "a disk too small for a model is noticed" [ "$status" -eq 1 -a "$(tail -n 1 "$dir/err" | grep -cF "$dir/small/target: ")" -eq 1 ]
	same "and leaves the target as it was, too" "$dir/was" "$dir/small/target"
	holds "nothing else is left there" [ "$(ls -A "$dir/small")" = target ]
	umount "$dir/small" && mounted=
else
	skip "a full disk leaves the target as it was" "no small file system can be mounted here"
fi

# ---- signals --------------------------------------------------------------------------------------------------------

# Runs brise and sends it a signal once a condition holds. It runs in the foreground, since shells
# start background jobs with SIGINT ignored.
interrupt() { # signal, condition, arguments...
	sent=$1 condition=$2
	shift 2
	rm -f "$dir/pid" "$dir/late"
	: >"$dir/out"
	(
		i=0
		until { [ -s "$dir/pid" ] && eval "$condition"; } || [ $i -ge 200 ]; do
			sleep 0.05
			i=$((i + 1))
		done
		pid=$(cat "$dir/pid")
		kill -s "$sent" "$pid" 2>/dev/null || exit
		i=0
		while kill -s 0 "$pid" 2>/dev/null; do
			if [ $i -ge 40 ]; then
				: >"$dir/late"
				kill -s KILL "$pid"
				break
			fi
			sleep 0.05
			i=$((i + 1))
		done
	) &
	watcher=$!
	sh -c 'echo $$ >"$0"; exec "$@"' "$dir/pid" "$brise" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	wait "$watcher"
}

stopped() { # status
	[ "$status" -eq "$1" ] || printf 'status %s, ' "$status"
	[ ! -e "$dir/late" ] || printf 'not within 2 s'
}

for signal in INT:130 TERM:143 HUP:129; do
	# In the background, or under nohup, signals are ignored from the start, and commands leave
	# that as it is.
	if sh -c 'kill -s "$0" $$; exit 0' "${signal%:*}" 2>/dev/null; then
		skip "SIG${signal%:*} stops a command" "this shell was started with SIG${signal%:*} ignored"
		continue
	fi
	interrupt "${signal%:*}" '[ -s "$dir/out" ]' run "$model" "The file" -n 100000 --ignore-eos
	none "SIG${signal%:*} stops run, status ${signal#*:}" "$(stopped "${signal#*:}")"
	holds "SIG${signal%:*}: run says in one line that it was interrupted" [ "$(cat "$dir/err")" = "brise run: interrupted" ]
	interrupt "${signal%:*}" 'sleep 0.2' bench --kernels
	none "SIG${signal%:*} stops bench, status ${signal#*:}" "$(stopped "${signal#*:}")"
	holds "SIG${signal%:*}: bench says so in one line" [ "$(cat "$dir/err")" = "brise: interrupted" ]
	interrupt "${signal%:*}" '[ -n "$(part_files)" ]' convert "$checkpoint" "$dir/stopped.brise" --effort high -t 1
	none "SIG${signal%:*} stops convert, status ${signal#*:}" "$(stopped "${signal#*:}")"
	holds "SIG${signal%:*} leaves no target" [ ! -e "$dir/stopped.brise" ]
	none "SIG${signal%:*} leaves no part of one" "$(part_files)"
done

# ---- what fits ------------------------------------------------------------------------------------------------------

"$brise" convert "$checkpoint" "$dir/whole.brise" --effort fast --window 0 2>/dev/null
awk 'BEGIN { for (i = 0; i < 40; i++) print i + 300 }' >"$dir/forty"
refuses "a prompt longer than the context is refused with both numbers and the option" 1 "the prompt has 40 tokens, the context 30 positions; --context 42 " \
	run "$dir/whole.brise" --prompt-ids "$dir/forty" --print-ids -n 3 -c 30
refuses "so are more ids than the context by logits" 1 "40 tokens are more than the 30 positions of the context; --context 40 " \
	logits "$dir/whole.brise" --ids "$dir/forty" --out "$dir/x" --context 30
try run "$dir/whole.brise" --prompt-ids "$dir/forty" --print-ids -n 3 --context 42
holds "the context it names is enough" [ "$status" -eq 0 -a "$(lines "$dir/out")" -eq 3 -a ! -s "$dir/err" ]
try run "$dir/whole.brise" --prompt-ids "$dir/forty" --print-ids -n 3 --context 41 --ignore-eos
holds "one less is said at the start, and ends the text" [ "$status" -eq 0 -a "$(lines "$dir/out")" -eq 2 -a "$(grep -cF "ends the text after 2 of 3 tokens; --context 42" "$dir/err")" -eq 1 ]
try run "$model" --prompt-ids "$dir/forty" --print-ids -n 3 -c 30
holds "a model with a window takes any length" [ "$status" -eq 0 -a "$(grep -vc "context has no effect" "$dir/err")" -eq 0 ]
try run "$dir/whole.brise" --prompt-ids "$dir/forty" --print-ids -n 1 --context 32769
holds "a context beyond the trained length is said in one line" [ "$status" -eq 0 -a "$(lines "$dir/err")" -eq 1 -a "$(grep -cF "32769 positions exceeds the 32768" "$dir/err")" -eq 1 ]
try run "$dir/whole.brise" --prompt-ids "$dir/forty" --print-ids -n 1 --context 0 --stats
holds "--context 0 is the trained length" grep -qF "cache of 32768 positions" "$dir/err"
try run "$dir/whole.brise" --prompt-ids "$dir/forty" --print-ids -n 20 --context 45 --ignore-eos
holds "a full context ends the text after its last token, and says why" [ "$status" -eq 0 -a "$(lines "$dir/out")" -eq 6 -a "$(grep -cF "the context of 45 positions is full" "$dir/err")" -eq 1 ]
try run "$dir/whole.brise" --prompt-ids "$dir/forty" --print-ids -n 100 --window 45 --sinks 4 --ignore-eos --stats
holds "with --window it goes on" [ "$status" -eq 0 -a "$(lines "$dir/out")" -eq 100 -a "$(grep -cF "is full" "$dir/err")" -eq 0 ]
# Sinks count only when the text is longer than the window.
for n in 45 39; do
	for sinks in 0 4; do
		try logits "$dir/whole.brise" --ids "$dir/forty" --out "$dir/logits.$sinks" --window $n --sinks $sinks
	done
	cmp -s "$dir/logits.0" "$dir/logits.4"
	holds "sinks change the logits if the text is longer than the window: 40, $n" [ "$?" -eq "$((n < 40))" ]
done
try logits "$dir/whole.brise" --ids "$dir/forty" --out "$dir/logits.4" --window 39 --sinks 4 --chunk 7
first=$(sha256sum <"$dir/logits.4")
try logits "$dir/whole.brise" --ids "$dir/forty" --out "$dir/logits.4" --window 39 --sinks 4
holds "sinks give the same bits in any chunks" [ "$first" = "$(sha256sum <"$dir/logits.4")" ]
rm -f "$dir/logits.0" "$dir/logits.4"
refuses "sinks without a window are refused" 1 "--sinks: expected together with --window N" run "$dir/whole.brise" x -n 1 --sinks 4
refuses "as many sinks as the window are refused" 1 "fewer than the window of 4" run "$dir/whole.brise" x -n 1 --sinks 4 --window 4
refuses "a window beyond the model's is refused" 1 "at most the model's 256" run "$model" x -n 1 --window 257
rm -f "$dir/whole.brise"

# ---- terminals ------------------------------------------------------------------------------------------------------

if script -qec true /dev/null >/dev/null 2>&1; then
	awk 'BEGIN { for (i = 0; i < 300; i++) print i + 300 }' >"$dir/many"
	script -qec "$brise run $model --prompt-ids $dir/many --print-ids -n 1 --chunk 4096" /dev/null </dev/null >"$dir/out" 2>&1
	holds "a long prompt shows progress within its one pass" [ "$(tr '\r' '\n' <"$dir/out" | grep -c '^prompt: [0-9]* of 300 tokens')" -ge 1 ]
	for c in "logits $model --ids $dir/many --out $dir/x" "perplexity $model --ids $dir/many"; do
		script -qec "$brise $c --chunk 4096" /dev/null </dev/null >"$dir/out" 2>&1
		holds "so does ${c%% *}" [ "$(tr '\r' '\n' <"$dir/out" | grep -c '^0 of [0-9]* tokens')" -ge 1 ]
	done
	script -qec "$brise run $model x -n 1 --greedy" /dev/null </dev/null >"$dir/out" 2>&1
	holds "a short one shows none" [ "$(grep -c 'prompt:' "$dir/out")" -eq 0 ]
else
	skip "progress on a terminal" "no script(1) of util-linux here"
fi

# ---- text -----------------------------------------------------------------------------------------------------------

prompt='The "file" is'
succeeds "run prints on standard output alone" run "$model" "$prompt" -n 24 --greedy
cp "$dir/out" "$dir/text"
cp "$dir/out" "$dir/continued"
bad=
for arguments in "-m $model" "--model=$model -n 9" "generate -m $model" "run -m $model --n_predict 24" "run -m $model --temp 0 --ubatch-size 64 -ngl 0 -s -1"; do
	"$brise" $arguments -p "$prompt" -n 24 --greedy >"$dir/out" 2>&1
	cmp -s "$dir/out" "$dir/continued" || bad="$bad ($arguments: $(head -n 1 "$dir/out"))"
done
"$brise" "$model" "$prompt" -n 24 --greedy >"$dir/out" 2>&1
cmp -s "$dir/out" "$dir/continued" || bad="$bad (the file alone)"
none "run is understood as other programs spell it, or without its name" "$bad"
try run "$model" "$prompt" -n 24 --temperature 0
same "--greedy is --temperature 0" "$dir/out" "$dir/text"
for options in "-t 1" "-t 3 --chunk 2" "--arch scalar" --no-drafts; do
	try run "$model" "$prompt" -n 24 --greedy $options
	same "$options changes no text" "$dir/out" "$dir/text"
done
printf '%s\n' "$prompt" >"$dir/prompt"
try run "$model" -f "$dir/prompt" -n 24 --greedy
same "a prompt from a file gives the same text" "$dir/out" "$dir/text"
"$brise" run "$model" -n 24 --greedy <"$dir/prompt" >"$dir/out"
same "a prompt from standard input gives the same text" "$dir/out" "$dir/text"
"$brise" tokenize "$model" --bos "$prompt" >"$dir/prompt.ids"
try run "$model" --prompt-ids "$dir/prompt.ids" -n 24 --greedy
same "a prompt of ids gives the same text" "$dir/out" "$dir/text"
try run "$model" "$prompt" -n 24 --greedy --print-ids
holds "--print-ids prints an id a line" [ "$(lines "$dir/out")" -eq 24 -a "$(grep -cvE '^[0-9]+$' "$dir/out")" -eq 0 ]
cat "$dir/prompt.ids" "$dir/out" | "$brise" tokenize "$model" --decode >"$dir/decoded"
printf '%s' "$prompt" | cat - "$dir/text" >"$dir/whole"
same "prompt and printed ids decode to prompt and text" "$dir/decoded" "$dir/whole"
try run "$model" "$prompt" -n 24 --greedy --stats
holds "--stats tells on standard error" [ "$status" -eq 0 -a "$(lines "$dir/err")" -eq 3 ]
same "--stats changes no text" "$dir/out" "$dir/text"
for options in "-n 300 --greedy" "-n 300 --temperature 0.3 --seed 5"; do
	"$brise" run "$model" "$prompt" $options --ignore-eos --no-drafts --stats >"$dir/text" 2>"$dir/none"
	"$brise" run "$model" "$prompt" $options --ignore-eos --stats >"$dir/out" 2>"$dir/err"
	same "drafts change no text ($options)" "$dir/out" "$dir/text"
	holds "--stats counts them" [ "$(grep -c '299 passes, 1.00 tokens per pass; 0 of 0 drafts accepted (--no-drafts)$' "$dir/none")" -eq 1 -a "$(grep -c 'passes, .* of [1-9][0-9]* drafts accepted$' "$dir/err")" -eq 1 ]
done
try run "$model" "$prompt" -n 0
holds "-n 0 prints nothing" [ "$status" -eq 0 -a ! -s "$dir/out" -a ! -s "$dir/err" ]
succeeds "an empty prompt lets the model begin" run "$model" "" -n 8 --ignore-eos

try run "$model" "$prompt" -n 24 --seed 1 --temperature 1.2
cp "$dir/out" "$dir/text"
try run "$model" "$prompt" -n 24 --seed 1 --temperature 1.2 -t 1
same "the same seed gives the same text" "$dir/out" "$dir/text"
try run "$model" "$prompt" -n 24 --seed 2 --temperature 1.2
holds "another seed gives another text" [ "$(cksum <"$dir/out")" != "$(cksum <"$dir/text")" ]
head -c 300 "$brise" >"$dir/binary"
succeeds "a prompt of any bytes is text" run "$model" -f "$dir/binary" -n 1 --ignore-eos

if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
	script -qec "$brise run $model 'The file' -n 5 --greedy" /dev/null </dev/null >"$dir/screen" 2>&1
	holds "on a terminal a text ends its line" [ "$(tail -c 1 "$dir/screen" | od -An -to1 | tr -d ' ')" = 012 ]
else
	skip "on a terminal a text ends its line" "no script(1) that makes one"
fi

# ---- tokens ---------------------------------------------------------------------------------------------------------

printf 'Gr\303\266\303\237e "quoted" \\ \047single\047\n\n  indented\ttab \360\237\231\202 \346\227\245\346\234\254 \377\200 end\n' >"$dir/utf8"
"$brise" tokenize "$model" -f "$dir/utf8" >"$dir/utf8.ids"
"$brise" tokenize "$model" --decode -f "$dir/utf8.ids" >"$dir/out"
LC_ALL=C sed 's/\o377\o200/\o357\o277\o275\o357\o277\o275/' "$dir/utf8" >"$dir/expected"
same "text comes back from its ids, what is no UTF-8 replaced" "$dir/out" "$dir/expected"
"$brise" tokenize "$model" <"$dir/utf8" | "$brise" tokenize "$model" -d >"$dir/out"
same "in a pipe too" "$dir/out" "$dir/expected"
"$brise" tokenize "$checkpoint/tokenizer.model" -f "$dir/utf8" >"$dir/out"
same "tokenizer.model gives the ids of the converted file" "$dir/out" "$dir/utf8.ids"
try tokenize "$model" "a b" --bos
holds "--bos puts the begin token first" [ "$(cut -d' ' -f1 "$dir/out")" = 1 -a "$("$brise" tokenize "$model" "a b")" = "$(cut -d' ' -f2- "$dir/out")" ]
printf '%s\n' '""' '"a \"b\" \\ \n"' '"é 日本 🙂"' '" two  blanks"' >"$dir/strings"
"$brise" tokenize "$model" --jsonl <"$dir/strings" >"$dir/lists"
holds "--jsonl gives a list for every string" [ "$(grep -cE '^\[([0-9]+(,[0-9]+)*)?\]$' "$dir/lists")" -eq 4 ]
"$brise" tokenize "$model" --jsonl -d -f "$dir/lists" >"$dir/out"
same "--jsonl --decode gives the strings back" "$dir/out" "$dir/strings"
printf ' \n\n\t\n[1,]\n' >"$dir/bad"
printf '%s\n' '{"messages": [{"role": "user", "content": "</s> a"}]}' '{"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]}' >"$dir/talks"
head -n 1 "$dir/talks" >"$dir/talk"
sed -i 1d "$dir/talks"
try tokenize "$model" --chat --jsonl --chat-format v1 -f "$dir/talk"
holds "--chat encodes a conversation with one begin token and no end token" [ "$(grep -cE '^\[1,[0-9,]*\]$' "$dir/out")" = 1 -a "$(grep -c '[[,]2[],]' "$dir/out")" = 0 ]
refuses "--chat names the record and the message that are wrong" 1 "record 1: message 2 is a tool's result" tokenize "$model" --chat --jsonl --chat-format v1 -f "$dir/talks"
refuses "--chat says what to do where the format is not known" 1 "choose one of v1, v2, v3, v3-tekken, v7, v11, v13, chatml, zephyr, or a file" tokenize "$model" --chat --jsonl -f "$dir/talk"
refuses "--chat-format is a name or a file" 1 'neither a format of this program (v1, v2, v3, v3-tekken, v7, v11, v13, chatml, zephyr) nor a file' tokenize "$model" --chat --jsonl --chat-format v9 -f "$dir/talk"
refuses "a file of affixes is checked" 1 "user, assistant, tool, control, ends or begin expected" tokenize "$model" --chat --jsonl --chat-format "$dir/talk" -f "$dir/talk"
"$brise" convert "$checkpoint" "$dir/chat.brise" --effort fast --chat-format v1 2>"$dir/err"
holds "convert --chat-format records the format" [ "$(grep -c 'chat format v1 (--chat-format)' "$dir/err")" = 1 ]
try info "$model"
holds "of a base model info says that there is none" grep -q "^chat         no template, and no format recorded" "$dir/out"
try info "$dir/chat.brise"
holds "info names the format" grep -q "^chat         v1 (the model's file)" "$dir/out"
try info "$dir/chat.brise" --json
holds "info --json names it too" grep -q '"chat_format":"v1"' "$dir/out"
"$brise" tokenize "$model" --chat --jsonl --chat-format v1 <"$dir/talk" >"$dir/lists"
try tokenize "$dir/chat.brise" --chat --jsonl -f "$dir/talk"
same "a recorded format needs no option" "$dir/out" "$dir/lists"
rm -f "$dir/chat.brise"
refuses "convert refuses a format that the vocabulary does not fit" 1 "the format v3 needs the control token [INST]" convert "$checkpoint" "$dir/chat.brise" --chat-format v3
refuses "--chat without --jsonl is refused" 2 "--chat: works with --jsonl" tokenize "$model" --chat -f "$dir/talk"
refuses "--chat-format without --chat is refused" 2 "--chat-format: works with --chat" tokenize "$model" --chat-format v1 x
refuses "--jsonl names the record that is wrong, by its line" 1 "record 4" tokenize "$model" --jsonl -d -f "$dir/bad"
echo '[4096]' >"$dir/bad"
refuses "--jsonl refuses ids beyond the vocabulary" 1 "4096" tokenize "$model" --jsonl -d -f "$dir/bad"

# ---- figures --------------------------------------------------------------------------------------------------------

cat "$checkpoint/README.md" "$dir/utf8" >"$dir/text"
"$brise" tokenize "$model" --bos -f "$dir/text" >"$dir/text.ids"
n=$(wc -w <"$dir/text.ids" | tr -d ' ')
holds "the text is longer than the window" [ "$n" -gt 256 ]
succeeds "perplexity prints on standard output alone" perplexity "$model" --text "$dir/text" --json
cp "$dir/out" "$dir/figure"
holds "it counts the tokens" grep -qE "^\{\"perplexity\":[0-9]+\.[0-9]+,.*\"tokens\":$n,\"scored\":$((n - 1)),\"chunks\":1\}\$" "$dir/figure"
for options in "--chunk 1" "--chunk 64 -t 1"; do
	try perplexity "$model" --text "$dir/text" --json $options
	same "perplexity is the same with $options" "$dir/out" "$dir/figure"
done
try perplexity "$model" --ids "$dir/text.ids" --json
same "perplexity of a text is that of its ids" "$dir/out" "$dir/figure"

succeeds "divergence prints on standard output alone" perplexity "$model" --ids "$dir/text.ids" --against "$model" --reference-kv int8 --json
holds "a file does not diverge from itself" grep -q '"kld_mean":0,"kld_mean_error":0,"kld_p99":0,"kld_p99_error":0,"same_top":1,' "$dir/out"
try perplexity "$model" --ids "$dir/text.ids" --against "$model" --json
holds "keys and values of the reference are f32 unless asked otherwise" [ "$status" -eq 0 -a "$(grep -c '"kld_mean":0,' "$dir/out")" -eq 0 ]
cp "$dir/out" "$dir/figure.against"
for options in "--chunk 1" "--chunk 100 -t 3"; do
	try perplexity "$model" --ids "$dir/text.ids" --against "$model" --json $options
	same "divergence is the same with $options" "$dir/out" "$dir/figure.against"
done
try perplexity "$model" --ids "$dir/text.ids" --context 128 --stride 64 --json
holds "chunks score the second half" grep -q "\"tokens\":$n,\"scored\":$((63 * ((n - 128) / 64 + 1))),\"chunks\":$(((n - 128) / 64 + 1))}" "$dir/out"

succeeds "compare prints on standard output alone" compare "$model" "$checkpoint"
holds "it has a line for every tensor, a head and a sum" [ "$(lines "$dir/out")" -eq 50 -a "$(grep -c ' equal$' "$dir/out")" -eq 11 ]
succeeds "a file equals itself" compare "$model" "$model" --json -t 3
holds "and --json says so" grep -q '^{"n_tensors":48,"equal_tensors":48,"relative_error":0,"largest_difference":0,"snr_db":null,' "$dir/out"
cp "$dir/out" "$dir/comparison"

try logits "$model" --ids "$dir/many" --out "$dir/logits"
holds "logits prints nothing" [ "$status" -eq 0 -a ! -s "$dir/out" -a ! -s "$dir/err" ]
holds "logits writes four bytes for each token and piece" [ "$(wc -c <"$dir/logits")" -eq $((300 * 4096 * 4)) ]
"$brise" logits "$model" --ids "$dir/many" --out - >"$dir/out"
same "--out - writes the same to standard output" "$dir/out" "$dir/logits"
for options in "-t 1" "-t 3 --chunk 100" "--chunk 7"; do
	try logits "$model" --ids "$dir/many" --out "$dir/other" $options
	same "logits are the same with $options" "$dir/other" "$dir/logits"
done
head -n 30 "$dir/many" >"$dir/few"
head -c $((30 * 4096 * 4)) "$dir/logits" >"$dir/first"
for arch in $("$brise" info "$model" | sed -n 's/^kernels.*sets: //p' | tr ',' '\n' | sed -n 's/^ *\([a-z0-9_-]*\)$/\1/p'); do
	try logits "$model" --ids "$dir/few" --out "$dir/other" --arch "$arch"
	same "logits are the same with --arch $arch, and do not depend on what follows" "$dir/other" "$dir/first"
done
none "no parts are left" "$(part_files)"

succeeds "info prints on standard output alone" info "$model"
holds "info counts weights in a unit that fits" grep -qE '; [0-9.]+ M weights$' "$dir/out"
if python3 -c 'import json' 2>/dev/null; then
	for options in "" "--tensors" "--verify"; do
		try info "$model" --json $options
		holds "info --json $options is JSON" python3 -m json.tool "$dir/out" /dev/null
	done
	for figure in figure figure.against comparison; do
		holds "$figure of perplexity and compare is JSON" python3 -m json.tool "$dir/$figure" /dev/null
	done
	printf 'a"b\\c\377\001\n' | "$brise" tokenize "$model" | sed 's/^/[/; s/ /,/g; s/$/]/' >"$dir/lists"
	"$brise" tokenize "$model" --jsonl -d -f "$dir/lists" >"$dir/out"
	holds "tokenize --jsonl prints JSON whatever the bytes" python3 -m json.tool "$dir/out" /dev/null
else
	skip "what --json prints is JSON" "no python3"
fi

report cli
