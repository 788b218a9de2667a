#!/bin/sh
# run.sh HARNESS.c SECONDS [SEEDS...] - builds a libFuzzer harness with the library and runs it, from the inputs of test/fuzz/seeds.py and of further folders
set -e
name=$(basename "$1" .c)
mkdir -p build/fuzz
sets=
if [ "$(uname -m)" = x86_64 ]; then
	for f in arch/x86/avx2*.c; do
		clang -std=c11 -O1 -g -I. -D_GNU_SOURCE -mavx2 -mf16c -ffp-contract=off -fsanitize=address,undefined -c "$f" -o "build/fuzz/$(basename "$f" .c).o"
		sets="$sets build/fuzz/$(basename "$f" .c).o"
	done
fi
clang -std=c11 -O1 -g -I. -D_GNU_SOURCE -ffp-contract=off -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all "$1" runtime/*.c arch/*.c quant/*.c convert/*.c $sets \
	-lm -lpthread -o "build/fuzz/$name"
mkdir -p "build/fuzz/$name.corpus"
seconds=$2
shift 2
python3 test/fuzz/seeds.py build/fuzz/seeds
[ -d "build/fuzz/seeds/$name" ] && set -- "build/fuzz/seeds/$name" "$@"
"build/fuzz/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -artifact_prefix=build/fuzz/ "build/fuzz/$name.corpus" "$@" >"build/fuzz/$name.log" 2>&1 || { tail -n 40 "build/fuzz/$name.log"; exit 1; }
