# coverage.sh - what the tests reach of src/, counted by gcov and judged by scripts/check-coverage.

# What is measured is compiled with --coverage and without optimisation, the rest as always, so that the tests keep their
# speed: kernels are measured by their own check and that of levels, the other rooms of the engine by its tests, src/pg by a server's. What
# these tests say is judged where all is compiled as always, since some look at the clock; here only the loops of faults
# are. A run that ends early shows in the counts.
COVERAGE_FLAGS="--coverage -O0"

# Programs of test/ in the build folder; not test_minilm, which takes the same ways as the golden models do, and not
# the two cases that go through all of Unicode: without optimisation they take minutes.
coverage_units() {
    units=$MAKE_BUILD/coverage/units
    kernels=$MAKE_BUILD/coverage/kernels
    rm -rf "$units" "$kernels"
    # shellcheck disable=SC2046
    {
        make -s -j2 -f test/Makefile O="$units" \
            $(find src/engine/kernels -name '*.c' | sed "s#^src/\(.*\)c\$#$units/\1o#") &&
            make -s -j2 -f test/Makefile O="$units" OPTIMIZE="$COVERAGE_FLAGS" \
                $(find test/unit -name 'test_*.c' ! -name test_minilm.c | sed "s#^test/\(.*\).c\$#$units/\1#") &&
            make -s -j2 -f test/Makefile O="$kernels" OPTIMIZE="$COVERAGE_FLAGS" "$kernels/kernels/check" \
                "$kernels/unit/test_levels"
    } >"$LOGS/build-coverage.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-coverage.log"; die "the engine's tests do not build (coverage)"; }
    {
        "$kernels/kernels/check"
        "$kernels/unit/test_levels"
    } >"$LOGS/coverage-kernels.log" 2>&1 &
    for program in "$units"/unit/test_*; do
        case $program in *.d | *.gc*) continue ;; esac
        "$program" -blocks >"$LOGS/coverage-$(basename "$program").log" 2>&1 || true
    done
    wait $! || true
}

# TAP files whose ways through the code no SQL test takes.
COVERAGE_TAP="010_cache 011_slots 020_models 031_runs 070_stats 080_roles"

# A copy of the checkout, so that its servers and its installed extension are its own: in the folder of
# servers, where their user may write the counts beside the objects.
coverage_server() {
    install_private
    copy=$(server_home)/coverage-server
    [ ! -d "$copy" ] || (cd "$copy" && sh scripts/cluster.sh stop)
    rm -rf "$copy"
    mkdir -p "$copy/build"
    find . -path ./build -prune -o -path ./.git -prune -o -path './src/pg/*.[od]' -o -type f ! -name '*.so' -print |
        tar -cf - -T - | tar -xf - -C "$copy"
    ln -s "$BUILD/models" "$copy/build/models"
    rm -f "$copy"/test/t/[0-9]*.pl
    for name in $COVERAGE_TAP; do
        cp "test/t/$name.pl" "$copy/test/t/"
    done
    LMTEXT_FAULT_POINTS=$(fault_points)
    (
        cd "$copy"
        unset LMTEXT_BUILD
        export LMTEXT_DEBUG=1
        make -s -j2 PG_CONFIG="$PG_CONFIG" COPT="$COVERAGE_FLAGS" && find src -type d -exec chmod a+w {} +
    ) >"$LOGS/build-coverage-pg.log" 2>&1 ||
        { tail -n 40 "$LOGS/build-coverage-pg.log"; die "the extension does not build (coverage)"; }
    check_no_faults "$copy/lmtext.so"
    # The copy has a lock of its own.
    (
        cd "$copy"
        export LMTEXT_DEBUG=1 LMTEXT_EFFORT=quick
        unset LMTEXT_BUILD LMTEXT_TAP
        sh scripts/test.sh sql tap
    ) >"$LOGS/coverage-server.log" 2>&1 9>&- || true
    (
        cp test/faults/060_faults.pl "$copy/test/t/"
        cd "$copy"
        LMTEXT_EFFORT=$(short_effort)
        export LMTEXT_EFFORT LMTEXT_DEBUG=1 LMTEXT_TAP='060*' LMTEXT_FAULT_POINTS
        unset LMTEXT_BUILD
        sh scripts/test.sh tap
    ) >"$LOGS/coverage-faults.log" 2>&1 9>&- || tail -n 60 "$LOGS/coverage-faults.log"
    check_lines coverage cat "$copy/build/results.txt"
}

part_coverage() {
    need_model
    pg_layout
    need_part coverage
    coverage_units &
    engine=$!
    coverage_server
    wait $engine
    check_lines coverage python3 scripts/check-coverage --report "$BUILD/coverage/unreached.txt" \
        "$BUILD/coverage/units" "$BUILD/coverage/kernels" "$copy/src/pg"
}
