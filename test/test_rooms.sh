#!/bin/sh
# test_rooms.sh - data flows one way through the house: no room includes what it may not
#
# The rules about includes hold for what a file reaches through any number of includes: a header
# that is allowed to itself brings along what it includes.
# Compiler extensions stay in arch/ and runtime/portable.h; libm's transcendentals stay off the path
# to logits.
. test/statements.sh

check() { # name, offending lines
	holds "$1" [ -z "$2" ] || true
	[ -z "$2" ] || printf '%s\n' "$2" >&2
}

# What every source reaches by the project's own includes, the direct ones first, as
# file: "header" through the file that includes it
awk '/^#include "/ { split($0, part, "\""); direct[FILENAME] = direct[FILENAME] " " part[2] }
	END {
		for (file in direct) {
			split("", seen)
			split(file, queue, " ")
			for (head = n = 1; head <= n; head++) {
				count = split(direct[queue[head]], headers, " ")
				for (i = 1; i <= count; i++)
					if (!(headers[i] in seen)) {
						seen[headers[i]]
						queue[++n] = headers[i]
						print file ": \"" headers[i] "\" through " queue[head]
					}
			}
		}
	}' $(find quant arch runtime convert bench -name '*.[ch]') >"$dir/reached"

# Prints what the files of a room reach beside what they may; a room that reaches nothing is a
# mistake in this script. Both are extended regular expressions, of the whole path.
beyond() { # files, headers
	grep -E "^($1): " "$dir/reached" | grep . >"$dir/room" || echo "nothing is included by $1"
	grep -vE ": \"($2)\" through " "$dir/room"
}

# Lines of files; a file that is not there counts as one, so that a search of no file fails.
lines() { # pattern, files...
	pattern=$1
	shift
	for file in "$@"; do [ -f "$file" ] || echo "$file is not there"; done
	grep -nE -e "$pattern" "$@" /dev/null
}

# A file name without its folder; what the table of kernels brings along; what the whole runtime
# uses; the runtime without its faces.
name='[a-z0-9_]*\.[ch]'
kernels="(quant|arch)/$name"
base="runtime/$name"
below="$kernels|runtime/((os|model|text|eval|sample|grammar|session)/)?$name"
check "quant reaches only quant" "$(beyond "quant/$name" "quant/$name")"
check "quant/encode reaches only quant" "$(beyond "quant/encode/$name" "quant/(encode/)?$name")"
check "arch reaches only quant and arch, without encoder and tools" "$(beyond "arch/((x86|arm)/)?$name" "$kernels|arch/(x86|arm)/$name")"
check "arch/tools reaches only quant and arch" "$(beyond "arch/tools/((x86|arm)/)?$name" "(quant|quant/encode|arch|arch/x86|arch/arm|arch/tools)/$name")"
check "runtime/os reaches only itself and checked arithmetic" "$(beyond "runtime/os/((posix|none)/)?$name" "$base|runtime/os/$name|quant/checked.h")"
check "runtime/text reaches only itself and memory" "$(beyond "runtime/text/$name" "$base|runtime/text/$name|runtime/os/memory.h")"
check "runtime/model reaches only quant, arch, os and the sections of text" "$(beyond "runtime/model/$name" "$base|$kernels|runtime/(os|model)/$name|runtime/text/(tokenizer|tokenizer_section|added|added_section).h")"
check "runtime/eval reaches only quant, arch, os and model" "$(beyond "runtime/eval/$name" "$base|$kernels|runtime/(os|model|eval)/$name")"
check "runtime/sample reaches only text, memory and arithmetic" "$(beyond "runtime/sample/$name" "$base|runtime/(text|sample)/$name|runtime/os/memory.h|arch/(float_env|math).h|quant/(contract|rounding).h")"
check "runtime/grammar reaches only text, memory and checked arithmetic" "$(beyond "runtime/grammar/$name" "$base|runtime/(text|grammar)/$name|runtime/os/memory.h|quant/checked.h")"
check "runtime/session reaches no text" "$(beyond "runtime/session/$name" "$base|$kernels|runtime/(os|model|eval|sample|session)/$name")"
check "runtime reaches no face, no encoder, no tools, no converter" "$(beyond "runtime/((os|model|text|eval|sample|grammar|session)/|os/(posix|none)/)?$name" "$below")"
check "runtime/console reaches only itself, UTF-8, files and memory" "$(beyond "runtime/console/$name" "$base|runtime/console/$name|runtime/os/(os|memory).h|runtime/text/utf8(_classes)?.h|runtime/text/word_ranges.h")"
check "nothing includes runtime/serve but its commands" "$(grep -lE '"runtime/serve/' $(find quant arch runtime convert bench -name '*.[ch]') | grep -vE '^runtime/serve/|^runtime/cli/(serve|batch)[a-z_]*\.[ch]$')"
check "convert reaches no face and no measurement" "$(beyond "convert/((checkpoint|tokenizer|calibration|closed|mixed|formats)/)?$name" "$below|quant/encode/$name|arch/tools/tools.h|convert/((checkpoint|tokenizer|calibration|closed|mixed|formats)/)?$name")"
check "convert includes the table of tools, no kernel" "$(beyond "convert/((checkpoint|tokenizer|calibration|closed|mixed|formats)/)?$name" "(quant|quant/encode)/$name|runtime/.*|convert/.*|arch/tools/tools.h|arch/float_env.h" | awk -F: '$2 ~ " through " $1 "$"')"
for inner in formats: tokenizer:formats calibration: checkpoint:tokenizer,formats; do
	room=${inner%%:*}
	others=$(echo "${inner#*:}" | tr ',' '|')
	check "convert/$room reaches of convert only what it may" "$(beyond "convert/$room/$name" "(quant|arch|runtime)/.*|convert/($room|$others)/$name|convert/working.h")"
done
check "includes name their room" "$(grep -rHn --include='*.[ch]' '^#include "' quant arch runtime convert bench test | grep -vE '"(quant|arch|runtime|convert|bench|test)/')"
check "no compiler extension outside arch and portable.h" \
	"$(lines '__attribute__|__builtin_|__asm__|__typeof|immintrin|arm_neon' quant/*.[ch] runtime/*.[ch] runtime/*/*.[ch] convert/*.[ch] convert/*/*.[ch] bench/*.[ch] |
		grep -v '^runtime/portable.h')"
check "no exit, abort or assert in the library" "$(lines '(^|[^a-z_])(exit|abort|assert) ?\(' quant/*.c arch/*.c arch/*/*.c runtime/*.c runtime/os/*.c runtime/model/*.c runtime/text/*.c runtime/eval/*.c runtime/sample/*.c runtime/grammar/*.c runtime/session/*.c runtime/console/*.c convert/*.c convert/[!c]*/*.c convert/c[!l]*/*.c convert/closed/*.c)"
check "nothing prints but the faces" "$(lines '(^|[^a-z_])(v?f?printf|puts|fputs|putchar) ?\(' quant/*.c arch/*.c arch/*/*.c runtime/*.c runtime/os/*.c runtime/model/*.c runtime/text/*.c runtime/eval/*.c runtime/sample/*.c runtime/grammar/*.c runtime/session/*.c runtime/console/*.c convert/*.c convert/[!c]*/*.c convert/c[!l]*/*.c convert/closed/*.c)"
# The objects of this build whose source is still there, all read at once: a process for each takes
# longer than all that is searched here.
built=${BRISE_BUILD:-build}/obj
find "$built/quant" "$built/arch" "$built/runtime" "$built/convert" "$built/bench" -name '*.o' >"$dir/found"
while read -r object; do
	source=${object#"$built/"}
	[ ! -f "${source%.o}.c" ] || printf '%s\n' "$object"
done <"$dir/found" >"$dir/objects"
# What each needs of others, as source: name
nm -A -P -u $(cat "$dir/objects") | awk -v built="$built/" '{ source = substr($1, length(built) + 1); sub(/[.]o:$/, ".c:", source); print source, $2 }' >"$dir/needs"
for room in quant arch runtime convert runtime/cli bench; do
	holds "there are objects of $room, and nm reads them" grep -q "^$room/" "$dir/needs"
done
# A signal handler reaches nothing but static variables, so runtime/os/posix/faults.c has some.
# Writable sections only: tables of pointers that the loader relocates are read-only afterwards.
# Sanitizers add variables of their own.
nm -A -f sysv $(grep -E "^$built/(quant|arch|runtime)/" "$dir/objects" | grep -vE '/runtime/cli/|os/posix/faults\.o$') >"$dir/symbols"
holds "nm lists variables" grep -q 'OBJECT.*[.]rodata' "$dir/symbols"
check "no global variables" "$(awk -F'|' '$4 ~ /OBJECT/ && $7 ~ /^[.*](data|bss|COM)/ && $7 !~ /^[.]data[.]rel[.]ro/ { split($1, place, ":"); if (place[2] !~ /san|ubsan/) print $1 }' "$dir/symbols")"
# What asks the system. arch/cpu.c asks for AMX's registers and for arm64's capabilities; a JSON
# text is written to a stream of the caller's.
system='f?open(at)?(64)?|f(read|close|gets|seeko?|tello?)|p?(read|write)(64)?|close|mmap(64)?|munmap|madvise|l?stat(64)?|fstat(at)?(64)?|(open|read|close)dir|pthread_[a-z_]*|sched_[a-z]*|clock_gettime|gettimeofday|nanosleep|getenv|sysconf|getpid|sigaction|signal|unlink|rename|mkdir|realpath|malloc|calloc|realloc|free|strdup|aligned_alloc|posix_memalign|fsync|ftruncate(64)?|flock|posix_fallocate(64)?|fcntl(64)?|access|read(link|v)|link|rmdir|f?ch(mod|own)|msync|isatty|ioctl|poll|v?fork|exec[lv]p?e?|waitpid|_exit|pipe2?|dup[23]?|fdopen|freopen(64)?|_*getdelim|getline|time|system|popen|strndup|v?asprintf|reallocarray|p?select|sigprocmask|raise|kill|tc[gs]etattr|tcgetpgrp|getpgrp|atexit|socket(pair)?|bind|listen|accept4?|connect|recv(from|msg)?|send(to|msg)?|shutdown|[gs]etsockopt|getsockname|getpeername|getaddrinfo'
asking() { # names, sources, sources that are left out
	grep -E "^($2): ($1)\$" "$dir/needs" | grep -vE "^(${3:-no source})"
}
library='(quant|arch|runtime)/.*'
check "only runtime/os asks the system" "$(asking "$system" "$library" 'runtime/(os|cli)/')"
check "only runtime/os/posix asks for more than memory" "$(asking "$(echo "$system" | sed 's/|malloc|calloc|realloc|free//')" 'runtime/os/[a-z]*\.c')"
# The converter asks for nothing. The faces read and write streams, pipes among them, and what else
# they ask the system for is theirs alone: the environment, the terminal with its signals and the
# clock on the wall. getline allocates with libc's heap. bench measures in processes of their own
# (model.c) and reads Linux's tables of pages (pages.c).
check "convert asks the system for nothing" "$(asking "$system" 'convert/.*')"
own='runtime/cli/(engine|places|serve_listen).c: getenv
runtime/cli/serve.c: read
runtime/cli/device.c: (getenv|isatty|ioctl|read|write|pselect|poll|sigaction|sigprocmask|raise|kill|tc[gs]etattr|tcgetpgrp|getpgrp|atexit)
runtime/cli/stream.c: (open(64)?|f?stat(64)?|fcntl(64)?|poll|read|isatty|fdopen|close)
runtime/cli/terminal.c: (signal|sigaction|isatty|ioctl|open(64)?|write|close|pipe2?|fcntl(64)?|_exit)
runtime/cli/batch.c: poll
runtime/cli/(run|tokenize).c: isatty
runtime/cli/commands.c: poll
runtime/cli/tokenize.c: (_*getdelim|getline|free|fclose)
runtime/cli/result_file.c: (fopen(64)?|fdopen|dup|close|fclose)
bench/model.c: (fork|execv|pipe2?|dup2|poll|read|write|close|waitpid|fcntl(64)?|_exit)
bench/quality/draw.c: fgets
bench/pages.c: (fopen(64)?|fgets|fread|fseeko(64)?|fclose)'
check "faces and bench ask for what is theirs alone" "$(asking "$system" '(runtime/cli|bench)/.*' | grep -vxE "$(echo "$own" | paste -s -d '|' -)")"
check "the library reads no environment" "$(asking getenv "$library" runtime/cli/)"
check "the library holds no encoder, no converter, no console and no tools" "$(nm "${BRISE_BUILD:-build}/libbrise.a" | grep -E ' T (book_encode|q8_encode|f16_encode|book_search|encoder_|convert_|checkpoint_|calibrat|export_|editor_|gguf_|safetensors_|arch_find_tools)')"
check "no libm transcendental on the path to logits" "$(asking 'expf?|exp2f?|expm1f?|logf?|log2f?|log10f?|log1pf?|powf?|sinf?|cosf?|sincosf?|tanf?|tanhf?|fmaf?' "$library" runtime/cli/)"
report rooms
