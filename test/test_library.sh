#!/bin/sh
# test_library.sh - the library as others link it: its names, and README's example as C99 and as C++11
. test/statements.sh
build=${BRISE_BUILD:-build}
cc=${CC:-cc}
library="$build/libbrise.a"

# ---- names ----------------------------------------------------------------------------------------------------------

exported=$(nm -g -P "$library" | awk '$2 ~ /^[A-TV-Z]$/ && $1 !~ /^__/ { print $1 }' | sort -u)
holds "at least 30 names are exported" [ "$(echo "$exported" | wc -l)" -ge 30 ]
holds "every exported name begins with brise_" sh -c '! echo "$1" | grep -v "^brise_" >&2' sh "$exported"
public=$(tr '\n' ' ' <runtime/brise.h | sed 's/;/;\n/g' | grep -o 'brise_[a-z0-9_]*(' | tr -d '(' | grep -v '_fn$' | sort -u)
# The library for firmware alone has these (brise.h says so); test/firmware links them.
public=$(echo "$public" | grep -vx -e brise_give_memory -e brise_get_memory_used)
missing=$(for name in $public; do echo "$exported" | grep -qx "$name" || echo "$name"; done)
holds "every function of brise.h is exported" sh -c '[ -z "$1" ] || { echo "$1" >&2; false; }' sh "$missing"
more=$(echo "$exported" | grep -v '^brise_private_' | grep -vx "$public")
holds "no other public name is" sh -c '[ -z "$1" ] || { echo "$1" >&2; false; }' sh "$more"

# ---- the example ----------------------------------------------------------------------------------------------------

mkdir "$dir/include"
cp runtime/brise.h "$dir/include"
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$dir/example.c"
cp "$dir/example.c" "$dir/example.cpp"
holds "the example has at most 40 lines" sh -c '[ "$(wc -l <"$1")" -le 40 ] && [ -s "$1" ]' sh "$dir/example.c"
sanitize=
nm "$library" 2>/dev/null | grep -q __asan_ && sanitize="-fsanitize=address,undefined"
nm "$library" 2>/dev/null | grep -q __tsan_ && sanitize="-fsanitize=thread"

runs() { # compiler with flags, source
	$1 -Wall -Wextra -pedantic -Werror -I"$dir/include" $sanitize "$2" "$library" -lm -lpthread -o "$dir/example" &&
		"$dir/example" "$dir/breeze.brise" "The old captain said" >"$dir/text" && [ "$(wc -c <"$dir/text")" -gt 20 ]
}

requires "breeze is converted" sh -c '"$1" convert test/models/breeze "$2" 2>/dev/null' sh "$build/brise" "$dir/breeze.brise"
holds "the example compiles as C99, links and runs" runs "$cc -std=c99" "$dir/example.c"
holds "and names a missing file" sh -c '! "$1" "$2/none" x 2>"$2/err" && grep -q "none" "$2/err"' sh "$dir/example" "$dir"

# Names of the encoder, the tools, the converter, the measurements and the command line, as far as
# their sources are still there.
elsewhere=$(find "$build/obj/quant/encode" "$build/obj/arch/tools" "$build/obj/convert" "$build/obj/bench" "$build/obj/runtime/cli" -name '*.o' |
	while read -r o; do
		source=${o#"$build/obj/"}
		[ ! -f "${source%.o}.c" ] || nm -g -P "$o"
	done | awk '$2 ~ /^[A-TV-Z]$/ && $1 !~ /^__/ && $1 != "main" { print $1 }' | sort -u)
linked=$(nm -P "$dir/example" | awk '{ sub(/^brise_private_/, "", $1); sub(/@.*/, "", $1); print $1 }' | sort -u)
holds "the example links what it runs" has_word brise_eval_tokens "$linked"
holds "there are names that it does not need" has_word encoder_find "$elsewhere"
needless=$(printf '%s\n' "$linked" | grep -Fx "$elsewhere")
holds "it links no encoder, no converter and no tools" sh -c '[ -z "$1" ] || { echo "$1" >&2; false; }' sh "$needless"
if [ -n "$sanitize" ]; then
	skip "the example reads no environment" "sanitizers do"
else
	holds "the example reads no environment" sh -c '! echo "$1" | grep -E "^(secure_)?getenv$|^environ$" >&2' sh "$linked"
fi

if command -v ${CXX:-c++} >/dev/null; then
	holds "the example compiles as C++11, links and runs" runs "${CXX:-c++} -std=c++11" "$dir/example.cpp"
	# The same program, with weights in at most 8 MB of memory of breeze's 16.
	sed 's/, argv\[1\], NULL, &err/, argv[1], \&options, \&err/; s/^    if (argc != 3) return 2;/&\n    brise_open_options options = brise_open_options(); options.size = sizeof options; options.memory = 8000000;/' \
		"$dir/example.cpp" >"$dir/limited.cpp"
	cp "$dir/text" "$dir/expected"
	holds "and with a limit on memory it says the same" eval 'grep -q "options.memory" "$dir/limited.cpp" && runs "${CXX:-c++} -std=c++11" "$dir/limited.cpp" && cmp -s "$dir/text" "$dir/expected"'
else
	skip "the example as C++11" "no C++ compiler"
	skip "the example with a limit on memory" "no C++ compiler"
fi
report library
