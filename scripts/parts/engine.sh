# engine.sh - parts that need no server: lint, the engine's tests, kernels, symbols, the other compiler.

# ---- What is built once for all ----

# The engine, in a folder that has nothing else: the proof that it needs nothing else, and the objects of every library
# that is linked after it, which are copied into the checkout.
step engine "" build_engine
step library "engine" build_library
step unit-programs "engine" build_units all
step kernel-programs "engine" build_units kernels
step sanitized-programs "" build_sanitized
step model "" fetch_model

fetch_model() {
    sh models/fetch.sh minilm >"$LOGS/model.log"
}

build_engine() {
    [ -z "${LMTEXT_BUILT:-}" ] || return 0
    check engine-alone sh scripts/check-engine
    (cd "$BUILD/engine-alone" && find src liblm.a -name '*.[oda]' | xargs cp -pu --parents -t "$ROOT")
}

# As users make it, without PostgreSQL's assertions.
build_library() {
    log=$LOGS/build-library.log
    make -s -j2 PG_CONFIG="$PG_HOME/bin/pg_config" >"$log" 2>&1 || { tail -n 40 "$log"; die "the extension does not build"; }
}

# GOAL: linked with the engine that the library has.
build_units() {
    make_tests "unit-$1" O="$MAKE_BUILD/unit" LIBRARY=liblm.a "$1"
}

# Programs that this run needs, which the parts name: SANITIZED.
build_sanitized() {
    # shellcheck disable=SC2046 # a list of names
    make_tests sanitize O="$MAKE_BUILD/sanitize" SANITIZE=address,undefined \
        $(for program in $SANITIZED; do echo "$MAKE_BUILD/sanitize/$program"; done)
}

# NAME MAKE_ARGUMENT …
make_tests() {
    build_log=$LOGS/build-$1.log
    build_name=$1
    shift
    make -s -j2 -f test/Makefile "$@" >"$build_log" 2>&1 ||
        { tail -n 40 "$build_log"; die "the engine's tests do not build ($build_name)"; }
}

# ---- Parts ----

part_lint() {
    job layers "library" check layers python3 scripts/check-layers
    job links "" check links python3 scripts/check-docs --links
    job format "" check format sh scripts/check-format
    job picture "" check picture python3 bench/picture.py --check
}

part_unit() {
    for unit in $(unit_names); do
        job "unit/$unit" "unit-programs model" run_unit unit "$unit"
    done
}

unit_names() {
    find test/unit -name 'test_*.c' -exec basename {} .c \; | sort
}

# In CI a third in turn 2 of three, so all of them in nine commits, since the build of the engine takes as long as a third of them;
# in turn 0 the same programs count ways (coverage.sh). What the commit changes does not wait. The real model goes the ways of the tiny models in minutes there, so only where there is time.
SANITIZED=
part_sanitize() {
    number=0
    for unit in $(unit_names); do
        number=$((number + 1))
        [ "$unit" != test_minilm ] || [ "$LMTEXT_EFFORT" = long ] || continue
        in_turn $((3 * (number % 3) + 2)) 9 || commit_changes "test/unit/$unit.c" "src/engine/*/${unit#test_}.c" || continue
        SANITIZED="$SANITIZED unit/$unit"
        job "sanitize/$unit" "sanitized-programs model" run_unit sanitize "$unit"
    done
}

run_unit() {
    # shellcheck disable=SC2046 # an argument or none
    check_lines "$1/$2" env LMTEXT_TURN="$(commit_number)" LMTEXT_STRIDE="$(stride_of "$1")" "$BUILD/$1/unit/$2" $(cases_of "$2")
}

# The calibration of the real model takes as long as all else of its test: in CI in turn 0 of three.
cases_of() {
    [ "$1" != test_minilm ] || in_turn 0 3 || commit_changes src/engine/quant src/engine/kernels || echo -calibrated
}

# FOLDER: of inputs that go one way each n-th (test/unit/unit.h).
stride_of() {
    case $1/$LMTEXT_EFFORT in
    unit/quick) echo 4 ;;
    unit/ci) echo 8 ;;
    unit/*) echo 1 ;;
    *) echo 8 ;;
    esac
}

part_kernels() {
    in_turn 1 3 || commit_changes src/engine/kernels test/kernels || return 0
    for kernels in check emulated_avx512 emulated_avx512_vnni emulated_avx512_bf16 emulated_attention; do
        job "kernels/$kernels" kernel-programs check_kernels $kernels
    done
    for cpu in $(sed -n 's/^HIDDEN(.* = gotoblas_\([A-Z0-9_]*\));/\1/p' src/engine/kernels/openblas.ld | sort -u); do
        job "blas/$cpu" kernel-programs check_blas "$cpu"
    done
    job spills "" check_lines spills sh scripts/check-spills
}

check_kernels() {
    check_lines "kernels/$1" "$BUILD/unit/kernels/$1"
}

# What stands in for OpenBLAS's tables of other CPUs, which this one may never choose.
check_blas() {
    check_lines "blas/$1" env OPENBLAS_CORETYPE="$1" "$BUILD/unit/kernels/check" blas
}

part_symbols() {
    job symbols library check_symbols
}

check_symbols() {
    check symbols sh scripts/check-symbols lmtext.so "$PG_HOME/bin/postgres"
    # As `make install` does it for a user.
    rm -rf "$BUILD/installed"
    check install make -s install PG_CONFIG="$PG_HOME/bin/pg_config" DESTDIR="$BUILD/installed"
    stripped=$BUILD/installed$("$PG_HOME/bin/pg_config" --pkglibdir)/lmtext.so
    check symbols-installed sh scripts/check-symbols "$stripped" "$PG_HOME/bin/postgres"
    check size at_most 16000000 "$stripped"
}

at_most() {
    stat -c '%s bytes' "$2"
    [ "$(stat -c %s "$2")" -le "$1" ]
}

# The other compiler: extension and tests without a warning. In CI it reads them only, which is where it warns: a third of them in
# turn, and what the commit changes; else it builds them, over one build of the engine. (None of the programs is run.)
part_clang() {
    if [ "$LMTEXT_EFFORT" = ci ]; then
        job clang "" read_by_clang
    else
        job clang "" build_by_clang
    fi
}

read_by_clang() {
    for folder in src/engine src/pg test bench; do
        check "clang-$(echo $folder | tr / -)" read_folder_by_clang $folder
    done
}

# FOLDER
read_folder_by_clang() {
    # PostgreSQL's own macros leave members out.
    server=
    [ "$1" != src/pg ] || server="-Wno-missing-field-initializers -Wno-sign-compare"
    # shellcheck disable=SC2086 # words
    {
        find "$1" -name '*.c' ! -path 'test/fuzz/*' | sort | share_of_lines 3
        changed_sources "$1"
    } | sort -u | xargs -r -P 2 -n 16 clang-14 -fsyntax-only -std=gnu11 -O1 -Wall -Wextra \
        -Werror -Wno-unused-parameter $server -DLMTEXT_VERSION='"0"' \
        -Isrc -Isrc/engine -Itest/unit -isystem "$("$PG_HOME/bin/pg_config" --includedir-server)"
}

# FOLDER: sources that the commit changes or that stand beside a header that it changes.
changed_sources() {
    git cat-file -e 'HEAD^^{commit}' 2>/dev/null || return 0
    git diff --name-only --diff-filter=d 'HEAD^' HEAD -- "$1" | sed 's/\.h$/.c/' | grep '\.c$' | grep -v '^test/fuzz/' |
        while read -r source; do [ ! -e "$source" ] || echo "$source"; done
}

build_by_clang() {
    source=$BUILD/clang-source
    rm -rf "$source"
    mkdir -p "$source"
    cp -R Makefile lmtext.control sql src "$source/"
    find "$source" -name '*.[oda]' -exec rm -f {} +
    check clang-extension make -s -j2 -C "$source" CC=clang-14 PG_CONFIG="$PG_HOME/bin/pg_config" all
    check clang-archive make -s -C "$source" CC=clang-14 PG_CONFIG="$PG_HOME/bin/pg_config" liblm.a
    rm -rf "$BUILD/clang"
    check clang-tests make -s -j2 -f test/Makefile O="$MAKE_BUILD/clang" CC=clang-14 OPTIMIZE=-O1 LIBRARY="$MAKE_BUILD/clang-source/liblm.a"
}
