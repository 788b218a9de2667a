#!/bin/sh
# run.sh HARNESS.c SECONDS [SEEDS...] - builds a libFuzzer harness with the library and runs it,
# from the inputs of test/fuzz/seeds.py and of further folders
# run.sh build - builds the library for all of them: harnesses that start side by side find it
# there.
set -e
name=$(basename "$1" .c)
out=build/fuzz
checks="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
# clang takes a minute for each kernel set with checks of undefined behaviour; BUILD=asan has them.
make -s -j"$(nproc)" CC=clang OUT=$out CFLAGS="$checks -fsanitize=fuzzer-no-link" SET_CFLAGS=-fno-sanitize=undefined $out/brise >/dev/null
[ "$1" = build ] && exit 0
clang -std=c11 $checks -fsanitize=fuzzer -I. -D_GNU_SOURCE "$1" $out/obj/quant/encode/*.o $(find $out/obj/arch/tools -name "*.o") $out/obj/runtime/console/*.o $out/obj/runtime/serve/http.o $(find $out/obj/convert -name "*.o" ! -path "*/cli/*") $out/obj/internal.a -lm -lpthread -o "$out/$name"
mkdir -p "$out/$name.corpus"
seconds=$2
shift 2
python3 test/fuzz/seeds.py "$out/$name.seeds"
[ -d "$out/$name.seeds/$name" ] && set -- "$out/$name.seeds/$name" "$@"
"$out/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -artifact_prefix=$out/ "$out/$name.corpus" "$@" >"$out/$name.log" 2>&1 || { tail -n 40 "$out/$name.log"; exit 1; }
printf '%s: %s\n' "$name" "$(grep -E '^#[0-9]+.*(DONE|pulse)' "$out/$name.log" | tail -n 1)"
