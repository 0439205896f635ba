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
ROOMS := base net imap pop3 smtp mail parser store query sync http template handlers
NEEDS_base :=
NEEDS_net := base
NEEDS_imap := net base
NEEDS_pop3 := net base
NEEDS_smtp := net base
NEEDS_mail := base
NEEDS_parser := mail base
NEEDS_store := base
NEEDS_query := mail store base
NEEDS_sync := imap pop3 smtp net parser query mail store base
NEEDS_http := base
NEEDS_template := base
NEEDS_handlers := http template query store parser mail base

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
	@bad=; for test in $(UNIT_BIN); do echo "== $$test"; \
	    CMOCKA_MESSAGE_OUTPUT=STDOUT $$test || bad="$$bad $$test"; done; \
	    [ -z "$$bad" ] || { echo "failed:$$bad"; exit 1; }

# --- fuzzing: tests/fuzz/fuzz_<room>_<what>.c, seeds in tests/fuzz/seeds/<room>_<what>/ ------------
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,build/fuzz/bin/%,$(FUZZ_SRC))
FUZZ_SECONDS ?= 10
FUZZ_SEED ?= 0# of libFuzzer's dice; 0: other ones each time, and what was found is kept
FUZZ_RUNS ?= 8000# inputs of each harness when the dice are given
build/fuzz/bin/%: $(BUILD)/tests/fuzz/%.o $$(call room_archive,$$(call room_of,$$*)) \
                 $$(foreach r,$$(NEEDS_$$(call room_of,$$*)),$$(call room_archive,$$(r)))
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_BIN)
fuzz:
	$(MAKE) CC=clang FUZZ=1 fuzz-build
	@for harness in $(FUZZ_BIN); do name=$${harness##*/fuzz_}; found=build/fuzz/corpus/$$name; given=; \
	    if [ $(FUZZ_SEED) != 0 ]; then found=build/fuzz/given/$$name; rm -rf $$found; \
	        given="-runs=$(FUZZ_RUNS) -reload=0 -use_cmp=0"; fi; \
	    mkdir -p $$found tests/fuzz/seeds/$$name; \
	    echo "== $$name ($(FUZZ_SECONDS) s$${given:+, $(FUZZ_RUNS) runs})"; \
	    $$harness -seed=$(FUZZ_SEED) $$given -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	        -print_final_stats=0 -verbosity=0 -artifact_prefix=build/fuzz/$$name- $$found tests/fuzz/seeds/$$name || exit 1; done

# --- benches (tests/bench/README.md): the floor beside us, and one room on its own -------------------
$(BUILD)/bench/floor: tests/bench/floor.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< -lmicrohttpd -ljansson -lpq
$(BUILD)/bench/bench_store: $(BUILD)/tests/bench/bench_store.o $(call room_archive,store) $(call room_archive,base)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(call room_archive,store) $(call room_archive,base) $(PKG_LIBS) -lcmocka
$(BUILD)/bench/bench_html: $(BUILD)/tests/bench/bench_html.o $(call room_archive,mail) $(call room_archive,base)
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
$(BUILD)/bench/bench_search: $(BUILD)/tests/bench/bench_search.o $(call room_archive,store) $(call room_archive,mail) \
                             $(call room_archive,base)
	@mkdir -p $(@D)
	@echo "LINK $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lcmocka -lm
.PHONY: bench-store
bench-store: $(BUILD)/bench/bench_store
	$<

# --- running -------------------------------------------------------------------------------------
# Sub-makes, because what `deps` installs decides the flags that this make has read already.
.PHONY: deps deps-test deps-bench demo run
CORES := $(shell nproc)
deps:
	@.ci/deps run
deps-test:
	@.ci/deps test
deps-bench:
	@.ci/deps bench

demo: deps
	@$(MAKE) --no-print-directory -j$(CORES) all
	@exec python3 tests/mailserver/demo.py $(DEMO)

# The service alone, with sql/, templates/ and static/ read from this checkout.
run: all
	RESTANTE_STATE_DIRECTORY=$${RESTANTE_STATE_DIRECTORY:-$(CURDIR)/build/state} \
	    exec $(BUILD)/restante serve --assets $(CURDIR)

# --- testing ---------------------------------------------------------------------------------------
# most of the time they wait for servers, so more of them run at once than there are cores
PYTEST ?= /usr/bin/python3 -m pytest -p no:cacheprovider -n 4 --dist loadfile -rs
.PHONY: test integration memory bench
# Everything under AddressSanitizer and UBSan, and the unit tests once more as released.
test: deps-test
	@$(MAKE) --no-print-directory -j$(CORES) unit
	@$(MAKE) --no-print-directory -j$(CORES) SAN=1 unit all
	@$(MAKE) --no-print-directory SAN=1 integration
	@$(MAKE) --no-print-directory -j$(CORES) all
	@$(MAKE) --no-print-directory memory
	@echo "All tests passed. Next: make lint"

integration: $(BUILD)/restante
	RESTANTE_BIN=$(CURDIR)/$< $(PYTEST) -q $(wildcard tests/integration tests/browser)
# What holds of memory cannot be measured under AddressSanitizer: these once more as released.
memory: $(BUILD)/restante
	RESTANTE_BIN=$(CURDIR)/$< $(PYTEST) -q -k memory tests/integration

# What threads share: a report of ThreadSanitizer fails it. The service's own processes change their
# user, so reports go where each may write.
TSAN_UNIT := net_stream sync_hosts sync_lanes http_doors parser_pool store_leases
TSAN_TESTS := test_events test_whole_messages test_hosts test_restored test_round_trips
.PHONY: tsan tsan-run
tsan:
	@$(MAKE) --no-print-directory -j$(CORES) TSAN=1 tsan-run
tsan-run: $(TSAN_UNIT:%=$(BUILD)/unit/test_%) $(BUILD)/restante
	@reports=$$(mktemp -d); chmod 777 $$reports; trap "rm -rf $$reports" EXIT; \
	    export TSAN_OPTIONS="log_path=$$reports/race" RESTANTE_BIN=$(CURDIR)/$(BUILD)/restante; \
	    for test in $(TSAN_UNIT:%=$(BUILD)/unit/test_%); do echo "== $$test"; \
	        CMOCKA_MESSAGE_OUTPUT=STDOUT $$test; done; \
	    $(PYTEST) -q $(TSAN_TESTS:%=tests/integration/%.py); \
	    if cat $$reports/race.* 2>/dev/null; then echo "ThreadSanitizer found races"; exit 1; fi; \
	    echo "ThreadSanitizer found nothing"

bench: deps-bench
	@$(MAKE) --no-print-directory all $(BUILD)/bench/floor $(BUILD)/bench/bench_html $(BUILD)/bench/bench_search
	RESTANTE_BIN=$(CURDIR)/$(BUILD)/restante tests/bench/run $(BENCH)

# --- linting -----------------------------------------------------------------------------------------
C_FILES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
.PHONY: lint lint-format lint-includes lint-cppcheck lint-tidy
lint: lint-format lint-includes lint-cppcheck lint-tidy
	@echo "Lint is clean. Next: make test"
lint-format:
	@clang-format --dry-run -Werror $(C_FILES) && echo "layout is right"
lint-includes: $(BUILD)/restante
	@.ci/includes $(BUILD)/server $(filter-out -MMD -MP,$(COMMON))
# cppcheck reads no system headers, and has to be told of the loops among their macros
CPPCHECK_LOOPS := -D'json_array_foreach(a,i,v)=for (i = 0; (v = json_array_get(a, i)); i++)' \
                  -D'json_object_foreach(o,k,v)=for (k = ""; (v = json_object_get(o, k));)'
lint-cppcheck:
	@cppcheck -q -j2 --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
	    --suppressions-list=.ci/cppcheck-suppressions -D__GNUC__ -D__cppcheck__ $(CPPCHECK_LOOPS) -I. --library=posix server handlers
	@echo "cppcheck found nothing"
# one result a file, so that only what changed is looked at again
TIDY_OK := $(patsubst %.c,build/tidy/%.ok,$(ALL_SRC))
build/tidy/%.ok: %.c .clang-tidy
	@mkdir -p $(@D)
	@echo "TIDY $<"
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(filter-out -MMD -MP -W%,$(COMMON)) 2>$@.log || { grep -v 'warnings generated' $@.log; exit 1; }
	@touch $@
lint-tidy:
	@$(MAKE) --no-print-directory -j2 CC=clang $(TIDY_OK)
	@echo "clang-tidy found nothing"

# --- installing ----------------------------------------------------------------------------------------
PREFIX ?= /usr/local
.PHONY: install
install: $(BUILD)/restante
	install -D -m 755 $(BUILD)/restante $(DESTDIR)$(PREFIX)/bin/restante
	install -d $(DESTDIR)$(PREFIX)/share/doc/restante
	$(BUILD)/restante config --example > $(DESTDIR)$(PREFIX)/share/doc/restante/restante.conf
	@for unit in .ci/systemd/*; do install -D -m 644 $$unit $(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}; done

.PHONY: clean help
clean:
	rm -rf build

help:
	@sed -n 's/^## //p' Makefile

## make            build build/release/restante
## make SAN=1      build with AddressSanitizer and UBSan into build/san (TSAN=1, CC=clang alike)
## make deps       install the Debian packages that are missing (deps-test: for tests and linters too)
## make demo       install, build, and run everything with sample mail; prints address and sign-ins
## make run        run the service of this checkout, assets read from disk
## make test       all tests: unit, integration with real servers, browser
## make unit       the unit tests alone (SAN=1, TSAN=1, CC=clang alike)
## make tsan       what threads share, under ThreadSanitizer: some unit and integration tests
## make fuzz       every fuzz harness for FUZZ_SECONDS (10) each
## make bench      measure beside the least it could cost, and beside mbsync and mpop
## make lint       layout, include rules, cppcheck, clang-tidy
## make install    binary, example configuration, systemd units (DESTDIR=, PREFIX=/usr/local)
## make clean      remove build/

-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(wildcard tests/bench/*.c))
