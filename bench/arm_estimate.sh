#!/bin/sh
# arm_estimate.sh [WORD...] - estimates the speed of q4, or another type, on Arm boards with llvm-mca;
# nothing here is measured
#
# The kernel sets of arch/arm are compiled to assembly as the release build compiles them, the loops
# that do the work are cut out, and llvm-mca simulates them on a model of the core's pipelines, in
# order or out of order as the core is: cycles = total cycles / rounds. All data are in L1 there, no
# load waits for a store, every branch is guessed. What memory delivers is what others measured. So
# these are upper limits. Takes 10 s.
#
# With words, only rows in which one of them occurs are printed: a core, a board, a set.
#   TYPE    q4 (default) or q3
#   CC      a compiler for aarch64: "aarch64-linux-gnu-gcc" (default),
#           "clang --target=aarch64-linux-gnu"
#   MCA     llvm-mca. LLVM 14 takes a Cortex-A57 for Neoverse N1 and V1, LLVM 19 and 22 have their
#           own pipelines; the column "model" tells.
#   TRACES  a folder that keeps assembly and loops, for llvm-mca -timeline or -bottleneck-analysis
CC=${CC:-aarch64-linux-gnu-gcc}
TYPE=${TYPE:-q4}
# Bytes of a tile-block with its scales, GB that a token reads, and what the sources call the type.
case $TYPE in
q4) others='q3|q8' bytes=272 gb=3.82 lanes=LANES_Q4 ;;
q3) others='q4|q8' bytes=208 gb=2.92 lanes=LANES_Q3 ;;
*) echo "arm_estimate.sh: TYPE: q4 or q3 expected, found $TYPE" >&2; exit 2 ;;
esac
for tool in llvm-mca-22 llvm-mca-21 llvm-mca-20 llvm-mca-19 llvm-mca-18 llvm-mca-17 llvm-mca; do
	[ -n "$MCA" ] && break
	command -v $tool >/dev/null && MCA=$tool
done
cd "$(dirname "$0")/.." || exit 1
work=${TRACES:-$(mktemp -d)}
[ -n "$TRACES" ] || trap 'rm -rf "$work"' EXIT
rounds=30

fail() {
	echo "arm_estimate.sh: $*" >&2
	exit 1
}

mkdir -p "$work" && rm -f "$work"/cycles.* || fail "cannot write to $work"
for tool in "${CC%% *}" "${MCA:=llvm-mca}"; do command -v "$tool" >/dev/null || fail "$tool is not installed"; done

# Core, what llvm-mca is told, board, cores, GHz, GB/s that all cores read together, sets.
# Cortex-A76 and Neoverse N1 are one design; LLVM has pipelines for the second only, and lets it
# take three micro-operations a cycle where Arm's guides say four macro-operations. Cortex-A72 is
# simulated as A57, from which it differs little. GB/s: Pi 5, a loop that only reads, 4 threads (2
# threads: 13.2), llama.cpp's tracker, 2026. Pi 4, STREAM, 4.8 to 5.6, sci-pi.org.uk. RK3588, with
# cores and memory of a phone of 2019, 17 to 22, turingpi.com. Pi 3: 32 bits of LPDDR2-900 are 3.6
# at best, about 2 in practice; with 1 GB it cannot hold 7B at all.
boards='A53|cortex-a53|Raspberry Pi 3|4|1.2|2|neon
A72|cortex-a72|Raspberry Pi 4|4|1.5|4.8|neon
A72|cortex-a72|Raspberry Pi 4, 2021|4|1.8|4.8|neon
A76|neoverse-n1 -dispatch=4|Raspberry Pi 5|4|2.4|11.6|neon dotprod
A55|cortex-a55|RK3588, small cores|4|1.8|17|neon dotprod
A76|neoverse-n1 -dispatch=4|RK3588, large cores|4|2.4|17|neon dotprod
N1|neoverse-n1 -dispatch=4|one server core|1|2.5||neon dotprod
V1|neoverse-v1|one server core|1|2.6||neon dotprod i8mm'

# Loops are found by what they do, in functions that may belong to the type. A block loop is the smallest
# with dot products and fused multiply-adds, four of the latter (16 rows) for each tile-block and
# token. With table lookups it belongs to the product with a vector: the trace is the loop around
# it, a group of four blocks of several streams. Without, it belongs to the product with a matrix:
# the trace is the block loop with most tokens. Loops inside a trace that the compiler did not
# unroll are written out, as often as 512 multiplications for each tile-block and token ask for.
# Prints "# tile-blocks", then instructions.
cut_loop() { # vector|matrix, assembly
	awk -v kind="$1" -v others="$others|f16|attend|peak" '
	function macs(i) { return dots[to[i]] - dots[from[i] - 1] }
	function products(i) { return fmla[to[i]] - fmla[from[i] - 1] }
	function lookups(i) { return tbl[to[i]] - tbl[from[i] - 1] }
	function within(i, j) { return i != j && from[j] <= from[i] && to[i] <= to[j] }
	function print_loop(i,    n, k, inner, times) {
		for (n = from[i]; n <= to[i]; n++) {
			inner = 0
			for (k = 1; k <= loops; k++) if (trips[k] && from[k] == n && within(k, i)) inner = k
			for (times = inner ? trips[inner] : 0; times > 0; times--) print_loop(inner)
			if (inner) { n = to[inner]; continue }
			if (text[n] != "") print text[n]
			done += dots[n] - dots[n - 1]
		}
	}
	/^[A-Za-z_][A-Za-z0-9_.]*:/ { skip = $1 ~ others }
	/^[.A-Za-z_][A-Za-z0-9_.]*:/ { sub(/:.*/, "", $1); at[$1] = NR }
	{
		text[NR] = /^[ \t]+[a-z]/ ? $0 : ""
		dots[NR] = dots[NR - 1]; fmla[NR] = fmla[NR - 1]; tbl[NR] = tbl[NR - 1]
		if (skip) next
		if ($1 == "sdot") dots[NR] += 16
		else if ($1 == "smmla") dots[NR] += 32
		else if ($1 ~ /^sm(ul|la)l2?$/ && $2 ~ /\.8h/) dots[NR] += 8
		else if ($1 == "fmla" && $2 ~ /\.4s/) fmla[NR]++
		else if ($1 == "tbl") tbl[NR]++
		else if ($1 ~ /^(b|b\.?[a-z][a-z]|cbn?z|tbn?z)$/ && $NF in at) { from[++loops] = at[$NF]; to[loops] = NR }
	}
	END {
		for (i = 1; i <= loops; i++) {
			block = macs(i) && products(i) && (lookups(i) > 0) == (kind == "vector")
			for (j = 1; j <= loops; j++) if (within(j, i) && macs(j) && products(j)) block = 0
			if (!block) continue
			units = products(i) / 4
			outer = i
			if (kind == "vector" && units < 4) {
				trips[i] = 4 / units
				outer = 0
				for (j = 1; j <= loops; j++) if (within(i, j) && (!outer || within(j, outer))) outer = j
				units = 4 * ++streams[outer]
			}
			if (units > most) { most = units; trace = outer }
		}
		if (!trace) exit 1
		for (i = 1; kind == "matrix" && i <= loops; i++) if (within(i, trace) && macs(i)) trips[i] = (512 * most - macs(trace)) / macs(i) + 1
		print "# " most
		print_loop(trace)
		exit done != 512 * most
	}' "$2"
}

# Passes over a few rows are compiled once more, each number of rows as a function of its own, as is
# the decoding of a panel: the trace is the function's smallest loop with most work, a group of four
# blocks; blocks are its only inner loop. Prints as cut_loop does.
few_source() { # set
	cat <<-END
		#include "arch/arm/$1.c"
		#define FEW(n) \\
			void few_##n(float (*sums)[TILE_ROWS], const uint8_t *group, const arch_vectors *x, const int32_t *starts, const lanes_tables *tables) \\
			{ \\
				for (size_t b = 0; b < x->blocks; b += TILE_BLOCKS, group += group_bytes($lanes)) { \\
					lanes_scales scales; \\
					prefetch_first(group, true); \\
					prefetch_lines(group + 64, (unsigned)group_bytes($lanes) / 64 - 1, true); \\
					read_scales(&scales, group, tables); \\
					few_group(sums, group, &scales, tables, few_at(x, starts, 0, b), n, $lanes); \\
				} \\
			}
		#if LANES_FEW_MOST >= 2
		FEW(2)
		#endif
		#if LANES_FEW_MOST >= 4
		FEW(4)
		#endif
		#if LANES_FEW >= 8
		FEW(8)
		#endif
		void few_panel(lanes_panel *p, const uint8_t *group, size_t n)
		{
			for (size_t b = 0; b < n; b += TILE_BLOCKS, group += group_bytes($lanes)) {
				lanes_scales scales;
				read_scales(&scales, group, &p->tables);
				UNROLL
				for (size_t i = 0; i < TILE_BLOCKS; i++) {
					decode_block(p->decoded[0][b + i], group + TILE_SCALES + i * block_bytes($lanes), scales.shift + i * TILE_ROWS, &p->tables, $lanes);
					UNROLL
					for (int part = 0; part < LANES_PARTS; part++)
						set_magnitude(p, 0, b + i, part, lanes_widen(scales.magnitude + i * TILE_ROWS + (size_t)(LANES * part)));
				}
			}
		}
	END
}

cut_function() { # function, assembly; prints nothing if the set has no such function
	awk -v name="$1" '
	function size(i) { return to[i] - from[i] }
	function print_lines(first, last,    n, k, inner, times) {
		for (n = first; n <= last; n++) {
			inner = 0
			for (k = 1; k <= loops; k++) if (from[k] == n && to[k] <= last && size(k) < last - first && (!inner || size(k) > size(inner))) inner = k
			for (times = inner ? 4 : 0; times > 0; times--) print_lines(n, to[inner])
			if (inner) n = to[inner]
			else if (text[n] != "") print text[n]
		}
	}
	$1 == name ":" { inside = 1 }
	!inside { next }
	$1 == ".size" { exit }
	/^[.A-Za-z_][A-Za-z0-9_.]*:/ { label = $1; sub(/:.*/, "", label); at[label] = NR }
	{
		text[NR] = /^[ \t]+[a-z]/ ? $0 : ""
		work[NR] = work[NR - 1] + ($1 ~ /^(sdot|tbl|sm[ul][la]l2?)$/)
	}
	$1 ~ /^(b|b\.?[a-z][a-z]|cbn?z|tbn?z)$/ && $NF in at { from[++loops] = at[$NF]; to[loops] = NR }
	END {
		for (i = 1; i <= loops; i++) {
			done = work[to[i]] - work[from[i] - 1]
			if (done > most || (done == most && size(i) < size(trace))) { most = done; trace = i }
		}
		if (!most) exit
		print "# 4"
		print_lines(from[trace], to[trace])
	}' "$2"
}

compile() { # source, assembly, set
	$CC -std=c11 -ffp-contract=off -fno-fast-math -I. -D_GNU_SOURCE -O3 -DNDEBUG $(sed -n '1,9s/.*build with: //p' arch/arm/$3.c) -S -o "$2.full" "$1" || fail "$CC does not compile $3"
	sed 's/\(movi.*\)0xffffffffffffff/\10x/' "$2.full" >"$2" # which llvm-mca does not read
}

for set in neon dotprod i8mm; do
	compile arch/arm/$set.c "$work/$set.s" $set
	for kind in vector matrix; do
		from=$set
		[ $set.$kind = i8mm.vector ] && from=dotprod # the set has none of its own
		cut_loop $kind "$work/$from.s" >"$work/$set.$kind" || fail "no loop of matrix x $kind recognized in $from"
	done
	from=$set
	[ $set = i8mm ] && from=dotprod # what it takes for a few rows
	few_source $from >"$work/$set.few.c"
	compile "$work/$set.few.c" "$work/$set.few.s" $from
	for rows in 2 4 8 panel; do
		cut_function few_$rows "$work/$set.few.s" >"$work/$set.few_$rows"
	done
	[ -s "$work/$set.few_panel" ] || fail "no loop that decodes a panel recognized in $from"
done

# Prints cycles for one tile-block and token, and whose pipelines they are.
cycles() { # what llvm-mca is told, loop
	kept="$work/cycles.${1%% *}.$2"
	[ -s "$kept" ] || "$MCA" -mtriple=aarch64 -mcpu=$1 -mattr=+dotprod,+i8mm -iterations=$rounds "$work/$2" | awk -v units="$(sed -n '1s/# //p' "$work/$2")" -v rounds=$rounds '
		/^Total Cycles:/ { total = $3 }
		/^\[.* - .*Unit/ { model = $NF; sub(/Unit.*/, "", model); sub(/^Cortex/, "", model) }
		END { if (total) printf "%.1f %s\n", total / rounds / units, model }' >"$kept"
	cat "$kept"
}

# Cycles of a tile-block for all rows of a small pass. Where the set takes a panel: decoding it, and
# multiplying each row.
few_cycles() { # what llvm-mca is told, set, rows
	if [ -s "$work/$2.few_$3" ]; then
		cycles "$1" $2.few_$3
	else
		panel=$(cycles "$1" $2.few_panel) row=$(cycles "$1" $2.matrix)
		[ -n "$panel" ] && [ -n "$row" ] && awk -v p="${panel% *}" -v r="${row% *}" -v n="$3" 'BEGIN { printf "%.1f panel\n", p + n * r }'
	fi
}

echo "Estimated, $TYPE: $($CC --version | sed -n 1p), -O3; $("$MCA" --version | sed -n 's/.*LLVM version/LLVM/p')"
echo "cycles: for a tile of 16 rows x 32 columns ($bytes bytes, 512 multiplications). Decode reads $gb GB a token, prefill multiplies 6.98 G times."
echo "x one row: time of a pass over 2, 4 and 8 rows, all cores, the slower of arithmetic and memory; a panel of i8mm without its zips."
echo
format='%-4s %-20s %-7s %5s %-7s %-5s | %6s %6s %6s %6s %6s %6s %6s | %6s %8s | %6s %6s %6s %5s %5s %5s\n'
printf "$format" "" "" cores "" "" "" decode GB/s tokens/s tok/s tok/s tok/s cores prefill tok/s cycles a\ pass of "x one" row ""
printf "$format" core board "x GHz" GB/s set model cycles a\ core 1\ core all memory best needed cycles all 2 4 8\ rows 2 4 8
echo "$boards" | while IFS='|' read -r core cpu board cores ghz gbps sets; do
	for set in $sets; do
		wanted=$#
		for word in "$@"; do case "$core $board $set" in *"$word"*) wanted=0 ;; esac; done
		[ "$wanted" -eq 0 ] || continue
		vector=$(cycles "$cpu" $set.vector) matrix=$(cycles "$cpu" $set.matrix)
		two=$(few_cycles "$cpu" $set 2) four=$(few_cycles "$cpu" $set 4) eight=$(few_cycles "$cpu" $set 8)
		[ -n "$vector" ] && [ -n "$matrix" ] && [ -n "$two" ] && [ -n "$four" ] && [ -n "$eight" ] || fail "$MCA does not simulate $cpu"
		awk -v format="$format" -v core="$core" -v board="$board" -v cores="$cores" -v ghz="$ghz" -v gbps="$gbps" -v set="$set" -v vector="$vector" -v matrix="$matrix" -v two="${two% *}" -v four="${four% *}" -v eight="${eight% *}" -v bytes=$bytes -v gb=$gb '
		# The longer of arithmetic and memory, against that of one row.
		function cost(c) { return sprintf("%.2f", slower(c) / slower(v[1])) }
		function slower(c) { return gbps != "" && bytes / gbps > c / all_ghz ? bytes / gbps : c / all_ghz }
		BEGIN {
			split(vector, v); split(matrix, m)
			all_ghz = cores * ghz
			each = bytes * ghz / v[1]; all = each * cores
			needed = all < gbps ? ">" cores : int(gbps / each + 0.999)
			printf format, core, board, cores "x" ghz, gbps == "" ? "-" : gbps, set, v[2], v[1], sprintf("%.2f", each), sprintf("%.2f", each / gb), sprintf("%.2f", all / gb),
				gbps == "" ? "-" : sprintf("%.2f", gbps / gb), sprintf("%.2f", (gbps != "" && gbps < all ? gbps : all) / gb), gbps == "" ? "-" : needed,
				m[1], sprintf("%.1f", cores * ghz * 1e9 / (m[1] * 6.98e9 / 512)),
				two, four, eight, cost(two), cost(four), cost(eight)
		}' || exit 1
	done
done
