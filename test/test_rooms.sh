#!/bin/sh
# test_rooms.sh - data flows one way through the house: no room includes what it may not
#
#   quant   libc                      convert      quant, runtime, convert, arch/tools
#   arch    quant, arch               runtime/cli  anything
#   runtime quant, arch, runtime      bench, test  anything
#   within convert: formats itself; tokenizer formats; calibration itself; checkpoint tokenizer,
#                   formats
# Compiler extensions stay in arch/ and runtime/portable.h; libm's transcendentals stay off the path
# to logits.
. test/statements.sh

check() { # name, offending lines
	holds "$1" [ -z "$2" ] || true
	[ -z "$2" ] || printf '%s\n' "$2" >&2
}

includes() { # files..., prints "file: included" for the project's own headers
	grep -Hn '^#include "' "$@" /dev/null || echo "nothing is included by $*"
}

# Lines of files; a file that is not there counts as one, lest nothing be searched.
lines() { # pattern, files...
	pattern=$1
	shift
	for file in "$@"; do [ -f "$file" ] || echo "$file is not there"; done
	grep -nE -e "$pattern" "$@" /dev/null
}

check "quant includes only quant" "$(includes quant/*.[ch] | grep -v '"quant/')"
check "arch includes only quant and arch" "$(includes arch/*.[ch] arch/*/*.[ch] arch/tools/*/*.[ch] | grep -v -e '"quant/' -e '"arch/')"
check "what running needs includes no encoder and no tools" "$(includes quant/*.[ch] arch/*.[ch] arch/x86/*.[ch] arch/arm/*.[ch] runtime/*.[ch] runtime/*/*.[ch] | grep -e '"quant/encode/' -e '"arch/tools/' | grep -v '^runtime/cli/')"
check "runtime includes only quant, arch and runtime" "$(includes runtime/*.[ch] runtime/os/*.[ch] runtime/model/*.[ch] runtime/text/*.[ch] runtime/eval/*.[ch] runtime/sample/*.[ch] | grep -v -e '"quant/' -e '"arch/' -e '"runtime/[a-z0-9_]*\.h"' -e '"runtime/\(os\|model\|text\|eval\|sample\)/')"
check "convert includes only quant, runtime and convert" "$(includes convert/*.[ch] convert/*/*.[ch] | grep -v '^convert/cli/' | grep -v -e '"quant/' -e '"arch/tools/tools.h"' -e '"arch/float_env.h"' -e '"runtime/[a-z0-9_]*\.h"' -e '"runtime/\(os\|model\|text\|eval\|sample\)/' -e '"convert/')"
for inner in formats: tokenizer:formats calibration: checkpoint:tokenizer,formats; do
	room=${inner%%:*}
	check "convert/$room includes of convert only what it may" \
		"$(includes convert/$room/*.[ch] | grep '"convert/' | grep -vE "\"convert/($room|$(echo "${inner#*:}" | tr ',' '|'))/")"
done
check "includes name their room" "$(includes */*.[ch] */*/*.[ch] | grep -v -e '"quant/' -e '"arch/' -e '"runtime/' -e '"convert/' -e '"bench/' -e '"test/')"
check "no compiler extension outside arch and portable.h" \
	"$(lines '__attribute__|__builtin_|__asm__|__typeof|immintrin|arm_neon' quant/*.[ch] runtime/*.[ch] runtime/*/*.[ch] convert/*.[ch] convert/*/*.[ch] bench/*.[ch] |
		grep -v '^runtime/portable.h')"
check "no exit, abort or assert in the library" "$(lines '(^|[^a-z_])(exit|abort|assert) ?\(' quant/*.c arch/*.c arch/*/*.c runtime/*.c runtime/os/*.c runtime/model/*.c runtime/text/*.c runtime/eval/*.c runtime/sample/*.c convert/*.c convert/[!c]*/*.c convert/c[!l]*/*.c)"
check "nothing prints but the faces" "$(lines '(^|[^a-z_])(v?f?printf|puts|fputs|putchar) ?\(' quant/*.c arch/*.c arch/*/*.c runtime/*.c runtime/os/*.c runtime/model/*.c runtime/text/*.c runtime/eval/*.c runtime/sample/*.c convert/*.c convert/[!c]*/*.c convert/c[!l]*/*.c)"
objects=$(find "${BRISE_BUILD:-build}/obj/quant" "${BRISE_BUILD:-build}/obj/arch" "${BRISE_BUILD:-build}/obj/runtime" -name '*.o' ! -path '*/cli/*')
holds "there are objects, and nm reads them" eval '[ -n "$objects" ] && nm $objects | grep -q .'
# A signal handler reaches nothing but static variables, so runtime/os/posix/faults.c has some.
# Writable sections only: tables of pointers that the loader relocates are read-only afterwards.
# Sanitizers add variables of their own.
check "no global variables" "$(for o in $(echo "$objects" | grep -v 'os/posix/faults.o$'); do nm -f sysv "$o" | awk -F'|' -v o="$o" '$4 ~ /OBJECT/ && $7 ~ /^[.*](data|bss|COM)/ && $7 !~ /^[.]data[.]rel[.]ro/ && $1 !~ /san|ubsan/ { print o ": " $1 }'; done)"
# What asks the system, of objects whose source is still there. arch/cpu.c asks for AMX's registers
# and for arm64's capabilities; a JSON text is written to a stream of the caller's.
system='f?open(at)?(64)?|f(read|close|gets|seeko?|tello?)|p?(read|write)(64)?|close|mmap(64)?|munmap|madvise|l?stat(64)?|fstat(at)?(64)?|(open|read|close)dir|pthread_[a-z_]*|sched_[a-z]*|clock_gettime|gettimeofday|nanosleep|getenv|sysconf|getpid|sigaction|signal|unlink|rename|mkdir|realpath|malloc|calloc|realloc|free|strdup|aligned_alloc|posix_memalign'
asking() { # pattern, objects...
	pattern=$1
	shift
	for o in "$@"; do
		source=${o#"${BRISE_BUILD:-build}/obj/"}
		[ ! -f "${source%.o}.c" ] || nm -u "$o" | awk '{ print $2 }' | grep -xE "$pattern" | sed "s|^|${source%.o}.c: |"
	done
}
check "only runtime/os asks the system" "$(asking "$system" $(echo "$objects" | grep -v '/runtime/os/'))"
check "only runtime/os/posix asks for more than memory" "$(asking "$(echo "$system" | sed 's/|malloc|calloc|realloc|free//')" $(echo "$objects" | grep '/runtime/os/[a-z]*\.o$'))"
check "the library reads no environment" "$(asking getenv $objects)"
check "the library holds no encoder, no converter and no tools" "$(nm "${BRISE_BUILD:-build}/libbrise.a" | grep -E ' T (q4_encode|q8_encode|f16_encode|q4_search|encoder_|convert_|checkpoint_|calibrat|export_|gguf_|safetensors_|arch_find_tools)')"
check "no libm transcendental on the path to logits" "$(for o in $objects; do nm -u "$o" | grep -wE 'expf?|exp2f?|expm1f?|logf?|log2f?|log10f?|log1pf?|powf?|sinf?|cosf?|sincosf?|tanf?|tanhf?|fmaf?' | sed "s|^|$o: |"; done)"
report rooms
