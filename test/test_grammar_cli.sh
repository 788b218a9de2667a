#!/bin/sh
# test_grammar_cli.sh - run with --schema and --grammar: what is drawn fits, and what is wrong is named
. test/statements.sh
model=$dir/breeze.brise
requires "breeze is converted" sh -c '"$1" convert test/models/breeze "$2" --type f16 2>/dev/null' sh "$brise" "$model"

draw() { # arguments...
	"$brise" run "$model" "The captain: " -n 120 --temperature 1.5 --seed 3 "$@" 2>"$dir/err"
}

# README's schema and GRAMMARS.md's grammar, as they stand there.
sed -n '/^    {"type": "object"/,/^     "additionalProperties"/p' README.md >"$dir/captain.json"
sed -n 's/^    \(\(root\|number\|unit\) *::=.*\)/\1/p' runtime/GRAMMARS.md >"$dir/answers.gbnf"
holds "README has a schema and GRAMMARS.md a grammar" [ -s "$dir/captain.json" -a -s "$dir/answers.gbnf" ]

draw --schema "$dir/captain.json" >"$dir/text"
holds "JSON by a schema" grep -qE '"name": ?"[^"]{0,80}"' "$dir/text"
holds "as a whole" sh -c 'tr -d "\n" <"$1" | grep -qE "^ ?\{.*\"age\": ?[0-9]{1,3}\s*\}$"' sh "$dir/text"
draw --schema "$dir/captain.json" --no-drafts >"$dir/plain"
holds "the same without drafts" cmp -s "$dir/text" "$dir/plain"
draw --grammar "$dir/answers.gbnf" >"$dir/text"
holds "a text by a grammar" grep -qxE 'yes|no|[0-9]{1,3}(\.[0-9]+)?( k?m)?' "$dir/text"

refused() { # pattern, arguments...
	pattern=$1
	shift
	! draw "$@" >"$dir/text" && [ ! -s "$dir/text" ] && grep -q -e "$pattern" "$dir/err"
}
printf '{"type": "object",\n "unevaluatedProperties": false}\n' >"$dir/unknown.json"
printf 'root ::= foo\n' >"$dir/foo.gbnf"
holds "a keyword is named with its place" refused "unknown.json: line 2: #/unevaluatedProperties: a keyword" --schema "$dir/unknown.json"
holds "a rule is, too" refused "foo.gbnf: line 1, column 10: no rule is called foo" --grammar "$dir/foo.gbnf"
holds "a file that is not there is" refused "none.json" --schema "$dir/none.json"
holds "standard input is refused" refused "expected a file" --schema -
holds "both are" refused "expected one of them" --schema "$dir/captain.json" --grammar "$dir/answers.gbnf"
holds "so is --ignore-eos" refused "ignore-eos" --schema "$dir/captain.json" --ignore-eos
report grammar_cli
