#!/bin/sh
# test_little_memory.sh - --memory: every size gives the same logits, texts and figures, and what is
# planned, kept and read from the disk is said
. test/statements.sh

prompt="The old captain said that the harbour"
for type in $book_types; do
	requires "breeze is converted to $type" "$brise" convert test/models/breeze "$dir/$type.brise" --type $type 2>/dev/null
done
model=$dir/q4.brise
head -c 9000 test/models/breeze/*.json | "$brise" tokenize "$model" --bos | tr " " "\n" | head -n 330 >"$dir/ids"
requires "there are ids" [ "$(wc -w <"$dir/ids")" -eq 330 ]

field() { # name, file: a number of a JSON object
	sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"
}

# What is the least, and between that and what the mapped file takes.
find_sizes() { # model
	model=$1
	size=$(wc -c <"$model")
	least=$("$brise" run "$model" x -n 1 --memory 1M 2>&1 | sed -n 's/.* take \([0-9.]*\) MB$/\1M/p')
	holds "too little memory is refused with the least" [ -n "$least" ]
	"$brise" info "$model" --memory "$least" --json >"$dir/least"
	own=$(($(field kv_bytes "$dir/least") + $(field work_bytes "$dir/least")))
	mapped=$((size + own))
	some=$((mapped - size / 64))
	half=$((mapped - size / 24))
}

# ---- the same bytes --------------------------------------------------------------------------------------------------

for type in $book_types; do
	find_sizes "$dir/$type.brise"
	budgets="auto min $least $half $some $mapped 16Mi 1G"
	rm -f "$dir/expected"
	try logits "$model" --ids "$dir/ids" --out "$dir/expected" --memory all
	requires "$type: logits of the mapped file" [ "$status" -eq 0 ]
	for budget in $budgets; do
		try logits "$model" --ids "$dir/ids" --out "$dir/logits" --memory "$budget"
		holds "$type: logits --memory $budget gives the same bytes" cmp -s "$dir/logits" "$dir/expected"
		rm -f "$dir/logits"
	done
	for seed in 1 2 3; do
		"$brise" run "$model" "$prompt" -n 30 --seed $seed --no-drafts --memory all >"$dir/expected" 2>/dev/null
		for options in "--memory min" "--memory $half --no-drafts" "--memory $some --chunk 200"; do
			try run "$model" "$prompt" -n 30 --seed $seed $options
			holds "$type: run $options gives the text of seed $seed" cmp -s "$dir/out" "$dir/expected"
		done
	done
	try perplexity "$model" --ids "$dir/ids" --memory all
	cp "$dir/out" "$dir/expected"
	try perplexity "$model" --ids "$dir/ids" --memory min
	holds "$type: perplexity --memory min gives the same figure" cmp -s "$dir/out" "$dir/expected"
done

# ---- the plan --------------------------------------------------------------------------------------------------------

find_sizes "$dir/q4.brise"
for command in "info $model" "bench $model --no-start" "logits $model --ids $dir/ids --out $dir/x" "perplexity $model --ids $dir/ids"; do
	try $command --memory 1M
	holds "${command%% *} refuses too little memory" eval '[ $status -eq 1 ] && grep -q "memory is too small.* take [0-9.]* MB" "$dir/err"'
	try $command --memory 5X
	holds "${command%% *} explains what a size is" eval '[ $status -eq 2 ] && grep -q "such as 3G" "$dir/err"'
	try ${command%% *} --help
	holds "${command%% *} has --memory in its help" grep -q -e '--memory SIZE' "$dir/out"
done
"$brise" info "$model" --memory $some --json >"$dir/plan"
all=$(($(field kept_bytes "$dir/plan") + $(field streamed_bytes "$dir/plan")))
holds "the least keeps less" [ "$(field kept_bytes "$dir/least")" -lt "$(field kept_bytes "$dir/plan")" ]
holds "what is kept and what is streamed are all weights" [ $(($(field kept_bytes "$dir/least") + $(field streamed_bytes "$dir/least"))) -eq $all ]
try info "$model" --memory $mapped
holds "the memory that the mapped file takes is no limit" grep -q "no limit: the file is mapped" "$dir/out"
try info "$model" --memory $((mapped - 1))
holds "a byte less is one" grep -q "kept, .* read in each pass" "$dir/out"
try info "$model" --memory auto
holds "auto maps what fits" grep -q "no limit" "$dir/out"

# ---- bench -----------------------------------------------------------------------------------------------------------

try bench "$model" --no-start -p 300 -n 40 --memory $some --json
cp "$dir/out" "$dir/bench"
requires "bench has a limit" [ "$status" -eq 0 ]
holds "bench has the plan of info" [ "$(field streamed_bytes "$dir/bench")" -eq "$(field streamed_bytes "$dir/plan")" ]
holds "a pass reads what is streamed, to 3 %" awk -v a="$(field pass_bytes "$dir/bench")" -v b="$(field streamed_bytes "$dir/plan")" \
	'BEGIN { exit !(b > 0 && a < 1.03 * b && a > 0.97 * b) }'
# The output's matrix is not read for a prompt without logits; 256 and 44 tokens are two passes.
holds "a prompt of two passes reads it twice" awk -v a="$(field prompt_bytes "$dir/bench")" -v b="$(field streamed_bytes "$dir/plan")" \
	'BEGIN { exit !(a <= 2.06 * b && a > 0.9 * b) }'
if [ "$(field disk_gbps "$dir/bench")" = 0.000 ]; then
	skip "the fraction of what disk and memory allow" "the file system does not read past its cache"
else
	# The fraction as it is defined, from the other figures.
	holds "the fraction is that of the slower of disk and memory" awk -v d="$(field decode_tokens_per_s "$dir/bench")" -v disk="$(field disk_gbps "$dir/bench")" \
		-v streamed="$(field streamed_bytes "$dir/bench")" -v memory="$(field read_gbps "$dir/bench")" -v all="$(field token_bytes "$dir/bench")" -v f="$(field decode_fraction "$dir/bench")" \
		'BEGIN { a = 1e9 * disk / streamed; b = 1e9 * memory / all; e = d / (a < b ? a : b); exit !(f > 0.98 * e && f < 1.02 * e) }'
fi
try bench "$model" -p 20 -n 4 --memory min
holds "bench prints plan, disk and reads" eval 'grep -q "^  plan .* kept, .* read in each pass" "$dir/out" && grep -q "GB/s from the disk" "$dir/out" && grep -q "^  disk reads .* a pass of decode; .* for the prompt" "$dir/out"'
holds "and times a fresh process with the same limit" grep -q "^  first token .* s from the start" "$dir/out"
try bench "$model" --no-start -p 20 -n 4 --memory all
holds "bench of the mapped file has no plan" eval '[ $status -eq 0 ] && grep -q "mapping" "$dir/out" && ! grep -q plan "$dir/out"'

# ---- two models ------------------------------------------------------------------------------------------------------

"$brise" perplexity "$model" --ids "$dir/ids" --against "$model" --reference-kv int8 --memory all >"$dir/expected" 2>/dev/null
try perplexity "$model" --ids "$dir/ids" --against "$model" --reference-kv int8 --memory $((2 * half))
holds "two models with little memory give the same figures" cmp -s "$dir/out" "$dir/expected"
holds "and both have a limit" [ "$(grep -c "kept in memory" "$dir/err")" -eq 2 ]
try perplexity "$model" --ids "$dir/ids" --against "$model" --reference-kv int8 --memory $mapped
holds "memory that is enough for one alone is not enough for two" eval '[ $status -eq 1 ] && grep -q "too small" "$dir/err"'
report little_memory
