# engine.sh - parts that need no server: lint, the engine's tests, kernels, symbols, the other compiler.

part_lint() {
    need_part lint
    check layers python3 scripts/check-layers
    check links python3 scripts/check-docs --links
    check format sh scripts/check-format
    check picture python3 bench/picture.py --check
}

build_units() {
    # shellcheck disable=SC2086
    need_packages $BUILD_PACKAGES
    flock "$LOGS/build-$1.lock" make -s -j2 -f test/Makefile O="$MAKE_BUILD/$1" SANITIZE="$2" >"$LOGS/build-$1.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-$1.log"; die "the engine's tests do not build ($1)"; }
}

# The real model's first: nothing takes longer. Under sanitizers it goes the ways of the tiny models in minutes, so only
# where there is time.
run_units() {
    {
        case "$1 $LMTEXT_EFFORT" in
        "sanitize quick" | "sanitize all") ;;
        *) echo "$BUILD/$1/unit/test_minilm" ;;
        esac
        find "$BUILD/$1/unit" -name 'test_*' ! -name '*.d' ! -name test_minilm | sort
    } | for_each run_unit
}

run_unit() {
    check_lines "$(basename "$(dirname "$(dirname "$1")")")/$(basename "$1")" "$1"
}

part_unit() {
    need_model
    build_units unit ""
    check engine-alone sh scripts/check-engine
    run_units unit
}

part_sanitize() {
    need_model
    build_units sanitize address,undefined
    run_units sanitize
}

check_kernels() {
    check_lines "kernels/$1" "$BUILD/unit/kernels/$1"
}

part_kernels() {
    build_units unit ""
    printf '%s\n' check emulated_avx512 emulated_avx512_vnni emulated_avx512_bf16 emulated_attention | for_each check_kernels
    sed -n 's/^HIDDEN(.* = gotoblas_\([A-Z0-9_]*\));/\1/p' src/engine/kernels/openblas.ld | sort -u | for_each check_blas
    need_part kernels
    check_lines spills sh scripts/check-spills
}

part_symbols() {
    need_part symbols
    install_private
    check symbols sh scripts/check-symbols lmtext.so "$PG_BINDIR/postgres"
    # As `make install` does it for a user.
    rm -rf "$BUILD/installed"
    check install make -s install PG_CONFIG="$PG_CONFIG" DESTDIR="$BUILD/installed"
    stripped=$BUILD/installed$("$PG_CONFIG" --pkglibdir)/lmtext.so
    check symbols-installed sh scripts/check-symbols "$stripped" "$PG_BINDIR/postgres"
    check size at_most 14000000 "$stripped"
}

at_most() {
    stat -c '%s bytes' "$2"
    [ "$(stat -c %s "$2")" -le "$1" ]
}

# What stands in for OpenBLAS's tables of other CPUs, which this one may never choose.
check_blas() {
    check_lines "blas/$1" env OPENBLAS_CORETYPE="$1" "$BUILD/unit/kernels/check" blas
}

# The other compiler: engine, tests and extension without a warning. (None of the programs is run.)
part_clang() {
    need_part clang
    pg_layout
    check clang-engine make -s -j2 -f test/Makefile O="$MAKE_BUILD/clang" CC=clang-14 OPTIMIZE=-O1
    rm -rf "$BUILD/clang-source"
    mkdir -p "$BUILD/clang-source"
    cp -R Makefile lmtext.control sql src "$BUILD/clang-source/"
    find "$BUILD/clang-source" -name '*.[od]' -exec rm -f {} +
    check clang-extension make -s -j2 -C "$BUILD/clang-source" CC=clang-14 PG_CONFIG="$PG_CONFIG"
}
