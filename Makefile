# make            build/brise and build/libbrise.a
# make demo       converts test/models/breeze to 4 bits and lets it write
# make test       all tests that need a compiler only
# make bench      speed of this machine's kernels against its limits
# make quality    what each type loses on test/models/breeze, as a table and a picture; TEXT=FILE: on that text
# make install    to $(DESTDIR)$(PREFIX)
#
# make BUILD=debug|asan|tsan   the same into build/debug and so on, or into OUT; CC, CFLAGS, LDFLAGS as usual; WERROR= keeps warnings warnings, V=1 shows commands

BUILD   ?= release
PREFIX  ?= /usr/local
WERROR  ?= -Werror
AR      ?= ar

OUT     ?= $(if $(filter release,$(BUILD)),build,build/$(BUILD))

out := $(OUT)

CFLAGS_release := -O3 -DNDEBUG
CFLAGS_debug   := -O0 -g
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan    := -O1 -g -fsanitize=thread
ifeq ($(origin CFLAGS_$(BUILD)),undefined)
$(error BUILD=$(BUILD) is not one of release, debug, asan, tsan)
endif
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread

CFLAGS ?= $(CFLAGS_$(BUILD))
machine := $(shell $(CC) $(CFLAGS) -dumpmachine 2>/dev/null)
warnings := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wvla -Wundef -Wwrite-strings -Wno-pass-failed $(WERROR)
# Separately rounded multiply and add are part of the numeric contract (quant/FORMAT.md, arch/kernels.h).
contract := -std=c11 -ffp-contract=off -fno-fast-math
# The 387 keeps more bits than the contract has: 32-bit x86 needs SSE2.
contract += $(if $(filter i386-% i486-% i586-% i686-%,$(machine)),-msse2 -mfpmath=sse)
flags := $(contract) -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(warnings) $(CFLAGS)
links := $(LDFLAGS_$(BUILD)) $(LDFLAGS)
libs  := -lm -lpthread

# x86, arm, or the processor's own name where arch/ has a folder of that name
family  := $(if $(filter x86_64-%,$(machine)),x86,$(if $(filter aarch64-% arm64-%,$(machine)),arm,$(notdir $(wildcard arch/$(filter-out arm,$(firstword $(subst -, ,$(machine))))))))

rooms := os model text eval sample
lib_sources := $(wildcard quant/*.c arch/*.c runtime/*.c $(rooms:%=runtime/%/*.c)) $(if $(family),$(wildcard arch/$(family)/*.c))
app_sources := $(wildcard quant/encode/*.c runtime/cli/*.c convert/*.c convert/*/*.c bench/*.c bench/cli/*.c)
test_sources := $(wildcard test/test_*.c) test/print_rows.c test/decode_blocks.c

objects = $(patsubst %.c,$(out)/obj/%.o,$(1))
lib_objects := $(call objects,$(lib_sources))
app_objects := $(call objects,$(app_sources))
main_object := $(out)/obj/runtime/cli/main.o
tests := $(patsubst test/%.c,$(out)/test/%,$(test_sources))

all: $(out)/brise $(out)/libbrise.a

# A kernel set says in its opening comment with which flags it is built; its object is the only one
# built with them. What the compiler does not know is left out, and the set with it.
sets := $(if $(family),$(wildcard arch/$(family)/*.c))
wishes = $(shell sed -n '1,9s/.*build with: //p' $(1))
known = $(shell $(CC) $(CFLAGS) $(1) -fsyntax-only -x c /dev/null 2>/dev/null && echo $(1))
$(foreach set,$(sets),$(eval $(call objects,$(set)): flags += $(call known,$(call wishes,$(set)))))

# Each step in one word; V=1 shows the commands.
run = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$@' && )

$(out)/libbrise.a: $(lib_objects)
	$(call run,ar)$(AR) rcs $@ $^

$(out)/brise: $(app_objects) $(out)/libbrise.a
	$(call run,link)$(CC) $(CFLAGS) $(links) -o $@ $(app_objects) $(out)/libbrise.a $(libs)

# Objects follow a change of compiler or flags, not only of sources.
settings := $(CC) $(flags) $(links)
$(out)/obj/settings: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(settings)' | cmp -s - $@ || printf '%s\n' '$(settings)' > $@

$(out)/obj/%.o: %.c $(out)/obj/settings
	@mkdir -p $(@D)
	$(call run,cc)$(CC) $(flags) -MMD -MP -c -o $@ $<

$(out)/test/%: $(out)/obj/test/%.o $(filter-out $(main_object),$(app_objects)) $(out)/libbrise.a
	@mkdir -p $(@D)
	$(call run,link)$(CC) $(CFLAGS) $(links) -o $@ $^ $(libs)

test: all $(tests)
	@sh test/run.sh $(out)

demo: $(out)/brise
	@sh test/demo.sh $(out)

bench: $(out)/brise
	$(out)/brise bench --kernels

$(out)/draw_quality: $(call objects,bench/quality/draw.c bench/chart.c)
	$(call run,link)$(CC) $(CFLAGS) $(links) -o $@ $^ $(libs)

quality: $(out)/brise $(out)/draw_quality
	@sh bench/quality/run.sh $(out) '$(TEXT)'

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/include
	install -m 755 $(out)/brise $(DESTDIR)$(PREFIX)/bin/brise
	install -m 644 $(out)/libbrise.a $(DESTDIR)$(PREFIX)/lib/libbrise.a
	install -m 644 runtime/brise.h $(DESTDIR)$(PREFIX)/include/brise.h

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/brise $(DESTDIR)$(PREFIX)/lib/libbrise.a $(DESTDIR)$(PREFIX)/include/brise.h

clean:
	rm -rf build

force:
.PHONY: all test demo bench quality install uninstall clean force
.SECONDARY:

-include $(patsubst %.o,%.d,$(lib_objects) $(app_objects) $(call objects,$(test_sources) bench/quality/draw.c))
