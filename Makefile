# lmtext: `make`, `make install`. `make engine` makes liblm.a, the engine alone, which needs no
# PostgreSQL; `make dist` an archive of what is committed. Extra compiler flags: EXTRA_CFLAGS (both),
# COPT (the extension).

EXTENSION = lmtext
MODULE_big = lmtext
LMTEXT_VERSION = 0.4.0
LMTEXT_BEFORE = 0.3.0

ENGINE_SOURCES := $(sort $(wildcard src/engine/*/*.c src/engine/*/*/*.c))
PG_SOURCES := $(sort $(wildcard src/pg/*.c src/pg/*/*.c))
ENGINE_OBJECTS := $(ENGINE_SOURCES:.c=.o)
OBJS = $(ENGINE_OBJECTS) $(PG_SOURCES:.c=.o)

# The update from the version before is what sql/upgrade changes in old chapters, then the chapters that are new as a whole.
UPDATE = lmtext--$(LMTEXT_BEFORE)--$(LMTEXT_VERSION).sql
NEW_CHAPTERS := $(sort $(wildcard sql/install/[678]?-*.sql))
DATA_built = lmtext--$(LMTEXT_VERSION).sql $(UPDATE)
DATA = $(filter-out sql/upgrade/$(UPDATE),$(sort $(wildcard sql/upgrade/*.sql)))
DEPENDENCIES := $(OBJS:.o=.d)
EXTRA_CLEAN = $(DATA_built) liblm.a $(DEPENDENCIES)

include src/engine/kernels/openblas.mk

# The default build is portable; faster instructions are chosen at run time (engine/kernels).
# No contraction to FMA behind our back: the same bits at every optimisation level.
WARNINGS = -Wall -Wextra -Werror -Wno-unused-parameter
ENGINE_CFLAGS = -std=gnu11 -O2 -g $(WARNINGS) -ffp-contract=off -fno-math-errno \
	-fvisibility=hidden -fPIC -Isrc/engine

PG_CPPFLAGS = -Isrc -Isrc/engine -DLMTEXT_VERSION='"$(LMTEXT_VERSION)"' \
	-DPGDLLEXPORT='__attribute__((visibility("default")))'
PG_CFLAGS = -std=gnu11 $(WARNINGS) -Wno-missing-field-initializers -Wno-sign-compare \
	-Wno-declaration-after-statement -fvisibility=hidden -MMD -MP $(EXTRA_CFLAGS)
ifneq ($(LMTEXT_DEBUG),)
# Failures on purpose (pg/glue/fault.h), for the tests of faults only. The engine is the same.
PG_CPPFLAGS += -DLMTEXT_DEBUG
endif
SHLIB_LINK = $(BLAS_LINK) -Wl,--exclude-libs,ALL -Wl,--version-script=src/pg/exports.map -lm

ifneq ($(findstring clang,$(CC)),)
# PostgreSQL 15's headers set attributes that clang does not know.
PG_CFLAGS += -Wno-ignored-attributes
endif

ifneq ($(filter engine dist,$(MAKECMDGOALS)),)
.PHONY: engine dist
engine: liblm.a

# For PGXN, whose rules META.json follows.
dist:
	git archive --format=zip --prefix=lmtext-$(LMTEXT_VERSION)/ -o lmtext-$(LMTEXT_VERSION).zip HEAD
else
PG_CONFIG ?= pg_config
# Bitcode for inlining by JIT would compile every kernel a second time, with other flags.
override with_llvm = no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
# The library is installed without what only debuggers read; INSTALL_STRIP=no keeps it.
ifneq ($(INSTALL_STRIP),no)
INSTALL_STRIP_FLAG = -s
endif
# Flags that PostgreSQL was built with and that this compiler may not know.
override CFLAGS := $(filter-out -Wmissing-variable-declarations -Wimplicit-fallthrough=% \
	-Wno-format-truncation -Wno-stringop-truncation -Wcast-function-type \
	-Wno-cast-function-type-strict -fexcess-precision=standard,$(CFLAGS))
endif

$(ENGINE_OBJECTS): %.o: %.c
	$(CC) $(ENGINE_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<
-include $(wildcard $(DEPENDENCIES))

lmtext.so: src/engine/kernels/openblas.ld src/engine/kernels/openblas.mk src/pg/exports.map

liblm.a: $(ENGINE_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^

lmtext--$(LMTEXT_VERSION).sql: $(sort $(wildcard sql/install/*.sql))
	cat $^ > $@

$(UPDATE): sql/upgrade/$(UPDATE) $(NEW_CHAPTERS)
	cat $^ > $@
