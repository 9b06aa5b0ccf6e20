# coverage.sh - what the tests reach of src/, counted by gcov and judged by scripts/check-coverage.

# Everything is compiled with --coverage and without optimisation, except the kernels that models run on: those are
# measured by their own check alone, so that the rest of the tests keeps its speed.
COVERAGE_FLAGS="--coverage -O0"

# Programs of test/ in the build folder; not test_minilm, which takes the same ways as the golden models do, and not
# the two cases that go through all of Unicode: without optimisation they take minutes.
coverage_units() {
    units=$MAKE_BUILD/coverage/units
    kernels=$MAKE_BUILD/coverage/kernels
    rm -rf "$units" "$kernels"
    {
        # shellcheck disable=SC2046
        make -s -j2 -f test/Makefile O="$units" \
            $(find src/engine/kernels -name '*.c' | sed "s#^src/\(.*\)c\$#$units/\1o#") &&
            make -s -j2 -f test/Makefile O="$units" OPTIMIZE="$COVERAGE_FLAGS" &&
            make -s -j2 -f test/Makefile O="$kernels" OPTIMIZE="$COVERAGE_FLAGS" "$kernels/kernels/check"
    } >"$LOGS/build-coverage.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-coverage.log"; die "the engine's tests do not build (coverage)"; }
    "$kernels/kernels/check" >"$LOGS/coverage-kernels.log" 2>&1 &
    for program in "$units"/unit/test_*; do
        case $program in *.d | *.gc* | */test_minilm) continue ;; esac
        check_lines "coverage/$(basename "$program")" "$program" -blocks
    done
    check coverage-kernels wait $!
}

# TAP files whose ways through the code no SQL test takes, and the faults of the debug build.
COVERAGE_TAP="010_cache 020_models 030_train 040_cancel 070_stats 080_roles 082_update 101_plans"

# A copy of the checkout, so that its servers and its installed extension are its own: in the folder of
# servers, where their user may write the counts beside the objects.
coverage_server() {
    copy=$(server_home)/coverage-server
    [ ! -d "$copy" ] || (cd "$copy" && sh scripts/cluster.sh stop)
    rm -rf "$copy"
    mkdir -p "$copy/build"
    find . -path ./build -prune -o -path ./.git -prune -o -type f ! -name '*.[oda]' ! -name '*.so' -print |
        tar -cf - -T - | tar -xf - -C "$copy"
    ln -s "$BUILD/models" "$copy/build/models"
    rm -f "$copy"/test/t/[0-9]*.pl
    for name in $COVERAGE_TAP; do
        cp "test/t/$name.pl" "$copy/test/t/"
    done
    cp test/faults/060_faults.pl "$copy/test/t/"
    LMTEXT_FAULT_POINTS=$(grep -rho 'LMTEXT_FAULT_POINT("[a-z_]*")' src/pg | cut -d'"' -f2 | sort -u | tr '\n' ' ')
    (
        cd "$copy"
        unset LMTEXT_BUILD
        export LMTEXT_DEBUG=1
        # shellcheck disable=SC2046
        make -s -j2 PG_CONFIG="$PG_CONFIG" $(find src/engine/kernels -name '*.c' | sed 's/c$/o/') &&
            make -s -j2 PG_CONFIG="$PG_CONFIG" EXTRA_CFLAGS="$COVERAGE_FLAGS" COPT="$COVERAGE_FLAGS" &&
            find src -type d -exec chmod a+w {} +
    ) >"$LOGS/build-coverage-pg.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-coverage-pg.log"; die "the extension does not build (coverage)"; }
    # The copy has a lock of its own. What its tests say is judged where they run at full speed: some look at the
    # clock. A run that ends early shows in the counts.
    (
        cd "$copy"
        export LMTEXT_DEBUG=1 LMTEXT_EFFORT=quick LMTEXT_FAULT_POINTS
        unset LMTEXT_BUILD LMTEXT_TAP
        sh scripts/test.sh sql tap
    ) >"$LOGS/coverage-server.log" 2>&1 9>&- || true
}

part_coverage() {
    need_model
    pg_layout
    need_packages python3 binutils
    coverage_units
    coverage_server
    check_lines coverage python3 scripts/check-coverage --report "$BUILD/coverage/unreached.txt" \
        "$BUILD/coverage/units" "$BUILD/coverage/kernels" "$copy/src"
}
