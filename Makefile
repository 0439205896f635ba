# Restante. `make help` lists what can be made; `make demo` and `make test` are the two to know.
.DEFAULT_GOAL := all
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# make V=1 shows the whole commands
Q := $(if $(V),,@)

# --- flavours: make (release), make SAN=1 (ASan + UBSan), make TSAN=1, CC=clang --------------------
CC := gcc
FLAVOR := release
ifdef SAN
FLAVOR := san
endif
ifdef TSAN
FLAVOR := tsan
endif
ifneq ($(findstring clang,$(CC)),)
FLAVOR := $(FLAVOR)-clang
endif
BUILD ?= build/$(FLAVOR)

# --- libraries ---------------------------------------------------------------------------------
PKGS := libmicrohttpd openssl jansson libpq gmime-3.0 libical libsodium libgsasl \
        libcurl icu-uc icu-i18n libidn2 zlib libzstd libconfuse libseccomp libcares
# gumbo has no problem with pkg-config; libfcgi ships none
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) gumbo 2>/dev/null | sed 's/-I/-isystem /g')
PKG_LIBS := $(shell pkg-config --libs $(PKGS) gumbo 2>/dev/null) -lfcgi -lm -lpthread

WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wvla -Werror
# clang 14 wants its own word for what gcc 12 simply does
AUTO_INIT := -ftrivial-auto-var-init=zero
ifneq ($(findstring clang,$(CC)),)
AUTO_INIT += -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
endif
COMMON := -std=gnu17 -D_GNU_SOURCE -g -I. -MMD -MP $(WARN) $(PKG_CFLAGS) -fno-strict-aliasing \
          -fPIE -fstack-protector-strong $(AUTO_INIT)
HARDEN := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection -fcf-protection
LINK := -pie -Wl,-z,relro,-z,now
ifdef SAN
HARDEN := -O1 -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all
LINK += -fsanitize=address,undefined
endif
ifdef TSAN
HARDEN := -O1 -fsanitize=thread -fno-omit-frame-pointer
LINK += -fsanitize=thread
endif
ifdef FUZZ
HARDEN := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DRESTANTE_FUZZ
LINK += -fsanitize=address,undefined
BUILD := build/fuzz
endif
CFLAGS_ALL := $(COMMON) $(HARDEN) $(CFLAGS)
LDFLAGS_ALL := $(LINK) $(LDFLAGS)

# --- rooms: each becomes an archive; a unit test is linked with just the rooms its own may use,
# so that the include rules of server/README.md hold at link time too ---------------------------
ROOMS := base net imap pop3 smtp mail parser store sync http template handlers
NEEDS_base :=
NEEDS_net := base
NEEDS_imap := net base
NEEDS_pop3 := net base
NEEDS_smtp := net base
NEEDS_mail := base
NEEDS_parser := mail base
NEEDS_store := base
NEEDS_sync := imap pop3 smtp net parser mail store base
NEEDS_http := base
NEEDS_template := base
NEEDS_handlers := http template store parser mail base

sources = $(sort $(if $(filter handlers,$(1)),$(wildcard handlers/*.c handlers/*/*.c),$(wildcard server/$(1)/*.c)))
MAIN_SRC := $(sort $(wildcard server/*.c))
ALL_SRC := $(foreach r,$(ROOMS),$(call sources,$(r))) $(MAIN_SRC)
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
room_archive = $(BUILD)/lib$(1).a

ASSETS := $(sort $(wildcard sql/*/*.sql templates/*.mustache templates/*/*.mustache) \
          $(shell find static -type f ! -name README.md 2>/dev/null))

.PHONY: all
all: $(BUILD)/restante

$(BUILD)/restante: $(call objects,$(ALL_SRC)) $(BUILD)/assets.o
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# Rebuilds everything when the compiler or its flags change.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL)' | cmp -s - $@ || echo '$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL)' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@

$(BUILD)/assets.list: FORCE
	@mkdir -p $(@D)
	@echo '$(ASSETS)' | cmp -s - $@ || echo '$(ASSETS)' > $@
$(BUILD)/assets.o: server/base/embed.sh $(BUILD)/assets.list $(ASSETS)
	@echo "EMBED $(words $(ASSETS)) files"
	$(Q)server/base/embed.sh $(ASSETS) > $(BUILD)/assets.s
	$(Q)$(CC) -c $(BUILD)/assets.s -o $@

define room_rule
$(call room_archive,$(1)): $(call objects,$(call sources,$(1))) $(if $(filter base,$(1)),$(BUILD)/assets.o)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rule,$(r))))

# --- unit tests: tests/unit/test_<room>_<what>.c ---------------------------------------------------
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
room_of = $(word 2,$(subst _, ,$(1)))
.PRECIOUS: $(BUILD)/tests/unit/%.o $(BUILD)/tests/fuzz/%.o
.SECONDEXPANSION:
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $$(call room_archive,$$(call room_of,$$*)) \
                 $$(foreach r,$$(NEEDS_$$(call room_of,$$*)),$$(call room_archive,$$(r)))
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lcmocka

.PHONY: unit
unit: $(UNIT_BIN)
	@for test in $(UNIT_BIN); do echo "== $$test"; CMOCKA_MESSAGE_OUTPUT=STDOUT $$test || exit 1; done

# --- fuzzing: tests/fuzz/fuzz_<room>_<what>.c, seeds in tests/fuzz/seeds/<room>_<what>/ ------------
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,build/fuzz/bin/%,$(FUZZ_SRC))
FUZZ_SECONDS ?= 10
build/fuzz/bin/%: $(BUILD)/tests/fuzz/%.o $$(call room_archive,$$(call room_of,$$*)) \
                 $$(foreach r,$$(NEEDS_$$(call room_of,$$*)),$$(call room_archive,$$(r)))
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_BIN)
fuzz:
	$(MAKE) CC=clang FUZZ=1 fuzz-build
	@for harness in $(FUZZ_BIN); do name=$${harness##*/fuzz_}; \
	    mkdir -p build/fuzz/corpus/$$name tests/fuzz/seeds/$$name; \
	    echo "== $$name ($(FUZZ_SECONDS) s)"; \
	    $$harness -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
	        -artifact_prefix=build/fuzz/$$name- build/fuzz/corpus/$$name tests/fuzz/seeds/$$name || exit 1; done

# --- benches of one room, on their own (tests/bench/README.md) ---------------------------------------
$(BUILD)/bench/bench_store: $(BUILD)/tests/bench/bench_store.o $(call room_archive,store) $(call room_archive,base)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(call room_archive,store) $(call room_archive,base) $(PKG_LIBS) -lcmocka
.PHONY: bench-store
bench-store: $(BUILD)/bench/bench_store
	$<

.PHONY: clean
clean:
	rm -rf build

-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SRC) $(UNIT_SRC) $(FUZZ_SRC))
