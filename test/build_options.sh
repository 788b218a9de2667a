#!/bin/sh
# build_options.sh - the numeric contract holds whatever CFLAGS a user gives, and installation follows
# GNU's names of folders
. test/statements.sh

# Runs make as a user does, without the variables of the make that runs these tests.
run_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CFLAGS -u CPPFLAGS -u WERROR make "$@"
}

# ---- the contract ---------------------------------------------------------------------------------------------------

keeps_contract() { # CFLAGS
	rm -rf "$dir/odd"
	run_make -s OUT="$dir/odd" CFLAGS="$1" "$dir/odd/contract_probe" >"$dir/out" 2>&1 && "$dir/odd/contract_probe" >>"$dir/out" && return
	cat "$dir/out" >&2
	return 1
}

set -- -Ofast -ffast-math -O2 "-O2 -ffp-contract=fast" -funsafe-math-optimizations -ffinite-math-only \
	"-O3 -fno-signed-zeros -fno-trapping-math -fassociative-math -freciprocal-math" -frounding-math -std=gnu99 "-Ofast -flto" \
	"-O0 -funsigned-char -fshort-enums" "-Os -fno-math-errno -fopenmp"
machine=$(${CC:-cc} -dumpmachine)
case $machine in x86_64-*)
	set -- "$@" "-Ofast -mfpmath=387"
	grep -qw fma /proc/cpuinfo && set -- "$@" "-O2 -ffp-contract=fast -mfma" "-Ofast -march=native"
	;;
esac
for cflags in "$@"; do
	holds "CFLAGS='$cflags' keeps the numeric contract" keeps_contract "$cflags"
done
# The probe itself, compiled without the contract's flags, tells what is wrong.
for cflags in "-O2 -ffast-math" "-O2 -ffinite-math-only"; do
	holds "the probe refuses $cflags" sh -c '! "$@" >/dev/null 2>&1' sh ${CC:-cc} $cflags -o "$dir/probe" test/contract_probe.c -lm
done
if grep -qw fma /proc/cpuinfo && [ "${machine%%-*}" = x86_64 ]; then
	${CC:-cc} -O2 -ffp-contract=fast -mfma -o "$dir/probe" test/contract_probe.c -lm 2>/dev/null && "$dir/probe" >"$dir/out"
	holds "the probe notices fused operations" grep -q "are fused" "$dir/out"
else
	skip "the probe notices fused operations" "this processor has none"
fi

# ---- flags ----------------------------------------------------------------------------------------------------------

compiles_with() { # flag, make's arguments: the command that compiles error.c has it
	wanted=$1
	shift
	run_make -n V=1 OUT="$dir/odd" "$dir/odd/obj/runtime/error.o" "$@" | grep -- ' -c ' | grep -qw -e "$wanted"
}

holds "a build is optimised" compiles_with -O3
holds "CFLAGS that name no level add to the build's" compiles_with -O3 CFLAGS=-g
holds "and are there" compiles_with -g CFLAGS=-g
holds "CFLAGS that name a level replace the build's" eval '! compiles_with -O3 CFLAGS=-Os && compiles_with -Os CFLAGS=-Os'
holds "BUILD=asan keeps its sanitizers beside CFLAGS" compiles_with -fsanitize=address,undefined BUILD=asan CFLAGS=-O2
holds "CPPFLAGS are used" compiles_with -DFROM_CPPFLAGS CPPFLAGS=-DFROM_CPPFLAGS
holds "warnings are no errors unless asked for" eval '! compiles_with -Werror && compiles_with -Werror WERROR=-Werror'

# ---- where it is built ----------------------------------------------------------------------------------------------

refuses_out() { # OUT
	run_make -n OUT="$1" >"$dir/out" 2>&1 && return 1
	grep -qF "cannot be built in" "$dir/out"
}
for name in "two words" "word " "" a=b a:b a%b 'a$b' "a#b" "it's" 'a;b' 'a*b'; do
	holds "OUT='$name' is refused in words" refuses_out "$name"
done
holds "other names are taken" run_make -n OUT="$dir/a-b_c.d+e,f@g~h" "$dir/a-b_c.d+e,f@g~h/obj/runtime/error.o" >/dev/null
builds_in_odd_folder() {
	mkdir "$dir/a source: it's = odd"
	git ls-files -z Makefile arch quant runtime | xargs -0 tar cf - | tar xf - -C "$dir/a source: it's = odd"
	run_make -s -C "$dir/a source: it's = odd" build/obj/runtime/error.o >/dev/null 2>"$dir/out" || { cat "$dir/out" >&2 && false; }
}
holds "the folder of the sources may be called anything" builds_in_odd_folder

# ---- installation ---------------------------------------------------------------------------------------------------

installs() { # files below DESTDIR that are expected, make's arguments
	expected=$1
	shift
	rm -rf "$dir/the root" # a name with a space
	run_make -s install -o all OUT="${BRISE_BUILD:-build}" DESTDIR="$dir/the root" "$@" >"$dir/out" 2>&1 || cat "$dir/out" >&2
	found=$(cd "$dir/the root" && find . -type f | sort | tr '\n' ' ')
	[ "$found" = "$expected " ] || { echo "found: $found" >&2 && false; }
}

holds "everything goes below the prefix" installs "./opt/bin/brise ./opt/include/brise.h ./opt/lib/libbrise.a ./opt/lib/pkgconfig/brise.pc" prefix=/opt
holds "PREFIX is the same" installs "./opt/bin/brise ./opt/include/brise.h ./opt/lib/libbrise.a ./opt/lib/pkgconfig/brise.pc" PREFIX=/opt
holds "a ~ that the shell has left is the home folder" installs "./home/x/.local/bin/brise ./home/x/.local/include/brise.h ./home/x/l/libbrise.a ./home/x/l/pkgconfig/brise.pc" \
	HOME=/home/x PREFIX='~/.local' libdir='~/l'
holds "folders may be set one by one" installs "./b/brise ./h/brise.h ./usr/lib/arm/libbrise.a ./usr/lib/arm/pkgconfig/brise.pc" \
	prefix=/usr bindir=/b libdir=/usr/lib/arm includedir=/h
version=$("$brise" --version | sed 's/.* //')
holds "brise.pc names them, and the version that the program names" \
	eval '[ -n "$version" ] && grep -qx "libdir=/usr/lib/arm" "$dir/the root/usr/lib/arm/pkgconfig/brise.pc" && grep -qx "Version: $version" "$dir/the root/usr/lib/arm/pkgconfig/brise.pc"'
run_make -s uninstall DESTDIR="$dir/the root" prefix=/usr bindir=/b libdir=/usr/lib/arm includedir=/h
holds "uninstall removes all of them" [ -z "$(find "$dir/the root" -type f)" ]

report build
