#!/bin/sh
# run.sh BUILD_DIR [TEXT [TOKENS]] - the loss of each type, effort and kind of keys and values on
# test/models/breeze: a table, and BUILD_DIR/quality.svg
#
# Everything is measured against the f16 file with f32 keys and values, which loses nothing, on
# TEXT: token ids if it ends in .ids.txt, else text. Without TEXT: the validation text of the
# reference vectors where it lies beside the project (breeze has never seen it, and others' figures
# are for it); else the project's own documents. Breeze predicts these three times worse than text
# of the kind it was trained on. Divergences on them are a quarter to a third larger and put types
# and efforts in the same order; differences of perplexity there are no measure of a quantization
# (they can favour the larger error). And since documents change with the project, their figures
# compare within one table only. TOKENS: how many are calibrated on, fewer than by default only to
# see that all works.
set -e
build=$1 brise=$1/brise text=$2 tokens=$3 checkpoint=test/models/breeze gold=${BRISE_GOLD:-../shared/gold}
dir=$(mktemp -d "${TMPDIR:-/tmp}/brise-quality-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
peers=

if [ -z "$text" ] && [ -f "$gold/val_public.ids.txt" ]; then
	text=$gold/val_public.ids.txt peers=yes
	what="the reference vectors' validation text, which breeze never saw"
elif [ -z "$text" ]; then
	text=$dir/documents
	cat README.md quant/FORMAT.md $checkpoint/README.md >"$text"
	what="the project's documents: compare divergences, within this table only"
else
	what=$text
fi
case $text in
*.ids.txt) set -- --ids "$text" ;;
*) set -- --text "$text" ;;
esac

# The choices of an option, from the help that the parser's own table prints.
choices() { # command, option
	"$brise" "$1" --help | sed -n "s/^.*--$2 \([a-z0-9|]*\).*/\1/p" | tr '|' ' '
}

# One line per conversion: name, type, and the options of brise convert.
conversions() {
	for effort in $(choices convert effort); do
		[ $effort = best ] || echo "q4-$effort q4 --type q4 --effort $effort"
	done
	echo "q3 q3 --type q3"
	for type in q3 q4; do
		echo "$type-weighed $type --type $type --calibration $dir/cal"
		echo "$type-fed-back $type --type $type --effort high --calibration $dir/cal"
		echo "$type-closed $type --type $type --effort best --calibration $dir/cal"
	done
	# --bits counts the whole file: breeze's short rows add 0.06 to the bits of the name, its
	# tokenizer and tables 0.10.
	echo "mixed-3.5 mixed --effort best --calibration $dir/cal --bits 3.66"
	echo "mixed-3.75 mixed --effort best --calibration $dir/cal --bits 3.91"
	echo "mixed-5 mixed --effort best --calibration $dir/cal --bits 5.16"
	echo "q8 q8 --type q8"
	echo "f16 f16 --type f16"
}

field() { # name: its number in $dir/json
	sed -n "s/.*\"$1\":\([-+.0-9a-z]*\).*/\1/p" "$dir/json"
}

"$brise" convert $checkpoint "$dir/reference.brise" --type f16 2>"$dir/err" || { cat "$dir/err" >&2; exit 1; }
"$brise" calibrate "$dir/reference.brise" --text $checkpoint/writing.txt ${tokens:+--tokens $tokens} -o "$dir/cal" 2>"$dir/err" || { cat "$dir/err" >&2; exit 1; }
printf 'against f16 with f32 keys and values, on %s\n\n' "$what"
printf '| %-12s | %-4s | %6s | %5s | %9s | %19s | %17s | %19s | %17s | %13s | %6s |\n' conversion kv bits MB rel.error perplexity "difference %" "KLD mean" "KLD 99 %" \
	"same top %" time
echo '|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|'
conversions | while read -r name type options; do
	"$brise" convert $checkpoint "$dir/model" $options 2>"$dir/err" || { cat "$dir/err" >&2; exit 1; }
	time=$(sed -n 's/.*relative squared error [-.0-9e]*, \([^(]*\) (.*/\1/p' "$dir/err")
	"$brise" info "$dir/model" --json >"$dir/json"
	bytes=$(field file_bytes) bits=$(field matrix_bytes) bits=$(awk "BEGIN { print 8 * $bits / $(field weights) }")
	"$brise" compare "$dir/model" "$dir/reference.brise" --json >"$dir/json"
	error=$(sed -n 's/^{[^[]*"relative_error":\([^,]*\),.*/\1/p' "$dir/json")
	for kv in $(choices perplexity kv); do
		"$brise" perplexity "$dir/model" --against "$dir/reference.brise" "$@" --kv "$kv" --json >"$dir/json"
		awk -v name="$name" -v kv="$kv" -v bits="$bits" -v bytes="$bytes" -v error="$error" -v time="$time" -v p="$(field perplexity)" -v pe="$(field perplexity_error)" \
			-v r="$(field perplexity_ratio)" -v re="$(field perplexity_ratio_error)" -v k="$(field kld_mean)" -v ke="$(field kld_mean_error)" \
			-v q="$(field kld_p99)" -v qe="$(field kld_p99_error)" -v s="$(field same_top)" -v se="$(field same_top_error)" 'BEGIN {
			printf "| %-12s | %-4s | %6.3f | %5.1f | %9.6f | %8.4f +- %7.4f | %+7.3f +- %6.3f | %8.6f +- %.6f | %7.5f +- %.5f | %5.2f +- %.2f | %6s |\n",
				name, kv, bits, bytes / 1e6, error, p, pe, 100 * (r - 1), 100 * re, k, ke, q, qe, 100 * s, 100 * se, time }'
		[ "$kv" != int8 ] || echo "$type $name $bits $(field kld_mean)" >>"$dir/points"
	done
done
[ -z "$peers" ] || awk '!/^#/ { print "peer", $1, $2, $3; print "importance", $1, $2, $4 }' bench/quality/peers.txt >>"$dir/points"
"$build/draw_quality" "brise: loss against bits on breeze" <"$dir/points" >"$build/quality.svg"
printf '\nbits: of the matrices alone; breeze'\''s short rows add 0.06 to those of large models. +- is one standard error. Picture: %s\n' "$build/quality.svg"
