# make            build/brise and build/libbrise.a
# make demo       converts test/models/breeze to 4 bits and generates text
# make test       all tests that need a compiler only (make check is the same)
# make bench      speed of this machine's kernels against its limits
# make quality    what each type loses on test/models/breeze, as a table and a picture;
#                 TEXT=FILE: on that text; TOKENS=N: calibrated on so many tokens
# make firmware   build/firmware/libbrise.a: the runtime for a board without an operating system
#                 (runtime/FIRMWARE.md); CC=aarch64-none-elf-gcc or the like; BOARD=FILE: with
#                 threads and clock from there
# make install    to $(DESTDIR)$(prefix): bindir, libdir and includedir may be set one by one
#
# make BUILD=debug|asan|tsan   the same into build/debug and so on, or into OUT; V=1 shows commands
# CC, CPPFLAGS, CFLAGS, LDFLAGS, LDLIBS as usual: CFLAGS are added, and the build's own -O goes
# where they name one. WERROR=-Werror makes warnings errors.

BUILD ?= release
AR    ?= ar
SYSTEM ?= posix
BOARD  ?= runtime/os/none/board.c

PREFIX        ?= /usr/local
prefix        ?= $(PREFIX)
exec_prefix   ?= $(prefix)
bindir        ?= $(exec_prefix)/bin
libdir        ?= $(exec_prefix)/lib
includedir    ?= $(prefix)/include
pkgconfigdir  ?= $(libdir)/pkgconfig
# Most shells leave the ~ of PREFIX=~/.local as it is.
$(foreach d,prefix exec_prefix bindir libdir includedir pkgconfigdir,$(eval override $(d) := $$(patsubst ~/%,$$(HOME)/%,$$($(d)))))
INSTALL         ?= install
INSTALL_PROGRAM ?= $(INSTALL) -m 755
INSTALL_DATA    ?= $(INSTALL) -m 644

OUT ?= $(if $(filter release,$(BUILD)),build,build/$(BUILD))
out := $(OUT)
# What make or a shell would take apart; a folder of the sources may be called anything.
ifneq ($(origin OUT),file)
hash := \#
special := : % = \ $(hash) $$ ' " ` ; & | ( ) < > * ? [ ]
ifneq ($(if $(value OUT),$(words x$(value OUT)x)$(foreach c,$(special),$(findstring $(c),$(value OUT)))),1$(foreach c,$(special),))
$(error OUT='$(value OUT)' cannot be built in: expected a name without spaces and $(special))
endif
endif

level_release := -O3
level_debug   := -O0
level_asan    := -O2
level_tsan    := -O2
build_release :=
build_debug   := -g
build_asan    := -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
build_tsan    := -g -fsanitize=thread
ifeq ($(origin build_$(BUILD)),undefined)
$(error BUILD=$(BUILD) is not one of release, debug, asan, tsan)
endif

# -Ofast is -O3 -ffast-math; a program that is linked with it starts in flush-to-zero mode, whatever
# follows.
user_cflags := $(patsubst -Ofast,-O3,$(CFLAGS))
level := $(if $(filter -O%,$(user_cflags)),,$(level_$(BUILD)))
machine := $(shell $(CC) $(CFLAGS) -dumpmachine 2>/dev/null)
# Flags as they are, if the compiler takes them with others; otherwise none.
known = $(shell echo 'typedef int known;' | $(CC) $(2) $(1) -fsyntax-only -x c - 2>/dev/null && echo '$(1)')

warnings := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wvla -Wundef -Wwrite-strings -Wno-pass-failed -Wno-unsupported-floating-point-opt $(WERROR)
# The numeric contract (quant/FORMAT.md, arch/kernels.h): multiply and add are rounded separately,
# and floats follow IEEE 754. It comes after CFLAGS, and undoes every part of -ffast-math by its own
# name: -fno-fast-math does not undo parts that were given one by one.
contract := -std=c11 -ffp-contract=off -fno-fast-math -fno-unsafe-math-optimizations -fno-finite-math-only -fno-associative-math -fno-reciprocal-math \
            -fsigned-zeros $(foreach f,-fexcess-precision=standard -fno-single-precision-constant -fno-approx-func,$(call known,$f,-Werror))
# The 387 keeps more bits than the contract has: x86 needs SSE2, which 64 bits have.
contract += $(if $(filter x86_64-% i386-% i486-% i586-% i686-%,$(machine)),-msse2 -mfpmath=sse)
defines  := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
# Without a system: registers instead of system calls, and names that are functions of this project.
none_flags := $(if $(filter none,$(SYSTEM)),-DNO_SYSTEM $(addprefix -fno-builtin-,snprintf vsnprintf strchr bcmp) \
              $(call known,-mno-outline-atomics,-Werror))
flags := $(defines) $(none_flags) $(CPPFLAGS) $(warnings) $(level) $(build_$(BUILD)) $(user_cflags) $(contract)
link  := $(level) $(filter -fsanitize=%,$(build_$(BUILD))) $(user_cflags) $(contract) $(LDFLAGS)
libs  := $(LDLIBS) -lm -lpthread

# x86, arm, or the processor's own name where arch/ has a folder of that name
family  := $(if $(filter x86_64-%,$(machine)),x86,$(if $(filter aarch64-% arm64-%,$(machine)),arm,$(notdir $(wildcard arch/$(filter-out arm,$(firstword $(subst -, ,$(machine))))))))

rooms := os model text eval sample grammar session
# What has no use without files, what runtime/os/none has its own of, and what only the faces use.
system_sources := $(addprefix runtime/,error_errno.c $(addprefix model/,limit.c storage.c stream.c) $(addprefix os/,heap.c cores.c groups.c map.c ram.c target_part.c target_place.c) \
                  $(addprefix text/,json.c json_writer.c) $(patsubst runtime/%,%,$(wildcard runtime/text/chat*.c)) generate.c drafter.c draft_index.c draft_pace.c eval/kv_image.c) \
                  $(wildcard runtime/session/*.c runtime/grammar/*.c)
# What stands in for them there.
none_sources := runtime/model/unlimited.c
# Sockets are for the program alone.
face_system := $(wildcard runtime/os/$(SYSTEM)/sockets.c)
system_files := $(filter-out runtime/os/none/board.c $(face_system),$(wildcard runtime/os/$(SYSTEM)/*.c)) $(if $(filter none,$(SYSTEM)),$(BOARD))
all_sources := $(wildcard quant/*.c arch/*.c runtime/*.c $(rooms:%=runtime/%/*.c)) $(system_files) $(if $(family),$(wildcard arch/$(family)/*.c))
lib_sources := $(if $(filter none,$(SYSTEM)),$(filter-out $(system_sources),$(all_sources)),$(filter-out $(none_sources),$(all_sources)))
app_sources := $(face_system) $(wildcard quant/encode/*.c arch/tools/*.c $(family:%=arch/tools/%/*.c) runtime/console/*.c runtime/cli/*.c runtime/serve/*.c runtime/serve/page/*.c convert/*.c convert/*/*.c bench/*.c bench/cli/*.c)
test_sources := $(wildcard test/test_*.c) $(addprefix test/,print_rows.c print_angles.c print_stream.c print_serving.c decode_blocks.c terminal_echo.c grammar_check.c)

objects = $(patsubst %.c,$(out)/obj/%.o,$(1))
lib_objects := $(call objects,$(lib_sources))
app_objects := $(call objects,$(app_sources)) $(out)/obj/page_files.o
internal := $(out)/obj/internal.a
main_object := $(out)/obj/runtime/cli/main.o
tests := $(patsubst test/%.c,$(out)/test/%,$(test_sources))

all: $(out)/brise $(out)/libbrise.a

# A kernel set says in its opening comment with which flags it is built; its object is the only one
# built with them. Flags that the compiler does not know are left out, and the set with them.
sets := $(if $(family),$(wildcard arch/$(family)/*.c arch/tools/$(family)/*.c))
set_flags = $(shell sed -n '1,9s/.*build with: //p' $(1))
$(foreach set,$(sets),$(eval $(call objects,$(set)): flags += $(call known,$(call set_flags,$(set)),$(user_cflags)) $(SET_CFLAGS)))

# A compiler must not make calls of strlen out of what is strlen.
$(call objects,runtime/os/none/strings.c): flags += -fno-builtin

# Each step in one word; V=1 shows the commands.
run = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$@' && )

# Rebuilt when its list of objects changes.
$(internal): $(lib_objects) $(out)/obj/members
	$(call run,ar)rm -f $@ && $(AR) rcs $@ $(lib_objects)

# The library for others: names that only the library's own files use get a prefix, so that none can
# collide with a name of the program. Members stay separate, so a program links only those that it
# needs. The program and tests here link the names as written.
tool = $(shell $(CC) $(CFLAGS) -print-prog-name=$(1) 2>/dev/null || echo $(1))
NM      ?= $(call tool,nm)
OBJCOPY ?= $(call tool,objcopy)
$(out)/libbrise.a: $(internal)
	@$(NM) -g -P $(internal) 2>/dev/null | awk '$$2 ~ /^[A-TV-Z]$$/ && $$1 !~ /^(brise_|__|\.)/ { print $$1, "brise_private_" $$1 }' | sort -u >$(out)/obj/names
	$(call run,names)cp $(internal) $@ && $(OBJCOPY) --redefine-syms=$(out)/obj/names $@

$(out)/obj/members: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(lib_objects)' | cmp -s - $@ || printf '%s\n' '$(lib_objects)' > $@

$(out)/brise: $(app_objects) $(internal)
	$(call run,link)$(CC) $(link) -o $@ $(app_objects) $(internal) $(libs)

# What a browser gets from brise serve: the modules as one script, and all files as a table of C.
page := runtime/serve/page
page_modules := $(addprefix $(page)/,element.js markdown.js conversation.js store.js stream.js dialogs.js messages.js side.js composer.js main.js)
page_files := $(addprefix $(out)/page/,index.html page.css page.js icon.svg)
$(out)/page/page.js: $(page_modules) $(page)/join.sh
	@mkdir -p $(@D)
	$(call run,join)sh $(page)/join.sh $(page_modules) >$@.part && mv -f $@.part $@

$(out)/page/%: $(page)/%
	@mkdir -p $(@D)
	@cp $< $@

$(out)/page_files.c: $(page_files) $(page)/embed.sh
	$(call run,embed)sh $(page)/embed.sh $(page_files) >$@.part && mv -f $@.part $@

$(out)/obj/page_files.o: $(out)/page_files.c $(page)/files.h $(out)/obj/settings
	$(call run,cc)$(CC) $(flags) -c -o $@ $<

# Objects follow a change of compiler or flags, not only of sources.
settings := '$(subst ','\'',$(CC) $(flags) $(link) $(libs))'
$(out)/obj/settings: force
	@mkdir -p $(@D)
	@printf '%s\n' $(settings) | cmp -s - $@ || printf '%s\n' $(settings) > $@

$(out)/obj/%.o: %.c $(out)/obj/settings
	@mkdir -p $(@D)
	$(call run,cc)$(CC) $(flags) -MMD -MP -c -o $@ $<

$(out)/test/%: $(out)/obj/test/%.o $(filter-out $(main_object),$(app_objects)) $(internal)
	@mkdir -p $(@D)
	$(call run,link)$(CC) $(link) -o $@ $^ $(libs)

# Tests of what answers requests define exchanges and a scheduler themselves, instead of those in
# the archive.
faces := $(out)/obj/faces.a
$(faces): $(filter-out $(main_object),$(app_objects))
	$(call run,ar)rm -f $@ && $(AR) rcs $@ $^

$(out)/test/test_api_%: $(out)/obj/test/test_api_%.o $(faces) $(internal)
	@mkdir -p $(@D)
	$(call run,link)$(CC) $(link) -o $@ $^ $(libs)

# Compiled as everything is, and linked alone: test/build_options.sh makes it with all kinds of CFLAGS.
$(out)/contract_probe: $(out)/obj/test/contract_probe.o
	$(call run,link)$(CC) $(link) -o $@ $^ $(libs)

test check: all $(tests)
	@sh test/run.sh $(out)

demo: $(out)/brise
	@sh test/demo.sh $(out)

bench: $(out)/brise
	$(out)/brise bench --kernels

$(out)/draw_quality: $(call objects,bench/quality/draw.c bench/chart.c)
	$(call run,link)$(CC) $(link) -o $@ $^ $(libs)

quality: $(out)/brise $(out)/draw_quality
	@sh bench/quality/run.sh $(out) '$(TEXT)' $(TOKENS)

# For programs built on the library:
#   cc $(pkg-config --cflags brise) program.c $(pkg-config --libs brise)
$(out)/brise.pc: runtime/brise.h force
	@printf '%s\n' 'prefix=$(prefix)' 'libdir=$(libdir)' 'includedir=$(includedir)' '' 'Name: brise' \
		'Description: quantized CPU runtime for Mistral 7B' "Version: $$(sed -n 's/^#define BRISE_VERSION "\(.*\)"/\1/p' runtime/brise.h)" \
		'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lbrise -lm -lpthread' >$@

# The same library of SYSTEM=none, small. It may need nothing of its environment but what is named
# here, and what BOARD does.
firmware_needs := memcpy memmove memset memcmp sqrt sqrtf $(BOARD_NEEDS)
# What gcc calls -Os is -Oz to clang.
small = $(if $(shell $(CC) --version 2>/dev/null | grep clang),-Oz,-Os)
firmware:
	@$(MAKE) --no-print-directory SYSTEM=none OUT='$(out)/firmware' CFLAGS='$(small) -fno-unwind-tables -fno-asynchronous-unwind-tables $(CFLAGS)' '$(out)/firmware/libbrise.a'
	@sh test/firmware/measure.sh '$(out)/firmware/libbrise.a' '$(firmware_needs)' '$(NM)'

install: all $(out)/brise.pc
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(libdir)' '$(DESTDIR)$(includedir)' '$(DESTDIR)$(pkgconfigdir)'
	$(INSTALL_PROGRAM) $(out)/brise '$(DESTDIR)$(bindir)/brise'
	$(INSTALL_DATA) $(out)/libbrise.a '$(DESTDIR)$(libdir)/libbrise.a'
	$(INSTALL_DATA) runtime/brise.h '$(DESTDIR)$(includedir)/brise.h'
	$(INSTALL_DATA) $(out)/brise.pc '$(DESTDIR)$(pkgconfigdir)/brise.pc'

uninstall:
	rm -f '$(DESTDIR)$(bindir)/brise' '$(DESTDIR)$(libdir)/libbrise.a' '$(DESTDIR)$(includedir)/brise.h' '$(DESTDIR)$(pkgconfigdir)/brise.pc'

clean:
	rm -rf build

force:
.PHONY: all test check demo bench quality firmware install uninstall clean force
.SECONDARY:

-include $(patsubst %.o,%.d,$(lib_objects) $(app_objects) $(call objects,$(test_sources) bench/quality/draw.c))
