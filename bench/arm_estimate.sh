#!/bin/sh
# arm_estimate.sh [ROW...] - how fast q4 would run on Arm boards that are not at hand, estimated with llvm-mca. Nothing here is measured.
#
# The kernel sets of arch/arm are compiled to assembly with the flags of the release build, the loops that do the work are cut out, and llvm-mca simulates
# them on a model of the core's pipelines, in order or out of order as the core is: cycles = total cycles / rounds. All data are in L1 there, no store
# feeds a load, every branch is guessed; what memory can deliver comes from published measurements. So this is a limit, not a promise.
#
# A row that names its core, set or board is printed when one of the arguments occurs in it, or none is given.
#   CC      a compiler for aarch64, "aarch64-linux-gnu-gcc" or "clang --target=aarch64-linux-gnu"
#   MCA     llvm-mca; LLVM 17 was the first to know the pipelines of Neoverse N1 and V1, older ones take a Cortex-A57 for them
#   TRACES  a folder to keep assembly and loops in, for llvm-mca -timeline or -bottleneck-analysis
CC=${CC:-aarch64-linux-gnu-gcc}
if [ -z "$MCA" ]; then
	for MCA in llvm-mca-22 llvm-mca-21 llvm-mca-20 llvm-mca-19 llvm-mca-18 llvm-mca-17 llvm-mca; do command -v "$MCA" >/dev/null && break; done
fi
for tool in ${CC%% *} "$MCA"; do command -v "$tool" >/dev/null || { echo "arm_estimate.sh: $tool is not installed" >&2; exit 1; }; done
cd "$(dirname "$0")/.." || exit 1
work=${TRACES:-$(mktemp -d)}
mkdir -p "$work" || exit 1
[ -n "$TRACES" ] || trap 'rm -rf "$work"' EXIT
rounds=30

# Core, llvm-mca's name of the nearest model, board, cores, GHz, GB/s it reads, sets. A76 and N1 are one design; a model of its own only N1 has.
# GB/s: Pi 5, a loop that only reads, 4 threads (2 threads 13.2; ggml-org/llama.cpp issue 26484). Pi 4, STREAM (sci-pi.org.uk/bench/stream.html: 4.8 to 5.6).
# RK3588, which has cores and memory like a phone of 2019: turingpi.com, 17 to 22. Pi 3: 32 bits of LPDDR2-900 are 3.6 at best, about 2 in practice.
rows='A53|cortex-a53|Raspberry Pi 3|4|1.2|2|neon
A72|cortex-a72|Raspberry Pi 4|4|1.5|4.8|neon
A72|cortex-a72|Raspberry Pi 4, 2021|4|1.8|4.8|neon
A76|neoverse-n1 -dispatch=4|Raspberry Pi 5|4|2.4|11.6|neon dotprod
A55|cortex-a55|RK3588, small cores|4|1.8|17|neon dotprod
A76|neoverse-n1 -dispatch=4|RK3588, large cores|4|2.4|17|neon dotprod
N1|neoverse-n1 -dispatch=4|one server core|1|2.5||neon dotprod
V1|neoverse-v1|one server core|1|2.6||neon dotprod i8mm'

# Loops are found by what they do, in functions that may belong to q4: a block loop is the smallest with both dot products and fused multiply-adds, four of
# these (16 rows) for each tile-block and token. With table lookups it belongs to the product with a vector, where the loop around it, a group of four
# blocks of each stream, is the trace; without, to the product with a matrix, where the pass with most tokens is it. Loops inside that were not unrolled
# are written out, as often as 512 multiplications for each tile-block and token ask for. Prints "# tile-blocks", then instructions.
cut_loop() { # vector|matrix, assembly
	awk -v kind="$1" '
	function macs(a, b) { return dots[b] - dots[a - 1] }
	function fused(a, b) { return fmla[b] - fmla[a - 1] }
	function looks(a, b) { return tbl[b] - tbl[a - 1] }
	function within(i, j) { return from[j] <= from[i] && to[i] <= to[j] && i != j }
	function smaller(i, j) { return !j || to[i] - from[i] < to[j] - from[j] }
	function print_loop(i, depth,    n, k, next_in, best, times) {
		for (n = from[i]; n <= to[i]; n++) {
			best = 0
			for (k = 1; k <= loops; k++)
				if (within(k, i) && from[k] == n && trips[k] && !printed[k] && (!best || to[k] > to[best])) best = k
			if (!best) { if (text[n] != "") print text[n]; continue }
			for (times = trips[best]; times > 0; times--) { printed[best] = 1; print_loop(best, depth + 1); printed[best] = 0 }
			n = to[best]
		}
	}
	/^[A-Za-z_][A-Za-z0-9_.]*:/ { skip = $1 ~ /q8|f16|attend|peak|vector_/ }
	/^[.A-Za-z_][A-Za-z0-9_.]*:/ { label[$1] = NR + 1; gsub(/:/, "", $1); at[$1] = NR }
	{
		text[NR] = $0 ~ /^[ \t]+[a-z]/ ? $0 : ""
		dots[NR] = dots[NR - 1]; fmla[NR] = fmla[NR - 1]; tbl[NR] = tbl[NR - 1]
		if (skip) next
		if ($1 == "sdot") dots[NR] += 16
		else if ($1 == "smmla") dots[NR] += 32
		else if ($1 ~ /^sm[ul]l?a?l2?$/ && $2 ~ /\.8h/) dots[NR] += 8
		else if ($1 == "fmla" && $2 ~ /\.4s/) fmla[NR]++
		else if ($1 == "tbl") tbl[NR]++
		else if ($1 ~ /^(b|b\.?[a-z][a-z]|cbn?z|tbn?z)$/ && $NF in at) { from[++loops] = at[$NF]; to[loops] = NR }
	}
	END {
		for (i = 1; i <= loops; i++) {
			block[i] = macs(from[i], to[i]) > 0 && fused(from[i], to[i]) > 0 && (looks(from[i], to[i]) > 0) == (kind == "vector")
			for (j = 1; j <= loops; j++) if (within(j, i) && macs(from[j], to[j]) > 0 && fused(from[j], to[j]) > 0) block[i] = 0
		}
		for (i = 1; i <= loops; i++) {
			if (!block[i]) continue
			units = fused(from[i], to[i]) / 4
			if (kind == "matrix") { if (units > most) { most = units; trace = i }; continue }
			trips[i] = 4 / units
			outer = 0
			for (j = 1; j <= loops; j++) if (within(i, j) && smaller(j, outer)) outer = j
			streams[outer]++
			if (streams[outer] > most) { most = streams[outer]; trace = outer }
		}
		if (!trace) exit 1
		for (i = 1; kind == "matrix" && i <= loops; i++)
			if (within(i, trace) && macs(from[i], to[i]) > 0) trips[i] = (most * 512 - macs(from[trace], to[trace]) + macs(from[i], to[i])) / macs(from[i], to[i])
		print "# " (kind == "vector" ? 4 * most : most)
		print_loop(trace)
	}' "$2"
}

for set in neon dotprod i8mm; do
	wish=$(sed -n '2s/.*build with: //p' arch/arm/$set.c)
	$CC -std=c11 -ffp-contract=off -fno-fast-math -I. -D_GNU_SOURCE -O3 -DNDEBUG $wish -S -o "$work/$set.s" arch/arm/$set.c || exit 1
	cut_loop matrix "$work/$set.s" >"$work/$set.matrix" || { echo "arm_estimate.sh: no matrix loop found in $set" >&2; exit 1; }
	[ $set = i8mm ] || cut_loop vector "$work/$set.s" >"$work/$set.vector" || { echo "arm_estimate.sh: no vector loop found in $set" >&2; exit 1; }
done
cp "$work/dotprod.vector" "$work/i8mm.vector" # the set has no matrix x vector of its own

# Cycles for one tile-block (and token), and after a slash whose pipelines they are.
cycles() { # model, loop
	[ -f "$work/$1.$2" ] || "$MCA" -mtriple=aarch64 -mcpu=$1 -mattr=+dotprod,+i8mm -iterations=$rounds "$work/$2" 2>"$work/errors" | awk -v units="$(sed -n '1s/# //p' "$work/$2")" -v rounds=$rounds '
		/^Total Cycles:/ { total = $3 }
		/ - [A-Za-z0-9]*Unit/ { sub(/Unit.*/, "", $NF); model = $NF }
		END { printf "%.1f/%s\n", total / rounds / units, model }' >"$work/$1.$2"
	cat "$work/$1.$2"
}

echo "Estimated: $($CC --version | sed -n 1p), -O3; $("$MCA" --version | sed -n 's/.*LLVM version/LLVM/p')"
echo "cycles: a tile of 16 rows x 32 columns of q4 (272 bytes, 512 multiplications); decode reads 3.82 GB a token, prefill multiplies 6.98 G times"
printf '\n%-4s %-20s %-8s %5s %-8s %-9s | %6s %6s  %-26s %5s | %6s %8s\n' '' '' '' '' '' '' decode GB/s 'tokens/s:       memory at' cores prefill 'tokens/s'
printf '%-4s %-20s %-8s %5s %-8s %-9s | %6s %6s %6s %6s %6s %6s %6s | %6s %8s\n' core board 'x GHz' GB/s set model cycles a\ core '1 core' all limit best needed cycles all
echo "$rows" | while IFS='|' read -r core cpu board cores ghz gbps sets; do
	for set in $sets; do
		row="$core $board $set"
		wanted=$#
		for word in "$@"; do case $row in *"$word"*) wanted=0 ;; esac; done
		[ "$wanted" -eq 0 ] || continue
		vector=$(cycles "$cpu" $set.vector) matrix=$(cycles "$cpu" $set.matrix)
		awk -v core="$core" -v board="$board" -v cores="$cores" -v ghz="$ghz" -v gbps="$gbps" -v set="$set" -v vector="$vector" -v matrix="$matrix" 'BEGIN {
			split(vector, v, "/"); split(matrix, m, "/")
			each = 272 * ghz / v[1]; all = each * cores
			best = gbps != "" && gbps < all ? gbps : all
			needed = gbps == "" ? "-" : all < gbps ? ">" cores : int(gbps / each + 0.999999)
			printf "%-4s %-20s %-8s %5s %-8s %-9s | %6.1f %6.2f %6.2f %6.2f %6s %6.2f %6s | %6.1f %8.1f\n", core, board, cores " x " ghz, gbps == "" ? "-" : gbps, set, v[2],
				v[1], each, each / 3.82, all / 3.82, gbps == "" ? "-" : sprintf("%.2f", gbps / 3.82), best / 3.82, needed, m[1], cores * ghz * 1e9 / (m[1] * 6.98e9 / 512)
		}'
	done
done
